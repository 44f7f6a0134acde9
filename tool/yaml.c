/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define FILE_MAX (1024u * 1024)

const cyaml_strval_t yamlfile_bool_values[4] = {
	{ "no", YAML_NO }, { "yes", YAML_YES }, { "false", YAML_NO }, { "true", YAML_YES }
};
const cyaml_schema_value_t yamlfile_string = { CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0,
								  CYAML_UNLIMITED) };

/* What libcyaml says about a file that it refuses: the field, and the entry if it is a list. */
struct complaint {
	char message[160];
	char field[64];
	unsigned entry; /* from 1; 0: the value itself */
};

/* A message of libcyaml: the complaint first, then where, from inside to outside. */
static void on_cyaml_log(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
	struct complaint *c = ctx;
	char line[256], *quote;
	unsigned entry;

	(void)level;
	vsnprintf(line, sizeof(line), fmt, args);
	if ((quote = strstr(line, "in mapping field '")) != NULL)
		sscanf(quote, "in mapping field '%63[^']'", c->field);
	else if ((quote = strstr(line, "in sequence entry '")) != NULL &&
		 sscanf(quote, "in sequence entry '%u'", &entry) == 1)
		c->entry = entry;
	else if (c->message[0] == '\0' && str_begins(line, "Load: "))
		snprintf(c->message, sizeof(c->message), "%.*s", (int)strcspn(line + 6, "\n"),
			 line + 6);
}

static cyaml_config_t config(struct complaint *c)
{
	return (cyaml_config_t){
		.log_fn = on_cyaml_log,
		.log_ctx = c,
		.log_level = CYAML_LOG_ERROR,
		.mem_fn = cyaml_mem,
		.flags = CYAML_CFG_NO_ALIAS,
	};
}

