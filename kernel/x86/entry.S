/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ways into this core's kernel and out of it.
 *
 * A global is this core's (R2), so the entry finds its stack at a fixed address: no SWAPGS, no GS
 * base. Both entries end with a struct trapframe at the top of the thread's kernel stack
 * (cur_kstack_top) and interrupts off; they differ in who saved what. nk owns the entry MSRs and
 * the trap vectors and jumps here.
 */
#include "abi/layout.h"
#include "abi/privuser.h"
#include "kernel/x86/frame.h"

#define RFLAGS_IF   0x00000200
#define RFLAGS_IOPL 0x00003000
#define RFLAGS_NT   0x00004000
#define RFLAGS_VM   0x00020000

	.section .bss
	.balign	8
	.globl	cur_kstack_top
cur_kstack_top:
	.quad	0
user_rsp_save:
	.quad	0
user_rax_save:
	.quad	0
try_rsp:
	.quad	0
	.globl	user_work
user_work:
	.long	0
	.globl	syscall_usual
syscall_usual:
	.long	0
	.globl	x86_smap
x86_smap:				/* 1: STAC and CLAC exist. Set once by trap_init */
	.byte	0
	/* Numbers of the last 256 system calls, for the panic report. */
	.globl	recent_calls, recent_calls_at
recent_calls_at:			/* where the next one goes; wraps by itself */
	.byte	0
	.balign	8
recent_calls:
	.skip	512

	/*
	 * What the gates of PrivUser read (nk/privgate.S), of the current thread: its stack in ring
	 * 2 or 0, and then the result of every privcall; where PrivUser begins; its selectors.
	 */
	.globl	priv_stack, priv_error, priv_entry, priv_cs, priv_ss, priv_gate, priv_gate_top
priv_stack:
	.quad	0
priv_error:
	.quad	0
priv_entry:
	.quad	0
priv_cs:
	.quad	0
priv_ss:
	.quad	0
	.balign	16
	.skip	256			/* nothing reaches this far down */
priv_gate:				/* what belongs to the thread */
	.skip	PRIV_GATE_BYTES
priv_gate_top:

	.macro	ENTRY name
	.balign	16
	.globl	\name
	.type	\name, @function
\name:
	.endm

	.macro	END name
	.size	\name, . - \name
	.endm

	/* Fault at `at` resumes at `fixup`. */
	.macro	EXTABLE at, fixup
	.pushsection .extable, "a"
	.quad	\at, \fixup
	.popsection
	.endm

	.macro	PUSH_RDI_TO_RCX
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	.endm

	.macro	PUSH_R8_TO_R15
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	.endm

	.macro	POP_R15_TO_RBX
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	.endm

	.section .text.entry, "ax"

/*
 * SYSCALL from 64-bit code: rcx = rip, r11 = rflags, rsp still the program's. The entry mask (nk)
 * has cleared IF, TF, DF and AC.
 */
ENTRY syscall_entry
	movq	%rsp, user_rsp_save(%rip)
	movq	cur_kstack_top(%rip), %rsp
	pushq	$SEL_UDATA
	pushq	user_rsp_save(%rip)
	pushq	%r11
	pushq	$SEL_UCODE
	pushq	%rcx
	pushq	$0
	pushq	$TRAP_SYSCALL_VECTOR
	pushq	%rax
	PUSH_RDI_TO_RCX
	pushq	%rax
	PUSH_R8_TO_R15

	/*
	 * The call itself: the arguments are still where the program put them, and where C wants
	 * them but for the fourth. Whatever is not usual (a number without function, --strace, a
	 * debugger) goes through syscall_dispatch.
	 */
	movl	%eax, %eax			/* as Linux: the number is the lower half */
	cmpl	syscall_usual(%rip), %eax
	jae	syscall_unusual
	movzbl	recent_calls_at(%rip), %ecx
	movw	%ax, recent_calls(,%rcx,2)
	incb	recent_calls_at(%rip)
	movq	%r10, %rcx
	call	*syscall_functions(,%rax,8)
	cmpq	$-RESTART_LOWEST, %rax
	jae	syscall_failed
syscall_answer:
	movq	%rax, TF_RAX(%rsp)
syscall_done:
	cmpl	$0, user_work(%rip)
	jne	return_with_work

	/*
	 * Whoever changes anything else in the frame than rax sets USER_WORK_SPECIAL, and it goes
	 * by IRETQ. So the address in rcx is where the program's SYSCALL was, which no program can
	 * have in the last page of the lower half (USER_END): it is canonical. SYSRET must never be
	 * given another one, as the fault would come in ring 0, on the program's stack. The
	 * registers that a C function preserves are still the program's.
	 */
	addq	$TF_R11, %rsp
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rax
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
	movq	(TF_RSP - TF_ORIG_RAX)(%rsp), %rsp
	sysretq

syscall_failed:				/* mostly */
	movq	%rax, %rcx
	addq	$RESTART_LOWEST, %rcx		/* E_RESTART_BLOCK..E_RESTARTSYS become 0..4 */
	cmpq	$RESTART_KINDS, %rcx
	jae	syscall_answer
	movq	%rax, TF_RAX(%rsp)
	/* A sleep that a signal ended: the signal code decides between EINTR and doing it again. */
	orl	$USER_WORK_SIGNAL_BIT, user_work(%rip)
	jmp	syscall_done
	.globl	syscall_no_function
syscall_no_function:			/* where the table has none */
	addq	$8, %rsp
