/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The gates of PrivUser (abi/privuser.h): all code that ring 1 has. Ring 3 enters by a call gate,
 * ring 2 leaves by another; both start on the core's gate stack (TSS.RSP1):
 *
 *   priv_gate_top - 32   RIP, CS, RSP, SS of the caller, pushed by the processor: of ring 3, and
 *                        later of ring 2
 *                 - 64   a copy of ring 3's
 *                 - 80   rbp, rbx of ring 3 in full; r12 to r15 exist in 64-bit mode only, where
 *                   the
 *                        processor keeps them
 *                 - 112  the far return to ring 2
 *
 * Interrupts are on: a thread may be stopped at any instruction. Whoever switches threads keeps the
 * gate stack's content with the thread (kernel/dom). The variables are the outer kernel's, and the
 * current thread's.
 */
#include "abi/layout.h"

#define SAVED   80
#define NOT_CALL (-38)
/*
 * AC, TF, DF, NT: clear. IF is not ring 1's to change, but QEMU (7.2) takes what a call gate has
 * entered for ring 0: with IF clear here, interrupts would stay off in rings 2 and 3.
 */
#define FLAGS    0x202

	.text

	.globl nk_priv_enter
	.type nk_priv_enter, @function
nk_priv_enter:
	testb $1, 8(%rsp)               /* who comes from ring 2 has no business here */
	jz 1f
	pushq 24(%rsp)
	pushq 24(%rsp)
	pushq 24(%rsp)
	pushq 24(%rsp)
	pushq %rbx
	pushq %rbp
	movq priv_stack, %r11           /* of this thread; 0: it has none */
	testq %r11, %r11
	jz 2f
	pushq $FLAGS
	popfq
	movq %rdi, 0(%r11)
	movq %rsi, 8(%r11)
	movq %rdx, 16(%r11)
	movq %r10, 24(%r11)
	movq %r8, 32(%r11)
	movq %r9, 40(%r11)
	movq %rax, %rcx
	shrq $32, %rcx
	jnz 3f
	pushq priv_ss
	pushq %r11
	pushq priv_cs
	pushq priv_entry
1:	lretq
2:	movq priv_error, %rax
	jmp nk_priv_exit
3:	movl $NOT_CALL, %eax
	/* fall through */
	.size nk_priv_enter, . - nk_priv_enter

	.globl nk_priv_exit
	.type nk_priv_exit, @function
nk_priv_exit:
	movslq %eax, %rax
	movq $priv_gate_top - SAVED, %rsp
	xorl %ecx, %ecx
	xorl %edx, %edx
	xorl %esi, %esi
	xorl %edi, %edi
	xorl %r8d, %r8d
	xorl %r9d, %r9d
	xorl %r10d, %r10d
	xorl %r11d, %r11d
	pushq $FLAGS
	popfq
	popq %rbp
	popq %rbx
	cmpl $0, user_work              /* signals were held, or it is another's turn */
	jne 4f
	lretq
4:	int $VEC_PRIVUSER
	/* The kernel returns to ring 3 from here, by the copy at rsp. */
	.globl nk_priv_left
nk_priv_left:
	ud2
	.size nk_priv_exit, . - nk_priv_exit

	.section .note.GNU-stack, "", @progbits
