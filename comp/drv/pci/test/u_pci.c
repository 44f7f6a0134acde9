/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI against a model of configuration space, as firmware leaves it and as it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/pci_regs.h>

#include "base/str.h"
#include "comp/drv/pci/pci.h"
#include "kernel/core/core.h"
#include "kernel/x86/x86.h"

#define FUNCTIONS 8u

const struct boot_info boot_info;
static unsigned complaints;
static uint32_t msix_table[4 * 4];
static uint64_t mapped_pa, mapped_len;

void log_line(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
	complaints++;
}

volatile void *x86_map_device(uint64_t pa, size_t len)
{
	mapped_pa = pa;
	mapped_len = len;
	return len <= sizeof(msix_table) ? msix_table : NULL;
}

uint32_t apic_id(void)
{
	return 3;
}

/* ---- the model ---- */

static struct function {
	uint8_t bus, dev, fn;
	uint32_t reg[64];
	uint32_t bar_mask[PCI_BARS]; /* bits that can be set */
	uint32_t bar_type[PCI_BARS]; /* bits that are fixed */
} fns[FUNCTIONS];
static unsigned nfns;
static bool machine_has_pci;
static unsigned decoding_writes; /* BARs written while the function answers at them */

static struct function *find(uint32_t address)
{
	for (unsigned i = 0; i < nfns; i++)
		if (PCI_ADDRESS(fns[i].bus, fns[i].dev, fns[i].fn, 0) == (address & ~0xffu))
			return &fns[i];
	return NULL;
}

static uint32_t model_read(uint32_t address)
{
	const struct function *f = find(address);

	assert_int_equal(address & 0x80000003u, 0x80000000u);
	if (!machine_has_pci || f == NULL)
		return 0xffffffff;
	return f->reg[(address & 0xff) / 4];
}

static void model_write(uint32_t address, uint32_t value)
{
	struct function *f = find(address);
	unsigned r = (address & 0xff) / 4, bar = r - PCI_BASE_ADDRESS_0 / 4;

	assert_non_null(f);
	if (bar < PCI_BARS) {
		decoding_writes += (f->reg[1] & PCI_COMMAND_MEMORY) != 0;
		value = (value & f->bar_mask[bar]) | f->bar_type[bar];
	}
	if (r == 1)
		value = (value & 0xffff) | (f->reg[1] & 0xffff0000); /* status: writing 0 keeps */
	f->reg[r] = value;
}

static const struct pci_access model_access = { model_read, model_write };

static struct function *add(uint8_t bus, uint8_t dev, uint8_t fn, uint32_t id)
{
	struct function *f = &fns[nfns++];

	*f = (struct function){ .bus = bus, .dev = dev, .fn = fn };
	f->reg[0] = id;
	f->reg[11] = 0x00011af4;
	return f;
}

static void bar(struct function *f, unsigned n, uint64_t base, uint64_t size, bool wide)
{
	uint64_t mask = ~(size - 1);

	f->bar_mask[n] = (uint32_t)mask & ~15u;
	f->bar_type[n] = wide ? PCI_BASE_ADDRESS_MEM_TYPE_64 : 0;
	f->reg[4 + n] = (uint32_t)base | f->bar_type[n];
	if (wide) {
		f->bar_mask[n + 1] = (uint32_t)(mask >> 32);
		f->reg[5 + n] = (uint32_t)(base >> 32);
	}
}

static void capability(struct function *f, unsigned at, unsigned next, uint32_t id)
{
	f->reg[1] |= (uint32_t)PCI_STATUS_CAP_LIST << 16;
	if (f->reg[13] == 0)
		f->reg[13] = at;
	f->reg[at / 4] = id | next << 8;
}

static int setup(void **state)
{
	(void)state;
	nfns = complaints = decoding_writes = 0;
	machine_has_pci = true;
	pci_access = &model_access;
	add(0, 0, 0, 0x29c08086);
	return 0;
}

static char seen[256];

static void note(const struct pci_fn *f, void *arg)
{
	char *end = seen + strlen(seen);

	assert_ptr_equal(arg, seen);
	*end++ = (char)('0' + f->bus);
	*end++ = '.';
	*end++ = (char)('0' + f->dev);
	*end++ = '.';
	*end++ = (char)('0' + f->fn);
	*end++ = ' ';
	*end = '\0';
}

