/* SPDX-License-Identifier: BSD-2-Clause */
/* Message queues: making, looking, changing, removing. */
#include <asm/msgbuf.h>

#include "kernel/ipc/msg_queue.h"

struct ipc_set msg_queues;
uint64_t msg_total_count, msg_total_bytes;

static void queue_free(struct ipc_object *o)
{
	kmem_free(queue_of(o));
}

void msg_init_queues(void)
{
	ipc_set_init(&msg_queues, queue_free);
}

static err_t queue_new(int key, int flags, struct msg_queue **out)
{
	struct msg_queue *q = kmem_zalloc(sizeof(*q));
	err_t err;

	if (q == NULL)
		return E_NOMEM;
	q->max_bytes = ipc_limits.msgmnb;
	list_init(&q->messages);
	list_init(&q->receivers);
	waitq_init(&q->senders);
	err = ipc_add(&msg_queues, &q->ipc, key, flags, ipc_limits.msgmni);
	if (err != OK)
		kmem_free(q);
	*out = q;
	return err;
}

long queue_get(int key, int flags)
{
	struct ipc_object *o;
	struct msg_queue *q;

	TRY(ipc_lookup(&msg_queues, key, flags, NULL, 0, &o));
	if (o != NULL)
		return o->id;
	TRY(queue_new(key, flags, &q));
	return q->ipc.id;
}

/* ---- looking ---- */

static long info_out(int cmd, uaddr_t buf)
{
	struct msginfo i = { .msgpool = MSGPOOL,
			     .msgmap = MSGMAP,
			     .msgmax = (int)ipc_limits.msgmax,
			     .msgmnb = (int)ipc_limits.msgmnb,
			     .msgmni = (int)ipc_limits.msgmni,
			     .msgssz = MSGSSZ,
			     .msgtql = MSGTQL,
			     .msgseg = MSGSEG };

	if (cmd == MSG_INFO) {
		i.msgpool = (int)msg_queues.used;
		i.msgmap = (int)msg_total_count;
		i.msgtql = (int)msg_total_bytes;
	}
	TRY(USER_OUT(buf, &i));
	return ipc_highest(&msg_queues);
}

static long stat_out(int id, int cmd, uaddr_t buf)
{
	struct msqid64_ds d = { 0 };
	const struct msg_queue *q;
	struct ipc_object *o;

	TRY(ipc_find_stat(&msg_queues, id, cmd != IPC_STAT, cmd == MSG_STAT_ANY, &o));
	q = queue_of(o);
	ipc_perm_out(o, &d.msg_perm);
	d.msg_stime = q->stime;
	d.msg_rtime = q->rtime;
	d.msg_ctime = o->ctime;
	d.msg_cbytes = q->bytes;
	d.msg_qnum = q->count;
	d.msg_qbytes = q->max_bytes;
	d.msg_lspid = q->lspid;
	d.msg_lrpid = q->lrpid;
	TRY(USER_OUT(buf, &d));
	return cmd == IPC_STAT ? 0 : o->id;
}

void queue_show(struct text *t)
{
	text_puts(t, "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  "
		     "cuid  cgid      stime      rtime      ctime\n");
	for (unsigned i = 0; i < msg_queues.slots; i++) {
		const struct ipc_object *o = msg_queues.slot[i];
		const struct msg_queue *q;

		if (o == NULL)
			continue;
		q = container_of(o, struct msg_queue, ipc);
		text_printf(t,
			    "%10d %10d  %4o  %10llu %10llu %5d %5d %5u %5u %5u %5u %10lld %10lld "
			    "%10lld\n",
			    o->key, o->id, o->mode, (unsigned long long)q->bytes,
			    (unsigned long long)q->count, q->lspid, q->lrpid, o->uid, o->gid,
			    o->cuid, o->cgid, (long long)q->stime, (long long)q->rtime,
			    (long long)o->ctime);
	}
}

/* ---- changing ---- */

static void queue_remove(struct msg_queue *q)
{
	struct list *n;

	msg_total_bytes -= q->bytes;
	msg_total_count -= q->count;
	while ((n = list_pop_front(&q->messages)) != NULL)
		message_free(list_entry(n, struct message, node));
	ipc_get(&q->ipc);
	ipc_delete(&msg_queues, &q->ipc);
	queue_wake_all(q);
	ipc_put(&msg_queues, &q->ipc);
}

static long set(struct msg_queue *q, const struct msqid64_ds *d)
{
	if (d->msg_qbytes > ipc_limits.msgmnb && !task_capable(CAP_SYS_RESOURCE))
		return E_PERM;
	ipc_set_perm(&q->ipc, &d->msg_perm);
	q->max_bytes = d->msg_qbytes;
	queue_wake_all(q);
	return 0;
}

static long change(int id, int cmd, uaddr_t buf)
{
	struct msqid64_ds d;
	struct ipc_object *o;

	if (cmd == IPC_SET)
		TRY(USER_IN(&d, buf));
	TRY(ipc_find(&msg_queues, id, &o));
	TRY(ipc_may_control(o));
	if (cmd == IPC_SET)
		return set(queue_of(o), &d);
	queue_remove(queue_of(o));
	return 0;
}

long queue_control(int id, int cmd, uaddr_t buf)
{
	if (id < 0 || cmd < 0)
		return E_INVAL;
	switch (cmd) {
	case IPC_INFO:
	case MSG_INFO: return info_out(cmd, buf);
	case IPC_STAT:
	case MSG_STAT:
	case MSG_STAT_ANY: return stat_out(id, cmd, buf);
	case IPC_SET:
	case IPC_RMID: return change(id, cmd, buf);
	default: return E_INVAL;
	}
}
