/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP sockets over lwIP's raw API.
 *
 * Sending: what a program writes, or sendfile() takes from a file's own pages, is copied once, into
 * chunks (or straight into a segment): it may change before it is acknowledged, and what is sent
 * again must be what was sent. It waits in the socket. Segments are made of it only when they can
 * leave at once, as large as the peer's window, the congestion window and the interface allow:
 * tcp_output(), which lwIP calls after everything that could have opened a window, is ours and does
 * that first. A segment is a small pbuf for the headers, chained to pbufs that point into chunks;
 * these live until the segment is acknowledged and the driver has let go of it.
 *
 * Receiving: lwIP hands over the pbufs in which data came. They stay in the socket until a program
 * reads them, and are copied once, to the program.
 *
 * A socket is freed when its file is gone and lwIP does not need it any more: a closed one stays
 * until all its data has been made into segments (an orphan).
 */
#pragma once

#include "kernel/net/local.h"

/* sk_state of Linux, as far as sockets see it. What lies between is lwIP's. */
enum tcp_sock_state { TS_CLOSE, TS_LISTEN, TS_SYN_SENT, TS_OPEN };

/* net.ipv4.tcp_wmem and tcp_rmem. Buffers that nobody has set have a size of our own choice. */
#define TCP_SNDBUF_DEF 16384u
#define TCP_RCVBUF_DEF 131072u

struct tcp_chunk;

struct tcp_sock {
	struct inet_sock i; /* first */
	enum tcp_sock_state state;
	/* SS_* of Linux: what connect() was last told. */
	bool connecting, connected;
	bool orphan;         /* closed by the program */
	bool auto_port;      /* connect() chose the port */
	err_t soft_error;    /* the reason if it times out; an acknowledgement clears it */
	struct tcp_pcb *pcb; /* of SYN_SENT and OPEN; NULL: lwIP has none (any more) */

	/* listening */
	struct tcp_pcb_listen *lpcb;
	struct list accepts; /* established, not taken yet */
	struct list waiting; /* established, but no data came yet (TCP_DEFER_ACCEPT) */
	unsigned naccepts, backlog;
	struct tcp_sock *listen_next; /* in its bucket of listeners */

	/* not taken yet */
	struct tcp_sock *parent; /* the listener; NULL: taken, or made by connect() */
	struct list accept_node; /* in its `accepts` or `waiting` */
	bool deferred;           /* in `waiting` */
	uint64_t deferred_until_ns;

	/* receiving: a list of single pbufs, by `next` */
	struct pbuf *rx_first, *rx_last;
	uint32_t rx_len;    /* bytes to read */
	uint32_t rx_mem;    /* memory they take */
	uint32_t rx_credit; /* read, but not yet told to lwIP */
	uint32_t rx_window; /* what may be on its way and unread */
	uint32_t rx_debt;   /* more than that was promised: reads pay it first */
	bool rx_fin;        /* the peer has ended */
	bool ended_told;    /* an error that ended it has been read: from now on, end of file */
	char *rx_merge;     /* where the next small piece goes, in rx_last; NULL: nowhere */
	uint32_t rx_merge_room;
	/* Urgent data is one byte of the stream (MSG_OOB). */
	bool urg;      /* there is one ahead, or it has come and was not passed yet */
	bool urg_read; /* the program has it by MSG_OOB; the place in the stream stays */
	uint8_t urg_byte;
	uint64_t urg_at; /* which byte of all that come */

	/* sending */
	struct tcp_chunk *tx_first, *tx_last;
	uint32_t tx_unsent; /* bytes in chunks, not yet in a segment */
	uint32_t tx_mem;    /* these, and those in segments that are not acknowledged */
	uint32_t tx_limit;
	uint32_t tx_small_end;  /* sequence number after the last segment smaller than mss */
	bool tx_small;          /* there was one */
	bool tx_urgent;         /* not acknowledged yet: urgent data, */
	uint32_t tx_urgent_end; /* which ends at this sequence number */
	bool tx_more;           /* MSG_MORE: something is to follow */
	bool tx_full;           /* somebody was told that there is no room */
	bool tx_starved;        /* there was no memory; the slow timer looks again */
	bool tx_fin, fin_given; /* end after what is queued; lwIP has been told */
	bool cwnd_set;
	uint8_t cork_ticks; /* of the slow timer, since data is held back */

	/* options */
	bool nodelay, cork, quickack, no_quickack, inq, fastopen_connect;
	int defer_s, keepidle_s, keepintvl_s, keepcnt, syncnt, linger2_s, maxseg, user_timeout_ms;
	int notsent_lowat, window_clamp, fastopen;
	uint64_t stuck_since_ns; /* TCP_USER_TIMEOUT: no acknowledgement since; 0: none awaited */
	uint64_t bytes_acked, bytes_received;
};

static inline struct tcp_sock *tcp_sock_of(struct socket *s)
{
	return (struct tcp_sock *)s;
}

/* Sequence numbers. */
static inline bool seq_after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

extern const struct socket_ops tcp_ops;

/* ---- tcp_mem.c ---- */

/* Memory that data of connections takes. */
extern uint64_t tcp_queued_bytes;
/*
 * Above a quarter of the machine's memory, or when the machine has little left: who has data
 * already gets no more, in both directions, and others little. Packets are dropped, connections are
 * not.
 */
bool tcp_memory_short(void);
/* There is next to nothing left: no new connections. */
bool tcp_memory_gone(void);
/*
 * For how long the peer of a closed socket may acknowledge nothing: as long as Linux's eight
 * attempts take. One that vanished, or never opens its window, would keep the memory of what was
 * sent for a quarter of an hour.
 */
