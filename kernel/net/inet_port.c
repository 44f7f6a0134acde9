/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is bound to which port, and who may share one. */
#include <linux/capability.h>

#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/net/local.h"
#include "kernel/task/task.h"

#define FREE_FIRST 32768u /* net.ipv4.ip_local_port_range */
#define FREE_LAST  60999u
#define PRIVILEGED 1024u
#define BUCKETS    256u

static struct inet_port *buckets[INET_PROTOS][BUCKETS];

static struct inet_port **bucket(enum inet_proto proto, uint16_t port)
{
	return &buckets[proto][port % BUCKETS];
}

static struct inet_port *find(enum inet_proto proto, uint16_t port)
{
	struct inet_port *p = *bucket(proto, port);

	while (p != NULL && p->port != port)
		p = p->next;
	return p;
}

static struct inet_port *make(enum inet_proto proto, uint16_t port)
{
	struct inet_port *p = kmem_zalloc(sizeof(*p));

	if (p == NULL)
		return NULL;
	p->port = port;
	p->proto = proto;
	list_init(&p->binds);
	p->next = *bucket(proto, port);
	*bucket(proto, port) = p;
	return p;
}

static void drop_if_unused(struct inet_port *p)
{
	struct inet_port **at = bucket(p->proto, p->port);

	if (!list_empty(&p->binds) || p->connections != 0)
		return;
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	kmem_free(p);
}

/* ---- sharing ---- */

static bool addresses_meet(const ip_addr_t *a, const ip_addr_t *b)
{
	if (IP_IS_ANY_TYPE_VAL(*a) || IP_IS_ANY_TYPE_VAL(*b))
		return true;
	if (IP_IS_V4(a) != IP_IS_V4(b))
		return false;
	return ip_addr_isany(a) || ip_addr_isany(b) || ip_addr_cmp(a, b);
}

static bool may_share(const struct inet_bind *other, const struct inet_bind *b)
{
	if (other->reuse_port && b->reuse_port && other->uid == b->uid)
		return true;
	return other->reuse_addr && b->reuse_addr && !other->listening;
}

static bool claims_conflict(const struct inet_port *p, const struct inet_bind *b)
{
	LIST_FOR_EACH(pos, (struct list *)&p->binds) {
		const struct inet_bind *other = list_entry(pos, struct inet_bind, node);

		if (other != b && addresses_meet(&other->ip, &b->ip) && !may_share(other, b))
			return true;
	}
	return false;
}

static bool conflicts(const struct inet_port *p, const struct inet_bind *b)
{
	if (claims_conflict(p, b))
		return true;
	/* Connections, also such that nobody has open any more: both sides must want it. */
	return p->connections > p->reusable ||
	       (p->connections > 0 && !b->reuse_addr && !b->reuse_port);
}

bool inet_bind_conflicts(const struct inet_bind *b)
{
	return claims_conflict(b->port, b);
}

/* A number that nobody uses; failing that, one that b may share. 0: none. */
static uint16_t pick(enum inet_proto proto, const struct inet_bind *b)
{
	unsigned n = FREE_LAST - FREE_FIRST + 1, first = net_rand() % n;

	for (unsigned i = 0; i < n; i++) {
		uint16_t port = (uint16_t)(FREE_FIRST + (first + i) % n);

		if (find(proto, port) == NULL)
			return port;
	}
	for (unsigned i = 0; i < n; i++) {
		uint16_t port = (uint16_t)(FREE_FIRST + (first + i) % n);

		if (!conflicts(find(proto, port), b))
			return port;
	}
	return 0;
}

static void claim(struct inet_bind *b, struct inet_port *p)
{
	b->port = p;
	list_push_back(&p->binds, &b->node);
}

err_t inet_bind(struct inet_bind *b, enum inet_proto proto, uint16_t port)
{
	struct inet_port *p;

	BUG_ON(b->port != NULL);
	if (port == 0)
		port = pick(proto, b);
	if (port == 0)
		return E_ADDRINUSE;
	p = find(proto, port);
	if (p != NULL && conflicts(p, b))
		return E_ADDRINUSE;
	if (p == NULL)
		p = make(proto, port);
	if (p == NULL)
		return E_NOMEM;
	p->own = true;
	claim(b, p);
	return OK;
}

err_t inet_bind_to_connect(struct inet_bind *b, enum inet_proto proto,
			   bool (*fits)(const void *ctx, uint16_t port), const void *ctx)
{
	unsigned n = FREE_LAST - FREE_FIRST + 1, first = net_rand() % n;

	BUG_ON(b->port != NULL);
	for (unsigned i = 0; i < n; i++) {
		uint16_t port = (uint16_t)(FREE_FIRST + (first + i) % n);
		struct inet_port *p = find(proto, port);

		if (p != NULL && (p->own || !fits(ctx, port)))
			continue;
		if (p == NULL)
			p = make(proto, port);
		if (p == NULL)
			return E_NOMEM;
		claim(b, p);
		return OK;
	}
	return E_ADDRNOTAVAIL;
}

void inet_unbind(struct inet_bind *b)
{
	struct inet_port *p = b->port;

	if (p == NULL)
		return;
	list_remove(&b->node);
	b->port = NULL;
	drop_if_unused(p);
}

uint16_t inet_bound_port(const struct inet_bind *b)
{
	return b->port == NULL ? 0 : b->port->port;
}

bool inet_may_bind(uint16_t port)
{
	return port == 0 || port >= PRIVILEGED || task_capable(CAP_NET_BIND_SERVICE);
}

/* ---- connections ---- */

void inet_port_hold(struct inet_port *p, bool reusable)
{
	p->connections++;
	p->reusable += reusable;
}

void inet_port_release(struct inet_port *p, bool reusable)
{
	BUG_ON(p->connections == 0);
	p->connections--;
	p->reusable -= reusable;
	drop_if_unused(p);
}
