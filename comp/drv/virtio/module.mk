# SPDX-License-Identifier: BSD-2-Clause
# virtio 1.x over memory-mapped registers: discovery, negotiation, split queues.
DEPS := abi base x86 core mem
SRCS := mmio.c virtq.c