#define TCP_ORPHAN_MS 100000u
/* Frees t: lwIP goes on alone with what is in segments, and with the end. In a bracket. */
void tcp_leave_alone(struct tcp_sock *t);
void tcp_orphan_acked(struct tcp_pcb *pcb, uint32_t n);
bool tcp_orphan_given_up(const struct tcp_pcb *pcb);
void tcp_orphan_gone(const struct tcp_pcb *pcb);

/* ---- tcp_conn.c: connections begin and end ---- */

/* lwIP's connection is the socket's from now on: callbacks, options. */
void tcp_attach(struct tcp_sock *t, struct tcp_pcb *pcb);
/* lwIP goes on alone, or the connection is about to be dropped. */
void tcp_detach(struct tcp_sock *t);
/* The connection is over, with an error or without: everybody who waits is told. */
void tcp_ended(struct tcp_sock *t, err_t err);
/*
 * An error message about a packet from local to remote came: an attempt to connect ends with it, as
 * in Linux; what is open remembers it as the reason for which it may time out. In a bracket.
 */
void tcp_blamed(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *remote,
		uint16_t remote_port, uint32_t seq, err_t error);
/* Options that lwIP has to know. */
void tcp_push_options(struct tcp_sock *t);
err_t tcp_op_connect(struct socket *s, const struct sock_addr *a, bool nonblock);
err_t tcp_op_listen(struct socket *s, unsigned backlog);
err_t tcp_op_accept_wait(struct socket *s, bool nonblock);
struct socket *tcp_op_accept_take(struct socket *s);
/* Back to TS_CLOSE: what is queued is dropped, the peer gets a reset. In a bracket. */
void tcp_disconnect(struct tcp_sock *t);
/* A listener ends, and what nobody accepted with it. In a bracket. */
void tcp_unlisten(struct tcp_sock *t);
/* Free it: no file, no lwIP. */
void tcp_sock_free(struct tcp_sock *t);
/* A deferred connection got data, or has waited long enough: it can be accepted. */
void tcp_ready(struct tcp_sock *t);
/* Deferred connections that have waited long enough; called now and then. */
void tcp_check_deferred(void);
bool tcp_any_deferred(void);
/* close() with SO_LINGER: wait until the peer has all, at most as long as the program said.
 * MAY_SWITCH */
void tcp_op_linger(struct socket *s);
extern bool tcp_lingers;    /* somebody does: */
void tcp_linger_look(void); /* let them look whether it is over; after packets and timers */
/* Before the last packet of a handshake is handled: is there all that accepting it will need? */
bool tcp_can_establish(const struct tcp_pcb *pcb);

/* ---- tcp_demux.c ---- */

/* The listener for a connection from `remote`; NULL: none. */
struct tcp_sock *tcp_find_listener(const ip_addr_t *local, uint16_t port, const ip_addr_t *remote,
				   uint16_t remote_port);
/* Calls fn for each. */
void tcp_each_listener(void (*fn)(struct tcp_sock *t));
void tcp_listener_add(struct tcp_sock *t);
void tcp_listener_remove(struct tcp_sock *t);
/* NULL: no such connection. */
struct tcp_pcb *tcp_find(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *remote,
			 uint16_t remote_port);
/* For a new pcb that is not in any list: whose port it has. */
void tcp_pcb_prepare(struct tcp_pcb *pcb, struct inet_port *port, bool reusable);
void tcp_pcb_established(struct tcp_pcb *pcb); /* it is not half-open any more */
void tcp_listen_prepare(struct tcp_pcb_listen *lpcb);
/* lwIP's timer functions have run: they take connections out of lists on their own. */
void tcp_after_timer(void);

/* ---- tcp_recv.c ---- */
lwip_err_t tcp_got_data(void *arg, struct tcp_pcb *pcb, struct pbuf *p, lwip_err_t err);
err_t tcp_op_recv(struct socket *s, struct sock_msg *m, size_t *done);
void tcp_rx_drop(struct tcp_sock *t);
bool tcp_readable(const struct tcp_sock *t);
/* The header of a segment that lwIP is about to get says where urgent data ends. In a bracket. */
void tcp_note_urgent(struct tcp_sock *t, const struct tcp_hdr *h, const struct tcp_pcb *pcb);
/* Urgent data is there for MSG_OOB. */
bool tcp_urgent_here(const struct tcp_sock *t);
/* The next byte to read is the urgent one. */
bool tcp_at_mark(const struct tcp_sock *t);
/* FIONREAD: what can be read up to urgent data. */
uint32_t tcp_unread(const struct tcp_sock *t);
/* The window as SO_RCVBUF has it. */
void tcp_set_window(struct tcp_sock *t);

/* ---- tcp_send.c ---- */
lwip_err_t tcp_got_ack(void *arg, struct tcp_pcb *pcb, u16_t len);
err_t tcp_op_send(struct socket *s, struct sock_msg *m, size_t *done);
void tcp_tx_drop(struct tcp_sock *t);
bool tcp_writable(const struct tcp_sock *t);
/* Send what can be sent; in a bracket. */
void tcp_push(struct tcp_sock *t);
/* lwIP: every tick of the slow timer while data waits. */
lwip_err_t tcp_waiting_tick(void *arg, struct tcp_pcb *pcb);

/* ---- tcp_opt.c ---- */
err_t tcp_op_setsockopt(struct socket *s, int level, int opt, uaddr_t val, int len);
err_t tcp_op_getsockopt(struct socket *s, int level, int opt, uaddr_t val, uaddr_t len);
