# SPDX-License-Identifier: BSD-2-Clause
# Programs that the build itself uses; the Makefile links them.
DEPS := abi base
UNIT := test/u_forbidden.c
UNIT_SRCS_u_forbidden := forbidden.c
