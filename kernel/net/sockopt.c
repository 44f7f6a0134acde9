/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of SOL_SOCKET. */
#include <linux/capability.h>

#include "kernel/mem/ubuf.h"
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
/* Kept, and told when asked; none changes how AF_UNIX works but SO_PASSCRED. */
#define YES_OR_NO                                                                               \
	(BIT(SO_REUSEADDR) | BIT(SO_REUSEPORT) | BIT(SO_DONTROUTE) | BIT(SO_BROADCAST) |        \
	 BIT(SO_KEEPALIVE) | BIT(SO_OOBINLINE) | BIT(SO_NO_CHECK) | BIT(SO_PASSCRED) |          \
	 BIT(SO_PASSSEC) | BIT(SO_TIMESTAMP_OLD) | BIT(SO_TIMESTAMPNS_OLD) | BIT(SO_RXQ_OVFL) | \
	 BIT(SO_WIFI_STATUS) | BIT(SO_NOFCS) | BIT(SO_SELECT_ERR_QUEUE))

static bool yes_or_no(int opt)
{
	return opt > 0 && opt < 64 && (YES_OR_NO >> opt & 1) != 0;
}

/* ---- setting ---- */

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
	case SO_BSDCOMPAT: return OK;
	default: return E_NOPROTOOPT;
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
	if (len < (int)sizeof(value))
		return E_INVAL;
	TRY(USER_IN(&value, val));
	if (yes_or_no(opt)) {
		s->option_bits &= ~BIT(opt);
		if (value != 0)
			s->option_bits |= BIT(opt);
		return OK;
	}
	switch (opt) {
	case SO_RCVTIMEO_OLD:
	case SO_RCVTIMEO_NEW: return timeout_set(&s->rcvtimeo_ns, val, len);
	case SO_SNDTIMEO_OLD:
	case SO_SNDTIMEO_NEW: return timeout_set(&s->sndtimeo_ns, val, len);
	case SO_LINGER: return linger_set(s, val, len);
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
	case SO_BSDCOMPAT: *value = 0; return OK;
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
	default: break;
	}
	if (yes_or_no(opt))
		value = socket_option(s, (unsigned)opt);
	else
		TRY(get_number(s, opt, &value));
	return socket_option_out(val, len, &value, sizeof(value));
}
