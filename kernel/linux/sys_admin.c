/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls for the administrator: log, clocks, names, the end of the machine, old file-system
 * calls.
 */
#include <linux/capability.h>
#include <linux/reboot.h>
#include <linux/timex.h>
#include <linux/utsname.h>

#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/linux/linux.h"
#include "kernel/linux/version.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/task.h"
#include "kernel/vfs/fd.h"
#include "kernel/vfs/path.h"
#include "kernel/vfs/poll.h"

static char domainname[__NEW_UTS_LEN + 1] = LINUX_DOMAIN;

const char *linux_domainname(void)
{
	return domainname;
}

void linux_set_domainname(const char *name)
{
	(void)str_copy(domainname, sizeof(domainname), name);
}

long sys_setdomainname(uaddr_t from, int len)
{
	char name[__NEW_UTS_LEN + 1] = "";

	if (!task_capable(CAP_SYS_ADMIN))
		return E_PERM;
	if (len < 0 || len > __NEW_UTS_LEN)
		return E_INVAL;
	TRY(user_in(name, from, (size_t)len));
	memcpy(domainname, name, sizeof(domainname));
	return 0;
}

/* ---- the kernel's log ---- */

enum {
	SYSLOG_CLOSE,
	SYSLOG_OPEN,
	SYSLOG_READ,
	SYSLOG_READ_ALL,
	SYSLOG_READ_CLEAR,
	SYSLOG_CLEAR,
	SYSLOG_OFF,
	SYSLOG_ON,
	SYSLOG_LEVEL,
	SYSLOG_UNREAD,
	SYSLOG_SIZE
};

#define LOG_POLL_NS 100000000u

static uint64_t log_read_pos, log_clear_pos;

/* Whole lines of the log from *pos on, the newest if not all fit; *pos moves behind them. */
static long log_out(uint64_t *pos, uaddr_t to, size_t size, bool newest)
{
	size_t done = 0;
	uint64_t from = *pos;
	char *buf;
	err_t err;

	if (size > LOG_RING_SIZE)
		size = LOG_RING_SIZE;
	buf = kmem_alloc(size);
	if (buf == NULL)
		return E_NOMEM;
	if (newest && log_ring_end() - from > size)
		from = log_ring_line_after(log_ring_end() - size);
	done = log_ring_read(&from, buf, size);
	err = user_out(to, buf, done);
	kmem_free(buf);
	if (err != OK)
		return err;
	*pos = from;
	return (long)done;
}

/* MAY_SWITCH */
static long log_take(uaddr_t to, size_t size)
{
	/* Lines are written in the middle of anything, where nobody could be woken. */
	while (log_read_pos >= log_ring_end()) {
		wait_prepare();
		if (wait_commit(time_mono_ns() + LOG_POLL_NS, true) == WAIT_SIGNAL)
			return E_RESTARTSYS;
	}
	return log_out(&log_read_pos, to, size, false);
}

static bool log_is_open_to(int type)
{
	return task_capable(CAP_SYSLOG) || task_capable(CAP_SYS_ADMIN) || type == SYSLOG_READ_ALL ||
	       type == SYSLOG_SIZE;
}

static long log_all(uaddr_t to, size_t size, bool clear)
{
	uint64_t pos = log_clear_pos;
	long n = log_out(&pos, to, size, true);

	if (n >= 0 && clear)
		log_clear_pos = log_ring_end();
	return n;
}

long sys_syslog(int type, uaddr_t to, int size)
{
	if (!log_is_open_to(type))
		return E_PERM;
	switch (type) {
	case SYSLOG_CLOSE:
	case SYSLOG_OPEN: return 0;
	case SYSLOG_READ:
	case SYSLOG_READ_ALL:
	case SYSLOG_READ_CLEAR:
		if (to.v == 0 || size < 0)
			return E_INVAL;
		if (size == 0)
			return 0;
		if (type == SYSLOG_READ)
			return log_take(to, (size_t)size);
		return log_all(to, (size_t)size, type == SYSLOG_READ_CLEAR);
	case SYSLOG_CLEAR: log_clear_pos = log_ring_end(); return 0;
	case SYSLOG_OFF: log_console(false); return 0;
	case SYSLOG_ON: log_console(true); return 0;
	case SYSLOG_LEVEL:
		if (size < 1 || size > 8)
			return E_INVAL;
		log_console_level(size);
		return 0;
	case SYSLOG_UNREAD: {
		uint64_t from = log_read_pos;

		return (long)(log_ring_end() - log_ring_line_after(from));
	}
	case SYSLOG_SIZE: return LOG_RING_SIZE;
	default: return E_INVAL;
	}
}

/* ---- the clock's state ---- */

