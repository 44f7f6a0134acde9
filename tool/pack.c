/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/pack.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/places.h"
#include "tool/report.h"

/* Folders in arguments are taken along up to here; more only with --include. */
#define ARG_FILES_MAX 20000u
#define ARG_BYTES_MAX (512ull << 20)

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Variables of the host that the program gets without being asked for. */
static const char *const passed_on[] = { "TERM", "LANG", "LANGUAGE", "LC_*", "PATH", "HOME", "TZ" };

static bool is_passed_on(const char *var)
{
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++) {
		const char *name = passed_on[i];
		size_t n = strcspn(name, "*");

		if (strncmp(var, name, n) == 0 && (name[n] == '*' || var[n] == '='))
			return true;
	}
	return false;
}

/* Set or replace NAME=VALUE. */
static void env_set(struct strv *env, const char *var)
{
	size_t n = strcspn(var, "=") + 1;

	for (size_t i = 0; i < env->n; i++) {
		if (strncmp(env->v[i], var, n) != 0)
			continue;
		free(env->v[i]);
		env->v[i] = xstrdup(var);
		return;
	}
	strv_add(env, var);
}

void pack_environment(struct strv *env, const struct strv *catalog_env, const struct strv *user)
{
	for (char **var = environ; var != NULL && *var != NULL; var++)
		if (is_passed_on(*var))
			env_set(env, *var);
	for (size_t i = 0; catalog_env != NULL && i < catalog_env->n; i++)
		env_set(env, catalog_env->v[i]);
	for (size_t i = 0; i < user->n; i++)
		env_set(env, user->v[i]);
}

/* Value that the user gives a variable, or NULL. */
static const char *user_value(const struct run_spec *spec, const char *name)
{
	size_t n = strlen(name);
	const char *value = NULL;

	for (size_t i = 0; i < spec->env.n; i++)
		if (strncmp(spec->env.v[i], name, n) == 0 && spec->env.v[i][n] == '=')
			value = spec->env.v[i] + n + 1;
	return value;
}

const char *pack_path_list(const struct run_spec *spec)
{
	const char *path = user_value(spec, "PATH");

	if (path == NULL)
		path = getenv("PATH");
	return path != NULL && *path != '\0' ? path : DEFAULT_PATH;
}

/*
 * Version managers (pyenv, rbenv) put scripts into a folder "shims" that look the real program up
 * with tools of the host: these cannot run in a guest.
 */
static bool is_shim(const char *path)
{
	char *dir = path_parent(path);
	bool shim = str_ends(dir, "/shims");

	free(dir);
	return shim;
}

/* PATH without folders of shims. The caller frees. */
static char *without_shims(const char *path_list)
{
	struct strv dirs = { 0 };
	char *copy = xstrdup(path_list), *save = NULL, *out = xstrdup("");

	for (char *d = strtok_r(copy, ":", &save); d != NULL; d = strtok_r(NULL, ":", &save))
		if (!str_ends(d, "/shims"))
			strv_add(&dirs, d);
	for (size_t i = 0; i < dirs.n; i++) {
		char *longer = xasprintf("%s%s%s", out, i != 0 ? ":" : "", dirs.v[i]);

		free(out);
		out = longer;
	}
	strv_release(&dirs);
	free(copy);
	return out;
}

static char *absolute_here(const char *path)
{
	char *cwd = places_here();

	while (str_begins(path, "./"))
		path += 2 + strspn(path + 2, "/");
	char *full = path_absolute(cwd, path);

	free(cwd);
	return full;
}

/* Debian keeps several versions of some servers side by side, outside PATH. The newest. */
static char *find_by_pattern(const char *program)
{
	char *pattern = xasprintf("/usr/lib/postgresql/*/bin/%s", program), *found = NULL;
	glob_t g = { 0 };

	if (glob(pattern, 0, NULL, &g) == 0)
		found = xstrdup(g.gl_pathv[g.gl_pathc - 1]);
	globfree(&g);
	free(pattern);
	return found;
}

char *pack_find_program(const char *program, const char *path_list)
{
	if (strchr(program, '/') != NULL) {
		if (!path_exists(program))
			die(EXIT_NOPROG, "check the path", "%s does not exist", program);
		return absolute_here(program);
	}
	char *found = find_in_path(program, path_list);

	if (found == NULL) /* servers are often not in a user's PATH */
		found = find_in_path(program, "/usr/local/sbin:/usr/sbin:/sbin");
	if (found == NULL)
		found = find_by_pattern(program);
	if (found != NULL && is_shim(found)) {
		char *rest = without_shims(path_list);
		char *real = find_in_path(program, rest);

		free(rest);
		if (real == NULL)
			die(EXIT_NOPROG, "give the whole path of the program that it stands for",
			    "%s is a version manager's script, which cannot choose a program in "
			    "the guest",
			    found);
		notice("%s is a version manager's script; %s is taken instead", found, real);
		free(found);
		found = real;
	}
	if (found == NULL)
		die(EXIT_NOPROG, "check the spelling, install it, or give its path",
		    "there is no program \"%s\" in PATH (%s)", program, path_list);
	char *full = absolute_here(found);

	free(found);
	return full;
}

