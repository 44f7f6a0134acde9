/* SPDX-License-Identifier: BSD-2-Clause */
/* For lwIP's sources: there is no C library. */
#pragma once

#include "base/str.h"
