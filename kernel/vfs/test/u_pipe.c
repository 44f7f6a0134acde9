/* SPDX-License-Identifier: BSD-2-Clause */
/* Pipes and FIFOs against the rules of pipe(7). */
#include "kernel/vfs/test/fake.h"

#include <asm/ioctls.h>
#include <linux/fcntl.h>

#include "base/str.h"

static struct file *r, *w;
static uint8_t big[300000], back[300000];

void epoll_file_gone(struct file *f)
{
	(void)f;
}

static int setup(void **state)
{
	(void)state;
	fake_reset();
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 7 + i / 251);
	struct file *ends[2];
	assert_int_equal(pipe_create(O_NONBLOCK, ends), OK);
	r = ends[0];
	w = ends[1];
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (r != NULL)
		file_put(r);
	if (w != NULL)
		file_put(w);
	assert_int_equal(fake_frames, 0);
	assert_int_equal(fake_objects, 0);
	return 0;
}

static void close_end(struct file **f)
{
	file_put(*f);
	*f = NULL;
}

static void test_bytes_come_out_in_order(void **state)
{
	char buf[16];

	(void)state;
	assert_int_equal(fake_read(r, buf, 16), E_AGAIN);
	assert_int_equal(fake_write(w, "hello", 5), 5);
	assert_int_equal(fake_write(w, "world", 5), 5);
	assert_int_equal(fake_read(r, buf, 7), 7);
	assert_memory_equal(buf, "hellowo", 7);
	assert_int_equal(fake_read(r, buf, 16), 3);
	assert_memory_equal(buf, "rld", 3);
	assert_int_equal(fake_read(r, buf, 16), E_AGAIN);
	assert_int_equal(fake_read(r, buf, 0), 0);
}

static void test_capacity_and_atomic_writes(void **state)
{
	(void)state;
	assert_int_equal(fake_write(w, big, sizeof(big)), 65536);
	assert_int_equal(w->ops->poll(w, NULL), 0);
	assert_int_equal(fake_write(w, big, 1), E_AGAIN);
	assert_int_equal(fake_read(r, back, 4095), 4095);
	/* 4095 free: PIPE_BUF bytes do not fit, and may not be split. */
	assert_int_equal(fake_write(w, big, 4096), E_AGAIN);
	assert_int_equal(w->ops->poll(w, NULL), 0);
	assert_int_equal(fake_read(r, back + 4095, 1), 1);
	assert_int_equal(w->ops->poll(w, NULL), EPOLLOUT | EPOLLWRNORM);
	assert_int_equal(fake_write(w, big, 5000), 4096);
	assert_int_equal(fake_read(r, back + 4096, sizeof(back)), 65536);
	assert_memory_equal(back, big, 65536);
	assert_memory_equal(back + 65536, big, 4096);
}

static void test_end_of_file_and_broken_pipe(void **state)
{
	char buf[4];

	(void)state;
	fake_write(w, "x", 1);
	close_end(&w);
	assert_int_equal(r->ops->poll(r, NULL), EPOLLIN | EPOLLRDNORM | EPOLLHUP);
	assert_int_equal(fake_read(r, buf, 4), 1);
	assert_int_equal(fake_read(r, buf, 4), 0);
	assert_int_equal(r->ops->poll(r, NULL), EPOLLHUP);
}

static void test_write_without_reader(void **state)
{
	(void)state;
	close_end(&r);
	assert_int_equal(fake_write(w, "x", 1), E_PIPE);
	assert_int_equal(fake_signal, SIGPIPE);
	assert_true(w->ops->poll(w, NULL) & EPOLLERR);
}

static void reader_takes_all(void)
{
	assert_int_equal(fake_read(r, back, sizeof(back)), 65536);
}

static void test_blocking_write_goes_on(void **state)
{
	(void)state;
	w->flags &= ~(uint32_t)O_NONBLOCK;
	fake_on_wait = reader_takes_all;
	assert_int_equal(fake_write(w, big, 100000), 100000);
	assert_int_equal(fake_read(r, back, sizeof(back)), 100000 - 65536);
	assert_memory_equal(back, big + 65536, 100000 - 65536);
	/* Interrupted with nothing done: the call can be restarted; with something done: that
	 * counts. */
	assert_int_equal(fake_write(w, big, 100000), 65536);
	assert_int_equal(fake_write(w, big, 1), E_RESTARTSYS);
}

static void writer_comes(void)
{
	assert_int_equal(fake_write(w, "late", 4), 4);
}

static void writer_goes(void)
{
	close_end(&w);
}

static void test_blocking_read(void **state)
{
	char buf[8];

	(void)state;
	r->flags &= ~(uint32_t)O_NONBLOCK;
	fake_on_wait = writer_comes;
	assert_int_equal(fake_read(r, buf, 8), 4);
	assert_int_equal(fake_read(r, buf, 8), E_RESTARTSYS);
	fake_on_wait = writer_goes;
	assert_int_equal(fake_read(r, buf, 8), 0);
}

