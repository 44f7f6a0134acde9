/* SPDX-License-Identifier: BSD-2-Clause */
/* The notes of a core file: threads' registers, the process, its files. Layouts as Linux's
 * elf_prstatus, elf_prpsinfo of x86-64. */
#include <linux/auxvec.h>
#include <linux/elf.h>

#include "base/str.h"
#include "kernel/linux/core.h"
#include "kernel/linux/linux.h"
#include "kernel/linux/ptrace_regs.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/ptrace.h"

struct prstatus {
	int32_t signo, code, err;
	int16_t cursig;
	uint64_t sigpend, sighold;
	int32_t pid, ppid, pgrp, sid;
	struct timeval_k utime, stime, cutime, cstime;
	struct user_regs regs;
	int32_t fpvalid;
};
_Static_assert(sizeof(struct prstatus) == 336, "as Linux's elf_prstatus");

struct prpsinfo {
	char state, sname, zomb, nice;
	uint64_t flag;
	uint32_t uid, gid;
	int32_t pid, ppid, pgrp, sid;
	char fname[16], psargs[80];
};
_Static_assert(sizeof(struct prpsinfo) == 136, "as Linux's elf_prpsinfo");

/* ---- the buffer ---- */

static void put(struct core_buf *b, const void *data, size_t len)
{
	if (b->failed)
		return;
	if (b->len + len > b->room) {
		size_t room = (b->len + len) * 2;
		char *more = kmem_realloc(b->data, room);

		if (more == NULL) {
			b->failed = true;
			return;
		}
		b->data = more;
		b->room = room;
	}
	if (data != NULL)
		memcpy(b->data + b->len, data, len);
	else
		memset(b->data + b->len, 0, len);
	b->len += len;
}

static void pad(struct core_buf *b)
{
	put(b, NULL, ALIGN_UP(b->len, 4u) - b->len);
}

/* Begins a note; the length of its content is set by note_end. */
static size_t note_begin(struct core_buf *b, const char *name, uint32_t type)
{
	Elf64_Nhdr n = { .n_namesz = (uint32_t)strlen(name) + 1, .n_type = type };

	put(b, &n, sizeof(n));
	put(b, name, n.n_namesz);
	pad(b);
	return b->len;
}

static void note_end(struct core_buf *b, size_t begin, const char *name)
{
	size_t head = begin - ALIGN_UP(strlen(name) + 1, 4u) - sizeof(Elf64_Nhdr);
	uint32_t len = (uint32_t)(b->len - begin);

	if (b->failed)
		return;
	memcpy(b->data + head + offsetof(Elf64_Nhdr, n_descsz), &len, sizeof(len));
	pad(b);
}

static void note(struct core_buf *b, const char *name, uint32_t type, const void *data, size_t len)
{
	size_t begin = note_begin(b, name, type);

	put(b, data, len);
	note_end(b, begin, name);
}

/* ---- notes ---- */

static struct timeval_k to_timeval(uint64_t ns)
{
	return (struct timeval_k){ (int64_t)(ns / 1000000000u),
				   (int64_t)(ns % 1000000000u / 1000u) };
}

static void note_status(struct core_buf *b, const struct thread *t, int sig,
			const struct ksiginfo *info)
{
	const struct task *task = t->task;
	uint64_t user, system;
	struct prstatus s;

	memset(&s, 0, sizeof(s));
	if (t == current) {
		s.signo = info->si_signo;
		s.code = info->si_code;
		s.err = info->si_errno;
	}
	s.cursig = (int16_t)sig;
	s.sigpend = t->pending.pending;
	s.sighold = t->blocked;
	s.pid = t->tid;
	s.ppid = task->parent != NULL ? task->parent->pid : 0;
	s.pgrp = task->pgid;
	s.sid = task->sid;
	if (t->tid == task->pid)
		task_times(task, &user, &system);
	else
		thread_times(t, &user, &system);
	s.utime = to_timeval(user);
	s.stime = to_timeval(system);
	s.cutime = to_timeval(task->cutime_ns);
	s.cstime = to_timeval(task->cstime_ns);
	regs_get(t, &s.regs);
	s.fpvalid = 1;
	note(b, "CORE", NT_PRSTATUS, &s, sizeof(s));
}

static void note_floats(struct core_buf *b, struct thread *t)
{
	char *image = kmem_alloc(fpu_size());

	if (image == NULL) {
		b->failed = true;
		return;
	}
	regs_xstate_get(t, image);
	note(b, "CORE", NT_PRFPREG, image, FXSAVE_SIZE);
	if (boot_info.cpu.xsave)
		note(b, "LINUX", NT_X86_XSTATE, image, fpu_size());
	kmem_free(image);
}

