/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A test double for QEMU with our kernel in it: takes QEMU's command line, reads the run
 * configuration, and runs the program on the host itself, connected to the ports as the kernel
 * would. So the tool can be tested whole without booting. FAKE_QEMU in the environment chooses
 * another behaviour:
 *   panic config nomem noprog  log a line on COM1 and exit with that value
 *   refuse                     complain and exit 1, as QEMU does for a bad option
 *   silent                     exit as after a clean power-off, but without a status
 *   oom crash                  as the kernel reports these
 *   control                    print control lines and input as they come; "q" in the input ends it
 *   config-dump                print the run configuration
 *   hang                       do nothing until killed
 *   kvm-works kvm-hangs        what happens to a probe guest on KVM; programs run as without it
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/boot.h"
#include "abi/control.h"
#include "tool/flow.c" /* the same rules for slow readers as in QEMU: nobody waits for another */
#include "tool/probe_guest.h"

#define STRINGS_MAX 4096

static int port[5] = { -1, -1, -1, -1, -1 }; /* COM1, then by enum boot_port */
static char *config;
static size_t config_size;
static char *args[STRINGS_MAX], *vars[STRINGS_MAX];
static size_t arg_count, var_count;
static const char *exe, *cwd = "/";

static void quit(unsigned value)
{
	_exit((int)(2 * value + 1));
}

static void put(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return; /* the tool closed this port */
		p += done;
		n -= (size_t)done;
	}
}

static void put_text(int fd, const char *text)
{
	put(fd, text, strlen(text));
}

static void take_chardev(const char *arg)
{
	static const char *const names[5] = { "com1", "stdin", "stdout", "stderr", "control" };
	char name[32];
	int fd;

	if (sscanf(arg, "socket,id=%31[^,],fd=%d", name, &fd) != 2)
		return;
	for (int i = 0; i < 5; i++)
		if (strcmp(name, names[i]) == 0)
			port[i] = fd;
}

static void read_config(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	config = malloc(BOOT_RUN_MAX + 1);
	while (fd >= 0 && config_size < BOOT_RUN_MAX &&
	       (n = read(fd, config + config_size, BOOT_RUN_MAX - config_size)) > 0)
		config_size += (size_t)n;
	config[config_size] = '\0';
	close(fd);
}

static void take_config(void)
{
	for (char *p = config; p < config + config_size; p += strlen(p) + 1) {
		if (strncmp(p, "exe=", 4) == 0)
			exe = p + 4;
		else if (strncmp(p, "arg=", 4) == 0 && arg_count < STRINGS_MAX - 1)
			args[arg_count++] = p + 4;
		else if (strncmp(p, "env=", 4) == 0 && var_count < STRINGS_MAX - 1)
			vars[var_count++] = p + 4;
		else if (strncmp(p, "cwd=", 4) == 0)
			cwd = p + 4;
	}
}

static void parse(int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i++) {
		const char *file = strstr(argv[i + 1], ",file=");

		if (strcmp(argv[i], "-chardev") == 0)
			take_chardev(argv[i + 1]);
		if (strcmp(argv[i], "-fw_cfg") == 0 && file != NULL)
			read_config(file + 6);
	}
	if (config == NULL || port[BOOT_PORT_CONTROL] < 0) {
		fprintf(stderr, "fake_qemu: no configuration or no ports\n");
		exit(1);
	}
	take_config();
}

/* ---- the program itself ---- */

static pid_t program;
static int to_program = -1, from_program[2] = { -1, -1 };

static void start_program(void)
{
	int in[2], out[2], err[2];

	if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0)
		exit(1);
	program = fork();
	if (program == 0) {
		/* as a program in a machine that is switched off */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		for (int i = 0; i < 5; i++)
			close(port[i]);
		signal(SIGPIPE, SIG_DFL);
		if (chdir(cwd) != 0)
			_exit(99);
		execve(exe, args, vars);
		_exit(99);
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	to_program = in[1];
	from_program[0] = out[0];
	from_program[1] = err[0];
}

/* A control line from the tool. */
static void obey(const char *line, bool *eof)
{
	if (strncmp(line, "signal=", 7) == 0)
		kill(program, atoi(line + 7));
	else if (strcmp(line, "eof") == 0)
		*eof = true;
}

static void read_control(bool *eof)
{
	static char line[CONTROL_LINE_MAX + 1];
	static size_t n;
	char buffer[512];
	ssize_t got = read(port[BOOT_PORT_CONTROL], buffer, sizeof(buffer));

	for (ssize_t i = 0; i < got; i++) {
		if (buffer[i] != '\n') {
			if (n < CONTROL_LINE_MAX)
				line[n++] = buffer[i];
			continue;
		}
		line[n] = '\0';
		n = 0;
		obey(line, eof);
	}
}

