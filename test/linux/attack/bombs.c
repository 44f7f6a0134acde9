/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs that take all they can get: processes, threads, memory, descriptors, areas, timers,
 * signals, files.
 */
#include "test/linux/attack/attack.h"
#include <dirent.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/timerfd.h>

#define MIB 1024L

static long free_before;

static void begin(void)
{
	free_before = free_kib();
}

static void touch_memory(long kib)
{
	size_t size = (size_t)kib * 1024;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		_exit(7);
	for (size_t i = 0; i < size; i += PAGE)
		p[i] = 1;
}

/*
 * All of it has come back: what a bomb took is gone with its processes, or is given back when
 * somebody needs it (the kernel may keep stores of what it made).
 */
static void expect_freed(const char *what)
{
	int st = CHILD(touch_memory(free_before - 8 * MIB));

	EXPECT(st == 0, "%s: %ld KiB free, %ld before; a new program gets %#x", what, free_kib(),
	       free_before, st);
	expect_alive(what);
	finish(what);
}

static void as_user(void)
{
	MUST(setresgid(4000, 4000, 4000));
	MUST(setresuid(4000, 4000, 4000));
}

static void fork_bomb(void)
{
	int st = 0;

	begin();
	pid_t pid = START({
		struct rlimit rl = { 60, 60 };

		setpgid(0, 0);
		as_user();
		setrlimit(RLIMIT_NPROC, &rl);
		for (;;)
			if (fork() == -1 && errno != EAGAIN)
				_exit(3);
	});
	usleep(300000);
	EXPECT(waitpid(pid, &st, WNOHANG) == 0, "the bomb has ended early");
	/* Everything of that user, until nothing is left. */
	for (int i = 0; i < 50; i++) {
		if (kill(-pid, SIGKILL) == -1 && errno == ESRCH)
			break;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		usleep(10000);
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	EXPECT(kill(-pid, 0) == -1, "some of the bomb is left");
	expect_freed("fork bomb");
}

/*
 * Without a limit: ends by EAGAIN or ENOMEM, or with the bomber's death, never with the machine's.
 */
static void fork_all(void)
{
	int st;

	begin();
	pid_t pid = START({
		static pid_t list[100000];
		int n = 0;

		setpgid(0, 0);
		while (n < 100000) {
			list[n] = fork();
			if (list[n] == 0)
				for (;;)
					pause();
			if (list[n] == -1)
				break;
			n++;
		}
		say("fork ends with %s", n > 20 ? errno == EAGAIN || errno == ENOMEM
							  ? "EAGAIN or ENOMEM"
							  : "another error"
						: "too few");
		for (int i = 0; i < n; i++)
			kill(list[i], SIGKILL);
		for (int i = 0; i < n; i++)
			waitpid(list[i], NULL, 0);
	});
	st = wait_for(pid);
	EXPECT(WIFEXITED(st) || WTERMSIG(st) == SIGKILL, "fork until it fails: %#x", st);
	/* The bomber itself may have been the one that is killed when memory was short. */
	while (kill(-pid, SIGKILL) == 0)
		usleep(10000);
	expect_freed("forks without limit");
}

static void eat_memory(int how)
{
	size_t size = 1 << 20;

	for (;;) {
		char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
			       (how == 1 ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			_exit(7);
		for (size_t i = 0; i < size; i += PAGE)
			p[i] = 1;
	}
}

static void memory_bomb(void)
{
	for (int how = 0; how < 2; how++) {
		begin();
		int st = CHILD(eat_memory(how));

		EXPECT((WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL) ||
			       (WIFEXITED(st) && WEXITSTATUS(st) == 7),
		       "memory bomb %d: %#x", how, st);
	}
	/* Many bombers at once; the system stays usable beside them. */
	pid_t pids[8];
	for (int i = 0; i < 8; i++)
		pids[i] = START(eat_memory(0));
	for (int i = 0; i < 8; i++)
		wait_for(pids[i]);
	expect_freed("memory bomb");
}

static void set_oom_adj(const char *value)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);

	if (fd < 0 || write(fd, value, strlen(value)) != (ssize_t)strlen(value))
		_exit(9);
	close(fd);
}

