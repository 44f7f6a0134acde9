/* SPDX-License-Identifier: BSD-2-Clause */
/* `ringfence exec`: this process's streams, terminal and signals for a program in a machine. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool/link.h"
#include "tool/outbuf.h"
#include "tool/report.h"
#include "tool/state.h"
#include "tool/term.h"
#include "tool/vms.h"

struct session {
	const struct exec_spec *spec;
	int link, signals;
	bool input_open, over;
	size_t under_way; /* bytes of input that the program's side has not taken */
	int code;
	char data[LINK_DATA_MAX];
};

static void add(struct outbuf *to, const char *key, const char *value)
{
	outbuf_printf(to, "%s=%s", key, value);
	outbuf_add(to, "", 1);
}

static void send_start(struct session *s)
{
	const struct exec_spec *spec = s->spec;
	struct outbuf strings = { 0 };
	unsigned rows = 24, cols = 80;
	char size[32];

	for (size_t i = 0; i < spec->argv.n; i++)
		add(&strings, "arg", spec->argv.v[i]);
	if (spec->terminal && getenv("TERM") != NULL) {
		char *term = xasprintf("TERM=%s", getenv("TERM"));

		add(&strings, "env", term);
		free(term);
	}
	for (size_t i = 0; i < spec->env.n; i++)
		add(&strings, "env", spec->env.v[i]);
	if (spec->workdir != NULL)
		add(&strings, "cwd", spec->workdir);
	if (spec->terminal) {
		term_size(STDIN_FILENO, &rows, &cols);
		snprintf(size, sizeof(size), "%ux%u", rows, cols);
		add(&strings, "tty", size);
	}
	if (strings.tail > LINK_DATA_MAX)
		die(EXIT_TOOL, "put long arguments into a file",
		    "arguments and variables are longer than 64 KiB");
	if (!link_send(s->link, LINK_EXEC, 0, strings.data, strings.tail))
		die(EXIT_TOOL, NULL, "the machine %s has ended", spec->name);
	if (!s->input_open)
		(void)link_send(s->link, LINK_IN_END, 0, NULL, 0);
	outbuf_release(&strings);
}

/* ---- from the machine ---- */

static void pass_on(struct session *s, int fd, size_t len)
{
	/* Gone readers are the program's business only by SIGPIPE, as in a pipeline. */
	if (write_all(fd, s->data, len) != 0 && errno == EPIPE)
		(void)link_send(s->link, LINK_EXEC_SIGNAL, SIGPIPE, NULL, 0);
	(void)link_send(s->link, LINK_ROOM, (uint32_t)len, NULL, 0);
}

static void could_not_start(struct session *s, int e)
{
	const char *program = s->spec->argv.v[0], *name = s->spec->name;

	term_restore();
	if (e == ENOENT) {
		char *hint = xasprintf("start the machine with: ringfence run --also %s ...",
				       program);

		error_note(hint, "%s is not in the image of the machine %s", program, name);
		s->code = EXIT_NOPROG;
		free(hint);
	} else if (e == ENOMEM || e == EAGAIN) {
		error_note(e == ENOMEM ? "start it with more memory (-m)" : NULL,
			   e == ENOMEM ? "the machine %s has no memory left for it"
				       : "the machine %s runs too many programs of this kind",
			   name);
		s->code = EXIT_TOOL;
	} else {
		error_note(NULL, "%s cannot be run in the machine %s: %s", program, name,
			   strerror(e));
		s->code = EXIT_NOEXEC;
	}
	s->over = true;
}

static void step_link(struct session *s)
{
	struct link_head head;
	size_t len;
	int got = link_receive(s->link, &head, s->data, &len);

	if (got < 0)
		return;
	if (got == 0) {
		term_restore();
		error_note(NULL, "the machine %s has ended", s->spec->name);
		s->code = 128 + SIGKILL;
		s->over = true;
		return;
	}
	switch (head.kind) {
	case LINK_OUT: pass_on(s, STDOUT_FILENO, len); break;
	case LINK_ERR: pass_on(s, STDERR_FILENO, len); break;
	case LINK_ROOM: s->under_way -= head.value; break;
	case LINK_FAILED: could_not_start(s, (int)head.value); break;
	case LINK_ENDED:
		s->code = WIFSIGNALED(head.value) ? 128 + WTERMSIG(head.value)
						  : WEXITSTATUS(head.value);
		s->over = true;
		break;
	case LINK_ERROR:
		term_restore();
		error_note(NULL, "%s: %.*s", s->spec->name, (int)len, s->data);
		s->code = EXIT_TOOL;
		s->over = true;
		break;
	default: break;
	}
}

/* ---- to the machine ---- */

static void step_input(struct session *s)
{
	size_t room = CONTROL_WINDOW - s->under_way;
	ssize_t n = read(STDIN_FILENO, s->data, room < CONTROL_DATA_MAX ? room : CONTROL_DATA_MAX);

	if (n > 0) {
		s->under_way += (size_t)n;
		(void)link_send(s->link, LINK_IN, 0, s->data, (size_t)n);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		s->input_open = false;
		(void)link_send(s->link, LINK_IN_END, 0, NULL, 0);
	}
}

static void step_signals(struct session *s)
{
	struct signalfd_siginfo info;
	unsigned rows, cols;

	while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo != SIGWINCH)
			(void)link_send(s->link, LINK_EXEC_SIGNAL, info.ssi_signo, NULL, 0);
		else if (s->spec->terminal && term_size(STDIN_FILENO, &rows, &cols))
			(void)link_send(s->link, LINK_WINSIZE, rows << 16 | (cols & 0xffff), NULL,
					0);
	}
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void serve(struct session *s)
{
	while (!s->over) {
		bool may_read = s->input_open && s->under_way < CONTROL_WINDOW;
		struct pollfd p[3] = { { .fd = s->link, .events = POLLIN },
				       { .fd = s->signals, .events = POLLIN },
				       { .fd = may_read ? STDIN_FILENO : -1, .events = POLLIN } };

		if (poll(p, 3, -1) < 0)
			continue;
		if (p[1].revents != 0)
			step_signals(s);
		if (p[0].revents != 0)
			step_link(s);
		if (p[2].revents != 0 && !s->over)
			step_input(s);
	}
}

int command_exec(const struct exec_spec *spec)
{
	struct session *s = xcalloc(1, sizeof(*s));
	char *path = state_path(spec->name, "socket");
	struct vm_state state;

	if (spec->terminal && (isatty(STDIN_FILENO) != 1 || isatty(STDOUT_FILENO) != 1))
		die(EXIT_TOOL, "leave -t out", "-t needs a terminal, and this is none");
	if (!state_load(spec->name, &state))
		state_unknown(spec->name);
	s->spec = spec;
	s->input_open = spec->input;
	s->link = state.alive ? link_connect(path) : -1;
	if (s->link < 0)
		die(EXIT_NOVM, "ringfence ps lists those that run", "the machine %s does not run",
		    spec->name);
	s->signals = open_signals();
	send_start(s);
	if (spec->terminal)
		term_raw(STDIN_FILENO);
	serve(s);
	term_restore();
	int code = s->code;

	close(s->link);
	close(s->signals);
	state_free(&state);
	free(path);
	free(s);
	return code;
}
