# SPDX-License-Identifier: BSD-2-Clause
# Sockets: what all families share, AF_UNIX, and TCP/IP.
DEPS := abi base kernel/x86 kernel/core kernel/mem kernel/task kernel/vfs comp/drv comp/drv/virtio comp/drv/virtio_net
SRCS := socket.c sockopt.c scm.c unix.c unix_name.c unix_msg.c unix_io.c
SRCS += netlink.c netlink_msg.c netlink_route.c netlink_fib.c netlink_diag.c iface.c ifconf.c
SRCS += dgram.c dgram_in.c dgram_out.c dgram_opt.c udp.c raw.c report.c
SRCS += net.c loop.c unreach.c inet.c inet_port.c inet_opt.c lwip/port.c
SRCS += netdev.c netdev_rx.c netdev_tx.c netconf.c watch.c
SRCS += tcp_sock.c tcp_conn.c tcp_demux.c tcp_mem.c tcp_opt.c tcp_recv.c tcp_send.c
KTESTS := test/k_tcp.c
UNIT := test/u_watch.c
UNIT_SRCS_u_watch := watch.c
CFLAGS := -Ikernel/net/lwip/override -Ikernel/net/lwip -isystem deps/lwip/src/include

# lwIP, as it comes from its Debian package (build-tools/fetch-source.sh).
EXT := $(addprefix deps/lwip/src/, \
	$(addprefix core/,def.c inet_chksum.c init.c ip.c mem.c memp.c netif.c pbuf.c raw.c stats.c \
	tcp.c tcp_in.c tcp_out.c udp.c) \
	$(addprefix core/ipv4/,autoip.c dhcp.c etharp.c icmp.c igmp.c ip4.c ip4_addr.c ip4_frag.c) \
	$(addprefix core/ipv6/,ethip6.c icmp6.c inet6.c ip6.c ip6_addr.c ip6_frag.c mld6.c nd6.c) \
	netif/ethernet.c)
# mem_init is the kernel's own.
EXT_CFLAGS := -Ikernel/net/lwip/override -Ikernel/net/lwip -Ikernel/net/lwip/libc -Ideps/lwip/src/include -Dmem_init=lwip_mem_init \
	-Wno-unused-parameter -Wno-unused-but-set-variable -Wno-address \
	$(if $(filter clang,$(COMPILER)),-Wno-tautological-constant-out-of-range-compare)
# A division there becomes "0f 01 c1" at clang's -O2, which the scan forbids.
CFLAGS_nd6.c := $(if $(filter clang,$(COMPILER)),-O1) -Dpbuf_free=net_give_up
CFLAGS_init.c := -DTCP_WND_IS_NUMBER
# Ours stand in between: tcp_demux.c, tcp_send.c, unreach.c, net.c.
CFLAGS_etharp.c := -Dpbuf_free=net_give_up
CFLAGS_icmp6.c := -Dnd6_input=net_nd6_input
CFLAGS_ip4.c := -Dtcp_input=net_tcp_input -Dip4_frag=net_ip4_frag
CFLAGS_ip6.c := -Dtcp_input=net_tcp_input -Dip6_frag=net_ip6_frag -Dip6_reass=net_ip6_reass
CFLAGS_tcp.c := -Dtcp_split_unsent_seg=net_tcp_split
CFLAGS_tcp_out.c := -Dtcp_output=lwip_tcp_output -Dtcp_rexmit_rto_commit=lwip_tcp_rexmit_rto_commit
