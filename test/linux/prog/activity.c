/* SPDX-License-Identifier: BSD-2-Clause */
/* What /proc tells of the activity of processes and of the machine, as monitors read it. */
#include <pthread.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "test/linux/prog/check.h"

static char text[65536];

static ssize_t read_file(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = 0, got;

	if (fd < 0) {
		say("%s: %s", path, error_name(errno));
		return -1;
	}
	while ((got = read(fd, text + n, sizeof(text) - 1 - (size_t)n)) > 0)
		n += got;
	close(fd);
	text[n] = 0;
	return n;
}

static void say_as_user(const char *path)
{
	say_status("as a user", CHILD({
			   MUST(setgid(1234));
			   MUST(setuid(1234));
			   RES("of another user", open(path, O_RDONLY));
		   }));
}

struct io {
	long rchar, wchar, syscr, syscw, read_bytes, write_bytes, cancelled;
};

/* The text is made before what reading it takes is counted: so many bytes, in one call. */
static struct io io_of(const char *path, long *taken)
{
	static char line[1024];
	struct io v = { -1, -1, -1, -1, -1, -1, -1 };
	int fd = (int)MUST(open(path, O_RDONLY));
	ssize_t n = MUST(read(fd, line, sizeof(line) - 1));

	close(fd);
	line[n] = 0;
	if (sscanf(line,
		   "rchar: %ld\nwchar: %ld\nsyscr: %ld\nsyscw: %ld\nread_bytes: %ld\n"
		   "write_bytes: %ld\ncancelled_write_bytes: %ld\n",
		   &v.rchar, &v.wchar, &v.syscr, &v.syscw, &v.read_bytes, &v.write_bytes,
		   &v.cancelled) != 7)
		say("not as expected: %s", line);
	*taken = n;
	return v;
}

static struct io start_io(const char *path)
{
	long taken;
	struct io v = io_of(path, &taken);

	v.rchar += taken;
	v.syscr++;
	return v;
}

static void say_io(const char *what, const struct io *before, const char *path)
{
	long taken;
	struct io now = io_of(path, &taken);
	struct io d = { .rchar = now.rchar - before->rchar,
			.wchar = now.wchar - before->wchar,
			.syscr = now.syscr - before->syscr,
			.syscw = now.syscw - before->syscw };

	say("%s: %+ld in %ld, %+ld in %ld", what, d.rchar, d.syscr, d.wchar, d.syscw);
}

static void *write_some(void *arg)
{
	MUST(write(*(int *)arg, "0123456789", 10));
	return NULL;
}

static void io(void)
{
	char buf[100], path[64];
	struct iovec v[2] = { { buf, 10 }, { buf + 10, 20 } };
	struct io start;
	pthread_t t;
	loff_t from = 0;
	int p[2], null = (int)MUST(open("/dev/null", O_RDWR));
	int zero = (int)MUST(open("/dev/zero", O_RDWR)), file;
	pid_t child;

	file = (int)MUST(open("file", O_RDWR | O_CREAT, 0600));
	memset(buf, 'x', sizeof(buf));
	start = start_io("/proc/self/io");
	MUST(write(file, buf, 100));
	MUST(pwrite(file, buf, 50, 7));
	MUST(pread(file, buf, 30, 1));
	MUST(writev(null, v, 2));
	MUST(readv(zero, v, 2));
	(void)!read(-1, buf, 10);
	(void)!read(file, (void *)8, 10);
	(void)!write(file, (void *)8, 10);
	MUST(sendfile(null, file, &from, 60));
	MUST(pipe(p));
	MUST(write(p[1], buf, 5));
	MUST(read(p[0], buf, 50));
	say_io("own", &start, "/proc/self/io");
	start = start_io("/proc/self/io");
	pthread_create(&t, NULL, write_some, &null);
	pthread_join(t, NULL);
	say_io("with a thread that is gone", &start, "/proc/self/io");
	snprintf(path, sizeof(path), "/proc/self/task/%d/io", gettid());
	start = start_io(path);
	pthread_create(&t, NULL, write_some, &null);
	pthread_join(t, NULL);
	say_io("thread alone", &start, path);
	start = start_io("/proc/self/io");
	child = (pid_t)MUST(fork());
	if (child == 0) {
		MUST(write(null, buf, 77));
		_exit(0);
	}
	wait_for(child);
	say_io("with a child that was waited for", &start, "/proc/self/io");
	YES("nothing from disks", start_io("/proc/self/io").read_bytes >= 0);
	child = START(pause());
	snprintf(path, sizeof(path), "/proc/%d/io", child);
	say_as_user(path);
	kill(child, SIGKILL);
	wait_for(child);
	MUST(setgid(1234));
	MUST(setuid(1234));
	prctl(PR_SET_DUMPABLE, 1);
	RES("own as user", read_file("/proc/self/io") > 0 ? 0 : -1);
}

static sig_atomic_t ended;

static void *make_child(void *arg)
{
	pid_t *out = arg;

	out[0] = START(pause());
	out[1] = gettid();
	while (!__atomic_load_n(&ended, __ATOMIC_ACQUIRE))
		usleep(1000);
	return NULL;
}

