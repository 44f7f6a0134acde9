/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/cpuinfo, from CPUID. One processor: programs run on core 0's kernel. */
#include "base/str.h"
#include "comp/fs/proc/local.h"
#include "kernel/core/core.h"
#include "kernel/x86/x86.h"

enum reg { EAX, EBX, ECX, EDX };

static const struct flag {
	uint32_t leaf, sub;
	enum reg reg;
	uint8_t bit;
	const char *name;
} flags[] = {
	{ 1, 0, EDX, 0, "fpu" },
	{ 1, 0, EDX, 2, "de" },
	{ 1, 0, EDX, 3, "pse" },
	{ 1, 0, EDX, 4, "tsc" },
	{ 1, 0, EDX, 5, "msr" },
	{ 1, 0, EDX, 6, "pae" },
	{ 1, 0, EDX, 8, "cx8" },
	{ 1, 0, EDX, 9, "apic" },
	{ 1, 0, EDX, 11, "sep" },
	{ 1, 0, EDX, 13, "pge" },
	{ 1, 0, EDX, 15, "cmov" },
	{ 1, 0, EDX, 16, "pat" },
	{ 1, 0, EDX, 19, "clflush" },
	{ 1, 0, EDX, 23, "mmx" },
	{ 1, 0, EDX, 24, "fxsr" },
	{ 1, 0, EDX, 25, "sse" },
	{ 1, 0, EDX, 26, "sse2" },
	{ 1, 0, EDX, 28, "ht" },
	{ 0x80000001, 0, EDX, 11, "syscall" },
	{ 0x80000001, 0, EDX, 20, "nx" },
	{ 0x80000001, 0, EDX, 26, "pdpe1gb" },
	{ 0x80000001, 0, EDX, 27, "rdtscp" },
	{ 0x80000001, 0, EDX, 29, "lm" },
	{ 1, 0, ECX, 0, "pni" },
	{ 1, 0, ECX, 1, "pclmulqdq" },
	{ 1, 0, ECX, 9, "ssse3" },
	{ 1, 0, ECX, 12, "fma" },
	{ 1, 0, ECX, 13, "cx16" },
	{ 1, 0, ECX, 17, "pcid" },
	{ 1, 0, ECX, 19, "sse4_1" },
	{ 1, 0, ECX, 20, "sse4_2" },
	{ 1, 0, ECX, 21, "x2apic" },
	{ 1, 0, ECX, 22, "movbe" },
	{ 1, 0, ECX, 23, "popcnt" },
	{ 1, 0, ECX, 25, "aes" },
	{ 1, 0, ECX, 26, "xsave" },
	{ 1, 0, ECX, 28, "avx" },
	{ 1, 0, ECX, 29, "f16c" },
	{ 1, 0, ECX, 30, "rdrand" },
	{ 1, 0, ECX, 31, "hypervisor" },
	{ 0x80000001, 0, ECX, 0, "lahf_lm" },
	{ 0x80000001, 0, ECX, 5, "abm" },
	{ 0x80000001, 0, ECX, 6, "sse4a" },
	{ 0x80000001, 0, ECX, 8, "3dnowprefetch" },
	{ 7, 0, EBX, 0, "fsgsbase" },
	{ 7, 0, EBX, 3, "bmi1" },
	{ 7, 0, EBX, 5, "avx2" },
	{ 7, 0, EBX, 7, "smep" },
	{ 7, 0, EBX, 8, "bmi2" },
	{ 7, 0, EBX, 9, "erms" },
	{ 7, 0, EBX, 16, "avx512f" },
	{ 7, 0, EBX, 17, "avx512dq" },
	{ 7, 0, EBX, 18, "rdseed" },
	{ 7, 0, EBX, 19, "adx" },
	{ 7, 0, EBX, 20, "smap" },
	{ 7, 0, EBX, 23, "clflushopt" },
	{ 7, 0, EBX, 24, "clwb" },
	{ 7, 0, EBX, 28, "avx512cd" },
	{ 7, 0, EBX, 29, "sha_ni" },
	{ 7, 0, EBX, 30, "avx512bw" },
	{ 7, 0, EBX, 31, "avx512vl" },
	{ 7, 0, ECX, 2, "umip" },
	{ 7, 0, ECX, 3, "pku" },
	{ 7, 0, ECX, 8, "gfni" },
	{ 7, 0, ECX, 9, "vaes" },
	{ 7, 0, ECX, 10, "vpclmulqdq" },
	{ 7, 0, ECX, 22, "rdpid" },
	{ 7, 0, EDX, 4, "fsrm" },
	{ 13, 1, EAX, 0, "xsaveopt" },
	{ 13, 1, EAX, 1, "xsavec" },
};