static void test_size(void **state)
{
	int n = -1;

	(void)state;
	assert_int_equal(pipe_get_size(r), 65536);
	assert_int_equal(fake_write(w, big, 10000), 10000);
	assert_int_equal(fake_read(r, back, 3000), 3000);
	assert_int_equal(r->ops->ioctl(r, FIONREAD, (uint64_t)&n), 0);
	assert_int_equal(n, 7000);
	assert_int_equal(pipe_set_size(w, 4096), E_BUSY);
	assert_int_equal(pipe_set_size(w, 5000), 8192);
	assert_int_equal(fake_write(w, big + 10000, 5000), 8192 - 7000);
	assert_int_equal(pipe_set_size(w, 1048576), 1048576);
	assert_int_equal(pipe_set_size(w, 1048577), E_PERM);
	fake_task.cred.cap_effective = UINT64_MAX;
	assert_int_equal(pipe_set_size(w, (1ull << 31) + 1), E_INVAL);
	assert_int_equal(fake_read(r, back, sizeof(back)), 8192);
	assert_memory_equal(back, big + 3000, 8192);
}

/* Any mixture of sizes gives back what was put in. */
static void test_random_transfers(void **state)
{
	uint64_t seed = 12345;
	size_t in = 0, out = 0;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		size_t n;
		long done;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		n = (seed >> 40) % 9000 + 1;
		if (seed >> 63) {
			if (n > sizeof(big) - in % sizeof(big))
				n = sizeof(big) - in % sizeof(big);
			done = fake_write(w, big + in % sizeof(big), n);
			assert_true(done > 0 || done == E_AGAIN);
			assert_true(n > 4096 || done < 0 || (size_t)done == n);
			in += done > 0 ? (size_t)done : 0;
		} else {
			done = fake_read(r, back, n);
			assert_int_equal(done,
					 in == out ? E_AGAIN : (long)(n < in - out ? n : in - out));
			for (long k = 0; k < done; k++)
				assert_int_equal(back[k], big[(out + (size_t)k) % sizeof(big)]);
			out += done > 0 ? (size_t)done : 0;
		}
	}
}

static void test_memory_goes_back(void **state)
{
	(void)state;
	assert_int_equal(fake_write(w, big, 65536), 65536);
	assert_int_equal(fake_frames, 16);
	assert_int_equal(fake_reclaim(1000), 0); /* all in use */
	assert_int_equal(fake_read(r, back, 5000), 5000);
	assert_int_equal(fake_reclaim(1000), 1);
	assert_int_equal(fake_write(w, big, 4096), 4096);
	assert_int_equal(fake_write(w, big + 4096, 904), 904);
	assert_int_equal(fake_reclaim(1000), 0); /* full: head and tail share a page */
	assert_int_equal(fake_read(r, back, 65536), 65536);
	assert_memory_equal(back, big + 5000, 60536);
	assert_memory_equal(back + 60536, big, 5000);
	assert_int_equal(fake_reclaim(1000), 16);
	assert_int_equal(fake_frames, 0);
	assert_int_equal(fake_write(w, big, 10), 10);
}

/* ---- FIFOs ---- */

static struct inode fifo;
static struct file fr, fw;

static void fifo_file(struct file *f, uint32_t flags)
{
	memset(f, 0, sizeof(*f));
	f->flags = flags;
	f->inode = &fifo;
}

static void open_other_side(void)
{
	fifo_file(&fw, O_WRONLY);
	assert_int_equal(fifo_open(&fifo, &fw), OK);
}

static void test_fifo(void **state)
{
	char buf[4];

	(void)state;
	fifo_file(&fw, O_WRONLY | O_NONBLOCK);
	assert_int_equal(fifo_open(&fifo, &fw), E_NXIO);
	fifo_file(&fr, O_RDONLY);
	assert_int_equal(fifo_open(&fifo, &fr), E_RESTARTSYS);
	assert_null(fifo.pipe);
	fake_on_wait = open_other_side;
	assert_int_equal(fifo_open(&fifo, &fr), OK);
	assert_int_equal(fake_write(&fw, "ab", 2), 2);
	fw.ops->release(&fw);
	assert_int_equal(fake_read(&fr, buf, 4), 2);
	assert_int_equal(fake_read(&fr, buf, 4), 0);
	fr.ops->release(&fr);
	assert_null(fifo.pipe);
}

static void test_fifo_without_writer(void **state)
{
	char buf[4];

	(void)state;
	fifo_file(&fr, O_RDONLY | O_NONBLOCK);
	assert_int_equal(fifo_open(&fifo, &fr), OK);
	assert_int_equal(fr.ops->poll(&fr, NULL), 0); /* nobody hung up yet */
	assert_int_equal(fake_read(&fr, buf, 4), 0);
	open_other_side();
	fw.ops->release(&fw);
	assert_int_equal(fr.ops->poll(&fr, NULL), EPOLLHUP);
	fr.ops->release(&fr);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_bytes_come_out_in_order),
		T(test_capacity_and_atomic_writes),
		T(test_end_of_file_and_broken_pipe),
		T(test_write_without_reader),
		T(test_blocking_write_goes_on),
		T(test_blocking_read),
		T(test_size),
		T(test_random_transfers),
		T(test_memory_goes_back),
		T(test_fifo),
		T(test_fifo_without_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
