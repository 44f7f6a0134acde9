/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/statejson.h"

#include <stdlib.h>
#include <string.h>

#include "tool/report.h"

cJSON *statejson_make(const struct vm_state *s)
{
	cJSON *root = cJSON_CreateObject();
	cJSON *ports = cJSON_CreateArray();

	cJSON_AddStringToObject(root, "name", s->name);
	cJSON_AddStringToObject(root, "program", s->program);
	cJSON_AddStringToObject(root, "state", state_phase_name(s->phase));
	for (size_t i = 0; i < s->ports.n; i++)
		cJSON_AddItemToArray(ports, cJSON_CreateString(s->ports.v[i]));
	cJSON_AddItemToObject(root, "ports", ports);
	cJSON_AddBoolToObject(root, "detached", s->detached);
	cJSON_AddNumberToObject(root, "pid", s->owner);
	cJSON_AddNumberToObject(root, "pid_start", (double)s->owner_start);
	cJSON_AddNumberToObject(root, "qemu", s->qemu);
	cJSON_AddNumberToObject(root, "qemu_start", (double)s->qemu_start);
	cJSON_AddNumberToObject(root, "created", (double)s->created);
	cJSON_AddNumberToObject(root, "ended", (double)s->ended);
	cJSON_AddNumberToObject(root, "memory", (double)s->memory);
	cJSON_AddNumberToObject(root, "restarts", s->restarts);
	if (s->phase == VM_EXITED)
		cJSON_AddNumberToObject(root, "exit_code", s->exit_code);
	if (s->message != NULL)
		cJSON_AddStringToObject(root, "message", s->message);
	return root;
}

char *statejson_text(const struct vm_state *s)
{
	cJSON *root = statejson_make(s);
	char *text = cJSON_Print(root);

	cJSON_Delete(root);
	if (text == NULL)
		die_oom();
	return text;
}

static double number(const cJSON *root, const char *key, bool *ok)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, key);

	if (!cJSON_IsNumber(item) || item->valuedouble < 0 || item->valuedouble > 1e15) {
		*ok = false;
		return 0;
	}
	return item->valuedouble;
}

static char *text_of(const cJSON *root, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, key);

	return cJSON_IsString(item) ? xstrdup(item->valuestring) : NULL;
}

static bool read_phase(const cJSON *root, enum vm_phase *out)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, "state");

	for (unsigned i = VM_STARTING; cJSON_IsString(item) && i <= VM_EXITED; i++)
		if (strcmp(item->valuestring, state_phase_name(i)) == 0) {
			*out = i;
			return true;
		}
	return false;
}

static void read_ports(const cJSON *root, struct strv *out)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "ports"), *item;

	cJSON_ArrayForEach(item, list)
	{
		if (cJSON_IsString(item))
			strv_add(out, item->valuestring);
	}
}

bool statejson_read(const char *text, struct vm_state *s)
{
	cJSON *root = cJSON_Parse(text);
	bool ok = root != NULL;

	*s = (struct vm_state){ 0 };
	if (root == NULL)
		return false;
	ok = read_phase(root, &s->phase);
	s->name = text_of(root, "name");
	s->program = text_of(root, "program");
	s->message = text_of(root, "message");
	read_ports(root, &s->ports);
	s->detached = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(root, "detached"));
	s->owner = (pid_t)number(root, "pid", &ok);
	s->owner_start = (uint64_t)number(root, "pid_start", &ok);
	s->qemu = (pid_t)number(root, "qemu", &ok);
	s->qemu_start = (uint64_t)number(root, "qemu_start", &ok);
	s->created = (int64_t)number(root, "created", &ok);
	s->ended = (int64_t)number(root, "ended", &ok);
	s->memory = (uint64_t)number(root, "memory", &ok);
	s->restarts = (unsigned)number(root, "restarts", &ok);
	if (s->phase == VM_EXITED)
		s->exit_code = (int)number(root, "exit_code", &ok);
	cJSON_Delete(root);
	if (ok && s->name != NULL && s->program != NULL)
		return true;
	state_free(s);
	return false;
}
