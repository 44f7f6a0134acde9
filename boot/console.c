/* SPDX-License-Identifier: BSD-2-Clause */
/* COM1 for boot, and the end of the machine. */
#include <stdarg.h>

#include "base/fmt.h"
#include "boot/boot.h"

#define COM1           0x3f8
#define COM1_STATUS    0x3fd
#define COM1_CAN_SEND  0x20
#define DEBUG_EXIT     0xf4
#define BOCHS_SHUTDOWN 0x8900

static void outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port));
}

static uint8_t inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static void put(void *ctx, char c)
{
	(void)ctx;
	if (c == '\n')
		put(ctx, '\r');
	/* Bounded: there may be no UART. */
	for (int i = 0; i < 100000 && !(inb(COM1_STATUS) & COM1_CAN_SEND); i++)
		;
	outb(COM1, (uint8_t)c);
}

void boot_say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fmt_vprint(put, NULL, format, args);
	va_end(args);
}

void boot_fail(unsigned exit, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fmt_print(put, NULL, "boot: ");
	fmt_vprint(put, NULL, format, args);
	fmt_print(put, NULL, "\n");
	va_end(args);
	__asm__ volatile("outl %0, %1" ::"a"(exit), "Nd"((uint16_t)DEBUG_EXIT));
	for (const char *s = "Shutdown"; *s != '\0'; s++)
		outb(BOCHS_SHUTDOWN, (uint8_t)*s);
	for (;;)
		__asm__ volatile("cli; hlt");
}
