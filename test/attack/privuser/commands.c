/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls that look at a pointer only when other arguments make sense: one row for each such
 * pointer. calls.c demands that for each pointer of the kernel's table EFAULT is seen, here or by
 * its own trials, or that no_looks says why not.
 */
#include "trial.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define FILE_NAME "/tmp/privuser-trial"

int trial_fd;
uint64_t trial_target;
char *trial_room;

static bool put(const void *data, size_t bytes)
{
	memcpy(trial_room, data, bytes);
	return true;
}

static bool word(uint64_t value)
{
	return put(&value, sizeof(value));
}

/* ---- what must be there first ---- */

static void on_alarm(int sig)
{
	(void)sig;
}

/* A sleep that a signal ends: what is left of it is told. */
static bool long_sleep(void)
{
	const struct timespec ten = { 10, 0 };
	struct sigaction a = { .sa_handler = on_alarm };

	return sigaction(SIGALRM, &a, NULL) == 0 && put(&ten, sizeof(ten));
}

static bool local_name(struct sockaddr_un *a, const char *name)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(a->sun_path, sizeof(a->sun_path), "/tmp/privuser-%s-%d", name, (int)getpid());
	return true;
}

static bool listener(void)
{
	struct sockaddr_un a, b;
	int c = socket(AF_UNIX, SOCK_STREAM, 0);

	trial_fd = socket(AF_UNIX, SOCK_STREAM, 0);
	local_name(&a, "listener");
	local_name(&b, "caller");
	return bind(trial_fd, (void *)&a, sizeof(a)) == 0 && listen(trial_fd, 4) == 0 &&
	       bind(c, (void *)&b, sizeof(b)) == 0 && connect(c, (void *)&a, sizeof(a)) == 0 &&
	       word(100);
}

static bool datagram(void)
{
	struct sockaddr_un a, b;
	int c = socket(AF_UNIX, SOCK_DGRAM, 0);

	trial_fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	local_name(&a, "to");
	local_name(&b, "from");
	return bind(trial_fd, (void *)&a, sizeof(a)) == 0 && bind(c, (void *)&b, sizeof(b)) == 0 &&
	       sendto(c, "0123456789abcdef", 16, 0, (void *)&a, sizeof(a)) == 16 && word(100);
}

static bool stream(void)
{
	int p[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, p) != 0 ||
	    write(p[1], "0123456789abcdef", 16) != 16)
		return false;
	trial_fd = p[0];
	return word(4);
}

/* A connection to a socket that has a name. */
static bool own_name(void)
{
	struct sockaddr_un a;
	int l = socket(AF_UNIX, SOCK_STREAM, 0);

	trial_fd = socket(AF_UNIX, SOCK_STREAM, 0);
	local_name(&a, "named");
	return bind(l, (void *)&a, sizeof(a)) == 0 && listen(l, 4) == 0 &&
	       connect(trial_fd, (void *)&a, sizeof(a)) == 0 && word(100);
}

static bool own_vector(void)
{
	const struct iovec v = { trial_room + 1024, 64 };

	trial_fd = getpid();
	return put(&v, sizeof(v));
}

static bool log_line(void)
{
	int fd = open("/dev/kmsg", O_WRONLY);

	return fd >= 0 && write(fd, "a line\n", 7) == 7;
}

static bool ended_child(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid > 0;
}

static bool message(void)
{
	struct {
		long type;
		char text[16];
	} m = { 1, "0123456789abcde" };

	trial_fd = msgget(IPC_PRIVATE, 0600);
	return trial_fd >= 0 && msgsnd(trial_fd, &m, sizeof(m.text), 0) == 0;
}

static bool semaphores(void)
{
	trial_fd = semget(IPC_PRIVATE, 4, 0600);
	return trial_fd >= 0;
}

static bool segment(void)
{
	trial_fd = shmget(IPC_PRIVATE, 4096, 0600);
	return trial_fd >= 0;
}

