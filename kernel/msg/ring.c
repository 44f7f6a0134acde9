/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/msg/ring.h"

#include "base/str.h"

/* head: epoch 1 | kind 7 | side_len 13 | ack 16 | token 27 */
#define KIND_SHIFT  1
#define SIDE_SHIFT  8
#define ACK_SHIFT   21
#define TOKEN_SHIFT 37
#define EPOCH_MASK  1u
#define KIND_MASK   0x7fu
#define SIDE_MASK   0x1fffu

void msg_chan_init(struct msg_chan *c, struct msg_ring *out, const struct msg_ring *in)
{
	*c = (struct msg_chan){ .out = out, .in = in, .next_id = 1, .out_epoch = 1, .in_epoch = 1 };
}

static uint16_t unacked(const struct msg_chan *c) /* counting the line to be sent */
{
	return (uint16_t)(c->next_id - c->ack_id);
}

static void step(uint8_t *pos, uint8_t *epoch)
{
	if (++*pos == MSG_LINES) {
		*pos = 0;
		*epoch ^= 1;
	}
}

static void note_ack(struct msg_chan *c, uint64_t head)
{
	c->ack_id = (uint16_t)(head >> ACK_SHIFT);
	if (c->side_used && (int16_t)(c->ack_id - c->side_id) >= 0)
		c->side_used = false;
}

static uint64_t head_at(const struct msg_chan *c, uint8_t pos)
{
	return __atomic_load_n(&c->in->line[pos].head, __ATOMIC_ACQUIRE);
}

/*
 * Learn from lines that have come but were not received yet: what they say of our lines is true
 * already.
 */
static void peek_acks(struct msg_chan *c)
{
	uint8_t pos = c->in_pos, epoch = c->in_epoch;
	uint64_t head, last = 0;
	bool any = false;

	for (unsigned i = 0; i < MSG_LINES; i++) {
		head = head_at(c, pos);
		if ((head & EPOCH_MASK) != epoch)
			break;
		last = head;
		any = true;
		step(&pos, &epoch);
	}
	if (any)
		note_ack(c, last);
}

static bool room_known(const struct msg_chan *c, bool side)
{
	return unacked(c) < MSG_LINES && !(side && c->side_used);
}

bool msg_chan_room(struct msg_chan *c, bool side)
{
	if (room_known(c, side))
		return true;
	peek_acks(c);
	return room_known(c, side);
}

static void put_line(struct msg_chan *c, uint64_t head, const uint64_t body[MSG_WORDS])
{
	struct msg *line = &c->out->line[c->out_pos];

	if (body != NULL)
		memcpy(line->body, body, sizeof(line->body));
	head |= (uint64_t)c->seq_id << ACK_SHIFT | c->out_epoch;
	__atomic_store_n(&line->head, head, __ATOMIC_RELEASE);
	c->last_ack = c->seq_id;
	c->next_id++;
	step(&c->out_pos, &c->out_epoch);
}

void msg_chan_send(struct msg_chan *c, enum msg_kind kind, uint32_t token,
		   const uint64_t body[MSG_WORDS], const void *side, uint32_t side_len)
{
	if (side_len != 0) {
		memcpy(c->out->side, side, side_len);
		c->side_id = c->next_id;
		c->side_used = true;
	}
	put_line(c,
		 (uint64_t)token << TOKEN_SHIFT | (uint64_t)side_len << SIDE_SHIFT |
			 (uint64_t)kind << KIND_SHIFT,
		 body);
}

bool msg_chan_receive(struct msg_chan *c, struct msg_line *line)
{
	uint64_t head = head_at(c, c->in_pos);

	if ((head & EPOCH_MASK) != c->in_epoch)
		return false;
	line->kind = (enum msg_kind)(head >> KIND_SHIFT & KIND_MASK);
	line->token = (uint32_t)(head >> TOKEN_SHIFT);
	line->side_len = head >> SIDE_SHIFT & SIDE_MASK;
	if (line->kind != MSG_ACK)
		memcpy(line->body, c->in->line[c->in_pos].body, sizeof(line->body));
	note_ack(c, head);
	step(&c->in_pos, &c->in_epoch);
	return true;
}

void msg_chan_done(struct msg_chan *c)
{
	c->seq_id++;
}

bool msg_chan_ack(struct msg_chan *c, bool now)
{
	uint16_t untold = (uint16_t)(c->seq_id - c->last_ack);

	if (untold < (now ? 1 : MSG_ACK_AFTER) || unacked(c) > MSG_LINES)
		return false;
	put_line(c, (uint64_t)MSG_ACK << KIND_SHIFT, NULL);
	return true;
}
