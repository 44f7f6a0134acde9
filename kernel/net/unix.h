/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AF_UNIX, inside. References to a socket: its file (or its place among the connections that a
 * listener has not accepted), each peer pointer to it, each message it sent, each thread that waits
 * at it.
 *
 * Connected streams and packet pairs point to each other until they are released; the one that
 * stays keeps the memory of the other (dead), whose address it can still tell.
 */
#pragma once

#include "kernel/net/socket.h"

#define UNIX_ADDR_MIN 2u   /* the family alone */
#define UNIX_ADDR_MAX 110u /* sizeof(struct sockaddr_un) */

struct unix_addr { /* shared by a listener and the sockets accepted from it */
	uint32_t refs;
	struct sock_addr a;
};

struct unix_sock {
	struct socket sock;
	uint32_t refs;
	struct list all; /* in the list of all that are not dead */
	enum unix_state { UNIX_CLOSED, UNIX_LISTENING, UNIX_CONNECTED } state;
	bool dead;               /* released; only memory */
	struct unix_addr *addr;  /* NULL: no name */
	struct path path;        /* of a name in the file system, {NULL} else */
	struct list in_abstract; /* in the list of abstract names */
	struct unix_sock *peer;  /* referenced, or NULL */
	struct list connected;   /* datagram sockets that have us as peer */
	struct list in_connected;
	struct list queue; /* messages to read */
	unsigned queued;
	struct list pending; /* of a listener: connections to accept, by in_pending */
	struct list in_pending;
	unsigned npending, backlog; /* backlog: also of datagrams from sockets that are no peers */
	struct waitq peer_wait;     /* who waits for room in queue or pending */
	uint32_t wmem;              /* charged for messages of ours that nobody has read */
	struct unix_peer {
		struct ucred_k cred;       /* pid 0: nobody */
		struct group_list *groups; /* referenced */
	} peer_is;
};

struct unix_msg {
	struct list node;
	struct unix_sock *from; /* referenced, charged */
	uint32_t len, off;      /* bytes; already read */
	uint32_t charge;
	bool paged, peeked;
	int64_t stamp_ns; /* 0: nobody wanted to know */
	struct ucred_k cred;
	struct scm_files *files;
	union {
		uint8_t bytes[8];
		uint8_t *page[1];
	} data; /* as long as needed */
};

static inline struct unix_sock *unix_of(struct socket *s)
{
	return container_of(s, struct unix_sock, sock);
}
static inline bool unix_connection_based(const struct unix_sock *u)
{
	return u->sock.type != SOCK_DGRAM;
}
/* As Linux: a quarter of the buffer is what may be in flight for a socket to count as writable. */
static inline bool unix_writable(const struct unix_sock *u)
{
	return u->state != UNIX_LISTENING && (uint64_t)u->wmem * 4 <= u->sock.sndbuf;
}
static inline bool unix_queue_full(const struct unix_sock *u)
{
	return u->queued > u->backlog;
}

struct unix_sock *unix_get(struct unix_sock *u);
void unix_put(struct unix_sock *u);
/* Everybody who waits at u looks again. */
void unix_wake_all(struct unix_sock *u);

/* unix_name.c */
err_t unix_check_addr(const struct sock_addr *a) MUST_CHECK; /* E_INVAL */
err_t unix_bind(struct socket *s, const struct sock_addr *a) MUST_CHECK;
err_t unix_autobind(struct unix_sock *u) MUST_CHECK;
/* The socket of that name and type, referenced. E_CONNREFUSED, E_PROTOTYPE, errors of the path. */
err_t unix_find(const struct sock_addr *a, int type, struct unix_sock **out) MUST_CHECK;
err_t unix_name(struct socket *s, bool peer, struct sock_addr *out) MUST_CHECK;
void unix_forget_name(struct unix_sock *u);

/* unix_msg.c */
/* The next len bytes of `from`, charged to u as Linux would for `linear` bytes in one piece and the
 * rest in pages. E_NOBUFS, E_FAULT. */
err_t unix_msg_new(struct unix_sock *u, struct uio *from, uint32_t len, uint32_t linear,
		   struct unix_msg **out) MUST_CHECK;
void unix_msg_free(struct unix_msg *m);
/* len bytes at off to `to`. E_FAULT: some may have been moved. */
err_t unix_msg_read(const struct unix_msg *m, uint32_t off, uint32_t len,
		    struct uio *to) MUST_CHECK;
/* At the end of to's queue; wakes its readers. Takes m over. */
void unix_msg_queue(struct unix_sock *to, struct unix_msg *m);
void unix_msg_unqueue(struct unix_sock *u, struct unix_msg *m);

/* unix_io.c */
err_t unix_stream_send(struct socket *s, struct sock_msg *m, size_t *done) MUST_CHECK;
err_t unix_stream_recv(struct socket *s, struct sock_msg *m, size_t *done) MUST_CHECK;
err_t unix_packet_send(struct socket *s, struct sock_msg *m, size_t *done) MUST_CHECK;
err_t unix_packet_recv(struct socket *s, struct sock_msg *m, size_t *done) MUST_CHECK;
/* All that u has not read is lost. */
void unix_drop_messages(struct unix_sock *u);
/* Room in u's queue, or u is gone: those who could not send to it look again. */
void unix_room_in_queue(struct unix_sock *u);
/* The peer of a datagram socket changes or goes. */
void unix_dgram_disconnect(struct unix_sock *u);
