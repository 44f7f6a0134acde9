/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What cores tell each other about themselves: who is up, who died, what time it is, lines for the
 * log.
 */
#include "kernel/core/local.h"

#include "base/str.h"
#include "comp/drv/uart16550/uart16550.h"
#include "kernel/core/cores.h"
#include "kernel/msg/msg.h"
#include "kernel/x86/x86.h"

_Static_assert(sizeof(struct time_params) == 5 * sizeof(uint64_t), "body of MSG_time");

/* How long a dying core tries to reach a core whose ring is full. */
#define DOWN_TRIES 1000

void (*core_down_hook)(unsigned core);

static uint32_t up;   /* other cores that said so */
static uint32_t down; /* and those that died */

uint32_t cores_up(void)
{
	return up & ~down;
}

/* The ring to a core may be full for a moment; a new value is sent with the next change anyway. */
static void send_time(unsigned core)
{
	uint64_t body[MSG_WORDS] = { 0 };
	struct time_params p;

	if (!time_params_get(&p))
		return;
	memcpy(body, &p, sizeof(p));
	if (msg_send(core, MSG_time, body) != OK)
		log_warn("core %u was not told the time: its ring is full", core);
}

static void time_has_changed(void)
{
	for (unsigned c = 1; c < boot_info.ncores; c++)
		if (cores_up() >> c & 1)
			send_time(c);
}

static bool send_log(const char *line, size_t len)
{
	static const uint64_t body[MSG_WORDS];

	return len <= MSG_SIDE_MAX && msg_send_side(0, MSG_log, body, line, len) == OK;
}

void cores_init(void)
{
	if (boot_info.core == 0)
		time_changed = time_has_changed;
	else
		log_remote = send_log;
}

void cores_announce_up(void)
{
	uint64_t body[MSG_WORDS] = { boot_info.core };

	for (unsigned c = 0; c < boot_info.ncores; c++)
		if (c != boot_info.core && msg_send(c, MSG_core_up, body) != OK)
			BUG(); /* the first message in an empty ring */
}

void cores_announce_down(uint64_t reason)
{
	uint64_t body[MSG_WORDS] = { boot_info.core, reason };

	for (unsigned c = 0; c < boot_info.ncores; c++) {
		if (c == boot_info.core)
			continue;
		for (unsigned i = 0; i < DOWN_TRIES && msg_send(c, MSG_core_down, body) == E_AGAIN;
		     i++)
			cpu_relax();
	}
}

/* ---- handlers ---- */

void core_on_core_up(const struct msg_in *m)
{
	up |= 1u << m->from;
	log_info("core %u is up", m->from);
	if (boot_info.core == 0)
		send_time(m->from);
}

void core_on_core_down(const struct msg_in *m)
{
	down |= 1u << m->from;
	log_error("core %u has stopped by its own error (%lld)", m->from, (long long)m->body[1]);
	msg_peer_is_down(m->from);
	if (core_down_hook != NULL)
		core_down_hook(m->from);
}

void core_on_time(const struct msg_in *m)
{
	struct time_params p;

	if (m->from != 0)
		return;
	memcpy(&p, m->body, sizeof(p));
	time_params_set(&p);
}

void core_on_log(const struct msg_in *m)
{
	uart_write(UART_COM1, m->side, m->side_len);
}

void core_on_ping(const struct msg_in *m)
{
	if (msg_reply(m, m->body) != OK)
		log_warn("ping from core %u was not a call", m->from);
}

void core_on_shutdown(const struct msg_in *m)
{
	log_info("core %u stops, as core %u asks (%llu)", boot_info.core, m->from,
		 (unsigned long long)m->body[0]);
	for (;;)
		__asm__ volatile("cli; hlt");
}
