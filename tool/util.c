/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/util.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tool/report.h"

void *xmalloc(size_t size)
{
	void *p = malloc(size != 0 ? size : 1);

	if (p == NULL)
		die_oom();
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n != 0 ? n : 1, size);

	if (p == NULL)
		die_oom();
	return p;
}

void *xrealloc(void *old, size_t size)
{
	void *p = realloc(old, size);

	if (p == NULL)
		die_oom();
	return p;
}

char *xstrdup(const char *s)
{
	return xstrndup(s, strlen(s));
}

char *xstrndup(const char *s, size_t n)
{
	char *p = xmalloc(n + 1);

	memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

static char *vxasprintf(const char *fmt, va_list ap)
{
	char *p = NULL;

	if (vasprintf(&p, fmt, ap) < 0)
		die_oom();
	return p;
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *p = vxasprintf(fmt, ap);
	va_end(ap);
	return p;
}

void strv_take(struct strv *list, char *s)
{
	/* Grows at powers of two; one slot more for the NULL. */
	if ((list->n & (list->n + 1)) == 0)
		list->v = xrealloc(list->v, (2 * list->n + 2) * sizeof(*list->v));
	list->v[list->n++] = s;
	list->v[list->n] = NULL;
}

void strv_add(struct strv *list, const char *s)
{
	strv_take(list, xstrdup(s));
}

void strv_addf(struct strv *list, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strv_take(list, vxasprintf(fmt, ap));
	va_end(ap);
}

void strv_add_all(struct strv *list, const struct strv *from)
{
	for (size_t i = 0; i < from->n; i++)
		strv_add(list, from->v[i]);
}

bool strv_has(const struct strv *list, const char *s)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->v[i], s) == 0)
			return true;
	return false;
}

void strv_release(struct strv *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->v[i]);
	free(list->v);
	*list = (struct strv){ 0 };
}

bool str_begins(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && strcmp(s + n - m, suffix) == 0;
}

char *path_join(const char *a, const char *b)
{
	if (b[0] == '/' || a[0] == '\0')
		return xstrdup(b);
	return xasprintf("%s%s%s", a, str_ends(a, "/") ? "" : "/", b);
}

char *path_absolute(const char *base, const char *path)
{
	return path_join(base, path);
}

char *path_parent(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return xstrdup(".");
	if (slash == path)
		return xstrdup("/");
	return xstrndup(path, (size_t)(slash - path));
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

bool path_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

bool path_within(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (strcmp(dir, "/") == 0)
		return true;
	return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

int make_dirs(const char *path, mode_t mode)
{
	char *copy = xstrdup(path);
	int rc = 0;

	for (char *p = copy + 1;; p++) {
		if (*p != '/' && *p != '\0')
			continue;
		char end = *p;

		*p = '\0';
		rc = mkdir(copy, mode);
		if (rc != 0 && errno == EEXIST)
			rc = 0;
		*p = end;
		if (rc != 0 || end == '\0')
			break;
	}
	free(copy);
	return rc;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)ftw;
	/* A folder without rights (staged from one of the host) must not stop us. */
	if (type == FTW_DNR && chmod(path, 0700) == 0) {
		remove_tree(path);
		return 0;
	}
	if (S_ISDIR(st->st_mode))
		rmdir(path);
	else
		unlink(path);
	return 0;
}

static int open_up(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)ftw;
	(void)type;
	if (S_ISDIR(st->st_mode) && (st->st_mode & 0700) != 0700)
		chmod(path, 0700);
	return 0;
}

void remove_tree(const char *path)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return;
	if (!S_ISDIR(st.st_mode)) {
		unlink(path);
		return;
	}
	nftw(path, open_up, 32, FTW_PHYS);
	nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS);
}

int read_whole_file(const char *path, size_t max, char **data, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t room = 0, n = 0;
	char *buffer = NULL;

	if (fd < 0)
		return -1;
	for (;;) {
		if (n == room) {
			room = room == 0 ? 16384 : 2 * room;
			buffer = xrealloc(buffer, room + 1);
		}
		ssize_t got = read(fd, buffer + n, room - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got >= 0 && n + (size_t)got > max) {
			errno = EFBIG;
			got = -1;
		}
		if (got < 0) {
			int e = errno;

			free(buffer);
			close(fd);
			errno = e;
			return -1;
		}
		if (got == 0)
			break;
		n += (size_t)got;
	}
	close(fd);
	buffer[n] = '\0';
	*data = buffer;
	*size = n;
	return 0;
}

int write_all(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size > 0) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

bool parse_size(const char *text, uint64_t *bytes)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	unsigned long long n = strtoull(text, &end, 10);
	unsigned shift = 20;

	switch (*end) {
	case 'k':
	case 'K':
		shift = 10;
		end++;
		break;
	case 'm':
	case 'M':
		shift = 20;
		end++;
		break;
	case 'g':
	case 'G':
		shift = 30;
		end++;
		break;
	case '\0': break;
	default: return false;
	}
	if (*end == 'i')
		end++;
	if (*end == 'B' || *end == 'b')
		end++;
	if (errno != 0 || *end != '\0' || n == 0 || n > (1ull << 40 >> shift))
		return false;
	*bytes = (uint64_t)n << shift;
	return true;
}

const char *format_size(uint64_t bytes, char buffer[32])
{
	if (bytes >= 1u << 20)
		snprintf(buffer, 32, "%.1f MiB", (double)bytes / (1 << 20));
	else
		snprintf(buffer, 32, "%.1f KiB", (double)bytes / (1 << 10));
	return buffer;
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

char *tool_dir(void)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return xstrdup(".");
	self[n] = '\0';
	return path_parent(self);
}

static void child_exec(char *const argv[], char *const extra_env[], int out, int errors)
{
	int null = open("/dev/null", O_RDWR);

	dup2(null, STDIN_FILENO);
	dup2(out >= 0 ? out : null, STDOUT_FILENO);
	dup2(out >= 0 ? out : null, STDERR_FILENO);
	for (size_t i = 0; extra_env != NULL && extra_env[i] != NULL; i++)
		putenv(extra_env[i]);
	execvp(argv[0], argv);
	int e = errno;

	if (write(errors, &e, sizeof(e)) != sizeof(e))
		_exit(126);
	_exit(127);
}

int run_program(char *const argv[], char *const extra_env[], int out)
{
	int errors[2];
	int status, e = 0;

	if (pipe2(errors, O_CLOEXEC) != 0)
		return -1;
	pid_t pid = fork();

	if (pid == 0)
		child_exec(argv, extra_env, out, errors[1]);
	close(errors[1]);
	if (pid < 0) {
		close(errors[0]);
		return -1;
	}
	ssize_t got = read(errors[0], &e, sizeof(e));

	close(errors[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (got == sizeof(e)) {
		errno = e;
		return -1;
	}
	return status;
}

static bool is_runnable(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

char *find_in_path(const char *name, const char *path_list)
{
	const char *p = path_list;

	while (p != NULL && *name != '\0') {
		const char *end = strchrnul(p, ':');
		char *dir = end == p ? xstrdup(".") : xstrndup(p, (size_t)(end - p));
		char *full = path_join(dir, name);

		free(dir);
		if (is_runnable(full))
			return full;
		free(full);
		p = *end == ':' ? end + 1 : NULL;
	}
	return NULL;
}
