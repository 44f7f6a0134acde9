# SPDX-License-Identifier: BSD-2-Clause
# The program's standard streams and the control channel.
DEPS := abi base core mem comp/drv comp/drv/virtio
SRCS := virtio_serial.c