/* Register state that must be switched on for what the flag means to work; 0: none. */
static uint64_t state_needed(const char *name)
{
	if (str_starts(name, "avx512"))
		return 0xe6;
	if (str_starts(name, "avx") || strcmp(name, "fma") == 0 || strcmp(name, "f16c") == 0 ||
	    strcmp(name, "vaes") == 0 || strcmp(name, "vpclmulqdq") == 0)
		return 6;
	return 0;
}

static bool leaf_exists(uint32_t leaf)
{
	uint32_t r[4];

	x86_cpuid(leaf & 0x80000000u, 0, r);
	return r[EAX] >= leaf;
}

static void put_flags(struct text *t)
{
	text_puts(t, "flags\t\t:");
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		const struct flag *f = &flags[i];
		uint64_t state = state_needed(f->name);
		uint32_t r[4];

		if (!leaf_exists(f->leaf))
			continue;
		x86_cpuid(f->leaf, f->sub, r);
		if ((r[f->reg] >> f->bit & 1) != 0 && (boot_info.cpu.xcr0 & state) == state)
			text_printf(t, " %s", f->name);
	}
	text_puts(t, "\n");
}

static void put_name(struct text *t)
{
	uint32_t r[12] = { 0 };
	const char *s = (const char *)r;

	if (leaf_exists(0x80000004))
		for (uint32_t i = 0; i < 3; i++)
			x86_cpuid(0x80000002 + i, 0, &r[i * 4]);
	while (*s == ' ')
		s++;
	text_printf(t, "model name\t: %.*s\n",
		    (int)strnlen(s, sizeof(r) - (size_t)(s - (const char *)r)), s);
}

static void put_identity(struct text *t, uint32_t max_leaf)
{
	uint32_t r[4], family, model;
	char vendor[13] = { 0 };

	x86_cpuid(0, 0, r);
	memcpy(vendor, &r[EBX], 4);
	memcpy(vendor + 4, &r[EDX], 4);
	memcpy(vendor + 8, &r[ECX], 4);
	x86_cpuid(1, 0, r);
	family = r[EAX] >> 8 & 15;
	model = r[EAX] >> 4 & 15;
	if (family == 6 || family == 15)
		model |= r[EAX] >> 12 & 0xf0;
	if (family == 15)
		family += r[EAX] >> 20 & 0xff;
	text_printf(t, "processor\t: 0\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\n", vendor,
		    family, model);
	put_name(t);
	text_printf(t, "stepping\t: %u\n", r[EAX] & 15);
	text_printf(t, "cpu MHz\t\t: %lu.%03lu\n", tsc_khz() / 1000, tsc_khz() % 1000);
	text_puts(t, "physical id\t: 0\nsiblings\t: 1\ncore id\t\t: 0\ncpu cores\t: 1\n");
	text_printf(t, "apicid\t\t: %u\ninitial apicid\t: %u\n", boot_info.apic_id[boot_info.core],
		    r[EBX] >> 24);
	text_printf(t, "fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\n",
		    max_leaf);
}

err_t proc_cpuinfo(const struct proc_ref *ref, struct text *t)
{
	uint32_t r[4], line, addr = 0;

	(void)ref;
	x86_cpuid(0, 0, r);
	put_identity(t, r[EAX]);
	put_flags(t);
	x86_cpuid(1, 0, r);
	line = (r[EBX] >> 8 & 0xff) * 8;
	if (leaf_exists(0x80000008)) {
		x86_cpuid(0x80000008, 0, r);
		addr = r[EAX];
	}
	text_printf(t,
		    "bugs\t\t:\nbogomips\t: %lu.%02lu\nclflush size\t: %u\ncache_alignment\t: %u\n",
		    tsc_khz() / 500, tsc_khz() / 5 % 100, line, line);
	text_printf(t, "address sizes\t: %u bits physical, %u bits virtual\npower management:\n\n",
		    addr & 0xff, addr >> 8 & 0xff);
	return OK;
}
