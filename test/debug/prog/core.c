/* SPDX-License-Identifier: BSD-2-Clause */
/* Core files: when there is one, its name, and what its notes and segments say. */
#include "test/linux/prog/check.h"
#include <elf.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/procfs.h>
#include <sys/resource.h>

static void allow(rlim_t n)
{
	struct rlimit r = { n, RLIM_INFINITY };

	MUST(setrlimit(RLIMIT_CORE, &r));
}

static int dump(const char *name, int st)
{
	say("%s: %s%s", name, signal_name(WTERMSIG(st)), WCOREDUMP(st) ? ", core dumped" : "");
	return st;
}

static bool there(const char *name)
{
	struct stat sb;

	if (stat(name, &sb) == -1)
		return false;
	say("%s: mode %o%s", name, sb.st_mode, sb.st_size > 4096 ? "" : ", empty");
	return true;
}

static void when(void)
{
	dump("without limit set", CHILD(raise(SIGABRT)));
	YES("no file", !there("core"));
	allow(RLIM_INFINITY);
	dump("SIGTERM", CHILD(raise(SIGTERM)));
	YES("no file", !there("core"));
	dump("SIGABRT", CHILD(raise(SIGABRT)));
	there("core");
	/* An older one is replaced. */
	dump("SIGSEGV", CHILD(*(volatile int *)8 = 1));
	there("core");
	unlink("core");
	dump("SIGQUIT of another", ({
		     pid_t pid = START(for (;;) pause());
		     kill(pid, SIGQUIT);
		     wait_for(pid);
	     }));
	there("core");
	unlink("core");
	dump("not dumpable", CHILD(prctl(PR_SET_DUMPABLE, 0); raise(SIGABRT)));
	YES("no file", !there("core"));
	dump("small limit", CHILD(allow(1000); raise(SIGABRT)));
	YES("no file", !there("core"));
	dump("cut off", CHILD(allow(16384); raise(SIGABRT)));
	there("core");
	MUST(mkdir("core.d", 0555));
	dump("in a folder without rights", CHILD({
		     MUST(chdir("core.d"));
		     MUST(setresuid(5000, 5000, 5000));
		     prctl(PR_SET_DUMPABLE, 1);
		     raise(SIGABRT);
	     }));
	unlink("core");
	/* Not through a link. */
	MUST(symlink("elsewhere", "core"));
	dump("a link in the way", CHILD(raise(SIGABRT)));
	YES("nothing elsewhere", !there("elsewhere"));
	there("core");
	/* By a waitid, too. */
	{
		pid_t pid = START(raise(SIGABRT));
		siginfo_t si;

		memset(&si, 0, sizeof(si));
		MUST(waitid(P_PID, (id_t)pid, &si, WEXITED));
		say("waitid: code %d status %d", si.si_code, si.si_status);
	}
}

/* ---- inside ---- */

extern char __executable_start[];

static char *image;
static size_t image_len;

