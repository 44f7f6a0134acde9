/* SPDX-License-Identifier: BSD-2-Clause */
/* execve: errors, scripts, what a new program inherits. */
#include "test/linux/prog/check.h"
#include <linux/elf.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static char *none[] = { NULL };

static void try_exec(const char *name, const char *path)
{
	int st = CHILD({
		char *argv[] = { "prog", NULL };

		execve(path, argv, none);
		_exit(errno);
	});

	if (WIFEXITED(st))
		say("%s: %s", name, WEXITSTATUS(st) ? error_name(WEXITSTATUS(st)) : "ran");
	else
		say_status(name, st);
}

static void errors(void)
{
	char longer[5000];
	int fd;

	try_exec("missing", "./missing");
	try_exec("empty path", "");
	put_file("plain", "x", 0644);
	try_exec("not executable", "./plain");
	try_exec("folder", ".");
	put_file("text", "echo hello\n", 0755);
	try_exec("text without #!", "./text");
	put_file("empty", "", 0755);
	try_exec("empty file", "./empty");
	try_exec("below a file", "./plain/x");
	MUST(symlink("loop", "loop"));
	try_exec("symbolic loop", "./loop");
	memset(longer, 'a', sizeof(longer));
	longer[300] = 0;
	try_exec("name too long", longer);
	longer[300] = 'a';
	longer[sizeof(longer) - 1] = 0;
	try_exec("path too long", longer);
	try_exec("bad pointer", (const char *)8);
	put_file("open", "#!/bin/true\n", 0755);
	fd = MUST(open("open", O_WRONLY));
	try_exec("open for writing", "./open");
	close(fd);
	MUST(mkfifo("fifo", 0755));
	try_exec("fifo", "./fifo");
	try_exec("device", "/dev/null");
}

static void copy_self(const char *to, size_t *size, char **image)
{
	struct stat st;
	int fd = MUST(open("/proc/self/exe", O_RDONLY));

	MUST(fstat(fd, &st));
	*size = (size_t)st.st_size;
	*image = malloc(*size);
	MUST(read(fd, *image, *size));
	close(fd);
	if (to != NULL) {
		fd = MUST(open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755));
		MUST(write(fd, *image, *size));
		close(fd);
	}
}

static void put_image(const char *path, const void *image, size_t size)
{
	int fd = MUST(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755));

	MUST(write(fd, image, size));
	close(fd);
}

/* Broken copies of this very program. */
static void bad_elf(void)
{
	size_t size;
	char *image;
	Elf64_Ehdr *eh, good;
	Elf64_Phdr *ph, *interp = NULL;
	char kept[64];

	copy_self(NULL, &size, &image);
	eh = (void *)image;
	good = *eh;
	ph = (void *)(image + eh->e_phoff);
	put_image("elf", image, 3);
	try_exec("3 bytes of an ELF file", "./elf");
	put_image("elf", image, 40);
	try_exec("40 bytes of an ELF file", "./elf");
	eh->e_machine = EM_AARCH64;
	put_image("elf", image, size);
	try_exec("other machine", "./elf");
	*eh = good;
	eh->e_type = ET_REL;
	put_image("elf", image, size);
	try_exec("object file", "./elf");
	*eh = good;
	eh->e_phentsize = 32;
	put_image("elf", image, size);
	try_exec("wrong e_phentsize", "./elf");
	*eh = good;
	eh->e_phnum = 0;
	put_image("elf", image, size);
	try_exec("no program headers", "./elf");
	*eh = good;
	for (int i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_INTERP)
			interp = &ph[i];
	if (interp == NULL)
		return;
	memcpy(kept, image + interp->p_offset, sizeof(kept));
	strcpy(image + interp->p_offset, "/no/ld.so");
	put_image("elf", image, size);
	try_exec("missing interpreter", "./elf");
	strcpy(image + interp->p_offset, "/dev/null");
	put_image("elf", image, size);
	try_exec("interpreter is a device", "./elf");
	memcpy(image + interp->p_offset, kept, sizeof(kept));
	image[interp->p_offset + interp->p_filesz - 1] = 'x';
	put_image("elf", image, size);
	try_exec("interpreter without end", "./elf");
	image[interp->p_offset + interp->p_filesz - 1] = 0;
	interp->p_filesz = 1;
	put_image("elf", image, size);
	try_exec("interpreter of one byte", "./elf");
}

