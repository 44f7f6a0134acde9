/* SPDX-License-Identifier: BSD-2-Clause */
/* Ends the machine. */
#include "kernel/core/local.h"

#include "comp/drv/uart16550/uart16550.h"
#include "kernel/x86/x86.h"

#define DEBUG_EXIT_PORT   0xf4
#define BOCHS_POWER_PORT  0x8900
#define QEMU_PM1A_CONTROL 0x604 /* where QEMU's firmware puts it on q35 and pc */
#define PM1_SLEEP_ENABLE  0x2000

void power_off(unsigned value)
{
	uart_flush(UART_COM1);
	outb(DEBUG_EXIT_PORT, (uint8_t)value);
	for (const char *p = "Shutdown"; *p != '\0'; p++)
		outb(BOCHS_POWER_PORT, (uint8_t)*p);
	if (boot_info.cpu.hypervisor)
		outw(QEMU_PM1A_CONTROL, PM1_SLEEP_ENABLE);
	log_raw("core %u: halted (code %#x)\n", boot_info.core, value);
	for (;;)
		__asm__ volatile("cli; hlt");
}
