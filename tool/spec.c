/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/spec.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/report.h"
#include "tool/state.h"
#include "tool/yaml.h"

/* The manifest as libcyaml fills it. */
struct manifest {
	char *program;
	char **args;
	unsigned args_count;
	char **env;
	unsigned env_count;
	char *memory;
	uint32_t cpus;
	char *workdir;
	char **include;
	unsigned include_count;
	char **programs;
	unsigned programs_count;
	char **secrets;
	unsigned secrets_count;
	enum yaml_bool strace;
	enum yaml_bool missing;
	char *name;
	char **ports;
	unsigned ports_count;
	char *net, *ip, *restart, *stats, *user;
};

static const cyaml_schema_field_t fields[] = { YAML_TEXT("program", struct manifest, program),
					       YAML_LIST("args", struct manifest, args),
					       YAML_LIST("env", struct manifest, env),
					       YAML_TEXT("memory", struct manifest, memory),
					       CYAML_FIELD_UINT("cpus", CYAML_FLAG_OPTIONAL,
								struct manifest, cpus),
					       YAML_TEXT("workdir", struct manifest, workdir),
					       YAML_LIST("include", struct manifest, include),
					       YAML_LIST("programs", struct manifest, programs),
					       YAML_LIST("secrets", struct manifest, secrets),
					       YAML_BOOL("strace", struct manifest, strace),
					       YAML_BOOL("missing-files", struct manifest, missing),
					       YAML_TEXT("name", struct manifest, name),
					       YAML_LIST("ports", struct manifest, ports),
					       YAML_TEXT("net", struct manifest, net),
					       YAML_TEXT("ip", struct manifest, ip),
					       YAML_TEXT("restart", struct manifest, restart),
					       YAML_TEXT("stats", struct manifest, stats),
					       YAML_TEXT("user", struct manifest, user),
					       CYAML_FIELD_END };
static const cyaml_schema_value_t schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER,
								 struct manifest, fields) };

void serving_release(struct serving *s)
{
	free(s->scheme);
	net_release(&s->net);
	*s = (struct serving){ 0 };
}

void run_spec_release(struct run_spec *spec)
{
	free(spec->program);
	strv_release(&spec->args);
	strv_release(&spec->env);
	strv_release(&spec->include);
	strv_release(&spec->programs);
	strv_release(&spec->secrets);
	free(spec->workdir);
	free(spec->kernel);
	free(spec->append);
	free(spec->core);
	free(spec->name);
	net_release(&spec->net);
	*spec = (struct run_spec){ 0 };
}

void run_spec_add_env(struct run_spec *spec, const char *text, const char *where)
{
	if (*text == '\0' || *text == '=')
		die(EXIT_TOOL, "write NAME=VALUE, or NAME to pass the host's value on",
		    "%s: \"%s\" names no variable", where, text);
	if (strchr(text, '=') != NULL)
		strv_add(&spec->env, text);
	else if (getenv(text) != NULL)
		strv_addf(&spec->env, "%s=%s", text, getenv(text));
	else
		note("%s: variable %s is not set here and is not passed on", where, text);
}

void run_spec_add_port(struct run_spec *spec, const char *text, const char *where)
{
	char why[NET_WHY_MAX];
	struct port_map p;

	if (!net_parse_port(text, &p, why))
		die(EXIT_TOOL,
		    "write [ADDR:]HOST:GUEST[/udp], like 8080:80 or 127.0.0.1:5353:53/udp",
		    "%s: \"%s\": %s", where, text, why);
	net_add_port(&spec->net, &p);
}

void run_spec_set_net(struct run_spec *spec, const char *text, const char *where)
{
	char why[NET_WHY_MAX];

	if (!net_parse_kind(text, &spec->net, why))
		die(EXIT_TOOL, NULL, "%s: %s", where, why);
}

void run_spec_set_ip(struct run_spec *spec, const char *text, const char *where)
{
	char why[NET_WHY_MAX];

	if (!net_parse_address(text, &spec->net, why))
		die(EXIT_TOOL, "write ADDR/LEN[,GATEWAY], like 10.0.0.2/24,10.0.0.1, or dhcp",
		    "%s: \"%s\": %s", where, text, why);
}

void run_spec_set_name(struct run_spec *spec, const char *text, const char *where)
{
	const char *why = state_bad_name(text);

	if (why != NULL)
		die(EXIT_TOOL, NULL, "%s: \"%s\" cannot be a name: %s", where, text, why);
	free(spec->name);
	spec->name = xstrdup(text);
}

