/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "tool/bridge.h"
#include "tool/cli.h"
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
	"\n"
	"  ringfence COMMAND --help   options and examples of a command\n"
	"  ringfence --version        version\n"
	"\n"
	"Examples:\n"
	"  ringfence run python3 -c 'print(6 * 7)'\n"
	"  ringfence inspect sqlite3\n";

static const struct {
	const char *name;
	char *shown; /* for --help of the command */
	int (*carry_out)(int argc, char **argv);
} commands[] = {
	{ "run", "ringfence run", cli_run },
	{ "build", "ringfence build", cli_build },
	{ "inspect", "ringfence inspect", cli_inspect },
	{ "doctor", "ringfence doctor", cli_doctor },
};

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
	die(EXIT_TOOL,
	    "ringfence --help lists the commands; to run a program: ringfence run PROGRAM",
	    "there is no command \"%s\"", word);
}
