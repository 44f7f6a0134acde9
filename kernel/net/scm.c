/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control data of SOL_SOCKET: descriptors and credentials that travel with a message.
 *
 * Sockets that are in flight in each other's queues and otherwise closed (a cycle) keep each other
 * alive until the machine ends: nobody looks for them.
 */
#include <linux/capability.h>
#include <linux/fcntl.h>

#include "base/str.h"
#include "kernel/mem/kmem.h"
#include "kernel/net/socket.h"
#include "kernel/task/task.h"
#include "kernel/vfs/fd.h"

#define SCM_RIGHTS      1
#define SCM_CREDENTIALS 2
#define CONTROL_MAX     20480u /* net.core.optmem_max */
#define NS_PER_S        1000000000

struct cmsghdr_k {
	uint64_t len; /* with this header */
	int32_t level, type;
};

#define CMSG_ALIGNED(n) (((n) + 7) & ~(uint64_t)7)

static uint64_t files_in_flight;

/* ---- files ---- */

struct scm_files *scm_files_copy(const struct scm_files *from)
{
	struct scm_files *copy = kmem_alloc(sizeof(*copy));

	if (copy == NULL)
		return NULL;
	copy->n = from->n;
	for (unsigned i = 0; i < from->n; i++)
		copy->file[i] = file_get(from->file[i]);
	return copy;
}

void scm_fly(struct scm_files *files)
{
	files_in_flight += files->n;
}

void scm_land(struct scm_files *files)
{
	files_in_flight -= files->n;
}

/*
 * Dropping a file may close a socket, which drops the messages in its queue, which drop files ...
 * Inner calls only append to a list that the outermost works off.
 */
void scm_files_free(struct scm_files *files)
{
	static struct scm_files *waiting;
	static bool busy;

	if (files == NULL)
		return;
	files->next = waiting;
	waiting = files;
	if (busy)
		return;
	busy = true;
	while ((files = waiting) != NULL) {
		waiting = files->next;
		for (unsigned i = 0; i < files->n; i++)
			file_put(files->file[i]);
		kmem_free(files);
	}
	busy = false;
}

/* ---- sending ---- */

static err_t rights_add(struct scm *scm, const int *fd, unsigned n)
{
	struct scm_files *files = scm->files;

	if (n == 0)
		return OK;
	if (n > SCM_FILES_MAX)
		return E_INVAL;
	if (files == NULL) {
		files = kmem_alloc(sizeof(*files));
		if (files == NULL)
			return E_NOMEM;
		files->n = 0;
		scm->files = files;
	}
	if (files->n + n > SCM_FILES_MAX)
		return E_INVAL;
	for (unsigned i = 0; i < n; i++) {
		struct file *f = fd_get_raw(fd[i]);

		if (f == NULL)
			return E_BADF;
		files->file[files->n++] = f;
	}
	return OK;
}

static bool may_claim(const struct ucred_k *u)
{
	const struct cred *c = &current_task->cred;

	return (u->pid == current_task->pid || task_capable(CAP_SYS_ADMIN)) &&
	       (u->uid == c->uid || u->uid == c->euid || u->uid == c->suid ||
		task_capable(CAP_SETUID)) &&
	       (u->gid == c->gid || u->gid == c->egid || u->gid == c->sgid ||
		task_capable(CAP_SETGID));
}

static err_t credentials_set(struct scm *scm, const struct ucred_k *u)
{
	if (!may_claim(u))
		return E_PERM;
	if (u->pid != current_task->pid && task_find(u->pid) == NULL)
		return E_SRCH;
	scm->cred = *u;
	scm->cred_set = true;
	return OK;
}

static err_t header_apply(struct socket *s, struct sock_msg *m, const struct cmsghdr_k *h,
			  const void *data)
{
	uint64_t n = h->len - sizeof(*h);
	struct scm *scm = &m->scm;
	struct ucred_k u;

	if (h->level != SOL_SOCKET)
		return s->ops->control != NULL
			       ? s->ops->control(s, m, h->level, h->type, data, (size_t)n)
			       : OK;
	switch (h->type) {
	case SCM_RIGHTS:
		if (s->family != AF_UNIX)
			return E_INVAL;
		return rights_add(scm, data, (unsigned)(n / sizeof(int)));
	case SO_MARK:
		if (!task_capable(CAP_NET_RAW) && !task_capable(CAP_NET_ADMIN))
			return E_PERM;
		return n == sizeof(uint32_t) ? OK : E_INVAL;
	case SCM_CREDENTIALS:
		if (s->family != AF_UNIX && s->family != AF_NETLINK)
			return s->family == AF_INET || s->family == AF_INET6 ? OK : E_INVAL;
		if (n != sizeof(u))
			return E_INVAL;
		memcpy(&u, data, sizeof(u));
		return credentials_set(scm, &u);
	default: return E_INVAL;
	}
}

static err_t headers_apply(struct socket *s, struct sock_msg *m, const char *control, uint64_t len)
{
	uint64_t at = 0;

	while (len - at >= sizeof(struct cmsghdr_k)) {
		struct cmsghdr_k h;

		memcpy(&h, control + at, sizeof(h));
		if (h.len < sizeof(h) || h.len > len - at)
			return E_INVAL;
		TRY(header_apply(s, m, &h, control + at + sizeof(h)));
		if (CMSG_ALIGNED(h.len) > len - at)
			break;
		at += CMSG_ALIGNED(h.len);
	}
	return OK;
}