void run_spec_set_restart(struct run_spec *spec, const char *text, const char *where)
{
	char *end;

	spec->restart = str_begins(text, "on-failure");
	spec->restarts = 0;
	if (strcmp(text, "no") == 0 || strcmp(text, "on-failure") == 0)
		return;
	if (str_begins(text, "on-failure:") && text[11] >= '1' && text[11] <= '9') {
		unsigned long n = strtoul(text + 11, &end, 10);

		spec->restarts = (unsigned)n;
		if (*end == '\0' && n <= 1000000)
			return;
	}
	die(EXIT_TOOL, NULL, "%s: \"%s\" is none of no, on-failure, on-failure:N", where, text);
}

void run_spec_set_core(struct run_spec *spec, const char *text, const char *base, const char *where)
{
	char *folder;

	if (text[0] == '\0' || text[strlen(text) - 1] == '/')
		die(EXIT_TOOL, "name the file that a core file is to become", "%s: no file name",
		    where);
	free(spec->core);
	spec->core = path_absolute(base, text);
	folder = path_parent(spec->core);
	if (access(folder, W_OK) != 0)
		die(EXIT_TOOL, "choose a folder that you may write to", "%s: %s: %s", where, folder,
		    strerror(errno));
	free(folder);
}

void run_spec_set_stats(struct run_spec *spec, const char *text, const char *where)
{
	if (strcmp(text, "table") == 0 || strcmp(text, "yes") == 0)
		spec->stats = STATS_TABLE;
	else if (strcmp(text, "json") == 0)
		spec->stats = STATS_JSON;
	else
		die(EXIT_TOOL, NULL, "%s: \"%s\" is none of table, json", where, text);
}

static bool user_number(const char *text, unsigned *out)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	*out = (unsigned)v;
	return *text >= '0' && *text <= '9' && *end == '\0' && v < UINT32_MAX;
}

void run_spec_set_user(struct run_spec *spec, const char *text, const char *where)
{
	char *user = xstrndup(text, strcspn(text, ":"));
	const char *group = strchr(text, ':');
	const struct passwd *pw = getpwnam(user);
	const struct group *gr = group != NULL ? getgrnam(group + 1) : NULL;
	unsigned n;

	if (pw != NULL) {
		spec->uid = pw->pw_uid;
		spec->gid = pw->pw_gid;
	} else if (user_number(user, &n)) {
		spec->uid = n;
		spec->gid = n;
	} else {
		die(EXIT_TOOL, NULL, "%s: there is no user \"%s\" on this host", where, user);
	}
	if (gr != NULL)
		spec->gid = gr->gr_gid;
	else if (group != NULL && user_number(group + 1, &n))
		spec->gid = n;
	else if (group != NULL)
		die(EXIT_TOOL, NULL, "%s: there is no group \"%s\" on this host", where, group + 1);
	spec->set_user = true;
	free(user);
}

/* "HOST[:GUEST]", with HOST relative to `base`, into the list. */
static void add_placed(struct strv *list, const char *text, const char *base, const char *where)
{
	/* A file whose name has a colon is taken as it is. */
	char *whole = path_absolute(base, text);
	const char *colon = strrchr(text, ':');

	if (path_exists(whole)) {
		strv_take(list, whole);
		return;
	}
	free(whole);
	if (colon == NULL || colon == text)
		die(EXIT_TOOL, NULL, "%s: %s does not exist", where, text);
	char *host = xstrndup(text, (size_t)(colon - text));
	char *full = path_absolute(base, host);

	if (!path_exists(full))
		die(EXIT_TOOL, NULL, "%s: %s does not exist", where, host);
	if (colon[1] != '/' || strchr(full, ':') != NULL)
		die(EXIT_TOOL, "write HOST:GUEST, with a path from / for GUEST and no other colon",
		    "%s: \"%s\" cannot be placed in the guest", where, text);
	strv_addf(list, "%s:%s", full, colon + 1);
	free(full);
	free(host);
}

void run_spec_add_include(struct run_spec *spec, const char *text, const char *base,
			  const char *where)
{
	add_placed(&spec->include, text, base, where);
}

void run_spec_add_secret(struct run_spec *spec, const char *text, const char *base,
			 const char *where)
{
	add_placed(&spec->secrets, text, base, where);
}

