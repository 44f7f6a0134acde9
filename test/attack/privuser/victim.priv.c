/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The private part of the attacked program: a secret, honest calls, and a call that does what a
 * hijacked PrivUser would try.
 */
#include <privcall.h>

#include "abi/privuser.h"
#include "victim.h"

PRIV_SECRET static uint8_t secret[SECRET_LEN];
/* A page that system calls are pointed at: whoever reads it shows it, whoever writes it is seen. */
#define MARKER "RINGFENCE-MARKER"
static uint8_t target[8192] __attribute__((aligned(4096)));
static uint8_t *copy; /* of the secret, on the heap */

PRIVCALL_DEFINE(nothing)
{
	return 0;
}

PRIVCALL_DEFINE(load)
{
	void *data;
	size_t bytes;
	int err = priv_read_file(SECRET_FILE, SECRET_LEN, &data, &bytes);

	if (err < 0)
		return err;
	if (bytes != SECRET_LEN)
		return -1;
	memcpy(secret, data, SECRET_LEN);
	priv_free(data);
	copy = priv_malloc(SECRET_LEN);
	if (copy == NULL)
		return -2;
	memcpy(copy, secret, SECRET_LEN);
	for (size_t i = 0; i < sizeof(target); i += sizeof(MARKER) - 1)
		memcpy(target + i, MARKER, sizeof(MARKER) - 1);
	return 0;
}

/* Is all as load() left it? 1. */
PRIVCALL_DEFINE(intact)
{
	for (size_t i = 0; i < SECRET_LEN; i++)
		if ((secret[i] ^ SECRET_MASK) != (uint8_t)SECRET_MASKED[i])
			return 0;
	for (size_t i = 0; i < sizeof(target); i += sizeof(MARKER) - 1)
		if (memcmp(target + i, MARKER, sizeof(MARKER) - 1) != 0)
			return 0;
	return memcmp(copy, secret, SECRET_LEN) == 0;
}

PRIVCALL_DEFINE(where_secret)
{
	return (long)(uintptr_t)secret;
}

PRIVCALL_DEFINE(where_copy)
{
	return (long)(uintptr_t)copy;
}

PRIVCALL_DEFINE(where_target)
{
	return (long)(uintptr_t)target;
}

PRIVCALL_DEFINE(where_stack)
{
	return (long)(uintptr_t)__builtin_frame_address(0);
}

/*
 * Marks in the uppermost part of the stack, below what a call uses: nothing changes them between
 * two calls.
 */
#define MARK_AT    256u
#define MARK_BYTES 64u

static volatile uint8_t *mark_of(void *frame)
{
	__asm__("" : "+r"(frame));
	return (volatile uint8_t *)frame - MARK_AT;
}

PRIVCALL_DEFINE(stack_mark)
{
	volatile uint8_t *m = mark_of(__builtin_frame_address(0));

	for (uint32_t i = 0; i < MARK_BYTES; i++)
		m[i] = (uint8_t)(0x5a + i);
	return 0;
}

PRIVCALL_DEFINE(stack_marked)
{
	volatile const uint8_t *m = mark_of(__builtin_frame_address(0));

	for (uint32_t i = 0; i < MARK_BYTES; i++)
		if (m[i] != (uint8_t)(0x5a + i))
			return 0;
	return 1;
}

PRIVCALL_DEFINE(change, (uint32_t, byte))
{
	secret[0] = (uint8_t)byte;
	return 0;
}

PRIVCALL_DEFINE(first)
{
	return secret[0];
}

