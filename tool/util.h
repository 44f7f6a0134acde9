/* SPDX-License-Identifier: BSD-2-Clause */
/* Small helpers of the tool: memory that never fails, string lists, paths, whole files. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/* As malloc and friends, but the tool ends with a message when there is no memory. */
void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *old, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* A list of strings that it owns; v[n] is always NULL once something was added. */
struct strv {
	char **v;
	size_t n;
};
void strv_add(struct strv *list, const char *s);
void strv_addf(struct strv *list, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Add a string that the list shall own from now on. */
void strv_take(struct strv *list, char *s);
void strv_add_all(struct strv *list, const struct strv *from);
bool strv_has(const struct strv *list, const char *s);
void strv_release(struct strv *list);

bool str_begins(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* "a/b" from "a" and "b"; `b` itself when it is absolute. The caller frees. */
char *path_join(const char *a, const char *b);
/*
 * Absolute form of `path`, relative to `base`; no component is removed (".." needs the symlinks).
 */
char *path_absolute(const char *base, const char *path);
/* "/a/b" of "/a/b/c", "/" of "/c", "." of "c". The caller frees. */
char *path_parent(const char *path);
/* Last component, within `path`. */
const char *path_base(const char *path);
bool path_exists(const char *path);
/* Is `path` the folder `dir` or something below it? Both absolute, without trailing slash. */
bool path_within(const char *path, const char *dir);
/* Make a folder and its parents. 0, or -1 with errno. */
int make_dirs(const char *path, mode_t mode);
/* Remove a file or a folder with everything in it; what does not exist is no error. */
void remove_tree(const char *path);

/*
 * Read a whole file (at most `max` bytes). *data gets one NUL more than *size says; the caller
 * frees. 0, or -1 with errno (EFBIG: larger than max).
 */
int read_whole_file(const char *path, size_t max, char **data, size_t *size);
/* Write everything. 0, or -1 with errno. */
int write_all(int fd, const void *data, size_t size);

/*
 * "64M", "1G", "65536K", or a plain number, which means MiB. False if it is none, 0, or too large.
 */
bool parse_size(const char *text, uint64_t *bytes);
/* "31.4 MiB" in a buffer of the caller. */
const char *format_size(uint64_t bytes, char buffer[32]);
/* CLOCK_MONOTONIC. */
uint64_t now_ns(void);

/* The folder that holds the running tool itself. The caller frees. */
char *tool_dir(void);
/*
 * Run a program and wait for it; its standard output and error go to the file descriptor `out`
 * (-1: /dev/null). Returns its wait status, or -1 with errno if it could not be started.
 */
int run_program(char *const argv[], char *const extra_env[], int out);
/* Full path of a program of the host in PATH, or NULL. The caller frees. */
char *find_in_path(const char *name, const char *path_list);