syscall_unusual:
	movq	%rsp, %rdi
	call	syscall_dispatch
	jmp	syscall_done
END syscall_entry

/*
 * SYSCALL from 32-bit code: there is no 32-bit Linux interface here. Answers -ENOSYS (38).
 */
ENTRY syscall_entry32
	movq	%rsp, user_rsp_save(%rip)
	movq	cur_kstack_top(%rip), %rsp
	movl	%ecx, %ecx
	pushq	$SEL_UDATA
	pushq	user_rsp_save(%rip)
	andl	$~(RFLAGS_IOPL | RFLAGS_NT | RFLAGS_VM), %r11d
	orl	$RFLAGS_IF, %r11d
	pushq	%r11
	pushq	$SEL_UCODE32
	pushq	%rcx
	movl	$-38, %eax
	jmp	iret_to_user
END syscall_entry32

/*
 * From nk's stubs: [vector, error, rip, cs, rflags, rsp, ss] on the trap stack (from ring 3) or on
 * the interrupted stack (from ring 0).
 */
ENTRY trap_entry
	testb	$3, 24(%rsp)
	jz	trap_kernel
trap_user:
	cld
	movq	%rax, user_rax_save(%rip)
	movq	%rsp, %rax
	movq	cur_kstack_top(%rip), %rsp
	pushq	48(%rax)
	pushq	40(%rax)
	pushq	32(%rax)
	pushq	24(%rax)
	pushq	16(%rax)
	pushq	8(%rax)
	pushq	0(%rax)
	pushq	$-1
	PUSH_RDI_TO_RCX
	pushq	user_rax_save(%rip)
	PUSH_R8_TO_R15
	/*
	 * The change of stack left a null SS, a system call does not. The processor does not care,
	 * but an emulator translates code once for each kind of SS: so there is one kind.
	 */
	movl	$SEL_KDATA, %eax
	movl	%eax, %ss
	cmpb	$0, x86_smap(%rip)	/* a program may have set AC */
	je	1f
	clac
1:	movq	%rsp, %rdi
	call	trap_from_user
return_to_user:
	cmpl	$0, user_work(%rip)
	je	return_iret
return_with_work:
	movq	%rsp, %rdi
	call	user_return_work
	andl	$~USER_WORK_SPECIAL_BIT, user_work(%rip)
return_iret:
	movl	TF_CS(%rsp), %eax
	notl	%eax
	testb	$3, %al			/* ring 3? */
	jnz	return_inner
return_checked:
	andl	$~(RFLAGS_IOPL | RFLAGS_NT | RFLAGS_VM), TF_RFLAGS(%rsp)
	orl	$RFLAGS_IF, TF_RFLAGS(%rsp)
	POP_R15_TO_RBX
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rax
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
	addq	$24, %rsp		/* orig_rax, vector, error */
iret_to_user:
	iretq
	EXTABLE	iret_to_user, iret_refused

	/*
	 * The processor refused the program's new rip, cs or ss, and the fault was taken in ring 0.
	 * The registers are the program's again and the five words still lie at rsp: make it the
	 * program's general protection fault.
	 */
iret_refused:
	pushq	$0
	pushq	$13
	jmp	trap_user

	/*
	 * To PrivUser or its gates: the data segments went when another thread returned to ring 3.
	 */
return_inner:
	andl	$3, %eax
	cmpl	$3, %eax
	je	return_bad_cs
	movl	$PRIVUSER_SEL_DS, %eax
	movl	%eax, %ds
	movl	%eax, %es
	jmp	return_checked

return_bad_cs:				/* a frame that would return to ring 0: our mistake */
	ud2
END trap_entry

trap_kernel:
	pushq	$-1
	PUSH_RDI_TO_RCX
	pushq	%rax
	PUSH_R8_TO_R15
	cmpb	$0, x86_smap(%rip)	/* inside a user copy AC is set; IRETQ restores it */
	je	1f
	clac
1:	movq	%rsp, %rdi
	call	trap_from_kernel
	POP_R15_TO_RBX
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rax
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
	addq	$24, %rsp
	iretq

/* void x86_return_to_user(struct trapframe *tf) */
ENTRY x86_return_to_user
	movq	%rdi, %rsp
	xorl	%ebp, %ebp
	jmp	return_to_user
END x86_return_to_user

/* void x86_switch_stack(uint64_t *save_rsp, uint64_t load_rsp) */
ENTRY x86_switch_stack
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret
END x86_switch_stack

/* bool x86_try_call(void (*fn)(void *), void *arg): true when x86_try_abort() ended it */
ENTRY x86_try_call
	pushq	%rbp
	movq	%rsp, %rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	$0
	movq	%rsp, try_rsp(%rip)
	movq	%rdi, %rax
	movq	%rsi, %rdi
	call	*%rax
	xorl	%eax, %eax
try_out:
	movq	$0, try_rsp(%rip)
	addq	$8, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret
END x86_try_call

/* Where a trapped x86_try_call goes on. */
ENTRY x86_try_abort
	movq	try_rsp(%rip), %rsp
	movl	$1, %eax
	jmp	try_out
END x86_try_abort

/*
 * void x86_wait_for_interrupt(void): STI takes effect after HLT has begun, so no interrupt is slept
 * through.
 */
ENTRY x86_wait_for_interrupt
	sti
	hlt
	cli
	ret
END x86_wait_for_interrupt

ENTRY x86_poll_interrupts
	sti
	nop
	cli
	ret
END x86_poll_interrupts

	.section .note.GNU-stack, "", @progbits
