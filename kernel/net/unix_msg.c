/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages of AF_UNIX: short ones in one object, longer ones in pages of their own. */
#include "base/checked.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/kmem.h"
#include "kernel/net/unix.h"

#define BYTES_INLINE 1024u
/* What Linux charges beside the data: struct sk_buff and struct skb_shared_info. */
#define SKB_HEAD 256u
#define SKB_TAIL 320u

static uint32_t charge_for(uint32_t linear, uint32_t paged)
{
	uint32_t size = 512;

	while (size < linear + SKB_TAIL)
		size *= 2;
	return size + SKB_HEAD + ALIGN_UP(paged, (uint32_t)PAGE_SIZE);
}

static uint32_t pages_of(const struct unix_msg *m)
{
	return m->paged ? (m->len + PAGE_MASK) >> PAGE_SHIFT : 0;
}

static struct unix_msg *alloc(uint32_t len)
{
	bool paged = len > BYTES_INLINE;
	uint64_t tail = paged ? (((uint64_t)len + PAGE_MASK) >> PAGE_SHIFT) * sizeof(uint8_t *)
			      : len;
	struct unix_msg *m = kmem_alloc(sizeof(*m) + tail);

	if (m == NULL)
		return NULL;
	*m = (struct unix_msg){ .len = len, .paged = paged };
	list_init(&m->node);
	for (uint32_t i = 0; i < pages_of(m); i++)
		m->data.page[i] = NULL;
	return m;
}

static err_t fill(struct unix_msg *m, struct uio *from)
{
	if (!m->paged)
		return uio_in(from, m->data.bytes, m->len, NULL);
	for (uint32_t i = 0, at = 0; at < m->len; i++, at += (uint32_t)PAGE_SIZE) {
		uint32_t n = m->len - at < PAGE_SIZE ? m->len - at : (uint32_t)PAGE_SIZE;
		paddr_t pa = frame_alloc(0);

		if (paddr_is_none(pa))
			return E_NOBUFS;
		m->data.page[i] = dm_ptr(pa);
		TRY(uio_in(from, m->data.page[i], n, NULL));
	}
	return OK;
}

err_t unix_msg_new(struct unix_sock *u, struct uio *from, uint32_t len, uint32_t linear,
		   struct unix_msg **out)
{
	struct unix_msg *m = alloc(len);
	err_t err;

	if (m == NULL)
		return E_NOBUFS;
	m->from = unix_get(u);
	m->charge = charge_for(linear, len - linear);
	u->wmem += m->charge;
	err = fill(m, from);
	if (err != OK) {
		unix_msg_free(m);
		return err;
	}
	*out = m;
	return OK;
}

void unix_msg_free(struct unix_msg *m)
{
	struct unix_sock *from = m->from;

	for (uint32_t i = 0; i < pages_of(m); i++)
		if (m->data.page[i] != NULL)
			frame_put(dm_paddr(m->data.page[i]));
	from->wmem -= m->charge;
	if (!from->dead && unix_writable(from))
		socket_wake(&from->sock.wq);
	unix_put(from);
	if (m->files != NULL) {
		scm_land(m->files);
		scm_files_free(m->files);
	}
	kmem_free(m);
}

err_t unix_msg_read(const struct unix_msg *m, uint32_t off, uint32_t len, struct uio *to)
{
	if (!m->paged)
		return uio_out(to, m->data.bytes + off, len, NULL);
	while (len > 0) {
		uint32_t in_page = off & PAGE_MASK;
		uint32_t n = len < PAGE_SIZE - in_page ? len : (uint32_t)PAGE_SIZE - in_page;

		TRY(uio_out(to, m->data.page[off >> PAGE_SHIFT] + in_page, n, NULL));
		off += n;
		len -= n;
	}
	return OK;
}

void unix_msg_queue(struct unix_sock *to, struct unix_msg *m)
{
	list_push_back(&to->queue, &m->node);
	to->queued++;
	socket_wake(&to->sock.rq);
}

void unix_msg_unqueue(struct unix_sock *u, struct unix_msg *m)
{
	list_remove(&m->node);
	u->queued--;
}
