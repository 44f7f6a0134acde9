/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --strace: one line a call, as strace prints it, to the user's log; and --missing-files. Arguments
 *  that the call
 * only reads are printed from memory before it runs (it may not return, or change them); what it
 * fills, after.
 */
#include <asm/unistd_64.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/sched.h>

#include "base/fmt.h"
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/linux/linux.h"
#include "kernel/task/task.h"

bool strace_on, missing_files_on;

#define LINE_MAX     480
#define STRING_SHOWN 32

struct line {
	char text[LINE_MAX];
	size_t len;
};

/*
 * The line of the call that runs now. A call that switches threads loses it to another's; then its
 * end is printed as
 * "<... name resumed>", as strace does. */
static struct line open_line;
static const struct thread *open_thread;

static void put(struct line *l, const char *fmt, ...) PRINTF(2, 3);
static void put(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = fmt_vsnprintf(l->text + l->len, sizeof(l->text) - l->len, fmt, ap);
	va_end(ap);
	l->len += (size_t)n < sizeof(l->text) - l->len ? (size_t)n : sizeof(l->text) - l->len - 1;
}

struct flag_name {
	uint64_t value;
	const char *name;
};

static void put_flags(struct line *l, uint64_t v, const struct flag_name *names, size_t n,
		      const char *zero)
{
	const char *sep = "";

	for (size_t i = 0; i < n; i++) {
		if (names[i].value == 0 || (v & names[i].value) != names[i].value)
			continue;
		put(l, "%s%s", sep, names[i].name);
		v &= ~names[i].value;
		sep = "|";
	}
	if (v != 0)
		put(l, "%s%#lx", sep, (unsigned long)v);
	else if (*sep == '\0')
		put(l, "%s", zero);
}

static void put_open_flags(struct line *l, uint64_t v)
{
	static const char *const acc[] = { "O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE" };
	static const struct flag_name names[] = {
		{ O_CREAT, "O_CREAT" },       { O_EXCL, "O_EXCL" },
		{ O_NOCTTY, "O_NOCTTY" },     { O_TRUNC, "O_TRUNC" },
		{ O_APPEND, "O_APPEND" },     { O_NONBLOCK, "O_NONBLOCK" },
		{ O_SYNC, "O_SYNC" },         { O_DSYNC, "O_DSYNC" },
		{ O_DIRECT, "O_DIRECT" },     { O_LARGEFILE, "O_LARGEFILE" },
		{ O_TMPFILE, "O_TMPFILE" },   { O_DIRECTORY, "O_DIRECTORY" },
		{ O_NOFOLLOW, "O_NOFOLLOW" }, { O_NOATIME, "O_NOATIME" },
		{ O_CLOEXEC, "O_CLOEXEC" },   { O_PATH, "O_PATH" },
	};

	put(l, "%s", acc[v & O_ACCMODE]);
	if ((v & ~(uint64_t)O_ACCMODE) != 0) {
		put(l, "|");
		put_flags(l, v & ~(uint64_t)O_ACCMODE, names, ARRAY_SIZE(names), "0");
	}
}

static void put_map_flags(struct line *l, uint64_t v)
{
	static const struct flag_name names[] = {
		{ MAP_SHARED_VALIDATE, "MAP_SHARED_VALIDATE" },
		{ MAP_SHARED, "MAP_SHARED" },
		{ MAP_PRIVATE, "MAP_PRIVATE" },
		{ MAP_FIXED, "MAP_FIXED" },
		{ MAP_ANONYMOUS, "MAP_ANONYMOUS" },
		{ MAP_GROWSDOWN, "MAP_GROWSDOWN" },
		{ MAP_DENYWRITE, "MAP_DENYWRITE" },
		{ MAP_LOCKED, "MAP_LOCKED" },
		{ MAP_NORESERVE, "MAP_NORESERVE" },
		{ MAP_POPULATE, "MAP_POPULATE" },
		{ MAP_STACK, "MAP_STACK" },
		{ MAP_HUGETLB, "MAP_HUGETLB" },
		{ MAP_FIXED_NOREPLACE, "MAP_FIXED_NOREPLACE" },
	};

	put_flags(l, v, names, ARRAY_SIZE(names), "0");
}

static void put_prot(struct line *l, uint64_t v)
{
	static const struct flag_name names[] = {
		{ PROT_READ, "PROT_READ" },
		{ PROT_WRITE, "PROT_WRITE" },
		{ PROT_EXEC, "PROT_EXEC" },
	};

	put_flags(l, v, names, ARRAY_SIZE(names), "PROT_NONE");
}

