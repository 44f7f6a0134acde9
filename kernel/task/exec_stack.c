/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first stack of a program. From low to high: argc, argv pointers, NULL, envp pointers, NULL,
 * auxiliary vector; 16 random bytes; platform name; the strings of argv and envp; name of the
 * program's file; 8 zero bytes. All sizes are known beforehand, so it is written once, upwards,
 * through one page of buffer.
 */
#include <linux/personality.h>

#include <linux/auxvec.h>

#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/internal.h"

#define ARG_MAX_STRING      (128u * 1024) /* one string with its NUL */
#define ARG_MIN_TOTAL       (128u * 1024)
#define ARG_MAX_TOTAL       (6u * 1024 * 1024)
#define STACK_EXTRA         (128u * 1024)   /* mapped below what is filled */
#define STACK_AHEAD         (2 * PAGE_SIZE) /* filled with zeros below it */
#define RANDOM_BYTES        16u
#define CLOCK_TICKS         100u
#define HWCAP2_FSGSBASE_BIT 2u

static const char platform[] = "x86_64";

/* ---- arguments: front (last first), then argv from `skip`, in the order the program sees ---- */

static unsigned args_count(const struct exec_args *x)
{
	return x->nfront + (x->argv->n > x->skip ? x->argv->n - x->skip : 0);
}

static const char *args_get(const struct exec_args *x, unsigned i)
{
	return i < x->nfront ? x->front[x->nfront - 1 - i] : x->argv->v[x->skip + i - x->nfront];
}

static err_t add_size(uint64_t *sum, const char *s)
{
	size_t n = strnlen(s, ARG_MAX_STRING) + 1;

	if (n > ARG_MAX_STRING)
		return E_2BIG;
	*sum += n;
	return OK;
}

/* Bytes of all strings of argv and envp. */
static err_t strings_size(const struct exec_args *x, uint64_t *args, uint64_t *envs)
{
	*args = *envs = 0;
	for (unsigned i = 0; i < args_count(x); i++)
		TRY(add_size(args, args_get(x, i)));
	for (unsigned i = 0; i < x->envp->n; i++)
		TRY(add_size(envs, x->envp->v[i]));
	return OK;
}

err_t exec_args_check(const struct exec_args *x, uint64_t stack_limit)
{
	uint64_t args, envs, limit = stack_limit / 4;
	uint64_t pointers = (uint64_t)(args_count(x) + x->envp->n) * sizeof(uint64_t);

	TRY(strings_size(x, &args, &envs));
	if (limit > ARG_MAX_TOTAL)
		limit = ARG_MAX_TOTAL;
	if (limit < ARG_MIN_TOTAL)
		limit = ARG_MIN_TOTAL;
	return args + envs + pointers > limit ? E_2BIG : OK;
}

/* ---- writing upwards ---- */

struct writer {
	struct aspace *mm;
	uint64_t at;
	uint8_t *buf;
	size_t fill;
	err_t err;
};

static void flush(struct writer *w)
{
	if (w->fill == 0)
		return;
	if (w->err == OK && w->fill > 0 &&
	    aspace_write(w->mm, w->at, w->buf, w->fill, false) != w->fill)
		w->err = E_NOMEM;
	w->at += w->fill;
	w->fill = 0;
}

static void put(struct writer *w, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len > 0) {
		size_t n = PAGE_SIZE - w->fill < len ? PAGE_SIZE - w->fill : len;

		memcpy(w->buf + w->fill, p, n);
		w->fill += n;
		p += n;
		len -= n;
		if (w->fill == PAGE_SIZE)
			flush(w);
	}
}

static void put_u64(struct writer *w, uint64_t v)
{
	put(w, &v, sizeof(v));
}

/* Go on at addr; what lies between is zero already, the stack's pages being new. */
static void put_at(struct writer *w, uint64_t addr)
{
	flush(w);
	w->at = addr;
}

/* ---- auxiliary vector ---- */

/* Addresses of the parts, from the top down. */
struct layout {
	uint64_t execfn, envs, args, platform, random, aux_end, sp;
};

static unsigned fill_aux(struct aux *a, const struct exec_image *im, const struct cred *c,
			 const struct layout *l, const struct aspace *mm)
{
	uint32_t cpuid[4];
	unsigned n = 0;

	x86_cpuid(1, 0, cpuid);
	a[n++] = (struct aux){ AT_SYSINFO_EHDR, mm->vdso };
	a[n++] = (struct aux){ AT_HWCAP, cpuid[3] };
	a[n++] = (struct aux){ AT_PAGESZ, PAGE_SIZE };
	a[n++] = (struct aux){ AT_CLKTCK, CLOCK_TICKS };
	a[n++] = (struct aux){ AT_PHDR, im->phdr };
	a[n++] = (struct aux){ AT_PHENT, ELF_PHDR_BYTES };
	a[n++] = (struct aux){ AT_PHNUM, im->phnum };
	a[n++] = (struct aux){ AT_BASE, im->interp_base };
	a[n++] = (struct aux){ AT_FLAGS, 0 };
	a[n++] = (struct aux){ AT_ENTRY, im->program_entry };
	a[n++] = (struct aux){ AT_UID, c->uid };
	a[n++] = (struct aux){ AT_EUID, c->euid };
	a[n++] = (struct aux){ AT_GID, c->gid };
	a[n++] = (struct aux){ AT_EGID, c->egid };
	a[n++] = (struct aux){ AT_SECURE, im->secure };
	a[n++] = (struct aux){ AT_RANDOM, l->random };
	a[n++] = (struct aux){ AT_HWCAP2, boot_info.cpu.fsgsbase ? HWCAP2_FSGSBASE_BIT : 0 };
	a[n++] = (struct aux){ AT_EXECFN, l->execfn };
	a[n++] = (struct aux){ AT_PLATFORM, l->platform };
	a[n++] = (struct aux){ AT_MINSIGSTKSZ, signal_frame_size() };
	a[n++] = (struct aux){ AT_NULL, 0 };
	BUG_ON(n > EXEC_AUX);
	return n;
}
#define AUX_ENTRIES 21u /* what fill_aux makes */

