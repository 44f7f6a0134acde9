/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/vfs/test/rig.h"

#include <linux/fcntl.h>
#include <linux/fs.h>

#include "abi/nk.h"
#include "base/fmt.h"
#include "base/str.h"
#include "comp/fs/erofs/erofs.h"
#include "comp/fs/tmpfs/tmpfs.h"
#include "kernel/core/core.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/kmem.h"
#include "kernel/vfs/device.h"
#include "kernel/vfs/poll.h"
#include "kernel/x86/x86.h"

/* stdlib.h cannot be had beside the kernel's signal types. */
void *malloc(size_t size);
void *calloc(size_t n, size_t size);
void *realloc(void *p, size_t size);
void *aligned_alloc(size_t align, size_t size);
void free(void *p);
NORETURN void abort(void);
int puts(const char *s);

struct task rig_task;
struct thread rig_thread;
struct thread *current;
struct list all_tasks = LIST_INIT(all_tasks);
long rig_objects, rig_frames;
uint32_t kmem_fail_every;
uint64_t rig_total_memory = 64u << 20;
uint64_t rig_invalidated;
int rig_signal;
bool (*rig_on_wait)(void);
enum log_level log_level = LOG_ERROR;
const struct boot_info boot_info;

/* ---- memory ---- */

static bool fail_now(void)
{
	static uint32_t n;

	return kmem_fail_every != 0 && ++n % kmem_fail_every == 0;
}

void *kmem_alloc(size_t size)
{
	void *p = fail_now() || size > KMEM_MAX ? NULL : malloc(size);

	rig_objects += p != NULL;
	return p;
}

void *kmem_zalloc(size_t size)
{
	void *p = kmem_alloc(size);

	return p != NULL ? memset(p, 0, size) : NULL;
}

void *kmem_realloc(void *p, size_t size)
{
	void *q = fail_now() ? NULL : realloc(p, size);

	rig_objects += p == NULL && q != NULL;
	return q;
}

void kmem_free(void *p)
{
	rig_objects -= p != NULL;
	free(p);
}

char *kmem_strndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = kmem_alloc(len + 1);

	if (p != NULL) {
		memcpy(p, s, len);
		p[len] = '\0';
	}
	return p;
}

char *kmem_strdup(const char *s)
{
	return kmem_strndup(s, strlen(s));
}

/* Frames with their counts in a list: tests have few. */
struct host_frame {
	struct list node;
	paddr_t pa;
	uint32_t refs;
};
#define FRAME_BUCKETS 1024u
static struct list frames[FRAME_BUCKETS];

static struct list *frame_bucket(paddr_t pa)
{
	struct list *b = &frames[pa.v / PAGE_SIZE % FRAME_BUCKETS];

	if (b->next == NULL)
		list_init(b);
	return b;
}

static struct host_frame *host_frame(paddr_t pa)
{
	LIST_FOR_EACH(pos, frame_bucket(pa)) {
		struct host_frame *f = list_entry(pos, struct host_frame, node);

		if (f->pa.v == pa.v)
			return f;
	}
	return NULL;
}

static struct host_frame *host_frame_make(void *page)
{
	struct host_frame *f = malloc(sizeof(*f));

	*f = (struct host_frame){ .pa = dm_paddr(page), .refs = 1 };
	return f;
}

paddr_t frame_alloc(unsigned flags)
{
	struct host_frame *f;

	if (fail_now())
		return PADDR_NONE;
	f = host_frame_make(aligned_alloc(PAGE_SIZE, PAGE_SIZE));
	memset(dm_ptr(f->pa), (flags & FRAME_ZERO) != 0 ? 0 : 0xa5, PAGE_SIZE);
	list_push_back(frame_bucket(f->pa), &f->node);
	rig_frames++;
	return f->pa;
}

void frame_get(paddr_t pa)
{
	struct host_frame *f = host_frame(pa);

	if (f != NULL)
		f->refs++;
}

