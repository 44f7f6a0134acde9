/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finds shared libraries where the guest's own dynamic loader will look for them, in its order:
 * DT_RPATH (only without DT_RUNPATH), LD_LIBRARY_PATH, DT_RUNPATH, the folders of /etc/ld.so.conf,
 * the built-in ones. Libraries for another processor are passed over, as the loader does.
 */
#pragma once

#include "tool/elf_info.h"
#include "tool/util.h"

struct libs {
	struct strv dirs;         /* of ld.so.conf, then the built-in ones */
	struct strv conf;         /* the ld.so.conf files that were read */
	struct strv library_path; /* LD_LIBRARY_PATH of the guest */
};

void libs_init(struct libs *libs);
void libs_release(struct libs *libs);
/* Set LD_LIBRARY_PATH (colons or semicolons between folders). */
void libs_set_library_path(struct libs *libs, const char *value);

/*
 * Path of library `name`, which `user` at path `user_path` needs; `rpath` is the list of DT_RPATH
 * values of those that loaded it (may be NULL). NULL if there is none. The caller frees.
 */
char *libs_find(const struct libs *libs, const char *name, const char *user_path,
		const struct elf_info *user, const struct strv *rpath);