static void busy(void)
{
	size_t size;
	char *image;
	struct event started = event_new(), end = event_new();
	char in[16], out[16];
	pid_t pid;

	copy_self("copy", &size, &image);
	snprintf(in, sizeof(in), "%d", end.fd[0]);
	snprintf(out, sizeof(out), "%d", started.fd[1]);
	pid = START({
		char *argv[] = { "copy", "--wait", in, out, NULL };

		execve("./copy", argv, none);
	});
	event_wait(&started);
	RET("write to a running program", open("copy", O_WRONLY));
	RET("truncate a running program", truncate("copy", 0));
	RES("read a running program", open("copy", O_RDONLY));
	RET("unlink a running program", unlink("copy"));
	event_set(&end);
	say_status("the program", wait_for(pid));
}

/* Prints its arguments, started by the tests below. */
static int print_args(int argc, char **argv)
{
	section_name = "args";
	say("argc %d", argc);
	for (int i = 0; i < argc; i++) {
		const char *arg = argv[i];

		if (strcmp(arg, own_path()) == 0)
			arg = "(own path)";
		say("argv[%d] = \"%s\"", i, arg);
	}
	return 0;
}

static void script(const char *path, const char *first_line)
{
	char text[1024];

	snprintf(text, sizeof(text), "#!%s", first_line);
	put_file(path, text, 0755);
}

static void scripts(void)
{
	char line[600], name[32], prev[32];

	setenv("PROG_ARGS", "1", 1);
	snprintf(line, sizeof(line), "%s\n", own_path());
	script("plain", line);
	snprintf(line, sizeof(line), "%s  one argument with spaces \t\n", own_path());
	script("argument", line);
	snprintf(line, sizeof(line), " \t %s x", own_path());
	script("noeol", line);
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = { "./plain", "./argument", "./noeol" };
		int st = CHILD({
			char *argv[] = { "zero", "first", "", "third", NULL };

			execv(names[i], argv);
			_exit(errno);
		});

		say_status(names[i], st);
	}
	unsetenv("PROG_ARGS");
	script("missing", "/no/such/interpreter\n");
	try_exec("interpreter missing", "./missing");
	put_file("data", "x", 0644);
	script("noexec", "./data\n");
	try_exec("interpreter not executable", "./noexec");
	script("none", "\n");
	try_exec("no interpreter", "./none");
	script("blank", "   \n");
	try_exec("blank interpreter", "./blank");
	script("dir", "/\n");
	try_exec("interpreter is a folder", "./dir");
	memset(line, 'a', 300);
	line[0] = '/';
	line[300] = 0;
	script("long", line);
	try_exec("interpreter over 255 bytes", "./long");
	snprintf(line, sizeof(line), "/bin/true %0300d\n", 7);
	script("longarg", line);
	try_exec("argument over 255 bytes", "./longarg");
	script("s0", "/bin/true\n");
	for (int i = 1; i <= 8; i++) {
		snprintf(prev, sizeof(prev), "./s%d\n", i - 1);
		snprintf(name, sizeof(name), "s%d", i);
		script(name, prev);
		snprintf(name, sizeof(name), "./s%d", i);
		snprintf(line, sizeof(line), "%d scripts deep", i + 1);
		try_exec(line, name);
	}
	script("self", "./self\n");
	try_exec("its own interpreter", "./self");
}

