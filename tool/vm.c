/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool/report.h"

static const char *const port_names[VM_PORTS] = { "com1", "stdin", "stdout", "stderr", "control" };

char *vm_find_qemu(void)
{
	const char *chosen = getenv("RINGFENCE_QEMU"), *path = getenv("PATH");

	if (chosen != NULL && *chosen != '\0')
		return access(chosen, X_OK) == 0 ? xstrdup(chosen) : NULL;
	char *found = find_in_path("qemu-system-x86_64", path != NULL ? path : "");

	return found != NULL ? found
			     : find_in_path("qemu-system-x86_64", "/usr/local/bin:/usr/bin:/bin");
}

char *vm_need_qemu(void)
{
	char *qemu = vm_find_qemu();

	if (qemu == NULL)
		die(EXIT_TOOL,
		    "apt-get install qemu-system-x86 (ringfence doctor checks all that is needed)",
		    getenv("RINGFENCE_QEMU") != NULL
			    ? "RINGFENCE_QEMU names no program that can be run"
			    : "QEMU (qemu-system-x86_64) is not installed");
	return qemu;
}

static void add(struct strv *argv, const char *option, const char *value)
{
	strv_add(argv, option);
	if (value != NULL)
		strv_add(argv, value);
}

static void add_machine(struct strv *argv, const struct vm_config *cfg)
{
	if (cfg->machine == MACHINE_Q35) {
		add(argv, "-M", "q35");
		add(argv, "-bios", "qboot.rom");
	} else {
		add(argv, "-M",
		    "microvm,acpi=off,pit=on,pic=on,rtc=on,isa-serial=on,auto-kernel-cmdline=on");
		add(argv, "-bios", "qboot.rom");
		add(argv, "-global", "virtio-mmio.force-legacy=false");
	}
	add(argv, "-accel", cfg->kvm ? "kvm" : "tcg,thread=multi");
	add(argv, "-cpu", "max");
	add(argv, "-nodefaults", "-no-user-config");
	add(argv, "-no-reboot", "-display");
	strv_add(argv, "none");
	strv_add(argv, "-smp");
	strv_addf(argv, "%u", cfg->cpus);
	strv_add(argv, "-m");
	strv_addf(argv, "%lluK", (unsigned long long)(cfg->memory >> 10));
	add(argv, "-device", "isa-debug-exit,iobase=0xf4,iosize=4");
}

/* Up to here the memory of a machine is one piece. */
#define MAPPED_MEMORY_MAX (2ull << 30)
#define QEMU_MEMORY_UNIT  8192u /* it rounds a machine's memory up */

/*
 * Where the image can be mapped as the end of the machine's memory, read-only: nobody copies it,
 * the start does not depend on its size, and machines share the host's one copy. 0: it cannot.
 * (Tried with the emulator only.)
 */
static uint64_t image_place(const struct vm_config *cfg)
{
	uint64_t size = (cfg->image_stays + 4095) & ~4095ull;

	if (cfg->image_fd < 0 || size == 0 || size != cfg->image_stays || cfg->kvm ||
	    cfg->machine != MACHINE_MICROVM || cfg->memory > MAPPED_MEMORY_MAX ||
	    cfg->memory % QEMU_MEMORY_UNIT != 0 || cfg->memory <= size)
		return 0;
	return cfg->memory - size;
}

static void add_mapped_image(struct strv *argv, const struct vm_config *cfg, uint64_t at)
{
	strv_add(argv, "-object");
	strv_addf(argv, "memory-backend-ram,id=ram,size=%llu", (unsigned long long)at);
	strv_add(argv, "-object");
	strv_addf(argv,
		  "memory-backend-file,id=image,mem-path=/dev/fd/%d,size=%llu,share=off,"
		  "readonly=on",
		  cfg->image_fd, (unsigned long long)cfg->image_stays);
	add(argv, "-numa", "node,memdev=ram");
	add(argv, "-numa", "node,memdev=image");
}

