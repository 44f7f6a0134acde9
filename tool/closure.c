/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/closure.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/report.h"
#include "tool/words.h"

#define SCRIPT_DEPTH    4              /* scripts whose interpreter is a script, as in Linux */
#define SCAN_MAX        (1024u * 1024) /* largest script of the user's that is read for names */
#define SCAN_NESTED_MAX (8u * 1024)    /* largest one that is only named in another */
#define SCAN_DEPTH      2

/* Why something cannot be added; both strings are ours, the hint may be NULL. */
struct problem {
	char *cause, *hint;
};

static bool add_program(struct closure *c, const char *path, struct closure_program *out,
			struct problem *why);

static bool refuse(struct problem *why, char *hint, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Fill *why; takes `hint`. Always false. */
static bool refuse(struct problem *why, char *hint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&why->cause, fmt, ap) < 0)
		die_oom();
	va_end(ap);
	why->hint = hint;
	return false;
}

static void problem_release(struct problem *p)
{
	free(p->cause);
	free(p->hint);
}

void closure_init(struct closure *c, const struct catalog *catalog, const char *path_list)
{
	*c = (struct closure){ .catalog = catalog, .path_list = xstrdup(path_list) };
	rootfs_init(&c->fs);
	libs_init(&c->libs);
}

void closure_release(struct closure *c)
{
	rootfs_release(&c->fs);
	libs_release(&c->libs);
	free(c->path_list);
	strv_release(&c->env);
	strv_release(&c->secrets);
	strv_release(&c->notes);
	strv_release(&c->programs);
	strv_release(&c->rpath);
	for (size_t i = 0; i < c->found_count; i++) {
		free(c->found[i].name);
		free(c->found[i].path);
		free(c->found[i].user);
	}
	free(c->found);
}

void closure_program_release(struct closure_program *p)
{
	free(p->path);
	free(p->interp);
	*p = (struct closure_program){ 0 };
}

static void record(struct closure *c, const char *name, const char *path, const char *user,
		   bool interp)
{
	for (size_t i = 0; i < c->found_count; i++)
		if (strcmp(c->found[i].name, name) == 0 &&
		    (c->found[i].path == NULL) == (path == NULL) &&
		    (path == NULL || strcmp(c->found[i].path, path) == 0))
			return;
	c->found = xrealloc(c->found, (c->found_count + 1) * sizeof(*c->found));
	c->found[c->found_count++] = (struct closure_lib){
		.name = xstrdup(name),
		.path = path != NULL ? xstrdup(path) : NULL,
		.user = xstrdup(user),
		.interp = interp,
	};
}

/* Have we dealt with this program or library before? If not, from now on we have. */
static bool seen_before(struct closure *c, const char *real)
{
	if (strv_has(&c->programs, real))
		return true;
	strv_add(&c->programs, real);
	return false;
}

/*
 * glibc loads it by itself when a thread is cancelled or ends by pthread_exit(), and for
 * backtrace(); without it the program is aborted then. Where it is not installed no program can.
 */
#define UNWINDER "libgcc_s.so.1"

static bool add_libraries(struct closure *c, const char *path, const struct elf_info *info,
			  struct problem *why);

static bool add_library(struct closure *c, const char *name, const char *path,
			const struct elf_info *info, struct problem *why)
{
	char *file = libs_find(&c->libs, name, path, info, &c->rpath);
	struct elf_info lib;
	char reason[ELF_WHY_MAX];
	bool ok = true;

	if (file == NULL && strcmp(name, UNWINDER) == 0)
		return true;
	record(c, name, file, path, false);
	if (file == NULL)
		return c->tolerate ||
		       refuse(why,
			      xasprintf("install the package that has it (apt-file search %s), or "
					"name "
					"its folder with -e LD_LIBRARY_PATH=DIR",
					name),
			      "library %s is missing, which %s needs", name, path);
	if (rootfs_add_path(&c->fs, file, NULL) != 0) {
		ok = refuse(why, NULL, "library %s cannot be taken along: %s", file,
			    strerror(errno));
	} else {
		char *real = realpath(file, NULL);

		if (real != NULL && !seen_before(c, real)) {
			if (elf_info_load(real, &lib, reason))
				ok = add_libraries(c, real, &lib, why);
			else
				ok = refuse(why, xstrdup("install its package again"),
					    "library %s cannot be used: %s", file, reason);
			if (ok && strcmp(name, "libc.so.6") == 0)
				ok = add_library(c, UNWINDER, real, &lib, why);
			elf_info_release(&lib);
		}
		free(real);
	}
	free(file);
	return ok;
}

