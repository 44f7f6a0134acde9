/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory of PrivUser: filling it at set-up, and taking it away. */
#include "base/sha256.h"
#include "kernel/mem/mem.h"
#include "kernel/mem/ubuf.h"

/* The page for the kernel to write, whatever its area's rights. */
static err_t page_for_loading(struct aspace *a, uint64_t va, char **out)
{
	struct vma *v = aspace_find(a, va);

	BUG_ON(v == NULL || (v->flags & VM_SEALED) == 0);
	if (!NK_PTE_THERE(nk_entry(a->space, va)) && fault_serve(a, v, va, true, 1) != FAULT_OK)
		return E_NOMEM;
	*out = dm_ptr(pte_frame(nk_entry(a->space, va)));
	return OK;
}

err_t aspace_priv_load(struct aspace *a, uint64_t addr, uaddr_t src, uint64_t len,
		       struct sha256 *sum)
{
	for (uint64_t done = 0; done < len;) {
		uint64_t off = (addr + done) & PAGE_MASK;
		uint64_t n = PAGE_SIZE - off < len - done ? PAGE_SIZE - off : len - done;
		char *page;

		TRY(page_for_loading(a, ALIGN_DOWN(addr + done, PAGE_SIZE), &page));
		TRY(user_in(page + off, UADDR(src.v + done), n));
		/* What has arrived: the source may change at any time. */
		sha256_add(sum, page + off, n);
		done += n;
	}
	return OK;
}

void aspace_priv_drop(struct aspace *a, uint64_t addr, uint64_t len)
{
	pages_drop(a, addr, addr + len);
}

void aspace_priv_unmap(struct aspace *a, uint64_t addr, uint64_t len)
{
	struct vma *none = NULL; /* the range begins and ends with areas: nothing is split */

	areas_cut(a, addr, addr + len, &none);
}
