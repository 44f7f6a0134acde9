/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What privcall.h promises to a private part, at its edges. Answers 0, or the line where it is not
 * so.
 */
#include <privcall.h>

#define EXPECT(c)                        \
	do {                             \
		if (!(c))                \
			return __LINE__; \
	} while (0)

#define ENOENT 2
#define EBADF  9
#define EFAULT 14
#define EMFILE 24
#define EFBIG  27

#define ROOM 4096u
static uint8_t room[ROOM];

static int all_are(const uint8_t *p, size_t n, uint8_t value)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != value)
			return 0;
	return 1;
}

/* `at`: `bytes` of ring 3, at most ROOM, of which only the first `there` exist; each is 0x11. */
PRIVCALL_DEFINE(copies, (priv_uaddr, at), (uint32_t, bytes), (uint32_t, there))
{
	memset(room, 0xee, ROOM);
	EXPECT(priv_copy_in(room, at, 0) == 0 && room[0] == 0xee);
	EXPECT(priv_copy_in(room, at, there) == 0 && all_are(room, there, 0x11));
	EXPECT(all_are(room + there, ROOM - there, 0xee));
	EXPECT(bytes == there || priv_copy_in(room, at, bytes) == -EFAULT);
	memset(room, 0x22, ROOM);
	EXPECT(priv_copy_out(at, room, there) == 0);
	EXPECT(bytes == there || priv_copy_out(at, room, bytes) == -EFAULT);
	return 0;
}

/* Addresses that ring 3 itself could not reach, PrivUser's own among them. */
PRIVCALL_DEFINE(bad_copies, (priv_uaddr, at), (uint32_t, bytes))
{
	memset(room, 0xee, ROOM);
	EXPECT(priv_copy_in(room, at, bytes) == -EFAULT);
	EXPECT(all_are(room, ROOM, 0xee));
	EXPECT(priv_copy_out(at, room, bytes) == -EFAULT);
	return 0;
}

PRIVCALL_DEFINE(own_place)
{
	return (long)((uintptr_t)room & 0x7fffffff);
}

/* The heap, to its end and back; twice, so that what came back is whole. */
PRIVCALL_DEFINE(heap_full, (uint32_t, limit))
{
	static uint8_t *piece[4096];
	uint32_t first = 0;

	for (int round = 0; round < 2; round++) {
		uint32_t n = 0;

		while (n < 4096 && (piece[n] = priv_malloc(limit / 64)) != NULL)
			memset(piece[n++], 0x77, limit / 64);
		EXPECT(n >= 60 && n < 4096);
		EXPECT(round == 0 || n == first);
		first = n;
		EXPECT(priv_malloc(limit / 64) == NULL && priv_calloc(1, limit / 64) == NULL);
		/* Every second one, then the rest: all of it joins again. */
		for (uint32_t i = 0; i < n; i += 2)
			priv_free(piece[i]);
		for (uint32_t i = 1; i < n; i += 2)
			priv_free(piece[i]);
		piece[0] = priv_malloc(limit / 64 * 50);
		EXPECT(piece[0] != NULL);
		/* What was given back is zero, headers of blocks apart. */
		EXPECT(all_are(piece[0] + 64, limit / 64 - 128, 0));
		priv_free(piece[0]);
	}
	return 0;
}

PRIVCALL_DEFINE(heap_edges)
{
	void *p;

	priv_free(NULL);
	EXPECT(priv_malloc(0x7fffffff) == NULL && priv_malloc((size_t)-1) == NULL);
	EXPECT(priv_calloc((size_t)-1, 2) == NULL && priv_calloc(0x10001, 0x10001) == NULL);
	p = priv_calloc(0, 16);
	priv_free(p);
	p = priv_calloc(10, 10);
	EXPECT(p != NULL && all_are(p, 100, 0));
	priv_free(p);
	return 0;
}

PRIVCALL_DEFINE(free_twice)
{
	void *p = priv_malloc(100);

	priv_free(p);
	priv_free(p);
	return 0;
}

PRIVCALL_DEFINE(randoms)
{
	static uint8_t many[20000];
	uint8_t a[32] = { 0 }, b[32] = { 0 };
	uint32_t count[256] = { 0 };

	EXPECT(priv_random(a, 0) == 0 && all_are(a, 32, 0));
	EXPECT(priv_random(a, 31) == 0 && a[31] == 0 && !all_are(a, 31, 0));
	EXPECT(priv_random(b, 32) == 0 && memcmp(a, b, 31) != 0);
	EXPECT(priv_random(many, sizeof(many)) == 0);
	for (uint32_t i = 0; i < sizeof(many); i++)
		count[many[i]]++;
	for (uint32_t i = 0; i < 256; i++) /* 78 on average; beyond that, never by chance */
		EXPECT(count[i] > 20 && count[i] < 180);
	return 0;
}

/* `name`: a file of 100 times 0x33. */
PRIVCALL_DEFINE(files, (priv_uaddr, name), (uint32_t, len))
{
	char path[256];
	void *data = NULL;
	size_t bytes = 0;
	int f[64], n = 0;

	EXPECT(len <= sizeof(path) && priv_copy_in(path, name, len) == 0);
	EXPECT(priv_read_file(path, 100, &data, &bytes) == 0 && bytes == 100);
	EXPECT(all_are(data, 100, 0x33) && ((char *)data)[100] == 0);
	priv_free(data);
	EXPECT(priv_read_file(path, 99, &data, &bytes) == -EFBIG);
	EXPECT(priv_read_file(path, 0, &data, &bytes) == -EFBIG);
	EXPECT(priv_read_file(path, 1u << 20, &data, &bytes) == 0 && bytes == 100);
	priv_free(data);
	EXPECT(priv_open("/no/such/file") == -ENOENT && priv_open("") == -ENOENT);
	EXPECT(priv_read_file("/", 100, &data, &bytes) < 0);
	EXPECT(priv_read_file("/dev/null", 100, &data, &bytes) == 0 && bytes == 0);
	priv_free(data);
	EXPECT(priv_read(1000, room, 1) == -EBADF && priv_close(-1) == -EBADF);
	f[0] = priv_open(path);
	EXPECT(f[0] >= 0 && priv_read(f[0], room, 60) == 60 && priv_read(f[0], room, 60) == 40);
	EXPECT(priv_read(f[0], room, 60) == 0 && priv_close(f[0]) == 0 &&
	       priv_close(f[0]) == -EBADF);
	while (n < 64 && (f[n] = priv_open(path)) >= 0)
		n++;
	EXPECT(n == 64 || f[n] == -EMFILE);
	while (n-- > 0)
		EXPECT(priv_close(f[n]) == 0);
	return 0;
}

/* On this heap it is too large, or the file is: nothing may be left behind. */
PRIVCALL_DEFINE(file_without_room, (priv_uaddr, name), (uint32_t, len))
{
	static uint8_t *piece[4096];
	char path[256];
	void *data = NULL;
	size_t bytes;
	uint32_t n = 0;
	int r;

	EXPECT(len <= sizeof(path) && priv_copy_in(path, name, len) == 0);
	while (n < 4096 && (piece[n] = priv_malloc(64)) != NULL)
		n++;
	r = n < 4096 ? priv_read_file(path, 100, &data, &bytes) : -12;
	while (n-- > 0)
		priv_free(piece[n]);
	EXPECT(r == -12 && data == NULL);
	return 0;
}
