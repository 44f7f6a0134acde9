/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sessions: further programs that the host starts in the running machine (abi/control.h). A program
 * has pipes, or a pty, for its standard streams; a kernel thread for each stream moves bytes
 * between the kernel's end and the control port, at most CONTROL_WINDOW bytes ahead of the other
 * side.
 *
 * Life: the line exec= makes the session and its process. The process becomes the program in its
 * own first thread, and starts the pumps before. Whoever is the last, a pump or that thread, tells
 * the host how it ended and frees the session: `users` counts them.
 */
#include <linux/fcntl.h>

#include "abi/control.h"
#include "base/fmt.h"
#include "base/ring.h"
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/linux/linux.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/task.h"
#include "kernel/vfs/control.h"
#include "kernel/vfs/fd.h"
#include "kernel/vfs/poll.h"
#include "kernel/vfs/tty.h"

enum { IN, OUT, ERR, STREAMS };

struct stream {
	struct session *session;
	struct file *file;     /* the kernel's end; NULL: there is none (ERR of a terminal) */
	struct thread *thread; /* its pump, while it runs */
	unsigned nr;
};

struct session {
	struct list node;
	uint32_t id;
	int pid;    /* of its process while that lives, else 0 */
	int status; /* wait status when `ended`, or an error number when it could not be started */
	unsigned users;
	bool ended; /* the process has gone, or never came */
	bool failed;
	bool gone; /* at the host nobody is there any more */
	bool input_ended;
	struct stream stream[STREAMS];
	struct tty *tty; /* the slave, as long as the master is open; NULL: pipes */
	uint32_t room;   /* bytes of output that the host would still take */
	struct ring input;
	struct waitq changed; /* any of the above that a pump waits for */
	size_t strings_len, strings_got;
	char *strings; /* what exec= brought, until the program runs */
	uint8_t input_bytes[CONTROL_WINDOW];
};

static struct list sessions = LIST_INIT(sessions);
static unsigned session_count;
static struct session *data_for; /* bytes behind the last line: strings, if it has some, or input */
static struct waitq port_room = WAITQ_INIT(port_room);

static struct session *session_find(uint64_t id)
{
	LIST_FOR_EACH(l, &sessions) {
		struct session *s = list_entry(l, struct session, node);

		if (s->id == id)
			return s;
	}
	return NULL;
}

/* ---- to the host ---- */

/* MAY_SWITCH */
static void tell(const char *line, const void *data, size_t len)
{
	while (!control_send(line, data, len))
		(void)wait_on(&port_room, WAIT_FOREVER, false);
}

static void tell_number(const char *what, uint32_t id, long value)
{
	char line[64];

	fmt_snprintf(line, sizeof(line), "%s=%u %ld", what, id, value);
	tell(line, NULL, 0);
}

static void session_free(struct session *s)
{
	if (data_for == s)
		data_for = NULL;
	list_remove(&s->node);
	session_count--;
	kmem_free(s->strings);
	kmem_free(s);
}

/* The last user tells how it ended: all output has gone before. MAY_SWITCH */
static void session_put(struct session *s)
{
	if (--s->users > 0)
		return;
	tell_number(s->failed ? "exec-failed" : "exec-ended", s->id, s->status);
	session_free(s);
}

/* ---- pumps ---- */

/* A pump that sleeps in a read or write of its file finds that it may not sleep any more. */
static void wake_pumps(struct session *s)
{
	for (unsigned i = 0; i < STREAMS; i++) {
		struct stream *st = &s->stream[i];

		if (s->ended && st->file != NULL)
			st->file->flags |= O_NONBLOCK;
		if (st->thread != NULL)
			thread_interrupt(st->thread);
	}
	wake_all(&s->changed);
}

static void session_ended(struct session *s, int status, bool failed)
{
	if (s->ended)
		return;
	s->ended = true;
	s->pid = 0;
	s->status = status;
	s->failed = failed;
	wake_pumps(s);
}

