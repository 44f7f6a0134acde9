/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI: configuration space (by ports, which reach the first 256 bytes of a function: all that is
 * asked for here), regions of registers, MSI-X. Firmware usually gives each region its address;
 * qboot does not, then it is given here. What a device says of itself is checked before use.
 */
#pragma once

#include "abi/err.h"
#include "abi/types.h"

#define PCI_BARS 6u

struct pci_fn {
	uint8_t bus, dev, fn;
	uint16_t vendor, device, subsystem;
};

/* Does the machine have PCI? Two port accesses. */
bool pci_present(void);
/* Every function of bus 0 and of those behind bridges that firmware has set up, in order. Nothing
 * on a machine without PCI. */
void pci_scan(void (*visit)(const struct pci_fn *f, void *arg), void *arg);

/* Configuration space, 32 bits at an offset that is a multiple of four. */
uint32_t pci_read(const struct pci_fn *f, unsigned off);
void pci_write(const struct pci_fn *f, unsigned off, uint32_t value);
/* The next capability `id` (PCI_CAP_ID_...) behind the one at `after` (0: the first). 0: none. */
unsigned pci_capability(const struct pci_fn *f, unsigned id, unsigned after);

/* Where region n (0 to 5) lies and how long it is. E_NODEV: there is none, or it is one of ports;
 * E_NOSPC: it has no address and none is left. */
err_t pci_bar(const struct pci_fn *f, unsigned n, uint64_t *pa, uint64_t *len) MUST_CHECK;
/* The function answers at its regions, and may access memory. */
void pci_enable(const struct pci_fn *f);

struct pci_msix {
	unsigned cap, entries;
	volatile uint32_t *table;
};
/* Switch MSI-X on, all vectors masked. E_NODEV: the function does not have it, or lies about it;
 * E_NOMEM: its table cannot be mapped. */
err_t pci_msix_open(const struct pci_fn *f, struct pci_msix *m) MUST_CHECK;
/* Entry i (below m->entries) raises `vector` on this core. */
void pci_msix_set(const struct pci_msix *m, unsigned i, uint8_t vector);

/* How configuration space is reached; a test puts its model here. */
struct pci_access {
	uint32_t (*read)(uint32_t address);
	void (*write)(uint32_t address, uint32_t value);
};
extern const struct pci_access *pci_access;
/* address: as port 0xcf8 takes it */
#define PCI_ADDRESS(bus, dev, fn, off) \
	(0x80000000u | (uint32_t)(bus) << 16 | (uint32_t)(dev) << 11 | (uint32_t)(fn) << 8 | (off))
