/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is chosen by a number, for all numbers: ioctl, options of sockets, fcntl, prctl, ptrace,
 * with their pointer in PrivUser (groups 12 and 13): no list to keep up to date. And whatever shows
 * a process to others: all of /proc/self, and its core file. TAP.
 */
#include "attack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

#define TOUCHED 2
#define TAKEN   4 /* a command that can only read there has said that it did */
#define UNMADE  64

static uint64_t target;

static int judge(void)
{
	return privcall(intact) != 1 ? TOUCHED : 0;
}

/* ---- ioctl ---- */

enum thing {
	FILE_,
	FOLDER,
	PIPE,
	LOCAL,
	TCP,
	UDP,
	LINK,
	MASTER,
	TERMINAL,
	RANDOM,
	ZERO,
	TIMER,
	EVENT,
	WATCH,
	POLL,
	SIGNALS,
	THINGS
};

static int make(enum thing what)
{
	sigset_t none;
	int p[2];

	sigemptyset(&none);
	switch (what) {
	case FILE_: return open("/tmp", O_TMPFILE | O_RDWR, 0600);
	case FOLDER: return open("/", O_RDONLY | O_DIRECTORY);
	case PIPE: return pipe(p) == 0 && write(p[1], "0123", 4) == 4 ? p[0] : -1;
	case LOCAL: return socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0 ? p[0] : -1;
	case TCP: return socket(AF_INET, SOCK_STREAM, 0);
	case UDP: return socket(AF_INET6, SOCK_DGRAM, 0);
	case LINK: return socket(AF_NETLINK, SOCK_RAW, 0);
	case MASTER: return open("/dev/ptmx", O_RDWR | O_NOCTTY);
	case TERMINAL: {
		int m = open("/dev/ptmx", O_RDWR | O_NOCTTY), n = 0;
		char name[32];

		if (m < 0 || ioctl(m, TIOCSPTLCK, &n) != 0 || ioctl(m, TIOCGPTN, &n) != 0)
			return -1;
		snprintf(name, sizeof(name), "/dev/pts/%d", n);
		return open(name, O_RDWR | O_NOCTTY);
	}
	case RANDOM: return open("/dev/urandom", O_RDWR);
	case ZERO: return open("/dev/zero", O_RDWR);
	case TIMER: return timerfd_create(CLOCK_MONOTONIC, 0);
	case EVENT: return eventfd(1, EFD_NONBLOCK);
	case WATCH: return inotify_init();
	case POLL: return epoll_create1(0);
	default: return signalfd(-1, &none, 0);
	}
}

/* As it is, and with the directions and sizes that encode what such numbers take. */
static void with_sizes(int fd, unsigned command)
{
	static const unsigned sizes[] = { 4, 8, 36, 44, 80, 96 };

	(void)ioctl(fd, command, target);
	for (unsigned dir = 1; dir < 4; dir++)
		for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			(void)syscall(SYS_ioctl, fd, dir << 30 | sizes[i] << 16 | command, target);
}