/* Send output as the host has room for it. MAY_SWITCH */
static void send_output(struct stream *st, const char *data, size_t len)
{
	struct session *s = st->session;
	char line[64];

	while (len > 0 && !s->gone) {
		size_t n = len < s->room ? len : s->room;

		if (n == 0) {
			(void)wait_on(&s->changed, WAIT_FOREVER, false);
			continue;
		}
		s->room -= (uint32_t)n;
		fmt_snprintf(line, sizeof(line), "%s=%u %lu",
			     st->nr == ERR ? "exec-err" : "exec-out", s->id, (unsigned long)n);
		tell(line, data, n);
		data += n;
		len -= n;
	}
}

/* One piece of output. False at its end. MAY_SWITCH */
static bool pump_piece(struct stream *st, char *buf)
{
	struct uio to;
	size_t n;
	err_t err;

	uio_kernel(&to, buf, CONTROL_DATA_MAX);
	err = file_read(st->file, &to, &n);
	if (n == 0)
		return err == E_RESTARTSYS || (err == E_AGAIN && !st->session->ended);
	send_output(st, buf, n);
	return true;
}

static void pump_end(struct stream *st)
{
	struct session *s = st->session;
	struct file *f = st->file;

	st->thread = NULL;
	st->file = NULL;
	if (st->nr == OUT)
		s->tty = NULL; /* it may go with the master */
	if (f != NULL)
		file_put(f);
	session_put(s);
}

static void pump_out(void *arg)
{
	struct stream *st = arg;
	char *buf = kmem_alloc(CONTROL_DATA_MAX);

	st->thread = current;
	if (buf == NULL)
		log_warn("session %u: no memory for its output", st->session->id);
	while (buf != NULL && pump_piece(st, buf))
		;
	kmem_free(buf);
	pump_end(st);
}

/* Hand input to the program, or drop it when nobody reads it any more. MAY_SWITCH */
static void take_input(struct stream *st, bool *broken)
{
	struct session *s = st->session;
	struct uio from;
	uint32_t n;
	size_t done;
	const void *data = ring_read_span(&s->input, &n);

	done = n;
	if (!*broken) {
		err_t err;

		uio_kernel(&from, (void *)data, n);
		err = file_write(st->file, &from, &done);
		if (err != OK && err != E_AGAIN && err != E_RESTARTSYS) {
			*broken = true;
			done = n;
		}
	}
	ring_skip(&s->input, (uint32_t)done);
	if (done > 0 && !s->gone)
		tell_number("exec-room", s->id, (long)done);
}

static void pump_in(void *arg)
{
	struct stream *st = arg;
	struct session *s = st->session;
	bool broken = false;

	st->thread = current;
	while (!s->ended) {
		if (ring_count(&s->input) > 0)
			take_input(st, &broken);
		else if (s->input_ended)
			break;
		else
			(void)wait_on(&s->changed, WAIT_FOREVER, false);
	}
	pump_end(st);
}

/* ---- the process ---- */

static const char *string_at(const struct session *s, const char *key, unsigned i)
{
	size_t n = strlen(key);

	for (const char *p = s->strings; p < s->strings + s->strings_len; p += strlen(p) + 1)
		if (strncmp(p, key, n) == 0 && p[n] == '=' && i-- == 0)
			return p + n + 1;
	return NULL;
}

static err_t string_list(const struct session *s, const char *key, struct exec_strings *out)
{
	unsigned n = 0;

	while (string_at(s, key, n) != NULL)
		n++;
	*out = (struct exec_strings){ .v = kmem_zalloc((n + 1) * sizeof(char *)), .n = n };
	if (out->v == NULL)
		return E_NOMEM;
	for (unsigned i = 0; i < n; i++) {
		out->v[i] = (char *)string_at(s, key, i);
		out->bytes += strlen(out->v[i]) + 1;
	}
	return OK;
}

static err_t install(struct file *f, int fd)
{
	err_t err = fd_install_in(current_task->files, f, fd, false);

	if (err != OK)
		file_put(f);
	return err;
}

static err_t make_terminal(struct session *s, const char *size)
{
	struct file *ends[2];
	unsigned rows, cols;

	if (!control_parse_size(size, &rows, &cols))
		return E_INVAL;
	TRY(pty_create(ends, rows, cols));
	s->tty = tty_of_file(ends[1]);
	s->stream[OUT].file = ends[0];
	s->stream[IN].file = file_get(ends[0]);
	for (int fd = 1; fd < 3; fd++)
		TRY(install(file_get(ends[1]), fd));
	return install(ends[1], 0);
}

