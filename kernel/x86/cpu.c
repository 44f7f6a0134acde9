/* SPDX-License-Identifier: BSD-2-Clause */
/* What the CPU can tell without privilege, and the window of device registers. */
#include "kernel/x86/x86.h"

#include "abi/nk.h"
#include "base/checked.h"

#define RDRAND_TRIES 10
#define DEV_PAGES    4096u /* of device registers; page 0 is the local APIC's, mapped by boot */

static uint32_t dev_next = 1;

void x86_cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
			 : "a"(leaf), "c"(sub));
}

bool x86_rdrand(uint64_t *out)
{
	if (!boot_info.cpu.rdrand)
		return false;
	for (unsigned i = 0; i < RDRAND_TRIES; i++) {
		bool ok;

		__asm__ volatile("rdrand %0" : "=r"(*out), "=@ccc"(ok));
		if (ok)
			return true;
	}
	return false;
}

volatile void *x86_map_device(uint64_t pa, size_t len)
{
	uint64_t first = ALIGN_DOWN(pa, PAGE_SIZE);
	uint64_t end;

	if (len == 0 || !checked_add(pa, len, &end) || !checked_align_up(end, PAGE_SIZE, &end))
		return NULL;
	uint64_t pages = (end - first) >> PAGE_SHIFT;

	if (pages > DEV_PAGES - dev_next)
		return NULL;
	uint64_t va = DEV_BASE + dev_next * PAGE_SIZE;

	for (uint64_t done = 0; done < pages;) {
		uint32_t n = pages - done < NK_MAX_PAGES ? (uint32_t)(pages - done) : NK_MAX_PAGES;
		struct nk_op op = {
			.kind = NK_DEVICE_MAP,
			.rights = NK_R | NK_W,
			.va = va + done * PAGE_SIZE,
			.n = n,
			.base = PADDR(first + done * PAGE_SIZE),
		};

		if (nk_submit(&op, 1, NULL) != OK)
			return NULL;
		done += n;
	}
	dev_next += (uint32_t)pages;
	return (volatile void *)(va + (pa - first));
}
