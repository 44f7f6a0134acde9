/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is told of a program that dies by a fault: where, at what address, how it came there. All of
 * it is read from the program's memory without trusting it; names of functions come from the
 * dynamic symbol tables that the loader has mapped (DT_SYMTAB, DT_HASH or DT_GNU_HASH).
 */
#include "base/elf.h"
#include "base/fmt.h"
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/internal.h"

#define FRAMES_MAX  12
#define STEPS_MAX   10000
#define MAPS_MAX    14  /* lines */
#define STACK_WORDS 256 /* that a program without frame pointers has looked through */
#define SYMBOLS_MAX 65536u
#define PATH_LEN    256u
#define NAME_LEN    96u

void (*crash_report_hook)(int sig, const struct ksiginfo *info, const struct trapframe *tf);

static bool peek(uint64_t addr, void *buf, size_t len)
{
	return aspace_read(current_task->mm, addr, buf, len) == len;
}

/* ---- modules ---- */

struct module {
	char path[PATH_LEN];
	uint64_t base, offset;
};

static void area_path(const struct vma *v, char *path, size_t size)
{
	uint64_t dev, ino;

	path[0] = '\0';
	if (v->obj != NULL && v->obj->ops->describe != NULL)
		v->obj->ops->describe(v->obj, path, size, &dev, &ino);
	if (path[0] == '\0')
		str_copy(path, size, v->name != NULL ? v->name : "anonymous memory");
}

/* Where the file's first page is mapped: the areas of one file stand next to each other. */
static uint64_t module_base(const struct vma *v)
{
	uint64_t base = v->start;

	for (struct vma *p = aspace_first(current_task->mm); p != NULL && p->start <= v->start;
	     p = aspace_next(p))
		if (p->obj == v->obj && p->pgoff == 0)
			base = p->start;
	return base;
}

static bool module_at(uint64_t addr, struct module *m)
{
	const struct vma *v = aspace_find(current_task->mm, addr);

	if (v == NULL)
		return false;
	area_path(v, m->path, sizeof(m->path));
	m->base = v->obj != NULL ? module_base(v) : v->start;
	m->offset = addr - v->start + (v->obj != NULL ? v->pgoff << PAGE_SHIFT : 0);
	return true;
}

static bool is_code(uint64_t addr)
{
	const struct vma *v = aspace_find(current_task->mm, addr);

	return v != NULL && (v->flags & VM_EXEC);
}

/* ---- symbols ---- */

struct symtab {
	uint64_t bias, symbols, strings, hash, gnu_hash;
};

static bool read_dynamic(uint64_t at, struct symtab *s)
{
	for (unsigned i = 0; i < 128; i++) {
		Elf64_Dyn d;
		uint64_t v;

		if (!peek(at + i * sizeof(d), &d, sizeof(d)) || d.d_tag == DT_NULL)
			break;
		/* glibc relocates the entries in place, others do not. */
		v = d.d_un.d_ptr < s->bias ? d.d_un.d_ptr + s->bias : d.d_un.d_ptr;
		if (d.d_tag == DT_SYMTAB)
			s->symbols = v;
		else if (d.d_tag == DT_STRTAB)
			s->strings = v;
		else if (d.d_tag == DT_HASH)
			s->hash = v;
		else if (d.d_tag == 0x6ffffef5) /* DT_GNU_HASH */
			s->gnu_hash = v;
	}
	return s->symbols != 0 && s->strings != 0;
}

static bool find_symtab(uint64_t base, struct symtab *s)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph;
	uint64_t dynamic = 0;

	*s = (struct symtab){ 0 };
	if (!peek(base, &eh, sizeof(eh)) || memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0)
		return false;
	s->bias = eh.e_type == ET_DYN ? base : 0;
	for (unsigned i = 0; i < eh.e_phnum && i < 64; i++) {
		if (!peek(base + eh.e_phoff + i * sizeof(ph), &ph, sizeof(ph)))
			return false;
		if (ph.p_type == PT_DYNAMIC)
			dynamic = ph.p_vaddr + s->bias;
	}
	return dynamic != 0 && read_dynamic(dynamic, s);
}

/*
 * DT_GNU_HASH does not say how many symbols there are: the end of the chain of the highest bucket
 * does.
 */
