/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio network device (QEMU: virtio-net-device, virtio-net-pci). */
#pragma once

#include "comp/drv/net.h"
#include "comp/drv/virtio/virtio.h"

/* Describe the device, which must be claimed, as a network device at rest. Its address is zero when
 * the device has none of its own. NULL: out of memory. */
struct net_dev *vnet_create(struct virtio_dev *d);
/* Free it again; it must be at rest. */
void vnet_destroy(struct net_dev *dev);
