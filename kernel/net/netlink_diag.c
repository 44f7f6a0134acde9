/* SPDX-License-Identifier: BSD-2-Clause */
/* NETLINK_SOCK_DIAG (what `ss` asks) and NETLINK_GENERIC (which has no families here). */
#include <linux/genetlink.h>
#include <linux/in.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>

#include "base/str.h"
#include "kernel/net/netlink.h"
#include "kernel/net/report.h"

/* ---- AF_UNIX ---- */

/* A walk over all sockets that goes on where the last one stopped. */
struct walk {
	struct nl_dump *d;
	struct nl_build *b;
	uint64_t n;
	bool full;
};

static void unix_name_attr(struct nl_build *b, const struct sock_addr *a)
{
	uint32_t n = a->len - (uint32_t)sizeof(a->family);
	const char *path = a->bytes + sizeof(a->family);

	if (n == 0)
		return;
	if (path[0] != '\0')
		n = (uint32_t)strnlen(path, n);
	nl_attr(b, UNIX_DIAG_NAME, path, n);
}

static bool put_unix(struct nl_build *b, const struct unix_info *i, uint32_t show)
{
	struct unix_diag_rqlen lens = { .udiag_rqueue = i->rqueue, .udiag_wqueue = i->wqueue };
	struct unix_diag_msg *m;
	uint32_t start;

	m = nl_message(b, SOCK_DIAG_BY_FAMILY, sizeof(*m), &start);
	if (m == NULL)
		return nl_message_end(b, start);
	m->udiag_family = AF_UNIX;
	m->udiag_type = (uint8_t)i->type;
	m->udiag_state = (uint8_t)i->state;
	m->udiag_ino = (uint32_t)i->ino;
	if ((show & UDIAG_SHOW_NAME) && i->addr != NULL)
		unix_name_attr(b, i->addr);
	if ((show & UDIAG_SHOW_PEER) && i->peer_ino != 0)
		nl_attr_u32(b, UNIX_DIAG_PEER, (uint32_t)i->peer_ino);
	if (show & UDIAG_SHOW_RQLEN)
		nl_attr(b, UNIX_DIAG_RQLEN, &lens, sizeof(lens));
	nl_attr_u8(b, UNIX_DIAG_SHUTDOWN, (uint8_t)i->shutdown);
	return nl_message_end(b, start);
}

static void visit_unix(void *ctx, const struct unix_info *i)
{
	struct walk *w = ctx;
	const struct unix_diag_req *req = (const void *)w->d->request;

	if (w->full || w->n++ < w->d->at[0])
		return;
	if ((req->udiag_states >> i->state & 1) && !put_unix(w->b, i, req->udiag_show))
		w->full = true;
	else
		w->d->at[0]++;
}

static bool dump_unix(struct nl_dump *d, struct nl_build *b)
{
	struct walk w = { .d = d, .b = b };

	unix_each(visit_unix, &w);
	return !w.full;
}

/* ---- AF_INET, AF_INET6 ---- */

static bool put_inet(struct nl_build *b, const struct net_line *l)
{
	struct inet_diag_msg *m;
	uint32_t start;

	m = nl_message(b, SOCK_DIAG_BY_FAMILY, sizeof(*m), &start);
	if (m == NULL)
		return nl_message_end(b, start);
	m->idiag_family = l->family;
	m->idiag_state = l->state;
	m->id.idiag_sport = __builtin_bswap16(l->local_port);
	m->id.idiag_dport = __builtin_bswap16(l->remote_port);
	memcpy(m->id.idiag_src, l->local, sizeof(l->local));
	memcpy(m->id.idiag_dst, l->remote, sizeof(l->remote));
	m->id.idiag_if = (uint32_t)l->bound_if;
	m->id.idiag_cookie[0] = (uint32_t)l->cookie;
	m->id.idiag_cookie[1] = (uint32_t)(l->cookie >> 32);
	m->idiag_rqueue = l->rx_queue;
	m->idiag_wqueue = l->tx_queue;
	m->idiag_uid = l->uid;
	m->idiag_inode = (uint32_t)l->ino;
	return nl_message_end(b, start);
}

