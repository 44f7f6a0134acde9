/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kind "serial port": a byte stream to and from outside, as a driver gives it to
 * kernel/vfs/console.c. No function blocks. Bytes are filled in and taken out where they lie, so
 * each is copied once.
 */
#pragma once

#include "abi/err.h"
#include "abi/types.h"

struct serial_port;

struct serial_ops {
	/* Room for output: *len bytes at the answer, NULL when there is none (then on_room comes
	 * when there is). */
	void *(*tx_space)(struct serial_port *p, size_t *len);
	/* The first n bytes of tx_space are filled; they leave at the latest with tx_flush. */
	void (*tx_commit)(struct serial_port *p, size_t n);
	void (*tx_flush)(struct serial_port *p);
	/* Pieces of output that the device has not taken yet (0: all is out). */
	unsigned (*tx_pending)(struct serial_port *p);
	/* Input that has come: *len bytes at the answer, NULL when there is none (then on_input
	 * comes when there is). */
	const void *(*rx_data)(struct serial_port *p, size_t *len);
	/* The first n bytes of rx_data are done with; rx_done ends a series of these (the device
	 * gets the room back). */
	void (*rx_take)(struct serial_port *p, size_t n);
	void (*rx_done)(struct serial_port *p);
};

struct serial_port {
	const struct serial_ops *ops;
	uint64_t received; /* bytes of input that ever came */
	bool present;      /* the other side exists, as far as is known */
	/* the other side has closed; input that came before can still be taken */
	bool closed;
	/* Of the user; called in interrupt or idle context, with interrupts off. on_input also when
	 * `closed` changes. */
	void (*on_input)(struct serial_port *p);
	void (*on_room)(struct serial_port *p);
	void *user;
};
