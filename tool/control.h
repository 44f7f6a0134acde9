/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines on the control port (abi/control.h), from bytes in pieces of any size. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "abi/control.h"

enum control_kind { CONTROL_READY, CONTROL_EXIT, CONTROL_OOM, CONTROL_LOG, CONTROL_UNKNOWN };

struct control_event {
	enum control_kind kind;
	int status; /* CONTROL_EXIT */
	const char
		*text; /* CONTROL_LOG: the text; CONTROL_UNKNOWN: the line. Valid during the call */
};

struct control_reader {
	char line[CONTROL_LINE_MAX + 1];
	size_t n;
};

/*
 * Feed bytes; `take` is called for each complete line. What is longer than CONTROL_LINE_MAX is cut.
 */
void control_feed(struct control_reader *r, const char *data, size_t size,
		  void (*take)(void *ctx, const struct control_event *event), void *ctx);
