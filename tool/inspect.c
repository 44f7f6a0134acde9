/* SPDX-License-Identifier: BSD-2-Clause */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/bundle.h"
#include "tool/pack.h"
#include "tool/places.h"
#include "tool/report.h"
#include "tool/run.h"
#include "tool/syscalls.h"

/* All that is known of a program. */
struct findings {
	struct pack pack;
	struct catalog catalog;
	struct syscall_scan scan;
	struct secrets secrets; /* of the catalog and the command line */
	bool openssl;           /* it uses OpenSSL 3, and can have secrets */
	const char *interp;     /* dynamic loader, or NULL */
	char *script_interp;
	size_t missing_libs;
	unsigned made, lacking;
};

/* The secrets that it would have, checked. */
static void gather_secrets(struct findings *f, const struct strv *asked)
{
	const struct closure *c = &f->pack.files;
	struct strv wanted = { 0 };

	strv_add_all(&wanted, &c->secrets);
	strv_add_all(&wanted, asked);
	secrets_read(&f->secrets, &wanted);
	for (size_t i = 0; i < c->found_count; i++)
		f->openssl = f->openssl || strcmp(c->found[i].name, "libcrypto.so.3") == 0;
	strv_release(&wanted);
}

static void gather(struct findings *f, const char *program, const struct strv *secrets)
{
	char *catalog_dir = places_catalog();
	struct closure *c = &f->pack.files;
	struct closure_program p;
	struct run_spec none = { 0 };

	catalog_load(&f->catalog, catalog_dir);
	closure_init(c, &f->catalog, pack_path_list(&none));
	c->tolerate = true;
	f->pack.exe = pack_find_program(program, c->path_list);
	closure_add_program(c, f->pack.exe, &p);
	f->script_interp = p.interp != NULL ? xstrdup(p.interp) : NULL;
	f->pack.entry = p.entry;
	closure_program_release(&p);
	closure_finish(c);
	for (size_t i = 0; i < c->found_count; i++) {
		if (c->found[i].interp && f->interp == NULL)
			f->interp = c->found[i].name;
		f->missing_libs += c->found[i].path == NULL;
	}
	gather_secrets(f, secrets);
	for (size_t i = 0; i < c->programs.n; i++)
		syscall_scan_file(&f->scan, c->programs.v[i]);
	for (unsigned nr = 0; nr < SYSCALL_MAX; nr++) {
		f->made += f->scan.made[nr];
		f->lacking += f->scan.made[nr] && !syscall_served(nr);
	}
	free(catalog_dir);
}

static void print_names(const struct findings *f, bool served)
{
	unsigned column = 0;

	for (unsigned nr = 0; nr < SYSCALL_MAX; nr++) {
		if (!f->scan.made[nr] || syscall_served(nr) != served)
			continue;
		unsigned width = (unsigned)strlen(syscall_name(nr)) + 1;

		if (column == 0 || column + width > 98) {
			printf("%s   ", column != 0 ? "\n" : "");
			column = 3;
		}
		printf(" %s", syscall_name(nr));
		column += width;
	}
	printf("\n");
}

static void print_libraries(const struct closure *c)
{
	printf("Libraries\n");
	for (size_t i = 0; i < c->found_count; i++) {
		const struct closure_lib *lib = &c->found[i];

		if (lib->interp)
			continue;
		if (lib->path != NULL)
			printf("    %-28s %s\n", lib->name, lib->path);
		else
			printf("    %-28s MISSING, needed by %s\n", lib->name, lib->user);
	}
}

static void print_list(const char *title, char *const *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		printf("%-13s %s\n", i == 0 ? title : "", list[i]);
}

static void print_arguments(const char *when, char *const *list, unsigned n)
{
	if (n > 0)
		printf("Arguments    ");
	for (unsigned i = 0; i < n; i++)
		printf(" %s%s%s", strchr(list[i], ' ') != NULL ? "'" : "", list[i],
		       strchr(list[i], ' ') != NULL ? "'" : "");
	if (n > 0)
		printf(" (%s)\n", when);
}

