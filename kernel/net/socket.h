/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets: what all families share. A socket belongs to one open file, which owns it; the family
 * embeds struct socket in its own. Addresses and control data are in kernel memory here, except
 * where a uaddr_t says otherwise.
 */
#pragma once

#include <asm/socket.h>
#include <linux/socket.h>

#include "kernel/vfs/poll.h"

/* As <sys/socket.h>; the headers for programs have them only in the C library. */
#define AF_UNSPEC  0
#define AF_UNIX    1
#define AF_INET    2
#define AF_INET6   10
#define AF_NETLINK 16
#define AF_PACKET  17
#define AF_COUNT   46

#define SOCK_STREAM    1
#define SOCK_DGRAM     2
#define SOCK_RAW       3
#define SOCK_SEQPACKET 5
#define SOCK_COUNT     11
#define SOCK_TYPE_MASK 0xf
#define SOCK_CLOEXEC   02000000
#define SOCK_NONBLOCK  04000

#define MSG_OOB          0x1u
#define MSG_PEEK         0x2u
#define MSG_DONTROUTE    0x4u
#define MSG_CTRUNC       0x8u
#define MSG_TRUNC        0x20u
#define MSG_DONTWAIT     0x40u
#define MSG_EOR          0x80u
#define MSG_WAITALL      0x100u
#define MSG_CONFIRM      0x800u
#define MSG_ERRQUEUE     0x2000u
#define MSG_NOSIGNAL     0x4000u
#define MSG_MORE         0x8000u
#define MSG_WAITFORONE   0x10000u
#define MSG_FASTOPEN     0x20000000u
#define MSG_CMSG_CLOEXEC 0x40000000u
#define MSG_CMSG_COMPAT  0x80000000u

#define SHUT_RD_BIT  1u
#define SHUT_WR_BIT  2u
#define SHUT_BOTH    3u
#define SOMAXCONN    4096
#define SOCK_BUF_DEF 212992u /* net.core.wmem_default, rmem_default and their maxima */

struct sock_addr {
	uint32_t len; /* 0: none */
	union {
		uint16_t family;
		struct __kernel_sockaddr_storage storage;
		char bytes[_K_SS_MAXSIZE];
	};
};

struct ucred_k {
	int pid;
	uint32_t uid, gid;
};

/* Files in flight: referenced, counted against RLIMIT_NOFILE of the sender. */
#define SCM_FILES_MAX 253
struct scm_files {
	struct scm_files *next; /* while it waits to be dropped */
	unsigned n;
	struct file *file[SCM_FILES_MAX];
};

/* What goes beside the data. */
struct scm {
	struct scm_files *files; /* owned; NULL: none */
	struct ucred_k cred;
	bool cred_set;    /* sending: the program gave it */
	int64_t stamp_ns; /* received: when it came, by the wall clock; 0: not told */
};

/* What a program asks of one datagram beside its data: control data of IP and IPv6. */
struct inet_control {
	int tos, ttl;   /* -1: the socket's */
	int ifindex;    /* 0: as the route says */
	int segment;    /* UDP_SEGMENT; 0: one datagram */
	uint8_t family; /* of src; 0: none is asked for */
	uint8_t src[16];
};

/* One message on its way between a program and a family. */
struct sock_msg {
	uint32_t flags;        /* MSG_* of the call */
	uint32_t out_flags;    /* MSG_TRUNC, MSG_CTRUNC, MSG_EOR of a received message */
	bool nonblock;         /* from MSG_DONTWAIT and O_NONBLOCK */
	struct uio data;       /* the program's */
	struct sock_addr name; /* where to; received: where from */
	uaddr_t control;       /* the program's buffer; 0: none */
	uint64_t control_len;  /* received: bytes that were filled */
	uint64_t control_used; /* while receiving: bytes that sock_put_control() filled */
	struct scm scm;
	struct inet_control inet; /* to send */
};

struct socket;

