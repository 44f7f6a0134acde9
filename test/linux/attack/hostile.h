/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls by number with arguments from a pool of strange and plausible ones, in processes
 * that are guarded.
 */
#pragma once
#include "test/linux/attack/attack.h"
#include <dirent.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#define CALLS    462
#define GUARD_US 3000 /* a call that waits is interrupted after that */

/* Calls that end the process, or that would make the guard useless. */
UNUSED static bool is_left_out(long nr)
{
	switch (nr) {
	case SYS_rt_sigreturn: /* registers.c */
	case SYS_exit:
	case SYS_exit_group:
	case SYS_vfork: /* shares this stack; proc.c */
	case SYS_reboot: return true;
	default: return false;
	}
}

/* Calls that soon end a process that gives them anything: a few of them are enough. */
UNUSED static bool is_deadly(long nr)
{
	switch (nr) {
	case SYS_munmap:
	case SYS_mprotect:
	case SYS_mremap:
	case SYS_mmap:
	case SYS_brk:
	case SYS_madvise:
	case SYS_arch_prctl:
	case SYS_set_tid_address:
	case SYS_execve:
	case SYS_execveat:
	case SYS_rt_sigaction:
	case SYS_rt_sigprocmask:
	case SYS_rt_sigsuspend:
	case SYS_rt_sigtimedwait:
	case SYS_sigaltstack:
	case SYS_kill:
	case SYS_tkill:
	case SYS_tgkill:
	case SYS_rt_sigqueueinfo:
	case SYS_rt_tgsigqueueinfo:
	case SYS_setrlimit:
	case SYS_prlimit64:
	case SYS_setitimer:
	case SYS_alarm:
	case SYS_clone:
	case SYS_clone3:
	case SYS_fork:
	case SYS_seccomp:
	case SYS_prctl:
	case SYS_close_range: return true;
	default: return false;
	}
}

/* These reach other processes: only without the right to do so. */
UNUSED static bool hits_others(long nr)
{
	switch (nr) {
	case SYS_kill:
	case SYS_tkill:
	case SYS_tgkill:
	case SYS_rt_sigqueueinfo:
	case SYS_rt_tgsigqueueinfo:
	case SYS_ptrace:
	case SYS_pidfd_send_signal:
	case SYS_process_vm_writev:
	case SYS_prlimit64:
	case SYS_setpriority:
	case SYS_sched_setscheduler:
	case SYS_sched_setparam:
	case SYS_sched_setattr:
	case SYS_sched_setaffinity:
	case SYS_clock_settime:
	case SYS_settimeofday:
	case SYS_adjtimex:
	case SYS_clock_adjtime:
	case SYS_syslog: /* hides the log */
	case SYS_mount:
	case SYS_umount2:
	case SYS_chroot:
	case SYS_fcntl: /* F_SETOWN */
	case SYS_ioctl: /* TIOCSTI, TIOCSPGRP on the machine's terminal */ return true;
	default: return false;
	}
}

static volatile unsigned alarms;

static void on_guard(int sig UNUSED)
{
	/* The same call again and again interrupted: the parent must have lost patience by then. */
	if (++alarms > 20000)
		_exit(0);
}

/*
 * A timer that interrupts waits, for good and all: the calls under test may change handlers and
 * masks.
 */
UNUSED static void guard_on(void)
{
	struct sigaction sa = { .sa_handler = on_guard };
	struct itimerval it = { { 0, GUARD_US }, { 0, GUARD_US } };
	sigset_t none;

	sigemptyset(&none);
	sigaction(SIGALRM, &sa, NULL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
}

static uint64_t seed;

UNUSED static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static char *buffer, *read_only, *hole;

/* Memory of all kinds, one behind the other: two pages to write, one to read only, a hole. */
UNUSED static void make_memory(void)
{
	buffer = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	read_only = buffer + 60 * PAGE;
	hole = buffer + 61 * PAGE;
	mprotect(read_only, PAGE, PROT_READ);
	munmap(hole, 3 * PAGE);
}

/* Two ends of a TCP connection over the loopback interface, and its listener. */
UNUSED static void make_connection(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int end = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (bind(listener, (void *)&at, len) == 0 && listen(listener, 3) == 0 &&
	    getsockname(listener, (void *)&at, &len) == 0 && connect(end, (void *)&at, len) == -1)
		accept4(listener, NULL, NULL, SOCK_NONBLOCK);
}

/* Descriptors 3 to 40 of all kinds. */
UNUSED static void make_descriptors(void)
{
	static const char *const paths[] = { "/dev/null",         "/dev/zero",
					     "/dev/full",         "/dev/urandom",
					     "/proc/self/status", "/proc/self/mem",
					     "/proc/self/maps",   "/",
					     "/dev/ptmx" };
	int p[2];

	for (size_t i = 0; i < COUNT(paths); i++)
		if (open(paths[i], O_RDWR) < 0)
			open(paths[i], O_RDONLY);
	open("file", O_RDWR | O_CREAT, 0666);
	open(".", O_RDONLY);
	open("file", O_PATH);
	if (pipe2(p, O_NONBLOCK) == 0)
		mkfifo("fifo", 0666);
	eventfd(1, EFD_NONBLOCK);
	epoll_create1(0);
	timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	memfd_create("memory", MFD_ALLOW_SEALING);
	syscall(SYS_signalfd4, -1, &(uint64_t){ 1 << 11 }, 8, O_NONBLOCK);
	inotify_init1(IN_NONBLOCK);
	syscall(SYS_pidfd_open, getpid(), 0);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p) == 0)
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, p);
	socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
	socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE);
	make_connection();
	mkdir("folder", 0777);
	symlink("file", "link");
}

