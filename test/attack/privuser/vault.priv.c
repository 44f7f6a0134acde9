/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Example of a private part: a password that is read from a file here, and compared here. The rest
 * of the program can ask whether a guess is right, and nothing else; after five wrong ones, not
 * even that.
 */
#include <privcall.h>

#define PASSWORD_MAX 64
#define TRIES        5

PRIV_SECRET static uint8_t password[PASSWORD_MAX];
static uint32_t password_len, wrong;

PRIVCALL_DEFINE(vault_load, (priv_uaddr, name), (uint32_t, name_len))
{
	char path[256];
	void *data;
	size_t bytes;
	int err;

	if (password_len != 0 || name_len == 0 || name_len > sizeof(path))
		return -1;
	err = priv_copy_in(path, name, name_len);
	if (err < 0)
		return err;
	path[name_len - 1] = '\0';
	err = priv_read_file(path, sizeof(password), &data, &bytes);
	if (err < 0)
		return err;
	memcpy(password, data, bytes);
	password_len = (uint32_t)bytes;
	priv_free(data);
	return 0;
}

/* 1: right, 0: wrong, negative: no more answers. Takes the same time for every guess. */
PRIVCALL_DEFINE(vault_check, (priv_uaddr, guess), (uint32_t, len))
{
	uint8_t copy[PASSWORD_MAX] = { 0 }, different = 0;

	if (wrong >= TRIES || len > sizeof(copy))
		return -1;
	if (priv_copy_in(copy, guess, len) < 0)
		return -2;
	for (uint32_t i = 0; i < sizeof(copy); i++)
		different |= copy[i] ^ password[i];
	different |= len != password_len;
	wrong = different != 0 ? wrong + 1 : 0;
	return different == 0;
}
