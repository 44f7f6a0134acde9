/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/sys. Numbers are what this kernel does; what cannot be changed is not writable. */
#include <linux/capability.h>
#include <linux/limits.h>

#include "abi/layout.h"
#include "base/str.h"
#include "comp/fs/proc/local.h"
#include "kernel/core/core.h"
#include "kernel/ipc/ipc.h"
#include "kernel/ipc/mq.h"
#include "kernel/linux/core.h"
#include "kernel/linux/linux.h"
#include "kernel/linux/version.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/kmem.h"

/* A file with a fixed text. */
#define FIXED(fn, string)                                         \
	static err_t fn(const struct proc_ref *r, struct text *t) \
	{                                                         \
		(void)r;                                          \
		text_puts(t, string "\n");                        \
		return OK;                                        \
	}

FIXED(ostype, LINUX_SYSNAME)
FIXED(osrelease, LINUX_RELEASE)
FIXED(version, LINUX_VERSION)
FIXED(pid_max, "32768")
FIXED(entropy, "256")
FIXED(overflow_id, "65534")
FIXED(overcommit, "1") /* memory is given when it is touched: nothing is refused before */
FIXED(max_map_count, "65530")
FIXED(mmap_min_addr, "4096")
FIXED(zero, "0")
FIXED(two, "2")
FIXED(file_max, "9223372036854775807")
FIXED(nr_open, "1048576")
FIXED(pipe_max_size, "1048576")
FIXED(inotify_events, "16384")
FIXED(inotify_watches, "65536")
FIXED(inotify_instances, "1048576") /* as many as descriptors */

static err_t hostname(const struct proc_ref *r, struct text *t)
{
	(void)r;
	text_printf(t, "%s\n", linux_hostname());
	return OK;
}

/*
 * A name of the machine, as root writes it: at most 64 bytes, a newline at its end does not count.
 */
static err_t set_name(void (*set)(const char *name), char *data, size_t len)
{
	if (!task_capable(CAP_SYS_ADMIN))
		return E_PERM;
	if (len > 0 && data[len - 1] == '\n')
		data[len - 1] = '\0';
	if (strlen(data) > 64)
		return E_INVAL;
	set(data);
	return OK;
}

static err_t set_hostname(const struct proc_ref *r, char *data, size_t len)
{
	(void)r;
	return set_name(linux_set_hostname, data, len);
}

static err_t domainname(const struct proc_ref *r, struct text *t)
{
	(void)r;
	text_printf(t, "%s\n", linux_domainname());
	return OK;
}

static err_t set_domainname(const struct proc_ref *r, char *data, size_t len)
{
	(void)r;
	return set_name(linux_set_domainname, data, len);
}

static err_t show_core_pattern(const struct proc_ref *r, struct text *t)
{
	(void)r;
	text_printf(t, "%s\n", core_pattern);
	return OK;
}

/* Takes the newline off; root's only. */
static err_t setting(char *data, size_t len)
{
	if (current_task->cred.euid != 0)
		return E_PERM;
	if (len > 0 && data[len - 1] == '\n')
		data[len - 1] = '\0';
	return OK;
}

static err_t store_core_pattern(const struct proc_ref *r, char *data, size_t len)
{
	(void)r;
	TRY(setting(data, len));
	(void)str_copy(core_pattern, sizeof(core_pattern), data); /* cut off, as Linux does */
	return OK;
}

static err_t show_core_uses_pid(const struct proc_ref *r, struct text *t)
{
	(void)r;
	text_printf(t, "%d\n", core_uses_pid);
	return OK;
}

static err_t store_core_uses_pid(const struct proc_ref *r, char *data, size_t len)
{
	(void)r;
	TRY(setting(data, len));
	if (data[0] < '0' || data[0] > '9' || data[1] != '\0')
		return E_INVAL;
	core_uses_pid = data[0] != '0';
	return OK;
}

static err_t threads_max(const struct proc_ref *r, struct text *t)
{
	struct mem_stats m;

	(void)r;
	mem_stats(&m);
	text_printf(
		t, "%lu\n",
		UL(m.total /
		   (8 * PAGE_SIZE))); /* as Linux: an eighth of memory in stacks of 16 KiB, about */
	return OK;
}

/* 1, 2 and 3 say the same here: what caches keep and nobody needs is given back. */
static err_t drop_caches(const struct proc_ref *r, char *data, size_t len)
{
	(void)r;
	if (!task_capable(CAP_SYS_ADMIN))
		return E_PERM;
	if (len > 0 && data[len - 1] == '\n')
		len--;
	if (len != 1 || data[0] < '1' || data[0] > '4')
		return E_INVAL;
	if (data[0] != '4')
		mem_reclaim(SIZE_MAX);
	return OK;
}