static err_t make_pipe(struct session *s, unsigned nr)
{
	struct file *ends[2];
	unsigned ours = nr == IN ? 1 : 0;

	TRY(pipe_create(0, ends));
	s->stream[nr].file = ends[ours];
	return install(ends[1 - ours], (int)nr);
}

static err_t start_pumps(struct session *s)
{
	for (unsigned i = 0; i < STREAMS; i++) {
		if (s->stream[i].file == NULL)
			continue;
		TRY(kthread_start("session", i == IN ? pump_in : pump_out, &s->stream[i]));
		s->users++;
	}
	return OK;
}

/* The first of the paths that is there, as execvp() looks for it. */
static err_t exec_first(struct session *s, const struct exec_strings *argv,
			const struct exec_strings *envp)
{
	err_t err = E_NOENT, worst = E_NOENT;
	const char *exe;

	for (unsigned i = 0; (exe = string_at(s, "exe", i)) != NULL; i++) {
		err = task_exec(current->regs, AT_FDCWD_, exe, 0, argv, envp);
		if (err == E_ACCES)
			worst = err;
		else if (err != E_NOENT && err != E_NOTDIR)
			return err;
	}
	return worst;
}

static err_t become_program(struct session *s)
{
	const char *tty = string_at(s, "tty", 0);
	struct exec_strings argv, envp;
	err_t err;

	linux_first_credentials(&current_task->cred);
	TRY(linux_chdir(string_at(s, "cwd", 0)));
	if (tty != NULL)
		TRY(make_terminal(s, tty));
	for (unsigned nr = IN; tty == NULL && nr < STREAMS; nr++)
		TRY(make_pipe(s, nr));
	TRY(start_pumps(s));
	TRY(string_list(s, "arg", &argv));
	err = string_list(s, "env", &envp);
	if (err == OK)
		err = exec_first(s, &argv, &envp);
	kmem_free(argv.v);
	kmem_free(envp.v);
	return err;
}

/* Files that no pump took over. */
static void close_left(struct session *s)
{
	for (unsigned i = 0; i < STREAMS && s->users == 1; i++) {
		if (s->stream[i].file != NULL)
			file_put(s->stream[i].file);
		s->stream[i].file = NULL;
	}
}

/* First code of the process; returns to its program. */
static void session_thread(void *arg)
{
	struct session *s = arg;
	err_t err = become_program(s);

	kmem_free(s->strings);
	s->strings = NULL;
	if (err != OK) {
		session_ended(s, -err, true);
		close_left(s);
		session_put(s);
		task_exit_group(127 << 8);
	}
	tell_number("exec-started", s->id, s->pid);
	session_put(s);
}

static void program_exited(int pid, int wait_status)
{
	LIST_FOR_EACH(l, &sessions) {
		struct session *s = list_entry(l, struct session, node);

		if (s->pid == pid)
			session_ended(s, wait_status, false);
	}
}

static err_t start_process(struct session *s)
{
	struct fdtable *files = fdtable_create();
	struct fs_context *fs = fs_context_clone(&kernel_fs);
	struct task *t;
	err_t err = files == NULL || fs == NULL ? E_NOMEM : task_create_program(&t);

	if (err != OK) {
		if (files != NULL)
			fdtable_put(files);
		if (fs != NULL)
			fs_context_put(fs);
		return err;
	}
	t->files = files;
	t->fs = fs;
	fs->umask = linux_first_umask();
	s->pid = t->pid;
	task_start_program(t, session_thread, s);
	return OK;
}

/* ---- from the host ---- */

/* Without a session that could tell it: best effort, the line is short. */
static void refuse(uint64_t id, err_t err)
{
	char line[64];

	fmt_snprintf(line, sizeof(line), "exec-failed=%lu %d", (unsigned long)id, -err);
	if (!control_send(line, NULL, 0))
		log_error("session %lu: %s, and the host cannot be told", (unsigned long)id,
			  err_text(err));
}

