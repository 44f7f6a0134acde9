/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/fmt.h"
#include "base/str.h"

/* One conversion: %[flags][width][.precision][length]conv */
struct spec {
	bool left, zero, alt, plus, blank;
	bool has_precision;
	size_t width, precision;
	unsigned size; /* bytes of an integer argument */
	char conv;
};

struct out {
	fmt_put_fn put;
	void *ctx;
	size_t count;
};

static void emit(struct out *o, char c)
{
	o->put(o->ctx, c);
	o->count++;
}

static void emit_fill(struct out *o, char c, size_t n)
{
	for (; n != 0; n--)
		emit(o, c);
}

static void emit_bytes(struct out *o, const char *s, size_t n)
{
	for (; n != 0; n--)
		emit(o, *s++);
}

/* Text of n bytes, padded to the width with blanks. */
static void emit_padded(struct out *o, const struct spec *sp, const char *s, size_t n)
{
	size_t pad = sp->width > n ? sp->width - n : 0;

	if (!sp->left)
		emit_fill(o, ' ', pad);
	emit_bytes(o, s, n);
	if (sp->left)
		emit_fill(o, ' ', pad);
}

/* Digits of v, written backwards so that they end before `end`. None for 0. */
static char *digits(char *end, uint64_t v, unsigned base, bool upper)
{
	const char *set = upper ? "0123456789ABCDEF" : "0123456789abcdef";

	for (; v != 0; v /= base)
		*--end = set[v % base];
	return end;
}

/* Prefix ("-", "0x", ...), zeroes, digits; padded to the width. */
static void emit_number(struct out *o, const struct spec *sp, const char *prefix, uint64_t v,
			unsigned base)
{
	char buf[24];
	char *end = buf + sizeof(buf);
	char *first = digits(end, v, base, sp->conv == 'X');
	size_t n = (size_t)(end - first), prefix_len = strlen(prefix);
	size_t least = sp->has_precision ? sp->precision : 1;
	size_t zeroes = least > n ? least - n : 0;
	size_t pad;

	if (base == 8 && sp->alt && zeroes == 0 && (v != 0 || n == 0))
		zeroes = 1;
	n += prefix_len + zeroes;
	pad = sp->width > n ? sp->width - n : 0;
	if (pad != 0 && sp->zero && !sp->left && !sp->has_precision) {
		zeroes += pad;
		pad = 0;
	}
	if (!sp->left)
		emit_fill(o, ' ', pad);
	emit_bytes(o, prefix, prefix_len);
	emit_fill(o, '0', zeroes);
	emit_bytes(o, first, (size_t)(end - first));
	if (sp->left)
		emit_fill(o, ' ', pad);
}

/* Keep the low `size` bytes of v; with `sign`, extend their sign. */
static uint64_t narrow(uint64_t v, unsigned size, bool sign)
{
	unsigned shift = 64 - size * 8;

	v <<= shift;
	return sign ? (uint64_t)((int64_t)v >> shift) : v >> shift;
}

static void emit_signed(struct out *o, const struct spec *sp, uint64_t v)
{
	const char *prefix = sp->plus ? "+" : sp->blank ? " " : "";

	v = narrow(v, sp->size, true);
	if ((int64_t)v < 0) {
		prefix = "-";
		v = -v;
	}
	emit_number(o, sp, prefix, v, 10);
}

static void emit_unsigned(struct out *o, const struct spec *sp, uint64_t v)
{
	v = narrow(v, sp->size, false);
	switch (sp->conv) {
	case 'o': emit_number(o, sp, "", v, 8); break;
	case 'x': emit_number(o, sp, sp->alt && v != 0 ? "0x" : "", v, 16); break;
	case 'X': emit_number(o, sp, sp->alt && v != 0 ? "0X" : "", v, 16); break;
	default: emit_number(o, sp, "", v, 10); break;
	}
}

static void emit_string(struct out *o, const struct spec *sp, const char *s)
{
	if (s == NULL)
		s = "(null)";
	emit_padded(o, sp, s, strnlen(s, sp->has_precision ? sp->precision : SIZE_MAX));
}

static const char *parse_flags(const char *f, struct spec *sp)
{
	for (;; f++) {
		switch (*f) {
		case '-': sp->left = true; break;
		case '0': sp->zero = true; break;
		case '#': sp->alt = true; break;
		case '+': sp->plus = true; break;
		case ' ': sp->blank = true; break;
		default: return f;
		}
	}
}

