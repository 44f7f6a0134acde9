/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/libs.h"

#include <ctype.h>
#include <elf.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONF_MAX   (64u * 1024)
#define CONF_DEPTH 8

static void read_conf(struct libs *libs, const char *path, unsigned depth);

static void include_conf(struct libs *libs, const char *from, const char *pattern, unsigned depth)
{
	char *dir = path_parent(from);
	char *full = path_join(dir, pattern);
	glob_t found = { 0 };

	if (glob(full, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			read_conf(libs, found.gl_pathv[i], depth + 1);
	globfree(&found);
	free(full);
	free(dir);
}

static void read_conf_line(struct libs *libs, const char *path, char *line, unsigned depth)
{
	char *hash = strchr(line, '#');

	if (hash != NULL)
		*hash = '\0';
	while (isspace((unsigned char)*line))
		line++;
	for (char *end = line + strlen(line); end > line && isspace((unsigned char)end[-1]);)
		*--end = '\0';
	if (str_begins(line, "include") && isspace((unsigned char)line[7]))
		include_conf(libs, path, line + 8 + strspn(line + 8, " \t"), depth);
	else if (*line == '/' && !strv_has(&libs->dirs, line))
		strv_add(&libs->dirs, line);
}

static void read_conf(struct libs *libs, const char *path, unsigned depth)
{
	char *text, *save = NULL;
	size_t size;

	if (depth > CONF_DEPTH || read_whole_file(path, CONF_MAX, &text, &size) != 0)
		return;
	strv_add(&libs->conf, path);
	for (char *line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		read_conf_line(libs, path, line, depth);
	free(text);
}

void libs_init(struct libs *libs)
{
	/* Debian's loader, then those of other distributions. */
	static const char *const built_in[] = { "/lib/x86_64-linux-gnu",
						"/usr/lib/x86_64-linux-gnu",
						"/lib64",
						"/usr/lib64",
						"/lib",
						"/usr/lib" };

	*libs = (struct libs){ 0 };
	read_conf(libs, "/etc/ld.so.conf", 0);
	for (size_t i = 0; i < sizeof(built_in) / sizeof(built_in[0]); i++)
		if (!strv_has(&libs->dirs, built_in[i]))
			strv_add(&libs->dirs, built_in[i]);
}

void libs_release(struct libs *libs)
{
	strv_release(&libs->dirs);
	strv_release(&libs->conf);
	strv_release(&libs->library_path);
}

/* Split at colons (and semicolons); an empty entry would be the working folder: left out. */
static void split_path(struct strv *out, const char *list)
{
	while (*list != '\0') {
		size_t n = strcspn(list, ":;");

		if (n > 0)
			strv_take(out, xstrndup(list, n));
		list += n;
		if (*list != '\0')
			list++;
	}
}

void libs_set_library_path(struct libs *libs, const char *value)
{
	strv_release(&libs->library_path);
	split_path(&libs->library_path, value);
}

/* Can the loader take it: an ELF file for x86-64 (for all else it goes on looking)? */
static bool fits(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	Elf64_Ehdr head;
	bool ok = fd >= 0 && read(fd, &head, sizeof(head)) == (ssize_t)sizeof(head) &&
		  memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 &&
		  head.e_ident[EI_CLASS] == ELFCLASS64 && head.e_machine == EM_X86_64;

	if (fd >= 0)
		close(fd);
	return ok;
}

static char *in_dir(const char *dir, const char *name)
{
	char *path = path_join(dir, name);

	if (fits(path))
		return path;
	free(path);
	return NULL;
}

/* Replace $ORIGIN, $LIB and $PLATFORM, with or without braces. The caller frees. */
static char *expand(const char *dir, const char *origin)
{
	static const struct {
		const char *name, *value;
	} tokens[] = { { "ORIGIN", NULL },
		       { "LIB", "lib/x86_64-linux-gnu" },
		       { "PLATFORM", "x86_64" } };
	char *out = xstrdup("");

	while (*dir != '\0') {
		const char *value = NULL;
		size_t used = 1;

		for (size_t i = 0; *dir == '$' && i < sizeof(tokens) / sizeof(tokens[0]); i++) {
			size_t n = strlen(tokens[i].name);
			bool braces = dir[1] == '{';

			if (strncmp(dir + 1 + braces, tokens[i].name, n) != 0 ||
			    (braces && dir[2 + n] != '}'))
				continue;
			value = tokens[i].value != NULL ? tokens[i].value : origin;
			used = 1 + n + (braces ? 2 : 0);
			break;
		}
		char *longer = value != NULL ? xasprintf("%s%s", out, value)
					     : xasprintf("%s%c", out, *dir);

		free(out);
		out = longer;
		dir += used;
	}
	return out;
}

static char *in_list(const char *list, const char *origin, const char *name)
{
	struct strv dirs = { 0 };
	char *found = NULL;

	split_path(&dirs, list);
	for (size_t i = 0; i < dirs.n && found == NULL; i++) {
		char *dir = expand(dirs.v[i], origin);

		found = in_dir(dir, name);
		free(dir);
	}
	strv_release(&dirs);
	return found;
}

static char *in_dirs(const struct strv *dirs, const char *name)
{
	char *found = NULL;

	for (size_t i = 0; i < dirs->n && found == NULL; i++)
		found = in_dir(dirs->v[i], name);
	return found;
}

char *libs_find(const struct libs *libs, const char *name, const char *user_path,
		const struct elf_info *user, const struct strv *rpath)
{
	char *real = realpath(user_path, NULL);
	char *origin = path_parent(real != NULL ? real : user_path);
	char *found = NULL;

	if (strchr(name, '/') != NULL)
		found = fits(name) ? xstrdup(name) : NULL;
	else {
		if (user->runpath == NULL && user->rpath != NULL)
			found = in_list(user->rpath, origin, name);
		for (size_t i = 0; user->runpath == NULL && rpath != NULL && i < rpath->n && !found;
		     i++)
			found = in_list(rpath->v[i], origin, name);
		if (found == NULL)
			found = in_dirs(&libs->library_path, name);
		if (found == NULL && user->runpath != NULL)
			found = in_list(user->runpath, origin, name);
		if (found == NULL)
			found = in_dirs(&libs->dirs, name);
	}
	free(origin);
	free(real);
	return found;
}
