/* SPDX-License-Identifier: BSD-2-Clause */
#include <libelf.h>
#include <string.h>

#include "user/cc/cc.h"

static const char help[] =
	"usage: ringfence-cc [--plain] [--header=FILE] ARGUMENT-OF-CC...\n"
	"\n"
	"A C compiler for programs with a private part (ring 2). Sources *.priv.c are compiled for\n"
	"PrivUser and linked on their own; everything else goes to cc as it is.\n"
	"\n"
	"  --plain        one ordinary program for plain Linux; nothing is isolated, and it says so\n"
	"  --header=FILE  write a header that announces the calls of the private sources\n"
	"  --help         this\n"
	"\n"
	"RINGFENCE_CC        the compiler underneath, with arguments (default: cc)\n"
	"RINGFENCE_CC_PLAIN  anything but empty or 0: as --plain\n"
	"\n"
	"  ringfence-cc -O2 -o prog main.c key.priv.c\n"
	"  make CC=ringfence-cc\n"
	"\n"
	"ringfence-cc(1) and privcall(3) say the rest.\n";

int main(int argc, char **argv)
{
	struct args args;

	if (argc == 1 || (argc == 2 && strcmp(argv[1], "--help") == 0)) {
		fputs(help, argc == 1 ? stderr : stdout);
		return argc == 1;
	}
	if (elf_version(EV_CURRENT) == EV_NONE)
		fail("libelf is too old");
	args_parse(&args, argv + 1);
	if (args.header != NULL) {
		if (args.private.n == 0)
			fail("--header needs a source *.priv.c");
		header_write(&args.private, args.header);
		if (args.mode == NULL && args.output == NULL && args.rest.n == 0)
			return 0;
	}
	if (args.plain)
		build_plain(&args);
	else if (args.mode != NULL)
		build_objects(&args);
	else
		build_program(&args);
	return 0;
}
