/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/sslconf.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX      (1u << 20)
#define INCLUDE_DEPTH 8u

/* All assignments, in their order: the last one of a name counts. */
struct conf {
	struct assignment {
		char *section, *name, *value;
	} * list;
	size_t n;
	struct strv *included;
	char *section; /* where the reader is */
	unsigned depth;
};

static bool read_text(struct conf *c, const char *path, const char *text, char *why);

static void conf_release(struct conf *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->list[i].section);
		free(c->list[i].name);
		free(c->list[i].value);
	}
	free(c->list);
	free(c->section);
}

static const char *value_of(const struct conf *c, const char *section, const char *name)
{
	for (size_t i = c->n; i-- > 0;)
		if (strcmp(c->list[i].section, section) == 0 && strcmp(c->list[i].name, name) == 0)
			return c->list[i].value;
	return NULL;
}

static bool fail(char *why, const char *path, const char *what, const char *detail)
{
	snprintf(why, SSLCONF_WHY_MAX, "%s: %s%s%s", path, what, detail != NULL ? ": " : "",
		 detail != NULL ? detail : "");
	return false;
}

/* ---- reading ---- */

static char *trim(char *s)
{
	size_t n;

	s += strspn(s, " \t\r");
	for (n = strlen(s); n > 0 && strchr(" \t\r", s[n - 1]) != NULL; n--)
		;
	s[n] = '\0';
	return s;
}

/* Without the comment and the quotes around it. */
static char *plain_value(char *s)
{
	size_t n;

	s = trim(s);
	n = strlen(s);
	if (n >= 2 && (s[0] == '"' || s[0] == '\'') && s[n - 1] == s[0]) {
		s[n - 1] = '\0';
		return s + 1;
	}
	return s;
}

static void assign(struct conf *c, const char *name, const char *value)
{
	const char *colons = strstr(name, "::");

	c->list = xrealloc(c->list, (c->n + 1) * sizeof(*c->list));
	c->list[c->n++] = (struct assignment){
		colons != NULL ? xstrndup(name, (size_t)(colons - name)) : xstrdup(c->section),
		xstrdup(colons != NULL ? colons + 2 : name),
		xstrdup(value),
	};
}

static bool include_file(struct conf *c, const char *path, char *why)
{
	char *text;
	size_t size;

	if (read_whole_file(path, FILE_MAX, &text, &size) != 0)
		return fail(why, path, "included, but cannot be read", strerror(errno));
	if (!strv_has(c->included, path))
		strv_add(c->included, path);
	bool ok = read_text(c, path, text, why);

	free(text);
	return ok;
}

/* A folder stands for its files *.cnf and *.conf. */
static bool include(struct conf *c, const char *from, const char *path, char *why)
{
	static const char *const endings[] = { "/*.cnf", "/*.conf" };
	struct stat st;
	bool ok = true;

	if (path[0] != '/' || strchr(path, '$') != NULL)
		return fail(why, from, "includes what is no path from /", path);
	if (c->depth >= INCLUDE_DEPTH)
		return fail(why, from, "includes itself", path);
	if (stat(path, &st) != 0)
		return true; /* as OpenSSL has it: nothing is included */
	c->depth++;
	if (!S_ISDIR(st.st_mode))
		ok = include_file(c, path, why);
	for (unsigned i = 0; i < 2 && ok && S_ISDIR(st.st_mode); i++) {
		char *pattern = xasprintf("%s%s", path, endings[i]);
		glob_t g = { 0 };

		if (glob(pattern, 0, NULL, &g) == 0)
			for (size_t k = 0; k < g.gl_pathc && ok; k++)
				ok = include_file(c, g.gl_pathv[k], why);
		globfree(&g);
		free(pattern);
	}
	c->depth--;
	return ok;
}

static bool read_line(struct conf *c, const char *path, char *line, char *why)
{
	char *equals, *end;

	line = trim(line);
	if (*line == '\0')
		return true;
	if (*line == '[') {
		end = strchr(line, ']');
		if (end == NULL)
			return fail(why, path, "a section's name does not end", line);
		*end = '\0';
		free(c->section);
		c->section = xstrdup(trim(line + 1));
		return true;
	}
	equals = strchr(line, '=');
	if (str_begins(line, ".include")) {
		char *what = line + strlen(".include");

		what += strspn(what, " \t");
		return include(c, path, plain_value(*what == '=' ? what + 1 : what), why);
	}
	if (*line == '.')
		return true; /* .pragma */
	if (equals == NULL)
		return fail(why, path, "a line has no \"=\"", line);
	*equals = '\0';
	assign(c, trim(line), plain_value(equals + 1));
	return true;
}

