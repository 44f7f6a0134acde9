/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagrams, packets, and what travels beside the data, over AF_UNIX. */
#include "test/net/prog/sock.h"

static void datagrams(void)
{
	int a = (int)MUST(socket(AF_UNIX, SOCK_DGRAM, 0));
	int b = (int)MUST(socket(AF_UNIX, SOCK_DGRAM, 0)), n, full = 0;
	static char big[300000];
	struct sockaddr_un to, from;
	socklen_t len = address(&to, "@dgram b");
	struct sockaddr *t = (struct sockaddr *)&to;

	see("fresh", a);
	RET("nobody", sendto(a, "x", 1, 0, t, len));
	RET("no peer", send(a, "x", 1, 0));
	RET("bad name", sendto(a, "x", 1, 0, t, 2));
	MUST(bind(b, t, len));
	RET("send", sendto(a, "hello", 5, 0, t, len));
	RET("empty", sendto(a, "", 0, 0, t, len));
	see("data", b);
	MUST(ioctl(b, FIONREAD, &n));
	VAL("FIONREAD", n);
	len = sizeof(from);
	RET("cut", recvfrom(b, big, 3, MSG_TRUNC | MSG_PEEK, (struct sockaddr *)&from, &len));
	VAL("from", len);
	get("cut", b, big, 3, 0);
	RET("empty", recv(b, big, 10, 0));
	RET("nothing", recv(b, big, 10, MSG_DONTWAIT));
	RET("connect", connect(a, t, address(&to, "@dgram b")));
	say_name("peer", a, true);
	RET("send", send(a, "one", 3, 0));
	RET("too big", send(a, big, sizeof(big), 0));
	RET("big", send(a, big, 100000, 0));
	get("one", b, big, 100, 0);
	RET("big", recv(b, big, sizeof(big), 0));
	RET("nothing", read(b, big, 0));
	while (send(a, "x", 1, MSG_DONTWAIT) == 1)
		full++;
	YES("queue is full", full > 5 && full < 20);
	RET("full", send(a, "x", 1, MSG_DONTWAIT));
	see("full", a);
	get("one", b, big, 10, 0);
	see("room", a);
	if (fork() == 0) {
		for (int i = 0; i < 20; i++)
			if (send(a, "wait", 4, 0) != 4)
				_exit(1);
		_exit(0);
	}
	for (int i = 0; i < full + 19; i++)
		MUST(recv(b, big, 10, 0));
	wait(&n);
	say_status("sender", n);
	MUST(bind_to(a, "@dgram a"));
	MUST(write(a, "named", 5));
	len = sizeof(from);
	RET("named", recvfrom(b, big, 10, 0, (struct sockaddr *)&from, &len));
	say_address("from", &from, len);
	len = address(&to, "@dgram b");
	int c = (int)MUST(socket(AF_UNIX, SOCK_DGRAM, 0));
	RET("b connects to a", connect_to(b, "@dgram a"));
	RET("stranger", sendto(c, "x", 1, 0, t, len));
	RET("stranger", connect(c, t, len));
	RET("shutdown", shutdown(b, SHUT_RD));
	see("shut", b);
	RET("to the deaf", write(a, "x", 1));
	RET("from the deaf", write(b, "x", 1));
	get("from the deaf", a, big, 10, 0);
	MUST(write(b, "x", 1));
	close(b);
	see("peer gone", a);
	RET("refused", write(a, "x", 1));
	RET("and gone", write(a, "x", 1));
	get("lost", a, big, 10, MSG_DONTWAIT);
	to.sun_family = AF_UNSPEC;
	RET("disconnect", connect(a, t, sizeof(to)));
	RET("listen", listen(a, 1));
	RET("accept", accept(a, NULL, NULL));
}

static void packets(void)
{
	int p[2], n;
	char buf[100];

	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p));
	RET("one", write(p[0], "one", 3));
	RET("three", write(p[0], "three", 5));
	MUST(ioctl(p[1], FIONREAD, &n));
	VAL("FIONREAD", n);
	get("one", p[1], buf, 100, 0);
	get("cut", p[1], buf, 2, 0);
	RET("nothing", recv(p[1], buf, 100, MSG_DONTWAIT));
	MUST(write(p[0], "left", 4));
	close(p[0]);
	see("closed", p[1]);
	get("left", p[1], buf, 100, 0);
	RET("end", recv(p[1], buf, 100, MSG_DONTWAIT));
	RET("end", recv(p[1], buf, 100, 0));
	signal(SIGPIPE, SIG_DFL);
	RET("write, no signal", write(p[1], "x", 1));
	n = (int)MUST(socket(AF_UNIX, SOCK_SEQPACKET, 0));
	RET("unconnected", recv(n, buf, 1, 0));
	RET("unconnected", send(n, buf, 1, 0));
	see("unconnected", n);
	int l = (int)MUST(socket(AF_UNIX, SOCK_SEQPACKET, 0));
	MUST(bind_to(l, "@seq"));
	MUST(listen(l, 4));
	RET("connect", connect_to(n, "@seq"));
	RET("write", write(n, "packet", 6));
	l = (int)MUST(accept(l, NULL, NULL));
	get("packet", l, buf, 100, 0);
}

