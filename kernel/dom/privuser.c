/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PrivUser of an address space and its threads. The gates work with variables of the core
 * (kernel/x86), which follow the current thread; no descriptor and no control register changes at a
 * switch: each space has its LDT at the same address.
 */
#include "base/bitmap.h"
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/dom/local.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/kmem.h"
#include "kernel/vfs/device.h"

#define MISC_MAJOR     10u
#define PRIVUSER_MINOR 201u

extern const char nk_priv_enter[], nk_priv_exit[];

/* ---- life ---- */

struct privuser *privuser_alloc(uint32_t max_threads)
{
	struct privuser *p = kmem_zalloc(sizeof(*p));

	if (p == NULL)
		return NULL;
	p->ldt = PADDR_NONE;
	p->max_threads = max_threads;
	waitq_init(&p->leaving);
	waitq_init(&p->held);
	p->slots = kmem_zalloc(BITMAP_WORDS(max_threads) * sizeof(uint64_t));
	if (p->slots != NULL)
		return p;
	kmem_free(p);
	return NULL;
}

void privuser_free(struct privuser *p)
{
	for (unsigned i = 0; i < PRIVUSER_FILES; i++)
		if (p->files[i] != NULL)
			file_put(p->files[i]);
	if (!paddr_is_none(p->ldt))
		frame_put(p->ldt);
	kmem_free(p->slots);
	kmem_free(p);
}

static void release(struct aspace *a)
{
	privuser_free(a->priv);
	a->priv = NULL;
}

/* ---- descriptors; nk checks each ---- */

#define D_CODE 0xbull /* readable, accessed */
#define D_DATA 0x3ull /* writable, accessed */

/* A segment from 0 up to (not including) `end`, whole pages. */
static uint64_t segment(uint64_t end, unsigned type, unsigned dpl, bool is_long)
{
	uint64_t limit = (end >> PAGE_SHIFT) - 1;
	uint64_t access = 0x90u | dpl << 5 | type, flags = is_long ? 0xa : 0xc;

	return (limit & 0xffff) | (limit >> 16 & 15) << 48 | access << 40 | flags << 52;
}

static void gate(uint64_t out[2], const char *target, unsigned dpl)
{
	uint64_t at = (uint64_t)target, access = 0x8cu | dpl << 5;

	out[0] = (at & 0xffff) | (uint64_t)PRIVUSER_SEL_GATE_CS << 16 | access << 40 |
		 (at >> 16 & 0xffff) << 48;
	out[1] = at >> 32;
}

_Static_assert(PRIVUSER_LDT_LEN == LDT_LEN, "abi/privuser.h, abi/layout.h");

static void descriptors(const struct privuser *p, uint64_t d[LDT_LEN])
{
	d[0] = 0;
	d[PRIVUSER_SEL_GATE_CS >> 3] = segment(PRIV_END, D_CODE, 1, true);
	d[PRIVUSER_SEL_CS >> 3] = segment(p->code_end, D_CODE, 2, false);
	d[PRIVUSER_SEL_DS >> 3] = segment(p->window_end, D_DATA, 2, false);
	gate(&d[PRIVUSER_SEL_ENTER >> 3], nk_priv_enter, 3);
	gate(&d[PRIVUSER_SEL_EXIT >> 3], nk_priv_exit, 2);
}

err_t privuser_make_ldt(struct privuser *p, struct aspace *a)
{
	paddr_t d[LDT_LEN];
	uint64_t words[LDT_LEN];
	struct nk_op op = { .kind = NK_LDT, .space = a->space, .n = LDT_LEN, .frames = d };
	err_t err;

	descriptors(p, words);
	for (unsigned i = 0; i < LDT_LEN; i++)
		d[i] = PADDR(words[i]);
	TRY(tables_reserve(NK_TABLES_PER_OP));
	op.base = frame_alloc(0);
	if (paddr_is_none(op.base))
		return E_NOMEM;
	err = nk_submit(&op, 1, NULL);
	if (err != OK) {
		log_error("nk refuses the LDT of PrivUser: %s", nk_status.last_reason);
		frame_put(op.base);
		return E_NOMEM;
	}
	p->ldt = op.base;
	return OK;
}

/* ---- threads ---- */

