/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/state.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tool/near.h"
#include "tool/report.h"
#include "tool/statejson.h"

#define STATE_MAX (1u << 20)

/* ---- the runtime folder ---- */

/* Ours alone? Else somebody could put a socket of his own there. */
static bool is_private(const char *path, char why[256])
{
	struct stat st;

	if (lstat(path, &st) != 0)
		snprintf(why, 256, "%s: %s", path, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		snprintf(why, 256, "%s is no folder", path);
	else if (st.st_uid != geteuid())
		snprintf(why, 256, "%s belongs to another user", path);
	else if ((st.st_mode & 077) != 0)
		snprintf(why, 256, "%s is open to other users (chmod 700 %s)", path, path);
	else
		return true;
	return false;
}

/* The caller frees; NULL with the reason. */
static char *runtime_folder(char why[256])
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	char *path = xdg != NULL && xdg[0] == '/'
			     ? path_join(xdg, "ringfence")
			     : xasprintf("/tmp/ringfence-%u", (unsigned)geteuid());

	if ((mkdir(path, 0700) == 0 || errno == EEXIST) && is_private(path, why))
		return path;
	if (why[0] == '\0')
		snprintf(why, 256, "%s cannot be made: %s", path, strerror(errno));
	free(path);
	return NULL;
}

static char *need_runtime_folder(void)
{
	char why[256] = "";
	char *path = runtime_folder(why);

	if (path == NULL)
		die(EXIT_TOOL, "set XDG_RUNTIME_DIR to a folder of your own",
		    "there is no place for the state of machines: %s", why);
	return path;
}

char *state_path(const char *name, const char *file)
{
	char *dir = need_runtime_folder();
	char *path = xasprintf("%s/%s/%s", dir, name, file);

	free(dir);
	return path;
}

const char *state_bad_name(const char *name)
{
	if (!isalnum((unsigned char)name[0]))
		return "it must begin with a letter or digit";
	if (strlen(name) > NAME_LONGEST)
		return "it is longer than 63 characters";
	for (const char *p = name; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && strchr("_.-", *p) == NULL)
			return "only letters, digits, \"_\", \".\" and \"-\" may be in it";
	return NULL;
}

/* ---- the lock ---- */

static struct flock whole_file(void)
{
	return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
}

/* Does a process hold this lock? Asking takes nothing from anybody. */
static bool is_locked(const char *lock_path)
{
	int fd = open(lock_path, O_RDWR | O_CLOEXEC);
	struct flock l = whole_file();
	bool locked;

	if (fd < 0)
		return false;
	locked = fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
	close(fd);
	return locked;
}

/* Take the lock of a folder that may be removed by others at any time. -1 with errno (EAGAIN: held)
 */
static int take_lock(const char *folder)
{
	char *path = path_join(folder, "lock");
	struct stat opened, now;
	int fd = -1;

	for (;;) {
		struct flock l = whole_file();

		if (mkdir(folder, 0700) != 0 && errno != EEXIST)
			break;
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 && errno == ENOENT)
			continue; /* removed just now */
		if (fd < 0)
			break;
		if (fcntl(fd, F_OFD_SETLK, &l) != 0) {
			int e = errno;

			close(fd);
			fd = -1;
			errno = e == EACCES ? EAGAIN : e;
			break;
		}
		if (fstat(fd, &opened) == 0 && stat(path, &now) == 0 &&
		    opened.st_ino == now.st_ino && opened.st_dev == now.st_dev)
			break;
		close(fd);
	}
	free(path);
	return fd;
}

/* ---- processes ---- */

uint64_t process_start(pid_t pid)
{
	char *path = xasprintf("/proc/%d/stat", (int)pid), *text = NULL, *p;
	unsigned long long start = 0;
	size_t size;

	if (pid > 0 && read_whole_file(path, 4096, &text, &size) == 0 &&
	    (p = strrchr(text, ')')) != NULL &&
	    sscanf(p + 1,
		   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		   &start) != 1)
		start = 0;
	free(text);
	free(path);
	return start;
}

/* A QEMU that outlived its owner: PR_SET_PDEATHSIG should have ended it; make sure. */
static void kill_left_qemu(const struct vm_state *s)
{
	int fd = s->qemu > 0 ? pidfd_open(s->qemu, 0) : -1;

	if (fd < 0)
		return;
	/* The descriptor refers to one process for good: now its identity can be checked. */
	if (s->qemu_start != 0 && process_start(s->qemu) == s->qemu_start)
		(void)pidfd_send_signal(fd, SIGKILL, NULL, 0);
	close(fd);
}