static void too_big(void)
{
	char *one = malloc(1 << 21), **many = calloc(100000, sizeof(char *));

	memset(one, 'x', (1 << 21) - 1);
	one[(1 << 21) - 1] = 0;
	for (int i = 0; i < 3; i++) {
		static const size_t len[] = { 131071, 131072, 200000 };
		char kept = one[len[i]];
		int st = CHILD({
			char *argv[] = { "true", one, NULL };

			one[len[i]] = 0;
			execve("/bin/true", argv, none);
			_exit(errno == E2BIG ? 7 : 8);
		});

		(void)kept;
		say("one string of %zu", len[i]);
		say_status("  result", st);
	}
	/* All strings together: a quarter of the stack limit. */
	one[1023] = 0;
	for (int i = 0; i < 2; i++) {
		int count = i == 0 ? 1900 : 2100;
		int st = CHILD({
			struct rlimit rl = { 8 << 20, 8 << 20 };

			MUST(setrlimit(RLIMIT_STACK, &rl));
			for (int k = 0; k < count; k++)
				many[k] = one;
			many[0] = "true";
			execve("/bin/true", many, none);
			_exit(errno == E2BIG ? 7 : 8);
		});

		say("%d strings of 1 KiB with 8 MiB of stack", count);
		say_status("  result", st);
	}
	RET("bad argv", execve("/bin/true", (char **)8, none));
	char *bad[] = { "true", (char *)8, NULL };
	RET("bad string in argv", execve("/bin/true", bad, none));
	RET("bad envp", execve("/bin/true", none, (char **)8));
}

static void no_args(void)
{
	setenv("PROG_ARGS", "1", 1);
	say_status("argv without strings", CHILD(execve(own_path(), none, environ)));
	say_status("argv == NULL", CHILD(syscall(SYS_execve, own_path(), NULL, environ)));
}

static void noop(int sig UNUSED)
{
}

static void at_variants(void)
{
	int st, fd = MUST(open("/bin/true", O_RDONLY | O_CLOEXEC));
	char *argv[] = { "true", NULL };

	say_status(
		"by descriptor",
		CHILD(_exit(syscall(SYS_execveat, fd, "", argv, none, AT_EMPTY_PATH) ? errno : 0)));
	st = CHILD(_exit(syscall(SYS_execveat, fd, "", argv, none, 0) ? errno : 0));
	say("empty path without AT_EMPTY_PATH: %s", error_name(WEXITSTATUS(st)));
	fd = MUST(open("/bin", O_RDONLY | O_DIRECTORY));
	say_status("below a descriptor",
		   CHILD(_exit(syscall(SYS_execveat, fd, "true", argv, none, 0) ? errno : 0)));
	MUST(symlink("/bin/true", "link"));
	st = CHILD(_exit(syscall(SYS_execveat, AT_FDCWD, "link", argv, none, AT_SYMLINK_NOFOLLOW)
				 ? errno
				 : 0));
	say("link with AT_SYMLINK_NOFOLLOW: %s", error_name(WEXITSTATUS(st)));
	st = CHILD(_exit(syscall(SYS_execveat, AT_FDCWD, "link", argv, none, 0x8000) ? errno : 0));
	say("unknown flag: %s", error_name(WEXITSTATUS(st)));
	script("script", "/bin/true\n");
	fd = MUST(open("script", O_RDONLY | O_CLOEXEC));
	st = CHILD(_exit(syscall(SYS_execveat, fd, "", argv, none, AT_EMPTY_PATH) ? errno : 0));
	say("script by descriptor that closes: %s", error_name(WEXITSTATUS(st)));
	fd = MUST(open("script", O_RDONLY));
	st = CHILD(_exit(syscall(SYS_execveat, fd, "", argv, none, AT_EMPTY_PATH) ? errno : 0));
	say_status("script by descriptor", st);
}

