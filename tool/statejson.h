/* SPDX-License-Identifier: BSD-2-Clause */
/* A machine's state as JSON: in its file, and in `ringfence ps -o json`. */
#pragma once

#include <cjson/cJSON.h>

#include "tool/state.h"

/* The caller frees. */
char *statejson_text(const struct vm_state *s);
cJSON *statejson_make(const struct vm_state *s);
/* False if it is damaged. */
bool statejson_read(const char *text, struct vm_state *out);