static int ioctls(uint64_t what, uint64_t unused)
{
	static const unsigned types[] = { 'T', 0x89, 'P', '!', 'f' };
	int fd = make((enum thing)what);

	(void)unused;
	if (fd < 0)
		return UNMADE;
	signal(SIGTTOU, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	for (unsigned t = 0; t < sizeof(types) / sizeof(types[0]); t++)
		for (unsigned n = 0; n < 112; n++)
			with_sizes(fd, types[t] << 8 | n);
	return judge();
}

/* ---- options of sockets ---- */

static bool is_taken(int fd, int level, int name)
{
	static const socklen_t sizes[] = { 4, 16, 64 };
	socklen_t len = 64;
	uint8_t value[64];
	bool taken = false;

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		taken |= syscall(SYS_setsockopt, fd, level, name, target, sizes[i]) == 0;
	(void)syscall(SYS_getsockopt, fd, level, name, target, &len);
	(void)syscall(SYS_getsockopt, fd, level, name, value, target);
	return taken;
}

static int options(uint64_t what, uint64_t unused)
{
	static const int levels[] = { SOL_SOCKET, 0, 6, 41, 255, 263, 270 };
	int fd = make((enum thing)what), found = 0;

	(void)unused;
	if (fd < 0)
		return UNMADE;
	for (unsigned l = 0; l < sizeof(levels) / sizeof(levels[0]); l++)
		for (int name = 0; name < 90; name++) {
			if (!is_taken(fd, levels[l], name) ||
			    /* has no value */
			    (levels[l] == SOL_SOCKET && name == SO_DETACH_FILTER))
				continue;
			found |= TAKEN;
			if (on)
				printf("# option %d of level %d is taken\n", name, levels[l]);
		}
	fflush(stdout);
	return found | judge();
}

/* ---- fcntl, prctl ---- */

static int fcntls(uint64_t what, uint64_t unused)
{
	int fd = make((enum thing)what);

	(void)unused;
	if (fd < 0)
		return UNMADE;
	for (int command = 0; command < 1100; command++)
		if (command != F_SETLKW && command != F_OFD_SETLKW) /* as those that do not wait */
			(void)syscall(SYS_fcntl, fd, command, target);
	return judge();
}

static int prctls(uint64_t at, uint64_t unused)
{
	(void)unused;
	for (int option = 0; option < 80; option++) {
		uint64_t a[4] = { 0, 0, 0, 0 };

		if (option == 22) /* PR_SET_SECCOMP: ends this scan when it works */
			continue;
		a[at] = target;
		(void)syscall(SYS_prctl, option, a[0], a[1], a[2], a[3]);
	}
	for (int option = 0x1000; option < 0x1100; option++)
		if (option != 0x1001 && option != 0x1002) /* the base of GS, FS: an address only */
			(void)syscall(SYS_arch_prctl, option, target);
	return judge();
}

static void by_number(void)
{
	unsigned touched = 0, taken = 0, unmade = 0;
	int (*const scans[])(uint64_t, uint64_t) = { ioctls, options, fcntls };

	for (unsigned s = 0; s < 3; s++)
		for (uint64_t what = s == 1 ? LOCAL : 0; what < (s == 1 ? MASTER : THINGS);
		     what++) {
			int code = EXITED(in_child(scans[s], what, 0));

			touched += code < 0 || (code < UNMADE && (code & TOUCHED) != 0);
			taken += code > 0 && code < UNMADE && (code & TAKEN) != 0;
			unmade += code == UNMADE;
			if (on && code != 0)
				printf("# scan %u of thing %d: %d\n", s, (int)what, code);
		}
	for (uint64_t at = 0; at < 4; at++)
		touched += EXITED(in_child(prctls, at, 0)) != 0;
	attack(touched != 0,
	       "12: no ioctl, option, fcntl or prctl writes PrivUser, whatever its number");
	attack(taken != 0, "12: no option of a socket is taken from there");
	ok(unmade == 0, "12: descriptors of all kinds were tried");
}

/* ---- ptrace ---- */

static int tracee(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	return 0;
}

/* Requests that can only read what `data` points at. */
static bool is_setter(long request)
{
	return request == PTRACE_SETREGS || request == PTRACE_SETFPREGS || request == 19 ||
	       request == PTRACE_SETREGSET || request == PTRACE_SETSIGINFO ||
	       request == PTRACE_SETSIGMASK;
}

static int request(uint64_t number, uint64_t variant)
{
	/* NT_PRSTATUS, NT_PRFPREG, NT_X86_XSTATE */
	static const unsigned long sets[] = { 1, 2, 0x202 };
	struct iovec v = { (void *)target, 216 };
	void *data = variant < 2 ? (void *)target : &v;
	unsigned long addr = variant < 2 ? variant * 8 : sets[variant - 2];
	int status, found;
	pid_t pid = fork();
	long r;

	if (pid == 0)
		_exit(tracee());
	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
		return UNMADE;
	r = syscall(SYS_ptrace, number, pid, addr, data);
	found = judge();
	if (r == 0 && is_setter((long)number))
		found |= TAKEN;
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return found;
}

static void requests(void)
{
	unsigned touched = 0, taken = 0;

	for (uint64_t number = 1; number < 0x4212; number++) { /* 0 is the tracee's */
		if (number == 34)
			number = 0x4200;
		for (uint64_t variant = 0; variant < 5; variant++) {
			bool sets = number == PTRACE_GETREGSET || number == PTRACE_SETREGSET;
			int code;

			if (variant >= 2 && !sets)
				continue;
			code = EXITED(in_child(request, number, variant));
			touched += code < 0 || (code & TOUCHED) != 0;
			taken += code > 0 && (code & TAKEN) != 0;
			if (on && code != 0)
				printf("# request %#lx (%lu): %d\n", (unsigned long)number,
				       (unsigned long)variant, code);
		}
	}
	attack(touched != 0, "13: no request of ptrace writes PrivUser of the debugger");
	attack(taken != 0, "13: no register of a traced process is taken from there");
}

/* ---- what shows a process ---- */

/* Half of the secret in n bytes? */
static bool holds_secret(const uint8_t *p, size_t n)
{
	for (size_t at = 0; at + SECRET_LEN / 2 <= n; at++) {
		unsigned k = 0;

		while (k < SECRET_LEN / 2 && (p[at + k] ^ SECRET_MASK) == (uint8_t)SECRET_MASKED[k])
			k++;
		if (k == SECRET_LEN / 2)
			return true;
	}
	return false;
}

static unsigned files;

static bool file_shows(const char *path)
{
	static uint8_t buf[65536];
	size_t kept = 0;
	int fd = open(path, O_RDONLY | O_NONBLOCK);
	bool found = false;
	ssize_t n;

	if (fd < 0)
		return false;
	files++;
	while (!found && (n = read(fd, buf + kept, sizeof(buf) - kept)) > 0) {
		size_t have = kept + (size_t)n;

		found = holds_secret(buf, have);
		/* One that begins in this piece may end in the next. */
		kept = have < SECRET_LEN ? have : SECRET_LEN;
		memmove(buf, buf + have - kept, kept);
	}
	close(fd);
	return found;
}

static bool folder_shows(const char *folder, unsigned depth)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	bool found = false;

	while (d != NULL && (e = readdir(d)) != NULL) {
		char path[PATH_MAX];
		struct stat st;

		if (e->d_name[0] == '.' ||
		    snprintf(path, sizeof(path), "%s/%s", folder, e->d_name) >= PATH_MAX ||
		    lstat(path, &st) != 0)
			continue;
		if (S_ISDIR(st.st_mode) && depth > 0)
			found |= folder_shows(path, depth - 1);
		else if (S_ISREG(st.st_mode) && file_shows(path)) {
			printf("# %s holds the secret\n", path);
			found = true;
		}
	}
	if (d != NULL)
		closedir(d);
	return found;
}

