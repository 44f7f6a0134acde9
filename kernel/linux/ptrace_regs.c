/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers of a stopped thread for its tracer. Whatever the tracer sets, the program stays in ring
 * 3 with interrupts on. */
#include "kernel/linux/ptrace_regs.h"

#include <asm/sigcontext.h>

#include "base/str.h"
#include "kernel/linux/linux.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/ptrace.h"

#define FLAGS_FIXED 0x50dd5u /* AC OF DF TF SF ZF AF PF CF RF: what a program may choose */
#define FLAGS_TF    0x100u

/* Linux's selectors, by which debuggers know a 64-bit program. */
#define LINUX_CS   0x33u
#define LINUX_CS32 0x23u
#define LINUX_SS   0x2bu

#define INDEX(reg) (offsetof(struct user_regs, reg) / sizeof(uint64_t))

static uint64_t selector_out(uint64_t cs)
{
	return cs == SEL_UCODE ? LINUX_CS : cs == SEL_UCODE32 ? LINUX_CS32 : cs;
}

static uint64_t flags_out(const struct thread *t)
{
	uint64_t flags = t->regs->rflags;

	return t->trace != NULL && t->trace->forced_tf ? flags & ~(uint64_t)FLAGS_TF : flags;
}

void regs_get(const struct thread *t, struct user_regs *out)
{
	const struct trapframe *tf = t->regs;

	*out = (struct user_regs){ .r15 = tf->r15,
				   .r14 = tf->r14,
				   .r13 = tf->r13,
				   .r12 = tf->r12,
				   .rbp = tf->rbp,
				   .rbx = tf->rbx,
				   .r11 = tf->r11,
				   .r10 = tf->r10,
				   .r9 = tf->r9,
				   .r8 = tf->r8,
				   .rax = tf->rax,
				   .rcx = tf->rcx,
				   .rdx = tf->rdx,
				   .rsi = tf->rsi,
				   .rdi = tf->rdi,
				   .orig_rax = tf->orig_rax,
				   .rip = tf->rip,
				   .cs = selector_out(tf->cs),
				   .eflags = flags_out(t),
				   .rsp = tf->rsp,
				   .ss = tf->ss == SEL_UDATA ? LINUX_SS : tf->ss,
				   .fs_base = t->fs_base,
				   .gs_base = t->gs_base };
}

static void set_flags(struct thread *t, uint64_t value)
{
	struct trapframe *tf = t->regs;
	struct ptrace *p = t->trace;

	/* TF that the tracer sets is the program's; otherwise stepping keeps its own. */
	if (value & FLAGS_TF)
		p->forced_tf = false;
	else if (p->forced_tf)
		value |= FLAGS_TF;
	tf->rflags = (tf->rflags & ~(uint64_t)FLAGS_FIXED) | (value & FLAGS_FIXED);
}

static err_t set_code(struct trapframe *tf, uint64_t value)
{
	if (value == LINUX_CS)
		tf->cs = SEL_UCODE;
	else if (value == LINUX_CS32)
		tf->cs = SEL_UCODE32;
	else
		return E_IO;
	return OK;
}

static err_t set_base(uint64_t *base, uint64_t value)
{
	if (value >= USER_END)
		return E_IO;
	*base = value;
	return OK;
}

/* ds, es, fs, gs: selectors say nothing in 64-bit code; what Linux refuses is refused. */
static err_t set_data(uint64_t value)
{
	value &= 0xffff;
	return value == 0 || value == LINUX_SS ? OK : E_IO;
}

err_t regs_set_one(struct thread *t, unsigned index, uint64_t value)
{
	/* The general registers in struct user_regs's order, which is the frame's as well. */
	struct trapframe *tf = t->regs;
	uint64_t *general = &tf->r15;

	switch (index) {
	case INDEX(rip): tf->rip = value; return OK;
	case INDEX(rsp): tf->rsp = value; return OK;
	case INDEX(cs): return set_code(tf, value & 0xffff);
	case INDEX(ss): return (value & 0xffff) == LINUX_SS ? OK : E_IO;
	case INDEX(eflags): set_flags(t, value); return OK;
	case INDEX(fs_base): return set_base(&t->fs_base, value);
	case INDEX(gs_base): return set_base(&t->gs_base, value);
	case INDEX(ds):
	case INDEX(es):
	case INDEX(fs):
	case INDEX(gs): return set_data(value);
	default:
		if (index > INDEX(orig_rax))
			return E_IO;
		general[index] = value;
		return OK;
	}
}
_Static_assert(offsetof(struct trapframe, orig_rax) == offsetof(struct user_regs, orig_rax) &&
		       offsetof(struct trapframe, rdi) == offsetof(struct user_regs, rdi),
	       "the general registers have one order");

/* ---- floating point ---- */

void regs_xstate_get(struct thread *t, void *image)
{
	struct _fpstate *fx = image;

	fpu_sync(t->fpu);
	fpu_image_out(t->fpu, image);
	memset(&fx->sw_reserved, 0, sizeof(fx->sw_reserved));
	if (boot_info.cpu.xsave) /* XCR0 in the first of the words left to software */
		memcpy(&fx->sw_reserved, &boot_info.cpu.xcr0, sizeof(boot_info.cpu.xcr0));
}

err_t regs_xstate_set(struct thread *t, void *image)
{
	struct _fpstate *fx = image;

	memset(&fx->sw_reserved, 0, sizeof(fx->sw_reserved));
	if (!fpu_image_valid(image, fpu_size()))
		return E_INVAL;
	fpu_sync(t->fpu);
	fpu_drop(t->fpu);
	memcpy(fpu_data(t->fpu), image, fpu_size());
	return OK;
}

err_t regs_fx_get(struct thread *t, void *fx)
{
	void *image = kmem_alloc(fpu_size());

	if (image == NULL)
		return E_NOMEM;
	regs_xstate_get(t, image);
	memcpy(fx, image, FXSAVE_SIZE);
	memset(&((struct _fpstate *)fx)->sw_reserved, 0, sizeof(struct _fpx_sw_bytes));
	kmem_free(image);
	return OK;
}

#define XSTATE_FP_SSE 3u

err_t regs_fx_set(struct thread *t, const void *fx)
{
	char *image = kmem_alloc(fpu_size());
	err_t err;

	if (image == NULL)
		return E_NOMEM;
	regs_xstate_get(t, image);
	memcpy(image, fx, FXSAVE_SIZE);
	if (boot_info.cpu.xsave) {
		uint64_t bv;

		memcpy(&bv, image + FXSAVE_SIZE, sizeof(bv));
		bv |= XSTATE_FP_SSE;
		memcpy(image + FXSAVE_SIZE, &bv, sizeof(bv));
	}
	err = regs_xstate_set(t, image);
	kmem_free(image);
	return err;
}
