/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages of this core: who is woken how, calls that wait for answers, delivery to the handlers.
 *
 * Waking. A core writes one word for each other core, into the last line of its ring to that core:
 * how many times it has taken an IPI, and whether it is polling now. A sender writes its message,
 * then (full fence) reads that word. Polling: nothing to do. Else an IPI, but only one for each
 * value of the count: while the count stands, the last IPI has not been taken yet, and the receiver
 * will look at its rings after it raised the count. A receiver that stops polling clears the bit,
 * then (full fence) looks once more. So of the two either the sender sees that the receiver does
 * not poll, or the receiver sees the message (docs/life-of-a-message.md).
 */
#include "kernel/msg/msg.h"

#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/msg/ring.h"
#include "kernel/x86/x86.h"

#define CALLS     16u /* that may wait for one core's answers at a time */
#define SLOT_BITS 4u
#define GEN_MAX   (MSG_TOKEN_MAX >> SLOT_BITS)

/* Waking a halted core costs about 13 us under emulation: poll about as long before sleeping. */
#define POLL_NS     10000u
#define BACK_OFF_NS 100000u
/*
 * PAUSE lets an emulated core's turn end (with one host thread for all, the others need that), but
 * each one takes the emulator's big lock, for which a core that is being woken waits.
 */
#define PAUSE_EVERY 8u
#define POLL_TURNS  1000u /* at most: a core that was not told the time yet cannot tell how long */
/*
 * Lines taken from one ring before the next one has its turn, and before the core goes on with
 * other work.
 */
#define BATCH      MSG_LINES
#define PASSES_MAX 8u

#define STATUS_POLLING 1u
#define STATUS_COUNT   2u /* one IPI taken */

_Static_assert(CALLS == 1u << SLOT_BITS, "a token names a slot");

struct call {
	uint64_t *body; /* NULL: slot is free */
	uint32_t gen;
	err_t result;
	bool done;
};

struct late_reply {
	uint64_t body[MSG_WORDS];
	uint32_t token;
}; /* token 0: none */

struct peer {
	struct msg_chan chan;
	struct call calls[CALLS];
	/* answers to its calls that found no room, by the caller's slot */
	struct late_reply late[CALLS];
	unsigned nlate;
	uint64_t woken_at; /* its word when we sent the last IPI */
	bool ack_owed;     /* it waits for its side buffer */
	bool there;
};

static struct peer peers[MAX_CORES];
static bool handling; /* a handler runs: no second one inside it */
static bool recent;   /* something was handled since this was cleared */
static uint64_t status_word;

struct msg_stats msg_stats;
void (*msg_wait_hook)(bool *done, uint64_t deadline_ns);
void (*msg_wake_hook)(bool *done);

#define X(kind, module) void module##_on_##kind(const struct msg_in *m);
#include "abi/msg.def"
#undef X

static void (*const handlers[MSG_KINDS])(const struct msg_in *m) = {
#define X(kind, module) [MSG_##kind] = module##_on_##kind,
#include "abi/msg.def"
#undef X
};

/* ---- waking ---- */

