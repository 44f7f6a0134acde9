/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tool/accel.h"
#include "tool/backlog.h"
#include "tool/bridge.h"
#include "tool/bundle.h"
#include "tool/debug.h"
#include "tool/detach.h"
#include "tool/image.h"
#include "tool/launch.h"
#include "tool/pack.h"
#include "tool/places.h"
#include "tool/report.h"
#include "tool/server.h"
#include "tool/state.h"
#include "tool/stats.h"
#include "tool/vm.h"

/* Between restarts: doubled from try to try, begun anew after a run that lasted. */
#define BACKOFF_FIRST_NS 100000000ull
#define BACKOFF_MOST_NS  10000000000ull
#define LASTED_NS        10000000000ull
/* So long run -d waits for a program to listen on its ports. */
#define LISTEN_NS 30000000000ull

/* A machine in the hands of this process, its owner. */
struct owner {
	const struct run_spec *spec;
	struct launch launch;
	const struct vm *vm;     /* the one that runs; NULL: none does */
	struct vm_folder folder; /* path NULL: there is none */
	struct vm_state state;
	struct server *server;
	struct detach detach;
	struct corefile core;
	const char *qemu, *words;
	bool kvm;
	bool ran;     /* the program has run */
	bool reached; /* and listens on a port that leads to it, or has none to listen on */
	/* with -d: when the command waits no longer for that; 0: it does not wait */
	uint64_t told; /* bit i: the user knows that port i is ready */
	uint64_t patience;
};

/*
 * Which of descriptors 0, 1, 2 are the user's terminal, as a bit mask; 0 unless 0 and 1 both are.
 */
static unsigned terminal_mask(void)
{
	if (isatty(STDIN_FILENO) != 1 || isatty(STDOUT_FILENO) != 1)
		return 0;
	return 3u | (isatty(STDERR_FILENO) == 1 ? 4u : 0);
}

static void show_log(const char *log)
{
	if (*log == '\0')
		return;
	fprintf(stderr, "--- end of the kernel's log ---\n%s%s-------------------------------\n",
		log, str_ends(log, "\n") ? "" : "\n");
}

/* The machine ended without the program's status: say why. Returns the exit code. */
static int explain_failure(const struct bridge_result *r, const struct bridge_config *cfg,
			   const struct net_spec *net)
{
	int code = WIFEXITED(r->qemu_status) ? WEXITSTATUS(r->qemu_status) : -1;
	int value = code > 0 && code % 2 == 1 ? code / 2 : -1;

	if (!cfg->show_log && value != BOOT_EXIT_NOMEM)
		show_log(r->log);
	char *why = net_explain(net, r->complaints);

	if (why != NULL) {
		error_note(net->kind == NET_TAP ? "ip tuntap lists the tap devices"
						: "use another port with -p",
			   "%s", why);
		free(why);
		return EXIT_TOOL;
	}
	if (*r->complaints != '\0')
		fprintf(stderr, "%s", r->complaints);
	if (value == BOOT_EXIT_PANIC)
		error_note("please report it with the log; --gdb-kernel lets you look inside",
			   "the kernel panicked");
	else if (value == BOOT_EXIT_NOMEM)
		error_note("give it more with -m", "there is not enough memory to start");
	else if (value == BOOT_EXIT_CONFIG)
		error_note("are tool and kernel of the same version? (--kernel, RINGFENCE_KERNEL)",
			   "the kernel does not understand its run configuration");
	else if (value == BOOT_EXIT_NOPROG)
		error_note("the log says why; --strace and --missing-files show more",
			   "the program could not be started in the guest");
	else if (WIFSIGNALED(r->qemu_status))
		error_note("is the host short of memory?", "QEMU was killed by signal %d",
			   WTERMSIG(r->qemu_status));
	else if (!r->ready && *r->log == '\0' && *r->complaints != '\0')
		error_note("ringfence doctor checks the host", "QEMU could not start the machine");
	else
		error_note(
			"-v shows the kernel's log as it comes",
			"the machine ended without the program's exit status (QEMU's exit code %d)",
			code);
	return value == BOOT_EXIT_NOPROG ? EXIT_NOEXEC : EXIT_TOOL;
}

