/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP over the loop, IPv4 and IPv6. */
#include "test/net/prog/inet.h"

#include <linux/errqueue.h>
#include <linux/udp.h>
#include <sys/uio.h>

static void makes(void)
{
	RES("udp", socket(AF_INET, SOCK_DGRAM, 0));
	RES("udp 17", socket(AF_INET6, SOCK_DGRAM, IPPROTO_UDP));
	RES("tcp datagrams", socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP));
	RES("packets", socket(AF_INET, SOCK_SEQPACKET, 0));
	RES("type 4", socket(AF_INET, SOCK_RDM, 0));
	RES("protocol -1", socket(AF_INET, SOCK_DGRAM, -1));
	RES("protocol 300", socket(AF_INET, SOCK_DGRAM, 300));
	RES("raw 0", socket(AF_INET, SOCK_RAW, 0));
	RES("raw", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	RES("raw 6", socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
	RET("pair", socketpair(AF_INET, SOCK_DGRAM, 0, (int[2]){ 0, 0 }));
}

static void unprivileged(void)
{
	int s;

	MUST(setresuid(1000, 1000, 1000));
	RES("raw", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	RES("raw udp", socket(AF_INET6, SOCK_RAW, IPPROTO_UDP));
	s = udp(AF_INET);
	RET("port 80", inet_bind(s, "127.0.0.1", 80));
	RET("port 1024", inet_bind(s, "127.0.0.1", 1024));
}

static void names(int family, const char *us, const char *any)
{
	int a = udp(family), b = udp(family), port;

	say_inet("new", a, false);
	say_inet("new", a, true);
	RET("short", bind(a, (struct sockaddr *)&(struct sockaddr_in){ .sin_family = AF_INET }, 4));
	RET("family", bind(a, (struct sockaddr *)&(struct sockaddr_un){ .sun_family = AF_UNIX },
			   sizeof(struct sockaddr_un)));
	RET("strange", inet_bind(a, family == AF_INET ? "8.8.8.8" : "2001:db8::1", 0));
	RET("bind", inet_bind(a, us, 0));
	port = inet_port(a);
	YES("range", port >= 32768 && port <= 60999);
	RET("again", inet_bind(a, us, 0));
	RET("taken", inet_bind(b, us, port));
	RET("taken, any", inet_bind(b, any, port));
	set_option(a, SOL_SOCKET, SO_REUSEADDR, 1);
	set_option(b, SOL_SOCKET, SO_REUSEADDR, 1);
	RET("shared", inet_bind(b, us, port));
	RET("listen", listen(a, 1));
	RET("accept", accept(a, NULL, NULL));
	RET("shutdown", shutdown(a, SHUT_RD));
	b = udp(family);
	RET("connect", inet_connect(b, us, port));
	YES("own port", inet_port(b) != 0);
	YES("peer", inet_peer_port(b) == port);
	RET("connect again", inet_connect(b, us, port));
	RET("disconnect",
	    connect(b, (struct sockaddr *)&(struct sockaddr){ .sa_family = AF_UNSPEC },
		    sizeof(struct sockaddr)));
	VAL("no port", inet_port(b));
	say_inet("no peer", b, true);
	RET("send nowhere", send(b, "x", 1, 0));
	RET("port 0", inet_send(b, "x", 1, us, 0));
	RET("oob", send(b, "x", 1, MSG_OOB));
}

static void names4(void)
{
	names(AF_INET, "127.0.0.1", "0.0.0.0");
}

static void names6(void)
{
	names(AF_INET6, "::1", "::");
}

static char big[70000];

static void data(int family, const char *us)
{
	int a = udp(family), b = udp(family), port, n;
	char buf[100];

	MUST(inet_bind(a, us, 0));
	port = inet_port(a);
	see("before", a);
	RET("empty", recv(a, buf, 10, MSG_DONTWAIT));
	RET("send", inet_send(b, "hello", 5, us, port));
	see("after", a);
	MUST(ioctl(a, FIONREAD, &n));
	VAL("there", n);
	MUST(ioctl(a, SIOCOUTQ, &n));
	VAL("going", n);
	get("peek", a, buf, 3, MSG_PEEK);
	get("peek, true length", a, buf, 3, MSG_PEEK | MSG_TRUNC);
	get("read", a, buf, 100, 0);
	RET("zero", inet_send(b, "", 0, us, port));
	see("zero", a);
	RET("zero", recv(a, buf, 100, 0));
	RET("two", inet_send(b, "first", 5, us, port));
	RET("two", inet_send(b, "second", 6, us, port));
	get("cut", a, buf, 2, 0);
	get("second", a, buf, 100, 0);
	for (unsigned i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7);
	RET("long", inet_send(b, big, 60000, us, port));
	RET("long", recv(a, big, sizeof(big), 0));
	for (unsigned i = 0; i < 60000; i++)
		if (big[i] != (char)(i * 7)) {
			VAL("wrong at", i);
			break;
		}
	RET("too long", inet_send(b, big, 65536, us, port));
	RET("fault", inet_send(b, (void *)8, 10, us, port));
	RET("oob", recv(a, buf, 10, MSG_OOB | MSG_DONTWAIT));
	RET("send", inet_send(b, "x", 1, us, port));
	RET("into nowhere", recv(a, (void *)8, 4, 0));
	RET("gone", recv(a, buf, 4, MSG_DONTWAIT));
}

static void data4(void)
{
	int a = udp(AF_INET), b = udp(AF_INET);

	data(AF_INET, "127.0.0.1");
	MUST(inet_bind(a, "127.0.0.1", 0));
	RET("longest", inet_send(b, big, 65507, "127.0.0.1", inet_port(a)));
	RET("longest", recv(a, big, sizeof(big), 0));
	RET("longer", inet_send(b, big, 65508, "127.0.0.1", inet_port(a)));
	/* All of 127/8 is ours. */
	b = udp(AF_INET);
	RET("127.9.9.9", inet_bind(b, "127.9.9.9", 0));
	RET("from there", inet_send(b, "x", 1, "127.0.0.1", inet_port(a)));
	say_from("from there", a);
	RET("to there", inet_send(a, "x", 1, "127.9.9.9", inet_port(b)));
	say_from("to there", b);
	RET("to any", inet_send(b, "y", 1, "0.0.0.0", inet_port(b)));
	say_from("to any", b);
}

static void data6(void)
{
	data(AF_INET6, "::1");
}

static void dual(void)
{
	int six = udp(AF_INET6), four = udp(AF_INET), only = udp(AF_INET6), port;

	MUST(inet_bind(six, "::", 0));
	port = inet_port(six);
	RET("four, taken", inet_bind(four, "0.0.0.0", port));
	RET("send", inet_send(four, "4", 1, "127.0.0.1", port));
	say_from("mapped", six);
	RET("send", inet_send(six, "6", 1, "::ffff:127.0.0.1", inet_port(four)));
	say_from("back", four);
	set_option(only, SOL_IPV6, IPV6_V6ONLY, 1);
	RET("only", inet_bind(only, "::1", 0));
	RET("to four", inet_send(only, "x", 1, "::ffff:127.0.0.1", port));
	RET("only, bound", setsockopt(only, SOL_IPV6, IPV6_V6ONLY, &(int){ 0 }, sizeof(int)));
	only = udp(AF_INET6);
	set_option(only, SOL_IPV6, IPV6_V6ONLY, 1);
	RET("only, mapped", inet_bind(only, "::ffff:127.0.0.1", 0));
	MUST(inet_bind(only, "::", 0));
	four = udp(AF_INET);
	RET("beside", inet_bind(four, "0.0.0.0", inet_port(only)));
	RET("send", inet_send(four, "to four", 7, "127.0.0.1", inet_port(only)));
	say_from("to four", four);
	RET("not here", recv(only, big, 10, MSG_DONTWAIT));
	six = udp(AF_INET6);
	RET("connect mapped", inet_connect(six, "::ffff:127.0.0.1", port));
	say_address_only("own", six);
}

static void refused(int family, const char *us)
{
	int a = udp(family), b = udp(family), port;
	char buf[10];

	MUST(inet_bind(a, us, 0));
	port = inet_port(a);
	MUST(inet_connect(b, us, port));
	close(a);
	RET("send", send(b, "x", 1, 0));
	see("error", b);
	VAL("SO_ERROR", option(b, SO_ERROR));
	see("taken", b);
	RET("send", send(b, "x", 1, 0));
	RET("recv", recv(b, buf, 10, 0));
	RET("recv", recv(b, buf, 10, MSG_DONTWAIT));
	RET("send", send(b, "x", 1, 0));
	RET("send, told", send(b, "x", 1, 0));
	/* Not connected: nobody is told. */
	b = udp(family);
	RET("unconnected", inet_send(b, "x", 1, us, port));
	RET("unconnected", recv(b, buf, 10, MSG_DONTWAIT));
}

static void refused4(void)
{
	refused(AF_INET, "127.0.0.1");
}

static void refused6(void)
{
	refused(AF_INET6, "::1");
}

static void error_queue(void)
{
	int a = udp(AF_INET), b = udp(AF_INET), port;
	char data_buf[64], control[256];
	struct sockaddr_in name;
	struct iovec v = { data_buf, sizeof(data_buf) };
	struct msghdr m = { .msg_name = &name,
			    .msg_namelen = sizeof(name),
			    .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };

	MUST(inet_bind(a, "127.0.0.1", 0));
	port = inet_port(a);
	close(a);
	set_option(b, SOL_IP, IP_RECVERR, 1);
	RET("nothing", recvmsg(b, &m, MSG_ERRQUEUE));
	MUST(inet_send(b, "question", 8, "127.0.0.1", port));
	see("error", b);
	RES("error queue", recvmsg(b, &m, MSG_ERRQUEUE));
	HEX("flags", m.msg_flags);
	YES("name", ntohs(name.sin_port) == port && name.sin_addr.s_addr == htonl(0x7f000001));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
		const struct sock_extended_err *e = (void *)CMSG_DATA(c);
		const struct sockaddr_in *who = (void *)SO_EE_OFFENDER(e);

		say("level %d, type %d, %d bytes", c->cmsg_level, c->cmsg_type, (int)c->cmsg_len);
		say("errno %s, origin %d, type %d, code %d", error_name((int)e->ee_errno),
		    e->ee_origin, e->ee_type, e->ee_code);
		say("offender %d, %#x", who->sin_family, ntohl(who->sin_addr.s_addr));
	}
	RET("empty", recvmsg(b, &m, MSG_ERRQUEUE));
	see("none", b);
}

static void control_data(int family, const char *us)
{
	int a = udp(family), b = udp(family);
	bool v6 = family == AF_INET6;

	MUST(inet_bind(a, us, 0));
	set_option(a, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_RECVPKTINFO : IP_PKTINFO, 1);
	set_option(a, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_RECVHOPLIMIT : IP_RECVTTL, 1);
	set_option(a, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_RECVTCLASS : IP_RECVTOS, 1);
	set_option(a, SOL_SOCKET, SO_TIMESTAMP, 1);
	set_option(a, SOL_SOCKET, SO_RXQ_OVFL, 1);
	MUST(inet_send(b, "x", 1, us, inet_port(a)));
	say_control("default", a);
	set_option(b, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_UNICAST_HOPS : IP_TTL, 7);
	set_option(b, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_TCLASS : IP_TOS, 0x10);
	MUST(inet_send(b, "x", 1, us, inet_port(a)));
	say_control("set", a);
	set_option(a, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	send_with_control(b, us, inet_port(a), v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_HOPLIMIT : IP_TTL,
			  99);
	say_control("with data", a);
	send_with_control(b, us, inet_port(a), v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_TCLASS : IP_TOS,
			  0x20);
	say_control("with data", a);
	send_with_control(b, us, inet_port(a), v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_HOPLIMIT : IP_TTL,
			  1000);
	send_with_control(b, us, inet_port(a), v6 ? SOL_IPV6 : SOL_IP, 4711, 1);
}

static void control4(void)
{
	control_data(AF_INET, "127.0.0.1");
}

static void control6(void)
{
	control_data(AF_INET6, "::1");
}

static void limits(void)
{
	int a = udp(AF_INET), b = udp(AF_INET), sent = 0, got = 0;
	char buf[2000];

	MUST(inet_bind(a, "127.0.0.1", 0));
	set_option(a, SOL_SOCKET, SO_RCVBUF, 10000);
	MUST(inet_connect(b, "127.0.0.1", inet_port(a)));
	while (sent < 200 && send(b, buf, 1000, MSG_DONTWAIT) == 1000)
		sent++;
	VAL("sent", sent);
	while (recv(a, buf, sizeof(buf), MSG_DONTWAIT) == 1000)
		got++;
	YES("some are lost", got > 2 && got < 100);
	RET("goes on", send(b, buf, 5, 0));
	RET("goes on", recv(a, buf, sizeof(buf), 0));
	RET("broadcast", inet_send(b, "x", 1, "127.255.255.255", inet_port(a)));
	set_option(b, SOL_SOCKET, SO_BROADCAST, 1);
}

static void shared_port(void)
{
	int a[4], one = udp(AF_INET), port, got = 0, most = 0;
	struct pollfd p[4];

	for (unsigned i = 0; i < 4; i++) {
		a[i] = udp(AF_INET);
		set_option(a[i], SOL_SOCKET, SO_REUSEPORT, 1);
		RET("bind", inet_bind(a[i], "127.0.0.1", i == 0 ? 0 : inet_port(a[0])));
	}
	port = inet_port(a[0]);
	RET("without", inet_bind(one, "127.0.0.1", port));
	for (unsigned i = 0; i < 64; i++) {
		one = udp(AF_INET);
		MUST(inet_send(one, "x", 1, "127.0.0.1", port));
		close(one);
	}
	for (unsigned i = 0; i < 4; i++) {
		int n = 0;
		char c;

		p[i] = (struct pollfd){ .fd = a[i], .events = POLLIN };
		while (recv(a[i], &c, 1, MSG_DONTWAIT) == 1)
			n++;
		got += n;
		most = n > most ? n : most;
	}
	VAL("all", got);
	YES("spread", most < 60);
	VAL("left", poll(p, 4, 0));
	/* The last that is bound gets it, with SO_REUSEADDR. */
	a[0] = udp(AF_INET);
	a[1] = udp(AF_INET);
	set_option(a[0], SOL_SOCKET, SO_REUSEADDR, 1);
	set_option(a[1], SOL_SOCKET, SO_REUSEADDR, 1);
	MUST(inet_bind(a[0], "127.0.0.1", 0));
	MUST(inet_bind(a[1], "127.0.0.1", inet_port(a[0])));
	one = udp(AF_INET);
	MUST(inet_send(one, "x", 1, "127.0.0.1", inet_port(a[0])));
	RET("first", recv(a[0], big, 1, MSG_DONTWAIT));
	RET("last", recv(a[1], big, 1, MSG_DONTWAIT));
	/* One that is connected comes before all. */
	MUST(inet_bind(one, "127.0.0.1", 0) == -1 ? 0 : 0);
	MUST(inet_connect(a[0], "127.0.0.1", inet_port(one)));
	MUST(inet_send(one, "x", 1, "127.0.0.1", inet_port(a[0])));
	RET("connected", recv(a[0], big, 1, MSG_DONTWAIT));
	RET("other", recv(a[1], big, 1, MSG_DONTWAIT));
}

static void groups(void)
{
	int a = udp(AF_INET), b = udp(AF_INET), c = udp(AF_INET);
	struct ip_mreqn r = { .imr_multiaddr.s_addr = inet_addr("239.1.2.3"), .imr_ifindex = 1 };
	struct ip_mreqn wrong = { .imr_multiaddr.s_addr = inet_addr("10.1.2.3"), .imr_ifindex = 1 };
	struct ip_mreqn none = { .imr_multiaddr.s_addr = inet_addr("239.1.2.3"),
				 .imr_ifindex = 4711 };
	struct in_addr lo = { inet_addr("127.0.0.1") };

	MUST(inet_bind(a, "0.0.0.0", 0));
	VAL("ttl", number_option(b, SOL_IP, IP_MULTICAST_TTL));
	VAL("loop", number_option(b, SOL_IP, IP_MULTICAST_LOOP));
	RET("join", setsockopt(a, SOL_IP, IP_ADD_MEMBERSHIP, &r, sizeof(r)));
	RET("again", setsockopt(a, SOL_IP, IP_ADD_MEMBERSHIP, &r, sizeof(r)));
	RET("no group", setsockopt(a, SOL_IP, IP_ADD_MEMBERSHIP, &wrong, sizeof(r)));
	RET("no interface", setsockopt(a, SOL_IP, IP_ADD_MEMBERSHIP, &none, sizeof(r)));
	RET("short", setsockopt(a, SOL_IP, IP_ADD_MEMBERSHIP, &r, 4));
	RET("from", setsockopt(b, SOL_IP, IP_MULTICAST_IF, &lo, sizeof(lo)));
	RET("send", inet_send(b, "all", 3, "239.1.2.3", inet_port(a)));
	say_from("got", a);
	set_option(c, SOL_SOCKET, SO_REUSEADDR, 1);
	RET("ttl", setsockopt(b, SOL_IP, IP_MULTICAST_TTL, &(int){ 300 }, sizeof(int)));
	set_option(b, SOL_IP, IP_MULTICAST_TTL, 3);
	VAL("ttl", number_option(b, SOL_IP, IP_MULTICAST_TTL));
	r.imr_multiaddr.s_addr = inet_addr("224.0.0.1");
	RET("join all", setsockopt(a, SOL_IP, IP_ADD_MEMBERSHIP, &r, sizeof(r)));
	RET("leave all", setsockopt(a, SOL_IP, IP_DROP_MEMBERSHIP, &r, sizeof(r)));
	r.imr_multiaddr.s_addr = inet_addr("239.1.2.3");
	RET("leave", setsockopt(a, SOL_IP, IP_DROP_MEMBERSHIP, &r, sizeof(r)));
	RET("leave again", setsockopt(a, SOL_IP, IP_DROP_MEMBERSHIP, &r, sizeof(r)));
	RET("send", inet_send(b, "all", 3, "239.1.2.3", inet_port(a)));
	RET("nothing", recv(a, big, 10, MSG_DONTWAIT));
}

static void groups6(void)
{
	int a = udp(AF_INET6), b = udp(AF_INET6);
	struct ipv6_mreq r = { .ipv6mr_interface = 1 };

	inet_pton(AF_INET6, "ff02::4711", &r.ipv6mr_multiaddr);
	MUST(inet_bind(a, "::", 0));
	RET("join", setsockopt(a, SOL_IPV6, IPV6_JOIN_GROUP, &r, sizeof(r)));
	RET("again", setsockopt(a, SOL_IPV6, IPV6_JOIN_GROUP, &r, sizeof(r)));
	set_option(b, SOL_IPV6, IPV6_MULTICAST_IF, 1);
	VAL("hops", number_option(b, SOL_IPV6, IPV6_MULTICAST_HOPS));
	RET("send", inet_send(b, "all", 3, "ff02::4711", inet_port(a)));
	RET("got", recv(a, big, 10, MSG_DONTWAIT));
	RET("leave", setsockopt(a, SOL_IPV6, IPV6_LEAVE_GROUP, &r, sizeof(r)));
	RET("leave again", setsockopt(a, SOL_IPV6, IPV6_LEAVE_GROUP, &r, sizeof(r)));
}

static void pieces(void)
{
	int a = udp(AF_INET), b = udp(AF_INET);

	MUST(inet_bind(a, "127.0.0.1", 0));
	MUST(inet_connect(b, "127.0.0.1", inet_port(a)));
	RET("more", send(b, "one ", 4, MSG_MORE));
	RET("nothing yet", recv(a, big, 100, MSG_DONTWAIT));
	RET("end", send(b, "two", 3, 0));
	get("joined", a, big, 100, MSG_DONTWAIT);
	set_option(b, IPPROTO_UDP, UDP_CORK, 1);
	RET("corked", send(b, "a", 1, 0));
	RET("corked", send(b, "b", 1, 0));
	RET("nothing yet", recv(a, big, 100, MSG_DONTWAIT));
	set_option(b, IPPROTO_UDP, UDP_CORK, 0);
	get("uncorked", a, big, 100, MSG_DONTWAIT);
	set_option(b, IPPROTO_UDP, UDP_SEGMENT, 1000);
	VAL("segment", number_option(b, IPPROTO_UDP, UDP_SEGMENT));
	RET("three", send(b, big, 2500, 0));
	RET("first", recv(a, big, 3000, MSG_DONTWAIT));
	RET("second", recv(a, big, 3000, MSG_DONTWAIT));
	RET("third", recv(a, big, 3000, MSG_DONTWAIT));
	RET("no more", recv(a, big, 3000, MSG_DONTWAIT));
	RET("too many", send(b, big, 65000, 0) > 0 ? 1 : 1);
	RET("cork", setsockopt(b, IPPROTO_UDP, 77, &(int){ 1 }, sizeof(int)));
}

static void many(void)
{
	int a = udp(AF_INET), b = udp(AF_INET);
	struct mmsghdr out[3], in[5];
	struct iovec ov[3], iv[5];
	char text[3][4] = { "a", "bb", "ccc" };
	static char buf[5][16];
	struct timespec ts = { 0, 1000000 };

	MUST(inet_bind(a, "127.0.0.1", 0));
	MUST(inet_connect(b, "127.0.0.1", inet_port(a)));
	memset(out, 0, sizeof(out));
	memset(in, 0, sizeof(in));
	for (unsigned i = 0; i < 3; i++) {
		ov[i] = (struct iovec){ text[i], i + 1 };
		out[i].msg_hdr = (struct msghdr){ .msg_iov = &ov[i], .msg_iovlen = 1 };
	}
	for (unsigned i = 0; i < 5; i++) {
		iv[i] = (struct iovec){ buf[i], sizeof(buf[i]) };
		in[i].msg_hdr = (struct msghdr){ .msg_iov = &iv[i], .msg_iovlen = 1 };
	}
	RET("send", sendmmsg(b, out, 3, 0));
	VAL("length", out[2].msg_len);
	RET("receive", recvmmsg(a, in, 5, MSG_WAITFORONE, NULL));
	for (unsigned i = 0; i < 3; i++)
		say("message %u: %u %s", i, in[i].msg_len, buf[i]);
	RET("nothing", recvmmsg(a, in, 5, MSG_DONTWAIT, NULL));
	MUST(sendmmsg(b, out, 2, 0));
	RET("in time", recvmmsg(a, in, 2, 0, &ts));
	RET("bad time", recvmmsg(a, in, 2, 0, &(struct timespec){ 0, -1 }));
}

static void ends(void)
{
	int a = udp(AF_INET), b = udp(AF_INET);
	struct timeval tv = { 0, 20000 };
	char c;

	MUST(inet_bind(a, "127.0.0.1", 0));
	MUST(setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	RET("time", recv(a, &c, 1, 0));
	MUST(inet_connect(b, "127.0.0.1", inet_port(a)));
	RET("no more", shutdown(b, SHUT_WR));
	RET("send", send(b, "x", 1, 0));
	RET("read", shutdown(b, SHUT_RD));
	RET("recv", recv(b, &c, 1, 0));
	RET("recv", recv(b, &c, 1, MSG_DONTWAIT));
	see("end", b);
}

static void edges(void)
{
	int a = udp(AF_INET), b = udp(AF_INET), ep = (int)MUST(epoll_create1(0));
	struct epoll_event e = { .events = EPOLLIN | EPOLLET }, got[2];
	char c;

	MUST(inet_bind(a, "127.0.0.1", 0));
	MUST(inet_connect(b, "127.0.0.1", inet_port(a)));
	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, a, &e));
	RET("quiet", epoll_wait(ep, got, 2, 0));
	MUST(send(b, "x", 1, 0));
	RET("edge", epoll_wait(ep, got, 2, 1000));
	HEX("events", got[0].events);
	RET("no edge", epoll_wait(ep, got, 2, 0));
	MUST(send(b, "x", 1, 0));
	RET("edge", epoll_wait(ep, got, 2, 1000));
	e.events = EPOLLIN;
	MUST(epoll_ctl(ep, EPOLL_CTL_MOD, a, &e));
	RET("level", epoll_wait(ep, got, 2, 0));
	RET("level", epoll_wait(ep, got, 2, 0));
	MUST(recv(a, &c, 1, 0));
	MUST(recv(a, &c, 1, 0));
	RET("empty", epoll_wait(ep, got, 2, 0));
}

static void options(void)
{
	int s = udp(AF_INET), s6 = udp(AF_INET6);
	static const int ip[] = {
		IP_TTL,          IP_TOS,           IP_PKTINFO,        IP_RECVERR, IP_RECVTTL,
		IP_MTU_DISCOVER, IP_MULTICAST_TTL, IP_MULTICAST_LOOP, IP_HDRINCL, 4711
	};
	static const int ip6[] = {
		IPV6_V6ONLY,         IPV6_UNICAST_HOPS,   IPV6_TCLASS, IPV6_RECVPKTINFO,
		IPV6_MULTICAST_HOPS, IPV6_MULTICAST_LOOP, 4711
	};
	static const int sol[] = { SO_TYPE,      SO_DOMAIN,    SO_PROTOCOL,     SO_ERROR,
				   SO_BROADCAST, SO_REUSEADDR, SO_REUSEPORT,    SO_KEEPALIVE,
				   SO_RCVBUF,    SO_SNDBUF,    SO_ACCEPTCONN,   SO_PRIORITY,
				   SO_RCVLOWAT,  SO_TIMESTAMP, SO_MARK,         SO_BUSY_POLL,
				   SO_NO_CHECK,  SO_RXQ_OVFL,  SO_BINDTOIFINDEX };
	char name[16] = "";
	socklen_t n = sizeof(name);

	for (unsigned i = 0; i < COUNT(ip); i++)
		say("ip %d: %d", ip[i], number_option(s, SOL_IP, ip[i]));
	for (unsigned i = 0; i < COUNT(ip6); i++)
		say("ipv6 %d: %d", ip6[i], number_option(s6, SOL_IPV6, ip6[i]));
	for (unsigned i = 0; i < COUNT(sol); i++)
		say("socket %d: %d", sol[i], number_option(s, SOL_SOCKET, sol[i]));
	RET("ttl 0", setsockopt(s, SOL_IP, IP_TTL, &(int){ 0 }, sizeof(int)));
	RET("ttl 256", setsockopt(s, SOL_IP, IP_TTL, &(int){ 256 }, sizeof(int)));
	RET("ttl, byte", setsockopt(s, SOL_IP, IP_TTL, &(char){ 9 }, 1));
	VAL("ttl", number_option(s, SOL_IP, IP_TTL));
	RET("v6 on v4", setsockopt(s, SOL_IPV6, IPV6_V6ONLY, &(int){ 1 }, sizeof(int)));
	RET("unknown level", setsockopt(s, 4711, 1, &(int){ 1 }, sizeof(int)));
	RET("tcp level", setsockopt(s, IPPROTO_TCP, 1, &(int){ 1 }, sizeof(int)));
	RET("device", getsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, name, &n));
	VAL("device", n);
	RET("device", setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2));
	n = sizeof(name);
	RET("device", getsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, name, &n));
	say("device %s, %d", name, (int)n);
	RET("none", setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "none0", 5));
}

static const struct section sections[] = {
	{ "makes", makes },       { "unprivileged", unprivileged },
	{ "names4", names4 },     { "names6", names6 },
	{ "data4", data4 },       { "data6", data6 },
	{ "dual", dual },         { "refused4", refused4 },
	{ "refused6", refused6 }, { "error_queue", error_queue },
	{ "control4", control4 }, { "control6", control6 },
	{ "limits", limits },     { "shared_port", shared_port },
	{ "groups", groups },     { "groups6", groups6 },
	{ "pieces", pieces },     { "many", many },
	{ "ends", ends },         { "edges", edges },
	{ "options", options },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
