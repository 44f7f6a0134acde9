/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the user wants to run and how: from options, a manifest (ringfence.yaml) and a built image,
 * in this order of precedence.
 */
#pragma once

#include "tool/net.h"
#include "tool/util.h"

enum accel { ACCEL_AUTO, ACCEL_KVM, ACCEL_TCG };
enum machine { MACHINE_MICROVM, MACHINE_Q35 };
enum stats_form { STATS_NO, STATS_TABLE, STATS_JSON };

#define CPUS_MAX 8u

struct run_spec {
	char *program;        /* NULL: not known yet */
	struct strv args;     /* without argv[0] */
	struct strv env;      /* NAME=VALUE, in order of naming: the last one wins */
	struct strv include;  /* HOST or HOST:GUEST, host paths absolute */
	struct strv programs; /* other programs to take along */
	struct strv secrets;  /* keys, as `include` */
	char *workdir;        /* in the guest; NULL: as on the host */
	uint64_t memory;      /* bytes; 0: chosen by the image's size */
	unsigned cpus;        /* 0: 1 */
	bool strace, missing;
	enum accel accel;
	enum machine machine;
	unsigned gdb_port;   /* of QEMU, which waits before the first instruction; 0: no debugger */
	unsigned debug_port; /* the same before the program's first instruction */
	enum stats_form stats;
	char *core; /* where the first core file goes, absolute; NULL: nowhere */
	struct net_spec net;
	char *name; /* of the machine; NULL: made from the program's */
	bool detach;
	bool restart;      /* on failure */
	unsigned restarts; /* at most so often; 0: no limit */
	bool set_user;
	uid_t uid;
	gid_t gid;
	char *kernel; /* --kernel */
	char *append; /* --append: more words for the kernel's command line */
};

/*
 * How a program is run as a server: what the catalog or a built image says. Zero: as any program.
 */
struct serving {
	bool service; /* it serves until it is stopped: no terminal */
	bool network; /* of no use without one */
	bool set_user;
	uid_t uid;
	gid_t gid;
	char *scheme;        /* "http"; NULL: none */
	struct net_spec net; /* only its ports */
};

void serving_release(struct serving *s);
void run_spec_release(struct run_spec *spec);
/* "NAME=VALUE", or "NAME" for the host's value (nothing, if it has none). Dies if it is neither. */
void run_spec_add_env(struct run_spec *spec, const char *text, const char *where);
/*
 * "HOST[:GUEST]" with HOST relative to `base`. Dies if HOST does not exist or GUEST is not
 * absolute.
 */
void run_spec_add_include(struct run_spec *spec, const char *text, const char *base,
			  const char *where);

/* The same for a key that only ring 2 may read (secret.h). */
void run_spec_add_secret(struct run_spec *spec, const char *text, const char *base,
			 const char *where);

/* Each dies if the text is wrong; `where` is the option or the manifest's key. */
void run_spec_add_port(struct run_spec *spec, const char *text, const char *where);
void run_spec_set_net(struct run_spec *spec, const char *text, const char *where);
void run_spec_set_ip(struct run_spec *spec, const char *text, const char *where);
void run_spec_set_name(struct run_spec *spec, const char *text, const char *where);
void run_spec_set_restart(struct run_spec *spec, const char *text, const char *where);
/* The file that a core file is to become, relative to `base`. */
void run_spec_set_core(struct run_spec *spec, const char *text, const char *base,
		       const char *where);
void run_spec_set_stats(struct run_spec *spec, const char *text, const char *where);
/* "UID[:GID]", numbers or names of the host. */
void run_spec_set_user(struct run_spec *spec, const char *text, const char *where);

/*
 * Manifest file. Keys: program, args, env (list of NAME=VALUE or NAME), memory, cpus, workdir,
 * include and secrets (relative to the manifest's folder), programs, strace, missing-files, name,
 * ports (list), net, ip, restart, stats, user. Sets what `spec`
 * does not have yet; its lists come before those of the command line. Dies with file, line, column
 * and key.
 */
void manifest_load(const char *path, struct run_spec *spec);
