/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/corefile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tool/report.h"
#include "tool/util.h"

#define MIB       (1ull << 20)
#define PLACE_MAX (1ull << 40) /* files are sparse: where a byte may be */

void corefile_begin(struct corefile *c, const char *path, uint64_t memory, const char *program)
{
	/* Pages that are mapped several times come several times. */
	*c = (struct corefile){ .path = path, .program = program, .fd = -1 };
	c->bytes = 4 * memory + 64 * MIB;
}

static void give_up(struct corefile *c, const char *why)
{
	tell_user("core file %s is not whole: %s", c->path, why);
	close(c->fd);
	c->fd = -1;
}

static void begin(struct corefile *c, uint32_t pid)
{
	if (c->had_one) {
		tell_user("process %u crashed, too; its core file is not kept", pid);
		return;
	}
	c->had_one = true;
	c->pid = pid;
	c->fd = open(c->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (c->fd < 0)
		tell_user("core file %s cannot be written: %s", c->path, strerror(errno));
}

static void put(struct corefile *c, const struct control_event *e)
{
	size_t done = 0;

	if (e->len > c->bytes || e->at > PLACE_MAX) {
		give_up(c, "it is larger than it can be");
		return;
	}
	c->bytes -= e->len;
	while (done < e->len) {
		ssize_t n = pwrite(c->fd, e->data + done, e->len - done, (off_t)(e->at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			give_up(c, n < 0 ? strerror(errno) : "nothing is written");
			return;
		}
		done += (size_t)n;
	}
}

static void finish(struct corefile *c, uint64_t size)
{
	if (size > PLACE_MAX) {
		give_up(c, "it is larger than it can be");
	} else if (ftruncate(c->fd, (off_t)size) != 0) {
		give_up(c, strerror(errno));
	} else {
		close(c->fd);
		c->fd = -1;
		tell_user("core file of process %u: gdb %s %s", c->pid, c->program, c->path);
	}
}

void corefile_event(struct corefile *c, const struct control_event *e)
{
	if (e->kind == CONTROL_CORE_BEGIN)
		begin(c, e->value);
	else if (c->fd >= 0 && e->kind == CONTROL_CORE)
		put(c, e);
	else if (c->fd >= 0)
		finish(c, e->at);
}

void corefile_end(struct corefile *c)
{
	if (c->fd >= 0)
		give_up(c, "the machine ended");
}
