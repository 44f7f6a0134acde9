/* SPDX-License-Identifier: BSD-2-Clause */
/* Which driver opens which device number. */
#include "base/list.h"
#include "kernel/mem/kmem.h"
#include "kernel/vfs/device.h"

struct driver {
	struct list node;
	uint32_t major, first, count;
	device_open_fn open;
};

static struct list drivers = LIST_INIT(drivers); /* the newest first */

err_t device_register(uint32_t major, uint32_t minor, uint32_t count, device_open_fn open)
{
	struct driver *d = kmem_alloc(sizeof(*d));

	if (d == NULL)
		return E_NOMEM;
	*d = (struct driver){ .major = major, .first = minor, .count = count, .open = open };
	list_push_front(&drivers, &d->node);
	return OK;
}

err_t device_open(struct inode *i, struct file *f)
{
	uint32_t major = dev_major(i->rdev), minor = dev_minor(i->rdev);

	LIST_FOR_EACH(pos, &drivers) {
		const struct driver *d = list_entry(pos, struct driver, node);

		if (d->major == major && minor >= d->first && minor - d->first < d->count)
			return d->open(i, f);
	}
	return E_NXIO;
}
