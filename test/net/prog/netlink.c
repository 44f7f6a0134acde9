/* SPDX-License-Identifier: BSD-2-Clause */
/* AF_NETLINK: names, options, errors and acknowledgements; and what it says of the loop. */
#include "test/net/prog/sock.h"

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#define SOL_NETLINK_ 270

static struct sockaddr_nl nl_address(unsigned pid, unsigned groups)
{
	return (struct sockaddr_nl){ .nl_family = AF_NETLINK, .nl_pid = pid, .nl_groups = groups };
}

static int nl_bind(int s, unsigned pid, unsigned groups)
{
	struct sockaddr_nl a = nl_address(pid, groups);

	return bind(s, (struct sockaddr *)&a, sizeof(a));
}

static void say_nl(const char *what, int s, bool peer)
{
	struct sockaddr_nl a;
	socklen_t n = sizeof(a);

	memset(&a, 0, sizeof(a));
	MUST(peer ? getpeername(s, (struct sockaddr *)&a, &n)
		  : getsockname(s, (struct sockaddr *)&a, &n));
	say("%s: length %d, family %d, own number %s, groups %#x", what, (int)n, a.nl_family,
	    a.nl_pid == (unsigned)getpid() ? "pid"
	    : a.nl_pid == 0                ? "0"
	    : a.nl_pid == 1000000          ? "given"
					   : "other",
	    a.nl_groups);
}

static void makes(void)
{
	static const int protocols[] = { NETLINK_ROUTE, NETLINK_KOBJECT_UEVENT, NETLINK_GENERIC,
					 NETLINK_SOCK_DIAG };

	RES("stream", socket(AF_NETLINK, SOCK_STREAM, 0));
	RES("protocol 31", socket(AF_NETLINK, SOCK_RAW, 31));
	RES("protocol 99", socket(AF_NETLINK, SOCK_RAW, 99));
	RES("protocol -1", socket(AF_NETLINK, SOCK_RAW, -1));
	for (unsigned i = 0; i < COUNT(protocols); i++)
		RES("protocol", socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocols[i]));
	RES("pair", socketpair(AF_NETLINK, SOCK_RAW, 0, (int[2]){ 0, 0 }));
}

static void names(void)
{
	int a = (int)MUST(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	int b = (int)MUST(socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE));
	int c = (int)MUST(socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE));
	struct sockaddr_nl un = { .nl_family = AF_UNIX };

	say_nl("new", a, false);
	say_nl("new", a, true);
	RET("short", bind(a, (struct sockaddr *)&un, 4));
	RET("other family", bind(a, (struct sockaddr *)&un, sizeof(un)));
	RET("automatic", nl_bind(a, 0, RTMGRP_LINK));
	say_nl("automatic", a, false);
	RET("again", nl_bind(a, 0, 0));
	RET("again, same", nl_bind(a, (unsigned)getpid(), 0));
	say_nl("automatic", a, false);
	RET("taken", nl_bind(b, (unsigned)getpid(), 0));
	RET("second", nl_bind(b, 0, 0));
	say_nl("second", b, false);
	RET("given", nl_bind(c, 1000000, 0xffffffff));
	say_nl("given", c, false);
	RET("listen", listen(a, 1));
	RET("accept", accept(a, NULL, NULL));
	RET("shutdown", shutdown(a, SHUT_RDWR));
	RET("connect", ({
		    struct sockaddr_nl k = nl_address(0, 0);
		    connect(a, (struct sockaddr *)&k, sizeof(k));
	    }));
	see("poll", a);
}

