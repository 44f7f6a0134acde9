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
#include "kernel/mem/uword.h"
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

/* clang does not where an asm goto stands, and says so. */
#ifdef __clang__
#define UNROLL
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

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
 * What stands in the program's memory is written there at once, word by word, in an open window
 * (uword.h). Each of these writes all bytes of its part. False: the memory is not there.
 */

/*
 * Around the image as the processor writes it: Linux's description in the bytes that are left to
 * software, and a header of zeros, of which XSAVE sets its part.
 */
static inline bool put_fpu_marks(uint64_t at)
{
	struct _fpx_sw_bytes *sw =
		(struct _fpx_sw_bytes *)(at + offsetof(struct _fpstate, sw_reserved));
	uint64_t *header = (uint64_t *)(at + sizeof(struct _fpstate));

	UWORD_PUT(&sw->magic1, FP_XSTATE_MAGIC1, failed);
	UWORD_PUT(&sw->extended_size, fp_frame_len(), failed);
	UWORD_PUT(&sw->xfeatures, boot_info.cpu.xcr0, failed);
	UWORD_PUT(&sw->xstate_size, fpu_size(), failed);
	UWORD_PUT(&sw->padding[0], 0, failed);
	UNROLL
	for (unsigned i = 0; i < ARRAY_SIZE(sw->padding) / 2; i++)
		UWORD_PUT((uint64_t *)&sw->padding[1 + 2 * i], 0, failed);
	UNROLL
	for (unsigned i = 0; i < sizeof(struct _header) / sizeof(*header); i++)
		UWORD_PUT(&header[i], 0, failed);
	UWORD_PUT((uint32_t *)(at + fpu_size()), FP_XSTATE_MAGIC2, failed);
	return true;
failed:
	return false;
}

static inline bool put_registers(struct sigcontext *c, const struct trapframe *tf)
{
	UWORD_PUT(&c->r8, tf->r8, failed);
	UWORD_PUT(&c->r9, tf->r9, failed);
	UWORD_PUT(&c->r10, tf->r10, failed);
	UWORD_PUT(&c->r11, tf->r11, failed);
	UWORD_PUT(&c->r12, tf->r12, failed);
	UWORD_PUT(&c->r13, tf->r13, failed);
	UWORD_PUT(&c->r14, tf->r14, failed);
	UWORD_PUT(&c->r15, tf->r15, failed);
	UWORD_PUT(&c->rdi, tf->rdi, failed);
	UWORD_PUT(&c->rsi, tf->rsi, failed);
	UWORD_PUT(&c->rbp, tf->rbp, failed);
	UWORD_PUT(&c->rbx, tf->rbx, failed);
	UWORD_PUT(&c->rdx, tf->rdx, failed);
	UWORD_PUT(&c->rax, tf->rax, failed);
	UWORD_PUT(&c->rcx, tf->rcx, failed);
	UWORD_PUT(&c->rsp, tf->rsp, failed);
	UWORD_PUT(&c->rip, tf->rip, failed);
	UWORD_PUT(&c->eflags, tf->rflags, failed);
	UWORD_PUT(&c->cs, tf->cs, failed);
	UWORD_PUT(&c->gs, 0, failed);
	UWORD_PUT(&c->fs, 0, failed);
	UWORD_PUT(&c->ss, tf->ss, failed);
	return true;
failed:
	return false;
}

static inline bool put_trap(struct sigcontext *c, uint64_t fp, sigmask_t mask)
{
	const struct thread *t = current;

	UWORD_PUT(&c->err, t->trap_error, failed);
	UWORD_PUT(&c->trapno, t->trap_no, failed);
	UWORD_PUT(&c->oldmask, mask, failed);
	UWORD_PUT(&c->cr2, t->trap_addr, failed);
	UWORD_PUT(&c->fpstate, fp, failed);
	UNROLL
	for (unsigned i = 0; i < ARRAY_SIZE(c->reserved1); i++)
		UWORD_PUT(&c->reserved1[i], 0, failed);
	return true;
failed:
	return false;
}