static void serve(void)
{
	static struct flow in, out[2];
	bool eof = false;

	flow_init(&in, port[BOOT_PORT_STDIN], to_program);
	flow_init(&out[0], from_program[0], port[BOOT_PORT_STDOUT]);
	flow_init(&out[1], from_program[1], port[BOOT_PORT_STDERR]);
	while (!flow_done(&out[0]) || !flow_done(&out[1])) {
		struct pollfd p[4] = { { .fd = port[BOOT_PORT_CONTROL], .events = POLLIN } };

		flow_want(&in, &p[1]);
		flow_want(&out[0], &p[2]);
		flow_want(&out[1], &p[3]);
		if (poll(p, 4, -1) < 0)
			continue;
		/* Input before control lines, as QEMU delivers it. */
		flow_step(&in, &p[1]);
		flow_step(&out[0], &p[2]);
		flow_step(&out[1], &p[3]);
		if (p[0].revents != 0)
			read_control(&eof);
		if (eof && in.head == in.tail && to_program >= 0) {
			in.ended = true;
			close(to_program);
			to_program = -1;
		}
	}
}

static void run_program(void)
{
	char line[64];
	int status;

	put_text(port[BOOT_PORT_CONTROL], "ready\n");
	start_program();
	serve();
	waitpid(program, &status, 0);
	snprintf(line, sizeof(line), "exit=%d\n", status & 0xff7f); /* no core files in the guest */
	put_text(port[BOOT_PORT_CONTROL], line);
	quit(BOOT_EXIT_OK);
}

/* ---- other behaviours ---- */

static void show_control(void)
{
	char buffer[512], out[600];

	put_text(port[BOOT_PORT_CONTROL], "ready\n");
	put_text(port[BOOT_PORT_STDOUT], "ready\r\n");
	for (;;) {
		struct pollfd p[2] = { { .fd = port[BOOT_PORT_CONTROL], .events = POLLIN },
				       { .fd = port[BOOT_PORT_STDIN], .events = POLLIN } };

		poll(p, 2, -1);
		for (int i = 0; i < 2; i++) {
			ssize_t n = p[i].revents != 0 ? read(p[i].fd, buffer, sizeof(buffer)) : 0;

			if (n <= 0)
				continue;
			int m = snprintf(out, sizeof(out), "%s<%.*s>\r\n",
					 i == 0 ? "control" : "input", (int)n, buffer);

			put(port[BOOT_PORT_STDOUT], out, (size_t)m);
			if (i == 1 && memchr(buffer, 'q', (size_t)n) != NULL) {
				put_text(port[BOOT_PORT_CONTROL], "exit=0\n");
				quit(BOOT_EXIT_OK);
			}
		}
	}
}

static void behave(const char *how)
{
	static const struct {
		const char *name, *log;
		unsigned value;
	} ends[] = { { "panic", "PANIC: page fault in kernel mode", BOOT_EXIT_PANIC },
		     { "config", "boot: unknown key", BOOT_EXIT_CONFIG },
		     { "nomem", "boot: out of memory", BOOT_EXIT_NOMEM },
		     { "noprog", "exec: no such file", BOOT_EXIT_NOPROG },
		     { "silent", "", BOOT_EXIT_OK } };

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		if (strcmp(how, ends[i].name) != 0)
			continue;
		put_text(port[0], ends[i].log);
		put_text(port[0], "\r\n");
		quit(ends[i].value);
	}
	if (strcmp(how, "oom") == 0) {
		put_text(port[BOOT_PORT_CONTROL], "ready\nkilled-by=oom\nexit=9\n");
		quit(BOOT_EXIT_OK);
	}
	if (strcmp(how, "crash") == 0) {
		put_text(port[BOOT_PORT_CONTROL],
			 "ready\nlog=x: segmentation fault at 0x0\nlog=  main+0x4\nexit=11\n");
		quit(BOOT_EXIT_OK);
	}
	if (strcmp(how, "config-dump") == 0) {
		for (size_t i = 0; i < config_size; i++)
			put(port[BOOT_PORT_STDOUT], config[i] != '\0' ? &config[i] : "\n", 1);
		put_text(port[BOOT_PORT_CONTROL], "ready\nexit=0\n");
		quit(BOOT_EXIT_OK);
	}
	if (strcmp(how, "control") == 0)
		show_control();
	for (;;)
		pause();
}

/* On KVM, and without a run configuration: the tool wants to know whether KVM works. */
static bool is_probe(int argc, char **argv)
{
	bool kvm = false, config_given = false;

	for (int i = 1; i < argc; i++) {
		kvm = kvm || strcmp(argv[i], "kvm") == 0;
		config_given = config_given || strcmp(argv[i], "-fw_cfg") == 0;
	}
	return kvm && !config_given;
}

int main(int argc, char **argv)
{
	const char *how = getenv("FAKE_QEMU");

	signal(SIGPIPE, SIG_IGN);
	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		puts("QEMU emulator version 0 (fake)");
		return 0;
	}
	if (argc > 2 && strcmp(argv[1], "-M") == 0 && strcmp(argv[2], "help") == 0) {
		puts("microvm              microvm (i386)");
		return 0;
	}
	if (how != NULL && strcmp(how, "refuse") == 0) {
		fprintf(stderr, "qemu-system-x86_64: -M: no such machine\n");
		return 1;
	}
	if (is_probe(argc, argv) && how != NULL && strncmp(how, "kvm-", 4) == 0) {
		if (strcmp(how, "kvm-works") == 0)
			quit(PROBE_VALUE);
		for (;;)
			pause();
	}
	parse(argc, argv);
	if (how != NULL && strncmp(how, "kvm-", 4) == 0)
		how = NULL;
	if (how != NULL && *how != '\0')
		behave(how);
	run_program();
}
