/* SPDX-License-Identifier: BSD-2-Clause */
/* Core files: which, where, and what is in them. */
#pragma once

#include "kernel/task/task.h"

#define CORE_PATTERN_MAX 128
/* kernel.core_pattern and core_uses_pid. */
extern char core_pattern[CORE_PATTERN_MAX];
extern bool core_uses_pid;

/*
 * The file name that `pattern` makes of the current task, dying of `sig`; E_NAMETOOLONG. A pattern
 * that begins with "|" (a program on the host's Linux) gives E_OPNOTSUPP.
 */
err_t core_name(const char *pattern, int sig, char *out, size_t size) MUST_CHECK;

/*
 * Write the current task's core file, if it is to have one, into the file system, to the host, or
 * both. True when it has. MAY_SWITCH
 */
bool core_dump(int sig, const struct ksiginfo *info);

/* Bits of /proc/PID/coredump_filter: which areas are written. */
#define CORE_ANON_PRIVATE   1u
#define CORE_ANON_SHARED    2u
#define CORE_MAPPED_PRIVATE 4u
#define CORE_MAPPED_SHARED  8u
#define CORE_ELF_HEADERS    16u

/* ---- core_host.c: each is false when the host takes nothing any more ---- */

/* Does the host want core files? */
bool core_to_host(void);
bool core_host_begin(void);
/* Bytes at an offset; what is never sent is zero. */
bool core_host_put(uint64_t at, const void *data, size_t len);
bool core_host_end(uint64_t size);

/* ---- core_notes.c ---- */

/* Bytes that grow; `failed` when memory ran out. */
struct core_buf {
	char *data;
	size_t len, room;
	bool failed;
};
/* All notes of the current task, as Linux orders them. */
void core_notes(struct core_buf *b, int sig, const struct ksiginfo *info);
