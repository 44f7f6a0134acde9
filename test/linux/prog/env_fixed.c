/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/linux/prog/env.c"