#define CORE "/tmp/privuser-core"

static int dump(uint64_t unused, uint64_t unused2)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	int fd = open("/proc/sys/kernel/core_pattern", O_WRONLY);

	(void)unused;
	(void)unused2;
	if (fd < 0 || write(fd, CORE "\n", sizeof(CORE)) != sizeof(CORE) ||
	    setrlimit(RLIMIT_CORE, &all) != 0)
		return UNMADE;
	close(fd);
	/* Everything that a filter could leave out. */
	fd = open("/proc/self/coredump_filter", O_WRONLY);
	(void)!write(fd, "0xff\n", 5);
	abort();
}

static void shown(void)
{
	struct stat st = { 0 };
	int status;

	ok(!folder_shows("/proc/self", 3) || !on, "13: nothing below /proc/self holds the secret");
	ok(files > 30, "13: all of its files were read");
	status = in_child(dump, 0, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && stat(CORE, &st) == 0 &&
		   st.st_size > 65536,
	   "13: a core file is written");
	attack(file_shows(CORE), "13: it holds the secret");
	(void)unlink(CORE);
}

int main(void)
{
	if (!privuser_up(NULL))
		return 1;
	ok(privcall(load) == 0, "the secret is read inside");
	target = (uint64_t)(uint32_t)privcall(where_target);
	by_number();
	requests();
	shown();
	ok(!on || privcall(intact) == 1, "12: PrivUser is as it was");
	printf("1..%d\n", tests);
	return failures != 0;
}
