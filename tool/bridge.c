/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tool/control.h"
#include "tool/flow.h"
#include "tool/report.h"
#include "tool/server.h"
#include "tool/symbols.h"
#include "tool/term.h"

#define SECOND_NS 1000000000ull
#define TWICE_NS  (2 * SECOND_NS)  /* a second signal within this time ends the machine */
#define STOP_NS   (10 * SECOND_NS) /* of a service, from the signal to its enforcement */
#define LINGER_NS \
	(10 * SECOND_NS)    /* QEMU may live this long, and silent, after the program's end */
#define ESCAPE         0x1d /* Ctrl-], three times within a second, ends the machine */
#define ESCAPE_TIMES   3
#define COMPLAINTS_MAX 4096

/* The end of a stream of text, in a ring. */
struct tail {
	char *data;
	size_t size, n; /* n: bytes ever added */
};

struct bridge {
	struct vm *vm;
	const struct bridge_config *cfg;
	struct bridge_result *result;
	struct flow in, out, err;
	struct control_reader reader;
	struct outbuf to_guest; /* control lines to be sent */
	struct tail log, complaints;
	int signals; /* signalfd */
	struct server_wishes wishes;
	bool control_open, log_open, errors_open, vm_alive;
	bool eof_told, pipe_told;
	int last_signal;
	uint64_t forced_at; /* when a stop is enforced; 0: no stop is under way */
	uint64_t last_signal_at, started, quiet_since;
	unsigned escapes;
	uint64_t first_escape_at;
	unsigned patience_ms; /* until standard input's end is looked at again */
};

enum {
	P_SIGNALS,
	P_VM,
	P_IN,
	P_OUT,
	P_ERR,
	P_CONTROL,
	P_LOG,
	P_ERRORS,
	P_SERVER,
	P_COUNT = P_SERVER + SERVER_POLLS
};

static void tail_init(struct tail *t, size_t size)
{
	*t = (struct tail){ .data = xmalloc(size), .size = size };
}

static void tail_add(struct tail *t, const char *data, size_t n)
{
	for (size_t i = 0; i < n; i++)
		t->data[t->n++ % t->size] = data[i];
}

/* As a string; releases the ring. */
static char *tail_take(struct tail *t)
{
	size_t n = t->n < t->size ? t->n : t->size;
	char *text = xmalloc(n + 1);

	for (size_t i = 0; i < n; i++)
		text[i] = t->data[(t->n - n + i) % t->size];
	text[n] = '\0';
	free(t->data);
	return text;
}

#define tell(b, ...) outbuf_printf(&(b)->to_guest, __VA_ARGS__)

static void end_machine(struct bridge *b, int sig)
{
	if (b->result->killed_by == 0)
		b->result->killed_by = sig;
	vm_kill(b->vm);
}

/* A message of the kernel for the user; places in programs get the function's name. */
static void show_message(const struct bridge *b, const char *text)
{
	const char *end = b->cfg->tty ? "\r\n" : "\n";
	char symbol[SYMBOL_MAX];

	symbol_of_line(text, symbol);
	if (symbol[0] != '\0')
		dprintf(STDERR_FILENO, "ringfence: %s  %s%s", text, symbol, end);
	else
		dprintf(STDERR_FILENO, "ringfence: %s%s", text, end);
}

static void ready(struct bridge *b)
{
	const struct bridge_config *cfg = b->cfg;

	b->result->ready = true;
	b->result->ready_ns = now_ns() - b->started;
	note("the program starts %.0f ms after QEMU", (double)b->result->ready_ns / 1e6);
	if (cfg->server != NULL)
		server_machine(cfg->server, &b->to_guest, cfg->env, cfg->cwd);
	if (cfg->on_ready != NULL)
		cfg->on_ready(cfg->ctx);
}

static void tell_time(struct bridge *b)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	tell(b, "time=%lld%09ld\n", (long long)now.tv_sec, now.tv_nsec);
}

static void on_line(void *ctx, const struct control_event *e)
{
	struct bridge *b = ctx;
	struct bridge_result *r = b->result;

	switch (e->kind) {
	case CONTROL_READY: ready(b); break;
	case CONTROL_TIME: tell_time(b); break;
	case CONTROL_EXIT:
		r->has_status = true;
		r->status = e->status;
		break;
	case CONTROL_OOM: r->oom = true; break;
	case CONTROL_LOG: show_message(b, e->text); break;
	case CONTROL_STAT: strv_add(&r->stats, e->text); break;
	case CONTROL_CORE_BEGIN:
	case CONTROL_CORE:
	case CONTROL_CORE_END:
		if (b->cfg->core != NULL)
			corefile_event(b->cfg->core, e);
		break;
	case CONTROL_DEBUG:
		if (b->cfg->on_debug != NULL)
			b->cfg->on_debug(b->cfg->ctx, e->text);
		break;
	case CONTROL_LISTEN:
		if (b->cfg->on_listen != NULL)
			b->cfg->on_listen(b->cfg->ctx, e->value, e->text[0] != '\0');
		break;
	case CONTROL_EXEC_STARTED:
	case CONTROL_EXEC_FAILED:
	case CONTROL_EXEC_ROOM:
	case CONTROL_EXEC_ENDED:
	case CONTROL_EXEC_OUT:
	case CONTROL_EXEC_ERR:
		if (b->cfg->server != NULL)
			server_event(b->cfg->server, e);
		break;
	case CONTROL_UNKNOWN:
		note("the kernel sent a line that is not understood: %s", e->text);
		break;
	}
}