static bool group(void)
{
	gid_t g = 7;

	(void)!syscall(SYS_setgroups, 1, &g);
	return syscall(SYS_getgroups, 0, NULL) > 0;
}

static bool capability_version(void)
{
	return word(0x20080522);
}

static bool set_of_usr1(void)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	return sigprocmask(SIG_BLOCK, &s, NULL) == 0 && put(&s, sizeof(s));
}

static bool pending_usr1(void)
{
	return set_of_usr1() && raise(SIGUSR1) == 0;
}

static bool attribute(void)
{
	trial_fd = open(FILE_NAME, O_RDWR | O_CREAT, 0600);
	return trial_fd >= 0 && fsetxattr(trial_fd, "user.a", "0123456789abcdef", 16, 0) == 0;
}

static bool timer(void)
{
	const struct itimerspec soon = { { 0, 0 }, { 100, 0 } };
	timer_t t;

	if (timer_create(CLOCK_MONOTONIC, NULL, &t) != 0)
		return false;
	trial_fd = 0; /* the kernel's number of the first one */
	return put(&soon, sizeof(soon));
}

static bool timer_file(void)
{
	const struct itimerspec soon = { { 0, 0 }, { 100, 0 } };

	trial_fd = timerfd_create(CLOCK_MONOTONIC, 0);
	return trial_fd >= 0 && put(&soon, sizeof(soon));
}

static bool ready_epoll(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	int p[2];

	trial_fd = epoll_create1(0);
	return pipe(p) == 0 && write(p[1], "x", 1) == 1 &&
	       epoll_ctl(trial_fd, EPOLL_CTL_ADD, p[0], &e) == 0;
}

static bool queue(void)
{
	struct mq_attr a = { .mq_maxmsg = 4, .mq_msgsize = 64 };

	/* glibc's mq_open() wants the slash, the kernel does not. */
	trial_fd = (int)syscall(SYS_mq_open, "privuser-trial", O_RDWR | O_CREAT, 0600, &a);
	return trial_fd >= 0 && syscall(SYS_mq_timedsend, trial_fd, "0123456789", 10, 0, NULL) == 0;
}

static bool empty_queue(void)
{
	const struct timespec now = { 0, 0 };
	char buf[64];

	return queue() && syscall(SYS_mq_timedreceive, trial_fd, buf, 64, NULL, NULL) == 10 &&
	       put(&now, sizeof(now));
}

static bool device(void)
{
	struct stat st;

	if (stat("/", &st) != 0)
		return false;
	trial_fd = (int)st.st_dev;
	return true;
}

static bool own_pidfd(void)
{
	trial_fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	return trial_fd >= 0;
}

static bool plain_file(void)
{
	trial_fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	return trial_fd >= 0 && write(trial_fd, trial_room, 256) == 256;
}

static bool locked_pi(void)
{
	return word((uint64_t)syscall(SYS_gettid));
}

/* ---- pointers behind pointers: the structure is in our page ---- */

static bool names_target(void)
{
	return word(trial_target);
}

static bool sigset_with_size(void)
{
	const uint64_t s[2] = { trial_target, 8 };

	return put(s, sizeof(s));
}

static bool filter(void)
{
	const struct {
		uint16_t len;
		uint64_t code;
	} f = { 2, trial_target };

	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return put(&f, sizeof(f));
}

static bool vector(void)
{
	const struct iovec v = { (void *)trial_target, 4096 };

	trial_fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	return trial_fd >= 0 && put(&v, sizeof(v));
}

static bool messages(bool iov_inside, bool name)
{
	struct iovec *v = (struct iovec *)(trial_room + 1024);
	struct mmsghdr *m = (struct mmsghdr *)trial_room;

	if (!stream())
		return false;
	*v = (struct iovec){ name ? trial_room + 2048 : (void *)trial_target, 16 };
	*m = (struct mmsghdr){ .msg_hdr = { .msg_iov = iov_inside ? (void *)trial_target : v,
					    .msg_iovlen = 1 } };
	if (name) {
		m->msg_hdr.msg_control = (void *)trial_target;
		m->msg_hdr.msg_controllen = 64;
	}
	return true;
}