static uint64_t stack_top(const struct privuser *p, uint32_t slot)
{
	return p->stacks + (slot + 1) * p->stack_len;
}

void privuser_thread_start(struct thread *t)
{
	struct privuser *p = t->task->mm != NULL ? t->task->mm->priv : NULL;
	size_t slot;

	if (p == NULL || p->state != PRIVUSER_LOCKED || t->priv != NULL)
		return;
	slot = bitmap_find_clear(p->slots, 0, p->max_threads);
	if (slot == BITMAP_NONE) {
		p->wanted = true;
		return;
	}
	t->priv = kmem_zalloc(sizeof(*t->priv));
	if (t->priv == NULL)
		return;
	t->priv->slot = (uint32_t)slot;
	bitmap_set(p->slots, slot);
	p->threads++;
}

struct thread *privuser_next_thread(const struct aspace *a, const struct thread *t)
{
	const struct list *l = t != NULL ? &t->task->all : &all_tasks;

	if (t != NULL && t->in_task.next != &t->task->threads)
		return list_entry(t->in_task.next, struct thread, in_task);
	for (l = l->next; l != &all_tasks; l = l->next) {
		const struct task *task = list_entry(l, struct task, all);

		if (task->mm == a && !list_empty(&task->threads))
			return list_entry(task->threads.next, struct thread, in_task);
	}
	return NULL;
}

/* A stack has become free: a thread that found none gets it. */
static void serve_next(const struct aspace *a, const struct thread *leaving)
{
	PRIVUSER_FOR_EACH_THREAD(t, a) {
		if (t == leaving || t->priv != NULL || t->killed)
			continue;
		privuser_thread_start(t);
		return;
	}
	a->priv->wanted = false;
}

void privuser_thread_end(struct thread *t)
{
	struct aspace *a = t->task->mm;
	struct priv_thread *pt = t->priv;

	if (pt == NULL)
		return;
	t->priv = NULL;
	aspace_priv_drop(a, stack_top(a->priv, pt->slot) - a->priv->stack_len, a->priv->stack_len);
	bitmap_clear(a->priv->slots, pt->slot);
	a->priv->threads--;
	kmem_free(pt);
	wake_all(&a->priv->leaving);
	if (a->priv->wanted)
		serve_next(a, t);
	if (t == current) {
		memset(priv_gate, 0, sizeof(priv_gate));
		privuser_switch_in(t);
	}
}

/* ---- switching ---- */

/* Room for the arguments; the entry is 16-byte aligned. */
#define ARGUMENTS 48u

static void set_gate(const struct thread *t, const struct privuser *p)
{
	priv_stack = t->priv != NULL ? stack_top(p, t->priv->slot) - ARGUMENTS : 0;
	priv_error = p->state == PRIVUSER_DROPPED ? PRIVUSER_ENXIO : PRIVUSER_EAGAIN;
	priv_entry = p->entry;
	priv_cs = p->isolated ? PRIVUSER_SEL_CS : SEL_UCODE32;
	priv_ss = p->isolated ? PRIVUSER_SEL_DS : SEL_UDATA;
}

static void set_barred(const struct thread *t, const struct privuser *p)
{
	if (p->state != PRIVUSER_LOCKED || !p->isolated)
		user_barred = (struct user_barred){ 0 };
	else
		user_barred = (struct user_barred){ privuser_is_calling(t) ? UINT64_MAX : p->end,
						    p->base, p->end };
}

bool privuser_loaded;

void privuser_switch_in(struct thread *t)
{
	const struct privuser *p = t->task->mm != NULL ? t->task->mm->priv : NULL;

	privuser_loaded = p != NULL;
	if (p == NULL) {
		user_barred = (struct user_barred){ 0 };
		priv_stack = 0;
		return;
	}
	set_gate(t, p);
	set_barred(t, p);
	if (t->priv != NULL)
		memcpy(priv_gate, t->priv->gate, sizeof(priv_gate));
}

void privuser_switch_out(struct thread *t)
{
	if (t->priv != NULL)
		memcpy(t->priv->gate, priv_gate, sizeof(priv_gate));
}

/* ---- fork ---- */

#define INSIDE_MAX_NS 10000000000ull

/*
 * Is a thread of this space but the current one inside PrivUser? All of them have to come by
 * privuser_hold() before they run in ring 3 again.
 */
