/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tool/link.h"
#include "tool/report.h"

/* A message that a slow command has not taken yet. */
struct waiting {
	struct waiting *next;
	uint32_t kind, value;
	size_t len;
	char data[];
};

struct client {
	int fd;         /* -1: free place */
	uint32_t id;    /* of its session in the machine; 0: none */
	size_t unasked; /* bytes of input under way that the machine has not answered */
	struct waiting *first, **end;
	bool closing; /* when all has been sent */
};

struct server {
	int fd;
	uint32_t last_id;
	struct outbuf *guest;
	const struct strv *env;
	const char *cwd;
	struct client client[SERVER_CLIENTS];
	char data[LINK_DATA_MAX]; /* of the message that is looked at */
};

struct server *server_open(const char *path)
{
	struct server *s = xcalloc(1, sizeof(*s));

	s->fd = link_listen(path);
	if (s->fd < 0) {
		free(s);
		return NULL;
	}
	for (size_t i = 0; i < SERVER_CLIENTS; i++)
		s->client[i].fd = -1;
	return s;
}

static void drop(struct client *c)
{
	while (c->first != NULL) {
		struct waiting *w = c->first;

		c->first = w->next;
		free(w);
	}
	if (c->fd >= 0)
		close(c->fd);
	*c = (struct client){ .fd = -1 };
}

void server_close(struct server *s)
{
	for (size_t i = 0; i < SERVER_CLIENTS; i++)
		drop(&s->client[i]);
	close(s->fd);
	free(s);
}

/* ---- to commands ---- */

static void flush(struct client *c)
{
	while (c->first != NULL) {
		struct waiting *w = c->first;

		if (!link_send(c->fd, w->kind, w->value, w->data, w->len)) {
			if (errno == EAGAIN)
				return;
			break; /* it is gone, which poll() tells, too */
		}
		c->first = w->next;
		free(w);
	}
}

static void answer(struct client *c, enum link_kind kind, uint32_t value, const void *data,
		   size_t len)
{
	struct waiting *w = xmalloc(sizeof(*w) + len);

	*w = (struct waiting){ .kind = kind, .value = value, .len = len };
	if (len > 0)
		memcpy(w->data, data, len);
	if (c->first == NULL)
		c->end = &c->first;
	*c->end = w;
	c->end = &w->next;
	flush(c);
}

static void refuse(struct client *c, const char *why)
{
	answer(c, LINK_ERROR, 0, why, strlen(why));
	c->closing = true;
}

/* ---- the machine comes and goes ---- */

void server_machine(struct server *s, struct outbuf *guest, const struct strv *env, const char *cwd)
{
	s->guest = guest;
	s->env = env;
	s->cwd = cwd;
	for (size_t i = 0; guest == NULL && i < SERVER_CLIENTS; i++) {
		struct client *c = &s->client[i];

		if (c->fd < 0 || c->id == 0)
			continue;
		c->id = 0;
		answer(c, LINK_ENDED, SIGKILL, NULL, 0);
		c->closing = true;
	}
}

static struct client *client_of(struct server *s, uint32_t id)
{
	for (size_t i = 0; i < SERVER_CLIENTS; i++)
		if (s->client[i].fd >= 0 && s->client[i].id == id)
			return &s->client[i];
	return NULL;
}

void server_event(struct server *s, const struct control_event *e)
{
	struct client *c = client_of(s, e->id);

	if (c == NULL)
		return; /* it left, and the machine will hear of that */
	switch (e->kind) {
	case CONTROL_EXEC_STARTED: answer(c, LINK_STARTED, e->value, NULL, 0); break;
	case CONTROL_EXEC_OUT: answer(c, LINK_OUT, 0, e->data, e->len); break;
	case CONTROL_EXEC_ERR: answer(c, LINK_ERR, 0, e->data, e->len); break;
	case CONTROL_EXEC_ROOM:
		c->unasked -= e->value < c->unasked ? e->value : c->unasked;
		answer(c, LINK_ROOM, e->value, NULL, 0);
		break;
	case CONTROL_EXEC_FAILED:
	case CONTROL_EXEC_ENDED:
		c->id = 0;
		answer(c, e->kind == CONTROL_EXEC_ENDED ? LINK_ENDED : LINK_FAILED, e->value, NULL,
		       0);
		c->closing = true;
		break;
	default: break;
	}
}

