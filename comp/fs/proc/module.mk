# SPDX-License-Identifier: BSD-2-Clause
# /proc. Sees what it tells about: processes, memory, who we say we are.
DEPS := abi base nk x86 core mem task vfs linux ipc kernel/net comp/fs/tmpfs
SRCS := proc.c pid.c activity.c fd.c maps.c mounts.c system.c counts.c cpuinfo.c sysctl.c sysctl_net.c net.c
