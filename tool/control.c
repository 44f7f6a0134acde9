/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A whole number from 0 to `most` and nothing behind it but `end`. */
static bool read_number(const char *text, char end, unsigned long most, const char **rest,
			unsigned long *value)
{
	char *stop;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*value = strtoul(text, &stop, 10);
	if (*stop != end || errno != 0 || *value > most)
		return false;
	*rest = end != '\0' ? stop + 1 : stop;
	return true;
}

/* "exec-started=1 17" */
static bool understand_exec(const char *line, struct control_event *e)
{
	static const struct {
		const char *key;
		enum control_kind kind;
	} keys[] = {
		{ "exec-started=", CONTROL_EXEC_STARTED }, { "exec-failed=", CONTROL_EXEC_FAILED },
		{ "exec-room=", CONTROL_EXEC_ROOM },       { "exec-ended=", CONTROL_EXEC_ENDED },
		{ "exec-out=", CONTROL_EXEC_OUT },         { "exec-err=", CONTROL_EXEC_ERR }
	};
	unsigned long id, value;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *rest;

		if (strncmp(line, keys[i].key, strlen(keys[i].key)) != 0)
			continue;
		if (!read_number(line + strlen(keys[i].key), ' ', UINT32_MAX, &rest, &id) ||
		    !read_number(rest, '\0', UINT32_MAX, &rest, &value))
			return false;
		*e = (struct control_event){ .kind = keys[i].kind,
					     .id = (uint32_t)id,
					     .value = (uint32_t)value };
		return true;
	}
	return false;
}

/* "core=4096 2048" */
static bool understand_core(const char *line, struct control_event *e)
{
	unsigned long at, n = 0;
	const char *rest;

	if (strncmp(line, "core-begin=", 11) == 0) {
		e->kind = CONTROL_CORE_BEGIN;
		return read_number(line + 11, '\0', INT32_MAX, &rest, &at) &&
		       ((e->value = (uint32_t)at), true);
	}
	if (strncmp(line, "core-end=", 9) == 0) {
		e->kind = CONTROL_CORE_END;
		if (!read_number(line + 9, '\0', INT64_MAX, &rest, &at))
			return false;
	} else {
		e->kind = CONTROL_CORE;
		if (!read_number(line + 5, ' ', INT64_MAX, &rest, &at) ||
		    !read_number(rest, '\0', CONTROL_DATA_MAX, &rest, &n))
			return false;
	}
	e->at = at;
	e->value = (uint32_t)n;
	return true;
}

static struct control_event understand(const char *line)
{
	struct control_event e = { .kind = CONTROL_UNKNOWN, .text = line };
	unsigned long status;
	const char *rest;

	if (strcmp(line, "ready") == 0) {
		e.kind = CONTROL_READY;
	} else if (strcmp(line, "time") == 0) {
		e.kind = CONTROL_TIME;
	} else if (strcmp(line, "killed-by=oom") == 0) {
		e.kind = CONTROL_OOM;
	} else if (strncmp(line, "exit=", 5) == 0 &&
		   read_number(line + 5, '\0', 0xffff, &rest, &status)) {
		e.kind = CONTROL_EXIT;
		e.status = (int)status;
	} else if (strncmp(line, "log=", 4) == 0) {
		e = (struct control_event){ .kind = CONTROL_LOG, .text = line + 4 };
	} else if (strncmp(line, "stat=", 5) == 0) {
		e = (struct control_event){ .kind = CONTROL_STAT, .text = line + 5 };
	} else if (strncmp(line, "debug=", 6) == 0) {
		e = (struct control_event){ .kind = CONTROL_DEBUG, .text = line + 6 };
	} else if (strncmp(line, "listen=", 7) == 0) {
		unsigned long port = strtoul(line + 7, (char **)&rest, 10);

		if (port >= 1 && port <= 65535 && (*rest == '\0' || *rest == ' '))
			e = (struct control_event){ .kind = CONTROL_LISTEN,
						    .text = rest,
						    .value = (uint32_t)port };
	} else if (strncmp(line, "core=", 5) == 0 || strncmp(line, "core-", 5) == 0) {
		if (!understand_core(line, &e))
			e = (struct control_event){ .kind = CONTROL_UNKNOWN, .text = line };
	} else {
		(void)understand_exec(line, &e);
	}
	return e;
}

/* Data behind a line goes out as it comes. How much of it was data. */
static size_t pass_data(struct control_reader *r, const char *data, size_t size,
			void (*take)(void *ctx, const struct control_event *event), void *ctx)
{
	size_t n = size < r->data_left ? size : r->data_left;

	r->data_of.data = data;
	r->data_of.len = n;
	r->data_left -= n;
	take(ctx, &r->data_of);
	r->data_of.at += n;
	return n;
}

void control_feed(struct control_reader *r, const char *data, size_t size,
		  void (*take)(void *ctx, const struct control_event *event), void *ctx)
{
	for (size_t i = 0; i < size;) {
		if (r->data_left > 0) {
			i += pass_data(r, data + i, size - i, take, ctx);
			continue;
		}
		char c = data[i++];

		if (c != '\n') {
			if (r->n < CONTROL_LINE_MAX)
				r->line[r->n++] = c;
			continue;
		}
		r->line[r->n] = '\0';
		r->n = 0;
		struct control_event e = understand(r->line);

		if (e.kind == CONTROL_EXEC_OUT || e.kind == CONTROL_EXEC_ERR ||
		    e.kind == CONTROL_CORE) {
			r->data_of = e;
			r->data_left = e.value;
			continue;
		}
		take(ctx, &e);
	}
}
