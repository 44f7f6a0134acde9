/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program's address space: areas (vma) in a tree over an nk space. Page tables are the only
 * record of which frame is where; areas say what should be there. Each present or held entry to a
 * frame of ours holds one reference to it.
 */
#pragma once

#include "abi/err.h"
#include "abi/nk.h"
#include "abi/types.h"
#include "base/list.h"
#include "base/tree.h"

/*
 * What a file or shared object gives to an area. Implemented by kernel/vfs (page cache, image) and
 * mem (shared anonymous).
 */
struct sha256;
struct vmobject;
struct vmobject_ops {
	/*
	 * Frame of page `index`, for reading or (write) for writing to the object itself. A
	 * reference is given to the caller when the frame is ours (frame_is_ours); image frames
	 * have none. E_FAULT beyond the end (SIGBUS), E_NOMEM.
	 */
	err_t (*page)(struct vmobject *o, uint64_t index, bool write, paddr_t *out);
	/*
	 * How many pages from `index` on, at most n, are frames of the root image in a row, as
	 * page() would give them for reading; *first is the first. NULL: never any.
	 */
	uint64_t (*image_run)(struct vmobject *o, uint64_t index, uint64_t n, paddr_t *first);
	void (*get)(struct vmobject *o);
	void (*put)(struct vmobject *o);
	/* Path for /proc/self/maps; device and inode for the same. May be NULL. */
	void (*describe)(struct vmobject *o, char *path, size_t size, uint64_t *dev, uint64_t *ino);
};
struct vmobject {
	const struct vmobject_ops *ops;
	struct list areas; /* mem's: vma.in_obj of the areas that map it. May begin as zeroes */
};
static inline void vmobject_init(struct vmobject *o, const struct vmobject_ops *ops)
{
	o->ops = ops;
	list_init(&o->areas);
}

#define VM_READ   1u
#define VM_WRITE  2u
#define VM_EXEC   4u
#define VM_SHARED 8u
#define VM_STACK  16u /* grows down to its limit on faults */
/* mprotect may add VM_WRITE (a shared mapping of a read-only descriptor has it not) */
#define VM_MAYWRITE   32u
#define VM_NORESERVE  64u
#define VM_HEAP       128u /* the brk area, for /proc/self/maps */
#define VM_SPECIAL    256u /* vdso, vvar: not to be unmapped by accident of merging */
#define VM_DONTFORK   512u
#define VM_WIPEONFORK 1024u
/*
 * PrivUser: supervisor pages that ring 3 cannot reach, nor the kernel on its behalf. Not split, not
 * changed, not looked into by anything here but aspace_priv_*. Always sealed.
 */
#define VM_PRIV     2048u
#define VM_DONTDUMP 8192u /* not in core files */
#define VM_SEALED   4096u /* stays as it is until the space ends: unmap, protect... give E_PERM */

struct vma {
	struct tree_node node;
	uint64_t start, end; /* page aligned */
	uint32_t flags;
	struct aspace *as;
	struct list in_obj;
	struct vmobject *obj; /* NULL: private anonymous */
	uint64_t pgoff;       /* index of the object's page at `start` */
	const char *name;     /* "[stack]", "[vdso]" or NULL */
	uint64_t next_fault;  /* where a sequential reader faults next; */
	uint32_t window;      /* and how many pages such a fault maps */
};

struct aspace {
	nk_space_t space;
	struct tree areas;
	uint32_t refs;
	uint64_t brk_start, brk;
	uint64_t mmap_top;     /* search for room goes down from here */
	uint64_t pages_mapped; /* entries to frames of ours (RSS) */
	uint64_t pages_peak, bytes_virtual;
	uint64_t start_code, end_code, start_data, end_data, start_stack, arg_start, arg_end,
		env_start, env_end;
	uint64_t vdso;
	uint64_t gap_len, gap_top; /* mem's: what the search for room found; 0: nothing known */
	uint32_t nareas;
	uint64_t bytes_data; /* private writable areas, for RLIMIT_DATA */
	struct vma *last;    /* the area found last, or NULL */
	/* mem's, to learn what a forked child writes at once: numbers of the space and its parent,
	 * and how many pages are still noted */
	uint64_t id, parent_id;
	uint32_t early;
	uint64_t limit_as, limit_data, limit_stack; /* bytes, from rlimits */
	struct privuser *priv;                      /* kernel/dom's; NULL: none */
	uint32_t membarrier; /* MEMBARRIER_CMD_REGISTER_* that the program has made */
	bool reaped;
};

err_t aspace_create(struct aspace **out) MUST_CHECK;
void aspace_get(struct aspace *a);
void aspace_put(struct aspace *a); /* the last one frees all */
/*
 * Copy for fork: private areas copy-on-write, shared ones shared. One crossing per batch of 64
 * operations.
 */
err_t aspace_fork(struct aspace *from, struct aspace **out) MUST_CHECK;
/*
 * Take the private pages of a space whose program never runs again (it is being killed for want of
 * memory). Faults in it end with FAULT_BUS from now on.
 */
