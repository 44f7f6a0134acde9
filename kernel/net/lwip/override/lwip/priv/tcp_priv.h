/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP's own header, and instead of some of its macros ours: connections are found by a hash and
 * leave their list without a search (tcp_demux.c), and each has a receive window of its own.
 */
#ifndef NET_LWIP_TCP_PRIV_H
#define NET_LWIP_TCP_PRIV_H

#include_next <lwip/priv/tcp_priv.h>

/* Slots of ext_args in every struct tcp_pcb. */
enum tcp_ext {
	TCP_EXT_SELF,      /* the pcb itself: for the callback when it is freed */
	TCP_EXT_LIST,      /* the list it is registered in; NULL: none */
	TCP_EXT_PREV,      /* the one before it there */
	TCP_EXT_HASH,      /* the next one in its bucket */
	TCP_EXT_PORT,      /* its struct inet_port; bit 0: reusable */
	TCP_EXT_WND,       /* receive window as a number; 0: TCP_WND_DEFAULT */
	TCP_EXT_HALF_NEXT, /* half-open connections in the order they came */
	TCP_EXT_HALF_PREV,
	TCP_EXT_ORPHAN, /* no socket any more: struct tcp_orphan as a number (tcp_send.c) */
	TCP_EXT_COUNT
};
#define TCP_EXT(pcb, slot) ((pcb)->ext_args[slot].data)

void net_tcp_reg(struct tcp_pcb **list, struct tcp_pcb *pcb);
void net_tcp_rmv(struct tcp_pcb **list, struct tcp_pcb *pcb);

#undef TCP_REG
#define TCP_REG(list, pcb) net_tcp_reg(list, pcb)
#undef TCP_RMV
#define TCP_RMV(list, pcb) net_tcp_rmv(list, pcb)

static inline u32_t net_tcp_wnd(const struct tcp_pcb *pcb)
{
	if (pcb == NULL || TCP_EXT(pcb, TCP_EXT_WND) == NULL)
		return TCP_WND_DEFAULT;
	return (u32_t)(mem_ptr_t)TCP_EXT(pcb, TCP_EXT_WND);
}
/* lwIP uses it where a variable `pcb` is the connection; but init.c, which checks the number. */
#ifndef TCP_WND_IS_NUMBER
#undef TCP_WND
#define TCP_WND net_tcp_wnd((const struct tcp_pcb *)pcb)
#endif
#undef TCP_WND_MAX
#define TCP_WND_MAX(p) \
	(((p)->flags & TF_WND_SCALE) ? net_tcp_wnd(p) : LWIP_MIN(net_tcp_wnd(p), 0xffffu))

/* b <= a <= c. lwIP's holds also for b > c, for an `a` half the sequence space away, and asserts
 * what does not follow then. */
#undef TCP_SEQ_BETWEEN
#define TCP_SEQ_BETWEEN(a, b, c) (TCP_SEQ_GEQ(a, b) && TCP_SEQ_LEQ(a, c) && TCP_SEQ_LEQ(b, c))

#endif
