/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls of sign.priv.c for constant-time.t: of each operation one that brings the pages in, and
 * then one for each key and message. Prints an operation's name in the order of the calls, "-" for
 * those that are not compared.
 */
#include <privcall.h>
#include <stdio.h>
#include <string.h>

PRIVCALL(load);
PRIVCALL(rsa);
PRIVCALL(ecdsa);
PRIVCALL(leaky_branch);
PRIVCALL(leaky_index);

static int take(const char *key, int number, unsigned seed)
{
	char path[32];

	snprintf(path, sizeof(path), "/%s%d.der", key, number);
	puts("-");
	return privcall(load, path, strlen(path) + 1, seed) > 0 ? 0 : -1;
}

#define OPERATION(name, key, call)                         \
	do {                                               \
		for (int i = -1; i < 3; i++) {             \
			if (take(key, i == 2, i + 1) != 0) \
				return 1;                  \
			puts(i < 0 ? "-" : name);          \
			if ((call) != 0)                   \
				return 1;                  \
		}                                          \
	} while (0)

int main(void)
{
	const struct priv_options o = { .quiet = 1 };

	if (priv_init(&o) < 0)
		return 1;
	OPERATION("leaky_branch", "p256-", privcall(leaky_branch));
	OPERATION("leaky_index", "p256-", privcall(leaky_index));
	OPERATION("rsa", "rsa-", privcall(rsa));
	OPERATION("p256", "p256-", privcall(ecdsa, 256));
	OPERATION("p384", "p384-", privcall(ecdsa, 384));
	puts("done");
	return 0;
}
