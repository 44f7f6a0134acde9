/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attacks on PrivUser, from ring 3 and from a hijacked PrivUser (groups 1 to 11 and 14 to 17 of the
 * list in docs/privuser-attacks.md; 12 and 13 are calls.c). TAP; with the protection switched off
 * those that it stops must succeed.
 */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "abi/privuser.h"

#define LOW(call) ((uint64_t)(uint32_t)(call))

struct far_pointer {
	uint32_t offset;
	uint16_t selector;
} __attribute__((packed));

static uint64_t secret, copy, target, stack;

/* ---- what ring 3 can try ---- */

static void do_read(uint64_t a, uint64_t unused)
{
	(void)unused;
	*(volatile uint8_t *)a;
}

static void do_write(uint64_t a, uint64_t value)
{
	*(volatile uint8_t *)a = (uint8_t)value;
}

static void do_call(uint64_t a, uint64_t unused)
{
	(void)unused;
	((void (*)(void))a)();
}

static void do_ljmp(uint64_t selector, uint64_t offset)
{
	volatile struct far_pointer p = { (uint32_t)offset, (uint16_t)selector };

	__asm__ volatile("ljmpl *%0" ::"m"(p));
}

static void do_lcall(uint64_t selector, uint64_t offset)
{
	volatile struct far_pointer p = { (uint32_t)offset, (uint16_t)selector };

	__asm__ volatile("lcall *%0" ::"m"(p), "a"(0)
			 : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "cc", "memory");
}

static void do_lret(uint64_t selector, uint64_t offset)
{
	__asm__ volatile("pushq %0\n\tpushq %1\n\tlretq" ::"r"(selector), "r"(offset));
}

static void do_iret(uint64_t selector, uint64_t offset)
{
	__asm__ volatile(
		"pushq $0x1e\n\tpushq $0x1000\n\tpushfq\n\tpushq %0\n\tpushq %1\n\tiretq" ::"r"(
			selector),
		"r"(offset));
}

static void do_load_ds(uint64_t selector, uint64_t unused)
{
	(void)unused;
	__asm__ volatile("movw %w0, %%ds" ::"r"(selector));
}

static void do_int80(uint64_t nr, uint64_t unused)
{
	(void)unused;
	__asm__ volatile("int $0x80" ::"a"(nr) : "memory");
}

/* ---- 1 ---- */

static void each_page(uint64_t start, uint64_t end, unsigned *reached, unsigned *odd)
{
	for (uint64_t page = start; page < end; page += 4096) {
		*reached += try(do_read, page + 16, 0) == 0;
		*odd += fault.sig != 0 && (fault.vector != 14 || fault.address != page + 16);
		*reached += try(do_read, page + 4095, 0) == 0;
		*reached += try(do_call, page, 0) == 0;
		/* Where it can be executed, what a page begins with decides how that ends. */
		*odd += on && fault.sig != SIGSEGV && fault.sig != 0;
	}
}

static void direct_access(void)
{
	unsigned reached = 0, odd = 0, written = 0;

	each_page(PRIVUSER_BASE, (target & ~4095ull) + 3 * 4096, &reached, &odd);
	if (on) {
		each_page(copy & ~4095ull, (copy & ~4095ull) + 4096, &reached, &odd);
		each_page(stack & ~4095ull, (stack & ~4095ull) + 4096, &reached, &odd);
		for (uint64_t page = PRIVUSER_BASE; page < (target & ~4095ull) + 4096; page += 4096)
			written += try(do_write, page + 100, 0) == 0;
	} else {
		written = try(do_write, target, 'R') == 0; /* as it was */
	}
	attack(reached != 0, "1: read and execute each page of PrivUser");
	ok(odd == 0, "1: each time a page fault, at that address");
	attack(written != 0, "1: write to each page");
}

/* ---- 2, 3 ---- */