static void visit_inet(void *ctx, const struct net_line *l)
{
	struct walk *w = ctx;
	const struct inet_diag_req_v2 *req = (const void *)w->d->request;

	if (w->full || w->n++ < w->d->at[0])
		return;
	if (l->family == req->sdiag_family && (req->idiag_states >> l->state & 1) &&
	    !put_inet(w->b, l))
		w->full = true;
	else
		w->d->at[0]++;
}

typedef void each_fn(net_visit *fn, void *ctx);

static each_fn *each_of(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP: return net_each_tcp;
	case IPPROTO_UDP: return net_each_udp;
	case IPPROTO_UDPLITE: return net_each_udplite;
	case IPPROTO_RAW: return net_each_raw;
	default: return NULL;
	}
}

static bool dump_inet(struct nl_dump *d, struct nl_build *b)
{
	const struct inet_diag_req_v2 *req = (const void *)d->request;
	struct walk w = { .d = d, .b = b };

	each_of(req->sdiag_protocol)(visit_inet, &w);
	return !w.full;
}

static err_t diag_inet(struct nl_request *r)
{
	const struct inet_diag_req_v2 *req = (const void *)r->payload;

	if (r->len < sizeof(*req))
		return E_INVAL;
	return each_of(req->sdiag_protocol) != NULL ? nl_dump_start(r, dump_inet) : E_NOENT;
}

err_t nl_diag_receive(struct nl_request *r)
{
	const struct sock_diag_req *req = (const void *)r->payload;

	if (r->h->nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return E_INVAL;
	if (r->len < sizeof(*req))
		return E_INVAL;
	if (!(r->h->nlmsg_flags & NLM_F_DUMP))
		return E_OPNOTSUPP;
	if (req->sdiag_family == AF_UNIX)
		return r->len < sizeof(struct unix_diag_req) ? E_INVAL
							     : nl_dump_start(r, dump_unix);
	if (req->sdiag_family == AF_INET || req->sdiag_family == AF_INET6)
		return diag_inet(r);
	return E_NOENT; /* as Linux, where there is no module for the family */
}

/* ---- generic ---- */

static bool put_controller(struct nl_build *b)
{
	struct genlmsghdr *h;
	uint16_t id = GENL_ID_CTRL;
	uint32_t start;

	h = nl_message(b, GENL_ID_CTRL, sizeof(*h), &start);
	if (h == NULL)
		return nl_message_end(b, start);
	*h = (struct genlmsghdr){ .cmd = CTRL_CMD_NEWFAMILY, .version = 2 };
	nl_attr_str(b, CTRL_ATTR_FAMILY_NAME, "nlctrl");
	nl_attr(b, CTRL_ATTR_FAMILY_ID, &id, sizeof(id));
	nl_attr_u32(b, CTRL_ATTR_VERSION, 2);
	nl_attr_u32(b, CTRL_ATTR_HDRSIZE, 0);
	nl_attr_u32(b, CTRL_ATTR_MAXATTR, CTRL_ATTR_MAX);
	return nl_message_end(b, start);
}

static bool dump_families(struct nl_dump *d, struct nl_build *b)
{
	if (d->at[0] == 0 && !put_controller(b))
		return false;
	d->at[0] = 1;
	return true;
}

/* The only family is the one that tells of families. */
err_t nl_generic_receive(struct nl_request *r)
{
	const struct genlmsghdr *h = (const void *)r->payload;
	const char *name;
	const uint16_t *id;
	struct nl_build b;
	uint32_t n;

	if (r->h->nlmsg_type != GENL_ID_CTRL)
		return E_NOENT;
	if (r->len < sizeof(*h))
		return E_INVAL;
	if (h->cmd != CTRL_CMD_GETFAMILY)
		return E_OPNOTSUPP;
	if (r->h->nlmsg_flags & NLM_F_DUMP)
		return nl_dump_start(r, dump_families);
	id = nl_find_attr(r, sizeof(*h), CTRL_ATTR_FAMILY_ID, &n);
	if (id != NULL && (n < sizeof(*id) || *id != GENL_ID_CTRL))
		return E_NOENT;
	name = nl_find_attr(r, sizeof(*h), CTRL_ATTR_FAMILY_NAME, &n);
	if (name != NULL && (n != sizeof("nlctrl") || memcmp(name, "nlctrl", n) != 0))
		return E_NOENT;
	if (id == NULL && name == NULL)
		return E_INVAL;
	TRY(nl_build_init(&b, 256, r));
	(void)put_controller(&b);
	return nl_answer(r->from, &b);
}
