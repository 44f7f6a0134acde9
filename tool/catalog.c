/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/catalog.h"

#include <fnmatch.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "tool/net.h"
#include "tool/report.h"
#include "tool/yaml.h"

static const cyaml_strval_t words_values[] = { { "no", WORDS_NO },
					       { "words", WORDS_ALL },
					       { "quoted", WORDS_QUOTED } };

static const cyaml_schema_field_t fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct catalog_entry, name, 1,
			       CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("match", CYAML_FLAG_POINTER, struct catalog_entry, match,
			     &yamlfile_string, 1, CYAML_UNLIMITED),
	YAML_LIST("include", struct catalog_entry, include),
	YAML_LIST("exclude", struct catalog_entry, exclude),
	YAML_LIST("secrets", struct catalog_entry, secrets),
	YAML_LIST("programs", struct catalog_entry, programs),
	YAML_LIST("env", struct catalog_entry, env),
	YAML_TEXT("memory", struct catalog_entry, memory),
	CYAML_FIELD_ENUM("argument-programs", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT,
			 struct catalog_entry, words, words_values, 3),
	YAML_LIST("folders", struct catalog_entry, folders),
	YAML_LIST("args", struct catalog_entry, args),
	YAML_LIST("args-before", struct catalog_entry, args_before),
	YAML_LIST("needs", struct catalog_entry, needs),
	YAML_BOOL("service", struct catalog_entry, service),
	YAML_BOOL("network", struct catalog_entry, network),
	YAML_LIST("ports", struct catalog_entry, ports),
	YAML_TEXT("scheme", struct catalog_entry, scheme),
	YAML_TEXT("user", struct catalog_entry, user),
	YAML_LIST("hints", struct catalog_entry, hints),
	CYAML_FIELD_END
};
static const cyaml_schema_value_t schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER,
								 struct catalog_entry, fields) };

/* What the schema cannot say. */
static bool values_ok(const struct catalog_entry *e, const char *path, char *why, size_t why_size)
{
	char reason[NET_WHY_MAX];
	struct port_map port;

	for (unsigned i = 0; i < e->ports_count; i++) {
		if (net_parse_port(e->ports[i], &port, reason))
			continue;
		snprintf(why, why_size, "%s: key \"ports\": \"%s\": %s", path, e->ports[i], reason);
		return false;
	}
	for (unsigned i = 0; i < e->folders_count; i++) {
		if (e->folders[i][0] == '/')
			continue;
		snprintf(why, why_size, "%s: key \"folders\": \"%s\" does not begin with /", path,
			 e->folders[i]);
		return false;
	}
	return true;
}

struct catalog_entry *catalog_read_file(const char *path, char *why, size_t why_size)
{
	char reason[YAML_WHY_MAX];
	void *data = NULL;
	uint64_t bytes;

	if (!yamlfile_load(path, &schema, &data, reason)) {
		snprintf(why, why_size, "%s", reason);
		return NULL;
	}
	struct catalog_entry *e = data;

	if (e->memory != NULL && !parse_size(e->memory, &bytes)) {
		snprintf(why, why_size, "%s: key \"memory\": \"%s\" is no size (like 128M)", path,
			 e->memory);
		catalog_entry_free(e);
		return NULL;
	}
	if (!values_ok(e, path, why, why_size)) {
		catalog_entry_free(e);
		return NULL;
	}
	for (unsigned i = 0; i < e->env_count; i++) {
		if (strchr(e->env[i], '=') != NULL)
			continue;
		snprintf(why, why_size, "%s: key \"env\": \"%s\" is not NAME=VALUE", path,
			 e->env[i]);
		catalog_entry_free(e);
		return NULL;
	}
	return e;
}

void catalog_entry_free(struct catalog_entry *entry)
{
	yamlfile_free(&schema, entry);
}

void catalog_load(struct catalog *cat, const char *dir)
{
	char *pattern = path_join(dir, "*.yaml");
	glob_t found = { 0 };
	char why[YAML_WHY_MAX];

	*cat = (struct catalog){ 0 };
	if (glob(pattern, 0, NULL, &found) == 0) {
		cat->entries = xcalloc(found.gl_pathc, sizeof(*cat->entries));
		for (size_t i = 0; i < found.gl_pathc; i++) {
			cat->entries[i] = catalog_read_file(found.gl_pathv[i], why, sizeof(why));
			if (cat->entries[i] == NULL)
				die(EXIT_TOOL, "mend or remove this catalog entry", "%s", why);
			cat->n++;
		}
	}
	globfree(&found);
	free(pattern);
}

void catalog_release(struct catalog *cat)
{
	for (size_t i = 0; i < cat->n; i++)
		catalog_entry_free(cat->entries[i]);
	free(cat->entries);
	*cat = (struct catalog){ 0 };
}

static bool matches(const struct catalog_entry *e, const char *name)
{
	for (unsigned i = 0; i < e->match_count; i++)
		if (fnmatch(e->match[i], name, 0) == 0)
			return true;
	return false;
}

const struct catalog_entry *catalog_match(const struct catalog *cat, const char *real,
					  const char *name)
{
	for (size_t i = 0; i < cat->n; i++)
		if (matches(cat->entries[i], path_base(real)) ||
		    matches(cat->entries[i], path_base(name)))
			return cat->entries[i];
	return NULL;
}

/* "3.11" of "/usr/bin/python3.11": what follows the letters and ends the name. */
static const char *version_of(const char *real)
{
	const char *name = path_base(real);

	return name + strcspn(name, "0123456789");
}

static char *prefix_of(const char *real)
{
	char *bin = path_parent(real);
	char *prefix = path_parent(bin);

	free(bin);
	if (strcmp(prefix, "/") == 0) { /* /bin/x: its files are below /usr all the same */
		free(prefix);
		prefix = xstrdup("/usr");
	}
	return prefix;
}

char *catalog_expand(const char *text, const char *real)
{
	char *prefix = prefix_of(real);
	char *out = xstrdup("");

	while (*text != '\0') {
		size_t plain = strcspn(text, "$");
		const char *value = "";
		char *longer;

		if (plain > 0) {
			longer = xasprintf("%s%.*s", out, (int)plain, text);
			text += plain;
		} else {
			size_t used = 1;

			value = "$";
			if (str_begins(text, "${prefix}")) {
				value = prefix;
				used = strlen("${prefix}");
			} else if (str_begins(text, "${version}")) {
				value = version_of(real);
				used = strlen("${version}");
			}
			longer = xasprintf("%s%s", out, value);
			text += used;
		}
		free(out);
		out = longer;
	}
	free(prefix);
	return out;
}