/* The lists of the manifest, then those of the command line, which win. */
static void merge_env(struct run_spec *spec, const struct manifest *m, const char *path)
{
	struct run_spec both = { 0 };

	for (unsigned i = 0; i < m->env_count; i++)
		run_spec_add_env(&both, m->env[i], path);
	strv_add_all(&both.env, &spec->env);
	strv_release(&spec->env);
	spec->env = both.env;
}

static void merge_args(struct run_spec *spec, const struct manifest *m)
{
	struct strv all = { 0 };

	for (unsigned i = 0; i < m->args_count; i++)
		strv_add(&all, m->args[i] != NULL ? m->args[i] : "");
	strv_add_all(&all, &spec->args);
	strv_release(&spec->args);
	spec->args = all;
}

/* "m.yaml:3:8: key "ports"": the value has passed the schema, but not what it means. */
static const char *where(const char *path, const char *key)
{
	static char text[256];
	unsigned line = yamlfile_line(path, key);

	snprintf(text, sizeof(text), "%s:%u: key \"%s\"", path, line, key);
	return text;
}

static void take_numbers(struct run_spec *spec, const struct manifest *m, const char *path)
{
	if (m->memory != NULL && spec->memory == 0 && !parse_size(m->memory, &spec->memory))
		die(EXIT_TOOL, "write a size like 128M or 1G",
		    "%s: key \"memory\": \"%s\" is no size", path, m->memory);
	if (m->cpus > CPUS_MAX)
		die(EXIT_TOOL, NULL, "%s: key \"cpus\": %u is more than the %u that are possible",
		    path, m->cpus, CPUS_MAX);
	if (spec->cpus == 0)
		spec->cpus = m->cpus;
	spec->strace = spec->strace || m->strace == YAML_YES;
	spec->missing = spec->missing || m->missing == YAML_YES;
}

/* What the command line has not set. */
static void take_machine(struct run_spec *spec, const struct manifest *m, const char *path)
{
	bool own_ports = spec->net.nports > 0;

	if (spec->name == NULL && m->name != NULL)
		run_spec_set_name(spec, m->name, where(path, "name"));
	for (unsigned i = 0; i < m->ports_count && !own_ports; i++)
		run_spec_add_port(spec, m->ports[i], where(path, "ports"));
	if (spec->net.kind == NET_UNSET && m->net != NULL)
		run_spec_set_net(spec, m->net, where(path, "net"));
	if (spec->net.address[0] == '\0' && m->ip != NULL)
		run_spec_set_ip(spec, m->ip, where(path, "ip"));
	if (!spec->restart && m->restart != NULL)
		run_spec_set_restart(spec, m->restart, where(path, "restart"));
	if (spec->stats == STATS_NO && m->stats != NULL)
		run_spec_set_stats(spec, m->stats, where(path, "stats"));
	if (!spec->set_user && m->user != NULL)
		run_spec_set_user(spec, m->user, where(path, "user"));
}

void manifest_load(const char *path, struct run_spec *spec)
{
	char why[YAML_WHY_MAX];
	void *data = NULL;
	struct manifest empty = { 0 };

	if (!yamlfile_load(path, &schema, &data, why))
		die(EXIT_TOOL, "correct the manifest; ringfence(1) lists its keys", "%s", why);
	struct manifest *m = data != NULL ? data : &empty;
	char *dir = path_parent(path);
	char *base = realpath(dir, NULL);

	if (spec->program == NULL && m->program != NULL)
		spec->program = strchr(m->program, '/') != NULL
					? path_absolute(base != NULL ? base : dir, m->program)
					: xstrdup(m->program);
	if (spec->workdir == NULL && m->workdir != NULL) {
		if (m->workdir[0] != '/')
			die(EXIT_TOOL, NULL, "%s: key \"workdir\": \"%s\" does not begin with /",
			    path, m->workdir);
		spec->workdir = xstrdup(m->workdir);
	}
	take_numbers(spec, m, path);
	take_machine(spec, m, path);
	merge_args(spec, m);
	merge_env(spec, m, path);
	for (unsigned i = 0; i < m->include_count; i++)
		run_spec_add_include(spec, m->include[i], base != NULL ? base : dir, path);
	for (unsigned i = 0; i < m->secrets_count; i++)
		run_spec_add_secret(spec, m->secrets[i], base != NULL ? base : dir,
				    where(path, "secrets"));
	for (unsigned i = 0; i < m->programs_count; i++)
		strv_add(&spec->programs, m->programs[i]);
	free(base);
	free(dir);
	if (data != NULL)
		yamlfile_free(&schema, data);
}