static void say_children(const char *name, pid_t tid, const pid_t *known, int n)
{
	char path[64], *at = text;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", tid);
	if (read_file(path) < 0)
		return;
	for (long pid; *at != 0 && (pid = strtol(at, &at, 10)) != 0; at += *at == ' ')
		for (int i = 0; i < n; i++)
			if (known[i] == pid)
				say("%s: child %d", name, i);
	say("%s: end, %zu left", name, strlen(at));
}

static void children(void)
{
	pid_t pids[4] = { 0 };
	pthread_t t;

	say_children("none", gettid(), pids, 3);
	pids[0] = START(pause());
	pids[1] = START(pause());
	pthread_create(&t, NULL, make_child, &pids[2]);
	while (__atomic_load_n(&pids[3], __ATOMIC_ACQUIRE) == 0)
		usleep(1000);
	say_children("main thread", gettid(), pids, 3);
	say_children("other thread", pids[3], pids, 3);
	__atomic_store_n(&ended, 1, __ATOMIC_RELEASE);
	pthread_join(t, NULL);
	say_children("when it has gone", gettid(), pids, 3);
	for (int i = 0; i < 3; i++) {
		kill(pids[i], SIGKILL);
		wait_for(pids[i]);
	}
	say_children("at last", gettid(), pids, 3);
}

static void calls(void)
{
	char path[64];
	long nr, a, b, c;
	int p[2];
	pid_t pid;

	MUST(pipe(p));
	pid = START({
		char ch;

		(void)!read(p[0], &ch, 0x12);
	});
	wait_state(pid, 'S');
	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	read_file(path);
	if (sscanf(text, "%ld %lx %lx %lx", &nr, &a, &b, &c) == 4)
		say("call %ld (%ld, a buffer, %lx)", nr, a - p[0], c);
	read_file("/proc/self/syscall");
	say("own: %s", strncmp(text, "0 ", 2) == 0 ? "read" : text);
	snprintf(path, sizeof(path), "/proc/%d/wchan", pid);
	RES("wchan", read_file(path) > 1 ? 0 : -1);
	kill(pid, SIGSTOP);
	waitpid(pid, NULL, WUNTRACED);
	kill(pid, SIGKILL);
	say_status("child", wait_for(pid));
	personality(ADDR_NO_RANDOMIZE);
	read_file("/proc/self/personality");
	say("personality %s", text);
	pid = START(pause());
	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	say_as_user(path);
	kill(pid, SIGKILL);
	wait_for(pid);
}

/* A line that begins with `key`, and how many numbers follow. */
static long number_after(const char *key, int *fields)
{
	char *at = text;
	size_t len = strlen(key);
	long first = -1;

	*fields = 0;
	while (strncmp(at, key, len) != 0) {
		at = strchr(at, '\n');
		if (at == NULL)
			return -1;
		at++;
	}
	at += len;
	for (;;) {
		char *end;
		long v = strtol(at, &end, 10);

		if (end == at || memchr(at, '\n', (size_t)(end - at)) != NULL)
			return first;
		if ((*fields)++ == 0)
			first = v;
		at = end;
	}
}

static void machine(void)
{
	static const char *const vm[] = { "nr_free_pages ", "pgpgin ",  "pgpgout ",   "pswpin ",
					  "pswpout ",       "pgfault ", "pgmajfault " };
	long before, faults;
	char *page = malloc(4096 * 100);
	int n;

	read_file("/proc/stat");
	YES("intr", number_after("intr ", &n) > 0);
	YES("ctxt", number_after("ctxt ", &n) > 0);
	YES("softirq", number_after("softirq ", &n) >= 0);
	VAL("fields of softirq", n);
	before = number_after("processes ", &n);
	for (int i = 0; i < 3; i++)
		wait_for(START(_exit(0)));
	read_file("/proc/stat");
	YES("processes", number_after("processes ", &n) >= before + 3);
	read_file("/proc/vmstat");
	for (size_t i = 0; i < COUNT(vm); i++)
		YES(vm[i], number_after(vm[i], &n) >= 0 && n == 1);
	faults = number_after("pgfault ", &n);
	for (int i = 0; i < 100; i++)
		*(volatile char *)(page + 4096 * i) = 1;
	read_file("/proc/vmstat");
	YES("faults are counted", number_after("pgfault ", &n) > faults);
	RES("interrupts", read_file("/proc/interrupts") > 0 ? 0 : -1);
	YES("head", strstr(text, "CPU0") != NULL && strstr(text, "CPU0") < strchr(text, '\n'));
	YES("timer", number_after("LOC:", &n) > 0 || strstr(text, "LOC:") != NULL);
	RES("softirqs", read_file("/proc/softirqs") > 0 ? 0 : -1);
	YES("names", strstr(text, " TIMER:") != NULL && strstr(text, " NET_RX:") != NULL);
	RES("diskstats", read_file("/proc/diskstats") >= 0 ? 0 : -1);
	RES("tty drivers", read_file("/proc/tty/drivers") > 0 ? 0 : -1);
	YES("pts", strstr(text, "/dev/pts") != NULL);
	RES("core list",
	    read_file("/sys/devices/system/cpu/cpu0/topology/core_cpus_list") > 0 ? 0 : -1);
}

int main(int argc, char **argv)
{
	static const struct section list[] = {
		{ "io", io },
		{ "children", children },
		{ "calls", calls },
		{ "machine", machine },
	};

	return run_sections(argc, argv, list, COUNT(list));
}
