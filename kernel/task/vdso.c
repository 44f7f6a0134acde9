/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vDSO as an object that programs map: page 0 is the time page, the image (kernel/x86/vdso)
 * follows.
 */
#include <linux/elf.h>

#include "base/fmt.h"
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/internal.h"

static paddr_t *pages; /* kept for ever */
static uint64_t npages;

static err_t vdso_page(struct vmobject *o, uint64_t index, bool write, paddr_t *out)
{
	(void)o;
	if (index >= npages)
		return E_FAULT;
	if (write)
		return E_ACCES;
	*out = pages[index];
	if (frame_is_ours(*out))
		frame_get(*out);
	return OK;
}

static void vdso_ref(struct vmobject *o)
{
	(void)o;
}

static void vdso_describe(struct vmobject *o, char *path, size_t size, uint64_t *dev, uint64_t *ino)
{
	(void)o;
	if (size > 0)
		path[0] = '\0';
	*dev = *ino = 0;
}

static const struct vmobject_ops vdso_ops = {
	.page = vdso_page,
	.get = vdso_ref,
	.put = vdso_ref,
	.describe = vdso_describe,
};
static struct vmobject vdso_object = { .ops = &vdso_ops };

/*
 * The image lies in the kernel's own read-only data, which is never mapped to programs: they get a
 * copy.
 */
static err_t copy_page(uint64_t i)
{
	uint64_t off = (i - 1) * PAGE_SIZE, len = vdso_image_len - off;

	pages[i] = frame_alloc(FRAME_ZERO);
	if (paddr_is_none(pages[i]))
		return E_NOMEM;
	memcpy(dm_ptr(pages[i]), vdso_image + off, len < PAGE_SIZE ? len : PAGE_SIZE);
	return OK;
}

err_t vdso_init(void)
{
	uint64_t n = 1 + ALIGN_UP(vdso_image_len, PAGE_SIZE) / PAGE_SIZE;

	pages = kmem_alloc(n * sizeof(*pages));
	if (pages == NULL)
		return E_NOMEM;
	pages[0] = vdso_time_frame();
	if (paddr_is_none(pages[0]))
		return E_NOMEM;
	for (uint64_t i = 1; i < n; i++)
		TRY(copy_page(i));
	npages = n;
	return OK;
}

err_t vdso_map(struct aspace *mm)
{
	uint64_t at = 0, image;

	TRY(aspace_map(mm, &at, npages * PAGE_SIZE, VM_READ | VM_SPECIAL, MAP_AT_HINT, &vdso_object,
		       0, "[vvar]"));
	image = at + PAGE_SIZE;
	TRY(aspace_map(mm, &image, (npages - 1) * PAGE_SIZE, VM_READ | VM_EXEC | VM_SPECIAL,
		       MAP_AT_FIXED, &vdso_object, 1, "[vdso]"));
	mm->vdso = image;
	return OK;
}
