# SPDX-License-Identifier: BSD-2-Clause
# From the loader to nk's take-over. Runs in boot's own page tables and is not mapped afterwards.
DEPS := abi base nk
SRCS := entry.S main.c console.c info.c fwcfg.c memory.c cores.c processor.c percore.c smp.c
