/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi/privuser.h"
#include "base/sha256.h"
#include "tool/places.h"
#include "tool/report.h"
#include "tool/sslconf.h"
#include "user/lib/priv/image.h"

#define MODULE_MAX  (64u << 20)
#define LIBRARY_MAX (64u << 20)
#define CONF_MAX    (1u << 20)

/* ---- the keys ---- */

static bool known_already(const struct secrets *s, const char *host)
{
	struct stat a, b;

	if (stat(host, &a) != 0)
		return false;
	for (size_t i = 0; i < s->n; i++)
		if (stat(s->list[i].host, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
			return true;
	return false;
}

/* "HOST" or "HOST:GUEST", as run_spec_add_secret() has made it. */
static void read_key(struct secrets *s, const char *wanted)
{
	const char *colon = path_exists(wanted) ? NULL : strrchr(wanted, ':');
	struct secret new = { 0 };
	char why[KEYFILE_WHY_MAX];
	const char *hint;

	new.host = colon != NULL ? xstrndup(wanted, (size_t)(colon - wanted)) : xstrdup(wanted);
	new.guest = xstrdup(colon != NULL ? colon + 1 : wanted);
	if (known_already(s, new.host))
		die(EXIT_TOOL, NULL, "secret %s is named twice", new.host);
	if (!keyfile_read(new.host, &new.key, why, &hint))
		die(EXIT_TOOL, hint, "secret %s: %s", new.host, why);
	new.place = xasprintf(SECRET_FOLDER "/%zu", s->n);
	for (unsigned i = 0; i < new.key.nparts; i++) {
		const struct keyfile_part *p = &new.key.parts[i];
		char *name = xasprintf("%s (%s)", new.host, p->name);

		needles_add(&s->needles, name, p->bytes, p->size);
		free(name);
	}
	note("secret %s: %s, %u bits; it lies at %s", new.host, new.key.kind, new.key.bits,
	     new.place);
	s->list = xrealloc(s->list, (s->n + 1) * sizeof(*s->list));
	s->list[s->n++] = new;
}

/* The real key, to where PrivUser finds it: as DER, whatever stands around it in its file. */
static void place_key(struct closure *c, const struct secret *s)
{
	char *data = xmalloc(s->key.der_size);
	struct rootfs_entry *e;

	memcpy(data, s->key.der, s->key.der_size);
	e = rootfs_add_data(&c->fs, s->place, data, s->key.der_size, 0400, s->key.mtime);
	if (e == NULL)
		die(EXIT_TOOL, "leave " SECRET_FOLDER " to the tool",
		    "%s cannot be made in the image: %s", s->place, strerror(errno));
	e->secret = true;
}

static void put_name(struct closure *c, struct rootfs_entry *e, const struct secret *s)
{
	size_t size;
	char *data;

	keyfile_name(&s->key, s->place, &data, &size);
	rootfs_set_data(&c->fs, e, data, size);
}

/* The name, to every place to which the key's file would come. */
static void place_names(struct closure *c, const struct secret *s)
{
	struct rootfs_add what = { .host = s->host, .guest = s->guest };
	const char *at = NULL;
	struct stat st;

	if (rootfs_add(&c->fs, &what, &at) != 0)
		die(EXIT_TOOL,
		    errno == EEXIST ? "another file is taken along to that path: leave it out"
				    : NULL,
		    "secret %s cannot be named at %s: %s", s->host, s->guest, strerror(errno));
	if (stat(s->host, &st) != 0 || rootfs_find(&c->fs, at)->type != ROOTFS_FILE)
		die(EXIT_TOOL, NULL, "secret %s: it is no regular file any more", s->host);
	for (size_t i = 0; i < c->fs.n; i++) {
		struct rootfs_entry *e = c->fs.entries[i];

		if (e->type == ROOTFS_FILE && e->host != NULL && e->dev == st.st_dev &&
		    e->ino == st.st_ino)
			put_name(c, e, s);
	}
}

/* ---- the provider ---- */

/* The private part in a program or library: its header, or NULL. */
static const struct priv_image *find_image(const char *data, size_t size)
{
	for (size_t at = 0; at + sizeof(struct priv_image) <= size; at += 16) {
		const struct priv_image *i = (const struct priv_image *)(data + at);

		if (i->magic == PRIV_IMAGE_MAGIC && i->base == PRIVUSER_BASE &&
		    i->entry - i->base < i->code_len && i->code_len % 4096 == 0 &&
		    (uint64_t)i->code_len + i->data_len <= size - at)
			return i;
	}
	return NULL;
}

/* What the kernel computes when it is set up (abi/privuser.h). */
static char *code_digest(const struct priv_image *i)
{
	char *hex = xmalloc(SHA256_HEX);
	struct sha256 sum;

	sha256_init(&sum);
	sha256_add_u64(&sum, i->base);
	sha256_add_u64(&sum, i->entry);
	sha256_add_u64(&sum, i->code_len);
	sha256_add_u64(&sum, i->data_len);
	sha256_add_u64(&sum, i->bss_len);
	sha256_add_u64(&sum, i->filter);
	sha256_add(&sum, i, (size_t)i->code_len + i->data_len);
	sha256_hex(&sum, hex);
	return hex;
}

static void add_provider(struct secrets *s, struct closure *c)
{
	char *path = places_provider();
	char *guest = xstrdup(SECRET_PROVIDER), *data;
	struct rootfs_add what = { .host = path, .guest = guest };
	const struct priv_image *image;
	size_t size;

	if (read_whole_file(path, MODULE_MAX, &data, &size) != 0)
		die(EXIT_TOOL, NULL, "%s: %s", path, strerror(errno));
	image = find_image(data, size);
	if (image == NULL)
		die(EXIT_TOOL, "build it again: make provider",
		    "%s has no private part: it is not the provider", path);
	s->code = code_digest(image);
	if (rootfs_add(&c->fs, &what, NULL) != 0)
		die(EXIT_TOOL, NULL, "%s cannot be taken along: %s", path, strerror(errno));
	closure_finish(c); /* its libraries */
	free(data);
	free(guest);
	free(path);
}

/* ---- OpenSSL's configuration ---- */

/* "/usr/lib/ssl" of a libcrypto: its constant OPENSSLDIR: "...". The caller frees; NULL: none. */
static char *openssl_dir(const char *library)
{
	static const char mark[] = "OPENSSLDIR: \"";
	const char *at, *end;
	char *data, *dir = NULL;
	size_t size;

	if (read_whole_file(library, LIBRARY_MAX, &data, &size) != 0)
		return NULL;
	at = memmem(data, size, mark, sizeof(mark) - 1);
	if (at != NULL) {
		at += sizeof(mark) - 1;
		end = memchr(at, '"', size - (size_t)(at - data));
		if (end != NULL && *at == '/')
			dir = xstrndup(at, (size_t)(end - at));
	}
	free(data);
	return dir;
}

static void add_included(struct closure *c, const struct strv *included)
{
	for (size_t i = 0; i < included->n; i++)
		if (rootfs_add_path(&c->fs, included->v[i], NULL) != 0)
			warn("%s, which OpenSSL's configuration includes, is left out: %s",
			     included->v[i], strerror(errno));
}

static char *extended(const char *path, const char *text, struct closure *c)
{
	struct strv included = { 0 };
	char why[SSLCONF_WHY_MAX];
	char *out = sslconf_add_provider(path, text, "ringfence", SECRET_PROVIDER, &included, why);

	if (out == NULL)
		die(EXIT_TOOL,
		    "name a configuration without it: -e OPENSSL_CONF=FILE, and --include FILE",
		    "the provider cannot be added to OpenSSL's configuration %s", why);
	add_included(c, &included);
	strv_release(&included);
	return out;
}

static void extend_entry(struct closure *c, struct rootfs_entry *e)
{
	char *text, *out;
	size_t size;

	if (e->data != NULL)
		return; /* done already */
	if (read_whole_file(e->host, CONF_MAX, &text, &size) != 0)
		die(EXIT_TOOL, NULL, "OpenSSL's configuration %s: %s", e->host, strerror(errno));
	out = extended(e->host, text, c);
	rootfs_set_data(&c->fs, e, out, strlen(out));
	free(text);
}

/* `must`: somebody has named it. */
static void extend_conf(struct closure *c, const char *path, bool must)
{
	struct rootfs_entry *e;
	const char *at = NULL;
	char *dir = path_parent(path);

	if (rootfs_add_path(&c->fs, path, &at) == 0) {
		e = rootfs_find(&c->fs, at);
		if (e->type != ROOTFS_FILE)
			die(EXIT_TOOL, NULL, "OpenSSL's configuration %s is no regular file", path);
		extend_entry(c, e);
	} else if (must) {
		die(EXIT_TOOL, "take the file along with --include, or leave the variable out",
		    "OPENSSL_CONF=%s: %s; the provider of the secrets could not be loaded", path,
		    strerror(errno));
	} else {
		char *text = extended(path, "", c);

		if (rootfs_add_folder(&c->fs, dir, 0755) != 0 ||
		    rootfs_add_data(&c->fs, path, text, strlen(text), 0644,
				    (struct timespec){ 1, 0 }) == NULL)
			die(EXIT_TOOL, NULL, "%s cannot be made in the image: %s", path,
			    strerror(errno));
	}
	free(dir);
}

/* Libraries of OpenSSL 3 in the image, as their paths on the host. */
static void find_openssl(const struct closure *c, struct strv *libraries)
{
	for (size_t i = 0; i < c->fs.n; i++) {
		const struct rootfs_entry *e = c->fs.entries[i];

		if (e->type == ROOTFS_FILE && e->host != NULL &&
		    strcmp(path_base(e->guest), "libcrypto.so.3") == 0)
			strv_add(libraries, e->host);
	}
}

static void extend_all(struct closure *c, const struct strv *libraries, const struct strv *env)
{
	static const char variable[] = "OPENSSL_CONF=";
	const char *chosen = NULL;

	for (size_t i = 0; i < libraries->n; i++) {
		char *dir = openssl_dir(libraries->v[i]);
		char *path;

		if (dir == NULL) {
			warn("%s does not tell where its configuration is", libraries->v[i]);
			continue;
		}
		path = path_join(dir, "openssl.cnf");
		extend_conf(c, path, false);
		free(path);
		free(dir);
	}
	for (size_t i = 0; i < env->n; i++)
		if (str_begins(env->v[i], variable))
			chosen = env->v[i] + sizeof(variable) - 1;
	if (chosen != NULL)
		extend_conf(c, chosen, true);
}

/* ---- all of it ---- */

static void check_words(const struct secrets *s, const struct strv *words, const char *what)
{
	for (size_t i = 0; i < words->n; i++) {
		const char *found = needles_find(&s->needles, words->v[i], strlen(words->v[i]));

		if (found != NULL)
			die(EXIT_TOOL, "name the key's file instead",
			    "%s %zu holds the secret %s, where the program can read it", what,
			    i + 1, found);
	}
}

void secrets_read(struct secrets *s, const struct strv *wanted)
{
	*s = (struct secrets){ 0 };
	needles_init(&s->needles);
	for (size_t i = 0; i < wanted->n; i++)
		read_key(s, wanted->v[i]);
}

void secrets_apply(struct secrets *s, struct closure *c, const struct strv *wanted,
		   const struct strv *env, const struct strv *args)
{
	struct strv libraries = { 0 };

	secrets_read(s, wanted);
	if (s->n == 0)
		return;
	check_words(s, args, "argument");
	check_words(s, env, "variable");
	find_openssl(c, &libraries);
	if (libraries.n == 0)
		die(EXIT_TOOL,
		    "keys in ring 2 are for programs with OpenSSL 3 (libcrypto.so.3); others can "
		    "keep theirs with ringfence-cc",
		    "the program does not use OpenSSL 3: it could not use the secret %s",
		    s->list[0].host);
	if (rootfs_find(&c->fs, SECRET_FOLDER) != NULL ||
	    rootfs_add_folder(&c->fs, SECRET_FOLDER, 0755) != 0)
		die(EXIT_TOOL, "leave it out", SECRET_FOLDER " comes along from this host");
	for (size_t i = 0; i < s->n; i++) {
		place_names(c, &s->list[i]);
		place_key(c, &s->list[i]);
	}
	add_provider(s, c);
	extend_all(c, &libraries, env);
	c->fs.secret = true;
	strv_release(&libraries);
}

static const char *look_into(const struct secrets *s, const struct stage *stage,
			     const struct rootfs_entry *e)
{
	int fd = stage_open(stage, e);
	const char *found;
	struct stat st;
	char *data;

	if (fd < 0 || fstat(fd, &st) != 0)
		die(EXIT_TOOL, NULL, "%s cannot be looked into for secrets: %s", e->guest,
		    strerror(errno));
	if (st.st_size == 0) {
		close(fd);
		return NULL;
	}
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (data == MAP_FAILED)
		die(EXIT_TOOL, NULL, "%s cannot be looked into for secrets: %s", e->guest,
		    strerror(errno));
	found = needles_find(&s->needles, data, (size_t)st.st_size);
	munmap(data, (size_t)st.st_size);
	close(fd);
	return found;
}

void secrets_check(const struct secrets *s, const struct stage *stage, const struct rootfs *fs)
{
	for (size_t i = 0; i < fs->n && s->n > 0; i++) {
		const struct rootfs_entry *e = fs->entries[i];
		const char *found;

		interrupts_check();
		if (e->type != ROOTFS_FILE || e->secret)
			continue;
		found = look_into(s, stage, e);
		if (found != NULL)
			die(EXIT_TOOL,
			    "leave that file out, or name it with --secret as well if it is a key",
			    "%s would be in the image and holds the secret %s, where the program "
			    "can read it",
			    e->guest, found);
	}
}

void secrets_release(struct secrets *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->list[i].host);
		free(s->list[i].guest);
		free(s->list[i].place);
		keyfile_release(&s->list[i].key);
	}
	free(s->list);
	free(s->code);
	needles_release(&s->needles);
	*s = (struct secrets){ 0 };
}
