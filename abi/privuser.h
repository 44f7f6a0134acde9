/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PrivUser: the protected layer of a process in ring 2 (LOTRx86, docs/life-of-a-privcall.md).
 *
 * A process opens /dev/privuser, sets PrivUser up once, and it is locked: code and data are copied
 * into supervisor pages below 4 GiB, which ring 3 can neither reach nor change, by no system call.
 * From then on the only way in is a far call through the gate PRIVUSER_SEL_ENTER, the only way out
 * the gate PRIVUSER_SEL_EXIT. No system call is involved in either.
 *
 * Programs use user/lib/privcall.h; this is what lies below. Usable from C and assembly, 32 and 64
 * bits.
 */
#pragma once

/* ---- selectors in the LDT of a process that has PrivUser ---- */

#define PRIVUSER_SEL_GATE_CS 0x0d /* ring 1, 64-bit: the two gates, nothing else runs there */
#define PRIVUSER_SEL_CS      0x16 /* ring 2, 32-bit */
#define PRIVUSER_SEL_DS      0x1e /* ring 2; also SS */
#define PRIVUSER_SEL_ENTER   0x27 /* call gate for ring 3: two slots */
#define PRIVUSER_SEL_EXIT    0x36 /* call gate for ring 2: two slots */
#define PRIVUSER_LDT_LEN     8    /* slots of 8 bytes */

/*
 * ---- a privcall ----
 * Ring 3: rax = number, rdi, rsi, rdx, r10, r8, r9 = arguments, then LCALL through a far pointer
 * with PRIVUSER_SEL_ENTER (the offset is not looked at). After it: rax = result; rcx, rdx, rsi,
 * rdi, r8 to r11 = 0; rbx, rbp, rsp, r12 to r15 as before; arithmetic flags, DF, AC clear. FPU,
 * SSE and AVX registers are not touched by the gates; PrivUser code must not use them
 * (ringfence-cc compiles it without).
 *
 * PrivUser is entered at `entry` with CS, SS loaded; DS, ES are not: eax = number, and at esp six
 * slots of eight bytes: the arguments. Flags are clear. It leaves with eax = result and a far call
 * to PRIVUSER_SEL_EXIT:0. The result is sign-extended to 64 bits.
 *
 * Results below 0 are negative errno values. Those that do not come from the routine called:
 */
#define PRIVUSER_ENOSYS (-38) /* no such number: 0, too large, or with a dirty upper half */
#define PRIVUSER_EAGAIN (-11) /* more threads than max_threads: this one has no stack */
#define PRIVUSER_ENXIO  (-6)  /* PrivUser was dropped by fork (PRIVUSER_FORK_COPY was not set) */
/*
 * A process without PrivUser that calls the gate gets SIGSEGV. A fault inside PrivUser (a page that
 * is not its own, a privileged instruction, a division by zero) ends the process with SIGSEGV; no
 * handler runs, and the report has no register and no memory in it.
 */

/* ---- set-up: ioctl(open("/dev/privuser"), PRIVUSER_SETUP, struct privuser_setup *) ---- */

#define PRIVUSER_VERSION 1
#define PRIVUSER_SETUP   0xc0605001ul /* _IOWR('P', 1, struct privuser_setup) */
#define PRIVUSER_STATUS  0x80105002ul /* _IOR('P', 2, struct privuser_status) */

/* Where ringfence-cc links PrivUser. Any page-aligned place up to PRIVUSER_END is allowed. */
#define PRIVUSER_BASE 0xc0000000
#define PRIVUSER_END  0xfffff000

/* flags: a forked child gets a private copy. Without it the child has none, and cannot set up. */
#define PRIVUSER_FORK_COPY 1u

#define PRIVUSER_THREADS_MAX 1024u

#if !defined(__ASSEMBLER__)
#include <stdint.h>

