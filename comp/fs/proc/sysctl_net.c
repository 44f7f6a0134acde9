/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/sys/net: what the stack does, for servers that look before they start. */
#include "comp/fs/proc/local.h"

#define VALUES(fn, string)                                        \
	static err_t fn(const struct proc_ref *r, struct text *t) \
	{                                                         \
		(void)r;                                          \
		text_puts(t, string "\n");                        \
		return OK;                                        \
	}
#define FILE_R(n, fn)                               \
	{                                           \
		.name = n, .mode = 0444, .show = fn \
	}
#define DIR(n, list)                                      \
	{                                                 \
		.name = n, .mode = 0555, .children = list \
	}
#define END                  \
	{                    \
		.name = NULL \
	}

VALUES(v_0, "0")
VALUES(v_0_2147483647, "0\t2147483647")
VALUES(v_1, "1")
VALUES(v_10, "10")
VALUES(v_1000, "1000")
VALUES(v_1024, "1024")
VALUES(v_15, "15")
VALUES(v_20, "20")
VALUES(v_20480, "20480")
VALUES(v_212992, "212992")
VALUES(v_32768_60999, "32768\t60999")
VALUES(v_4096, "4096")
VALUES(v_4096_131072_6291456, "4096\t131072\t6291456")
VALUES(v_4096_16384_4194304, "4096\t16384\t4194304")
VALUES(v_4294967295, "4294967295")
VALUES(v_5, "5")
VALUES(v_6, "6")
VALUES(v_60, "60")
VALUES(v_64, "64")
VALUES(v_7200, "7200")
VALUES(v_75, "75")
VALUES(v_9, "9")
VALUES(v_none, "")
VALUES(v_noqueue, "noqueue")
VALUES(v_reno, "reno")

static const struct proc_entry core_entries[] = {
	FILE_R("bpf_jit_enable", v_0),
	FILE_R("busy_poll", v_0),
	FILE_R("busy_read", v_0),
	FILE_R("default_qdisc", v_noqueue),
	FILE_R("netdev_max_backlog", v_1000),
	FILE_R("optmem_max", v_20480),
	FILE_R("rmem_default", v_212992),
	FILE_R("rmem_max", v_212992),
	FILE_R("somaxconn", v_4096),
	FILE_R("wmem_default", v_212992),
	FILE_R("wmem_max", v_212992),
	END,
};

static const struct proc_entry ipv4_entries[] = {
	FILE_R("icmp_echo_ignore_all", v_0),
	FILE_R("icmp_echo_ignore_broadcasts", v_1),
	FILE_R("igmp_max_memberships", v_20),
	FILE_R("ip_default_ttl", v_64),
	FILE_R("ip_forward", v_0),
	FILE_R("ip_local_port_range", v_32768_60999),
	FILE_R("ip_local_reserved_ports", v_none),
	FILE_R("ip_no_pmtu_disc", v_0),
	FILE_R("ip_nonlocal_bind", v_0),
	FILE_R("ip_unprivileged_port_start", v_1024),
	FILE_R("ping_group_range", v_0_2147483647),
	FILE_R("tcp_abort_on_overflow", v_0),
	FILE_R("tcp_allowed_congestion_control", v_reno),
	FILE_R("tcp_available_congestion_control", v_reno),
	FILE_R("tcp_congestion_control", v_reno),
	FILE_R("tcp_ecn", v_0),
	FILE_R("tcp_fastopen", v_0),
	FILE_R("tcp_fin_timeout", v_60),
	FILE_R("tcp_keepalive_intvl", v_75),
	FILE_R("tcp_keepalive_probes", v_9),
	FILE_R("tcp_keepalive_time", v_7200),
	FILE_R("tcp_max_syn_backlog", v_4096),
	FILE_R("tcp_moderate_rcvbuf", v_0),
	FILE_R("tcp_no_metrics_save", v_1),
	FILE_R("tcp_notsent_lowat", v_4294967295),
	FILE_R("tcp_retries2", v_15),
	FILE_R("tcp_rmem", v_4096_131072_6291456),
	FILE_R("tcp_sack", v_1),
	FILE_R("tcp_slow_start_after_idle", v_1),
	FILE_R("tcp_syn_retries", v_6),
	FILE_R("tcp_synack_retries", v_5),
	FILE_R("tcp_syncookies", v_0),
	FILE_R("tcp_timestamps", v_0),
	FILE_R("tcp_tw_reuse", v_0),
	FILE_R("tcp_window_scaling", v_1),
	FILE_R("tcp_wmem", v_4096_16384_4194304),
	FILE_R("udp_rmem_min", v_4096),
	FILE_R("udp_wmem_min", v_4096),
	END,
};

static const struct proc_entry conf6_entries[] = {
	FILE_R("accept_ra", v_1),
	FILE_R("disable_ipv6", v_0),
	FILE_R("forwarding", v_0),
	END,
};

static const struct proc_entry conf6_list[] = {
	DIR("all", conf6_entries),
	DIR("default", conf6_entries),
	DIR("lo", conf6_entries),
	END,
};

static const struct proc_entry ipv6_entries[] = {
	DIR("conf", conf6_list),
	FILE_R("bindv6only", v_0),
	FILE_R("ip_nonlocal_bind", v_0),
	END,
};

static const struct proc_entry unix_entries[] = {
	FILE_R("max_dgram_qlen", v_10),
	END,
};

const struct proc_entry proc_sys_net_entries[] = {
	DIR("core", core_entries),
	DIR("ipv4", ipv4_entries),
	DIR("ipv6", ipv6_entries),
	DIR("unix", unix_entries),
	END,
};
