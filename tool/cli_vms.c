/* SPDX-License-Identifier: BSD-2-Clause */
#include <argp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tool/cli.h"
#include "tool/report.h"
#include "tool/vms.h"

/* What these commands read; each uses some of it. */
struct line {
	const char *name;
	bool all, json, force, follow;
	unsigned seconds;
	int sig;
	struct exec_spec exec;
};

static void take_output(struct line *l, const char *arg)
{
	if (strcmp(arg, "json") != 0 && strcmp(arg, "text") != 0)
		die(EXIT_TOOL, NULL, "--output: \"%s\" is none of text, json", arg);
	l->json = strcmp(arg, "json") == 0;
}

/* "TERM", "SIGTERM", "15" */
static int signal_of(const char *text)
{
	const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;

	for (int sig = 1; sig < NSIG; sig++)
		if (sigabbrev_np(sig) != NULL && strcasecmp(sigabbrev_np(sig), name) == 0)
			return sig;
	if (*text >= '0' && *text <= '9')
		return (int)cli_number(text, "--signal", 1, 64);
	die(EXIT_TOOL, "kill -l lists the names", "--signal: there is no signal \"%s\"", text);
}

static error_t parse_line(int key, char *arg, struct argp_state *state)
{
	struct line *l = state->input;

	switch (key) {
	case 'a': l->all = true; return 0;
	case 'o': take_output(l, arg); return 0;
	case 'f': l->force = l->follow = true; return 0;
	case 's': l->sig = signal_of(arg); return 0;
	case 't': l->seconds = cli_number(arg, "--time", 0, 86400); return 0;
	case ARGP_KEY_ARG:
		if (l->name != NULL)
			argp_error(state, "only one machine at a time");
		l->name = arg;
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

/* Read a command line of which the machine's name is all that must be there. */
static void parse_named(const struct argp *argp, int argc, char **argv, struct line *l)
{
	argp_err_exit_status = EXIT_TOOL;
	argp_parse(argp, argc, argv, 0, NULL, l);
	if (l->name == NULL)
		die(EXIT_TOOL, "ringfence ps lists the machines", "no machine is named");
}

int cli_ps(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "all", 'a', NULL, 0, "Those that have ended, too", 0 },
		{ "output", 'o', "text|json", 0, "Form of the list", 0 },
		{ 0 }
	};
	static const char doc[] =
		"List the machines that run.\v"
		"Machines that were started with run -d are kept after their end, with their log, "
		"until `ringfence rm`.\n\n"
		"Examples:\n"
		"  ringfence ps\n"
		"  ringfence ps -a -o json | jq -r '.[] | select(.exit_code != 0) | .name'\n";
	static const struct argp argp = { options, parse_line, NULL, doc, NULL, NULL, NULL };
	struct line l = { 0 };

	argp_err_exit_status = EXIT_TOOL;
	argp_parse(&argp, argc, argv, 0, NULL, &l);
	if (l.name != NULL)
		die(EXIT_TOOL, NULL, "ps takes no name");
	return command_ps(l.all, l.json);
}

int cli_logs(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "follow", 'f', NULL, 0, "Go on as it grows, until the machine ends", 0 }, { 0 }
	};
	static const char doc[] = "Show what a machine in the background printed.\v"
				  "The last 4 to 8 MiB are kept.\n\n"
				  "Examples:\n"
				  "  ringfence logs web\n"
				  "  ringfence logs -f web\n";
	static const struct argp argp = { options, parse_line, "NAME", doc, NULL, NULL, NULL };
	struct line l = { 0 };

	parse_named(&argp, argc, argv, &l);
	return command_logs(l.name, l.follow);
}

int cli_kill(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "signal", 's', "SIGNAL", 0, "Name or number (default: TERM)", 0 }, { 0 }
	};
	static const char doc[] = "Send a signal to a machine's program.\v"
				  "Exit code 1 if there is no such machine or it does not run.\n\n"
				  "Examples:\n"
				  "  ringfence kill -s HUP web\n"
				  "  ringfence kill web\n";
	static const struct argp argp = { options, parse_line, "NAME", doc, NULL, NULL, NULL };
	struct line l = { .sig = SIGTERM };

	parse_named(&argp, argc, argv, &l);
	return command_kill(l.name, l.sig);
}

