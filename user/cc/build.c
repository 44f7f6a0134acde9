/* SPDX-License-Identifier: BSD-2-Clause */
#include <libelf.h>
#include <stdlib.h>
#include <string.h>

#include "abi/privuser.h"
#include "user/cc/cc.h"

#define ENTRIES(a) (sizeof(a) / sizeof((a)[0]))

static const char *const flags32[] = { "-m32",
				       "-march=i686",
				       "-mgeneral-regs-only",
				       "-ffreestanding",
				       "-fno-pic",
				       "-fno-pie",
				       "-fno-stack-protector",
				       "-fcf-protection=none",
				       "-fno-asynchronous-unwind-tables",
				       "-fno-lto",
				       "-ffunction-sections",
				       "-fdata-sections",
				       "-fno-strict-aliasing",
				       "-DPRIVUSER",
				       "-nostdinc" };
static const char *const runtime[] = { "priv/crt.S", "priv/runtime.c", "priv/heap.c",
				       "priv/string.c" };

/*
 * Functions of the runtime that make a system call: bits of the filter, by enum privuser_call. The
 * filter has a call only when its function is linked in.
 */
static const struct {
	const char *function;
	enum privuser_call call;
} callers[] = {
	{ "priv_open", PRIVUSER_OPEN },         { "priv_read", PRIVUSER_READ },
	{ "priv_close", PRIVUSER_CLOSE },       { "priv_read_file", PRIVUSER_SIZE },
	{ "priv_random", PRIVUSER_RANDOM },     { "priv_copy_in", PRIVUSER_COPY_IN },
	{ "priv_copy_out", PRIVUSER_COPY_OUT }, { "priv_lock", PRIVUSER_YIELD },
};

/* ---- places ---- */

/* The folder of the library's sources: in the source tree, or installed. */
static const char *library(void)
{
	static char *found;
	static const char *const places[] = {
		"../lib/ringfence/privcall",
#ifdef SOURCE_LIB /* where it was built from */
		SOURCE_LIB,
#endif
	};
	char *dir;

	if (found != NULL)
		return found;
	dir = tool_dir();
	for (size_t i = 0; i < ENTRIES(places) && found == NULL; i++) {
		char *path = path_join(dir, places[i]), *file = path_join(path, "privcall.c");

		if (path_exists(file))
			found = path;
		else
			free(path);
		free(file);
	}
	free(dir);
	if (found == NULL)
		fail("the library's sources (privcall.c) are not where they were installed");
	return found;
}

/* A file of the library. */
static char *of_library(const char *name)
{
	return path_join(library(), name);
}

/* For privcall.h, and for abi/privuser.h, which lies beside it where it is installed. */
static void include_flags(struct strv *to)
{
	char *abi = of_library("abi/privuser.h");

	strv_addf(to, "-I%s", library());
	if (!path_exists(abi))
		strv_addf(to, "-I%s/../..", library());
	free(abi);
}

static void output_flags(struct strv *to, const char *output)
{
	if (output != NULL)
		words(to, "-o", output);
}

/* ---- 32 bits ---- */

/* The compiler's own headers, and no others of the system. */
static void freestanding_headers(struct strv *to)
{
	static char *its; /* asked for once */
	char *ours = of_library("priv/include");
	int code;

	if (its == NULL) {
		struct strv ask = run_compiler();

		words(&ask, "-print-file-name=include");
		its = run_quietly(&ask, &code);
		strv_release(&ask);
	}
	words(to, "-isystem", ours, "-isystem", its);
	free(ours);
}

static void add_flags32(struct strv *to)
{
	for (size_t i = 0; i < ENTRIES(flags32); i++)
		strv_add(to, flags32[i]);
}

/* Say what is missing before the first error of a compiler that cannot make 32-bit code. */
static void check_compiler(void)
{
	static const char program[] = "int main(void) { return 0; }\n";
	struct strv command = run_compiler();
	char *source = scratch("probe.c"), *object = scratch("probe.o"), *text;
	int code;

	write_file(source, program, sizeof(program) - 1);
	add_flags32(&command);
	words(&command, "-c", "-o", object, source);
	text = run_quietly(&command, &code);
	if (code != 0)
		fail("'%s -m32' cannot compile. The private part needs a compiler for 32-bit x86: "
		     "on Debian for amd64 the packages gcc and clang can do it as they are; "
		     "elsewhere install the package gcc-multilib.\n%s",
		     command.v[0], text);
	free(text);
	free(source);
	free(object);
	strv_release(&command);
}

