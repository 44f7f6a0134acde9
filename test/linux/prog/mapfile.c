/* SPDX-License-Identifier: BSD-2-Clause */
/* Files in memory: coherence with read and write, truncation, sharing between processes, memfd. */
#include "test/linux/prog/check.h"
#include <linux/memfd.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

#define PAGE 4096
#define RW   (PROT_READ | PROT_WRITE)

static sigjmp_buf back;

static void on_fault(int sig)
{
	siglongjmp(back, sig);
}

static int touch(const volatile char *p)
{
	int sig = sigsetjmp(back, 1);

	if (sig == 0)
		(void)*p;
	return sig;
}

static char *map(int fd, size_t pages, int prot, int flags)
{
	char *p = mmap(NULL, pages * PAGE, prot, flags, fd, 0);

	MUST(p == MAP_FAILED ? -1 : 0);
	return p;
}

static int new_file(const char *name, off_t size)
{
	int fd = (int)MUST(open(name, O_RDWR | O_CREAT | O_TRUNC, 0644));

	MUST(ftruncate(fd, size));
	return fd;
}

static char byte_at(int fd, off_t at)
{
	char c = '?';

	return pread(fd, &c, 1, at) == 1 ? c : '?';
}

static void coherent(void)
{
	int fd = new_file("file", 4 * PAGE), fd2;
	char *s = map(fd, 4, RW, MAP_SHARED), *s2 = map(fd, 4, PROT_READ, MAP_SHARED);
	char *p = map(fd, 4, RW, MAP_PRIVATE);

	s[10] = 'm';
	say("memory to read: %c", byte_at(fd, 10));
	MUST(pwrite(fd, "w", 1, PAGE + 3));
	say("write to memory: %c", s[PAGE + 3]);
	say("the other view: %c %c", s2[10], s2[PAGE + 3]);
	say("private, untouched: %c", p[10]);
	p[10] = 'p';
	say("private, written: %c, shared %c, file %c", p[10], s[10], byte_at(fd, 10));
	s[11] = 'n';
	say("private page is its own now: %d", p[11]);
	MUST(pwrite(fd, "x", 1, PAGE + 4));
	say("private page never written follows: %c", p[PAGE + 4]);
	fd2 = MUST(open("file", O_RDWR));
	MUST(pwrite(fd2, "o", 1, 2 * PAGE));
	say("through another open: %c", s[2 * PAGE]);
	close(fd);
	s[20] = 'c';
	say("after close: %c", byte_at(fd2, 20));
	MUST(unlink("file"));
	s[21] = 'u';
	say("after unlink: %c", byte_at(fd2, 21));
	close(fd2);
	s[22] = 'l';
	say("after the last close: %c", s2[22]);
	RET("msync", msync(s, 4 * PAGE, MS_SYNC));
	RET("munmap", munmap(s, 4 * PAGE));
	say("the other view stays: %c", s2[22]);
}

static void truncation(void)
{
	int fd = new_file("file", 3 * PAGE);
	char *s = map(fd, 4, RW, MAP_SHARED), buf[8] = "";

	signal(SIGBUS, on_fault);
	memset(s, 'a', 3 * PAGE);
	MUST(ftruncate(fd, PAGE + 100));
	say("page cut: %c, %d, behind: signal %d", s[PAGE + 99], s[PAGE + 100],
	    touch(s + 2 * PAGE));
	MUST(ftruncate(fd, 3 * PAGE));
	say("grown again: %c, %d, %d", s[PAGE + 99], s[PAGE + 100], s[2 * PAGE]);
	MUST(ftruncate(fd, 0));
	VAL("empty file", touch(s));
	MUST(pwrite(fd, "hello", 5, 0));
	say("written: %.5s", s);
	s[5] = '!';
	RET("size is not changed by memory", lseek(fd, 0, SEEK_END));
	MUST(ftruncate(fd, 6));
	MUST(pread(fd, buf, 6, 0));
	YES("byte behind the end", buf[5] == 0 || buf[5] == '!');
	say_status("SIGBUS for the kernel, too", CHILD({
			   MUST(ftruncate(fd, 0));
			   RET("write from it", write(fd, s + PAGE, 10));
			   RET("read into it", read(open("/dev/zero", O_RDONLY), s + PAGE, 10));
		   }));
}

static void sharing(void)
{
	int fd = new_file("file", 2 * PAGE);
	char *s = map(fd, 2, RW, MAP_SHARED), *p = map(fd, 2, RW, MAP_PRIVATE);

	s[0] = 'a';
	p[PAGE] = 'b';
	say_status("child", CHILD({
			   int own = MUST(open("file", O_RDWR));
			   char *t = map(own, 2, RW, MAP_SHARED);

			   say("child sees %c %c", t[0], p[PAGE]);
			   t[1] = 'c';
			   p[PAGE] = 'd';
			   s[2] = 'e';
		   }));
	say("parent sees %c %c %c", s[1], p[PAGE], s[2]);
	/* Several processes add to one counter. */
	volatile long *n = (void *)(s + PAGE);
	pid_t pids[4];
	for (int i = 0; i < 4; i++)
		pids[i] = START({
			for (int k = 0; k < 1000; k++)
				__atomic_fetch_add(n, 1, __ATOMIC_SEQ_CST);
		});
	for (int i = 0; i < 4; i++)
		wait_for(pids[i]);
	VAL("counter of four processes", *n);
	say("in the file: %ld", ({
		    long v = 0;
		    MUST(pread(fd, &v, sizeof(v), PAGE));
		    v;
	    }));
}

