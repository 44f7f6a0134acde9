# SPDX-License-Identifier: BSD-2-Clause
# Processes and threads: scheduling, waiting, time-outs, creation and end, signals, futexes.
# From kernel/vfs only what a process holds (descriptors, directories) and what exec reads.
DEPS := abi base kernel/x86 kernel/core kernel/msg kernel/mem kernel/vfs kernel/dom
SRCS := sched.c wait.c timer.c thread.c clone.c exit.c wait4.c pgrp.c account.c access.c ptrace.c debug.c bpf.c seccomp.c seccomp_notify.c sigqueue.c sigsend.c signal.c \
	sigframe.c fault.c report.c futex.c futex_pi.c itimer.c posix_timer.c exec.c exec_stack.c elf_load.c script.c \
	rseq.c vdso.c random.c oom.c
CFLAGS_sched.c := $(HOT)
CFLAGS_wait.c := $(HOT)
CFLAGS_futex.c := $(HOT)
CFLAGS_signal.c := $(HOT)
CFLAGS_sigsend.c := $(HOT)
KTESTS := test/k_sched.c
# Run by test/task/prog.t, on the host and in the guest.
PROGS := test/p_signal.c test/p_thread.c test/p_proc.c
UNIT := test/u_random.c test/u_sigqueue.c test/u_timer.c test/u_script.c test/u_futex.c
UNIT_SRCS_u_sigqueue := sigqueue.c
UNIT_SRCS_u_timer := timer.c
UNIT_SRCS_u_script := script.c
UNIT_SRCS_u_futex := futex.c
UNIT += test/u_bpf.c
UNIT_SRCS_u_bpf := bpf.c
