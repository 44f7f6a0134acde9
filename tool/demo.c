/* SPDX-License-Identifier: BSD-2-Clause */
/* `ringfence demo`: HeartBleed, replayed on this host (user/demo/heartbleed). */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool/places.h"
#include "tool/report.h"
#include "tool/run.h"

#define SERVER_PORT 4433u
#define SAID_MAX    16384u

/* What the attacker's exit code says (attack.c). */
enum loot { LOOT_KEY = 0, LOOT_NONE = 1, LOOT_WRONG = 3, LOOT_FRAGMENTS = 4 };

struct demo {
	char *self, *server, *attack; /* programs */
	char *folder, *key, *cert;
	char *running; /* name of the machine, while there may be one */
	char said[SAID_MAX];
	bool colours;
};

static const struct bug {
	const char *name; /* for the attacker's command line */
	const char *shown;
} bugs[] = {
	{ "beat", "HeartBleed itself: over-reads the heap" },
	{ "peek", "a worse bug: reads any address" },
};

/* Run to its end; its words in d->said. Its exit code. */
static int carry_out(struct demo *d, char *const argv[])
{
	int out = memfd_create("demo", MFD_CLOEXEC);
	int status = out >= 0 ? run_program(argv, NULL, out) : -1;
	ssize_t n;

	if (status < 0)
		die(EXIT_TOOL, NULL, "%s cannot be started: %s", argv[0], strerror(errno));
	n = pread(out, d->said, SAID_MAX - 1, 0);
	d->said[n > 0 ? n : 0] = '\0';
	close(out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_TOOL;
}

/* "1234" of the line "leaked: 1234 bytes"; "" if there is none. */
static const char *value_of(const struct demo *d, const char *key, char *buf, size_t size)
{
	const char *at = strstr(d->said, key);

	buf[0] = '\0';
	if (at != NULL)
		snprintf(buf, size, "%.*s", (int)strcspn(at + strlen(key), "\n"), at + strlen(key));
	return buf;
}

/* ---- the machine ---- */

static struct demo *the_demo;

static void remove_machine(void)
{
	struct demo *d = the_demo;
	char *name = d->running;

	if (name == NULL)
		return;
	d->running = NULL;
	run_program((char *[]){ d->self, "rm", "-f", name, NULL }, NULL, -1);
	free(name);
}

static unsigned free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    getsockname(s, (struct sockaddr *)&a, &len) != 0)
		die(EXIT_TOOL, NULL, "no port can be had: %s", strerror(errno));
	close(s);
	return ntohs(a.sin_port);
}

/* The server in a machine in the background. The port of this host that leads to it. */
static unsigned start_server(struct demo *d, bool in_ring2)
{
	unsigned port = free_port();
	char *publish = xasprintf("127.0.0.1:%u:%u", port, SERVER_PORT);
	char *inside = xasprintf("%u", SERVER_PORT);
	char *argv[] = { d->self,
			 "run",
			 "-d",
			 "-m",
			 "192M",
			 "--name",
			 xasprintf("demo-heartbleed-%d", (int)getpid()),
			 "-p",
			 publish,
			 in_ring2 ? "--secret" : "--include",
			 d->key,
			 "--",
			 d->server,
			 inside,
			 d->cert,
			 d->key,
			 NULL };

	progress("starting the server in a machine");
	d->running = argv[6];
	if (carry_out(d, argv) != 0)
		die(EXIT_TOOL, "ringfence doctor checks this host",
		    "the server does not start:\n%s", d->said);
	free(publish);
	free(inside);
	return port;
}

/* ---- the attack ---- */

static const char *colour(const struct demo *d, const char *code)
{
	return d->colours ? code : "";
}

static void tell_loot(const struct demo *d, const struct bug *bug, enum loot loot)
{
	char leaked[64];
	char size[32];
	uint64_t bytes = strtoull(value_of(d, "leaked: ", leaked, sizeof(leaked)), NULL, 10);

	printf("   %-40s %9s leaked   ", bug->shown, format_size(bytes, size));
	if (loot == LOOT_KEY)
		printf("%sKEY STOLEN%s: signs in the server's name\n", colour(d, "\033[1;31m"),
		       colour(d, "\033[0m"));
	else if (loot == LOOT_FRAGMENTS)
		printf("%sPARTS OF THE KEY%s are in it\n", colour(d, "\033[1;31m"),
		       colour(d, "\033[0m"));
	else
		printf("%snothing%s: not 8 bytes of any secret part of the key\n",
		       colour(d, "\033[1;32m"), colour(d, "\033[0m"));
	fflush(stdout);
}

