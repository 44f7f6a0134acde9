/* SPDX-License-Identifier: BSD-2-Clause */
/* What every scheduling policy must do, whatever its idea of fairness (host tests, cmocka). */
#pragma once

#include "kernel/task/sched_ops.h"

/* A machine of one core with threads made of test memory, driven by a policy. */
void sched_conform(const struct sched_ops *ops);
/*
 * Share of the processor, in thousandths, that each of n threads (nice values given) gets when all
 * want all of it.
 */
void sched_conform_shares(const struct sched_ops *ops, const int *nice, unsigned n,
			  unsigned *permille);