/* The tool's exit code for how it ended. */
static int conclude(const struct bridge_result *r, const struct bridge_config *cfg,
		    const struct launch *l)
{
	int code = WIFEXITED(r->qemu_status) ? WEXITSTATUS(r->qemu_status) : -1;

	if (r->killed_by != 0 && !r->has_status) {
		notice("the machine was ended by the user");
		return 128 + r->killed_by;
	}
	if (cfg->serial_only && code % 2 == 1 && code / 2 >= BOOT_EXIT_STATUS &&
	    code / 2 < BOOT_EXIT_STATUS + 32)
		return code / 2 - BOOT_EXIT_STATUS;
	if (!r->has_status)
		return explain_failure(r, cfg, &l->net);
	if (r->oom)
		error_note("give the machine more memory with -m",
			   "the program was killed: %llu MiB of memory were not enough",
			   (unsigned long long)(l->memory / MIB));
	return WIFSIGNALED(r->status) ? 128 + WTERMSIG(r->status) : WEXITSTATUS(r->status);
}

static char *kernel_words(const struct run_spec *spec)
{
	const char *more = spec->append != NULL ? spec->append : "";

	/* The user's words come last: they win. */
	return xasprintf("%s%s", report_verbose() ? "log=info " : "", more);
}

/* ---- what others can know ---- */

static void save(struct owner *o)
{
	if (o->folder.path != NULL)
		state_save(&o->folder, &o->state);
}

static void claim(struct owner *o)
{
	const struct run_spec *spec = o->spec;
	char why[256] = "";

	if (!state_claim(spec->name, spec->program, &o->folder, why)) {
		if (spec->detach)
			die(EXIT_TOOL, "set XDG_RUNTIME_DIR to a folder of your own",
			    "the machine cannot be kept track of: %s", why);
		/* Alone with its user it runs as well; only other commands do not see it. */
		note("other commands will not see this machine: %s", why);
		return;
	}
	if (!spec->detach)
		cleanup_add(o->folder.path);
	o->state = (struct vm_state){ .name = xstrdup(o->folder.name),
				      .program = xstrdup(o->launch.shown),
				      .phase = VM_STARTING,
				      .detached = spec->detach,
				      .created = time(NULL),
				      .memory = o->launch.memory };
	for (size_t i = 0; i < o->launch.net.nports; i++)
		strv_take(&o->state.ports, net_port_text(&o->launch.net.ports[i]));
	char *path = path_join(o->folder.path, "socket");

	o->server = server_open(path);
	if (o->server == NULL)
		die(EXIT_TOOL, NULL, "%s cannot be made: %s", path, strerror(errno));
	free(path);
}

/* The process that goes on is another one than the one that prepared everything. */
static void take_over(struct owner *o)
{
	o->state.owner = getpid();
	o->state.owner_start = process_start(getpid());
	save(o);
}

/* The first port of TCP that leads to the machine; NULL: none. */
static const struct port_map *first_port(const struct owner *o)
{
	for (size_t i = 0; i < o->launch.net.nports; i++)
		if (!o->launch.net.ports[i].udp)
			return &o->launch.net.ports[i];
	return NULL;
}

static void reached(struct owner *o)
{
	o->reached = true;
	o->patience = 0;
	detach_tell_ready(&o->detach);
}

/* Clients that come together shall all find room before the program has taken the first. */
static void take_crowds(const struct owner *o)
{
	if (o->launch.net.kind == NET_USER && first_port(o) != NULL &&
	    backlog_widen(o->vm->pid, o->vm->pidfd) < 0)
		note("QEMU takes connections one by one: its sockets cannot be reached: %s",
		     strerror(errno));
}

static void on_ready(void *ctx)
{
	struct owner *o = ctx;

	take_crowds(o);
	o->state.phase = VM_RUNNING;
	o->ran = true;
	save(o);
	if (first_port(o) == NULL || o->reached || !o->spec->detach)
		reached(o);
	else
		o->patience = now_ns() + LISTEN_NS;
}

/* "http://127.0.0.1:8080", "127.0.0.1:6379" */
static void tell_address(const struct owner *o, const struct port_map *p)
{
	const char *scheme = p == first_port(o) ? o->launch.scheme : NULL;

	announce("%s%s%s:%u", scheme != NULL ? scheme : "", scheme != NULL ? "://" : "",
		 p->address[0] != '\0' ? p->address : "127.0.0.1", p->host);
}

