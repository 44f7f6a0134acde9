/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/PID/net: there is one network, whoever looks. */
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "base/fmt.h"
#include "base/str.h"
#include "comp/fs/proc/local.h"
#include "kernel/net/iface.h"
#include "kernel/net/report.h"
#include "kernel/net/socket.h"

/* ---- interfaces ---- */

static err_t net_dev(const struct proc_ref *r, struct text *t)
{
	struct iface i = { .index = 0 };

	(void)r;
	text_puts(t,
		  "Inter-|   Receive                                                |  Transmit\n"
		  " face |bytes    packets errs drop fifo frame compressed multicast|bytes    "
		  "packets errs drop fifo colls carrier compressed\n");
	while (iface_next(i.index, &i)) {
		const struct iface_stats *s = &i.stats;

		text_printf(t, "%6s: %7lu %7lu %4lu %4lu %4u %5u %10u %9lu ", i.name,
			    UL(s->rx_bytes), UL(s->rx_packets), UL(s->rx_errors), UL(s->rx_dropped),
			    0u, 0u, 0u, UL(s->rx_multicast));
		text_printf(t, "%8lu %7lu %4lu %4lu %4u %5u %7u %10u\n", UL(s->tx_bytes),
			    UL(s->tx_packets), UL(s->tx_errors), UL(s->tx_dropped), 0u, 0u, 0u, 0u);
	}
	return OK;
}

static void put_words(struct text *t, const uint8_t *bytes, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		text_printf(t, "%02x", bytes[i]);
}

static err_t net_if_inet6(const struct proc_ref *r, struct text *t)
{
	struct iface_addr a;
	char name[IFNAMSIZ];

	(void)r;
	for (unsigned n = 0; iface_addr_at(n, &a); n++) {
		/* What <linux/if_inet6.h> of the kernel calls IFA_HOST, IFA_LINK; else global. */
		unsigned scope = a.scope == RT_SCOPE_HOST   ? 0x10
				 : a.scope == RT_SCOPE_LINK ? 0x20
							    : 0;

		if (a.family != AF_INET6 || !iface_name(a.index, name))
			continue;
		put_words(t, a.addr, sizeof(a.addr));
		text_printf(t, " %02x %02x %02x %02x %8s\n", (unsigned)a.index, a.prefix, scope,
			    a.flags, name);
	}
	return OK;
}

/* ---- routes ---- */

static uint32_t word_of(const uint8_t *bytes)
{
	uint32_t v;

	memcpy(&v, bytes, sizeof(v));
	return v;
}

static uint32_t mask_of(uint8_t prefix)
{
	return prefix == 0 ? 0 : __builtin_bswap32(UINT32_MAX << (32 - prefix));
}

static err_t net_route(const struct proc_ref *ref, struct text *t)
{
	struct iface_route r;
	char name[IFNAMSIZ];

	(void)ref;
	text_printf(t, "%-127s\n",
		    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t"
		    "\tMTU\tWindow\tIRTT");
	for (unsigned n = 0; iface_route_at(n, &r); n++) {
		char line[128];

		if (r.family != AF_INET || r.table != RT_TABLE_MAIN || !iface_name(r.index, name))
			continue;
		fmt_snprintf(line, sizeof(line),
			     "%s\t%08X\t%08X\t%04X\t%d\t%u\t%u\t%08X\t%d\t%u\t%u", name,
			     word_of(r.dst), word_of(r.gateway), r.via ? 3u : 1u, 0, 0u, r.metric,
			     mask_of(r.prefix), 0, 0u, 0u);
		text_printf(t, "%-127s\n", line);
	}
	return OK;
}

static err_t net_ipv6_route(const struct proc_ref *ref, struct text *t)
{
	static const uint8_t none[16];
	struct iface_route r;
	char name[IFNAMSIZ];

	(void)ref;
	for (unsigned n = 0; iface_route_at(n, &r); n++) {
		unsigned flags = r.type == RTN_LOCAL ? 0x80200001u : r.via ? 3u : 1u;

		if (r.family != AF_INET6 || !iface_name(r.index, name))
			continue;
		put_words(t, r.dst, 16);
		text_printf(t, " %02x ", r.prefix);
		put_words(t, none, 16);
		text_puts(t, " 00 ");
		put_words(t, r.via ? r.gateway : none, 16);
		text_printf(t, " %08x %08x %08x %08x %8s\n", r.metric, 1u, 0u, flags, name);
	}
	return OK;
}

