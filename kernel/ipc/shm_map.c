/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared memory in address spaces. */
#include "base/fmt.h"
#include "kernel/ipc/shm.h"

/* ---- the object behind the areas ---- */

static struct shm *shm_of_vm(struct vmobject *o)
{
	return container_of(o, struct shm, vm);
}

static err_t shm_page(struct vmobject *o, uint64_t index, bool write, paddr_t *out)
{
	struct shm *s = shm_of_vm(o);

	return s->memory->ops->page(s->memory, index, write, out);
}

static void shm_get_area(struct vmobject *o)
{
	shm_of_vm(o)->attached++;
}

static void shm_put_area(struct vmobject *o)
{
	struct shm *s = shm_of_vm(o);

	s->dtime = ipc_now();
	if (current != NULL && current_task->pid != 0)
		s->lpid = current_task->pid;
	BUG_ON(s->attached == 0);
	if (--s->attached == 0 && (s->ipc.mode & SHM_DEST_) != 0)
		shm_remove(s);
}

static void shm_describe(struct vmobject *o, char *path, size_t size, uint64_t *dev, uint64_t *ino)
{
	const struct shm *s = shm_of_vm(o);

	fmt_snprintf(path, size, "/SYSV%08x (deleted)", (unsigned)s->ipc.key);
	*dev = 1;
	*ino = (uint64_t)s->ipc.id;
}

const struct vmobject_ops shm_object_ops = {
	.page = shm_page,
	.get = shm_get_area,
	.put = shm_put_area,
	.describe = shm_describe,
};

/* ---- attaching ---- */

static err_t check_address(uint64_t *addr, int flags)
{
	if (*addr == 0)
		return (flags & SHM_REMAP_) != 0 ? E_INVAL : OK;
	if ((*addr & PAGE_MASK) == 0)
		return OK;
	if ((flags & SHM_RND_) == 0)
		return E_INVAL;
	*addr &= ~PAGE_MASK;
	return *addr == 0 && (flags & SHM_REMAP_) != 0 ? E_INVAL : OK;
}

static err_t place(struct shm *s, uint64_t *addr, uint32_t vm, int flags)
{
	unsigned how = *addr == 0                  ? MAP_AT_HINT
		       : (flags & SHM_REMAP_) != 0 ? MAP_AT_FIXED
						   : MAP_AT_NOREPLACE;
	err_t err;

	if (*addr != 0 && *addr + s->size < *addr)
		return E_INVAL;
	err = aspace_map(current_task->mm, addr, s->size, vm, how, &s->vm, 0, NULL);
	return err == E_EXIST ? E_INVAL : err;
}

long shm_attach(int id, uint64_t addr, int flags)
{
	bool exec = (flags & SHM_EXEC_) != 0, read_only = (flags & SHM_RDONLY_) != 0;
	uint32_t vm = VM_SHARED | VM_READ | (read_only ? 0 : VM_WRITE | VM_MAYWRITE) |
		      (exec ? VM_EXEC : 0);
	struct ipc_object *o;
	struct shm *s;

	if (id < 0)
		return E_INVAL;
	TRY(check_address(&addr, flags));
	TRY(ipc_find(&shm_set, id, &o));
	TRY(ipc_may(o, S_IRUGO_ | (read_only ? 0 : S_IWUGO_) | (exec ? S_IXUGO_ : 0)));
	s = shm_of(o);
	TRY(place(s, &addr, vm, flags));
	s->atime = ipc_now();
	s->lpid = current_task->pid;
	return (long)addr;
}

/* Does the area belong to an attachment at `base`, of *obj if that is known already? */
static bool is_part(const struct vma *v, uint64_t base, const struct vmobject *obj)
{
	return v->obj != NULL && v->obj->ops == &shm_object_ops && (obj == NULL || v->obj == obj) &&
	       v->start >= base && (v->start - base) >> PAGE_SHIFT == v->pgoff;
}

long shm_detach(uint64_t addr)
{
	struct aspace *mm = current_task->mm;
	struct vmobject *obj = NULL;
	uint64_t end = UINT64_MAX;
	struct vma *v, *next;

	if ((addr & PAGE_MASK) != 0)
		return E_INVAL;
	/* Parts may have been unmapped or protected one by one: all that is left goes. */
	for (v = aspace_first(mm); v != NULL && v->start < end; v = next) {
		next = aspace_next(v);
		if (v->end <= addr || !is_part(v, addr, obj))
			continue;
		if (obj == NULL) {
			obj = v->obj;
			end = addr + ALIGN_UP(shm_of_vm(obj)->size, PAGE_SIZE);
		}
		TRY(aspace_unmap(mm, v->start, v->end - v->start));
	}
	return obj != NULL ? 0 : E_INVAL;
}

/*
 * The memory of a process goes when its last thread has left its stack, which may be after its
 * parent has heard of the end: what others can count goes before that.
 */
void shm_task_exit(struct task *t)
{
	struct vma *v, *next;

	if (shm_set.used == 0 || t->mm == NULL || t->mm->refs > 1)
		return;
	for (v = aspace_first(t->mm); v != NULL; v = next) {
		next = aspace_next(v);
		if (v->obj != NULL && v->obj->ops == &shm_object_ops)
			/* A whole area: no split, nothing that could fail. */
			(void)!aspace_unmap(t->mm, v->start, v->end - v->start);
	}
}
