/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every frame allocator must do (host tests, cmocka; direct map as in kernel/mem/test/shadow).
 */
#pragma once

#include "kernel/mem/alloc_ops.h"

/* Random blocks taken and given back against a map of frames; nothing overlaps, nothing is lost. */
void alloc_conform(const struct alloc_ops *ops);
/* Takes over from `from` in the middle of its work, and finds every free frame. */
void alloc_conform_adopt(const struct alloc_ops *from, const struct alloc_ops *to);
/* Refuses a state that contradicts itself, and changes nothing then. */
void alloc_conform_refuse(const struct alloc_ops *ops);