/* Registers that no caller may see. */
PRIVCALL_DEFINE(poison)
{
	uint32_t a = 0x5ec2e700, c, d, s, e;

	__asm__ volatile("movl $0x5ec2e701, %%ecx\n\tmovl $0x5ec2e702, %%edx\n\t"
			 "movl $0x5ec2e703, %%esi\n\tmovl $0x5ec2e704, %%edi\n\t"
			 "pushl %%ebx\n\tpushl %%ebp\n\tmovl $0x5ec2e705, %%ebx\n\t"
			 "movl $0x5ec2e706, %%ebp\n\tpopl %%ebp\n\tpopl %%ebx"
			 : "=c"(c), "=d"(d), "=S"(s), "=D"(e), "+a"(a));
	return (long)((a ^ c ^ d ^ s ^ e) & 0x7fffffff);
}

PRIVCALL_DEFINE(work, (uint32_t, seed), (uint32_t, rounds))
{
	return work_result(seed, rounds);
}

PRIVCALL_DEFINE(heap_work, (uint32_t, rounds))
{
	for (uint32_t i = 0; i < rounds; i++) {
		size_t n = 16 + i * 7 % 500;
		uint8_t *p = priv_malloc(n);

		if (p == NULL)
			return -1;
		memset(p, (int)i, n);
		for (size_t k = 0; k < n; k++)
			if (p[k] != (uint8_t)i)
				return -2;
		priv_free(p);
	}
	return 0;
}

/* Opens and reads a file, and may sleep for that. */
PRIVCALL_DEFINE(read_path, (priv_uaddr, name), (uint32_t, len))
{
	char path[64], byte;
	int file, n;

	if (len == 0 || len > sizeof(path) || priv_copy_in(path, name, len) != 0)
		return -1;
	path[len - 1] = '\0';
	file = priv_open(path);
	if (file < 0)
		return file;
	n = priv_read(file, &byte, 1);
	(void)priv_close(file);
	return n;
}

PRIVCALL_DEFINE(copy_in, (priv_uaddr, from), (uint32_t, bytes))
{
	static uint8_t room[4096];

	return bytes > sizeof(room) ? -1 : priv_copy_in(room, from, bytes);
}

PRIVCALL_DEFINE(copy_out, (priv_uaddr, to), (uint32_t, bytes))
{
	static const uint8_t room[4096];

	return bytes > sizeof(room) ? -1 : priv_copy_out(to, room, bytes);
}

/* ---- a hijacked PrivUser ---- */

#define STEP(number, ...)                                                                  \
	case number:                                                                       \
		__asm__ volatile(__VA_ARGS__ : : "a"(a), "b"(b) : "memory", "ecx", "edx"); \
		break

static __attribute__((noinline)) uint32_t recurse(uint32_t n)
{
	volatile uint8_t room[512];

	room[n % sizeof(room)] = (uint8_t)n;
	return n == 0 ? room[0] : recurse(n - 1) + room[n % sizeof(room)];
}

static long far_transfer(uint32_t what, uint32_t a, uint32_t b)
{
	struct {
		uint32_t offset;
		uint16_t selector;
	} __attribute__((packed)) to = { b, (uint16_t)a };

	switch (what) {
	case PROBE_LJMP: __asm__ volatile("ljmp *%0" ::"m"(to)); break;
	case PROBE_LRET: __asm__ volatile("pushl %0\n\tpushl %1\n\tlret" ::"r"(a), "r"(b)); break;
	case PROBE_IRET:
		__asm__ volatile("pushfl\n\tpushl %0\n\tpushl %1\n\tiret" ::"r"(a), "r"(b));
		break;
	case PROBE_USER64:
		__asm__ volatile(
			"pushl $0x23\n\tpushl %1\n\tpushl $0x2b\n\tpushl %0\n\tlret" ::"r"(a),
			"r"(b));
		break;
	default: break;
	}
	return -1;
}

