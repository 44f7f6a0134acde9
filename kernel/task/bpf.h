/* SPDX-License-Identifier: BSD-2-Clause */
/* Classic BPF as seccomp filters use it: 32-bit words of a small record, forward jumps only. */
#pragma once

#include <linux/filter.h>

#include "abi/err.h"
#include "abi/types.h"

/*
 * Is it a program that ends, and reads nothing but aligned words of a record of `size` bytes and
 * scratch words that it has written? E_INVAL; E_NOMEM.
 */
err_t bpf_check(const struct sock_filter *insn, unsigned n, uint32_t size) MUST_CHECK;

/* The result of a program that bpf_check has passed, on this record. */
uint32_t bpf_run(const struct sock_filter *insn, const void *record, uint32_t size);
