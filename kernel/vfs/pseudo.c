/* SPDX-License-Identifier: BSD-2-Clause */
/* Files whose text is made when they are read. */
#include "base/fmt.h"
#include "base/str.h"
#include "kernel/mem/kmem.h"
#include "kernel/vfs/pseudo.h"

#define TEXT_FIRST 1024u
#define TEXT_MAX   (64u << 20)

struct pseudo {
	const struct pseudo_ops *ops;
	struct text text;
	bool shown;
};

/* Room for `more` bytes and a NUL. */
static bool text_reserve(struct text *t, size_t more)
{
	size_t room = t->room != 0 ? t->room : TEXT_FIRST;
	char *buf;

	if (t->failed)
		return false;
	while (room < t->len + more + 1)
		room *= 2;
	if (room == t->room)
		return true;
	buf = room <= TEXT_MAX ? kmem_realloc(t->buf, room) : NULL;
	if (buf == NULL) {
		t->failed = true;
		return false;
	}
	t->buf = buf;
	t->room = room;
	return true;
}

void text_put(struct text *t, const char *s, size_t len)
{
	if (!text_reserve(t, len))
		return;
	memcpy(t->buf + t->len, s, len);
	t->len += len;
}

void text_puts(struct text *t, const char *s)
{
	text_put(t, s, strlen(s));
}

void text_printf(struct text *t, const char *fmt, ...)
{
	va_list args;
	size_t n;

	if (!text_reserve(t, 128))
		return;
	va_start(args, fmt);
	n = fmt_vsnprintf(t->buf + t->len, t->room - t->len, fmt, args);
	va_end(args);
	if (n >= t->room - t->len) {
		if (!text_reserve(t, n))
			return;
		va_start(args, fmt);
		n = fmt_vsnprintf(t->buf + t->len, t->room - t->len, fmt, args);
		va_end(args);
	}
	t->len += n;
}

void text_escaped(struct text *t, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == ' ' || *s == '\t' || *s == '\n' || *s == '\\')
			text_printf(t, "\\%03o", (unsigned char)*s);
		else
			text_put(t, s, 1);
	}
}

void text_release(struct text *t)
{
	kmem_free(t->buf);
	*t = (struct text){ NULL, 0, 0, false };
}

/* ---- the file ---- */

static err_t make_text(struct file *f)
{
	struct pseudo *p = f->priv;
	err_t err;

	p->text.len = 0;
	p->text.failed = false;
	err = p->ops->show(f->inode, &p->text);
	if (err == OK && p->text.failed)
		err = E_NOMEM;
	p->shown = err == OK;
	return err;
}

static err_t pseudo_read(struct file *f, uint64_t off, struct uio *to, size_t *done)
{
	struct pseudo *p = f->priv;
	size_t n;

	*done = 0;
	if (off == 0 || !p->shown)
		TRY(make_text(f));
	if (off >= p->text.len)
		return OK;
	n = p->text.len - off;
	return uio_out(to, p->text.buf + off, n < to->left ? n : to->left, done);
}

static err_t pseudo_write(struct file *f, uint64_t off, struct uio *from, size_t *done)
{
	struct pseudo *p = f->priv;
	size_t len = from->left, got = 0;
	char *data;
	err_t err;

	(void)off;
	*done = 0;
	if (p->ops->store == NULL)
		return E_IO;
	if (len >= PSEUDO_WRITE_MAX)
		return E_INVAL;
	data = kmem_alloc(len + 1);
	if (data == NULL)
		return E_NOMEM;
	err = uio_in(from, data, len, &got);
	if (err == OK) {
		data[len] = '\0';
		err = p->ops->store(f->inode, data, len);
	}
	kmem_free(data);
	if (err == OK)
		*done = len;
	return err;
}

static long pseudo_seek(struct file *f, int64_t off, int whence)
{
	int64_t base = whence == 1 ? (int64_t)f->pos : 0;

	if (whence != 0 && whence != 1)
		return E_INVAL;
	if (__builtin_add_overflow(base, off, &base) || base < 0)
		return E_INVAL;
	f->pos = (uint64_t)base;
	return (long)base;
}

static void pseudo_release(struct file *f)
{
	struct pseudo *p = f->priv;

	text_release(&p->text);
	kmem_free(p);
}

static const struct file_ops pseudo_file_ops = {
	.read = pseudo_read, .write = pseudo_write, .seek = pseudo_seek, .release = pseudo_release
};

err_t pseudo_open(struct file *f, const struct pseudo_ops *ops)
{
	struct pseudo *p = kmem_zalloc(sizeof(*p));

	if (p == NULL)
		return E_NOMEM;
	p->ops = ops;
	f->ops = &pseudo_file_ops;
	f->priv = p;
	return OK;
}