static long bad_calls(uint32_t a)
{
	long r;

	/* Reads a file into memory that is not PrivUser's; the path lies outside, too. */
	__asm__ volatile("int $0x80" : "=a"(r) : "0"(PRIVUSER_OPEN), "b"(a) : "memory");
	if (r != -14)
		return -1;
	__asm__ volatile("int $0x80" : "=a"(r) : "0"(PRIVUSER_RANDOM), "b"(a), "c"(8) : "memory");
	if (r != -14)
		return -2;
	__asm__ volatile("int $0x80" : "=a"(r) : "0"(PRIVUSER_READ), "b"(99), "c"(target), "d"(8));
	if (r != -9)
		return -3;
	__asm__ volatile("int $0x80" : "=a"(r) : "0"(999));
	return r == -38 ? 0 : -4;
}

PRIVCALL_DEFINE(probe, (uint32_t, what), (uint32_t, a), (uint32_t, b))
{
	static uint8_t table[16];

	switch (what) {
		STEP(PROBE_READ, "movl (%%eax), %%ecx");
		STEP(PROBE_WRITE, "movl %%ebx, (%%eax)");
		STEP(PROBE_CALL, "call *%%eax");
		STEP(PROBE_READ_AC,
		     "pushfl\n\torl $0x40000, (%%esp)\n\tpopfl\n\tmovl (%%eax), %%ecx");
		STEP(PROBE_READ_WRAP, "movl 0x2000(%%eax), %%ecx");
		STEP(PROBE_READ_FS, "movl %%fs:(%%eax), %%ecx");
		STEP(PROBE_ENTER_GATE, "lcall $0x27, $0");
		STEP(PROBE_CLI, "cli");
		STEP(PROBE_STI, "sti");
		STEP(PROBE_HLT, "hlt");
		STEP(PROBE_IN, "movw $0x3f8, %%dx\n\tinb %%dx, %%al");
		STEP(PROBE_OUT, "movw $0xf4, %%dx\n\toutl %%eax, %%dx");
		STEP(PROBE_CR0, "movl %%cr0, %%ecx\n\tmovl %%ecx, %%cr0");
		STEP(PROBE_CR3, "movl %%eax, %%cr3");
		STEP(PROBE_CR4, "movl %%eax, %%cr4");
		STEP(PROBE_RDMSR, "movl $0xc0000082, %%ecx\n\trdmsr");
		STEP(PROBE_WRMSR, "movl $0xc0000080, %%ecx\n\txorl %%edx, %%edx\n\twrmsr");
		STEP(PROBE_LLDT, "lldt %%ax");
		STEP(PROBE_LTR, "ltr %%ax");
		STEP(PROBE_INVLPG, "invlpg (%%eax)");
		STEP(PROBE_CLTS, "clts");
		STEP(PROBE_WBINVD, "wbinvd");
		STEP(PROBE_SLDT, "sldt %%ax");
		STEP(PROBE_INT, "int $0x40");
		STEP(PROBE_SYSCALL, "syscall");
		STEP(PROBE_SYSENTER, "sysenter");
		STEP(PROBE_DS_KERNEL, "movw $0x10, %%cx\n\tmovw %%cx, %%ds");
		STEP(PROBE_SS_KERNEL, "movw $0x10, %%cx\n\tmovw %%cx, %%ss");
		STEP(PROBE_DIVIDE, "xorl %%ecx, %%ecx\n\txorl %%edx, %%edx\n\tdivl %%ecx");
		STEP(PROBE_UD2, "ud2");
	case PROBE_LGDT: __asm__ volatile("lgdt (%0)" ::"r"(table) : "memory"); break;
	case PROBE_LIDT: __asm__ volatile("lidt (%0)" ::"r"(table) : "memory"); break;
	case PROBE_SGDT: __asm__ volatile("sgdt (%0)" ::"r"(table) : "memory"); break;
	case PROBE_LJMP:
	case PROBE_LRET:
	case PROBE_IRET:
	case PROBE_USER64: return far_transfer(what, a, b);
	case PROBE_STACK: return (long)recurse(100000);
	case PROBE_ABORT: priv_abort();
	case PROBE_FILE_BAD: return bad_calls(a);
	default: break;
	}
	return 1234;
}
