/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frame of a signal handler on the program's stack, byte for byte as Linux 6.1 x86-64 lays it
 * out, and the way back. From high to low addresses:
 *
 *   red zone (128 bytes, not on the alternate stack)
 *   FPU image, 64-byte aligned: XSAVE area, FP_XSTATE_MAGIC2; sw_reserved says so
 *   struct rt_sigframe: return address (the restorer), ucontext, siginfo; address + 8 is 16-byte
 *   aligned
 */
#include <linux/signal.h>

#include <asm/sigcontext.h>
#include <asm/ucontext.h>

#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/mem/ubuf.h"
#include "kernel/task/internal.h"

struct rt_sigframe {
	uint64_t pretcode;
	struct ucontext uc;
	siginfo_t info;
};
_Static_assert(sizeof(struct sigcontext) == 256, "as in Linux");
_Static_assert(offsetof(struct rt_sigframe, uc.uc_mcontext) == 48, "as in Linux");
_Static_assert(sizeof(struct rt_sigframe) == 440, "as in Linux");

#define RED_ZONE     128u
#define RFLAGS_FIXED 0x50dd5u /* AC OF DF TF SF ZF AF PF CF RF: what a program may choose */
#define RFLAGS_DF    (1u << 10)
#define RFLAGS_TF    (1u << 8)
#define RFLAGS_RF    (1u << 16)
#define MAGIC2_LEN   4u

static uint32_t fp_frame_len(void)
{
	return fpu_size() + (boot_info.cpu.xsave ? MAGIC2_LEN : 0);
}

uint32_t signal_frame_size(void)
{
	return (uint32_t)ALIGN_UP(sizeof(struct rt_sigframe) + 8 + fp_frame_len() + 63 + 15, 16u);
}

/* ---- alternate stack ---- */

bool sigframe_on_altstack(const struct thread *t, uint64_t sp)
{
	if (t->altstack_flags & SS_AUTODISARM)
		return false; /* it is forgotten while it is used */
	return sp > t->altstack_sp && sp - t->altstack_sp <= t->altstack_size;
}

uint32_t sigframe_altstack_state(const struct thread *t, uint64_t sp)
{
	if (t->altstack_size == 0)
		return SS_DISABLE;
	return sigframe_on_altstack(t, sp) ? SS_ONSTACK : 0;
}

err_t signal_altstack(uint64_t sp, const struct altstack *new_stack, struct altstack *old)
{
	struct thread *t = current;
	uint32_t mode;

	if (old != NULL)
		*old = (struct altstack){ t->altstack_sp, t->altstack_size,
					  sigframe_altstack_state(t, sp) |
						  (t->altstack_flags & SS_AUTODISARM) };
	if (new_stack == NULL)
		return OK;
	if (sigframe_on_altstack(t, sp))
		return E_PERM;
	mode = new_stack->flags & ~SS_AUTODISARM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return E_INVAL;
	if (mode == SS_DISABLE) {
		t->altstack_sp = t->altstack_size = 0;
	} else {
		if (new_stack->size < MINSIGSTKSZ)
			return E_NOMEM;
		t->altstack_sp = new_stack->sp;
		t->altstack_size = new_stack->size;
	}
	t->altstack_flags = new_stack->flags;
	return OK;
}

/* ---- making a frame ---- */

struct place {
	uint64_t frame, fp;
};

/* Where frame and FPU image go; false when an alternate stack in use would overflow. */
static bool find_place(const struct trapframe *tf, const struct sig_action *a, struct place *p)
{
	const struct thread *t = current;
	uint64_t sp = tf->rsp - RED_ZONE;
	bool nested = sigframe_on_altstack(t, tf->rsp), entering = false;

	if ((a->flags & SA_ONSTACK) && sigframe_altstack_state(t, tf->rsp) == 0) {
		sp = t->altstack_sp + t->altstack_size;
		entering = true;
	}
	p->fp = ALIGN_DOWN(sp - fp_frame_len(), 64u);
	p->frame = ALIGN_DOWN(p->fp - sizeof(struct rt_sigframe), 16u) - 8;
	if (nested || entering)
		return p->frame > t->altstack_sp && p->frame - t->altstack_sp <= t->altstack_size;
	return true;
}

/*
 * The image goes out as the processor writes it, with Linux's description in the bytes that are
 * left to software.
 */
