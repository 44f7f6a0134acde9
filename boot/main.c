/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Boot, in order. Core 0 finds out everything, then each core builds its own address space and lets
 * nk take over.
 */
#include "base/str.h"
#include "boot/boot.h"

extern const char kernel_loaded_end[];

struct boot_state boot_state;

NORETURN void boot_main(enum boot_protocol protocol, uint64_t info, uint32_t magic);
NORETURN void boot_main_other(unsigned core);

static uint64_t pages_end(uint64_t start, uint64_t len)
{
	return ALIGN_UP(start + len, PAGE_SIZE);
}

/* The run configuration may come as a module; else QEMU may have it. */
static void load_run(void)
{
	struct boot_state *b = &boot_state;
	uint16_t selector;
	uint32_t len;

	if (b->run_len != 0 || !fwcfg_find(BOOT_RUN_FWCFG, &selector, &len) || len == 0)
		return;
	if (len > BOOT_RUN_MAX)
		boot_fail(BOOT_EXIT_CONFIG, "run configuration: %u bytes, at most %u", len,
			  BOOT_RUN_MAX);
	b->run = memory_take_top(len);
	if (b->run == 0)
		boot_fail(BOOT_EXIT_NOMEM, "no memory for a run configuration of %u bytes", len);
	b->run_len = len;
	fwcfg_read(selector, low_ptr(b->run), len);
	memset(low_ptr(b->run + len), 0, pages_end(b->run, len) - b->run - len);
}

NORETURN static void start_kernel(unsigned core)
{
	uint64_t root;

	processor_set_up();
	root = percore_build(core);
	if (core == 0)
		smp_start(); /* the rings exist now */
	processor_load_tables();
	nk_take_over(root);
}

void boot_main(enum boot_protocol protocol, uint64_t info, uint32_t magic)
{
	struct boot_state *b = &boot_state;

	b->protocol = protocol;
	processor_features();
	info_parse(info, magic);
	cores_find();
	memory_cut(0, ALIGN_UP((uint64_t)kernel_loaded_end - KERNEL_BASE, CHUNK_SIZE));
	memory_cut(b->image, pages_end(b->image, b->image_len));
	memory_cut(b->run, pages_end(b->run, b->run_len));
	load_run();
	memory_split();
	start_kernel(0);
}

void boot_main_other(unsigned core)
{
	smp_arrived(core);
	start_kernel(core);
}
