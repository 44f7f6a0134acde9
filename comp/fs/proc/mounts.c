/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/PID/mounts and mountinfo. */
#include <linux/fs.h>

#include "base/str.h"
#include "comp/fs/proc/local.h"
#include "kernel/mem/kmem.h"

static void mount_options(struct text *t, const struct mount *m)
{
	static const struct {
		uint32_t flag;
		const char *text;
	} names[] = {
		{ MS_NOSUID, ",nosuid" },         { MS_NODEV, ",nodev" },
		{ MS_NOEXEC, ",noexec" },         { MS_NOATIME, ",noatime" },
		{ MS_NODIRATIME, ",nodiratime" }, { MS_RELATIME, ",relatime" },
	};

	text_puts(t, (m->flags & MS_RDONLY) != 0 || m->super->read_only ? "ro" : "rw");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if ((m->flags & names[i].flag) != 0)
			text_puts(t, names[i].text);
}

/* Where a mount is, as seen from the current root; false when it cannot be seen. */
static bool mount_place(const struct mount *m, char *buf, size_t size)
{
	struct path p = { (struct mount *)m, m->root };
	size_t len;

	return path_string(&p, buf, size, &len) == OK;
}

static void line_mounts(struct text *t, const struct mount *m, const char *place)
{
	text_escaped(t, m->super->source);
	text_puts(t, " ");
	text_escaped(t, place);
	text_printf(t, " %s ", m->super->ops->name);
	mount_options(t, m);
	text_printf(t, "%s 0 0\n", m->super->options);
}

/* Where in its file system a (bind) mount begins; its end alone if that is very deep. */
static void put_root(struct text *t, const struct dentry *d)
{
	char *buf = kmem_alloc(PAGE_SIZE), *at;

	if (buf == NULL) {
		t->failed = true;
		return;
	}
	at = buf + PAGE_SIZE - 1;
	*at = '\0';
	for (; d->parent != d && at - buf > d->len; d = d->parent) {
		at -= d->len + 1;
		*at = '/';
		memcpy(at + 1, d->name, d->len);
	}
	text_escaped(t, *at != '\0' ? at : "/");
	kmem_free(buf);
}

static void line_mountinfo(struct text *t, const struct mount *m, const char *place)
{
	text_printf(t, "%u %u %u:%u ", m->id, m->parent != NULL ? m->parent->id : 1,
		    dev_major(m->super->dev), dev_minor(m->super->dev));
	put_root(t, m->root);
	text_puts(t, " ");
	text_escaped(t, place);
	text_puts(t, " ");
	mount_options(t, m);
	text_printf(t, " - %s ", m->super->ops->name);
	text_escaped(t, m->super->source);
	text_printf(t, " %s%s\n", m->super->read_only ? "ro" : "rw", m->super->options);
}

static void line_mountstats(struct text *t, const struct mount *m, const char *place)
{
	text_puts(t, "device ");
	text_escaped(t, m->super->source);
	text_puts(t, " mounted on ");
	text_escaped(t, place);
	text_printf(t, " with fstype %s\n", m->super->ops->name);
}

static err_t for_mounts(struct text *t,
			void (*line)(struct text *t, const struct mount *m, const char *place))
{
	char *place = kmem_alloc(PAGE_SIZE);

	if (place == NULL)
		return E_NOMEM;
	LIST_FOR_EACH(pos, &all_mounts) {
		const struct mount *m = list_entry(pos, struct mount, all);

		if (mount_place(m, place, PAGE_SIZE))
			line(t, m, place);
	}
	kmem_free(place);
	return OK;
}

err_t proc_mounts(const struct proc_ref *r, struct text *t)
{
	(void)r;
	return for_mounts(t, line_mounts);
}

err_t proc_mountinfo(const struct proc_ref *r, struct text *t)
{
	(void)r;
	return for_mounts(t, line_mountinfo);
}

err_t proc_mountstats(const struct proc_ref *r, struct text *t)
{
	(void)r;
	return for_mounts(t, line_mountstats);
}
