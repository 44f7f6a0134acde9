# SPDX-License-Identifier: BSD-2-Clause
# The program's standard streams and the control channel.
DEPS := abi base core mem comp/drv comp/drv/virtio
SRCS := virtio_serial.c
UNIT := test/u_virtio_serial.c
UNIT_SRCS_u_virtio_serial := virtio_serial.c comp/drv/virtio/virtio.c comp/drv/virtio/virtq.c \
	comp/drv/virtio/test/model.c
UNIT_CFLAGS_u_virtio_serial := -ffreestanding
