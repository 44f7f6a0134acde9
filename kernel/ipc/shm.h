/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared memory: what shm.c and shm_map.c share. */
#pragma once

#include "kernel/ipc/internal.h"

/* <linux/shm.h> takes libc's headers in. */
#define SHM_HUGETLB_   04000
#define SHM_NORESERVE_ 010000
#define SHM_RDONLY_    010000
#define SHM_RND_       020000
#define SHM_REMAP_     040000
#define SHM_EXEC_      0100000
#define SHM_LOCK_      11
#define SHM_UNLOCK_    12
#define SHM_STAT_      13
#define SHM_INFO_      14
#define SHM_STAT_ANY_  15
/* Bits of the mode */
#define SHM_DEST_   01000u
#define SHM_LOCKED_ 02000u

/*
 * A segment lives as long as it has an id; with SHM_DEST set that is until the last area that maps
 * it is gone. An area counts as one reference of vm.
 */
struct shm {
	struct ipc_object ipc;
	struct vmobject vm;      /* what areas map; pages are those of `pages` */
	struct vmobject *memory; /* anonymous memory */
	uint64_t size;           /* bytes */
	uint64_t attached;
	int64_t atime, dtime;
	int cpid, lpid;
};

extern struct ipc_set shm_set;
extern const struct vmobject_ops shm_object_ops;
static inline struct shm *shm_of(struct ipc_object *o)
{
	return container_of(o, struct shm, ipc);
}
static inline uint64_t shm_pages(const struct shm *s)
{
	return ALIGN_UP(s->size, PAGE_SIZE) >> PAGE_SHIFT;
}
/* The id goes, now or with the last area. */
void shm_remove(struct shm *s);
