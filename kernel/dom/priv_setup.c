/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one set-up of PrivUser: checked whole, then areas, contents, descriptors; and only when all
 * of it stands does the space have PrivUser.
 */
#include "base/checked.h"
#include "base/sha256.h"
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/dom/local.h"
#include "kernel/mem/ubuf.h"

#define LOWEST     0x10000u
#define STACK_MAX  (1u << 20)
#define WINDOW_MAX (16u << 20)
#define LENGTH_MAX (1u << 30)
#define FILTER_ALL ((1ull << PRIVUSER_CALLS) - 1)
#define PAGE_UP(n) ALIGN_UP((uint64_t)(n), PAGE_SIZE)

static bool is_off(void)
{
	const char *run = run_config_get("privuser", 0), *boot = cmdline_get("privuser");

	return (run != NULL && strcmp(run, "0") == 0) || (boot != NULL && strcmp(boot, "0") == 0);
}

static err_t check_numbers(const struct privuser_setup *s)
{
	if (s->version != PRIVUSER_VERSION || (s->flags & ~PRIVUSER_FORK_COPY) != 0 ||
	    s->reserved != 0 || (s->filter & ~FILTER_ALL) != 0)
		return E_INVAL;
	if (s->code_len == 0 || s->code_len > LENGTH_MAX || s->data_len > LENGTH_MAX ||
	    s->bss_len > LENGTH_MAX || s->heap_len > LENGTH_MAX || s->window_len > WINDOW_MAX)
		return E_INVAL;
	if (s->stack_len < PAGE_SIZE || s->stack_len > STACK_MAX || s->max_threads == 0 ||
	    s->max_threads > PRIVUSER_THREADS_MAX)
		return E_INVAL;
	if ((s->base & PAGE_MASK) != 0 || s->base < LOWEST || s->entry < s->base ||
	    s->entry - s->base >= s->code_len)
		return E_INVAL;
	return OK;
}

/* All sums are far from 2^64: each length was checked. */
static err_t lay_out(struct privuser *p, const struct privuser_setup *s)
{
	p->isolated = !is_off();
	p->fork_copy = s->flags & PRIVUSER_FORK_COPY;
	p->entry = s->entry;
	p->filter = s->filter | 1ull << PRIVUSER_ABORT | 1ull << PRIVUSER_PLACES;
	p->base = s->base;
	p->code_end = p->base + PAGE_UP(s->code_len);
	p->data = p->code_end;
	p->data_end = p->data + PAGE_UP((uint64_t)s->data_len + s->bss_len);
	p->heap = p->data_end;
	p->stacks = p->heap + PAGE_UP(s->heap_len);
	p->stack_len = PAGE_UP(s->stack_len) + PAGE_SIZE;
	p->end = p->stacks + p->stack_len * s->max_threads;
	p->window = p->end;
	p->window_end = p->window + PAGE_UP(s->window_len);
	return p->window_end <= PRIVUSER_END ? OK : E_INVAL;
}

/* ---- areas ---- */

struct piece {
	uint64_t start, end;
	uint32_t flags;
	const char *name;
};

static err_t map_piece(struct aspace *a, const struct piece *q, const struct privuser *p)
{
	uint32_t flags = q->flags | VM_SEALED | VM_NORESERVE;
	uint64_t at = q->start;

	if (q->start == q->end)
		return OK;
	if (p->isolated && q->end <= p->end)
		flags |= VM_PRIV;
	if (!p->fork_copy)
		flags |= VM_DONTFORK;
	return aspace_map(a, &at, q->end - q->start, flags, MAP_AT_NOREPLACE, NULL, 0, q->name);
}

static err_t map_all(struct aspace *a, const struct privuser *p)
{
	const struct piece pieces[] = {
		{ p->base, p->code_end, VM_READ | VM_EXEC, "[privuser code]" },
		{ p->data, p->data_end, VM_READ | VM_WRITE, "[privuser data]" },
		{ p->heap, p->stacks, VM_READ | VM_WRITE, "[privuser heap]" },
		/* A child begins with empty stacks, whatever its parent's threads were doing. */
		{ p->stacks, p->end, VM_READ | VM_WRITE | VM_WIPEONFORK, "[privuser stacks]" },
		{ p->window, p->window_end, VM_READ | VM_WRITE, "[privuser window]" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		err_t err = map_piece(a, &pieces[i], p);

		if (err == OK)
			continue;
		aspace_priv_unmap(a, p->base, pieces[i].start - p->base);
		return err;
	}
	return OK;
}

/* Does the run configuration name this code as one that may open secrets? */
static bool may_open_secrets(struct sha256 *sum)
{
	char digest[SHA256_HEX];
	const char *wanted = run_config_get("secret-code", 0);

	sha256_hex(sum, digest);
	if (wanted == NULL)
		return true;
	for (unsigned i = 0; wanted != NULL; wanted = run_config_get("secret-code", ++i))
		if (strcmp(wanted, digest) == 0)
			return true;
	return false;
}

/* In the order that abi/privuser.h gives. */
static void add_numbers(struct sha256 *sum, const struct privuser_setup *s)
{
	sha256_add_u64(sum, s->base);
	sha256_add_u64(sum, s->entry);
	sha256_add_u64(sum, s->code_len);
	sha256_add_u64(sum, s->data_len);
	sha256_add_u64(sum, s->bss_len);
	sha256_add_u64(sum, s->filter);
}

static err_t load(struct aspace *a, struct privuser *p, const struct privuser_setup *s)
{
	struct sha256 sum;

	sha256_init(&sum);
	add_numbers(&sum, s);
	TRY(aspace_priv_load(a, p->base, UADDR(s->code_src), s->code_len, &sum));
	TRY(aspace_priv_load(a, p->data, UADDR(s->data_src), s->data_len, &sum));
	p->opens_secrets = may_open_secrets(&sum);
	return OK;
}

/* ---- the whole ---- */

static err_t build(struct aspace *a, struct privuser *p, struct privuser_setup *s, uint64_t arg)
{
	err_t err;

	TRY(map_all(a, p));
	s->heap_base = p->heap;
	s->window_base = p->window != p->window_end ? p->window : 0;
	s->isolated = p->isolated;
	err = load(a, p, s);
	if (err == OK)
		err = USER_OUT(UADDR(arg), s);
	if (err == OK)
		err = privuser_make_ldt(p, a);
	if (err != OK)
		aspace_priv_unmap(a, p->base, p->window_end - p->base);
	return err;
}

err_t privuser_setup(struct privuser_setup *s, uint64_t arg)
{
	struct aspace *a = current_task->mm;
	struct privuser *p;
	err_t err;

	if (a->priv != NULL)
		return E_BUSY;
	TRY(check_numbers(s));
	if (!boot_info.cpu.smep || !boot_info.cpu.smap)
		return E_OPNOTSUPP;
	p = privuser_alloc(s->max_threads);
	if (p == NULL)
		return E_NOMEM;
	err = lay_out(p, s);
	if (err == OK)
		err = build(a, p, s, arg);
	if (err != OK) {
		privuser_free(p);
		return err;
	}
	p->state = PRIVUSER_LOCKED;
	a->priv = p;
	PRIVUSER_FOR_EACH_THREAD(t, a)
		privuser_thread_start(t);
	privuser_switch_in(current);
	if (!p->isolated)
		log_warn("%s[%d]: PrivUser is switched off: its secrets are open to ring 3",
			 current->comm, current_task->pid);
	return OK;
}
