/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of TCP sockets. */
#include <linux/tcp.h>

#include "base/str.h"
#include "kernel/net/tcp_sock.h"

#define TCP_CA_NAME  "reno" /* what lwIP does is NewReno */
#define CA_NAME_MAX  16u
#define KEEP_S_MAX   32767
#define KEEP_CNT_MAX 127
#define SYNCNT_DEF   6
#define LINGER2_DEF  60
#define MSS_MIN      88
#define DEFER_MAX    30000 /* 255 repetitions */
#define MSS_MAX      32767
#define MSS_DEFAULT  536

/* ---- setting ---- */

static err_t set_between(int *to, int value, int min, int max)
{
	if (value < min || value > max)
		return E_INVAL;
	*to = value;
	return OK;
}

static err_t set_maxseg(struct tcp_sock *t, int value)
{
	if (value != 0 && (value < MSS_MIN || value > MSS_MAX))
		return E_INVAL;
	t->maxseg = value;
	return OK;
}

/* What was held back goes when it need not be any more. */
static void release_held(struct tcp_sock *t)
{
	net_enter();
	tcp_push(t);
	net_leave();
}

static err_t set_cork(struct tcp_sock *t, bool on)
{
	t->cork = on;
	if (!on) {
		t->tx_more = false;
		release_held(t);
	}
	return OK;
}

static err_t set_nodelay(struct tcp_sock *t, bool on)
{
	t->nodelay = on;
	if (on && t->tx_unsent > 0)
		release_held(t);
	return OK;
}

static err_t set_quickack(struct tcp_sock *t, bool on)
{
	t->quickack = on;
	t->no_quickack = !on;
	if (on && t->pcb != NULL && (t->pcb->flags & TF_ACK_DELAY)) {
		tcp_ack_now(t->pcb);
		release_held(t);
	}
	return OK;
}

/* As long as that many repetitions of the answer to a SYN take, as Linux counts. */
static int defer_time(int seconds)
{
	int sum = 0;

	for (int step = 1; sum < seconds && sum < DEFER_MAX; step = step < 60 ? step * 2 : 120)
		sum += step;
	return sum;
}

static err_t set_number(struct tcp_sock *t, int opt, int value)
{
	switch (opt) {
	case TCP_NODELAY: return set_nodelay(t, value != 0);
	case TCP_MAXSEG: return set_maxseg(t, value);
	case TCP_CORK: return set_cork(t, value != 0);
	case TCP_KEEPIDLE: return set_between(&t->keepidle_s, value, 1, KEEP_S_MAX);
	case TCP_KEEPINTVL: return set_between(&t->keepintvl_s, value, 1, KEEP_S_MAX);
	case TCP_KEEPCNT: return set_between(&t->keepcnt, value, 1, KEEP_CNT_MAX);
	case TCP_SYNCNT: return set_between(&t->syncnt, value, 1, KEEP_CNT_MAX);
	case TCP_LINGER2: t->linger2_s = value < 0 ? -1 : value > 120 ? 120 : value; return OK;
	case TCP_DEFER_ACCEPT: t->defer_s = defer_time(value); return OK;
	case TCP_WINDOW_CLAMP:
		if (value == 0 && t->state != TS_CLOSE)
			return E_INVAL;
		t->window_clamp = value;
		return OK;
	case TCP_QUICKACK: return set_quickack(t, value != 0);
	case TCP_USER_TIMEOUT: return set_between(&t->user_timeout_ms, value, 0, INT32_MAX);
	case TCP_NOTSENT_LOWAT: t->notsent_lowat = value; return OK;
	case TCP_INQ: t->inq = value == 1; return value < 0 || value > 1 ? E_INVAL : OK;
	case TCP_FASTOPEN:
		if (value < 0 || (t->state != TS_CLOSE && t->state != TS_LISTEN))
			return E_INVAL;
		t->fastopen = value;
		return OK;
	case TCP_FASTOPEN_CONNECT:
		if (value < 0 || value > 1 || t->state != TS_CLOSE)
			return E_INVAL;
		t->fastopen_connect = value != 0;
		return OK;
	default: return E_NOPROTOOPT;
	}
}

static err_t set_congestion(uaddr_t val, int len)
{
	char name[CA_NAME_MAX];

	if (len < 1)
		return E_INVAL;
	memset(name, 0, sizeof(name));
	TRY(user_in(name, val, len < (int)sizeof(name) ? (size_t)len : sizeof(name) - 1));
	return strcmp(name, TCP_CA_NAME) == 0 ? OK : E_NOENT;
}

err_t tcp_op_setsockopt(struct socket *s, int level, int opt, uaddr_t val, int len)
{
	struct tcp_sock *t = tcp_sock_of(s);
	err_t err;
	int value;

	if (level == SOL_TCP && opt == TCP_CONGESTION)
		return set_congestion(val, len);
	if (level == SOL_TCP && opt == TCP_ULP)
		return E_NOENT;
	if (level == SOL_TCP) {
		if (len < (int)sizeof(value))
			return E_INVAL;
		TRY(USER_IN(&value, val));
		err = set_number(t, opt, value);
	} else {
		err = inet_setsockopt(&t->i, level, opt, val, len);
	}
	if (err == OK)
		tcp_push_options(t);
	return err;
}

/* ---- asking ---- */

