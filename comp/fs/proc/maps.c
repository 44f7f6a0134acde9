/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/PID/maps, smaps, smaps_rollup and mem. */
#include <linux/fcntl.h>

#include "base/fmt.h"
#include "base/str.h"
#include "comp/fs/proc/local.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/kmem.h"

#define NAME_COLUMN 73u
#define KB_PER_PAGE 4u
#define PSS_PARTS   4096u /* of a byte, so that small shares add up */

struct area_name {
	char *buf; /* PAGE_SIZE bytes */
	uint64_t dev, ino;
};

static void area_describe(const struct aspace *a, const struct vma *v, struct area_name *n)
{
	n->buf[0] = '\0';
	n->dev = n->ino = 0;
	if (v->name != NULL)
		(void)str_copy(n->buf, PAGE_SIZE, v->name);
	else if (v->obj != NULL && v->obj->ops->describe != NULL)
		v->obj->ops->describe(v->obj, n->buf, PAGE_SIZE, &n->dev, &n->ino);
	else if ((v->flags & VM_HEAP) != 0 && a->brk > a->brk_start)
		(void)str_copy(n->buf, PAGE_SIZE, "[heap]");
	else if ((v->flags & VM_STACK) != 0)
		(void)str_copy(n->buf, PAGE_SIZE, "[stack]");
}

static void area_line(struct text *t, const struct aspace *a, const struct vma *v,
		      struct area_name *n)
{
	size_t start = t->len;
	/* What the program itself can do: PrivUser is out of its reach. */
	uint32_t flags = (v->flags & VM_PRIV) != 0 ? 0 : v->flags;

	area_describe(a, v, n);
	text_printf(t, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", v->start, v->end,
		    (flags & VM_READ) != 0 ? 'r' : '-', (flags & VM_WRITE) != 0 ? 'w' : '-',
		    (flags & VM_EXEC) != 0 ? 'x' : '-', (flags & VM_SHARED) != 0 ? 's' : 'p',
		    UL(v->obj != NULL ? v->pgoff * PAGE_SIZE : 0), dev_major(n->dev),
		    dev_minor(n->dev), n->ino);
	if (n->buf[0] != '\0') {
		while (!t->failed && t->len - start < NAME_COLUMN)
			text_puts(t, " ");
		for (const char *s = n->buf; *s != '\0'; s++) {
			if (*s == '\n')
				text_puts(t, "\\012");
			else
				text_put(t, s, 1);
		}
	}
	text_puts(t, "\n");
}

/* ---- what is in memory ---- */

/* A page counts by its share: one divided by the mappings of its frame. Those of the image are not
 * counted; they count as if each were ours alone. */
static void add_share(struct proc_rss *r, paddr_t pa, bool ours, bool dirty)
{
	uint32_t maps = ours ? nk_frame(pa)->maps : 1;
	uint64_t share = PAGE_SIZE * PSS_PARTS / (maps != 0 ? maps : 1);

	r->pss += share;
	if (dirty)
		r->pss_dirty += share;
}

static void count_entry(const struct vma *v, uint64_t entry, struct proc_rss *r)
{
	paddr_t pa = PADDR(entry & NK_PTE_ADDR);
	bool ours = frame_is_ours(pa);
	bool shared = !ours || frame_refs(pa) > 1;
	bool dirty = ours && ((entry & NK_PTE_D) != 0 || v->obj == NULL);

	if (!ours || (v->obj != NULL && v->obj->ops->describe != NULL &&
		      (v->flags & VM_SHARED) == 0 && shared))
		r->file++;
	else if (v->obj != NULL && (v->flags & VM_SHARED) != 0)
		r->shmem++;
	else
		r->anon++;
	if (shared)
		dirty ? r->shared_dirty++ : r->shared_clean++;
	else
		dirty ? r->private_dirty++ : r->private_clean++;
	if ((entry & NK_PTE_A) != 0)
		r->referenced++;
	add_share(r, pa, ours, dirty);
}

