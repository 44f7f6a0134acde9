/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ordinary part's side of privcall.h: set-up, and the argument window. ringfence-cc links it
 * into programs and libraries, each with the image of its own private part; all names stay inside.
 */
#include "privcall.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "abi/privuser.h"
#include "priv/image.h"

#pragma GCC visibility push(hidden)

/* The image, made by ringfence-cc. */
extern const struct priv_image priv_image_;

int priv_state_ = -ENXIO;
const struct priv_gate_ priv_gate_ = { 0, PRIVUSER_SEL_ENTER };

static pthread_mutex_t init_lock = PTHREAD_MUTEX_INITIALIZER;
static int init_result;
static int init_done;

#define DEFAULT(v, d) ((v) != 0 ? (v) : (d))
#define PAGE_UP(n)    (((uint64_t)(n) + 4095) & ~4095ull)
#define START_CALL    1

static void say(const struct priv_options *o, const char *text, const char *why)
{
	if (o != NULL && o->quiet)
		return;
	fprintf(stderr, "privcall: %s%s%s\n", text, why != NULL ? ": " : "",
		why != NULL ? why : "");
}

static const char *reason(int err)
{
	switch (err) {
	case ENODEV: return "this is not a Ringfence kernel (no /dev/privuser)";
	case EBUSY: return "this process has a private part already, of another program or library";
	case EEXIST: return "the addresses of the private part are in use";
	case EOPNOTSUPP: return "this processor lacks SMEP or SMAP";
	case EINVAL: return "the kernel does not take this image or these sizes";
	default: return strerror(err);
	}
}

/* 0, or an errno value. */
static int submit(struct privuser_setup *s)
{
	int fd = open("/dev/privuser", O_RDWR | O_CLOEXEC), err = 0;

	if (fd < 0)
		return errno == ENOENT || errno == ENXIO ? ENODEV : errno;
	if (ioctl(fd, PRIVUSER_SETUP, s) != 0)
		err = errno == ENOTTY ? ENODEV : errno;
	close(fd);
	return err;
}

static struct privuser_setup make_setup(const struct priv_image *i, const struct priv_options *o)
{
	struct priv_options none = { 0 };

	if (o == NULL)
		o = &none;
	return (struct privuser_setup){
		.version = PRIVUSER_VERSION,
		.flags = o->no_fork ? 0 : PRIVUSER_FORK_COPY,
		.code_src = (uintptr_t)i,
		.data_src = (uintptr_t)i + i->code_len,
		.base = i->base,
		.entry = i->entry,
		.code_len = i->code_len,
		.data_len = i->data_len,
		.bss_len = i->bss_len,
		.heap_len = DEFAULT(o->heap, 4u << 20),
		.stack_len = DEFAULT(o->stack, 64u << 10),
		.max_threads = DEFAULT(o->threads, 64),
		.window_len = DEFAULT(o->window, 256u << 10),
		.filter = i->filter,
	};
}

static void window_init(uint64_t base, uint64_t len);

static int set_up(const struct priv_options *o)
{
	const struct priv_image *i = &priv_image_;
	struct privuser_setup s = make_setup(i, o);
	int err;

	if (i->magic != PRIV_IMAGE_MAGIC)
		return -EINVAL;
	err = submit(&s);
	if (err != 0)
		return -err;
	priv_state_ = s.isolated ? PRIV_ISOLATED : PRIV_OFF;
	err = (int)priv_enter_(START_CALL, 0, 0, 0, 0, 0, 0);
	if (err != 0)
		return err;
	window_init(s.window_base, s.window_len);
	return priv_state_;
}

int priv_init(const struct priv_options *options)
{
	int r;

	pthread_mutex_lock(&init_lock);
	if (!init_done) {
		init_done = 1;
		init_result = set_up(options);
		priv_state_ = init_result;
		if (init_result < 0)
			say(options, "secrets are NOT protected, and calls will fail",
			    reason(-init_result));
		else if (init_result == PRIV_OFF)
			say(options, "secrets are NOT protected",
			    "the run configuration has switched the protection off");
	}
	r = init_result;
	pthread_mutex_unlock(&init_lock);
	return r;
}

int priv_state(void)
{
	if (priv_state_ < 0)
		return priv_state_;
	/* In a child without a copy, the gate knows. */
	return priv_enter_(0, 0, 0, 0, 0, 0, 0) == PRIVUSER_ENXIO ? -ENXIO : priv_state_;
}

/* ---- the window: first fit over pieces in the order of addresses ---- */

#define PIECE_MIN 64u

struct piece {
	size_t bytes; /* with this header; lowest bit: in use */
	size_t pad;
};

static pthread_mutex_t window_lock = PTHREAD_MUTEX_INITIALIZER;
static char *window, *window_end;

static void window_init(uint64_t base, uint64_t len)
{
	struct piece *p = (struct piece *)(uintptr_t)base;

	if (base == 0)
		return;
	window = (char *)p;
	window_end = window + PAGE_UP(len);
	p->bytes = PAGE_UP(len);
}

static struct piece *next_piece(struct piece *p)
{
	char *next = (char *)p + (p->bytes & ~(size_t)1);

	return next < window_end ? (struct piece *)next : NULL;
}

/* Join a free piece with the free ones behind it. */
static void gather(struct piece *p)
{
	struct piece *next;

	while ((next = next_piece(p)) != NULL && !(next->bytes & 1))
		p->bytes += next->bytes;
}

static void *use(struct piece *p, size_t bytes)
{
	if (p->bytes - bytes >= PIECE_MIN) {
		struct piece *rest = (struct piece *)((char *)p + bytes);

		rest->bytes = p->bytes - bytes;
		p->bytes = bytes;
	}
	p->bytes |= 1;
	return p + 1;
}

void *priv_window_alloc(size_t bytes)
{
	void *found = NULL;

	if (window == NULL || bytes > (size_t)(window_end - window))
		return NULL;
	bytes = (bytes + sizeof(struct piece) + 15) & ~(size_t)15;
	pthread_mutex_lock(&window_lock);
	for (struct piece *p = (struct piece *)window; p != NULL && found == NULL;
	     p = next_piece(p)) {
		if (p->bytes & 1)
			continue;
		gather(p);
		if (p->bytes >= bytes)
			found = use(p, bytes);
	}
	pthread_mutex_unlock(&window_lock);
	return found;
}

void priv_window_free(void *p)
{
	if (p == NULL)
		return;
	pthread_mutex_lock(&window_lock);
	((struct piece *)p - 1)->bytes &= ~(size_t)1;
	pthread_mutex_unlock(&window_lock);
}
