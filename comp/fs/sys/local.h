/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of /sys share: entries have numbers, and those of net.c begin at SYS_NET. */
#pragma once

#include "kernel/vfs/pseudo.h"

#define SYS_NET 0x10000u

bool sys_net_is_dir(uint32_t n);
/* `dir`: /sys/class/net itself (a number below SYS_NET) or a folder in it. 0: nothing. */
uint32_t sys_net_find(uint32_t dir, const char *name, size_t len);
void sys_net_list(uint32_t dir, uint64_t pos, dir_emit emit, void *ctx);
err_t sys_net_show(uint32_t n, struct text *t) MUST_CHECK;