void frame_put(paddr_t pa)
{
	struct host_frame *f = host_frame(pa);

	if (f == NULL || --f->refs > 0)
		return; /* of the image: not ours */
	list_remove(&f->node);
	free(dm_ptr(pa));
	free(f);
	rig_frames--;
}

bool frame_is_ours(paddr_t pa)
{
	return host_frame(pa) != NULL;
}

uint32_t frame_refs(paddr_t pa)
{
	return host_frame(pa)->refs;
}

void mem_stats(struct mem_stats *out)
{
	*out = (struct mem_stats){ .total = rig_total_memory, .free = rig_total_memory / 2 };
}

void vmobject_invalidate(struct vmobject *o, uint64_t pgoff, uint64_t n)
{
	(void)o;
	(void)pgoff;
	rig_invalidated += n;
}

bool sched_breathe(void)
{
	return false;
}

void vmobject_truncate(struct vmobject *o, uint64_t pgoff)
{
	(void)o;
	(void)pgoff;
}

size_t x86_copy_from_user(void *dst, uint64_t src, size_t len)
{
	memcpy(dst, (void *)src, len);
	return 0;
}

size_t x86_copy_to_user(uint64_t dst, const void *src, size_t len)
{
	memcpy((void *)dst, src, len);
	return 0;
}

size_t x86_zero_user(uint64_t dst, size_t len)
{
	memset((void *)dst, 0, len);
	return 0;
}

/* ---- time, waiting, signals ---- */

uint64_t time_mono_ns(void)
{
	static uint64_t now;

	return now += 1000;
}

uint64_t time_real_ns(void)
{
	return 1700000000000000000ull + time_mono_ns();
}

void waitq_init(struct waitq *q)
{
	list_init(&q->waiters);
}

wait_result_t wait_on(struct waitq *q, uint64_t deadline_ns, bool interruptible)
{
	(void)q;
	(void)deadline_ns;
	(void)interruptible;
	return rig_on_wait != NULL && rig_on_wait() ? WAIT_WOKEN : WAIT_SIGNAL;
}

unsigned wake_up(struct waitq *q, unsigned max)
{
	(void)q;
	(void)max;
	return 0;
}

err_t signal_send_thread(struct thread *t, int sig, const struct ksiginfo *info)
{
	(void)t;
	(void)info;
	rig_signal = sig;
	return OK;
}

err_t signal_send_task(struct task *t, int sig, const struct ksiginfo *info)
{
	(void)t;
	(void)info;
	rig_signal = sig;
	return OK;
}

struct task *task_find(int pid)
{
	return pid == current_task->pid ? current_task : NULL;
}

struct thread *thread_find(int tid)
{
	return tid == current->tid ? current : NULL;
}

void wait_entry_add(struct waitq *q, struct wait_entry *e)
{
	list_push_back(&q->waiters, &e->node);
}

void wait_entry_remove(struct wait_entry *e)
{
	list_remove(&e->node);
}

/* ---- what other files of kernel/vfs have ---- */

void epoll_file_gone(struct file *f)
{
	(void)f;
}

err_t fifo_open(struct inode *i, struct file *f)
{
	(void)i;
	(void)f;
	return E_NXIO;
}

/* ---- reports ---- */

void panic(const char *fmt, ...)
{
	char line[256];
	va_list args;

	va_start(args, fmt);
	(void)fmt_vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	puts(line);
	abort();
}

void log_line(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}

/* ---- the world ---- */

static const void *rig_image;
static size_t rig_image_len;
static struct mount *image_mount;

static err_t mount_image(struct super *s, const char *source, const char *options,
			 struct inode **root)
{
	(void)source;
	(void)options;
	return erofs_mount_at(s, rig_image, rig_image_len, dm_paddr(rig_image), root);
}

