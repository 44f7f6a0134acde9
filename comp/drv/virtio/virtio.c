/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of devices, and the steps that all drivers share, whatever the transport. */
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "comp/drv/virtio/internal.h"
#include "kernel/core/core.h"
#include "kernel/x86/x86.h"

#define MAX_DEVICES 32u

static struct virtio_dev devices[MAX_DEVICES];
static unsigned ndevices;
static bool scanned;

struct virtio_dev *virtio_found(const struct virtio_dev *d)
{
	if (ndevices == MAX_DEVICES) {
		log_warn("virtio: more than %u devices; the rest is not used", MAX_DEVICES);
		return NULL;
	}
	devices[ndevices] = *d;
	return &devices[ndevices++];
}

unsigned virtio_scan(void)
{
	if (scanned)
		return ndevices;
	scanned = true;
	virtio_scan_mmio();
	virtio_scan_pci();
	return ndevices;
}

struct virtio_dev *virtio_claim(uint32_t id)
{
	/* The machine's last slot is filled first: the first device of the command line is the last
	 * here. */
	for (unsigned i = virtio_scan(); i-- > 0;) {
		if (devices[i].id != id || devices[i].claimed)
			continue;
		devices[i].claimed = true;
		return &devices[i];
	}
	return NULL;
}

/* ---- steps of all drivers ---- */

static void status_add(struct virtio_dev *d, uint32_t bits)
{
	d->write(d, VIRTIO_MMIO_STATUS, d->read(d, VIRTIO_MMIO_STATUS) | bits);
}

uint64_t virtio_offered(struct virtio_dev *d)
{
	uint64_t features;

	d->write(d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	features = (uint64_t)d->read(d, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
	d->write(d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	return features | d->read(d, VIRTIO_MMIO_DEVICE_FEATURES);
}

err_t virtio_begin(struct virtio_dev *d, uint64_t wanted, uint64_t *features)
{
	uint64_t version_1 = 1ull << VIRTIO_F_VERSION_1;
	uint64_t set;

	d->write(d, VIRTIO_MMIO_STATUS, 0);
	status_add(d, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	status_add(d, VIRTIO_CONFIG_S_DRIVER);
	set = virtio_offered(d) & (wanted | version_1);
	if ((set & version_1) == 0) {
		virtio_fail(d);
		return E_NODEV;
	}
	d->write(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	d->write(d, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(set >> 32));
	d->write(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	d->write(d, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)set);
	status_add(d, VIRTIO_CONFIG_S_FEATURES_OK);
	if ((d->read(d, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK) == 0) {
		virtio_fail(d);
		return E_NODEV;
	}
	d->event_idx = (set >> VIRTIO_RING_F_EVENT_IDX & 1) != 0;
	*features = set & ~version_1;
	return OK;
}

void virtio_poll(struct virtio_dev *d)
{
	uint32_t causes = d->read(d, VIRTIO_MMIO_INTERRUPT_STATUS);

	/* Acknowledge first: what comes while the driver looks raises the line anew. */
	if (causes != 0)
		d->write(d, VIRTIO_MMIO_INTERRUPT_ACK, causes);
	d->on_interrupt(d, causes);
}

err_t virtio_interrupt_setup(struct virtio_dev *d)
{
	return d->interrupt_setup(d);
}

void virtio_ready(struct virtio_dev *d)
{
	status_add(d, VIRTIO_CONFIG_S_DRIVER_OK);
}

void virtio_fail(struct virtio_dev *d)
{
	d->write(d, VIRTIO_MMIO_STATUS, 0);
	d->write(d, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_FAILED);
}

uint32_t virtio_config(struct virtio_dev *d, unsigned off)
{
	return d->read(d, VIRTIO_MMIO_CONFIG + off);
}
