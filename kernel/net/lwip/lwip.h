/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All of lwIP that the kernel uses. Include this, and not lwIP's headers: two of its names mean
 * something else in the kernel. lwIP's err_t is lwip_err_t here (ERR_OK, ERR_MEM ...), and never
 * an err_t: inet_error() translates.
 */
#pragma once

#define err_t    lwip_err_t
#define mem_init lwip_mem_init
#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/autoip.h>
#include <lwip/icmp.h>
#include <lwip/igmp.h>
#include <lwip/init.h>
#include <lwip/inet_chksum.h>
#include <lwip/ip.h>
#include <lwip/ip4_frag.h>
#include <lwip/ip6_frag.h>
#include <lwip/mld6.h>
#include <lwip/nd6.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/prot/ip.h>
#include <lwip/raw.h>
#include <lwip/stats.h>
#include <lwip/tcp.h>
#include <lwip/udp.h>
#include <netif/ethernet.h>
#include "hooks.h"

/*
 * Functions of lwIP that are called by another name, because ours of that name does more
 * (module.mk): all but tcp_demux.c and tcp_send.c call ours.
 */
lwip_err_t lwip_tcp_output(struct tcp_pcb *pcb);
#undef err_t
#undef mem_init
