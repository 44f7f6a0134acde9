/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The smallest program that says something: its first instruction ends the measurement of the
 * start.
 */
#include <sys/reboot.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	(void)argv;
	if (write(1, "hello\n", 6) != 6)
		return 1;
	if (getpid() == 1 && argc > 1)
		reboot(RB_POWER_OFF);
	return 0;
}
