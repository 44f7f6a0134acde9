/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls on the address space. */
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/stat.h>

#include "kernel/linux/linux.h"
#include "kernel/mem/frame.h"
#include "kernel/task/task.h"
#include "kernel/vfs/fd.h"

#define MMAP_MIN_ADDR 0x10000u /* vm.mmap_min_addr of Linux: hints below are raised to it */

#define PROT_ALL (PROT_READ | PROT_WRITE | PROT_EXEC)

static uint32_t prot_to_vm(int prot)
{
	return (prot & PROT_READ ? VM_READ : 0) | (prot & PROT_WRITE ? VM_WRITE : 0) |
	       (prot & PROT_EXEC ? VM_EXEC : 0);
}

/* Length in whole pages; E_NOMEM when it wraps, E_INVAL for 0. */
static err_t page_len(size_t len, size_t *out)
{
	if (len == 0)
		return E_INVAL;
	*out = ALIGN_UP(len, PAGE_SIZE);
	return *out == 0 || *out > USER_END ? E_NOMEM : OK;
}

/* The object behind a file mapping and the area's flags. */
static err_t mmap_file(int fd, uint64_t pgoff, size_t len, int flags, uint32_t *vm,
		       struct vmobject **obj)
{
	struct file *f = fd_get(fd);
	unsigned acc;
	err_t err = OK;

	if (f == NULL)
		return E_BADF;
	acc = f->flags & O_ACCMODE;
	if (acc == O_WRONLY)
		err = E_ACCES;
	else if ((flags & MAP_TYPE) != MAP_PRIVATE && (*vm & VM_WRITE) &&
		 (acc != O_RDWR || (f->flags & O_APPEND)))
		err = E_ACCES;
	if ((flags & MAP_TYPE) != MAP_PRIVATE && acc != O_RDWR)
		*vm &= ~VM_MAYWRITE;
	if (err == OK)
		err = file_mmap(f, pgoff, len, *vm, obj);
	file_put(f);
	return err;
}

/*
 * What MAP_SHARED_VALIDATE lets through: the flags that MAP_SHARED has always taken, used or not.
 */
#define LEGACY_FLAGS                                                                        \
	(MAP_SHARED_VALIDATE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE | MAP_EXECUTABLE | \
	 MAP_UNINITIALIZED | MAP_GROWSDOWN | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE |    \
	 MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB | MAP_32BIT | MAP_HUGE_MASK << MAP_HUGE_SHIFT)

static err_t check_type(int flags)
{
	switch (flags & MAP_TYPE) {
	case MAP_PRIVATE:
	case MAP_SHARED: return OK;
	case MAP_SHARED_VALIDATE:
		if (flags & MAP_ANONYMOUS)
			return E_INVAL;
		return flags & ~LEGACY_FLAGS ? E_OPNOTSUPP : OK;
	default: return E_INVAL;
	}
}

long sys_mmap(uint64_t addr, size_t len, int prot, int flags, int fd, uint64_t off)
{
	uint32_t vm = prot_to_vm(prot) | VM_MAYWRITE;
	unsigned how = flags & MAP_FIXED_NOREPLACE ? MAP_AT_NOREPLACE
		       : flags & MAP_FIXED         ? MAP_AT_FIXED
		       : flags & MAP_32BIT         ? MAP_AT_LOW
						   : MAP_AT_HINT;
	struct vmobject *obj = NULL;
	err_t err;

	if ((off & PAGE_MASK) != 0)
		return E_INVAL;
	TRY(page_len(len, &len));
	if (off + len < off)
		return E_OVERFLOW;
	TRY(check_type(flags));
	if ((flags & MAP_TYPE) != MAP_PRIVATE)
		vm |= VM_SHARED;
	if ((flags & MAP_HUGETLB) != 0)
		return E_NOMEM; /* there is no pool of huge pages */
	if ((flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) && (addr & PAGE_MASK) != 0)
		return E_INVAL;
	if (flags & MAP_NORESERVE)
		vm |= VM_NORESERVE;
	if (flags & MAP_ANONYMOUS) {
		off = 0;
		if ((vm & VM_SHARED) && (obj = anon_object_create(len >> PAGE_SHIFT)) == NULL)
			return E_NOMEM;
	} else {
		TRY(mmap_file(fd, off >> PAGE_SHIFT, len, flags, &vm, &obj));
	}
	addr &= ~PAGE_MASK;
	if (how == MAP_AT_HINT && addr != 0 && addr < MMAP_MIN_ADDR)
		addr = MMAP_MIN_ADDR;
	err = aspace_map(current_task->mm, &addr, len, vm, how, obj, off >> PAGE_SHIFT, NULL);
	if (obj != NULL)
		obj->ops->put(obj); /* the area has its own reference */
	if (err == OK && (flags & (MAP_POPULATE | MAP_LOCKED)) && prot != PROT_NONE)
		/* best effort, as in Linux */
		(void)!aspace_populate(current_task->mm, addr, len, (vm & VM_WRITE) != 0);
	return err == OK ? (long)addr : err;
}

