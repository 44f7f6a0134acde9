/* SPDX-License-Identifier: BSD-2-Clause */
/* What the loader hands over: PVH start_info or Multiboot2 tags. All that is needed is copied. */
#include "base/str.h"
#include "boot/boot.h"

#define PVH_MAGIC        0x336ec578
#define MULTIBOOT2_MAGIC 0x36d76289
#define MEMORY_USABLE    1

struct pvh_info {
	uint32_t magic, version, flags, nmodules;
	uint64_t modules, cmdline, rsdp;
	uint64_t memmap; /* from version 1 */
	uint32_t nmemmap, reserved;
};
struct pvh_module {
	uint64_t start, len, cmdline, reserved;
};
struct memory_entry {
	uint64_t start, len;
	uint32_t type, reserved;
}; /* both protocols */

struct tag {
	uint32_t type, size;
};
enum {
	TAG_END = 0,
	TAG_CMDLINE = 1,
	TAG_MODULE = 3,
	TAG_MEMORY_MAP = 6,
	TAG_RSDP_OLD = 14,
	TAG_RSDP_NEW = 15,
};
struct tag_module {
	struct tag tag;
	uint32_t start, end;
};
struct tag_memory {
	struct tag tag;
	uint32_t entry_size, version;
};

/* First module: root image; second: run configuration. */
static void add_module(unsigned number, uint64_t start, uint64_t len)
{
	struct boot_state *b = &boot_state;

	if (len == 0 || number > 1)
		return;
	if ((start & PAGE_MASK) != 0 || start + len > 1ull << 32)
		boot_fail(BOOT_EXIT_CONFIG, "module %u at %#lx is not on a page below 4 GiB",
			  number, start);
	if (number == 0) {
		b->image = start;
		b->image_len = len;
		return;
	}
	if (len > BOOT_RUN_MAX)
		boot_fail(BOOT_EXIT_CONFIG, "run configuration: %lu bytes, at most %u", len,
			  BOOT_RUN_MAX);
	b->run = start;
	b->run_len = len;
}

static void set_cmdline(const char *text)
{
	if (!str_copy(boot_state.cmdline, sizeof(boot_state.cmdline), text))
		boot_fail(BOOT_EXIT_CONFIG, "command line is longer than %u bytes",
			  BOOT_CMDLINE_MAX - 1);
}

static void add_memory(const struct memory_entry *e)
{
	if (e->type == MEMORY_USABLE)
		memory_add(e->start, e->len);
}

static void pvh_parse(const struct pvh_info *info)
{
	const struct memory_entry *map = low_ptr(info->memmap);
	const struct pvh_module *modules = low_ptr(info->modules);

	if (info->magic != PVH_MAGIC || info->version < 1)
		boot_fail(BOOT_EXIT_CONFIG, "PVH start info without memory map");
	for (uint32_t i = 0; i < info->nmemmap; i++)
		add_memory(&map[i]);
	for (uint32_t i = 0; i < info->nmodules; i++)
		add_module(i, modules[i].start, modules[i].len);
	if (info->cmdline != 0)
		set_cmdline(low_ptr(info->cmdline));
	boot_state.rsdp = info->rsdp;
}

static void memory_tag(const struct tag_memory *t)
{
	for (uint32_t at = sizeof(*t); at + t->entry_size <= t->tag.size; at += t->entry_size)
		add_memory((const struct memory_entry *)((const char *)t + at));
}

static void multiboot2_parse(uint64_t info)
{
	uint64_t end = info + *(uint32_t *)low_ptr(info);
	unsigned modules = 0;

	for (uint64_t at = info + 8; at + sizeof(struct tag) <= end;) {
		const struct tag *t = low_ptr(at);
		const struct tag_module *m = low_ptr(at);

		if (t->type == TAG_END)
			break;
		if (t->type == TAG_CMDLINE)
			set_cmdline((const char *)(t + 1));
		else if (t->type == TAG_MODULE)
			add_module(modules++, m->start, m->end - m->start);
		else if (t->type == TAG_MEMORY_MAP)
			memory_tag(low_ptr(at));
		else if (t->type == TAG_RSDP_NEW ||
			 (t->type == TAG_RSDP_OLD && boot_state.rsdp == 0))
			/* a copy, good until memory is split */
			boot_state.rsdp = (uint64_t)(t + 1);
		at += ALIGN_UP((uint64_t)t->size, 8ull);
	}
}

/*
 * image=ADDRESS,LENGTH: the root image lies in the machine's memory already. QEMU can map a file
 * there, and then nobody copies it.
 */
static void image_word(void)
{
	struct boot_state *b = &boot_state;
	const char *word = strstr(b->cmdline, "image=");
	uint64_t start, len;

	if (word == NULL || (word != b->cmdline && word[-1] != ' '))
		return;
	if (b->image_len != 0)
		boot_fail(BOOT_EXIT_CONFIG, "image=: the loader has brought an image, too");
	if (!str_parse_u64(word + strlen("image="), 0, &start, &word) || *word != ',' ||
	    !str_parse_u64(word + 1, 0, &len, &word) || (*word != ' ' && *word != '\0') ||
	    len == 0 || (start & PAGE_MASK) != 0 || start + len < start)
		boot_fail(BOOT_EXIT_CONFIG, "image= is to be ADDRESS,LENGTH, on a page");
	if (!memory_has(start, start + len))
		boot_fail(BOOT_EXIT_CONFIG, "image=: there is no memory at %#lx", start);
	b->image = start;
	b->image_len = len;
}

void info_parse(uint64_t info, uint32_t magic)
{
	if (boot_state.protocol == BOOT_PVH)
		pvh_parse(low_ptr(info));
	else if (magic == MULTIBOOT2_MAGIC)
		multiboot2_parse(info);
	else
		boot_fail(BOOT_EXIT_CONFIG, "started by an unknown loader (%#x)", magic);
	if (boot_state.nram == 0)
		boot_fail(BOOT_EXIT_NOMEM, "the loader's memory map has no usable memory");
	image_word();
}
