/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * elves SEED COUNT PROGRAM...: COUNT damaged copies of the programs are run, one at a time, as an
 * ordinary user with limits. The same seed makes the same files. Each must fail to start or end by
 * itself, or be killed after a while; then the system is in order and the memory is back.
 */
#include "test/linux/attack/hostile.h"
#include <elf.h>

#define FILE_MAX_BYTES (4u << 20)
#define RUN_MS         400

struct program {
	uint8_t *bytes;
	size_t size;
};

static unsigned started, refused, ended_by_signal, ended_by_us;

static struct program load(const char *path)
{
	struct program p = { malloc(FILE_MAX_BYTES), 0 };
	int fd = MUST(open(path, O_RDONLY));
	ssize_t n;

	while ((n = read(fd, p.bytes + p.size, FILE_MAX_BYTES - p.size)) > 0)
		p.size += (size_t)n;
	close(fd);
	if (p.size < sizeof(Elf64_Ehdr) || p.size == FILE_MAX_BYTES) {
		say("%s: not of a proper size", path);
		_exit(1);
	}
	return p;
}

/* A field gets a strange number, or one close to what it was. */
static void damage(uint8_t *field, size_t size)
{
	uint64_t v = 0;

	memcpy(&v, field, size);
	switch (rnd() % 6) {
	case 0: v = strange[rnd() % COUNT(strange)]; break;
	case 1: v ^= 1ull << (rnd() % (8 * size)); break;
	case 2: v += rnd() % 17 - 8; break;
	case 3: v = rnd() >> (rnd() % 64); break;
	case 4: v = -v; break;
	default: v += (rnd() % 65 - 32) * 0x1000; break;
	}
	memcpy(field, &v, size);
}

static void damage_header(uint8_t *file)
{
	static const struct {
		uint8_t at, size;
	} fields[] = { { 0, 1 },  { 4, 1 },  { 5, 1 },  { 6, 1 },  { 7, 1 },
		       { 16, 2 }, { 18, 2 }, { 20, 4 }, { 24, 8 }, { 32, 8 },
		       { 40, 8 }, { 48, 4 }, { 52, 2 }, { 54, 2 }, { 56, 2 } };
	size_t i = rnd() % COUNT(fields);

	damage(file + fields[i].at, fields[i].size);
}

/* One field of one program header, or a header over another. */
static void damage_segment(uint8_t *file, size_t size)
{
	static const uint8_t at[] = { 0, 4, 8, 16, 24, 32, 40, 48 };
	Elf64_Ehdr h;
	size_t where, i;

	memcpy(&h, file, sizeof(h));
	if (h.e_phnum == 0 || h.e_phoff > size || size - h.e_phoff < h.e_phnum * sizeof(Elf64_Phdr))
		return;
	where = h.e_phoff + rnd() % h.e_phnum * sizeof(Elf64_Phdr);
	if (rnd() % 8 == 0) {
		memmove(file + where, file + h.e_phoff + rnd() % h.e_phnum * sizeof(Elf64_Phdr),
			sizeof(Elf64_Phdr));
		return;
	}
	i = rnd() % COUNT(at);
	damage(file + where + at[i], i < 2 ? 4 : 8);
}

static void damage_file(uint8_t *file, size_t *size)
{
	unsigned times = 1 + rnd() % 4;

	for (unsigned i = 0; i < times; i++) {
		switch (rnd() % 8) {
		case 0: damage_header(file); break;
		case 1: *size = rnd() % 3 == 0 ? rnd() % 600 : rnd() % *size; break;
		case 2: /* anywhere: code, relocations, the interpreter's name */
			for (int k = 0; k < 16; k++)
				file[rnd() % (*size + 1)] ^= (uint8_t)(1u << (rnd() % 8));
			break;
		case 3:
			for (int k = 0; k < 4; k++)
				damage(file + rnd() % 4096, 8);
			break;
		default: damage_segment(file, *size); break;
		}
		if (*size < sizeof(Elf64_Ehdr) + 1)
			return;
	}
}

static void limit(int what, rlim_t value)
{
	struct rlimit rl = { value, value };

	MUST(setrlimit(what, &rl));
}

static void become(const char *path)
{
	char *argv[] = { (char *)path, NULL }, *envp[] = { NULL };
	int null = open("/dev/null", O_RDWR);

	setpgid(0, 0);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	limit(RLIMIT_AS, 64 << 20);
	limit(RLIMIT_FSIZE, 1 << 20);
	limit(RLIMIT_NPROC, 20);
	limit(RLIMIT_NOFILE, 32);
	MUST(setresuid(5000, 5000, 5000));
	execve(path, argv, envp);
	_exit(255);
}

static void run_one(const struct program *from, const char *path)
{
	uint8_t *file = malloc(from->size + 4096);
	size_t size = from->size;
	int st = 0, fd;
	pid_t pid;

	memcpy(file, from->bytes, size);
	memset(file + size, 0, 4096);
	damage_file(file, &size);
	fd = MUST(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755));
	EXPECT(write(fd, file, size) == (ssize_t)size, "write: %s", error_name(errno));
	close(fd);
	free(file);
	pid = fork();
	if (pid == 0)
		become(path);
	MUST(pid);
	setpgid(pid, pid);
	if (!wait_or_kill(pid, RUN_MS, &st))
		ended_by_us++;
	else if (WIFSIGNALED(st))
		ended_by_signal++;
	else if (WEXITSTATUS(st) == 255)
		refused++;
	else
		started++;
	kill(-pid, SIGKILL);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	unlink(path);
}

int main(int argc, char **argv)
{
	unsigned count, nprograms = (unsigned)argc - 3;
	struct program programs[8];
	long before = 0, after;

	section_name = "elves";
	if (argc < 4 || nprograms > COUNT(programs))
		return 2;
	count = (unsigned)atoi(argv[2]);
	for (unsigned i = 0; i < nprograms; i++)
		programs[i] = load(argv[3 + i]);
	MUST(chdir("/tmp"));
	for (unsigned i = 0; i < count; i++) {
		/* The first ones fill what the kernel keeps: slabs, page tables, the log. */
		if (i == count / 8)
			before = free_kib();
		seed = (strtoull(argv[1], NULL, 0) + 1) * 0x9e3779b97f4a7c15ull ^
		       (i + 1) * 0xbf58476d1ce4e5b9ull;
		run_one(&programs[i % nprograms], i % 3 == 0 ? "/tmp/elf" : "/tmp/e");
	}
	after = free_kib();
	EXPECT(after > before - 1024, "%ld KiB free, %ld before", after, before);
	expect_alive("damaged programs");
	EXPECT(refused > count / 20 && started + ended_by_signal > count / 20,
	       "the damage is not of all kinds");
	say("%u run to an end, %u refused, %u ended by a signal, %u by us%s", started, refused,
	    ended_by_signal, ended_by_us, wrong ? "" : ": ok");
	return wrong != 0;
}
