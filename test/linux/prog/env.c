/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a new program finds: arguments, environment, auxiliary vector, stack, thread-local memory,
 * relocations, vDSO.
 * Built in all four ways (env_static.c and so on). */
#include "test/linux/prog/check.h"
#include <elf.h>
#include <fenv.h>
#include <link.h>
#include <math.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>

static char **first_argv;
static int first_argc;
static _Thread_local int thread_value = 4711;
static _Thread_local char thread_zero[100];
static int (*const relocated)(const char *, ...) = printf;
static int constructed;
extern const char __ehdr_start;

__attribute__((constructor)) static void construct(void)
{
	constructed = 12;
}

static void stack(void)
{
	/* argc, argv, NULL, envp, NULL, auxv lie one after the other; argc on a multiple of 16. */
	uintptr_t *p = (uintptr_t *)first_argv;
	int envs = 0;

	VAL("argc", p[-1]);
	YES("argc is aligned", ((uintptr_t)(p - 1) & 15) == 0);
	YES("argv ends with NULL", p[first_argc] == 0);
	YES("envp follows", (char **)&p[first_argc + 1] == environ);
	while (environ[envs] != NULL)
		envs++;
	Elf64_auxv_t *a = (void *)&environ[envs + 1];
	YES("auxv follows", a[0].a_type != 0);
	bool in_order = true;
	for (int i = 0; i + 1 < first_argc; i++)
		in_order &= first_argv[i] + strlen(first_argv[i]) + 1 == first_argv[i + 1];
	for (int i = 0; i + 1 < envs; i++)
		in_order &= environ[i] + strlen(environ[i]) + 1 == environ[i + 1];
	if (first_argc > 0 && envs > 0)
		in_order &= first_argv[first_argc - 1] + strlen(first_argv[first_argc - 1]) + 1 ==
			    environ[0];
	YES("strings lie one after the other", in_order);
	YES("and end below the stack's top",
	    (uintptr_t)environ[0] > (uintptr_t)p && (uintptr_t)environ[0] < 0x800000000000);
	uintptr_t sp = (uintptr_t)__builtin_frame_address(0);
	YES("all of it is on the stack", (uintptr_t)p > sp && (uintptr_t)p - sp < 1 << 20);
}

static void vector(void)
{
	static const struct {
		unsigned long type;
		const char *name;
	} plain[] = { { AT_PAGESZ, "PAGESZ" },
		      { AT_CLKTCK, "CLKTCK" },
		      { AT_PHENT, "PHENT" },
		      { AT_FLAGS, "FLAGS" },
		      { AT_SECURE, "SECURE" } };
	const Elf64_Phdr *ph = (void *)getauxval(AT_PHDR);
	const unsigned char *random = (void *)getauxval(AT_RANDOM);
	unsigned long entry = getauxval(AT_ENTRY), base = getauxval(AT_BASE),
		      vdso = getauxval(AT_SYSINFO_EHDR);
	bool found = false, interp = false;
	int n = (int)getauxval(AT_PHNUM);

	for (size_t i = 0; i < COUNT(plain); i++)
		VAL(plain[i].name, getauxval(plain[i].type));
	YES("UID", getauxval(AT_UID) == getuid() && getauxval(AT_EUID) == geteuid());
	YES("GID", getauxval(AT_GID) == getgid() && getauxval(AT_EGID) == getegid());
	STR("PLATFORM", (const char *)getauxval(AT_PLATFORM));
	YES("EXECFN", strcmp((const char *)getauxval(AT_EXECFN), first_argv[0]) == 0);
	YES("HWCAP is CPUID's", getauxval(AT_HWCAP) != 0);
	YES("MINSIGSTKSZ", getauxval(AT_MINSIGSTKSZ) >= 512 && getauxval(AT_MINSIGSTKSZ) < 65536);
	YES("RANDOM", random != NULL);
	YES("PHNUM", n > 2 && n < 30);
	uintptr_t bias = (uintptr_t)&__ehdr_start;
	for (int i = 0; i < n; i++) {
		if (ph[i].p_type == PT_PHDR)
			bias = (uintptr_t)ph - ph[i].p_vaddr;
		interp |= ph[i].p_type == PT_INTERP;
	}
	if (((const Elf64_Ehdr *)&__ehdr_start)->e_type == ET_EXEC)
		bias = 0;
	YES("PHDR is behind the ELF header",
	    (const char *)ph == &__ehdr_start + ((const Elf64_Ehdr *)&__ehdr_start)->e_phoff);
	for (int i = 0; i < n; i++)
		found |= ph[i].p_type == PT_LOAD && (ph[i].p_flags & PF_X) &&
			 entry >= ph[i].p_vaddr + bias &&
			 entry < ph[i].p_vaddr + bias + ph[i].p_memsz;
	YES("ENTRY lies in code", found);
	YES("BASE tells the loader, if there is one", (base != 0) == interp);
	if (base != 0)
		YES("an ELF file is there", memcmp((void *)base, "\177ELF", 4) == 0);
	YES("vDSO", vdso != 0 && memcmp((void *)vdso, "\177ELF", 4) == 0);
	YES("position", ((const Elf64_Ehdr *)&__ehdr_start)->e_type == ET_EXEC
				? bias == 0
				: bias > 0x500000000000);
	RET("AT_NULL", getauxval(12345));
}

