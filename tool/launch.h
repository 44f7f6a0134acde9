/* SPDX-License-Identifier: BSD-2-Clause */
/* Everything that a machine is started with, from a program of the host or a built image. */
#pragma once

#include "tool/spec.h"

#define MIB (1ull << 20)

struct launch {
	char *exe, *cwd;
	char *shown; /* program and arguments, for people */
	struct strv argv, env;
	int image_fd, kernel_fd;
	uint64_t image_size;
	bool image_stays; /* it is the tool's own: nobody changes it */
	uint64_t memory;
	unsigned cpus;
	bool strace, missing;
	struct strv secrets; /* paths in the machine that only PrivUser may open */
	char *secret_code;   /* and the digest of its code; NULL: there is no secret */
	bool service;        /* it serves until it is stopped: no terminal */
	uid_t uid;           /* in the machine */
	gid_t gid;
	struct net_spec net; /* settled */
	char *scheme;        /* "http": how its ports are shown; NULL: just numbers */
};

/* Find, pack, check. Dies on bad input. */
void launch_make(struct launch *l, const struct run_spec *spec);
void launch_release(struct launch *l);
/*
 * Memory besides the image when nobody says: the program's own catalog entry knows how much it
 * needs,
 * those of others can only add to it. */
struct pack;
uint64_t launch_wish(const struct pack *pack);
/* What is asked for, else by the image's size. Dies if the image cannot fit. */
uint64_t launch_memory(uint64_t asked, uint64_t wish, uint64_t image_size);
/* What the program's catalog entry (may be NULL) and the user say about it as a server. */
struct catalog_entry;
void launch_serving(struct serving *out, const struct run_spec *spec,
		    const struct catalog_entry *e);
/*
 * The run configuration (abi/boot.h) in a memory file. `tty`: which descriptors are the terminal.
 */
int launch_config(const struct launch *l, const struct run_spec *spec, unsigned tty,
		  const char *hostname);
