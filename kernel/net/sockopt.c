/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of SOL_SOCKET. */
#include <linux/capability.h>
#include <linux/filter.h>

#include "base/str.h"
#include "kernel/mem/ubuf.h"
#include "kernel/net/iface.h"
#include "kernel/net/socket.h"

#define SNDBUF_MIN 4608u
#define RCVBUF_MIN 2304u
#define NS_PER_S   1000000000ull

struct timeval_k {
	int64_t sec, usec;
};

struct linger_k {
	int32_t onoff, linger;
};

#define BIT(opt) (1ull << (opt))
/* Kept, told when asked, and looked at by the families that they concern. */
#define YES_OR_NO                                                                        \
	(BIT(SO_REUSEADDR) | BIT(SO_REUSEPORT) | BIT(SO_DONTROUTE) | BIT(SO_BROADCAST) | \
	 BIT(SO_KEEPALIVE) | BIT(SO_OOBINLINE) | BIT(SO_NO_CHECK) | BIT(SO_PASSCRED) |   \
	 BIT(SO_PASSSEC) | BIT(SO_RXQ_OVFL) | BIT(SO_WIFI_STATUS) | BIT(SO_NOFCS) |      \
	 BIT(SO_SELECT_ERR_QUEUE) | BIT(SO_LOCK_FILTER))
#define BUF_LOCK_BITS 3

static bool yes_or_no(int opt)
{
	return opt > 0 && opt < 64 && (YES_OR_NO >> opt & 1) != 0;
}

/* ---- setting ---- */

static void options_changed(struct socket *s)
{
	if (s->ops->options_changed != NULL)
		s->ops->options_changed(s);
}

static void buffer_set(struct socket *s, uint32_t *size, int value, uint32_t min, bool force)
{
	uint32_t v = value < 0 ? (force ? 0 : SOCK_BUF_DEF) : (uint32_t)value;

	if (!force && v > SOCK_BUF_DEF)
		v = SOCK_BUF_DEF;
	if (v > INT32_MAX / 2)
		v = INT32_MAX / 2;
	v *= 2; /* as Linux: for what a message takes beside its data */
	*size = v > min ? v : min;
	if (s->ops->buffers_changed != NULL)
		s->ops->buffers_changed(s);
}

static err_t timeout_set(uint64_t *ns, uaddr_t val, int len)
{
	struct timeval_k t;

	if (len < (int)sizeof(t))
		return E_INVAL;
	TRY(USER_IN(&t, val));
	if (t.usec < 0 || t.usec >= 1000000)
		return E_DOM;
	if (t.sec < 0)
		*ns = 0;
	else if (t.sec == 0 && t.usec == 0)
		*ns = WAIT_FOREVER;
	else if ((uint64_t)t.sec >= WAIT_FOREVER / NS_PER_S - 1)
		*ns = WAIT_FOREVER;
	else
		*ns = (uint64_t)t.sec * NS_PER_S + (uint64_t)t.usec * 1000;
	return OK;
}

static err_t linger_set(struct socket *s, uaddr_t val, int len)
{
	struct linger_k l;

	if (len < (int)sizeof(l))
		return E_INVAL;
	TRY(USER_IN(&l, val));
	s->option_bits &= ~BIT(SO_LINGER);
	if (l.onoff != 0) {
		s->option_bits |= BIT(SO_LINGER);
		s->linger_s = l.linger;
	}
	return OK;
}

static err_t priority_set(struct socket *s, int value)
{
	if ((value < 0 || value > 6) && !task_capable(CAP_NET_ADMIN) && !task_capable(CAP_NET_RAW))
		return E_PERM;
	s->priority = (uint32_t)value;
	return OK;
}

static err_t debug_set(struct socket *s, int value)
{
	if (value != 0 && !task_capable(CAP_NET_ADMIN))
		return E_ACCES;
	s->option_bits &= ~BIT(SO_DEBUG);
	if (value != 0)
		s->option_bits |= BIT(SO_DEBUG);
	return OK;
}

static err_t stamp_set(struct socket *s, int opt, int value)
{
	if (value == 0)
		s->stamp = STAMP_NONE;
	else if (opt == SO_TIMESTAMP_OLD)
		s->stamp = STAMP_US;
	else if (opt == SO_TIMESTAMPNS_OLD)
		s->stamp = STAMP_NS;
	else
		s->stamp = opt == SO_TIMESTAMP_NEW ? STAMP_US_NEW : STAMP_NS_NEW;
	return OK;
}

