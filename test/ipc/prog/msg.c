/* SPDX-License-Identifier: BSD-2-Clause */
/* System V message queues. */
#include <sys/ipc.h>
#include <sys/msg.h>

#include "test/linux/prog/check.h"

#define COPY 040000 /* MSG_COPY */

struct text {
	long type;
	char data[9000];
};

static int fresh(void)
{
	return (int)MUST(msgget(IPC_PRIVATE, IPC_CREAT | 0600));
}

static struct msqid_ds stat_of(int id)
{
	struct msqid_ds d;

	memset(&d, 0xee, sizeof(d));
	MUST(msgctl(id, IPC_STAT, &d));
	return d;
}

static int put(int id, long type, const char *s, int flags)
{
	static struct text t;

	t.type = type;
	strcpy(t.data, s);
	return msgsnd(id, &t, strlen(s) + 1, flags);
}

static void take(const char *what, int id, size_t size, long type, int flags)
{
	static struct text t;
	ssize_t n;

	memset(&t, 0, sizeof(t));
	n = msgrcv(id, &t, size, type, flags);
	if (n < 0)
		say("%s: %s", what, error_name(errno));
	else
		say("%s: %zd bytes of type %ld: \"%s\"", what, n, t.type, t.data);
}

static void get(void)
{
	key_t key = 0x4d460000 + getpid() % 0xffff;
	int id;

	RES("no such key", msgget(key, 0));
	id = (int)MUST(msgget(key, IPC_CREAT | IPC_EXCL | 0620));
	RES("exclusive", msgget(key, IPC_CREAT | IPC_EXCL));
	YES("the same", msgget(key, 0) == id && msgget(key, IPC_CREAT) == id);
	say("mode %o qbytes %lu qnum %lu cbytes %lu lspid %d lrpid %d stime %ld rtime %ld",
	    stat_of(id).msg_perm.mode, (unsigned long)stat_of(id).msg_qbytes,
	    (unsigned long)stat_of(id).msg_qnum, (unsigned long)stat_of(id).__msg_cbytes,
	    stat_of(id).msg_lspid, stat_of(id).msg_lrpid, (long)stat_of(id).msg_stime,
	    (long)stat_of(id).msg_rtime);
	RES("remove", msgctl(id, IPC_RMID, NULL));
	RES("again", msgctl(id, IPC_RMID, NULL));
	RES("send to none", put(id, 1, "x", 0));
	take("receive from none", id, 10, 0, 0);
	RES("bad id", msgctl(-1, IPC_RMID, NULL));
}

static void order(void)
{
	int id = fresh();

	MUST(put(id, 5, "five", 0));
	MUST(put(id, 3, "three", 0));
	MUST(put(id, 5, "five again", 0));
	MUST(put(id, 1, "one", 0));
	MUST(put(id, 3, "three again", 0));
	say("qnum %lu cbytes %lu", (unsigned long)stat_of(id).msg_qnum,
	    (unsigned long)stat_of(id).__msg_cbytes);
	YES("sender", stat_of(id).msg_lspid == getpid());
	take("copy 0", id, 100, 0, COPY | IPC_NOWAIT);
	take("copy 3", id, 100, 3, COPY | IPC_NOWAIT);
	take("copy 9", id, 100, 9, COPY | IPC_NOWAIT);
	take("copy, wait", id, 100, 0, COPY);
	take("copy, except", id, 100, 0, COPY | IPC_NOWAIT | MSG_EXCEPT);
	take("copy, too small", id, 2, 0, COPY | IPC_NOWAIT);
	take("copy, cut", id, 2, 0, COPY | IPC_NOWAIT | MSG_NOERROR);
	take("type 3", id, 100, 3, 0);
	take("at most 3", id, 100, -3, 0);
	take("except 5", id, 100, 5, MSG_EXCEPT);
	take("except 5", id, 100, 5, MSG_EXCEPT | IPC_NOWAIT);
	take("no type 9", id, 100, 9, IPC_NOWAIT);
	take("too small", id, 3, 0, 0);
	take("cut", id, 3, 0, MSG_NOERROR);
	take("lowest of all", id, 100, LONG_MIN, 0);
	take("empty", id, 100, 0, IPC_NOWAIT);
	YES("receiver", stat_of(id).msg_lrpid == getpid());
	MUST(put(id, LONG_MAX, "", 0));
	take("highest type", id, 100, 0, 0);
	MUST(msgctl(id, IPC_RMID, NULL));
}

