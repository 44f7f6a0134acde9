/* SPDX-License-Identifier: BSD-2-Clause */
/* "Did you mean ...?" */
#pragma once

#include "tool/util.h"

/* The word of the list that is nearest to `word` and not too far from it; NULL: none. */
const char *near_word(const char *word, const struct strv *list);
