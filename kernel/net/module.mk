# SPDX-License-Identifier: BSD-2-Clause
# Sockets: what all families share, and AF_UNIX.
DEPS := abi base kernel/x86 kernel/core kernel/mem kernel/task kernel/vfs
SRCS := socket.c sockopt.c scm.c unix.c unix_name.c unix_msg.c unix_io.c
SRCS += netlink.c netlink_msg.c netlink_route.c netlink_fib.c netlink_diag.c iface.c ifconf.c