static void errors(void)
{
	static struct text t = { .type = 1 };
	int id = fresh();

	RES("type 0", put(id, 0, "x", 0));
	RES("type -1", put(id, -1, "x", 0));
	RES("too long", msgsnd(id, &t, 8193, 0));
	RES("negative", msgsnd(id, &t, (size_t)-1, 0));
	RES("longest", msgsnd(id, &t, 8192, 0));
	RES("second", msgsnd(id, &t, 8192, 0));
	RES("full", msgsnd(id, &t, 1, IPC_NOWAIT));
	RES("full, empty message", msgsnd(id, &t, 0, IPC_NOWAIT));
	RES("bad address", msgsnd(id, (void *)8, 1, 0));
	RES("bad address, receive", msgrcv(id, (void *)8, 9000, 0, 0));
	VAL("it is lost", stat_of(id).msg_qnum);
	RES("negative size", msgrcv(id, &t, (size_t)-1, 0, 0));
	RES("bad command", msgctl(id, 99, NULL));
	RES("bad address, stat", msgctl(id, IPC_STAT, (void *)8));
	MUST(msgctl(id, IPC_RMID, NULL));
}

static void on_alarm(int sig UNUSED)
{
}

static void waiting(void)
{
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	static struct text t = { .type = 1 };
	struct msqid_ds d;
	int id = fresh(), a, b;

	d = stat_of(id);
	d.msg_qbytes = 16000; /* which no privilege is needed to raise again */
	MUST(msgctl(id, IPC_SET, &d));
	a = START({ take("type 7", id, 100, 7, 0); });
	wait_state(a, 'S');
	b = START({ take("any but cut short", id, 2, 0, 0); });
	wait_state(b, 'S');
	MUST(put(id, 6, "six", 0));
	say_status("no room for it", wait_for(b));
	b = START({ take("gets it", id, 100, 0, 0); });
	say_status("any", wait_for(b));
	MUST(put(id, 7, "seven", 0));
	say_status("type 7", wait_for(a));
	YES("receiver", stat_of(id).msg_lrpid == a);
	MUST(msgsnd(id, &t, 8000, 0));
	MUST(msgsnd(id, &t, 8000, 0));
	a = START({ RES("send when there is room", put(id, 9, "waited", 0)); });
	wait_state(a, 'S');
	MUST(msgrcv(id, &t, 8192, 0, 0));
	say_status("sender", wait_for(a));
	VAL("qnum", stat_of(id).msg_qnum);
	a = START({
		sigaction(SIGALRM, &sa, NULL);
		ualarm(20000, 0);
		take("interrupted", id, 100, 99, 0);
		ualarm(20000, 0);
		RES("send interrupted", msgsnd(id, &t, 8000, 0));
	});
	say_status("signals", wait_for(a));
	a = START({ _exit(msgsnd(id, &t, 8190, 0) == 0 ? 7 : 8); });
	wait_state(a, 'S');
	d = stat_of(id);
	d.msg_qbytes = 16384;
	RES("more bytes", msgctl(id, IPC_SET, &d));
	say_status("sender", wait_for(a));
	a = START({ _exit(msgrcv(id, &t, 100, 99, 0) == -1 ? errno : 0); });
	b = START({
		for (;;)
			if (msgsnd(id, &t, 8192, 0) != 0)
				break;
		_exit(errno);
	});
	wait_state(a, 'S');
	wait_state(b, 'S');
	MUST(msgctl(id, IPC_RMID, NULL));
	say_status("receive, removed", wait_for(a));
	say_status("send, removed", wait_for(b));
}

