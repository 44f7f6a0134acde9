/* SPDX-License-Identifier: BSD-2-Clause */
/* Device vectors, and the IO-APICs that raise them. The 8259 pair is masked for good. */
#include "kernel/x86/local.h"

/* Where PCs and QEMU's machines have their IO-APICs; microvm has a second one. */
#define IOAPIC_LINES 24u
static const uint64_t ioapic_pa[] = { 0xfec00000, 0xfec10000 };

#define IOAPIC_VERSION  0x01
#define IOAPIC_REDIR(n) (0x10 + 2 * (n))

#define REDIR_ACTIVE_LOW (1u << 13)
#define REDIR_LEVEL      (1u << 15)

#define PIC1     0x20 /* command port; data is the next */
#define PIC2     0xa0
#define PIC_INIT 0x11 /* cascaded, edge, a fourth word follows */
#define PIC_8086 0x01
#define VEC_PIC  0xe0 /* away from the exceptions, should one still raise a spurious interrupt */

struct irq_slot {
	const char *name;
	uint64_t count;
	void (*handler)(void *arg);
	void *arg;
};
static struct irq_slot slots[VEC_DEVICES];
static unsigned slots_used;
static uint64_t strays;

struct ioapic {
	volatile uint32_t *regs;
	bool probed;
};
static struct ioapic ioapics[ARRAY_SIZE(ioapic_pa)];

static void pic_silence(uint16_t pic, uint8_t vector, uint8_t cascade)
{
	outb(pic, PIC_INIT);
	outb(pic + 1, vector);
	outb(pic + 1, cascade);
	outb(pic + 1, PIC_8086);
	outb(pic + 1, 0xff); /* all lines masked */
}

void irq_init(void)
{
	if (boot_info.core != 0)
		return;
	pic_silence(PIC1, VEC_PIC, 4);
	pic_silence(PIC2, VEC_PIC + 8, 2);
}

void irq_dispatch(uint8_t vector)
{
	unsigned i = vector - VEC_DEVICE0;

	if (vector < VEC_DEVICE0 || i >= slots_used) {
		strays++;
		return;
	}
	slots[i].count++;
	slots[i].handler(slots[i].arg);
}

bool irq_count_of(unsigned n, struct irq_count *out)
{
	const struct irq_count local[] = {
		{ "Local timer interrupts", 0, trap_count_timer },
		{ "Rescheduling interrupts", 0, trap_count_ipi },
		{ "Spurious interrupts", 0, strays },
	};

	if (n < slots_used) {
		*out = (struct irq_count){ slots[n].name, (uint8_t)(VEC_DEVICE0 + n),
					   slots[n].count };
		return true;
	}
	if (n - slots_used >= ARRAY_SIZE(local))
		return false;
	*out = local[n - slots_used];
	return true;
}

err_t irq_alloc(const char *name, void (*handler)(void *arg), void *arg, uint8_t *vector)
{
	if (slots_used == VEC_DEVICES)
		return E_NOSPC;
	slots[slots_used] = (struct irq_slot){ .name = name, .handler = handler, .arg = arg };
	*vector = (uint8_t)(VEC_DEVICE0 + slots_used++);
	return OK;
}

static uint32_t ioapic_read(const struct ioapic *a, uint32_t reg)
{
	a->regs[0] = reg;
	return a->regs[4];
}

static void ioapic_write(const struct ioapic *a, uint32_t reg, uint32_t value)
{
	a->regs[0] = reg;
	a->regs[4] = value;
}

/* Map the n-th IO-APIC at its first use. */
static err_t ioapic_open(unsigned n)
{
	struct ioapic *a = &ioapics[n];

	if (a->regs != NULL)
		return OK;
	if (a->probed)
		return E_NODEV;
	volatile uint32_t *regs = x86_map_device(ioapic_pa[n], PAGE_SIZE);

	if (regs == NULL)
		return E_NOMEM;
	a->probed = true;
	a->regs = regs;
	uint32_t version = ioapic_read(a, IOAPIC_VERSION);

	if (version == 0 || version == UINT32_MAX) {
		a->regs = NULL;
		return E_NODEV;
	}
	return OK;
}

err_t irq_route_gsi(unsigned gsi, uint8_t vector, bool level, bool active_low)
{
	unsigned n = gsi / IOAPIC_LINES, line = gsi % IOAPIC_LINES;

	if (n >= ARRAY_SIZE(ioapics) || vector < VEC_DEVICE0 || vector >= VEC_DEVICE0 + VEC_DEVICES)
		return E_INVAL;
	TRY(ioapic_open(n));
	const struct ioapic *a = &ioapics[n];

	if (line > (ioapic_read(a, IOAPIC_VERSION) >> 16 & 0xff))
		return E_INVAL;
	ioapic_write(a, IOAPIC_REDIR(line) + 1, apic_id() << 24);
	ioapic_write(a, IOAPIC_REDIR(line),
		     vector | (level ? REDIR_LEVEL : 0) | (active_low ? REDIR_ACTIVE_LOW : 0));
	return OK;
}