/* The vDSO has its symbols where a program looks for them. */
static void vdso(void)
{
	const char *base = (void *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *eh = (const void *)base;
	const Elf64_Phdr *ph = (const void *)(base + eh->e_phoff);
	const Elf64_Dyn *dyn = NULL;
	const Elf64_Sym *sym = NULL;
	const char *str = NULL;
	const uint32_t *hash = NULL;
	uintptr_t bias = 0;
	int found = 0;

	for (int i = 0; i < eh->e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD)
			bias = (uintptr_t)base + ph[i].p_offset - ph[i].p_vaddr;
		if (ph[i].p_type == PT_DYNAMIC)
			dyn = (const void *)(base + ph[i].p_offset);
	}
	for (; dyn != NULL && dyn->d_tag != DT_NULL; dyn++) {
		if (dyn->d_tag == DT_SYMTAB)
			sym = (const void *)(bias + dyn->d_un.d_ptr);
		if (dyn->d_tag == DT_STRTAB)
			str = (const void *)(bias + dyn->d_un.d_ptr);
		if (dyn->d_tag == DT_HASH)
			hash = (const void *)(bias + dyn->d_un.d_ptr);
	}
	YES("type", eh->e_type == ET_DYN && eh->e_machine == EM_X86_64);
	if (sym == NULL || str == NULL)
		return;
	static const char *const names[] = { "__vdso_clock_gettime", "__vdso_gettimeofday",
					     "__vdso_time", "__vdso_getcpu",
					     "__vdso_clock_getres" };
	for (size_t k = 0; k < COUNT(names); k++)
		for (uint32_t i = 0; i < (hash != NULL ? hash[1] : 12); i++)
			if (strcmp(str + sym[i].st_name, names[k]) == 0) {
				found++;
				break;
			}
	VAL("functions", found);
	say_status("it cannot be written", CHILD(*(volatile char *)base = 1));
}

static void program(void)
{
	static int zero[10000];
	int sum = 0;
	unsigned csr;
	unsigned short cw;

	VAL("constructor", constructed);
	VAL("thread-local", thread_value + thread_zero[99]);
	for (int i = 0; i < 10000; i++)
		sum |= zero[i];
	VAL("bss", sum);
	YES("relocated pointer", relocated == printf);
	__asm__("stmxcsr %0; fnstcw %1" : "=m"(csr), "=m"(cw));
	HEX("MXCSR", csr);
	HEX("x87 control word", cw);
	unsigned long flags;
	__asm__("pushf; pop %0" : "=r"(flags));
	HEX("direction and alignment flags", flags & 0x40400);
	unsigned short ds, es, fs, gs;
	__asm__("mov %%ds, %0; mov %%es, %1; mov %%fs, %2; mov %%gs, %3"
		: "=r"(ds), "=r"(es), "=r"(fs), "=r"(gs));
	say("segments %d %d %d %d", ds, es, fs, gs);
	unsigned short cs, ss;
	__asm__("mov %%cs, %0; mov %%ss, %1" : "=r"(cs), "=r"(ss));
	say("rings %d %d", cs & 3, ss & 3);
	volatile double two = 2;
	say("sqrt %.17g", sqrt(two));
	volatile long double ten = 10;
	say("long double %.18Lg", 1 / ten);
}

/* Two runs get different random bytes, and different addresses. */
static void print_random(void)
{
	char line[128];
	const unsigned char *r = (void *)getauxval(AT_RANDOM);
	int here;
	int n = snprintf(line, sizeof(line), "%02x%02x%02x%02x%02x%02x%02x%02x %p %p", r[0], r[1],
			 r[2], r[3], r[4], r[5], r[6], r[7], (void *)&here,
			 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	if (write(1, line, (size_t)n) != n)
		exit(1);
}

static void random_run(char *out, size_t size)
{
	int fd[2];

	memset(out, 0, size);
	MUST(pipe(fd));
	CHILD({
		char *argv[] = { first_argv[0], "--random", NULL };

		MUST(dup2(fd[1], 1));
		execv(own_path(), argv);
		_exit(1);
	});
	MUST(read(fd[0], out, size - 1));
}

static void randomness(void)
{
	char a[128], b[128];

	random_run(a, sizeof(a));
	random_run(b, sizeof(b));
	YES("AT_RANDOM differs", memcmp(a, b, 16) != 0);
	YES("addresses differ", strcmp(a + 16, b + 16) != 0);
}

static const struct section sections[] = { { "stack", stack },
					   { "vector", vector },
					   { "vdso", vdso },
					   { "program", program },
					   { "randomness", randomness } };

int main(int argc, char **argv)
{
	first_argv = argv;
	first_argc = argc;
	if (argc == 2 && strcmp(argv[1], "--random") == 0) {
		print_random();
		return 0;
	}
	return run_sections(argc, argv, sections, COUNT(sections));
}
