/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who we say we are: programs (glibc, for one) compare the release with the oldest kernel that they
 * accept.
 */
#pragma once

#define LINUX_SYSNAME "Linux"
#define LINUX_RELEASE "6.1.0-ringfence"
#define LINUX_VERSION "#1 SMP PREEMPT_DYNAMIC Ringfence"
#define LINUX_MACHINE "x86_64"
#define LINUX_DOMAIN  "(none)"
