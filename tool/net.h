/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's network, as the user asks for it: ports of the host that lead into it, and how. */
#pragma once

#include "tool/util.h"

/* One -p: [ADDR:]HOST:GUEST[/tcp|/udp]. */
struct port_map {
	char address[64]; /* of the host, as inet_pton reads it; "" means all IPv4 addresses */
	bool ipv6;        /* `address` is one */
	bool udp;
	unsigned host, guest;
};

enum net_kind { NET_UNSET, NET_NONE, NET_USER, NET_TAP };

struct net_spec {
	enum net_kind kind;
	char tap[16];     /* name of the device */
	char address[64]; /* IPv4 ADDR/LEN of the machine; "": DHCP */
	char gateway[64]; /* "": none */
	struct port_map *ports;
	size_t nports;
};

#define NET_WHY_MAX 160

/* False: `why` says what is wrong with the text. IPv6 addresses stand in brackets. */
bool net_parse_port(const char *text, struct port_map *out, char why[NET_WHY_MAX]);
/* "user", "none", "tap=NAME". */
bool net_parse_kind(const char *text, struct net_spec *net, char why[NET_WHY_MAX]);
/* "ADDR/LEN[,GATEWAY]" (IPv4), or "dhcp". */
bool net_parse_address(const char *text, struct net_spec *net, char why[NET_WHY_MAX]);
/* As -p would write it: "127.0.0.1:8080:80/tcp". */
char *net_port_text(const struct port_map *p);

void net_add_port(struct net_spec *net, const struct port_map *p);
void net_copy(struct net_spec *to, const struct net_spec *from);
void net_release(struct net_spec *net);

/*
 * What is asked for fits together: ports need --net user, an address needs a network. Sets
 * NET_UNSET to what follows from the rest. Dies with a message.
 */
void net_settle(struct net_spec *net);
/* Every port of the host is free; dies with the port and, if it can be found, who has it. */
void net_check_ports(const struct net_spec *net);
/* If QEMU's complaint is about a port or the tap device: the message for it, else NULL. Caller
 * frees. */
char *net_explain(const struct net_spec *net, const char *complaint);