static void add_or_note(struct closure *c, const char *path)
{
	if (path_exists(path) && rootfs_add_path(&c->fs, path, NULL) != 0)
		note("%s is left out: %s", path, strerror(errno));
}

/* What the C library reads without being asked. */
static void add_basics(struct closure *c)
{
	static const char *const files[] = {
		"/etc/passwd",
		"/etc/group",
		"/etc/nsswitch.conf",
		"/etc/hosts",
		"/etc/host.conf",
		"/etc/resolv.conf",
		"/etc/protocols",
		"/etc/services",
		"/etc/localtime",
		"/etc/timezone",
		"/etc/ld.so.conf",
		"/etc/ld.so.cache",
		"/etc/mime.types",
		"/etc/inputrc",
		"/etc/os-release",
		"/etc/debian_version",
		"/bin",
		"/lib",
		"/lib64",
		"/sbin",
		"/var/run",
	};
	static const struct {
		const char *path;
		mode_t mode;
	} folders[] = { { "/dev", 0755 }, { "/proc", 0555 }, { "/sys", 0555 },
			{ "/run", 0755 }, { "/tmp", 01777 }, { "/var/tmp", 01777 } };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		add_or_note(c, files[i]);
	for (size_t i = 0; i < c->libs.conf.n; i++)
		add_or_note(c, c->libs.conf.v[i]);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (rootfs_add_folder(&c->fs, folders[i].path, folders[i].mode) != 0)
			die(EXIT_TOOL, NULL, "folder %s cannot be made in the image: %s",
			    folders[i].path, strerror(errno));
}

static void add_folder_files(struct closure *c, const char *path)
{
	struct rootfs_add what = { .host = path, .recursive = true };

	if (path_exists(path) && rootfs_add(&c->fs, &what, NULL) != 0)
		note("%s is left out: %s", path, strerror(errno));
}

static const char *env_value(const struct strv *env, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->v[i], name, n) == 0 && env->v[i][n] == '=')
			return env->v[i] + n + 1;
	return NULL;
}

/* Locale, time zone and terminal description that the environment names. */
static void add_environment_files(struct closure *c, const struct strv *env)
{
	static const char *const terminfo[] = { "/etc/terminfo", "/lib/terminfo",
						"/usr/share/terminfo" };
	const char *term = env_value(env, "TERM"), *zone = env_value(env, "TZ");
	const char *home = env_value(env, "HOME");
	bool locale = false;

	for (size_t i = 0; i < env->n; i++)
		if ((str_begins(env->v[i], "LC_") || str_begins(env->v[i], "LANG=")) &&
		    !str_ends(env->v[i], "=C") && !str_ends(env->v[i], "=POSIX") &&
		    !str_ends(env->v[i], "="))
			locale = true;
	if (locale) {
		add_folder_files(c, "/usr/lib/locale/C.utf8");
		add_or_note(c, "/usr/lib/locale/locale-archive");
	}
	for (size_t i = 0; term != NULL && *term != '\0' && strchr(term, '/') == NULL && i < 3;
	     i++) {
		char *path = xasprintf("%s/%c/%s", terminfo[i], term[0], term);

		add_or_note(c, path);
		free(path);
	}
	if (zone != NULL && *zone != '\0' && strstr(zone, "..") == NULL) {
		char *path = path_join("/usr/share/zoneinfo", *zone == ':' ? zone + 1 : zone);

		add_or_note(c, path);
		free(path);
	}
	if (home != NULL && home[0] == '/' && rootfs_add_folder(&c->fs, home, 0755) != 0)
		note("home folder %s: %s", home, strerror(errno));
}

/* Folders of the system itself, which nobody means to take along by naming them. */
static bool is_system_folder(const char *path)
{
	static const char *const roots[] = { "/",         "/bin",       "/boot",      "/etc",
					     "/home",     "/lib",       "/lib64",     "/media",
					     "/mnt",      "/opt",       "/root",      "/run",
					     "/sbin",     "/srv",       "/tmp",       "/usr",
					     "/usr/bin",  "/usr/lib",   "/usr/share", "/var",
					     "/usr/sbin", "/usr/local", "/var/tmp",   "/var/lib" };

	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++)
		if (strcmp(path, roots[i]) == 0)
			return true;
	return false;
}

