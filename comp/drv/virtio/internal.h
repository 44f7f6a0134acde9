/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of this folder only. */
#pragma once

#include "comp/drv/virtio/virtio.h"

/* A transport found a device: a copy of *d goes to the list. NULL: no room. */
struct virtio_dev *virtio_found(const struct virtio_dev *d);
void virtio_scan_mmio(void);
void virtio_scan_pci(void);