/* Read what there is; false when the other side has closed. */
static bool receive(int fd, char *buffer, size_t size, size_t *n)
{
	ssize_t got = read(fd, buffer, size);

	*n = got > 0 ? (size_t)got : 0;
	return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

static void step_control(struct bridge *b, short events)
{
	char buffer[4096];
	size_t n;

	if ((events & (POLLIN | POLLHUP | POLLERR)) != 0) {
		b->control_open = receive(b->vm->port[BOOT_PORT_CONTROL], buffer, sizeof(buffer),
					  &n);
		control_feed(&b->reader, buffer, n, on_line, b);
	}
	if (b->control_open && (events & POLLOUT) != 0)
		outbuf_send(&b->to_guest, b->vm->port[BOOT_PORT_CONTROL]);
}

/* A raw terminal needs carriage returns; `text` has none. */
static void show_log(const struct bridge *b, const char *text, size_t n)
{
	if (!b->cfg->tty) {
		(void)!write_all(STDERR_FILENO, text, n);
		return;
	}
	while (n > 0) {
		const char *end = memchr(text, '\n', n);
		size_t line = end != NULL ? (size_t)(end - text) : n;

		(void)!write_all(STDERR_FILENO, text, line);
		if (end == NULL)
			return;
		(void)!write_all(STDERR_FILENO, "\r\n", 2);
		text += line + 1;
		n -= line + 1;
	}
}

static void step_log(struct bridge *b)
{
	char buffer[16384];
	size_t n, kept = 0;

	b->log_open = receive(b->vm->port[VM_COM1], buffer, sizeof(buffer), &n);
	for (size_t i = 0; i < n; i++)
		if (buffer[i] != '\r')
			buffer[kept++] = buffer[i];
	tail_add(&b->log, buffer, kept);
	if (b->cfg->show_log)
		show_log(b, buffer, kept);
}

static void step_errors(struct bridge *b)
{
	char buffer[1024];
	size_t n;

	b->errors_open = receive(b->vm->errors, buffer, sizeof(buffer), &n);
	tail_add(&b->complaints, buffer, n);
}

static void send_size(struct bridge *b)
{
	unsigned rows, cols;

	if (b->cfg->tty && term_size(STDOUT_FILENO, &rows, &cols))
		tell(b, "winsize=%ux%u\n", rows, cols);
}

/* Ctrl-Z for the tool itself (not the guest): give the terminal back while it is stopped. */
static void stop_ourselves(struct bridge *b)
{
	term_restore();
	raise(SIGSTOP);
	if (b->cfg->tty)
		term_raw(STDIN_FILENO);
	send_size(b);
}

static void on_signal(struct bridge *b, int sig)
{
	uint64_t now = now_ns();

	if (sig == SIGWINCH) {
		send_size(b);
		return;
	}
	if (sig == SIGTSTP) {
		stop_ourselves(b);
		return;
	}
	bool again = b->last_signal == sig &&
		     (b->cfg->service || now - b->last_signal_at < TWICE_NS);

	b->last_signal = sig;
	b->last_signal_at = now;
	b->result->stopped = true;
	if (again || !b->result->ready || b->cfg->serial_only)
		end_machine(b, sig);
	else
		tell(b, "signal=%d\n", sig);
	if (!again && b->cfg->service && b->forced_at == 0) {
		b->forced_at = now + STOP_NS;
		notice("signal %d was sent; once more ends the machine, which 10 s do, too", sig);
	}
}

/* What commands of other processes want. */
static void fulfil(struct bridge *b, struct server_wishes *w)
{
	if (w->signal != 0) {
		tell(b, "signal=%d\n", w->signal);
		w->signal = 0;
	}
	if (w->stop && !b->result->stopped && b->result->ready && !b->cfg->serial_only)
		tell(b, "signal=%d\n", SIGTERM);
	if (w->stop) {
		uint64_t at = now_ns() + w->stop_after * SECOND_NS;

		b->result->stopped = true;
		b->forced_at = b->forced_at == 0 || at < b->forced_at ? at : b->forced_at;
		w->stop = false;
		if (!b->result->ready)
			end_machine(b, SIGKILL);
	}
	if (w->kill) {
		b->result->stopped = true;
		end_machine(b, SIGKILL);
	}
}

static void step_signals(struct bridge *b)
{
	struct signalfd_siginfo info;

	while (read(b->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		on_signal(b, (int)info.ssi_signo);
}

/* Ctrl-] three times within a second: the way out when the guest does not listen. */
static void watch_escapes(struct bridge *b)
{
	for (size_t i = b->in.head; i < b->in.tail; i++) {
		if (b->in.buffer[i] != ESCAPE) {
			b->escapes = 0;
			continue;
		}
		if (b->escapes == 0 || now_ns() - b->first_escape_at > SECOND_NS) {
			b->escapes = 0;
			b->first_escape_at = now_ns();
		}
		if (++b->escapes == ESCAPE_TIMES)
			end_machine(b, SIGKILL);
	}
}

/*
 * Standard input has ended: the guest may be told when QEMU has taken the last byte from the port's
 * socket, since the line goes through another one and would overtake it.
 */
static void check_end_of_input(struct bridge *b)
{
	int queued = 0;

	if (b->eof_told || !flow_done(&b->in) || b->cfg->serial_only)
		return;
	if (!b->in.broken && ioctl(b->in.to, SIOCOUTQ, &queued) == 0 && queued > 0) {
		b->patience_ms = b->patience_ms < 50 ? b->patience_ms + 1 : 50;
		return;
	}
	b->patience_ms = 0;
	b->eof_told = true;
	tell(b, "eof\n");
}

/*
 * The reader of standard output is gone: what a write would tell the program on the host, a signal
 * does here.
 */
static void check_broken_output(struct bridge *b)
{
	if (!b->out.broken || b->pipe_told || b->cfg->serial_only || b->out.from < 0)
		return;
	b->pipe_told = true;
	shutdown(b->out.from, SHUT_RDWR);
	tell(b, "signal=%d\n", SIGPIPE);
}

static void fill(struct bridge *b, struct pollfd p[P_COUNT])
{
	short control = !outbuf_empty(&b->to_guest) ? POLLIN | POLLOUT : POLLIN;
	bool control_on = b->control_open;

	p[P_SIGNALS] = (struct pollfd){ .fd = b->signals, .events = POLLIN };
	p[P_VM] = (struct pollfd){ .fd = b->vm_alive ? b->vm->pidfd : -1, .events = POLLIN };
	flow_want(&b->in, &p[P_IN]);
	if (!b->vm_alive)
		p[P_IN].fd = -1;
	flow_want(&b->out, &p[P_OUT]);
	flow_want(&b->err, &p[P_ERR]);
	p[P_CONTROL] = (struct pollfd){ .fd = control_on ? b->vm->port[BOOT_PORT_CONTROL] : -1,
					.events = control };
	p[P_LOG] = (struct pollfd){ .fd = b->log_open ? b->vm->port[VM_COM1] : -1,
				    .events = POLLIN };
	p[P_ERRORS] = (struct pollfd){ .fd = b->errors_open ? b->vm->errors : -1,
				       .events = POLLIN };
	for (int i = P_SERVER; i < P_COUNT; i++)
		p[i].fd = -1;
	if (b->cfg->server != NULL)
		server_fill(b->cfg->server, p + P_SERVER);
}

static void step(struct bridge *b, const struct pollfd p[P_COUNT])
{
	bool fresh = b->in.head == b->in.tail;

	flow_step(&b->in, &p[P_IN]);
	if (b->cfg->tty && fresh)
		watch_escapes(b);
	flow_step(&b->out, &p[P_OUT]);
	flow_step(&b->err, &p[P_ERR]);
	if (p[P_CONTROL].revents != 0)
		step_control(b, p[P_CONTROL].revents);
	/* After the control port: whether the program runs decides what a signal means. */
	if (p[P_SIGNALS].revents != 0)
		step_signals(b);
	if (p[P_LOG].revents != 0)
		step_log(b);
	if (p[P_ERRORS].revents != 0)
		step_errors(b);
	if (p[P_VM].revents != 0) {
		b->result->qemu_status = vm_wait(b->vm);
		b->vm_alive = false;
	}
	if (p[P_OUT].revents != 0 || p[P_ERR].revents != 0 || p[P_LOG].revents != 0)
		b->quiet_since = now_ns();
	if (b->cfg->server != NULL) {
		server_step(b->cfg->server, p + P_SERVER, &b->wishes);
		fulfil(b, &b->wishes);
	}
	check_end_of_input(b);
	check_broken_output(b);
	if (b->cfg->on_step != NULL)
		b->cfg->on_step(b->cfg->ctx);
}

static bool finished(const struct bridge *b)
{
	return !b->vm_alive && flow_done(&b->out) && flow_done(&b->err) && !b->control_open &&
	       !b->log_open && !b->errors_open;
}

static int soonest(int a, int b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* The program has ended, but its machine does not go; or it was to stop, and does not: help it. */
static int timeout_ms(struct bridge *b)
{
	uint64_t now = now_ns();
	int wait = b->patience_ms != 0 ? (int)b->patience_ms : -1;

	if (b->vm_alive && b->result->has_status) {
		if (now - b->quiet_since > LINGER_NS) {
			note("QEMU did not end by itself after the program");
			vm_kill(b->vm);
		}
		return 500;
	}
	if (b->vm_alive && b->forced_at != 0) {
		if (now >= b->forced_at) {
			if (!b->result->has_status && b->result->killed_by == 0)
				notice("the program did not end in time; the machine is switched off");
			end_machine(b, SIGKILL);
			return 500;
		}
		wait = soonest(wait, (int)((b->forced_at - now) / 1000000 + 1));
	}
	if (b->cfg->wake_at != NULL && *b->cfg->wake_at != 0) {
		uint64_t at = *b->cfg->wake_at;

		wait = soonest(wait, at > now ? (int)((at - now) / 1000000 + 1) : 0);
	}
	return wait;
}

static int open_signals(void)
{
	static const int wanted[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		struct sigaction old;

		/* What the caller ignores (nohup) stays ignored. */
		if (sigaction(wanted[i], NULL, &old) != 0 || old.sa_handler == SIG_IGN)
			continue;
		sigaddset(&set, wanted[i]);
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);

	if (fd < 0)
		die(EXIT_TOOL, NULL, "signals cannot be watched: %s", strerror(errno));
	return fd;
}

static void connect_flows(struct bridge *b)
{
	const struct vm *vm = b->vm;

	if (b->cfg->serial_only) {
		flow_init(&b->in, -1, -1);
		flow_init(&b->out, vm->port[VM_COM1], b->cfg->out);
		flow_init(&b->err, -1, -1);
		return;
	}
	flow_init(&b->in, b->cfg->in, vm->port[BOOT_PORT_STDIN]);
	flow_init(&b->out, vm->port[BOOT_PORT_STDOUT], b->cfg->out);
	flow_init(&b->err, vm->port[BOOT_PORT_STDERR], b->cfg->err);
	b->control_open = b->log_open = true;
}

void bridge_run(struct vm *vm, const struct bridge_config *cfg, struct bridge_result *result)
{
	struct bridge *b = xcalloc(1, sizeof(*b));
	struct pollfd p[P_COUNT];

	*result = (struct bridge_result){ 0 };
	b->vm = vm;
	b->cfg = cfg;
	b->result = result;
	b->started = b->quiet_since = now_ns();
	b->vm_alive = b->errors_open = true;
	b->signals = open_signals();
	interrupts_check(); /* one that came just before; QEMU then ends with us */
	tail_init(&b->log, LOG_KEPT);
	tail_init(&b->complaints, COMPLAINTS_MAX);
	connect_flows(b);
	if (cfg->tty)
		term_raw(STDIN_FILENO);
	while (!finished(b)) {
		fill(b, p);
		if (poll(p, P_COUNT, timeout_ms(b)) >= 0)
			step(b, p);
	}
	term_restore();
	result->log = tail_take(&b->log);
	result->complaints = tail_take(&b->complaints);
	if (cfg->server != NULL)
		server_machine(cfg->server, NULL, NULL, NULL);
	outbuf_release(&b->to_guest);
	close(b->signals);
	free(b);
}

void bridge_result_release(struct bridge_result *result)
{
	free(result->log);
	free(result->complaints);
	strv_release(&result->stats);
}

bool bridge_idle(struct server *server, uint64_t ns)
{
	uint64_t end = now_ns() + ns;
	struct server_wishes w = { 0 };
	int signals = open_signals();
	bool go_on = true;

	while (go_on && now_ns() < end) {
		struct pollfd p[SERVER_POLLS + 1];

		server_fill(server, p);
		p[SERVER_POLLS] = (struct pollfd){ .fd = signals, .events = POLLIN };
		if (poll(p, SERVER_POLLS + 1, (int)((end - now_ns()) / 1000000 + 1)) <= 0)
			continue;
		server_step(server, p, &w);
		go_on = !w.stop && !w.kill && p[SERVER_POLLS].revents == 0;
	}
	close(signals);
	return go_on;
}

void bridge_check_standard_streams(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) != fd)
			die(EXIT_TOOL, NULL, "/dev/null cannot be opened");
}
