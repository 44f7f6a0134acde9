/* SPDX-License-Identifier: BSD-2-Clause */
/* The first bytes of the image of a private part: what priv_init() tells the kernel. */
#pragma once

#define PRIV_IMAGE_MAGIC 0x31565250 /* "PRV1" */

#if !defined(__ASSEMBLER__)
#include <stdint.h>

struct priv_image {
	uint32_t magic;
	uint32_t base, entry;
	uint32_t code_len;          /* whole pages, this header included */
	uint32_t data_len, bss_len; /* data follows the code in the image */
	uint32_t calls;             /* how many */
	uint32_t filter;            /* system calls that are linked in */
};

/* What the kernel says to PRIVUSER_PLACES. Call 1 of every private part asks it, once. */
struct priv_places {
	uint32_t heap, heap_end;
	uint32_t window, window_end;
};
#endif
