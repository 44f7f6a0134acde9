/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which byte sequences the outer kernel may not contain at any offset (aligned to instructions or
 * not): those which, jumped to, would change a translation, a control register, an entry MSR, a
 * descriptor table, or a debug register, past the nested kernel.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Does a forbidden instruction's opcode begin at code[at]? `len` bytes of code are known; what
 * would end behind them is no instruction. Bytes before `at` are looked at where a prefix decides.
 * Answers what it is ("mov to cr3"), or NULL.
 */
const char *forbidden_at(const uint8_t *code, size_t len, size_t at);