static inline bool put_context(struct ucontext *uc, uint64_t sp, sigmask_t mask)
{
	const struct thread *t = current;
	uint32_t altstack = sigframe_altstack_state(t, sp) | (t->altstack_flags & SS_AUTODISARM);

	UWORD_PUT(&uc->uc_flags,
		  (boot_info.cpu.xsave ? UC_FP_XSTATE : 0) | UC_SIGCONTEXT_SS |
			  UC_STRICT_RESTORE_SS,
		  failed);
	UWORD_PUT(&uc->uc_link, 0, failed);
	UWORD_PUT(&uc->uc_stack.ss_sp, t->altstack_sp, failed);
	UWORD_PUT((uint64_t *)&uc->uc_stack.ss_flags, altstack, failed); /* and the hole behind */
	UWORD_PUT(&uc->uc_stack.ss_size, t->altstack_size, failed);
	UWORD_PUT(&uc->uc_sigmask, mask, failed);
	return true;
failed:
	return false;
}

#define WORDS(object) (sizeof(object) / sizeof(uint64_t))

static inline bool put_info(siginfo_t *to, const struct ksiginfo *info)
{
	const uint64_t *from = (const uint64_t *)info;
	uint64_t *at = (uint64_t *)to;

	UNROLL
	for (unsigned i = 0; i < WORDS(*info); i++)
		UWORD_PUT(&at[i], from[i], failed);
	UNROLL
	for (unsigned i = WORDS(*info); i < WORDS(*to); i++)
		UWORD_PUT(&at[i], 0, failed);
	return true;
failed:
	return false;
}

