/* SPDX-License-Identifier: BSD-2-Clause */
#include <linux/pci_regs.h>

#include "base/str.h"
#include "comp/drv/pci/pci.h"
#include "kernel/core/core.h"
#include "kernel/x86/x86.h"

#define PORT_ADDRESS 0xcf8
#define PORT_DATA    0xcfc
#define NOTHING      0xffffffffu

#define DEVICES   32u
#define FUNCTIONS 8u
#define BUSES     256u
#define CAPS_MAX  48u /* that fit; a chain that is longer goes in circles */

/* Where regions without an address go: below the interrupt controllers, above the memory of the
 * machines that we know and their memory-mapped configuration space. */
#define WINDOW_START 0xe0000000ull
#define WINDOW_END   0xfea00000ull

#define MSI_ADDRESS 0xfee00000u
#define MSIX_ENTRY  4u /* words */
#define BAR_OFF(n)  (PCI_BASE_ADDRESS_0 + 4 * (n))

static uint32_t port_read(uint32_t address)
{
	outl(PORT_ADDRESS, address);
	return inl(PORT_DATA);
}

static void port_write(uint32_t address, uint32_t value)
{
	outl(PORT_ADDRESS, address);
	outl(PORT_DATA, value);
}

static const struct pci_access ports = { port_read, port_write };
const struct pci_access *pci_access = &ports;

bool pci_present(void)
{
	return pci_access->read(PCI_ADDRESS(0, 0, 0, 0)) != NOTHING;
}

uint32_t pci_read(const struct pci_fn *f, unsigned off)
{
	return pci_access->read(PCI_ADDRESS(f->bus, f->dev, f->fn, off));
}

void pci_write(const struct pci_fn *f, unsigned off, uint32_t value)
{
	pci_access->write(PCI_ADDRESS(f->bus, f->dev, f->fn, off), value);
}

/* ---- finding functions ---- */

static unsigned header_type(const struct pci_fn *f)
{
	return pci_read(f, PCI_CACHE_LINE_SIZE) >> 16 & 0xff;
}

static bool open_function(struct pci_fn *f)
{
	uint32_t id = pci_read(f, PCI_VENDOR_ID);

	if ((id & 0xffff) == 0xffff)
		return false;
	f->vendor = (uint16_t)id;
	f->device = (uint16_t)(id >> 16);
	f->subsystem = (uint16_t)(pci_read(f, PCI_SUBSYSTEM_VENDOR_ID) >> 16);
	return true;
}

/*
 * Buses that are still to be looked at, as bits: firmware numbers them upwards, so one pass does.
 */
static uint32_t wanted[BUSES / 32];

static void visit_function(const struct pci_fn *f, unsigned type,
			   void (*visit)(const struct pci_fn *f, void *arg), void *arg)
{
	if ((type & 0x7f) == PCI_HEADER_TYPE_NORMAL) {
		visit(f, arg);
	} else if ((type & 0x7f) == PCI_HEADER_TYPE_BRIDGE) {
		uint8_t behind = (uint8_t)(pci_read(f, PCI_PRIMARY_BUS) >> 8);

		if (behind > f->bus)
			wanted[behind / 32] |= 1u << behind % 32;
	}
}

static void scan_device(uint8_t bus, uint8_t dev, void (*visit)(const struct pci_fn *f, void *arg),
			void *arg)
{
	for (uint8_t fn = 0; fn < FUNCTIONS; fn++) {
		struct pci_fn f = { .bus = bus, .dev = dev, .fn = fn };

		if (!open_function(&f)) {
			if (fn == 0)
				return;
			continue;
		}
		unsigned type = header_type(&f);

		visit_function(&f, type, visit, arg);
		if (fn == 0 && (type & 0x80) == 0)
			return; /* it has no more functions */
	}
}

void pci_scan(void (*visit)(const struct pci_fn *f, void *arg), void *arg)
{
	if (!pci_present())
		return;
	memset(wanted, 0, sizeof(wanted));
	wanted[0] = 1;
	for (unsigned bus = 0; bus < BUSES; bus++) {
		if ((wanted[bus / 32] >> bus % 32 & 1) == 0)
			continue;
		for (uint8_t dev = 0; dev < DEVICES; dev++)
			scan_device((uint8_t)bus, dev, visit, arg);
	}
}

unsigned pci_capability(const struct pci_fn *f, unsigned id, unsigned after)
{
	unsigned at;

	if ((pci_read(f, PCI_COMMAND) >> 16 & PCI_STATUS_CAP_LIST) == 0)
		return 0;
	at = after == 0 ? pci_read(f, PCI_CAPABILITY_LIST) : pci_read(f, after) >> 8;
	for (unsigned i = 0; i < CAPS_MAX; i++) {
		uint32_t v;

		at &= 0xfc;
		if (at < PCI_STD_HEADER_SIZEOF)
			return 0;
		v = pci_read(f, at);
		if ((v & 0xff) == id)
			return at;
		at = v >> 8;
	}
	return 0;
}

/* ---- regions ---- */

struct region {
	uint64_t base, size; /* base 0: none yet */
	bool wide;           /* 64 bits: the next BAR is its upper half */
};

/* The lower 16 bits of the register at PCI_COMMAND; the status behind it must be written as 0. */
static uint32_t command(const struct pci_fn *f)
{
	return pci_read(f, PCI_COMMAND) & 0xffff;
}

