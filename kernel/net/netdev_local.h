/* SPDX-License-Identifier: BSD-2-Clause */
/* Between netdev.c, netdev_rx.c and netdev_tx.c. */
#pragma once

#include "kernel/net/netdev.h"

struct netdev {
	struct net_dev *dev; /* NULL: none */
	struct netif netif;
	bool running; /* started, and did not break the rules yet */
	struct netdev_stats stats;
};
extern struct netdev nd;

/* ---- netdev_rx.c ---- */
#define RX_BUDGET 128u
/* In a bracket: up to RX_BUDGET frames to lwIP; the first was taken already. Answers how many. */
unsigned netdev_receive(struct net_rx *first);
/* The device gets as many buffers as it should have. */
void netdev_refill(void);
/* Nothing has come for a while. */
void netdev_rx_rest(void);
/* A buffer comes back from a device that was stopped. */
void netdev_rx_drop(void *token);
/* What the interface's flags for checksums are, but for those of received TCP and UDP. */
void netdev_set_checksums(bool rx_good);
/* Pages that nobody uses. Answers how many there were. */
size_t netdev_rx_reclaim(void);

/* ---- netdev_tx.c ---- */
lwip_err_t netdev_linkoutput(struct netif *n, struct pbuf *p);
/* What the device is done with is freed, what waits for room is sent. */
void netdev_reap(void);
/* Frames wait for room. */
bool netdev_tx_waits(void);
void netdev_tx_drop(void *token);
/* Those that wait are given up. */
void netdev_tx_clear(void);
void netdev_tx_init(void);