static err_t net_arp(const struct proc_ref *r, struct text *t)
{
	struct iface_neigh n;
	char name[IFNAMSIZ], ip[16];

	(void)r;
	text_puts(t, "IP address       HW type     Flags       HW address            Mask     "
		     "Device\n");
	for (unsigned i = 0; iface_neigh_at(i, &n); i++) {
		if (n.family != AF_INET || !iface_name(n.index, name))
			continue;
		fmt_snprintf(ip, sizeof(ip), "%u.%u.%u.%u", n.addr[0], n.addr[1], n.addr[2],
			     n.addr[3]);
		text_printf(t,
			    "%-16s 0x%-10x0x%-10x%02x:%02x:%02x:%02x:%02x:%02x     *        %s\n",
			    ip, 1u, 2u, n.mac[0], n.mac[1], n.mac[2], n.mac[3], n.mac[4], n.mac[5],
			    name);
	}
	return OK;
}

/* ---- sockets of IP ---- */

struct list_of {
	struct text *t;
	unsigned family, n;
	unsigned pad; /* lines of IPv4 are as long */
	bool tcp;
};

static void put_end(char *out, size_t size, unsigned family, const uint32_t a[4], uint16_t port)
{
	if (family == AF_INET)
		fmt_snprintf(out, size, "%08X:%04X", a[0], port);
	else
		fmt_snprintf(out, size, "%08X%08X%08X%08X:%04X", a[0], a[1], a[2], a[3], port);
}

static void put_line(void *ctx, const struct net_line *l)
{
	struct list_of *o = ctx;
	char local[40], remote[40], line[256];
	/* Of a listener Linux shows only who waits. */
	uint32_t tx = o->tcp && l->state == NET_LISTEN ? 0 : l->tx_queue;
	size_t n;

	if (l->family != o->family)
		return;
	put_end(local, sizeof(local), o->family, l->local, l->local_port);
	put_end(remote, sizeof(remote), o->family, l->remote, l->remote_port);
	n = fmt_snprintf(line, sizeof(line),
			 o->tcp ? "%4u: %s %s %02X %08X:%08X %02X:%08lX %08X %5u %8d %lu"
				: "%5u: %s %s %02X %08X:%08X %02X:%08lX %08X %5u %8d %lu",
			 o->n++, local, remote, l->state, tx, l->rx_queue, 0u, UL(0), 0u, l->uid, 0,
			 UL(l->ino));
	if (!o->tcp)
		fmt_snprintf(line + n, sizeof(line) - n, " %d %016x %u", 2, 0, l->drops);
	else if (l->state == NET_TIME_WAIT)
		fmt_snprintf(line + n, sizeof(line) - n, " %d %016x", 3, 0);
	else
		fmt_snprintf(line + n, sizeof(line) - n, " %d %016x %u %u %u %u %d", 1, 0, 20u, 4u,
			     0u, 10u, -1);
	text_printf(o->t, "%-*s\n", (int)o->pad, line);
}

static err_t list(struct text *t, void (*each)(net_visit *, void *), unsigned family, bool tcp)
{
	struct list_of o = { t, family, 0, family == AF_INET ? (tcp ? 149 : 127) : 0, tcp };
	const char *pointer = tcp ? "" : " ref pointer drops";
	char line[200];

	if (family == AF_INET)
		fmt_snprintf(line, sizeof(line),
			     "%s  sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
			     "retrnsmt   uid  timeout inode%s",
			     tcp ? "" : " ", pointer);
	else
		fmt_snprintf(
			line, sizeof(line),
			"  sl  local_address                         remote_address            "
			"            st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
			"inode%s",
			pointer);
	text_printf(t, "%-*s\n", (int)o.pad, line);
	each(put_line, &o);
	return OK;
}