static void transfers(void)
{
	static const uint16_t selectors[] = {
		0x0c, 0x0d, 0x0e, 0x0f, 0x14, 0x16, 0x17, 0x1e, 0x08
	};
	void (*const ways[])(uint64_t, uint64_t) = { do_ljmp, do_lret, do_iret, do_lcall };
	unsigned through = 0;

	for (unsigned w = 0; w < 4; w++)
		for (unsigned s = 0; s < sizeof(selectors) / sizeof(selectors[0]); s++)
			through += try(ways[w], selectors[s], PRIVUSER_BASE + 64) == 0;
	ok(through == 0, "2: far jump, call, return, interrupt return to rings 0, 1, 2");
	ok(try(do_call, 0xffffffff80000000ull, 0) == SIGSEGV, "2: call into the kernel's half");
	ok(try(do_load_ds, PRIVUSER_SEL_DS, 0) == SIGSEGV, "2: load PrivUser's data segment");
	ok(try(do_int80, PRIVUSER_RANDOM, 0) == SIGSEGV,
	   "2: a system call of PrivUser from ring 3");
	ok(try(do_lcall, PRIVUSER_SEL_EXIT, 0) == SIGSEGV && fault.vector == 13,
	   "3: ring 3 calls the exit gate");
	ok(try(do_lcall, PRIVUSER_SEL_EXIT | 3, 0) == SIGSEGV, "3: the same with its own RPL");
	ok(try(do_lcall, PRIVUSER_SEL_ENTER, 0x12345678) == 0, "3: the offset is not looked at");
	ok(try(do_lcall, PRIVUSER_SEL_ENTER + 8, 0) == SIGSEGV, "3: the second half of a gate");
	ok(try(do_lcall, 0x40 | 7, 0) == SIGSEGV, "3: beyond the LDT");
	ok(privcall(intact) == 1, "3: PrivUser is as it was");
}

/*
 * A far call inside ring 3 pushes, a far return pops, with the stack pointer in PrivUser. The
 * processor does that with ring 3's rights. QEMU's emulation does it with the kernel's (up to 9.0),
 * which no kernel can mend.
 */
static void do_push_far(uint64_t sp, uint64_t unused)
{
	static struct far_pointer64 {
		uint32_t offset;
		uint16_t selector;
	} __attribute__((packed)) to;

	(void)unused;
	__asm__ volatile("leaq 1f(%%rip), %%rax\n\tmovl %%eax, %0\n\tmovw %%cs, %1\n\t"
			 "movq %%rsp, %%rcx\n\tmovq %2, %%rsp\n\tlcall *%0\n"
			 "1:\tmovq %%rcx, %%rsp"
			 : "+m"(to.offset), "+m"(to.selector)
			 : "r"(sp)
			 : "rax", "rcx", "memory");
}

static bool is_emulated(void)
{
	char id[13] = { 0 };

	__asm__("cpuid"
		: "=b"(*(uint32_t *)id), "=c"(*(uint32_t *)(id + 4)), "=d"(*(uint32_t *)(id + 8))
		: "a"(0x40000000));
	return strncmp(id, "TCGTCGTCGTCG", 12) == 0;
}

static int push_far(uint64_t sp, uint64_t unused)
{
	(void)unused;
	catch_faults();
	privcall(change, (uint8_t)SECRET_MASKED[0] ^ SECRET_MASK); /* the page is this child's */
	(void)try(do_push_far, sp, 0);
	return privcall(intact) == 1 ? 0 : 1;
}

static void pushes(void)
{
	bool reached = EXITED(in_child(push_far, secret + 16, 0)) != 0;

	if (reached && is_emulated())
		ok(true, "2: a far call with its stack in PrivUser # SKIP this QEMU pushes with "
			 "the kernel's rights");
	else
		ok(!reached, "2: a far call with its stack in PrivUser");
}

/* ---- 4, 5, 6: a hijacked PrivUser ---- */

static int do_probe(uint64_t what, uint64_t a)
{
	return (int)(privcall(probe, what, (uint32_t)a, (uint32_t)(a >> 32)) == 1234 ? 77 : 78);
}

