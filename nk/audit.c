/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The audit: every entry of the kernel's half, held against the invariants of docs/nk.md. Boot runs
 * it on each core before the first outer instruction (no unvalidated mapping exists then); tests
 * run it whenever they like.
 */
#include "nk/internal.h"
#include "nk/hw.h"

extern const char text_start[], text_end[], rodata_start[], rodata_end[];
extern const char nk_text_start[], nk_text_end[], nk_rodata_start[], nk_rodata_end[];

static bool within(uint64_t a, const char *start, const char *end)
{
	return a >= (uint64_t)start && a < (uint64_t)end;
}

static unsigned type_of(struct cursor *c, uint64_t pa)
{
	const struct nk_frame *f = frame_lookup_cached(c, pa);

	return f != NULL ? f->type : NK_T_NONE;
}

static bool in_span(uint64_t pa, struct nk_span s)
{
	return pa >= s.start && pa < s.end;
}

/* Linked kernel: text and constants where they were loaded, data in frames of this core. */
static const char *kernel_leaf(struct cursor *c, uint64_t va, uint64_t pa, uint64_t e)
{
	bool text = within(va, text_start, text_end) || within(va, nk_text_start, nk_text_end);
	bool constant = within(va, rodata_start, rodata_end) ||
			within(va, nk_rodata_start, nk_rodata_end);

	if (text || constant) {
		if (pa != va - KERNEL_BASE)
			return "kernel text or constants are not where they were loaded";
		if (e & NK_PTE_W)
			return "kernel text or constants are writable";
		return constant && !(e & NK_PTE_NX) ? "constants are executable" : NULL;
	}
	if (!(e & NK_PTE_NX))
		return "kernel data is executable";
	if (e & NK_PTE_W)
		return type_of(c, pa) == NK_T_DATA ? NULL : "writable frame is not kernel data";
	return type_of(c, pa) == NK_T_NK ? NULL : "frame is not nk's";
}

static const char *direct_leaf(struct cursor *c, uint64_t va, uint64_t pa, uint64_t e)
{
	unsigned type = type_of(c, pa);

	if (pa != va - DM_BASE)
		return "direct map is not direct";
	if (type == NK_T_NONE || type == NK_T_IMAGE)
		return "direct map shows a frame of someone else";
	if (e & NK_PTE_W && type != NK_T_PLAIN && type != NK_T_USER && type != NK_T_WINDOW)
		return "protected frame is writable in the direct map";
	return NULL;
}

static const char *ring_leaf(uint64_t va, uint64_t pa, uint64_t e)
{
	uint64_t from = (va - RING_BASE) / BOOT_RING_BYTES / MAX_CORES;

	if (!in_span(pa, nk_record.shared))
		return "ring window shows a frame that is no ring";
	return e & NK_PTE_W && from != nk_record.core ? "ring of another core is writable" : NULL;
}

static const char *device_leaf(uint64_t pa)
{
	for (unsigned i = 0; i < nk_record.nram; i++)
		if (in_span(pa, nk_record.ram[i]))
			return "device window shows memory";
	return NULL;
}

static const char *leaf(struct cursor *c, uint64_t va, uint64_t e, uint64_t size)
{
	uint64_t pa = e & NK_PTE_ADDR & ~(size - 1);

	if (e & NK_PTE_U)
		return "kernel's half is open to programs";
	if (va >= KERNEL_BASE)
		return size == PAGE_SIZE ? kernel_leaf(c, va, pa, e) : "large page in the kernel";
	if (!(e & NK_PTE_NX))
		return "executable entry outside the kernel";
	if (va >= IMAGE_BASE && va < RING_BASE) {
		if (e & NK_PTE_W)
			return "root image is writable";
		return in_span(pa, nk_record.image)
			       ? (pa + size > nk_record.image.end ? "image entry too large" : NULL)
		       : in_span(pa, nk_record.run) ? NULL
						    : "image window shows something else";
	}
	if (size != PAGE_SIZE)
		return "large page";
	if (va < IMAGE_BASE)
		return direct_leaf(c, va, pa, e);
	if (va < DEV_BASE)
		return ring_leaf(va, pa, e);
	if (va < KWIN_BASE)
		return device_leaf(pa);
	if (va < KWIN_END)
		return type_of(c, pa) == NK_T_WINDOW ? NULL : "window frame has another type";
	return "entry in no window";
}

static bool table_type_ok(struct cursor *c, uint64_t pa, uint64_t va, unsigned level)
{
	static const uint8_t type[] = { 0, NK_T_L1, NK_T_L2, NK_T_L3, NK_T_L4 };

	/* The level-1 tables of the direct map lie in chunk headers. */
	if (level == 1 && va < IMAGE_BASE)
		return pa == va - DM_BASE + NK_HDR_TABLE * PAGE_SIZE && type_of(c, pa) == NK_T_NK;
	return type_of(c, pa) == type[level];
}

/* One table and all below it; the depth is bounded by the levels. */
static const char *table(struct cursor *c, uint64_t table_pa, unsigned level, uint64_t base,
			 uint64_t *where)
{
	const uint64_t *entries = frame_ptr(table_pa);
	uint64_t size = PAGE_SIZE << (9 * (level - 1));
	const char *wrong = NULL;

	for (unsigned i = level == 4 ? TABLE_LEN / 2 : 0; i < TABLE_LEN; i++) {
		uint64_t e = entries[i];
		uint64_t va = base + i * size;

		if (!(e & NK_PTE_P))
			continue;
		*where = va;
		if (level == 1 || e & NK_PTE_PS) {
			wrong = level <= 2 ? leaf(c, va, e, size) : "page too large";
		} else if (e & NK_PTE_U || !table_type_ok(c, e & NK_PTE_ADDR, va, level - 1)) {
			wrong = "table of a wrong type";
		} else {
			wrong = table(c, e & NK_PTE_ADDR, level - 1, va, where);
		}
		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}

const char *nk_audit(uint64_t *where)
{
	const uint64_t *root = frame_ptr(nk_record.root);
	struct cursor c = CURSOR_NEW;

	*where = 0;
	if (type_of(&c, nk_record.root) != NK_T_L4)
		return "top-level table has a wrong type";
	for (unsigned i = 0; i < TABLE_LEN / 2; i++)
		if (root[i] != 0)
			return "the kernel's own space has a program half";
	return table(&c, nk_record.root, 4, 0xffff000000000000ull, where);
}

/* ---- start-up ---- */

static void com1(const char *text)
{
	for (; *text != '\0'; text++)
		__asm__ volatile("outb %0, %1" ::"a"(*text), "Nd"((uint16_t)0x3f8));
}

static void com1_hex(uint64_t v)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		com1((char[]){ "0123456789abcdef"[v >> shift & 15], '\0' });
}

/* Called by nk_take_over: the mappings boot made are valid, or this core does not start. */
void nk_first_audit(void);
void nk_first_audit(void)
{
	uint64_t where;
	const char *wrong = nk_audit(&where);

	if (wrong == NULL)
		return;
	com1("nk: boot mapping refused: ");
	com1(wrong);
	com1(" at ");
	com1_hex(where);
	com1("\r\n");
	__asm__ volatile("outl %0, %1" ::"a"(BOOT_EXIT_PANIC), "Nd"((uint16_t)0xf4));
	for (;;)
		__asm__ volatile("cli; hlt");
}