static bool is_kernel_folder(const char *path)
{
	return path_within(path, "/proc") || path_within(path, "/sys") || path_within(path, "/dev");
}

/* An argument that names a file that is yet to be made: its folder must be there. */
static void add_parent_of(struct closure *c, const char *path)
{
	char *dir = path_parent(path);
	struct stat st;

	if (stat(dir, &st) == 0 && S_ISDIR(st.st_mode) && !is_kernel_folder(dir) &&
	    rootfs_add_folder(&c->fs, dir, 0755) != 0)
		note("folder %s: %s", dir, strerror(errno));
	free(dir);
}

static void add_argument_folder(struct closure *c, const char *path, const char *arg)
{
	struct rootfs_add what = { .host = path,
				   .recursive = true,
				   .max_files = ARG_FILES_MAX,
				   .max_bytes = ARG_BYTES_MAX };
	char *real = realpath(path, NULL);
	bool system = real == NULL || is_system_folder(real);

	free(real);
	if (system) {
		notice("argument %s names a folder of the system: its content is not taken along "
		       "(--include %s would)",
		       arg, path);
		rootfs_add_path(&c->fs, path, NULL);
	} else if (rootfs_add(&c->fs, &what, NULL) != 0 && errno == E2BIG) {
		die(EXIT_TOOL, "take it along with --include, or name only what the program needs",
		    "argument %s names a folder with more than %u files or %llu MiB", arg,
		    ARG_FILES_MAX, ARG_BYTES_MAX >> 20);
	}
}

/* A path that an argument may name, relative to the working folder. */
static void add_argument_path(struct closure *c, const char *arg, const char *cwd,
			      enum catalog_words words)
{
	char *path = path_absolute(cwd, arg);
	struct stat st;

	if (*arg == '\0' || strlen(path) >= 4096 || is_kernel_folder(path)) {
		free(path);
		return;
	}
	if (stat(path, &st) != 0) {
		if (errno == ENOENT && lstat(path, &st) == 0)
			add_or_note(c, path);
		else if (errno == ENOENT && strchr(arg, '/') != NULL)
			add_parent_of(c, path);
	} else if (S_ISDIR(st.st_mode)) {
		add_argument_folder(c, path, arg);
	} else if (S_ISREG(st.st_mode)) {
		if (rootfs_add_path(&c->fs, path, NULL) != 0)
			warn("argument %s names a file that cannot be taken along: %s", arg,
			     strerror(errno));
		else if ((st.st_mode & 0111) != 0)
			closure_try_program(c, path);
		closure_scan_file(c, path, words);
	} else {
		note("argument %s is neither file nor folder: it is not taken along", arg);
	}
	free(path);
}

static void add_arguments(struct closure *c, const struct strv *args, const char *cwd,
			  enum catalog_words words)
{
	for (size_t i = 0; i < args->n; i++) {
		const char *arg = args->v[i];
		const char *value = strchr(arg, '=');

		interrupts_check();
		add_argument_path(c, arg, cwd, words);
		/* --file=PATH, if=PATH, -fPATH is not looked into */
		if (value != NULL && value[1] != '\0' && strchr(arg, '\n') == NULL)
			add_argument_path(c, value + 1, cwd, WORDS_NO);
		/* curl, gcc, ar and others read what is behind it from a file */
		if (arg[0] == '@')
			add_argument_path(c, arg + 1, cwd, WORDS_NO);
		closure_add_named(c, arg,
				  words == WORDS_QUOTED && strpbrk(arg, "'\"`") == NULL ? WORDS_NO
											: words);
	}
}

/*
 * What the user wants along, either what has a place of its own in the guest or the rest. The
 * former is added before anything else: at one place, it wins over the host's file.
 */
static void add_includes(struct closure *c, const struct strv *includes, bool placed)
{
	for (size_t i = 0; i < includes->n; i++) {
		char *host = xstrdup(includes->v[i]);
		char *colon = path_exists(host) ? NULL : strrchr(host, ':');
		struct rootfs_add what = { .host = host, .recursive = true };
		struct stat st;

		if (colon != NULL) {
			*colon = '\0';
			what.guest = colon + 1;
		}
		if ((colon != NULL) == placed && rootfs_add(&c->fs, &what, NULL) != 0)
			die(EXIT_TOOL,
			    errno == EEXIST ? "a place in the guest is for one file only" : NULL,
			    "%s cannot be included: %s", includes->v[i], strerror(errno));
		if (colon == NULL && !placed && stat(host, &st) == 0 && S_ISREG(st.st_mode) &&
		    (st.st_mode & 0111) != 0)
			closure_try_program(c, host);
		free(host);
	}
}