static const char *parse_digits(const char *f, size_t *n)
{
	for (*n = 0; *f >= '0' && *f <= '9'; f++)
		*n = *n * 10 + (size_t)(*f - '0');
	return f;
}

static const char *parse_length(const char *f, struct spec *sp)
{
	sp->size = sizeof(int);
	switch (*f) {
	case 'h': sp->size = f[1] == 'h' ? 1 : 2; return f + (f[1] == 'h' ? 2 : 1);
	case 'l': sp->size = 8; return f + (f[1] == 'l' ? 2 : 1);
	case 'z':
	case 'j':
	case 't': sp->size = 8; return f + 1;
	}
	return f;
}

/* va_list may be an array type, which cannot be passed by address from a parameter: hence a box. */
struct args {
	va_list list;
};

static void take_width(struct args *a, struct spec *sp)
{
	int n = va_arg(a->list, int);

	if (n < 0)
		sp->left = true;
	sp->width = n < 0 ? -(size_t)n : (size_t)n;
}

static void take_precision(struct args *a, struct spec *sp)
{
	int n = va_arg(a->list, int);

	sp->has_precision = n >= 0;
	sp->precision = n >= 0 ? (size_t)n : 0;
}

/* `f` stands behind the percent sign; returns where the conversion ends. */
static const char *parse_spec(const char *f, struct spec *sp, struct args *a)
{
	*sp = (struct spec){ 0 };
	f = parse_flags(f, sp);
	if (*f == '*') {
		take_width(a, sp);
		f++;
	} else {
		f = parse_digits(f, &sp->width);
	}
	if (*f == '.') {
		f++;
		if (*f == '*') {
			take_precision(a, sp);
			f++;
		} else {
			sp->has_precision = true;
			f = parse_digits(f, &sp->precision);
		}
	}
	f = parse_length(f, sp);
	sp->conv = *f;
	return *f != '\0' ? f + 1 : f;
}

static uint64_t take_integer(struct args *a, const struct spec *sp)
{
	return sp->size == 8 ? va_arg(a->list, uint64_t) : va_arg(a->list, unsigned);
}

/* False if the conversion is not known; it has taken no argument then. */
static bool convert(struct out *o, const struct spec *sp, struct args *a)
{
	char c;

	switch (sp->conv) {
	case 'd':
	case 'i': emit_signed(o, sp, take_integer(a, sp)); return true;
	case 'u':
	case 'o':
	case 'x':
	case 'X': emit_unsigned(o, sp, take_integer(a, sp)); return true;
	case 'p': emit_number(o, sp, "0x", (uintptr_t)va_arg(a->list, void *), 16); return true;
	case 's': emit_string(o, sp, va_arg(a->list, const char *)); return true;
	case 'c':
		c = (char)va_arg(a->list, int);
		emit_padded(o, sp, &c, 1);
		return true;
	case '%': emit(o, '%'); return true;
	default: return false;
	}
}

size_t fmt_vprint(fmt_put_fn put, void *ctx, const char *format, va_list args)
{
	struct out o = { .put = put, .ctx = ctx };
	struct args a;

	va_copy(a.list, args);
	while (*format != '\0') {
		const char *start = format;
		struct spec sp;

		if (*format++ != '%') {
			emit(&o, *start);
			continue;
		}
		format = parse_spec(format, &sp, &a);
		if (!convert(&o, &sp, &a))
			emit_bytes(&o, start, (size_t)(format - start));
	}
	va_end(a.list);
	return o.count;
}

size_t fmt_print(fmt_put_fn put, void *ctx, const char *format, ...)
{
	va_list args;
	size_t n;

	va_start(args, format);
	n = fmt_vprint(put, ctx, format, args);
	va_end(args);
	return n;
}

struct buffer {
	char *at, *last; /* last: where the NUL must stand at the latest */
};

static void put_buffer(void *ctx, char c)
{
	struct buffer *b = ctx;

	if (b->at < b->last)
		*b->at++ = c;
}

size_t fmt_vsnprintf(char *buf, size_t size, const char *format, va_list args)
{
	struct buffer b = { .at = buf, .last = size != 0 ? buf + size - 1 : buf };
	size_t n = fmt_vprint(put_buffer, &b, format, args);

	if (size != 0)
		*b.at = '\0';
	return n;
}

size_t fmt_snprintf(char *buf, size_t size, const char *format, ...)
{
	va_list args;
	size_t n;

	va_start(args, format);
	n = fmt_vsnprintf(buf, size, format, args);
	va_end(args);
	return n;
}
