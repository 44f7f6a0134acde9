/* SPDX-License-Identifier: BSD-2-Clause */
/* AF_NETLINK: sockets, their numbers and queues. */
#include <asm/ioctls.h>
#include <linux/capability.h>
#include <linux/sockios.h>

#include "base/str.h"
#include "kernel/mem/kmem.h"
#include "kernel/net/netlink.h"
#include "kernel/net/report.h"
#include "kernel/task/task.h"
#include "kernel/x86/x86.h"

#define SOL_NETLINK 270 /* <linux/socket.h> of the kernel itself */
#define SEND_MAX    (1024u * 1024)
#define MSG_CHARGE  768u /* what Linux charges beside the data */

static const struct socket_ops netlink_ops;
static struct list sockets = LIST_INIT(sockets);

/* Root may tell of events in the kernel's place. */
static err_t uevent_receive(struct nl_request *r)
{
	if (!task_capable(CAP_SYS_ADMIN))
		return E_PERM;
	nl_broadcast(NETLINK_KOBJECT_UEVENT, 1, r->payload, r->len);
	return OK;
}

static const struct protocol {
	bool there;
	bool user_receives, user_sends; /* groups without CAP_NET_ADMIN */
	unsigned groups;
	nl_receive_fn *receive; /* NULL: the kernel takes nothing */
} protocols[MAX_LINKS] = {
	[NETLINK_ROUTE] = { .there = true,
			    .user_receives = true,
			    .groups = 36,
			    .receive = nl_route_receive },
	[NETLINK_USERSOCK] = { .there = true, .user_sends = true, .groups = 32 },
	[NETLINK_SOCK_DIAG] = { .there = true, .groups = 32, .receive = nl_diag_receive },
	[NETLINK_KOBJECT_UEVENT] = { .there = true,
				     .user_receives = true,
				     .groups = 32,
				     .receive = uevent_receive },
	[NETLINK_GENERIC] = { .there = true,
			      .user_receives = true,
			      .user_sends = true,
			      .groups = 32,
			      .receive = nl_generic_receive },
};

static struct nl_sock *nl_of(struct socket *s)
{
	return container_of(s, struct nl_sock, sock);
}

static const struct protocol *protocol_of(const struct nl_sock *n)
{
	return &protocols[n->sock.protocol];
}

/* ---- life ---- */

err_t netlink_create(int type, int protocol, struct socket **out)
{
	struct nl_sock *n;

	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return E_SOCKTNOSUPPORT;
	if (protocol < 0 || protocol >= MAX_LINKS || !protocols[protocol].there)
		return E_PROTONOSUPPORT;
	n = kmem_zalloc(sizeof(*n));
	if (n == NULL)
		return E_NOMEM;
	socket_init(&n->sock, &netlink_ops, AF_NETLINK, type, protocol);
	list_init(&n->queue);
	list_push_back(&sockets, &n->all);
	*out = &n->sock;
	return OK;
}

static void drop_queue(struct nl_sock *n)
{
	struct list *node;

	while ((node = list_pop_front(&n->queue)) != NULL)
		kmem_free(list_entry(node, struct nl_msg, node));
	n->queued = 0;
}

static void netlink_release(struct socket *s)
{
	struct nl_sock *n = nl_of(s);

	list_remove(&n->all);
	drop_queue(n);
	kmem_free(n->dump);
	kmem_free(n);
}

static struct nl_sock *find(int protocol, uint32_t port)
{
	LIST_FOR_EACH(pos, &sockets) {
		struct nl_sock *n = list_entry(pos, struct nl_sock, all);

		if (n->sock.protocol == protocol && n->port == port)
			return n;
	}
	return NULL;
}

void net_each_netlink(void (*fn)(void *ctx, const struct net_netlink_line *l), void *ctx)
{
	LIST_FOR_EACH(pos, &sockets) {
		const struct nl_sock *n = list_entry(pos, struct nl_sock, all);
		struct net_netlink_line l = {
			.protocol = n->sock.protocol,
			.port = n->port,
			.groups = (uint32_t)n->groups,
			.rmem = n->queued,
			.drops = n->dropped,
			.dump = n->dump != NULL,
			.ino = n->sock.file != NULL ? n->sock.file->anon_ino : 0,
		};

		fn(ctx, &l);
	}
}

/* ---- names ---- */

static void autobind(struct nl_sock *n)
{
	static uint32_t rover = (uint32_t)-4097;
	uint32_t port = (uint32_t)current_task->pid;

	if (n->port != 0)
		return;
	while (find(n->sock.protocol, port) != NULL)
		port = rover--;
	n->port = port;
}

static bool may_receive(const struct nl_sock *n)
{
	return protocol_of(n)->user_receives || task_capable(CAP_NET_ADMIN);
}

