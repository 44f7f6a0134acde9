/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio over PCI (modern interface). The registers of virtio-mmio that drivers use have their
 * counterparts in the "common" structure of the function; two MSI-X vectors, one for changes of the
 * configuration, one for all queues.
 */
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_pci.h>

#include "comp/drv/pci/pci.h"
#include "comp/drv/virtio/internal.h"
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/x86/x86.h"

#define VENDOR              0x1af4u
#define DEVICE_TRANSITIONAL 0x1000u /* to 0x103f: the kind is in the subsystem number */
#define DEVICE_MODERN       0x1040u /* + kind */
#define KINDS               64u

#define QUEUES_MAX    64u
#define REGION_MAX    (64 * PAGE_SIZE)
#define RESET_WAIT_NS 100000000ull
#define VECTOR_CONFIG 0u
#define VECTOR_QUEUES 1u

struct virtio_pci {
	struct pci_fn fn;
	volatile uint8_t *region[PCI_BARS];
	uint64_t region_len[PCI_BARS];
	volatile struct virtio_pci_common_cfg *common;
	volatile uint8_t *notify, *isr, *config;
	uint32_t notify_len, notify_step, config_len;
	volatile uint16_t *doorbell[QUEUES_MAX];
	struct pci_msix msix;
};

/* ---- registers ---- */

static uint32_t read_config(const struct virtio_pci *p, unsigned off)
{
	uint32_t v = 0;

	if (off % 4 == 0 && off + 4 <= p->config_len)
		return *(volatile uint32_t *)(p->config + off);
	for (unsigned i = 0; i < 4 && off + i < p->config_len; i++)
		v |= (uint32_t)p->config[off + i] << (8 * i);
	return v;
}

static uint32_t reg_read(struct virtio_dev *d, unsigned off)
{
	volatile struct virtio_pci_common_cfg *c = d->pci->common;

	switch (off) {
	case VIRTIO_MMIO_DEVICE_FEATURES: return c->device_feature;
	case VIRTIO_MMIO_QUEUE_NUM_MAX: return c->queue_size;
	case VIRTIO_MMIO_QUEUE_READY: return c->queue_enable;
	case VIRTIO_MMIO_STATUS: return c->device_status;
	case VIRTIO_MMIO_INTERRUPT_STATUS: return *d->pci->isr;
	default:
		return off >= VIRTIO_MMIO_CONFIG ? read_config(d->pci, off - VIRTIO_MMIO_CONFIG)
						 : 0;
	}
}

/* Where the selected queue is rung. NULL: outside of what the device has for that. */
static volatile uint16_t *find_doorbell(const struct virtio_pci *p)
{
	uint64_t at = (uint64_t)p->common->queue_notify_off * p->notify_step;

	if (at % 2 != 0 || at + 2 > p->notify_len)
		return NULL;
	return (volatile uint16_t *)(p->notify + at);
}

static void enable_queue(struct virtio_pci *p)
{
	uint16_t index = p->common->queue_select;

	if (index < QUEUES_MAX)
		p->doorbell[index] = find_doorbell(p);
	p->common->queue_enable = 1;
}

static void ring(const struct virtio_pci *p, uint32_t index)
{
	if (index < QUEUES_MAX && p->doorbell[index] != NULL)
		*p->doorbell[index] = (uint16_t)index;
}

static void write_status(volatile struct virtio_pci_common_cfg *c, uint8_t status)
{
	c->device_status = status;
	if (status != 0 || c->device_status == 0)
		return;
	/* A reset takes its time on real devices. */
	for (uint64_t end = time_mono_ns() + RESET_WAIT_NS; time_mono_ns() < end;) {
		if (c->device_status == 0)
			return;
		cpu_relax();
	}
	log_warn("virtio: a device does not finish its reset");
}

static void reg_write(struct virtio_dev *d, unsigned off, uint32_t value)
{
	volatile struct virtio_pci_common_cfg *c = d->pci->common;

	switch (off) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL: c->device_feature_select = value; break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL: c->guest_feature_select = value; break;
	case VIRTIO_MMIO_DRIVER_FEATURES: c->guest_feature = value; break;
	case VIRTIO_MMIO_QUEUE_SEL: c->queue_select = (uint16_t)value; break;
	case VIRTIO_MMIO_QUEUE_NUM: c->queue_size = (uint16_t)value; break;
	case VIRTIO_MMIO_QUEUE_READY: enable_queue(d->pci); break;
	case VIRTIO_MMIO_QUEUE_NOTIFY: ring(d->pci, value); break;
	case VIRTIO_MMIO_STATUS: write_status(c, (uint8_t)value); break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW: c->queue_desc_lo = value; break;
	case VIRTIO_MMIO_QUEUE_DESC_HIGH: c->queue_desc_hi = value; break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW: c->queue_avail_lo = value; break;
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH: c->queue_avail_hi = value; break;
	case VIRTIO_MMIO_QUEUE_USED_LOW: c->queue_used_lo = value; break;
	case VIRTIO_MMIO_QUEUE_USED_HIGH: c->queue_used_hi = value; break;
	default: break; /* VIRTIO_MMIO_INTERRUPT_ACK: reading acknowledges here */
	}
}

/* ---- interrupts ---- */