static uint32_t count_gnu(uint64_t at)
{
	struct {
		uint32_t nbuckets, first, bloom, shift;
	} h;
	uint32_t last = 0, v;
	uint64_t buckets, chains;

	if (!peek(at, &h, sizeof(h)) || h.nbuckets > SYMBOLS_MAX)
		return 0;
	buckets = at + sizeof(h) + h.bloom * 8ull;
	chains = buckets + h.nbuckets * 4ull;
	for (uint32_t i = 0; i < h.nbuckets; i++)
		if (peek(buckets + i * 4ull, &v, sizeof(v)) && v > last)
			last = v;
	if (last < h.first)
		return h.first;
	while (last - h.first < SYMBOLS_MAX &&
	       peek(chains + (last - h.first) * 4ull, &v, sizeof(v)) && !(v & 1))
		last++;
	return last + 1;
}

static uint32_t count_symbols(const struct symtab *s)
{
	uint32_t n[2] = { 0, 0 };

	if (s->hash != 0 && peek(s->hash, n, sizeof(n)))
		return n[1];
	return s->gnu_hash != 0 ? count_gnu(s->gnu_hash) : 0;
}

#define SYMBOL_BATCH 16u

/* Nearest function at or below addr; false when none is known. */
static bool find_symbol(const struct symtab *s, uint64_t addr, Elf64_Sym *best)
{
	Elf64_Sym batch[SYMBOL_BATCH];
	uint32_t n = count_symbols(s);
	bool found = false;

	if (n > SYMBOLS_MAX)
		n = SYMBOLS_MAX;
	for (uint32_t i = 0; i < n; i++) {
		const Elf64_Sym *y = &batch[i % SYMBOL_BATCH];
		uint32_t left = n - i < SYMBOL_BATCH ? n - i : SYMBOL_BATCH;

		if (i % SYMBOL_BATCH == 0 &&
		    !peek(s->symbols + i * sizeof(*y), batch, left * sizeof(*y)))
			break;
		if ((y->st_info & 15) != STT_FUNC || y->st_value == 0 ||
		    y->st_value + s->bias > addr)
			continue;
		if (found && y->st_value <= best->st_value)
			continue;
		*best = *y;
		found = true;
	}
	/* Far beyond the function's end it is another, static one. */
	return found && (best->st_size == 0 || addr - s->bias - best->st_value < best->st_size);
}