/* Errors as the system calls; those that block take MSG_DONTWAIT and O_NONBLOCK as `nonblock`. */
struct socket_ops {
	err_t (*bind)(struct socket *s, const struct sock_addr *a);
	err_t (*listen)(struct socket *s, unsigned backlog);
	err_t (*connect)(struct socket *s, const struct sock_addr *a, bool nonblock);
	/* Until a connection is there; then accept_take(), without a switch of threads in between,
	 * takes it. */
	err_t (*accept_wait)(struct socket *s, bool nonblock);
	struct socket *(*accept_take)(struct socket *s);
	err_t (*pair)(struct socket *a, struct socket *b); /* NULL: E_OPNOTSUPP */
	err_t (*name)(struct socket *s, bool peer, struct sock_addr *out);
	/* Bytes are added to *done, also with an error. Takes what it sends out of m->scm, gives
	 * what it received there. */
	err_t (*send)(struct socket *s, struct sock_msg *m, size_t *done);
	err_t (*recv)(struct socket *s, struct sock_msg *m, size_t *done);
	err_t (*shutdown)(struct socket *s, unsigned how); /* SHUT_*_BIT */
	uint32_t (*poll)(struct socket *s);                /* events; the queues are rq and wq */
	long (*ioctl)(struct socket *s, unsigned cmd, uint64_t arg); /* E_NOTTY: unknown */
	/* Options of a family's own levels; NULL: E_OPNOTSUPP. */
	err_t (*setsockopt)(struct socket *s, int level, int opt, uaddr_t val, int len);
	err_t (*getsockopt)(struct socket *s, int level, int opt, uaddr_t val, uaddr_t len);
	/* One item of control data to send, of another level than SOL_SOCKET. NULL: ignored. */
	err_t (*control)(struct socket *s, struct sock_msg *m, int level, int type,
			 const void *data, size_t n);
	bool peeks_at;                                                  /* SO_PEEK_OFF */
	bool (*listening)(const struct socket *s);                      /* SO_ACCEPTCONN */
	void (*peer_cred)(const struct socket *s, struct ucred_k *out); /* NULL: nobody */
	/* SO_PEERGROUPS: the number, and where they are; E_NODATA: nobody. NULL: never anybody. */
	long (*peer_groups)(const struct socket *s, const uint32_t **out);
	void (*buffers_changed)(struct socket *s); /* NULL: nothing to do */
	/* option_bits or bound_if; NULL: nothing to do */
	void (*options_changed)(struct socket *s);
	/*
	 * The last descriptor is being closed, and SO_LINGER says for how long (not 0) the end may
	 * be waited for. NULL: nothing to wait for. MAY_SWITCH
	 */
	void (*linger)(struct socket *s);
	void (*release)(struct socket *s); /* the file is gone; frees s when nobody needs it */
};

struct socket {
	const struct socket_ops *ops;
	int family, type, protocol;
	uint32_t uid;         /* of its maker */
	struct file *file;    /* whose it is, not counted; NULL: not accepted yet, or closed */
	struct waitq rq, wq;  /* readers (data, connections, ends), writers (room, ends) */
	unsigned shut;        /* SHUT_*_BIT */
	err_t error;          /* SO_ERROR; taken by socket_error() */
	uint64_t option_bits; /* bit SO_x: a yes-or-no option is set */
	uint32_t sndbuf, rcvbuf, rcvlowat, priority;
	uint32_t mark, busy_poll_us, busy_poll_budget, buf_lock;
	int bound_if; /* SO_BINDTODEVICE; 0: none */
	int linger_s;
	int peek_off; /* SO_PEEK_OFF; below 0: off */
	enum sock_stamp { STAMP_NONE, STAMP_US, STAMP_NS, STAMP_US_NEW, STAMP_NS_NEW } stamp;
	uint64_t cookie;                   /* SO_COOKIE; 0: not asked for yet */
	uint64_t max_pacing;               /* SO_MAX_PACING_RATE: kept only */
	uint64_t rcvtimeo_ns, sndtimeo_ns; /* WAIT_FOREVER: none */
};

static inline bool socket_option(const struct socket *s, unsigned opt)
{
	return (s->option_bits >> opt & 1) != 0;
}

/* For families: the fields above; type and protocol as given. */
void socket_init(struct socket *s, const struct socket_ops *ops, int family, int type,
		 int protocol);
/* The pending error, which is none then. */
err_t socket_error(struct socket *s);
/* listen and accept_wait of families and types without connections: E_OPNOTSUPP. */
err_t socket_no_listen(struct socket *s, unsigned backlog);
err_t socket_no_accept(struct socket *s, bool nonblock);
/* When a blocking call gives up: 0 at once, WAIT_FOREVER never. */
uint64_t socket_deadline(uint64_t timeo_ns, bool nonblock);
/* Sleep on q once: OK (look again), E_AGAIN (the deadline is over), or the error of a signal.
 * MAY_SWITCH */
