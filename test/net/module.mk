# SPDX-License-Identifier: BSD-2-Clause
# Programs of the tests here; they print what they see, and must see the same on Linux and here.
DEPS := test/linux
PROGS := prog/unix_stream.c prog/unix_packet.c prog/netlink.c prog/udp.c prog/echo.c
PROGS += prog/tcp_stream.c prog/tcp_poll.c prog/tcp_load.c prog/corner.c
NET_WRONG := -Wno-unused-result -Wno-nonnull -Wno-stringop-overread -Wno-stringop-overflow
PROG_CFLAGS_unix_stream := $(NET_WRONG)
PROG_CFLAGS_unix_packet := $(NET_WRONG)
PROG_CFLAGS_netlink := $(NET_WRONG)
PROG_CFLAGS_udp := $(NET_WRONG)
PROG_CFLAGS_echo := -static
PROG_CFLAGS_tcp_stream := $(NET_WRONG)
PROG_CFLAGS_tcp_poll := $(NET_WRONG)
PROG_CFLAGS_tcp_load := $(NET_WRONG)
PROG_CFLAGS_corner := $(NET_WRONG)