/* What the program's own catalog entry says about how it is run. */
static void print_entry(const struct catalog_entry *e)
{
	if (e == NULL)
		return;
	print_list("Ports", e->ports, e->ports_count);
	print_arguments("always", e->args_before, e->args_before_count);
	print_arguments("without others", e->args, e->args_count);
	print_list("Hints", e->hints, e->hints_count);
}

static void print_secrets(const struct findings *f)
{
	for (size_t i = 0; i < f->secrets.n; i++) {
		const struct secret *s = &f->secrets.list[i];

		printf("%-13s %s (%s, %u bits), in the machine at %s\n", i == 0 ? "Secrets" : "",
		       s->guest, s->key.kind, s->key.bits, s->place);
	}
	if (f->secrets.n > 0 && !f->openssl)
		printf("              but it does not use OpenSSL 3 (libcrypto.so.3): no use for them\n");
	else if (f->openssl && f->secrets.n == 0)
		printf("Secrets       none; it uses OpenSSL 3: --secret FILE keeps a private key in "
		       "ring 2\n");
}

static void print_text(const struct findings *f)
{
	const struct closure *c = &f->pack.files;
	char *real = realpath(f->pack.exe, NULL);
	char size[32];

	printf("Program       %s", f->pack.exe);
	if (real != NULL && strcmp(real, f->pack.exe) != 0)
		printf(" -> %s", real);
	printf("\n");
	if (f->script_interp != NULL)
		printf("Script for    %s\n", f->script_interp);
	printf("Loader        %s\n", f->interp != NULL ? f->interp : "none (static)");
	print_libraries(c);
	for (size_t i = 0; i < c->notes.n; i++)
		printf("Catalog       %s\n", c->notes.v[i]);
	print_entry(f->pack.entry);
	print_secrets(f);
	printf("Files         %zu, %s (without arguments and basic files)\n", c->fs.n,
	       format_size(c->fs.bytes, size));
	printf("System calls  %u that its code and libraries can make; the kernel serves %u\n",
	       f->made, f->made - f->lacking);
	print_names(f, true);
	printf("Lacking       %u that the kernel does not serve (they answer ENOSYS)\n",
	       f->lacking);
	if (f->lacking != 0)
		print_names(f, false);
	printf("Not known     %u of %u places call with a number that is no constant\n",
	       f->scan.unknown, f->scan.places);
	free(real);
}

static cJSON *names_json(const struct findings *f, bool only_lacking)
{
	cJSON *list = cJSON_CreateArray();

	for (unsigned nr = 0; nr < SYSCALL_MAX; nr++)
		if (f->scan.made[nr] && (!only_lacking || !syscall_served(nr)))
			cJSON_AddItemToArray(list, cJSON_CreateString(syscall_name(nr)));
	return list;
}

static cJSON *strings_json(char *const *list, unsigned n)
{
	cJSON *array = cJSON_CreateArray();

	for (unsigned i = 0; i < n; i++)
		cJSON_AddItemToArray(array, cJSON_CreateString(list[i]));
	return array;
}

static cJSON *secrets_json(const struct findings *f)
{
	cJSON *list = cJSON_CreateArray();

	for (size_t i = 0; i < f->secrets.n; i++) {
		const struct secret *s = &f->secrets.list[i];
		cJSON *one = cJSON_CreateObject();

		cJSON_AddStringToObject(one, "path", s->guest);
		cJSON_AddStringToObject(one, "kind", s->key.kind);
		cJSON_AddNumberToObject(one, "bits", s->key.bits);
		cJSON_AddStringToObject(one, "place", s->place);
		cJSON_AddItemToArray(list, one);
	}
	return list;
}