long sys_munmap(uint64_t addr, size_t len)
{
	if ((addr & PAGE_MASK) != 0 || page_len(len, &len) != OK || addr > USER_END - len)
		return E_INVAL;
	return aspace_unmap(current_task->mm, addr, len);
}

long sys_mprotect(uint64_t addr, size_t len, int prot)
{
	if ((addr & PAGE_MASK) != 0 ||
	    (prot & ~(PROT_ALL | PROT_GROWSDOWN | PROT_GROWSUP | PROT_SEM)))
		return E_INVAL;
	if (len == 0)
		return 0;
	TRY(page_len(len, &len));
	if (addr > USER_END - len)
		return E_NOMEM;
	if (prot & PROT_GROWSDOWN) { /* from the start of the stack's area */
		struct vma *v = aspace_find(current_task->mm, addr);

		if (v == NULL || !(v->flags & VM_STACK))
			return E_INVAL;
		len += addr - v->start;
		addr = v->start;
	}
	return aspace_protect(current_task->mm, addr, len, prot_to_vm(prot));
}

long sys_brk(uint64_t brk)
{
	struct aspace *mm = current_task->mm;

	if (brk >= mm->brk_start)
		/* an error shows in the unchanged value, as in Linux */
		(void)!aspace_set_brk(mm, brk);
	return (long)mm->brk;
}

long sys_mremap(uint64_t old, size_t old_len, size_t new_len, unsigned flags, uint64_t addr)
{
	if ((old & PAGE_MASK) != 0 ||
	    (flags & ~(unsigned)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)))
		return E_INVAL;
	if ((flags & MREMAP_FIXED) && !(flags & MREMAP_MAYMOVE))
		return E_INVAL;
	if (new_len == 0)
		return E_INVAL;
	TRY(aspace_remap(current_task->mm, old, ALIGN_UP(old_len, PAGE_SIZE),
			 ALIGN_UP(new_len, PAGE_SIZE), flags, &addr));
	return (long)addr;
}

long sys_madvise(uint64_t addr, size_t len, int advice)
{
	if ((addr & PAGE_MASK) != 0)
		return E_INVAL;
	if (len == 0)
		return 0;
	TRY(page_len(len, &len));
	return aspace_advise(current_task->mm, addr, len, advice);
}

/* True when every page of the range lies in some area. */
static bool range_mapped(uint64_t addr, size_t len)
{
	return aspace_check(current_task->mm, addr, len, 0);
}

/*
 * Shared pages are the file's own frames: a write is in the file at once. What is left are the
 * checks, and fsync's part,
 * which no file system in memory has. */
long sys_msync(uint64_t addr, size_t len, int flags)
{
	if ((addr & PAGE_MASK) != 0 || (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) ||
	    ((flags & MS_ASYNC) && (flags & MS_SYNC)))
		return E_INVAL;
	if (len == 0)
		return 0;
	TRY(page_len(len, &len));
	return range_mapped(addr, len) ? 0 : E_NOMEM;
}

long sys_mincore(uint64_t addr, size_t len, uaddr_t vec)
{
	if ((addr & PAGE_MASK) != 0)
		return E_INVAL;
	if (len == 0)
		return 0;
	TRY(page_len(len, &len));
	if (!range_mapped(addr, len))
		return E_NOMEM;
	for (uint64_t va = addr; va < addr + len; va += PAGE_SIZE, vec.v++) {
		uint8_t in = NK_PTE_THERE(nk_entry(current_task->mm->space, va)) ? 1 : 0;

		TRY(USER_OUT(vec, &in));
	}
	return 0;
}

/* Memory is never paged out: locking is bringing pages in, within the limit. */
static long lock_range(uint64_t addr, size_t len)
{
	size_t off = addr & PAGE_MASK;

	if (len == 0)
		return 0;
	TRY(page_len(len + off, &len));
	addr -= off;
	if (len > current_task->rlimit[RLIMIT_MEMLOCK].rlim_cur && current_task->cred.euid != 0)
		return E_NOMEM;
	if (!range_mapped(addr, len))
		return E_NOMEM;
	return aspace_populate(current_task->mm, addr, len, false);
}

long sys_mlock(uint64_t addr, size_t len)
{
	return lock_range(addr, len);
}

long sys_mlock2(uint64_t addr, size_t len, unsigned flags)
{
	if (flags & ~(unsigned)MLOCK_ONFAULT)
		return E_INVAL;
	if (flags & MLOCK_ONFAULT) /* pages that come stay, as all pages do */
		return range_mapped(addr & ~PAGE_MASK,
				    ALIGN_UP(len + (addr & PAGE_MASK), PAGE_SIZE))
			       ? 0
			       : E_NOMEM;
	return lock_range(addr, len);
}

long sys_munlock(uint64_t addr, size_t len)
{
	size_t off = addr & PAGE_MASK;

	if (len == 0)
		return 0;
	TRY(page_len(len + off, &len));
	return range_mapped(addr - off, len) ? 0 : E_NOMEM;
}

long sys_mlockall(unsigned flags)
{
	if (flags == 0 || (flags & ~(unsigned)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) ||
	    flags == MCL_ONFAULT)
		return E_INVAL;
	return 0;
}

long sys_munlockall(void)
{
	return 0;
}