/* ---- beside the data ---- */

union control {
	char buf[512];
	struct cmsghdr align;
};

static void prepare(struct msghdr *m, struct iovec *v, char *buf, size_t n, union control *c,
		    size_t clen)
{
	*v = (struct iovec){ buf, n };
	*m = (struct msghdr){ .msg_iov = v,
			      .msg_iovlen = 1,
			      .msg_control = clen ? c : NULL,
			      .msg_controllen = clen };
}

static long send_fds(int s, const int *fd, int n)
{
	union control c = { 0 };
	struct iovec v;
	struct msghdr m;

	prepare(&m, &v, "fds", 3, &c, CMSG_SPACE(sizeof(int) * (size_t)n));
	c.align = (struct cmsghdr){ CMSG_LEN(sizeof(int) * (size_t)n), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(&c.align), fd, sizeof(int) * (size_t)n);
	return sendmsg(s, &m, 0);
}

/* Prints and returns the first descriptor that came, or -1. */
static int receive(const char *what, int s, size_t clen, int flags)
{
	union control c = { 0 };
	char buf[20] = "";
	struct iovec v;
	struct msghdr m;
	int first = -1;
	long r;

	prepare(&m, &v, buf, 10, &c, clen);
	r = RET(what, recvmsg(s, &m, flags));
	if (r < 0)
		return -1;
	say("%s: \"%s\" flags %#x control %zu", what, buf, m.msg_flags, (size_t)m.msg_controllen);
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h != NULL; h = CMSG_NXTHDR(&m, h)) {
		size_t n = h->cmsg_len - sizeof(*h);

		say("%s: level %d type %d length %zu", what, h->cmsg_level, h->cmsg_type,
		    (size_t)h->cmsg_len);
		if (h->cmsg_type == SCM_RIGHTS) {
			int *fd = (int *)CMSG_DATA(h);

			first = n > 0 ? fd[0] : -1;
			for (size_t i = 0; i < n / sizeof(int); i++)
				say("%s: descriptor, cloexec %d", what, fcntl(fd[i], F_GETFD));
		} else if (h->cmsg_type == SCM_CREDENTIALS && n == sizeof(struct ucred)) {
			struct ucred *u = (struct ucred *)CMSG_DATA(h);

			say("%s: pid %s uid %d gid %d", what,
			    u->pid == getpid() ? "own"
			    : u->pid == 0      ? "0"
					       : "other",
			    (int)u->uid, (int)u->gid);
		}
	}
	return first;
}

static void descriptors(void)
{
	int p[2], q[2], fd[300];
	char buf[10];

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
	MUST(pipe(q));
	RET("send", send_fds(p[0], &q[1], 1));
	close(q[1]);
	int w = receive("one", p[1], 200, 0);
	MUST(write(w, "through", 7));
	close(w);
	RET("pipe", read(q[0], buf, 10));
	RET("end of pipe", read(q[0], buf, 10));
	MUST(pipe(q));
	fd[0] = q[0], fd[1] = q[1], fd[2] = p[0];
	MUST(send_fds(p[0], fd, 3));
	close(receive("cloexec", p[1], 200, MSG_CMSG_CLOEXEC));
	MUST(send_fds(p[0], fd, 3));
	close(receive("cut", p[1], CMSG_LEN(8), 0));
	MUST(send_fds(p[0], fd, 1));
	receive("no room", p[1], 8, 0);
	MUST(send_fds(p[0], fd, 1));
	receive("no control", p[1], 0, 0);
	MUST(send_fds(p[0], fd, 1));
	close(receive("peek", p[1], 200, MSG_PEEK));
	close(receive("peeked", p[1], 200, 0));
	MUST(send_fds(p[0], fd, 1));
	MUST(write(p[0], "more", 4));
	close(receive("not joined", p[1], 200, 0));
	receive("more", p[1], 200, 0);
	MUST(write(p[0], "more", 4));
	MUST(send_fds(p[0], fd, 1));
	close(receive("joined", p[1], 200, 0));
	fd[0] = 99;
	RET("bad descriptor", send_fds(p[0], fd, 1));
	/* In flight when everything is closed. */
	MUST(pipe(q));
	MUST(send_fds(p[0], &q[1], 1));
	close(q[1]);
	close(p[0]);
	close(p[1]);
	RET("dropped in flight", read(q[0], buf, 1));
	/* Sockets in sockets, deep. */
	MUST(pipe(q));
	w = q[1];
	for (int i = 0; i < 400; i++) {
		int s[2];

		MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
		MUST(send_fds(s[0], &w, 1));
		close(w);
		close(s[0]);
		w = s[1];
	}
	close(w);
	RET("chain dropped", read(q[0], buf, 1));
	struct rlimit few = { 40, 40 };

	MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, p));
	fd[0] = fd[1] = fd[2] = p[0];
	MUST(send_fds(p[0], fd, 3));
	few.rlim_cur = (rlim_t)p[1] + 2;
	setrlimit(RLIMIT_NOFILE, &few);
	receive("no descriptors left", p[1], 200, 0);
}