static void on_listen(void *ctx, unsigned port, bool loopback)
{
	struct owner *o = ctx;

	for (size_t i = 0; i < o->launch.net.nports; i++) {
		const struct port_map *p = &o->launch.net.ports[i];

		if (p->udp || p->guest != port)
			continue;
		if (loopback) {
			warn("the program listens on port %u of the machine's own loopback device "
			     "only: port %u of this host does not reach it",
			     port, p->host);
			continue;
		}
		if ((o->told & 1ull << i % 64) == 0)
			tell_address(o, p);
		o->told |= 1ull << i % 64; /* once, though it listens for IPv4 and IPv6 */
		if (!o->reached || o->patience != 0)
			reached(o);
	}
}

static void on_debug(void *ctx, const char *words)
{
	struct owner *o = ctx;

	debug_announce(o->folder.path, o->spec->debug_port, words);
}

static void on_step(void *ctx)
{
	struct owner *o = ctx;

	detach_check_log(&o->detach);
	if (o->patience != 0 && now_ns() >= o->patience) {
		notice("nothing listens yet on port %u of the machine", first_port(o)->guest);
		reached(o);
	}
}

/* ---- one run, and the next ---- */

static struct bridge_config streams(struct owner *o, unsigned tty)
{
	bool own = !o->spec->detach;

	return (struct bridge_config){ .tty = tty != 0,
				       .serial_only = o->spec->machine == MACHINE_Q35,
				       .show_log = report_verbose(),
				       .service = own && o->launch.service,
				       .in = own && !o->launch.service ? STDIN_FILENO : -1,
				       .out = STDOUT_FILENO,
				       .err = own ? STDERR_FILENO : STDOUT_FILENO,
				       .core = o->spec->core != NULL ? &o->core : NULL,
				       .server = o->server,
				       .env = &o->launch.env,
				       .cwd = o->launch.cwd,
				       .on_ready = on_ready,
				       .on_debug = on_debug,
				       .on_listen = on_listen,
				       .wake_at = &o->patience,
				       .on_step = on_step,
				       .ctx = o };
}

/* Exit code; *again: it failed in a way that a restart may mend. */
static int run_once(struct owner *o, bool *again)
{
	const struct run_spec *spec = o->spec;
	bool terminal = spec->machine == MACHINE_MICROVM && !spec->detach && !o->launch.service;
	unsigned tty = terminal ? terminal_mask() : 0;
	struct bridge_config bridge = streams(o, tty);
	struct vm_config cfg = { .qemu = o->qemu,
				 .machine = spec->machine,
				 .kvm = o->kvm,
				 .cpus = o->launch.cpus != 0 ? o->launch.cpus : 1,
				 .memory = o->launch.memory,
				 .kernel_fd = o->launch.kernel_fd,
				 .image_fd = o->launch.image_fd,
				 .image_stays = o->launch.image_stays ? o->launch.image_size : 0,
				 .append = o->words,
				 .net = &o->launch.net,
				 .gdb_port = spec->gdb_port != 0 ? spec->gdb_port
								 : spec->debug_port,
				 .stopped = spec->gdb_port != 0 };
	struct bridge_result result;
	struct vm vm;

	cfg.config_fd = launch_config(&o->launch, spec, tty, o->folder.name);
	interrupts_check();
	vm_start(&cfg, &vm);
	o->vm = &vm;
	o->state.qemu = vm.pid;
	o->state.qemu_start = process_start(vm.pid);
	save(o);
	if (spec->gdb_port != 0)
		fprintf(stderr,
			"ringfence: the machine waits for: gdb -ex 'target remote :%u' "
			"kernel.debug.elf\n",
			spec->gdb_port);
	corefile_begin(&o->core, spec->core, o->launch.memory, o->launch.exe);
	bridge_run(&vm, &bridge, &result);
	corefile_end(&o->core);
	o->state.qemu = 0;
	o->vm = NULL;
	vm_close(&vm);
	close(cfg.config_fd);
	int code = conclude(&result, &bridge, &o->launch);

	if (spec->stats != STATS_NO)
		stats_print(&result.stats, spec->stats == STATS_JSON);
	*again = code != 0 && !result.stopped && result.killed_by == 0;
	bridge_result_release(&result);
	return code;
}

