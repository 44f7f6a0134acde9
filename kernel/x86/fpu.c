/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floating-point and vector registers belong to one thread at a time (`owner`); the kernel does not
 * use them. They are saved when another thread needs them. Formats: XSAVE, not compacted, of all
 * that boot enabled in XCR0; FXSAVE where the CPU has no XSAVE.
 *
 * QEMU's emulator takes nearly a microsecond for XSAVE and for XRSTOR of everything, most of it for
 * the vector registers, whose moves it translates into a few instructions each. There they are
 * moved one by one into a form of our own behind the image (`struct packed`), and only the x87
 * registers by XSAVE; the image is made complete when somebody asks for it.
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

#define VECTOR_REGS 16
#define XMM_LEN     16
#define XSTATE_ALL  7u /* x87, SSE, AVX */
#define XSTATE_X87  1u
#define XSTATE_AVX  2u /* component */

struct packed {
	uint8_t ymm[VECTOR_REGS][2 * XMM_LEN];
	uint32_t mxcsr;
	bool valid; /* what the image holds of vector registers is older */
};

static bool packs;         /* this is the emulator */
static uint32_t packed_at; /* where struct packed lies behind an image */
static uint32_t ymm_high;  /* where the upper halves lie in the image */

static struct fpu_area *owner;
static struct fpu_area *initial; /* what registers begin with */
static uint32_t mxcsr_mask;      /* 0: not asked yet */

/* Bytes of memory of one thread. */
static uint32_t area_size(void)
{
	return packs ? packed_at + (uint32_t)sizeof(struct packed) : fpu_size();
}

static void find_form(void)
{
	uint32_t r[4];

	if (strcmp(boot_info.cpu.hypervisor_id, "TCGTCGTCGTCG") != 0 || !boot_info.cpu.xsave ||
	    boot_info.cpu.xcr0 != XSTATE_ALL)
		return;
	x86_cpuid(0xd, XSTATE_AVX, r);
	ymm_high = r[1];
	packed_at = ALIGN_UP(fpu_size(), 64u);
	packs = true;
}

static struct packed *packed_of(const struct fpu_area *a)
{
	return (struct packed *)((uintptr_t)a + packed_at);
}

#define EACH_VECTOR(move)                                                                        \
	move(0) move(1) move(2) move(3) move(4) move(5) move(6) move(7) move(8) move(9) move(10) \
		move(11) move(12) move(13) move(14) move(15)
#define STORE_VECTOR(n) "vmovups %%ymm" #n ", " #n "*32(%0)\n\t"
#define LOAD_VECTOR(n)  "vmovups " #n "*32(%0), %%ymm" #n "\n\t"

static void save_packed(struct fpu_area *a)
{
	struct packed *p = packed_of(a);

	__asm__ volatile("xsave64 (%0)" ::"r"(a), "a"(XSTATE_X87), "d"(0) : "memory");
	__asm__ volatile(EACH_VECTOR(STORE_VECTOR) "stmxcsr 512(%0)" ::"r"(p) : "memory");
	p->valid = true;
}

static void load_packed(const struct fpu_area *a)
{
	__asm__ volatile("xrstor64 (%0)" ::"r"(a), "a"(XSTATE_X87), "d"(0) : "memory");
	__asm__ volatile(EACH_VECTOR(LOAD_VECTOR) "ldmxcsr 512(%0)" ::"r"(packed_of(a)) : "memory");
}

static uint32_t valid_mxcsr_bits(void);

/* The image becomes complete, and the only place of the registers. */
static void unpack(struct fpu_area *a)
{
	struct packed *p = packed_of(a);

	if (!packs || !p->valid)
		return;
	for (unsigned i = 0; i < VECTOR_REGS; i++) {
		memcpy(a->legacy.regs + FX_ST_LEN + i * XMM_LEN, p->ymm[i], XMM_LEN);
		memcpy((uint8_t *)a + ymm_high + i * XMM_LEN, p->ymm[i] + XMM_LEN, XMM_LEN);
	}
	a->legacy.mxcsr = p->mxcsr;
	a->legacy.mxcsr_mask = valid_mxcsr_bits();
	a->header.xstate_bv |= XSTATE_ALL & ~XSTATE_X87;
	p->valid = false;
}

static void save(struct fpu_area *a)
{
	uint32_t lo = (uint32_t)boot_info.cpu.xcr0, hi = (uint32_t)(boot_info.cpu.xcr0 >> 32);

	if (packs)
		save_packed(a);
	else if (boot_info.cpu.xsaveopt)
		__asm__ volatile("xsaveopt64 (%0)" ::"r"(a), "a"(lo), "d"(hi) : "memory");
	else if (boot_info.cpu.xsave)
		__asm__ volatile("xsave64 (%0)" ::"r"(a), "a"(lo), "d"(hi) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" ::"r"(a) : "memory");
}

static void load(const struct fpu_area *a)
{
	uint32_t lo = (uint32_t)boot_info.cpu.xcr0, hi = (uint32_t)(boot_info.cpu.xcr0 >> 32);

	if (packs && packed_of(a)->valid)
		load_packed(a);
	else if (boot_info.cpu.xsave)
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
	memset(a, 0, area_size());
	a->legacy.fcw = FCW_INIT;
	a->legacy.mxcsr = MXCSR_INIT;
	if (boot_info.cpu.xsave)
		set_pkru(a);
	fpu_drop(a);
}

static struct fpu_area *new_area(void)
{
	return kmem_alloc_aligned(area_size(), 64);
}

/* So that loading it is as fast: the vector registers are 0. */
static void pack_initial(void)
{
	*packed_of(initial) = (struct packed){ .mxcsr = MXCSR_INIT, .valid = true };
}

struct fpu_area *fpu_alloc(void)
{
	if (initial == NULL) {
		find_form();
		initial = new_area();
		if (initial != NULL)
			fpu_reset(initial);
		if (initial != NULL && packs)
			pack_initial();
	}
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
	fpu_drop(to);
	if (!packs || !packed_of(from)->valid) {
		memcpy(to, from, area_size());
		return;
	}
	memcpy(&to->legacy, &from->legacy, FXSAVE_LEN - sizeof(from->legacy.regs) + FX_ST_LEN);
	to->header = from->header;
	*packed_of(to) = *packed_of(from);
}

__attribute__((flatten)) void fpu_switch(struct fpu_area *next)
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
		return x86_user_fxsave(addr, 0, FXSAVE_LEN);
	return x86_user_xsave(addr, boot_info.cpu.xcr0, fpu_size());
}

bool fpu_load_user(struct fpu_area *a, uint64_t addr)
{
	if (owner != NULL && owner != a)
		save(owner);
	owner = a;
	if (x86_user_xrstor(addr, boot_info.cpu.xcr0, fpu_size()))
		return true;
	fpu_start(a);
	return false;
}

void fpu_sync(struct fpu_area *a)
{
	if (a == NULL)
		return;
	if (owner == a)
		save(a);
	unpack(a);
}

void fpu_drop(struct fpu_area *a)
{
	if (owner == a)
		owner = NULL;
}

void *fpu_data(struct fpu_area *a)
{
	unpack(a);
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