static void put_clone_flags(struct line *l, uint64_t v)
{
	static const struct flag_name names[] = {
		{ CLONE_VM, "CLONE_VM" },
		{ CLONE_FS, "CLONE_FS" },
		{ CLONE_FILES, "CLONE_FILES" },
		{ CLONE_SIGHAND, "CLONE_SIGHAND" },
		{ CLONE_PTRACE, "CLONE_PTRACE" },
		{ CLONE_VFORK, "CLONE_VFORK" },
		{ CLONE_PARENT, "CLONE_PARENT" },
		{ CLONE_THREAD, "CLONE_THREAD" },
		{ CLONE_SYSVSEM, "CLONE_SYSVSEM" },
		{ CLONE_SETTLS, "CLONE_SETTLS" },
		{ CLONE_PARENT_SETTID, "CLONE_PARENT_SETTID" },
		{ CLONE_CHILD_CLEARTID, "CLONE_CHILD_CLEARTID" },
		{ CLONE_CHILD_SETTID, "CLONE_CHILD_SETTID" },
		{ SIGCHLD, "SIGCHLD" },
	};

	put_flags(l, v, names, ARRAY_SIZE(names), "0");
}

static void put_signal(struct line *l, uint64_t v)
{
	put(l, "%s", v <= SIG_COUNT ? signal_name((int)v) : "?");
}

static void put_bytes(struct line *l, const char *p, size_t n, bool more)
{
	put(l, "\"");
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c == '\n')
			put(l, "\\n");
		else if (c == '\t')
			put(l, "\\t");
		else if (c == '\r')
			put(l, "\\r");
		else if (c == '"' || c == '\\')
			put(l, "\\%c", c);
		else if (c >= 32 && c < 127)
			put(l, "%c", c);
		else
			put(l, "\\%o", c);
	}
	put(l, more ? "\"..." : "\"");
}

static void put_buffer(struct line *l, uint64_t addr, uint64_t len)
{
	char shown[STRING_SHOWN];
	size_t n = len < sizeof(shown) ? (size_t)len : sizeof(shown);

	if (addr == 0)
		put(l, "NULL");
	else if (user_in(shown, UADDR(addr), n) != OK)
		put(l, "%#lx", (unsigned long)addr);
	else
		put_bytes(l, shown, n, len > n);
}

static void put_string(struct line *l, uint64_t addr)
{
	char s[160];
	err_t err = addr == 0 ? OK : user_string(s, UADDR(addr), sizeof(s));

	if (addr == 0)
		put(l, "NULL");
	else if (err == OK)
		put_bytes(l, s, strlen(s), false);
	else if (err == E_NAMETOOLONG && user_in(s, UADDR(addr), sizeof(s) - 1) == OK)
		put_bytes(l, s, sizeof(s) - 1, true);
	else
		put(l, "%#lx", (unsigned long)addr);
}

static void put_argv(struct line *l, uint64_t addr)
{
	const char *sep = "";

	put(l, "[");
	for (int i = 0; addr != 0 && i < 16; i++, addr += 8, sep = ", ") {
		uint64_t at;

		if (USER_IN(&at, UADDR(addr)) != OK || at == 0)
			break;
		put(l, "%s", sep);
		put_string(l, at);
	}
	put(l, "]");
}

static void put_timespec(struct line *l, uint64_t addr)
{
	struct timespec_k t;

	if (addr == 0)
		put(l, "NULL");
	else if (USER_IN(&t, UADDR(addr)) != OK)
		put(l, "%#lx", (unsigned long)addr);
	else
		put(l, "{tv_sec=%ld, tv_nsec=%ld}", (long)t.tv_sec, (long)t.tv_nsec);
}

static void put_iovec(struct line *l, uint64_t addr, uint64_t n)
{
	const char *sep = "";

	put(l, "[");
	for (uint64_t i = 0; i < n && i < 4; i++, sep = ", ") {
		struct {
			uint64_t base, len;
		} v;

		if (USER_IN(&v, UADDR(addr + i * sizeof(v))) != OK)
			break;
		put(l, "%s{iov_base=", sep);
		put_buffer(l, v.base, v.len);
		put(l, ", iov_len=%lu}", (unsigned long)v.len);
	}
	put(l, "]");
}

static void put_pair(struct line *l, uint64_t addr)
{
	int fd[2];

	if (USER_IN(&fd, UADDR(addr)) != OK)
		put(l, "%#lx", (unsigned long)addr);
	else
		put(l, "[%d, %d]", fd[0], fd[1]);
}

static void put_pointer(struct line *l, uint64_t v)
{
	if (v == 0)
		put(l, "NULL");
	else
		put(l, "%#lx", (unsigned long)v);
}