/* Wait before the next try; false: the user does not want one. */
static bool wait_for_next(struct owner *o, uint64_t *backoff, uint64_t lasted)
{
	detach_tell_ready(&o->detach); /* what comes is as it should be */
	if (lasted > LASTED_NS)
		*backoff = BACKOFF_FIRST_NS;
	o->state.phase = VM_RESTARTING;
	o->state.restarts++;
	save(o);
	tell_user("restart %u in %.1f s", o->state.restarts, (double)*backoff / 1e9);
	if (!bridge_idle(o->server, *backoff))
		return false;
	*backoff = *backoff * 2 < BACKOFF_MOST_NS ? *backoff * 2 : BACKOFF_MOST_NS;
	return true;
}

static int run_to_the_end(struct owner *o)
{
	const struct run_spec *spec = o->spec;
	uint64_t backoff = BACKOFF_FIRST_NS;
	bool again;
	int code;

	for (;;) {
		uint64_t begin = now_ns();

		code = run_once(o, &again);
		o->patience = 0;
		if (!again || !spec->restart || !o->ran ||
		    (spec->restarts != 0 && o->state.restarts >= spec->restarts) ||
		    !wait_for_next(o, &backoff, now_ns() - begin))
			break;
	}
	o->state.phase = VM_EXITED;
	o->state.exit_code = code;
	o->state.ended = time(NULL);
	o->state.owner = 0;
	return code;
}

static void owner_release(struct owner *o)
{
	/* What never ran as a detached machine has left its messages with the user. */
	bool remove = !o->spec->detach || !o->ran;

	if (o->folder.path != NULL && !remove)
		save(o);
	if (o->server != NULL)
		server_close(o->server);
	char *path = o->folder.path != NULL ? xstrdup(o->folder.path) : NULL;

	state_release(&o->folder, remove);
	/* From here on the name may belong to another machine. */
	if (path != NULL)
		cleanup_drop(path);
	free(path);
	state_free(&o->state);
	launch_release(&o->launch);
}

int command_run(const struct run_spec *spec)
{
	struct owner o = { .spec = spec, .folder.lock = -1 };
	char why[ACCEL_WHY_MAX];
	char *words = kernel_words(spec);

	interrupts_defer();
	launch_make(&o.launch, spec);
	char *qemu = vm_need_qemu();

	o.kvm = accel_choose(spec->accel, qemu, why);
	note("accelerator: %s: %s", o.kvm ? "KVM" : "TCG (software)", why);
	o.qemu = qemu;
	o.words = words;
	claim(&o);
	if (spec->detach)
		detach_start(&o.detach, o.folder.path); /* the parent never returns from here */
	take_over(&o);
	int code = run_to_the_end(&o);

	bool ran = o.ran;

	owner_release(&o);
	if (ran)
		detach_tell_ended(&o.detach, code);
	else
		detach_tell_failed(&o.detach, code);
	free(words);
	free(qemu);
	return code;
}

int command_build(const struct run_spec *spec, const char *output)
{
	struct bundle b = { 0 };
	char *catalog_dir = places_catalog();
	char *kernel = places_kernel(spec->kernel);
	struct catalog catalog;
	struct pack pack;
	struct image image;
	char size[32];

	interrupts_defer();
	catalog_load(&catalog, catalog_dir);
	pack_make(&pack, spec, &catalog);
	image_open(&pack.files.fs, &pack.secrets, &image);
	b = (struct bundle){ .size = image.size,
			     .exe = pack.exe,
			     .cwd = pack.cwd,
			     .argv = pack.argv,
			     .cpus = spec->cpus,
			     .strace = spec->strace,
			     .missing = spec->missing };
	for (size_t i = 0; i < pack.secrets.n; i++)
		strv_add(&b.secrets, pack.secrets.list[i].place);
	b.secret_code = pack.secrets.code;
	b.memory = launch_memory(spec->memory, launch_wish(&pack), image.size);
	launch_serving(&b.serving, spec, pack.entry);
	strv_add_all(&b.env, &pack.files.env);
	strv_add_all(&b.env, &spec->env);
	bundle_write(output, &b, image.fd, kernel);
	notice("%s: %zu files, %s; start it with: ringfence run %s", output, pack.files.fs.n,
	       format_size(image.size, size), output);
	if (b.secrets.n > 0)
		notice("%s holds %zu private key(s) as they are: keep it as they are kept", output,
		       b.secrets.n);
	strv_release(&b.secrets);
	strv_release(&b.env);
	serving_release(&b.serving);
	pack_release(&pack);
	catalog_release(&catalog);
	close(image.fd);
	free(kernel);
	free(catalog_dir);
	return 0;
}