static void on_exec(uint64_t id, uint64_t len)
{
	struct session *s = NULL;

	if (id == 0 || id > UINT32_MAX || session_find(id) != NULL || len == 0 ||
	    len > CONTROL_EXEC_MAX) {
		refuse(id, E_INVAL);
		return;
	}
	if (session_count < CONTROL_SESSIONS)
		s = kmem_zalloc(sizeof(*s));
	if (s != NULL)
		s->strings = kmem_alloc(len);
	if (s == NULL || s->strings == NULL) {
		kmem_free(s);
		refuse(id, session_count < CONTROL_SESSIONS ? E_NOMEM : E_AGAIN);
		return;
	}
	s->id = (uint32_t)id;
	s->users = 1;
	s->strings_len = len;
	s->room = CONTROL_WINDOW;
	ring_init(&s->input, s->input_bytes, CONTROL_WINDOW);
	waitq_init(&s->changed);
	for (unsigned i = 0; i < STREAMS; i++)
		s->stream[i] = (struct stream){ .session = s, .nr = i };
	list_push_back(&sessions, &s->node);
	session_count++;
	data_for = s;
}

static void strings_done(struct session *s)
{
	err_t err = s->strings[s->strings_len - 1] == '\0' ? start_process(s) : E_INVAL;

	if (err == OK)
		return;
	refuse(s->id, err);
	session_free(s);
}

/* The session may have gone: then its data is read and dropped. */
static void on_data(const void *data, size_t len)
{
	struct session *s = data_for;

	if (s == NULL || len == 0)
		return;
	if (s->strings_got < s->strings_len) {
		memcpy(s->strings + s->strings_got, data, len);
		s->strings_got += len;
		if (s->strings_got == s->strings_len) {
			data_for = NULL;
			strings_done(s);
		}
		return;
	}
	if (ring_put(&s->input, data, (uint32_t)len) < len)
		log_warn("session %u: more input than fits", s->id);
	wake_all(&s->changed);
}

static void on_gone(struct session *s)
{
	s->gone = true;
	if (s->pid != 0)
		(void)signal_send_pgrp(s->pid, SIGHUP, NULL);
	wake_pumps(s);
}

static void on_signal(const struct session *s, uint64_t sig)
{
	if (sig == 0 || sig > SIG_COUNT)
		log_warn("session %u: bad signal number from the host", s->id);
	else if (s->pid != 0)
		(void)signal_send_pgrp(s->pid, (int)sig, NULL);
}

/* What a line says after its session. */
static void act(struct session *s, const char *key, size_t key_len, const char *rest)
{
	unsigned rows, cols;
	uint64_t n = 0;

	if (strncmp(key, "exec-in-end", key_len) == 0 && key_len == 11) {
		s->input_ended = true;
		wake_all(&s->changed);
	} else if (strncmp(key, "exec-gone", key_len) == 0) {
		on_gone(s);
	} else if (strncmp(key, "exec-winsize", key_len) == 0) {
		if (control_parse_size(rest, &rows, &cols) && s->tty != NULL && s->pid != 0)
			tty_set_winsize(s->tty, rows, cols);
	} else if (!str_to_u64(rest, 10, &n)) {
		log_warn("session %u: bad number from the host", s->id);
	} else if (strncmp(key, "exec-signal", key_len) == 0) {
		on_signal(s, n);
	} else if (strncmp(key, "exec-room", key_len) == 0) {
		s->room += (uint32_t)n;
		wake_all(&s->changed);
	}
}

static bool on_line(const char *text, size_t *data_len)
{
	const char *eq = strchr(text, '='), *rest;
	uint64_t id, len;
	struct session *s;

	if (eq == NULL || !str_starts(text, "exec") || !str_parse_u64(eq + 1, 10, &id, &rest))
		return false;
	rest += *rest == ' ';
	s = session_find(id);
	data_for = NULL;
	if (str_starts(text, "exec=") || str_starts(text, "exec-in=")) {
		if (!str_to_u64(rest, 10, &len))
			return false;
		*data_len = len;
		if (text[4] == '=')
			on_exec(id, len);
		else
			data_for = s;
		return true;
	}
	/* A line about a session that has just ended crosses the news of it. */
	if (s != NULL)
		act(s, text, (size_t)(eq - text), rest);
	return true;
}

static void on_room(void)
{
	wake_all(&port_room);
}

static const struct control_user user = { .line = on_line, .data = on_data, .room = on_room };

void linux_sessions_init(void)
{
	task_program_exited = program_exited;
	control_user = &user;
}
