/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/PID/fd and fdinfo. */
#include <linux/fcntl.h>

#include "base/fmt.h"
#include "base/str.h"
#include "comp/fs/proc/local.h"
#include "kernel/mem/kmem.h"
#include "kernel/vfs/fd.h"
#include "kernel/vfs/lock.h"

/* The file behind the reference, referenced. */
static err_t ref_file(const struct proc_ref *r, struct file **out)
{
	struct task *t;

	TRY(proc_may_inspect(r, &t));
	*out = fdtable_file(t->files, r->fd);
	return *out != NULL ? OK : E_NOENT;
}

static err_t fd_link(const struct proc_ref *r, char *buf, size_t size, size_t *len)
{
	char *text = kmem_alloc(PAGE_SIZE);
	struct file *f;
	err_t err;

	if (text == NULL)
		return E_NOMEM;
	err = ref_file(r, &f);
	if (err == OK) {
		file_describe(f, text, PAGE_SIZE);
		file_put(f);
		*len = strlen(text);
		if (*len > size)
			*len = size;
		memcpy(buf, text, *len);
	}
	kmem_free(text);
	return err;
}

static err_t fd_follow(const struct proc_ref *r, struct path *out)
{
	struct file *f;
	err_t err;

	TRY(ref_file(r, &f));
	err = file_path(f, out);
	file_put(f);
	return err;
}

static void lock_line(void *ctx, const struct lock_info *l)
{
	struct text *t = ctx;

	text_printf(t, "lock:\t1: %-6s ADVISORY  %s %d 0 %lu ", l->kind,
		    l->write ? "WRITE" : "READ", l->pid, l->start);
	if (l->end == (uint64_t)INT64_MAX)
		text_puts(t, "EOF\n");
	else
		text_printf(t, "%lu\n", l->end);
}

static bool ref_cloexec(const struct proc_ref *r)
{
	return current != NULL && proc_task(r) == current_task && fd_get_cloexec(r->fd);
}

static err_t fdinfo_show(const struct proc_ref *r, struct text *t)
{
	char *more = kmem_zalloc(PAGE_SIZE);
	struct file *f;
	err_t err;

	if (more == NULL)
		return E_NOMEM;
	err = ref_file(r, &f);
	if (err == OK) {
		text_printf(t, "pos:\t%lu\nflags:\t0%o\nmnt_id:\t%u\nino:\t%lu\n", f->pos,
			    f->flags | (ref_cloexec(r) ? O_CLOEXEC : 0),
			    f->path.mnt != NULL ? f->path.mnt->id : 14,
			    f->inode != NULL ? f->inode->ino : f->anon_ino);
		if (f->inode != NULL)
			lock_for_each(f->inode, lock_line, t);
		if (f->ops != NULL && f->ops->fdinfo != NULL) {
			f->ops->fdinfo(f, more, PAGE_SIZE);
			text_puts(t, more);
		}
		file_put(f);
	}
	kmem_free(more);
	return err;
}

/* The link's own permissions say how the file is open. */
static const struct proc_entry link_rw = {
	.name = "", .mode = 0700, .link = fd_link, .follow = fd_follow
};
static const struct proc_entry link_r = {
	.name = "", .mode = 0500, .link = fd_link, .follow = fd_follow
};
static const struct proc_entry link_w = {
	.name = "", .mode = 0300, .link = fd_link, .follow = fd_follow
};
static const struct proc_entry info = { .name = "", .mode = 0400, .show = fdinfo_show };

static const struct proc_entry *link_entry(const struct file *f)
{
	if (file_readable(f))
		return file_writable(f) ? &link_rw : &link_r;
	return file_writable(f) ? &link_w : &link_r;
}

static err_t any_lookup(const struct proc_ref *r, const char *name, size_t len, bool link,
			const struct proc_entry **e, struct proc_ref *out)
{
	struct file *f;
	err_t err;

	*out = *r;
	if (!proc_number(name, len, &out->fd))
		return E_NOENT;
	err = ref_file(out, &f);
	if (err != OK)
		return err == E_SRCH ? E_NOENT : err;
	*e = link ? link_entry(f) : &info;
	file_put(f);
	return OK;
}

err_t proc_fd_lookup(const struct proc_ref *r, const char *name, size_t len,
		     const struct proc_entry **e, struct proc_ref *out)
{
	return any_lookup(r, name, len, true, e, out);
}

err_t proc_fdinfo_lookup(const struct proc_ref *r, const char *name, size_t len,
			 const struct proc_entry **e, struct proc_ref *out)
{
	return any_lookup(r, name, len, false, e, out);
}

static err_t any_list(const struct proc_ref *r, uint64_t from, unsigned type, dir_emit emit,
		      void *ctx)
{
	struct task *t;

	TRY(proc_may_inspect(r, &t));
	for (int fd = (int)from; (fd = fdtable_next(t->files, fd)) >= 0; fd++) {
		struct proc_ref ref = *r;
		char name[12];
		size_t len = fmt_snprintf(name, sizeof(name), "%d", fd);

		ref.fd = fd;
		if (!emit(ctx, name, len, proc_ino(type == 10 ? &link_rw : &info, &ref), type,
			  PROC_DYNAMIC + (uint64_t)fd + 1))
			return OK;
	}
	return OK;
}

err_t proc_fd_list(const struct proc_ref *r, uint64_t from, dir_emit emit, void *ctx)
{
	return any_list(r, from, 10, emit, ctx);
}

err_t proc_fdinfo_list(const struct proc_ref *r, uint64_t from, dir_emit emit, void *ctx)
{
	return any_list(r, from, 8, emit, ctx);
}