/* The program's own file: read-only data, and private changes to it. */
static const char constant[] = "constant of the program";
static char initialised[] = "initialised data";

static void image(void)
{
	say("%s, %s", constant, initialised);
	say_status("write to constant data", CHILD(*(volatile char *)constant = 'x'));
	say_status("change of data", CHILD({
			   initialised[0] = 'X';
			   say("%s", initialised);
		   }));
	say("%s", initialised);
	int fd = MUST(open("/proc/self/exe", O_RDONLY));
	char *p = map(fd, 1, PROT_READ, MAP_PRIVATE), *w;
	YES("ELF header", memcmp(p, "\177ELF", 4) == 0);
	w = map(fd, 1, RW, MAP_PRIVATE);
	w[0] = 'Z';
	say("private copy %c, file %d", w[0], p[0]);
	RET("mprotect to shared write is not needed for private", mprotect(p, PAGE, RW));
	p[1] = 'e';
	VAL("own change", p[1]);
}

static void memfds(void)
{
	int fd = (int)MUST(memfd_create("name", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	char path[64], link[128];
	char *s;
	struct stat st;

	RET("ftruncate", ftruncate(fd, PAGE));
	s = map(fd, 1, RW, MAP_SHARED);
	strcpy(s, "in memory");
	MUST(pread(fd, link, 10, 0));
	STR("content", link);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	memset(link, 0, sizeof(link));
	RES("readlink", readlink(path, link, sizeof(link) - 1));
	STR("link", link);
	RES("reopened", open(path, O_RDONLY));
	fstat(fd, &st);
	VAL("links", st.st_nlink);
	say("mode %o", st.st_mode);
	HEX("seals", fcntl(fd, F_GET_SEALS));
	RET("seal writing while mapped", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	munmap(s, PAGE);
	RET("seal shrinking", fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	RET("shrink", ftruncate(fd, 100));
	RET("grow", ftruncate(fd, 2 * PAGE));
	RET("seal writing", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW));
	RET("write", write(fd, "x", 1));
	RET("grow", ftruncate(fd, 3 * PAGE));
	RET("map to write", mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
	RET("seal sealing", fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	RET("seal after that", fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	fd = (int)MUST(memfd_create("no seals", 0));
	HEX("seals by default", fcntl(fd, F_GET_SEALS));
	RET("seal", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	RET("unknown flag", memfd_create("x", 0x4000));
	char longer[300];
	memset(longer, 'n', 250);
	longer[250] = 0;
	RET("name of 250", memfd_create(longer, 0));
}

/* Large mappings against large reads: every byte, in an order that is not sequential. */
static void large(void)
{
	size_t size = 4 << 20;
	int fd = new_file("file", (off_t)size);
	char *s = map(fd, size / PAGE, RW, MAP_SHARED), *buf = malloc(size);
	unsigned long bad = 0, sum = 0;

	for (size_t i = 0; i < size / 64; i++)
		*(uint32_t *)(s + (i * 7919 % (size / 64)) * 64) = (uint32_t)(i * 2654435761u);
	MUST(lseek(fd, 0, SEEK_SET));
	VAL("read", read(fd, buf, size));
	bad = memcmp(buf, s, size) != 0;
	VAL("differs", bad);
	for (size_t i = 0; i < size; i += 64)
		sum += *(uint32_t *)(buf + i);
	HEX("sum", sum);
	char *p = map(fd, size / PAGE, RW, MAP_PRIVATE);
	for (size_t i = 0; i < size; i += 3 * PAGE)
		p[i] ^= 1;
	VAL("differs by pages", ({
		    int n = 0;
		    for (size_t i = 0; i < size; i += PAGE)
			    n += memcmp(p + i, buf + i, PAGE) != 0;
		    n;
	    }));
	MUST(lseek(fd, 0, SEEK_SET));
	MUST(read(fd, buf, size));
	VAL("file differs", memcmp(buf, s, size) != 0);
	int out = new_file("copy", 0);
	off_t from = 0;
	VAL("sendfile", sendfile(out, fd, &from, size));
	char *c = map(out, size / PAGE, PROT_READ, MAP_SHARED);
	VAL("copy differs", memcmp(c, s, size) != 0);
	VAL("write of a mapping into its own file", pwrite(fd, s + PAGE, PAGE, 0));
	VAL("differs", memcmp(s, s + PAGE, PAGE) != 0);
}

static const struct section sections[] = {
	{ "coherent", coherent }, { "truncation", truncation }, { "sharing", sharing },
	{ "image", image },       { "memfds", memfds },         { "large", large },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
