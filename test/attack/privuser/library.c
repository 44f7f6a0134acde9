/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libprivcall at its edges: copies, heap, random numbers, files, the window. The same source runs
 * as an ordinary program of plain Linux (ringfence-cc --plain): what is said of one holds for both.
 * TAP.
 */
#include <errno.h>
#include <fcntl.h>
#include <privcall.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

PRIVCALL(copies);
PRIVCALL(bad_copies);
PRIVCALL(own_place);
PRIVCALL(heap_full);
PRIVCALL(heap_edges);
PRIVCALL(free_twice);
PRIVCALL(randoms);
PRIVCALL(files);
PRIVCALL(file_without_room);

#define HEAP (256u << 10)

static int tests, failures;

static void ok(bool good, const char *name)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++tests, name);
	fflush(stdout);
	failures += !good;
}

static void zero(long r, const char *name)
{
	if (r != 0)
		printf("# library.priv.c, line %ld\n", r);
	ok(r == 0, name);
}

/* Two pages, of which the second is not there; the copy ends at its border, or goes over it. */
static void copied(void)
{
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	static const unsigned sizes[] = { 1, 7, 8, 9, 63, 64, 65, 511, 512, 513, 1024, 4096 };
	bool changed = true;
	long bad = 0;

	munmap(p + 4096, 4096);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *at = p + 4096 - sizes[i];

		memset(p, 0x11, 4096);
		bad += privcall(copies, at, sizes[i], sizes[i]);
		changed &= at[0] == 0x22 && at[sizes[i] - 1] == 0x22 && (at == p || at[-1] == 0x11);
		memset(p, 0x11, 4096);
		if (sizes[i] < 4096)
			bad += privcall(copies, at, sizes[i] + 1, sizes[i]);
	}
	zero(bad, "copies from and to ring 3, of all sizes, up to and over an end");
	ok(changed, "they move what they say and nothing beside it");
}

static void copied_by_window(void)
{
	uint8_t *w = priv_window_alloc(4096);
	long bad;

	ok(w != NULL, "memory of the window");
	if (w == NULL)
		return;
	memset(w, 0x11, 4096);
	bad = privcall(copies, w, 4096, 4096);
	ok(bad == 0 && w[0] == 0x22 && w[4095] == 0x22, "copies from and to the window");
	priv_window_free(w);
	priv_window_free(NULL);
	ok(priv_window_alloc((size_t)-1) == NULL && priv_window_alloc((size_t)1 << 40) == NULL,
	   "more than it has");
}

/* Every piece that is to be had; all of them together must be there again when they are free. */
static void window_full(void)
{
	static void *piece[8192];
	unsigned n[2] = { 0 };

	for (int round = 0; round < 2; round++) {
		while (n[round] < 8192 && (piece[n[round]] = priv_window_alloc(100)) != NULL)
			n[round]++;
		for (unsigned i = 0; i < n[round]; i++)
			priv_window_free(piece[i]);
	}
	ok(n[0] == n[1] && n[0] > 1000, "the window, to its end, twice");
}

static void bad_addresses(bool plain)
{
	static const uint64_t bad[] = { 0,
					8,
					0x7ffffffff000,
					0x7fffffffffff,
					0x8000000000000000,
					0xffffffff80000000,
					UINT64_MAX - 10 };
	uint64_t own = (uint64_t)privcall(own_place) | 0x80000000u;
	long r = 0;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		r += privcall(bad_copies, bad[i], 64);
	zero(r, "addresses that ring 3 could not reach");
	if (plain)
		return;
	r = privcall(bad_copies, own, 64);
	zero(r, "PrivUser's own memory is not ring 3's");
}

static void heap(const char *file)
{
	int status;
	pid_t pid;

	zero(privcall(heap_edges), "the heap: nothing, too much, products that overflow");
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit((int)privcall(free_twice));
	waitpid(pid, &status, 0);
	ok(WIFSIGNALED(status), "what is freed twice ends the program");
	zero(privcall(heap_full, HEAP), "the heap, to its end, twice; what comes back is zeroed");
	zero(privcall(file_without_room, file, strlen(file) + 1),
	     "a file for which there is no room");
	zero(privcall(heap_full, HEAP), "nothing of that was lost");
}

int main(int argc, char **argv)
{
	const struct priv_options o = { .heap = HEAP };
	char data[100];
	int state, fd;

	(void)argc;
	ok(priv_state() == -ENXIO && privcall(heap_edges) == -ENXIO, "before priv_init(): ENXIO");
	state = priv_init(&o);
	ok(state == PRIV_ISOLATED || state == PRIV_PLAIN, "priv_init()");
	ok(priv_init(NULL) == state && priv_state() == state, "again: the same answer");
	memset(data, 0x33, sizeof(data));
	fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ok(fd >= 0 && write(fd, data, sizeof(data)) == sizeof(data) && close(fd) == 0, "a file");
	copied();
	copied_by_window();
	bad_addresses(state == PRIV_PLAIN);
	zero(privcall(randoms), "random numbers");
	zero(privcall(files, argv[1], strlen(argv[1]) + 1),
	     "files: whole, in pieces, none, too long, too many");
	if (state == PRIV_ISOLATED) { /* elsewhere both are the C library's */
		window_full();
		heap(argv[1]);
	}
	printf("1..%d\n", tests);
	return failures != 0;
}
