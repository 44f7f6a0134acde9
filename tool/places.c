/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/places.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool/report.h"

/* The first of two places, relative to the tool's folder, that exists. */
static char *beside(const char *built, const char *installed)
{
	char *dir = tool_dir();
	char *path = path_join(dir, built);

	if (!path_exists(path)) {
		free(path);
		path = path_join(dir, installed);
	}
	if (!path_exists(path)) {
		free(path);
		path = NULL;
	}
	free(dir);
	return path;
}

static const char *from_env(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && *value != '\0' ? value : NULL;
}

char *places_find_kernel(const char *chosen)
{
	const char *path = chosen != NULL ? chosen : from_env("RINGFENCE_KERNEL");
	struct stat st;

	if (path != NULL)
		return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? xstrdup(path) : NULL;
	return beside("kernel.elf", "../lib/ringfence/kernel.elf");
}

char *places_kernel(const char *chosen)
{
	char *path = places_find_kernel(chosen);

	if (path == NULL && chosen != NULL)
		die(EXIT_TOOL, "check --kernel", "the kernel %s does not exist", chosen);
	if (path == NULL)
		die(EXIT_TOOL,
		    "build it with: make kernel, or name it with --kernel or RINGFENCE_KERNEL",
		    "there is no kernel.elf beside the tool or installed with it");
	return path;
}

char *places_provider(void)
{
	const char *chosen = from_env("RINGFENCE_PROVIDER");
	char *path = chosen != NULL ? (path_exists(chosen) ? xstrdup(chosen) : NULL)
				    : beside("ringfence.so", "../lib/ringfence/ringfence.so");

	if (path == NULL)
		die(EXIT_TOOL,
		    "build it with: make provider (it needs the package libssl-dev), or name it "
		    "with RINGFENCE_PROVIDER",
		    "the OpenSSL provider ringfence.so is not beside the tool or installed with it: "
		    "secrets cannot be kept");
	return path;
}

char *places_demo(const char *name)
{
	char *built = xasprintf("prog/user/demo/%s", name);
	char *installed = xasprintf("../lib/ringfence/demo/%s", name);
	char *path = beside(built, installed);

	if (path == NULL)
		die(EXIT_TOOL, "build it with: make demo (it needs the package libssl-dev)",
		    "the demonstration's program %s is not built or not installed", name);
	free(built);
	free(installed);
	return path;
}

char *places_here(void)
{
	char *folder = getcwd(NULL, 0);

	if (folder == NULL)
		die(EXIT_TOOL, "change to a folder that exists",
		    "the working folder cannot be read: %s", strerror(errno));
	return folder;
}

char *places_tool(void)
{
	char *path = realpath("/proc/self/exe", NULL);

	if (path == NULL)
		die(EXIT_TOOL, "is /proc mounted?", "/proc/self/exe cannot be read");
	return path;
}

char *places_find_catalog(void)
{
	const char *path = from_env("RINGFENCE_CATALOG");
	struct stat st;

	if (path != NULL)
		return stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? xstrdup(path) : NULL;
	char *found = beside("../catalog", "../share/ringfence/catalog");

#ifdef SOURCE_CATALOG /* the build folder is not below the sources */
	if (found == NULL && path_exists(SOURCE_CATALOG))
		found = xstrdup(SOURCE_CATALOG);
#endif
	return found;
}

char *places_catalog(void)
{
	char *path = places_find_catalog();

	if (path == NULL)
		die(EXIT_TOOL, "name its folder with RINGFENCE_CATALOG",
		    "the catalog of known programs is not beside the tool or installed with it");
	return path;
}
