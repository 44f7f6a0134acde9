/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every forbidden sequence is found at every alignment, across a page border, and nothing else is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "abi/types.h"
#include "build-tools/forbidden.h"

struct sample {
	uint8_t bytes[8];
	uint8_t len;
	uint8_t opcode; /* where the opcode begins: behind prefixes */
	const char *what;
};

static const struct sample bad[] = {
	{ { 0x0f, 0x22, 0xc0 }, 3, 0, "mov %rax, %cr0" },
	{ { 0x0f, 0x22, 0xc7 }, 3, 0, "mov %rdi, %cr0" },
	{ { 0x0f, 0x22, 0xd8 }, 3, 0, "mov %rax, %cr3" },
	{ { 0x0f, 0x22, 0xe0 }, 3, 0, "mov %rax, %cr4" },
	{ { 0x0f, 0x22, 0x18 }, 3, 0, "mov %rax, %cr3 with mod 0, which processors ignore" },
	{ { 0x44, 0x0f, 0x22, 0xc0 }, 4, 1, "mov %rax, %cr8" },
	{ { 0x0f, 0x23, 0xf8 }, 3, 0, "mov %rax, %dr7" },
	{ { 0x0f, 0x23, 0x00 }, 3, 0, "mov %rax, %dr0 with mod 0" },
	{ { 0x0f, 0x30 }, 2, 0, "wrmsr" },
	{ { 0x0f, 0x01, 0x10 }, 3, 0, "lgdt (%rax)" },
	{ { 0x0f, 0x01, 0x55, 0x08 }, 4, 0, "lgdt 8(%rbp)" },
	{ { 0x0f, 0x01, 0x1f }, 3, 0, "lidt (%rdi)" },
	{ { 0x0f, 0x01, 0x9b, 0, 0, 0, 0 }, 7, 0, "lidt 0(%rbx)" },
	{ { 0x0f, 0x01, 0xf0 }, 3, 0, "lmsw %ax" },
	{ { 0x0f, 0x01, 0x30 }, 3, 0, "lmsw (%rax)" },
	{ { 0x0f, 0x00, 0xd0 }, 3, 0, "lldt %ax" },
	{ { 0x0f, 0x00, 0x10 }, 3, 0, "lldt (%rax)" },
	{ { 0x0f, 0x00, 0xd8 }, 3, 0, "ltr %ax" },
	{ { 0x0f, 0x00, 0x1a }, 3, 0, "ltr (%rdx)" },
	{ { 0x0f, 0x01, 0xd1 }, 3, 0, "xsetbv" },
	{ { 0x0f, 0x01, 0xef }, 3, 0, "wrpkru" },
	{ { 0x0f, 0x01, 0xf8 }, 3, 0, "swapgs" },
	{ { 0x0f, 0x01, 0xc6 }, 3, 0, "wrmsrns" },
	{ { 0x0f, 0x01, 0xc1 }, 3, 0, "vmcall" },
	{ { 0x0f, 0x01, 0xc2 }, 3, 0, "vmlaunch" },
	{ { 0x0f, 0x01, 0xc3 }, 3, 0, "vmresume" },
	{ { 0x0f, 0x01, 0xc4 }, 3, 0, "vmxoff" },
	{ { 0x0f, 0x01, 0xd8 }, 3, 0, "vmrun" },
	{ { 0x0f, 0x01, 0xd9 }, 3, 0, "vmmcall" },
	{ { 0x0f, 0x01, 0xda }, 3, 0, "vmload" },
	{ { 0x0f, 0x01, 0xdb }, 3, 0, "vmsave" },
	{ { 0x0f, 0x01, 0xdc }, 3, 0, "stgi" },
	{ { 0x0f, 0x01, 0xdd }, 3, 0, "clgi" },
	{ { 0x0f, 0x01, 0xde }, 3, 0, "skinit" },
	{ { 0x0f, 0x01, 0xdf }, 3, 0, "invlpga" },
	{ { 0x66, 0x0f, 0x38, 0x82, 0x00 }, 5, 1, "invpcid (%rax), %rax" },
	{ { 0x66, 0x44, 0x0f, 0x38, 0x82, 0x01 }, 6, 2, "invpcid (%rcx), %r8" },
	{ { 0xf3, 0x0f, 0xae, 0xd0 }, 4, 1, "wrfsbase %eax" },
	{ { 0xf3, 0x48, 0x0f, 0xae, 0xd7 }, 5, 2, "wrfsbase %rdi" },
	{ { 0xf3, 0x48, 0x0f, 0xae, 0xd8 }, 5, 2, "wrgsbase %rax" },
	{ { 0xf3, 0x2e, 0x49, 0x0f, 0xae, 0xd8 }, 6, 3, "wrgsbase with a further prefix" },
};