static bool add_libraries(struct closure *c, const char *path, const struct elf_info *info,
			  struct problem *why)
{
	bool ok = true;
	bool inherits = info->rpath != NULL && info->runpath == NULL;

	if (inherits)
		strv_add(&c->rpath, info->rpath);
	for (size_t i = 0; i < info->needed.n && ok; i++)
		ok = add_library(c, info->needed.v[i], path, info, why);
	if (inherits) {
		free(c->rpath.v[--c->rpath.n]);
		c->rpath.v[c->rpath.n] = NULL;
	}
	return ok;
}

static bool add_elf_program(struct closure *c, const char *path, const char *real,
			    const struct elf_info *info, struct problem *why)
{
	if (info->interp != NULL) {
		bool there = rootfs_add_path(&c->fs, info->interp, NULL) == 0;

		record(c, info->interp, there ? info->interp : NULL, path, true);
		if (!there && !c->tolerate)
			return refuse(
				why,
				xstrdup("install the C library that the program was built for "
					"(Debian: libc6; musl programs: musl)"),
				"%s needs the dynamic loader %s, which is missing", path,
				info->interp);
	}
	return add_libraries(c, real, info, why);
}

/* What the pattern does not find is not there, and no secret then. */
static void add_catalog_secrets(struct closure *c, const struct catalog_entry *e, const char *real)
{
	for (unsigned i = 0; i < e->secrets_count; i++) {
		char *pattern = catalog_expand(e->secrets[i], real);
		glob_t found = { 0 };

		if (glob(pattern, GLOB_BRACE, NULL, &found) == 0)
			for (size_t k = 0; k < found.gl_pathc; k++)
				if (!strv_has(&c->secrets, found.gl_pathv[k]))
					strv_add(&c->secrets, found.gl_pathv[k]);
		globfree(&found);
		free(pattern);
	}
}

static void apply_catalog(struct closure *c, const struct catalog_entry *e, const char *real)
{
	struct strv exclude = { 0 };
	uint64_t memory;

	if (strv_has(&c->notes, e->name))
		return;
	strv_add(&c->notes, e->name);
	for (unsigned i = 0; i < e->exclude_count; i++)
		strv_take(&exclude, catalog_expand(e->exclude[i], real));
	for (unsigned i = 0; i < e->include_count; i++) {
		char *pattern = catalog_expand(e->include[i], real);
		glob_t found = { 0 };

		/* What the pattern does not find is not installed, and then not needed. */
		if (glob(pattern, GLOB_BRACE, NULL, &found) == 0)
			for (size_t k = 0; k < found.gl_pathc; k++) {
				struct rootfs_add what = { .host = found.gl_pathv[k],
							   .recursive = true,
							   .exclude = &exclude };

				if (rootfs_add(&c->fs, &what, NULL) != 0)
					note("%s (catalog entry %s) is left out: %s", what.host,
					     e->name, strerror(errno));
			}
		globfree(&found);
		free(pattern);
	}
	for (unsigned i = 0; i < e->folders_count; i++) {
		char *folder = catalog_expand(e->folders[i], real);

		if (rootfs_add_folder(&c->fs, folder, 0755) != 0)
			note("folder %s (catalog entry %s): %s", folder, e->name, strerror(errno));
		free(folder);
	}
	for (unsigned i = 0; i < e->env_count; i++)
		strv_take(&c->env, catalog_expand(e->env[i], real));
	add_catalog_secrets(c, e, real);
	if (e->memory != NULL && parse_size(e->memory, &memory) && memory > c->memory)
		c->memory = memory;
	for (unsigned i = 0; i < e->programs_count; i++) {
		char *name = catalog_expand(e->programs[i], real);
		char *program = find_in_path(name, c->path_list);

		free(name);
		if (program != NULL)
			closure_try_program(c, program);
		else
			note("%s (catalog entry %s) is not installed", e->programs[i], e->name);
		free(program);
	}
	strv_release(&exclude);
}

/*
 * The program that `env` in a #! line starts: behind -S, options and assignments. The caller frees.
 */
