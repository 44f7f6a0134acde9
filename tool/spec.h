/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the user wants to run and how: from options, a manifest (ringfence.yaml) and a built image,
 * in this order of precedence.
 */
#pragma once

#include "tool/util.h"

enum accel { ACCEL_AUTO, ACCEL_KVM, ACCEL_TCG };
enum machine { MACHINE_MICROVM, MACHINE_Q35 };

#define CPUS_MAX 8u

struct run_spec {
	char *program;        /* NULL: not known yet */
	struct strv args;     /* without argv[0] */
	struct strv env;      /* NAME=VALUE, in order of naming: the last one wins */
	struct strv include;  /* HOST or HOST:GUEST, host paths absolute */
	struct strv programs; /* other programs to take along */
	char *workdir;        /* in the guest; NULL: as on the host */
	uint64_t memory;      /* bytes; 0: chosen by the image's size */
	unsigned cpus;        /* 0: 1 */
	bool strace, missing;
	enum accel accel;
	enum machine machine;
	unsigned gdb_port; /* 0: no debugger */
	char *kernel;      /* --kernel */
	char *append;      /* --append: more words for the kernel's command line */
};

void run_spec_release(struct run_spec *spec);
/* "NAME=VALUE", or "NAME" for the host's value (nothing, if it has none). Dies if it is neither. */
void run_spec_add_env(struct run_spec *spec, const char *text, const char *where);
/*
 * "HOST[:GUEST]" with HOST relative to `base`. Dies if HOST does not exist or GUEST is not
 * absolute.
 */
void run_spec_add_include(struct run_spec *spec, const char *text, const char *base,
			  const char *where);

/*
 * Manifest file. Keys: program, args, env (list of NAME=VALUE or NAME), memory, cpus, workdir,
 * include (relative to the manifest's folder), programs, strace, missing-files. Sets what `spec`
 * does not have yet; its lists come before those of the command line. Dies with file, line, column
 * and key.
 */
void manifest_load(const char *path, struct run_spec *spec);
