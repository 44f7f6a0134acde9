/* SPDX-License-Identifier: BSD-2-Clause */
/* For lwIP's sources: there is no C library. What is not used is left out by the linker. */
#pragma once

int atoi(const char *s);
