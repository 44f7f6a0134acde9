# SPDX-License-Identifier: BSD-2-Clause
# PCI: configuration space, regions of registers, MSI-X.
DEPS := abi base core x86
SRCS := pci.c
UNIT := test/u_pci.c
UNIT_SRCS_u_pci := pci.c
UNIT_CFLAGS_u_pci := -ffreestanding
