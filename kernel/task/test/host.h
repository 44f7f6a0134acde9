/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests on the host: cmocka, and no libc header that has its own idea of sigset_t. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "kernel/task/internal.h"

void *malloc(size_t n);
void *calloc(size_t n, size_t size);
void free(void *p);
