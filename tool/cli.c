/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/cli.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/places.h"
#include "tool/report.h"
#include "tool/run.h"

enum {
	OPT_INCLUDE = 0x100,
	OPT_SECRET,
	OPT_STRACE,
	OPT_MISSING,
	OPT_ACCEL,
	OPT_GDB,
	OPT_MACHINE,
	OPT_KERNEL,
	OPT_APPEND,
	OPT_ALSO,
	OPT_GDB_KERNEL,
	OPT_NET,
	OPT_IP,
	OPT_NAME,
	OPT_RESTART,
	OPT_STATS,
	OPT_CORE,
};

#define DEFAULT_GDB_PORT 1234u

/* What `run` and `build` read. */
struct command_line {
	struct run_spec spec;
	char *manifest, *output;
};

unsigned cli_number(const char *text, const char *option, unsigned least, unsigned most)
{
	char *end;

	errno = 0;
	unsigned long v = strtoul(text, &end, 10);

	if (end == text || *end != '\0' || errno != 0 || text[0] == '-' || v < least || v > most)
		die(EXIT_TOOL, NULL, "%s: \"%s\" is no number from %u to %u", option, text, least,
		    most);
	return (unsigned)v;
}

static void set_text(char **slot, const char *value)
{
	free(*slot);
	*slot = xstrdup(value);
}

static void set_accel(struct run_spec *spec, const char *value)
{
	if (strcmp(value, "auto") == 0)
		spec->accel = ACCEL_AUTO;
	else if (strcmp(value, "kvm") == 0)
		spec->accel = ACCEL_KVM;
	else if (strcmp(value, "tcg") == 0)
		spec->accel = ACCEL_TCG;
	else
		die(EXIT_TOOL, NULL, "--accel: \"%s\" is none of auto, kvm, tcg", value);
}

static void set_machine(struct run_spec *spec, const char *value)
{
	if (strcmp(value, "microvm") == 0)
		spec->machine = MACHINE_MICROVM;
	else if (strcmp(value, "q35") == 0)
		spec->machine = MACHINE_Q35;
	else
		die(EXIT_TOOL, NULL, "--machine: \"%s\" is none of microvm, q35", value);
}

/* A path on the command line is relative to where we are. */
static void set_path(void (*set)(struct run_spec *spec, const char *text, const char *base,
				 const char *where),
		     struct run_spec *spec, const char *text, const char *option)
{
	char *cwd = places_here();

	set(spec, text, cwd, option);
	free(cwd);
}

