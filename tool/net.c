/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/net.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static bool complain(char why[NET_WHY_MAX], const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Always false. */
static bool complain(char why[NET_WHY_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, NET_WHY_MAX, fmt, ap);
	va_end(ap);
	return false;
}

static bool parse_number(const char *text, size_t n, unsigned *out)
{
	unsigned v = 0;

	if (n == 0 || n > 5)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		v = v * 10 + (unsigned)(text[i] - '0');
	}
	*out = v;
	return v >= 1 && v <= 65535;
}

/* "[::1]:" or "127.0.0.1:" in front of the ports; *rest is what follows. */
static bool take_address(const char *text, struct port_map *p, const char **rest,
			 char why[NET_WHY_MAX])
{
	unsigned char raw[16];
	const char *end, *begin = text;

	*rest = text;
	if (*text == '[') {
		begin = text + 1;
		end = strchr(begin, ']');
		if (end == NULL || end[1] != ':')
			return complain(why, "an IPv6 address is written [ADDR]:HOST:GUEST");
		*rest = end + 2;
		p->ipv6 = true;
	} else {
		const char *first = strchr(text, ':');

		if (first == NULL || strchr(first + 1, ':') == NULL)
			return true; /* HOST:GUEST */
		end = first;
		*rest = first + 1;
	}
	if ((size_t)(end - begin) >= sizeof(p->address))
		return complain(why, "the address is too long");
	memcpy(p->address, begin, (size_t)(end - begin));
	p->address[end - begin] = '\0';
	if (inet_pton(p->ipv6 ? AF_INET6 : AF_INET, p->address, raw) != 1)
		return complain(why, "\"%s\" is no IPv%c address", p->address, p->ipv6 ? '6' : '4');
	return true;
}

bool net_parse_port(const char *text, struct port_map *out, char why[NET_WHY_MAX])
{
	struct port_map p = { 0 };
	const char *ports, *slash = strrchr(text, '/');
	size_t end = slash != NULL ? (size_t)(slash - text) : strlen(text);

	if (slash != NULL && strcmp(slash, "/udp") != 0 && strcmp(slash, "/tcp") != 0)
		return complain(why, "\"%s\" is neither /tcp nor /udp", slash);
	p.udp = slash != NULL && slash[1] == 'u';
	if (!take_address(text, &p, &ports, why))
		return false;
	const char *colon = strchr(ports, ':');

	if (colon == NULL || colon >= text + end)
		return complain(why, "there is no port of the machine");
	if (!parse_number(ports, (size_t)(colon - ports), &p.host))
		return complain(why, "the host's port is no number from 1 to 65535");
	if (!parse_number(colon + 1, (size_t)(text + end - colon - 1), &p.guest))
		return complain(why, "the machine's port is no number from 1 to 65535");
	*out = p;
	return true;
}

bool net_parse_kind(const char *text, struct net_spec *net, char why[NET_WHY_MAX])
{
	if (strcmp(text, "user") == 0) {
		net->kind = NET_USER;
	} else if (strcmp(text, "none") == 0) {
		net->kind = NET_NONE;
	} else if (str_begins(text, "tap=")) {
		if (text[4] == '\0' || strlen(text + 4) >= sizeof(net->tap) ||
		    strpbrk(text + 4, ",/ ") != NULL)
			return complain(why, "\"%s\" is no name of a network device", text + 4);
		strcpy(net->tap, text + 4);
		net->kind = NET_TAP;
	} else {
		return complain(why, "\"%s\" is none of user, tap=NAME, none", text);
	}
	return true;
}

static bool is_ipv4(const char *text)
{
	struct in_addr a;

	return inet_pton(AF_INET, text, &a) == 1;
}

bool net_parse_address(const char *text, struct net_spec *net, char why[NET_WHY_MAX])
{
	char copy[128], *comma, *slash, *end;

	if (strcmp(text, "dhcp") == 0) {
		net->address[0] = net->gateway[0] = '\0';
		return true;
	}
	if (strlen(text) >= sizeof(copy))
		return complain(why, "the address is too long");
	strcpy(copy, text);
	comma = strchr(copy, ',');
	if (comma != NULL)
		*comma++ = '\0';
	slash = strchr(copy, '/');
	if (slash == NULL)
		return complain(why, "the length of the network's part is missing: ADDR/LEN");
	*slash++ = '\0';
	unsigned long bits = strtoul(slash, &end, 10);

	if (!isdigit((unsigned char)*slash) || *end != '\0' || bits < 1 || bits > 32)
		return complain(why, "\"%s\" is no length from 1 to 32", slash);
	if (!is_ipv4(copy))
		return complain(why, "\"%s\" is no IPv4 address", copy);
	if (comma != NULL && !is_ipv4(comma))
		return complain(why, "\"%s\" is no IPv4 address of a gateway", comma);
	snprintf(net->address, sizeof(net->address), "%.15s/%lu", copy, bits);
	snprintf(net->gateway, sizeof(net->gateway), "%s", comma != NULL ? comma : "");
	return true;
}

char *net_port_text(const struct port_map *p)
{
	const char *open = p->ipv6 ? "[" : "", *close = p->ipv6 ? "]" : "";

	return xasprintf("%s%s%s%s%u:%u/%s", open, p->address, close,
			 p->address[0] != '\0' ? ":" : "", p->host, p->guest,
			 p->udp ? "udp" : "tcp");
}

void net_add_port(struct net_spec *net, const struct port_map *p)
{
	net->ports = xrealloc(net->ports, (net->nports + 1) * sizeof(*net->ports));
	net->ports[net->nports++] = *p;
}

void net_copy(struct net_spec *to, const struct net_spec *from)
{
	*to = *from;
	to->ports = NULL;
	to->nports = 0;
	for (size_t i = 0; i < from->nports; i++)
		net_add_port(to, &from->ports[i]);
}

void net_release(struct net_spec *net)
{
	free(net->ports);
	*net = (struct net_spec){ 0 };
}