/* ---- from commands ---- */

static void add_string(struct outbuf *to, const char *key, const char *value)
{
	outbuf_printf(to, "%s=%s", key, value);
	outbuf_add(to, "", 1);
}

static const char *value_in(const struct strv *env, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->v[i], name, n) == 0 && env->v[i][n] == '=')
			return env->v[i] + n + 1;
	return NULL;
}

/* Where a program without "/" may be, in the machine. */
static void add_candidates(struct outbuf *to, const char *name, const char *path)
{
	while (strchr(name, '/') == NULL && path != NULL && *path != '\0') {
		size_t n = strcspn(path, ":");
		char *full = xasprintf("%.*s/%s", n > 0 ? (int)n : 1, n > 0 ? path : ".", name);

		add_string(to, "exe", full);
		free(full);
		path += n + (path[n] == ':');
	}
	if (strchr(name, '/') != NULL)
		add_string(to, "exe", name);
}

/* The environment of the machine's program, with what the command sets in its place. */
static void merge_env(struct strv *env, const struct strv *base, const char *data, size_t len)
{
	strv_add_all(env, base);
	for (const char *p = data; p < data + len; p += strlen(p) + 1) {
		size_t name = str_begins(p, "env=") ? strcspn(p + 4, "=") + 1 : 0, i = 0;

		if (name == 0)
			continue;
		while (i < env->n && strncmp(env->v[i], p + 4, name) != 0)
			i++;
		if (i == env->n) {
			strv_add(env, p + 4);
			continue;
		}
		free(env->v[i]);
		env->v[i] = xstrdup(p + 4);
	}
}

static void start_program(struct server *s, struct client *c, const char *data, size_t len)
{
	struct outbuf strings = { 0 };
	struct strv env = { 0 };
	const char *name = NULL, *cwd = s->cwd;

	merge_env(&env, s->env, data, len);
	for (const char *p = data; p < data + len; p += strlen(p) + 1) {
		if (str_begins(p, "arg=") && name == NULL)
			name = p + 4;
		if (str_begins(p, "cwd="))
			cwd = p + 4;
		else if (str_begins(p, "arg=") || str_begins(p, "tty="))
			outbuf_add(&strings, p, strlen(p) + 1);
	}
	add_string(&strings, "cwd", cwd);
	for (size_t i = 0; i < env.n; i++)
		add_string(&strings, "env", env.v[i]);
	if (name != NULL)
		add_candidates(&strings, name, value_in(&env, "PATH"));
	if (name == NULL || strings.tail > CONTROL_EXEC_MAX) {
		refuse(c, name == NULL ? "no program is named"
				       : "arguments and environment are longer than 64 KiB");
	} else {
		c->id = ++s->last_id;
		outbuf_printf(s->guest, "exec=%u %zu\n", c->id, strings.tail);
		outbuf_add(s->guest, strings.data, strings.tail);
	}
	outbuf_release(&strings);
	strv_release(&env);
}