static bool may_send(const struct nl_sock *n)
{
	return protocol_of(n)->user_sends || task_capable(CAP_NET_ADMIN);
}

static err_t addr_of(const struct sock_addr *a, struct sockaddr_nl *out)
{
	if (a->len < sizeof(*out) || a->family != AF_NETLINK)
		return E_INVAL;
	memcpy(out, a->bytes, sizeof(*out));
	return OK;
}

static err_t netlink_bind(struct socket *s, const struct sock_addr *a)
{
	struct nl_sock *n = nl_of(s);
	uint64_t mask = protocol_of(n)->groups >= 32 ? UINT32_MAX : 0;
	struct sockaddr_nl nl;

	TRY(addr_of(a, &nl));
	if (nl.nl_groups != 0 && !may_receive(n))
		return E_PERM;
	if (n->port != 0 && nl.nl_pid != n->port)
		return E_INVAL;
	if (n->port == 0 && nl.nl_pid != 0) {
		if (find(s->protocol, nl.nl_pid) != NULL)
			return E_ADDRINUSE;
		n->port = nl.nl_pid;
	}
	autobind(n);
	n->groups = (n->groups & ~(uint64_t)UINT32_MAX) | (nl.nl_groups & mask);
	return OK;
}

static err_t netlink_connect(struct socket *s, const struct sock_addr *a, bool nonblock)
{
	struct nl_sock *n = nl_of(s);
	struct sockaddr_nl nl;

	(void)nonblock;
	if (a->len < sizeof(a->family))
		return E_INVAL;
	if (a->family == AF_UNSPEC) {
		n->dst_port = n->dst_groups = 0;
		return OK;
	}
	TRY(addr_of(a, &nl));
	if ((nl.nl_groups != 0 || nl.nl_pid != 0) && !may_send(n))
		return E_PERM;
	autobind(n);
	n->dst_port = nl.nl_pid;
	n->dst_groups = nl.nl_groups;
	return OK;
}

static void name_set(struct sock_addr *out, uint32_t port, uint32_t groups)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_pid = port, .nl_groups = groups };

	memcpy(out->bytes, &nl, sizeof(nl));
	out->len = sizeof(nl);
}

static err_t netlink_name(struct socket *s, bool peer, struct sock_addr *out)
{
	struct nl_sock *n = nl_of(s);

	if (peer)
		name_set(out, n->dst_port, n->dst_groups);
	else
		name_set(out, n->port, (uint32_t)n->groups);
	return OK;
}

/* ---- queues ---- */

struct nl_msg *nl_msg_new(uint32_t len)
{
	struct nl_msg *m = kmem_alloc(sizeof(*m) + len);

	if (m == NULL)
		return NULL;
	*m = (struct nl_msg){ .len = len };
	list_init(&m->node);
	return m;
}

static void overrun(struct nl_sock *n)
{
	n->dropped++;
	if (!nl_option(n, NETLINK_NO_ENOBUFS)) {
		n->sock.error = E_NOBUFS;
		socket_wake(&n->sock.rq);
	}
}

err_t nl_queue(struct nl_sock *to, struct nl_msg *m)
{
	if (to->queued > to->sock.rcvbuf) {
		kmem_free(m);
		overrun(to);
		return E_NOBUFS;
	}
	to->queued += m->len + MSG_CHARGE;
	list_push_back(&to->queue, &m->node);
	socket_wake(&to->sock.rq);
	return OK;
}

static void broadcast_from(int protocol, uint32_t group, const void *data, uint32_t len,
			   const struct nl_sock *from, const struct ucred_k *cred)
{
	LIST_FOR_EACH(pos, &sockets) {
		struct nl_sock *n = list_entry(pos, struct nl_sock, all);
		struct nl_msg *m;

		if (n == from || n->sock.protocol != protocol || !(n->groups >> (group - 1) & 1))
			continue;
		m = nl_msg_new(len);
		if (m == NULL) {
			overrun(n);
			continue;
		}
		memcpy(m->data, data, len);
		m->group = group;
		m->cred = *cred;
		m->from_port = from != NULL ? from->port : 0;
		(void)!nl_queue(n, m);
	}
}

bool nl_in_use(void)
{
	return !list_empty(&sockets);
}

void nl_broadcast(int protocol, uint32_t group, const void *data, uint32_t len)
{
	struct ucred_k kernel = { 0, 0, 0 };

	broadcast_from(protocol, group, data, len, NULL, &kernel);
}

/* ---- sending ---- */

static err_t destination(struct nl_sock *n, const struct sock_msg *m, uint32_t *port,
			 uint32_t *groups)
{
	struct sockaddr_nl nl;

	*port = n->dst_port;
	*groups = n->dst_groups;
	if (m->name.len == 0)
		return OK;
	TRY(addr_of(&m->name, &nl));
	*port = nl.nl_pid;
	*groups = nl.nl_groups;
	return (nl.nl_pid != 0 || nl.nl_groups != 0) && !may_send(n) ? E_PERM : OK;
}

