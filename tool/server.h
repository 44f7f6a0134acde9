/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The owner's side of link.h: takes commands of other processes, and passes the streams of programs
 * that they start between them and the machine. Never blocks; what waits for a slow reader is
 * bounded by the windows of abi/control.h.
 */
#pragma once

#include <poll.h>

#include "tool/control.h"
#include "tool/outbuf.h"

#define SERVER_CLIENTS 32
#define SERVER_POLLS   (SERVER_CLIENTS + 1)

struct server;

/* What commands want of the owner itself; it acts and sets the fields back. */
struct server_wishes {
	int signal; /* for the program; 0: none */
	bool stop, kill;
	unsigned stop_after; /* seconds */
};

/* Listen at a path. NULL with errno. */
struct server *server_open(const char *socket_path);
void server_close(struct server *s);

/*
 * The machine runs: `guest` takes lines for its control port, `env` and `cwd` are its program's.
 * `guest` NULL: it does not run (any more), and programs in it are told to have ended with it.
 */
void server_machine(struct server *s, struct outbuf *guest, const struct strv *env,
		    const char *cwd);
/* A line of the machine about a program. */
void server_event(struct server *s, const struct control_event *e);

/* For poll(): exactly SERVER_POLLS entries. */
void server_fill(const struct server *s, struct pollfd p[SERVER_POLLS]);
void server_step(struct server *s, const struct pollfd p[SERVER_POLLS], struct server_wishes *w);
