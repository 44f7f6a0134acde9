/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/str.h"
#include "base/checked.h"

bool str_copy(char *dst, size_t size, const char *src)
{
	size_t n = strnlen(src, size);
	bool fits = n < size;

	if (!fits)
		n = size - 1;
	memcpy(dst, src, n);
	dst[n] = '\0';
	return fits;
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Value of a digit, or something above every base. */
static unsigned digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'z')
		return (unsigned)(c - 'a') + 10;
	if (c >= 'A' && c <= 'Z')
		return (unsigned)(c - 'A') + 10;
	return UINT32_MAX;
}

/* Step over a prefix that tells the base, if the base is not given. */
static unsigned find_base(const char **s, unsigned base)
{
	const char *p = *s;

	if (base != 0)
		return base;
	if (p[0] != '0')
		return 10;
	if ((p[1] == 'x' || p[1] == 'X') && digit_value(p[2]) < 16) {
		*s += 2;
		return 16;
	}
	return 8;
}

bool str_parse_u64(const char *s, unsigned base, uint64_t *out, const char **end)
{
	uint64_t value = 0;

	base = find_base(&s, base);
	if (digit_value(*s) >= base)
		return false;
	for (; digit_value(*s) < base; s++)
		if (!checked_mul(value, base, &value) ||
		    !checked_add(value, digit_value(*s), &value))
			return false;
	*out = value;
	*end = s;
	return true;
}

bool str_to_u64(const char *s, unsigned base, uint64_t *out)
{
	uint64_t value;
	const char *end;

	if (!str_parse_u64(s, base, &value, &end) || *end != '\0')
		return false;
	*out = value;
	return true;
}

bool str_match(const char *pattern, const char *s)
{
	const char *star = NULL, *resume = NULL; /* the last `*`, and how far it reaches so far */

	while (*s != '\0') {
		if (*pattern == '*') {
			star = pattern++;
			resume = s;
		} else if (*pattern == '?' || *pattern == *s) {
			pattern++;
			s++;
		} else if (star != NULL) {
			pattern = star + 1;
			s = ++resume;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}