/* The second half of `inherit`: what is still there. */
static int print_inherited(void)
{
	struct sigaction sa;
	sigset_t set;
	stack_t ss;
	struct itimerval it;
	char name[17] = "";

	section_name = "inherited";
	sigprocmask(SIG_SETMASK, NULL, &set);
	VAL("mask has SIGUSR1", sigismember(&set, SIGUSR1));
	VAL("mask has SIGUSR2", sigismember(&set, SIGUSR2));
	sigpending(&set);
	VAL("SIGUSR1 is pending", sigismember(&set, SIGUSR1));
	sigaction(SIGTERM, NULL, &sa);
	YES("ignored signal is still ignored", sa.sa_handler == SIG_IGN);
	sigaction(SIGHUP, NULL, &sa);
	YES("handler is gone", sa.sa_handler == SIG_DFL);
	VAL("its flags", sa.sa_flags & ~0x04000000);
	sigaction(SIGCHLD, NULL, &sa);
	YES("SIGCHLD is still ignored", sa.sa_handler == SIG_IGN);
	sigaltstack(NULL, &ss);
	VAL("alternate stack is off", ss.ss_flags == SS_DISABLE);
	getitimer(ITIMER_REAL, &it);
	YES("timer goes on", it.it_value.tv_sec > 900);
	RET("timer_gettime", timer_gettime((timer_t)0, &(struct itimerspec){ { 0 } }));
	RET("descriptor 50", fcntl(50, F_GETFD));
	RET("descriptor 51 (close on exec)", fcntl(51, F_GETFD));
	prctl(PR_GET_NAME, name);
	STR("name", name);
	VAL("PR_GET_PDEATHSIG", ({
		    int s = -1;
		    prctl(PR_GET_PDEATHSIG, &s);
		    s;
	    }));
	VAL("PR_GET_KEEPCAPS", prctl(PR_GET_KEEPCAPS));
	VAL("PR_GET_NO_NEW_PRIVS", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	VAL("umask", umask(0));
	YES("parent is the same", getppid() == atoi(getenv("PROG_PARENT")));
	STR("PROG_X", getenv("PROG_X") ?: "(none)");
	return 0;
}

static void inherit(void)
{
	struct rlimit rl = { 100, 100 };
	char parent[16];
	int st;

	snprintf(parent, sizeof(parent), "%d", getpid());
	st = CHILD({
		struct itimerval it = { .it_value.tv_sec = 1000 };
		struct sigaction sa = { .sa_handler = noop, .sa_flags = SA_RESTART | SA_NODEFER };
		stack_t ss = { .ss_sp = malloc(65536), .ss_size = 65536 };
		char *argv[] = { "x", "--inherited", NULL };
		timer_t timer;
		sigset_t set;

		setenv("PROG_PARENT", parent, 1);
		setenv("PROG_X", "a=b", 1);
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		sigprocmask(SIG_SETMASK, &set, NULL);
		raise(SIGUSR1);
		signal(SIGTERM, SIG_IGN);
		signal(SIGCHLD, SIG_IGN);
		sigaction(SIGHUP, &sa, NULL);
		sigaltstack(&ss, NULL);
		setitimer(ITIMER_REAL, &it, NULL);
		timer_create(CLOCK_MONOTONIC, NULL, &timer);
		MUST(dup2(1, 50));
		MUST(dup3(1, 51, O_CLOEXEC));
		prctl(PR_SET_NAME, "longer than sixteen bytes");
		prctl(PR_SET_PDEATHSIG, SIGUSR2);
		prctl(PR_SET_KEEPCAPS, 1);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		umask(027);
		setrlimit(RLIMIT_NOFILE, &rl);
		MUST(symlink(own_path(), "renamed"));
		execv("./renamed", argv);
		_exit(errno);
	});
	say_status("end", st);
}

static const struct section sections[] = {
	{ "errors", errors },           { "bad_elf", bad_elf }, { "busy", busy },
	{ "scripts", scripts },         { "too_big", too_big }, { "no_args", no_args },
	{ "at_variants", at_variants }, { "inherit", inherit },
};

int main(int argc, char **argv)
{
	if (getenv("PROG_ARGS") != NULL)
		return print_args(argc, argv);
	if (argc == 2 && strcmp(argv[1], "--inherited") == 0)
		return print_inherited();
	if (argc == 4 && strcmp(argv[1], "--wait") == 0) {
		char c;

		if (write(atoi(argv[3]), "x", 1) != 1)
			return 1;
		return read(atoi(argv[2]), &c, 1) == 1 ? 5 : 1;
	}
	return run_sections(argc, argv, sections, COUNT(sections));
}
