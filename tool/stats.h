/* SPDX-License-Identifier: BSD-2-Clause */
/* What `run --stats` shows, from the kernel's stat= lines (kernel/linux/stats.c). */
#pragma once

#include "tool/util.h"

/* To standard error: a table for people, or JSON. Says so if there is nothing. */
void stats_print(const struct strv *lines, bool json);
