/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/debug.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/report.h"

static struct strv modules; /* commands that load symbols */

/* Is it linked to where it lies in memory, wherever that is? */
static bool is_movable(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr eh;
	bool movable = fd >= 0 && read(fd, &eh, sizeof(eh)) == (ssize_t)sizeof(eh) &&
		       eh.e_type == ET_DYN;

	if (fd >= 0)
		close(fd);
	return movable;
}

static void add_module(uint64_t base, const char *path)
{
	if (!path_exists(path))
		notice("%s is not on this host at that path: gdb gets no symbols of it", path);
	else
		strv_addf(&modules, "add-symbol-file %s -o %#" PRIx64 "\n", path,
			  is_movable(path) ? base : 0);
}

static char *script(unsigned port, uint64_t flag, uint64_t first)
{
	char *text = xasprintf("set pagination off\nset confirm off\nset architecture i386:x86-64\n"
			       "target remote 127.0.0.1:%u\n",
			       port);

	for (size_t i = 0; i < modules.n; i++) {
		char *longer = xasprintf("%s%s", text, modules.v[i]);

		free(text);
		text = longer;
	}
	/* The program waits in the kernel until this byte is set. */
	char *all = xasprintf("%sthbreak *%#" PRIx64 "\nset var *(unsigned char *)%#" PRIx64
			      " = 1\ncontinue\nset confirm on\n",
			      text, first, flag);

	free(text);
	return all;
}

static void tell(const char *folder, const char *text)
{
	char *path = folder != NULL ? path_join(folder, "gdb") : NULL;
	int fd = path != NULL ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;

	if (fd >= 0 && write_all(fd, text, strlen(text)) == 0)
		tell_user("the program waits for: gdb -x %s", path);
	else
		tell_user("the program waits for gdb with these commands:\n%s", text);
	if (fd >= 0)
		close(fd);
	free(path);
}

void debug_announce(const char *folder, unsigned port, const char *words)
{
	uint64_t base, flag, first;
	int at = 0;

	if (sscanf(words, "module %" SCNx64 " %n", &base, &at) == 1 && at > 0) {
		add_module(base, words + at);
	} else if (sscanf(words, "wait %" SCNx64 " %" SCNx64, &flag, &first) == 2) {
		char *text = script(port, flag, first);

		tell(folder, text);
		free(text);
		strv_release(&modules);
	}
}