/* Only a program that looks well formed is told that there are no filters. */
static err_t filter_set(uaddr_t val, int len)
{
	struct sock_fprog p;

	if (len != (int)sizeof(p))
		return E_INVAL;
	TRY(USER_IN(&p, val));
	return p.len == 0 || p.len > BPF_MAXINSNS || p.filter == NULL ? E_INVAL : E_OPNOTSUPP;
}

/* Options with conditions, which change nothing of how data goes. */
static err_t set_hint(struct socket *s, int opt, int value)
{
	switch (opt) {
	case SO_MARK:
		if (!task_capable(CAP_NET_ADMIN) && !task_capable(CAP_NET_RAW))
			return E_PERM;
		s->mark = (uint32_t)value;
		return OK;
	case SO_BUSY_POLL:
		if (value < 0)
			return E_INVAL;
		s->busy_poll_us = (uint32_t)value;
		return OK;
	case SO_PREFER_BUSY_POLL:
	case SO_BUSY_POLL_BUDGET:
		if (value > (int)s->busy_poll_budget && !task_capable(CAP_NET_ADMIN))
			return E_PERM;
		if (value < 0 || value > (int)UINT16_MAX)
			return E_INVAL;
		if (opt == SO_BUSY_POLL_BUDGET)
			s->busy_poll_budget = (uint32_t)value;
		return OK;
	case SO_INCOMING_CPU: return OK; /* there is one processor */
	case SO_BUF_LOCK:
		if (value & ~BUF_LOCK_BITS)
			return E_INVAL;
		s->buf_lock = (uint32_t)value;
		return OK;
	case SO_TXREHASH: return value < -1 || value > 1 ? E_INVAL : OK;
	case SO_CNX_ADVICE: return value == 1 ? OK : E_INVAL;
	case SO_DETACH_FILTER: return E_NOENT;
	default: return E_NOPROTOOPT;
	}
}

static err_t pacing_set(struct socket *s, int value, uaddr_t val, int len)
{
	s->max_pacing = value == -1 ? UINT64_MAX : (uint32_t)value;
	return len == (int)sizeof(s->max_pacing) ? USER_IN(&s->max_pacing, val) : OK;
}

/* ---- bound to an interface ---- */

static err_t index_set(struct socket *s, int index)
{
	char name[IFNAMSIZ];

	if (index < 0)
		return E_INVAL;
	if (s->bound_if != 0 && !task_capable(CAP_NET_RAW))
		return E_PERM;
	if (index != 0 && !iface_name(index, name))
		return E_NODEV;
	s->bound_if = index;
	options_changed(s);
	return OK;
}

static err_t device_set(struct socket *s, uaddr_t val, int len)
{
	char name[IFNAMSIZ] = "";
	int index = 0;

	if (len > IFNAMSIZ - 1)
		len = IFNAMSIZ - 1;
	TRY(user_in(name, val, (size_t)len));
	if (name[0] != '\0') {
		index = iface_index(name);
		if (index == 0)
			return E_NODEV;
	}
	return index_set(s, index);
}

static err_t device_get(const struct socket *s, uaddr_t val, uaddr_t ulen)
{
	char name[IFNAMSIZ];
	int len, n = 0;

	TRY(USER_IN(&len, ulen));
	if (len < 0)
		return E_INVAL;
	if (s->bound_if != 0) {
		if (len < IFNAMSIZ)
			return E_INVAL;
		if (!iface_name(s->bound_if, name))
			return E_NODEV;
		n = (int)strlen(name) + 1;
		TRY(user_out(val, name, (size_t)n));
	}
	return USER_OUT(ulen, &n);
}

/* Data always goes by copying. */
static err_t zerocopy_set(const struct socket *s, int value)
{
	if ((s->family != AF_INET && s->family != AF_INET6) ||
	    (s->type != SOCK_STREAM && s->type != SOCK_DGRAM))
		return E_OPNOTSUPP;
	return value == 0 ? OK : E_OPNOTSUPP;
}

static err_t set_number(struct socket *s, int opt, int value)
{
	switch (opt) {
	case SO_DEBUG: return debug_set(s, value);
	case SO_SNDBUF: buffer_set(s, &s->sndbuf, value, SNDBUF_MIN, false); return OK;
	case SO_RCVBUF: buffer_set(s, &s->rcvbuf, value, RCVBUF_MIN, false); return OK;
	case SO_SNDBUFFORCE:
	case SO_RCVBUFFORCE:
		if (!task_capable(CAP_NET_ADMIN))
			return E_PERM;
		if (opt == SO_SNDBUFFORCE)
			buffer_set(s, &s->sndbuf, value, SNDBUF_MIN, true);
		else
			buffer_set(s, &s->rcvbuf, value, RCVBUF_MIN, true);
		return OK;
	case SO_PRIORITY: return priority_set(s, value);
	case SO_RCVLOWAT:
		s->rcvlowat = value < 0 ? INT32_MAX : value == 0 ? 1 : (uint32_t)value;
		return OK;
	case SO_TIMESTAMP_OLD:
	case SO_TIMESTAMPNS_OLD:
	case SO_TIMESTAMP_NEW:
	case SO_TIMESTAMPNS_NEW: return stamp_set(s, opt, value);
	case SO_BSDCOMPAT: return OK;
	case SO_PEEK_OFF:
		if (!s->ops->peeks_at)
			return E_OPNOTSUPP;
		s->peek_off = value;
		return OK;
	default: return set_hint(s, opt, value);
	}
}