/* Linux's states (<net/tcp_states.h>) for lwIP's. */
static uint8_t state_number(const struct tcp_sock *t)
{
	static const uint8_t of_pcb[] = {
		[CLOSED] = 7,      [LISTEN] = 10,    [SYN_SENT] = 2,   [SYN_RCVD] = 3,
		[ESTABLISHED] = 1, [FIN_WAIT_1] = 4, [FIN_WAIT_2] = 5, [CLOSE_WAIT] = 8,
		[CLOSING] = 11,    [LAST_ACK] = 9,   [TIME_WAIT] = 6,
	};

	if (t->state == TS_LISTEN)
		return of_pcb[LISTEN];
	return of_pcb[t->pcb == NULL ? CLOSED : t->pcb->state];
}

#define TICK_US (TCP_SLOW_INTERVAL * 1000u)

static void info_of_pcb(const struct tcp_sock *t, const struct tcp_pcb *pcb, struct tcp_info *i)
{
	i->tcpi_retransmits = pcb->nrtx;
	i->tcpi_probes = pcb->persist_probe;
	i->tcpi_backoff = pcb->persist_backoff;
	i->tcpi_options = (uint8_t)((pcb->flags & TF_SACK ? TCPI_OPT_SACK : 0) |
				    (pcb->flags & TF_WND_SCALE ? TCPI_OPT_WSCALE : 0));
	i->tcpi_snd_wscale = pcb->snd_scale & 0xf;
	i->tcpi_rcv_wscale = pcb->rcv_scale & 0xf;
	i->tcpi_rto = (uint32_t)pcb->rto * TICK_US;
	i->tcpi_ato = TCP_FAST_INTERVAL * 1000u;
	i->tcpi_snd_mss = i->tcpi_rcv_mss = i->tcpi_advmss = pcb->mss;
	i->tcpi_pmtu = pcb->mss + 40u;
	i->tcpi_unacked = (pcb->snd_nxt - pcb->lastack + pcb->mss - 1) / pcb->mss;
	i->tcpi_rtt = (uint32_t)(pcb->sa >> 3) * TICK_US;
	i->tcpi_rttvar = (uint32_t)(pcb->sv >> 2) * TICK_US;
	i->tcpi_snd_cwnd = pcb->cwnd / pcb->mss;
	i->tcpi_snd_ssthresh = pcb->ssthresh / pcb->mss;
	i->tcpi_rcv_space = t->rx_window;
	i->tcpi_snd_wnd = pcb->snd_wnd;
	i->tcpi_notsent_bytes = t->tx_unsent;
}

static err_t info_get(const struct tcp_sock *t, uaddr_t val, uaddr_t len)
{
	struct tcp_info i;

	memset(&i, 0, sizeof(i));
	i.tcpi_state = state_number(t);
	i.tcpi_bytes_acked = t->bytes_acked;
	i.tcpi_bytes_received = t->bytes_received;
	if (t->state == TS_LISTEN) {
		i.tcpi_unacked = t->naccepts; /* as Linux: the queue of connections */
		i.tcpi_sacked = t->backlog;
	}
	if (t->pcb != NULL)
		info_of_pcb(t, t->pcb, &i);
	return socket_option_out(val, len, &i, sizeof(i));
}

static err_t get_number(const struct tcp_sock *t, int opt, int *value)
{
	switch (opt) {
	case TCP_NODELAY: *value = t->nodelay; return OK;
	case TCP_MAXSEG: *value = t->pcb != NULL ? t->pcb->mss : MSS_DEFAULT; return OK;
	case TCP_CORK: *value = t->cork; return OK;
	case TCP_KEEPIDLE: *value = t->keepidle_s; return OK;
	case TCP_KEEPINTVL: *value = t->keepintvl_s; return OK;
	case TCP_KEEPCNT: *value = t->keepcnt; return OK;
	case TCP_SYNCNT: *value = t->syncnt != 0 ? t->syncnt : SYNCNT_DEF; return OK;
	case TCP_LINGER2: *value = t->linger2_s != 0 ? t->linger2_s : LINGER2_DEF; return OK;
	case TCP_DEFER_ACCEPT: *value = t->defer_s; return OK;
	case TCP_WINDOW_CLAMP: *value = t->window_clamp; return OK;
	case TCP_QUICKACK: *value = !t->no_quickack; return OK;
	case TCP_INQ: *value = t->inq; return OK;
	case TCP_FASTOPEN: *value = t->fastopen; return OK;
	case TCP_FASTOPEN_CONNECT: *value = t->fastopen_connect; return OK;
	case TCP_USER_TIMEOUT: *value = t->user_timeout_ms; return OK;
	case TCP_NOTSENT_LOWAT: *value = t->notsent_lowat; return OK;
	default: return E_NOPROTOOPT;
	}
}

err_t tcp_op_getsockopt(struct socket *s, int level, int opt, uaddr_t val, uaddr_t len)
{
	static const char ca_name[CA_NAME_MAX] = TCP_CA_NAME;
	struct tcp_sock *t = tcp_sock_of(s);
	int value;

	if (level != SOL_TCP)
		return inet_getsockopt(&t->i, level, opt, val, len);
	switch (opt) {
	case TCP_INFO: return info_get(t, val, len);
	case TCP_CONGESTION: return socket_option_out(val, len, ca_name, sizeof(ca_name));
	case TCP_ULP: return socket_option_out(val, len, NULL, 0);
	default: break;
	}
	TRY(get_number(t, opt, &value));
	return socket_option_out(val, len, &value, sizeof(value));
}