/* ---- claiming and letting go ---- */

static bool load_from(const char *dir, const char *name, struct vm_state *out);

static bool has_state(const char *folder)
{
	char *path = path_join(folder, "state.json");
	bool there = path_exists(path);

	free(path);
	return there;
}

/* "nginx" of "/usr/sbin/nginx", with only what a name may hold. */
static char *name_of_program(const char *program)
{
	char *name = xstrndup(path_base(program), NAME_LONGEST - 6);

	for (char *p = name; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && strchr("_.-", *p) == NULL)
			*p = '-';
	if (!isalnum((unsigned char)name[0])) {
		free(name);
		name = xstrdup("vm");
	}
	return name;
}

static void taken(const char *name)
{
	struct vm_state s;
	bool runs = !state_load(name, &s) || s.alive; /* without a state yet it just starts */
	char *hint = runs ? xasprintf("choose another --name, or: ringfence stop %s", name)
			  : xasprintf("choose another --name, or: ringfence rm %s", name);
	die(EXIT_TOOL, hint, "the name %s is taken by a machine that %s", name,
	    runs ? "runs" : "has ended");
}

/* Left by a command in the foreground that was killed: it stands for nothing any more. */
static bool was_abandoned(const char *dir, const char *name, const char *folder)
{
	struct vm_state s = { 0 };
	bool abandoned = load_from(dir, name, &s) && s.phase != VM_EXITED && !s.detached;

	if (abandoned) {
		char *state = path_join(folder, "state.json");

		kill_left_qemu(&s);
		unlink(state);
		free(state);
	}
	state_free(&s);
	return abandoned;
}

static bool claim_named(const char *dir, const char *name, struct vm_folder *out)
{
	char *folder = path_join(dir, name);
	int lock = take_lock(folder);

	if (lock >= 0 && (!has_state(folder) || was_abandoned(dir, name, folder))) {
		*out = (struct vm_folder){ .path = folder, .name = xstrdup(name), .lock = lock };
		return true;
	}
	if (lock >= 0)
		close(lock);
	free(folder);
	return false;
}

bool state_claim(const char *name, const char *program, struct vm_folder *out, char why[256])
{
	char *dir = runtime_folder(why);

	if (dir == NULL && name != NULL)
		need_runtime_folder();
	if (dir == NULL)
		return false;
	if (name != NULL) {
		struct vm_state *all;
		size_t n = state_list(&all); /* tidies up */

		state_list_free(all, n);
		if (!claim_named(dir, name, out))
			taken(name);
		free(dir);
		return true;
	}
	char *base = name_of_program(program);
	bool ok = claim_named(dir, base, out);

	for (unsigned i = 2; !ok && i < 10000; i++) {
		char *numbered = xasprintf("%s-%u", base, i);

		ok = claim_named(dir, numbered, out);
		free(numbered);
	}
	if (!ok)
		snprintf(why, 256, "no folder can be made in %s: %s", dir, strerror(errno));
	free(base);
	free(dir);
	return ok;
}

void state_release(struct vm_folder *f, bool remove)
{
	if (f->path == NULL)
		return;
	if (remove)
		remove_tree(f->path);
	close(f->lock);
	free(f->path);
	free(f->name);
	*f = (struct vm_folder){ .lock = -1 };
}

static bool save_in(const char *folder, const struct vm_state *s)
{
	char *path = path_join(folder, "state.json"), *temporary = path_join(folder, ".state.new");
	char *text = statejson_text(s);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && write_all(fd, text, strlen(text)) == 0;

	ok = (fd < 0 || close(fd) == 0) && ok && rename(temporary, path) == 0;
	free(text);
	free(temporary);
	free(path);
	return ok;
}

void state_save(const struct vm_folder *f, const struct vm_state *s)
{
	if (f->path != NULL && !save_in(f->path, s))
		die(EXIT_TOOL, NULL, "the state of %s cannot be written to %s: %s", f->name,
		    f->path, strerror(errno));
}

/* ---- reading ---- */