static bool symbol_name(const struct module *m, uint64_t addr, char name[NAME_LEN],
			uint64_t *offset)
{
	struct symtab s;
	Elf64_Sym y;
	size_t got;

	if (!find_symtab(m->base, &s) || !find_symbol(&s, addr, &y))
		return false;
	got = aspace_read(current_task->mm, s.strings + y.st_name, name, NAME_LEN - 1);
	name[got] = '\0';
	for (char *p = name; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	*offset = addr - s.bias - y.st_value;
	return name[0] != '\0';
}

/* ---- lines ---- */

static void print_place(const char *what, uint64_t addr, struct module *m)
{
	char name[NAME_LEN];
	uint64_t offset;

	if (!module_at(addr, m))
		user_log("  %s %016lx (not mapped)", what, (unsigned long)addr);
	else if (symbol_name(m, addr, name, &offset))
		user_log("  %s %016lx %s+0x%lx (%s+0x%lx)", what, (unsigned long)addr, name,
			 (unsigned long)offset, m->path, (unsigned long)m->offset);
	else
		user_log("  %s %016lx %s+0x%lx", what, (unsigned long)addr, m->path,
			 (unsigned long)m->offset);
}

static void print_registers(const struct trapframe *tf)
{
	user_log("  rax %016lx rbx %016lx rcx %016lx rdx %016lx", (unsigned long)tf->rax,
		 (unsigned long)tf->rbx, (unsigned long)tf->rcx, (unsigned long)tf->rdx);
	user_log("  rsi %016lx rdi %016lx rbp %016lx rsp %016lx", (unsigned long)tf->rsi,
		 (unsigned long)tf->rdi, (unsigned long)tf->rbp, (unsigned long)tf->rsp);
	user_log("  r8  %016lx r9  %016lx r10 %016lx r11 %016lx", (unsigned long)tf->r8,
		 (unsigned long)tf->r9, (unsigned long)tf->r10, (unsigned long)tf->r11);
	user_log("  r12 %016lx r13 %016lx r14 %016lx r15 %016lx", (unsigned long)tf->r12,
		 (unsigned long)tf->r13, (unsigned long)tf->r14, (unsigned long)tf->r15);
	user_log("  rip %016lx rflags %lx", (unsigned long)tf->rip, (unsigned long)tf->rflags);
}

static void print_same(unsigned n)
{
	if (n > 0)
		user_log("  from the same place %u times more", n);
}

/* Frames linked by rbp; how many. */
static unsigned walk_frames(const struct trapframe *tf, struct module *m)
{
	uint64_t frame[2], rbp = tf->rbp, before = 0;
	unsigned n = 0, same = 0, steps = 0;

	while (n < FRAMES_MAX && steps++ < STEPS_MAX && rbp > tf->rsp - PAGE_SIZE && rbp % 8 == 0 &&
	       peek(rbp, frame, sizeof(frame))) {
		if (!is_code(frame[1] - 1))
			break;
		/* Endless recursion fits on the screen, too. */
		if (frame[1] != before) {
			print_same(same);
			print_place("from", frame[1] - 1, m);
			n++;
			same = 0;
		} else {
			same++;
		}
		before = frame[1];
		if (frame[0] <= rbp)
			break;
		rbp = frame[0];
	}
	print_same(same);
	return n;
}

/* Does a call instruction stand before this address? */
static bool after_call(uint64_t addr)
{
	uint8_t b[7];

	if (!is_code(addr - 1) || !peek(addr - sizeof(b), b, sizeof(b)))
		return false;
	if (b[2] == 0xe8)
		return true; /* call rel32 */
	for (unsigned len = 2; len <= 7; len++)
		if (b[7 - len] == 0xff && (b[7 - len + 1] & 0x38) == 0x10)
			return true; /* call through register or memory */
	return false;
}

/* Without frame pointers: words on the stack that look like return addresses. Some may be stale. */
static void scan_stack(const struct trapframe *tf, struct module *m)
{
	uint64_t word;
	unsigned n = 0;

	for (unsigned i = 0; i < STACK_WORDS && n < FRAMES_MAX; i++) {
		if (!peek(tf->rsp + i * 8ull, &word, sizeof(word)))
			break;
		if (!after_call(word))
			continue;
		print_place("maybe from", word - 1, m);
		n++;
	}
}

/* ---- what is mapped ---- */

struct range {
	char path[PATH_LEN];
	uint64_t start, end;
};

static void print_range(const struct range *r)
{
	user_log("  map  %012lx-%012lx %s", (unsigned long)r->start, (unsigned long)r->end,
		 r->path);
}

/* One line for neighbours that belong to the same file. */
static void print_maps(struct range *r, char path[PATH_LEN])
{
	unsigned lines = 0, left = 0;

	r->end = 0;
	for (struct vma *v = aspace_first(current_task->mm); v != NULL; v = aspace_next(v)) {
		area_path(v, path, PATH_LEN);
		if (r->end != 0 && strcmp(path, r->path) == 0 &&
		    v->start - r->end < 16 * PAGE_SIZE) {
			r->end = v->end;
			continue;
		}
		if (r->end != 0 && lines < MAPS_MAX)
			print_range(r);
		left += r->end != 0 && lines >= MAPS_MAX;
		lines += r->end != 0;
		str_copy(r->path, sizeof(r->path), path);
		r->start = v->start;
		r->end = v->end;
	}
	if (r->end != 0)
		print_range(r);
	if (left > 0)
		user_log("  map  and %u more before the last", left);
}

static bool has_address(int sig, const struct ksiginfo *info)
{
	return info->si_code > 0 && info->si_code != SI_KERNEL && (SIG_BIT(sig) & SIG_MASK_SYNC_) &&
	       sig != SIGSYS;
}

static void print_cause(int sig, const struct ksiginfo *info)
{
	if (has_address(sig, info))
		user_log("%s (pid %d, thread %d) died: %s at address %016lx", current->comm,
			 current_task->pid, current->tid, signal_name(sig),
			 (unsigned long)info->si_addr);
	else if (info->si_code <= 0)
		user_log("%s (pid %d, thread %d) died: %s, sent by pid %d", current->comm,
			 current_task->pid, current->tid, signal_name(sig), info->si_pid);
	else
		user_log("%s (pid %d, thread %d) died: %s", current->comm, current_task->pid,
			 current->tid, signal_name(sig));
}

void crash_report(struct trapframe *tf, int sig, const struct ksiginfo *info)
{
	struct module *m = kmem_alloc(sizeof(*m));
	struct range *r = kmem_alloc(sizeof(*r));

	print_cause(sig, info);
	print_registers(tf);
	if (m != NULL) { /* else out of memory: what needs none is said all the same */
		print_place("at  ", tf->rip, m);
		if (has_address(sig, info) && (uint64_t)info->si_addr != tf->rip)
			print_place("addr", (uint64_t)info->si_addr, m);
		if (walk_frames(tf, m) < 2)
			scan_stack(tf, m);
	}
	if (m != NULL && r != NULL)
		print_maps(r, m->path);
	if (crash_report_hook != NULL)
		crash_report_hook(sig, info, tf);
	kmem_free(r);
	kmem_free(m);
}