#define MAX_ERROR_US  16000000
#define TOLERANCE_PPM 500
#define PPM_SCALE     65536

/*
 * What a daemon says about its errors and state is kept for others to read. It can set the rate;
 * the kernel's own loops (ADJ_OFFSET, ADJ_TICK) are not there.
 */
static struct {
	int64_t maxerror, esterror, constant;
	int64_t freq; /* ppm, times PPM_SCALE */
	int status, tai;
} ntp = { .maxerror = MAX_ERROR_US, .esterror = MAX_ERROR_US, .constant = 2, .status = STA_UNSYNC };

static err_t timex_check(const struct __kernel_timex *t)
{
	const unsigned known = ADJ_OFFSET | ADJ_FREQUENCY | ADJ_MAXERROR | ADJ_ESTERROR |
			       ADJ_STATUS | ADJ_TIMECONST | ADJ_TAI | ADJ_SETOFFSET | ADJ_MICRO |
			       ADJ_NANO | ADJ_TICK;
	unsigned m = t->modes;

	if (m == ADJ_OFFSET_SS_READ)
		return OK;
	if (m != 0 && !task_capable(CAP_SYS_TIME))
		return E_PERM;
	if (m == ADJ_OFFSET_SINGLESHOT)
		return OK;
	if ((m & (ADJ_OFFSET | ADJ_TICK)) != 0)
		return E_OPNOTSUPP;
	if ((m & ~known) != 0)
		return E_INVAL;
	if ((m & ADJ_SETOFFSET) != 0 &&
	    (t->time.tv_usec < 0 ||
	     t->time.tv_usec >= ((m & ADJ_NANO) != 0 ? 1000000000 : 1000000)))
		return E_INVAL;
	return OK;
}

static void set_frequency(int64_t freq)
{
	const int64_t most = TOLERANCE_PPM * PPM_SCALE;

	if (freq > most)
		freq = most;
	ntp.freq = freq < -most ? -most : freq;
	linux_bend_time((int32_t)(ntp.freq * 1000 / PPM_SCALE));
}

static void timex_apply(const struct __kernel_timex *t)
{
	const int settable = ~STA_RONLY;
	unsigned m = t->modes;

	if (m == ADJ_OFFSET_SS_READ)
		return;
	if (m == ADJ_OFFSET_SINGLESHOT) {
		/* adjtime(3): all of it at once, as the rate is not changed. */
		if (t->offset != 0)
			linux_set_real_time(time_real_ns() + (uint64_t)t->offset * 1000u);
		return;
	}
	if ((m & ADJ_SETOFFSET) != 0)
		linux_set_real_time(time_real_ns() + (uint64_t)t->time.tv_sec * 1000000000u +
				    (uint64_t)t->time.tv_usec * ((m & ADJ_NANO) != 0 ? 1 : 1000));
	if ((m & ADJ_FREQUENCY) != 0)
		set_frequency(t->freq);
	if ((m & ADJ_STATUS) != 0)
		ntp.status = (ntp.status & STA_RONLY) | (t->status & settable);
	if ((m & ADJ_NANO) != 0)
		ntp.status |= STA_NANO;
	if ((m & ADJ_MICRO) != 0)
		ntp.status &= ~STA_NANO;
	if ((m & ADJ_MAXERROR) != 0)
		ntp.maxerror = t->maxerror;
	if ((m & ADJ_ESTERROR) != 0)
		ntp.esterror = t->esterror;
	if ((m & ADJ_TAI) != 0)
		ntp.tai = (int)t->constant;
	else if ((m & ADJ_TIMECONST) != 0)
		ntp.constant = t->constant;
}

long sys_clock_adjtime(int clock, uaddr_t at)
{
	struct __kernel_timex t;
	uint64_t now;

	if (clock != 0) /* CLOCK_REALTIME alone can be adjusted */
		return clock > 0 && clock < 12 ? E_OPNOTSUPP : E_INVAL;
	TRY(USER_IN(&t, at));
	TRY(timex_check(&t));
	timex_apply(&t);
	now = time_real_ns();
	t = (struct __kernel_timex){ .modes = t.modes,
				     .freq = ntp.freq,
				     .maxerror = ntp.maxerror,
				     .esterror = ntp.esterror,
				     .status = ntp.status,
				     .constant = ntp.constant,
				     .precision = 1,
				     .tolerance = TOLERANCE_PPM * PPM_SCALE,
				     .tick = 10000,
				     .tai = ntp.tai };
	t.time.tv_sec = (int64_t)(now / 1000000000u);
	t.time.tv_usec = (int64_t)(now % 1000000000u) / ((ntp.status & STA_NANO) != 0 ? 1 : 1000);
	TRY(USER_OUT(at, &t));
	return (ntp.status & (STA_UNSYNC | STA_CLOCKERR)) != 0 ? TIME_ERROR : TIME_OK;
}

