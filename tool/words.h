/* SPDX-License-Identifier: BSD-2-Clause */
/* Words of scripts and arguments that may be names of programs. */
#pragma once

#include "tool/catalog.h"

/*
 * Add each word of `text` once: with WORDS_ALL any word outside comments (#), with WORDS_QUOTED
 * words inside '...', "..." and `...`. Options, assignments and words of more than 255 bytes are
 * left out.
 */
void words_collect(const char *text, enum catalog_words mode, struct strv *out);

/*
 * First line of a script: interpreter and its optional argument, as Linux reads them. False if the
 * text does not begin with "#!" or names no interpreter. The caller frees both.
 */
bool words_shebang(const char *text, size_t size, char **interp, char **arg);
