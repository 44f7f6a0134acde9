/* SPDX-License-Identifier: BSD-2-Clause */
/* Between futex.c and futex_pi.c, and for the tests. */
#pragma once

#include "kernel/task/task.h"

/* Key of the word at addr. E_INVAL (not aligned), E_FAULT. */
err_t futex_key_of(uaddr_t addr, bool shared, struct futex_key *out) MUST_CHECK;
bool futex_same_key(const struct futex_key *a, const struct futex_key *b);
/*
 * Wake up to nwake of `from`'s waiters, then move up to nmove to `to`; returns both numbers added.
 */
long futex_requeue_keys(const struct futex_key *from, const struct futex_key *to, uint32_t nwake,
			uint32_t nmove);
/* Does a thread wait in FUTEX_LOCK_PI for this word? */
bool futex_pi_waited_for(const struct futex_key *key);
