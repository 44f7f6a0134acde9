/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AF_NETLINK, inside. A socket has a port number and a queue of messages; what the kernel has to
 * say is built in a buffer (struct nl_build) and queued as one message. A dump goes on, a buffer at
 * a time, when the program has read.
 */
#pragma once

#include <linux/netlink.h>

#include "kernel/net/socket.h"

#define NL_CHUNK 8192u /* of a dump; programs offer 8 KiB at least */

struct nl_sock;

/* A message being put together; nothing is added once it is full (`failed`). */
struct nl_build {
	uint8_t *buf;
	uint32_t len, room;
	bool failed;
	uint32_t seq, port; /* of the request that is answered */
	uint16_t flags;     /* for each header */
};

struct nl_dump {
	/* Adds messages until b has failed (what was begun is dropped) or all are there: true.
	 * Keeps where it is in at[]. */
	bool (*step)(struct nl_dump *d, struct nl_build *b);
	struct nl_sock *sock;
	uint32_t seq;
	uint64_t at[3];
	uint8_t request[64]; /* the beginning of the request's payload, zeros behind it */
};

struct nl_msg {
	struct list node;
	uint32_t len, from_port, group;
	struct ucred_k cred;
	uint8_t data[];
};

struct nl_sock {
	struct socket sock;
	struct list all; /* in the list of all */
	uint32_t port;   /* 0: none yet */
	uint64_t groups; /* bit g - 1 */
	uint32_t dst_port, dst_groups;
	struct list queue;
	uint32_t queued; /* bytes */
	uint32_t bits;   /* bit NETLINK_x: an option of SOL_NETLINK is set */
	struct nl_dump *dump;
	uint32_t dropped;
};

struct nl_request {
	struct nl_sock *from;
	const struct nlmsghdr *h;
	const uint8_t *payload; /* h's, aligned to 4 */
	uint32_t len;
	struct ucred_k cred;
	const char *why; /* for the error, in extended acknowledgements; or NULL */
};

/* What a protocol does with one message of NLM_F_REQUEST. E_INTR: it has sent its answer (or begun
 * a dump) and there is to be no acknowledgement. */
typedef err_t nl_receive_fn(struct nl_request *r);
nl_receive_fn nl_route_receive, nl_diag_receive, nl_generic_receive;

/* ---- building (netlink_msg.c) ---- */

err_t nl_build_init(struct nl_build *b, uint32_t room, const struct nl_request *r) MUST_CHECK;
void nl_build_end(struct nl_build *b); /* frees */
/* A header and `size` zeroed bytes behind it, aligned; NULL: full. Finish with nl_message_end. */
void *nl_message(struct nl_build *b, uint16_t type, uint32_t size, uint32_t *start);
/* True: the message that began at `start` is complete. False: it did not fit and is gone. */
bool nl_message_end(struct nl_build *b, uint32_t start);
void nl_attr(struct nl_build *b, uint16_t type, const void *data, size_t n);
void nl_attr_u8(struct nl_build *b, uint16_t type, uint8_t v);
void nl_attr_u32(struct nl_build *b, uint16_t type, uint32_t v);
void nl_attr_str(struct nl_build *b, uint16_t type, const char *s); /* with its NUL */
/* The attribute `type` behind the first `skip` bytes of the payload; NULL: not there. */
const void *nl_find_attr(const struct nl_request *r, uint32_t skip, uint16_t type, uint32_t *n);
/* Queue what was built for its asker, and free the buffer. E_NOBUFS: no room there. */
err_t nl_answer(struct nl_sock *to, struct nl_build *b) MUST_CHECK;
/* Begin a dump: E_INTR, or E_BUSY, E_NOMEM. */
err_t nl_dump_start(struct nl_request *r, bool (*step)(struct nl_dump *, struct nl_build *));
void nl_dump_continue(struct nl_sock *s);
/* All messages of one datagram that a program sent to the kernel. */
void nl_receive(struct nl_sock *from, const uint8_t *data, uint32_t len, const struct ucred_k *cred,
		nl_receive_fn *fn);

/* ---- sockets (netlink.c) ---- */

/* Takes m over. E_NOBUFS: the queue is full (m is freed, and ENOBUFS is told if it is a broadcast
 * or an answer). */
err_t nl_queue(struct nl_sock *to, struct nl_msg *m) MUST_CHECK;
struct nl_msg *nl_msg_new(uint32_t len);
/* Is there a netlink socket at all? Else nothing need be composed for nl_broadcast. */
bool nl_in_use(void);
/* To all members of a group of a protocol. */
void nl_broadcast(int protocol, uint32_t group, const void *data, uint32_t len);
static inline bool nl_option(const struct nl_sock *s, unsigned opt)
{
	return (s->bits >> opt & 1) != 0;
}