/* The compiler with all that makes it one for ring 2. */
static struct strv compiler32(const struct strv *flags)
{
	static bool checked;
	struct strv command = run_compiler();

	if (!checked)
		check_compiler();
	checked = true;
	if (flags != NULL)
		strv_add_all(&command, flags);
	add_flags32(&command);
	include_flags(&command);
	freestanding_headers(&command);
	return command;
}

static void compile32(const char *source, const struct strv *flags, const char *to)
{
	struct strv command = compiler32(flags);

	words(&command, "-c", "-o", to, source);
	run(&command);
	strv_release(&command);
}

static void assemble(const char *name, const char *text, const char *to)
{
	struct strv command = run_compiler();
	char *source = scratch("%s.S", name);

	write_file(source, text, strlen(text));
	words(&command, "-c", "-o", to, source);
	run(&command);
	strv_release(&command);
	free(source);
}

/* ---- one object: the 32-bit one as a section of a 64-bit one ---- */

static void wrap(const char *object32, const char *to)
{
	char *text = xasprintf("\t.section " PRIV_SECTION ", \"\", @progbits\n"
			       "\t.ascii \"" PRIV_MAGIC "\"\n\t.quad 2f - 1f\n"
			       "1:\t.incbin \"%s\"\n2:\n"
			       "\t.section .note.GNU-stack, \"\", @progbits\n",
			       object32);

	assemble("wrap", text, to);
	free(text);
}

/* "key.priv.o" for "dir/key.priv.c" */
static char *object_name(const char *source)
{
	const char *base = path_base(source);

	return xasprintf("%.*s.o", (int)(strlen(base) - 2), base);
}

static void build_private(const struct args *a)
{
	if (strcmp(a->mode, "-c") != 0) {
		struct strv command = compiler32(&a->common);

		strv_add_all(&command, &a->private);
		strv_add(&command, a->mode);
		output_flags(&command, a->output);
		run(&command);
		strv_release(&command);
		return;
	}
	for (size_t i = 0; i < a->private.n; i++) {
		char *object = scratch("object32-%zu.o", i), *name = object_name(a->private.v[i]);

		compile32(a->private.v[i], &a->common, object);
		wrap(object, a->output != NULL ? a->output : name);
		free(object);
		free(name);
	}
}

/* What is no private part, by the compiler as it is. */
static void build_ordinary(const struct args *a, const char *define)
{
	struct strv command = run_compiler();

	if (define != NULL)
		strv_add(&command, define);
	include_flags(&command);
	strv_add_all(&command, &a->rest);
	strv_add(&command, a->mode);
	output_flags(&command, a->output);
	run(&command);
	strv_release(&command);
}

static void check_outputs(const struct args *a)
{
	if (a->output != NULL && a->private.n > 0 && a->private.n + a->ordinary > 1)
		fail("%s with -o takes one source", a->mode);
}

void build_objects(const struct args *a)
{
	check_outputs(a);
	if (a->private.n > 0)
		build_private(a);
	if (a->ordinary > 0 || a->private.n == 0)
		build_ordinary(a, NULL);
}

/* ---- a program or library ---- */

/* The filter: what of the kernel's services is linked in. */
static uint32_t filter_of(const struct symbols *s)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < ENTRIES(callers); i++)
		if (symbols_find(s, callers[i].function) != NULL)
			bits |= 1u << callers[i].call;
	return bits;
}

static void compile_runtime(struct strv *objects)
{
	struct strv flags = { 0 };

	words(&flags, "-O2", "-fno-inline");
	for (size_t i = 0; i < ENTRIES(runtime); i++) {
		char *source = of_library(runtime[i]), *object = scratch("runtime%zu.o", i);

		compile32(source, &flags, object);
		strv_take(objects, object);
		free(source);
	}
	strv_release(&flags);
}

/* Link the private part, once to see what it uses, and again with its filter. Its symbols. */
static struct symbols link_image(struct strv *objects, const char *to)
{
	char *elf = scratch("image.elf"), *script = of_library("priv/image.ld");
	struct strv command = { 0 };
	struct symbols s;

	compile_runtime(objects);
	words(&command, "ld", "-m", "elf_i386", "-nostdlib", "-static", "--gc-sections",
	      "--build-id=none", "--no-warn-rwx-segments", "-z", "noexecstack", "-T", script, "-o",
	      elf);
	strv_add_all(&command, objects);
	run(&command);
	s = objects_symbols(elf);
	strv_addf(&command, "--defsym=priv_filter_=%#x", filter_of(&s));
	run(&command);
	s = objects_symbols(elf);
	objects_image(elf, to);
	strv_release(&command);
	free(script);
	free(elf);
	return s;
}

