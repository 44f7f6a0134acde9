/* SPDX-License-Identifier: BSD-2-Clause */
/* Network interfaces: the loop. */
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "base/str.h"
#include "kernel/net/iface.h"
#include "kernel/net/socket.h"

bool iface_get(int index, struct iface *out)
{
	if (index != IFACE_LO)
		return false;
	*out = (struct iface){ .index = IFACE_LO,
			       .name = "lo",
			       .flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING | IFF_LOWER_UP,
			       .type = ARPHRD_LOOPBACK,
			       .mac_len = 6,
			       .mtu = 65536,
			       .tx_queue = 1000 };
	return true;
}

bool iface_next(int after, struct iface *out)
{
	return iface_get(after + 1, out);
}

int iface_index(const char *name)
{
	return strcmp(name, "lo") == 0 ? IFACE_LO : 0;
}

bool iface_name(int index, char name[IFNAMSIZ])
{
	struct iface i;

	if (!iface_get(index, &i))
		return false;
	memcpy(name, i.name, IFNAMSIZ);
	return true;
}

bool iface_addr_at(unsigned n, struct iface_addr *out)
{
	(void)n;
	(void)out;
	return false;
}
bool iface_route_at(unsigned n, struct iface_route *out)
{
	(void)n;
	(void)out;
	return false;
}
bool iface_neigh_at(unsigned n, struct iface_neigh *out)
{
	(void)n;
	(void)out;
	return false;
}
err_t iface_route_to(uint8_t family, const uint8_t *dst, struct iface_route *out)
{
	(void)family;
	(void)dst;
	(void)out;
	return E_NETUNREACH;
}
err_t iface_set_up(int index, bool up)
{
	(void)index;
	return up ? OK : E_OPNOTSUPP;
}
err_t iface_set_mtu(int index, uint32_t mtu)
{
	(void)index;
	(void)mtu;
	return E_OPNOTSUPP;
}
err_t iface_addr_add(const struct iface_addr *a)
{
	(void)a;
	return E_OPNOTSUPP;
}
err_t iface_addr_del(const struct iface_addr *a)
{
	(void)a;
	return E_OPNOTSUPP;
}
err_t iface_gateway_set(uint8_t family, int index, const uint8_t *gateway, bool remove)
{
	(void)family;
	(void)index;
	(void)gateway;
	(void)remove;
	return E_OPNOTSUPP;
}
