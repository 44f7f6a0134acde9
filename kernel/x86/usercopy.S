/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies between kernel and program, through the current address space. The page-fault handler
 * serves faults on the way; an access that it refuses goes on at the fixup named in the exception
 * table.
 *
 * Every access asks first whether the caller may name the range (R6): ring 3 may not name PrivUser
 * (abi/privuser.h), whose pages the kernel itself could reach; and PrivUser may name nothing else.
 *
 * STAC and CLAC do not exist on every CPU and the text cannot be patched, hence the test of
 * x86_smap.
 */

	/* The next instruction may fault and then resumes at `fixup`. */
	.macro	MAY_FAULT fixup
	.pushsection .extable, "a"
	.quad	.Lat\@, \fixup
	.popsection
.Lat\@:
	.endm

	.macro	ENTRY name
	.balign	16
	.globl	\name
	.type	\name, @function
\name:
	.endm

	.macro	END name
	.size	\name, . - \name
	.endm

	.section .bss
	.balign	8
	/*
	 * x86.h says what these are. Nearly always all of it is 0, and no address is below.
	 */
	.globl	user_barred
user_barred:
	.quad	0			/* below this address, look closer */
	.quad	0			/* PrivUser: start */
	.quad	0			/* end */

	/*
	 * Go to `refused` unless the caller may name \len bytes (a register or constant) at \addr.
	 */
	.macro	CHECK_CALLER addr, len, refused
	cmpq	user_barred(%rip), \addr
	jae	.Lfree\@
	movq	\addr, %rax
	movq	\len, %rcx
	call	is_barred
	jc	\refused
.Lfree\@:
	.endm

	/* Run `body` (a subroutine) with user access open, and return. */
	.macro	OPEN_USER body
	cmpb	$0, x86_smap(%rip)
	je	\body
	stac
	call	\body
	clac
	ret
	.endm

	.section .text.usercopy, "ax"

/* rax = address, rcx = bytes: carry is set when the caller may not name them. Changes both. */
	.type is_barred, @function
is_barred:
	addq	%rax, %rcx		/* the end; nobody may name a range that wraps */
	jc	1f
	cmpq	$-1, user_barred(%rip)
	je	2f
	cmpq	user_barred+16(%rip), %rax
	jae	3f
	cmpq	%rcx, user_barred+8(%rip)
	ret				/* carry: PrivUser begins before the end */
2:	cmpq	user_barred+8(%rip), %rax
	jb	1f
	cmpq	%rcx, user_barred+16(%rip)
1:	ret
3:	clc
	ret
	.size	is_barred, . - is_barred

/* size_t x86_copy_from_user(void *dst, uint64_t src, size_t len) */
ENTRY x86_copy_from_user
	CHECK_CALLER %rsi, %rdx, all_refused
	OPEN_USER copy_body
END x86_copy_from_user

/* size_t x86_copy_to_user(uint64_t dst, const void *src, size_t len) */
ENTRY x86_copy_to_user
	CHECK_CALLER %rdi, %rdx, all_refused
	OPEN_USER copy_body
END x86_copy_to_user

/* size_t x86_zero_user(uint64_t dst, size_t len) */
ENTRY x86_zero_user
	movq	%rsi, %rdx
	CHECK_CALLER %rdi, %rdx, all_refused
	OPEN_USER zero_body
END x86_zero_user

all_refused:				/* no byte was moved */
	movq	%rdx, %rax
	ret

/*
 * rdi = to, rsi = from, rdx = bytes; answers the bytes left. Whole words first, then a half; where
 * one faults, the rest goes byte by byte, so that the answer is exact.
 */
	.type	copy_body, @function
copy_body:
	cmpq	$64, %rdx
	ja	copy_long
	movl	%edx, %ecx
	andl	$7, %edx
	andl	$-8, %ecx
	je	copy_tail
	addq	%rcx, %rsi
	addq	%rcx, %rdi
	negq	%rcx
