# SPDX-License-Identifier: BSD-2-Clause
# virtio network device, behind either transport.
DEPS := abi base core mem x86 comp/drv comp/drv/virtio
SRCS := virtio_net.c
UNIT := test/u_virtio_net.c
UNIT_SRCS_u_virtio_net := virtio_net.c comp/drv/net_conform.c comp/drv/virtio/virtio.c comp/drv/virtio/virtq.c \
	comp/drv/virtio/test/model.c
UNIT_CFLAGS_u_virtio_net := -ffreestanding