static void task_start(void)
{
	memset(&rig_task, 0, sizeof(rig_task));
	memset(&rig_thread, 0, sizeof(rig_thread));
	rig_task.pid = rig_thread.tid = 10;
	rig_thread.task = &rig_task;
	for (unsigned i = 0; i < RLIM_NLIMITS; i++)
		rig_task.rlimit[i] = (struct rlimit64){ RLIM64_INFINITY, RLIM64_INFINITY };
	rig_task.rlimit[RLIMIT_NOFILE].rlim_cur = 256;
	rig_task.fs = fs_context_create();
	rig_task.files = fdtable_create();
	assert_non_null(rig_task.fs);
	assert_non_null(rig_task.files);
	current = &rig_thread;
	rig_become(0, 0);
}

void rig_start(const void *image, size_t len)
{
	static struct fs_ops image_fs;
	struct mount *m;

	rig_objects = rig_frames = 0;
	rig_invalidated = 0;
	kmem_fail_every = 0;
	assert_int_equal(dentry_cache_init(), OK);
	rig_objects = 0; /* the cache's table stays */
	if (fs_find("tmpfs") == NULL)
		fs_register(&tmpfs_fs);
	image_mount = NULL;
	if (image != NULL) {
		rig_image = image;
		rig_image_len = len;
		image_fs = erofs_fs;
		image_fs.mount = mount_image;
		assert_int_equal(mount_new(&image_fs, "image", NULL, MS_RDONLY, NULL, &image_mount),
				 OK);
		image_mount->internal = true;
	}
	assert_int_equal(mount_new_over(&tmpfs_fs, "rootfs", image == NULL ? "mode=755" : NULL,
					MS_RELATIME, NULL,
					image != NULL ? image_mount->root->inode : NULL, &m),
			 OK);
	mount_set_root(m);
	kernel_fs.root = kernel_fs.cwd = (struct path){ m, m->root };
	path_get(&kernel_fs.root);
	path_get(&kernel_fs.cwd);
	task_start();
}

void rig_stop(void)
{
	struct mount *m = first_mount_ns.root;

	kmem_fail_every = 0;
	fdtable_put(rig_task.files);
	fs_context_put(rig_task.fs);
	current = NULL;
	path_put(&kernel_fs.root);
	path_put(&kernel_fs.cwd);
	list_remove(&m->all);
	while (dentry_shrink(1000) > 0)
		;
	assert_int_equal(m->refs, 1);
	mount_put(m);
	if (image_mount != NULL)
		mount_put(image_mount);
	assert_int_equal(rig_objects, 0);
	assert_int_equal(rig_frames, 0);
}

void rig_become(uint32_t uid, uint32_t gid)
{
	uint64_t caps = uid == 0 ? ~0ull : 0;

	rig_task.cred = (struct cred){
		uid, uid, uid, uid, gid, gid, gid, gid, .cap_effective = caps, .cap_permitted = caps
	};
}

long rig_open(const char *name, uint32_t flags, uint32_t mode, struct file **out)
{
	return vfs_open(AT_FDCWD_, name, flags, mode, LOOK_FOLLOW, out);
}

long rig_write_at(struct file *f, uint64_t off, const void *buf, size_t len)
{
	struct uio u;
	size_t done;
	err_t err;

	uio_kernel(&u, (void *)buf, len);
	err = file_pwrite(f, off, &u, &done);
	return done > 0 ? (long)done : err;
}

long rig_read_at(struct file *f, uint64_t off, void *buf, size_t len)
{
	struct uio u;
	size_t done;
	err_t err;

	uio_kernel(&u, buf, len);
	err = file_pread(f, off, &u, &done);
	return done > 0 ? (long)done : err;
}

void rig_put(const char *name, const char *text)
{
	struct file *f;

	assert_int_equal(rig_open(name, O_CREAT | O_WRONLY | O_TRUNC, 0644, &f), OK);
	assert_int_equal(rig_write_at(f, 0, text, strlen(text)), strlen(text));
	file_put(f);
}
