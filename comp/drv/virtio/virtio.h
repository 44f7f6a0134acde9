/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio 1.x devices, behind memory-mapped registers or PCI. A driver speaks to both by the
 * registers of virtio-mmio version 2; the PCI transport translates. What the device writes is not
 * believed: sizes and indices are checked before use, and a queue whose device breaks the rules is
 * marked broken and not used again.
 */
#pragma once

#include "abi/err.h"
#include "abi/types.h"

struct virtio_dev {
	/* Registers at byte offset `off`, 32 bits wide. Functions, so that tests can put a model in
	 * their place. */
	uint32_t (*read)(struct virtio_dev *d, unsigned off);
	void (*write)(struct virtio_dev *d, unsigned off, uint32_t value);
	err_t (*interrupt_setup)(struct virtio_dev *d); /* of the transport */
	volatile uint8_t *regs;
	struct virtio_pci *pci; /* NULL: memory-mapped */
	uint32_t id;            /* VIRTIO_ID_... */
	unsigned gsi;           /* memory-mapped: interrupt line */
	bool claimed;           /* some driver has it */
	bool event_idx;         /* VIRTIO_RING_F_EVENT_IDX is negotiated */
	bool interrupts_on;
	/* Set by the driver before virtio_interrupt_setup; called with the causes
	 * (VIRTIO_MMIO_INT_...) already acknowledged. */
	void (*on_interrupt)(struct virtio_dev *d, uint32_t causes);
	void *driver;
};

/* Find the devices: words `virtio_mmio.device=SIZE@ADDRESS:GSI` on the command line, else the
 * window of QEMU's microvm (machines without PCI only); and those on PCI. Answers how many there
 * are. The first call looks, later ones answer the same. */
unsigned virtio_scan(void);
/* The first unclaimed device of this kind, which is then claimed; NULL when there is none. */
struct virtio_dev *virtio_claim(uint32_t id);

/* The features that the device offers, before or after virtio_begin. */
uint64_t virtio_offered(struct virtio_dev *d);
/* Reset and negotiate: *features = those of `wanted` that the device offers; VIRTIO_F_VERSION_1 is
 * always required. E_NODEV when it lacks that or refuses the set. */
err_t virtio_begin(struct virtio_dev *d, uint64_t wanted, uint64_t *features) MUST_CHECK;
/* Give the device a vector on this core (again, after a reset: the same). When its queues are
 * there, before virtio_ready. E_NOSPC, or what the interrupt controller says; PCI: E_NODEV without
 * MSI-X.
 */
err_t virtio_interrupt_setup(struct virtio_dev *d) MUST_CHECK;
/* The device may work now. */
void virtio_ready(struct virtio_dev *d);
/* Give up: the device is reset and told so. Its memory may be freed afterwards. */
void virtio_fail(struct virtio_dev *d);
/* A 32-bit field of the device's configuration. */
uint32_t virtio_config(struct virtio_dev *d, unsigned off);
/* Read and acknowledge the interrupt causes and call on_interrupt, as an interrupt would. */
void virtio_poll(struct virtio_dev *d);
