/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A whole number from 0 to 65535 and nothing behind it: a wait status. */
static bool read_status(const char *text, int *status)
{
	char *end;

	errno = 0;
	long v = strtol(text, &end, 10);

	if (end == text || *end != '\0' || errno != 0 || v < 0 || v > 0xffff)
		return false;
	*status = (int)v;
	return true;
}

static struct control_event understand(const char *line)
{
	struct control_event e = { .kind = CONTROL_UNKNOWN, .text = line };

	if (strcmp(line, "ready") == 0)
		e.kind = CONTROL_READY;
	else if (strcmp(line, "killed-by=oom") == 0)
		e.kind = CONTROL_OOM;
	else if (strncmp(line, "exit=", 5) == 0 && read_status(line + 5, &e.status))
		e.kind = CONTROL_EXIT;
	else if (strncmp(line, "log=", 4) == 0)
		e = (struct control_event){ .kind = CONTROL_LOG, .text = line + 4 };
	return e;
}

void control_feed(struct control_reader *r, const char *data, size_t size,
		  void (*take)(void *ctx, const struct control_event *event), void *ctx)
{
	for (size_t i = 0; i < size; i++) {
		if (data[i] != '\n') {
			if (r->n < CONTROL_LINE_MAX)
				r->line[r->n++] = data[i];
			continue;
		}
		r->line[r->n] = '\0';
		r->n = 0;
		struct control_event e = understand(r->line);

		take(ctx, &e);
	}
}