/* Options that `run` and `build` have in common. */
static error_t parse_common(int key, char *arg, struct argp_state *state)
{
	struct command_line *c = state->input;
	struct run_spec *spec = &c->spec;

	switch (key) {
	case 'm':
		if (!parse_size(arg, &spec->memory))
			die(EXIT_TOOL, "write a size like 128M or 1G",
			    "--memory: \"%s\" is no size", arg);
		return 0;
	case 'c': spec->cpus = cli_number(arg, "--cpus", 1, CPUS_MAX); return 0;
	case 'e': run_spec_add_env(spec, arg, "--env"); return 0;
	case 'w':
		if (arg[0] != '/')
			die(EXIT_TOOL, NULL, "--workdir: \"%s\" does not begin with /", arg);
		set_text(&spec->workdir, arg);
		return 0;
	case 'v': report_set_verbose(true); return 0;
	case 'f': set_text(&c->manifest, arg); return 0;
	case OPT_INCLUDE: set_path(run_spec_add_include, spec, arg, "--include"); return 0;
	case OPT_SECRET: set_path(run_spec_add_secret, spec, arg, "--secret"); return 0;
	case OPT_ALSO: strv_add(&spec->programs, arg); return 0;
	case OPT_STRACE: spec->strace = true; return 0;
	case OPT_MISSING: spec->missing = true; return 0;
	case OPT_KERNEL: set_text(&spec->kernel, arg); return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct command_line *c = state->input;

	switch (key) {
	case 'o': set_text(&c->output, arg); return 0;
	case OPT_ACCEL: set_accel(&c->spec, arg); return 0;
	case OPT_MACHINE: set_machine(&c->spec, arg); return 0;
	case OPT_APPEND: set_text(&c->spec.append, arg); return 0;
	case 'p': run_spec_add_port(&c->spec, arg, "-p"); return 0;
	case 'd': c->spec.detach = true; return 0;
	case 'u': run_spec_set_user(&c->spec, arg, "--user"); return 0;
	case OPT_NET: run_spec_set_net(&c->spec, arg, "--net"); return 0;
	case OPT_IP: run_spec_set_ip(&c->spec, arg, "--ip"); return 0;
	case OPT_NAME: run_spec_set_name(&c->spec, arg, "--name"); return 0;
	case OPT_RESTART: run_spec_set_restart(&c->spec, arg, "--restart"); return 0;
	case OPT_CORE: set_path(run_spec_set_core, &c->spec, arg, "--core"); return 0;
	case OPT_STATS:
		run_spec_set_stats(&c->spec, arg != NULL ? arg : "table", "--stats");
		return 0;
	case OPT_GDB:
		c->spec.debug_port = arg != NULL ? cli_number(arg, "--gdb", 1, 65535)
						 : DEFAULT_GDB_PORT;
		return 0;
	case OPT_GDB_KERNEL:
		c->spec.gdb_port = arg != NULL ? cli_number(arg, "--gdb-kernel", 1, 65535)
					       : DEFAULT_GDB_PORT;
		return 0;
	case ARGP_KEY_ARG:
		/* The first word that is no option, and everything behind it, is the program's. */
		strv_add(&c->spec.args, arg);
		while (state->next < state->argc)
			strv_add(&c->spec.args, state->argv[state->next++]);
		return 0;
	case ARGP_KEY_INIT: state->child_inputs[0] = c; return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

/* The first word is the program, unless the manifest names one. */
static void settle_program(struct command_line *c)
{
	struct strv *args = &c->spec.args;

	if (c->manifest != NULL) {
		struct run_spec from = { 0 };

		/* To know whether it names a program; its lists are merged below. */
		manifest_load(c->manifest, &from);
		if (from.program != NULL)
			set_text(&c->spec.program, from.program);
		run_spec_release(&from);
	}
	if (c->spec.program == NULL && args->n > 0) {
		c->spec.program = args->v[0];
		memmove(args->v, args->v + 1, args->n * sizeof(*args->v));
		args->n--;
	}
	if (c->manifest != NULL)
		manifest_load(c->manifest, &c->spec);
}

static void parse(const struct argp *argp, int argc, char **argv, struct command_line *c)
{
	argp_err_exit_status = EXIT_TOOL;
	argp_parse(argp, argc, argv, ARGP_IN_ORDER, NULL, c);
	settle_program(c);
	if (c->spec.program == NULL)
		die(EXIT_TOOL, "ringfence run --help shows examples", "no program is given");
	if (c->spec.program[0] == '\0')
		die(EXIT_NOPROG, NULL, "the program's name is empty");
	if (c->spec.restart && !c->spec.detach)
		die(EXIT_TOOL, "add -d", "--restart is for machines in the background");
	if (c->spec.machine == MACHINE_Q35 && c->spec.detach)
		die(EXIT_TOOL, "leave --machine out",
		    "a machine in the background needs ports that q35 does not have");
}

static void release(struct command_line *c)
{
	run_spec_release(&c->spec);
	free(c->manifest);
	free(c->output);
}

/* What `run` and `build` share. */
static const struct argp_option common_options[] = {
	{ "memory", 'm', "SIZE", 0, "Memory of the machine, like 128M (default: the image and 64M)",
	  1 },
	{ "cpus", 'c', "N", 0, "Processors, 1 to 8 (default: 1)", 1 },
	{ "env", 'e', "NAME=VALUE", 0,
	  "Set a variable, or with NAME alone pass it on. TERM, LANG, LANGUAGE, LC_*, PATH, HOME "
	  "and "
	  "TZ are passed on anyway",
	  1 },
	{ "workdir", 'w', "DIR", 0, "Working folder in the guest (default: as on the host)", 1 },
	{ "include", OPT_INCLUDE, "HOST[:GUEST]", 0, "Take a file or folder along, at GUEST", 2 },
	{ "secret", OPT_SECRET, "HOST[:GUEST]", 0,
	  "A private key (RSA, P-256, P-384, P-521) that the program may use, by OpenSSL 3, but not "
	  "read: it stays in ring 2. May be given several times",
	  2 },
	{ "also", OPT_ALSO, "PROGRAM", 0, "Take another program along, with all it needs", 2 },
	{ "file", 'f', "FILE", 0, "Read a manifest (ringfence.yaml)", 2 },
	{ "strace", OPT_STRACE, NULL, 0, "Print system calls", 3 },
	{ "missing-files", OPT_MISSING, NULL, 0, "Print paths that the program looked for in vain",
	  3 },
	{ "kernel", OPT_KERNEL, "FILE", 0, "Another kernel.elf", 4 },
	{ "verbose", 'v', NULL, 0, "Say what is done; show the kernel's log", 5 },
	{ 0 }
};
static const struct argp common = { common_options, parse_common, NULL, NULL, NULL, NULL, NULL };
static const struct argp_child with_common[] = { { &common, 0, NULL, 0 }, { 0 } };

int cli_run(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "accel", OPT_ACCEL, "auto|kvm|tcg", 0,
		  "Accelerator; auto takes KVM only if a probe guest really runs on it", 4 },
		{ "publish", 'p', "[ADDR:]HOST:GUEST[/udp]", 0,
		  "A port of this host leads to one of the machine; may be given several times",
		  2 },
		{ "net", OPT_NET, "user|tap=NAME|none", 0,
		  "Network: QEMU's own, a tap device of this host, or none (default: user if ports "
		  "are asked for, else none)",
		  2 },
		{ "ip", OPT_IP, "ADDR/LEN[,GATEWAY]", 0,
		  "With a tap device: the machine's address (default: DHCP)", 2 },
		{ "detach", 'd', NULL, 0,
		  "Return when the program runs, and print the machine's name", 2 },
		{ "name", OPT_NAME, "NAME", 0, "The machine's name (default: the program's)", 2 },
		{ "restart", OPT_RESTART, "on-failure[:N]", 0,
		  "With -d: start it again when it fails, at most N times", 2 },
		{ "user", 'u', "UID[:GID]", 0, "The program's user in the machine (default: yours)",
		  2 },
		{ "core", OPT_CORE, "FILE", 0,
		  "Write the core file of the first process that crashes to FILE of the host", 0 },
		{ "stats", OPT_STATS, "table|json", OPTION_ARG_OPTIONAL,
		  "At the end: system calls by name and time, faults, switches, memory", 3 },
		{ "gdb", OPT_GDB, "PORT", OPTION_ARG_OPTIONAL,
		  "Stop before the program's first instruction and wait for gdb at PORT (1234), with "
		  "its symbols",
		  3 },
		{ "gdb-kernel", OPT_GDB_KERNEL, "PORT", OPTION_ARG_OPTIONAL,
		  "Stop before the kernel's first instruction and wait for gdb at PORT (1234)", 4 },
		{ "machine", OPT_MACHINE, "microvm|q35", 0,
		  "QEMU's machine; q35 has one serial line for all output and no input", 4 },
		{ "append", OPT_APPEND, "WORDS", 0, "More words for the kernel's command line", 4 },
		{ 0 }
	};
	static const char doc[] =
		"Run a program of this host in a virtual machine of its own.\v"
		"Files that arguments name are taken along; what the program writes stays in the "
		"machine and is gone with it. Ctrl-C reaches the program, twice within two "
		"seconds it ends the machine; on a "
		"terminal, Ctrl-] three times does.\n\n"
		"A server that the catalog knows (nginx, redis-server ...) gets its usual port and no "
		"terminal: Ctrl-C asks it to end, which a second one or ten seconds enforce.\n\n"
		"The exit code is the program's; 128 and the signal's number if a signal killed "
		"it; "
		"125 if the tool or the machine failed or the command line is wrong, 126 if the "
		"program cannot run here, 127 "
		"if it was not found. With -d: 0 when the program runs.\n\n"
		"Examples:\n"
		"  ringfence run python3 -c 'print(6 * 7)'\n"
		"  ringfence run python3 report.py data.csv\n"
		"  echo 'select 1;' | ringfence run sqlite3 my.db\n"
		"  ringfence run -m 256M -c 2 --include ./site:/srv python3 -m http.server\n"
		"  ringfence run -p 8080:80 nginx\n"
		"  ringfence run -d --name web --restart on-failure:5 -p 127.0.0.1:8080:80 nginx\n"
		"  ringfence run --secret /etc/ssl/private/site.key -p 8443:443 nginx\n"
		"  ringfence run --net tap=tap0 --ip 10.0.0.2/24,10.0.0.1 redis-server\n"
		"  ringfence run --stats sqlite3 my.db 'select 1'\n"
		"  ringfence run -f ringfence.yaml\n";
	static const struct argp argp = {
		options, parse_option, "[--] PROGRAM [ARG...]\nIMAGE [ARG...]", doc, with_common,
		NULL,    NULL
	};
	struct command_line c = { 0 };

	parse(&argp, argc, argv, &c);
	int code = command_run(&c.spec);

	release(&c);
	return code;
}

int cli_build(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "output", 'o', "IMAGE", 0, "File to write (required)", 0 }, { 0 }
	};
	static const char doc[] =
		"Write a program, everything it needs, and the kernel into one file, which "
		"`ringfence run IMAGE` starts on any host with QEMU.\v"
		"Examples:\n"
		"  ringfence build -o report.img python3 report.py data.csv\n"
		"  ringfence build -o py.img python3    then: ringfence run py.img -c 'print(1)'\n"
		"  ringfence build -f ringfence.yaml -o service.img\n";
	static const struct argp argp = { options, parse_option, "PROGRAM [ARG...]",
					  doc,     with_common,  NULL,
					  NULL };
	struct command_line c = { 0 };

	parse(&argp, argc, argv, &c);
	if (c.output == NULL)
		die(EXIT_TOOL, "add -o IMAGE",
		    "no file is named that the image shall be written to");
	int code = command_build(&c.spec, c.output);

	release(&c);
	return code;
}

