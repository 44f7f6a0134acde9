# SPDX-License-Identifier: BSD-2-Clause
# virtio 1.x over memory-mapped registers or PCI: discovery, negotiation, split queues.
DEPS := abi base x86 core mem comp/drv/pci
SRCS := virtio.c mmio.c pci.c virtq.c
