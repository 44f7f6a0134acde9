/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls for the administrator, as a user; priorities of I/O; unshare; personality. */
#include <linux/ioprio.h>
#include <sched.h>
#include <sys/klog.h>
#include <sys/personality.h>
#include <sys/reboot.h>
#include <sys/swap.h>
#include <sys/timex.h>
#include <sys/utsname.h>

#include "test/linux/prog/check.h"

static void as_user(void)
{
	MUST(setgid(1234));
	MUST(setuid(1234));
}

static void clocks(void)
{
	struct timex t = { .modes = 0 };
	struct timeval tv = { 1, 0 };
	struct timezone tz = { 0, 0 };

	as_user();
	YES("adjtimex reads", adjtimex(&t) >= 0);
	say("tolerance %ld tick %ld", t.tolerance, t.tick);
	YES("time", t.time.tv_sec > 1000000000);
	t.modes = ADJ_TICK;
	RES("adjtimex", adjtimex(&t));
	t.modes = ADJ_FREQUENCY;
	RES("set frequency", adjtimex(&t));
	t.modes = ADJ_SETOFFSET;
	RES("set offset", adjtimex(&t));
	t.modes = ADJ_OFFSET_SS_READ;
	YES("single-shot read", adjtimex(&t) >= 0);
	RES("bad address", adjtimex((void *)8));
	t.modes = 0;
	RES("monotonic", clock_adjtime(CLOCK_MONOTONIC, &t));
	RES("bad clock", clock_adjtime(77, &t));
	RES("settimeofday", settimeofday(&tv, NULL));
	RES("zone", syscall(SYS_settimeofday, NULL, &tz));
	tv.tv_usec = 2000000;
	RES("bad time", settimeofday(&tv, NULL));
	RES("bad address", syscall(SYS_settimeofday, (void *)8, NULL));
}

static void machine(void)
{
	as_user();
	RES("reboot", syscall(SYS_reboot, 0xfee1dead, 672274793, 0, 0));
	RES("reboot, bad magic", syscall(SYS_reboot, 1, 2, 3, 4));
	RES("swapon", swapon("/etc/passwd", 0));
	RES("swapon, bad flags", swapon("/etc/passwd", 0x1000000));
	RES("swapoff", swapoff("/nothing"));
	RES("setdomainname", setdomainname("x", 1));
	RES("sethostname", sethostname("x", 1));
	RES("vhangup", vhangup());
	RES("klogctl type", klogctl(77, NULL, 0));
	RES("ustat", syscall(SYS_ustat, 0xffff, &(char[64]){ 0 }));
	RES("sysfs", syscall(SYS_sysfs, 9, 0, 0));
	RES("sysfs name", syscall(SYS_sysfs, 1, "nothing", 0));
	YES("sysfs count", syscall(SYS_sysfs, 3, 0, 0) > 3);
	RES("name to handle flags",
	    syscall(SYS_name_to_handle_at, AT_FDCWD, ".", NULL, NULL, 0x1234));
}

static void ioprio(void)
{
	int st;

	RET("at first", syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0));
	RES("set",
	    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 6)));
	HEX("get", syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0));
	st = CHILD({ HEX("child", syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0)); });
	say_status("child", st);
	RES("idle", syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, getpid(),
			    IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0)));
	HEX("get", syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, getpid()));
	RES("bad class", syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(5, 0)));
	RES("none with data", syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, 3));
	RES("bad which", syscall(SYS_ioprio_get, 9, 0));
	RES("nobody", syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 3999999));
	as_user();
	RES("real time",
	    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_RT, 0)));
	RES("of init",
	    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 1, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 0)));
}

static int shared(void *arg)
{
	int *fd = arg;

	RES("unshare", unshare(CLONE_FILES | CLONE_FS));
	MUST(close(*fd));
	MUST(chdir("/"));
	umask(077);
	return 0;
}

static void sharing(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	int fd = dup(1), pid;
	mode_t mask = umask(022);

	(void)mask;
	pid = (int)MUST(clone(shared, stack + sizeof(stack),
			      CLONE_FILES | CLONE_FS | CLONE_VM | SIGCHLD, &fd));
	say_status("child", wait_for(pid));
	YES("descriptor still open", fcntl(fd, F_GETFD) >= 0);
	YES("directory the same",
	    access("/etc", F_OK) == 0 && getcwd(stack, 1000) != NULL && strcmp(stack, "/") != 0);
	say("umask %o", umask(0));
	RES("bad flag", unshare(1));
	RES("nothing", unshare(0));
	RES("sysvsem", unshare(CLONE_SYSVSEM));
	RES("vm", unshare(CLONE_VM));
	RES("setns", setns(-1, 0));
	RES("setns file", setns(fd, 0));
}

static void persona(void)
{
	struct utsname u;
	char line[2][256] = { "", "" };

	HEX("at first", personality(0xffffffff));
	HEX("old", personality(ADDR_NO_RANDOMIZE));
	HEX("now", personality(0xffffffff));
	for (int i = 0; i < 2; i++) {
		FILE *p = popen("grep stack /proc/self/maps", "r");

		if (p != NULL && fgets(line[i], sizeof(line[i]), p) == NULL)
			say("no line");
		pclose(p);
	}
	YES("the same addresses", strcmp(line[0], line[1]) == 0);
	personality(PER_LINUX32);
	uname(&u);
	STR("machine", u.machine);
	personality(PER_LINUX);
	uname(&u);
	STR("machine", u.machine);
}

static const struct section sections[] = {
	{ "clocks", clocks },   { "machine", machine }, { "ioprio", ioprio },
	{ "sharing", sharing }, { "persona", persona },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
