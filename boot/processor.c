/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control registers and MSRs. This is the only code that writes most of them, and it is not mapped
 * later.
 */
#include "base/str.h"
#include "boot/boot.h"
#include "nk/tables.h"

#define CR0_MP (1ull << 1)
#define CR0_EM (1ull << 2)
#define CR0_TS (1ull << 3)
#define CR0_NE (1ull << 5)
#define CR0_AM (1ull << 18)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)

#define CR4_DE         (1ull << 3)
#define CR4_PAE        (1ull << 5)
#define CR4_MCE        (1ull << 6)
#define CR4_OSFXSR     (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_UMIP       (1ull << 11)
#define CR4_OSXSAVE    (1ull << 18)
#define CR4_SMEP       (1ull << 20)
#define CR4_SMAP       (1ull << 21)

#define MSR_APIC_BASE    0x1b
#define APIC_BASE_X2APIC (1ull << 10)
#define APIC_BASE_ON     (1ull << 11)
#define MSR_SYSENTER_CS  0x174
#define MSR_PAT          0x277
#define PAT_DEFAULT      0x0007040600070406ull
#define MSR_EFER         0xc0000080
#define EFER_SCE         (1ull << 0)
#define EFER_LME         (1ull << 8)
#define EFER_NXE         (1ull << 11)
#define MSR_STAR         0xc0000081
#define MSR_LSTAR        0xc0000082
#define MSR_CSTAR        0xc0000083
#define MSR_FMASK        0xc0000084
#define MSR_KERNEL_GS    0xc0000102
#define MSR_FS           0xc0000100
#define MSR_GS           0xc0000101
/* TF, IF, DF, IOPL, NT, RF, AC: clear on system call entry. */
#define FMASK 0x57700ull

#define XCR0_X87_SSE 3ull
#define XCR0_AVX     4ull

/* Entry points of the outer kernel (kernel/x86/entry.S). */
extern char syscall_entry[], syscall_entry32[];

struct regs {
	uint32_t a, b, c, d;
};

static struct regs cpuid(uint32_t leaf, uint32_t sub)
{
	struct regs r;

	__asm__ volatile("cpuid"
			 : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d)
			 : "a"(leaf), "c"(sub));
	return r;
}

static uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return lo | (uint64_t)hi << 32;
}

static void wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

uint32_t processor_apic_id(void)
{
	return cpuid(1, 0).b >> 24;
}

static bool bit(uint32_t reg, unsigned n)
{
	return reg >> n & 1;
}

static void hypervisor(struct boot_features *f)
{
	struct regs r;

	if (!f->hypervisor)
		return;
	r = cpuid(0x40000000, 0);
	memcpy(f->hypervisor_id, &r.b, 4);
	memcpy(f->hypervisor_id + 4, &r.c, 4);
	memcpy(f->hypervisor_id + 8, &r.d, 4);
}

void processor_features(void)
{
	struct boot_features *f = &boot_state.cpu;
	uint32_t max = cpuid(0, 0).a, max_ext = cpuid(0x80000000, 0).a;
	struct regs one = cpuid(1, 0);
	struct regs seven = max >= 7 ? cpuid(7, 0) : (struct regs){ 0 };
	struct regs ext = cpuid(0x80000001, 0);
	struct regs xsave1 = { 0 };

	f->nx = bit(ext.d, 20);
	f->pdpe1gb = bit(ext.d, 26);
	f->rdtscp = bit(ext.d, 27);
	f->invariant_tsc = max_ext >= 0x80000007 && bit(cpuid(0x80000007, 0).d, 8);
	f->x2apic = bit(one.c, 21);
	f->tsc_deadline = bit(one.c, 24);
	f->xsave = max >= 0xd && bit(one.c, 26);
	f->avx = f->xsave && bit(one.c, 28);
	f->rdrand = bit(one.c, 30);
	f->hypervisor = bit(one.c, 31);
	f->smep = bit(seven.b, 7);
	f->smap = bit(seven.b, 20);
	f->umip = bit(seven.c, 2);
	f->xsave_size = 512;
	if (f->xsave) {
		xsave1 = cpuid(0xd, 1);
		f->xsaveopt = bit(xsave1.a, 0);
		f->xcr0 = XCR0_X87_SSE | (f->avx ? XCR0_AVX : 0);
	}
	hypervisor(f);
	if (!f->nx)
		boot_fail(BOOT_EXIT_CONFIG, "this processor cannot forbid execution of data (NX)");
}

static void set_cr4(const struct boot_features *f)
{
	uint64_t cr4 = CR4_PAE | CR4_DE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	if (bit(cpuid(1, 0).d, 7))
		cr4 |= CR4_MCE;
	if (f->smep)
		cr4 |= CR4_SMEP;
	if (f->smap)
		cr4 |= CR4_SMAP;
	if (f->umip)
		cr4 |= CR4_UMIP;
	if (f->xsave)
		cr4 |= CR4_OSXSAVE;
	__asm__ volatile("mov %0, %%cr4" ::"r"(cr4) : "memory");
}

static void set_xcr0(struct boot_features *f)
{
	if (!f->xsave)
		return;
	__asm__ volatile("xsetbv" ::"c"(0), "a"((uint32_t)f->xcr0), "d"((uint32_t)(f->xcr0 >> 32)));
	f->xsave_size = cpuid(0xd, 0).b;
}

static void set_entry_points(void)
{
	wrmsr(MSR_STAR, (uint64_t)(SEL_UCODE32 & ~3) << 48 | (uint64_t)SEL_KCODE << 32);
	wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
	/* Some processors take SYSCALL from 32-bit code: never leave this 0. */
	wrmsr(MSR_CSTAR, (uint64_t)syscall_entry32);
	wrmsr(MSR_FMASK, FMASK);
	wrmsr(MSR_SYSENTER_CS, 0);
}

void processor_set_up(void)
{
	struct boot_features *f = &boot_state.cpu;
	uint64_t cr0;

	__asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
	cr0 = (cr0 & ~(CR0_EM | CR0_TS | CR0_NW | CR0_CD)) | CR0_MP | CR0_NE | CR0_AM;
	__asm__ volatile("mov %0, %%cr0" ::"r"(cr0) : "memory");
	set_cr4(f);
	set_xcr0(f);
	wrmsr(MSR_EFER, EFER_SCE | EFER_LME | EFER_NXE);
	set_entry_points();
	wrmsr(MSR_PAT, PAT_DEFAULT);
	wrmsr(MSR_FS, 0);
	wrmsr(MSR_GS, 0);
	wrmsr(MSR_KERNEL_GS, 0);
	__asm__ volatile("mov %0, %%dr7" ::"r"(0x400ull));
	if (f->x2apic)
		wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_ON | APIC_BASE_X2APIC);
}

void processor_load_tables(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) p;

	p.base = (uint64_t)nk_gdt;
	p.limit = NK_GDT_LEN * 8 - 1;
	__asm__ volatile("lgdt %0" ::"m"(p));
	p.base = (uint64_t)nk_idt;
	p.limit = NK_IDT_LEN * 16 - 1;
	__asm__ volatile("lidt %0" ::"m"(p));
}