int cli_stop(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "time", 't', "SECONDS", 0,
		  "How long its program may take to end before the machine is switched off "
		  "(default: 10)",
		  0 },
		{ 0 }
	};
	static const char doc[] =
		"End a machine: SIGTERM to its program, then off. Returns when it has ended.\v"
		"Exit code 1 if there is no such machine or it does not run.\n\n"
		"Examples:\n"
		"  ringfence stop web\n"
		"  ringfence stop -t 60 database\n";
	static const struct argp argp = { options, parse_line, "NAME", doc, NULL, NULL, NULL };
	struct line l = { .seconds = 10 };

	parse_named(&argp, argc, argv, &l);
	return command_stop(l.name, l.seconds);
}

int cli_rm(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "force", 'f', NULL, 0, "End it first if it runs", 0 }, { 0 }
	};
	static const char doc[] =
		"Remove what a machine that has ended left: its log, its exit code, its name.\v"
		"Exit code 1 if there is no such machine, or it runs and -f is not given.\n\n"
		"Examples:\n"
		"  ringfence rm web\n"
		"  ringfence rm -f web\n";
	static const struct argp argp = { options, parse_line, "NAME", doc, NULL, NULL, NULL };
	struct line l = { 0 };

	parse_named(&argp, argc, argv, &l);
	return command_rm(l.name, l.force);
}

int cli_wait(int argc, char **argv)
{
	static const char doc[] = "Wait for a machine's end; the exit code is its program's.\v"
				  "Example:\n"
				  "  ringfence run -d --name job ./long-work; ringfence wait job\n";
	static const struct argp argp = { NULL, parse_line, "NAME", doc, NULL, NULL, NULL };
	struct line l = { 0 };

	parse_named(&argp, argc, argv, &l);
	return command_wait(l.name);
}

static void add_variable(struct strv *env, const char *text)
{
	if (*text == '\0' || *text == '=')
		die(EXIT_TOOL, "write NAME=VALUE, or NAME to pass your value on",
		    "--env: \"%s\" names no variable", text);
	if (strchr(text, '=') != NULL)
		strv_add(env, text);
	else if (getenv(text) != NULL)
		strv_addf(env, "%s=%s", text, getenv(text));
}

static error_t parse_exec(int key, char *arg, struct argp_state *state)
{
	struct exec_spec *e = state->input;

	switch (key) {
	case 'i': e->input = true; return 0;
	case 't': e->terminal = true; return 0;
	case 'e': add_variable(&e->env, arg); return 0;
	case 'w':
		if (arg[0] != '/')
			die(EXIT_TOOL, NULL, "--workdir: \"%s\" does not begin with /", arg);
		e->workdir = arg;
		return 0;
	case ARGP_KEY_ARG:
		/* The name, then the program with everything behind it. */
		e->name = arg;
		while (state->next < state->argc) {
			const char *word = state->argv[state->next++];

			if (e->argv.n > 0 || strcmp(word, "--") != 0)
				strv_add(&e->argv, word);
		}
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

int cli_exec(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "interactive", 'i', NULL, 0, "Pass standard input on", 0 },
		{ "tty", 't', NULL, 0, "Give it a terminal of its own", 0 },
		{ "env", 'e', "NAME=VALUE", 0, "Set a variable, or with NAME alone pass it on", 0 },
		{ "workdir", 'w', "DIR", 0, "Working folder (default: the machine's program's)",
		  0 },
		{ 0 }
	};
	static const char doc[] =
		"Run a further program in a machine that runs.\v"
		"It must be in the machine's image: ringfence run --also PROGRAM takes one along. "
		"When this command is killed, the program gets SIGHUP.\n\n"
		"The exit code is the program's, 128 and the signal's number if a signal killed it, "
		"137 if the machine ended; 1 if the machine does not run, 126 or 127 if the program "
		"cannot run or is not there.\n\n"
		"Examples:\n"
		"  ringfence run -d --name web --also sh --also ls nginx\n"
		"  ringfence exec web ls -l /etc/nginx\n"
		"  ringfence exec -it web sh\n"
		"  ringfence exec -i web sh -c 'cat >/tmp/x' <file\n";
	static const struct argp argp = { options, parse_exec, "NAME PROGRAM [ARG...]", doc, NULL,
					  NULL,    NULL };
	struct exec_spec e = { 0 };

	argp_err_exit_status = EXIT_TOOL;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &e);
	if (e.name == NULL)
		die(EXIT_TOOL, "ringfence ps lists the machines", "no machine is named");
	if (e.argv.n == 0)
		die(EXIT_TOOL, "ringfence exec --help shows examples", "no program is named");
	int code = command_exec(&e);

	strv_release(&e.argv);
	strv_release(&e.env);
	return code;
}
