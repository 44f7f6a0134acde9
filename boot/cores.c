/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which cores there are: from ACPI's MADT, else from QEMU's count (ids are then 0, 1, ...), else
 * the boot core.
 */
#include "base/str.h"
#include "boot/boot.h"

#define LOW_4G        (1ull << 32)
#define LAPIC_DEFAULT 0xfee00000u
#define FWCFG_NB_CPUS 0x05

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt, len;
	uint64_t xsdt;
} __attribute__((packed));

struct acpi_header {
	char signature[4];
	uint32_t len;
	uint8_t revision, checksum;
	char oem[6], oem_table[8];
	uint32_t oem_revision, creator, creator_revision;
} __attribute__((packed));

struct madt {
	struct acpi_header header;
	uint32_t lapic, flags;
} __attribute__((packed));

enum { MADT_LAPIC = 0, MADT_LAPIC_ADDRESS = 5, MADT_X2APIC = 9 };
#define MADT_ENABLED 1u
struct madt_lapic {
	uint8_t type, len, processor, id;
	uint32_t flags;
} __attribute__((packed));
struct madt_address {
	uint8_t type, len;
	uint16_t reserved;
	uint64_t lapic;
} __attribute__((packed));
struct madt_x2apic {
	uint8_t type, len;
	uint16_t reserved;
	uint32_t id, flags, processor;
} __attribute__((packed));

static bool sum_is_zero(const void *p, uint32_t len)
{
	const uint8_t *bytes = p;
	uint8_t sum = 0;

	for (uint32_t i = 0; i < len; i++)
		sum += bytes[i];
	return sum == 0;
}

static bool is_rsdp(const struct rsdp *r)
{
	return memcmp(r->signature, "RSD PTR ", 8) == 0 && sum_is_zero(r, 20);
}

/*
 * Without a pointer from the loader: the first KiB of the extended BIOS data area, then the BIOS
 * itself.
 */
static uint64_t rsdp_scan(void)
{
	uint64_t ebda = (uint64_t) * (uint16_t *)low_ptr(0x40e) << 4;

	if (ebda >= 0x80000 && ebda < 0xa0000)
		for (uint64_t at = ebda; at < ebda + 1024; at += 16)
			if (is_rsdp(low_ptr(at)))
				return at;
	for (uint64_t at = 0xe0000; at < 0x100000; at += 16)
		if (is_rsdp(low_ptr(at)))
			return at;
	return 0;
}

static const struct acpi_header *table_at(uint64_t pa, const char *signature)
{
	const struct acpi_header *h = low_ptr(pa);

	if (pa == 0 || pa + sizeof(*h) > LOW_4G || memcmp(h->signature, signature, 4) != 0)
		return NULL;
	return pa + h->len <= LOW_4G && sum_is_zero(h, h->len) ? h : NULL;
}

static const struct madt *find_madt(const struct rsdp *r)
{
	const struct acpi_header *root = NULL;
	unsigned width = 8;

	if (r->revision >= 2)
		root = table_at(r->xsdt, "XSDT");
	if (root == NULL) {
		width = 4;
		root = table_at(r->rsdt, "RSDT");
	}
	if (root == NULL)
		return NULL;
	for (uint32_t at = sizeof(*root); at + width <= root->len; at += width) {
		uint64_t pa = 0;
		const struct acpi_header *h;

		memcpy(&pa, (const char *)root + at, width);
		h = table_at(pa, "APIC");
		if (h != NULL)
			return (const struct madt *)h;
	}
	return NULL;
}

/* Cores beyond MAX_CORES. */
static unsigned ignored;

/* Keep the boot core first and the others ascending; those beyond MAX_CORES are left alone. */
static void add_core(uint32_t id)
{
	struct boot_state *b = &boot_state;
	uint32_t i = b->ncores;

	if (id == b->apic_id[0] || id > 254)
		return;
	if (i == MAX_CORES) {
		ignored++;
		if (id > b->apic_id[MAX_CORES - 1])
			return;
		i--;
	} else {
		b->ncores++;
	}
	for (; i > 1 && b->apic_id[i - 1] > id; i--)
		b->apic_id[i] = b->apic_id[i - 1];
	b->apic_id[i] = id;
}

static void madt_parse(const struct madt *madt)
{
	boot_state.lapic = madt->lapic;
	for (uint32_t at = sizeof(*madt); at + 2 <= madt->header.len;) {
		const struct madt_lapic *l = (const void *)((const char *)madt + at);
		const struct madt_x2apic *x = (const void *)l;
		const struct madt_address *a = (const void *)l;

		if (l->len < 2)
			break;
		if (l->type == MADT_LAPIC && l->flags & MADT_ENABLED)
			add_core(l->id);
		else if (l->type == MADT_X2APIC && x->flags & MADT_ENABLED)
			add_core(x->id);
		else if (l->type == MADT_LAPIC_ADDRESS)
			boot_state.lapic = a->lapic;
		at += l->len;
	}
}

static void count_from_qemu(void)
{
	uint16_t count = 1;

	if (!fwcfg_present())
		return;
	fwcfg_read(FWCFG_NB_CPUS, &count, sizeof(count));
	for (uint32_t id = 0; id < count; id++)
		add_core(id);
}

void cores_find(void)
{
	struct boot_state *b = &boot_state;
	const struct madt *madt = NULL;

	b->lapic = LAPIC_DEFAULT;
	for (unsigned i = 0; i < MAX_CORES; i++)
		b->apic_id[i] = UINT32_MAX;
	b->apic_id[0] = processor_apic_id();
	b->ncores = 1;
	if (b->rsdp == 0)
		b->rsdp = rsdp_scan();
	if (b->rsdp != 0 && b->rsdp < LOW_4G)
		madt = find_madt(low_ptr(b->rsdp));
	if (madt != NULL)
		madt_parse(madt);
	else
		count_from_qemu();
	if (ignored > 0)
		boot_say("boot: %u cores are not used, %u is the most\n", ignored, MAX_CORES);
	/* Multiboot2 gives a copy, in memory that is about to be handed out. */
	if (b->protocol == BOOT_MULTIBOOT2)
		b->rsdp = rsdp_scan();
	if (b->lapic + PAGE_SIZE > LOW_4G)
		boot_fail(BOOT_EXIT_CONFIG, "local APIC at %#lx, beyond 4 GiB", b->lapic);
}
