/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "tool/bridge.h"
#include "tool/cli.h"
#include "tool/near.h"
#include "tool/places.h"
#include "tool/report.h"

static const char usage[] =
	"Usage: ringfence COMMAND [OPTION...] [ARG...]\n"
	"Runs ordinary Linux programs, each in a small virtual machine of its own.\n"
	"\n"
	"  run       run a program, or a built image\n"
	"  build     write a program and all it needs into one file\n"
	"  inspect   say what a program needs, and what of that the kernel lacks\n"
	"  doctor    check what this host must have\n"
	"  demo      see an attack fail: ringfence demo heartbleed\n"
	"\n"
	"  ps        list the machines\n"
	"  logs      show the output of a machine in the background\n"
	"  exec      run a further program in a machine\n"
	"  kill      send a signal to a machine's program\n"
	"  stop      end a machine\n"
	"  wait      wait for a machine's end\n"
	"  rm        remove what a machine that has ended left\n"
	"\n"
	"  ringfence COMMAND --help   options and examples of a command\n"
	"  ringfence --version        version\n"
	"\n"
	"Examples:\n"
	"  ringfence run python3 -c 'print(6 * 7)'\n"
	"  ringfence run -d -p 8080:80 nginx\n"
	"  ringfence inspect sqlite3\n"
	"\n"
	"Exit codes: the program's (run, exec, wait; 128 and its number for a signal); 1 if a\n"
	"machine is not there or inspect or doctor found something missing; 125 if the tool or\n"
	"the machine failed or the command line is wrong; 126 if the program cannot run; 127 if\n"
	"it was not found.\n";

static const struct {
	const char *name;
	char *shown; /* for --help of the command */
	int (*carry_out)(int argc, char **argv);
} commands[] = {
	{ "run", "ringfence run", cli_run },
	{ "build", "ringfence build", cli_build },
	{ "inspect", "ringfence inspect", cli_inspect },
	{ "doctor", "ringfence doctor", cli_doctor },
	{ "demo", "ringfence demo", cli_demo },
	{ "ps", "ringfence ps", cli_ps },
	{ "logs", "ringfence logs", cli_logs },
	{ "exec", "ringfence exec", cli_exec },
	{ "kill", "ringfence kill", cli_kill },
	{ "stop", "ringfence stop", cli_stop },
	{ "wait", "ringfence wait", cli_wait },
	{ "rm", "ringfence rm", cli_rm },
};

static void unknown(const char *word)
{
	struct strv names = { 0 };
	const char *near;

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		strv_add(&names, commands[i].name);
	near = near_word(word, &names);
	if (near != NULL) {
		char *hint = xasprintf("did you mean %s? (ringfence --help lists the commands)",
				       near);

		die(EXIT_TOOL, hint, "there is no command \"%s\"", word);
	}
	die(EXIT_TOOL,
	    "ringfence --help lists the commands; to run a program: ringfence run PROGRAM",
	    "there is no command \"%s\"", word);
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	bridge_check_standard_streams();
	report_init();
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(word, commands[i].name) != 0)
			continue;
		argv[1] = commands[i].shown;
		return commands[i].carry_out(argc - 1, argv + 1);
	}
	if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
		printf("ringfence %s\n", TOOL_VERSION);
		return 0;
	}
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
		fputs(usage, stdout);
		return 0;
	}
	if (argc < 2) {
		fputs(usage, stderr);
		return EXIT_TOOL;
	}
	unknown(word);
}
