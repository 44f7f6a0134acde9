/* SPDX-License-Identifier: BSD-2-Clause */
/* The system around a program: uname, sysinfo, prctl, random, /proc, devices. */
#include "test/linux/prog/check.h"
#include <sys/epoll.h>
#include <linux/kcmp.h>
#include <ctype.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

static char text[1 << 16];

static const char *slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = 0, got;

	text[0] = 0;
	if (fd < 0) {
		say("%s: %s", path, error_name(errno));
		return text;
	}
	while ((got = read(fd, text + n, sizeof(text) - 1 - (size_t)n)) > 0)
		n += got;
	text[n] = 0;
	close(fd);
	return text;
}

/* The value of a line "name: value" of /proc/self/status. */
static const char *field(const char *name)
{
	static char value[256];
	char *line = strstr(text, name);

	value[0] = 0;
	if (line != NULL && (line == text || line[-1] == '\n')) {
		line += strlen(name);
		while (*line == ':' || *line == '\t' || *line == ' ')
			line++;
		snprintf(value, sizeof(value), "%.*s", (int)strcspn(line, "\n"), line);
	}
	return value;
}

static void names(void)
{
	struct utsname u;
	int major = 0, minor = 0;
	char host[128];

	RET("uname", uname(&u));
	STR("sysname", u.sysname);
	STR("machine", u.machine);
	YES("release is a version of Linux",
	    sscanf(u.release, "%d.%d", &major, &minor) == 2 && major >= 5);
	YES("version begins with #", u.version[0] == '#');
	YES("node name", u.nodename[0] != 0);
	RET("gethostname", gethostname(host, sizeof(host)));
	YES("the same", strcmp(host, u.nodename) == 0);
	RET("sethostname too long", sethostname(text, 65));
}

static void system_info(void)
{
	struct sysinfo si;
	unsigned cpu = 999, node = 999;
	cpu_set_t set;

	RET("sysinfo", sysinfo(&si));
	YES("memory",
	    si.totalram > 0 && si.freeram > 0 && si.freeram <= si.totalram && si.mem_unit > 0);
	YES("processes", si.procs >= 1);
	YES("up", si.uptime >= 0);
	RET("sched_getaffinity", sched_getaffinity(0, sizeof(set), &set));
	YES("processors", CPU_COUNT(&set) >= 1);
	RET("getcpu", getcpu(&cpu, &node));
	YES("a processor of ours", CPU_ISSET(cpu, &set));
	RET("sched_getaffinity, short", syscall(SYS_sched_getaffinity, 0, 4, &set));
	RET("sched_getaffinity of nobody", sched_getaffinity(0x3ffffff, sizeof(set), &set));
	RET("sched_setaffinity to the same", ({
		    sched_getaffinity(0, sizeof(set), &set);
		    sched_setaffinity(0, sizeof(set), &set);
	    }));
	CPU_ZERO(&set);
	RET("sched_setaffinity to nothing", sched_setaffinity(0, sizeof(set), &set));
	RET("sched_getscheduler", sched_getscheduler(0));
	RET("priority max FIFO", sched_get_priority_max(SCHED_FIFO));
	RET("priority min FIFO", sched_get_priority_min(SCHED_FIFO));
	RET("priority max OTHER", sched_get_priority_max(SCHED_OTHER));
	RET("priority max nonsense", sched_get_priority_max(99));
	RET("sched_setscheduler nonsense", sched_setscheduler(0, 99, &(struct sched_param){ 0 }));
	RET("sched_setscheduler FIFO 0",
	    sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){ 0 }));
	RET("sched_setscheduler BATCH",
	    sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){ 0 }));
	RET("sched_getscheduler", sched_getscheduler(0));
	RET("sched_yield", sched_yield());
	setpriority(PRIO_PROCESS, 0, 0); /* whoever started us may have been nice */
	RET("getpriority", getpriority(PRIO_PROCESS, 0));
	RET("nice 5", nice(5));
	RET("getpriority", getpriority(PRIO_PROCESS, 0));
	RET("setpriority 100", setpriority(PRIO_PROCESS, 0, 100));
	RET("getpriority", getpriority(PRIO_PROCESS, 0));
	RET("setpriority of nobody", setpriority(PRIO_PROCESS, 0x3ffffff, 0));
	RET("setpriority nonsense", setpriority((__priority_which_t)9, 0, 0));
	RET("getpriority raw", syscall(SYS_getpriority, PRIO_PROCESS, 0));
	RET("personality", syscall(SYS_personality, 0xffffffff));
}