static char *env_program(const struct closure *c, const char *arg)
{
	char *copy = xstrdup(arg), *save = NULL, *found = NULL;

	for (char *w = strtok_r(copy, " \t", &save); w != NULL; w = strtok_r(NULL, " \t", &save)) {
		if (str_begins(w, "-S") && w[2] != '\0')
			w += 2;
		if (*w == '-' || strchr(w, '=') != NULL)
			continue;
		found = strchr(w, '/') != NULL ? xstrdup(w) : find_in_path(w, c->path_list);
		break;
	}
	free(copy);
	return found;
}

static bool add_interpreter(struct closure *c, const char *path, const char *interp,
			    const char *arg, struct closure_program *out, struct problem *why)
{
	struct closure_program sub = { 0 };
	size_t n = strlen(interp);

	if (interp[0] != '/' || !path_exists(interp))
		return refuse(
			why,
			interp[n - 1] == '\r'
				? xasprintf("its first line ends with a carriage return: sed -i "
					    "'s/\\r$//' %s",
					    path)
				: xstrdup("install that program, or correct the script's first "
					  "line"),
			"%s is a script for %.*s, which does not exist", path,
			(int)(interp[n - 1] == '\r' ? n - 1 : n), interp);
	if (!add_program(c, interp, &sub, why))
		return false;
	if (strcmp(path_base(interp), "env") == 0 && arg != NULL) {
		char *program = env_program(c, arg);

		closure_program_release(&sub);
		if (program == NULL)
			return refuse(why, xstrdup("install it, or set PATH with -e PATH=..."),
				      "%s is a script for \"%s\", which is not in PATH", path, arg);
		bool ok = add_program(c, program, &sub, why);

		free(program);
		if (!ok)
			return false;
	}
	out->words = sub.words;
	out->interp = xstrdup(interp);
	closure_program_release(&sub);
	return true;
}

static bool add_script(struct closure *c, const char *path, const char *text, size_t size,
		       struct closure_program *out, struct problem *why)
{
	char *interp, *arg;

	if (!words_shebang(text, size, &interp, &arg))
		return refuse(
			why,
			xstrdup("give a program for x86-64 Linux, or a script that begins with "
				"\"#!/path/of/interpreter\""),
			"%s is neither an ELF program nor a script", path);
	bool ok = c->script_depth < SCRIPT_DEPTH ||
		  refuse(why, NULL, "%s: too many scripts that are interpreters of scripts", path);

	c->script_depth++;
	ok = ok && add_interpreter(c, path, interp, arg, out, why);
	c->script_depth--;
	free(interp);
	free(arg);
	return ok;
}

/* The first bytes of a file, NUL-terminated; -1 with errno. */
static ssize_t read_head(const char *path, char *buffer, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd >= 0 ? read(fd, buffer, size - 1) : -1;
	int keep = errno;

	if (fd >= 0)
		close(fd);
	if (n >= 0)
		buffer[n] = '\0';
	errno = keep;
	return n;
}

static bool check_file(const char *path, struct problem *why)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return refuse(why, NULL, "%s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return refuse(why,
			      xstrdup("give a program; folders for it come along with --include"),
			      "%s is a folder, not a program", path);
	if (!S_ISREG(st.st_mode))
		return refuse(why, NULL, "%s is no regular file", path);
	if ((st.st_mode & 0111) == 0)
		return refuse(why,
			      xasprintf("chmod +x %s, or name its interpreter: ringfence run "
					"INTERPRETER %s",
					path, path),
			      "%s is not executable", path);
	if (st.st_size == 0)
		return refuse(why, NULL, "%s is empty", path);
	return true;
}

static bool add_checked(struct closure *c, const char *path, const char *real,
			struct closure_program *out, struct problem *why)
{
	struct elf_info info;
	char reason[ELF_WHY_MAX], head[512];
	ssize_t n = read_head(real, head, sizeof(head));
	bool ok;