err_t socket_setsockopt(struct socket *s, int level, int opt, uaddr_t val, int len)
{
	int value;

	if (len < 0)
		return E_INVAL;
	if (level != SOL_SOCKET)
		return s->ops->setsockopt != NULL ? s->ops->setsockopt(s, level, opt, val, len)
						  : E_OPNOTSUPP;
	if (opt == SO_BINDTODEVICE)
		return device_set(s, val, len);
	if (len < (int)sizeof(value))
		return E_INVAL;
	TRY(USER_IN(&value, val));
	if (yes_or_no(opt)) {
		s->option_bits &= ~BIT(opt);
		if (value != 0)
			s->option_bits |= BIT(opt);
		options_changed(s);
		return OK;
	}
	switch (opt) {
	case SO_RCVTIMEO_OLD:
	case SO_RCVTIMEO_NEW: return timeout_set(&s->rcvtimeo_ns, val, len);
	case SO_SNDTIMEO_OLD:
	case SO_SNDTIMEO_NEW: return timeout_set(&s->sndtimeo_ns, val, len);
	case SO_LINGER: return linger_set(s, val, len);
	case SO_ATTACH_FILTER:
	case SO_ATTACH_REUSEPORT_CBPF: return filter_set(val, len);
	case SO_MAX_PACING_RATE: return pacing_set(s, value, val, len);
	case SO_BINDTOIFINDEX: return index_set(s, value);
	case SO_ZEROCOPY: return zerocopy_set(s, value);
	default: return set_number(s, opt, value);
	}
}

/* ---- asking ---- */

err_t socket_option_out(uaddr_t val, uaddr_t ulen, const void *from, size_t n)
{
	int len;

	TRY(USER_IN(&len, ulen));
	if (len < 0)
		return E_INVAL;
	if ((size_t)len > n)
		len = (int)n;
	TRY(user_out(val, from, (size_t)len));
	return USER_OUT(ulen, &len);
}

static err_t timeout_get(uint64_t ns, uaddr_t val, uaddr_t len)
{
	struct timeval_k t = { 0, 0 };

	if (ns != WAIT_FOREVER) {
		t.sec = (int64_t)(ns / NS_PER_S);
		t.usec = (int64_t)(ns % NS_PER_S / 1000);
	}
	return socket_option_out(val, len, &t, sizeof(t));
}

static err_t linger_get(const struct socket *s, uaddr_t val, uaddr_t len)
{
	struct linger_k l = { socket_option(s, SO_LINGER), s->linger_s };

	return socket_option_out(val, len, &l, sizeof(l));
}

static err_t peer_groups_get(const struct socket *s, uaddr_t val, uaddr_t ulen)
{
	const uint32_t *groups = NULL;
	long n = s->ops->peer_groups != NULL ? s->ops->peer_groups(s, &groups) : E_NODATA;
	int len, need;

	TRY(USER_IN(&len, ulen));
	if (len < 0)
		return E_INVAL;
	if (n < 0)
		return (err_t)n;
	need = (int)n * (int)sizeof(groups[0]);
	TRY(USER_OUT(ulen, &need));
	return len < need ? E_RANGE : user_out(val, groups, (size_t)need);
}

static err_t peer_name_get(struct socket *s, uaddr_t val, uaddr_t ulen)
{
	struct sock_addr a;
	int len;

	TRY(USER_IN(&len, ulen));
	if (len < 0)
		return E_INVAL;
	if (s->ops->name(s, true, &a) != OK)
		return E_NOTCONN;
	if (a.len < (uint32_t)len)
		return E_INVAL;
	return user_out(val, a.bytes, (size_t)len);
}

static err_t cookie_get(struct socket *s, uaddr_t val, uaddr_t ulen)
{
	static uint64_t last;
	int len;

	TRY(USER_IN(&len, ulen));
	if (len < (int)sizeof(s->cookie))
		return E_INVAL;
	if (s->cookie == 0)
		s->cookie = ++last;
	return socket_option_out(val, ulen, &s->cookie, sizeof(s->cookie));
}