1:	MAY_FAULT copy_word_refused
	movq	(%rsi,%rcx), %rax
	MAY_FAULT copy_word_refused
	movq	%rax, (%rdi,%rcx)
	addq	$8, %rcx
	jne	1b
copy_tail:
	cmpq	$4, %rdx
	jb	copy_bytes
	MAY_FAULT copy_bytes
	movl	(%rsi), %eax
	MAY_FAULT copy_bytes
	movl	%eax, (%rdi)
	addq	$4, %rsi
	addq	$4, %rdi
	subq	$4, %rdx
copy_bytes:
	testq	%rdx, %rdx
	je	2f
1:	MAY_FAULT 2f
	movb	(%rsi), %al
	MAY_FAULT 2f
	movb	%al, (%rdi)
	incq	%rsi
	incq	%rdi
	decq	%rdx
	jne	1b
2:	movq	%rdx, %rax
	ret
copy_word_refused:
	addq	%rcx, %rsi
	addq	%rcx, %rdi
	subq	%rcx, %rdx
	jmp	copy_bytes

copy_long:
	movq	%rdx, %rcx
	shrq	$3, %rcx
	andl	$7, %edx
	MAY_FAULT copy_long_refused
	rep movsq
	jmp	copy_bytes
copy_long_refused:
	leaq	(%rdx,%rcx,8), %rdx
	jmp	copy_bytes
	.size	copy_body, . - copy_body

	/* rdi = to, rdx = bytes; answers the bytes left. */
	.type	zero_body, @function
zero_body:
	xorl	%eax, %eax
	movq	%rdx, %rcx
	shrq	$3, %rcx
	andl	$7, %edx
	MAY_FAULT zero_refused
	rep stosq
zero_bytes:
	testq	%rdx, %rdx
	je	2f
	MAY_FAULT 2f
	movb	%al, (%rdi)
	incq	%rdi
	decq	%rdx
	jmp	zero_bytes
2:	movq	%rdx, %rax
	ret
zero_refused:
	leaq	(%rdx,%rcx,8), %rdx
	jmp	zero_bytes
	.size	zero_body, . - zero_body

/* bool x86_user_load32(uint64_t addr, uint32_t *out) */
ENTRY x86_user_load32
	CHECK_CALLER %rdi, $4, atomic_refused
	OPEN_USER load32_body
END x86_user_load32
load32_body:
	MAY_FAULT atomic_refused
	movl	(%rdi), %eax
	movl	%eax, (%rsi)
	movl	$1, %eax
	ret
atomic_refused:
	xorl	%eax, %eax
	ret

/* bool x86_user_cmpxchg32(uint64_t addr, uint32_t expect, uint32_t desired, uint32_t *old) */
ENTRY x86_user_cmpxchg32
	movq	%rcx, %r8
	CHECK_CALLER %rdi, $4, atomic_refused
	OPEN_USER cmpxchg32_body
END x86_user_cmpxchg32
cmpxchg32_body:
	movl	%esi, %eax
	MAY_FAULT atomic_refused
	lock cmpxchgl %edx, (%rdi)
	movl	%eax, (%r8)
	movl	$1, %eax
	ret

/*
 * bool x86_user_xsave(uint64_t addr, uint64_t components, size_t len), and so on: the registers of
 * vector and floating-point units straight to and from the program. A fault of any kind is the
 * answer false.
 */
	.macro	FPU_COPY name, instruction
ENTRY \name
	CHECK_CALLER %rdi, %rdx, atomic_refused
	OPEN_USER 7f
7:	movl	%esi, %eax
	movq	%rsi, %rdx
	shrq	$32, %rdx
	MAY_FAULT atomic_refused
	\instruction (%rdi)
	movl	$1, %eax
	ret
END \name
	.endm

	FPU_COPY x86_user_xsave, xsave64
	FPU_COPY x86_user_fxsave, fxsave64
	FPU_COPY x86_user_xrstor, xrstor64

	.section .note.GNU-stack, "", @progbits