void aspace_reap(struct aspace *a);
/* Make it current. The current one is `aspace_current` (NULL before the first). */
void aspace_load(struct aspace *a);
extern struct aspace *aspace_current;

#define MAP_AT_HINT      0u
#define MAP_AT_FIXED     1u /* replaces what is there */
#define MAP_AT_NOREPLACE 2u /* E_EXIST when something is there */
/* in the first 2 GiB, as MAP_32BIT wants it; the address is not looked at */
#define MAP_AT_LOW 3u
/*
 * Map [*addr, +len): takes its own reference to obj. *addr gets the place. Errors: E_INVAL,
 * E_NOMEM, E_EXIST.
 */
err_t aspace_map(struct aspace *a, uint64_t *addr, uint64_t len, uint32_t flags, unsigned how,
		 struct vmobject *obj, uint64_t pgoff, const char *name) MUST_CHECK;
err_t aspace_unmap(struct aspace *a, uint64_t addr, uint64_t len) MUST_CHECK;
err_t aspace_protect(struct aspace *a, uint64_t addr, uint64_t len, uint32_t prot) MUST_CHECK;
err_t aspace_remap(struct aspace *a, uint64_t old, uint64_t old_len, uint64_t new_len,
		   unsigned flags, uint64_t *addr) MUST_CHECK; /* mremap */
err_t aspace_advise(struct aspace *a, uint64_t addr, uint64_t len,
		    int advice) MUST_CHECK; /* madvise */
err_t aspace_set_brk(struct aspace *a, uint64_t brk) MUST_CHECK;
/* Bring in pages as if touched (exec, MAP_POPULATE, kernel access). */
err_t aspace_populate(struct aspace *a, uint64_t addr, uint64_t len, bool write) MUST_CHECK;
/* True when [addr, +len) lies in areas with `prot` throughout. */
bool aspace_check(struct aspace *a, uint64_t addr, uint64_t len, uint32_t prot);
struct vma *aspace_find(struct aspace *a, uint64_t addr); /* area that holds addr, or NULL */
struct vma *aspace_first(struct aspace *a);
struct vma *aspace_next(struct vma *v);

enum fault_result { FAULT_OK, FAULT_MAPERR, FAULT_ACCERR, FAULT_BUS, FAULT_NOMEM };
/* Serve a fault at addr (code as in PF_*). Maps around it where that is cheap. Never blocks. */
enum fault_result aspace_fault(struct aspace *a, uint64_t addr, uint32_t code);

/*
 * Pages of [pgoff, +n) of obj are gone or changed frame (truncate, copy-up): drop program mappings
 * of them in all spaces.
 */
void vmobject_invalidate(struct vmobject *obj, uint64_t pgoff, uint64_t n);
/*
 * The object has ended: there is nothing from page pgoff on. Drops all mappings of it, private
 * copies too (their next access is a SIGBUS, as in Linux).
 */
void vmobject_truncate(struct vmobject *obj, uint64_t pgoff);

/*
 * Another process's memory (process_vm_readv, ptrace, /proc/pid/mem): copies, faulting pages in.
 * Returns bytes done.
 */
size_t aspace_read(struct aspace *a, uint64_t addr, void *buf, size_t len);
size_t aspace_write(struct aspace *a, uint64_t addr, const void *buf, size_t len, bool force);

/* ---- PrivUser (priv.c): what only kernel/dom asks for ---- */

/*
 * Areas for PrivUser, or sealed ones beside it, are made with aspace_map and these flags; pages
 * come by faults. Copy `len` bytes of the calling program's memory into PrivUser at `addr`,
 * whatever its rights; `sum` takes in what has arrived. E_FAULT, E_NOMEM.
 */
err_t aspace_priv_load(struct aspace *a, uint64_t addr, uaddr_t src, uint64_t len,
		       struct sha256 *sum) MUST_CHECK;
/* A fault of PrivUser, or of the kernel on its behalf, in its own memory. As aspace_fault. */
enum fault_result aspace_priv_fault(struct aspace *a, uint64_t addr, uint32_t code);
/* Drop the pages of [addr, +len), which are zeroed when nobody else has them. */
void aspace_priv_drop(struct aspace *a, uint64_t addr, uint64_t len);
/* Drop the areas of a set-up that failed. */
void aspace_priv_unmap(struct aspace *a, uint64_t addr, uint64_t len);
/* Called when a space with priv ends, after its pages are gone; set by kernel/dom. */
extern void (*aspace_priv_release)(struct aspace *a);

/*
 * A shared anonymous object of `pages` pages (MAP_SHARED|MAP_ANONYMOUS, shm). refs = 1. NULL: out
 * of memory.
 */
struct vmobject *anon_object_create(uint64_t pages);
/* Pages of such an object that have memory. */
uint64_t anon_object_present(const struct vmobject *o);

/*
 * Key of a futex word: object and offset for shared mappings, space and address for private ones.
 * E_FAULT.
 */
struct futex_key {
	const void *object;
	uint64_t offset;
};
err_t aspace_futex_key(struct aspace *a, uint64_t addr, bool shared,
		       struct futex_key *out) MUST_CHECK;