static void plan(struct layout *l, uint64_t top, const struct exec_args *x, uint64_t args,
		 uint64_t envs)
{
	uint64_t words = 1 + args_count(x) + 1 + x->envp->n + 1 + 2 * AUX_ENTRIES;

	l->execfn = top - sizeof(uint64_t) - (strlen(x->execfn) + 1);
	l->envs = l->execfn - envs;
	l->args = l->envs - args;
	/* Where the strings begin is random within a page's worth; the ABI wants sp on 16 bytes. */
	l->platform = l->args -
		      ((current_task->personality & ADDR_NO_RANDOMIZE) != 0 ? 0
									    : random_below(8192)) -
		      sizeof(platform);
	l->random = l->platform - RANDOM_BYTES;
	l->sp = ALIGN_DOWN(l->random - words * sizeof(uint64_t), 16u);
	l->aux_end = l->sp + words * sizeof(uint64_t);
}

/* ---- all of it ---- */

static void put_pointers(struct writer *w, const struct exec_args *x, const struct layout *l)
{
	uint64_t at = l->args;

	put_u64(w, args_count(x));
	for (unsigned i = 0; i < args_count(x); i++) {
		put_u64(w, at);
		at += strlen(args_get(x, i)) + 1;
	}
	put_u64(w, 0);
	for (unsigned i = 0; i < x->envp->n; i++) {
		put_u64(w, at);
		at += strlen(x->envp->v[i]) + 1;
	}
	put_u64(w, 0);
}

static void put_strings(struct writer *w, const struct exec_args *x, const struct layout *l)
{
	uint8_t random[RANDOM_BYTES];

	put_at(w, l->random);
	random_bytes(random, sizeof(random));
	put(w, random, sizeof(random));
	put(w, platform, sizeof(platform));
	put_at(w, l->args);
	for (unsigned i = 0; i < args_count(x); i++)
		put(w, args_get(x, i), strlen(args_get(x, i)) + 1);
	for (unsigned i = 0; i < x->envp->n; i++)
		put(w, x->envp->v[i], strlen(x->envp->v[i]) + 1);
	put(w, x->execfn, strlen(x->execfn) + 1);
	put_u64(w, 0);
}

static err_t map_stack(struct aspace *mm, uint64_t top, uint64_t sp, bool executable)
{
	uint64_t start = ALIGN_DOWN(sp - STACK_EXTRA, PAGE_SIZE);
	uint32_t flags = VM_READ | VM_WRITE | VM_MAYWRITE | VM_STACK | (executable ? VM_EXEC : 0);
	uint64_t touched;

	if (top - start > mm->limit_stack)
		start = ALIGN_DOWN(sp, PAGE_SIZE);
	TRY(aspace_map(mm, &start, top - start, flags, MAP_AT_FIXED, NULL, 0, "[stack]"));
	/* What will be written, and what the program uses at once: together, not fault by fault. */
	touched = ALIGN_DOWN(sp, PAGE_SIZE) - STACK_AHEAD;
	if (touched < start)
		touched = start;
	return aspace_populate(mm, touched, top - touched, true);
}

static void note(struct aspace *mm, const struct layout *l)
{
	mm->start_stack = l->sp;
	mm->arg_start = l->args;
	mm->arg_end = mm->env_start = l->envs;
	mm->env_end = l->execfn;
}

err_t exec_stack_build(struct aspace *mm, uint64_t top, bool executable, const struct exec_args *x,
		       const struct exec_image *image, const struct cred *cred, uint64_t *sp)
{
	struct writer w = { .mm = mm };
	struct aux aux[EXEC_AUX];
	struct layout l;
	uint64_t args, envs;
	unsigned n;

	TRY(strings_size(x, &args, &envs));
	plan(&l, top, x, args, envs);
	TRY(map_stack(mm, top, l.sp, executable));
	w.buf = kmem_alloc(PAGE_SIZE);
	if (w.buf == NULL)
		return E_NOMEM;
	w.at = l.sp;
	put_pointers(&w, x, &l);
	n = fill_aux(aux, image, cred, &l, mm);
	BUG_ON(n != AUX_ENTRIES);
	put(&w, aux, n * sizeof(*aux));
	put_strings(&w, x, &l);
	flush(&w);
	kmem_free(w.buf);
	note(mm, &l);
	*sp = l.sp;
	return w.err;
}
