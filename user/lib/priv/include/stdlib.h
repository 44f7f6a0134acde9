/* SPDX-License-Identifier: BSD-2-Clause */
/* <stdlib.h> of a private part: for sources that include it without need. */
#pragma once
#include <stddef.h>