static void count_area(const struct aspace *a, const struct vma *v, struct proc_rss *r)
{
	uint64_t va = v->start;

	while (va < v->end) {
		const uint64_t *table;
		uint64_t next = nk_next_table(a->space, va, v->end);

		if (next >= v->end)
			return;
		if (next > va)
			va = next;
		table = nk_table_of(a->space, va);
		next = ALIGN_DOWN(va, CHUNK_SIZE) + CHUNK_SIZE;
		for (; va < next && va < v->end; va += PAGE_SIZE) {
			uint64_t entry = table[va >> PAGE_SHIFT & (CHUNK_FRAMES - 1)];

			if (NK_PTE_THERE(entry))
				count_entry(v, entry, r);
		}
	}
}

void proc_rss_of(struct aspace *a, struct proc_rss *out)
{
	*out = (struct proc_rss){ 0 };
	for (struct vma *v = aspace_first(a); v != NULL; v = aspace_next(v))
		count_area(a, v, out);
}

static uint64_t rss_pages(const struct proc_rss *r)
{
	return r->anon + r->file + r->shmem;
}

static uint64_t pss_kb(uint64_t parts)
{
	return parts / (1024u * PSS_PARTS);
}

static void rss_lines(struct text *t, const struct proc_rss *r)
{
	const struct {
		const char *name;
		uint64_t pages;
	} lines[] = {
		{ "Rss:", rss_pages(r) },
		{ "Shared_Clean:", r->shared_clean },
		{ "Shared_Dirty:", r->shared_dirty },
		{ "Private_Clean:", r->private_clean },
		{ "Private_Dirty:", r->private_dirty },
		{ "Referenced:", r->referenced },
		{ "Anonymous:", r->anon },
		{ "LazyFree:", 0 },
		{ "AnonHugePages:", 0 },
		{ "ShmemPmdMapped:", 0 },
		{ "FilePmdMapped:", 0 },
		{ "Shared_Hugetlb:", 0 },
		{ "Private_Hugetlb:", 0 },
		{ "Swap:", 0 },
		{ "SwapPss:", 0 },
		{ "Locked:", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		text_printf(t, "%-16s%8lu kB\n", lines[i].name, lines[i].pages * KB_PER_PAGE);
		if (i == 0)
			text_printf(t, "%-16s%8lu kB\n%-16s%8lu kB\n", "Pss:", pss_kb(r->pss),
				    "Pss_Dirty:", pss_kb(r->pss_dirty));
	}
}

static void flag_line(struct text *t, const struct vma *v)
{
	static const struct {
		uint32_t flag;
		const char *text;
	} names[] = {
		{ VM_READ, "rd" },      { VM_WRITE, "wr" },    { VM_EXEC, "ex" },
		{ VM_SHARED, "sh" },    { VM_MAYWRITE, "mw" }, { VM_STACK, "gd" },
		{ VM_NORESERVE, "nr" }, { VM_DONTFORK, "dc" }, { VM_WIPEONFORK, "wf" },
	};

	text_puts(t, "VmFlags:");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if ((v->flags & names[i].flag) != 0)
			text_printf(t, " %s", names[i].text);
	text_puts(t, " \n");
}

static err_t for_areas(const struct proc_ref *r, struct text *t,
		       void (*line)(struct text *t, const struct aspace *a, const struct vma *v,
				    struct area_name *n))
{
	struct area_name n = { .buf = NULL };
	struct task *task;

	TRY(proc_may_inspect(r, &task));
	if (task->mm == NULL)
		return OK;
	n.buf = kmem_alloc(PAGE_SIZE);
	if (n.buf == NULL)
		return E_NOMEM;
	for (struct vma *v = aspace_first(task->mm); v != NULL; v = aspace_next(v))
		line(t, task->mm, v, &n);
	kmem_free(n.buf);
	return OK;
}

static void smaps_lines(struct text *t, const struct aspace *a, const struct vma *v,
			struct area_name *n)
{
	struct proc_rss r = { 0 };

	area_line(t, a, v, n);
	count_area(a, v, &r);
	text_printf(t, "%-16s%8lu kB\n", "Size:", (v->end - v->start) / 1024);
	text_printf(t, "%-16s%8u kB\n%-16s%8u kB\n", "KernelPageSize:", 4, "MMUPageSize:", 4);
	rss_lines(t, &r);
	text_puts(t, "THPeligible:    0\n");
	flag_line(t, v);
}

err_t proc_maps(const struct proc_ref *r, struct text *t)
{
	return for_areas(r, t, area_line);
}

err_t proc_smaps(const struct proc_ref *r, struct text *t)
{
	return for_areas(r, t, smaps_lines);
}

err_t proc_smaps_rollup(const struct proc_ref *r, struct text *t)
{
	struct proc_rss sum;
	struct vma *v, *last;
	struct task *task;
	size_t start = t->len;

	TRY(proc_may_inspect(r, &task));
	if (task->mm == NULL)
		return E_SRCH;
	v = last = aspace_first(task->mm);
	if (v == NULL)
		return OK;
	for (struct vma *n = v; n != NULL; n = aspace_next(n))
		last = n;
	proc_rss_of(task->mm, &sum);
	text_printf(t, "%08lx-%08lx ---p 00000000 00:00 0 ", v->start, last->end);
	while (!t->failed && t->len - start < NAME_COLUMN)
		text_puts(t, " ");
	text_puts(t, "[rollup]\n");
	rss_lines(t, &sum);
	return OK;
}

/* ---- mem: another process's memory as a file ---- */

#define MEM_BATCH PAGE_SIZE

/* The space that the process had when the file was opened; it goes with the process or its execve,
 * not with the file. */
struct mem_file {
	struct pidref *of;
	uint64_t space;
};

static struct aspace *mem_space(const struct mem_file *m)
{
	struct aspace *a = m->of->task != NULL ? m->of->task->mm : NULL;

	return a != NULL && a->id == m->space ? a : NULL;
}

static err_t mem_transfer(struct file *f, uint64_t off, struct uio *u, bool write, size_t *done)
{
	struct aspace *a = mem_space(f->priv);
	char *buf;
	err_t err = OK;

	*done = 0;
	if (a == NULL)
		return OK;
	buf = kmem_alloc(MEM_BATCH);
	if (buf == NULL)
		return E_NOMEM;
	while (u->left > 0 && err == OK) {
		size_t n = u->left < MEM_BATCH ? u->left : MEM_BATCH, got = 0;

		if (write) {
			err = uio_in(u, buf, n, NULL);
			got = err == OK ? aspace_write(a, off + *done, buf, n, true) : 0;
			*done += got;
		} else {
			got = aspace_read(a, off + *done, buf, n);
			err = uio_out(u, buf, got, done);
		}
		if (err == OK && got < n) {
			err = *done > 0 ? OK : E_IO;
			break;
		}
	}
	kmem_free(buf);
	return err;
}

static err_t mem_read(struct file *f, uint64_t off, struct uio *to, size_t *done)
{
	return mem_transfer(f, off, to, false, done);
}

static err_t mem_write(struct file *f, uint64_t off, struct uio *from, size_t *done)
{
	return mem_transfer(f, off, from, true, done);
}

static long mem_seek(struct file *f, int64_t off, int whence)
{
	if (whence != 0 && whence != 1)
		return E_INVAL;
	f->pos = (uint64_t)off + (whence == 1 ? f->pos : 0);
	return (long)f->pos;
}

static void mem_release(struct file *f)
{
	struct mem_file *m = f->priv;

	pidref_put(m->of);
	kmem_free(m);
}

err_t proc_mem_open(const struct proc_ref *r, struct file *f)
{
	static const struct file_ops ops = {
		.read = mem_read, .write = mem_write, .seek = mem_seek, .release = mem_release
	};
	struct mem_file *m;
	struct task *t;

	TRY(proc_may_inspect(r, &t));
	if (t->mm == NULL)
		return E_SRCH;
	m = kmem_alloc(sizeof(*m));
	if (m == NULL)
		return E_NOMEM;
	m->space = t->mm->id;
	m->of = task_pidref(t);
	if (m->of == NULL) {
		kmem_free(m);
		return E_NOMEM;
	}
	f->priv = m;
	f->ops = &ops;
	return OK;
}