static err_t to_other(struct nl_sock *n, uint32_t port, struct nl_msg *m)
{
	struct nl_sock *to = find(n->sock.protocol, port);

	if (to == NULL || (to->dst_port != 0 && to->dst_port != n->port)) {
		kmem_free(m);
		return E_CONNREFUSED;
	}
	if (to->queued > to->sock.rcvbuf) {
		kmem_free(m);
		return E_AGAIN;
	}
	return nl_queue(to, m);
}

static err_t send_built(struct nl_sock *n, uint32_t port, uint32_t groups, struct nl_msg *m)
{
	nl_receive_fn *fn = protocol_of(n)->receive;

	if (groups != 0)
		broadcast_from(n->sock.protocol, (uint32_t)__builtin_ctz(groups) + 1, m->data,
			       m->len, n, &m->cred);
	if (port != 0)
		return to_other(n, port, m);
	if (groups == 0 && fn == NULL) {
		kmem_free(m);
		return E_CONNREFUSED;
	}
	if (groups == 0)
		nl_receive(n, m->data, m->len, &m->cred, fn);
	kmem_free(m);
	return OK;
}

static err_t netlink_send(struct socket *s, struct sock_msg *m, size_t *done)
{
	struct nl_sock *n = nl_of(s);
	size_t len = m->data.left;
	uint32_t port, groups;
	struct nl_msg *msg;
	err_t err;

	if (m->flags & MSG_OOB)
		return E_OPNOTSUPP;
	if (len == 0)
		return E_NODATA;
	TRY(destination(n, m, &port, &groups));
	autobind(n);
	if (len > s->sndbuf - 32 || len > SEND_MAX)
		return E_MSGSIZE;
	msg = nl_msg_new((uint32_t)len);
	if (msg == NULL)
		return E_NOBUFS;
	msg->from_port = n->port;
	msg->cred = m->scm.cred_set ? m->scm.cred
				    : (struct ucred_k){ current_task->pid, current_task->cred.uid,
							current_task->cred.gid };
	err = uio_in(&m->data, msg->data, len, NULL);
	if (err != OK) {
		kmem_free(msg);
		return err;
	}
	TRY(send_built(n, port, groups, msg));
	*done += len;
	return OK;
}

/* ---- receiving ---- */

/* The first message. MAY_SWITCH */
static err_t wait_for_message(struct nl_sock *n, uint64_t deadline, struct nl_msg **out)
{
	for (;;) {
		struct list *first = list_first(&n->queue);

		TRY(socket_error(&n->sock));
		if (first != NULL) {
			*out = list_entry(first, struct nl_msg, node);
			return OK;
		}
		TRY(socket_sleep(&n->sock.rq, deadline));
	}
}

static void tell_group(const struct nl_sock *n, struct sock_msg *m, const struct nl_msg *msg)
{
	struct nl_pktinfo info = { msg->group };

	if (nl_option(n, NETLINK_PKTINFO))
		sock_put_control(m, SOL_NETLINK, NETLINK_PKTINFO, &info, sizeof(info));
}

static err_t netlink_recv(struct socket *s, struct sock_msg *m, size_t *done)
{
	struct nl_sock *n = nl_of(s);
	bool peek = (m->flags & MSG_PEEK) != 0;
	struct nl_msg *msg;
	uint32_t size;
	err_t err;

	if (m->flags & MSG_OOB)
		return E_OPNOTSUPP;
	TRY(wait_for_message(n, socket_deadline(s->rcvtimeo_ns, m->nonblock), &msg));
	if (!peek) {
		list_remove(&msg->node);
		n->queued -= msg->len + MSG_CHARGE;
	}
	size = msg->len;
	if (size > m->data.left) {
		size = (uint32_t)m->data.left;
		m->out_flags |= MSG_TRUNC;
	}
	err = uio_out(&m->data, msg->data, size, NULL);
	if (err == OK) {
		name_set(&m->name, msg->from_port, msg->group != 0 ? 1u << (msg->group - 1) : 0);
		m->scm.cred = msg->cred;
		tell_group(n, m, msg);
		*done += m->flags & MSG_TRUNC ? msg->len : size;
	}
	if (!peek)
		kmem_free(msg);
	if (n->dump != NULL && n->queued <= s->rcvbuf / 2)
		nl_dump_continue(n);
	return err;
}

static uint32_t netlink_poll(struct socket *s)
{
	uint32_t ready = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;

	if (!list_empty(&nl_of(s)->queue))
		ready |= EPOLLIN | EPOLLRDNORM;
	if (s->error != OK)
		ready |= EPOLLERR;
	return ready;
}

