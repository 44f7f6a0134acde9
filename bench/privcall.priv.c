/* SPDX-License-Identifier: BSD-2-Clause */
/* The private part of bench/privcall.c: a password that is loaded and checked. */
#include <privcall.h>

#define PASSWORD_LEN 32

PRIV_SECRET static uint8_t password[PASSWORD_LEN];

PRIVCALL_DEFINE(empty)
{
	return 0;
}

PRIVCALL_DEFINE(load_password)
{
	int file = priv_open("/password"), n;

	if (file < 0)
		return file;
	n = priv_read(file, password, PASSWORD_LEN);
	(void)priv_close(file);
	return n == PASSWORD_LEN ? 0 : -1;
}

PRIVCALL_DEFINE(check_password, (priv_uaddr, guess))
{
	uint8_t copy[PASSWORD_LEN];

	if (priv_copy_in(copy, guess, PASSWORD_LEN) < 0)
		return -1;
	return memcmp(copy, password, PASSWORD_LEN) == 0;
}
