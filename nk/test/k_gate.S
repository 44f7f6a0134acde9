/* SPDX-License-Identifier: BSD-2-Clause */
/* Attacks on the gates that need their own registers and flags (k_nk.c). */

#define FLAG_TF 0x100

	.text

/*
 * void k_jump_open(uint64_t cr0): behind the gate's preparations, to the instruction that clears
 * WP.
 */
	.globl k_jump_open
k_jump_open:
	leaq 1f(%rip), %rax
	pushq %rax
	pushfq
	pushq $0
	movq %rdi, %rax
	xorl %edi, %edi
	xorl %esi, %esi
	jmp nk_gate_open
1:	ret

/* void k_jump_close(uint64_t cr0): to the instruction that sets WP, with a value that does not. */
	.globl k_jump_close
k_jump_close:
	leaq 1f(%rip), %rax
	pushq %rax
	pushfq
	pushq $0
	movq %rsp, %rcx
	movq %rdi, %r8
	jmp nk_gate_close
1:	ret

/* void k_step_into_gate(void): the gate, single-stepping. */
	.globl k_step_into_gate
k_step_into_gate:
	xorl %edi, %edi
	xorl %esi, %esi
	xorl %edx, %edx
	pushfq
	orq $FLAG_TF, (%rsp)
	popfq
	call nk_submit
	ret

/* bool k_flags_survive(void): the gate with AC set; it must be set afterwards, and work with it. */
	.globl k_flags_survive
k_flags_survive:
	xorl %edi, %edi
	xorl %esi, %esi
	xorl %edx, %edx
	pushfq
	orq $0x40400, (%rsp)            /* AC and DF */
	popfq
	call nk_submit
	pushfq
	popq %rcx
	cld
	andl $0x40400, %ecx
	xorl %eax, %eax
	cmpl $0x40400, %ecx
	sete %al
	pushfq
	andq $~0x40000, (%rsp)
	popfq
	ret

	.section .note.GNU-stack, "", @progbits