static void test_scan(void **state)
{
	(void)state;
	add(0, 2, 0, 0x10411af4)->reg[3] = 0x00800000; /* several functions */
	add(0, 2, 5, 0x10421af4);
	add(0, 3, 0, 0x10431af4);
	add(0, 3, 1, 0x10431af4); /* not to be seen: function 0 says it is alone */
	fns[nfns - 2].reg[3] = 0;
	struct function *bridge = add(0, 4, 0, 0x000c1b36);

	bridge->reg[3] = 0x00010000;
	bridge->reg[6] = 0x00020200; /* bus 2 lies behind it */
	add(2, 0, 0, 0x10411af4);
	seen[0] = '\0';
	pci_scan(note, seen);
	assert_string_equal(seen, "0.0.0 0.2.0 0.2.5 0.3.0 2.0.0 ");
	/* A bridge that firmware left alone, or that leads back. */
	bridge->reg[6] = 0;
	fns[nfns - 1].reg[0] = 0xffffffff;
	seen[0] = '\0';
	pci_scan(note, seen);
	assert_string_equal(seen, "0.0.0 0.2.0 0.2.5 0.3.0 ");
	machine_has_pci = false;
	assert_false(pci_present());
	seen[0] = '\0';
	pci_scan(note, seen);
	assert_string_equal(seen, "");
}

static void test_regions_of_firmware(void **state)
{
	struct function *f = add(0, 2, 0, 0x10411af4);
	struct pci_fn p = { .dev = 2 };
	uint64_t pa, len;

	(void)state;
	bar(f, 0, 0xfebc0000, 4096, false);
	bar(f, 2, 0x8000004000, 0x4000, true);
	bar(f, 4, 0x380000000000, 1ull << 33, true);
	f->reg[1] |= PCI_COMMAND_MEMORY;
	assert_int_equal(pci_bar(&p, 0, &pa, &len), OK);
	assert_int_equal(pa, 0xfebc0000);
	assert_int_equal(len, 4096);
	assert_int_equal(pci_bar(&p, 2, &pa, &len), OK);
	assert_int_equal(pa, 0x8000004000);
	assert_int_equal(len, 0x4000);
	assert_int_equal(pci_bar(&p, 4, &pa, &len), OK);
	assert_int_equal(len, 1ull << 33);
	assert_int_equal(pci_bar(&p, 1, &pa, &len), E_NODEV); /* nothing */
	assert_int_equal(pci_bar(&p, 6, &pa, &len), E_NODEV);
	assert_int_equal(pci_bar(&p, 255, &pa, &len), E_NODEV);
	f->reg[4 + 1] = 0xc001;
	assert_int_equal(pci_bar(&p, 1, &pa, &len), E_NODEV); /* ports */
	/* Looking changed nothing, and the function never answered meanwhile. */
	assert_int_equal(f->reg[4], 0xfebc0000);
	assert_int_equal(f->reg[6], 0x4000 | 4);
	assert_int_equal(f->reg[7], 0x80);
	assert_true(f->reg[1] & PCI_COMMAND_MEMORY);
	assert_int_equal(decoding_writes, 0);
	/* 64 bits wide at the last register. */
	f->bar_type[5] = f->reg[4 + 5] = PCI_BASE_ADDRESS_MEM_TYPE_64;
	assert_int_equal(pci_bar(&p, 5, &pa, &len), E_NODEV);
}

