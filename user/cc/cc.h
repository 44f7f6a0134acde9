/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ringfence-cc: a C compiler that knows private parts (ringfence-cc(1)).
 *
 * It takes the arguments of cc and passes them on, with two differences. Sources that end in
 * .priv.c are compiled for ring 2 (32 bits, no vector registers); the object is an ordinary one
 * that carries the 32-bit object in a section. And where a program or shared library is linked, the
 * 32-bit objects found in its objects and archives are linked on their own, and their image and the
 * numbers of their calls are added.
 *
 * Errors end the program with a message, or with what the compiler has said and its exit code.
 */
#pragma once

#include "tool/util.h"

/* ---- args.c ---- */

struct args {
	const char *mode;   /* "-c", "-S", "-E"; NULL: link */
	const char *output; /* NULL: as cc does */
	const char *header; /* --header=; NULL: none */
	bool plain;
	size_t ordinary;     /* how many inputs are not private parts */
	struct strv private; /* sources *.priv.c */
	struct strv common;  /* flags that both parts get */
	struct strv rest;    /* what cc gets, without the private sources */
	struct strv inputs;  /* objects and archives */
};
void args_parse(struct args *a, char **argv);

/* ---- run.c ---- */

/* The compiler underneath, as the first words of a command. */
struct strv run_compiler(void);
/* Run a command. Ends the program when it fails. */
void run(const struct strv *command);
/* Its output is wanted: exit code in *code, text (the caller's to free) as result. */
char *run_quietly(const struct strv *command, int *code);
/* words(struct strv *to, "-c", "-o", ...): add them. */
#define words(to, ...) add_words(to, (const char *const[]){ __VA_ARGS__, NULL })
void add_words(struct strv *to, const char *const list[]);
/* A name in this run's own folder, which goes at any end. The caller frees. */
char *scratch(const char *fmt, ...) PRINTF_LIKE(1, 2);
void write_file(const char *path, const void *data, size_t size);
/* "ringfence-cc: ..." and end. */
void fail(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));

/* ---- objects.c: ELF files ---- */

#define PRIV_SECTION ".privuser.obj"
#define PRIV_MAGIC   "PRIVOBJ1" /* then the size in 8 bytes, then an ELF file */

/* Add the 32-bit objects that an object or archive carries, as files, to `found`. */
void objects_unwrap(const char *path, struct strv *found);

struct symbol {
	char *name;
	uint32_t value;
};
struct symbols {
	struct symbol *v; /* in the order of their names */
	size_t n;
};
struct symbols objects_symbols(const char *path);
/* NULL: no such symbol. */
const struct symbol *symbols_find(const struct symbols *s, const char *name);
/* Write what a linked image holds in its sections .code and .data, as it lies in memory. */
void objects_image(const char *elf, const char *to);

/* ---- build.c ---- */

/* Compile; one output for each source. */
void build_objects(const struct args *a);
/* Link a program or shared library. */
void build_program(const struct args *a);
/* The same for plain Linux: both parts are ordinary code. */
void build_plain(const struct args *a);

/* ---- header.c ---- */

/* Write a header that announces the calls that the sources define. */
void header_write(const struct strv *sources, const char *to);
