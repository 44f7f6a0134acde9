/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding virtio-mmio devices, and the steps that all their drivers share. */
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>

#include "base/str.h"
#include "comp/drv/virtio/virtio.h"
#include "kernel/core/core.h"
#include "kernel/x86/x86.h"

#define MAX_DEVICES 32u
#define SLOT_BYTES  512u
#define MAGIC       0x74726976u /* "virt" */

/* QEMU's microvm: with ACPI the command line names no devices, and the second IO-APIC serves all
 * slots. */
#define WINDOW       0xfeb00000ull
#define WINDOW_SLOTS 24u
#define WINDOW_GSI   24u

#define PCI_ADDRESS 0xcf8
#define PCI_DATA    0xcfc

struct place {
	uint64_t pa;
	unsigned gsi;
};

static struct virtio_dev devices[MAX_DEVICES];
static unsigned ndevices;
static bool scanned;

static uint32_t mmio_read(struct virtio_dev *d, unsigned off)
{
	return *(volatile uint32_t *)(d->regs + off);
}

static void mmio_write(struct virtio_dev *d, unsigned off, uint32_t value)
{
	*(volatile uint32_t *)(d->regs + off) = value;
}

/* ---- discovery ---- */

/* "512@0xfeb00e00:12", up to a blank. */
static bool parse_place(const char *s, struct place *out)
{
	uint64_t size, pa, gsi;
	const char *end;

	if (!str_parse_u64(s, 0, &size, &end) || *end != '@')
		return false;
	if (!str_parse_u64(end + 1, 0, &pa, &end) || *end != ':')
		return false;
	if (!str_parse_u64(end + 1, 0, &gsi, &end) || (*end != ' ' && *end != '\0' && *end != ':'))
		return false;
	if (size < SLOT_BYTES || pa % 4 != 0 || gsi >= 256)
		return false;
	*out = (struct place){ pa, (unsigned)gsi };
	return true;
}

static unsigned places_from_cmdline(struct place *out)
{
	static const char key[] = "virtio_mmio.device=";
	unsigned n = 0;

	for (const char *s = boot_info.cmdline; (s = strstr(s, key)) != NULL && n < MAX_DEVICES;) {
		bool word = s == boot_info.cmdline || s[-1] == ' ';

		s += sizeof(key) - 1;
		if (!word)
			continue;
		if (parse_place(s, &out[n]))
			n++;
		else
			log_warn("virtio: cannot understand %s%.40s", key, s);
	}
	return n;
}

/* On a machine with PCI the window may belong to any device. */
static bool has_pci(void)
{
	outl(PCI_ADDRESS, 0x80000000u);
	return inl(PCI_DATA) != 0xffffffffu;
}

static unsigned places_in_window(struct place *out)
{
	if (boot_info.cpu.hypervisor == false || has_pci())
		return 0;
	for (unsigned i = 0; i < WINDOW_SLOTS; i++)
		out[i] = (struct place){ WINDOW + i * SLOT_BYTES, WINDOW_GSI + i };
	return WINDOW_SLOTS;
}

/* A mapping is dear: one for all that lie within some pages. */
static void add_devices(const struct place *p, unsigned n)
{
	uint64_t low = UINT64_MAX, high = 0;
	volatile uint8_t *base;

	for (unsigned i = 0; i < n; i++) {
		low = p[i].pa < low ? p[i].pa : low;
		high = p[i].pa > high ? p[i].pa : high;
	}
	low = ALIGN_DOWN(low, PAGE_SIZE);
	high = ALIGN_UP(high + SLOT_BYTES, PAGE_SIZE);
	if (high - low > MAX_DEVICES * PAGE_SIZE) {
		log_warn("virtio: devices lie too far apart: %#llx to %#llx",
			 (unsigned long long)low, (unsigned long long)high);
		return;
	}
	base = x86_map_device(low, high - low);
	if (base == NULL) {
		log_warn("virtio: cannot map registers at %#llx", (unsigned long long)low);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		struct virtio_dev *d = &devices[ndevices];

		*d = (struct virtio_dev){ .read = mmio_read,
					  .write = mmio_write,
					  .regs = base + (p[i].pa - low),
					  .gsi = p[i].gsi };
		if (d->read(d, VIRTIO_MMIO_MAGIC_VALUE) != MAGIC)
			continue;
		d->id = d->read(d, VIRTIO_MMIO_DEVICE_ID);
		if (d->id == 0)
			continue; /* an empty slot */
		if (d->read(d, VIRTIO_MMIO_VERSION) != 2) {
			log_warn("virtio: device %u has the legacy interface; QEMU needs "
				 "-global virtio-mmio.force-legacy=false",
				 d->id);
			continue;
		}
		ndevices++;
	}
}

unsigned virtio_scan(void)
{
	static struct place places[MAX_DEVICES];
	unsigned n;

	if (scanned)
		return ndevices;
	scanned = true;
	n = places_from_cmdline(places);
	if (n == 0)
		n = places_in_window(places);
	if (n > 0)
		add_devices(places, n);
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

static uint64_t device_features(struct virtio_dev *d)
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
	set = device_features(d) & (wanted | version_1);
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

static void interrupt(void *arg)
{
	virtio_poll(arg);
}

err_t virtio_interrupt_setup(struct virtio_dev *d)
{
	uint8_t vector;

	TRY(irq_alloc(interrupt, d, &vector));
	return irq_route_gsi(d->gsi, vector, false, false);
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