/* Messages about a program that has been started. False: it is none of these. */
static bool session_message(struct server *s, struct client *c, const struct link_head *h,
			    size_t len)
{
	if (h->kind < LINK_IN || (h->kind > LINK_EXEC_SIGNAL && h->kind != LINK_ROOM))
		return false;
	if (c->id == 0 || s->guest == NULL)
		return true; /* it has ended meanwhile */
	switch (h->kind) {
	case LINK_IN:
		if (len > CONTROL_WINDOW - c->unasked)
			return false;
		c->unasked += len;
		for (size_t at = 0; at < len; at += CONTROL_DATA_MAX) {
			size_t n = len - at < CONTROL_DATA_MAX ? len - at : CONTROL_DATA_MAX;

			outbuf_printf(s->guest, "exec-in=%u %zu\n", c->id, n);
			outbuf_add(s->guest, s->data + at, n);
		}
		break;
	case LINK_IN_END: outbuf_printf(s->guest, "exec-in-end=%u\n", c->id); break;
	case LINK_WINSIZE:
		outbuf_printf(s->guest, "exec-winsize=%u %ux%u\n", c->id, h->value >> 16,
			      h->value & 0xffff);
		break;
	case LINK_EXEC_SIGNAL:
		outbuf_printf(s->guest, "exec-signal=%u %u\n", c->id, h->value);
		break;
	default: outbuf_printf(s->guest, "exec-room=%u %u\n", c->id, h->value); break;
	}
	return true;
}

static void obey(struct server *s, struct client *c, const struct link_head *h, size_t len,
		 struct server_wishes *w)
{
	if (session_message(s, c, h, len))
		return;
	if (h->kind == LINK_STOP) {
		w->stop = true;
		w->stop_after = h->value;
		answer(c, LINK_OK, 0, NULL, 0);
	} else if (h->kind == LINK_KILL) {
		w->kill = true;
		answer(c, LINK_OK, 0, NULL, 0);
	} else if (s->guest == NULL) {
		refuse(c, "the program does not run just now");
	} else if (h->kind == LINK_SIGNAL && h->value >= 1 && h->value <= 64) {
		w->signal = (int)h->value;
		answer(c, LINK_OK, 0, NULL, 0);
		c->closing = true;
	} else if (h->kind == LINK_EXEC && c->id == 0 && len > 0 && s->data[len - 1] == '\0') {
		start_program(s, c, s->data, len);
	} else {
		refuse(c, "the message is not understood; are both tools of the same version?");
	}
}

static void leave(struct server *s, struct client *c)
{
	if (c->id != 0 && s->guest != NULL)
		outbuf_printf(s->guest, "exec-gone=%u\n", c->id);
	drop(c);
}

static void take_client(struct server *s)
{
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred who;
	socklen_t n = sizeof(who);

	if (fd < 0)
		return;
	for (size_t i = 0; i < SERVER_CLIENTS; i++) {
		if (s->client[i].fd >= 0)
			continue;
		/* The folder keeps others out already. */
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0 ||
		    (who.uid != geteuid() && who.uid != 0))
			break;
		s->client[i] = (struct client){ .fd = fd };
		return;
	}
	close(fd);
}

static void step_client(struct server *s, struct client *c, short events, struct server_wishes *w)
{
	struct link_head head;
	size_t len;

	flush(c);
	if ((events & (POLLIN | POLLHUP | POLLERR)) != 0) {
		int got = link_receive(c->fd, &head, s->data, &len);

		if (got == 0) {
			leave(s, c);
			return;
		}
		if (got > 0 && !c->closing)
			obey(s, c, &head, len, w);
	}
	if (c->closing && c->first == NULL)
		shutdown(c->fd, SHUT_WR); /* the command reads to the end and closes */
}

void server_fill(const struct server *s, struct pollfd p[SERVER_POLLS])
{
	bool full = true;

	for (size_t i = 0; i < SERVER_CLIENTS; i++) {
		const struct client *c = &s->client[i];
		short events = c->first != NULL ? POLLIN | POLLOUT : POLLIN;

		p[i + 1] = (struct pollfd){ .fd = c->fd, .events = events };
		full = full && c->fd >= 0;
	}
	p[0] = (struct pollfd){ .fd = full ? -1 : s->fd, .events = POLLIN };
}

void server_step(struct server *s, const struct pollfd p[SERVER_POLLS], struct server_wishes *w)
{
	for (size_t i = 0; i < SERVER_CLIENTS; i++)
		if (p[i + 1].fd >= 0 && p[i + 1].revents != 0)
			step_client(s, &s->client[i], p[i + 1].revents, w);
	if (p[0].fd >= 0 && p[0].revents != 0)
		take_client(s);
}
