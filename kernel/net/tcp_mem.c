/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory of TCP: when it is short, and connections that have no socket any more. */
#include "kernel/mem/frame.h"
#include "kernel/net/tcp_sock.h"

#define LOOK_EVERY 32u /* questions: what may have been taken meanwhile is small */

uint64_t tcp_queued_bytes;

/* ---- shortage ---- */

/*
 * What is counted is data; headers, segments and the empty ends of buffers are not. Therefore the
 * free memory is looked at as well.
 */
enum level { PLENTY, SHORT, NEXT_TO_NOTHING };

static enum level look(void)
{
	struct mem_stats m;

	mem_stats(&m);
	if (m.free < m.total / 64)
		return NEXT_TO_NOTHING;
	return tcp_queued_bytes > m.total / 4 || m.free < m.total / 32 ? SHORT : PLENTY;
}

static enum level level(void)
{
	static unsigned rest;
	static enum level now;

	if (rest-- == 0) {
		rest = LOOK_EVERY;
		now = look();
	}
	return now;
}

bool tcp_memory_short(void)
{
	return level() != PLENTY;
}

bool tcp_memory_gone(void)
{
	return level() == NEXT_TO_NOTHING;
}

/* ---- connections whose socket is gone ---- */

/*
 * TCP_EXT_ORPHAN: in its lower half the bytes that lwIP still has to send, which count as queued;
 * in its upper half tcp_ticks when something was acknowledged last.
 */
#define ORPHAN_TICKS (TCP_ORPHAN_MS / TCP_SLOW_INTERVAL)

static uint32_t orphan_bytes(const struct tcp_pcb *pcb)
{
	return (uint32_t)(uintptr_t)TCP_EXT(pcb, TCP_EXT_ORPHAN);
}

static void orphan_set(struct tcp_pcb *pcb, uint32_t bytes)
{
	TCP_EXT(pcb, TCP_EXT_ORPHAN) = (void *)(bytes | (uintptr_t)tcp_ticks << 32);
}

void tcp_leave_alone(struct tcp_sock *t)
{
	struct tcp_pcb *pcb = t->pcb;
	uint32_t bytes = t->tx_mem;

	tcp_detach(t);
	tcp_sock_free(t);
	tcp_queued_bytes += bytes;
	orphan_set(pcb, bytes);
	pcb->pollinterval = 1;
}

void tcp_orphan_acked(struct tcp_pcb *pcb, uint32_t n)
{
	uint32_t bytes = orphan_bytes(pcb), less = n < bytes ? n : bytes;

	tcp_queued_bytes -= less;
	orphan_set(pcb, bytes - less);
}

bool tcp_orphan_given_up(const struct tcp_pcb *pcb)
{
	uint32_t since = (uint32_t)((uintptr_t)TCP_EXT(pcb, TCP_EXT_ORPHAN) >> 32);

	return (pcb->unacked != NULL || pcb->unsent != NULL) && tcp_ticks - since > ORPHAN_TICKS;
}

void tcp_orphan_gone(const struct tcp_pcb *pcb)
{
	tcp_queued_bytes -= orphan_bytes(pcb);
}