static bool probe_dies(enum probe what, uint32_t a, uint32_t b)
{
	int status = in_child(do_probe, what, a | (uint64_t)b << 32);

	if (!DIED(status))
		printf("# probe %d (%#x, %#x): wait status %#x\n", what, a, b, status);
	return DIED(status);
}

static uint8_t *low_page(int prot)
{
	return mmap(NULL, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT | MAP_POPULATE, -1,
		    0);
}

/* Runs in 64-bit ring 3, where PrivUser has jumped to: reads the secret, and tells. */
extern const char landed[];
__asm__(".pushsection .text\n"
	"landed:\n\tmovq landed_where(%rip), %rdi\n\tmovq (%rdi), %rcx\n\t"
	"movl $231, %eax\n\tmovl $55, %edi\n\tsyscall\n"
	"landed_where:\n\t.quad 0\nlanded_end:\n.popsection");
extern const char landed_end[];

static void escapes(void)
{
	static const uint16_t codes[] = { 0x08, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x2a };
	bool dies = true;
	uint8_t *page = low_page(PROT_READ | PROT_WRITE | PROT_EXEC);
	int status;

	for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		dies &= probe_dies(PROBE_LJMP, codes[i], 0x100000);
		dies &= probe_dies(PROBE_LRET, codes[i], 0x100000);
		dies &= probe_dies(PROBE_IRET, codes[i], 0x100000);
	}
	ok(dies, "4: PrivUser jumps and returns to rings 0 and 1, and to 64-bit code");
	memcpy(page, landed, (size_t)(landed_end - landed));
	memcpy(page + (landed_end - landed) - sizeof(secret), &secret, sizeof(secret));
	status = in_child(do_probe, PROBE_USER64,
			  (uint32_t)(uintptr_t)page | (uint64_t)(uint32_t)((uintptr_t)page + 4000)
							      << 32);
	ok(DIED(status), "4: 64-bit ring 3 reached from PrivUser has no rights");
	status = in_child(do_probe, PROBE_ENTER_GATE, 0);
	ok(EXITED(status) == 77, "3: the Enter gate sends PrivUser back");
}

static void addresses(void)
{
	uint8_t *page = low_page(PROT_READ | PROT_WRITE | PROT_EXEC);
	static const uint32_t places[] = {
		0,       0x1000,     0x8000,     0x100000,   0x200000,
		0xb8000, 0xbffff000, 0xfffff000, 0xfffffffc, 0xf0000000
	};
	bool dies = true;

	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		dies &= probe_dies(PROBE_READ, places[i], 0);
		dies &= probe_dies(PROBE_WRITE, places[i], 0);
		dies &= probe_dies(PROBE_CALL, places[i], 0);
	}
	ok(dies, "5: addresses below 4 GiB that are not PrivUser's");
	ok(probe_dies(PROBE_READ_WRAP, 0xfffff000, 0), "5: base and displacement beyond 4 GiB");
	ok(probe_dies(PROBE_READ_FS, 0, 0), "5: through FS");
	ok(probe_dies(PROBE_WRITE, PRIVUSER_BASE, 0), "5: PrivUser's own code is not writable");
	ok(probe_dies(PROBE_CALL, (uint32_t)target, 0), "5: PrivUser's data is not executable");
	page[0] = 0xc3;
	ok(probe_dies(PROBE_CALL, (uint32_t)(uintptr_t)page, 0), "5: SMEP: code of ring 3");
	ok(probe_dies(PROBE_READ, (uint32_t)(uintptr_t)page, 0), "5: SMAP: memory of ring 3");
	ok(EXITED(in_child(do_probe, PROBE_READ_AC, (uint32_t)(uintptr_t)page)) == 77,
	   "5: SMAP lifted by AC");
	ok(probe_dies(PROBE_STACK, 0, 0), "5: stack overflow meets the page that is not there");
	ok(EXITED(in_child(do_probe, PROBE_FILE_BAD, (uint32_t)(uintptr_t)page)) == 78,
	   "5: PrivUser's system calls take its own memory only");
}

