/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the commands of the tool and a machine's owner: messages on a Unix socket that keeps
 * their bounds (SOCK_SEQPACKET). A connection is for one command, or for one program that
 * `ringfence exec` starts. When the owner ends, the connection does: that is how others wait for
 * it.
 */
#pragma once

#include "abi/control.h"
#include "tool/util.h"

enum link_kind {
	/* to the owner */
	LINK_SIGNAL = 1, /* value: send this signal to the machine's program */
	LINK_STOP,       /* value: seconds until the machine is ended by force; no restart */
	LINK_KILL,       /* end the machine now; no restart */
	/* data: "arg=...", "env=...", "cwd=...", "tty=RxC" strings, each with NUL */
	LINK_EXEC,
	LINK_IN, /* data for the program; at most CONTROL_WINDOW without LINK_ROOM */
	LINK_IN_END,
	LINK_WINSIZE,     /* value: rows << 16 | columns */
	LINK_EXEC_SIGNAL, /* value */
	/* to the command */
	LINK_OK = 64,
	LINK_ERROR,   /* data: text */
	LINK_STARTED, /* value: process number in the machine */
	LINK_FAILED,  /* value: error number: it could not be started */
	LINK_OUT,     /* data */
	LINK_ERR,
	LINK_ENDED, /* value: wait status */
	/* both ways */
	LINK_ROOM, /* value: so many bytes of data were passed on */
};

struct link_head {
	uint32_t kind, value;
};
#define LINK_DATA_MAX CONTROL_EXEC_MAX

/* -1 with errno: ECONNREFUSED or ENOENT when no owner is there. */
int link_connect(const char *socket_path);
/* Listening socket, ready for accept4. -1 with errno. */
int link_listen(const char *socket_path);
/* Whole message. False with errno (EAGAIN on a socket that does not block). */
bool link_send(int fd, enum link_kind kind, uint32_t value, const void *data, size_t len);
/* -1: nothing (errno), 0: the other side has closed, else 1. `data` has LINK_DATA_MAX bytes. */
int link_receive(int fd, struct link_head *head, char *data, size_t *len);
