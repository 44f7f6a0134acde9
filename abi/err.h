/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Error values: negative numbers from errno.def; OK is 0. Our own bug is BUG(), never an error
 * value.
 */
#pragma once

#include "abi/types.h"

typedef enum err {
	OK = 0,
#define X(name, no, text) name = -(no),
#include "abi/errno.def"
#undef X
} err_t;

/* Return the error of `e` to our caller, if it has one. */
#define TRY(e)                          \
	do {                            \
		err_t try_err_ = (e);   \
		if (try_err_ != OK)     \
			return try_err_; \
	} while (0)

/* Text of an error value ("bad file descriptor"); "unknown error" for others. Static storage. */
const char *err_text(long err);
/* Name of an error value without the underscore, as programs know it ("EBADF"). Static storage. */
const char *err_name(long err);
