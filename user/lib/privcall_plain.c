/* SPDX-License-Identifier: BSD-2-Clause */
/* The ordinary part's side of privcall.h for plain Linux: nothing is isolated, and it says so. */
#include "privcall.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#pragma GCC visibility push(hidden)

int priv_state_ = -ENXIO;

int priv_init(const struct priv_options *options)
{
	if (priv_state_ != PRIV_PLAIN && !(options != NULL && options->quiet))
		fprintf(stderr, "privcall: built with --plain: NOTHING IS ISOLATED, secrets lie "
				"in ordinary memory\n");
	priv_state_ = PRIV_PLAIN;
	return priv_state_;
}

int priv_state(void)
{
	return priv_state_;
}

void *priv_window_alloc(size_t bytes)
{
	return malloc(bytes);
}

void priv_window_free(void *p)
{
	free(p);
}
