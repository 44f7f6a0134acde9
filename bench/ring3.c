/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The private part of a program, the same 32-bit code, in ring 3: what bench/ring3.py puts into the
 * library in place of the set-up and the gates. Nothing is isolated, nothing is copied by the
 * kernel, and a call costs two far jumps: this is what PrivUser is measured against. For programs
 * of one thread.
 */
#pragma GCC visibility push(default) /* what includes this has set it for its own names */
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#pragma GCC visibility pop

#define USER_CODE32 0x1b
#define USER_CODE   0x2b
#define STACK       65536u
#define ARGUMENTS   48u

__attribute__((used)) static uint64_t ring3_sp;    /* of the caller, in 64 bits */
__attribute__((used)) static uint32_t ring3_stack; /* the private part's, with the arguments */
static __attribute__((used)) struct ring3_target {
	uint32_t offset;
	uint16_t selector;
} ring3_entry, ring3_return = { 0, USER_CODE32 };

/*
 * ring3_enter_: from the program to the entry of the private part, arguments in the registers of a
 * privcall. ring3_back: its end. ring3_call: a system call of the private part.
 */
__asm__(".text\n"
	"	.globl ring3_enter_\n"
	"	.hidden ring3_enter_\n"
	"ring3_enter_:\n"
	"	pushq %rbx\n"
	"	pushq %rbp\n"
	"	movq %rsp, ring3_sp(%rip)\n"
	"	movl ring3_stack(%rip), %r11d\n"
	"	movq %rdi, 0(%r11)\n"
	"	movq %rsi, 8(%r11)\n"
	"	movq %rdx, 16(%r11)\n"
	"	movq %r10, 24(%r11)\n"
	"	movq %r8, 32(%r11)\n"
	"	movq %r9, 40(%r11)\n"
	"	movl %r11d, %esp\n"
	"	ljmp *ring3_entry(%rip)\n"
	"ring3_back:\n"
	"	movq ring3_sp(%rip), %rsp\n"
	"	movslq %eax, %rax\n"
	"	popq %rbp\n"
	"	popq %rbx\n"
	"	ret\n"
	"ring3_call:\n"
	"	movl %esp, %r8d\n"
	"	movl (%r8), %r9d\n"
	"	movl %r9d, ring3_return(%rip)\n"
	"	addl $4, %r8d\n"
	"	movq ring3_sp(%rip), %rsp\n"
	"	andq $-16, %rsp\n"
	"	pushq %r8\n"
	"	pushq %rcx\n"
	"	pushq %rdx\n"
	"	pushq %rsi\n"
	"	pushq %rdi\n"
	"	pushq %rbp\n"
	"	movl %esi, %r8d\n"
	"	movl %edx, %r9d\n"
	"	movl %ecx, %edx\n"
	"	movl %r9d, %ecx\n"
	"	movl %ebx, %esi\n"
	"	movl %eax, %edi\n"
	"	call ring3_serve\n"
	"	popq %rbp\n"
	"	popq %rdi\n"
	"	popq %rsi\n"
	"	popq %rdx\n"
	"	popq %rcx\n"
	"	popq %r8\n"
	"	movl %r8d, %esp\n"
	"	ljmp *ring3_return(%rip)\n");
extern const char ring3_back[] __attribute__((visibility("hidden")));
extern const char ring3_call[] __attribute__((visibility("hidden")));

static struct priv_places places;

static long answer(long r)
{
	return r < 0 ? -errno : r;
}

static long size_of(int fd)
{
	struct stat s;

	return fstat(fd, &s) != 0 ? -errno : (long)s.st_size;
}

#define AT(number) ((void *)(uintptr_t)(number))

/* enum privuser_call, by the kernel's ordinary system calls. */
__attribute__((used)) static long ring3_serve(uint32_t nr, uint32_t b, uint32_t c, uint32_t d,
					      uint32_t s)
{
	void *theirs = AT(d | (uint64_t)s << 32);

	switch (nr) {
	case PRIVUSER_OPEN: return answer(open(AT(b), O_RDONLY | O_CLOEXEC | O_NOCTTY));
	case PRIVUSER_READ: return answer(read((int)b, AT(c), d));
	case PRIVUSER_CLOSE: return answer(close((int)b));
	case PRIVUSER_SIZE: return size_of((int)b);
	case PRIVUSER_RANDOM: return getrandom(AT(b), c, 0) == (ssize_t)c ? 0 : -EIO;
	case PRIVUSER_COPY_IN: memcpy(AT(b), theirs, c); return 0;
	case PRIVUSER_COPY_OUT: memcpy(theirs, AT(b), c); return 0;
	case PRIVUSER_YIELD: return answer(sched_yield());
	case PRIVUSER_PLACES: memcpy(AT(b), &places, sizeof(places)); return 0;
	case PRIVUSER_ABORT: abort();
	default: return -ENOSYS;
	}
}

static int map_at(uint64_t at, uint64_t len)
{
	void *p = mmap(AT(at), len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	return p == AT(at) ? 0 : -1;
}

/* Two jumps below 4 GiB, which 32-bit code can name. */
static int make_doors(void)
{
	static const unsigned char jump[] = { 0xff, 0x25, 0, 0, 0, 0 };
	const char *const targets[] = { ring3_back, ring3_call };
	char *page = AT(RING3_DOORS);

	if (map_at(RING3_DOORS, 4096) != 0)
		return -1;
	for (unsigned i = 0; i < 2; i++) {
		memcpy(page + 16 * i, jump, sizeof(jump));
		memcpy(page + 16 * i + sizeof(jump), &targets[i], sizeof(targets[i]));
	}
	return mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

/* In place of ioctl(PRIVUSER_SETUP). */
static int ring3_setup(struct privuser_setup *s)
{
	uint64_t data = s->base + PAGE_UP(s->code_len);
	uint64_t heap = data + PAGE_UP((uint64_t)s->data_len + s->bss_len);
	uint64_t stack = heap + PAGE_UP(s->heap_len), window = stack + STACK;

	if (make_doors() != 0 || map_at(s->base, window + PAGE_UP(s->window_len) - s->base) != 0)
		return -1;
	memcpy(AT(s->base), AT(s->code_src), s->code_len);
	memcpy(AT(data), AT(s->data_src), s->data_len);
	if (mprotect(AT(s->base), data - s->base, PROT_READ | PROT_EXEC) != 0)
		return -1;
	places = (struct priv_places){ (uint32_t)heap, (uint32_t)stack, (uint32_t)window,
				       (uint32_t)(window + PAGE_UP(s->window_len)) };
	ring3_stack = (uint32_t)window - ARGUMENTS;
	ring3_entry = (struct ring3_target){ s->entry, USER_CODE32 };
	s->heap_base = heap;
	s->window_base = window;
	s->isolated = 0;
	return 0;
}
