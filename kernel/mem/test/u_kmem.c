/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernel objects: sizes, alignment, content, what is left over, and the detection of writes after
 * free.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/mem/test/machine.h"

#define OBJECTS 2000u

static struct {
	uint8_t *p;
	size_t size;
	uint8_t fill;
} object[OBJECTS];

static size_t random_size(void)
{
	switch (rand() % 4) {
	case 0: return (size_t)(rand() % 20000);
	case 1: return (size_t)(rand() % 2100);
	default: return (size_t)(rand() % 300);
	}
}

static void check_content(unsigned i)
{
	for (size_t k = 0; k < object[i].size; k++)
		assert_int_equal(object[i].p[k], object[i].fill);
}

static void make(unsigned i)
{
	size_t size = random_size(), align = (size_t)1 << (rand() % 8);

	if (rand() % 3 == 0) {
		object[i].p = kmem_alloc_aligned(size, align);
		assert_int_equal((uint64_t)object[i].p % align, 0);
	} else if (rand() % 2 == 0) {
		object[i].p = kmem_zalloc(size);
		object[i].fill = 0;
		object[i].size = size;
		check_content(i);
	} else {
		object[i].p = kmem_alloc(size);
	}
	assert_non_null(object[i].p);
	assert_int_equal((uint64_t)object[i].p % 16, 0);
	object[i].size = size;
	object[i].fill = (uint8_t)rand();
	memset(object[i].p, object[i].fill, size);
}

static void change_size(unsigned i)
{
	size_t size = random_size() + 1, keep = size < object[i].size ? size : object[i].size;
	uint8_t *p = kmem_realloc(object[i].p, size);

	assert_non_null(p);
	object[i].p = p;
	object[i].size = keep;
	check_content(i);
	object[i].size = size;
	memset(p, object[i].fill, size);
}

static void random_objects(void **ctx)
{
	uint64_t before = machine_free_frames();
	struct mem_stats s;

	(void)ctx;
	srand(2);
	for (unsigned step = 0; step < 100000; step++) {
		unsigned i = (unsigned)rand() % OBJECTS;

		if (object[i].p == NULL) {
			make(i);
			continue;
		}
		check_content(i);
		if (rand() % 4 == 0) {
			change_size(i);
			continue;
		}
		kmem_free(object[i].p);
		object[i].p = NULL;
	}
	for (unsigned i = 0; i < OBJECTS; i++)
		kmem_free(object[i].p);
	assert_int_equal(machine_free_frames(), before);
	mem_stats(&s);
	assert_int_equal(s.kernel_heap, 0);
}

static void limits(void **ctx)
{
	void *p;

	(void)ctx;
	assert_null(kmem_alloc(KMEM_MAX + 1));
	assert_null(kmem_alloc(SIZE_MAX));
	p = kmem_alloc(KMEM_MAX);
	assert_non_null(p);
	kmem_free(p);
	kmem_free(NULL);
	p = kmem_strndup("path/to", 4);
	assert_string_equal(p, "path");
	kmem_free(p);
	p = kmem_alloc_aligned(100, 4096);
	assert_int_equal((uint64_t)p & PAGE_MASK, 0);
	kmem_free(p);
}

static void usage(void **ctx)
{
	struct kmem_usage before[KMEM_SIZES], after[KMEM_SIZES];
	void *small[40], *large = kmem_alloc(5000), *largest = kmem_alloc(KMEM_MAX);
	struct mem_stats s;
	uint64_t frames = 0;

	(void)ctx;
	kmem_usage(before);
	for (unsigned i = 0; i < 40; i++)
		small[i] = kmem_alloc(100);
	kmem_usage(after);
	for (unsigned i = 0; i < KMEM_SIZES; i++) {
		assert_int_equal(after[i].used, before[i].used + (after[i].size == 128 ? 40u : 0u));
		frames += after[i].frames;
		if (after[i].size == 8192 || after[i].size == KMEM_MAX) {
			assert_int_equal(after[i].used, 1);
			assert_int_equal(after[i].frames, after[i].size / PAGE_SIZE);
		}
	}
	mem_stats(&s);
	assert_int_equal(s.kernel_heap, frames * PAGE_SIZE);
	for (unsigned i = 0; i < 40; i++)
		kmem_free(small[i]);
	kmem_free(large);
	kmem_free(largest);
	(void)machine_free_frames();
}

static void injected_failures(void **ctx)
{
	unsigned failed = 0;

	(void)ctx;
	kmem_fail_every = 3;
	for (unsigned i = 0; i < 30; i++) {
		void *p = kmem_alloc(100);

		failed += p == NULL;
		kmem_free(p);
	}
	kmem_fail_every = 0;
	assert_in_range(failed, 9, 11);
}

/* In a child process: the kernel stops. */
static void write_after_free(void **ctx)
{
	int status;
	pid_t pid = fork();

	(void)ctx;
	if (pid == 0) {
		uint8_t *p = kmem_alloc(64);

		close(2);
		kmem_free(p);
		p[40] = 1;
		(void)kmem_alloc(64);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static int start(void **ctx)
{
	(void)ctx;
	kmem_poison = true;
	machine_start();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_objects),
		cmocka_unit_test(limits),
		cmocka_unit_test(usage),
		cmocka_unit_test(injected_failures),
		cmocka_unit_test(write_after_free),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
