/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a signature costs with BearSSL, in PrivUser (32 bits) or, built with --plain, in ring 3 (64
 * bits). Prints "name nanoseconds"; under `-icount shift=0` a nanosecond is one instruction.
 */
#include <privcall.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

PRIVCALL(sign_load);
PRIVCALL(sign_rsa_2048);
PRIVCALL(sign_rsa_3072);
PRIVCALL(sign_rsa_4096);
PRIVCALL(sign_rsa_i15);
PRIVCALL(sign_p256_m31);
PRIVCALL(sign_p256_m15);
PRIVCALL(sign_p256_prime31);
PRIVCALL(sign_p384);
PRIVCALL(sign_p521);

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The first call brings pages in; the second is measured. */
#define MEASURE(name)                                                         \
	do {                                                                  \
		uint64_t start;                                               \
		if (privcall(name) != 0)                                      \
			return 1;                                             \
		start = now();                                                \
		if (privcall(name) != 0)                                      \
			return 1;                                             \
		printf(#name " %llu\n", (unsigned long long)(now() - start)); \
	} while (0)

static int load(const char *name, long kind)
{
	return privcall(sign_load, name, strlen(name) + 1) == kind ? 0 : -1;
}

int main(void)
{
	const struct priv_options o = { .quiet = 1 };

	if (priv_init(&o) < 0 || load("/rsa.der", 1) != 0)
		return 1;
	MEASURE(sign_rsa_2048);
	MEASURE(sign_rsa_i15);
	if (load("/rsa3072.der", 1) != 0)
		return 1;
	MEASURE(sign_rsa_3072);
	if (load("/rsa4096.der", 1) != 0)
		return 1;
	MEASURE(sign_rsa_4096);
	if (load("/ec.der", 2) != 0)
		return 1;
	MEASURE(sign_p256_m31);
	MEASURE(sign_p256_m15);
	MEASURE(sign_p256_prime31);
	if (load("/p384.der", 2) != 0)
		return 1;
	MEASURE(sign_p384);
	if (load("/p521.der", 2) != 0)
		return 1;
	MEASURE(sign_p521);
	return 0;
}
