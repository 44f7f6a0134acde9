# SPDX-License-Identifier: BSD-2-Clause
# The serial port: kernel log, and the program's terminal where there is no other.
DEPS := abi base x86
SRCS := uart16550.c
