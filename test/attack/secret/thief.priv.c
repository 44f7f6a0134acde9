/* SPDX-License-Identifier: BSD-2-Clause */
/* A private part that an attacker brings along: reads a file and gives it away. */
#include <privcall.h>
#include <string.h>

#define PATH_BYTES 256u

PRIVCALL_DEFINE(thief_read, (priv_uaddr, path), (uint32_t, len), (priv_uaddr, out),
		(uint32_t, room))
{
	char name[PATH_BYTES] = { 0 };
	void *data;
	size_t size;
	long r;

	if (len >= sizeof(name) || priv_copy_in(name, path, len) != 0)
		return -1;
	r = priv_read_file(name, 65536, &data, &size);
	if (r < 0)
		return r;
	if (size > room)
		size = room;
	return priv_copy_out(out, data, size) == 0 ? (long)size : -1;
}
