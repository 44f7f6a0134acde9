/* SPDX-License-Identifier: BSD-2-Clause */
/* What all inet sockets share: addresses, names, binding. */
#include <linux/in.h>
#include <linux/in6.h>

#include "base/str.h"
#include "kernel/net/dgram.h"
#include "kernel/net/local.h"
#include "kernel/task/task.h"

#define SIN6_LEN_OLD 24u /* without sin6_scope_id (RFC 2133): still allowed */
#define TTL_DEFAULT  64

_Static_assert(sizeof(((ip6_addr_t *)0)->addr) == sizeof(struct in6_addr), "copied as they are");

/* ---- addresses ---- */

static bool is_mapped(const struct in6_addr *a)
{
	return a->s6_addr32[0] == 0 && a->s6_addr32[1] == 0 &&
	       a->s6_addr32[2] == __builtin_bswap32(0xffff);
}

static err_t addr_in4(const struct sock_addr *a, ip_addr_t *ip, uint16_t *port)
{
	struct sockaddr_in in;

	if (a->len < sizeof(in))
		return E_INVAL;
	memcpy(&in, a->bytes, sizeof(in));
	/* As Linux: somebody forgot the family, and meant any address. */
	if (in.sin_family != AF_INET &&
	    !(in.sin_family == AF_UNSPEC && in.sin_addr.s_addr == INADDR_ANY))
		return E_AFNOSUPPORT;
	ip_addr_set_ip4_u32_val(*ip, in.sin_addr.s_addr);
	*port = lwip_ntohs(in.sin_port);
	return OK;
}

static err_t addr_in6(const struct sock_addr *a, ip_addr_t *ip, uint16_t *port)
{
	struct sockaddr_in6 in = { 0 };

	if (a->len < SIN6_LEN_OLD)
		return E_INVAL;
	memcpy(&in, a->bytes, a->len < sizeof(in) ? a->len : sizeof(in));
	if (in.sin6_family != AF_INET6)
		return E_AFNOSUPPORT;
	*port = lwip_ntohs(in.sin6_port);
	if (is_mapped(&in.sin6_addr)) {
		ip_addr_set_ip4_u32_val(*ip, in.sin6_addr.s6_addr32[3]);
		return OK;
	}
	ip_addr_set_zero_ip6(ip);
	memcpy(ip_2_ip6(ip)->addr, &in.sin6_addr, sizeof(in.sin6_addr));
	if (ip6_addr_has_scope(ip_2_ip6(ip), IP6_UNKNOWN) && in.sin6_scope_id <= UINT8_MAX)
		ip6_addr_set_zone(ip_2_ip6(ip), (u8_t)in.sin6_scope_id);
	return OK;
}

err_t inet_addr_in(int family, const struct sock_addr *a, ip_addr_t *ip, uint16_t *port)
{
	return family == AF_INET ? addr_in4(a, ip, port) : addr_in6(a, ip, port);
}

static void addr_out6(const ip_addr_t *ip, uint16_t port, struct sock_addr *out)
{
	struct sockaddr_in6 in = { .sin6_family = AF_INET6, .sin6_port = lwip_htons(port) };

	if (IP_IS_V4(ip)) {
		in.sin6_addr.s6_addr32[2] = __builtin_bswap32(0xffff);
		in.sin6_addr.s6_addr32[3] = ip4_addr_get_u32(ip_2_ip4(ip));
	} else if (!IP_IS_ANY_TYPE_VAL(*ip)) {
		memcpy(&in.sin6_addr, ip_2_ip6(ip)->addr, sizeof(in.sin6_addr));
		in.sin6_scope_id = ip6_addr_zone(ip_2_ip6(ip));
	}
	memcpy(out->bytes, &in, sizeof(in));
	out->len = sizeof(in);
}