static bool put_frame(const struct place *p, const struct trapframe *tf, uint64_t restorer,
		      const struct ksiginfo *info, sigmask_t mask)
{
	struct rt_sigframe *f = (struct rt_sigframe *)p->frame;
	bool done;

	if (uword_open(p->frame, p->fp + fp_frame_len() - p->frame) != OK)
		return false;
	UWORD_PUT(&f->pretcode, restorer, failed);
	done = put_context(&f->uc, tf->rsp, mask) && put_registers(&f->uc.uc_mcontext, tf) &&
	       put_trap(&f->uc.uc_mcontext, p->fp, mask) && put_info(&f->info, info) &&
	       (!boot_info.cpu.xsave || put_fpu_marks(p->fp));
	uword_close();
	return done && fpu_save_user(current->fpu, p->fp);
failed:
	uword_close();
	return false;
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

bool sigframe_push(struct trapframe *tf, int sig, const struct ksiginfo *info,
		   const struct sig_action *a, sigmask_t mask)
{
	struct place p;

	if (!(a->flags & SA_RESTORER) || !find_place(tf, a, &p) ||
	    !put_frame(&p, tf, a->restorer, info, mask))
		return false;
	disarm_altstack(current);
	enter_handler(tf, sig, a, p.frame);
	return true;
}

/* ---- the way back ---- */

/* What a handler leaves behind, beyond the registers. */
struct left {
	uint64_t fp;
	struct altstack altstack;
	sigmask_t mask;
};

/* Both ends of the context are read: the registers lie in between. */
static err_t get_context(const struct ucontext *uc, struct left *l)
{
	TRY(uword_open((uint64_t)uc, sizeof(*uc)));
	UWORD_GET(l->altstack.sp, (const uint64_t *)&uc->uc_stack.ss_sp, failed);
	UWORD_GET(l->altstack.flags, (const uint32_t *)&uc->uc_stack.ss_flags, failed);
	UWORD_GET(l->altstack.size, (const uint64_t *)&uc->uc_stack.ss_size, failed);
	UWORD_GET(l->mask, (const sigmask_t *)&uc->uc_sigmask, failed);
	UWORD_GET(l->fp, (const uint64_t *)&uc->uc_mcontext.fpstate, failed);
	uword_close();
	return OK;
failed:
	uword_close();
	return E_FAULT;
}

static err_t get_registers(struct trapframe *tf, const struct sigcontext *c)
{
	uint64_t flags;
	uint16_t cs, ss;

	TRY(uword_open((uint64_t)c, sizeof(*c)));
	UWORD_GET(tf->r8, &c->r8, failed);
	UWORD_GET(tf->r9, &c->r9, failed);
	UWORD_GET(tf->r10, &c->r10, failed);
	UWORD_GET(tf->r11, &c->r11, failed);
	UWORD_GET(tf->r12, &c->r12, failed);
	UWORD_GET(tf->r13, &c->r13, failed);
	UWORD_GET(tf->r14, &c->r14, failed);
	UWORD_GET(tf->r15, &c->r15, failed);
	UWORD_GET(tf->rdi, &c->rdi, failed);
	UWORD_GET(tf->rsi, &c->rsi, failed);
	UWORD_GET(tf->rbp, &c->rbp, failed);
	UWORD_GET(tf->rbx, &c->rbx, failed);
	UWORD_GET(tf->rdx, &c->rdx, failed);
	UWORD_GET(tf->rax, &c->rax, failed);
	UWORD_GET(tf->rcx, &c->rcx, failed);
	UWORD_GET(tf->rsp, &c->rsp, failed);
	UWORD_GET(tf->rip, &c->rip, failed);
	UWORD_GET(flags, &c->eflags, failed);
	UWORD_GET(cs, &c->cs, failed);
	UWORD_GET(ss, &c->ss, failed);
	uword_close();
	/*
	 * Only 64-bit code exists here: other selectors would fault on the way out, as they should.
	 */
	tf->cs = cs | 3u;
	tf->ss = ss | 3u;
	tf->rflags = (tf->rflags & ~(uint64_t)RFLAGS_FIXED) | (flags & RFLAGS_FIXED);
	tf->orig_rax = UINT64_MAX;
	return OK;
failed:
	uword_close();
	return E_FAULT;
}

/*
 * How many bytes of XSAVE image stand at `at`: without Linux's marks only the FXSAVE part is
 * believed.
 */
static err_t image_len(uint64_t at, uint32_t *len)
{
	const struct _fpx_sw_bytes *sw =
		(const struct _fpx_sw_bytes *)(at + offsetof(struct _fpstate, sw_reserved));
	uint32_t magic1 = 0, magic2 = 0, size = 0, extended = 0;

	*len = sizeof(struct _fpstate);
	if (!boot_info.cpu.xsave)
		return OK;
	TRY(uword_open(at, sizeof(struct _fpstate)));
	UWORD_GET(magic1, &sw->magic1, failed);
	UWORD_GET(size, &sw->xstate_size, failed);
	UWORD_GET(extended, &sw->extended_size, failed);
	uword_close();
	if (magic1 != FP_XSTATE_MAGIC1 || size != fpu_size() || extended < size + MAGIC2_LEN)
		return OK;
	TRY(uword_open(at, fp_frame_len()));
	UWORD_GET(magic2, (const uint32_t *)(at + fpu_size()), failed);
	uword_close();
	if (magic2 == FP_XSTATE_MAGIC2)
		*len = size;
	return OK;
failed:
	uword_close();
	return E_FAULT;
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

static void restore_altstack(uint64_t sp, struct altstack *a)
{
	/* What the handler left there may make no sense; Linux ignores that too. */
	a->flags &= ~(uint32_t)SS_ONSTACK;
	(void)!signal_altstack(sp, a, NULL);
}

static err_t pop(struct trapframe *tf)
{
	/* The restorer has taken the return address off the stack. */
	const struct rt_sigframe *f = (const struct rt_sigframe *)(tf->rsp - sizeof(f->pretcode));
	struct left l;

	TRY(get_context(&f->uc, &l));
	TRY(restore_fpu(l.fp));
	TRY(get_registers(tf, &f->uc.uc_mcontext));
	signal_set_mask(current, l.mask);
	restore_altstack(tf->rsp, &l.altstack);
	return OK;
}

long signal_return(struct trapframe *tf)
{
	user_work |= USER_WORK_SPECIAL;
	if (pop(tf) != OK) {
		signal_fault(SIGSEGV, SI_KERNEL, 0, 0, 0);
		tf->orig_rax = UINT64_MAX;
		return 0;
	}
	return (long)tf->rax;
}
