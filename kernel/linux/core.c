/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Core files. The process stands still meanwhile: its other threads are not let out to the program
 * (nothing here waits), and it ends right behind.
 */
#include "kernel/linux/core.h"

#include <linux/elf.h>
#include <linux/fcntl.h>

#include "base/fmt.h"
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/linux/linux.h"
#include "kernel/linux/ptrace_regs.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/kmem.h"
#include "kernel/vfs/file.h"
#include "kernel/vfs/path.h"

char core_pattern[CORE_PATTERN_MAX] = "core";
bool core_uses_pid;

/* ---- the name ---- */

static void put_text(char *out, size_t size, size_t *at, const char *s)
{
	while (*s != '\0' && *at + 1 < size)
		out[(*at)++] = *s++;
	out[*at] = '\0';
}

/* A name of the program's may not lead into another folder. */
static void put_name(char *out, size_t size, size_t *at, const char *s)
{
	for (; *s != '\0' && *at + 1 < size; s++)
		out[(*at)++] = *s == '/' ? '!' : *s;
	out[*at] = '\0';
}

static void put_number(char *out, size_t size, size_t *at, uint64_t n)
{
	char text[24];

	fmt_snprintf(text, sizeof(text), "%lu", (unsigned long)n);
	put_text(out, size, at, text);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static void put_field(char field, int sig, char *out, size_t size, size_t *at)
{
	const struct task *t = current_task;

	switch (field) {
	case '%': put_text(out, size, at, "%"); break;
	case 'p':
	case 'P': put_number(out, size, at, (uint64_t)t->pid); break;
	case 'i':
	case 'I': put_number(out, size, at, (uint64_t)current->tid); break;
	case 'u': put_number(out, size, at, t->cred.uid); break;
	case 'g': put_number(out, size, at, t->cred.gid); break;
	case 'd': put_number(out, size, at, t->dumpable); break;
	case 's': put_number(out, size, at, (uint64_t)sig); break;
	case 't': put_number(out, size, at, time_real_ns() / 1000000000u); break;
	case 'h': put_name(out, size, at, linux_hostname()); break;
	case 'e': put_name(out, size, at, current->comm); break;
	case 'f': put_name(out, size, at, base_name(t->exe)); break;
	case 'E': put_name(out, size, at, t->exe); break;
	case 'c': put_number(out, size, at, t->rlimit[RLIMIT_CORE].rlim_cur); break;
	default: break; /* as Linux: unknown ones are left out */
	}
}

err_t core_name(const char *pattern, int sig, char *out, size_t size)
{
	bool has_pid = false;
	size_t at = 0;

	if (pattern[0] == '|')
		return E_OPNOTSUPP;
	out[0] = '\0';
	for (const char *p = pattern; *p != '\0'; p++) {
		if (*p != '%') {
			char one[2] = { *p, '\0' };

			put_text(out, size, &at, one);
		} else if (*++p == '\0') {
			break;
		} else {
			has_pid = has_pid || *p == 'p';
			put_field(*p, sig, out, size, &at);
		}
	}
	if (core_uses_pid && !has_pid) {
		put_text(out, size, &at, ".");
		put_number(out, size, &at, (uint64_t)current_task->pid);
	}
	return at + 1 < size ? OK : E_NAMETOOLONG;
}

/* ---- which pages ---- */

static bool is_own_page(const struct vma *v, uint64_t va)
{
	uint64_t e = nk_entry(v->as->space, va);
	paddr_t pa = PADDR(e & NK_PTE_ADDR);

	return NK_PTE_THERE(e) && frame_is_ours(pa) &&
	       (v->obj == NULL || (frame_of(pa)->flags & FRAME_IS_ANON) != 0);
}

/* Has the program written to a private area, so that it is not as in its file? */
static bool has_own_pages(const struct vma *v)
{
	for (uint64_t va = v->start; va < v->end; va += PAGE_SIZE) {
		uint64_t table = nk_next_table(v->as->space, va, v->end);

		if (table > va) /* there is nothing before it */
			va = table;
		if (va < v->end && is_own_page(v, va))
			return true;
	}
	return false;
}

#define PATH_ROOM 4096u
#define DELETED   " (deleted)"

/* Shared memory of a file that has a name; `text` has room for PATH_ROOM bytes. */
static bool has_name(const struct vma *v, char *text)
{
	uint64_t dev, ino;
	size_t len;

	if (v->obj == NULL || v->obj->ops->describe == NULL)
		return false;
	text[0] = '\0';
	v->obj->ops->describe(v->obj, text, PATH_ROOM, &dev, &ino);
	len = strlen(text);
	return text[0] == '/' &&
	       (len < strlen(DELETED) || strcmp(text + len - strlen(DELETED), DELETED) != 0);
}

static bool begins_with_elf(const struct vma *v)
{
	char magic[SELFMAG];

	return aspace_read(v->as, v->start, magic, sizeof(magic)) == sizeof(magic) &&
	       memcmp(magic, ELFMAG, SELFMAG) == 0;
}

/* How much of an area is written, from its start on: all, a page, nothing. As Linux chooses. */
static uint64_t bytes_of(const struct vma *v, uint32_t filter, char *text)
{
	uint64_t all = v->end - v->start;

	if (v->flags & (VM_DONTDUMP | VM_PRIV))
		return 0;
	if (v->flags & VM_SPECIAL)
		return (v->flags & VM_EXEC) ? all : 0; /* the vDSO, not its data */
	if (v->flags & VM_SHARED)
		return filter & (has_name(v, text) ? CORE_MAPPED_SHARED : CORE_ANON_SHARED) ? all
											    : 0;
	if ((filter & CORE_ANON_PRIVATE) && has_own_pages(v))
		return all;
	if (v->obj == NULL)
		return 0;
	if (filter & CORE_MAPPED_PRIVATE)
		return all;
	if ((filter & CORE_ELF_HEADERS) && v->pgoff == 0 && (v->flags & VM_READ) &&
	    begins_with_elf(v))
		return PAGE_SIZE;
	return 0;
}

/* ---- writing ---- */

struct out {
	struct file *file; /* NULL: to the host */
	uint64_t at, limit;
	char *page;
};

/* False: the limit, or no room. */
static bool write_out(struct out *o, const void *data, size_t len)
{
	struct uio u;
	size_t done = 0;

	if (len > o->limit - o->at)
		return false;
	uio_kernel(&u, (void *)data, len);
	if (o->file == NULL ? !core_host_put(o->at, data, len)
			    : file_pwrite(o->file, o->at, &u, &done) != OK || done != len)
		return false;
	o->at += len;
	return true;
}

/* A page's content; false when there is nothing but zeros, which need not be written. */
static bool page_content(const struct vma *v, uint64_t va, char *page)
{
	uint64_t e = nk_entry(v->as->space, va);

	if (NK_PTE_THERE(e)) {
		memcpy(page, frame_data(PADDR(e & NK_PTE_ADDR)), PAGE_SIZE);
		return true;
	}
	return v->obj != NULL && aspace_read(v->as, va, page, PAGE_SIZE) == PAGE_SIZE;
}

static bool write_area(struct out *o, const struct vma *v, uint64_t len)
{
	for (uint64_t va = v->start; va < v->start + len; va += PAGE_SIZE) {
		if (PAGE_SIZE > o->limit - o->at)
			return false;
		if (!page_content(v, va, o->page))
			o->at += PAGE_SIZE; /* a hole */
		else if (!write_out(o, o->page, PAGE_SIZE))
			return false;
	}
	return true;
}

static unsigned count_areas(struct aspace *a)
{
	unsigned n = 0;

	for (struct vma *v = aspace_first(a); v != NULL; v = aspace_next(v))
		n++;
	return n;
}

static void fill_head(Elf64_Ehdr *h, unsigned segments)
{
	memset(h, 0, sizeof(*h));
	memcpy(h->e_ident, ELFMAG, SELFMAG);
	h->e_ident[EI_CLASS] = ELFCLASS64;
	h->e_ident[EI_DATA] = ELFDATA2LSB;
	h->e_ident[EI_VERSION] = EV_CURRENT;
	h->e_type = ET_CORE;
	h->e_machine = EM_X86_64;
	h->e_version = EV_CURRENT;
	h->e_phoff = sizeof(*h);
	h->e_ehsize = sizeof(*h);
	h->e_phentsize = sizeof(Elf64_Phdr);
	h->e_phnum = (uint16_t)segments;
}

static uint32_t segment_flags(const struct vma *v)
{
	return ((v->flags & VM_READ) ? PF_R : 0) | ((v->flags & VM_WRITE) ? PF_W : 0) |
	       ((v->flags & VM_EXEC) ? PF_X : 0);
}

/* Program headers: the notes, then the areas, whose bytes begin at `data`. */
static bool write_headers(struct out *o, const struct core_buf *notes, unsigned areas,
			  uint64_t data)
{
	uint32_t filter = current_task->core_filter;
	Elf64_Phdr p = { .p_type = PT_NOTE,
			 .p_offset = sizeof(Elf64_Ehdr) + (areas + 1ull) * sizeof(p),
			 .p_filesz = notes->len,
			 .p_align = 4 };
	Elf64_Ehdr h;

	fill_head(&h, areas + 1);
	if (!write_out(o, &h, sizeof(h)) || !write_out(o, &p, sizeof(p)))
		return false;
	for (struct vma *v = aspace_first(current_task->mm); v != NULL; v = aspace_next(v)) {
		p = (Elf64_Phdr){ .p_type = PT_LOAD,
				  .p_flags = segment_flags(v),
				  .p_offset = data,
				  .p_vaddr = v->start,
				  .p_filesz = bytes_of(v, filter, o->page),
				  .p_memsz = v->end - v->start,
				  .p_align = PAGE_SIZE };
		data += p.p_filesz;
		if (!write_out(o, &p, sizeof(p)))
			return false;
	}
	return write_out(o, notes->data, notes->len);
}

static void write_core(struct out *o, const struct core_buf *notes)
{
	unsigned areas = count_areas(current_task->mm);
	uint64_t data = ALIGN_UP(
		sizeof(Elf64_Ehdr) + (areas + 1ull) * sizeof(Elf64_Phdr) + notes->len, PAGE_SIZE);
	bool whole = areas < PN_XNUM - 1 && write_headers(o, notes, areas, data);

	o->at = data;
	for (struct vma *v = aspace_first(current_task->mm); whole && v != NULL; v = aspace_next(v))
		whole = write_area(o, v, bytes_of(v, current_task->core_filter, o->page));
	/* Holes at the end have no bytes of their own. */
	if (o->file == NULL)
		whole &= core_host_end(o->at);
	else if (whole && file_truncate(o->file, o->at) != OK)
		whole = false;
	if (!whole)
		log_info("core file of %s[%d] is cut off", current->comm, current_task->pid);
}

/* ---- the file ---- */

static err_t open_core(const char *name, struct file **out)
{
	const uint32_t flags = O_CREAT | O_RDWR | O_NOFOLLOW | O_LARGEFILE | O_EXCL;
	err_t err = vfs_unlink(AT_FDCWD, name, false);

	if (err != OK && err != E_NOENT)
		return err;
	return vfs_open(AT_FDCWD, name, flags, 0600, LOOK_FOLLOW, out);
}

/*
 * To a file, or (NULL) the host. True: the program's end is reported as "core dumped".
 */
static bool dump_to(struct file *f, uint64_t limit, int sig, const struct ksiginfo *info)
{
	struct out o = { .file = f, .limit = limit };
	struct core_buf notes = { 0 };

	o.page = kmem_alloc(PAGE_SIZE);
	core_notes(&notes, sig, info);
	if (o.page != NULL && !notes.failed)
		write_core(&o, &notes);
	else
		notes.failed = true;
	kmem_free(o.page);
	kmem_free(notes.data);
	return !notes.failed;
}

static bool dump_to_file(int sig, const struct ksiginfo *info)
{
	struct task *t = current_task;
	char name[CORE_PATTERN_MAX + 128];
	struct file *f;
	bool dumped;
	err_t err;

	if (t->rlimit[RLIMIT_CORE].rlim_cur < PAGE_SIZE)
		return false;
	err = core_name(core_pattern, sig, name, sizeof(name));
	if (err == E_OPNOTSUPP)
		log_error("core_pattern names a program: no core file is written");
	if (err == OK)
		err = open_core(name, &f);
	if (err != OK) {
		log_info("core file of %s[%d]: %s", current->comm, t->pid, err_text(err));
		return false;
	}
	dumped = dump_to(f, t->rlimit[RLIMIT_CORE].rlim_cur, sig, info);
	file_put(f);
	return dumped;
}

bool core_dump(int sig, const struct ksiginfo *info)
{
	struct task *t = current_task;
	bool dumped = false;

	if (!t->dumpable || t->mm == NULL)
		return false;
	thread_save_bases();
	if (core_to_host())
		dumped = core_host_begin() && dump_to(NULL, UINT64_MAX, sig, info);
	return dump_to_file(sig, info) || dumped;
}