err_t socket_sleep(struct waitq *q, uint64_t deadline_ns) MUST_CHECK;
/* Where MSG_PEEK begins: so many bytes behind the first that is unread (SO_PEEK_OFF). */
static inline size_t socket_peek_at(const struct socket *s, const struct sock_msg *m)
{
	return (m->flags & MSG_PEEK) && s->peek_off > 0 ? (size_t)s->peek_off : 0;
}
/* n bytes were peeked at, or taken: the next look begins elsewhere. */
void socket_peek_moves(struct socket *s, const struct sock_msg *m, size_t n);
static inline void socket_wake(struct waitq *q)
{
	if (!list_empty(&q->waiters))
		wake_all(q);
}

/* ---- for the system calls ---- */

/* A new file with a socket in it; flags: O_NONBLOCK. */
err_t socket_create(int family, int type, int protocol, uint32_t flags,
		    struct file **out) MUST_CHECK;
err_t socket_create_pair(int family, int type, int protocol, uint32_t flags,
			 struct file *out[2]) MUST_CHECK;
/* The socket of a file; NULL when it is something else. */
struct socket *socket_of(struct file *f);
/* Accept: the new file with its descriptor in *fd, and the peer's address if `peer`. MAY_SWITCH */
err_t socket_accept(struct file *f, uint32_t flags, bool cloexec, struct sock_addr *peer,
		    int *fd) MUST_CHECK;
/* Control data is read from and written to the program's memory here. MAY_SWITCH */
err_t socket_send(struct file *f, struct sock_msg *m, size_t *done) MUST_CHECK;
err_t socket_recv(struct file *f, struct sock_msg *m, size_t *done) MUST_CHECK;
err_t socket_setsockopt(struct socket *s, int level, int opt, uaddr_t val, int len) MUST_CHECK;
err_t socket_getsockopt(struct socket *s, int level, int opt, uaddr_t val, uaddr_t len) MUST_CHECK;
/* val[0..n) as the value of an option of which the program takes *len bytes. */
err_t socket_option_out(uaddr_t val, uaddr_t len, const void *from, size_t n) MUST_CHECK;

/* ---- scm.c ---- */

/* Read the control data of a message to send. E_INVAL, E_BADF, E_PERM, E_SRCH, E_NOBUFS,
 * E_TOOMANYREFS ... nothing is held after an error. */
err_t scm_send(struct socket *s, struct sock_msg *m) MUST_CHECK;
/* Write what was received to the program's buffer: descriptors are made. Empties m->scm. */
void scm_receive(struct socket *s, struct sock_msg *m);
/* A family tells something beside the data it received: as much as the program's buffer takes. */
void sock_put_control(struct sock_msg *m, int level, int type, const void *data, size_t n);
/* The time that m->scm has, if the program wants it. */
void sock_put_stamp(const struct socket *s, struct sock_msg *m);
/* A copy for MSG_PEEK. NULL: out of memory. */
struct scm_files *scm_files_copy(const struct scm_files *from);
/* Files begin and end to be in flight (in a queue). */
void scm_fly(struct scm_files *files);
void scm_land(struct scm_files *files);
/* Drop them; never nests, however deep sockets are in flight in sockets. NULL is allowed. */
void scm_files_free(struct scm_files *files);

/* ---- families ---- */
err_t unix_create(int type, int protocol, struct socket **out) MUST_CHECK;
err_t netlink_create(int type, int protocol, struct socket **out) MUST_CHECK;
/* Is the file an AF_NETLINK socket? E_NOTSOCK, E_INVAL */
err_t netlink_check(struct file *f) MUST_CHECK;
/* Queue a message from the kernel for it, as it is. E_NOTSOCK, E_INVAL, E_NOMEM, E_NOBUFS (full) */
err_t netlink_tell(struct file *f, const void *data, uint32_t len) MUST_CHECK;

/* What /proc/net and sock_diag show of an AF_UNIX socket. */
struct unix_info {
	uint32_t refs, uid, shutdown, rqueue, wqueue;
	int type, state; /* TCP_* */
	bool listening;
	uint64_t ino, peer_ino;       /* 0: none */
	const struct sock_addr *addr; /* NULL: no name */
};
void unix_each(void (*fn)(void *ctx, const struct unix_info *i), void *ctx);
