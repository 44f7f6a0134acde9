/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `run --core FILE`: the core file of the first process of a run that crashes, from the machine's
 * control port. What a machine can make us write is bounded.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tool/control.h"

struct corefile {
	const char *path; /* NULL: none is wanted */
	const char *program;
	int fd; /* -1: not (or no longer) being written */
	bool had_one;
	uint64_t bytes; /* of data that may still come */
	uint32_t pid;
};

/* Before a run. The strings must live until its end. `memory` of the machine bounds the file. */
void corefile_begin(struct corefile *c, const char *path, uint64_t memory, const char *program);
/* CONTROL_CORE_BEGIN, CONTROL_CORE, CONTROL_CORE_END. Says how it went, on standard error. */
void corefile_event(struct corefile *c, const struct control_event *e);
/* The machine has ended: what it did not finish is kept and told. */
void corefile_end(struct corefile *c);
