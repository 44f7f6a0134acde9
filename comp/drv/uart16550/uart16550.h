/* SPDX-License-Identifier: BSD-2-Clause */
/* A 16550 serial port. `port` is its first I/O port. */
#pragma once

#include "abi/types.h"

#define UART_COM1     0x3f8
#define UART_COM1_GSI 4

/* 115200 baud, 8N1, queues on, no interrupts. */
void uart_init(uint16_t port);
/* Is there a port at all? */
bool uart_there(uint16_t port);
/* Write all of it; waits for the line, but not for ever where the port does not answer. */
void uart_write(uint16_t port, const char *text, size_t len);
/* Wait until all that was written has left. */
void uart_flush(uint16_t port);
/* The next byte received; -1 when there is none. */
int uart_read(uint16_t port);
/* Raise the port's interrupt when bytes have been received. */
void uart_enable_receive_irq(uint16_t port);
