/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by mq.c, mq_fs.c and mq_notify.c. */
#pragma once

#include "kernel/ipc/internal.h"
#include "kernel/ipc/mq.h"
#include "kernel/vfs/poll.h"

#define MQ_PRIORITIES 32768u

struct mq_message {
	struct list node;
	unsigned priority;
	size_t size;
	char data[];
};

/* One that waits to send or to receive; the first in its list is served first. */
struct mq_waiter {
	struct list node;
	struct thread *thread;
	int urgency;
	struct mq_message *message; /* a sender's, or what a receiver was given */
	bool done;
};

struct mq {
	struct inode vfs;
	struct list all;
	uint32_t owner; /* whose RLIMIT_MSGQUEUE it counts for */
	uint64_t charge;
	int64_t maxmsg, msgsize, curmsgs;
	uint64_t bytes;
	struct list messages; /* highest priority first, and of one priority the oldest */
	struct list senders, receivers;
	struct waitq readable, writable; /* for poll */
	int notify_pid;                  /* 0: nobody is to be told */
	uint32_t notify_uid;
	struct mq_notice notice;
};

static inline struct mq *mq_of(struct inode *i)
{
	return container_of(i, struct mq, vfs);
}
/* The queue of an open file; E_BADF. */
err_t mq_of_file(struct file *f, struct mq **out) MUST_CHECK;
void mq_init_queue(struct mq *q, int64_t maxmsg, int64_t msgsize);
void mq_drop_messages(struct mq *q);

/* ---- mq_notify.c ---- */
/* A message has come to the empty queue. */
void mq_notify_fire(struct mq *q);
/* Nobody is to be told any more; a waiting thread of the C library hears so. */
void mq_notify_drop(struct mq *q);
/* What reading /dev/mqueue/NAME gives. */
void mq_status(const struct mq *q, char *buf, size_t size);

/* ---- mq_fs.c ---- */
extern const struct file_ops mq_file_ops;
err_t mq_init(void) MUST_CHECK;