static const struct sample good[] = {
	{ { 0x0f, 0x20, 0xc0 }, 3, 0, "mov %cr0, %rax" },
	{ { 0x0f, 0x20, 0xd8 }, 3, 0, "mov %cr3, %rax" },
	{ { 0x0f, 0x22, 0xd0 }, 3, 0, "mov %rax, %cr2" },
	{ { 0x0f, 0x21, 0xf8 }, 3, 0, "mov %dr7, %rax" },
	{ { 0x0f, 0x32 }, 2, 0, "rdmsr" },
	{ { 0x0f, 0x31 }, 2, 0, "rdtsc" },
	{ { 0x0f, 0x01, 0x00 }, 3, 0, "sgdt (%rax)" },
	{ { 0x0f, 0x01, 0x08 }, 3, 0, "sidt (%rax)" },
	{ { 0x0f, 0x01, 0xe0 }, 3, 0, "smsw %eax" },
	{ { 0x0f, 0x01, 0x38 }, 3, 0, "invlpg (%rax)" },
	{ { 0x0f, 0x00, 0xc0 }, 3, 0, "sldt %eax" },
	{ { 0x0f, 0x00, 0xc8 }, 3, 0, "str %eax" },
	{ { 0x0f, 0x00, 0xe0 }, 3, 0, "verr %ax" },
	{ { 0x0f, 0x01, 0xca }, 3, 0, "clac" },
	{ { 0x0f, 0x01, 0xcb }, 3, 0, "stac" },
	{ { 0x0f, 0x01, 0xd0 }, 3, 0, "xgetbv" },
	{ { 0x0f, 0x01, 0xee }, 3, 0, "rdpkru" },
	{ { 0x0f, 0x01, 0xf9 }, 3, 0, "rdtscp" },
	{ { 0x0f, 0x01, 0xc8 }, 3, 0, "monitor" },
	{ { 0x0f, 0x38, 0x82, 0x00 }, 4, 0, "0f 38 82 without 66: undefined" },
	{ { 0x66, 0x0f, 0x38, 0x82, 0xc0 }, 5, 1, "invpcid with a register: undefined" },
	{ { 0x66, 0x0f, 0x38, 0xf6, 0xc0 }, 5, 1, "adcx" },
	{ { 0x0f, 0xae, 0xd0 }, 3, 0, "0f ae d0 without f3: undefined" },
	{ { 0x0f, 0xae, 0x10 }, 3, 0, "ldmxcsr (%rax)" },
	{ { 0xf3, 0x0f, 0xae, 0xc0 }, 4, 1, "rdfsbase %eax" },
	{ { 0xf3, 0x0f, 0xae, 0xc8 }, 4, 1, "rdgsbase %eax" },
	{ { 0x0f, 0xae, 0xe8 }, 3, 0, "lfence" },
	{ { 0x0f, 0xae, 0x20 }, 3, 0, "xsave (%rax)" },
	{ { 0x0f, 0x05 }, 2, 0, "syscall" },
	{ { 0x0f, 0x07 }, 2, 0, "sysret" },
	{ { 0xf3, 0x48, 0xa5 }, 3, 0, "rep movsq" },
	{ { 0x30, 0x0f }, 2, 0, "xor %cl, (%rdi)" },
};

#define CODE_BYTES (3 * PAGE_SIZE)
static uint8_t code[CODE_BYTES];

static unsigned count_hits(size_t len, size_t *where)
{
	unsigned hits = 0;

	for (size_t at = 0; at < len; at++)
		if (forbidden_at(code, len, at) != NULL) {
			*where = at;
			hits++;
		}
	return hits;
}

static void check_at(const struct sample *s, size_t at, unsigned expected)
{
	size_t where = at + s->opcode;

	memset(code, 0x90, sizeof(code));
	memcpy(code + at, s->bytes, s->len);
	if (count_hits(sizeof(code), &where) != expected || where != at + s->opcode)
		fail_msg("%s at offset %zu", s->what, at);
}

static void finds_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		for (size_t at = 64; at < 64 + 17; at++)
			check_at(&bad[i], at, 1);
}

static void finds_across_page_border(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		for (size_t before = 0; before <= bad[i].len; before++)
			check_at(&bad[i], PAGE_SIZE - before, 1);
}

static void finds_at_both_ends(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		check_at(&bad[i], 0, 1);
		check_at(&bad[i], CODE_BYTES - bad[i].len, 1);
	}
}

/* Hidden in the constant of another instruction: mov $imm64, %rax. */
static void finds_in_constant(void **state)
{
	static const struct sample hidden = {
		{ 0x48, 0xb8, 0x11, 0x0f, 0x22, 0xd8, 0x11, 0x11 }, 8, 3, "cr3 in a constant"
	};

	(void)state;
	check_at(&hidden, 100, 1);
}

static void passes_clean_code(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		check_at(&good[i], 64, 0);
		check_at(&good[i], PAGE_SIZE - 1, 0);
		check_at(&good[i], 0, 0);
	}
}

/* What is cut off at the end of the code cannot execute. */
static void passes_cut_off(void **state)
{
	size_t where;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		size_t need = bad[i].bytes[bad[i].opcode + 1] == 0x38   ? 4
			      : bad[i].bytes[bad[i].opcode + 1] == 0x30 ? 2
									: 3;

		memset(code, 0x90, sizeof(code));
		memcpy(code + 64, bad[i].bytes, bad[i].len);
		for (size_t known = 0; known < need; known++)
			if (count_hits(64 + bad[i].opcode + known, &where) != 0)
				fail_msg("%s cut off after %zu", bad[i].what, known);
	}
}

/* A prefix counts only if nothing but prefixes (and REX at last) stands in between. */
static void prefix_must_belong(void **state)
{
	static const struct sample apart = { { 0xf3, 0x90, 0x0f, 0xae, 0xd0 }, 5, 2, "pause; ..." };
	static const struct sample rex_early = {
		{ 0x48, 0xf3, 0x0f, 0xae, 0xd0 }, 5, 2, "REX before the prefix has no effect"
	};
	static const struct sample last = {
		{ 0xf3, 0x66, 0x66, 0x66, 0x48, 0x0f, 0xae, 0xd0 }, 8, 5, "f3 in front of many"
	};

	(void)state;
	check_at(&apart, 64, 0);
	check_at(&rex_early, 64, 1);
	check_at(&last, 64, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_all),          cmocka_unit_test(finds_across_page_border),
		cmocka_unit_test(finds_at_both_ends), cmocka_unit_test(finds_in_constant),
		cmocka_unit_test(passes_clean_code),  cmocka_unit_test(passes_cut_off),
		cmocka_unit_test(prefix_must_belong),
	};

	return cmocka_run_group_tests_name("forbidden", tests, NULL, NULL);
}
