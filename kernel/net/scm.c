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

static err_t header_apply(struct socket *s, struct scm *scm, const struct cmsghdr_k *h,
			  const void *data)
{
	uint64_t n = h->len - sizeof(*h);
	struct ucred_k u;

	if (h->level != SOL_SOCKET)
		return OK;
	switch (h->type) {
	case SCM_RIGHTS:
		if (s->family != AF_UNIX)
			return E_INVAL;
		return rights_add(scm, data, (unsigned)(n / sizeof(int)));
	case SCM_CREDENTIALS:
		if (n != sizeof(u))
			return E_INVAL;
		memcpy(&u, data, sizeof(u));
		return credentials_set(scm, &u);
	default: return E_INVAL;
	}
}

static err_t headers_apply(struct socket *s, struct scm *scm, const char *control, uint64_t len)
{
	uint64_t at = 0;

	while (len - at >= sizeof(struct cmsghdr_k)) {
		struct cmsghdr_k h;

		memcpy(&h, control + at, sizeof(h));
		if (h.len < sizeof(h) || h.len > len - at)
			return E_INVAL;
		TRY(header_apply(s, scm, &h, control + at + sizeof(h)));
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
	if (m->control.v == 0 || m->control_len == 0)
		return OK;
	if (m->control_len > CONTROL_MAX)
		return E_NOBUFS;
	control = kmem_alloc(m->control_len);
	if (control == NULL)
		return E_NOBUFS;
	err = user_in(control, m->control, m->control_len);
	if (err == OK)
		err = headers_apply(s, &m->scm, control, m->control_len);
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

struct out {
	struct sock_msg *m;
	uaddr_t at;
	uint64_t left;
};

static void out_advance(struct out *o, uint64_t len)
{
	uint64_t space = CMSG_ALIGNED(len) < o->left ? CMSG_ALIGNED(len) : o->left;

	o->at.v += space;
	o->left -= space;
}

/* One header with its data, cut off where the buffer ends. */
static void put_header(struct out *o, int type, const void *data, size_t n)
{
	struct cmsghdr_k h = { sizeof(h) + n, SOL_SOCKET, type };

	if (o->left < sizeof(h)) {
		o->m->out_flags |= MSG_CTRUNC;
		return;
	}
	if (o->left < h.len) {
		o->m->out_flags |= MSG_CTRUNC;
		h.len = o->left;
	}
	if (USER_OUT(o->at, &h) == OK &&
	    user_out(UADDR(o->at.v + sizeof(h)), data, h.len - sizeof(h)) == OK)
		out_advance(o, h.len);
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

static void put_rights(struct out *o, const struct scm_files *files)
{
	struct cmsghdr_k h = { 0, SOL_SOCKET, SCM_RIGHTS };
	uint64_t max = o->left <= sizeof(h) ? 0 : (o->left - sizeof(h)) / sizeof(int);
	uint64_t i = 0;

	while (i < files->n && i < max &&
	       put_descriptor(files->file[i], UADDR(o->at.v + sizeof(h) + i * sizeof(int)),
			      (o->m->flags & MSG_CMSG_CLOEXEC) != 0))
		i++;
	if (i > 0) {
		h.len = sizeof(h) + i * sizeof(int);
		if (USER_OUT(o->at, &h) == OK)
			out_advance(o, h.len);
	}
	if (i < files->n)
		o->m->out_flags |= MSG_CTRUNC;
}

void scm_receive(struct socket *s, struct sock_msg *m)
{
	struct out o = { m, m->control, m->control.v != 0 ? m->control_len : 0 };
	bool creds = socket_option(s, SO_PASSCRED);

	if (m->control.v == 0) {
		if (creds || m->scm.files != NULL)
			m->out_flags |= MSG_CTRUNC;
	} else {
		if (creds)
			put_header(&o, SCM_CREDENTIALS, &m->scm.cred, sizeof(m->scm.cred));
		if (m->scm.files != NULL)
			put_rights(&o, m->scm.files);
	}
	m->control_len = o.at.v - m->control.v;
	scm_files_free(m->scm.files);
	m->scm.files = NULL;
}