static void credentials(void)
{
	int p[2], on = 1;
	union control c = { 0 };
	struct ucred u = { getpid(), getuid(), getgid() };
	struct iovec v;
	struct msghdr m;

	MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, p));
	MUST(write(p[0], "before", 6));
	MUST(setsockopt(p[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	receive("before", p[1], 200, 0);
	MUST(write(p[0], "after", 5));
	receive("after", p[1], 200, 0);
	prepare(&m, &v, "own", 3, &c, CMSG_SPACE(sizeof(u)));
	c.align = (struct cmsghdr){ CMSG_LEN(sizeof(u)), SOL_SOCKET, SCM_CREDENTIALS };
	memcpy(CMSG_DATA(&c.align), &u, sizeof(u));
	RET("own", sendmsg(p[0], &m, 0));
	receive("own", p[1], 200, 0);
	MUST(write(p[0], "cut", 3));
	receive("cut", p[1], 20, 0);
	MUST(write(p[0], "no control", 10));
	receive("no control", p[1], 0, 0);
	u.pid = 99999999;
	memcpy(CMSG_DATA(&c.align), &u, sizeof(u));
	RET("nobody's", sendmsg(p[0], &m, 0));
	c.align.cmsg_len = CMSG_LEN(4);
	RET("short", sendmsg(p[0], &m, 0));
	c.align.cmsg_len = 3;
	RET("broken", sendmsg(p[0], &m, 0));
	c.align.cmsg_len = CMSG_LEN(sizeof(u));
	c.align.cmsg_type = 77;
	RET("unknown", sendmsg(p[0], &m, 0));
	c.align.cmsg_level = 77;
	RET("other level", sendmsg(p[0], &m, 0));
	receive("other level", p[1], 200, 0);
	m.msg_iovlen = 2000;
	RET("many pieces", sendmsg(p[0], &m, 0));
}

static void many(void)
{
	int p[2];
	char text[4][8] = { "one", "two", "three", "four" }, got[4][8] = { 0 };
	struct mmsghdr m[4] = { 0 };
	struct iovec v[4];
	struct timespec t = { 5, 0 };

	MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, p));
	for (int i = 0; i < 4; i++) {
		v[i] = (struct iovec){ text[i], strlen(text[i]) };
		m[i].msg_hdr = (struct msghdr){ .msg_iov = &v[i], .msg_iovlen = 1 };
	}
	RET("send", sendmmsg(p[0], m, 4, 0));
	for (int i = 0; i < 4; i++) {
		VAL("length", m[i].msg_len);
		v[i] = (struct iovec){ got[i], 4 };
	}
	RET("two", recvmmsg(p[1], m, 2, 0, &t));
	RET("rest", recvmmsg(p[1], m + 2, 2, MSG_WAITFORONE, NULL));
	for (int i = 0; i < 4; i++)
		say("%.8s length %u flags %#x", got[i], m[i].msg_len, m[i].msg_hdr.msg_flags);
	RET("nothing", recvmmsg(p[1], m, 2, MSG_DONTWAIT, NULL));
	RET("closed", ({
		    close(p[1]);
		    sendmmsg(p[0], m, 2, 0);
	    }));
}

static const struct section sections[] = {
	{ "datagrams", datagrams },     { "packets", packets }, { "descriptors", descriptors },
	{ "credentials", credentials }, { "many", many },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