static void check_needs(const struct catalog_entry *e, const char *exe)
{
	for (unsigned i = 0; i < e->needs_count; i++) {
		char *path = catalog_expand(e->needs[i], exe), *hint;

		if (path_exists(path) && access(path, R_OK) == 0) {
			free(path);
			continue;
		}
		if (path_exists(path))
			die(EXIT_TOOL, "run the tool as a user who may read it",
			    "%s needs %s, which you may not read", e->name, path);
		hint = xasprintf("dpkg -S %s may tell the package; or give arguments of your own",
				 path);
		die(EXIT_TOOL, hint, "%s needs its configuration %s, which this host does not have",
		    e->name, path);
	}
}

/* The user's arguments, and those of the program's catalog entry. */
static void add_catalog_arguments(const struct pack *pack, const struct run_spec *spec,
				  struct strv *args)
{
	const struct catalog_entry *e = pack->entry;

	if (e != NULL && spec->args.n == 0)
		check_needs(e, pack->exe);
	if (e != NULL && e->args_before_count > 0 && !strv_has(&spec->args, e->args_before[0]))
		for (unsigned i = 0; i < e->args_before_count; i++)
			strv_take(args, catalog_expand(e->args_before[i], pack->exe));
	if (e != NULL && spec->args.n == 0)
		for (unsigned i = 0; i < e->args_count; i++)
			strv_take(args, catalog_expand(e->args[i], pack->exe));
	strv_add_all(args, &spec->args);
}

/* Those of the catalog that this host has, then the user's. */
static void add_secrets(struct pack *pack, const struct run_spec *spec, const struct strv *env)
{
	struct strv wanted = { 0 };

	for (size_t i = 0; i < pack->files.secrets.n; i++)
		if (!strv_has(&spec->secrets, pack->files.secrets.v[i]))
			strv_add(&wanted, pack->files.secrets.v[i]);
	strv_add_all(&wanted, &spec->secrets);
	secrets_apply(&pack->secrets, &pack->files, &wanted, env, &pack->argv);
	strv_release(&wanted);
}

/*
 * What the program is called by: as the user did, but by its whole path if PATH does not lead to
 * it, since some look for themselves there.
 */
static const char *called_by(const struct pack *pack, const char *program)
{
	char *found = strchr(program, '/') == NULL ? find_in_path(program, pack->files.path_list)
						   : xstrdup(program);
	const char *name = found != NULL ? program : pack->exe;

	free(found);
	return name;
}

void pack_make(struct pack *pack, const struct run_spec *spec, const struct catalog *catalog)
{
	struct closure *c = &pack->files;
	struct closure_program program = { 0 };
	struct strv env = { 0 }, args = { 0 };
	const char *library_path = user_value(spec, "LD_LIBRARY_PATH");

	*pack = (struct pack){ 0 };
	closure_init(c, catalog, pack_path_list(spec));
	if (library_path != NULL)
		libs_set_library_path(&c->libs, library_path);
	pack->exe = pack_find_program(spec->program, c->path_list);
	strv_add(&pack->argv, called_by(pack, spec->program));
	pack->cwd = spec->workdir != NULL ? xstrdup(spec->workdir) : getcwd(NULL, 0);
	if (pack->cwd == NULL)
		pack->cwd = xstrdup("/");

	add_includes(c, &spec->include, true);
	closure_add_program(c, pack->exe, &program);
	pack->entry = program.entry;
	add_catalog_arguments(pack, spec, &args);
	strv_add_all(&pack->argv, &args);
	add_basics(c);
	for (size_t i = 0; i < spec->programs.n; i++) {
		char *other = pack_find_program(spec->programs.v[i], c->path_list);

		closure_add_program(c, other, NULL);
		free(other);
	}
	/*
	 * With -w, relative arguments are the guest's; the host's files of that path are looked
	 * for.
	 */
	add_arguments(c, &args, pack->cwd, program.words);
	add_includes(c, &spec->include, false);
	pack_environment(&env, &c->env, &spec->env);
	add_environment_files(c, &env);
	closure_finish(c);
	if (rootfs_add_folder(&c->fs, pack->cwd, 0755) != 0)
		die(EXIT_TOOL, "choose another working folder with -w", "working folder %s: %s",
		    pack->cwd, strerror(errno));
	add_secrets(pack, spec, &env);
	strv_release(&env);
	strv_release(&args);
	closure_program_release(&program);
}

void pack_release(struct pack *pack)
{
	secrets_release(&pack->secrets);
	closure_release(&pack->files);
	free(pack->exe);
	strv_release(&pack->argv);
	free(pack->cwd);
	*pack = (struct pack){ 0 };
}
