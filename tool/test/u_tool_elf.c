/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading real and damaged ELF files; system calls in code. */
#include "base/test/test.h"

#include <asm/unistd_64.h>
#include <stdlib.h>

#include "tool/elf_info.h"
#include "tool/syscalls.h"

static void this_test_itself(void **state)
{
	struct elf_info info;
	char why[ELF_WHY_MAX];

	(void)state;
	assert_true(elf_info_load("/proc/self/exe", &info, why));
	assert_true(info.is_elf && info.dynamic);
	assert_non_null(info.interp);
	assert_true(strv_has(&info.needed, "libc.so.6"));
	elf_info_release(&info);
}

static void not_for_us(void **state)
{
	struct elf_info info;
	char why[ELF_WHY_MAX];

	(void)state;
	assert_false(elf_info_load("/dev/null", &info, why));
	assert_string_equal(why, "no regular file");
	assert_false(elf_info_load("/none", &info, why));
	assert_string_equal(why, "unreadable: No such file or directory");
	assert_false(elf_info_load("/etc/passwd", &info, why));
	assert_false(info.is_elf);
	assert_string_equal(why, "not an ELF file");
}

/*
 * Every prefix of a real file, and every byte of its headers changed: refused or read, never worse.
 */
static void damaged_files(void **state)
{
	struct elf_info info;
	char why[ELF_WHY_MAX], *data;
	size_t size;

	(void)state;
	assert_int_equal(read_whole_file("/bin/true", 1u << 24, &data, &size), 0);
	for (size_t n = 0; n < size; n += n < 2048 ? 1 : 509) {
		char *cut = xmalloc(n);

		memcpy(cut, data, n);
		elf_info_read(cut, n, &info, why);
		elf_info_release(&info);
		free(cut);
	}
	for (size_t i = 0; i < 1024; i++)
		for (int v = 0; v < 256; v += 51) {
			char keep = data[i];

			data[i] = (char)v;
			elf_info_read(data, size, &info, why);
			elf_info_release(&info);
			data[i] = keep;
		}
	free(data);
}

static void scan(const char *code, size_t size, int nr, unsigned unknown)
{
	struct syscall_scan s = { 0 };

	syscall_scan_code(&s, (const uint8_t *)code, size);
	assert_int_equal(s.places, 1);
	assert_int_equal(s.unknown, unknown);
	for (unsigned i = 0; i < SYSCALL_MAX; i++)
		assert_int_equal(s.made[i], (int)i == nr);
}

static void numbers_of_system_calls(void **state)
{
#define SCAN(code, nr, unknown) scan(code, sizeof(code) - 1, nr, unknown)
	(void)state;
	SCAN("\xb8\x27\x00\x00\x00\x0f\x05", __NR_getpid, 0);               /* mov $39, %eax */
	SCAN("\x48\xc7\xc0\x3c\x00\x00\x00\x31\xff\x0f\x05", __NR_exit, 0); /* mov $60, %rax */
	SCAN("\x31\xc0\x89\xfe\x0f\x05", __NR_read, 0);                     /* xor %eax, %eax */
	SCAN("\x6a\x27\x58\x0f\x05", __NR_getpid, 0);                       /* push; pop */
	SCAN("\x89\xf8\x0f\x05", -1, 1);                                    /* mov %edi, %eax */
	SCAN("\xb8\x27\x00\x00\x00\x89\xf8\x0f\x05", -1, 1);                /* overwritten */
	SCAN("\xb8\x27\x00\x00\x00\xe8\x00\x00\x00\x00\x0f\x05", -1, 1);    /* a call between */
	SCAN("\x0f\x05", -1, 1);
#undef SCAN
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(syscall_name(__NR_read), "read");
	assert_string_equal(syscall_name(__NR_clone3), "clone3");
	assert_null(syscall_name(SYSCALL_MAX));
	assert_true(syscall_served(__NR_read));
	assert_false(syscall_served(__NR_init_module));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(this_test_itself),
		cmocka_unit_test(not_for_us),
		cmocka_unit_test(damaged_files),
		cmocka_unit_test(numbers_of_system_calls),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