/*
 * PrivUser takes one range [base, base + size), in this order, each rounded up to whole pages:
 *   code    code_len bytes copied from code_src; read and execute
 *   data    data_len bytes copied from data_src, then bss_len zeros; read and write
 *   heap    heap_len zeros; read and write. Memory is taken when it is touched
 *   stacks  max_threads of stack_len, each above a page that is never there
 * and behind it lies the window: window_len bytes of ordinary memory that both sides can address.
 * The range must be free, and stays as it is until exec or exit: munmap, mprotect, mremap, madvise,
 * MAP_FIXED and the like over any of it, window included, answer EPERM and change nothing.
 *
 * Errors, with nothing changed: EBUSY this process has had its set-up (also when fork dropped it);
 * EINVAL a version, length, alignment, flag or entry that cannot be, or a range that wraps or
 * leaves [64 KiB, PRIVUSER_END); EEXIST something is mapped in the range; EFAULT a source that
 * cannot be read; ENOMEM; EOPNOTSUPP this processor lacks SMEP or SMAP, or PrivUser is not built
 * in.
 */
struct privuser_setup {
	uint32_t version; /* PRIVUSER_VERSION */
	uint32_t flags;   /* PRIVUSER_FORK_COPY */
	uint64_t code_src, data_src;
	uint32_t base;    /* address of the code */
	uint32_t entry;   /* in the code */
	uint32_t code_len, data_len, bss_len, heap_len;
	uint32_t stack_len;   /* of one thread: 4 KiB to 1 MiB */
	uint32_t max_threads; /* 1 to PRIVUSER_THREADS_MAX, those that exist at once */
	uint32_t window_len;  /* up to 16 MiB; 0: none */
	uint32_t reserved;    /* 0 */
	uint64_t filter;      /* bit n: PrivUser may make call n of enum privuser_call */
	/* results */
	uint64_t heap_base, window_base;
	uint32_t isolated; /* 1; 0 when the run configuration switched the protection off */
	uint32_t reserved2;
};

struct privuser_status {
	uint32_t state;    /* enum privuser_state */
	uint32_t isolated; /* as above */
	uint32_t threads, max_threads;
};
enum privuser_state { PRIVUSER_NONE, PRIVUSER_LOCKED, PRIVUSER_DROPPED };

/*
 * ---- system calls of PrivUser: int 0x80, from ring 2 only ----
 * eax = number, ebx, ecx, edx, esi = arguments; result in eax, negative errno values for errors; no
 * other register changes. Pointers name PrivUser memory, all of it and nothing else, except where
 * it says ring-3 address: those are given in 64 bits and must name memory that ring 3 itself could
 * reach. EPERM: the filter does not have the call. A signal that comes while a call sleeps ends it
 * with EINTR; it is delivered when the thread is back in ring 3.
 *
 * Files are PrivUser's own: their numbers mean nothing to ring 3, and no descriptor of ring 3
 * can be named. Rights are those of the process, and in addition files that the run configuration
 * names as secret= can be opened here, and only here; where it has secret-code= as well, only if
 * one of these is the SHA-256, in hexadecimal digits, of what was set up: base, entry, code_len,
 * data_len, bss_len and filter, each as eight bytes, then the code, then the data.
 */
enum privuser_call {
	PRIVUSER_OPEN,     /* ebx path, for reading: file number */
	PRIVUSER_READ,     /* ebx file, ecx buffer, edx bytes: bytes read, 0 at the end */
	PRIVUSER_CLOSE,    /* ebx file */
	PRIVUSER_SIZE,     /* ebx file: bytes; EOVERFLOW from 2 GiB on */
	PRIVUSER_RANDOM,   /* ebx buffer, ecx bytes */
	PRIVUSER_COPY_IN,  /* ebx to, ecx bytes, esi:edx ring-3 address (upper:lower half) */
	PRIVUSER_COPY_OUT, /* ebx from, ecx bytes, esi:edx ring-3 address */
	PRIVUSER_YIELD,    /* let other threads run */
	PRIVUSER_ABORT,    /* end the process as a fault in PrivUser does; cannot be filtered */
	PRIVUSER_PLACES,   /* ebx four words: heap, its end, window, its end; cannot be filtered */
	PRIVUSER_CALLS
};
#define PRIVUSER_FILES 16 /* open at once */
#endif
