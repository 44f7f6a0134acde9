/* SPDX-License-Identifier: BSD-2-Clause */
/* signalfd: the reader's pending signals as records. */
#include <linux/fcntl.h>
#include <linux/signalfd.h>

#include "base/fmt.h"
#include "kernel/mem/kmem.h"
#include "kernel/mem/ubuf.h"
#include "kernel/task/task.h"
#include "kernel/vfs/poll.h"

struct signalfd {
	sigmask_t mask; /* what is taken */
};

static void fill(struct signalfd_siginfo *out, int sig, const struct ksiginfo *in)
{
	*out = (struct signalfd_siginfo){
		.ssi_signo = (uint32_t)sig,
		.ssi_errno = in->si_errno,
		.ssi_code = in->si_code,
	};
	/* The kernel's own signals for faults, children and timers each have their fields; all
	 * others the sender's. */
	if (in->si_code > 0 &&
	    (sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE || sig == SIGTRAP)) {
		out->ssi_addr = (uint64_t)in->si_addr;
	} else if (in->si_code == SI_TIMER) {
		out->ssi_tid = (uint32_t)in->si_tid;
		out->ssi_overrun = (uint32_t)in->si_overrun;
		out->ssi_ptr = (uint64_t)in->si_ptr;
		out->ssi_int = in->si_int;
	} else if (in->si_code > 0 && (sig == SIGPOLL)) {
		out->ssi_band = (uint32_t)in->si_band;
		out->ssi_fd = in->si_fd;
	} else if (in->si_code > 0 && sig == SIGCHLD) {
		out->ssi_pid = (uint32_t)in->si_pid;
		out->ssi_uid = in->si_uid;
		out->ssi_status = in->si_status;
		out->ssi_utime = (uint64_t)in->si_utime;
		out->ssi_stime = (uint64_t)in->si_stime;
	} else {
		out->ssi_pid = (uint32_t)in->si_pid;
		out->ssi_uid = in->si_uid;
		out->ssi_ptr = (uint64_t)in->si_ptr;
		out->ssi_int = in->si_int;
	}
}

static err_t signalfd_read(struct file *f, uint64_t off, struct uio *to, size_t *done)
{
	const struct signalfd *s = f->priv;
	struct signalfd_siginfo record;
	struct ksiginfo info;
	int sig;

	(void)off;
	if (to->left < sizeof(record))
		return E_INVAL;
	while ((sig = signal_take(s->mask, &info)) == 0) {
		if (f->flags & O_NONBLOCK)
			return E_AGAIN;
		if (wait_on(&current_task->signal_wait, WAIT_FOREVER, true) == WAIT_SIGNAL)
			return E_RESTARTSYS;
	}
	do {
		fill(&record, sig, &info);
		TRY(uio_out(to, &record, sizeof(record), done));
	} while (to->left >= sizeof(record) && (sig = signal_take(s->mask, &info)) != 0);
	return OK;
}

static uint32_t signalfd_poll(struct file *f, struct poll_table *t)
{
	const struct signalfd *s = f->priv;

	if (current == NULL)
		return 0;
	poll_wait_for(t, &current_task->signal_wait, EPOLLIN);
	return (current->pending.pending | current_task->pending.pending) & s->mask ? EPOLLIN : 0;
}

static void signalfd_release(struct file *f)
{
	kmem_free(f->priv);
}

static void signalfd_name(struct file *f, char *buf, size_t size)
{
	(void)f;
	fmt_snprintf(buf, size, "anon_inode:[signalfd]");
}

static void signalfd_fdinfo(struct file *f, char *buf, size_t size)
{
	const struct signalfd *s = f->priv;

	fmt_snprintf(buf, size, "sigmask:\t%016llx\n", (unsigned long long)s->mask);
}

static const struct file_ops signalfd_ops = {
	.read = signalfd_read,
	.poll = signalfd_poll,
	.release = signalfd_release,
	.name = signalfd_name,
	.fdinfo = signalfd_fdinfo,
	.seek = file_seek_nowhere,
	.stream = true,
};

err_t signalfd_create(struct file *existing, uint64_t mask, unsigned flags, struct file **out)
{
	struct signalfd *s;

	if ((flags & ~(unsigned)(SFD_CLOEXEC | SFD_NONBLOCK)) != 0)
		return E_INVAL;
	mask &= ~(SIG_BIT(SIGKILL) | SIG_BIT(SIGSTOP));
	if (existing != NULL) {
		if (existing->ops != &signalfd_ops)
			return E_INVAL;
		s = existing->priv;
		s->mask = mask;
		wake_all(&current_task->signal_wait);
		*out = file_get(existing);
		return OK;
	}
	s = kmem_zalloc(sizeof(*s));
	if (s == NULL)
		return E_NOMEM;
	s->mask = mask;
	*out = file_create(&signalfd_ops, s, O_RDWR | (flags & SFD_NONBLOCK), 0600);
	if (*out == NULL) {
		kmem_free(s);
		return E_NOMEM;
	}
	return OK;
}