static void print_json(const struct findings *f)
{
	const struct closure *c = &f->pack.files;
	cJSON *root = cJSON_CreateObject(), *libs = cJSON_CreateArray(),
	      *notes = cJSON_CreateArray();

	cJSON_AddStringToObject(root, "program", f->pack.exe);
	if (f->script_interp != NULL)
		cJSON_AddStringToObject(root, "script_interpreter", f->script_interp);
	if (f->interp != NULL)
		cJSON_AddStringToObject(root, "interpreter", f->interp);
	for (size_t i = 0; i < c->found_count; i++) {
		cJSON *lib = cJSON_CreateObject();

		if (c->found[i].interp) {
			cJSON_Delete(lib);
			continue;
		}
		cJSON_AddStringToObject(lib, "name", c->found[i].name);
		cJSON_AddItemToObject(lib, "path",
				      c->found[i].path != NULL
					      ? cJSON_CreateString(c->found[i].path)
					      : cJSON_CreateNull());
		cJSON_AddStringToObject(lib, "needed_by", c->found[i].user);
		cJSON_AddItemToArray(libs, lib);
	}
	cJSON_AddItemToObject(root, "libraries", libs);
	for (size_t i = 0; i < c->notes.n; i++)
		cJSON_AddItemToArray(notes, cJSON_CreateString(c->notes.v[i]));
	cJSON_AddItemToObject(root, "catalog", notes);
	if (f->pack.entry != NULL) {
		const struct catalog_entry *e = f->pack.entry;

		cJSON_AddItemToObject(root, "ports", strings_json(e->ports, e->ports_count));
		cJSON_AddItemToObject(root, "hints", strings_json(e->hints, e->hints_count));
	}
	cJSON_AddItemToObject(root, "secrets", secrets_json(f));
	cJSON_AddNumberToObject(root, "files", (double)c->fs.n);
	cJSON_AddNumberToObject(root, "bytes", (double)c->fs.bytes);
	cJSON_AddItemToObject(root, "syscalls", names_json(f, false));
	cJSON_AddItemToObject(root, "syscalls_lacking", names_json(f, true));
	cJSON_AddNumberToObject(root, "syscalls_unknown", f->scan.unknown);
	char *text = cJSON_Print(root);

	printf("%s\n", text != NULL ? text : "{}");
	cJSON_free(text);
	cJSON_Delete(root);
}

/* ---- built images ---- */

static void print_image(const struct bundle *b)
{
	char size[32];

	printf("Program       %s\n", b->exe);
	print_list("Arguments", b->argv.v + 1, (unsigned)b->argv.n - 1);
	printf("Folder        %s\n", b->cwd);
	print_list("Environment", b->env.v, (unsigned)b->env.n);
	print_list("Secrets", b->secrets.v, (unsigned)b->secrets.n);
	if (b->secret_code != NULL)
		printf("              only for the private part with the digest %s\n",
		       b->secret_code);
	printf("Files         %s\n", format_size(b->size, size));
}

static void print_image_json(const struct bundle *b)
{
	cJSON *root = cJSON_CreateObject();

	cJSON_AddStringToObject(root, "program", b->exe);
	cJSON_AddItemToObject(root, "argv", strings_json(b->argv.v, (unsigned)b->argv.n));
	cJSON_AddStringToObject(root, "cwd", b->cwd);
	cJSON_AddItemToObject(root, "env", strings_json(b->env.v, (unsigned)b->env.n));
	cJSON_AddItemToObject(root, "secrets", strings_json(b->secrets.v, (unsigned)b->secrets.n));
	cJSON_AddNumberToObject(root, "bytes", (double)b->size);
	char *text = cJSON_Print(root);

	printf("%s\n", text != NULL ? text : "{}");
	cJSON_free(text);
	cJSON_Delete(root);
}

static int inspect_image(const char *path, bool json)
{
	struct bundle b;

	bundle_open(path, &b);
	if (json)
		print_image_json(&b);
	else
		print_image(&b);
	close(b.fd);
	bundle_release(&b);
	return 0;
}

int command_inspect(const char *program, const struct strv *secrets, bool json)
{
	struct findings f = { 0 };

	if (bundle_is(program))
		return inspect_image(program, json);
	gather(&f, program, secrets);
	if (json)
		print_json(&f);
	else
		print_text(&f);
	int code = f.missing_libs != 0 ? 1 : 0;

	free(f.script_interp);
	secrets_release(&f.secrets);
	pack_release(&f.pack);
	catalog_release(&f.catalog);
	return code;
}