/* The kernel's command line: where the image is, and what is wished. */
static void add_words(struct strv *argv, const struct vm_config *cfg, uint64_t image)
{
	const char *words = cfg->append != NULL ? cfg->append : "";

	if (image != 0) {
		strv_add(argv, "-append");
		strv_addf(argv, "image=%#llx,%llu%s%s", (unsigned long long)image,
			  (unsigned long long)cfg->image_stays, *words != '\0' ? " " : "", words);
	} else if (*words != '\0') {
		add(argv, "-append", words);
	}
}

static void add_files(struct strv *argv, const struct vm_config *cfg)
{
	uint64_t image = image_place(cfg);

	strv_add(argv, "-kernel");
	strv_addf(argv, "/dev/fd/%d", cfg->kernel_fd);
	if (image != 0) {
		add_mapped_image(argv, cfg, image);
	} else if (cfg->image_fd >= 0) {
		strv_add(argv, "-initrd");
		strv_addf(argv, "/dev/fd/%d", cfg->image_fd);
	}
	add_words(argv, cfg, image);
	if (cfg->config_fd >= 0) {
		strv_add(argv, "-fw_cfg");
		strv_addf(argv, "name=" BOOT_RUN_FWCFG ",file=/dev/fd/%d", cfg->config_fd);
	}
}

static void add_ports(struct strv *argv, const struct vm_config *cfg, const int theirs[VM_PORTS])
{
	strv_add(argv, "-chardev");
	strv_addf(argv, "socket,id=com1,fd=%d", theirs[VM_COM1]);
	add(argv, "-serial", "chardev:com1");
	if (cfg->machine == MACHINE_Q35)
		return;
	strv_add(argv, "-device");
	strv_addf(argv, "virtio-serial-device,max_ports=%d", VM_PORTS);
	for (int i = 1; i < VM_PORTS; i++) {
		strv_add(argv, "-chardev");
		strv_addf(argv, "socket,id=%s,fd=%d", port_names[i], theirs[i]);
		strv_add(argv, "-device");
		strv_addf(argv, "virtserialport,nr=%d,chardev=%s,name=ringfence.%s", i,
			  port_names[i], port_names[i]);
	}
}

static void add_network(struct strv *argv, const struct vm_config *cfg)
{
	const struct net_spec *net = cfg->net;
	char *text;

	if (net == NULL || net->kind == NET_NONE)
		return;
	if (net->kind == NET_TAP) {
		text = xasprintf("tap,id=net0,ifname=%s,script=no,downscript=no", net->tap);
	} else {
		text = xstrdup("user,id=net0");
		for (size_t i = 0; i < net->nports; i++) {
			const struct port_map *p = &net->ports[i];
			char *longer = xasprintf("%s,hostfwd=%s:%s:%u-:%u", text,
						 p->udp ? "udp" : "tcp", p->address, p->host,
						 p->guest);

			free(text);
			text = longer;
		}
	}
	add(argv, "-netdev", text);
	free(text);
	add(argv, "-device",
	    cfg->machine == MACHINE_Q35 ? "virtio-net-pci,netdev=net0"
					: "virtio-net-device,netdev=net0");
}

static void add_debugger(struct strv *argv, const struct vm_config *cfg)
{
	if (cfg->gdb_port == 0)
		return;
	strv_add(argv, "-gdb");
	strv_addf(argv, "tcp:127.0.0.1:%u", cfg->gdb_port);
	if (cfg->stopped)
		strv_add(argv, "-S");
}

static void keep_open(int fd)
{
	if (fd >= 0)
		fcntl(fd, F_SETFD, 0);
}

