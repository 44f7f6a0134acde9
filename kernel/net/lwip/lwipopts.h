/* SPDX-License-Identifier: BSD-2-Clause */
/* How lwIP is built; <lwip/opt.h> says what each means. What is not here has lwIP's default. */
#pragma once

/* ---- no operating system underneath: the raw API, our own timers (net.c) ---- */
#define NO_SYS                            1
#define SYS_LIGHTWEIGHT_PROT              0
#define LWIP_SOCKET                       0
#define LWIP_NETCONN                      0
#define LWIP_TIMERS                       0
#define LWIP_HOOK_FILENAME                "hooks.h"
#define LWIP_HOOK_IP4_ROUTE_SRC(src, dst) net_route4(src, dst)

/* ---- memory: kernel objects ---- */
#define MEM_LIBC_MALLOC          1
#define MEMP_MEM_MALLOC          1
#define MEM_ALIGNMENT            8
#define mem_clib_malloc          net_alloc
#define mem_clib_calloc          net_calloc
#define mem_clib_free            net_free
#define PBUF_POOL_BUFSIZE        1600 /* drivers bring their own; for what lwIP makes itself */
#define LWIP_SUPPORT_CUSTOM_PBUF 1
#define LWIP_PBUF_REF_T          u16_t
/* Room for a driver's own header in front of the link's. */
#define PBUF_LINK_ENCAPSULATION_HLEN 16

/* ---- link and network ---- */
#define LWIP_HAVE_LOOPIF               0 /* ours: loop.c */
#define LWIP_NETIF_LOOPBACK            0
#define LWIP_NETIF_STATUS_CALLBACK     1
#define LWIP_NETIF_LINK_CALLBACK       1
#define LWIP_NETIF_EXT_STATUS_CALLBACK 1
#define LWIP_NETIF_HOSTNAME            1
#define LWIP_CHECKSUM_CTRL_PER_NETIF   1
#define ARP_TABLE_SIZE                 64
#define ETHARP_SUPPORT_STATIC_ENTRIES  1
#define ARP_QUEUEING                   1 /* what waits for an address: each packet */
#define ARP_QUEUE_LEN                  64
#define LWIP_ARP                       1
#define LWIP_IPV4                      1
#define IP_REASS_MAX_PBUFS             256
#define LWIP_ICMP                      1
#define IP_DEFAULT_TTL                 64
#define LWIP_RAW                       1
#define LWIP_UDP                       1
#define LWIP_IGMP                      1
#define LWIP_MULTICAST_TX_OPTIONS      1
#define SO_REUSE                       1
#define IP_SOF_BROADCAST               1
#define LWIP_DHCP                      1
#define DHCP_OPTIONS_LEN               128 /* with a name of 64 bytes (netconf.c) */
#define DHCP_DOES_ARP_CHECK            0   /* it would take seconds before the program starts */
#define LWIP_AUTOIP                    1
#define LWIP_DHCP_AUTOIP_COOP          1
#define LWIP_DNS                       1 /* DHCP finds servers; programs ask them themselves */
#define DNS_MAX_SERVERS                3

#define LWIP_IPV6                       1
#define LWIP_IPV6_NUM_ADDRESSES         4
#define LWIP_IPV6_MLD                   1
#define LWIP_IPV6_DHCP6                 0
#define IPV6_FRAG_COPYHEADER            1 /* as pointers have 64 bits */
#define LWIP_ND6_NUM_NEIGHBORS          64
#define LWIP_ND6_NUM_DESTINATIONS       64
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS  1
#define LWIP_ND6_TCP_REACHABILITY_HINTS 1

/* ---- TCP ---- */
#define LWIP_TCP                       1
#define TCP_MSS                        65475 /* the interface's MTU decides */
#define TCP_WND_DEFAULT                262144
#define TCP_WND                        TCP_WND_DEFAULT /* a connection's own: override/ */
#define TCP_WND_UPDATE_THRESHOLD       (TCP_WND_MAX(pcb) / 4)
#define LWIP_WND_SCALE                 1
#define TCP_RCV_SCALE                  6       /* windows up to 4 MiB */
#define TCP_SND_BUF                    8388608 /* sockets limit what they hand down */
#define TCP_SND_QUEUELEN               65000
#define TCP_OVERSIZE                   0 /* segments are made by tcp_send.c */
#define TCP_QUEUE_OOSEQ                1
#define TCP_OOSEQ_MAX_PBUFS            512
#define LWIP_TCP_SACK_OUT              1
#define LWIP_TCP_KEEPALIVE             1
#define TCP_LISTEN_BACKLOG             0 /* sockets count themselves: more than 255 */
#define TCP_MAXRTX                     12
#define TCP_SYNMAXRTX                  6
#define TCP_TMR_INTERVAL               100 /* ms; twice that: retransmissions */
#define TCP_MSL                        30000UL
#define LWIP_TCP_PCB_NUM_EXT_ARGS      9 /* TCP_EXT_COUNT of override/ */
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1 /* they are about options that do nothing here */

/* ---- figures: those of MIB-II, for /proc/net ---- */
#define LWIP_STATS         1
#define LWIP_STATS_DISPLAY 0
#define LINK_STATS         0
#define ETHARP_STATS       0
#define IP_STATS           0
#define IPFRAG_STATS       0
#define ICMP_STATS         0
#define IGMP_STATS         0
#define UDP_STATS          0
#define TCP_STATS          0
#define MEM_STATS          0
#define MEMP_STATS         0
#define SYS_STATS          0
#define IP6_STATS          0
#define ICMP6_STATS        0
#define IP6_FRAG_STATS     0
#define MLD6_STATS         0
#define ND6_STATS          0
#define MIB2_STATS         1