struct inspect_line {
	char *program;
	struct run_spec spec; /* only its secrets */
	bool json;
};

static error_t parse_inspect(int key, char *arg, struct argp_state *state)
{
	struct inspect_line *in = state->input;

	switch (key) {
	case 'o':
		if (strcmp(arg, "json") != 0 && strcmp(arg, "text") != 0)
			die(EXIT_TOOL, NULL, "--output: \"%s\" is none of text, json", arg);
		in->json = strcmp(arg, "json") == 0;
		return 0;
	case 'v': report_set_verbose(true); return 0;
	case OPT_SECRET: set_path(run_spec_add_secret, &in->spec, arg, "--secret"); return 0;
	case ARGP_KEY_ARG:
		if (in->program != NULL)
			argp_error(state, "only one program can be inspected at a time");
		in->program = arg;
		return 0;
	case ARGP_KEY_NO_ARGS: argp_error(state, "no program is given"); return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

int cli_inspect(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "output", 'o', "text|json", 0, "Form of the report", 0 },
		{ "secret", OPT_SECRET, "HOST[:GUEST]", 0,
		  "Look whether this key can be kept in ring 2, as run --secret would", 0 },
		{ "verbose", 'v', NULL, 0, "Say what is left out and why", 0 },
		{ 0 }
	};
	static const char doc[] =
		"Say what a program, or a built image, needs: interpreter, libraries, catalog entry, and the system "
		"calls that "
		"its code can make, with those that the kernel does not serve.\v"
		"The system calls are an upper bound: code that is there need not run. Exit code "
		"1 if a "
		"library is missing.\n\n"
		"Examples:\n"
		"  ringfence inspect python3\n"
		"  ringfence inspect --secret /etc/ssl/private/site.key nginx\n"
		"  ringfence inspect service.img\n"
		"  ringfence inspect -o json /usr/bin/sqlite3\n";
	static const struct argp argp = { options, parse_inspect, "PROGRAM\nIMAGE", doc, NULL,
					  NULL,    NULL };
	struct inspect_line in = { 0 };

	argp_err_exit_status = EXIT_TOOL;
	argp_parse(&argp, argc, argv, 0, NULL, &in);
	int code = command_inspect(in.program, &in.spec.secrets, in.json);

	run_spec_release(&in.spec);
	return code;
}