static err_t put_fpu(uint64_t at)
{
	struct _fpx_sw_bytes sw = { 0 };
	uint32_t magic2 = FP_XSTATE_MAGIC2;
	struct ubuf place;

	TRY(ubuf_make(&place, UADDR(at), fp_frame_len()));
	if (!fpu_save_user(current->fpu, at))
		return E_FAULT;
	if (!boot_info.cpu.xsave)
		return OK;
	sw.magic1 = FP_XSTATE_MAGIC1;
	sw.extended_size = fp_frame_len();
	sw.xfeatures = boot_info.cpu.xcr0;
	sw.xstate_size = fpu_size();
	TRY(user_out(UADDR(at + offsetof(struct _fpstate, sw_reserved)), &sw, sizeof(sw)));
	return user_out(UADDR(at + fpu_size()), &magic2, sizeof(magic2));
}

/* Each member by itself: all of it is written, and none twice. */
static void fill_context(struct ucontext *uc, const struct trapframe *tf, const struct place *p,
			 sigmask_t mask)
{
	struct thread *t = current;
	struct sigcontext *c = &uc->uc_mcontext;

	uc->uc_flags = (boot_info.cpu.xsave ? UC_FP_XSTATE : 0) | UC_SIGCONTEXT_SS |
		       UC_STRICT_RESTORE_SS;
	uc->uc_link = NULL;
	__builtin_memset(&uc->uc_stack, 0, sizeof(uc->uc_stack)); /* it has a hole */
	uc->uc_stack.ss_sp = (void *)t->altstack_sp;
	uc->uc_stack.ss_size = t->altstack_size;
	uc->uc_stack.ss_flags = (int)(sigframe_altstack_state(t, tf->rsp) |
				      (t->altstack_flags & SS_AUTODISARM));
	uc->uc_sigmask = mask;
	c->r8 = tf->r8;
	c->r9 = tf->r9;
	c->r10 = tf->r10;
	c->r11 = tf->r11;
	c->r12 = tf->r12;
	c->r13 = tf->r13;
	c->r14 = tf->r14;
	c->r15 = tf->r15;
	c->rdi = tf->rdi;
	c->rsi = tf->rsi;
	c->rbp = tf->rbp;
	c->rbx = tf->rbx;
	c->rdx = tf->rdx;
	c->rax = tf->rax;
	c->rcx = tf->rcx;
	c->rsp = tf->rsp;
	c->rip = tf->rip;
	c->eflags = tf->rflags;
	c->cs = (uint16_t)tf->cs;
	c->ss = (uint16_t)tf->ss;
	c->err = t->trap_error;
	c->trapno = t->trap_no;
	c->oldmask = mask;
	c->cr2 = t->trap_addr;
	c->fpstate = (struct _fpstate *)p->fp;
	c->gs = c->fs = 0;
	__builtin_memset(c->reserved1, 0, sizeof(c->reserved1));
}

static void enter_handler(struct trapframe *tf, int sig, const struct sig_action *a, uint64_t frame)
{
	tf->rdi = (uint64_t)sig;
	tf->rax = 0;
	tf->rsi = frame + offsetof(struct rt_sigframe, info);
	tf->rdx = frame + offsetof(struct rt_sigframe, uc);
	tf->rip = a->handler;
	tf->rsp = frame;
	tf->cs = SEL_UCODE;
	tf->ss = SEL_UDATA;
	tf->rflags &= ~(uint64_t)(RFLAGS_DF | RFLAGS_RF | RFLAGS_TF);
	tf->orig_rax = UINT64_MAX;
	fpu_start(current->fpu);
}

static void disarm_altstack(struct thread *t)
{
	if (!(t->altstack_flags & SS_AUTODISARM))
		return;
	t->altstack_sp = t->altstack_size = 0;
	t->altstack_flags = SS_DISABLE;
}

bool sigframe_push(struct trapframe *tf, int sig, const siginfo_t *info, const struct sig_action *a,
		   sigmask_t mask)
{
	struct rt_sigframe f;
	struct place p;

	if (!(a->flags & SA_RESTORER) || !find_place(tf, a, &p))
		return false;
	f.pretcode = a->restorer;
	memcpy(&f.info, info, sizeof(f.info));
	fill_context(&f.uc, tf, &p, mask);
	if (put_fpu(p.fp) != OK || user_out(UADDR(p.frame), &f, sizeof(f)) != OK)
		return false;
	disarm_altstack(current);
	enter_handler(tf, sig, a, p.frame);
	return true;
}

/* ---- the way back ---- */

