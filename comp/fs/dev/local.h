/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the files of comp/fs/dev only. */
#pragma once

#include "comp/fs/dev/dev.h"

#define MEM_MAJOR   1u /* minors as in Linux */
#define MEM_NULL    3u
#define MEM_ZERO    5u
#define MEM_FULL    7u
#define MEM_RANDOM  8u
#define MEM_URANDOM 9u
#define MEM_KMSG    11u

#define RANDOM_POOL_BITS 256 /* what Linux 6.1 says, too */

err_t dev_mem_register(void) MUST_CHECK;
