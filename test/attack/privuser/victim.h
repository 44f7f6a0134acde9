/* SPDX-License-Identifier: BSD-2-Clause */
/* What both parts of the attacked program know. */
#pragma once

#include <stdint.h>

#define SECRET_FILE "/tmp/privuser-secret"
#define SECRET_LEN  32
/* The secret is this, each byte changed by MASK: the attacker's memory never holds it itself. */
#define SECRET_MASKED                                                      \
	"\x91\xa4\x3c\x07\xee\x52\xbb\x18\x6f\xd2\x85\x30\xc9\x7a\x4d\xf1" \
	"\x25\x9e\x63\xb8\x0c\xd7\x41\xfa\x8d\x36\xe0\x5b\x94\x2f\x7c\xa3"
#define SECRET_MASK 0x5a

/* What probe() does in ring 2; most of it must end the process. */
enum probe {
	PROBE_NOTHING,
	PROBE_READ, /* at `a` */
	PROBE_WRITE,
	PROBE_CALL,
	PROBE_READ_AC,   /* with AC set */
	PROBE_READ_WRAP, /* base register + displacement beyond 4 GiB */
	PROBE_READ_FS,
	PROBE_LJMP, /* to selector `a`, offset `b` */
	PROBE_LRET,
	PROBE_IRET,
	PROBE_ENTER_GATE, /* calls the gate that is ring 3's */
	PROBE_USER64,     /* lret to 64-bit ring 3 at `a`, stack `b` */
	PROBE_CLI,
	PROBE_STI,
	PROBE_HLT,
	PROBE_IN,
	PROBE_OUT,
	PROBE_CR0,
	PROBE_CR3,
	PROBE_CR4,
	PROBE_RDMSR,
	PROBE_WRMSR,
	PROBE_LGDT,
	PROBE_LIDT,
	PROBE_LLDT,
	PROBE_LTR,
	PROBE_INVLPG,
	PROBE_CLTS,
	PROBE_WBINVD,
	PROBE_SGDT, /* UMIP */
	PROBE_SLDT,
	PROBE_INT, /* of a device's vector */
	PROBE_SYSCALL,
	PROBE_SYSENTER,
	PROBE_DS_KERNEL, /* loads a data selector of ring 0 */
	PROBE_SS_KERNEL,
	PROBE_DIVIDE,
	PROBE_UD2,
	PROBE_STACK, /* more stack than there is */
	PROBE_ABORT,
	PROBE_FILE_BAD, /* system calls with pointers that are not PrivUser's */
};

/* The privcall "work", and what it must answer: long, and dependent on everything it uses. */
static inline long work_result(uint32_t seed, uint32_t rounds)
{
	volatile uint32_t room[64];
	uint32_t h = seed;

	for (uint32_t i = 0; i < 64; i++)
		room[i] = seed + i;
	for (uint32_t i = 0; i < rounds; i++) {
		h = h * 2654435761u + room[h & 63];
		room[i & 63] ^= h;
	}
	return (long)(h & 0x7fffffff);
}
