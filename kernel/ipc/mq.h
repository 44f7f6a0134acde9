/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * POSIX message queues: files of the file system "mqueue", which is mounted on /dev/mqueue. The
 * functions are the system calls; times are absolute deadlines (monotonic nanoseconds).
 */
#pragma once

#include "kernel/ipc/ipc.h"
#include "kernel/vfs/file.h"

struct fs_ops;
extern const struct fs_ops mqueue_fs;

struct mq_attr_k { /* struct mq_attr */
	int64_t flags, maxmsg, msgsize, curmsgs;
	int64_t unused[4];
};

/* attr NULL: the defaults. The file is referenced. */
err_t mq_open_file(const char *name, uint32_t flags, uint32_t mode, const struct mq_attr_k *attr,
		   struct file **out) MUST_CHECK;
err_t mq_remove(const char *name) MUST_CHECK;
/*
 * E_BADF: no queue, or not open for that. E_MSGSIZE, E_AGAIN, E_TIMEDOUT, E_RESTARTSYS. MAY_SWITCH
 */
err_t mq_send(struct file *f, uaddr_t data, size_t size, unsigned priority,
	      uint64_t deadline_ns) MUST_CHECK;
long mq_receive(struct file *f, uaddr_t data, size_t size, uaddr_t priority, uint64_t deadline_ns);
/* now NULL: only ask. */
err_t mq_attributes(struct file *f, const struct mq_attr_k *now, struct mq_attr_k *old) MUST_CHECK;
/*
 * Who is told when a message comes to the empty queue. method: SIGEV_NONE, SIGEV_SIGNAL (signo,
 * value), SIGEV_THREAD (`cookie` of MQ_COOKIE bytes goes to the netlink socket `sock`, which is
 * referenced). E_BUSY: somebody else is.
 */
#define MQ_COOKIE 32u
struct mq_notice {
	int method, signo;
	uint64_t value;
	struct file *sock;
	uint8_t cookie[MQ_COOKIE];
};
err_t mq_notify_set(struct file *f, const struct mq_notice *n) MUST_CHECK;
err_t mq_notify_clear(struct file *f) MUST_CHECK;

/* Limits for those without CAP_SYS_RESOURCE: /proc/sys/fs/mqueue. */
struct mq_limits {
	uint64_t msg_default, msg_max, msgsize_default, msgsize_max, queues_max;
};
extern struct mq_limits mq_limits;