static enum loot attack(struct demo *d, const struct bug *bug, bool in_ring2)
{
	unsigned port = start_server(d, in_ring2);
	char *inside = xasprintf("%u", port);
	int code;

	interrupts_check();
	progress("attacking it: %s", bug->shown);
	code = carry_out(d, (char *[]){ d->attack, "127.0.0.1", inside,
					(char *)(uintptr_t)bug->name, d->key, NULL });
	remove_machine();
	progress_end();
	interrupts_check();
	if (code != LOOT_KEY && code != LOOT_NONE && code != LOOT_FRAGMENTS)
		die(EXIT_TOOL, NULL, "the attacker failed:\n%s", d->said);
	free(inside);
	tell_loot(d, bug, (enum loot)code);
	return (enum loot)code;
}

/* Is every attack's loot this? */
static bool attacks_get(struct demo *d, bool in_ring2, enum loot expected)
{
	bool as_expected = true;

	for (size_t i = 0; i < sizeof(bugs) / sizeof(bugs[0]); i++)
		as_expected = attack(d, &bugs[i], in_ring2) == expected && as_expected;
	return as_expected;
}

/* ---- the whole ---- */

static void prepare(struct demo *d)
{
	free(places_provider()); /* dies if it is not there */
	d->self = places_tool();
	d->server = places_demo("heartbleed/server");
	d->attack = places_demo("heartbleed/attack");
	d->folder = xstrdup("/tmp/ringfence-demo-XXXXXX");
	if (mkdtemp(d->folder) == NULL)
		die(EXIT_TOOL, NULL, "no folder can be made in /tmp: %s", strerror(errno));
	cleanup_add(d->folder);
	d->key = path_join(d->folder, "site.key");
	d->cert = path_join(d->folder, "site.crt");
	d->colours = isatty(STDOUT_FILENO) == 1 && getenv("NO_COLOR") == NULL;
	the_demo = d;
	atexit(remove_machine);
	if (carry_out(d, (char *[]){ d->attack, "--new-key", d->key, d->cert, NULL }) != 0)
		die(EXIT_TOOL, NULL, "no key can be made:\n%s", d->said);
}

static void finish(struct demo *d)
{
	remove_tree(d->folder);
	cleanup_drop(d->folder);
	free(d->self);
	free(d->server);
	free(d->attack);
	free(d->folder);
	free(d->key);
	free(d->cert);
}

static int conclude(bool stolen, bool kept)
{
	if (!kept)
		printf("\nVerdict: NOT protected. Ring 2 has not kept the key.\n");
	else if (!stolen)
		printf("\nVerdict: none. The key was not found where nothing protects it: the attack "
		       "proves nothing here.\n");
	else
		printf("\nVerdict: protected. The same server, the same bugs, the same certificate: "
		       "in ring 2\nthe key signs, and no byte that the server can read is part of "
		       "it.\n");
	return stolen && kept ? 0 : 1;
}

int command_demo_heartbleed(void)
{
	struct demo d = { 0 };
	bool stolen, kept;

	interrupts_defer();
	prepare(&d);
	printf("HeartBleed (CVE-2014-0160), replayed: a TLS server with OpenSSL that answers with as "
	       "many\nbytes as the client asks for. The attacker knows its certificate and looks "
	       "for the key.\n\n");
	printf("1. An ordinary machine: ringfence run server 4433 site.crt site.key\n");
	fflush(stdout);
	stolen = attacks_get(&d, false, LOOT_KEY);
	printf("\n2. The key in ring 2: ringfence run --secret site.key server 4433 site.crt "
	       "site.key\n");
	fflush(stdout);
	kept = attacks_get(&d, true, LOOT_NONE);
	finish(&d);
	return conclude(stolen, kept);
}