/* Every n-th allocation fails: for tests, when the machine was started for them. */
static err_t fail_every(const struct proc_ref *r, struct text *t)
{
	(void)r;
	text_printf(t, "%u\n", kmem_fail_every);
	return OK;
}

static err_t set_fail_every(const struct proc_ref *r, char *data, size_t len)
{
	uint64_t n;

	(void)r;
	if (!task_capable(CAP_SYS_ADMIN) || cmdline_get("faults") == NULL)
		return E_PERM;
	if (len > 0 && data[len - 1] == '\n')
		data[len - 1] = '\0';
	if (!str_to_u64(data, 10, &n) || n > UINT32_MAX)
		return E_INVAL;
	kmem_fail_every = (uint32_t)n;
	return OK;
}

static err_t ngroups_max(const struct proc_ref *r, struct text *t)
{
	(void)r;
	text_printf(t, "%lu\n", UL(GROUPS_MAX));
	return OK;
}

static err_t cap_last_cap(const struct proc_ref *r, struct text *t)
{
	(void)r;
	text_printf(t, "%d\n", CAP_LAST_CAP);
	return OK;
}

static err_t file_nr(const struct proc_ref *r, struct text *t)
{
	(void)r;
	text_printf(t, "%lu\t0\t9223372036854775807\n", file_count());
	return OK;
}

/* ---- limits of System V IPC ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* Decimal numbers between blanks: all n of them, each at most its limit, or nothing is changed. */
static err_t store_numbers(char *data, uint64_t *const field[], const uint64_t max[], unsigned n)
{
	uint64_t value[4];
	unsigned got = 0;

	while (got < n) {
		const char *end;

		while (is_blank(*data))
			data++;
		if (*data == '\0')
			break;
		if (!str_parse_u64(data, 10, &value[got], &end) || value[got] > max[got] ||
		    (*end != '\0' && !is_blank(*end)))
			return E_INVAL;
		data += end - data;
		got++;
	}
	for (unsigned i = 0; i < got; i++)
		*field[i] = value[i];
	return OK;
}

#define LIMIT(name, highest) LIMIT_OF(ipc_limits, name, highest)
#define LIMIT_OF(limits, name, highest)                                           \
	static err_t name(const struct proc_ref *r, struct text *t)               \
	{                                                                         \
		(void)r;                                                          \
		text_printf(t, "%lu\n", UL(limits.name));                         \
		return OK;                                                        \
	}                                                                         \
	static err_t set_##name(const struct proc_ref *r, char *data, size_t len) \
	{                                                                         \
		(void)r;                                                          \
		(void)len;                                                        \
		return store_numbers(data, (uint64_t *const[]){ &limits.name },   \
				     (const uint64_t[]){ highest }, 1);           \
	}

LIMIT(shmmax, UINT64_MAX)
LIMIT(shmall, UINT64_MAX)
LIMIT(shmmni, IPC_SLOTS)
LIMIT(msgmax, INT32_MAX)
LIMIT(msgmnb, INT32_MAX)
LIMIT(msgmni, IPC_SLOTS)
LIMIT_OF(mq_limits, msg_default, 65536)
LIMIT_OF(mq_limits, msg_max, 65536)
LIMIT_OF(mq_limits, msgsize_default, 16777216)
LIMIT_OF(mq_limits, msgsize_max, 16777216)
LIMIT_OF(mq_limits, queues_max, INT32_MAX)

static err_t sem(const struct proc_ref *r, struct text *t)
{
	const struct ipc_limits *l = &ipc_limits;

	(void)r;
	text_printf(t, "%lu\t%lu\t%lu\t%lu\n", UL(l->semmsl), UL(l->semmns), UL(l->semopm),
		    UL(l->semmni));
	return OK;
}

static err_t set_sem(const struct proc_ref *r, char *data, size_t len)
{
	struct ipc_limits *l = &ipc_limits;

	(void)r;
	(void)len;
	return store_numbers(data,
			     (uint64_t *const[]){ &l->semmsl, &l->semmns, &l->semopm, &l->semmni },
			     (const uint64_t[]){ 65536, INT32_MAX, 1000, IPC_SLOTS }, 4);
}

/* ---- random ---- */

