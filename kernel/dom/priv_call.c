/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls of PrivUser (enum privuser_call). Its pointers are checked where all are
 * (x86/usercopy.S), against what the thread may name while `calling` is set: PrivUser's memory and
 * nothing else. What is copied from or to ring 3 goes through a buffer of the kernel, each half
 * with the rights of its side.
 */
#include <linux/fcntl.h>
#include <linux/limits.h>

#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/dom/local.h"
#include "kernel/mem/kmem.h"
#include "kernel/mem/ubuf.h"
#include "kernel/vfs/file.h"
#include "kernel/vfs/path.h"

#define PIECE 512u

/* From here on the thread may name PrivUser only, or again all but PrivUser. */
static void set_calling(struct privuser *p, bool on)
{
	if (!p->isolated)
		return;
	current->priv->calling = on;
	user_barred.below = on ? UINT64_MAX : p->end;
}

/* ---- files ---- */

static struct file *file_of(const struct privuser *p, uint32_t number)
{
	return number < PRIVUSER_FILES ? p->files[number] : NULL;
}

static int free_number(const struct privuser *p)
{
	for (int i = 0; i < PRIVUSER_FILES; i++)
		if (p->files[i] == NULL)
			return i;
	return E_MFILE;
}

static long call_open(struct privuser *p, uint64_t name)
{
	struct file *f;
	char *path;
	err_t err;
	int number;

	err = user_strdup(&path, UADDR(name), PATH_MAX);
	if (err != OK)
		return err == E_2BIG ? E_NAMETOOLONG : err;
	current->opens_secrets = p->opens_secrets;
	err = vfs_open(AT_FDCWD_, path, O_RDONLY | O_CLOEXEC | O_NOCTTY, 0, LOOK_FOLLOW, &f);
	current->opens_secrets = false;
	kmem_free(path);
	if (err != OK)
		return err;
	number = free_number(p); /* now: others may have opened files meanwhile */
	if (number < 0)
		file_put(f);
	else
		p->files[number] = f;
	return number;
}

static long call_read(const struct privuser *p, uint32_t number, uint64_t buf, uint32_t len)
{
	struct file *f = file_of(p, number);
	struct uio u;
	size_t done = 0;
	err_t err;

	if (f == NULL)
		return E_BADF;
	if (len > INT32_MAX)
		return E_INVAL;
	TRY(uio_user(&u, UADDR(buf), len));
	file_get(f); /* another thread may close it while we sleep */
	err = file_read(f, &u, &done);
	file_put(f);
	return done != 0 ? (long)done : err;
}

static long call_close(struct privuser *p, uint32_t number)
{
	struct file *f = file_of(p, number);

	if (f == NULL)
		return E_BADF;
	p->files[number] = NULL;
	file_put(f);
	return 0;
}

static long call_size(const struct privuser *p, uint32_t number)
{
	struct file *f = file_of(p, number);
	struct kstat st;

	if (f == NULL)
		return E_BADF;
	TRY(file_stat(f, &st));
	return st.size > INT32_MAX ? E_OVERFLOW : (long)st.size;
}

/* ---- memory ---- */

static long call_random(uint64_t buf, uint32_t len)
{
	uint8_t piece[PIECE];
	err_t err = OK;

	for (uint32_t done = 0; done < len && err == OK;) {
		uint32_t n = len - done < PIECE ? len - done : PIECE;

		random_bytes(piece, n);
		err = user_out(UADDR(buf + done), piece, n);
		done += n;
	}
	memset(piece, 0, sizeof(piece));
	return err;
}

/* `in`: from ring 3's `theirs` to PrivUser's `ours`. A killed thread ends on its way out. */
static long copy_across(struct privuser *p, bool in, uint64_t ours, uint64_t theirs, uint32_t len)
{
	uint8_t piece[PIECE];
	err_t err = OK;

	for (uint32_t done = 0; done < len && err == OK;) {
		uint32_t n = len - done < PIECE ? len - done : PIECE;

		set_calling(p, !in);
		err = user_in(piece, UADDR((in ? theirs : ours) + done), n);
		set_calling(p, in);
		if (err == OK)
			err = user_out(UADDR((in ? ours : theirs) + done), piece, n);
		done += n;
		if (sched_breathe())
			break;
	}
	memset(piece, 0, sizeof(piece));
	__asm__ volatile("" ::"r"(piece) : "memory"); /* really */
	return err;
}

/* Ring 3 is not asked: what it calls the window, PrivUser copies to and from without the kernel. */
static long call_places(const struct privuser *p, uint64_t to)
{
	const uint32_t places[4] = { (uint32_t)p->heap, (uint32_t)p->stacks, (uint32_t)p->window,
				     (uint32_t)p->window_end };

	return user_out(UADDR(to), places, sizeof(places));
}

static long call(struct privuser *p, const struct trapframe *tf)
{
	uint64_t b = (uint32_t)tf->rbx;
	uint32_t c = (uint32_t)tf->rcx, d = (uint32_t)tf->rdx;
	uint64_t far = d | (uint64_t)(uint32_t)tf->rsi << 32;

	switch ((uint32_t)tf->rax) {
	case PRIVUSER_OPEN: return call_open(p, b);
	case PRIVUSER_READ: return call_read(p, (uint32_t)b, c, d);
	case PRIVUSER_CLOSE: return call_close(p, (uint32_t)b);
	case PRIVUSER_SIZE: return call_size(p, (uint32_t)b);
	case PRIVUSER_RANDOM: return call_random(b, c);
	case PRIVUSER_COPY_IN: return copy_across(p, true, b, far, c);
	case PRIVUSER_COPY_OUT: return copy_across(p, false, b, far, c);
	case PRIVUSER_YIELD: sched_yield(); return 0;
	case PRIVUSER_PLACES: return call_places(p, b);
	default: return E_NOSYS;
	}
}

long privuser_call(struct privuser *p, const struct trapframe *tf)
{
	long r;

	set_calling(p, true);
	r = call(p, tf);
	set_calling(p, false);
	return r;
}
