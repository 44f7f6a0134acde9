/* SPDX-License-Identifier: BSD-2-Clause */
/* COM1 as the program's serial port, on machines without virtio-serial. The kernel's log is written
 * to it as well. */
#include "base/ring.h"
#include "comp/drv/uart16550/uart16550.h"
#include "kernel/core/core.h"
#include "kernel/vfs/console.h"
#include "kernel/x86/x86.h"

#define TX_BYTES 4096u
#define RX_BYTES 4096u

static struct {
	struct serial_port port;
	uint32_t tx_len;
	uint8_t tx[TX_BYTES];
	struct ring rx;
	uint8_t rx_bytes[RX_BYTES];
} com1;

/* The port has no way to say "done": what is committed is written at once, waiting for the line. */
static void com1_tx_flush(struct serial_port *p)
{
	(void)p;
	uart_write(UART_COM1, (const char *)com1.tx, com1.tx_len);
	com1.tx_len = 0;
}

static void *com1_tx_space(struct serial_port *p, size_t *len)
{
	if (com1.tx_len == TX_BYTES)
		com1_tx_flush(p);
	*len = TX_BYTES - com1.tx_len;
	return com1.tx + com1.tx_len;
}

static void com1_tx_commit(struct serial_port *p, size_t n)
{
	(void)p;
	com1.tx_len += (uint32_t)n;
}

static unsigned com1_tx_pending(struct serial_port *p)
{
	(void)p;
	return com1.tx_len > 0;
}

static const void *com1_rx_data(struct serial_port *p, size_t *len)
{
	uint32_t n;
	const void *data = ring_read_span(&com1.rx, &n);

	(void)p;
	*len = n;
	return n > 0 ? data : NULL;
}

static void com1_rx_take(struct serial_port *p, size_t n)
{
	(void)p;
	ring_skip(&com1.rx, (uint32_t)n);
}

/* Empty the UART into the ring; what does not fit is lost, as the line knows no "wait". */
static bool receive(void)
{
	bool any = false;
	int c;

	while ((c = uart_read(UART_COM1)) >= 0) {
		any = true;
		com1.port.received++;
		ring_put_byte(&com1.rx, (uint8_t)c);
	}
	return any;
}

static void com1_rx_done(struct serial_port *p)
{
	(void)p;
	receive();
}

static void interrupt(void *arg)
{
	(void)arg;
	if (receive() && com1.port.on_input != NULL)
		com1.port.on_input(&com1.port);
}

static const struct serial_ops com1_ops = {
	.tx_space = com1_tx_space,
	.tx_commit = com1_tx_commit,
	.tx_flush = com1_tx_flush,
	.tx_pending = com1_tx_pending,
	.rx_data = com1_rx_data,
	.rx_take = com1_rx_take,
	.rx_done = com1_rx_done,
};

struct serial_port *com1_port(void)
{
	uint8_t vector;

	if (com1.port.ops != NULL)
		return &com1.port;
	if (!uart_there(UART_COM1))
		return NULL;
	ring_init(&com1.rx, com1.rx_bytes, RX_BYTES);
	com1.port.ops = &com1_ops;
	com1.port.present = true;
	if (irq_alloc("ttyS0", interrupt, NULL, &vector) == OK &&
	    irq_route_gsi(UART_COM1_GSI, vector, false, false) == OK)
		uart_enable_receive_irq(UART_COM1);
	else
		log_warn("console: no interrupt for COM1; it gives no input");
	return &com1.port;
}