static err_t pacing_get(const struct socket *s, uaddr_t val, uaddr_t ulen)
{
	uint32_t low = s->max_pacing > UINT32_MAX ? UINT32_MAX : (uint32_t)s->max_pacing;
	int len;

	TRY(USER_IN(&len, ulen));
	if (len == (int)sizeof(s->max_pacing))
		return socket_option_out(val, ulen, &s->max_pacing, sizeof(s->max_pacing));
	return socket_option_out(val, ulen, &low, sizeof(low));
}

static err_t peer_cred_get(const struct socket *s, uaddr_t val, uaddr_t len)
{
	struct ucred_k u = { 0, UINT32_MAX, UINT32_MAX };

	if (s->ops->peer_cred != NULL)
		s->ops->peer_cred(s, &u);
	return socket_option_out(val, len, &u, sizeof(u));
}

static err_t get_number(struct socket *s, int opt, int *value)
{
	switch (opt) {
	case SO_DEBUG: *value = socket_option(s, SO_DEBUG); return OK;
	case SO_TYPE: *value = s->type; return OK;
	case SO_DOMAIN: *value = s->family; return OK;
	case SO_PROTOCOL: *value = s->protocol; return OK;
	case SO_ERROR: *value = -(int)socket_error(s); return OK;
	case SO_ACCEPTCONN: *value = s->ops->listening != NULL && s->ops->listening(s); return OK;
	case SO_SNDBUF: *value = (int)s->sndbuf; return OK;
	case SO_RCVBUF: *value = (int)s->rcvbuf; return OK;
	case SO_RCVLOWAT: *value = (int)s->rcvlowat; return OK;
	case SO_SNDLOWAT: *value = 1; return OK;
	case SO_PRIORITY: *value = (int)s->priority; return OK;
	case SO_TIMESTAMP_OLD: *value = s->stamp == STAMP_US; return OK;
	case SO_TIMESTAMPNS_OLD: *value = s->stamp == STAMP_NS; return OK;
	case SO_TIMESTAMP_NEW:
		*value = s->stamp == STAMP_US_NEW || s->stamp == STAMP_NS_NEW;
		return OK;
	case SO_TIMESTAMPNS_NEW: *value = s->stamp == STAMP_NS_NEW; return OK;
	case SO_MARK: *value = (int)s->mark; return OK;
	case SO_BUSY_POLL: *value = (int)s->busy_poll_us; return OK;
	case SO_BUSY_POLL_BUDGET: *value = (int)s->busy_poll_budget; return OK;
	case SO_BUF_LOCK: *value = (int)s->buf_lock; return OK;
	case SO_BINDTOIFINDEX: *value = s->bound_if; return OK;
	case SO_PEEK_OFF: *value = s->peek_off; return s->ops->peeks_at ? OK : E_OPNOTSUPP;
	case SO_ZEROCOPY:
	case SO_BSDCOMPAT:
	case SO_PREFER_BUSY_POLL:
	case SO_INCOMING_CPU:
	case SO_INCOMING_NAPI_ID: *value = 0; return OK;
	case SO_BPF_EXTENSIONS: *value = 64; return OK; /* SKF_AD_MAX */
	default: return E_NOPROTOOPT;
	}
}

err_t socket_getsockopt(struct socket *s, int level, int opt, uaddr_t val, uaddr_t len)
{
	int value = 0;

	if (level != SOL_SOCKET)
		return s->ops->getsockopt != NULL ? s->ops->getsockopt(s, level, opt, val, len)
						  : E_OPNOTSUPP;
	switch (opt) {
	case SO_RCVTIMEO_OLD:
	case SO_RCVTIMEO_NEW: return timeout_get(s->rcvtimeo_ns, val, len);
	case SO_SNDTIMEO_OLD:
	case SO_SNDTIMEO_NEW: return timeout_get(s->sndtimeo_ns, val, len);
	case SO_LINGER: return linger_get(s, val, len);
	case SO_PEERCRED: return peer_cred_get(s, val, len);
	case SO_PEERGROUPS: return peer_groups_get(s, val, len);
	case SO_PEERNAME: return peer_name_get(s, val, len);
	case SO_COOKIE: return cookie_get(s, val, len);
	case SO_MAX_PACING_RATE: return pacing_get(s, val, len);
	case SO_BINDTODEVICE: return device_get(s, val, len);
	default: break;
	}
	if (yes_or_no(opt))
		value = socket_option(s, (unsigned)opt);
	else
		TRY(get_number(s, opt, &value));
	return socket_option_out(val, len, &value, sizeof(value));
}