static void put_uuid(struct text *t, const uint8_t u[16])
{
	for (unsigned i = 0; i < 16; i++)
		text_printf(t, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", u[i]);
	text_puts(t, "\n");
}

static void new_uuid(uint8_t u[16])
{
	random_bytes(u, 16);
	u[6] = (u[6] & 0x0f) | 0x40; /* version 4, of random numbers */
	u[8] = (u[8] & 0x3f) | 0x80;
}

static err_t random_uuid(const struct proc_ref *r, struct text *t)
{
	uint8_t u[16];

	(void)r;
	new_uuid(u);
	put_uuid(t, u);
	return OK;
}

static err_t boot_id(const struct proc_ref *r, struct text *t)
{
	static uint8_t u[16];

	(void)r;
	if (u[8] == 0) /* never so in a uuid */
		new_uuid(u);
	put_uuid(t, u);
	return OK;
}

#define FILE_R(n, fn)                               \
	{                                           \
		.name = n, .mode = 0444, .show = fn \
	}
#define FILE_RW(n, fn)                                                 \
	{                                                              \
		.name = n, .mode = 0644, .show = fn, .store = set_##fn \
	}
#define DIR(n, list)                                      \
	{                                                 \
		.name = n, .mode = 0555, .children = list \
	}
#define END                  \
	{                    \
		.name = NULL \
	}

static const struct proc_entry random_entries[] = {
	FILE_R("boot_id", boot_id),
	FILE_R("entropy_avail", entropy),
	FILE_R("poolsize", entropy),
	FILE_R("uuid", random_uuid),
	END,
};

static const struct proc_entry kernel_entries[] = {
	FILE_R("cap_last_cap", cap_last_cap),
	{ .name = "core_pattern",
	  .mode = 0644,
	  .show = show_core_pattern,
	  .store = store_core_pattern },
	{ .name = "core_uses_pid",
	  .mode = 0644,
	  .show = show_core_uses_pid,
	  .store = store_core_uses_pid },
	FILE_RW("domainname", domainname),
	{ .name = "hostname", .mode = 0644, .show = hostname, .store = set_hostname },
	FILE_RW("msgmax", msgmax),
	FILE_RW("msgmnb", msgmnb),
	FILE_RW("msgmni", msgmni),
	FILE_R("ngroups_max", ngroups_max),
	FILE_R("osrelease", osrelease),
	FILE_R("ostype", ostype),
	FILE_R("overflowgid", overflow_id),
	FILE_R("overflowuid", overflow_id),
	FILE_R("pid_max", pid_max),
	DIR("random", random_entries),
	FILE_R("randomize_va_space", two),
	FILE_RW("sem", sem),
	FILE_RW("shmall", shmall),
	FILE_RW("shmmax", shmmax),
	FILE_RW("shmmni", shmmni),
	FILE_R("threads-max", threads_max),
	FILE_R("version", version),
	END,
};

static const struct proc_entry vm_entries[] = {
	{ .name = "drop_caches", .mode = 0200, .show = zero, .store = drop_caches },
	{ .name = "fail_every", .mode = 0600, .show = fail_every, .store = set_fail_every },
	FILE_R("max_map_count", max_map_count),
	FILE_R("mmap_min_addr", mmap_min_addr),
	FILE_R("nr_hugepages", zero),
	FILE_R("overcommit_memory", overcommit),
	FILE_R("swappiness", zero),
	END,
};

static const struct proc_entry inotify_entries[] = {
	FILE_R("max_queued_events", inotify_events),
	FILE_R("max_user_instances", inotify_instances),
	FILE_R("max_user_watches", inotify_watches),
	END,
};

static const struct proc_entry mqueue_entries[] = {
	FILE_RW("msg_default", msg_default),         FILE_RW("msg_max", msg_max),
	FILE_RW("msgsize_default", msgsize_default), FILE_RW("msgsize_max", msgsize_max),
	FILE_RW("queues_max", queues_max),           END,
};

static const struct proc_entry fs_entries[] = {
	DIR("inotify", inotify_entries),
	FILE_R("file-max", file_max),
	FILE_R("file-nr", file_nr),
	DIR("mqueue", mqueue_entries),
	FILE_R("nr_open", nr_open),
	FILE_R("overflowgid", overflow_id),
	FILE_R("overflowuid", overflow_id),
	FILE_R("pipe-max-size", pipe_max_size),
	FILE_R("protected_hardlinks", zero),
	FILE_R("protected_symlinks", zero),
	END,
};

const struct proc_entry proc_sys_entries[] = {
	DIR("fs", fs_entries),
	DIR("kernel", kernel_entries),
	DIR("net", proc_sys_net_entries),
	DIR("vm", vm_entries),
	END,
};