/* Holds more than half of the memory and waits for its end. */
static pid_t start_holder(const char *adj)
{
	int ready[2];
	char c;

	MUST(pipe(ready));
	pid_t pid = START({
		set_oom_adj(adj);
		touch_memory(free_before * 6 / 10);
		if (write(ready[1], "x", 1) == 1)
			for (;;)
				pause();
	});
	close(ready[1]);
	EXPECT(read(ready[0], &c, 1) == 1, "the holder's memory");
	close(ready[0]);
	return pid;
}

/* Who goes when a second one wants as much? Both are the children of a third, which must live. */
static void oom_case(const char *holders, const char *wants, bool holder_dies)
{
	int st;
	pid_t holder, want;

	begin();
	holder = start_holder(holders);
	want = START({
		set_oom_adj(wants);
		touch_memory(free_before * 6 / 10);
	});
	st = wait_for(want);
	EXPECT(holder_dies ? st == 0 : WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL,
	       "holder %s, want %s: who wants ends with %#x", holders, wants, st);
	EXPECT(waitpid(holder, &st, WNOHANG) == (holder_dies ? holder : 0),
	       "holder %s, want %s: the holder", holders, wants);
	if (holder_dies) {
		EXPECT(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL, "holder %s: ends with %#x",
		       holders, st);
		return;
	}
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
}

static void oom_choice(void)
{
	oom_case("0", "0", true);
	oom_case("-1000", "0", false);
	oom_case("0", "1000", false);
	oom_case("300", "-300", true);
	expect_freed("the choice when memory is out");
}

static void stack_bomb_frame(int n)
{
	volatile char frame[PAGE];

	frame[0] = (char)n;
	stack_bomb_frame(n + 1 + frame[0]);
	frame[1] = 1;
}

static void stack_bomb(void)
{
	begin();
	int st = CHILD({
		struct rlimit rl = { RLIM_INFINITY, RLIM_INFINITY };

		setrlimit(RLIMIT_STACK, &rl);
		stack_bomb_frame(0);
	});
	EXPECT(WIFSIGNALED(st) && (WTERMSIG(st) == SIGSEGV || WTERMSIG(st) == SIGKILL),
	       "stack bomb: %#x", st);
	expect_freed("stack bomb");
}

static void *sleep_on(void *arg UNUSED)
{
	for (;;)
		pause();
	return NULL;
}

static void thread_bomb(void)
{
	begin();
	int st = CHILD({
		pthread_attr_t a;
		pthread_t t;
		int n = 0;

		pthread_attr_init(&a);
		pthread_attr_setstacksize(&a, 16384);
		while (n < 20000 && pthread_create(&t, &a, sleep_on, NULL) == 0)
			n++;
		say("%s threads", n >= 500 ? "at least 500" : "too few");
	});
	EXPECT((WIFEXITED(st) && WEXITSTATUS(st) == 0) ||
		       (WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL),
	       "thread bomb: %#x", st);
	expect_freed("thread bomb");
}

static int remove_one_name(const char *path, const struct stat *st UNUSED, int kind UNUSED,
			   struct FTW *where)
{
	return where->level == 0 ? 0 : remove(path);
}

/* One kind of object after another until an error; exit status 0 if that was a proper one. */
static void many(const char *name, int (*make)(void))
{
	int st = CHILD({
		struct rlimit rl = { 100000, 100000 };
		int n = 0;

		setrlimit(RLIMIT_NOFILE, &rl);
		while (n < 100000 && make() >= 0)
			n++;
		int e = errno;

		/* The descriptors' end makes room again; say so afterwards. */
		syscall(SYS_close_range, 3, ~0u, 0);
		if (n < 100000 && e != EMFILE && e != ENOMEM && e != ENFILE && e != EAGAIN &&
		    e != ENOSPC) {
			say("%s: %s after %d", name, error_name(e), n);
			_exit(1);
		}
	});

	EXPECT(st == 0 || (WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL), "%s: %#x", name, st);
	EXPECT(nftw(".", remove_one_name, 16, FTW_DEPTH | FTW_PHYS) == 0,
	       "%s: names cannot be removed", name);
}

static int make_pipe(void)
{
	static char page[65536];
	int fd[2];

	if (pipe2(fd, O_NONBLOCK) == -1)
		return -1;
	return write(fd[1], page, sizeof(page)) > 0 ? 0 : -1;
}

static int make_file(void)
{
	return open("same", O_RDWR | O_CREAT, 0600);
}