static void restore_registers(struct trapframe *tf, const struct sigcontext *c)
{
	tf->r8 = c->r8;
	tf->r9 = c->r9;
	tf->r10 = c->r10;
	tf->r11 = c->r11;
	tf->r12 = c->r12;
	tf->r13 = c->r13;
	tf->r14 = c->r14;
	tf->r15 = c->r15;
	tf->rdi = c->rdi;
	tf->rsi = c->rsi;
	tf->rbp = c->rbp;
	tf->rbx = c->rbx;
	tf->rdx = c->rdx;
	tf->rax = c->rax;
	tf->rcx = c->rcx;
	tf->rsp = c->rsp;
	tf->rip = c->rip;
	/*
	 * Only 64-bit code exists here: other selectors would fault on the way out, as they should.
	 */
	tf->cs = c->cs | 3u;
	tf->ss = c->ss | 3u;
	tf->rflags = (tf->rflags & ~(uint64_t)RFLAGS_FIXED) | (c->eflags & RFLAGS_FIXED);
	tf->orig_rax = UINT64_MAX;
}

/*
 * How many bytes of XSAVE image stand at `at`: without Linux's marks only the FXSAVE part is
 * believed.
 */
static err_t image_len(uint64_t at, uint32_t *len)
{
	struct _fpx_sw_bytes sw;
	uint32_t magic2;

	*len = sizeof(struct _fpstate);
	if (!boot_info.cpu.xsave)
		return OK;
	TRY(user_in(&sw, UADDR(at + offsetof(struct _fpstate, sw_reserved)), sizeof(sw)));
	if (sw.magic1 != FP_XSTATE_MAGIC1 || sw.xstate_size != fpu_size() ||
	    sw.extended_size < sw.xstate_size + MAGIC2_LEN)
		return OK;
	TRY(user_in(&magic2, UADDR(at + sw.xstate_size), sizeof(magic2)));
	if (magic2 == FP_XSTATE_MAGIC2)
		*len = sw.xstate_size;
	return OK;
}

#define XSTATE_BV_OFFSET 512u
#define XSTATE_FP_SSE    3u

/* An image of less than all components. */
static err_t load_part(uint64_t at, uint32_t len, uint8_t *image)
{
	memset(image, 0, fpu_size());
	TRY(user_in(image, UADDR(at), len));
	/* The software's bytes are not part of what the processor checks. */
	memset(image + offsetof(struct _fpstate, sw_reserved), 0, sizeof(struct _fpx_sw_bytes));
	if (boot_info.cpu.xsave) {
		uint64_t bv = XSTATE_FP_SSE;

		memcpy(image + XSTATE_BV_OFFSET, &bv, sizeof(bv));
	}
	return fpu_image_valid(image, fpu_size()) ? OK : E_INVAL;
}

static err_t restore_part(uint64_t at, uint32_t len)
{
	struct fpu_area *fpu = current->fpu;
	uint8_t *image = kmem_alloc(fpu_size());
	err_t err;

	if (image == NULL)
		return E_NOMEM;
	err = load_part(at, len, image);
	if (err == OK) {
		fpu_drop(fpu);
		memcpy(fpu_data(fpu), image, fpu_size());
		fpu_switch(fpu);
	}
	kmem_free(image);
	return err;
}

static err_t restore_fpu(uint64_t at)
{
	struct ubuf place;
	uint32_t len;

	if (at == 0) {
		fpu_start(current->fpu);
		return OK;
	}
	TRY(image_len(at, &len));
	if (!boot_info.cpu.xsave || len != fpu_size())
		return restore_part(at, len);
	TRY(ubuf_make(&place, UADDR(at), len));
	return fpu_load_user(current->fpu, at) ? OK : E_INVAL;
}

static void restore_altstack(uint64_t sp, const stack_t *s)
{
	struct altstack a = { (uint64_t)s->ss_sp, s->ss_size, (uint32_t)s->ss_flags };

	/* What the handler left there may make no sense; Linux ignores that too. */
	a.flags &= ~(uint32_t)SS_ONSTACK;
	(void)!signal_altstack(sp, &a, NULL);
}

static err_t pop(struct trapframe *tf, struct ucontext *uc)
{
	/* The restorer has taken the return address off the stack. */
	TRY(user_in(uc, UADDR(tf->rsp - sizeof(uint64_t) + offsetof(struct rt_sigframe, uc)),
		    sizeof(*uc)));
	TRY(restore_fpu((uint64_t)uc->uc_mcontext.fpstate));
	signal_set_mask(current, uc->uc_sigmask);
	restore_registers(tf, &uc->uc_mcontext);
	restore_altstack(tf->rsp, &uc->uc_stack);
	return OK;
}

long signal_return(struct trapframe *tf)
{
	struct ucontext uc;

	user_work |= USER_WORK_SPECIAL;
	if (pop(tf, &uc) != OK) {
		signal_fault(SIGSEGV, SI_KERNEL, 0, 0, 0);
		tf->orig_rax = UINT64_MAX;
		return 0;
	}
	return (long)tf->rax;
}
