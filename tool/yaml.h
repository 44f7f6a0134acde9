/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * YAML files into structures, by libcyaml's schemas. libyaml reads the file first, so that every
 * complaint has file, line, column and key.
 */
#pragma once

#include <cyaml/cyaml.h>

#include "tool/util.h"

#define YAML_WHY_MAX 512

/*
 * Load `path` by `schema` (a mapping). On success *out holds the structure: release it with
 * yamlfile_free(). An empty file gives an empty structure. False: `why` says "FILE:LINE:COLUMN:
 * reason".
 */
bool yamlfile_load(const char *path, const cyaml_schema_value_t *schema, void **out,
		   char why[YAML_WHY_MAX]);
/* Line of a key in a file that has been loaded, for what is wrong with its meaning; 0: none. */
unsigned yamlfile_line(const char *path, const char *key);
void yamlfile_free(const cyaml_schema_value_t *schema, void *data);

/* For yes/no keys: libcyaml's own booleans take any text for "yes". */
enum yaml_bool { YAML_NO = 0, YAML_YES = 1 };
extern const cyaml_strval_t yamlfile_bool_values[4];
#define YAML_BOOL(key, structure, member)                                                 \
	CYAML_FIELD_ENUM(key, CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, structure, member, \
			 yamlfile_bool_values, 4)
/* A list of strings that is `char **member; unsigned member_count;`. */
extern const cyaml_schema_value_t yamlfile_string;
#define YAML_LIST(key, structure, member)                                                      \
	CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, structure, member, \
			     &yamlfile_string, 0, CYAML_UNLIMITED)
#define YAML_TEXT(key, structure, member)                                                        \
	CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, structure, member, \
			       1, CYAML_UNLIMITED)
