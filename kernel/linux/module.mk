# SPDX-License-Identifier: BSD-2-Clause
# The Linux personality: one thin function per system call, grouped by family.
DEPS := abi base kernel/x86 kernel/core kernel/mem kernel/task kernel/vfs kernel/net kernel/ipc comp/fs/proc comp/fs/tmpfs
SRCS := syscall.c strace.c run.c stats.c sys_file.c sys_name.c sys_stat.c sys_fd.c sys_inotify.c sys_poll.c sys_mem.c sys_proc.c \
	sys_cred.c sys_signal.c sys_time.c sys_thread.c sys_other.c sys_socket.c sys_misc.c
SRCS += sys_ipc.c session.c
SRCS += sys_mq.c
SRCS += debug.c crash.c
SRCS += sys_splice.c
SRCS += sys_ptrace.c ptrace_regs.c sys_seccomp.c core.c core_host.c core_notes.c
SRCS += sys_admin.c sys_ns.c hosttime.c
UNIT := test/u_hosttime.c
UNIT_SRCS_u_hosttime := hosttime.c