static void prctls(void)
{
	char name[32] = "";
	int v = -1;

	RET("PR_SET_NAME", prctl(PR_SET_NAME, "a name of more than fifteen"));
	RET("PR_GET_NAME", prctl(PR_GET_NAME, name));
	STR("cut", name);
	STR("comm", strtok((char *)slurp("/proc/self/comm"), "\n"));
	int fd = MUST(open("/proc/self/comm", O_WRONLY));
	RET("write of comm", write(fd, "other", 5));
	RET("PR_GET_NAME", prctl(PR_GET_NAME, name));
	STR("changed", name);
	RET("PR_GET_DUMPABLE", prctl(PR_GET_DUMPABLE));
	RET("PR_SET_DUMPABLE 0", prctl(PR_SET_DUMPABLE, 0));
	RET("PR_GET_DUMPABLE", prctl(PR_GET_DUMPABLE));
	RET("PR_SET_DUMPABLE 2", prctl(PR_SET_DUMPABLE, 2));
	RET("PR_SET_PDEATHSIG", prctl(PR_SET_PDEATHSIG, SIGUSR1));
	RET("PR_GET_PDEATHSIG", prctl(PR_GET_PDEATHSIG, &v));
	VAL("signal", v);
	RET("PR_SET_PDEATHSIG 65", prctl(PR_SET_PDEATHSIG, 65));
	RET("PR_GET_CHILD_SUBREAPER", prctl(PR_GET_CHILD_SUBREAPER, &v));
	VAL("value", v);
	RET("PR_SET_NO_NEW_PRIVS 0", prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
	RET("PR_SET_NO_NEW_PRIVS", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	RET("PR_GET_NO_NEW_PRIVS", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	RET("PR_GET_TIMERSLACK", prctl(PR_GET_TIMERSLACK));
	RET("PR_GET_TID_ADDRESS or EINVAL", prctl(PR_SET_NAME, 8) == -1 && errno == EFAULT);
	RET("unknown", prctl(0x7fffffff, 1, 2, 3, 4));
	RET("arch_prctl GET_FS", ({
		    unsigned long fs = 0;
		    syscall(SYS_arch_prctl, 0x1003, &fs) ? -1 : fs != 0;
	    }));
	RET("arch_prctl SET_FS outside", syscall(SYS_arch_prctl, 0x1002, 0xffffffff80000000));
	RET("arch_prctl SET_GS non-canonical", syscall(SYS_arch_prctl, 0x1001, 0x8000000000000000));
	RET("arch_prctl SET_GS", ({
		    unsigned long gs = 0;
		    syscall(SYS_arch_prctl, 0x1001, 0x123456);
		    syscall(SYS_arch_prctl, 0x1004, &gs);
		    gs;
	    }));
	RET("arch_prctl unknown", syscall(SYS_arch_prctl, 0x9999, 0));
	RET("membarrier QUERY", syscall(SYS_membarrier, 0, 0, 0) >= 0);
	RET("membarrier unknown", syscall(SYS_membarrier, 1 << 30, 0, 0));
	RET("call that is not there", syscall(1000));
	RET("call -1", syscall(-1));
	RET("call with the x32 bit", syscall(0x40000000 | SYS_getpid));
}

static void randoms(void)
{
	unsigned char a[64], b[64];
	int ones = 0, fd;

	RET("getrandom", getrandom(a, sizeof(a), 0));
	RET("getrandom", getrandom(b, sizeof(b), GRND_NONBLOCK));
	YES("differ", memcmp(a, b, sizeof(a)) != 0);
	RET("GRND_RANDOM", getrandom(a, 16, GRND_RANDOM));
	RET("unknown flag", getrandom(a, 16, 64));
	RET("both sources", getrandom(a, 16, GRND_RANDOM | 4));
	RET("nothing", getrandom(a, 0, 0));
	RET("bad pointer", getrandom((void *)8, 16, 0));
	RET("large", getrandom(text, sizeof(text), 0));
	for (size_t i = 0; i < sizeof(text); i++)
		ones += __builtin_popcount((unsigned char)text[i]);
	YES("half of the bits are set", abs(ones - (int)sizeof(text) * 4) < 4000);
	fd = MUST(open("/dev/urandom", O_RDWR));
	RET("urandom", read(fd, a, sizeof(a)));
	RET("write", write(fd, a, sizeof(a)));
	fd = MUST(open("/dev/random", O_RDONLY));
	RET("random", read(fd, a, sizeof(a)));
	/* Parent and child have different streams. */
	int p[2];
	MUST(pipe(p));
	CHILD({
		getrandom(b, sizeof(b), 0);
		MUST(write(p[1], b, sizeof(b)));
	});
	MUST(read(p[0], a, sizeof(a)));
	getrandom(b, sizeof(b), 0);
	YES("parent and child differ", memcmp(a, b, sizeof(a)) != 0);
}

static void devices(void)
{
	char buf[64];
	int fd = MUST(open("/dev/null", O_RDWR));

	memset(buf, 'x', sizeof(buf));
	RET("null: read", read(fd, buf, sizeof(buf)));
	RET("null: write", write(fd, buf, sizeof(buf)));
	RET("null: lseek", lseek(fd, 100, SEEK_SET));
	fd = MUST(open("/dev/zero", O_RDWR));
	RET("zero: read", read(fd, buf, sizeof(buf)));
	YES("zeros", buf[0] == 0 && buf[63] == 0);
	RET("zero: write", write(fd, buf, sizeof(buf)));
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	YES("zero: private mapping", p != MAP_FAILED && (p[5000] = 1) == 1 && p[0] == 0);
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHILD(p[1] = 9);
	VAL("zero: shared mapping", p[1]);
	fd = MUST(open("/dev/full", O_RDWR));
	RET("full: read", read(fd, buf, sizeof(buf)));
	RET("full: write", write(fd, buf, 1));
	setsid();
	RES("tty without terminal", open("/dev/tty", O_RDWR));
	RES("ptmx", open("/dev/ptmx", O_RDWR | O_NOCTTY));
	RES("missing device", open("/dev/no-such-device", O_RDWR));
	struct stat st;
	RET("/dev/shm", stat("/dev/shm", &st));
	say("mode %o", st.st_mode & 07777);
	RET("/dev/stdin", readlink("/dev/stdin", buf, sizeof(buf)));
	say("%.15s", buf);
	RET("/dev/fd", readlink("/dev/fd", buf, sizeof(buf)));
	say("%.13s", buf);
	fd = shm_open("/prog-test", O_RDWR | O_CREAT | O_EXCL, 0600);
	RES("shm_open", fd);
	RET("shm_unlink", shm_unlink("/prog-test"));
}

static long rollup(const char *what)
{
	const char *at = strstr(slurp("/proc/self/smaps_rollup"), what);

	return at != NULL ? atol(at + strlen(what)) : -1;
}

/* Pages that two processes have count half in each. */
static void shares(void)
{
	const size_t size = 8 << 20;
	char *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct event ready = event_new();
	long alone, shared;
	pid_t child;

	memset(m, 1, size);
	alone = rollup("\nPss:");
	child = START(event_set(&ready); pause());
	event_wait(&ready);
	shared = rollup("\nPss:");
	YES("Pss not more than Rss", alone <= rollup("\nRss:"));
	YES("Pss of a fork", shared < alone - 3500 && shared > alone / 3);
	MUST(kill(child, SIGKILL));
	wait_for(child);
	YES("Pss alone again", rollup("\nPss:") > shared + 3500);
	munmap(m, size);
}

/* The lines of maps: in order, with right fields, the program, its heap and stack among them. */
static void maps(void)
{
	FILE *f;
	char line[512],
		*reserved = mmap(NULL, 12288, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long last = 0, lines = 0, wrong = 0;
	bool stack = false, program = false, heap = false, vdso = false, middle = false;
	char *m = malloc(100);

	mprotect(reserved + 4096, 4096, PROT_READ | PROT_WRITE);
	f = fopen("/proc/self/maps", "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		unsigned long from, to, off, inode;
		unsigned major, minor;
		char r[5], path[256] = "";
		int n = sscanf(line, "%lx-%lx %4s %lx %x:%x %lu %255s", &from, &to, r, &off, &major,
			       &minor, &inode, path);

		lines++;
		if (n < 7 || from >= to || (from < last && from < 0x7fffffffffff) || strlen(r) != 4)
			wrong++;
		last = to;
		stack |= strcmp(path, "[stack]") == 0 && (unsigned long)&line >= from &&
			 (unsigned long)&line < to && strcmp(r, "rw-p") == 0;
		program |= (unsigned long)maps >= from && (unsigned long)maps < to &&
			   strcmp(path, own_path()) == 0 && strcmp(r, "r-xp") == 0 && inode != 0;
		heap |= strcmp(path, "[heap]") == 0 && (unsigned long)m >= from &&
			(unsigned long)m < to;
		vdso |= strcmp(path, "[vdso]") == 0;
		middle |= from == (unsigned long)reserved + 4096 &&
			  to == (unsigned long)reserved + 8192 && inode == 0 &&
			  strcmp(r, "rw-p") == 0 && path[0] == 0;
	}
	say("wrong lines %lu, some lines %d", wrong, lines > 5);
	say("stack %d, program %d, heap %d, vdso %d, own mapping %d", stack, program, heap, vdso,
	    middle);
	YES("smaps has more lines", strstr(slurp("/proc/self/smaps"), "Rss:") != NULL);
	shares();
	YES("statm", ({
		    unsigned long a = 0, b = 0;
		    sscanf(slurp("/proc/self/statm"), "%lu %lu", &a, &b);
		    a > b &&b > 0;
	    }));
	free(m);
}

static void own_process(void)
{
	char buf[4096], path[64];
	ssize_t n;
	int pid, ppid, pgrp, session, fields = 0;
	char comm[64], state;

	n = readlink("/proc/self", buf, sizeof(buf) - 1);
	buf[n > 0 ? n : 0] = 0;
	YES("/proc/self", atoi(buf) == getpid());
	n = readlink("/proc/self/cwd", buf, sizeof(buf) - 1);
	buf[n > 0 ? n : 0] = 0;
	YES("cwd", ({
		    char cwd[4096];
		    getcwd(cwd, sizeof(cwd)) && strcmp(cwd, buf) == 0;
	    }));
	n = readlink("/proc/self/root", buf, sizeof(buf) - 1);
	say("root %.*s", (int)n, buf);
	slurp("/proc/self/cmdline");
	YES("cmdline ends with argv[argc - 1]", strlen(text) > 0);
	slurp("/proc/self/stat");
	VAL("stat: fields", ({
		    sscanf(text, "%d (%63[^)]) %c %d %d %d", &pid, comm, &state, &ppid, &pgrp,
			   &session);
	    }));
	say("own pid %d, parent %d, group %d, session %d, state %c", pid == getpid(),
	    ppid == getppid(), pgrp == getpgrp(), session == getsid(0), state);
	for (char *s = strrchr(text, ')'); s != NULL && *s; s++)
		fields += *s == ' ';
	VAL("fields behind the name", fields);
	slurp("/proc/self/status");
	YES("status: Pid", atoi(field("Pid")) == getpid());
	YES("status: PPid", atoi(field("PPid")) == getppid());
	STR("status: Uid", field("Uid"));
	STR("status: Threads", field("Threads"));
	STR("status: State", field("State"));
	YES("status: VmRSS", strstr(field("VmRSS"), "kB") != NULL);
	STR("status: SigBlk", field("SigBlk"));
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	signal(SIGUSR2, SIG_IGN);
	slurp("/proc/self/status");
	STR("status: SigBlk", field("SigBlk"));
	STR("status: SigPnd", field("SigPnd"));
	YES("status: SigIgn has SIGUSR2", strtoul(field("SigIgn"), NULL, 16) >> (SIGUSR2 - 1) & 1);
	STR("status: CapEff has CHOWN",
	    (strtoul(field("CapEff"), NULL, 16) & 1) == (geteuid() == 0) ? "right" : "wrong");
	STR("environ", ({
		    setenv("NOT_SEEN", "1", 1);
		    strstr(slurp("/proc/self/environ"), "NOT_SEEN") ? "later changes are seen"
								    : "as at start";
	    }));
	int fd = MUST(open("/dev/null", O_RDONLY));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, buf, sizeof(buf) - 1);
	say("fd: %.*s", (int)n, buf);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	YES("fdinfo", strncmp(slurp(path), "pos:\t0\nflags:\t", 14) == 0);
	MUST(unlink(({
		put_file("gone", "x", 0600);
		fd = open("gone", O_RDONLY);
		"gone";
	})));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, buf, sizeof(buf) - 1);
	say("deleted: %s",
	    n > 10 && memcmp(buf + n - 10, " (deleted)", 10) == 0 ? "told" : "not told");
	n = readlink(({
			     snprintf(path, sizeof(path), "/proc/self/fd/%d", event_new().fd[0]);
			     path;
		     }),
		     buf, sizeof(buf) - 1);
	say("pipe: %.6s", buf);
	RES("task", open("/proc/self/task", O_RDONLY | O_DIRECTORY));
	snprintf(path, sizeof(path), "/proc/self/task/%d/comm", gettid());
	YES("comm of the thread", slurp(path)[0] != 0);
	YES("limits", strstr(slurp("/proc/self/limits"), "Max open files") != NULL);
	YES("mounts", strstr(slurp("/proc/self/mounts"), " / ") != NULL);
	YES("cgroup", slurp("/proc/self/cgroup")[0] == '0' || strchr(text, ':') != NULL);
	RES("missing process", open("/proc/0/stat", O_RDONLY));
	YES("create in /proc is refused", open("/proc/new", O_CREAT | O_RDWR, 0600) == -1);
	YES("mkdir in /proc is refused", mkdir("/proc/new", 0700) == -1);
	RET("unlink in /proc", unlink("/proc/self/stat"));
	pid = START(pause());
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	YES("of a child", strstr(slurp(path), "PPid") != NULL && atoi(field("PPid")) == getpid());
	kill(pid, SIGKILL);
	siginfo_t si;
	waitid(P_PID, pid, &si, WEXITED | WNOWAIT);
	slurp(path);
	STR("zombie", field("State"));
	wait_for(pid);
	RES("reaped", open(path, O_RDONLY));
}

static void *sleeper(void *arg UNUSED)
{
	for (;;)
		pause();
	return NULL;
}

static void whole_system(void)
{
	pthread_t t;

	YES("meminfo", strstr(slurp("/proc/meminfo"), "MemTotal:") == text &&
			       strstr(text, "MemAvailable:") != NULL);
	/* a host in a container may have none, and for root only */
	YES("slabinfo",
	    access("/proc/slabinfo", R_OK) != 0 ||
		    strncmp(slurp("/proc/slabinfo"), "slabinfo - version: 2.1\n", 24) == 0);
	YES("cpuinfo", strstr(slurp("/proc/cpuinfo"), "processor\t: 0") != NULL &&
			       strstr(text, "flags\t\t: ") != NULL);
	YES("stat",
	    strncmp(slurp("/proc/stat"), "cpu  ", 5) == 0 && strstr(text, "\nbtime ") != NULL);
	YES("uptime", ({
		    double a = 0, b = 0;
		    sscanf(slurp("/proc/uptime"), "%lf %lf", &a, &b) == 2 && a > 0;
	    }));
	YES("loadavg", ({
		    double a, b, c;
		    int d, e, g;
		    sscanf(slurp("/proc/loadavg"), "%lf %lf %lf %d/%d %d", &a, &b, &c, &d, &e,
			   &g) == 6;
	    }));
	YES("version", strncmp(slurp("/proc/version"), "Linux version ", 14) == 0);
	YES("filesystems", strstr(slurp("/proc/filesystems"), "tmpfs") != NULL);
	YES("hostname", ({
		    char h[128];
		    gethostname(h, sizeof(h));
		    slurp("/proc/sys/kernel/hostname");
		    strncmp(text, h, strlen(h)) == 0;
	    }));
	YES("osrelease", ({
		    struct utsname u;
		    uname(&u);
		    slurp("/proc/sys/kernel/osrelease");
		    strncmp(text, u.release, strlen(u.release)) == 0;
	    }));
	YES("pid_max", atoi(slurp("/proc/sys/kernel/pid_max")) >= 32768);
	YES("ngroups_max", atoi(slurp("/proc/sys/kernel/ngroups_max")) >= 32);
	YES("cap_last_cap", atoi(slurp("/proc/sys/kernel/cap_last_cap")) >= 37);
	YES("overcommit_memory", isdigit(slurp("/proc/sys/vm/overcommit_memory")[0]));
	YES("random uuid", strlen(slurp("/proc/sys/kernel/random/uuid")) == 37);
	YES("boot id", strlen(slurp("/proc/sys/kernel/random/boot_id")) == 37);
	YES("file-max", atol(slurp("/proc/sys/fs/file-max")) > 0);
	YES("cpus online", slurp("/sys/devices/system/cpu/online")[0] == '0');
	pthread_create(&t, NULL, sleeper, NULL);
	slurp("/proc/self/status");
	STR("two threads", field("Threads"));
	RET("sysconf processors", sysconf(_SC_NPROCESSORS_ONLN) >= 1);
	RET("sysconf open files", sysconf(_SC_OPEN_MAX) > 0);
	RET("sysconf page size", sysconf(_SC_PAGESIZE));
	RET("sysconf clock ticks", sysconf(_SC_CLK_TCK));
	RET("sysconf pages", sysconf(_SC_PHYS_PAGES) > 1000);
}

static void kcmp_files(void)
{
	struct kcmp_epoll_slot slot = { .toff = 0 };
	int ep = epoll_create1(0), p[2], self = getpid();

	MUST(pipe(p));
	int copy = MUST(dup(p[0]));
	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &(struct epoll_event){ .events = EPOLLIN }));
	slot.efd = (unsigned)ep;
	slot.tfd = (unsigned)p[0];
	RET("the same file", syscall(SYS_kcmp, self, self, KCMP_FILE, p[0], copy));
	YES("another file", syscall(SYS_kcmp, self, self, KCMP_FILE, p[0], p[1]) > 0);
	RET("what the set watches", syscall(SYS_kcmp, self, self, KCMP_EPOLL_TFD, copy, &slot));
	YES("another", syscall(SYS_kcmp, self, self, KCMP_EPOLL_TFD, p[1], &slot) > 0);
	slot.toff = 1;
	RET("no second one", syscall(SYS_kcmp, self, self, KCMP_EPOLL_TFD, copy, &slot));
	slot.efd = (unsigned)p[1];
	RET("no set", syscall(SYS_kcmp, self, self, KCMP_EPOLL_TFD, copy, &slot));
	RET("undos of semaphores", syscall(SYS_kcmp, self, self, KCMP_SYSVSEM, 0, 0));
}

static const struct section sections[] = {
	{ "names", names },
	{ "system_info", system_info },
	{ "prctls", prctls },
	{ "randoms", randoms },
	{ "devices", devices },
	{ "maps", maps },
	{ "own_process", own_process },
	{ "whole_system", whole_system },
	{ "kcmp_files", kcmp_files },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