static void options(void)
{
	static const int opts[] = {
		NETLINK_PKTINFO, NETLINK_BROADCAST_ERROR, NETLINK_NO_ENOBUFS,
		NETLINK_CAP_ACK, NETLINK_EXT_ACK,         NETLINK_GET_STRICT_CHK
	};
	int s = (int)MUST(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	int v = 1, got;
	socklen_t n;

	for (unsigned i = 0; i < COUNT(opts); i++) {
		RET("set", setsockopt(s, SOL_NETLINK_, opts[i], &v, sizeof(v)));
		got = -1;
		n = sizeof(got);
		RET("get", getsockopt(s, SOL_NETLINK_, opts[i], &got, &n));
		say("option %d: %d, %d bytes", opts[i], got, (int)n);
	}
	RET("unknown", setsockopt(s, SOL_NETLINK_, 77, &v, sizeof(v)));
	RET("level", setsockopt(s, SOL_NETLINK_ + 1, 1, &v, sizeof(v)));
	v = RTNLGRP_LINK;
	RET("join", setsockopt(s, SOL_NETLINK_, NETLINK_ADD_MEMBERSHIP, &v, sizeof(v)));
	say_nl("joined", s, false);
	RET("leave", setsockopt(s, SOL_NETLINK_, NETLINK_DROP_MEMBERSHIP, &v, sizeof(v)));
	say_nl("left", s, false);
	v = 0;
	RET("join 0", setsockopt(s, SOL_NETLINK_, NETLINK_ADD_MEMBERSHIP, &v, sizeof(v)));
	v = 1000;
	RET("join 1000", setsockopt(s, SOL_NETLINK_, NETLINK_ADD_MEMBERSHIP, &v, sizeof(v)));
}

static struct {
	struct nlmsghdr h;
	union {
		struct rtgenmsg g;
		struct ifinfomsg i;
		char bytes[256];
	};
} req;

static char answer[65536];

static void say_answers(const char *what, int s)
{
	long n = recv(s, answer, sizeof(answer), MSG_DONTWAIT);

	if (n < 0) {
		say("%s: %s", what, error_name(errno));
		return;
	}
	for (struct nlmsghdr *h = (void *)answer; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
		const struct nlmsgerr *e = NLMSG_DATA(h);

		say("%s: type %d, flags %#x, seq %u, number %s", what, h->nlmsg_type,
		    h->nlmsg_flags, h->nlmsg_seq, h->nlmsg_pid == (unsigned)getpid() ? "own" : "?");
		if (h->nlmsg_type == NLMSG_ERROR)
			say("%s: error %s, %d bytes, of type %d", what,
			    e->error == 0 ? "0" : error_name(-e->error), (int)h->nlmsg_len,
			    e->msg.nlmsg_type);
	}
}

static void ask(const char *what, int s, int type, int flags, unsigned payload)
{
	req.h = (struct nlmsghdr){ .nlmsg_len = NLMSG_HDRLEN + payload,
				   .nlmsg_type = (unsigned short)type,
				   .nlmsg_flags = (unsigned short)flags,
				   .nlmsg_seq = 7 };
	RET(what, send(s, &req, req.h.nlmsg_len, 0));
	say_answers(what, s);
}

static void errors(void)
{
	int s = (int)MUST(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	int u = (int)MUST(socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT));
	int v = 1;

	MUST(nl_bind(s, 0, 0));
	RET("nothing", send(s, "", 0, 0));
	RET("short", send(s, "abc", 3, 0));
	say_answers("short", s);
	ask("no request", s, RTM_GETLINK, 0, sizeof(req.i));
	ask("no request, ack", s, RTM_GETLINK, NLM_F_ACK, sizeof(req.i));
	ask("noop", s, NLMSG_NOOP, NLM_F_REQUEST, 4);
	ask("noop, ack", s, NLMSG_NOOP, NLM_F_REQUEST | NLM_F_ACK, 4);
	ask("unknown", s, 999, NLM_F_REQUEST, sizeof(req.i));
	ask("no payload", s, RTM_GETLINK, NLM_F_REQUEST | NLM_F_ACK, 0);
	req.i.ifi_index = 4711;
	ask("no such interface", s, RTM_GETLINK, NLM_F_REQUEST, sizeof(req.i));
	v = 1;
	MUST(setsockopt(s, SOL_NETLINK_, NETLINK_CAP_ACK, &v, sizeof(v)));
	ask("no such interface, capped", s, RTM_GETLINK, NLM_F_REQUEST, sizeof(req.i));
	req.i.ifi_index = 1;
	ask("lo", s, RTM_GETLINK, NLM_F_REQUEST, sizeof(req.i));
	ask("lo, ack", s, RTM_GETLINK, NLM_F_REQUEST | NLM_F_ACK, sizeof(req.i));
	say_answers("lo, second", s);
	RET("kernel hears nothing", send(u, &req, 32, 0));
	RET("not there", ({
		    struct sockaddr_nl a = nl_address(12345678, 0);
		    sendto(s, &req, 32, 0, (struct sockaddr *)&a, sizeof(a));
	    }));
	RET("too long", send(s, &req, 8u << 20, 0));
	RET("oob", send(s, &req, 32, MSG_OOB));
	RET("empty", recv(s, answer, 10, MSG_DONTWAIT));
	ask("again", s, NLMSG_NOOP, NLM_F_REQUEST | NLM_F_ACK, 4);
}

static void truncated(void)
{
	struct iovec v = { answer, 20 };
	struct sockaddr_nl from;
	struct msghdr m = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &v, .msg_iovlen = 1
	};
	int s = (int)MUST(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));

	req.i.ifi_index = 4711;
	req.h = (struct nlmsghdr){ .nlmsg_len = NLMSG_LENGTH(sizeof(req.i)),
				   .nlmsg_type = RTM_GETLINK,
				   .nlmsg_flags = NLM_F_REQUEST };
	MUST(send(s, &req, req.h.nlmsg_len, 0));
	RET("peek", recv(s, answer, 4, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT));
	RET("cut", recvmsg(s, &m, MSG_DONTWAIT));
	HEX("flags", m.msg_flags);
	say("from %u, groups %u, %d bytes", from.nl_pid, from.nl_groups, (int)m.msg_namelen);
	RET("gone", recv(s, answer, 4, MSG_DONTWAIT));
}

