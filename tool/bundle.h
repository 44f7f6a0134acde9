/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A built image: one file that runs on its own (`ringfence build -o IMAGE`). Layout:
 *
 *   0           root file system (EROFS; `mount -t erofs -o loop IMAGE` shows it)
 *   kernel_at   kernel.elf
 *   json_at     manifest, JSON:
 *               {"program","argv","env","cwd","memory","cpus","strace","missing-files"}, and as
 *               the catalog or the manifest says: {"service","network","scheme","user":[uid,gid],
 *               "ports"}, and with secrets (secret.h): {"secrets": [path], "secret-code"}
 *   end - 64    trailer: struct bundle_trailer, little-endian
 *
 * All parts start at multiples of 4096 bytes. The whole file is given to the virtual machine as
 * root image: EROFS says itself where it ends.
 */
#pragma once

#include "tool/spec.h"

#define BUNDLE_MAGIC   "RINGFENCE-IMAGE\n" /* 16 bytes */
#define BUNDLE_VERSION 1u
/* version of one with secrets: a tool that does not know them must not run it */
#define BUNDLE_SECRETS 2u

struct bundle_trailer {
	uint64_t image_size;
	uint64_t kernel_at, kernel_size;
	uint64_t json_at, json_size;
	uint32_t version;
	uint32_t reserved;
	char magic[16];
};

/* What a built image holds. */
struct bundle {
	int fd;        /* of the file */
	uint64_t size; /* of the root file system */
	uint64_t kernel_at, kernel_size;
	char *exe, *cwd;
	struct strv argv, env;
	uint64_t memory;
	unsigned cpus;
	bool strace, missing;
	struct strv secrets; /* paths in the guest */
	char *secret_code;
	struct serving serving;
};

/* Is this file a built image (its last bytes say so)? */
bool bundle_is(const char *path);
/* Open one. Dies on a damaged one. */
void bundle_open(const char *path, struct bundle *b);
void bundle_release(struct bundle *b);
/* Its kernel as a memory file. */
int bundle_kernel(const struct bundle *b);
/*
 * Write `b` to `path`: root file system from image_fd, kernel from kernel_path. Whole or not at
 * all; with secrets, for its owner only.
 */
void bundle_write(const char *path, const struct bundle *b, int image_fd, const char *kernel_path);
