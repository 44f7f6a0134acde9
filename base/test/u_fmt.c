/* SPDX-License-Identifier: BSD-2-Clause */
/* Our printf against the host's: formats put together at random, and cases of our own. */
#include "base/fmt.h"
#include "base/test/test.h"

#define STEPS 200000

/* The formats are made at run time: no compiler can check them. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"

struct conversion {
	char format[64];
	bool star_width, star_precision;
	int width, precision;
	unsigned bytes; /* of the argument; 0: pointer */
};

static void append(char *s, char c)
{
	size_t n = strlen(s);

	s[n] = c;
	s[n + 1] = '\0';
}

static void append_text(char *s, const char *text)
{
	strcat(s, text);
}

static void make_width(struct conversion *c)
{
	char digits[8];

	c->width = (int)rnd(40);
	if (rnd(3) == 0)
		return;
	c->star_width = rnd(2) != 0;
	if (c->star_width && rnd(2) != 0)
		c->width = -c->width;
	snprintf(digits, sizeof(digits), "%d", c->width);
	append_text(c->format, c->star_width ? "*" : c->width == 0 ? "" : digits);
}

static void make_precision(struct conversion *c)
{
	char digits[8];

	c->precision = (int)rnd(30);
	if (rnd(3) != 0)
		return;
	c->star_precision = rnd(2) != 0;
	if (c->star_precision && rnd(4) == 0)
		c->precision = -c->precision;
	snprintf(digits, sizeof(digits), "%d", c->precision);
	append(c->format, '.');
	append_text(c->format, c->star_precision ? "*" : digits);
}

/* Flags that the standard leaves undefined for the conversion are left out. */
static void make(struct conversion *c)
{
	static const struct {
		const char *text;
		unsigned bytes;
	} lengths[] = { { "", 4 },   { "hh", 4 }, { "h", 4 }, { "l", 8 },
			{ "ll", 8 }, { "z", 8 },  { "j", 8 }, { "t", 8 } };
	char conv = "diuxXoscs"[rnd(9)];
	bool number = conv != 's' && conv != 'c', is_signed = conv == 'd' || conv == 'i';
	const char *allowed = is_signed ? "-0+ " : conv == 'u' ? "-0" : number ? "-0#" : "-";
	size_t length = number ? rnd(ARRAY_SIZE(lengths)) : 0;

	*c = (struct conversion){ .format = "<%" };
	for (size_t n = rnd(4); n > 0; n--)
		append(c->format, allowed[rnd(strlen(allowed))]);
	make_width(c);
	if (conv != 'c')
		make_precision(c);
	append_text(c->format, lengths[length].text);
	append(c->format, conv);
	append(c->format, '>');
	c->bytes = conv == 's' ? 0 : lengths[length].bytes;
}

static uint64_t make_value(void)
{
	uint64_t v = rnd64() >> rnd(64);

	switch (rnd(8)) {
	case 0: return 0;
	case 1: return 1ull << rnd(64);
	case 2: return -v;
	default: return v;
	}
}

typedef size_t (*print_fn)(char *buf, size_t size, const char *format, ...);

static size_t host_print(char *buf, size_t size, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(buf, size, format, args);
	va_end(args);
	return (size_t)n;
}

static size_t ours_print(char *buf, size_t size, const char *format, ...)
{
	va_list args;
	size_t n;

	va_start(args, format);
	n = fmt_vsnprintf(buf, size, format, args);
	va_end(args);
	return n;
}

#define CALL(value)                                                               \
	(c->star_width && c->star_precision                                       \
		 ? print(buf, size, c->format, c->width, c->precision, (value))   \
	 : c->star_width     ? print(buf, size, c->format, c->width, (value))     \
	 : c->star_precision ? print(buf, size, c->format, c->precision, (value)) \
			     : print(buf, size, c->format, (value)))

static size_t call(print_fn print, char *buf, size_t size, const struct conversion *c, uint64_t v)
{
	static const char *const texts[] = { "", "a", "hello", "a string of some length" };

	if (c->bytes == 0)
		return CALL(texts[v % ARRAY_SIZE(texts)]);
	if (strstr(c->format, "c>") != NULL)
		return CALL((int)(v % 26 + 'a'));
	if (c->bytes == 4)
		return CALL((unsigned)v);
	return CALL(v);
}

static void random_against_host(void **state)
{
	(void)state;
	rnd_seed();
	for (size_t i = 0; i < STEPS; i++) {
		struct conversion c;
		char ours[128], host[128];
		uint64_t v = make_value();
		size_t size = rnd(4) == 0 ? rnd(12) : sizeof(ours), n;

		make(&c);
		memset(ours, '#', sizeof(ours));
		memset(host, '#', sizeof(host));
		n = call(ours_print, ours, size, &c, v);
		if (n != call(host_print, host, size, &c, v) ||
		    memcmp(ours, host, sizeof(ours)) != 0)
			fail_msg("\"%s\" of %#lx: ours \"%s\", host \"%s\"", c.format, v,
				 size != 0 ? ours : "", size != 0 ? host : "");
	}
}

static void text(const char *expected, const char *format, ...)
{
	char buf[128];
	va_list args;
	size_t n;

	va_start(args, format);
	n = fmt_vsnprintf(buf, sizeof(buf), format, args);
	va_end(args);
	assert_string_equal(buf, expected);
	assert_int_equal(n, strlen(expected));
}

static void own_cases(void **state)
{
	(void)state;
	text("", "");
	text("100%", "%d%%", 100);
	text("-9223372036854775808", "%ld", INT64_MIN);
	text("ffffffffffffffff", "%lx", UINT64_MAX);
	text("0x0", "%p", (void *)NULL);
	text("0xffffffff80000000", "%p", (void *)0xffffffff80000000);
	text("  0x10|0x10  ", "%6p|%-6p", (void *)16, (void *)16);
	text("(null)", "%s", (char *)NULL);
	text("ab", "%.2s", "abc");
	text("-1 255", "%hhd %hhu", -1, 255 + 256);
	text("1 2 3", "%d %s %c", 1, "2", '3');
	text("%y 5", "%y %d", 5);
	text("50%", "50%");
	text("-0x1f", "-%#x", 31);
}

static void cuts_off(void **state)
{
	char buf[4] = "xyz";

	(void)state;
	assert_int_equal(fmt_snprintf(buf, sizeof(buf), "%d", 123456), 6);
	assert_string_equal(buf, "123");
	assert_int_equal(fmt_snprintf(buf, 1, "abc"), 3);
	assert_string_equal(buf, "");
	assert_int_equal(fmt_snprintf(NULL, 0, "abc"), 3);
}

static void count_char(void *ctx, char c)
{
	*(unsigned *)ctx += (unsigned char)c;
}

static void prints_through_callback(void **state)
{
	unsigned sum = 0;

	(void)state;
	assert_int_equal(fmt_print(count_char, &sum, "%c%c", 1, 2), 2);
	assert_int_equal(sum, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_cases),
		cmocka_unit_test(cuts_off),
		cmocka_unit_test(prints_through_callback),
		cmocka_unit_test(random_against_host),
	};

	return cmocka_run_group_tests_name("fmt", tests, NULL, NULL);
}
