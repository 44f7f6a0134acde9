/* SPDX-License-Identifier: BSD-2-Clause */
/* Message queues: what msg.c and msg_queue.c share. */
#pragma once

#include <linux/msg.h>

#include "kernel/ipc/internal.h"

struct message {
	struct list node;
	long type;
	size_t size;
	char data[];
};

/*
 * A queue. A message goes straight to a receiver that waits for one like it, so that nobody can
 * take it away in between; else to the end of `messages`.
 */
struct msg_queue {
	struct ipc_object ipc;
	int64_t stime, rtime;
	uint64_t bytes, max_bytes, count;
	int lspid, lrpid;
	struct list messages;
	struct list receivers; /* struct receiver.node, first come first */
	struct waitq senders;
};

extern struct ipc_set msg_queues;
/* Messages and bytes in all queues. */
extern uint64_t msg_total_count, msg_total_bytes;
static inline struct msg_queue *queue_of(struct ipc_object *o)
{
	return container_of(o, struct msg_queue, ipc);
}
void message_free(struct message *m);
/* All that wait look again at what they may do: permissions have changed, or the queue is gone. */
void queue_wake_all(struct msg_queue *q);
