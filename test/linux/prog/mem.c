/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory of a process: mmap and its relatives, brk, fork, stack, limits. */
#include "test/linux/prog/check.h"
#include <linux/mman.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define PAGE 4096
#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static sigjmp_buf back;

static void on_fault(int sig)
{
	siglongjmp(back, sig);
}

/* 0 if the byte can be read, else the signal. */
static int can_read(const volatile char *p)
{
	int sig = sigsetjmp(back, 1);

	if (sig == 0)
		(void)*p;
	return sig;
}

static int can_write(volatile char *p)
{
	int sig = sigsetjmp(back, 1);

	if (sig == 0)
		*p = *p;
	return sig;
}

static void catch_faults(void)
{
	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
}

static char *get(size_t pages, int prot)
{
	char *p = mmap(NULL, pages * PAGE, prot, ANON, -1, 0);

	MUST(p == MAP_FAILED ? -1 : 0);
	return p;
}

/* What a page may do: - none, r, w, or ! for a hole, as seen in /proc/self/maps. */
static void say_maps(const char *name, char *base, size_t pages)
{
	char text[64], line[512];
	FILE *f = fopen("/proc/self/maps", "r");

	memset(text, '!', pages);
	text[pages] = 0;
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		unsigned long from, to;
		char r[5];

		if (sscanf(line, "%lx-%lx %4s", &from, &to, r) != 3)
			continue;
		for (size_t i = 0; i < pages; i++)
			if ((unsigned long)base + i * PAGE >= from &&
			    (unsigned long)base + i * PAGE < to)
				text[i] = r[1] == 'w' ? 'w' : r[0] == 'r' ? 'r' : '-';
	}
	if (f != NULL)
		fclose(f);
	say("%s: %s", name, text);
}

/* Success only, as addresses differ. */
#define MAP(name, ...)                                          \
	({                                                      \
		errno = 0;                                      \
		char *map_ = mmap(__VA_ARGS__);                 \
		say_success(name, map_ == MAP_FAILED ? -1 : 0); \
		map_;                                           \
	})