static void rights(void)
{
	int id = fresh();
	struct msqid_ds d = stat_of(id);

	d.msg_perm.mode = 0604;
	d.msg_perm.uid = 1234;
	MUST(put(id, 1, "x", 0));
	RES("set", msgctl(id, IPC_SET, &d));
	say_status("another", CHILD({
			   MUST(setgid(4321));
			   MUST(setuid(4321));
			   RES("send", put(id, 1, "x", 0));
			   take("receive", id, 10, 0, 0);
			   RES("remove", msgctl(id, IPC_RMID, NULL));
			   RES("set", msgctl(id, IPC_SET, &d));
		   }));
	say_status("the owner", CHILD({
			   MUST(setgid(4321));
			   MUST(setuid(1234));
			   RES("send", put(id, 1, "x", 0));
			   d.msg_qbytes = 99999999;
			   RES("more bytes", msgctl(id, IPC_SET, &d));
			   d.msg_qbytes = 16384;
			   RES("as many", msgctl(id, IPC_SET, &d));
			   d.msg_perm.mode = 0200;
			   RES("no reading", msgctl(id, IPC_SET, &d));
			   take("receive", id, 10, 0, IPC_NOWAIT);
			   RES("stat", msgctl(id, IPC_STAT, &d));
		   }));
	MUST(msgctl(id, IPC_RMID, NULL));
}

static void info(void)
{
	struct msginfo i;
	struct msqid_ds d;
	int id = fresh(), max;
	FILE *f;
	char line[256];

	max = (int)MUST(msgctl(0, IPC_INFO, (void *)&i));
	say("pool %d map %d max %d mnb %d mni %d ssz %d tql %d seg %u", i.msgpool, i.msgmap,
	    i.msgmax, i.msgmnb, i.msgmni, i.msgssz, i.msgtql, i.msgseg);
	MUST(put(id, 1, "12345", 0));
	MUST(msgctl(0, MSG_INFO, (void *)&i));
	YES("counts", i.msgmap >= 1 && i.msgtql >= 6 && i.msgpool >= 1);
	for (int n = 0; n <= max; n++)
		if (msgctl(n, MSG_STAT, &d) == id)
			VAL("found", d.msg_qnum);
	f = fopen("/proc/sysvipc/msg", "r");
	STR("heading", fgets(line, sizeof(line), f));
	while (fgets(line, sizeof(line), f) != NULL) {
		int key, n;
		unsigned mode, bytes, num;

		if (sscanf(line, "%d %d %o %u %u", &key, &n, &mode, &bytes, &num) == 5 && n == id)
			say("key %d mode %o bytes %u num %u, %zu characters", key, mode, bytes, num,
			    strlen(line));
	}
	fclose(f);
	MUST(msgctl(id, IPC_RMID, NULL));
}

static void limits(void)
{
	static const char *const names[] = { "msgmax", "msgmnb", "msgmni", "sem",
					     "shmall", "shmmax", "shmmni" };
	char path[64], text[64];

	for (size_t i = 0; i < COUNT(names); i++) {
		int fd, n;

		snprintf(path, sizeof(path), "/proc/sys/kernel/%s", names[i]);
		fd = (int)MUST(open(path, O_RDWR));
		n = (int)MUST(read(fd, text, sizeof(text) - 1));
		text[n] = 0;
		STR(names[i], text);
		RES("write back", pwrite(fd, text, (size_t)n, 0));
		RES("nonsense", pwrite(fd, "abc\n", 4, 0));
		close(fd);
	}
}

static const struct section sections[] = {
	{ "get", get },       { "order", order }, { "errors", errors }, { "waiting", waiting },
	{ "rights", rights }, { "info", info },   { "limits", limits },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
