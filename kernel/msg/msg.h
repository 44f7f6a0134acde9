/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages between the kernels of two cores (docs/life-of-a-message.md). One cache line each; a
 * ring has one writer and one reader; payload before control word; acknowledgements ride on
 * messages (Baumann et al., "The Multikernel", SOSP 2009; Barrelfish's ump). Delivered once and in
 * order per pair of cores, nothing is promised between pairs. Handlers run to completion on the
 * receiving core, outside any thread, and must not block.
 */
#pragma once

#include "abi/err.h"
#include "abi/types.h"

/*
 * MSG_TABLE lists every kind (abi/msg.def): X(kind, receiving module); handler is MODULE_on_KIND.
 */
enum msg_kind {
	MSG_ACK = 0,
#define X(kind, module) MSG_##kind,
#include "abi/msg.def"
#undef X
	MSG_KINDS
};

#define MSG_WORDS 7
struct msg {
	uint64_t body[MSG_WORDS];
	/*
	 * kind, epoch, acknowledged index, call token; written last with release, read first with
	 * acquire
	 */
	uint64_t head;
};
_Static_assert(sizeof(struct msg) == 64, "one message is one cache line");

/*
 * What a handler gets: a copy of the line. `from` is the sending core. token is not 0 for calls:
 * answer them with msg_reply,
 * from the handler or later (keep a copy). side: what came in the side buffer, side_len bytes, gone
 * when the handler returns.
 */
struct msg_in {
	unsigned from;
	enum msg_kind kind;
	uint32_t token;
	uint64_t body[MSG_WORDS];
	const void *side;
	size_t side_len;
};

void msg_init(void);
/*
 * Send without answer. E_AGAIN when the ring is full (the message was not sent), E_INVAL for a core
 * that is not there, or is down.
 */
err_t msg_send(unsigned core, enum msg_kind kind, const uint64_t body[MSG_WORDS]) MUST_CHECK;
/*
 * Send and wait for the reply, which is written to `body`. The calling thread waits, the core does
 * not. Outside a thread (start-up, tests) it polls. E_TIMEDOUT after `timeout_ns` (0 = none);
 * E_INVAL as msg_send; E_NODEV when the core died meanwhile.
 * Never from a message handler. MAY_SWITCH */
err_t msg_call(unsigned core, enum msg_kind kind, uint64_t body[MSG_WORDS],
	       uint64_t timeout_ns) MUST_CHECK;
/*
 * Answer a call. Never fails for want of room: the answer then waits here. E_INVAL when `call` is
 * none.
 */
err_t msg_reply(const struct msg_in *call, const uint64_t body[MSG_WORDS]) MUST_CHECK;
/*
 * Handle all messages that are there; returns how many. Called from the IPI handler, the idle loop,
 * and long waits. Before the
 * core halts it must have polled once with interrupts off since the last interrupt. */
unsigned msg_poll(void);
/*
 * Poll for up to `ns` or until a message was handled (then true), and let the others know meanwhile
 * that no IPI is needed.
 */
bool msg_poll_for(uint64_t ns);
/*
 * For the idle loop, before it halts: as msg_poll, but goes on polling for a moment (10 us) after a
 * message was handled, as the next one is often near and waking up is dear. Ends when *runnable is
 * not 0 any more, and says whether that is so; if not, the core
 * may halt at once: nothing that came is left. */
bool msg_idle(const unsigned *runnable);
/* A core has died: calls to it end with E_NODEV, later sends with E_INVAL. */
void msg_peer_is_down(unsigned core);
/*
 * Bulk data: up to MSG_SIDE_MAX bytes travel in the side buffer of the ring to `core` with the
 * message. E_AGAIN also while the
 * receiver has not finished with what was there before. */
#define MSG_SIDE_MAX 4096u
err_t msg_send_side(unsigned core, enum msg_kind kind, const uint64_t body[MSG_WORDS],
		    const void *data, size_t len) MUST_CHECK;
struct msg_stats {
	uint64_t sent, received, acks, full, ipis_sent, ipis_got, ipis_saved, late_replies;
};
extern struct msg_stats msg_stats;
/*
 * Set by kernel/task so that msg_call can let the calling thread sleep until msg_wake_hook(done) or
 * the deadline (UINT64_MAX:
 * none); *done is to be looked at again afterwards. Outside a thread the wait hook returns at once.
 * NULL: poll.
 */
extern void (*msg_wait_hook)(bool *done, uint64_t deadline_ns);
extern void (*msg_wake_hook)(bool *done);
