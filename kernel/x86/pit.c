/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interval timer's channel 2 as a reference for the TSC. Mode 0 counts down from 65535 and goes
 * on below zero, and its output says whether it got there; nobody has to wait for it.
 */
#include "kernel/x86/local.h"

#define PIT_CH2     0x42
#define PIT_COMMAND 0x43
#define PORT_B      0x61 /* bit 0: channel 2 counts; bit 1: loudspeaker */

#define CMD_CH2_MODE0     0xb0 /* both bytes, mode 0, binary */
#define CMD_READ_BACK_CH2 0xc8 /* latch status and count at one moment */

#define STATUS_OUT  0x80
#define STATUS_NULL 0x40 /* the count is not loaded yet */
#define STATUS_MODE 0x3f

void pit_start(void)
{
	outb(PORT_B, (uint8_t)((inb(PORT_B) & 0xfc) | 1));
	outb(PIT_COMMAND, CMD_CH2_MODE0);
	outb(PIT_CH2, 0xff);
	outb(PIT_CH2, 0xff);
}

bool pit_sample(struct pit_sample *s)
{
	uint64_t before = rdtsc();

	outb(PIT_COMMAND, CMD_READ_BACK_CH2);
	uint64_t after = rdtsc();
	uint8_t status = inb(PIT_CH2);
	uint16_t count = inb(PIT_CH2);

	count |= (uint16_t)(inb(PIT_CH2) << 8);
	if ((status & STATUS_MODE) != (CMD_CH2_MODE0 & STATUS_MODE) || (status & STATUS_NULL))
		return false;
	*s = (struct pit_sample){
		.tsc = before + (after - before) / 2,
		.width = after - before,
		.passed = (uint16_t)(0xffff - count),
		.expired = (status & STATUS_OUT) != 0,
	};
	return true;
}
