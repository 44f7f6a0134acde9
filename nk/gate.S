/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ways into nk and out of it (docs/nk.md, "Gates"). What must hold at each step is said there;
 * in short:
 *   - nothing is stored through a stack pointer of the outer kernel while WP is clear;
 *   - interrupts are off before WP is cleared and, for whoever jumps past that, again right behind
 *     it. An interrupt taken between the two lands on its IST stack, never on a stack pointer the
 *     jumper chose;
 *   - single-stepping (TF) ends at the first instruction of nk, as nk owns #DB;
 *   - WP is set and seen to be set before an outer stack or instruction is used.
 */
#include "abi/layout.h"

#define CR0_WP 0x10000
#define FLAG_TF 0x100
#define FLAG_RF 0x10000

#define VECTOR_DB 1
#define VECTOR_NMI 2
#define VECTOR_PF 14

	.text

/*
 * Set WP and do not go on before it is set: who jumps into the middle ends up in the loop. Clobbers
 * rax.
 */
	.macro SET_WP
	movq %cr0, %rax
771:	orl $CR0_WP, %eax
	movq %rax, %cr0
	testl $CR0_WP, %eax
	jz 771b
	.endm

/* err_t nk_submit(const struct nk_op *ops, size_t n, size_t *done) */
	.globl nk_submit
	.type nk_submit, @function
nk_submit:
	pushfq
	cli
	pushq %rdx
	movq %cr0, %rax
	andl $~CR0_WP, %eax
	.globl nk_gate_open             /* for the tests, which jump here */
nk_gate_open:
	movq %rax, %cr0
	/* WP is clear. */
	cli
	movq %rsp, %rcx
	movq $nk_stack_top, %rsp
	pushq %rcx
	pushq $0x2
	popfq                           /* TF, IF, DF, NT, AC: clear */
	subq $8, %rsp
	call nk_submit_secure           /* rax: error, rdx: operations done */
	addq $8, %rsp
	popq %rcx
	movq %cr0, %r8
1:	orl $CR0_WP, %r8d
	.globl nk_gate_close            /* for the tests */
nk_gate_close:
	movq %r8, %cr0
	testl $CR0_WP, %r8d
	jz 1b
	/* WP is set. */
	movq %rcx, %rsp
	popq %rcx
	testq %rcx, %rcx
	jz 1f
	movq %rdx, (%rcx)
1:	popfq
	ret
	.size nk_submit, . - nk_submit

/*
 * bool nk_copy_in(void *dst, const void *src, size_t words): a page fault on the copying
 * instruction comes back here through the trap gate and makes the answer false.
 */
	.globl nk_copy_in
	.type nk_copy_in, @function
nk_copy_in:
	movq %rdx, %rcx
nk_copy_insn:
	rep movsq
	movl $1, %eax
	ret
nk_copy_fault:
	xorl %eax, %eax
	ret
	.size nk_copy_in, . - nk_copy_in

/*
 * Boot's last step on each core: rdi = top-level table. Boot's own mappings are gone with the load
 * of CR3; GDTR and IDTR point to this core's tables already.
 */
	.globl nk_take_over
nk_take_over:
	movq %rdi, %cr3
	movq $nk_stack_top, %rsp
	pushq $SEL_KCODE
	pushq $1f
	lretq
1:	movl $SEL_KDATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	movl $SEL_TSS, %eax
	ltr %ax                         /* sets the busy bit: needs WP clear */
	movl $SEL_LDT, %eax
	lldt %ax
	call nk_first_audit
	SET_WP
	movq $boot_stack_top, %rsp
	xorl %ebp, %ebp
	pushq $0                        /* end of backtraces */
	jmp kernel_main

/* Somebody jumped to a WRMSR of nk (hw.h): this core stops. */
	.globl nk_violation
nk_violation:
	cli
	hlt
	jmp nk_violation

/* ---- traps ---- */

/*
 * All vectors but the four below. Outer code gets [vector, error, rip, cs, rflags, rsp, ss] at rsp,
 * with all registers as they were and WP set. The page fault of nk_copy_in is nk's own.
 */
nk_trap_gate:
	cmpq $nk_copy_insn, 16(%rsp)
	je 3f
1:	pushq %rax
	movq %cr0, %rax
	testl $CR0_WP, %eax
	jz 2f
	popq %rax
	jmp trap_entry
2:	incq nk_stray_traps
	SET_WP
	popq %rax
	jmp trap_entry
3:	cmpq $VECTOR_PF, (%rsp)
	jne 1b
	testb $3, 24(%rsp)
	jnz 1b
	movq $nk_copy_fault, 16(%rsp)
	addq $16, %rsp
	iretq

/*
 * A debug exception inside nk: stop the stepping, go on (RF: also over an instruction breakpoint).
 */
nk_trap_db:
	pushq $0
	pushq $VECTOR_DB
	testb $3, 24(%rsp)
	jnz nk_trap_gate
	cmpq $nk_text_start, 16(%rsp)
	jb nk_trap_gate
	cmpq $nk_text_end, 16(%rsp)
	jae nk_trap_gate
	andl $~FLAG_TF, 32(%rsp)
	orl $FLAG_RF, 32(%rsp)
	addq $16, %rsp
	iretq

/*
 * NMI: count and return, with WP as it is, clear or set. So the handler can only write memory that
 * is writable both ways: the count is outer memory, copied to nk_status at each crossing.
 */
nk_trap_nmi:
	incq nk_nmi_count
	iretq

/* Vectors for which the processor pushes an error code. */
#define HAS_ERROR(v) \
	((v) == 8 || ((v) >= 10 && (v) <= 14) || (v) == 17 || (v) == 21 || (v) == 29 || (v) == 30)

	.balign 16
	.globl nk_trap_stubs
nk_trap_stubs:
	.set vector, 0
	.rept 256
	.balign 16
	.if vector == VECTOR_DB
	jmp nk_trap_db
	.elseif vector == VECTOR_NMI
	jmp nk_trap_nmi
	.else
	.if !HAS_ERROR(vector)
	pushq $0
	.endif
	pushq $vector
	jmp nk_trap_gate
	.endif
	.set vector, vector + 1
	.endr

	.section .note.GNU-stack, "", @progbits
