/* SPDX-License-Identifier: BSD-2-Clause */
/* AF_NETLINK: building messages, acknowledgements, dumps. */
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/net/netlink.h"

#define ALIGNED(n) (((n) + 3u) & ~3u)

/* ---- building ---- */

err_t nl_build_init(struct nl_build *b, uint32_t room, const struct nl_request *r)
{
	*b = (struct nl_build){ .buf = kmem_alloc(room), .room = room };
	if (b->buf == NULL)
		return E_NOBUFS;
	if (r != NULL) {
		b->seq = r->h->nlmsg_seq;
		b->port = r->from->port;
	}
	return OK;
}

void nl_build_end(struct nl_build *b)
{
	kmem_free(b->buf);
	b->buf = NULL;
}

/* n more bytes, zeroed, the padding behind them too; NULL: full. */
static uint8_t *take(struct nl_build *b, uint32_t n)
{
	uint8_t *at = b->buf + b->len;

	if (b->failed || n > b->room || ALIGNED(n) > b->room - b->len) {
		b->failed = true;
		return NULL;
	}
	memset(at, 0, ALIGNED(n));
	b->len += ALIGNED(n);
	return at;
}

void *nl_message(struct nl_build *b, uint16_t type, uint32_t size, uint32_t *start)
{
	struct nlmsghdr *h;

	*start = b->len;
	h = (struct nlmsghdr *)(void *)take(b, (uint32_t)sizeof(*h) + size);
	if (h == NULL)
		return NULL;
	h->nlmsg_type = type;
	h->nlmsg_flags = b->flags;
	h->nlmsg_seq = b->seq;
	h->nlmsg_pid = b->port;
	return h + 1;
}

bool nl_message_end(struct nl_build *b, uint32_t start)
{
	if (b->failed) {
		b->len = start;
		return false;
	}
	((struct nlmsghdr *)(void *)(b->buf + start))->nlmsg_len = b->len - start;
	return true;
}

void nl_attr(struct nl_build *b, uint16_t type, const void *data, size_t n)
{
	struct nlattr *a = (struct nlattr *)(void *)take(b, (uint32_t)(sizeof(*a) + n));

	if (a == NULL)
		return;
	a->nla_len = (uint16_t)(sizeof(*a) + n);
	a->nla_type = type;
	memcpy(a + 1, data, n);
}

void nl_attr_u8(struct nl_build *b, uint16_t type, uint8_t v)
{
	nl_attr(b, type, &v, sizeof(v));
}

void nl_attr_u32(struct nl_build *b, uint16_t type, uint32_t v)
{
	nl_attr(b, type, &v, sizeof(v));
}

void nl_attr_str(struct nl_build *b, uint16_t type, const char *s)
{
	nl_attr(b, type, s, strlen(s) + 1);
}

const void *nl_find_attr(const struct nl_request *r, uint32_t skip, uint16_t type, uint32_t *n)
{
	uint32_t at = ALIGNED(skip);

	while (at < r->len && r->len - at >= sizeof(struct nlattr)) {
		const struct nlattr *a = (const struct nlattr *)(const void *)(r->payload + at);

		if (a->nla_len < sizeof(*a) || a->nla_len > r->len - at)
			return NULL;
		if ((a->nla_type & NLA_TYPE_MASK) == type) {
			*n = a->nla_len - (uint32_t)sizeof(*a);
			return a + 1;
		}
		at += ALIGNED(a->nla_len);
	}
	return NULL;
}

/* ---- answers ---- */

/* The program waits for something that will not come. */
static void lost(struct nl_sock *to)
{
	to->sock.error = E_NOBUFS;
	socket_wake(&to->sock.rq);
}

err_t nl_answer(struct nl_sock *to, struct nl_build *b)
{
	struct nl_msg *m = b->failed ? NULL : nl_msg_new(b->len);

	if (m != NULL)
		memcpy(m->data, b->buf, b->len);
	nl_build_end(b);
	if (m != NULL)
		return nl_queue(to, m);
	lost(to);
	return E_NOBUFS;
}

