/* SPDX-License-Identifier: BSD-2-Clause */
/* Start of the first program, from the run configuration that the host tool gave (abi/boot.h). */
#include <linux/capability.h>
#include <linux/fcntl.h>

#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/ipc/ipc.h"
#include "kernel/linux/core.h"
#include "kernel/linux/linux.h"
#include "kernel/mem/kmem.h"
#include "kernel/net/netconf.h"
#include "kernel/task/task.h"
#include "kernel/vfs/fd.h"
#include "kernel/vfs/path.h"
#include "kernel/vfs/poll.h"

err_t linux_init(void)
{
	const char *name = run_config_get("hostname", 0);

	strace_on = run_config_flag("strace");
	stats_setup();
	watch_all_calls = strace_on || stats_on || cmdline_get("stats") != NULL;
	crash_report_hook = crash_context;
	core_dump_hook = core_dump;
	missing_files_on = run_config_flag("missing");
	if (name != NULL)
		linux_set_hostname(name);
	return ipc_init();
}

/* All values of a key as the array that exec takes; the strings stay in the boot record. */
static err_t config_strings(const char *key, struct exec_strings *out)
{
	unsigned n = 0;

	while (run_config_get(key, n) != NULL)
		n++;
	*out = (struct exec_strings){ .v = kmem_zalloc((n + 1) * sizeof(char *)), .n = n };
	if (out->v == NULL)
		return E_NOMEM;
	for (unsigned i = 0; i < n; i++) {
		out->v[i] = (char *)run_config_get(key, i);
		out->bytes += strlen(out->v[i]) + 1;
	}
	return OK;
}

static uint32_t config_number(const char *key, unsigned base, uint32_t otherwise)
{
	const char *s = run_config_get(key, 0);
	uint64_t v;

	if (s == NULL || !str_to_u64(s, base, &v) || v > UINT32_MAX)
		return otherwise;
	return (uint32_t)v;
}

void linux_first_credentials(struct cred *c)
{
	uint32_t uid = config_number("uid", 10, 0), gid = config_number("gid", 10, 0);
	uint64_t all = (1ull << (CAP_LAST_CAP + 1)) - 1;

	*c = (struct cred){ uid, uid, uid, uid, gid, gid, gid, gid, .cap_bounding = all };
	if (uid == 0)
		c->cap_effective = c->cap_permitted = all;
}

static err_t standard_files(struct task *t)
{
	struct file *std[3];

	TRY(console_open_standard(std));
	for (int fd = 0; fd < 3; fd++)
		TRY(fd_install_in(t->files, std[fd], fd, false));
	return OK;
}

uint32_t linux_first_umask(void)
{
	return config_number("umask", 8, 022);
}

err_t linux_chdir(const char *cwd)
{
	struct path p;
	err_t err;

	if (cwd == NULL)
		return OK;
	TRY(path_lookup(AT_FDCWD_, cwd, LOOK_FOLLOW | LOOK_DIR, &p));
	err = vfs_chdir(&p);
	path_put(&p);
	return err;
}

/*
 * Runs as the first thread, in the kernel: everything that needs a current task, then the program
 * itself.
 */
static err_t become_program(const char *exe)
{
	struct exec_strings argv, envp;
	err_t err;

	linux_first_credentials(&current_task->cred);
	current_task->fs->umask = linux_first_umask();
	err = standard_files(current_task);
	if (err != OK) {
		log_error("standard input and output: %s", err_text(err));
		return err;
	}
	linux_follow_host_time();
	err = linux_chdir(run_config_get("cwd", 0));
	if (err != OK) {
		log_error("working directory %s: %s", run_config_get("cwd", 0), err_text(err));
		return err;
	}
	netconf_glance();
	TRY(config_strings("arg", &argv));
	err = config_strings("env", &envp);
	if (err == OK)
		err = task_exec(current->regs, AT_FDCWD_, exe, 0, &argv, &envp);
	kmem_free(argv.v);
	kmem_free(envp.v);
	if (err != OK)
		log_error("%s cannot be started: %s", exe, err_text(err));
	return err;
}

/* First code of thread 1; returns to ring 3. */
static void first_thread(void *unused)
{
	(void)unused;
	if (become_program(run_config_get("exe", 0)) != OK)
		power_off(BOOT_EXIT_NOPROG);
	netconf_await();
	linux_stats("start");
	debug_wait();
	console_ready();
}

/* The host is told when it is the program itself that goes, not one of its children. */
static void tell_out_of_memory(struct task *t)
{
	if (t->pid == 1)
		console_control("killed-by=oom");
}

static void program_ended(int wait_status)
{
	linux_stats("end");
	stats_tell();
	console_exit(wait_status);
}

/* A secret that is not kept is none: the program does not start then. */
static void keep_secrets(void)
{
	const char *path;

	for (unsigned i = 0; (path = run_config_get("secret", i)) != NULL; i++) {
		err_t err = vfs_make_secret(path);

		if (err == OK)
			continue;
		log_error("secret file %s: %s", path, err_text(err));
		power_off(BOOT_EXIT_CONFIG);
	}
}

err_t linux_run_program(void)
{
	struct task *t;

	TRY(run_config_check());
	if (netconf_start() != OK)
		power_off(BOOT_EXIT_CONFIG);
	keep_secrets();
	task_first_exited = program_ended;
	task_oom_hook = tell_out_of_memory;
	linux_sessions_init();
	TRY(task_create_program(&t));
	t->files = fdtable_create();
	t->fs = fs_context_clone(&kernel_fs);
	if (t->files == NULL || t->fs == NULL)
		return E_NOMEM;
	task_start_program(t, first_thread, NULL);
	return OK;
}