static long netlink_ioctl(struct socket *s, unsigned cmd, uint64_t arg)
{
	/* Linux's know none either; what is unknown goes on to the interfaces. */
	(void)s;
	(void)cmd;
	(void)arg;
	return E_NOTTY;
}

/* ---- options ---- */

#define YES_OR_NO                                                                           \
	(1u << NETLINK_PKTINFO | 1u << NETLINK_BROADCAST_ERROR | 1u << NETLINK_NO_ENOBUFS | \
	 1u << NETLINK_LISTEN_ALL_NSID | 1u << NETLINK_CAP_ACK | 1u << NETLINK_EXT_ACK |    \
	 1u << NETLINK_GET_STRICT_CHK)

static err_t membership(struct nl_sock *n, unsigned group, bool join)
{
	if (!may_receive(n))
		return E_PERM;
	if (group == 0 || group > protocol_of(n)->groups)
		return E_INVAL;
	if (join)
		n->groups |= 1ull << (group - 1);
	else
		n->groups &= ~(1ull << (group - 1));
	return OK;
}

static err_t netlink_setsockopt(struct socket *s, int level, int opt, uaddr_t val, int len)
{
	struct nl_sock *n = nl_of(s);
	unsigned value = 0;

	if (level != SOL_NETLINK)
		return E_NOPROTOOPT;
	if (len >= (int)sizeof(value))
		TRY(USER_IN(&value, val));
	switch (opt) {
	case NETLINK_ADD_MEMBERSHIP:
	case NETLINK_DROP_MEMBERSHIP: return membership(n, value, opt == NETLINK_ADD_MEMBERSHIP);
	case NETLINK_LISTEN_ALL_NSID:
		if (!task_capable(CAP_NET_ADMIN))
			return E_PERM;
		break;
	default: break;
	}
	if (opt <= 0 || opt > 31 || !(YES_OR_NO >> opt & 1))
		return E_NOPROTOOPT;
	n->bits &= ~(1u << opt);
	if (value != 0)
		n->bits |= 1u << opt;
	return OK;
}

static err_t memberships(const struct nl_sock *n, uaddr_t val, uaddr_t ulen)
{
	int len, size = (int)ALIGN_UP(protocol_of(n)->groups, 64u) / 8;

	TRY(USER_IN(&len, ulen));
	if (len < 0)
		return E_INVAL;
	TRY(user_out(val, &n->groups,
		     (size_t)(len & ~3) < sizeof(n->groups) ? (size_t)(len & ~3)
							    : sizeof(n->groups)));
	return USER_OUT(ulen, &size);
}

static err_t netlink_getsockopt(struct socket *s, int level, int opt, uaddr_t val, uaddr_t ulen)
{
	struct nl_sock *n = nl_of(s);
	int len, value;

	if (level != SOL_NETLINK)
		return E_NOPROTOOPT;
	TRY(USER_IN(&len, ulen));
	if (len < 0)
		return E_INVAL;
	if (opt == NETLINK_LIST_MEMBERSHIPS)
		return memberships(n, val, ulen);
	if (opt <= 0 || opt > 31 || !(YES_OR_NO >> opt & 1))
		return E_NOPROTOOPT;
	if (len < (int)sizeof(value))
		return E_INVAL;
	value = nl_option(n, (unsigned)opt);
	return socket_option_out(val, ulen, &value, sizeof(value));
}

/* ---- what there is not ---- */

static err_t no_shutdown(struct socket *s, unsigned how)
{
	(void)s;
	(void)how;
	return E_OPNOTSUPP;
}

static const struct socket_ops netlink_ops = {
	.bind = netlink_bind,
	.listen = socket_no_listen,
	.connect = netlink_connect,
	.accept_wait = socket_no_accept,
	.name = netlink_name,
	.send = netlink_send,
	.recv = netlink_recv,
	.shutdown = no_shutdown,
	.poll = netlink_poll,
	.ioctl = netlink_ioctl,
	.setsockopt = netlink_setsockopt,
	.getsockopt = netlink_getsockopt,
	.release = netlink_release,
};

/* ---- for other modules ---- */

err_t netlink_check(struct file *f)
{
	const struct socket *s = socket_of(f);

	if (s == NULL)
		return E_NOTSOCK;
	return s->ops == &netlink_ops ? OK : E_INVAL;
}

err_t netlink_tell(struct file *f, const void *data, uint32_t len)
{
	struct nl_msg *m;

	TRY(netlink_check(f));
	m = nl_msg_new(len);
	if (m == NULL)
		return E_NOMEM;
	memcpy(m->data, data, len);
	return nl_queue(nl_of(socket_of(f)), m);
}
