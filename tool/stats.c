/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/stats.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tool/report.h"

struct call {
	char name[32];
	uint64_t count, errors, wall_ns, cpu_ns;
};

/* "total KEY=VALUE KEY=VALUE ..." */
struct total {
	char key[32];
	uint64_t value;
};

struct figures {
	struct call *call;
	size_t ncalls;
	struct total total[32];
	size_t ntotals;
};

static void read_totals(struct figures *f, const char *text)
{
	struct total t;
	int used;

	while (f->ntotals < sizeof(f->total) / sizeof(f->total[0]) &&
	       sscanf(text, " %31[^= ]=%" SCNu64 "%n", t.key, &t.value, &used) == 2) {
		f->total[f->ntotals++] = t;
		text += used;
	}
}

static void read_line(struct figures *f, const char *line)
{
	struct call c;

	if (str_begins(line, "total ")) {
		read_totals(f, line + 6);
	} else if (sscanf(line, "call %31s %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, c.name,
			  &c.count, &c.errors, &c.wall_ns, &c.cpu_ns) == 5) {
		f->call = xrealloc(f->call, (f->ncalls + 1) * sizeof(*f->call));
		f->call[f->ncalls++] = c;
	}
}

static uint64_t total_of(const struct figures *f, const char *key)
{
	for (size_t i = 0; i < f->ntotals; i++)
		if (strcmp(f->total[i].key, key) == 0)
			return f->total[i].value;
	return 0;
}

static int by_time(const void *a, const void *b)
{
	const struct call *x = a, *y = b;

	if (x->cpu_ns != y->cpu_ns)
		return x->cpu_ns < y->cpu_ns ? 1 : -1;
	return strcmp(x->name, y->name);
}

static void print_table(const struct figures *f)
{
	char peak[32], all[32];
	uint64_t calls = 0, errors = 0, cpu = 0;

	fprintf(stderr, "\n%-20s %10s %8s %12s %12s %10s\n", "system call", "calls", "errors",
		"working ms", "elapsed ms", "us/call");
	for (size_t i = 0; i < f->ncalls; i++) {
		const struct call *c = &f->call[i];

		fprintf(stderr, "%-20s %10" PRIu64 " %8" PRIu64 " %12.3f %12.3f %10.2f\n", c->name,
			c->count, c->errors, (double)c->cpu_ns / 1e6, (double)c->wall_ns / 1e6,
			(double)c->cpu_ns / 1e3 / (double)c->count);
		calls += c->count;
		errors += c->errors;
		cpu += c->cpu_ns;
	}
	fprintf(stderr, "%-20s %10" PRIu64 " %8" PRIu64 " %12.3f\n\n", "together", calls, errors,
		(double)cpu / 1e6);
	fprintf(stderr, "running time         %.3f s, of it %.3f s idle\n",
		(double)total_of(f, "wall_us") / 1e6, (double)total_of(f, "idle_us") / 1e6);
	fprintf(stderr,
		"page faults          %" PRIu64 " without and %" PRIu64 " with reading a file\n",
		total_of(f, "minor_faults"), total_of(f, "major_faults"));
	fprintf(stderr, "context switches     %" PRIu64 "\n", total_of(f, "switches"));
	fprintf(stderr,
		"nested kernel        %" PRIu64 " crossings, %.3f ms, %" PRIu64
		" page-table entries\n",
		total_of(f, "crossings"), (double)total_of(f, "nk_us") / 1e3, total_of(f, "ptes"));
	fprintf(stderr, "memory               %s at most, of %s\n",
		format_size(total_of(f, "peak_kib") << 10, peak),
		format_size(total_of(f, "memory_kib") << 10, all));
}

static void print_json(const struct figures *f)
{
	cJSON *root = cJSON_CreateObject(), *calls = cJSON_CreateArray();

	for (size_t i = 0; i < f->ncalls; i++) {
		const struct call *c = &f->call[i];
		cJSON *o = cJSON_CreateObject();

		cJSON_AddStringToObject(o, "name", c->name);
		cJSON_AddNumberToObject(o, "calls", (double)c->count);
		cJSON_AddNumberToObject(o, "errors", (double)c->errors);
		cJSON_AddNumberToObject(o, "working_ns", (double)c->cpu_ns);
		cJSON_AddNumberToObject(o, "elapsed_ns", (double)c->wall_ns);
		cJSON_AddItemToArray(calls, o);
	}
	for (size_t i = 0; i < f->ntotals; i++)
		cJSON_AddNumberToObject(root, f->total[i].key, (double)f->total[i].value);
	cJSON_AddItemToObject(root, "calls", calls);
	char *text = cJSON_PrintUnformatted(root);

	fprintf(stderr, "%s\n", text != NULL ? text : "{}");
	cJSON_free(text);
	cJSON_Delete(root);
}

void stats_print(const struct strv *lines, bool json)
{
	struct figures f = { 0 };

	for (size_t i = 0; i < lines->n; i++)
		read_line(&f, lines->v[i]);
	if (f.ntotals == 0)
		warn("there are no statistics: the machine did not end by itself");
	if (f.ncalls > 0)
		qsort(f.call, f.ncalls, sizeof(*f.call), by_time);
	if (f.ntotals > 0 && json)
		print_json(&f);
	else if (f.ntotals > 0)
		print_table(&f);
	free(f.call);
}
