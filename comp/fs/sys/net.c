/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /sys/class/net: a folder for each interface, which come and go. Linux has links to folders of
 * devices there; programs look at what is in them by this path. Entries are numbered: interface,
 * folder or file.
 */
#include "base/fmt.h"
#include "base/str.h"
#include "comp/fs/sys/local.h"
#include "kernel/net/iface.h"

enum kind { TOP, STATISTICS, FIRST_FILE };
enum in { IN_TOP, IN_STATISTICS };

struct file_entry {
	const char *name;
	enum in in;
	void (*show)(const struct iface *i, struct text *t);
};

static void put_mac(struct text *t, const uint8_t *mac)
{
	text_printf(t, "%02x:%02x:%02x:%02x:%02x:%02x\n", mac[0], mac[1], mac[2], mac[3], mac[4],
		    mac[5]);
}

static void show_address(const struct iface *i, struct text *t)
{
	put_mac(t, i->mac);
}

static void show_broadcast(const struct iface *i, struct text *t)
{
	static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	put_mac(t, i->flags & IFF_LOOPBACK ? i->mac : all);
}

static void show_operstate(const struct iface *i, struct text *t)
{
	if (i->flags & IFF_LOOPBACK)
		text_puts(t, "unknown\n");
	else
		text_puts(t, i->flags & IFF_LOWER_UP ? "up\n" : "down\n");
}

static void show_flags(const struct iface *i, struct text *t)
{
	text_printf(t, "0x%x\n", i->flags & ~(IFF_RUNNING | IFF_LOWER_UP));
}

static void show_carrier(const struct iface *i, struct text *t)
{
	text_printf(t, "%d\n", (i->flags & IFF_LOWER_UP) != 0);
}

#define NUMBER(fn, format, value)                                    \
	static void fn(const struct iface *i, struct text *t)        \
	{                                                            \
		(void)i;                                             \
		text_printf(t, format "\n", (unsigned long)(value)); \
	}
NUMBER(show_addr_len, "%lu", i->mac_len)
NUMBER(show_index, "%lu", i->index)
NUMBER(show_mtu, "%lu", i->mtu)
NUMBER(show_type, "%lu", i->type)
NUMBER(show_queue, "%lu", i->tx_queue)
NUMBER(show_zero, "%lu", 0)
NUMBER(show_dev_id, "0x%lx", 0)
NUMBER(show_rx_bytes, "%lu", i->stats.rx_bytes)
NUMBER(show_rx_packets, "%lu", i->stats.rx_packets)
NUMBER(show_rx_errors, "%lu", i->stats.rx_errors)
NUMBER(show_rx_dropped, "%lu", i->stats.rx_dropped)
NUMBER(show_tx_bytes, "%lu", i->stats.tx_bytes)
NUMBER(show_tx_packets, "%lu", i->stats.tx_packets)
NUMBER(show_tx_errors, "%lu", i->stats.tx_errors)
NUMBER(show_tx_dropped, "%lu", i->stats.tx_dropped)
NUMBER(show_multicast, "%lu", i->stats.rx_multicast)

static const struct file_entry files[] = {
	{ "addr_len", IN_TOP, show_addr_len },
	{ "address", IN_TOP, show_address },
	{ "broadcast", IN_TOP, show_broadcast },
	{ "carrier", IN_TOP, show_carrier },
	{ "dev_id", IN_TOP, show_dev_id },
	{ "flags", IN_TOP, show_flags },
	{ "ifindex", IN_TOP, show_index },
	{ "iflink", IN_TOP, show_index },
	{ "link_mode", IN_TOP, show_zero },
	{ "mtu", IN_TOP, show_mtu },
	{ "operstate", IN_TOP, show_operstate },
	{ "tx_queue_len", IN_TOP, show_queue },
	{ "type", IN_TOP, show_type },
	{ "collisions", IN_STATISTICS, show_zero },
	{ "multicast", IN_STATISTICS, show_multicast },
	{ "rx_bytes", IN_STATISTICS, show_rx_bytes },
	{ "rx_dropped", IN_STATISTICS, show_rx_dropped },
	{ "rx_errors", IN_STATISTICS, show_rx_errors },
	{ "rx_packets", IN_STATISTICS, show_rx_packets },
	{ "tx_bytes", IN_STATISTICS, show_tx_bytes },
	{ "tx_dropped", IN_STATISTICS, show_tx_dropped },
	{ "tx_errors", IN_STATISTICS, show_tx_errors },
	{ "tx_packets", IN_STATISTICS, show_tx_packets },
};

static uint32_t number(int ifindex, unsigned kind)
{
	return SYS_NET + ((uint32_t)ifindex << 8) + kind;
}

static int ifindex_of(uint32_t n)
{
	return (int)((n - SYS_NET) >> 8);
}

static unsigned kind_of(uint32_t n)
{
	return (n - SYS_NET) & 0xff;
}

bool sys_net_is_dir(uint32_t n)
{
	return kind_of(n) < FIRST_FILE;
}

static bool is(const char *name, size_t len, const char *what)
{
	return strlen(what) == len && memcmp(name, what, len) == 0;
}

static uint32_t find_interface(const char *name, size_t len)
{
	char text[IFNAMSIZ] = "";
	int index;

	if (len >= IFNAMSIZ)
		return 0;
	memcpy(text, name, len);
	index = iface_index(text);
	return index != 0 ? number(index, TOP) : 0;
}

uint32_t sys_net_find(uint32_t dir, const char *name, size_t len)
{
	enum in in = kind_of(dir) == STATISTICS ? IN_STATISTICS : IN_TOP;

	if (dir < SYS_NET)
		return find_interface(name, len);
	if (in == IN_TOP && is(name, len, "statistics"))
		return number(ifindex_of(dir), STATISTICS);
	for (unsigned i = 0; i < ARRAY_SIZE(files); i++)
		if (files[i].in == in && is(name, len, files[i].name))
			return number(ifindex_of(dir), FIRST_FILE + i);
	return 0;
}

static void list_interfaces(uint64_t pos, dir_emit emit, void *ctx)
{
	struct iface i = { .index = (int)pos };

	while (iface_next(i.index, &i))
		if (!emit(ctx, i.name, strlen(i.name), number(i.index, TOP) + 1, 4,
			  (uint64_t)i.index))
			return;
}

void sys_net_list(uint32_t dir, uint64_t pos, dir_emit emit, void *ctx)
{
	enum in in = kind_of(dir) == STATISTICS ? IN_STATISTICS : IN_TOP;

	if (dir < SYS_NET) {
		list_interfaces(pos, emit, ctx);
		return;
	}
	if (in == IN_TOP && pos == 0 &&
	    !emit(ctx, "statistics", 10, number(ifindex_of(dir), STATISTICS) + 1, 4, 1))
		return;
	for (uint64_t i = pos > 0 ? pos - 1 : 0; i < ARRAY_SIZE(files); i++)
		if (files[i].in == in &&
		    !emit(ctx, files[i].name, strlen(files[i].name),
			  number(ifindex_of(dir), FIRST_FILE + (unsigned)i) + 1, 8, i + 2))
			return;
}

err_t sys_net_show(uint32_t n, struct text *t)
{
	struct iface i;

	if (!iface_get(ifindex_of(n), &i))
		return E_NODEV;
	files[kind_of(n) - FIRST_FILE].show(&i, t);
	return OK;
}