static error_t parse_doctor(int key, char *arg, struct argp_state *state)
{
	(void)state;
	(void)arg;
	if (key != 'v')
		return ARGP_ERR_UNKNOWN;
	report_set_verbose(true);
	return 0;
}

int cli_doctor(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "verbose", 'v', NULL, 0, "Say what is done", 0 }, { 0 }
	};
	static const char doc[] =
		"Check what this host must have, and say which command mends what is missing.\v"
		"Exit code 1 if something that is needed is missing.\n\n"
		"Example:\n  ringfence doctor\n";
	static const struct argp argp = { options, parse_doctor, NULL, doc, NULL, NULL, NULL };

	argp_err_exit_status = EXIT_TOOL;
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	return command_doctor();
}

static error_t parse_demo(int key, char *arg, struct argp_state *state)
{
	const char **name = state->input;

	switch (key) {
	case 'v': report_set_verbose(true); return 0;
	case ARGP_KEY_ARG:
		if (*name != NULL)
			argp_error(state, "only one demonstration can be shown at a time");
		*name = arg;
		return 0;
	case ARGP_KEY_NO_ARGS: argp_error(state, "no demonstration is named"); return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

int cli_demo(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "verbose", 'v', NULL, 0, "Say what is done", 0 }, { 0 }
	};
	static const char doc[] =
		"Show an attack with and without protection.\v"
		"heartbleed: a TLS server with the bug of 2014, and a worse one, in a machine; the "
		"attacker on this host finds its private key and signs with it. Then the same with "
		"the key in ring 2 (ringfence run --secret). Takes half a minute; needs no rights.\n\n"
		"Exit code 0 if the key was stolen without the protection and not one piece of it with "
		"the protection, 1 if not, 125 if something is missing or failed.\n\n"
		"Example:\n  ringfence demo heartbleed\n";
	static const struct argp argp = {
		options, parse_demo, "heartbleed", doc, NULL, NULL, NULL
	};
	const char *name = NULL;

	argp_err_exit_status = EXIT_TOOL;
	argp_parse(&argp, argc, argv, 0, NULL, &name);
	if (strcmp(name, "heartbleed") != 0)
		die(EXIT_TOOL, "there is one: heartbleed", "there is no demonstration \"%s\"",
		    name);
	return command_demo_heartbleed();
}