#define SOCKETS(name, each, family, tcp)                            \
	static err_t name(const struct proc_ref *r, struct text *t) \
	{                                                           \
		(void)r;                                            \
		return list(t, each, family, tcp);                  \
	}
SOCKETS(net_tcp, net_each_tcp, AF_INET, true)
SOCKETS(net_tcp6, net_each_tcp, AF_INET6, true)
SOCKETS(net_udp, net_each_udp, AF_INET, false)
SOCKETS(net_udp6, net_each_udp, AF_INET6, false)
SOCKETS(net_udplite, net_each_udplite, AF_INET, false)
SOCKETS(net_udplite6, net_each_udplite, AF_INET6, false)
SOCKETS(net_raw, net_each_raw, AF_INET, false)
SOCKETS(net_raw6, net_each_raw, AF_INET6, false)
SOCKETS(net_icmp, net_each_ping, AF_INET, false)
SOCKETS(net_icmp6, net_each_ping, AF_INET6, false)

/* ---- other sockets ---- */

static void put_unix(void *ctx, const struct unix_info *i)
{
	struct text *t = ctx;
	const struct sock_addr *a = i->addr;

	text_printf(t, "%016x: %08X %08X %08X %04X %02X %5lu", 0, i->refs, 0u,
		    i->listening ? 0x10000u : 0u, (unsigned)i->type,
		    i->state == NET_ESTABLISHED ? 3u /* SS_CONNECTED */ : 1u, UL(i->ino));
	if (a != NULL && a->len > sizeof(a->family)) {
		const char *path = a->bytes + sizeof(a->family);
		uint32_t n = a->len - (uint32_t)sizeof(a->family);

		text_puts(t, " ");
		if (path[0] != '\0')
			n = (uint32_t)strnlen(path, n);
		for (uint32_t k = 0; k < n; k++)
			text_printf(t, "%c", path[k] != '\0' ? path[k] : '@');
	}
	text_puts(t, "\n");
}