/* As Linux: an error carries the whole request, unless the program wants its header only. */
static void acknowledge(const struct nl_request *r, err_t err)
{
	bool capped = err == OK || nl_option(r->from, NETLINK_CAP_ACK);
	uint32_t more = capped ? 0 : r->len, start, size;
	struct nl_build b;
	struct nlmsgerr *e;

	size = (uint32_t)sizeof(struct nlmsghdr) + (uint32_t)sizeof(*e) + ALIGNED(more) + 128;
	if (nl_build_init(&b, size, r) != OK) {
		lost(r->from);
		return;
	}
	b.flags = capped ? NLM_F_CAPPED : 0;
	if (r->why != NULL && nl_option(r->from, NETLINK_EXT_ACK))
		b.flags |= NLM_F_ACK_TLVS;
	e = nl_message(&b, NLMSG_ERROR, (uint32_t)sizeof(*e) + more, &start);
	if (e == NULL)
		BUG();
	e->error = err;
	memcpy(&e->msg, r->h, sizeof(e->msg));
	memcpy(e + 1, r->payload, more);
	if (b.flags & NLM_F_ACK_TLVS)
		nl_attr_str(&b, NLMSGERR_ATTR_MSG, r->why);
	(void)nl_message_end(&b, start);
	(void)!nl_answer(r->from, &b); /* the socket has the error */
}

static void receive_one(struct nl_request *r, nl_receive_fn *fn)
{
	err_t err = OK;

	if ((r->h->nlmsg_flags & NLM_F_REQUEST) && r->h->nlmsg_type >= NLMSG_MIN_TYPE)
		err = fn(r);
	if (err != E_INTR && ((r->h->nlmsg_flags & NLM_F_ACK) || err != OK))
		acknowledge(r, err);
}

void nl_receive(struct nl_sock *from, const uint8_t *data, uint32_t len, const struct ucred_k *cred,
		nl_receive_fn *fn)
{
	while (len >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)data;
		struct nl_request r = { .from = from, .h = h, .cred = *cred };
		uint32_t step;

		if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > len)
			return;
		r.payload = data + sizeof(*h);
		r.len = h->nlmsg_len - (uint32_t)sizeof(*h);
		receive_one(&r, fn);
		step = ALIGNED(h->nlmsg_len) < len ? ALIGNED(h->nlmsg_len) : len;
		data += step;
		len -= step;
	}
}

/* ---- dumps ---- */

static bool put_done(struct nl_build *b)
{
	uint32_t start;

	(void)nl_message(b, NLMSG_DONE, sizeof(int32_t), &start);
	return nl_message_end(b, start);
}

static void dump_end(struct nl_sock *s)
{
	kmem_free(s->dump);
	s->dump = NULL;
}

/* One more buffer for the program; the end of the dump comes in one of its own. */
void nl_dump_continue(struct nl_sock *s)
{
	struct nl_dump *d = s->dump;
	bool finished;
	struct nl_build b;

	if (nl_build_init(&b, NL_CHUNK, NULL) != OK) {
		dump_end(s);
		lost(s);
		return;
	}
	b.seq = d->seq;
	b.port = s->port;
	b.flags = NLM_F_MULTI;
	finished = d->step(d, &b);
	b.failed = false;
	if (finished && b.len == 0) {
		(void)put_done(&b);
		dump_end(s);
	}
	if (nl_answer(s, &b) != OK)
		dump_end(s); /* the socket has the error */
}

err_t nl_dump_start(struct nl_request *r, bool (*step)(struct nl_dump *, struct nl_build *))
{
	struct nl_dump *d;

	if (r->from->dump != NULL)
		return E_BUSY;
	d = kmem_zalloc(sizeof(*d));
	if (d == NULL)
		return E_NOBUFS;
	d->step = step;
	d->sock = r->from;
	d->seq = r->h->nlmsg_seq;
	memcpy(d->request, r->payload, r->len < sizeof(d->request) ? r->len : sizeof(d->request));
	r->from->dump = d;
	nl_dump_continue(r->from);
	return E_INTR;
}