static bool at(char why[YAML_WHY_MAX], const char *path, yaml_mark_t mark, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

/* Put the position and a message into `why`; always false. */
static bool at(char why[YAML_WHY_MAX], const char *path, yaml_mark_t mark, const char *fmt, ...)
{
	int n = snprintf(why, YAML_WHY_MAX, "%s:%zu:%zu: ", path, mark.line + 1, mark.column + 1);
	va_list ap;

	if (n < 0 || n >= YAML_WHY_MAX)
		return false;
	va_start(ap, fmt);
	vsnprintf(why + n, (size_t)(YAML_WHY_MAX - n), fmt, ap);
	va_end(ap);
	return false;
}

static const char *text_of(const yaml_node_t *node)
{
	return node != NULL && node->type == YAML_SCALAR_NODE
		       ? (const char *)node->data.scalar.value
		       : "";
}

static const cyaml_schema_field_t *field_of(const cyaml_schema_value_t *schema, const char *key)
{
	for (const cyaml_schema_field_t *f = schema->mapping.fields; f->key != NULL; f++)
		if (strcmp(f->key, key) == 0)
			return f;
	return NULL;
}

/* "program, args, env" */
static void known_keys(const cyaml_schema_value_t *schema, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (const cyaml_schema_field_t *f = schema->mapping.fields; f->key != NULL && n < size;
	     f++)
		n += (size_t)snprintf(out + n, size - n, "%s%s", n != 0 ? ", " : "", f->key);
}

/* Every key is known and stands once. */
static bool keys_ok(yaml_document_t *doc, const yaml_node_t *root, const char *path,
		    const cyaml_schema_value_t *schema, char why[YAML_WHY_MAX])
{
	const yaml_node_pair_t *first = root->data.mapping.pairs.start;

	for (const yaml_node_pair_t *p = first; p < root->data.mapping.pairs.top; p++) {
		const yaml_node_t *key = yaml_document_get_node(doc, p->key);
		char known[256];

		if (key->type != YAML_SCALAR_NODE)
			return at(why, path, key->start_mark, "a key must be a word");
		if (field_of(schema, text_of(key)) == NULL) {
			known_keys(schema, known, sizeof(known));
			return at(why, path, key->start_mark, "unknown key \"%s\" (known: %s)",
				  text_of(key), known);
		}
		for (const yaml_node_pair_t *q = first; q < p; q++)
			if (strcmp(text_of(yaml_document_get_node(doc, q->key)), text_of(key)) == 0)
				return at(why, path, key->start_mark,
					  "key \"%s\" stands here twice", text_of(key));
	}
	return true;
}

static const char *expectation(const cyaml_schema_field_t *field, bool entry)
{
	if (entry)
		return "each entry must be text";
	switch (field->value.type) {
	case CYAML_SEQUENCE: return "must be a list";
	case CYAML_UINT: return "must be a whole number from 1 up";
	case CYAML_ENUM: return "must be yes or no";
	case CYAML_STRING: return "must be text, and not empty";
	default: return "has a value that does not fit";
	}
}

/* Turn libcyaml's complaint into one with the position of the value. */
static bool explain(yaml_document_t *doc, const yaml_node_t *root, const char *path,
		    const cyaml_schema_value_t *schema, const struct complaint *c,
		    char why[YAML_WHY_MAX])
{
	const cyaml_schema_field_t *field = field_of(schema, c->field);
	const yaml_node_t *value = NULL;
	bool entry = false;

	for (const yaml_node_pair_t *p = root->data.mapping.pairs.start;
	     p < root->data.mapping.pairs.top; p++)
		if (strcmp(text_of(yaml_document_get_node(doc, p->key)), c->field) == 0)
			value = yaml_document_get_node(doc, p->value);
	if (field == NULL || value == NULL)
		return at(why, path, root->start_mark, "%s", c->message);
	if (value->type == YAML_SEQUENCE_NODE && c->entry != 0 &&
	    value->data.sequence.items.start + (c->entry - 1) < value->data.sequence.items.top) {
		value = yaml_document_get_node(doc, value->data.sequence.items.start[c->entry - 1]);
		entry = true;
	}
	if (*text_of(value) != '\0')
		return at(why, path, value->start_mark, "key \"%s\": %s (found: %s)", c->field,
			  expectation(field, entry), text_of(value));
	return at(why, path, value->start_mark, "key \"%s\": %s", c->field,
		  expectation(field, entry));
}

static bool load_checked(const char *path, const char *text, size_t size, yaml_document_t *doc,
			 const cyaml_schema_value_t *schema, void **out, char why[YAML_WHY_MAX])
{
	const yaml_node_t *root = yaml_document_get_root_node(doc);
	struct complaint c = { 0 };
	cyaml_config_t cfg = config(&c);

	if (root == NULL) { /* nothing but comments */
		text = "{}";
		size = 2;
	} else if (root->type != YAML_MAPPING_NODE) {
		return at(why, path, root->start_mark, "there must be \"key: value\" lines here");
	} else if (!keys_ok(doc, root, path, schema, why)) {
		return false;
	}
	cyaml_err_t err = cyaml_load_data((const uint8_t *)text, size, &cfg, schema, out, NULL);

	if (err == CYAML_OK)
		return true;
	*out = NULL;
	if (c.message[0] == '\0')
		snprintf(c.message, sizeof(c.message), "%s", cyaml_strerror(err));
	if (root == NULL)
		snprintf(why, YAML_WHY_MAX, "%s: %s", path, c.message);
	else
		explain(doc, root, path, schema, &c, why);
	return false;
}

bool yamlfile_load(const char *path, const cyaml_schema_value_t *schema, void **out,
		   char why[YAML_WHY_MAX])
{
	yaml_document_t doc;
	yaml_parser_t parser;
	char *text;
	size_t size;
	bool ok = false;

	*out = NULL;
	if (read_whole_file(path, FILE_MAX, &text, &size) != 0) {
		snprintf(why, YAML_WHY_MAX, "%s: %s", path, strerror(errno));
		return false;
	}
	if (yaml_parser_initialize(&parser) == 0) {
		free(text);
		snprintf(why, YAML_WHY_MAX, "%s: no memory", path);
		return false;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	if (yaml_parser_load(&parser, &doc) == 0) {
		at(why, path, parser.problem_mark, "%s",
		   parser.problem != NULL ? parser.problem : "bad YAML");
	} else {
		ok = load_checked(path, text, size, &doc, schema, out, why);
		yaml_document_delete(&doc);
	}
	yaml_parser_delete(&parser);
	free(text);
	return ok;
}

void yamlfile_free(const cyaml_schema_value_t *schema, void *data)
{
	struct complaint c = { 0 };
	cyaml_config_t cfg = config(&c);

	cyaml_free(&cfg, schema, data, 0);
}

unsigned yamlfile_line(const char *path, const char *key)
{
	yaml_document_t doc;
	yaml_parser_t parser;
	char *text;
	size_t size;
	unsigned line = 0;

	if (read_whole_file(path, FILE_MAX, &text, &size) != 0 ||
	    yaml_parser_initialize(&parser) == 0)
		return 0;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	if (yaml_parser_load(&parser, &doc) != 0) {
		const yaml_node_t *root = yaml_document_get_root_node(&doc);

		for (const yaml_node_pair_t *p = root->data.mapping.pairs.start;
		     root->type == YAML_MAPPING_NODE && p < root->data.mapping.pairs.top; p++)
			if (strcmp(text_of(yaml_document_get_node(&doc, p->key)), key) == 0)
				line = (unsigned)yaml_document_get_node(&doc, p->value)
					       ->start_mark.line +
				       1;
		yaml_document_delete(&doc);
	}
	yaml_parser_delete(&parser);
	free(text);
	return line;
}
