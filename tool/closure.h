/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a program to everything it needs: interpreter, libraries and their libraries, the
 * interpreters of scripts, and what the catalog says.
 */
#pragma once

#include "tool/catalog.h"
#include "tool/libs.h"
#include "tool/rootfs.h"

/* Where a library was found (for `ringfence inspect`). */
struct closure_lib {
	char *name;  /* as DT_NEEDED says, or the path of the ELF interpreter */
	char *path;  /* on the host; NULL: not found */
	char *user;  /* who needs it */
	bool interp; /* it is the dynamic loader */
};

struct closure {
	struct rootfs fs;
	struct libs libs;
	const struct catalog *catalog;
	char *path_list;           /* PATH of the guest, in which programs are looked up */
	struct strv env;           /* NAME=VALUE from the catalog */
	struct strv secrets;       /* keys of this host that the catalog names */
	uint64_t memory;           /* least memory that the catalog asks for, 0: no wish */
	struct strv notes;         /* names of the catalog entries that were used */
	struct closure_lib *found; /* libraries, in the order of finding */
	size_t found_count;
	bool tolerate; /* note missing libraries in `found` and go on, instead of ending the tool */
	/* private */
	struct strv programs; /* real paths that were dealt with */
	struct strv rpath;    /* DT_RPATH values of the program being dealt with */
	size_t scanned;       /* entries of fs whose ELF needs were added */
	unsigned script_depth;
};

void closure_init(struct closure *c, const struct catalog *catalog, const char *path_list);
void closure_release(struct closure *c);

/* What runs in the end: for a script, its interpreter's words setting counts. */
struct closure_program {
	char *path;                        /* as it was given, absolute */
	char *interp;                      /* first interpreter of a script, or NULL */
	enum catalog_words words;          /* how its arguments name programs */
	const struct catalog_entry *entry; /* its own; NULL: none. Lives as long as the catalog */
};

/*
 * Add a program at an absolute path with all it needs. Ends the tool (EXIT_NOEXEC) with cause and
 * hint if it cannot run here. *out may be NULL; release it with closure_program_release().
 */
void closure_add_program(struct closure *c, const char *path, struct closure_program *out);
void closure_program_release(struct closure_program *p);
/* As closure_add_program for one that only might be needed: what is wrong with it is a note. */
void closure_try_program(struct closure *c, const char *path);
/*
 * Programs that `text` names: start them all in the closure. `depth`: how deep scripts call
 * scripts.
 */
void closure_add_named(struct closure *c, const char *text, enum catalog_words words);
/*
 * Programs named in a script of the user's (a text file of reasonable size; else nothing happens).
 */
void closure_scan_file(struct closure *c, const char *path, enum catalog_words words);
/* Libraries of ELF files that came in by folders and arguments. Call last. */
void closure_finish(struct closure *c);