static bool too_many_in_flight(void)
{
	return files_in_flight > current_task->rlimit[RLIMIT_NOFILE].rlim_cur &&
	       !task_capable(CAP_SYS_RESOURCE) && !task_capable(CAP_SYS_ADMIN);
}

err_t scm_send(struct socket *s, struct sock_msg *m)
{
	char *control;
	err_t err;

	m->scm = (struct scm){ .cred = { 0, UINT32_MAX, UINT32_MAX } };
	m->inet = (struct inet_control){ .tos = -1, .ttl = -1 };
	if (m->control.v == 0 || m->control_len == 0)
		return OK;
	if (m->control_len > CONTROL_MAX)
		return E_NOBUFS;
	control = kmem_alloc(m->control_len);
	if (control == NULL)
		return E_NOBUFS;
	err = user_in(control, m->control, m->control_len);
	if (err == OK)
		err = headers_apply(s, m, control, m->control_len);
	if (err == OK && m->scm.files != NULL && too_many_in_flight())
		err = E_TOOMANYREFS;
	kmem_free(control);
	if (err != OK) {
		scm_files_free(m->scm.files);
		m->scm.files = NULL;
	}
	return err;
}

/* ---- receiving ---- */

static uint64_t control_left(const struct sock_msg *m)
{
	return m->control.v == 0 ? 0 : m->control_len - m->control_used;
}

static uaddr_t control_at(const struct sock_msg *m)
{
	return UADDR(m->control.v + m->control_used);
}

static void control_advance(struct sock_msg *m, uint64_t len)
{
	uint64_t left = control_left(m);

	m->control_used += CMSG_ALIGNED(len) < left ? CMSG_ALIGNED(len) : left;
}

/* One header with its data, cut off where the buffer ends. */
void sock_put_control(struct sock_msg *m, int level, int type, const void *data, size_t n)
{
	struct cmsghdr_k h = { sizeof(h) + n, level, type };
	uint64_t left = control_left(m);

	if (left < sizeof(h)) {
		m->out_flags |= MSG_CTRUNC;
		return;
	}
	if (left < h.len) {
		m->out_flags |= MSG_CTRUNC;
		h.len = left;
	}
	if (USER_OUT(control_at(m), &h) == OK &&
	    user_out(UADDR(control_at(m).v + sizeof(h)), data, h.len - sizeof(h)) == OK)
		control_advance(m, h.len);
}

/* The next descriptor for f, its number at `at`. */
static bool put_descriptor(struct file *f, uaddr_t at, bool cloexec)
{
	int fd;

	if (fd_install(f, 0, cloexec, &fd) != OK)
		return false;
	file_get(f); /* the descriptor has a reference of its own */
	if (USER_OUT(at, &fd) == OK)
		return true;
	(void)!fd_close(fd);
	return false;
}

static void put_rights(struct sock_msg *m, const struct scm_files *files)
{
	struct cmsghdr_k h = { 0, SOL_SOCKET, SCM_RIGHTS };
	uint64_t left = control_left(m);
	uint64_t max = left <= sizeof(h) ? 0 : (left - sizeof(h)) / sizeof(int);
	uint64_t at = control_at(m).v, i = 0;

	while (i < files->n && i < max &&
	       put_descriptor(files->file[i], UADDR(at + sizeof(h) + i * sizeof(int)),
			      (m->flags & MSG_CMSG_CLOEXEC) != 0))
		i++;
	if (i > 0) {
		h.len = sizeof(h) + i * sizeof(int);
		if (USER_OUT(UADDR(at), &h) == OK)
			control_advance(m, h.len);
	}
	if (i < files->n)
		m->out_flags |= MSG_CTRUNC;
}

void sock_put_stamp(const struct socket *s, struct sock_msg *m)
{
	bool ns = s->stamp == STAMP_NS || s->stamp == STAMP_NS_NEW;
	int64_t part = m->scm.stamp_ns % NS_PER_S;
	int64_t stamp[2] = { m->scm.stamp_ns / NS_PER_S, ns ? part : part / 1000 };
	static const int type[] = { [STAMP_US] = SO_TIMESTAMP_OLD,
				    [STAMP_NS] = SO_TIMESTAMPNS_OLD,
				    [STAMP_US_NEW] = SO_TIMESTAMP_NEW,
				    [STAMP_NS_NEW] = SO_TIMESTAMPNS_NEW };

	if (s->stamp != STAMP_NONE && m->scm.stamp_ns != 0)
		sock_put_control(m, SOL_SOCKET, type[s->stamp], stamp, sizeof(stamp));
}

void scm_receive(struct socket *s, struct sock_msg *m)
{
	if (s->family == AF_UNIX || s->family == AF_NETLINK) {
		if (socket_option(s, SO_PASSCRED))
			sock_put_control(m, SOL_SOCKET, SCM_CREDENTIALS, &m->scm.cred,
					 sizeof(m->scm.cred));
		if (m->scm.files != NULL)
			put_rights(m, m->scm.files);
	}
	m->control_len = m->control_used;
	scm_files_free(m->scm.files);
	m->scm.files = NULL;
}
