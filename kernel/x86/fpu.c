/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floating-point and vector registers belong to one thread at a time (`owner`); the kernel does not
 * use them. They are saved when another thread needs them. Formats: XSAVE, not compacted, of all
 * that boot enabled in XCR0; FXSAVE where the CPU has no XSAVE.
 */
#include "kernel/x86/local.h"

#include "base/str.h"

#define FXSAVE_LEN  512u
#define FX_ST_LEN   128u
#define FX_XMM_LEN  256u
#define XHEADER_LEN 64u
#define FCW_INIT    0x037f
#define MXCSR_INIT  0x1f80
#define MXCSR_MASK  0xffbf /* where FXSAVE does not tell */
#define XSTATE_PKRU 9
#define PKRU_INIT   0x55555554 /* as in Linux: only key 0 is open */

struct fxsave {
	uint16_t fcw, fsw;
	uint8_t ftw, pad;
	uint16_t fop;
	uint64_t fip, fdp;
	uint32_t mxcsr, mxcsr_mask;
	uint8_t regs[FXSAVE_LEN - 32];
};

struct xheader {
	uint64_t xstate_bv, xcomp_bv;
	uint64_t reserved[6];
};

struct fpu_area {
	struct fxsave legacy;
	struct xheader header; /* from here on only with XSAVE */
	uint8_t extended[];
};
_Static_assert(sizeof(struct fxsave) == FXSAVE_LEN, "layout of FXSAVE");
_Static_assert(sizeof(struct xheader) == XHEADER_LEN, "layout of XSAVE's header");

static struct fpu_area *owner;
static struct fpu_area *initial; /* what registers begin with */
static uint32_t mxcsr_mask;      /* 0: not asked yet */

uint32_t fpu_size(void)
{
	return boot_info.cpu.xsave ? boot_info.cpu.xsave_size : FXSAVE_LEN;
}

static void save(struct fpu_area *a)
{
	uint32_t lo = (uint32_t)boot_info.cpu.xcr0, hi = (uint32_t)(boot_info.cpu.xcr0 >> 32);

	if (boot_info.cpu.xsaveopt)
		__asm__ volatile("xsaveopt64 (%0)" ::"r"(a), "a"(lo), "d"(hi) : "memory");
	else if (boot_info.cpu.xsave)
		__asm__ volatile("xsave64 (%0)" ::"r"(a), "a"(lo), "d"(hi) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" ::"r"(a) : "memory");
}

static void load(const struct fpu_area *a)
{
	uint32_t lo = (uint32_t)boot_info.cpu.xcr0, hi = (uint32_t)(boot_info.cpu.xcr0 >> 32);

	if (boot_info.cpu.xsave)
		__asm__ volatile("xrstor64 (%0)" ::"r"(a), "a"(lo), "d"(hi) : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" ::"r"(a) : "memory");
}

static void set_pkru(struct fpu_area *a)
{
	uint32_t r[4];

	if (!(boot_info.cpu.xcr0 >> XSTATE_PKRU & 1))
		return;
	x86_cpuid(0xd, XSTATE_PKRU, r);
	uint32_t value = PKRU_INIT;

	memcpy((uint8_t *)a + r[1], &value, sizeof(value));
	a->header.xstate_bv |= 1ull << XSTATE_PKRU;
}

void fpu_reset(struct fpu_area *a)
{
	memset(a, 0, fpu_size());
	a->legacy.fcw = FCW_INIT;
	a->legacy.mxcsr = MXCSR_INIT;
	if (boot_info.cpu.xsave)
		set_pkru(a);
	fpu_drop(a);
}

static struct fpu_area *new_area(void)
{
	struct fpu_area *a = kmem_alloc_aligned(fpu_size(), 64);

	if (a != NULL)
		fpu_reset(a);
	return a;
}

struct fpu_area *fpu_alloc(void)
{
	if (initial == NULL)
		initial = new_area();
	return initial != NULL ? new_area() : NULL;
}

void fpu_start(struct fpu_area *a)
{
	load(initial);
	owner = a;
}

void fpu_free(struct fpu_area *a)
{
	if (a == NULL)
		return;
	fpu_drop(a);
	kmem_free(a);
}

void fpu_copy(struct fpu_area *to, const struct fpu_area *from)
{
	if (owner == from)
		save(owner);
	memcpy(to, from, fpu_size());
	fpu_drop(to);
}

void fpu_switch(struct fpu_area *next)
{
	if (owner == next)
		return;
	if (owner != NULL)
		save(owner);
	load(next);
	owner = next;
}

bool fpu_save_user(struct fpu_area *a, uint64_t addr)
{
	fpu_switch(a);
	if (!boot_info.cpu.xsave)
		return x86_user_fxsave(addr, 0);
	/* XSAVE leaves most of the header as it finds it. */
	return x86_zero_user(addr + offsetof(struct fpu_area, header), XHEADER_LEN) == 0 &&
	       x86_user_xsave(addr, boot_info.cpu.xcr0);
}

bool fpu_load_user(struct fpu_area *a, uint64_t addr)
{
	if (owner != NULL && owner != a)
		save(owner);
	owner = a;
	if (x86_user_xrstor(addr, boot_info.cpu.xcr0))
		return true;
	fpu_start(a);
	return false;
}

void fpu_sync(struct fpu_area *a)
{
	if (owner == a && a != NULL)
		save(a);
}

void fpu_drop(struct fpu_area *a)
{
	if (owner == a)
		owner = NULL;
}

void *fpu_data(struct fpu_area *a)
{
	return a;
}

/*
 * XSAVE does not write what is in its initial state (a clear bit in xstate_bv); a reader of the
 * image expects it to stand there.
 */
void fpu_image_out(const struct fpu_area *a, void *image)
{
	struct fpu_area *out = image;
	uint64_t missing;
	uint32_t r[4];

	memcpy(image, a, fpu_size());
	if (!boot_info.cpu.xsave)
		return;
	missing = boot_info.cpu.xcr0 & ~a->header.xstate_bv;
	if (missing & 1) {
		memset(&out->legacy, 0, offsetof(struct fxsave, mxcsr));
		memset(out->legacy.regs, 0, FX_ST_LEN);
		out->legacy.fcw = FCW_INIT;
	}
	if (missing & 2)
		memset(out->legacy.regs + FX_ST_LEN, 0, FX_XMM_LEN);
	for (uint32_t i = 2; i < 63; i++) {
		if (!(missing >> i & 1))
			continue;
		x86_cpuid(0xd, i, r);
		memset((uint8_t *)image + r[1], 0, r[0]);
	}
}

/* The CPU tells its mask in an FXSAVE image; any registers will do. */
static uint32_t valid_mxcsr_bits(void)
{
	static struct fxsave probe __attribute__((aligned(16)));

	if (mxcsr_mask == 0) {
		__asm__ volatile("fxsave64 (%0)" ::"r"(&probe) : "memory");
		mxcsr_mask = probe.mxcsr_mask != 0 ? probe.mxcsr_mask : MXCSR_MASK;
		memset(&probe, 0, sizeof(probe)); /* they were somebody's */
	}
	return mxcsr_mask;
}

bool fpu_image_valid(const void *image, uint32_t len)
{
	const struct fpu_area *a = image;

	if (len < fpu_size() || (a->legacy.mxcsr & ~valid_mxcsr_bits()))
		return false;
	if (!boot_info.cpu.xsave)
		return true;
	if ((a->header.xstate_bv & ~boot_info.cpu.xcr0) || a->header.xcomp_bv != 0)
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(a->header.reserved); i++)
		if (a->header.reserved[i] != 0)
			return false;
	return true;
}