/* Arguments as one line. */
static void fill_args(char psargs[80])
{
	struct aspace *a = current_task->mm;
	size_t n = a->arg_end - a->arg_start, got;

	if (n > 79)
		n = 79;
	got = aspace_read(a, a->arg_start, psargs, n);
	for (size_t i = 0; i < got; i++)
		if (psargs[i] == '\0')
			psargs[i] = ' ';
}

static void note_process(struct core_buf *b)
{
	const struct task *t = current_task;
	struct prpsinfo p;

	memset(&p, 0, sizeof(p));
	p.sname = 'R';
	p.nice = (char)current->nice;
	p.uid = t->cred.uid;
	p.gid = t->cred.gid;
	p.pid = t->pid;
	p.ppid = t->parent != NULL ? t->parent->pid : 0;
	p.pgrp = t->pgid;
	p.sid = t->sid;
	memcpy(p.fname, current->comm, sizeof(p.fname));
	fill_args(p.psargs);
	note(b, "CORE", NT_PRPSINFO, &p, sizeof(p));
}

size_t linux_read_auxv(struct aspace *a, uint64_t *out, size_t max)
{
	uint64_t at, word = 0;
	size_t n = 0;

	if (aspace_read(a, a->start_stack, &word, sizeof(word)) != sizeof(word))
		return 0;
	at = a->start_stack + sizeof(word) * (word + 2); /* argc, the arguments, a NULL */
	do {
		if (aspace_read(a, at, &word, sizeof(word)) != sizeof(word))
			return 0;
		at += sizeof(word);
	} while (word != 0);
	while (n + 2 <= max) {
		if (aspace_read(a, at, out + n, 2 * sizeof(word)) != 2 * sizeof(word))
			return n;
		at += 2 * sizeof(word);
		n += 2;
		if (out[n - 2] == AT_NULL)
			break;
	}
	return n;
}

#define AUX_WORDS 64u

static void note_auxv(struct core_buf *b)
{
	uint64_t aux[AUX_WORDS];
	size_t n = linux_read_auxv(current_task->mm, aux, AUX_WORDS);

	note(b, "CORE", NT_AUXV, aux, n * sizeof(aux[0]));
}

/* ---- NT_FILE ---- */

static bool file_of(const struct vma *v, char *path)
{
	uint64_t dev, ino;

	path[0] = '\0';
	if (v->obj == NULL || v->obj->ops->describe == NULL)
		return false;
	v->obj->ops->describe(v->obj, path, PAGE_SIZE, &dev, &ino);
	return path[0] == '/';
}

static void note_files(struct core_buf *b)
{
	struct aspace *a = current_task->mm;
	uint64_t head[2] = { 0, PAGE_SIZE };
	char *path = kmem_alloc(PAGE_SIZE);
	size_t begin = note_begin(b, "CORE", NT_FILE);

	if (path == NULL) {
		b->failed = true;
		return;
	}
	put(b, head, sizeof(head));
	for (struct vma *v = aspace_first(a); v != NULL; v = aspace_next(v)) {
		uint64_t entry[3] = { v->start, v->end, v->pgoff };

		if (!file_of(v, path))
			continue;
		put(b, entry, sizeof(entry));
		head[0]++;
	}
	for (struct vma *v = aspace_first(a); v != NULL; v = aspace_next(v))
		if (file_of(v, path))
			put(b, path, strlen(path) + 1);
	if (!b->failed)
		memcpy(b->data + begin, head, sizeof(head));
	note_end(b, begin, "CORE");
	kmem_free(path);
}

static void note_siginfo(struct core_buf *b, const struct ksiginfo *info)
{
	siginfo_t whole;

	memset(&whole, 0, sizeof(whole));
	memcpy(&whole, info, sizeof(*info));
	note(b, "CORE", NT_SIGINFO, &whole, sizeof(whole));
}

void core_notes(struct core_buf *b, int sig, const struct ksiginfo *info)
{
	note_status(b, current, sig, info);
	note_process(b);
	note_siginfo(b, info);
	note_auxv(b);
	note_files(b);
	note_floats(b, current);
	LIST_FOR_EACH(l, &current_task->threads) {
		struct thread *t = list_entry(l, struct thread, in_task);

		if (t == current || t->exiting)
			continue;
		note_status(b, t, sig, info);
		note_floats(b, t);
	}
}
