/* SPDX-License-Identifier: BSD-2-Clause */
/* The control port (abi/control.h) for the module that starts programs for the host. */
#pragma once

#include "abi/types.h"

/* All are called in interrupt or idle context, with interrupts off. */
struct control_user {
	/* A line that the console itself does not know. *data_len: bytes of data behind it, which
	 * come by `data` in pieces. False: not known. */
	bool (*line)(const char *text, size_t *data_len);
	void (*data)(const void *data, size_t len);
	/* A control_send that found no room can be tried again. */
	void (*room)(void);
};
extern const struct control_user *control_user; /* NULL: none */
/* The host says what time it is: nanoseconds since 1970. NULL: nobody wants to know. */
extern void (*control_time)(uint64_t ns);

/* A line without its end, and data behind it: both or nothing. At most CONTROL_DATA_MAX bytes of
 * data. False when there is no room now; `room` is called when there is. True, and lost, without a
 * control port. */
bool control_send(const char *line, const void *data, size_t len);
/* "24x80". */
bool control_parse_size(const char *s, unsigned *rows, unsigned *cols);