	if (n < 0 || rootfs_add_path(&c->fs, path, NULL) != 0)
		return refuse(why, NULL, "%s cannot be read: %s", path, strerror(errno));
	if (n >= 4 && memcmp(head, "\177ELF", 4) == 0) {
		ok = elf_info_load(real, &info, reason);
		if (!ok)
			refuse(why,
			       xstrdup("give a 64-bit program for x86-64 Linux (file(1) tells "
				       "what it is)"),
			       "%s cannot run here: %s", path, reason);
		else if (!seen_before(c, real))
			ok = add_elf_program(c, path, real, &info, why);
		elf_info_release(&info);
	} else {
		ok = add_script(c, path, head, (size_t)n, out, why);
		if (ok && !seen_before(c, real))
			closure_scan_file(c, real, out->words);
	}
	return ok;
}

static bool add_program(struct closure *c, const char *path, struct closure_program *out,
			struct problem *why)
{
	struct closure_program own = { .path = xstrdup(path) };
	bool ok = check_file(path, why);
	char *real = ok ? realpath(path, NULL) : NULL;

	ok = ok && real != NULL && add_checked(c, path, real, &own, why);
	if (ok) {
		const struct catalog_entry *e = catalog_match(c->catalog, real, path);

		if (e != NULL) {
			own.entry = e;
			if (own.interp == NULL || e->words != WORDS_NO)
				own.words = e->words;
			apply_catalog(c, e, real);
		}
	}
	free(real);
	if (out != NULL && ok)
		*out = own;
	else
		closure_program_release(&own);
	return ok;
}

void closure_add_program(struct closure *c, const char *path, struct closure_program *out)
{
	struct problem why = { 0 };

	if (!add_program(c, path, out, &why)) {
		char *hint = why.hint;

		die(EXIT_NOEXEC, hint, "%s", why.cause != NULL ? why.cause : path);
	}
}

void closure_try_program(struct closure *c, const char *path)
{
	struct problem why = { 0 };

	if (!add_program(c, path, NULL, &why))
		note("%s is not complete: %s", path,
		     why.cause != NULL ? why.cause : "cannot be read");
	problem_release(&why);
}

/*
 * Is it worth starting: an executable file, by name in PATH or by its whole path? The caller frees.
 */
static char *as_program(const struct closure *c, const char *word)
{
	struct stat st;

	if (strchr(word, '/') == NULL)
		return find_in_path(word, c->path_list);
	if (word[0] != '/' || stat(word, &st) != 0 || !S_ISREG(st.st_mode) ||
	    access(word, X_OK) != 0)
		return NULL;
	return xstrdup(word);
}

void closure_add_named(struct closure *c, const char *text, enum catalog_words words)
{
	struct strv list = { 0 };

	words_collect(text, words, &list);
	for (size_t i = 0; i < list.n; i++) {
		char *program = as_program(c, list.v[i]);

		if (program != NULL)
			closure_try_program(c, program);
		free(program);
	}
	strv_release(&list);
}

void closure_scan_file(struct closure *c, const char *path, enum catalog_words words)
{
	size_t size, max = c->script_depth == 0 ? SCAN_MAX : SCAN_NESTED_MAX;
	char *text;

	if (words == WORDS_NO || c->script_depth >= SCAN_DEPTH ||
	    read_whole_file(path, max, &text, &size) != 0)
		return;
	c->script_depth++;
	if (memchr(text, '\0', size) == NULL)
		closure_add_named(c, text, words);
	c->script_depth--;
	free(text);
}

/* May this file hold code: marked as executable, or named like a library? */
static bool maybe_elf(const struct rootfs_entry *e)
{
	return e->type == ROOTFS_FILE && e->data == NULL && e->size >= 64 &&
	       ((e->mode & 0111) != 0 || strstr(path_base(e->guest), ".so") != NULL);
}

void closure_finish(struct closure *c)
{
	for (; c->scanned < c->fs.n; c->scanned++) {
		const struct rootfs_entry *e = c->fs.entries[c->scanned];
		struct problem why = { 0 };
		struct elf_info info;
		char reason[ELF_WHY_MAX], head[8];

		if (!maybe_elf(e) || strv_has(&c->programs, e->host) ||
		    read_head(e->host, head, sizeof(head)) < 4 || memcmp(head, "\177ELF", 4) != 0)
			continue;
		strv_add(&c->programs, e->host);
		if (!elf_info_load(e->host, &info, reason))
			note("%s is taken along as it is: %s", e->host, reason);
		else if (!add_elf_program(c, e->host, e->host, &info, &why))
			note("%s is not complete: %s", e->host, why.cause);
		elf_info_release(&info);
		problem_release(&why);
	}
}