static void config_interrupt(void *arg)
{
	struct virtio_dev *d = arg;

	d->on_interrupt(d, VIRTIO_MMIO_INT_CONFIG);
}

static void queue_interrupt(void *arg)
{
	struct virtio_dev *d = arg;

	d->on_interrupt(d, VIRTIO_MMIO_INT_VRING);
}

static err_t open_vectors(struct virtio_dev *d)
{
	struct virtio_pci *p = d->pci;
	uint8_t config, queues;

	TRY(pci_msix_open(&p->fn, &p->msix));
	if (p->msix.entries <= VECTOR_QUEUES)
		return E_NODEV;
	TRY(irq_alloc("virtio-pci config", config_interrupt, d, &config));
	TRY(irq_alloc("virtio-pci queues", queue_interrupt, d, &queues));
	pci_msix_set(&p->msix, VECTOR_CONFIG, config);
	pci_msix_set(&p->msix, VECTOR_QUEUES, queues);
	d->interrupts_on = true;
	return OK;
}

/* A reset forgets which vector is for what. */
static err_t interrupt_setup(struct virtio_dev *d)
{
	volatile struct virtio_pci_common_cfg *c = d->pci->common;
	unsigned queues = c->num_queues;

	if (!d->interrupts_on)
		TRY(open_vectors(d));
	c->msix_config = VECTOR_CONFIG;
	if (c->msix_config != VECTOR_CONFIG)
		return E_NODEV;
	for (unsigned i = 0; i < queues && i < QUEUES_MAX; i++) {
		c->queue_select = (uint16_t)i;
		if (c->queue_enable == 0)
			continue;
		c->queue_msix_vector = VECTOR_QUEUES;
		if (c->queue_msix_vector != VECTOR_QUEUES)
			return E_NODEV;
	}
	return OK;
}

/* ---- discovery ---- */

static err_t map_region(struct virtio_pci *p, unsigned bar)
{
	uint64_t pa, len;

	if (bar >= PCI_BARS)
		return E_NODEV;
	if (p->region[bar] != NULL)
		return OK;
	TRY(pci_bar(&p->fn, bar, &pa, &len));
	if (len > REGION_MAX)
		len = REGION_MAX;
	p->region[bar] = x86_map_device(pa, len);
	p->region_len[bar] = len;
	return p->region[bar] == NULL ? E_NOMEM : OK;
}

/*
 * The structure of this kind: its place and length; the first that can be used. 0: there is none.
 */
static unsigned find_structure(struct virtio_pci *p, unsigned type, uint32_t least,
			       volatile uint8_t **at, uint32_t *len)
{
	for (unsigned cap = 0; (cap = pci_capability(&p->fn, 0x09, cap)) != 0;) {
		unsigned bar = pci_read(&p->fn, cap + 4) & 0xff;
		uint32_t off = pci_read(&p->fn, cap + 8);

		*len = pci_read(&p->fn, cap + 12);
		if (pci_read(&p->fn, cap) >> 24 != type || *len < least || map_region(p, bar) != OK)
			continue;
		if (off % 4 != 0 || off > p->region_len[bar] || *len > p->region_len[bar] - off)
			continue;
		*at = p->region[bar] + off;
		return cap;
	}
	return 0;
}

static bool find_structures(struct virtio_pci *p)
{
	volatile uint8_t *common;
	uint32_t len;
	unsigned cap;

	if (!find_structure(p, VIRTIO_PCI_CAP_COMMON_CFG, sizeof(*p->common), &common, &len) ||
	    !find_structure(p, VIRTIO_PCI_CAP_ISR_CFG, 1, &p->isr, &len))
		return false;
	p->common = (volatile struct virtio_pci_common_cfg *)common;
	cap = find_structure(p, VIRTIO_PCI_CAP_NOTIFY_CFG, 2, &p->notify, &p->notify_len);
	if (cap == 0)
		return false;
	p->notify_step = pci_read(&p->fn, cap + sizeof(struct virtio_pci_cap));
	if (!find_structure(p, VIRTIO_PCI_CAP_DEVICE_CFG, 1, &p->config, &p->config_len))
		p->config_len = 0;
	return true;
}

static uint32_t kind_of(const struct pci_fn *f)
{
	if (f->vendor != VENDOR)
		return 0;
	if (f->device > DEVICE_MODERN && f->device < DEVICE_MODERN + KINDS)
		return f->device - DEVICE_MODERN;
	return f->device >= DEVICE_TRANSITIONAL && f->device < DEVICE_MODERN ? f->subsystem : 0;
}

static void look(const struct pci_fn *f, void *arg)
{
	struct virtio_dev d = { .read = reg_read,
				.write = reg_write,
				.interrupt_setup = interrupt_setup,
				.id = kind_of(f) };

	(void)arg;
	if (d.id == 0)
		return;
	d.pci = kmem_zalloc(sizeof(*d.pci));
	if (d.pci == NULL)
		return;
	d.pci->fn = *f;
	if (find_structures(d.pci) && virtio_found(&d) != NULL) {
		pci_enable(f); /* not before its regions have addresses */
		return;
	}
	log_warn("virtio: device %u at %02x:%02x.%u has no usable modern interface", d.id, f->bus,
		 f->dev, f->fn);
	kmem_free(d.pci);
}

void virtio_scan_pci(void)
{
	pci_scan(look, NULL);
}