static bool others_inside(const struct aspace *a)
{
	bool inside = false;

	PRIVUSER_FOR_EACH_THREAD(t, a) {
		if (t == current)
			continue;
		thread_add_work(t, USER_WORK_HOLD);
		inside |= t->priv != NULL && privuser_is_inside(t->regs);
	}
	return inside;
}

/* Those whose PrivUser a fork copies. */
static struct privuser *copied(void)
{
	struct privuser *p = current_task->mm->priv;

	return p != NULL && p->state == PRIVUSER_LOCKED && p->fork_copy ? p : NULL;
}

err_t privuser_fork_begin(void)
{
	struct privuser *p = copied();
	uint64_t deadline = time_mono_ns() + INSIDE_MAX_NS;

	if (p == NULL)
		return OK;
	p->forks++;
	while (others_inside(current_task->mm)) {
		wait_result_t r = wait_on_killable(&p->leaving, deadline);

		if (r == WAIT_WOKEN)
			continue;
		privuser_fork_end();
		return r == WAIT_TIMEOUT ? E_AGAIN : E_INTR;
	}
	return OK;
}

void privuser_fork_end(void)
{
	struct privuser *p = copied();

	if (p != NULL && --p->forks == 0)
		wake_all(&p->held);
}

void privuser_hold(void)
{
	struct privuser *p = current_task->mm->priv;

	user_work &= ~USER_WORK_HOLD;
	if (p == NULL)
		return;
	wake_all(&p->leaving);
	while (p->forks != 0 && wait_on_killable(&p->held, WAIT_FOREVER) == WAIT_WOKEN)
		;
}

static void copy_files(struct privuser *to, const struct privuser *from)
{
	for (unsigned i = 0; i < PRIVUSER_FILES; i++)
		to->files[i] = from->files[i] != NULL ? file_get(from->files[i]) : NULL;
}

err_t privuser_fork(const struct aspace *from, struct aspace *to)
{
	const struct privuser *parent = from->priv;
	struct privuser *p;
	uint64_t *slots;

	if (parent == NULL)
		return OK;
	p = privuser_alloc(parent->max_threads);
	if (p == NULL)
		return E_NOMEM;
	slots = p->slots;
	*p = *parent;
	p->slots = slots;
	p->threads = p->forks = 0;
	p->wanted = false;
	waitq_init(&p->leaving);
	waitq_init(&p->held);
	p->ldt = PADDR_NONE;
	memset(p->files, 0, sizeof(p->files));
	if (!parent->fork_copy)
		p->state = PRIVUSER_DROPPED;
	if (privuser_make_ldt(p, to) != OK) {
		privuser_free(p);
		return E_NOMEM;
	}
	if (p->state == PRIVUSER_LOCKED)
		copy_files(p, parent);
	to->priv = p;
	return OK;
}

/* ---- the device ---- */

static long status(uint64_t arg)
{
	const struct privuser *p = current_task->mm->priv;
	struct privuser_status s = { .state = PRIVUSER_NONE };

	if (p != NULL)
		s = (struct privuser_status){ p->state, p->isolated, p->threads, p->max_threads };
	return USER_OUT(UADDR(arg), &s);
}

static long privuser_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct privuser_setup s;

	(void)f;
	if (cmd == (unsigned)PRIVUSER_STATUS)
		return status(arg);
	if (cmd != (unsigned)PRIVUSER_SETUP)
		return E_NOTTY;
	TRY(USER_IN(&s, UADDR(arg)));
	return privuser_setup(&s, arg);
}

static const struct file_ops privuser_ops = { .ioctl = privuser_ioctl };

static err_t privuser_open(struct inode *i, struct file *f)
{
	(void)i;
	f->ops = &privuser_ops;
	return OK;
}

err_t privuser_init(void)
{
	aspace_priv_release = release;
	trap_hooks.privuser = privuser_trap;
	if (boot_info.core != 0)
		return OK; /* no programs run here, and there is no tree for a node */
	TRY(device_register(MISC_MAJOR, PRIVUSER_MINOR, 1, privuser_open));
	return dev_add("privuser", S_IFCHR | 0666, dev_make(MISC_MAJOR, PRIVUSER_MINOR));
}
