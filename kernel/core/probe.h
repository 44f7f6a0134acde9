/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions of MSG_probe, for tests: body[0] says which. */
#pragma once

#include "kernel/msg/msg.h"

enum probe_what {
	PROBE_GET,   /* -> value of a variable in .data, in .bss, the frames behind the two, core */
	PROBE_SET,   /* body[1], body[2]: new values; answer as PROBE_GET */
	PROBE_CHUNK, /* -> physical address of this core's first chunk */
	PROBE_TOUCH, /* body[1]: read there -> 1 if that faulted, vector, fault address */
	PROBE_CLOCK, /* -> monotonic time */
	/* body[1]: sum of the data in the side buffer; counted as right or wrong, no answer */
	PROBE_SIDE,
	PROBE_SIDES, /* -> how many were right, how many wrong */
	PROBE_NOTHING,
	PROBE_DIE, /* this core panics; no answer */
};

/* Sum of PROBE_SIDE. */
static inline uint64_t probe_sum(const uint8_t *data, size_t len)
{
	uint64_t sum = len;

	for (size_t i = 0; i < len; i++)
		sum = sum * 31 + data[i];
	return sum;
}

/* The answer that this core gives. */
void probe_answer(const uint64_t question[MSG_WORDS], uint64_t answer[MSG_WORDS]);
