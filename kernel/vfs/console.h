/* SPDX-License-Identifier: BSD-2-Clause */
/* Between console.c, console_tty.c and portfile.c only. */
#pragma once

#include "abi/boot.h"
#include "comp/drv/serial.h"
#include "kernel/vfs/poll.h"

/* ---- portfile.c: a serial port as a plain stream of bytes ---- */

/* A file that reads from `in` and writes to `out` (either may be NULL); takes the ports' callbacks.
 * E_NOMEM. */
err_t portfile_create(struct serial_port *in, struct serial_port *out,
		      struct file **file) MUST_CHECK;
/* Standard input ended: what the device has delivered so far is all. */
void portfile_input_ends(void);

/* ---- console_tty.c: serial ports as one terminal ---- */

/* `out` NULL: output goes nowhere. E_NOMEM. */
err_t console_tty_create(struct serial_port *in, struct serial_port *out, unsigned rows,
			 unsigned cols) MUST_CHECK;
err_t console_tty_file(struct file **file) MUST_CHECK;

/* ---- console_com1.c: COM1 as a serial port ---- */
struct serial_port *com1_port(void); /* NULL when the machine has none */

/* Write all of `len` bytes if there is room for them now; false (and nothing written) when there is
 * not. */
static inline bool serial_put(struct serial_port *p, const void *data, size_t len)
{
	size_t room;
	void *to = p->ops->tx_space(p, &room);

	if (to == NULL || room < len)
		return false;
	__builtin_memcpy(to, data, len);
	p->ops->tx_commit(p, len);
	return true;
}
