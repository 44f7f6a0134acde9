/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM or TCG. A device node proves nothing: KVM is taken only if a tiny guest really reaches long
 * mode on it within a second. The answer is remembered until the host reboots.
 */
#pragma once

#include "tool/spec.h"

#define ACCEL_WHY_MAX 256

/*
 * Whether to use KVM. ACCEL_KVM and ACCEL_TCG are the user's word; ACCEL_AUTO looks and probes.
 * `why` says in words what decided.
 */
bool accel_choose(enum accel wish, const char *qemu, char why[ACCEL_WHY_MAX]);