/* Cut a comment off; "\#" and what is in quotes is none. */
static void cut_comment(char *line)
{
	char quote = '\0';

	for (char *p = line; *p != '\0'; p++) {
		if (*p == '\\' && p[1] != '\0')
			p++;
		else if (quote != '\0')
			quote = *p == quote ? '\0' : quote;
		else if (*p == '"' || *p == '\'')
			quote = *p;
		else if (*p == '#') {
			*p = '\0';
			return;
		}
	}
}

static bool read_text(struct conf *c, const char *path, const char *text, char *why)
{
	bool ok = true;

	while (ok && *text != '\0') {
		char *line = xstrdup("");
		bool more = true;

		while (more && *text != '\0') {
			size_t n = strcspn(text, "\n");
			char *longer = xasprintf("%s%.*s", line, (int)n, text);
			size_t len = strlen(longer);

			free(line);
			line = longer;
			text += n + (text[n] == '\n');
			more = len > 0 && line[len - 1] == '\\';
			if (more)
				line[len - 1] = '\0';
		}
		cut_comment(line);
		ok = read_line(c, path, line, why);
		free(line);
	}
	return ok;
}

/* ---- adding ---- */

static bool switched_on(const char *value)
{
	return value != NULL && strcmp(value, "0") != 0 && strcasecmp(value, "no") != 0 &&
	       strcasecmp(value, "off") != 0 && strcasecmp(value, "false") != 0;
}

/* Does the section activate providers of its own choice? */
static bool chooses(const struct conf *c, const char *providers)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct assignment *a = &c->list[i];

		if (strcmp(a->section, providers) == 0 && a->value[0] != '\0' &&
		    switched_on(value_of(c, a->value, "activate")))
			return true;
	}
	return false;
}

/* Sections that are opened again go on. */
static char *compose(const struct conf *c, const char *text, const char *name, const char *module)
{
	const char *init = value_of(c, "default", "openssl_conf");
	const char *providers = init != NULL ? value_of(c, init, "providers") : NULL;
	const char *standard = providers != NULL ? value_of(c, providers, "default") : NULL;
	const char *list = providers != NULL ? providers : "ringfence_providers";
	const char *add = standard == NULL ? "default = ringfence_default\n" : "";
	char *head = xstrdup(init == NULL ? "openssl_conf = ringfence_init\n\n" : "");
	char *link = providers == NULL ? xasprintf("[%s]\nproviders = ringfence_providers\n\n",
						   init != NULL ? init : "ringfence_init")
				       : xstrdup("");
	char *fallback = xasprintf("[%s]\nactivate = 1\n\n",
				   standard != NULL ? standard : "ringfence_default");

	if (providers != NULL && chooses(c, providers)) {
		add = "";
		fallback[0] = '\0';
	}
	char *all = xasprintf("%s%s\n\n# Added by ringfence: private keys in ring 2.\n"
			      "%s[%s]\n%s%s = %s_provider\n\n%s[%s_provider]\nmodule = %s\n"
			      "activate = 1\n",
			      head, text, link, list, add, name, name, fallback, name, module);

	free(head);
	free(link);
	free(fallback);
	return all;
}

char *sslconf_add_provider(const char *path, const char *text, const char *name, const char *module,
			   struct strv *included, char why[SSLCONF_WHY_MAX])
{
	struct conf c = { .included = included, .section = xstrdup("default") };
	const char *init;
	char *out = NULL;

	if (read_text(&c, path, text, why)) {
		init = value_of(&c, "default", "openssl_conf");
		if (init != NULL && (strchr(init, '$') != NULL ||
				     (value_of(&c, init, "providers") != NULL &&
				      strchr(value_of(&c, init, "providers"), '$') != NULL)))
			fail(why, path, "names its sections by variables", init);
		else
			out = compose(&c, text, name, module);
	}
	conf_release(&c);
	return out;
}
