/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kind "network device": Ethernet frames to and from outside, as a driver gives it to
 * kernel/net/netdev.c. No function blocks, and none switches threads. Frames are sent from and
 * received into memory of the user's, where it lies: nothing is copied here.
 *
 * A device has up to NET_QUEUES_MAX pairs of queues, each with a receiving and a sending half that
 * know nothing of each other. The core that calls start() drives all of them.
 *
 * Who owns what: a receive buffer is the driver's from rx_add until rx_take or drop hands its token
 * back; the pieces of a frame to send are the driver's to read (and its headroom to write) from tx
 * until tx_done or drop hands the token back. What the device writes is not believed: a device that
 * breaks the rules ends as `broken`, and no token comes twice.
 */
#pragma once

#include "abi/err.h"
#include "abi/types.h"

#define NET_QUEUES_MAX 8u
/* Pieces of a frame: enough for 64 KiB in buffers of 2 KiB. */
#define NET_PIECES_MAX 34u
#define NET_ETH_HLEN   14u
#define NET_BUF_MIN    128u /* of a receive buffer */
/* The longest frame, with offloads: an IP packet of 65,535 bytes behind its Ethernet header. */
#define NET_FRAME_MAX (65535u + NET_ETH_HLEN)

struct net_dev;

/* What the device does for its user. */
enum net_feature {
	NET_TX_CSUM = 1u << 0, /* completes the checksum of a frame to send */
	NET_TX_TSO4 = 1u << 1, /* cuts a large TCP segment over IPv4 into small ones */
	NET_TX_TSO6 = 1u << 2,
	NET_RX_CSUM = 1u << 3,  /* says of received frames that it has seen to their checksum */
	NET_RX_LARGE = 1u << 4, /* may join segments that come: frames up to NET_FRAME_MAX */
	NET_RX_MERGE = 1u << 5, /* a received frame may fill several buffers; without it each
				 * buffer must hold the longest frame */
};

/* What is to be done with, or was done to, a frame besides its bytes. */
enum net_frame_flag {
	/* Sending: the 16 bits at csum_start + csum_offset hold the sum of the pseudo-header; the
	 * device adds all from csum_start to the end. Received frames never have it. */
	NET_CSUM_PARTIAL = 1u << 0,
	/* Received: checksums of the transport header are right, or need not be (the frame never
	 * was on a wire). */
	NET_CSUM_GOOD = 1u << 1,
	/* TCP over IPv4 or IPv6, to be cut into segments of seg_size bytes of data, or joined from
	 * such. Sending: with NET_CSUM_PARTIAL. */
	NET_TSO4 = 1u << 2,
	NET_TSO6 = 1u << 3,
};

struct net_offload {
	uint8_t flags;                    /* NET_* above */
	uint8_t hdr_len;                  /* TSO: Ethernet, IP and TCP headers together */
	uint16_t csum_start, csum_offset; /* from the frame's first byte; from csum_start */
	uint16_t seg_size;
};

/* Physically contiguous, in the direct map; to send also in the root image's window. */
struct net_piece {
	const void *data;
	uint32_t len;
};

struct net_tx {
	const struct net_piece *piece; /* read during the call; what they point to until tx_done */
	unsigned n;                    /* 1 to NET_PIECES_MAX */
	uint32_t headroom; /* bytes before piece[0].data that the driver may overwrite */
	struct net_offload o;
	void *token; /* not NULL */
};

struct net_rx_piece {
	void *token;
	uint32_t len; /* bytes that are filled, from the buffer's beginning; more than 0 */
};

struct net_rx {
	unsigned n;    /* pieces, at least 1 */
	uint32_t len;  /* of all pieces */
	uint32_t skip; /* bytes of the first piece that lie before the frame (in its len, too) */
	struct net_offload o;
	struct net_rx_piece piece[NET_PIECES_MAX];
};

struct net_stats {
	uint64_t rx_frames, rx_bytes, tx_frames, tx_bytes;
	uint64_t rx_bad;     /* frames that the driver threw away: no sense, or too long */
	uint64_t interrupts; /* for any reason */
	uint64_t kicks;      /* notifications of the device */
};

struct net_ops {
	/*
	 * Bring the device up with n queue pairs (1 to d->queues_max), interrupts off. E_NODEV: the
	 * device does not want; E_NOMEM; E_NOSPC: no vector. After an error the device is at rest
	 * and may be started anew. Interrupts that were allocated stay for the next start.
	 */
	err_t (*start)(struct net_dev *d, unsigned n);
	/* The device rests; all its memory is free. Each token that is still out goes to drop
	 * before (`rx`: a receive buffer). */
	void (*stop)(struct net_dev *d, void (*drop)(struct net_dev *d, bool rx, void *token));

	/* Receive buffers that the queue has room for. */
	unsigned (*rx_room)(struct net_dev *d, unsigned q);
	/* A buffer to receive into. E_NOSPC: no room; E_IO: broken. It is the device's at the
	 * latest after flush. */
	err_t (*rx_add)(struct net_dev *d, unsigned q, void *data, uint32_t len, void *token);
	/* The next frame that came. False: none. Frames that make no sense never come here: their
	 * buffers go to the device again. */
	bool (*rx_take)(struct net_dev *d, unsigned q, struct net_rx *out);

	/* Send a frame. E_NOSPC: no room now (tx_done makes some), E_IO: broken. It leaves at the
	 * latest after flush. */
	err_t (*tx)(struct net_dev *d, unsigned q, const struct net_tx *f);
	/* The token of a frame that the device is done with, NULL: none. */
	void *(*tx_done)(struct net_dev *d, unsigned q);

	/* The device is told of what was added since the last call. */
	void (*flush)(struct net_dev *d, unsigned q);
	/*
	 * Interrupts of queue pair q on or off; a hint to the device, on_event may still come. On:
	 * for the next frame that comes and, with `tx`, when the device is done with some more of
	 * those to send. Answers true when there is work already: no interrupt may come for that.
	 */
	bool (*interrupts)(struct net_dev *d, unsigned q, bool on, bool tx);
};

struct net_dev {
	const struct net_ops *ops;
	const char *driver; /* "virtio-net" */
	/* Fixed before start(). */
	uint8_t mac[6];
	uint16_t mtu;        /* of IP packets */
	unsigned queues_max; /* pairs that the device offers, at most NET_QUEUES_MAX */
	/* Fixed by start(). */
	uint32_t features; /* NET_TX_..., NET_RX_... */
	unsigned queues;
	unsigned rx_size, tx_size; /* buffers of one queue; descriptors of one */
	/* Change at any time. */
	bool link_up;
	bool broken; /* the device broke the rules: nothing is sent or received any more */
	struct net_stats stats;
	/*
	 * Of the user; called in interrupt or idle context, interrupts off. on_event: queue pair q
	 * may have work. on_change: link_up or broken changed (broken may also be set within a call
	 * of the user's; it is told then, too).
	 */
	void (*on_event)(struct net_dev *d, unsigned q);
	void (*on_change)(struct net_dev *d);
	void *user;
};
