# SPDX-License-Identifier: BSD-2-Clause
# Start-up, log, panic, configuration, in-kernel tests, and what cores tell each other. symtab.c is the Makefile's.
DEPS := abi base x86 nk msg comp/drv/uart16550
SRCS := init.c log.c trace.c panic.c power.c config.c ktest.c cores.c probe.c
KTESTS := test/k_core.c
UNIT := test/u_config.c
UNIT_SRCS_u_config := config.c
