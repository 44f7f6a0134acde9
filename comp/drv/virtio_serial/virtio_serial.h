/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio console device with several ports (QEMU: virtio-serial-device). */
#pragma once

#include "comp/drv/serial.h"
#include "comp/drv/virtio/virtio.h"

#define VSERIAL_PORTS 5u /* port 0, which is kept for a console, and the ones of enum boot_port */

/* Bring the device up. Its queues work at once; the handshake about each port goes on in interrupts
 * (a port's `present` and `closed` follow). Output written before is kept by the device. E_NODEV,
 * E_NOMEM. */
err_t vserial_init(struct virtio_dev *d) MUST_CHECK;
/* Port nr, 1 to VSERIAL_PORTS - 1; NULL when the device cannot have it. */
struct serial_port *vserial_port(unsigned nr);
/* Look at all queues now, as an interrupt would (for the way down, when none is taken). */
void vserial_poll(void);
