/* SPDX-License-Identifier: BSD-2-Clause */
/* Copies from and to the program of the current address space (R6). */
#include "base/checked.h"
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/mem/ubuf.h"
#include "kernel/x86/x86.h"

static bool is_user_range(uint64_t addr, size_t len)
{
	return range_inside(addr, len, 0, USER_END);
}

err_t ubuf_in(void *dst, const struct ubuf *src, size_t off, size_t len)
{
	BUG_ON(off > src->len || len > src->len - off);
	return x86_copy_from_user(dst, src->base.v + off, len) == 0 ? OK : E_FAULT;
}

err_t ubuf_out(const struct ubuf *dst, size_t off, const void *src, size_t len)
{
	BUG_ON(off > dst->len || len > dst->len - off);
	return x86_copy_to_user(dst->base.v + off, src, len) == 0 ? OK : E_FAULT;
}

err_t user_in(void *dst, uaddr_t src, size_t len)
{
	return is_user_range(src.v, len) && x86_copy_from_user(dst, src.v, len) == 0 ? OK : E_FAULT;
}

err_t user_out(uaddr_t dst, const void *src, size_t len)
{
	return is_user_range(dst.v, len) && x86_copy_to_user(dst.v, src, len) == 0 ? OK : E_FAULT;
}

err_t user_zero(uaddr_t dst, size_t len)
{
	return is_user_range(dst.v, len) && x86_zero_user(dst.v, len) == 0 ? OK : E_FAULT;
}

err_t user_in_struct(void *dst, size_t size, uaddr_t src, size_t usize)
{
	size_t common = usize < size ? usize : size;

	if (usize > PAGE_SIZE)
		return E_2BIG;
	for (size_t at = size; at < usize; at++) {
		uint8_t byte;

		TRY(user_in(&byte, UADDR(src.v + at), 1));
		if (byte != 0)
			return E_2BIG;
	}
	TRY(user_in(dst, src, common));
	memset((uint8_t *)dst + common, 0, size - common);
	return OK;
}

/* ---- strings ---- */

#define STRING_STEP 64u /* never crosses a page: what follows a string may not be there */

err_t user_string(char *dst, uaddr_t src, size_t size)
{
	uint64_t addr = src.v;
	size_t done = 0;

	while (done < size) {
		size_t n = STRING_STEP - (addr & (STRING_STEP - 1));

		if (n > size - done)
			n = size - done;
		TRY(user_in(dst + done, UADDR(addr), n));
		if (memchr(dst + done, '\0', n) != NULL)
			return OK;
		done += n;
		addr += n;
	}
	return E_NAMETOOLONG;
}

/* Bytes of the string with its NUL; E_2BIG when there are more than max. */
static err_t string_bytes(uaddr_t src, size_t max, size_t *out)
{
	char piece[STRING_STEP];
	size_t done = 0;

	while (done < max) {
		uint64_t addr = src.v + done;
		size_t n = STRING_STEP - (addr & (STRING_STEP - 1));
		const char *nul;

		if (n > max - done)
			n = max - done;
		TRY(user_in(piece, UADDR(addr), n));
		nul = memchr(piece, '\0', n);
		if (nul != NULL) {
			*out = done + (size_t)(nul - piece) + 1;
			return OK;
		}
		done += n;
	}
	return E_2BIG;
}

err_t user_strdup(char **out, uaddr_t src, size_t max)
{
	size_t bytes;
	char *s;
	err_t err;

	TRY(string_bytes(src, max, &bytes));
	s = kmem_alloc(bytes);
	if (s == NULL)
		return E_NOMEM;
	err = user_in(s, src, bytes);
	if (err != OK) {
		kmem_free(s);
		return err;
	}
	s[bytes - 1] = '\0'; /* another thread may have written meanwhile */
	*out = s;
	return OK;
}
