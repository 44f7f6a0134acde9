/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines on the control port (abi/control.h), from bytes in pieces of any size. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/control.h"

enum control_kind {
	CONTROL_READY,
	CONTROL_EXIT,
	CONTROL_OOM,
	CONTROL_LOG,
	CONTROL_STAT,
	CONTROL_DEBUG,
	CONTROL_LISTEN,       /* value: port; text: "", or " loopback" */
	CONTROL_CORE_BEGIN,   /* value: process number in the machine */
	CONTROL_CORE,         /* data for offset `at` */
	CONTROL_CORE_END,     /* at: the size */
	CONTROL_EXEC_STARTED, /* value: its process number in the machine */
	CONTROL_EXEC_FAILED,  /* value: error number */
	CONTROL_EXEC_ROOM,
	CONTROL_EXEC_ENDED, /* value: wait status */
	CONTROL_EXEC_OUT,   /* data */
	CONTROL_EXEC_ERR,
	CONTROL_TIME,
	CONTROL_UNKNOWN
};

struct control_event {
	enum control_kind kind;
	int status;       /* CONTROL_EXIT */
	const char *text; /* what follows "=", CONTROL_UNKNOWN: the line. Valid during the call */
	uint32_t id;      /* CONTROL_EXEC_...: session */
	uint32_t value;
	uint64_t at;
	const char *data; /* a piece of the data; valid during the call */
	size_t len;
};

struct control_reader {
	char line[CONTROL_LINE_MAX + 1];
	size_t n;
	struct control_event data_of; /* whose data the next data_left bytes are */
	size_t data_left;
};

/*
 * Feed bytes; `take` is called for each complete line, and for each piece of data that follows one.
 * What is longer than CONTROL_LINE_MAX is cut.
 */
void control_feed(struct control_reader *r, const char *data, size_t size,
		  void (*take)(void *ctx, const struct control_event *event), void *ctx);