static bool message_data(void)
{
	return messages(false, false);
}

static bool message_vector(void)
{
	return messages(true, false);
}

static bool message_control(void)
{
	return messages(false, true);
}

/*
 * clone3: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, its
 * size
 */
static bool clone_tid_set(void)
{
	const uint64_t c[11] = { [4] = SIGCHLD, [8] = trial_target, [9] = 1 };

	return put(c, sizeof(c));
}

static bool clone_pidfd(void)
{
	const uint64_t c[11] = { CLONE_PIDFD, [1] = trial_target, [4] = SIGCHLD };

	return put(c, sizeof(c));
}

static bool own_words(void)
{
	return put("/proc/self/exe", 15);
}

/* ---- the rows ---- */

#define USR1 SIGUSR1
#define PI   (FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG)

const struct command commands[] = {
	{ SYS_rt_sigaction, 1, { USR1, T, 0, 8 } },
	{ SYS_rt_sigaction, 2, { USR1, 0, T, 8 } },
	{ SYS_rt_sigprocmask, 1, { 0, T, 0, 8 } },
	{ SYS_rt_sigprocmask, 2, { 0, 0, T, 8 } },
	{ SYS_nanosleep, 1, { R(0), T }, long_sleep },
	{ SYS_clock_nanosleep, 3, { 1, 0, R(0), T }, long_sleep },
	{ SYS_accept, 1, { FD, T, R(0) }, listener },
	{ SYS_accept, 2, { FD, R(64), T }, listener },
	{ SYS_accept4, 1, { FD, T, R(0), 0 }, listener },
	{ SYS_accept4, 2, { FD, R(64), T, 0 }, listener },
	{ SYS_sendto, 1, { FD, T, 16, 0, 0, 0 }, stream },
	{ SYS_recvfrom, 1, { FD, T, 16, 0, 0, 0 }, stream },
	{ SYS_recvfrom, 4, { FD, R(64), 16, 0, T, R(0) }, datagram },
	{ SYS_recvfrom, 5, { FD, R(64), 16, 0, R(1024), T }, datagram },
	{ SYS_socketpair, 3, { AF_UNIX, SOCK_STREAM, 0, T } },
	{ SYS_setsockopt, 3, { FD, SOL_SOCKET, SO_RCVBUF, T, 4 }, stream },
	{ SYS_getsockopt, 3, { FD, SOL_SOCKET, SO_RCVBUF, T, R(0) }, stream },
	{ SYS_getsockopt, 4, { FD, SOL_SOCKET, SO_RCVBUF, R(64), T }, stream },
	{ SYS_wait4, 1, { UINT64_MAX, T, 0, 0 }, ended_child },
	{ SYS_wait4, 3, { UINT64_MAX, 0, 0, T }, ended_child },
	{ SYS_waitid, 2, { P_ALL, 0, T, WEXITED, 0 }, ended_child },
	{ SYS_waitid, 4, { P_ALL, 0, 0, WEXITED, T }, ended_child },
	{ SYS_msgrcv, 1, { FD, T, 16, 0, 0 }, message },
	{ SYS_msgctl, 2, { FD, IPC_STAT, T }, message },
	{ SYS_msgctl, NESTED, { FD, IPC_SET, T }, message },
	{ SYS_semctl, NESTED, { FD, 0, IPC_STAT, T }, semaphores },
	{ SYS_semctl, NESTED, { FD, 0, GETALL, T }, semaphores },
	{ SYS_semctl, NESTED, { FD, 0, SETALL, T }, semaphores },
	{ SYS_semctl, NESTED, { FD, 0, IPC_SET, T }, semaphores },
	{ SYS_shmctl, 2, { FD, IPC_STAT, T }, segment },
	{ SYS_shmctl, NESTED, { FD, IPC_SET, T }, segment },
	{ SYS_readlink, 1, { R(0), T, 64 }, own_words },
	{ SYS_readlinkat, 2, { AT_FDCWD, R(0), T, 64 }, own_words },
	{ SYS_syslog, 1, { 3, T, 4096 }, log_line },
	{ SYS_getsockname, 1, { FD, T, R(0) }, listener },
	{ SYS_getpeername, 1, { FD, T, R(0) }, own_name },
	{ SYS_process_vm_readv, 3, { FD, R(0), 1, T, 1, 0 }, own_vector },
	{ SYS_process_vm_writev, 3, { FD, R(0), 1, T, 1, 0 }, own_vector },
	{ SYS_getgroups, 1, { 64, T }, group },
	{ SYS_capget, 1, { R(0), T }, capability_version },
	{ SYS_capset, 1, { R(0), T }, capability_version },
	{ SYS_rt_sigpending, 0, { T, 8 } },
	{ SYS_rt_sigtimedwait, 0, { T, 0, 0, 8 } },
	{ SYS_rt_sigtimedwait, 1, { R(0), T, 0, 8 }, pending_usr1 },
	{ SYS_rt_sigtimedwait, 2, { R(0), 0, T, 8 }, set_of_usr1 },
	{ SYS_rt_sigsuspend, 0, { T, 8 } },
	{ SYS_sigaltstack, 0, { T, 0 } },
	{ SYS_sigaltstack, 1, { 0, T } },
	{ SYS_arch_prctl, 1, { 0x1003, T } }, /* ARCH_GET_FS */
	{ SYS_setxattr, 2, { (uint64_t)FILE_NAME, (uint64_t) "user.b", T, 16, 0 }, attribute },
	{ SYS_lsetxattr, 2, { (uint64_t)FILE_NAME, (uint64_t) "user.b", T, 16, 0 }, attribute },
	{ SYS_fsetxattr, 2, { FD, (uint64_t) "user.b", T, 16, 0 }, attribute },
	{ SYS_getxattr, 2, { (uint64_t)FILE_NAME, (uint64_t) "user.a", T, 16 }, attribute },
	{ SYS_lgetxattr, 2, { (uint64_t)FILE_NAME, (uint64_t) "user.a", T, 16 }, attribute },
	{ SYS_fgetxattr, 2, { FD, (uint64_t) "user.a", T, 16 }, attribute },
	{ SYS_listxattr, 1, { (uint64_t)FILE_NAME, T, 64 }, attribute },
	{ SYS_llistxattr, 1, { (uint64_t)FILE_NAME, T, 64 }, attribute },
	{ SYS_flistxattr, 1, { FD, T, 64 }, attribute },
	{ SYS_futex, 0, { T, FUTEX_WAIT, 0, 0 } },
	{ SYS_futex, 0, { T, FUTEX_WAIT_BITSET, 0, 0, 0, 1 } },
	{ SYS_futex, 0, { T, PI, 0, 0 } },
	{ SYS_futex, 0, { T, FUTEX_TRYLOCK_PI, 0, 0 } },
	{ SYS_futex, 0, { T, FUTEX_UNLOCK_PI, 0, 0 } },
	{ SYS_futex, 0, { T, FUTEX_CMP_REQUEUE, 1, 1, R(0), 0 } },
	{ SYS_futex, 3, { R(0), FUTEX_WAIT, 0, T } },
	{ SYS_futex, 3, { R(0), PI, 0, T }, locked_pi, "it is our own lock: EDEADLK" },
	{ SYS_futex, 4, { R(0), FUTEX_WAKE_OP, 1, 1, T, 1u << 24 | 1 << 12 } },
	{ SYS_futex,
	  4,
	  { R(0), FUTEX_REQUEUE, 1, 1, T, 0 },
	  NULL,
	  "a place to wait, not memory to look at" },
	{ SYS_timer_create, 1, { 1, T, R(0) } },
	{ SYS_timer_create, 2, { 1, 0, T } },
	{ SYS_timer_settime, 2, { FD, 0, T, 0 }, timer },
	{ SYS_timer_settime, 3, { FD, 0, R(0), T }, timer },
	{ SYS_timer_gettime, 1, { FD, T }, timer },
	{ SYS_timerfd_settime, 2, { FD, 0, T, 0 }, timer_file },
	{ SYS_timerfd_settime, 3, { FD, 0, R(0), T }, timer_file },
	{ SYS_timerfd_gettime, 1, { FD, T }, timer_file },
	{ SYS_epoll_wait, 1, { FD, T, 1, 0 }, ready_epoll },
	{ SYS_epoll_pwait, 1, { FD, T, 1, 0, 0, 8 }, ready_epoll },
	{ SYS_epoll_pwait, 4, { FD, R(0), 1, 0, T, 8 }, ready_epoll },
	{ SYS_epoll_pwait2, 1, { FD, T, 1, R(64), 0, 8 }, ready_epoll },
	{ SYS_epoll_pwait2, 3, { FD, R(0), 1, T, 0, 8 }, ready_epoll },
	{ SYS_epoll_pwait2, 4, { FD, R(0), 1, R(64), T, 8 }, ready_epoll },
	{ SYS_mq_timedsend, 1, { FD, T, 16, 0, 0 }, queue },
	{ SYS_mq_timedreceive, 1, { FD, T, 64, 0, 0 }, queue },
	{ SYS_mq_timedreceive, 3, { FD, R(0), 64, T, 0 }, queue },
	{ SYS_mq_timedreceive, 4, { FD, R(64), 64, 0, T }, empty_queue },
	{ SYS_mq_getsetattr, 1, { FD, T, 0 }, queue },
	{ SYS_mq_getsetattr, 2, { FD, 0, T }, queue },
	{ SYS_pselect6, 1, { 1, T, 0, 0, R(0), 0 } },
	{ SYS_pselect6, 2, { 1, 0, T, 0, R(0), 0 } },
	{ SYS_pselect6, 3, { 1, 0, 0, T, R(0), 0 } },
	{ SYS_pselect6, NESTED, { 1, 0, 0, 0, R(64), R(0) }, sigset_with_size },
	{ SYS_ppoll, 0, { T, 1, R(0), 0, 8 } },
	{ SYS_ppoll, 3, { R(0), 0, R(64), T, 8 } },
	{ SYS_signalfd, 1, { UINT64_MAX, T, 8 } },
	{ SYS_signalfd4, 1, { UINT64_MAX, T, 8, 0 } },
	{ SYS_sched_getattr, 1, { 0, T, 56, 0 } },
	{ SYS_pidfd_send_signal, 2, { FD, 0, T, 0 }, own_pidfd },
	{ SYS_openat2, 1, { AT_FDCWD, T, R(64), 24 } },
	{ SYS_ustat, 1, { FD, T }, device },
	{ SYS_fcntl, NESTED, { FD, F_GETLK, T }, plain_file },
	{ SYS_fcntl, NESTED, { FD, F_SETLK, T }, plain_file },
	{ SYS_fcntl, NESTED, { FD, F_OFD_GETLK, T }, plain_file },
	{ SYS_fcntl, NESTED, { FD, F_OFD_SETLK, T }, plain_file },
	{ SYS_fcntl, NESTED, { FD, F_GETOWN_EX, T }, stream },
	{ SYS_fcntl, NESTED, { FD, F_SETOWN_EX, T }, stream },
	{ SYS_prctl, NESTED, { PR_SET_NAME, T } },
	{ SYS_prctl, NESTED, { PR_GET_NAME, T } },
	{ SYS_prctl, NESTED, { PR_GET_PDEATHSIG, T } },
	{ SYS_prctl, NESTED, { PR_GET_CHILD_SUBREAPER, T } },
	{ SYS_prctl, NESTED, { PR_GET_TID_ADDRESS, T } },
	{ SYS_prctl, NESTED, { PR_SET_SECCOMP, 2, T } },
	{ SYS_seccomp, 2, { SECCOMP_SET_MODE_FILTER, 0, T } },
	{ SYS_seccomp, 2, { SECCOMP_GET_ACTION_AVAIL, 0, T } },
	{ SYS_seccomp, 2, { SECCOMP_GET_NOTIF_SIZES, 0, T } },
	{ SYS_seccomp, NESTED, { SECCOMP_SET_MODE_FILTER, 0, R(0) }, filter },
	{ SYS_process_madvise,
	  NESTED,
	  { FD, R(0), 1, MADV_COLD, 0 },
	  vector,
	  "EPERM, or what the advice says" },
	{ SYS_process_madvise, NESTED, { FD, R(0), 1, MADV_PAGEOUT, 0 }, vector, "the same" },
	{ SYS_sendmmsg, NESTED, { FD, R(0), 1, 0 }, message_data },
	{ SYS_sendmmsg, NESTED, { FD, R(0), 1, 0 }, message_vector },
	{ SYS_recvmmsg, NESTED, { FD, R(0), 1, 0, 0 }, message_data },
	{ SYS_recvmmsg, NESTED, { FD, R(0), 1, 0, 0 }, message_vector },
	{ SYS_recvmmsg,
	  NESTED,
	  { FD, R(0), 1, 0, 0 },
	  message_control,
	  "no control message comes" },
	{ SYS_clone3, NESTED, { R(0), 88 }, clone_tid_set, "it is not served: EINVAL" },
	{ SYS_clone3, NESTED, { R(0), 88 }, clone_pidfd },
	{ SYS_execve, NESTED, { (uint64_t) "/proc/self/exe", R(0), 0 }, names_target },
	{ SYS_execve, NESTED, { (uint64_t) "/proc/self/exe", R(64), R(0) }, names_target },
};
const unsigned ncommands = sizeof(commands) / sizeof(commands[0]);

