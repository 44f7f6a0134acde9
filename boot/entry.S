/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the loader to boot_main() in long mode: PVH and Multiboot2 on the first core, a start-up IPI
 * on the others. Boot's tables map the low 4 GiB at their own addresses and the first GiB at
 * KERNEL_BASE.
 */
#include "abi/layout.h"
#include "boot/layout.h"

#define PA(symbol) ((symbol) - KERNEL_BASE)

/* enum boot_protocol */
#define PROTOCOL_PVH 1
#define PROTOCOL_MULTIBOOT2 2

#define CR4_PAE (1 << 5)
#define CR4_OSFXSR (1 << 9)
#define CR4_OSXMMEXCPT (1 << 10)
#define MSR_EFER 0xc0000080
#define EFER_LME (1 << 8)
#define CR0_ENTRY 0x80000033 /* PG, NE, ET, MP, PE; WP follows when nk has taken over */

	/* Alignment of the note and its segment must be 4: QEMU looks for it with that. */
	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 8, 18 /* name size, size, XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.quad PA(boot_entry_pvh)

	.section .boot.multiboot2, "a"
	.balign 8
header:
	.long 0xe85250d6, 0, header_end - header, -(0xe85250d6 + (header_end - header))
	.balign 8
	.word 1, 0 /* information request: command line, modules, memory map, both ACPI pointers */
	.long 28, 1, 3, 6, 14, 15
	.balign 8
	.word 3, 0 /* entry address */
	.long 12, PA(boot_entry_multiboot2)
	.balign 8
	.word 6, 0 /* modules begin on pages */
	.long 8
	.balign 8
	.word 0, 0
	.long 8
header_end:

	.text
	.code32
	.globl boot_entry_pvh, boot_entry_multiboot2
boot_entry_pvh:
	movl $PROTOCOL_PVH, %edi
	jmp 1f
boot_entry_multiboot2:
	movl $PROTOCOL_MULTIBOOT2, %edi
1:	cli
	cld
	movl %eax, %ebp /* Multiboot2: magic */
	rdtsc
	movl %eax, PA(boot_entry_tsc)
	movl %edx, PA(boot_entry_tsc) + 4
	movw $0x3fb, %dx /* 8 bits, no parity: some UARTs start with less */
	movb $3, %al
	outb %al, %dx
	movl $PA(boot_stacks + BOOT_STACK_SIZE), %esp
	movl $PA(long_mode), %eax
	/* fall through */

/* Enter long mode and jump to EAX; EBX, EBP, EDI and ESP are kept. */
enter_long_mode:
	movl %eax, %esi
	movl %cr4, %eax
	orl $(CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT), %eax
	movl %eax, %cr4
	movl $PA(boot_l4), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LME, %eax
	wrmsr
	movl $CR0_ENTRY, %eax
	movl %eax, %cr0
	lgdt PA(gdt_pointer)
	ljmp $SEL_KCODE, $PA(long_mode_first)

	.code64
long_mode_first:
	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	movl %esi, %esi
	jmp *%rsi
long_mode:
	movl %esp, %esp
	movq $KERNEL_BASE, %rax
	addq %rax, %rsp
	movl %ebx, %esi
	movl %ebp, %edx
	movl %edi, %edi
	xorl %ebp, %ebp
	movq $boot_main, %rax
	call *%rax /* boot_main(protocol, info, magic) does not return */

/* Another core, from the trampoline: numbered by its APIC id. */
long_mode_other:
	movl $1, %eax
	cpuid
	shrl $24, %ebx
	movq $boot_state, %rsi
	xorl %edi, %edi
1:	cmpl %ebx, BOOT_STATE_APIC_ID(%rsi, %rdi, 4)
	je 2f
	incl %edi
	cmpl $MAX_CORES, %edi
	jb 1b
3:	hlt /* not asked for */
	jmp 3b
2:	leal 1(%rdi), %eax
	imull $BOOT_STACK_SIZE, %eax
	movq $boot_stacks, %rsp
	addq %rax, %rsp
	xorl %ebp, %ebp
	movq $boot_main_other, %rax
	call *%rax /* boot_main_other(core) does not return */

/* ---- copied to BOOT_TRAMPOLINE, where a start-up IPI begins in real mode ---- */
	.code16
	.balign 16
	.globl boot_trampoline, boot_trampoline_end
boot_trampoline:
	cli
	cld
	xorw %ax, %ax
	movw %ax, %ds
	lgdtl BOOT_TRAMPOLINE + (trampoline_gdt_pointer - boot_trampoline)
	movl %cr0, %eax
	orl $1, %eax
	movl %eax, %cr0
	ljmpl $0x18, $(BOOT_TRAMPOLINE + (protected_mode - boot_trampoline))
	.code32
protected_mode:
	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %ss
	movl $PA(long_mode_other), %eax
	movl $PA(enter_long_mode), %ecx
	jmp *%ecx
	.balign 8
trampoline_gdt_pointer:
	.word boot_gdt_end - boot_gdt - 1
	.long BOOT_TRAMPOLINE + (trampoline_gdt - boot_trampoline)
	.balign 8
trampoline_gdt:
	.quad 0
	.quad 0x00af9a000000ffff
	.quad 0x00cf92000000ffff
	.quad 0x00cf9a000000ffff
boot_trampoline_end:

	.data
	.balign 8
boot_gdt:
	.quad 0
	.quad 0x00af9b000000ffff /* 08: 64-bit code */
	.quad 0x00cf93000000ffff /* 10: data */
	.quad 0x00cf9b000000ffff /* 18: 32-bit code */
boot_gdt_end:
gdt_pointer:
	.word boot_gdt_end - boot_gdt - 1
	.quad PA(boot_gdt)
	.balign 8
	.globl boot_entry_tsc
boot_entry_tsc:
	.quad 0

	.balign 4096
boot_l4:
	.quad PA(boot_l3_low) + 3
	.fill 510, 8, 0
	.quad PA(boot_l3_high) + 3
boot_l3_low:
	.quad PA(boot_l2) + 3, PA(boot_l2) + 0x1003, PA(boot_l2) + 0x2003, PA(boot_l2) + 0x3003
	.fill 508, 8, 0
boot_l3_high:
	.fill 510, 8, 0
	.quad PA(boot_l2) + 3
	.quad 0
boot_l2:
	.set i, 0
	.rept 2048
	.quad i * 0x200000 + 0x83
	.set i, i + 1
	.endr

	.bss
	.balign 4096
	.globl boot_stacks
boot_stacks:
	.skip BOOT_STACK_SIZE * MAX_CORES

	.section .note.GNU-stack, "", @progbits