static uint32_t probe_bar(const struct pci_fn *f, unsigned n)
{
	uint32_t before = pci_read(f, BAR_OFF(n)), mask;

	pci_write(f, BAR_OFF(n), NOTHING);
	mask = pci_read(f, BAR_OFF(n));
	pci_write(f, BAR_OFF(n), before);
	return mask;
}

/* The size shows in the bits that cannot be set; meanwhile the function must not answer. */
static uint64_t region_size(const struct pci_fn *f, unsigned n, bool wide)
{
	uint32_t cmd = command(f);
	uint64_t mask;

	pci_write(f, PCI_COMMAND, cmd & ~(uint32_t)PCI_COMMAND_MEMORY);
	mask = probe_bar(f, n) & (uint32_t)PCI_BASE_ADDRESS_MEM_MASK;
	if (wide)
		mask |= (uint64_t)probe_bar(f, n + 1) << 32;
	else if (mask != 0)
		mask |= 0xffffffffull << 32;
	pci_write(f, PCI_COMMAND, cmd);
	return mask == 0 ? 0 : ~mask + 1;
}

static bool region_read(const struct pci_fn *f, unsigned n, struct region *r)
{
	uint32_t low = pci_read(f, BAR_OFF(n));

	if (low & PCI_BASE_ADDRESS_SPACE_IO)
		return false;
	r->wide = (low & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64;
	if (r->wide && n + 1 == PCI_BARS)
		return false;
	r->base = low & (uint32_t)PCI_BASE_ADDRESS_MEM_MASK;
	if (r->wide)
		r->base |= (uint64_t)pci_read(f, BAR_OFF(n + 1)) << 32;
	r->size = region_size(f, n, r->wide);
	return r->size != 0 && (r->size & (r->size - 1)) == 0;
}

/* The next free place of the window. */
static uint64_t window_next = WINDOW_START;

static void step_over(const struct pci_fn *f, void *arg)
{
	struct region r;

	(void)arg;
	for (unsigned n = 0; n < PCI_BARS; n++) {
		if (!region_read(f, n, &r))
			continue;
		if (r.base >= WINDOW_START && r.base < WINDOW_END && r.base + r.size > window_next)
			window_next = r.base + r.size;
		n += r.wide;
	}
}

/* Behind everything that has an address already. Only on the root bus: bridges pass on what they
 * were told to. */
static err_t region_assign(const struct pci_fn *f, unsigned n, struct region *r)
{
	uint64_t at;

	if (window_next == WINDOW_START)
		pci_scan(step_over, NULL);
	at = ALIGN_UP(window_next, r->size < PAGE_SIZE ? PAGE_SIZE : r->size);
	if (f->bus != 0 || at >= WINDOW_END || r->size > WINDOW_END - at) {
		log_warn("pci: no address is left for region %u of %02x:%02x.%u", n, f->bus, f->dev,
			 f->fn);
		return E_NOSPC;
	}
	window_next = at + r->size;
	r->base = at;
	pci_write(f, BAR_OFF(n), (uint32_t)at);
	if (r->wide)
		pci_write(f, BAR_OFF(n + 1), 0);
	return OK;
}

err_t pci_bar(const struct pci_fn *f, unsigned n, uint64_t *pa, uint64_t *len)
{
	struct region r;

	if (n >= PCI_BARS || !region_read(f, n, &r))
		return E_NODEV;
	if (r.base == 0)
		TRY(region_assign(f, n, &r));
	*pa = r.base;
	*len = r.size;
	return OK;
}

void pci_enable(const struct pci_fn *f)
{
	pci_write(f, PCI_COMMAND,
		  command(f) | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
}

/* ---- MSI-X ---- */

err_t pci_msix_open(const struct pci_fn *f, struct pci_msix *m)
{
	uint64_t pa, len, bytes;
	uint32_t control, where;

	m->cap = pci_capability(f, PCI_CAP_ID_MSIX, 0);
	if (m->cap == 0)
		return E_NODEV;
	control = pci_read(f, m->cap) >> 16;
	where = pci_read(f, m->cap + PCI_MSIX_TABLE);
	m->entries = (control & PCI_MSIX_FLAGS_QSIZE) + 1;
	bytes = m->entries * (uint64_t)PCI_MSIX_ENTRY_SIZE;
	TRY(pci_bar(f, where & PCI_MSIX_TABLE_BIR, &pa, &len));
	where &= PCI_MSIX_TABLE_OFFSET;
	if (where > len || bytes > len - where)
		return E_NODEV;
	m->table = x86_map_device(pa + where, bytes);
	if (m->table == NULL)
		return E_NOMEM;
	pci_enable(f);
	for (unsigned i = 0; i < m->entries; i++)
		m->table[i * MSIX_ENTRY + PCI_MSIX_ENTRY_VECTOR_CTRL / 4] =
			PCI_MSIX_ENTRY_CTRL_MASKBIT;
	control = (control & ~(uint32_t)PCI_MSIX_FLAGS_MASKALL) | PCI_MSIX_FLAGS_ENABLE;
	pci_write(f, m->cap, control << 16);
	return OK;
}

void pci_msix_set(const struct pci_msix *m, unsigned i, uint8_t vector)
{
	volatile uint32_t *e = m->table + i * MSIX_ENTRY;

	e[PCI_MSIX_ENTRY_LOWER_ADDR / 4] = MSI_ADDRESS | apic_id() << 12;
	e[PCI_MSIX_ENTRY_UPPER_ADDR / 4] = 0;
	e[PCI_MSIX_ENTRY_DATA / 4] = vector;
	e[PCI_MSIX_ENTRY_VECTOR_CTRL / 4] = 0;
}