static void privileged(void)
{
	bool dies = true;

	for (enum probe p = PROBE_CLI; p <= PROBE_UD2; p++)
		dies &= probe_dies(p, 0, 0);
	ok(dies, "6: privileged instructions, other rings' selectors, SYSCALL and SYSENTER");
	ok(probe_dies(PROBE_ABORT, 0, 0), "6: priv_abort()");
	ok(privcall(intact) == 1, "6: the parent's PrivUser is as it was");
}

/* ---- 7, 8 ---- */

static bool refused(long r, int want)
{
	return r == -1 && errno == want;
}

static void changes(void)
{
	static const int advices[] = { MADV_DONTNEED,   MADV_FREE,   MADV_DONTFORK,
				       MADV_WIPEONFORK, MADV_REMOVE, MADV_POPULATE_WRITE,
				       MADV_WILLNEED,   MADV_PAGEOUT };
	void *page = (void *)(target & ~4095ull), *elsewhere;
	bool all = true;
	unsigned char vec[4];

	elsewhere = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	all &= refused(munmap(page, 4096), EPERM);
	all &= refused(munmap((void *)0x10000, 0xf0000000ul), EPERM);
	all &= refused(mprotect(page, 4096, PROT_READ | PROT_WRITE), EPERM);
	all &= refused(mprotect(page, 4096, PROT_NONE), EPERM);
	all &= refused((long)mremap(page, 4096, 8192, MREMAP_MAYMOVE), EPERM);
	all &= refused((long)mremap(page, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere),
		       EPERM);
	all &= refused((long)mremap(elsewhere, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, page),
		       EPERM);
	all &= refused((long)mmap(page, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				  -1, 0),
		       EPERM);
	all &= refused((long)mmap(page, 4096, PROT_READ,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
		       EEXIST);
	for (unsigned i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
		all &= refused(madvise(page, 4096, advices[i]), EPERM);
	ok(all, "7: munmap, mprotect, mremap, mmap, madvise over PrivUser: EPERM");
	if (on) {
		all = refused(mlock(page, 4096), ENOMEM) && refused(munlock(page, 4096), ENOMEM);
		all &= refused(mincore(page, 4096, vec), ENOMEM);
		all &= refused(msync(page, 4096, MS_SYNC), ENOMEM);
		ok(all, "7: mlock, mincore, msync: as if nothing were there");
	}
	ok(privcall(intact) == 1, "7: nothing has changed");
}

static struct privuser_setup good_setup(void)
{
	return (struct privuser_setup){ .version = PRIVUSER_VERSION,
					.code_src = (uintptr_t)good_setup & ~4095ull,
					.base = 0x50000000,
					.entry = 0x50000010,
					.code_len = 64,
					.stack_len = 4096,
					.max_threads = 1 };
}

static bool setup_fails(int fd, struct privuser_setup s, int want)
{
	bool good = refused(ioctl(fd, PRIVUSER_SETUP, &s), want);

	if (!good)
		printf("# set-up at line: errno %d, not %d\n", errno, want);
	return good;
}

#define BAD(want, field, value)                                \
	do {                                                   \
		struct privuser_setup s_ = good_setup();       \
		s_.field = (value);                            \
		if (!setup_fails(fd, s_, want)) {              \
			printf("# " #field " = " #value "\n"); \
			all = false;                           \
		}                                              \
	} while (0)

static void bad_setups(void)
{
	int fd = open("/dev/privuser", O_RDWR);
	void *taken = mmap((void *)0x50002000, 4096, PROT_READ,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	struct privuser_status st;
	bool all = taken == (void *)0x50002000;

	BAD(EEXIST, base, 0x50000000); /* the stack would lie where something is */
	munmap(taken, 4096);
	BAD(EINVAL, version, 2);
	BAD(EINVAL, flags, 2);
	BAD(EINVAL, reserved, 1);
	BAD(EINVAL, filter, 1ull << 60);
	BAD(EINVAL, base, 0);
	BAD(EINVAL, base, 0x50000001);
	BAD(EINVAL, base, 0xfffff000);
	BAD(EINVAL, entry, 0x50000040);
	BAD(EINVAL, entry, 0x4fffffff);
	BAD(EINVAL, code_len, 0);
	BAD(EINVAL, code_len, 0xffffffff);
	BAD(EINVAL, data_len, 0xffffffff);
	BAD(EINVAL, heap_len, 0xc0000000);
	BAD(EINVAL, stack_len, 0);
	BAD(EINVAL, stack_len, 2 << 20);
	BAD(EINVAL, max_threads, 0);
	BAD(EINVAL, max_threads, 1025);
	BAD(EINVAL, window_len, 17 << 20);
	BAD(EFAULT, code_src, 0);
	BAD(EFAULT, code_src, 0xffffffff80000000ull);
	BAD(EFAULT, code_src, UINT64_MAX - 10);
	ok(all, "8: set-ups that cannot be, with the reason");
	ok(refused(ioctl(fd, PRIVUSER_SETUP, (void *)8), EFAULT) &&
		   refused(ioctl(fd, 0x1234, &st), ENOTTY),
	   "8: an argument that is not there, another command");
	ok(ioctl(fd, PRIVUSER_STATUS, &st) == 0 && st.state == PRIVUSER_NONE,
	   "8: none of them has left anything");
	ok(try(do_lcall, PRIVUSER_SEL_ENTER, 0) == SIGSEGV,
	   "14: a process without PrivUser has no gate");
	close(fd);
}

static void second_setup(void)
{
	int fd = open("/dev/privuser", O_RDWR);
	struct privuser_status st;

	ok(setup_fails(fd, good_setup(), EBUSY), "8: a second set-up");
	ok(ioctl(fd, PRIVUSER_STATUS, &st) == 0 && st.state == PRIVUSER_LOCKED && st.isolated == on,
	   "8: locked");
	close(fd);
#if defined(SYS_modify_ldt)
	ok(syscall(SYS_modify_ldt, 1, &st, sizeof(st)) == -1, "9: modify_ldt");
#endif
}

/* ---- 10, 11 ---- */

static long raw_call(uint64_t nr)
{
	return priv_enter_(nr, 1, 2, 3, 4, 5, 6);
}

static void numbers(void)
{
	ok(raw_call(0) == -ENOSYS && raw_call(0xffffffff) == -ENOSYS && raw_call(1000) == -ENOSYS &&
		   raw_call(0x80000000) == -ENOSYS,
	   "10: numbers 0, too large, all ones");
	ok(raw_call((1ull << 32) + privnr_nothing) == -ENOSYS &&
		   raw_call((1ull << 63) + privnr_nothing) == -ENOSYS &&
		   raw_call(UINT64_MAX) == -ENOSYS,
	   "10: a dirty upper half");
	ok(raw_call(privnr_nothing) == 0, "10: the right one goes through");
	ok(raw_call(1) == -EBUSY, "10: the start call works once only");
}

struct registers {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15, flags,
		rsp;
};
void call_with_registers(struct registers *r, const struct priv_gate_ *gate);
__asm__(".pushsection .text\n.globl call_with_registers\ncall_with_registers:\n\t"
	"pushq %rbx\n\tpushq %rbp\n\tpushq %r12\n\tpushq %r13\n\tpushq %r14\n\tpushq %r15\n\t"
	"pushq %rdi\n\tpushq %rsi\n\tmovq %rdi, %r11\n\t"
	"movq 0(%r11), %rax\n\tmovq 8(%r11), %rbx\n\tmovq 16(%r11), %rcx\n\tmovq 24(%r11), %rdx\n\t"
	"movq 32(%r11), %rsi\n\tmovq 40(%r11), %rdi\n\tmovq 48(%r11), %rbp\n\tmovq 56(%r11), %r8\n\t"
	"movq 64(%r11), %r9\n\tmovq 72(%r11), %r10\n\tmovq 88(%r11), %r12\n\tmovq 96(%r11), %r13\n\t"
	"movq 104(%r11), %r14\n\tmovq 112(%r11), %r15\n\t"
	"pushq 120(%r11)\n\tpopfq\n\tmovq (%rsp), %r11\n\tlcall *(%r11)\n\t"
	"pushfq\n\tcld\n\tpushq %r11\n\tmovq 24(%rsp), %r11\n\t"
	"movq %rax, 0(%r11)\n\tmovq %rbx, 8(%r11)\n\tmovq %rcx, 16(%r11)\n\tmovq %rdx, 24(%r11)\n\t"
	"movq %rsi, 32(%r11)\n\tmovq %rdi, 40(%r11)\n\tmovq %rbp, 48(%r11)\n\tmovq %r8, 56(%r11)\n\t"
	"movq %r9, 64(%r11)\n\tmovq %r10, 72(%r11)\n\tmovq %r12, 88(%r11)\n\tmovq %r13, 96(%r11)\n\t"
	"movq %r14, 104(%r11)\n\tmovq %r15, 112(%r11)\n\tmovq %rsp, 128(%r11)\n\t"
	"popq %rax\n\tmovq %rax, 80(%r11)\n\tpopq %rax\n\tmovq %rax, 120(%r11)\n\t"
	"popq %rsi\n\tpopq %rdi\n\tpopq %r15\n\tpopq %r14\n\tpopq %r13\n\tpopq %r12\n\tpopq %rbp\n\t"
	"popq %rbx\n\tret\n.popsection");

static void registers(void)
{
	struct registers r, before = { .rax = privnr_poison,
				       .rbx = 0x1111222233334444,
				       .rcx = 0x22ull << 40,
				       .rdx = 0x33ull << 40,
				       .rsi = 0x44ull << 40,
				       .rdi = 0x55ull << 40,
				       .rbp = 0x5555666677778888,
				       .r8 = ~0ull,
				       .r9 = ~0ull,
				       .r10 = ~0ull,
				       .r12 = 0xcccc111122223333,
				       .r13 = 0xdddd111122223333,
				       .r14 = 0xeeee111122223333,
				       .r15 = 0xffff111122223333,
				       .flags = 0x40202 | 0x400 | 0x8d5 };

	r = before;
	call_with_registers(&r, &priv_gate_);
	ok(r.rbx == before.rbx && r.rbp == before.rbp && r.r12 == before.r12 &&
		   r.r13 == before.r13 && r.r14 == before.r14 && r.r15 == before.r15,
	   "11: preserved registers come back whole");
	ok((r.rcx | r.rdx | r.rsi | r.rdi | r.r8 | r.r9 | r.r10 | r.r11) == 0,
	   "11: scratch registers are clean");
	ok((r.flags & (0x40000 | 0x400 | 0x100)) == 0, "11: AC, DF and TF are clear");
	ok((r.flags & 0x200) != 0, "11: interrupts are on");
}

static void single_step(void)
{
	struct registers r = { .rax = privnr_first, .flags = 0x302 };

	memset(&fault, 0, sizeof(fault));
	trying = true;
	if (sigsetjmp(back, 1) == 0)
		call_with_registers(&r, &priv_gate_);
	trying = false;
	ok(fault.rip < PRIVUSER_BASE || fault.rip > PRIVUSER_END,
	   "11: single-stepping does not follow into PrivUser");
}

/* ---- 14 ---- */

static int child_changes(uint64_t unused, uint64_t unused2)
{
	(void)unused;
	(void)unused2;
	catch_faults();
	if (privcall(first) != (0x91 ^ SECRET_MASK) || privcall(change, 7) != 0)
		return 1;
	return try(do_read, secret, 0) == SIGSEGV || !on ? (int)privcall(first) : 2;
}

static int exec_self(uint64_t unused, uint64_t unused2)
{
	(void)unused;
	(void)unused2;
	execl("/proc/self/exe", "attacks", "--no-init", NULL);
	return 99;
}

static void children(void)
{
	int status = in_child(child_changes, 0, 0);

	ok(EXITED(status) == 7 && privcall(intact) == 1,
	   "14: a forked child has a copy of its own");
	status = in_child(exec_self, 0, 0);
	ok(EXITED(status) == 3, "14: after exec nothing is left of it");
}

/* ---- 15 ---- */

#define THREADS 6
#define ROUNDS  3000
static volatile sig_atomic_t ticks, inside;
static volatile int running;

static void on_tick(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *u = context;
	uint64_t cs = (uint64_t)u->uc_mcontext.gregs[REG_CSGSFS] & 0xffff;

	(void)sig;
	(void)info;
	ticks++;
	if ((cs & 3) != 3 || (uint64_t)u->uc_mcontext.gregs[REG_RSP] < 0x100000000ull)
		inside++;
}

static void *worker(void *arg)
{
	uint32_t seed = (uint32_t)(uintptr_t)arg * 7919;
	long wrong = 0;

	for (int i = 0; i < 12; i++) {
		wrong += privcall(work, seed + (uint32_t)i, ROUNDS) !=
			 work_result(seed + (uint32_t)i, ROUNDS);
		wrong += privcall(heap_work, 30) != 0;
		wrong += privcall(nothing) != 0;
	}
	return (void *)wrong;
}

static void threads(void)
{
	struct sigaction a = { .sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct itimerval fast = { { 0, 1000 }, { 0, 1000 } }, none = { 0 };
	pthread_t t[THREADS];
	long wrong = 0;

	sigaction(SIGALRM, &a, NULL);
	setitimer(ITIMER_REAL, &fast, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, worker, (void *)(uintptr_t)(i + 1));
	for (int i = 0; i < THREADS; i++) {
		void *r;

		pthread_join(t[i], &r);
		wrong += (long)r;
	}
	setitimer(ITIMER_REAL, &none, NULL);
	printf("# %d timer signals\n", (int)ticks);
	ok(wrong == 0, "15: threads inside at once, preempted, are right");
	ok(ticks > 0 && (inside == 0 || !on), "15: signals wait until the thread is in ring 3");
	ok(privcall(intact) == 1, "15: nothing was damaged");
}

/* ---- 17 ---- */

/* Looks for the secret, or half of it, in [start, end), as far as it can be read. */
static const uint8_t *volatile found;
static void seek(uint64_t start, uint64_t end)
{
	for (uint64_t a = start; a + SECRET_LEN / 2 <= end; a++) {
		unsigned n = 0;

		while (n < SECRET_LEN / 2 &&
		       (*(volatile uint8_t *)(a + n) ^ SECRET_MASK) == (uint8_t)SECRET_MASKED[n])
			n++;
		if (n == SECRET_LEN / 2) {
			found = (const uint8_t *)a;
			return;
		}
	}
}

static void over_read(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start, end, areas = 0, shown = 0;
	char line[512];

	while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
		if (sscanf(line, "%lx-%lx", &start, &end) != 2)
			continue;
		areas++;
		shown += strstr(line, "[privuser") != NULL && strstr(line, "---p") != NULL;
		(void)try(seek, start, end);
	}
	if (maps != NULL)
		fclose(maps);
	printf("# %lu areas looked through\n", areas);
	ok(!on || shown == 4, "13: /proc/self/maps shows four areas without rights");
	attack(found != NULL, "17: over-read of all memory of the process");
}

int main(int argc, char **argv)
{
	catch_faults();
	if (argc > 1 && strcmp(argv[1], "--no-init") == 0)
		return try(do_lcall, PRIVUSER_SEL_ENTER, 0) == SIGSEGV &&
				       try(do_read, PRIVUSER_BASE, 0) == SIGSEGV
			       ? 3
			       : 4;
	bad_setups();
	if (!privuser_up(NULL))
		return 1;
	ok(privcall(load) == 0, "the secret is read inside");
	secret = LOW(privcall(where_secret));
	copy = LOW(privcall(where_copy));
	target = LOW(privcall(where_target));
	stack = LOW(privcall(where_stack));
	direct_access();
	second_setup();
	numbers();
	registers();
	if (on) {
		single_step();
		transfers();
		pushes();
		escapes();
		addresses();
		privileged();
	}
	changes();
	children();
	threads();
	over_read();
	printf("1..%d\n", tests);
	return failures != 0;
}