static bool load_from(const char *dir, const char *name, struct vm_state *out)
{
	char *path = xasprintf("%s/%s/state.json", dir, name);
	char *lock = xasprintf("%s/%s/lock", dir, name), *text = NULL;
	size_t size;
	/* First the lock: an owner that ends writes its last state before it lets go. */
	bool alive = is_locked(lock);
	bool ok = read_whole_file(path, STATE_MAX, &text, &size) == 0 && statejson_read(text, out);

	if (ok) {
		free(out->name);
		out->name = xstrdup(name);
		out->alive = alive;
	}
	free(text);
	free(lock);
	free(path);
	return ok;
}

bool state_load(const char *name, struct vm_state *out)
{
	char *dir;
	bool ok;

	if (state_bad_name(name) != NULL)
		return false;
	dir = need_runtime_folder();
	ok = load_from(dir, name, out);
	free(dir);
	return ok;
}

/*
 * The owner died without saying so. Whoever finds it tidies up: a foreground machine leaves
 * nothing, a detached one its log and the news.
 */
static void tidy_up(const char *dir, const char *name)
{
	char *folder = path_join(dir, name);
	int lock = take_lock(folder);
	struct vm_state s = { 0 };

	if (lock >= 0 && !load_from(dir, name, &s)) {
		remove_tree(folder); /* it died before it had a state, or the state is damaged */
	} else if (lock >= 0 && s.phase != VM_EXITED) {
		kill_left_qemu(&s);
		s.phase = VM_EXITED;
		s.exit_code = 128 + SIGKILL;
		s.ended = time(NULL);
		s.owner = s.qemu = 0;
		free(s.message);
		s.message = xstrdup("the process that held the machine was killed");
		if (s.detached)
			(void)save_in(folder, &s);
		else
			remove_tree(folder);
	}
	state_free(&s);
	if (lock >= 0)
		close(lock);
	free(folder);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct vm_state *)a)->name, ((const struct vm_state *)b)->name);
}

static void list_one(const char *dir, const char *name, struct vm_state **all, size_t *n)
{
	char *lock = xasprintf("%s/%s/lock", dir, name);
	struct vm_state s = { 0 };

	if (!is_locked(lock) && (!load_from(dir, name, &s) || s.phase != VM_EXITED))
		tidy_up(dir, name);
	state_free(&s);
	free(lock);
	if (!load_from(dir, name, &s))
		return;
	*all = xrealloc(*all, (*n + 1) * sizeof(**all));
	(*all)[(*n)++] = s;
}

size_t state_list(struct vm_state **out)
{
	char *dir = need_runtime_folder();
	DIR *d = opendir(dir);
	struct dirent *e;
	size_t n = 0;

	*out = NULL;
	while (d != NULL && (e = readdir(d)) != NULL)
		if (state_bad_name(e->d_name) == NULL)
			list_one(dir, e->d_name, out, &n);
	if (d != NULL)
		closedir(d);
	free(dir);
	if (n > 0)
		qsort(*out, n, sizeof(**out), by_name);
	return n;
}

void state_free(struct vm_state *s)
{
	free(s->name);
	free(s->program);
	free(s->message);
	strv_release(&s->ports);
	*s = (struct vm_state){ 0 };
}

void state_list_free(struct vm_state *all, size_t n)
{
	for (size_t i = 0; i < n; i++)
		state_free(&all[i]);
	free(all);
}

bool state_remove(const char *name)
{
	char *dir = need_runtime_folder();
	char *folder = path_join(dir, name);
	int lock = take_lock(folder);

	if (lock >= 0) {
		remove_tree(folder);
		close(lock);
	}
	free(folder);
	free(dir);
	return lock >= 0;
}

void state_unknown(const char *name)
{
	struct vm_state *all;
	size_t n = state_list(&all);
	struct strv names = { 0 };
	const char *near;

	for (size_t i = 0; i < n; i++)
		strv_add(&names, all[i].name);
	near = near_word(name, &names);
	if (near != NULL) {
		char *hint = xasprintf("did you mean %s? (ringfence ps -a lists all)", near);

		die(EXIT_NOVM, hint, "there is no machine %s", name);
	}
	die(EXIT_NOVM, n > 0 ? "ringfence ps -a lists all" : "ringfence run -d PROGRAM starts one",
	    "there is no machine %s", name);
}

const char *state_phase_name(enum vm_phase phase)
{
	static const char *const names[] = { "starting", "running", "restarting", "exited" };

	return names[phase];
}