static int make_event(void)
{
	return eventfd(0, 0);
}

static int make_epoll(void)
{
	static int last = -1;
	int fd = epoll_create1(0);
	struct epoll_event ev = { .events = EPOLLIN };

	if (fd >= 0 && last >= 0)
		epoll_ctl(fd, EPOLL_CTL_ADD, last, &ev);
	last = fd;
	return fd;
}

static int make_timer(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	struct itimerspec its = { { 0, 1 }, { 0, 1 } };

	return fd >= 0 ? timerfd_settime(fd, 0, &its, NULL) : -1;
}

static int make_memfd(void)
{
	int fd = memfd_create("x", 0);

	return fd >= 0 && write(fd, "x", 1) == 1 ? 0 : -1;
}

static int make_pty(void)
{
	return open("/dev/ptmx", O_RDWR | O_NOCTTY);
}

static int make_posix_timer(void)
{
	timer_t t;
	struct sigevent ev = { .sigev_notify = SIGEV_NONE };
	struct itimerspec its = { { 0, 1 }, { 0, 1 } };

	return timer_create(CLOCK_MONOTONIC, &ev, &t) == 0 ? timer_settime(t, 0, &its, NULL) : -1;
}

static int make_signal(void)
{
	return sigqueue(getpid(), SIGRTMIN, (union sigval){ 0 });
}

static int make_area(void)
{
	static int turn;

	return mmap(NULL, PAGE, ++turn & 1 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0) == MAP_FAILED
		       ? -1
		       : 0;
}

static int make_name(void)
{
	static int n;
	char name[200];

	snprintf(name, sizeof(name), "%0150d", n++);
	return n & 1 ? mkdir(name, 0700) : symlink(name, name);
}

/* Each has to be compared with all before: not more than this. */
static int make_lock(void)
{
	static int fd = -1, at;
	struct flock fl = { .l_type = F_WRLCK, .l_len = 1 };

	if (fd < 0 && (fd = open("locks", O_RDWR | O_CREAT, 0600)) < 0)
		return -1;
	if (at >= 10000) {
		errno = EAGAIN;
		return -1;
	}
	fl.l_start = at += 2;
	return fcntl(fd, F_SETLK, &fl);
}

static int make_file_page(void)
{
	static int fd = -1;
	static off_t at;
	static char page[65536];

	if (fd < 0 && (fd = open("big", O_RDWR | O_CREAT, 0600)) < 0)
		return -1;
	errno = ENOSPC; /* what a write that gets only half its way means */
	return pwrite(fd, page, sizeof(page), at += sizeof(page)) == sizeof(page) ? 0 : -1;
}

static void objects(void)
{
	begin();
	many("pipes", make_pipe);
	many("files", make_file);
	many("eventfds", make_event);
	many("epolls", make_epoll);
	many("timerfds", make_timer);
	many("memfds", make_memfd);
	many("ptys", make_pty);
	many("posix timers", make_posix_timer);
	say_status("blocked signals", CHILD({
			   sigset_t set;

			   sigfillset(&set);
			   sigprocmask(SIG_BLOCK, &set, NULL);
			   many("signals", make_signal);
		   }));
	many("areas", make_area);
	many("names", make_name);
	many("locks", make_lock);
	many("pages of a file", make_file_page);
	expect_freed("objects");
}

/* Fills the file system, removes the file, ten times. */
static void full_disk(void)
{
	static char page[65536];

	begin();
	for (int i = 0; i < 3; i++) {
		int fd = open("fill", O_RDWR | O_CREAT, 0600);
		ssize_t n;
		long sum = 0;

		while ((n = write(fd, page, sizeof(page))) > 0)
			sum += n;
		EXPECT(errno == ENOSPC || errno == ENOMEM, "full: %s", error_name(errno));
		EXPECT(sum > 1 << 20, "full after %ld", sum);
		EXPECT(pread(fd, page, 1, sum - 1) == 1, "last byte");
		close(fd);
		unlink("fill");
	}
	expect_freed("full disk");
}

static const struct section sections[] = {
	{ "fork_bomb", fork_bomb },   { "fork_all", fork_all },     { "memory_bomb", memory_bomb },
	{ "oom_choice", oom_choice }, { "stack_bomb", stack_bomb }, { "thread_bomb", thread_bomb },
	{ "objects", objects },       { "full_disk", full_disk },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