static const char address[] =
	"an address to map, change or give away, not memory to look at: group 7";
static const char later[] =
	"looked at when the thread ends or returns to ring 3: delayed() in calls.c";

const struct no_look no_looks[] = {
	{ SYS_mmap, 0, address },
	{ SYS_mprotect, 0, address },
	{ SYS_munmap, 0, address },
	{ SYS_brk, 0, address },
	{ SYS_mremap, 0, address },
	{ SYS_mremap, 4, address },
	{ SYS_msync, 0, address },
	{ SYS_mincore, 0, address },
	{ SYS_madvise, 0, address },
	{ SYS_shmat, 1, address },
	{ SYS_shmdt, 0, address },
	{ SYS_mlock, 0, address },
	{ SYS_munlock, 0, address },
	{ SYS_mlock2, 0, address },
	{ SYS_set_tid_address, 0, later },
	{ SYS_set_robust_list, 0, later },
	{ SYS_rseq, 0, later },
	{ SYS_clone, 1, "a stack pointer: the child's own, in ring 3" },
	{ SYS_clone, 2, "no error is told: thread_ids() in calls.c" },
	{ SYS_clone, 3, "no error is told: thread_ids() in calls.c" },
	{ SYS_ptrace, 2, "the other process's address: debugger() in calls.c" },
	{ SYS_ptrace, 3, "by request: scans.c" },
	{ SYS_getcpu, 2, "Linux does not use it since 2.6.24" },
	{ SYS_name_to_handle_at, 3, "no file system here has handles: EOPNOTSUPP" },
	{ SYS_reboot, 3, "a text for one command that does not return" },
};
const unsigned nno_looks = sizeof(no_looks) / sizeof(no_looks[0]);
