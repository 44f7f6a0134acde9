/* SPDX-License-Identifier: BSD-2-Clause */
/* The network that is asked for, against this host. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tool/holder.h"
#include "tool/net.h"
#include "tool/report.h"

/* ---- does it fit together? ---- */

static bool same_address(const struct port_map *a, const struct port_map *b)
{
	return a->address[0] == '\0' || b->address[0] == '\0' ||
	       strcmp(a->address, b->address) == 0;
}

static void check_twice(const struct net_spec *net)
{
	for (size_t i = 0; i < net->nports; i++)
		for (size_t k = 0; k < i; k++) {
			const struct port_map *a = &net->ports[i], *b = &net->ports[k];

			if (a->host == b->host && a->udp == b->udp && same_address(a, b))
				die(EXIT_TOOL, "give each a port of its own",
				    "port %u of the host (%s) is asked for twice", a->host,
				    a->udp ? "udp" : "tcp");
		}
}

void net_settle(struct net_spec *net)
{
	if (net->kind == NET_UNSET)
		net->kind = net->nports > 0 || net->address[0] != '\0' ? NET_USER : NET_NONE;
	if (net->kind == NET_NONE && net->nports > 0)
		die(EXIT_TOOL, "leave --net none out", "ports (-p) need a network");
	if (net->kind == NET_NONE && net->address[0] != '\0')
		die(EXIT_TOOL, "add --net tap=NAME", "an address (--ip) needs a network");
	if (net->kind == NET_TAP && net->nports > 0)
		die(EXIT_TOOL, "connect to the machine's own address, or use --net user",
		    "ports (-p) belong to --net user: behind a tap device all ports are open");
	for (size_t i = 0; i < net->nports; i++)
		if (net->ports[i].ipv6)
			die(EXIT_TOOL, "use an IPv4 address, or --net tap=NAME",
			    "[%s]:%u: QEMU's user networking forwards ports of IPv4 addresses only",
			    net->ports[i].address, net->ports[i].host);
	if (net->kind == NET_TAP && if_nametoindex(net->tap) == 0) {
		char *hint = xasprintf("ip tuntap add %s mode tap && ip link set %s up", net->tap,
				       net->tap);

		die(EXIT_TOOL, hint, "there is no network device %s", net->tap);
	}
	check_twice(net);
}

/* ---- ports of the host ---- */

/* 0, or the error number of a bind. */
static int try_bind(const struct port_map *p)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)p->host) };
	int fd = socket(AF_INET, (p->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	int one = 1, e = 0;

	if (fd < 0)
		return errno;
	if (p->address[0] != '\0')
		(void)inet_pton(AF_INET, p->address, &a.sin_addr);
	/* As QEMU does: connections that just ended do not count. */
	if (!p->udp)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || (!p->udp && listen(fd, 1) != 0))
		e = errno;
	close(fd);
	return e;
}

static unsigned next_free(const struct port_map *p)
{
	struct port_map other = *p;

	for (other.host = p->host < 1024 ? p->host + 8000 : p->host + 1;
	     other.host < 65535 && other.host < p->host + 9000; other.host++)
		if (try_bind(&other) == 0)
			return other.host;
	return 0;
}

static char *in_use_text(const struct port_map *p)
{
	char *who = holder_of_port(p->host, p->udp);
	char *text = xasprintf("port %u of this host (%s%s%s) is in use%s%s", p->host,
			       p->udp ? "udp" : "tcp", p->address[0] != '\0' ? " at " : "",
			       p->address, who != NULL ? " by " : "", who != NULL ? who : "");

	free(who);
	return text;
}

static void cannot_bind(const struct port_map *p, int e)
{
	unsigned other = next_free(p);
	char *hint = other != 0 ? xasprintf("use another one, like -p %u:%u", other, p->guest)
				: NULL;

	if (e == EADDRINUSE) {
		char *text = in_use_text(p);

		die(EXIT_TOOL, hint, "%s", text);
	}
	if (e == EACCES)
		die(EXIT_TOOL, hint, "port %u of this host is kept for root", p->host);
	if (e == EADDRNOTAVAIL)
		die(EXIT_TOOL, "ip address shows the addresses", "this host has no address %s",
		    p->address);
	die(EXIT_TOOL, NULL, "port %u of this host cannot be used: %s", p->host, strerror(e));
}

void net_check_ports(const struct net_spec *net)
{
	for (size_t i = 0; i < net->nports; i++) {
		int e = try_bind(&net->ports[i]);

		if (e != 0)
			cannot_bind(&net->ports[i], e);
	}
}

/* Why QEMU could not have the tap device. */
static char *tap_text(const struct net_spec *net, const char *complaint)
{
	const char *why = strstr(complaint, "could not configure /dev/net/tun");

	if (net->kind != NET_TAP || (why == NULL && strstr(complaint, "/dev/net/tun") == NULL))
		return NULL;
	if (why != NULL && strstr(why, strerror(EBUSY)) != NULL)
		return xasprintf("the tap device %s is in use, by another machine perhaps",
				 net->tap);
	if (why != NULL && strstr(why, strerror(EINVAL)) != NULL)
		return xasprintf("the network device %s is no tap device", net->tap);
	return xasprintf("the tap device %s cannot be used: may this user open it?", net->tap);
}

char *net_explain(const struct net_spec *net, const char *complaint)
{
	char *tap = tap_text(net, complaint);

	if (tap != NULL)
		return tap;
	if (strstr(complaint, "could not set up host forwarding rule") == NULL &&
	    strstr(complaint, "Could not set up host forwarding rule") == NULL)
		return NULL;
	for (size_t i = 0; i < net->nports; i++)
		if (try_bind(&net->ports[i]) == EADDRINUSE)
			return in_use_text(&net->ports[i]);
	return xstrdup("a port of this host was taken while the machine started");
}