static void tell_status(void)
{
	for (unsigned i = 0; i < boot_info.ncores; i++)
		if (i != boot_info.core)
			__atomic_store_n(&peers[i].chan.out->status.word, status_word,
					 __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void wake(unsigned core)
{
	struct peer *p = &peers[core];

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	uint64_t word = __atomic_load_n(&p->chan.in->status.word, __ATOMIC_RELAXED);

	if ((word & STATUS_POLLING) || word == p->woken_at) {
		msg_stats.ipis_saved++;
		return;
	}
	p->woken_at = word;
	msg_stats.ipis_sent++;
	apic_send_ipi(core, VEC_IPI);
}

/* After `false`, the rings must be looked at once more before anything is waited for. */
static void set_polling(bool on)
{
	status_word = on ? status_word | STATUS_POLLING : status_word & ~(uint64_t)STATUS_POLLING;
	tell_status();
}

/*
 * The IPI: raise the count first, then look. Polling meanwhile, or the answer to a handler's reply
 * would already cost its sender another IPI.
 */
static void on_ipi(void)
{
	msg_stats.ipis_got++;
	status_word += STATUS_COUNT;
	set_polling(true);
	msg_poll();
	set_polling(false);
	msg_poll();
}

/* ---- sending ---- */

static struct peer *peer_of(unsigned core)
{
	if (core >= boot_info.ncores || core == boot_info.core || !peers[core].there)
		return NULL;
	return &peers[core];
}

static void flush_late(unsigned core)
{
	struct peer *p = &peers[core];

	for (unsigned i = 0; i < CALLS && p->nlate != 0; i++) {
		struct late_reply *r = &p->late[i];

		if (r->token == 0)
			continue;
		if (!msg_chan_room(&p->chan, false))
			return;
		msg_chan_send(&p->chan, MSG_reply, r->token, r->body, NULL, 0);
		r->token = 0;
		p->nlate--;
		msg_stats.sent++;
		wake(core);
	}
}

static err_t send(unsigned core, enum msg_kind kind, uint32_t token, const uint64_t body[MSG_WORDS],
		  const void *side, size_t side_len)
{
	struct peer *p = peer_of(core);

	if (p == NULL || side_len > MSG_SIDE_MAX || kind <= MSG_ACK || kind >= MSG_KINDS)
		return E_INVAL;
	flush_late(core); /* they are older */
	if (p->nlate != 0 || !msg_chan_room(&p->chan, side_len != 0)) {
		msg_stats.full++;
		return E_AGAIN;
	}
	msg_chan_send(&p->chan, kind, token, body, side, (uint32_t)side_len);
	msg_stats.sent++;
	wake(core);
	return OK;
}

err_t msg_send(unsigned core, enum msg_kind kind, const uint64_t body[MSG_WORDS])
{
	return send(core, kind, 0, body, NULL, 0);
}

err_t msg_send_side(unsigned core, enum msg_kind kind, const uint64_t body[MSG_WORDS],
		    const void *data, size_t len)
{
	return send(core, kind, 0, body, data, len);
}

err_t msg_reply(const struct msg_in *call, const uint64_t body[MSG_WORDS])
{
	struct peer *p = peer_of(call->from);

	if (call->token == 0)
		return E_INVAL;
	if (p == NULL)
		return OK; /* died meanwhile: nobody waits */
	err_t err = send(call->from, MSG_reply, call->token, body, NULL, 0);

	if (err != E_AGAIN)
		return err;
	/*
	 * The slot's earlier answer, if one still lies here, belongs to a call that was given up.
	 */
	struct late_reply *r = &p->late[call->token % CALLS];

	if (r->token == 0)
		p->nlate++;
	memcpy(r->body, body, sizeof(r->body));
	r->token = call->token;
	return OK;
}

/* ---- receiving ---- */

static void deliver(unsigned from, const struct msg_line *line)
{
	struct peer *p = &peers[from];
	struct msg_in in = { .from = from, .kind = line->kind, .token = line->token };

	if (line->kind == MSG_ACK) {
		msg_chan_done(&p->chan);
		return;
	}
	if (line->kind >= MSG_KINDS) /* another version's kernel? There is only one text */
		BUG();
	memcpy(in.body, line->body, sizeof(in.body));
	msg_stats.received++;
	trace(TRACE_MSG, (uint64_t)from << 8 | line->kind, line->token);
	if (line->side_len == 0) {
		msg_chan_done(&p->chan);
		handlers[line->kind](&in);
		return;
	}
	in.side = p->chan.in->side;
	in.side_len = line->side_len;
	handlers[line->kind](&in);
	msg_chan_done(&p->chan);
	p->ack_owed = true;
}

static unsigned drain(unsigned from)
{
	struct peer *p = &peers[from];
	struct msg_line line;
	unsigned n = 0;

	while (n < BATCH && msg_chan_receive(&p->chan, &line)) {
		deliver(from, &line);
		n++;
	}
	if (msg_chan_ack(&p->chan, p->ack_owed)) {
		p->ack_owed = false;
		msg_stats.acks++;
		wake(from);
	}
	flush_late(from);
	return n;
}

unsigned msg_poll(void)
{
	unsigned total = 0, n = 1;

	if (handling)
		return 0;
	handling = true;
	for (unsigned pass = 0; n != 0 && pass < PASSES_MAX; pass++) {
		n = 0;
		for (unsigned i = 0; i < boot_info.ncores; i++)
			if (peers[i].there)
				n += drain(i);
		total += n;
	}
	handling = false;
	recent |= total != 0;
	/* others send faster than we take: let this core's work have a turn, then go on */
	if (n != 0)
		apic_send_ipi(boot_info.core, VEC_IPI);
	return total;
}

/* ---- polling for a while ---- */

typedef bool (*stop_fn)(const volatile void *what);

static bool is_runnable(const volatile void *what)
{
	return *(const volatile unsigned *)what != 0;
}

static bool is_done(const volatile void *what)
{
	return *(const volatile bool *)what;
}

static bool is_handled(const volatile void *what)
{
	(void)what;
	return recent;
}

/*
 * Poll until stop(what), or nothing was handled for `quiet_ns`; then all that has come is handled.
 * What stops it may change in a handler only.
 */
static void poll_until(stop_fn stop, const volatile void *what, uint64_t quiet_ns)
{
	uint64_t last = time_mono_ns();

	set_polling(true);
	for (unsigned i = 0; i < POLL_TURNS && !stop(what); i++) {
		if (msg_poll() != 0)
			last = time_mono_ns();
		else if (time_mono_ns() - last >= quiet_ns)
			break;
		else if (i % PAUSE_EVERY == 0)
			cpu_relax();
	}
	set_polling(false);
	msg_poll();
}

bool msg_poll_for(uint64_t ns)
{
	recent = false;
	if (msg_poll() == 0 && boot_info.ncores > 1)
		poll_until(is_handled, NULL, ns);
	return recent;
}

bool msg_idle(const unsigned *runnable)
{
	msg_poll();
	if (recent && *runnable == 0)
		poll_until(is_runnable, runnable, POLL_NS);
	recent = false;
	return *runnable != 0;
}

/* ---- calls ---- */

static struct call *call_of(unsigned core, uint32_t token)
{
	struct call *c = &peers[core].calls[token % CALLS];

	return c->body != NULL && c->gen == token >> SLOT_BITS && !c->done ? c : NULL;
}

static void call_end(struct call *c, err_t result)
{
	c->result = result;
	c->done = true;
	if (msg_wake_hook != NULL)
		msg_wake_hook(&c->done);
}

void msg_on_reply(const struct msg_in *m)
{
	struct call *c = call_of(m->from, m->token);

	if (c == NULL) {
		msg_stats.late_replies++;
		return;
	}
	memcpy(c->body, m->body, sizeof(m->body));
	call_end(c, OK);
}

void msg_peer_is_down(unsigned core)
{
	struct peer *p = peer_of(core);

	if (p == NULL)
		return;
	p->there = false;
	for (unsigned i = 0; i < CALLS; i++)
		if (p->calls[i].body != NULL && !p->calls[i].done)
			call_end(&p->calls[i], E_NODEV);
}

/* Let time pass for other threads and cores until *done or the deadline. MAY_SWITCH */
static void wait_until(bool *done, uint64_t deadline)
{
	poll_until(is_done, done, POLL_NS);
	if (*done)
		return;
	if (msg_wait_hook != NULL)
		msg_wait_hook(done, deadline);
	else if (deadline == UINT64_MAX)
		x86_wait_for_interrupt(); /* poll_until has looked at the rings last */
}

static struct call *call_new(struct peer *p, uint64_t *body)
{
	for (unsigned i = 0; i < CALLS; i++) {
		struct call *c = &p->calls[i];

		if (c->body != NULL)
			continue;
		c->gen = c->gen == GEN_MAX ? 1 : c->gen + 1;
		c->body = body;
		c->done = false;
		return c;
	}
	return NULL;
}

/* One try; E_AGAIN when slots or lines are short. */
static err_t call_start(unsigned core, enum msg_kind kind, uint64_t body[MSG_WORDS],
			struct call **out)
{
	struct peer *p = peer_of(core);

	if (p == NULL)
		return E_INVAL;
	struct call *c = call_new(p, body);

	if (c == NULL)
		return E_AGAIN;
	err_t err = send(core, kind, c->gen << SLOT_BITS | (uint32_t)(c - p->calls), body, NULL, 0);

	if (err != OK)
		c->body = NULL;
	*out = c;
	return err;
}

err_t msg_call(unsigned core, enum msg_kind kind, uint64_t body[MSG_WORDS], uint64_t timeout_ns)
{
	uint64_t deadline = timeout_ns != 0 ? time_mono_ns() + timeout_ns : UINT64_MAX;
	struct call *c = NULL;
	bool never = false;
	err_t err;

	BUG_ON(handling);
	if (peer_of(core) == NULL)
		return E_INVAL;
	set_polling(true); /* the answer needs no IPI; poll_until ends this */
	while ((err = call_start(core, kind, body, &c)) == E_AGAIN && time_mono_ns() < deadline)
		wait_until(&never, time_mono_ns() + BACK_OFF_NS);
	if (err != OK) {
		set_polling(false);
		msg_poll();
		return err == E_AGAIN ? E_TIMEDOUT : err;
	}
	do
		wait_until(&c->done, deadline);
	while (!c->done && time_mono_ns() < deadline);
	err = c->done ? c->result : E_TIMEDOUT;
	c->body = NULL;
	return err;
}

void msg_init(void)
{
	unsigned me = boot_info.core;

	for (unsigned i = 0; i < boot_info.ncores; i++) {
		if (i == me)
			continue;
		msg_chan_init(&peers[i].chan, (struct msg_ring *)boot_ring_va(me, i),
			      (const struct msg_ring *)boot_ring_va(i, me));
		peers[i].woken_at = UINT64_MAX;
		peers[i].there = true;
	}
	/* IPIs sent before now came to nobody: the first poll makes up for them */
	status_word = STATUS_COUNT;
	tell_status();
	trap_hooks.ipi = on_ipi;
}