/* The image, and the number of each call, as an object. */
static void embed(const struct symbols *s, const char *image, const char *to)
{
	static const char entry[] = "privent_";
	const struct symbol *table = symbols_find(s, "priv_calls_");
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL || table == NULL)
		fail("the private part has no table of calls");
	fprintf(f,
		"\t.section .rodata.privuser, \"a\"\n\t.balign 16\n\t.globl priv_image_\n"
		"\t.hidden priv_image_\npriv_image_:\n\t.incbin \"%s\"\n\t.balign 4\n",
		image);
	for (size_t i = 0; i < s->n; i++) {
		const char *name = s->v[i].name + sizeof(entry) - 1;

		if (str_begins(s->v[i].name, entry))
			fprintf(f,
				"\t.globl privnr_%s\n\t.hidden privnr_%s\nprivnr_%s:\t.long %u\n",
				name, name, name, (s->v[i].value - table->value) / 4 + 1);
	}
	fputs("\t.section .note.GNU-stack, \"\", @progbits\n", f);
	if (fclose(f) != 0)
		fail("no memory");
	assemble("embed", text, to);
	free(text);
}

/* The ordinary part's side of the library. */
static void compile_side(const char *name, const char *define, const char *to)
{
	struct strv command = run_compiler();
	char *source = of_library(name);

	words(&command, "-O2", "-fPIC", "-D_GNU_SOURCE");
	if (define != NULL)
		strv_add(&command, define);
	include_flags(&command);
	words(&command, "-c", "-o", to, source);
	run(&command);
	strv_release(&command);
	free(source);
}

/* The last step: `added` objects in front of what the caller has named. */
static void link_program(const struct args *a, const struct strv *added, const char *define)
{
	struct strv command = run_compiler();

	if (define != NULL)
		strv_add(&command, define);
	include_flags(&command);
	strv_add_all(&command, added);
	strv_add_all(&command, &a->rest);
	output_flags(&command, a->output);
	run(&command);
	strv_release(&command);
}

void build_program(const struct args *a)
{
	struct strv objects = { 0 }, added = { 0 };

	for (size_t i = 0; i < a->private.n; i++) {
		char *object = scratch("source%zu.o", i);

		compile32(a->private.v[i], &a->common, object);
		strv_take(&objects, object);
	}
	for (size_t i = 0; i < a->inputs.n; i++)
		objects_unwrap(a->inputs.v[i], &objects);
	if (objects.n > 0) {
		char *image = scratch("image.bin");
		struct symbols s = link_image(&objects, image);

		strv_take(&added, scratch("embed.o"));
		strv_take(&added, scratch("privcall.o"));
		embed(&s, image, added.v[0]);
		compile_side("privcall.c", NULL, added.v[1]);
		free(image);
	}
	link_program(a, &added, NULL);
	strv_release(&objects);
	strv_release(&added);
}

/* ---- plain Linux: one ordinary program ---- */

#define PLAIN "-DPRIV_PLAIN_BUILD"

static void plain_private(const struct strv *flags, const struct strv *sources, const char *mode,
			  const char *to)
{
	struct strv command = run_compiler();

	words(&command, PLAIN, "-DPRIVUSER");
	include_flags(&command);
	strv_add_all(&command, flags);
	words(&command, "-fPIC", mode);
	strv_add_all(&command, sources);
	output_flags(&command, to);
	run(&command);
	strv_release(&command);
}

static void plain_objects(const struct args *a)
{
	check_outputs(a);
	if (a->private.n > 0)
		plain_private(&a->common, &a->private, a->mode, a->output);
	if (a->ordinary > 0 || a->private.n == 0)
		build_ordinary(a, PLAIN);
}

void build_plain(const struct args *a)
{
	struct strv added = { 0 };

	if (a->mode != NULL) {
		plain_objects(a);
		return;
	}
	for (size_t i = 0; i < a->private.n; i++) {
		struct strv one = { 0 };
		char *object = scratch("priv%zu.o", i);

		strv_add(&one, a->private.v[i]);
		plain_private(&a->common, &one, "-c", object);
		strv_take(&added, object);
		strv_release(&one);
	}
	strv_take(&added, scratch("plain.o"));
	compile_side("privcall_plain.c", PLAIN, added.v[added.n - 1]);
	strv_take(&added, scratch("runtime.o"));
	compile_side("priv/plain.c", "-DPRIVUSER", added.v[added.n - 1]);
	link_program(a, &added, PLAIN);
	strv_release(&added);
}