static void errors(void)
{
	char *p = get(4, RW);
	int fd = MUST(open("file", O_RDONLY | O_CREAT, 0644)), wr = MUST(open("file", O_WRONLY));
	char *q = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

	RET("mprotect of a read-only file to writable", mprotect(q, PAGE, RW));

	MAP("length 0", NULL, 0, RW, ANON, -1, 0);
	MAP("no type", NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0);
	MAP("both types", NULL, PAGE, RW, MAP_ANONYMOUS | MAP_SHARED | MAP_PRIVATE, -1, 0);
	MAP("huge length", NULL, 1ul << 47, RW, ANON, -1, 0);
	MAP("all of it", NULL, ~0ul, RW, ANON, -1, 0);
	MAP("bad descriptor", NULL, PAGE, RW, MAP_PRIVATE, 777, 0);
	MAP("misaligned offset", NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 100);
	MAP("misaligned fixed", p + 1, PAGE, RW, ANON | MAP_FIXED, -1, 0);
	MAP("fixed at the end of user space", (void *)0x7ffffffff000, PAGE, RW, ANON | MAP_FIXED,
	    -1, 0);
	MAP("fixed in the kernel", (void *)0xffffffff80000000, PAGE, RW, ANON | MAP_FIXED, -1, 0);
	MAP("shared and writable, descriptor to read", NULL, PAGE, RW, MAP_SHARED, fd, 0);
	MAP("private and writable, descriptor to read", NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
	MAP("descriptor to write only", NULL, PAGE, PROT_READ, MAP_PRIVATE, wr, 0);
	MAP("folder", NULL, PAGE, PROT_READ, MAP_PRIVATE, MUST(open(".", O_RDONLY)), 0);
	MAP("pipe", NULL, PAGE, PROT_READ, MAP_PRIVATE, event_new().fd[0], 0);
	MAP("offset that overflows", NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd,
	    0x7ffffffffffff000);
	MAP("MAP_SHARED_VALIDATE with MAP_SYNC", NULL, PAGE, PROT_READ,
	    MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
	MAP("MAP_HUGETLB without huge pages", NULL, 2 << 20, RW, ANON | MAP_HUGETLB, -1, 0);
	RET("munmap misaligned", munmap(p + 1, PAGE));
	RET("munmap length 0", munmap(p, 0));
	RET("munmap of a hole", ({
		    munmap(p, PAGE);
		    munmap(p, PAGE);
	    }));
	RET("munmap in the kernel", munmap((void *)0xffffffff80000000, PAGE));
	RET("mprotect misaligned", mprotect(p + 1, PAGE, RW));
	RET("mprotect of a hole", mprotect(p, PAGE, RW));
	RET("mprotect into a hole", mprotect(p, 4 * PAGE, PROT_READ));
	RET("mprotect of length 0", mprotect(p + PAGE, 0, RW));
	RET("mprotect wrong bits", mprotect(p + PAGE, PAGE, 0x1000));
	RET("mprotect over the end", mprotect(p + PAGE, ~0ul - PAGE, RW));
	RET("madvise misaligned", madvise(p + PAGE + 1, PAGE, MADV_DONTNEED));
	RET("madvise unknown", madvise(p + PAGE, PAGE, 999));
	RET("madvise of a hole", madvise(p, PAGE, MADV_DONTNEED));
	RET("msync of a hole", msync(p, PAGE, MS_SYNC));
	RET("msync both", msync(p + PAGE, PAGE, MS_SYNC | MS_ASYNC));
	RET("mincore of a hole", mincore(p, PAGE, (unsigned char[4]){ 0 }));
	RET("mlock of a hole", mlock(p, PAGE));
}

static void fixed(void)
{
	char *p = get(8, RW), *q;

	memset(p, 'a', 8 * PAGE);
	q = mmap(p + 2 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
	YES("MAP_FIXED over a mapping", q == p + 2 * PAGE);
	say("around: %c %d %d %c", p[2 * PAGE - 1], p[2 * PAGE], p[4 * PAGE - 1], p[4 * PAGE]);
	RET("MAP_FIXED_NOREPLACE over one",
	    mmap(p, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED ? -1 : 0);
	munmap(p + 5 * PAGE, PAGE);
	YES("MAP_FIXED_NOREPLACE into a hole",
	    mmap(p + 5 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == p + 5 * PAGE);
	munmap(p + 5 * PAGE, PAGE);
	YES("hint into a hole", mmap(p + 5 * PAGE, PAGE, RW, ANON, -1, 0) == p + 5 * PAGE);
	q = mmap(p, PAGE, RW, ANON, -1, 0);
	YES("hint at a mapping is not taken", q != MAP_FAILED && (q < p || q >= p + 8 * PAGE));
	munmap(p + 5 * PAGE, PAGE);
	YES("misaligned hint is rounded",
	    mmap(p + 5 * PAGE + 7, PAGE, RW, ANON, -1, 0) == p + 5 * PAGE);
	q = mmap((void *)PAGE, PAGE, RW, ANON, -1, 0);
	YES("low hint is not taken below mmap_min_addr",
	    q != MAP_FAILED && (unsigned long)q >= 0x10000);
	q = mmap((void *)0x20000000, PAGE, RW, ANON, -1, 0);
	YES("low hint", q == (void *)0x20000000);
	YES("MAP_32BIT", (unsigned long)mmap(NULL, PAGE, RW, ANON | MAP_32BIT, -1, 0) < 1ul << 31);
	q = mmap(NULL, 100, RW, ANON, -1, 0);
	q[PAGE - 1] = 1;
	RES("length is rounded", munmap(q, 1));
	p = mmap(NULL, 64ul << 30, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
	YES("64 GiB reserved", p != MAP_FAILED);
	RET("part of it", mprotect(p + (32ul << 30), PAGE, RW));
	p[32ul << 30] = 1;
	RET("all back", munmap(p, 64ul << 30));
}

static void protect(void)
{
	char *p = get(8, RW);

	catch_faults();
	for (int i = 0; i < 8; i++)
		p[i * PAGE] = (char)('0' + i);
	mprotect(p + PAGE, PAGE, PROT_READ);
	mprotect(p + 3 * PAGE, 2 * PAGE, PROT_NONE);
	say_maps("split", p, 8);
	say("read %d %d %d, write %d %d %d", can_read(p), can_read(p + PAGE),
	    can_read(p + 3 * PAGE), can_write(p), can_write(p + PAGE), can_write(p + 4 * PAGE));
	mprotect(p + 3 * PAGE, PAGE, RW);
	VAL("content after PROT_NONE", p[3 * PAGE]);
	munmap(p + 6 * PAGE, PAGE);
	say_maps("with a hole", p, 8);
	RET("across the hole", mprotect(p, 8 * PAGE, PROT_READ));
	say_maps("up to the hole", p, 8);
	mprotect(p, 6 * PAGE, RW);
	say_maps("joined", p, 8);
	VAL("content", p[4 * PAGE] + p[PAGE] - p[0]);
	char *x = get(1, PROT_READ | PROT_WRITE | PROT_EXEC);
	memcpy(x, "\xb8\x2a\x00\x00\x00\xc3", 6);
	VAL("code in a writable page", ((int (*)(void))x)());
	x[1] = 43;
	VAL("code changed", ((int (*)(void))x)());
	mprotect(x, PAGE, PROT_READ | PROT_EXEC);
	VAL("code after mprotect", ((int (*)(void))x)());
	VAL("write to it", can_write(x));
	mprotect(x, PAGE, RW);
	x[1] = 44;
	mprotect(x, PAGE, PROT_EXEC);
	VAL("execute only", ((int (*)(void))x)());
	mprotect(x, PAGE, PROT_WRITE);
	VAL("PROT_WRITE alone can be read", can_read(x));
	/* PROT_GROWSDOWN on the stack is what an executable stack needs. */
	char here;
	RET("PROT_GROWSDOWN on the stack",
	    mprotect((void *)((unsigned long)&here & ~4095ul), PAGE, RW | PROT_GROWSDOWN));
	RET("PROT_GROWSDOWN elsewhere", mprotect(p, PAGE, RW | PROT_GROWSDOWN));
}

static void remap(void)
{
	char *p = get(8, RW), *q;

	catch_faults();
	for (int i = 0; i < 8; i++)
		p[i * PAGE] = (char)('0' + i);
	q = mremap(p, 8 * PAGE, 4 * PAGE, 0);
	YES("shrink", q == p);
	say_maps("shrunk", p, 8);
	q = mremap(p, 4 * PAGE, 6 * PAGE, 0);
	YES("grow in place", q == p);
	say("content %c %c, new %d", p[0], p[3 * PAGE], p[5 * PAGE]);
	MUST(mmap(p + 6 * PAGE, PAGE, PROT_NONE, ANON | MAP_FIXED, -1, 0) == MAP_FAILED ? -1 : 0);
	RET("no room to grow", mremap(p, 6 * PAGE, 10 * PAGE, 0) == MAP_FAILED ? -1 : 0);
	q = mremap(p, 6 * PAGE, 10 * PAGE, MREMAP_MAYMOVE);
	YES("moved", q != MAP_FAILED && q != p);
	say("content %c %c, new %d, old place %d", q[0], q[3 * PAGE], q[9 * PAGE], can_read(p));
	p = get(4, RW);
	p[0] = 'z';
	q = mremap(q, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p);
	YES("to a fixed place", q == p);
	VAL("content", p[0]);
	RET("onto itself",
	    mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE) == MAP_FAILED
		    ? -1
		    : 0);
	RET("fixed without maymove",
	    mremap(p, PAGE, PAGE, MREMAP_FIXED, p + 3 * PAGE) == MAP_FAILED ? -1 : 0);
	RET("new size 0", mremap(p, PAGE, 0, 0) == MAP_FAILED ? -1 : 0);
	RET("misaligned", mremap(p + 1, PAGE, PAGE, 0) == MAP_FAILED ? -1 : 0);
	RET("unknown flag", mremap(p, PAGE, PAGE, 64) == MAP_FAILED ? -1 : 0);
	munmap(p + PAGE, PAGE);
	RET("across a hole", mremap(p, 3 * PAGE, 4 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
	RET("hole", mremap(p + PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
	/* Old size 0 makes a second view of a shared mapping. */
	p = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	q = mremap(p, 0, PAGE, MREMAP_MAYMOVE);
	YES("second view", q != MAP_FAILED && q != p);
	if (q != MAP_FAILED) {
		p[5] = 'v';
		VAL("through it", q[5]);
	}
}

static void breaks(void)
{
	char *base = sbrk(0), *p;

	catch_faults();
	YES("sbrk up", sbrk(3 * PAGE) == base);
	p = base;
	memset(p, 'b', 3 * PAGE);
	VAL("last byte", p[3 * PAGE - 1]);
	YES("sbrk down", sbrk(-2 * PAGE) == base + 3 * PAGE);
	VAL("first byte", p[0]);
	sbrk(2 * PAGE);
	VAL("fresh again", p[3 * PAGE - 1]);
	YES("brk below the start is refused", syscall(SYS_brk, 8) == (long)base + 3 * PAGE);
	YES("brk far up is refused", syscall(SYS_brk, 0x700000000000) == (long)base + 3 * PAGE);
	RET("RLIMIT_DATA", ({
		    struct rlimit rl = { 1 << 20, 1 << 20 };

		    setrlimit(RLIMIT_DATA, &rl);
		    sbrk(8 << 20) == (void *)-1 ? -1 : 0;
	    }));
}

static void forks(void)
{
	char *p = get(4, RW), *s = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct event a = event_new(), b = event_new();
	pid_t pid;

	catch_faults();
	p[0] = p[PAGE] = p[2 * PAGE] = 'p';
	s[0] = 's';
	pid = START({
		say("child sees %c %c", p[0], s[0]);
		p[0] = 'c';
		s[0] = 'C';
		event_set(&a);
		event_wait(&b);
		say("child after the parent's writes: %c %c %c", p[0], p[PAGE], s[1]);
		munmap(p + 2 * PAGE, PAGE);
	});
	event_wait(&a);
	say("parent after the child's writes: %c %c", p[0], s[0]);
	p[PAGE] = 'P';
	s[1] = 'S';
	event_set(&b);
	wait_for(pid);
	VAL("own page after the child's munmap", p[2 * PAGE]);
	say_status("grandchildren", CHILD({
			   p[0] = '1';
			   CHILD({
				   p[0] = '2';
				   CHILD(p[0] = '3');
				   say("grandchild %c", p[0]);
			   });
			   say("child %c", p[0]);
		   }));
	madvise(p, PAGE, MADV_DONTFORK);
	say_status("MADV_DONTFORK", CHILD(_exit(can_read(p))));
	madvise(p, PAGE, MADV_DOFORK);
	say_status("MADV_DOFORK", CHILD(_exit(can_read(p))));
	madvise(p, PAGE, MADV_WIPEONFORK);
	say_status("MADV_WIPEONFORK", CHILD(_exit(p[0])));
	/* The zero page and read-only pages stay what they are. */
	char *z = get(2, RW);
	(void)*(volatile char *)z;
	say_status("zero page", CHILD({
			   z[0] = 9;
			   _exit(z[0] + z[1]);
		   }));
	VAL("zero page of the parent", z[0]);
	/* Memory that the child grows is its own. */
	say_status("sum after many writes", CHILD({
			   char *big = get(512, RW);
			   int sum = 0;

			   memset(big, 1, 512 * PAGE);
			   for (int i = 0; i < 512; i++)
				   sum += big[i * PAGE];
			   _exit(sum == 512 ? 1 : 2);
		   }));
}

static void advice(void)
{
	char *p = get(4, RW);
	unsigned char vec[4];

	memset(p, 'x', 4 * PAGE);
	RET("MADV_DONTNEED", madvise(p + PAGE, PAGE, MADV_DONTNEED));
	say("%c %d %c", p[PAGE - 1], p[PAGE], p[2 * PAGE]);
	RET("MADV_WILLNEED", madvise(p, PAGE, MADV_WILLNEED));
	RET("MADV_FREE", madvise(p, PAGE, MADV_FREE));
	RET("MADV_NORMAL", madvise(p, PAGE, MADV_NORMAL));
	RET("MADV_SEQUENTIAL", madvise(p, PAGE, MADV_SEQUENTIAL));
	RET("MADV_DONTDUMP", madvise(p, PAGE, MADV_DONTDUMP));
	madvise(p, 4 * PAGE, MADV_DONTNEED);
	RET("mincore", mincore(p, 4 * PAGE, vec));
	say("in core: %d %d %d %d", vec[0] & 1, vec[1] & 1, vec[2] & 1, vec[3] & 1);
	p[2 * PAGE] = 1;
	mincore(p, 4 * PAGE, vec);
	VAL("in core when touched", vec[2] & 1);
	RET("mincore misaligned", mincore(p + 1, PAGE, vec));
	p = mmap(NULL, 4 * PAGE, RW, ANON | MAP_POPULATE, -1, 0);
	mincore(p, 4 * PAGE, vec);
	say("MAP_POPULATE: %d %d %d %d", vec[0] & 1, vec[1] & 1, vec[2] & 1, vec[3] & 1);
	RET("mlock", mlock(p, PAGE));
	RET("munlock", munlock(p, PAGE));
	int fd = MUST(open("file", O_RDWR | O_CREAT, 0644));
	MUST(ftruncate(fd, 4 * PAGE));
	MUST(pwrite(fd, "disk", 4, 0));
	p = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0);
	p[0] = 'X';
	madvise(p, PAGE, MADV_DONTNEED);
	VAL("MADV_DONTNEED of a private file page", p[0]);
	p = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	p[0] = 'Y';
	madvise(p, PAGE, MADV_DONTNEED);
	VAL("MADV_DONTNEED of a shared file page", p[0]);
}

static int grow(int n)
{
	volatile char frame[65536];

	for (size_t i = 0; i < sizeof(frame); i += PAGE)
		frame[i] = (char)n;
	return n == 0 ? frame[0] : grow(n - 1) + frame[0] - frame[PAGE];
}

static void *below_stack(unsigned long bytes)
{
	return (char *)__builtin_frame_address(0) - bytes;
}

static void stack(void)
{
	say_status("grows past its limit", CHILD({
			   struct rlimit rl = { 1 << 20, 8 << 20 };

			   setrlimit(RLIMIT_STACK, &rl);
			   grow(100);
		   }));
	say_status("grows to a raised limit", CHILD({
			   struct rlimit rl = { 16 << 20, RLIM_INFINITY };

			   MUST(setrlimit(RLIMIT_STACK, &rl));
			   _exit(grow(12 * 16));
		   }));
	say_status("access far below", CHILD({
			   catch_faults();
			   _exit(can_write(below_stack(4 << 20)));
		   }));
	VAL("grows to 7 MiB", grow(7 * 16));
	say_status("access beyond the limit", CHILD({
			   catch_faults();
			   signal(SIGSEGV, SIG_DFL);
			   *(volatile char *)below_stack(9 << 20) = 1;
		   }));
}

static void limits(void)
{
	say_status("RLIMIT_AS", CHILD({
			   struct rlimit rl = { 256 << 20, 256 << 20 };

			   setrlimit(RLIMIT_AS, &rl);
			   YES("mmap of 512 MiB",
			       mmap(NULL, 512 << 20, RW, ANON, -1, 0) == MAP_FAILED &&
				       errno == ENOMEM);
			   YES("PROT_NONE counts, too",
			       mmap(NULL, 512 << 20, PROT_NONE, ANON, -1, 0) == MAP_FAILED);
			   YES("mmap of 16 MiB",
			       mmap(NULL, 16 << 20, RW, ANON, -1, 0) != MAP_FAILED);
			   char *p = get(1, RW);
			   YES("mremap to 512 MiB",
			       mremap(p, PAGE, 512 << 20, MREMAP_MAYMOVE) == MAP_FAILED);
		   }));
	say_status("RLIMIT_MEMLOCK", CHILD({
			   struct rlimit rl = { PAGE, PAGE };
			   char *p = get(4, RW);

			   setrlimit(RLIMIT_MEMLOCK, &rl);
			   if (geteuid() == 0)
				   MUST(setresuid(65534, 65534, 65534));
			   RET("mlock of a page", mlock(p, PAGE));
			   RET("mlock of four", mlock(p, 4 * PAGE));
		   }));
	say_status("many areas", CHILD({
			   int failed = 0;

			   /* No two neighbours can be joined. */
			   char *p = get(2000, RW);

			   for (int i = 0; i < 2000; i += 2)
				   failed += mprotect(p + i * PAGE, PAGE, PROT_READ) != 0;
			   VAL("failed", failed);
			   for (int i = 1; i < 2000; i += 2)
				   p[i * PAGE] = 1;
			   failed = munmap(p, 2000 * PAGE);
			   VAL("failed", failed);
		   }));
}

static const struct section sections[] = {
	{ "errors", errors }, { "fixed", fixed },   { "protect", protect },
	{ "remap", remap },   { "breaks", breaks }, { "forks", forks },
	{ "advice", advice }, { "stack", stack },   { "limits", limits },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