static err_t net_unix(const struct proc_ref *r, struct text *t)
{
	(void)r;
	text_puts(t, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	unix_each(put_unix, t);
	return OK;
}

static void put_netlink(void *ctx, const struct net_netlink_line *l)
{
	text_printf(ctx, "%016x %-3d %-10u %08x %-8u %-8u %-8d %-8d %-8u %-8lu\n", 0, l->protocol,
		    l->port, l->groups, l->rmem, 0u, l->dump, 2, l->drops, UL(l->ino));
}

static err_t net_netlink(const struct proc_ref *r, struct text *t)
{
	(void)r;
	text_puts(t, "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    "
		     "Drops    Inode\n");
	net_each_netlink(put_netlink, t);
	return OK;
}

static err_t net_packet(const struct proc_ref *r, struct text *t)
{
	(void)r;
	text_puts(t, "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n");
	return OK;
}

/* ---- figures ---- */

struct tally {
	unsigned family, inuse, tw;
};

static void count_line(void *ctx, const struct net_line *l)
{
	struct tally *c = ctx;

	if (l->family != c->family)
		return;
	if (l->state == NET_TIME_WAIT)
		c->tw++;
	else
		c->inuse++;
}

static void count_unix(void *ctx, const struct unix_info *i)
{
	(void)i;
	++*(unsigned *)ctx;
}

static void count_netlink(void *ctx, const struct net_netlink_line *l)
{
	(void)l;
	++*(unsigned *)ctx;
}

static struct tally tally(void (*each)(net_visit *, void *), unsigned family)
{
	struct tally c = { family, 0, 0 };

	each(count_line, &c);
	return c;
}

static err_t net_sockstat(const struct proc_ref *r, struct text *t)
{
	struct tally tcp = tally(net_each_tcp, AF_INET), tcp6 = tally(net_each_tcp, AF_INET6);
	struct tally udp = tally(net_each_udp, AF_INET), udp6 = tally(net_each_udp, AF_INET6);
	unsigned raw = tally(net_each_raw, AF_INET).inuse, others = 0;
	struct net_figures f;

	(void)r;
	net_figures(&f);
	unix_each(count_unix, &others);
	net_each_netlink(count_netlink, &others);
	text_printf(t, "sockets: used %u\n",
		    tcp.inuse + tcp6.inuse + udp.inuse + udp6.inuse + raw + others);
	text_printf(t, "TCP: inuse %u orphan 0 tw %u alloc %u mem %lu\n", tcp.inuse,
		    tcp.tw + tcp6.tw, tcp.inuse + tcp6.inuse, UL((f.tcp_memory + 4095) / 4096));
	text_printf(t, "UDP: inuse %u mem 0\nUDPLITE: inuse %u\nRAW: inuse %u\n", udp.inuse,
		    tally(net_each_udplite, AF_INET).inuse, raw);
	text_puts(t, "FRAG: inuse 0 memory 0\n");
	return OK;
}

static err_t net_sockstat6(const struct proc_ref *r, struct text *t)
{
	(void)r;
	text_printf(t, "TCP6: inuse %u\nUDP6: inuse %u\nUDPLITE6: inuse %u\nRAW6: inuse %u\n",
		    tally(net_each_tcp, AF_INET6).inuse, tally(net_each_udp, AF_INET6).inuse,
		    tally(net_each_udplite, AF_INET6).inuse, tally(net_each_raw, AF_INET6).inuse);
	text_puts(t, "FRAG6: inuse 0 memory 0\n");
	return OK;
}

static void snmp_ip(struct text *t, const struct net_figures *f)
{
	text_puts(t, "Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams "
		     "InUnknownProtos InDiscards InDelivers OutRequests OutDiscards OutNoRoutes "
		     "ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates\n");
	text_printf(t, "Ip: 2 64 %u %u %u 0 %u %u %u %u %u %u 0 %u %u %u %u %u %u\n",
		    f->ip_in_receives, f->ip_in_hdr_errors, f->ip_in_addr_errors,
		    f->ip_in_unknown_protos, f->ip_in_discards, f->ip_in_delivers,
		    f->ip_out_requests, f->ip_out_discards, f->ip_out_no_routes, f->ip_reasm_reqds,
		    f->ip_reasm_oks, f->ip_reasm_fails, f->ip_frag_oks, f->ip_frag_fails,
		    f->ip_frag_creates);
}

static void snmp_icmp(struct text *t, const struct net_figures *f)
{
	text_puts(t, "Icmp: InMsgs InErrors InCsumErrors InDestUnreachs InTimeExcds InParmProbs "
		     "InSrcQuenchs InRedirects InEchos InEchoReps InTimestamps InTimestampReps "
		     "InAddrMasks InAddrMaskReps OutMsgs OutErrors OutDestUnreachs OutTimeExcds "
		     "OutParmProbs OutSrcQuenchs OutRedirects OutEchos OutEchoReps OutTimestamps "
		     "OutTimestampReps OutAddrMasks OutAddrMaskReps\n");
	text_printf(t, "Icmp: %u %u 0 %u 0 0 0 0 %u %u 0 0 0 0 %u %u %u 0 0 0 0 %u %u 0 0 0 0\n",
		    f->icmp_in_msgs, f->icmp_in_errors, f->icmp_in_unreachable, f->icmp_in_echos,
		    f->icmp_in_echo_replies, f->icmp_out_msgs, f->icmp_out_errors,
		    f->icmp_out_unreachable, f->icmp_out_echos, f->icmp_out_echo_replies);
}

static void count_established(void *ctx, const struct net_line *l)
{
	*(unsigned *)ctx += l->state == NET_ESTABLISHED || l->state == NET_CLOSE_WAIT;
}

static err_t net_snmp(const struct proc_ref *r, struct text *t)
{
	struct net_figures f;
	unsigned established = 0;

	(void)r;
	net_figures(&f);
	net_each_tcp(count_established, &established);
	snmp_ip(t, &f);
	snmp_icmp(t, &f);
	text_puts(t,
		  "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails "
		  "EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts "
		  "InCsumErrors\n");
	text_printf(t, "Tcp: 1 200 120000 -1 %u %u %u %u %u %u %u %u %u %u 0\n", f.tcp_active_opens,
		    f.tcp_passive_opens, f.tcp_attempt_fails, f.tcp_estab_resets, established,
		    f.tcp_in_segs, f.tcp_out_segs, f.tcp_retrans_segs, f.tcp_in_errs,
		    f.tcp_out_rsts);
	text_puts(t, "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors "
		     "InCsumErrors IgnoredMulti MemErrors\n");
	text_printf(t, "Udp: %u %u %u %u %u 0 0 0 0\n", f.udp_in, f.udp_no_ports,
		    f.udp_in_errors + f.udp_rcvbuf_errors, f.udp_out, f.udp_rcvbuf_errors);
	return OK;
}

/* Those of Linux' extensions that are counted here. */
static err_t net_netstat(const struct proc_ref *r, struct text *t)
{
	struct iface i = { .index = 0 };
	uint64_t in = 0, out = 0;

	(void)r;
	while (iface_next(i.index, &i)) {
		in += i.stats.rx_bytes;
		out += i.stats.tx_bytes;
	}
	text_puts(t, "TcpExt: SyncookiesSent SyncookiesRecv SyncookiesFailed\nTcpExt: 0 0 0\n");
	text_puts(t, "IpExt: InNoRoutes InTruncatedPkts InMcastPkts OutMcastPkts InBcastPkts "
		     "OutBcastPkts InOctets OutOctets\n");
	text_printf(t, "IpExt: 0 0 0 0 0 0 %lu %lu\n", UL(in), UL(out));
	return OK;
}

static unsigned in_use(void (*each)(net_visit *, void *), unsigned family)
{
	return tally(each, family).inuse;
}

static err_t net_protocols(const struct proc_ref *r, struct text *t)
{
	const struct {
		const char *name;
		unsigned sockets;
	} all[] = {
		{ "PINGv6", in_use(net_each_ping, AF_INET6) },
		{ "RAWv6", in_use(net_each_raw, AF_INET6) },
		{ "UDPv6", in_use(net_each_udp, AF_INET6) },
		{ "TCPv6", in_use(net_each_tcp, AF_INET6) },
		{ "PING", in_use(net_each_ping, AF_INET) },
		{ "RAW", in_use(net_each_raw, AF_INET) },
		{ "UDP", in_use(net_each_udp, AF_INET) },
		{ "TCP", in_use(net_each_tcp, AF_INET) },
	};

	(void)r;
	text_puts(t, "protocol  size sockets  memory press maxhdr  slab module\n");
	for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
		text_printf(t, "%-9s %4u %6u  %6d   %-3s %6u   %-3s  %-10s\n", all[i].name, 0u,
			    all[i].sockets, -1, "NI", 0u, "yes", "kernel");
	return OK;
}

#define FILE_R(n, fn)                               \
	{                                           \
		.name = n, .mode = 0444, .show = fn \
	}

const struct proc_entry proc_net_entries[] = {
	FILE_R("arp", net_arp),           FILE_R("dev", net_dev),
	FILE_R("icmp", net_icmp),         FILE_R("icmp6", net_icmp6),
	FILE_R("if_inet6", net_if_inet6), FILE_R("ipv6_route", net_ipv6_route),
	FILE_R("netlink", net_netlink),   FILE_R("netstat", net_netstat),
	FILE_R("packet", net_packet),     FILE_R("protocols", net_protocols),
	FILE_R("raw", net_raw),           FILE_R("raw6", net_raw6),
	FILE_R("route", net_route),       FILE_R("snmp", net_snmp),
	FILE_R("sockstat", net_sockstat), FILE_R("sockstat6", net_sockstat6),
	FILE_R("tcp", net_tcp),           FILE_R("tcp6", net_tcp6),
	FILE_R("udp", net_udp),           FILE_R("udp6", net_udp6),
	FILE_R("udplite", net_udplite),   FILE_R("udplite6", net_udplite6),
	FILE_R("unix", net_unix),         { .name = NULL },
};
