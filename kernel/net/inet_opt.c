/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of SOL_IP and SOL_IPV6 that all inet sockets have. */
#include <linux/capability.h>
#include <linux/in.h>
#include <linux/in6.h>

#include "kernel/net/local.h"
#include "kernel/task/task.h"

#define BIT(opt) (1ull << (opt))
#define ECN_MASK 0x03
#define TOS_MASK 0x1e

/* Kept, and told when asked. What they ask for in control data is the protocol's to give. */
#define IP_YES_OR_NO                                                                 \
	(BIT(IP_PKTINFO) | BIT(IP_RECVERR) | BIT(IP_RECVTTL) | BIT(IP_RECVTOS) |     \
	 BIT(IP_FREEBIND) | BIT(IP_RECVOPTS) | BIT(IP_RETOPTS) | BIT(IP_PASSSEC) |   \
	 BIT(IP_RECVORIGDSTADDR) | BIT(IP_CHECKSUM) | BIT(IP_BIND_ADDRESS_NO_PORT) | \
	 BIT(IP_MULTICAST_ALL))

static bool ip_yes_or_no(int opt)
{
	return opt > 0 && opt < 64 && (IP_YES_OR_NO >> opt & 1) != 0;
}

static bool ip6_yes_or_no(int opt)
{
	switch (opt) {
	case IPV6_RECVPKTINFO:
	case IPV6_RECVHOPLIMIT:
	case IPV6_RECVTCLASS:
	case IPV6_RECVERR:
	case IPV6_RECVRTHDR:
	case IPV6_RECVHOPOPTS:
	case IPV6_RECVDSTOPTS:
	case IPV6_RECVPATHMTU:
	case IPV6_DONTFRAG:
	case IPV6_AUTOFLOWLABEL:
	case IPV6_FREEBIND: return true;
	default: return false;
	}
}

static bool bit_test(const uint64_t *bits, int n)
{
	return (bits[n / 64] >> n % 64 & 1) != 0;
}

static void bit_put(uint64_t *bits, int n, bool v)
{
	bits[n / 64] &= ~(1ull << n % 64);
	bits[n / 64] |= (uint64_t)v << n % 64;
}

err_t inet_option_int(uaddr_t val, int len, int *out)
{
	uint8_t byte;

	if (len >= (int)sizeof(*out))
		return USER_IN(out, val);
	if (len < 1)
		return E_INVAL;
	TRY(USER_IN(&byte, val));
	*out = byte;
	return OK;
}

/* ---- setting ---- */

static err_t set_range(uint8_t *to, int value, int min, int max, int unset)
{
	if (value == -1 && unset >= 0)
		value = unset;
	if (value < min || value > max)
		return E_INVAL;
	*to = (uint8_t)value;
	return OK;
}

/* The priority follows; congestion's bits are the protocol's own. */
static void set_tos(struct inet_sock *i, uint8_t tos)
{
	static const uint8_t priority[] = { 0, 0, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 4, 4, 4, 4 };

	if (i->s.type == SOCK_STREAM)
		tos = (uint8_t)((tos & ~ECN_MASK) | (i->tos & ECN_MASK));
	i->tos = tos;
	i->s.priority = priority[(tos & TOS_MASK) >> 1];
}

static err_t set_ip(struct inet_sock *i, int opt, int value)
{
	if (ip_yes_or_no(opt)) {
		bit_put(&i->ip_bits, opt, value != 0);
		if (opt == IP_FREEBIND)
			i->freebind = value != 0;
		return OK;
	}
	switch (opt) {
	case IP_TTL: return set_range(&i->ttl, value, 1, 255, 64);
	case IP_TOS: set_tos(i, (uint8_t)value); return OK;
	case IP_MTU_DISCOVER:
		if (value < IP_PMTUDISC_DONT || value > IP_PMTUDISC_OMIT)
			return E_INVAL;
		i->pmtu = (uint8_t)value;
		return OK;
	case IP_TRANSPARENT: return task_capable(CAP_NET_ADMIN) ? E_NOPROTOOPT : E_PERM;
	default: return E_NOPROTOOPT;
	}
}

static err_t set_v6only(struct inet_sock *i, int value)
{
	if (i->bind.port != NULL)
		return E_INVAL;
	i->v6only = value != 0;
	inet_no_address(i);
	return OK;
}

