/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A whole ELF file, written as data: header, two program headers, the PVH note, 32-bit code that
 * builds page tables (2 MiB, mapped to themselves) at 2 MiB, and one 64-bit instruction that tells.
 */
#include "tool/probe_guest.h"

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

__asm__(".pushsection .rodata\n"
	".balign 16\n"
	".global probe_guest, probe_guest_end\n"
	"probe_guest:\n"
	".set base, 0x100000\n"
	/* ELF header */
	".byte 0x7f, 'E', 'L', 'F', 2, 1, 1, 0\n"
	".quad 0\n"
	".short 2, 62\n" /* ET_EXEC, x86-64 */
	".long 1\n"
	".quad base + (start32 - probe_guest)\n"
	".quad 64, 0\n" /* program headers, no sections */
	".long 0\n"
	".short 64, 56, 2, 64, 0, 0\n"
	/* PT_LOAD: the whole file at 1 MiB */
	".long 1, 7\n"
	".quad 0, base, base, probe_guest_end - probe_guest, probe_guest_end - probe_guest, 4096\n"
	/* PT_NOTE */
	".long 4, 4\n"
	".quad probe_note - probe_guest, base + (probe_note - probe_guest)\n"
	".quad base + (probe_note - probe_guest), 20 + 4, 20 + 4, 4\n"
	"probe_note:\n"
	".long 4, 8, 18\n" /* XEN_ELFNOTE_PHYS32_ENTRY */
	".asciz \"Xen\"\n"
	".quad base + (start32 - probe_guest)\n"
	".balign 8\n"
	"probe_gdt: .quad 0, 0x00af9a000000ffff, 0x00cf92000000ffff\n"
	"probe_gdtr: .short 23\n"
	".long base + (probe_gdt - probe_guest)\n"
	".code32\n"
	"start32:\n"
	"	cli\n"
	"	movl $0x201007, 0x200000\n" /* level 4 -> 3 -> 2 -> one 2 MiB page */
	"	movl $0x202007, 0x201000\n"
	"	movl $0x000083, 0x202000\n"
	"	movl $0x200000, %eax\n"
	"	movl %eax, %cr3\n"
	"	movl %cr4, %eax\n"
	"	orl $0x20, %eax\n"
	"	movl %eax, %cr4\n"
	"	movl $0xc0000080, %ecx\n"
	"	rdmsr\n"
	"	orl $0x100, %eax\n"
	"	wrmsr\n"
	"	movl %cr0, %eax\n"
	"	orl $0x80000001, %eax\n"
	"	movl %eax, %cr0\n"
	"	lgdt base + (probe_gdtr - probe_guest)\n"
	"	ljmp $8, $base + (start64 - probe_guest)\n"
	".code64\n"
	"start64:\n"
	"	movabsq $0x1000000000000, %rcx\n" /* a 64-bit constant: only long mode has them */
	"	shrq $48, %rcx\n"
	"	movl $" TEXT(PROBE_VALUE) " - 1, %eax\n"
					  "	addl %ecx, %eax\n"
					  "	movw $0xf4, %dx\n"
					  "	outl %eax, %dx\n"
					  "1:	hlt\n"
					  "	jmp 1b\n"
					  "probe_guest_end:\n"
					  ".popsection\n");