static const uint64_t strange[] = {
	0,
	1,
	2,
	7,
	8,
	0x10,
	0xff,
	0xfff,
	0x1000,
	0x1001,
	0x10000,
	0x7fffffff,
	0x80000000,
	0xffffffff,
	0x100000000ull,
	0x7fffffffffffull,
	USER_TOP - 1,
	USER_TOP - 8,
	USER_TOP - PAGE,
	USER_TOP,
	USER_TOP + PAGE - 1,
	NON_CANONICAL - 1,
	NON_CANONICAL,
	0x7fffffffffffffffull,
	0x8000000000000000ull,
	0xdeadbeefdeadbeefull,
	KERNEL_LOW,
	KERNEL_LOW + 0x1000,
	0xffff888000000000ull,
	KERNEL_IMAGE,
	KERNEL_IMAGE + 0x100000,
	0xfffffffffffff000ull,
	0xfffffffffffffff8ull,
	0xffffffffffffff9cull, /* AT_FDCWD */
	0xffffffffffffffffull,
};

static const char *const names[] = { "file",
				     "link",
				     "folder",
				     "fifo",
				     "missing",
				     ".",
				     "..",
				     "/",
				     "",
				     "folder/deeper",
				     "/proc/self/fd/3",
				     "/dev/pts/0",
				     "/proc/self/exe",
				     "a/b/c/d/e",
				     "/dev/shm/fuzz",
				     "trusted.x",
				     "tmpfs",
				     "file/" };

/*
 * One argument: a strange number, a small one, a descriptor, a pointer into memory of some kind, a
 * flag.
 */
UNUSED static uint64_t an_argument(void)
{
	switch (rnd() % 10) {
	case 0:
	case 1: return strange[rnd() % COUNT(strange)];
	/* a descriptor, or a small number */
	case 2: return rnd() % 40;
	case 3: return (uint64_t)(buffer + (rnd() % (59 * PAGE))); /* memory */
	case 4: return (uint64_t)(buffer + (rnd() % 59) * PAGE);   /* aligned */
	case 5:
		return (uint64_t)(hole - 1 - rnd() % 32); /* read-only, up to a hole */
	/* up to read-only memory */
	case 6: return (uint64_t)(buffer + 59 * PAGE + PAGE - rnd() % 64);
	case 7: return (uint64_t)names[rnd() % COUNT(names)];
	case 8: return 1ull << (rnd() % 64);
	default: return rnd() >> (rnd() % 64);
	}
}

/* Something in memory for the calls to read: numbers, pointers, small structures. */
UNUSED static void fill_buffer(void)
{
	uint64_t *p = (void *)buffer;

	for (int i = 0; i < 64; i++)
		p[rnd() % (59 * PAGE / 8)] = an_argument();
}

/* What outlives the processes that made it: objects of System V and names in memory. */
UNUSED static void remove_objects(void)
{
	struct shmid_ds shm;
	struct msqid_ds msg;
	struct semid_ds sem;
	struct dirent *d;
	DIR *dir;

	for (int i = 0; i < 40000; i++) {
		int id;

		if (i < 5000 && (id = shmctl(i, SHM_STAT, &shm)) >= 0)
			shmctl(id, IPC_RMID, NULL);
		if ((id = msgctl(i, MSG_STAT, &msg)) >= 0)
			msgctl(id, IPC_RMID, NULL);
		if ((id = semctl(i, 0, SEM_STAT, &sem)) >= 0)
			semctl(id, 0, IPC_RMID);
	}
	dir = opendir("/dev/shm");
	while (dir != NULL && (d = readdir(dir)) != NULL)
		unlinkat(dirfd(dir), d->d_name, 0);
	if (dir != NULL)
		closedir(dir);
}
