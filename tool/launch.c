/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tool/bundle.h"
#include "tool/image.h"
#include "tool/pack.h"
#include "tool/places.h"
#include "tool/report.h"
#include "tool/runcfg.h"
#include "tool/term.h"
#include "tool/yaml.h"

#define MEMORY_LEAST  (64 * MIB) /* what a program gets besides its image when nobody says */
#define MEMORY_KERNEL (4 * MIB)  /* what the kernel needs besides the image, at the very least */

/* The network of QEMU's -netdev user: its addresses are always the same, so none has to be asked
 * for. */
#define USER_NET "10.0.2.15/24,10.0.2.2,10.0.2.3"

void launch_release(struct launch *l)
{
	free(l->exe);
	free(l->cwd);
	strv_release(&l->argv);
	strv_release(&l->env);
	close(l->image_fd);
	close(l->kernel_fd);
	net_release(&l->net);
	strv_release(&l->secrets);
	free(l->secret_code);
	free(l->shown);
	free(l->scheme);
}

static uint64_t round_up(uint64_t v, uint64_t to)
{
	return (v + to - 1) / to * to;
}

/* Memory: what was asked for, else by the image's size. Dies if the image cannot fit. */
uint64_t launch_memory(uint64_t asked, uint64_t wish, uint64_t image_size)
{
	uint64_t least = round_up(image_size + MEMORY_KERNEL, MIB);
	uint64_t memory = asked;

	if (memory == 0)
		memory = round_up(image_size, MIB) + (wish != 0 ? wish : MEMORY_LEAST);
	if (memory < least) {
		char *hint = xasprintf("use -m %lluM or more", (unsigned long long)(least / MIB));

		die(EXIT_TOOL, hint, "the image (%llu MiB) does not fit into %llu MiB of memory",
		    (unsigned long long)(round_up(image_size, MIB) / MIB),
		    (unsigned long long)(memory / MIB));
	}
	return memory;
}

uint64_t launch_wish(const struct pack *pack)
{
	uint64_t wish = MEMORY_LEAST;

	if (pack->entry != NULL && pack->entry->memory != NULL)
		(void)parse_size(pack->entry->memory, &wish); /* checked when the entry was read */
	return pack->files.memory > wish ? pack->files.memory : wish;
}

static int open_kernel(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die(EXIT_TOOL, NULL, "the kernel %s cannot be read: %s", path, strerror(errno));
	return fd;
}

/*
 * The path that execve would get here: as typed when it has a slash, which is what a script sees as
 * $0. With another working directory it would be another file.
 */
static const char *exec_path(const struct run_spec *spec, const struct pack *pack)
{
	bool typed = strchr(spec->program, '/') != NULL && spec->workdir == NULL;

	return typed ? spec->program : pack->exe;
}

void launch_serving(struct serving *out, const struct run_spec *spec, const struct catalog_entry *e)
{
	bool wants_ports = spec->net.kind == NET_UNSET || spec->net.kind == NET_USER;
	const struct passwd *pw = e != NULL && e->user != NULL ? getpwnam(e->user) : NULL;
	char why[NET_WHY_MAX];
	struct port_map p;

	*out = (struct serving){ .set_user = spec->set_user, .uid = spec->uid, .gid = spec->gid };
	for (size_t i = 0; i < spec->net.nports; i++)
		net_add_port(&out->net, &spec->net.ports[i]);
	if (e == NULL)
		return;
	out->service = e->service == YAML_YES;
	out->network = e->network == YAML_YES;
	out->scheme = e->scheme != NULL ? xstrdup(e->scheme) : NULL;
	if (e->user != NULL && pw == NULL)
		note("this host has no user %s, as whom the program should run", e->user);
	if (pw != NULL && !spec->set_user) {
		out->set_user = true;
		out->uid = pw->pw_uid;
		out->gid = pw->pw_gid;
	}
	for (unsigned i = 0; i < e->ports_count && wants_ports && spec->net.nports == 0; i++)
		if (net_parse_port(e->ports[i], &p, why)) /* checked when the entry was read */
			net_add_port(&out->net, &p);
}

/* What the program is said to need, as far as the user has not said otherwise. */
static void take_serving(struct launch *l, const struct run_spec *spec, const struct serving *s)
{
	bool wants_ports = spec->net.kind == NET_UNSET || spec->net.kind == NET_USER;

	net_copy(&l->net, &spec->net);
	for (size_t i = 0; i < s->net.nports && wants_ports && spec->net.nports == 0; i++)
		net_add_port(&l->net, &s->net.ports[i]);
	if (s->network && l->net.kind == NET_UNSET)
		l->net.kind = NET_USER;
	l->service = s->service;
	l->scheme = s->scheme != NULL ? xstrdup(s->scheme) : NULL;
	l->uid = spec->set_user ? spec->uid : s->set_user ? s->uid : getuid();
	l->gid = spec->set_user ? spec->gid : s->set_user ? s->gid : getgid();
}

