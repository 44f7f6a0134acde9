/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The run configuration that the kernel reads (abi/boot.h): "key=value" strings, each ended by NUL.
 */
#pragma once

#include "tool/util.h"

struct runcfg {
	char *data;
	size_t size;
};

void runcfg_add(struct runcfg *cfg, const char *key, const char *fmt, ...) PRINTF_LIKE(3, 4);
void runcfg_release(struct runcfg *cfg);
/* A memory file with it, positioned at 0. Dies if it is longer than the kernel takes. */
int runcfg_file(const struct runcfg *cfg);
