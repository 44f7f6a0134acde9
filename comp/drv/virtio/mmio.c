/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices with memory-mapped registers: where they are, and how their registers are reached. */
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>

#include "base/str.h"
#include "comp/drv/pci/pci.h"
#include "comp/drv/virtio/internal.h"
#include "kernel/core/core.h"
#include "kernel/x86/x86.h"

#define PLACES_MAX 32u
#define SLOT_BYTES 512u
#define MAGIC      0x74726976u /* "virt" */

/* QEMU's microvm: with ACPI the command line names no devices, and the second IO-APIC serves all
 * slots. */
#define WINDOW       0xfeb00000ull
#define WINDOW_SLOTS 24u
#define WINDOW_GSI   24u

struct place {
	uint64_t pa;
	unsigned gsi;
};

static uint32_t mmio_read(struct virtio_dev *d, unsigned off)
{
	return *(volatile uint32_t *)(d->regs + off);
}

static void mmio_write(struct virtio_dev *d, unsigned off, uint32_t value)
{
	*(volatile uint32_t *)(d->regs + off) = value;
}

static void interrupt(void *arg)
{
	virtio_poll(arg);
}

static err_t mmio_interrupt_setup(struct virtio_dev *d)
{
	uint8_t vector;

	if (d->interrupts_on)
		return OK;
	TRY(irq_alloc("virtio-mmio", interrupt, d, &vector));
	TRY(irq_route_gsi(d->gsi, vector, false, false));
	d->interrupts_on = true;
	return OK;
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

	for (const char *s = boot_info.cmdline; (s = strstr(s, key)) != NULL && n < PLACES_MAX;) {
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

static unsigned places_in_window(struct place *out)
{
	/* On a machine with PCI the window may belong to any device. */
	if (boot_info.cpu.hypervisor == false || pci_present())
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
	if (high - low > PLACES_MAX * PAGE_SIZE) {
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
		struct virtio_dev d = { .read = mmio_read,
					.write = mmio_write,
					.interrupt_setup = mmio_interrupt_setup,
					.regs = base + (p[i].pa - low),
					.gsi = p[i].gsi };

		if (mmio_read(&d, VIRTIO_MMIO_MAGIC_VALUE) != MAGIC)
			continue;
		d.id = mmio_read(&d, VIRTIO_MMIO_DEVICE_ID);
		if (d.id == 0)
			continue; /* an empty slot */
		if (mmio_read(&d, VIRTIO_MMIO_VERSION) != 2) {
			log_warn("virtio: device %u has the legacy interface; QEMU needs "
				 "-global virtio-mmio.force-legacy=false",
				 d.id);
			continue;
		}
		virtio_found(&d);
	}
}

void virtio_scan_mmio(void)
{
	static struct place places[PLACES_MAX];
	unsigned n = places_from_cmdline(places);

	if (n == 0)
		n = places_in_window(places);
	if (n > 0)
		add_devices(places, n);
}
