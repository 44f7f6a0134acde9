/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For the host's tests: the direct map lies where the host lets us put memory. Programs' addresses
 * in the tests stay below.
 */
#pragma once

#include_next "abi/layout.h"

#undef DM_BASE
#define DM_BASE 0x200000000000
