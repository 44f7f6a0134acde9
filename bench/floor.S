/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel that only writes a byte to the serial port and ends the machine: the emulator's own
 * floor for a start.
 */
	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 8, 18			/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.quad start

	.section .text
	.code32
	.globl start
start:
	movw	$0x3f8, %dx
	movb	$'B', %al
	outb	%al, %dx
	xorl	%eax, %eax
	movw	$0xf4, %dx
	outl	%eax, %dx
1:	hlt
	jmp	1b
