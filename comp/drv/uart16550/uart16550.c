/* SPDX-License-Identifier: BSD-2-Clause */
#include "comp/drv/uart16550/uart16550.h"

#include "kernel/x86/x86.h"

/* Registers, from the first port. */
#define REG_DATA    0
#define REG_IER     1
#define REG_FCR     2
#define REG_LCR     3
#define REG_MCR     4
#define REG_LSR     5
#define REG_SCRATCH 7

#define IER_RECEIVED     0x01
#define FCR_ON_CLEAR     0xc7 /* queues on and emptied, interrupt at 14 bytes */
#define LCR_8N1          0x03
#define LCR_DIVISOR      0x80
#define MCR_DTR_RTS_OUT2 0x0b
#define LSR_RECEIVED     0x01
#define LSR_CAN_SEND     0x20
#define LSR_ALL_SENT     0x40

#define QUEUE_LEN  16
#define WAIT_TRIES 100000 /* far longer than 16 bytes take at 115200 baud */

void uart_init(uint16_t port)
{
	outb(port + REG_IER, 0);
	outb(port + REG_LCR, LCR_DIVISOR);
	outb(port + REG_DATA, 1);
	outb(port + REG_IER, 0);
	outb(port + REG_LCR, LCR_8N1);
	outb(port + REG_FCR, FCR_ON_CLEAR);
	outb(port + REG_MCR, MCR_DTR_RTS_OUT2);
}

bool uart_there(uint16_t port)
{
	outb(port + REG_SCRATCH, 0x5a);
	return inb(port + REG_SCRATCH) == 0x5a;
}

static void wait_line_status(uint16_t port, uint8_t bit)
{
	for (unsigned i = 0; i < WAIT_TRIES; i++) {
		if (inb(port + REG_LSR) & bit)
			return;
		cpu_relax();
	}
}

void uart_write(uint16_t port, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (i % QUEUE_LEN == 0)
			wait_line_status(port, LSR_CAN_SEND);
		outb(port + REG_DATA, (uint8_t)text[i]);
	}
}

void uart_flush(uint16_t port)
{
	wait_line_status(port, LSR_ALL_SENT);
}

int uart_read(uint16_t port)
{
	return inb(port + REG_LSR) & LSR_RECEIVED ? inb(port + REG_DATA) : -1;
}

void uart_enable_receive_irq(uint16_t port)
{
	outb(port + REG_IER, IER_RECEIVED);
}
