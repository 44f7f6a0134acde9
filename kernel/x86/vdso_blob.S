/* SPDX-License-Identifier: BSD-2-Clause */
	.section .rodata.vdso, "a"
	.balign	4096
	.globl	vdso_image
vdso_image:
	.incbin	"vdso.so"
	.balign	4096, 0
vdso_end:
	.globl	vdso_image_len
	.balign	8
vdso_image_len:
	.quad	vdso_end - vdso_image
	.section .note.GNU-stack, "", @progbits
