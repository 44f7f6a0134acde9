/* SPDX-License-Identifier: BSD-2-Clause */
#include "abi/err.h"

struct error_text {
	int err;
	char name[20]; /* "xENOENT": see below */
	const char *text;
};

/*
 * errno.def says E_NOENT, programs say ENOENT: the second letter is overwritten when the table is
 * initialised, and the name begins there. (gcc and clang know the warning by different names.)
 */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Woverride-init"
#pragma GCC diagnostic ignored "-Winitializer-overrides"
#define X(NAME, NO, TEXT) { .err = -(NO), .name = #NAME, .name[1] = 'E', .text = TEXT },
static const struct error_text errors[] = {
#include "abi/errno.def"
};
#undef X
#pragma GCC diagnostic pop

static const struct error_text *find(long err)
{
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (errors[i].err == err)
			return &errors[i];
	return NULL;
}

const char *err_text(long err)
{
	const struct error_text *e = find(err);

	if (err == OK)
		return "no error";
	return e != NULL ? e->text : "unknown error";
}

const char *err_name(long err)
{
	const struct error_text *e = find(err);

	if (err == OK)
		return "OK";
	return e != NULL ? e->name + 1 : "E?";
}
