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
#include "tool/bridge.h"
#include "tool/bundle.h"
#include "tool/image.h"
#include "tool/pack.h"
#include "tool/places.h"
#include "tool/report.h"
#include "tool/runcfg.h"
#include "tool/term.h"
#include "tool/vm.h"

#define MIB           (1ull << 20)
#define MEMORY_LEAST  (64 * MIB) /* what a program gets besides its image when nobody says */
#define MEMORY_KERNEL (4 * MIB)  /* what the kernel needs besides the image, at the very least */

/* Everything that a machine is started with. */
struct launch {
	char *exe, *cwd;
	struct strv argv, env;
	int image_fd, kernel_fd;
	uint64_t image_size;
	uint64_t memory;
	unsigned cpus;
	bool strace, missing;
};

static void launch_release(struct launch *l)
{
	free(l->exe);
	free(l->cwd);
	strv_release(&l->argv);
	strv_release(&l->env);
	close(l->image_fd);
	close(l->kernel_fd);
}

static uint64_t round_up(uint64_t v, uint64_t to)
{
	return (v + to - 1) / to * to;
}

/* Memory: what was asked for, else by the image's size. Dies if the image cannot fit. */
static uint64_t choose_memory(uint64_t asked, uint64_t wish, uint64_t image_size)
{
	uint64_t least = round_up(image_size + MEMORY_KERNEL, MIB);
	uint64_t memory = asked;

	if (memory == 0)
		memory = round_up(image_size, MIB) + (wish > MEMORY_LEAST ? wish : MEMORY_LEAST);
	if (memory < least) {
		char *hint = xasprintf("use -m %lluM or more", (unsigned long long)(least / MIB));

		die(EXIT_TOOL, hint, "the image (%llu MiB) does not fit into %llu MiB of memory",
		    (unsigned long long)(round_up(image_size, MIB) / MIB),
		    (unsigned long long)(memory / MIB));
	}
	return memory;
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

static void launch_from_program(struct launch *l, const struct run_spec *spec)
{
	char *catalog_dir = places_catalog();
	char *kernel = places_kernel(spec->kernel);
	struct catalog catalog;
	struct pack pack;
	struct image image;

	catalog_load(&catalog, catalog_dir);
	pack_make(&pack, spec, &catalog);
	for (size_t i = 0; i < pack.files.notes.n; i++)
		note("catalog entry: %s", pack.files.notes.v[i]);
	image_open(&pack.files.fs, &image);
	*l = (struct launch){ .exe = xstrdup(exec_path(spec, &pack)),
			      .cwd = xstrdup(pack.cwd),
			      .image_fd = image.fd,
			      .image_size = image.size,
			      .kernel_fd = open_kernel(kernel),
			      .cpus = spec->cpus,
			      .strace = spec->strace,
			      .missing = spec->missing };
	strv_add_all(&l->argv, &pack.argv);
	pack_environment(&l->env, &pack.files.env, &spec->env);
	l->memory = choose_memory(spec->memory, pack.files.memory, image.size);
	pack_release(&pack);
	catalog_release(&catalog);
	free(kernel);
	free(catalog_dir);
}

static void launch_from_image(struct launch *l, const struct run_spec *spec)
{
	struct bundle b;

	bundle_open(spec->program, &b);
	if (spec->include.n != 0 || spec->programs.n != 0)
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
	strv_add_all(&l->argv, &b.argv);
	strv_add_all(&l->argv, &spec->args);
	pack_environment(&l->env, &b.env, &spec->env);
	l->memory = choose_memory(spec->memory != 0 ? spec->memory : b.memory, 0, b.size);
	bundle_release(&b);
}

/*
 * Which of descriptors 0, 1, 2 are the user's terminal, as a bit mask; 0 unless 0 and 1 both are.
 */
static unsigned terminal_mask(void)
{
	if (isatty(STDIN_FILENO) != 1 || isatty(STDOUT_FILENO) != 1)
		return 0;
	return 3u | (isatty(STDERR_FILENO) == 1 ? 4u : 0);
}

static int make_config(const struct launch *l, unsigned tty)
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
	runcfg_add(&cfg, "uid", "%u", (unsigned)getuid());
	runcfg_add(&cfg, "gid", "%u", (unsigned)getgid());
	mode_t mask = umask(022);

	umask(mask);
	runcfg_add(&cfg, "umask", "%03o", (unsigned)mask);
	if (tty != 0) {
		term_size(STDOUT_FILENO, &rows, &cols);
		runcfg_add(&cfg, "tty", "%ux%u", rows, cols);
		runcfg_add(&cfg, "tty-out", "%u", tty);
	}
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

static void show_log(const char *log)
{
	if (*log == '\0')
		return;
	fprintf(stderr, "--- end of the kernel's log ---\n%s%s-------------------------------\n",
		log, str_ends(log, "\n") ? "" : "\n");
}

/* The machine ended without the program's status: say why. Returns the exit code. */
static int explain_failure(const struct bridge_result *r, const struct bridge_config *cfg)
{
	int code = WIFEXITED(r->qemu_status) ? WEXITSTATUS(r->qemu_status) : -1;
	int value = code > 0 && code % 2 == 1 ? code / 2 : -1;

	if (!cfg->show_log && value != BOOT_EXIT_NOMEM)
		show_log(r->log);
	if (*r->complaints != '\0')
		fprintf(stderr, "%s", r->complaints);
	if (value == BOOT_EXIT_PANIC)
		error_note("please report it with the log; --gdb lets you look inside",
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
static int conclude(const struct bridge_result *r, const struct bridge_config *cfg, uint64_t memory)
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
		return explain_failure(r, cfg);
	if (r->oom)
		error_note("give the machine more memory with -m",
			   "the program was killed: %llu MiB of memory were not enough",
			   (unsigned long long)(memory / MIB));
	return WIFSIGNALED(r->status) ? 128 + WTERMSIG(r->status) : WEXITSTATUS(r->status);
}

static char *kernel_words(const struct run_spec *spec)
{
	const char *more = spec->append != NULL ? spec->append : "";

	/* The user's words come last: they win. */
	return xasprintf("%s%s", report_verbose() ? "log=info " : "", more);
}

static int start(const struct launch *l, const struct run_spec *spec)
{
	unsigned tty = spec->machine == MACHINE_MICROVM ? terminal_mask() : 0;
	char *qemu = vm_need_qemu();
	char *words = kernel_words(spec);
	char why[ACCEL_WHY_MAX];
	struct vm_config cfg = { .qemu = qemu,
				 .machine = spec->machine,
				 .cpus = l->cpus != 0 ? l->cpus : 1,
				 .memory = l->memory,
				 .kernel_fd = l->kernel_fd,
				 .image_fd = l->image_fd,
				 .append = words,
				 .gdb_port = spec->gdb_port };
	struct bridge_config bridge = { .tty = tty != 0,
					.serial_only = spec->machine == MACHINE_Q35,
					.show_log = report_verbose() };
	struct bridge_result result;
	struct vm vm;

	cfg.kvm = accel_choose(spec->accel, qemu, why);
	note("accelerator: %s: %s", cfg.kvm ? "KVM" : "TCG (software)", why);
	cfg.config_fd = make_config(l, tty);
	interrupts_check();
	vm_start(&cfg, &vm);
	if (spec->gdb_port != 0)
		fprintf(stderr,
			"ringfence: the machine waits for: gdb -ex 'target remote :%u' "
			"kernel.debug.elf\n",
			spec->gdb_port);
	bridge_run(&vm, &bridge, &result);
	vm_close(&vm);
	close(cfg.config_fd);
	int code = conclude(&result, &bridge, l->memory);

	bridge_result_release(&result);
	free(words);
	free(qemu);
	return code;
}

int command_run(const struct run_spec *spec)
{
	struct launch l;

	interrupts_defer();
	if (bundle_is(spec->program))
		launch_from_image(&l, spec);
	else
		launch_from_program(&l, spec);
	int code = start(&l, spec);

	launch_release(&l);
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
	image_open(&pack.files.fs, &image);
	b = (struct bundle){ .size = image.size,
			     .exe = pack.exe,
			     .cwd = pack.cwd,
			     .argv = pack.argv,
			     .cpus = spec->cpus,
			     .strace = spec->strace,
			     .missing = spec->missing };
	b.memory = choose_memory(spec->memory, pack.files.memory, image.size);
	strv_add_all(&b.env, &pack.files.env);
	strv_add_all(&b.env, &spec->env);
	bundle_write(output, &b, image.fd, kernel);
	notice("%s: %zu files, %s; start it with: ringfence run %s", output, pack.files.fs.n,
	       format_size(image.size, size), output);
	strv_release(&b.env);
	pack_release(&pack);
	catalog_release(&catalog);
	close(image.fd);
	free(kernel);
	free(catalog_dir);
	return 0;
}