static err_t set_ip6(struct inet_sock *i, int opt, int value)
{
	if (ip6_yes_or_no(opt)) {
		bit_put(i->ip6_bits, opt, value != 0);
		if (opt == IPV6_FREEBIND)
			i->freebind = value != 0;
		return OK;
	}
	switch (opt) {
	case IPV6_V6ONLY: return set_v6only(i, value);
	case IPV6_UNICAST_HOPS: return set_range(&i->ttl, value, 0, 255, 64);
	case IPV6_TCLASS: return set_range(&i->tclass, value, 0, 255, 0);
	case IPV6_MTU_DISCOVER:
		if (value < IPV6_PMTUDISC_DONT || value > IPV6_PMTUDISC_OMIT)
			return E_INVAL;
		i->pmtu6 = (uint8_t)value;
		return OK;
	default: return E_NOPROTOOPT;
	}
}

err_t inet_setsockopt(struct inet_sock *i, int level, int opt, uaddr_t val, int len)
{
	int value = 0;

	if (level != SOL_IP && (level != SOL_IPV6 || i->s.family != AF_INET6))
		return E_NOPROTOOPT;
	if (level == SOL_IP && opt == IP_OPTIONS)
		return len == 0 ? OK : E_NOPROTOOPT; /* taking options away: there are none */
	if (level == SOL_IPV6 && len < (int)sizeof(value))
		return E_INVAL;
	TRY(inet_option_int(val, len, &value));
	return level == SOL_IP ? set_ip(i, opt, value) : set_ip6(i, opt, value);
}

/* ---- asking ---- */

static err_t path_mtu(const struct inet_sock *i, int *value)
{
	const struct netif *n;

	if (i->remote_port == 0)
		return E_NOTCONN;
	n = ip_route(&i->local, &i->remote);
	if (n == NULL)
		return E_NETUNREACH;
	*value = IP_IS_V6_VAL(i->remote)
			 ? nd6_get_destination_mtu(ip_2_ip6(&i->remote), (struct netif *)n)
			 : n->mtu;
	return OK;
}

static err_t get_ip(const struct inet_sock *i, int opt, int *value)
{
	if (ip_yes_or_no(opt)) {
		*value = bit_test(&i->ip_bits, opt);
		return OK;
	}
	switch (opt) {
	case IP_TTL: *value = i->ttl; return OK;
	case IP_TOS: *value = i->tos; return OK;
	case IP_MTU_DISCOVER: *value = i->pmtu; return OK;
	case IP_TRANSPARENT: *value = 0; return OK;
	case IP_MTU: return path_mtu(i, value);
	default: return E_NOPROTOOPT;
	}
}

static err_t get_ip6(const struct inet_sock *i, int opt, int *value)
{
	if (ip6_yes_or_no(opt)) {
		*value = bit_test(i->ip6_bits, opt);
		return OK;
	}
	switch (opt) {
	case IPV6_V6ONLY: *value = i->v6only; return OK;
	case IPV6_UNICAST_HOPS: *value = i->ttl; return OK;
	case IPV6_TCLASS: *value = i->tclass; return OK;
	case IPV6_MTU_DISCOVER: *value = i->pmtu6; return OK;
	case IPV6_MTU: return path_mtu(i, value);
	default: return E_NOPROTOOPT;
	}
}

/* SOL_IP shows numbers that fit in one byte, if the program asks for less than four. */
static err_t ip_number_out(uaddr_t val, uaddr_t ulen, int value)
{
	uint8_t byte = (uint8_t)value;
	int len;

	TRY(USER_IN(&len, ulen));
	if (len > 0 && len < (int)sizeof(value) && value >= 0 && value < 256)
		return socket_option_out(val, ulen, &byte, sizeof(byte));
	return socket_option_out(val, ulen, &value, sizeof(value));
}

/* SOL_IPV6 takes a negative length for a large one. */
static err_t ip6_number_out(uaddr_t val, uaddr_t ulen, int value)
{
	int len;

	TRY(USER_IN(&len, ulen));
	if (len < 0) {
		len = sizeof(value);
		TRY(user_out(val, &value, sizeof(value)));
		return USER_OUT(ulen, &len);
	}
	return socket_option_out(val, ulen, &value, sizeof(value));
}

err_t inet_getsockopt(struct inet_sock *i, int level, int opt, uaddr_t val, uaddr_t len)
{
	int value = 0;

	if (level != SOL_IP && (level != SOL_IPV6 || i->s.family != AF_INET6))
		return E_OPNOTSUPP;
	if (level == SOL_IP && opt == IP_OPTIONS)
		return socket_option_out(val, len, &value, 0);
	TRY(level == SOL_IP ? get_ip(i, opt, &value) : get_ip6(i, opt, &value));
	return level == SOL_IP ? ip_number_out(val, len, value) : ip6_number_out(val, len, value);
}