static void put_arg(struct line *l, char kind, const uint64_t *arg, long result)
{
	static const char *const whence[] = { "SEEK_SET", "SEEK_CUR", "SEEK_END", "SEEK_DATA",
					      "SEEK_HOLE" };
	static const char *const clocks[] = { "CLOCK_REALTIME", "CLOCK_MONOTONIC",
					      "CLOCK_PROCESS_CPUTIME_ID",
					      "CLOCK_THREAD_CPUTIME_ID" };
	uint64_t v = *arg;

	switch (kind) {
	case 'F':
		if ((int)v == AT_FDCWD) {
			put(l, "AT_FDCWD");
			break;
		}
		/* fallthrough */
	case 'd':
	case 'f': put(l, "%d", (int)v); break;
	case 'u': put(l, "%u", (unsigned)v); break;
	case 'n': put(l, "%lu", (unsigned long)v); break;
	case 'l': put(l, "%ld", (long)v); break;
	case 's': put_string(l, v); break;
	case 'w': put_buffer(l, v, arg[1]); break;
	case 'b':
		if (result < 0)
			put_pointer(l, v);
		else
			put_buffer(l, v, (uint64_t)result);
		break;
	case 'o': put_open_flags(l, v); break;
	case 'm': put(l, v == 0 ? "0" : "0%lo", (unsigned long)(v & 07777)); break;
	case 'P': put_prot(l, v); break;
	case 'M': put_map_flags(l, v); break;
	case 'C': put_clone_flags(l, v); break;
	case 'g': put_signal(l, v); break;
	case 't': put_timespec(l, v); break;
	case 'v': put_iovec(l, v, arg[1]); break;
	case 'A': put_argv(l, v); break;
	case 'e':
		if (result < 0)
			put_pointer(l, v);
		else
			put_pair(l, v);
		break;
	case 'k': put(l, "%s", v < ARRAY_SIZE(whence) ? whence[v] : "?"); break;
	case 'c':
		if (v < ARRAY_SIZE(clocks))
			put(l, "%s", clocks[v]);
		else
			put(l, "%d", (int)v);
		break;
	case 'x':
	case 'a':
	case 'i': put(l, v == 0 ? "0" : "%#lx", (unsigned long)v); break;
	default: put_pointer(l, v); break;
	}
}

/* Arguments that are complete only when the call has returned. */
static bool filled_by_call(char kind)
{
	return kind == 'b' || kind == 'e';
}

/*
 * Arguments from number `from` on; stops before the first that the call has yet to fill when
 * `early`.
 */
static unsigned put_args(struct line *l, const struct syscall *s, const struct trapframe *tf,
			 unsigned from, bool early, long result)
{
	const uint64_t arg[7] = { tf->rdi, tf->rsi, tf->rdx, tf->r10, tf->r8, tf->r9, 0 };
	unsigned i = from;

	for (; s->args[i] != '\0'; i++) {
		if (early && filled_by_call(s->args[i]))
			break;
		put(l, i > 0 ? ", " : "");
		put_arg(l, s->args[i], &arg[i], result);
	}
	return i;
}

static unsigned args_printed;

static void line_begin(struct line *l)
{
	l->len = 0;
	if (task_count() > 1 || current_task->nthreads > 1)
		put(l, "[pid %d] ", current->tid);
}

static void open_line_break(void)
{
	if (open_thread == NULL)
		return;
	put(&open_line, " <unfinished ...>");
	user_log("%s", open_line.text);
	open_thread = NULL;
}

void strace_enter(const struct syscall *s, const struct trapframe *tf)
{
	open_line_break();
	line_begin(&open_line);
	put(&open_line, "%s(", s->name);
	args_printed = put_args(&open_line, s, tf, 0, true, 0);
	if (tf->orig_rax == __NR_exit || tf->orig_rax == __NR_exit_group ||
	    tf->orig_rax == __NR_execve) {
		if (tf->orig_rax == __NR_execve)
			put(&open_line, ") ...");
		else
			put(&open_line, ") = ?");
		user_log("%s", open_line.text);
		open_thread = NULL;
		return;
	}
	open_thread = current;
}

static const char *restart_name(long result)
{
	switch (result) {
	case E_RESTARTSYS: return "ERESTARTSYS";
	case E_RESTARTNOINTR: return "ERESTARTNOINTR";
	case E_RESTARTNOHAND: return "ERESTARTNOHAND";
	default: return "ERESTART_RESTARTBLOCK";
	}
}

static void put_result(struct line *l, const struct syscall *s, long result)
{
	if (result <= E_RESTARTSYS && result >= E_RESTART_BLOCK)
		put(l, ") = ? %s (to be restarted)", restart_name(result));
	else if (result < 0 && result > -4096)
		put(l, ") = -1 %s (%s)", err_name(result), err_text(result));
	else if (strcmp(s->name, "mmap") == 0 || strcmp(s->name, "brk") == 0 ||
		 strcmp(s->name, "mremap") == 0)
		put(l, ") = %#lx", (unsigned long)result);
	else
		put(l, ") = %ld", result);
}

void strace_leave(const struct syscall *s, const struct trapframe *tf, long result)
{
	if (tf->orig_rax == __NR_execve && result >= 0)
		return;
	if (open_thread != current) {
		open_line_break();
		line_begin(&open_line);
		put(&open_line, "<... %s resumed>", s->name);
	} else {
		(void)put_args(&open_line, s, tf, args_printed, false, result);
	}
	open_thread = NULL;
	put_result(&open_line, s, result);
	user_log("%s", open_line.text);
}

void missing_file_note(long result, const char *path)
{
	if (__builtin_expect(missing_files_on, 0) && result == E_NOENT)
		user_log("missing: %s", path);
}
