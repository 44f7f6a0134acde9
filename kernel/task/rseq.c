/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Restartable sequences. A program that is interrupted between start_ip and the commit of one, by
 * another thread or a signal, goes on at its abort_ip. There is one processor, whose number stands
 * in the registered area from the beginning and never changes; so all that is left to do is to look
 * at a thread that was interrupted in the middle, before it returns.
 */
#include <linux/rseq.h>

#include "abi/layout.h"
#include "kernel/mem/ubuf.h"
#include "kernel/mem/uword.h"
#include "kernel/task/internal.h"
#include "kernel/x86/x86.h"

_Static_assert(sizeof(struct rseq) == 32 && _Alignof(struct rseq) == 32, "as Linux 6.1");

#define NO_TRAP UINT64_MAX /* orig_rax of a frame that is no system call */

static err_t put_cpu(uint64_t area, uint32_t id)
{
	struct {
		uint32_t start, id;
	} cpu = { 0, id };

	return USER_OUT(UADDR(area + offsetof(struct rseq, cpu_id_start)), &cpu);
}

static err_t unregister(struct thread *t, uint64_t area, uint32_t len, uint32_t sig)
{
	if (t->rseq == 0 || t->rseq != area || len != sizeof(struct rseq))
		return E_INVAL;
	if (t->rseq_sig != sig)
		return E_PERM;
	TRY(put_cpu(area, (uint32_t)RSEQ_CPU_ID_UNINITIALIZED));
	t->rseq = 0;
	return OK;
}

err_t rseq_register(uint64_t area, uint32_t len, uint32_t flags, uint32_t sig)
{
	struct thread *t = current;

	if (flags == RSEQ_FLAG_UNREGISTER)
		return unregister(t, area, len, sig);
	if (flags != 0)
		return E_INVAL;
	if (t->rseq != 0) {
		if (t->rseq != area || len != sizeof(struct rseq))
			return E_INVAL;
		return t->rseq_sig == sig ? E_BUSY : E_PERM;
	}
	if (area % _Alignof(struct rseq) != 0 || len != sizeof(struct rseq))
		return E_INVAL;
	if (area > (uint64_t)USER_END - len)
		return E_FAULT;
	t->rseq = area;
	t->rseq_sig = sig;
	/* Linux finds out on the way back, too, and has no better answer than the signal. */
	if (put_cpu(area, 0) != OK)
		signal_fault(SIGSEGV, SI_KERNEL, 0, 0, 0);
	return OK;
}

/* The sequence that the area names, checked as Linux does. */
static err_t read_sequence(const struct thread *t, uint64_t at, struct rseq_cs *cs)
{
	uint32_t area_flags, sig;

	if (at >= USER_END)
		return E_INVAL;
	TRY(USER_IN(cs, UADDR(at)));
	TRY(USER_IN(&area_flags, UADDR(t->rseq + offsetof(struct rseq, flags))));
	if (cs->version != 0 || cs->flags != 0 || area_flags != 0)
		return E_INVAL;
	if (cs->start_ip >= USER_END ||
	    cs->post_commit_offset >= (uint64_t)USER_END - cs->start_ip ||
	    cs->abort_ip >= USER_END || cs->abort_ip - cs->start_ip < cs->post_commit_offset)
		return E_INVAL;
	TRY(USER_IN(&sig, UADDR(cs->abort_ip - sizeof(sig))));
	return sig == t->rseq_sig ? OK : E_INVAL;
}

static err_t fix_up(struct trapframe *tf)
{
	uaddr_t link = UADDR(current->rseq + offsetof(struct rseq, rseq_cs));
	uint64_t at, none = 0;
	struct rseq_cs cs;

	TRY(uword_get(&at, link.v));
	if (at == 0)
		return OK;
	TRY(read_sequence(current, at, &cs));
	TRY(USER_OUT(link, &none));
	if (tf->rip - cs.start_ip < cs.post_commit_offset) {
		tf->rip = cs.abort_ip;
		user_work |= USER_WORK_SPECIAL;
	}
	return OK;
}

void rseq_interrupted(struct trapframe *tf)
{
	user_work &= ~USER_WORK_RSEQ;
	if (current->rseq != 0 && fix_up(tf) != OK)
		signal_fault(SIGSEGV, SI_KERNEL, 0, 0, 0);
}

void rseq_switched_out(struct thread *t)
{
	/* A sequence contains no system call. */
	if (t->rseq != 0 && t->regs->orig_rax == NO_TRAP)
		t->work |= USER_WORK_RSEQ;
}
