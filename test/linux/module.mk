# SPDX-License-Identifier: BSD-2-Clause
# Programs of prog.t, linked in every way that a distribution does it: static, static PIE, at a fixed address, PIE.
PROGS := prog/proc.c prog/exec_errors.c prog/sig.c prog/fault.c prog/eintr.c prog/threads.c prog/mem.c prog/mapfile.c prog/path.c prog/fileio.c prog/pollio.c prog/clocks.c prog/creds.c prog/misc.c prog/pty.c prog/async.c prog/rseq.c \
	prog/env_static.c prog/env_static_pie.c prog/env_fixed.c prog/env_pie.c \
	attack/registers.c attack/bombs.c attack/pointers.c attack/races.c attack/fuzz_syscalls.c attack/starve.c attack/elves.c attack/fuzz_threads.c attack/storms.c
# They hand wrong arguments to system calls on purpose.
PROG_WRONG := -Wno-nonnull -Wno-stringop-overread -Wno-stringop-overflow -Wno-array-bounds -Wno-infinite-recursion -Wno-unused-result
PROG_STATIC := -static $(PROG_WRONG)
PROG_STATIC_PIE := -static-pie -fPIE $(PROG_WRONG)
PROG_FIXED := -no-pie -fno-pie $(PROG_WRONG)
PROG_PIE := -pie -fPIE $(PROG_WRONG)
PROG_CFLAGS_proc := $(PROG_STATIC)
PROG_CFLAGS_exec_errors := $(PROG_PIE)
PROG_CFLAGS_sig := $(PROG_FIXED)
PROG_CFLAGS_fault := $(PROG_STATIC_PIE)
PROG_CFLAGS_eintr := $(PROG_STATIC)
PROG_CFLAGS_threads := -pthread $(PROG_PIE)
PROG_CFLAGS_mem := $(PROG_FIXED)
PROG_CFLAGS_mapfile := $(PROG_PIE)
PROG_CFLAGS_path := $(PROG_STATIC)
PROG_CFLAGS_fileio := $(PROG_PIE)
PROG_CFLAGS_pollio := $(PROG_STATIC_PIE)
PROG_CFLAGS_clocks := $(PROG_PIE)
PROG_CFLAGS_creds := -pthread $(PROG_STATIC)
PROG_CFLAGS_misc := -pthread $(PROG_STATIC)
PROG_CFLAGS_pty := $(PROG_PIE)
PROG_CFLAGS_rseq := $(PROG_FIXED)
PROG_CFLAGS_async := -pthread $(PROG_PIE)
PROG_LIBS_async := -lutil
PROG_LIBS_pty := -lutil
PROG_CFLAGS_env_static := $(PROG_STATIC)
PROG_CFLAGS_env_static_pie := $(PROG_STATIC_PIE)
PROG_CFLAGS_env_fixed := $(PROG_FIXED)
PROG_CFLAGS_env_pie := $(PROG_PIE)
PROG_LIBS_env_static := -lm
PROG_LIBS_env_static_pie := -lm
PROG_LIBS_env_fixed := -lm
PROG_LIBS_env_pie := -lm
PROG_CFLAGS_registers := $(PROG_STATIC)
PROG_CFLAGS_bombs := -pthread $(PROG_STATIC)
PROG_CFLAGS_pointers := $(PROG_STATIC)
PROG_CFLAGS_races := -pthread $(PROG_STATIC)
PROG_CFLAGS_fuzz_syscalls := $(PROG_STATIC)
PROG_CFLAGS_starve := $(PROG_STATIC)
PROG_CFLAGS_elves := $(PROG_STATIC)
PROG_CFLAGS_fuzz_threads := -pthread $(PROG_STATIC)
PROGS += prog/admin.c
PROG_CFLAGS_admin := $(PROG_FIXED)
PROG_CFLAGS_storms := -pthread $(PROG_STATIC)
PROGS += prog/prio.c
PROG_CFLAGS_prio := -pthread $(PROG_PIE)
PROGS += prog/activity.c
PROG_CFLAGS_activity := -pthread $(PROG_PIE)
PROGS += prog/mounts.c
PROG_CFLAGS_mounts := $(PROG_PIE)
