/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two one-way rings of lines between two cores: the protocol alone, no hardware, no messages'
 * meaning.
 *
 * Each ring has MSG_LINES lines of which only the sender writes. A line is new when its epoch bit
 * is the one the receiver expects; both flip theirs when they pass the end. Nothing else is shared:
 * each side counts for itself.
 *
 *   next_id   number of the line we send next, from 1      seq_id    lines of the peer that we are
 *             done with
 *   ack_id    last of ours that the peer is done with      last_ack  what we told it of that
 *
 * All are modulo 2^16. Every line carries seq_id. What holds (papers: Barrelfish's ump):
 *   - lines in flight, next_id - 1 - ack_id, are at most MSG_LINES, and MSG_LINES - 1 of data: so
 *     the last one is always left for an explicit acknowledgement, and two full rings cannot wait
 *     for each other;
 *   - a line is written again only after its acknowledgement.
 */
#pragma once

#include "abi/boot.h"
#include "kernel/msg/msg.h"

/*
 * The last line of a ring is not a message: it tells how the ring's WRITER is to be woken (struct
 * msg_status).
 */
#define MSG_LINES (BOOT_RING_LINES - 1)
/* Send an explicit acknowledgement at the latest after so many lines. */
#define MSG_ACK_AFTER (MSG_LINES / 2)

/* token: 27 bits */
#define MSG_TOKEN_MAX ((1u << 27) - 1)

struct msg_ring { /* as it lies in shared memory */
	struct msg line[MSG_LINES];
	struct msg_status {
		uint64_t word;
		uint64_t pad[7];
	} status;
	uint8_t side[MSG_SIDE_MAX];
};
_Static_assert(sizeof(struct msg_ring) == BOOT_RING_BYTES, "a ring fills what boot gave it");
_Static_assert(MSG_KINDS <= 128, "a kind has 7 bits");

struct msg_chan { /* one end; private to its core */
	struct msg_ring *out;
	const struct msg_ring *in;
	uint16_t next_id, ack_id, seq_id, last_ack;
	uint16_t side_id; /* last line whose data lay in our side buffer */
	bool side_used;   /* ... and it may still be in use */
	uint8_t out_pos, in_pos;
	uint8_t out_epoch, in_epoch;
};

struct msg_line { /* a received line, taken apart */
	enum msg_kind kind;
	uint32_t token;
	uint32_t side_len;
	uint64_t body[MSG_WORDS];
};

/* Both rings full of zeros. */
void msg_chan_init(struct msg_chan *c, struct msg_ring *out, const struct msg_ring *in);
/*
 * Room for a message (with data in the side buffer)? Looks at acknowledgements that have come, if
 * need be.
 */
bool msg_chan_room(struct msg_chan *c, bool side);
/* Send; only after msg_chan_room said yes. `side`: side_len bytes, or none when that is 0. */
void msg_chan_send(struct msg_chan *c, enum msg_kind kind, uint32_t token,
		   const uint64_t body[MSG_WORDS], const void *side, uint32_t side_len);
/* Take the next line, if there is one. Acknowledgements among them are taken too (kind MSG_ACK). */
bool msg_chan_receive(struct msg_chan *c, struct msg_line *line);
/* We are done with the line received last, its side data included. Exactly once for each. */
void msg_chan_done(struct msg_chan *c);
/*
 * Send an explicit acknowledgement if one is due (or `now` is set and there is something to say)
 * and there is
 * room. True if one was sent. */
bool msg_chan_ack(struct msg_chan *c, bool now);
