/* SPDX-License-Identifier: BSD-2-Clause */
/* The older way to ask for interfaces: ioctl on any socket. */
#include <linux/capability.h>
#include <linux/sockios.h>

#include "base/str.h"
#include "kernel/mem/ubuf.h"
#include "kernel/net/iface.h"
#include "kernel/net/socket.h"
#include "kernel/task/task.h"

/* struct ifreq and struct ifconf, as <linux/if.h>. */
struct inet_addr_k {
	uint16_t family, port;
	uint8_t addr[4], pad[8];
};
struct ifreq_k {
	char name[IFNAMSIZ];
	union {
		struct inet_addr_k addr;
		struct {
			uint16_t family;
			uint8_t mac[14];
		} hw;
		int16_t flags;
		int32_t value;
		struct {
			uint64_t start, end;
			uint16_t base;
			uint8_t irq, dma, port, pad[3];
		} map;
	};
};
_Static_assert(sizeof(struct ifreq_k) == 40, "as struct ifreq");

struct ifconf_k {
	int32_t len, pad;
	uint64_t buf;
};

static struct inet_addr_k inet_address(const uint8_t addr[4])
{
	struct inet_addr_k a = { .family = AF_INET };

	memcpy(a.addr, addr, sizeof(a.addr));
	return a;
}

/* The first address of AF_INET. E_ADDRNOTAVAIL */
static err_t first_address(int index, struct iface_addr *out)
{
	for (unsigned n = 0; iface_addr_at(n, out); n++)
		if (out->index == index && out->family == AF_INET)
			return OK;
	return E_ADDRNOTAVAIL;
}

/* ---- the list ---- */

static err_t list_addresses(uaddr_t arg)
{
	struct iface_addr a;
	struct ifconf_k c;
	int32_t len = 0;

	TRY(USER_IN(&c, arg));
	for (unsigned n = 0; iface_addr_at(n, &a); n++) {
		struct ifreq_k r = { .name = "" };

		if (a.family != AF_INET)
			continue;
		if (c.buf != 0) {
			if (c.len - len < (int32_t)sizeof(r))
				break;
			(void)iface_name(a.index, r.name);
			r.addr = inet_address(a.addr);
			TRY(USER_OUT(UADDR(c.buf + (uint64_t)len), &r));
		}
		len += (int32_t)sizeof(r);
	}
	c.len = len;
	return USER_OUT(arg, &c);
}

/* ---- one interface ---- */

static void netmask(unsigned prefix, uint8_t out[4])
{
	for (unsigned i = 0; i<4; i++, prefix = prefix> 8 ? prefix - 8 : 0)
		out[i] = prefix >= 8 ? 0xff : (uint8_t)(0xff00u >> prefix);
}

static err_t get_address(unsigned cmd, int index, struct ifreq_k *r)
{
	struct iface_addr a;
	uint8_t mask[4];

	TRY(first_address(index, &a));
	netmask(a.prefix, mask);
	switch (cmd) {
	case SIOCGIFBRDADDR: r->addr = inet_address(a.broadcast); break;
	case SIOCGIFNETMASK: r->addr = inet_address(mask); break;
	default: r->addr = inet_address(a.addr); break;
	}
	return OK;
}

static err_t get(unsigned cmd, const struct iface *i, struct ifreq_k *r)
{
	switch (cmd) {
	case SIOCGIFFLAGS: r->flags = (int16_t)i->flags; return OK;
	case SIOCGIFINDEX: r->value = i->index; return OK;
	case SIOCGIFMTU: r->value = (int32_t)i->mtu; return OK;
	case SIOCGIFTXQLEN: r->value = (int32_t)i->tx_queue; return OK;
	case SIOCGIFMETRIC: r->value = 0; return OK;
	case SIOCGIFMAP: memset(&r->map, 0, sizeof(r->map)); return OK;
	case SIOCGIFHWADDR:
		memset(&r->hw, 0, sizeof(r->hw));
		r->hw.family = i->type;
		memcpy(r->hw.mac, i->mac, i->mac_len);
		return OK;
	default: return get_address(cmd, i->index, r);
	}
}

static err_t set(unsigned cmd, const struct iface *i, const struct ifreq_k *r)
{
	if (!task_capable(CAP_NET_ADMIN))
		return E_PERM;
	if (cmd == SIOCSIFMTU)
		TRY(r->value < 0 ? E_INVAL : iface_set_mtu(i->index, (uint32_t)r->value));
	else
		TRY(iface_set_up(i->index, (r->flags & IFF_UP) != 0));
	return OK;
}

/* SIOCGIFNAME: the number is given, and the name wanted. */
static err_t name_of(uaddr_t arg)
{
	struct ifreq_k r;

	TRY(USER_IN(&r, arg));
	if (!iface_name(r.value, r.name))
		return E_NODEV;
	return USER_OUT(arg, &r);
}

static bool asks_one(unsigned cmd)
{
	switch (cmd) {
	case SIOCGIFFLAGS:
	case SIOCGIFINDEX:
	case SIOCGIFMTU:
	case SIOCGIFTXQLEN:
	case SIOCGIFMETRIC:
	case SIOCGIFMAP:
	case SIOCGIFHWADDR:
	case SIOCGIFADDR:
	case SIOCGIFBRDADDR:
	case SIOCGIFNETMASK:
	case SIOCGIFDSTADDR: return true;
	default: return false;
	}
}

long ifconf_ioctl(unsigned cmd, uaddr_t arg)
{
	bool change = cmd == SIOCSIFFLAGS || cmd == SIOCSIFMTU;
	struct iface i;
	struct ifreq_k r;
	int index;

	if (cmd == SIOCGIFCONF)
		return list_addresses(arg);
	if (cmd == SIOCGIFNAME)
		return name_of(arg);
	if (!change && !asks_one(cmd) && (cmd & ~0xfu) != SIOCDEVPRIVATE)
		return E_NOTTY;
	TRY(USER_IN(&r, arg));
	r.name[IFNAMSIZ - 1] = '\0';
	index = iface_index(r.name);
	if (index == 0 || !iface_get(index, &i))
		return E_NODEV;
	if (change)
		return set(cmd, &i, &r);
	if (!asks_one(cmd))
		return E_OPNOTSUPP;
	TRY(get(cmd, &i, &r));
	return USER_OUT(arg, &r);
}