static void load_core(void)
{
	int fd = (int)MUST(open("core", O_RDONLY));
	struct stat sb;

	MUST(fstat(fd, &sb));
	image_len = (size_t)sb.st_size;
	image = mmap(NULL, image_len, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
}

static Elf64_Phdr *headers(void)
{
	return (Elf64_Phdr *)(image + ((Elf64_Ehdr *)image)->e_phoff);
}

static Elf64_Phdr *segment_of(const void *addr)
{
	for (int i = 0; i < ((Elf64_Ehdr *)image)->e_phnum; i++) {
		Elf64_Phdr *p = headers() + i;

		if (p->p_type == PT_LOAD && p->p_vaddr <= (uint64_t)addr &&
		    (uint64_t)addr < p->p_vaddr + p->p_memsz)
			return p;
	}
	return NULL;
}

/* The bytes at an address, NULL when they were left out. */
static const char *at(const void *addr)
{
	Elf64_Phdr *p = segment_of(addr);
	uint64_t off;

	if (p == NULL)
		return NULL;
	off = (uint64_t)addr - p->p_vaddr;
	return off < p->p_filesz && p->p_offset + off < image_len ? image + p->p_offset + off
								  : NULL;
}

static Elf64_Nhdr *next_note(Elf64_Nhdr *n)
{
	return (Elf64_Nhdr *)((char *)(n + 1) + ((n->n_namesz + 3) & ~3u) +
			      ((n->n_descsz + 3) & ~3u));
}

static void *content(Elf64_Nhdr *n)
{
	return (char *)(n + 1) + ((n->n_namesz + 3) & ~3u);
}

static volatile int go;
static pid_t main_tid;

static void *other(void *arg)
{
	go = 1;
	for (;;)
		pause();
	return arg;
}

static char data_page[4096] = "initialised";
static char *anon, *hidden, *secret, *shared, *file_map, *constant;

static void prepare(void)
{
	int fd = (int)MUST(open("mapped", O_RDWR | O_CREAT, 0644));

	MUST(ftruncate(fd, 8192));
	MUST(pwrite(fd, "in the file", 12, 0));
	anon = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	strcpy(anon, "anonymous");
	strcpy(anon + 12288, "fourth page");
	hidden = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	strcpy(hidden, "hidden");
	mprotect(hidden, 4096, PROT_NONE);
	secret = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	strcpy(secret, "secret");
	MUST(madvise(secret, 4096, MADV_DONTDUMP));
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	strcpy(shared, "shared");
	file_map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	constant = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
}

static void show(const char *name, const void *addr)
{
	const char *p = at(addr);

	say("%s: %s", name, p == NULL ? "left out" : p[0] == 0 ? "(zero)" : p);
}

static void contents(void)
{
	unsigned notes = 0;
	Elf64_Nhdr *n;
	int st;

	allow(RLIM_INFINITY);
	prepare();
	strcpy(data_page, "changed");
	st = CHILD({
		pthread_t t;

		main_tid = getpid();
		pthread_create(&t, NULL, other, NULL);
		while (!go)
			sched_yield();
		prctl(PR_SET_NAME, "a name");
		*(volatile int *)0x1234 = 1;
	});
	dump("child", st);
	load_core();
	{
		Elf64_Ehdr *h = (void *)image;

		say("ELF type %d machine %d class %d", h->e_type, h->e_machine, h->e_ident[4]);
		say("first segment %d", headers()->p_type);
	}
	n = (Elf64_Nhdr *)(image + headers()->p_offset);
	for (; (char *)n < image + headers()->p_offset + headers()->p_filesz; n = next_note(n)) {
		if (n->n_type == 0x205) /* NT_X86_XSAVE_LAYOUT, of newer kernels */
			continue;
		say("note %s type %#x", (char *)(n + 1), n->n_type);
		if (n->n_type == NT_PRSTATUS) {
			struct elf_prstatus *s = content(n);

			say("  size %u signal %d", n->n_descsz, s->pr_cursig);
			YES("  address", notes > 0 || s->pr_reg[16] != 0);
		} else if (n->n_type == NT_PRPSINFO) {
			struct elf_prpsinfo *p = content(n);

			say("  size %u name %s", n->n_descsz, p->pr_fname);
		} else if (n->n_type == NT_SIGINFO) {
			siginfo_t *si = content(n);

			say("  signo %d code %d address %p", si->si_signo, si->si_code,
			    si->si_addr);
		} else if (n->n_type == NT_FPREGSET) {
			VAL("  size", n->n_descsz);
		} else if (n->n_type == NT_FILE) {
			long *f = content(n);

			YES("  files", f[0] > 0 && f[1] == 4096);
		}
		if (++notes > 40)
			break;
	}
	show("written data", data_page);
	show("private file", constant);
	show("anonymous", anon);
	show("never written page", anon + 4096);
	show("fourth page", anon + 12288);
	show("without rights", hidden);
	show("not to be dumped", secret);
	show("shared", shared);
	show("shared file", file_map);
	YES("headers of the program", at(__executable_start) != NULL);
}

static void filter(const char *value)
{
	int st = CHILD({
		int fd = (int)MUST(open("/proc/self/coredump_filter", O_WRONLY));

		MUST(write(fd, value, strlen(value)));
		raise(SIGABRT);
	});

	say("filter %s", value);
	dump("child", st);
	load_core();
	show("anonymous", anon);
	show("shared", shared);
	show("shared file", file_map);
	show("private file", constant);
	munmap(image, image_len);
}

static void filters(void)
{
	char text[32] = "";
	int fd = (int)MUST(open("/proc/self/coredump_filter", O_RDWR));

	MUST(read(fd, text, 31));
	text[strcspn(text, "\n")] = 0;
	STR("filter", text);
	RET("no number", write(fd, "x", 1));
	close(fd);
	allow(RLIM_INFINITY);
	prepare();
	filter("0");
	filter("0x1");
	filter("2");
	filter("8");
	filter("0x7f");
}

int main(int argc, char **argv)
{
	static const struct section list[] = { { "when", when },
					       { "contents", contents },
					       { "filters", filters } };

	return run_sections(argc, argv, list, COUNT(list));
}
