/* SPDX-License-Identifier: BSD-2-Clause */
/* <string.h> of a private part: what privcall.h declares. */
#pragma once
#include <privcall.h>