void inet_addr_out(int family, const ip_addr_t *ip, uint16_t port, struct sock_addr *out)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = lwip_htons(port) };

	if (family != AF_INET) {
		addr_out6(ip, port, out);
		return;
	}
	if (IP_IS_V4(ip))
		in.sin_addr.s_addr = ip4_addr_get_u32(ip_2_ip4(ip));
	memcpy(out->bytes, &in, sizeof(in));
	out->len = sizeof(in);
}

/* ---- sockets ---- */

void inet_no_address(struct inet_sock *i)
{
	if (i->s.family == AF_INET)
		ip_addr_set_zero_ip4(&i->local);
	else if (i->v6only)
		ip_addr_set_zero_ip6(&i->local);
	else
		i->local = ip_addr_any_type;
	i->bind.ip = i->local;
}

void inet_sock_init(struct inet_sock *i, const struct socket_ops *ops, int family, int type,
		    int protocol)
{
	socket_init(&i->s, ops, family, type, protocol);
	i->ttl = TTL_DEFAULT;
	i->pmtu = IP_PMTUDISC_WANT;
	i->pmtu6 = IPV6_PMTUDISC_WANT;
	ip_addr_set_zero(&i->remote);
	inet_no_address(i);
	i->bind.uid = current != NULL ? current->task->cred.euid : 0;
}

/* :: stands for both families unless the socket wants IPv6 only. */
static void any_of_both(const struct inet_sock *i, ip_addr_t *ip)
{
	if (i->s.family == AF_INET6 && !i->v6only && IP_IS_V6(ip) && ip_addr_isany(ip))
		*ip = ip_addr_any_type;
}

static bool may_be_local(const struct inet_sock *i, const ip_addr_t *ip)
{
	if (ip_addr_isany(ip) || i->freebind || inet_addr_is_ours(ip))
		return true;
	/* Groups may be bound to by what receives them. */
	return i->s.type != SOCK_STREAM && ip_addr_ismulticast(ip);
}

err_t inet_sock_bind(struct inet_sock *i, enum inet_proto proto, const struct sock_addr *a)
{
	ip_addr_t ip;
	uint16_t port;

	TRY(inet_addr_in(i->s.family, a, &ip, &port));
	if (i->s.family == AF_INET6 && i->v6only && IP_IS_V4_VAL(ip))
		return E_INVAL;
	if (!may_be_local(i, &ip))
		return E_ADDRNOTAVAIL;
	if (!inet_may_bind(port))
		return E_ACCES;
	if (i->bind.port != NULL)
		return E_INVAL;
	any_of_both(i, &ip);
	i->bind.ip = ip;
	i->bind.reuse_addr = socket_option(&i->s, SO_REUSEADDR);
	i->bind.reuse_port = socket_option(&i->s, SO_REUSEPORT);
	TRY(inet_bind(&i->bind, proto, port));
	i->local = ip;
	i->local_port = inet_bound_port(&i->bind);
	return OK;
}

err_t inet_sock_name(struct socket *s, bool peer, struct sock_addr *out)
{
	const struct inet_sock *i = (const struct inet_sock *)s;

	if (!peer) {
		inet_addr_out(s->family, &i->local, i->local_port, out);
		return OK;
	}
	if (i->remote_port == 0)
		return E_NOTCONN;
	inet_addr_out(s->family, &i->remote, i->remote_port, out);
	return OK;
}

/* ---- making ---- */

err_t inet_create(int family, int type, int protocol, struct socket **out)
{
	if (protocol < 0 || protocol >= IPPROTO_MAX)
		return E_INVAL;
	switch (type) {
	case SOCK_STREAM: return tcp_sock_create(family, protocol, out);
	case SOCK_DGRAM:
		return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6
			       ? ping_sock_create(family, protocol, out)
			       : udp_sock_create(family, protocol, out);
	case SOCK_RAW: return raw_sock_create(family, protocol, out);
	default: return E_SOCKTNOSUPPORT;
	}
}
