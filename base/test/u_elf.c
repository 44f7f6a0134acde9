/* SPDX-License-Identifier: BSD-2-Clause */
/* The ELF checker: a good image, each field of it made bad, and this very program. */
#include <linux/elf-em.h>

#include "base/elf.h"
#include "base/test/test.h"

#define FILE_SIZE 0x3000u
#define NO_OF_PH  4

static struct image {
	Elf64_Ehdr e;
	Elf64_Phdr p[NO_OF_PH];
} img;

static struct elf_head head;
static struct elf_layout layout;

enum { TEXT, DATA, INTERP, STACK };

static void make_good(void)
{
	memset(&img, 0, sizeof(img));
	memcpy(img.e.e_ident, ELFMAG, SELFMAG);
	img.e.e_ident[EI_CLASS] = ELFCLASS64;
	img.e.e_ident[EI_DATA] = ELFDATA2LSB;
	img.e.e_ident[EI_VERSION] = EV_CURRENT;
	img.e.e_type = ET_DYN;
	img.e.e_machine = EM_X86_64;
	img.e.e_entry = 0x1010;
	img.e.e_phoff = offsetof(struct image, p);
	img.e.e_phnum = NO_OF_PH;
	img.e.e_phentsize = sizeof(Elf64_Phdr);
	img.p[TEXT] = (Elf64_Phdr){ .p_type = PT_LOAD,
				    .p_flags = PF_R | PF_X,
				    .p_memsz = 0x2000,
				    .p_filesz = 0x2000,
				    .p_align = 0x1000 };
	img.p[DATA] = (Elf64_Phdr){ .p_type = PT_LOAD,
				    .p_flags = PF_R | PF_W,
				    .p_offset = 0x2010,
				    .p_vaddr = 0x5010,
				    .p_filesz = 0xff0,
				    .p_memsz = 0x4321,
				    .p_align = 0x200000 };
	img.p[INTERP] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_offset = 0x300, .p_filesz = 28 };
	img.p[STACK] = (Elf64_Phdr){ .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W };
}

static enum elf_reason check(void)
{
	enum elf_reason r = elf_check_header(&img, ELF_HEADER_BYTES, FILE_SIZE, &head);

	return r == ELF_OK ? elf_check_segments(&head, img.p, &layout) : r;
}

static void good_image(void **state)
{
	struct elf_segment s;

	(void)state;
	make_good();
	assert_int_equal(check(), ELF_OK);
	assert_int_equal(head.type, ET_DYN);
	assert_int_equal(head.entry, 0x1010);
	assert_int_equal(head.ph_bytes, NO_OF_PH * 56);
	assert_int_equal(layout.lo, 0);
	assert_int_equal(layout.hi, 0xa000);
	assert_int_equal(layout.brk, 0x5010 + 0x4321);
	assert_int_equal(layout.max_align, 0x200000);
	assert_int_equal(layout.phdr_vaddr, 64);
	assert_int_equal(layout.loads, 2);
	assert_int_equal(layout.interp_offset, 0x300);
	assert_int_equal(layout.interp_size, 28);
	assert_true(layout.has_gnu_stack && !layout.exec_stack && layout.entry_ok);
	elf_segment_get(img.p, DATA, &s);
	assert_int_equal(s.vaddr, 0x5010);
	assert_int_equal(s.flags, PF_R | PF_W);
}

/* One change to the good image, and what must be said. */
#define BAD(change, reason)                          \
	do {                                         \
		make_good();                         \
		change;                              \
		assert_int_equal(check(), (reason)); \
	} while (0)

static void bad_headers(void **state)
{
	(void)state;
	BAD(img.e.e_ident[0] = 'x', ELF_NOT_ELF);
	BAD(memcpy(&img, "#!/bin/sh\n", 10), ELF_NOT_ELF);
	BAD((img.e.e_ident[EI_CLASS] = ELFCLASS32, img.e.e_machine = EM_386), ELF_32BIT);
	BAD((img.e.e_ident[EI_CLASS] = ELFCLASS32, img.e.e_machine = EM_ARM), ELF_MACHINE);
	BAD(img.e.e_ident[EI_CLASS] = ELFCLASS32, ELF_32BIT); /* x32 */
	BAD(img.e.e_ident[EI_DATA] = ELFDATA2MSB, ELF_BIG_ENDIAN);
	BAD(img.e.e_ident[EI_CLASS] = 7, ELF_BAD_CLASS);
	BAD(img.e.e_ident[EI_DATA] = 0, ELF_BAD_CLASS);
	BAD(img.e.e_ident[EI_VERSION] = 0, ELF_BAD_CLASS);
	BAD(img.e.e_type = ET_REL, ELF_TYPE);
	BAD(img.e.e_type = ET_CORE, ELF_TYPE);
	BAD(img.e.e_machine = EM_AARCH64, ELF_MACHINE);
	assert_int_equal(head.machine, EM_AARCH64);
	assert_string_equal(elf_machine_name(head.machine), "AArch64");
	assert_null(elf_machine_name(9999));
	BAD(img.e.e_phentsize = 32, ELF_PHENTSIZE);
	BAD(img.e.e_phnum = 0, ELF_PHNUM);
	BAD(img.e.e_phnum = ELF_PH_MAX + 1, ELF_PHNUM);
	BAD(img.e.e_phnum = 0xffff, ELF_PHNUM);
	BAD(img.e.e_phoff = FILE_SIZE - 8, ELF_PH_OUTSIDE);
	BAD(img.e.e_phoff = UINT64_MAX - 8, ELF_PH_OUTSIDE);
}