static void say_loop(const struct nlmsghdr *h)
{
	const struct ifinfomsg *i = NLMSG_DATA(h);
	const struct rtattr *at[IFLA_MAX + 1] = { 0 };
	int n = (int)IFLA_PAYLOAD(h);

	say("type %d, index %d, flags %#x", i->ifi_type, i->ifi_index, i->ifi_flags);
	for (struct rtattr *a = IFLA_RTA(i); RTA_OK(a, n); a = RTA_NEXT(a, n))
		if (a->rta_type <= IFLA_MAX)
			at[a->rta_type] = a;
	STR("name", (const char *)RTA_DATA(at[IFLA_IFNAME]));
	STR("queue", (const char *)RTA_DATA(at[IFLA_QDISC]));
	VAL("mtu", *(const unsigned *)RTA_DATA(at[IFLA_MTU]));
	VAL("state", *(const char *)RTA_DATA(at[IFLA_OPERSTATE]));
	VAL("address", RTA_PAYLOAD(at[IFLA_ADDRESS]));
	VAL("broadcast", memcmp(RTA_DATA(at[IFLA_BROADCAST]), "\0\0\0\0\0\0", 6));
}

static void loop(void)
{
	int s = (int)MUST(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	bool done = false;
	long n;

	memset(&req, 0, sizeof(req));
	req.h = (struct nlmsghdr){ .nlmsg_len = NLMSG_LENGTH(sizeof(req.i)),
				   .nlmsg_type = RTM_GETLINK,
				   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP };
	MUST(send(s, &req, req.h.nlmsg_len, 0));
	while (!done) {
		n = MUST(recv(s, answer, sizeof(answer), MSG_DONTWAIT));
		for (struct nlmsghdr *h = (void *)answer; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			done = h->nlmsg_type == NLMSG_DONE;
			if (h->nlmsg_type == RTM_NEWLINK &&
			    ((struct ifinfomsg *)NLMSG_DATA(h))->ifi_index == 1)
				say_loop(h);
			if (!(h->nlmsg_flags & NLM_F_MULTI))
				say("flags %#x", h->nlmsg_flags);
		}
	}
	VAL("index", if_nametoindex("lo"));
	VAL("none", if_nametoindex("none"));
	STR("name", if_indextoname(1, answer) != NULL ? answer : "?");
	RES("no name", if_indextoname(4711, answer) != NULL ? 0 : -1);
}

static void ioctls(void)
{
	int s = (int)MUST(socket(AF_UNIX, SOCK_DGRAM, 0));
	struct ifreq r = { .ifr_name = "lo" };

	RET("flags", ioctl(s, SIOCGIFFLAGS, &r));
	HEX("flags", r.ifr_flags);
	RET("index", ioctl(s, SIOCGIFINDEX, &r));
	VAL("index", r.ifr_ifindex);
	RET("mtu", ioctl(s, SIOCGIFMTU, &r));
	VAL("mtu", r.ifr_mtu);
	RET("hardware", ioctl(s, SIOCGIFHWADDR, &r));
	VAL("hardware", r.ifr_hwaddr.sa_family);
	RET("metric", ioctl(s, SIOCGIFMETRIC, &r));
	VAL("metric", r.ifr_metric);
	RET("queue", ioctl(s, SIOCGIFTXQLEN, &r));
	VAL("queue", r.ifr_qlen);
	r.ifr_ifindex = 1;
	RET("name", ioctl(s, SIOCGIFNAME, &r));
	STR("name", r.ifr_name);
	r.ifr_ifindex = 4711;
	RET("no name", ioctl(s, SIOCGIFNAME, &r));
	strcpy(r.ifr_name, "none");
	RET("none", ioctl(s, SIOCGIFFLAGS, &r));
	RET("fault", ioctl(s, SIOCGIFFLAGS, (void *)8));
	RET("private", ioctl(s, SIOCDEVPRIVATE, &r));
	RET("unknown", ioctl(s, 0x4242, &r));
}

static void generic(void)
{
	int s = (int)MUST(socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC));
	struct genlmsghdr g = { .cmd = CTRL_CMD_GETFAMILY, .version = 1 };
	struct nlattr a = { .nla_len = NLA_HDRLEN + 7, .nla_type = CTRL_ATTR_FAMILY_NAME };

	MUST(nl_bind(s, 0, 0));
	memcpy(req.bytes, &g, sizeof(g));
	memcpy(req.bytes + GENL_HDRLEN, &a, sizeof(a));
	strcpy(req.bytes + GENL_HDRLEN + NLA_HDRLEN, "nlctrl");
	ask("controller", s, GENL_ID_CTRL, NLM_F_REQUEST, GENL_HDRLEN + NLA_HDRLEN + 8);
	strcpy(req.bytes + GENL_HDRLEN + NLA_HDRLEN, "nobody");
	ask("nobody", s, GENL_ID_CTRL, NLM_F_REQUEST, GENL_HDRLEN + NLA_HDRLEN + 8);
	ask("no family", s, 0x7f, NLM_F_REQUEST, GENL_HDRLEN);
}

static const struct section sections[] = {
	{ "makes", makes },   { "names", names },     { "options", options },
	{ "errors", errors }, { "loop", loop },       { "truncated", truncated },
	{ "ioctls", ioctls }, { "generic", generic },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
