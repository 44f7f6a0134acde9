# SPDX-License-Identifier: BSD-2-Clause
# Messages between cores: ring.c is the protocol (also tested on the host), msg.c sends, wakes and calls.
DEPS := abi base x86 core
SRCS := ring.c msg.c
KTESTS := test/k_msg.c
UNIT := test/u_msg_ring.c
UNIT_SRCS_u_msg_ring := ring.c