static void bad_segments(void **state)
{
	(void)state;
	BAD(img.p[TEXT].p_type = img.p[DATA].p_type = PT_NULL, ELF_NO_LOAD);
	BAD((img.p[TEXT].p_type = PT_NULL, img.p[DATA].p_memsz = img.p[DATA].p_filesz = 0),
	    ELF_NO_LOAD);
	BAD(img.p[TEXT].p_filesz++, ELF_SEG_SIZE);
	BAD(img.p[DATA].p_offset = 0x3010, ELF_SEG_OUTSIDE);
	BAD(img.p[DATA].p_offset = UINT64_MAX - 0xfef, ELF_SEG_OUTSIDE);
	BAD(img.p[DATA].p_vaddr = ELF_USER_END, ELF_SEG_ADDRESS);
	BAD(img.p[DATA].p_vaddr = 0xffffffff80000000, ELF_SEG_ADDRESS);
	BAD(img.p[DATA].p_memsz = UINT64_MAX, ELF_SEG_ADDRESS);
	BAD(img.p[DATA].p_memsz = UINT64_MAX - 0x5010 + 1, ELF_SEG_ADDRESS);
	BAD(img.p[DATA].p_vaddr++, ELF_SEG_ALIGN);
	BAD(img.p[INTERP].p_filesz = 1, ELF_INTERP);
	BAD(img.p[INTERP].p_filesz = 4097, ELF_INTERP);
	BAD(img.p[INTERP].p_offset = FILE_SIZE - 4, ELF_SEG_OUTSIDE);
}

/* Odd, but Linux runs them. */
static void tolerated(void **state)
{
	Elf64_Phdr swap;

	(void)state;
	BAD(img.p[DATA].p_align = 3, ELF_OK);
	assert_int_equal(layout.max_align, PAGE_SIZE);
	BAD(img.p[DATA].p_align = 0, ELF_OK);
	BAD((swap = img.p[TEXT], img.p[TEXT] = img.p[DATA], img.p[DATA] = swap), ELF_OK);
	assert_int_equal(layout.lo, 0);
	assert_int_equal(layout.brk, 0x5010 + 0x4321);
	BAD(img.p[DATA].p_vaddr = 0x1010, ELF_OK); /* overlaps the text */
	BAD((img.p[DATA].p_filesz = 0, img.p[DATA].p_offset = UINT64_MAX, img.p[DATA].p_offset = 0),
	    ELF_OK);
	BAD(img.p[STACK].p_flags = PF_R | PF_W | PF_X, ELF_OK);
	assert_true(layout.exec_stack);
	BAD(img.e.e_entry = 0, ELF_OK);
	assert_true(layout.entry_ok); /* 0 lies in the text here */
	BAD(img.e.e_entry = 0x5010, ELF_OK);
	assert_false(layout.entry_ok);
	BAD(img.p[DATA].p_memsz = ELF_USER_END - 0x5010, ELF_OK);
	assert_int_equal(layout.hi, ELF_USER_END);
}

static void every_length(void **state)
{
	(void)state;
	make_good();
	for (size_t len = 0; len < ELF_HEADER_BYTES; len++) {
		void *copy = malloc(len != 0 ? len : 1); /* the sanitiser sees a byte too many */

		memcpy(copy, &img, len);
		assert_int_equal(elf_check_header(copy, len, len, &head),
				 len < SELFMAG ? ELF_NOT_ELF : ELF_TRUNCATED);
		free(copy);
	}
}

static void interpreter(void **state)
{
	(void)state;
	assert_int_equal(elf_check_interp("/lib64/ld.so", 13), ELF_OK);
	assert_int_equal(elf_check_interp("/lib64/ld.so", 12), ELF_INTERP);
	assert_int_equal(elf_check_interp("\0\0", 2), ELF_INTERP);
	assert_int_equal(elf_check_interp("", 1), ELF_INTERP);
}

static void texts(void **state)
{
	(void)state;
	for (int r = 0; r < ELF_REASONS; r++)
		assert_non_null(elf_reason_text((enum elf_reason)r));
	assert_non_null(elf_reason_text((enum elf_reason)1000));
	assert_int_equal(elf_reason_err(ELF_OK), OK);
	assert_int_equal(elf_reason_err(ELF_NOT_ELF), E_NOEXEC);
	assert_int_equal(elf_reason_err(ELF_SEG_SIZE), E_INVAL);
}

static void real_file(void **state)
{
	static uint8_t data[64 * 1024];
	FILE *f = fopen("/proc/self/exe", "rb");
	size_t n;
	long size;

	(void)state;
	assert_non_null(f);
	n = fread(data, 1, sizeof(data), f);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	size = ftell(f);
	fclose(f);
	assert_int_equal(elf_check_header(data, n, (uint64_t)size, &head), ELF_OK);
	assert_true(head.phoff + head.ph_bytes <= n);
	assert_int_equal(elf_check_segments(&head, data + head.phoff, &layout), ELF_OK);
	assert_true(layout.entry_ok);
	assert_int_equal(elf_check_interp((char *)data + layout.interp_offset, layout.interp_size),
			 ELF_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_image),   cmocka_unit_test(bad_headers),
		cmocka_unit_test(bad_segments), cmocka_unit_test(tolerated),
		cmocka_unit_test(every_length), cmocka_unit_test(interpreter),
		cmocka_unit_test(texts),        cmocka_unit_test(real_file),
	};

	return cmocka_run_group_tests_name("elf", tests, NULL, NULL);
}