long sys_adjtimex(uaddr_t at)
{
	return sys_clock_adjtime(0, at);
}

/* ---- the end of the machine ---- */

/* There is nothing to start again: a restart is an end, too. MAY_SWITCH */
long sys_reboot(unsigned magic1, unsigned magic2, unsigned cmd, uaddr_t arg)
{
	(void)arg;
	if (!task_capable(CAP_SYS_BOOT))
		return E_PERM;
	if (magic1 != LINUX_REBOOT_MAGIC1 ||
	    (magic2 != LINUX_REBOOT_MAGIC2 && magic2 != LINUX_REBOOT_MAGIC2A &&
	     magic2 != LINUX_REBOOT_MAGIC2B && magic2 != LINUX_REBOOT_MAGIC2C))
		return E_INVAL;
	switch (cmd) {
	case LINUX_REBOOT_CMD_CAD_ON:
	case LINUX_REBOOT_CMD_CAD_OFF: return 0; /* no keyboard */
	case LINUX_REBOOT_CMD_RESTART:
	case LINUX_REBOOT_CMD_RESTART2:
	case LINUX_REBOOT_CMD_HALT:
	case LINUX_REBOOT_CMD_POWER_OFF:
		log_info("%s[%d] ends the machine (reboot)", current->comm, current_task->pid);
		console_exit(0);
	default: return E_INVAL;
	}
}

/* ---- swap, accounting, ports ---- */

/* There are no block devices, and no file system here tells where its blocks are. */
static long no_swap_file(uaddr_t upath)
{
	struct path p;
	char *name;
	err_t err;

	if (!task_capable(CAP_SYS_ADMIN))
		return E_PERM;
	TRY(path_buf_get(&name, upath));
	err = path_lookup(AT_FDCWD_, name, LOOK_FOLLOW, &p);
	path_buf_put(name);
	if (err != OK)
		return err;
	path_put(&p);
	return E_INVAL;
}

long sys_swapon(uaddr_t path, int flags)
{
	if ((flags & ~0x7ffff) != 0)
		return E_INVAL;
	return no_swap_file(path);
}

long sys_swapoff(uaddr_t path)
{
	return no_swap_file(path);
}

/* Devices are the kernel's: no program gets a port, as in a locked-down Linux. */
long sys_iopl(unsigned level)
{
	return level > 3 ? E_INVAL : level == 0 ? 0 : E_PERM;
}

long sys_ioperm(unsigned long from, unsigned long num, int on)
{
	if (from + num <= from || from + num > 65536)
		return E_INVAL;
	return on ? E_PERM : 0;
}

long sys_vhangup(void)
{
	if (!task_capable(CAP_SYS_TTY_CONFIG))
		return E_PERM;
	if (current_task->tty != NULL)
		tty_hangup_session(current_task->tty);
	return 0;
}

/* ---- old calls on file systems ---- */

struct ustat_k {
	int32_t tfree;
	uint64_t tinode;
	char fname[6], fpack[6];
};

long sys_ustat(unsigned dev, uaddr_t to)
{
	LIST_FOR_EACH(pos, &all_mounts) {
		struct mount *m = list_entry(pos, struct mount, all);
		struct path p = { m, m->root };
		struct kstatfs st;
		struct ustat_k u;

		if ((uint32_t)m->super->dev != dev)
			continue;
		TRY(vfs_statfs(&p, &st));
		memset(&u, 0, sizeof(u));
		u.tfree = (int32_t)st.bfree;
		u.tinode = st.ffree;
		return USER_OUT(to, &u);
	}
	return E_INVAL;
}

static long fs_number(uaddr_t uname)
{
	char name[32];
	err_t err = user_string(name, uname, sizeof(name));

	if (err != OK)
		return err == E_NAMETOOLONG ? E_INVAL : err;
	for (unsigned i = 0; fs_at(i) != NULL; i++)
		if (strcmp(fs_at(i)->name, name) == 0)
			return (long)i;
	return E_INVAL;
}

long sys_sysfs(int option, uint64_t a, uaddr_t b)
{
	unsigned n = 0;

	switch (option) {
	case 1: return fs_number(UADDR(a));
	case 2:
		if (a > UINT32_MAX || fs_at((unsigned)a) == NULL)
			return E_INVAL;
		return user_out(b, fs_at((unsigned)a)->name, strlen(fs_at((unsigned)a)->name) + 1);
	case 3:
		while (fs_at(n) != NULL)
			n++;
		return n;
	default: return E_INVAL;
	}
}