/* In the child. Ends with the error number in the pipe `failed`, if QEMU cannot be executed. */
static void exec_qemu(const struct vm_config *cfg, char *const argv[], const int theirs[VM_PORTS],
		      int errors, int failed, pid_t parent)
{
	static const int defaults[] = {
		SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGCHLD, SIGWINCH
	};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1); /* the tool died before that */
	/* Signals from the terminal are the program's, by way of the tool. */
	setpgid(0, 0);
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		signal(defaults[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(errors, STDERR_FILENO);
	for (int i = 0; i < VM_PORTS; i++)
		keep_open(theirs[i]);
	keep_open(cfg->kernel_fd);
	keep_open(cfg->image_fd);
	keep_open(cfg->config_fd);
	execv(argv[0], argv);
	int e = errno;

	if (write(failed, &e, sizeof(e)) < 0)
		_exit(126);
	_exit(127);
}

static void make_ports(const struct vm_config *cfg, int ours[VM_PORTS], int theirs[VM_PORTS])
{
	for (int i = 0; i < VM_PORTS; i++) {
		int pair[2];

		ours[i] = theirs[i] = -1;
		if (i != VM_COM1 && cfg->machine == MACHINE_Q35)
			continue;
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0 ||
		    fcntl(pair[0], F_SETFL, O_NONBLOCK) != 0)
			die(EXIT_TOOL, NULL, "no sockets can be made: %s", strerror(errno));
		ours[i] = pair[0];
		theirs[i] = pair[1];
	}
}

static void show_command(const struct strv *argv)
{
	char *line = xstrdup("");

	for (size_t i = 0; i < argv->n; i++) {
		const char *quote = strpbrk(argv->v[i], " '\"$\\") != NULL || argv->v[i][0] == '\0'
					    ? "'"
					    : "";
		char *longer = xasprintf("%s %s%s%s", line, quote, argv->v[i], quote);

		free(line);
		line = longer;
	}
	note("start:%s", line);
	free(line);
}

void vm_start(const struct vm_config *cfg, struct vm *vm)
{
	int theirs[VM_PORTS], errors[2], failed[2], e = 0;
	struct strv argv = { 0 };
	pid_t parent = getpid();

	make_ports(cfg, vm->port, theirs);
	if (pipe2(errors, O_CLOEXEC) != 0 || pipe2(failed, O_CLOEXEC) != 0 ||
	    fcntl(errors[0], F_SETFL, O_NONBLOCK) != 0)
		die(EXIT_TOOL, NULL, "no pipes can be made: %s", strerror(errno));
	strv_add(&argv, cfg->qemu);
	add_machine(&argv, cfg);
	add_files(&argv, cfg);
	add_ports(&argv, cfg, theirs);
	add_network(&argv, cfg);
	add_debugger(&argv, cfg);
	if (report_verbose())
		show_command(&argv);
	vm->pid = fork();
	if (vm->pid == 0)
		exec_qemu(cfg, argv.v, theirs, errors[1], failed[1], parent);
	if (vm->pid < 0)
		die(EXIT_TOOL, NULL, "no process can be started: %s", strerror(errno));
	close(errors[1]);
	close(failed[1]);
	for (int i = 0; i < VM_PORTS; i++)
		if (theirs[i] >= 0)
			close(theirs[i]);
	vm->errors = errors[0];
	if (read(failed[0], &e, sizeof(e)) == (ssize_t)sizeof(e))
		die(EXIT_TOOL, "apt-get install qemu-system-x86", "%s cannot be started: %s",
		    cfg->qemu, strerror(e));
	close(failed[0]);
	vm->pidfd = pidfd_open(vm->pid, 0);
	if (vm->pidfd < 0) {
		e = errno;
		vm_kill(vm);
		die(EXIT_TOOL, "Linux 5.3 or later is needed",
		    "QEMU's process cannot be watched: %s", strerror(e));
	}
	strv_release(&argv);
}

void vm_kill(const struct vm *vm)
{
	if (vm->pid > 0)
		kill(vm->pid, SIGKILL);
}

int vm_wait(struct vm *vm)
{
	int status = 0;

	while (vm->pid > 0 && waitpid(vm->pid, &status, 0) < 0 && errno == EINTR)
		;
	vm->pid = 0;
	return status;
}

void vm_close(struct vm *vm)
{
	for (int i = 0; i < VM_PORTS; i++)
		if (vm->port[i] >= 0)
			close(vm->port[i]);
	close(vm->pidfd);
	close(vm->errors);
}
