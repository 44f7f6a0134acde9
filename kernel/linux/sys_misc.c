/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls about the machine: its name, its state, random bytes. */
#include <linux/capability.h>
#include <linux/personality.h>
#include <linux/random.h>
#include <linux/sysinfo.h>
#include <linux/utsname.h>

#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/linux/linux.h"
#include "kernel/linux/version.h"
#include "kernel/mem/frame.h"
#include "kernel/task/task.h"

static char hostname[__NEW_UTS_LEN + 1] = "ringfence";

const char *linux_hostname(void)
{
	return hostname;
}

void linux_set_hostname(const char *name)
{
	(void)str_copy(hostname, sizeof(hostname), name);
}

long sys_uname(uaddr_t to)
{
	struct new_utsname u;

	memset(&u, 0, sizeof(u));
	(void)str_copy(u.sysname, sizeof(u.sysname), LINUX_SYSNAME);
	(void)str_copy(u.nodename, sizeof(u.nodename), hostname);
	(void)str_copy(u.release, sizeof(u.release), LINUX_RELEASE);
	(void)str_copy(u.version, sizeof(u.version), LINUX_VERSION);
	(void)str_copy(u.machine, sizeof(u.machine),
		       (current_task->personality & PER_MASK) == PER_LINUX32 ? "i686"
									     : LINUX_MACHINE);
	(void)str_copy(u.domainname, sizeof(u.domainname), linux_domainname());
	return USER_OUT(to, &u);
}

long sys_sethostname(uaddr_t from, size_t len)
{
	char name[__NEW_UTS_LEN + 1] = "";

	if (!(current_task->cred.cap_effective & 1ull << CAP_SYS_ADMIN))
		return E_PERM;
	if (len > __NEW_UTS_LEN)
		return E_INVAL;
	TRY(user_in(name, from, len));
	memcpy(hostname, name, sizeof(hostname));
	return 0;
}

long sys_sysinfo(uaddr_t to)
{
	struct mem_stats m;
	struct sysinfo si;

	mem_stats(&m);
	memset(&si, 0, sizeof(si));
	si.uptime = (long)(time_mono_ns() / 1000000000u);
	si.totalram = m.total;
	si.freeram = m.free;
	si.procs = (uint16_t)task_count();
	si.mem_unit = 1;
	return USER_OUT(to, &si);
}

#define RANDOM_SLICE 256

long sys_getrandom(uaddr_t to, size_t len, unsigned flags)
{
	uint8_t buf[RANDOM_SLICE];
	size_t done = 0;

	if ((flags & ~(unsigned)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) ||
	    (flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return E_INVAL;
	if (len > INT32_MAX)
		len = INT32_MAX;
	while (done < len) {
		size_t n = len - done < sizeof(buf) ? len - done : sizeof(buf);

		random_bytes(buf, n);
		if (user_out(UADDR(to.v + done), buf, n) != OK)
			return done > 0 ? (long)done : E_FAULT;
		done += n;
		if (done < len && (sched_breathe() || signal_pending_current()))
			break;
	}
	return (long)done;
}