static void launch_from_program(struct launch *l, const struct run_spec *spec)
{
	char *catalog_dir = places_catalog();
	char *kernel = places_kernel(spec->kernel);
	struct serving serving;
	struct catalog catalog;
	struct pack pack;
	struct image image;

	catalog_load(&catalog, catalog_dir);
	pack_make(&pack, spec, &catalog);
	for (size_t i = 0; i < pack.files.notes.n; i++)
		note("catalog entry: %s", pack.files.notes.v[i]);
	image_open(&pack.files.fs, &pack.secrets, &image);
	*l = (struct launch){ .exe = xstrdup(exec_path(spec, &pack)),
			      .cwd = xstrdup(pack.cwd),
			      .image_fd = image.fd,
			      .image_size = image.size,
			      .image_stays = true,
			      .kernel_fd = open_kernel(kernel),
			      .cpus = spec->cpus,
			      .strace = spec->strace,
			      .missing = spec->missing };
	for (size_t i = 0; i < pack.secrets.n; i++)
		strv_add(&l->secrets, pack.secrets.list[i].place);
	l->secret_code = pack.secrets.code != NULL ? xstrdup(pack.secrets.code) : NULL;
	strv_add_all(&l->argv, &pack.argv);
	pack_environment(&l->env, &pack.files.env, &spec->env);
	l->memory = launch_memory(spec->memory, launch_wish(&pack), image.size);
	launch_serving(&serving, spec, pack.entry);
	take_serving(l, spec, &serving);
	serving_release(&serving);
	pack_release(&pack);
	catalog_release(&catalog);
	free(kernel);
	free(catalog_dir);
}

static void launch_from_image(struct launch *l, const struct run_spec *spec)
{
	struct bundle b;

	bundle_open(spec->program, &b);
	if (spec->include.n != 0 || spec->programs.n != 0 || spec->secrets.n != 0)
		die(EXIT_TOOL, "build the image again with these files",
		    "%s is a built image: nothing can be included", spec->program);
	*l = (struct launch){ .exe = xstrdup(b.exe),
			      .cwd = xstrdup(spec->workdir != NULL ? spec->workdir : b.cwd),
			      .image_fd = b.fd,
			      .image_size = b.size,
			      .kernel_fd = spec->kernel != NULL ? open_kernel(spec->kernel)
								: bundle_kernel(&b),
			      .cpus = spec->cpus != 0 ? spec->cpus : b.cpus,
			      .strace = spec->strace || b.strace,
			      .missing = spec->missing || b.missing };
	strv_add_all(&l->secrets, &b.secrets);
	l->secret_code = b.secret_code != NULL ? xstrdup(b.secret_code) : NULL;
	strv_add_all(&l->argv, &b.argv);
	strv_add_all(&l->argv, &spec->args);
	pack_environment(&l->env, &b.env, &spec->env);
	l->memory = launch_memory(spec->memory != 0 ? spec->memory : b.memory, 0, b.size);
	take_serving(l, spec, &b.serving);
	bundle_release(&b);
}

static void add_network(struct runcfg *cfg, const struct net_spec *net)
{
	if (net->kind == NET_USER)
		runcfg_add(cfg, "net", "%s", USER_NET);
	else if (net->kind == NET_TAP && net->address[0] == '\0')
		runcfg_add(cfg, "net", "dhcp");
	else if (net->kind == NET_TAP)
		runcfg_add(cfg, "net", "%s%s%s", net->address, net->gateway[0] != '\0' ? "," : "",
			   net->gateway);
	/* The host's files are of no use there. */
	if (net->kind != NET_NONE)
		runcfg_add(cfg, "etc-net", "1");
}

int launch_config(const struct launch *l, const struct run_spec *spec, unsigned tty,
		  const char *hostname)
{
	struct runcfg cfg = { 0 };
	struct timespec now;
	unsigned rows = 24, cols = 80;

	runcfg_add(&cfg, "exe", "%s", l->exe);
	for (size_t i = 0; i < l->argv.n; i++)
		runcfg_add(&cfg, "arg", "%s", l->argv.v[i]);
	for (size_t i = 0; i < l->env.n; i++)
		runcfg_add(&cfg, "env", "%s", l->env.v[i]);
	runcfg_add(&cfg, "cwd", "%s", l->cwd);
	runcfg_add(&cfg, "uid", "%u", (unsigned)l->uid);
	runcfg_add(&cfg, "gid", "%u", (unsigned)l->gid);
	mode_t mask = umask(022);

	umask(mask);
	runcfg_add(&cfg, "umask", "%03o", (unsigned)mask);
	if (tty != 0) {
		term_size(STDOUT_FILENO, &rows, &cols);
		runcfg_add(&cfg, "tty", "%ux%u", rows, cols);
		runcfg_add(&cfg, "tty-out", "%u", tty);
	}
	for (size_t i = 0; i < l->secrets.n; i++)
		runcfg_add(&cfg, "secret", "%s", l->secrets.v[i]);
	if (l->secret_code != NULL)
		runcfg_add(&cfg, "secret-code", "%s", l->secret_code);
	add_network(&cfg, &l->net);
	if (hostname != NULL)
		runcfg_add(&cfg, "hostname", "%s", hostname);
	if (spec->stats != STATS_NO)
		runcfg_add(&cfg, "stats", "1");
	if (spec->core != NULL)
		runcfg_add(&cfg, "core", "1");
	if (spec->debug_port != 0)
		runcfg_add(&cfg, "debug", "1");
	if (l->strace)
		runcfg_add(&cfg, "strace", "1");
	if (l->missing)
		runcfg_add(&cfg, "missing", "1");
	clock_gettime(CLOCK_REALTIME, &now);
	runcfg_add(&cfg, "time", "%lld%09ld", (long long)now.tv_sec, now.tv_nsec);
	int fd = runcfg_file(&cfg);

	runcfg_release(&cfg);
	return fd;
}

static char *join(const struct strv *argv)
{
	char *text = xstrdup("");

	for (size_t i = 0; i < argv->n; i++) {
		char *longer = xasprintf("%s%s%s", text, i > 0 ? " " : "", argv->v[i]);

		free(text);
		text = longer;
	}
	return text;
}

void launch_make(struct launch *l, const struct run_spec *spec)
{
	if (bundle_is(spec->program))
		launch_from_image(l, spec);
	else
		launch_from_program(l, spec);
	net_settle(&l->net);
	net_check_ports(&l->net);
	l->shown = join(&l->argv);
}
