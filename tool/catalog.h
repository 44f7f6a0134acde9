/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What known programs need besides their libraries: catalog/<name>.yaml. Keys:
 *   name               of the entry (required)
 *   match              list of patterns for the program's file name, without folder (required)
 *   include            list of host paths or glob patterns, folders with all that is in them
 *   exclude            list of patterns that are left out of them: whole paths, or names without
 *                      "/"
 *   secrets            list of private keys, host paths or glob patterns, that it is to use but not
 *                      to read, as with --secret; those that are there
 *   programs           list of other programs it starts (names in PATH, or paths)
 *   env                list of NAME=VALUE, for variables that the user does not set
 *   memory             what it gets besides its image when the user says nothing, as for --memory;
 *                      of another program that comes along: least memory
 *   folders            list of folders that the machine has in any case ("/run/x"; with owner and
 *                      mode as on the host, if they are there)
 *   args               arguments when the user gives none
 *   args-before        arguments in front of the user's, unless these hold the first of them
 *   needs              list of files without which it does not start when the user gives no
 *                      arguments: their lack is an error before the machine starts
 *   service            yes: it serves until it is stopped; it gets no terminal, and Ctrl-C ends it
 *   ports              list of ports as for -p, used when the user gives none and wants a network
 *   scheme             "http": how the address of its first port is shown
 *   user               it runs as this user of the host (also root), whoever starts it
 *   network            yes: it is of no use without one, and gets --net user
 *   hints              list of sentences that `ringfence inspect` shows
 *   argument-programs  its arguments and scripts name programs to start: "words" (any word of them,
 *                      as in a shell), "quoted" (words inside quotes, as in Python), or "no"
 * In include, exclude, secrets, programs, folders, args and env ${prefix} stands for the folder
 * above the program's bin folder, and ${version} for the version in its file name ("3.11" of
 * python3.11).
 */
#pragma once

#include "tool/util.h"

enum catalog_words { WORDS_NO = 0, WORDS_ALL, WORDS_QUOTED };

struct catalog_entry {
	char *name;
	char **match;
	unsigned match_count;
	char **include;
	unsigned include_count;
	char **exclude;
	unsigned exclude_count;
	char **secrets;
	unsigned secrets_count;
	char **programs;
	unsigned programs_count;
	char **env;
	unsigned env_count;
	char *memory;
	enum catalog_words words;
	char **folders;
	unsigned folders_count;
	char **args;
	unsigned args_count;
	char **args_before;
	unsigned args_before_count;
	char **needs;
	unsigned needs_count;
	unsigned service, network; /* enum yaml_bool */
	char **ports;
	unsigned ports_count;
	char *scheme, *user;
	char **hints;
	unsigned hints_count;
};

struct catalog {
	struct catalog_entry **entries;
	size_t n;
};

/* Read all entries of a folder; dies with file, line and column on a bad one. */
void catalog_load(struct catalog *cat, const char *dir);
void catalog_release(struct catalog *cat);
/* One file: NULL with the reason in `why`. */
struct catalog_entry *catalog_read_file(const char *path, char *why, size_t why_size);
void catalog_entry_free(struct catalog_entry *entry);

/* The entry for a program: `real` is its path without links, `name` as it was called. Or NULL. */
const struct catalog_entry *catalog_match(const struct catalog *cat, const char *real,
					  const char *name);
/* Fill ${prefix} and ${version} in. The caller frees. */
char *catalog_expand(const char *text, const char *real);