static void test_regions_without_address(void **state)
{
	struct function *vga = add(0, 1, 0, 0x11111234), *f = add(0, 2, 0, 0x10411af4);
	struct pci_fn p = { .dev = 2 }, behind = { .bus = 1 };
	uint64_t a, b, c, len;

	(void)state;
	bar(vga, 0, 0xe0000000, 0x1000000, false); /* already there */
	bar(f, 0, 0, 32, false);
	bar(f, 1, 0, 0x100000, false);
	bar(f, 4, 0, 0x4000, true);
	bar(add(1, 0, 0, 0x10411af4), 0, 0, 4096, false);
	assert_int_equal(pci_bar(&p, 0, &a, &len), OK);
	assert_int_equal(pci_bar(&p, 1, &b, &len), OK);
	assert_int_equal(pci_bar(&p, 4, &c, &len), OK);
	assert_true(a >= 0xe1000000 && a % 4096 == 0);
	assert_true(b > a && b % 0x100000 == 0);
	assert_true(c >= b + 0x100000 && c % 0x4000 == 0);
	assert_true(c < 0xfea00000);
	assert_int_equal(f->reg[4 + 4], (uint32_t)c | 4);
	assert_int_equal(f->reg[4 + 5], 0);
	/* The same answer again; none behind a bridge; none when it does not fit. */
	assert_int_equal(pci_bar(&p, 4, &a, &len), OK);
	assert_int_equal(a, c);
	assert_int_equal(pci_bar(&behind, 0, &a, &len), E_NOSPC);
	bar(f, 2, 0, 0x40000000, false);
	assert_int_equal(pci_bar(&p, 2, &a, &len), E_NOSPC);
	assert_int_equal(complaints, 2);
}

static void test_capabilities(void **state)
{
	struct function *f = add(0, 2, 0, 0x10411af4);
	struct pci_fn p = { .dev = 2 };

	(void)state;
	assert_int_equal(pci_capability(&p, 9, 0), 0);
	capability(f, 0x40, 0x50, 9);
	capability(f, 0x50, 0x60, 0x11);
	capability(f, 0x60, 0, 9);
	assert_int_equal(pci_capability(&p, 9, 0), 0x40);
	assert_int_equal(pci_capability(&p, 9, 0x40), 0x60);
	assert_int_equal(pci_capability(&p, 9, 0x60), 0);
	assert_int_equal(pci_capability(&p, 0x11, 0), 0x50);
	assert_int_equal(pci_capability(&p, 5, 0), 0);
	/* A chain in a circle, one into the header. */
	capability(f, 0x60, 0x40, 9);
	assert_int_equal(pci_capability(&p, 5, 0), 0);
	capability(f, 0x40, 0x10, 9);
	assert_int_equal(pci_capability(&p, 0x11, 0), 0);
}

static void test_msix(void **state)
{
	struct function *f = add(0, 2, 0, 0x10411af4);
	struct pci_fn p = { .dev = 2 };
	struct pci_msix m;

	(void)state;
	assert_int_equal(pci_msix_open(&p, &m), E_NODEV);
	capability(f, 0x40, 0, 0x00030011);
	f->reg[0x44 / 4] = 0x800 | 1; /* region 1 */
	assert_int_equal(pci_msix_open(&p, &m), E_NODEV);
	bar(f, 1, 0xfebd0000, 4096, false);
	assert_int_equal(pci_msix_open(&p, &m), OK);
	assert_int_equal(mapped_pa, 0xfebd0800);
	assert_int_equal(mapped_len, 64);
	assert_int_equal(m.entries, 4);
	assert_int_equal(f->reg[0x40 / 4] >> 16 & 0xc000, 0x8000);
	assert_true(f->reg[1] & PCI_COMMAND_MASTER);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(msix_table[4 * i + 3], 1);
	pci_msix_set(&m, 2, 0x51);
	assert_int_equal(msix_table[8], 0xfee03000);
	assert_int_equal(msix_table[10], 0x51);
	assert_int_equal(msix_table[11], 0);
	/* A table that reaches beyond its region. */
	f->reg[0x40 / 4] |= 0x7ffu << 16;
	assert_int_equal(pci_msix_open(&p, &m), E_NODEV);
	f->reg[0x40 / 4] = 0x00030011;
	f->reg[0x44 / 4] = 0xfffffff8 | 1;
	assert_int_equal(pci_msix_open(&p, &m), E_NODEV);
	f->reg[0x44 / 4] = 7;
	assert_int_equal(pci_msix_open(&p, &m), E_NODEV);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(test_scan),
		T(test_regions_of_firmware),
		T(test_regions_without_address),
		T(test_capabilities),
		T(test_msix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
