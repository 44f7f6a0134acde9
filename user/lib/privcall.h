/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libprivcall: secrets, and the code that uses them, where the rest of the program cannot reach
 * them.
 *
 * A program has two parts. The ordinary part (ring 3, 64 bits) is what it always was. The private
 * part (PrivUser: ring 2, 32 bits) is in source files that end in `.priv.c`, is compiled and linked
 * by ringfence-cc, and is reached only by the calls it defines:
 *
 *   key.priv.c                                      main.c
 *   #include <privcall.h>                           #include <privcall.h>
 *   PRIV_SECRET static uint8_t key[32];             PRIVCALL(tag);
 *   PRIVCALL_DEFINE(tag, (priv_uaddr, msg),         ...
 *                        (uint32_t, len),           if (priv_init(NULL) < 0)
 *                        (priv_uaddr, out))                 return 1;
 *   {                                               r = privcall(tag, msg, len, out);
 *           ...
 *   }
 *
 *   ringfence-cc -o prog main.c key.priv.c
 *
 * The same header serves both parts; ringfence-cc defines PRIVUSER for the private one. With
 * `ringfence-cc --plain` both parts become one ordinary program for plain Linux, and priv_init()
 * says on standard error that nothing is isolated.
 *
 * The private part is freestanding C: what this header declares, <stdint.h>, <stddef.h>,
 * <stdbool.h>, <limits.h>, and the functions of <string.h> listed below. int, long and pointers
 * have 32 bits there. It has no floating point and no vector registers, its own heap, and nothing
 * of the C library. See privcall(3) and ringfence-cc(1).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "privcall_impl.h"

/* An address of ring 3, as a number; only priv_copy_in() and priv_copy_out() look behind it. */
typedef uint64_t priv_uaddr;

#ifdef __cplusplus
extern "C" {
#endif

#if !defined(PRIVUSER)
/* ======================= the ordinary part ======================= */

struct priv_options {
	uint32_t heap;    /* bytes; default 4 MiB. Memory is taken when it is touched */
	uint32_t stack;   /* bytes per thread; default 64 KiB, at most 1 MiB */
	uint32_t threads; /* that exist at once; default 64, at most 1024 */
	uint32_t window;  /* bytes of the argument window; default 256 KiB, at most 16 MiB */
	uint32_t no_fork; /* 1: a forked child does not get a copy; privcalls there give -ENXIO */
	uint32_t quiet;   /* 1: no message on standard error; the result says it all */
};

/*
 * Load and lock the private part; call it early, once, before there is anything to steal. NULL:
 * defaults. Further calls answer what the first one did. Thread-safe.
 *
 * PRIV_ISOLATED, PRIV_OFF or PRIV_PLAIN when privcalls work from now on, else a negative errno
 * value (-ENODEV: this kernel is not Ringfence's; -EBUSY: another library of this program has set
 * up PrivUser; others: abi/privuser.h), and then every privcall answers it, too. Unless `quiet`,
 * the reason, and anything but PRIV_ISOLATED, is told on standard error.
 */
int priv_init(const struct priv_options *options);
#define PRIV_ISOLATED 0 /* in ring 2 */
#define PRIV_OFF      1 /* the run configuration has switched the protection off */
#define PRIV_PLAIN    2 /* built with --plain: nothing is isolated */

/* What priv_init() answered; -ENXIO before it, or in a child that has no copy. */
int priv_state(void);

/*
 * Announce a call of the private part to a file of the ordinary part; once, at file scope.
 * (ringfence-cc also writes these lines, and prototypes in comments, with --header=FILE.)
 */
#define PRIVCALL(name) PRIV_DECLARE_(name)

/*
 * long privcall(name, ...): call it with up to six arguments (integers or pointers; they arrive as
 * the types that PRIVCALL_DEFINE names). Answers what the routine returns, a 32-bit value with
 * sign; or an error value: -ENOSYS, -EAGAIN, -ENXIO as in abi/privuser.h, or what priv_init()
 * answered. Needs no system call, may be used by many threads at once, not in a signal handler that
 * interrupted a call of priv_init().
 */
#define privcall(name, ...) PRIV_CALL_(name, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

/*
 * Memory in the argument window, which both parts reach at once: buffers elsewhere cost a system
 * call for each copy. It is ordinary memory; nothing in it is protected. NULL: full, or no window.
 */
void *priv_window_alloc(size_t bytes);
void priv_window_free(void *p);

#else
/* ======================= the private part ======================= */

/*
 * Define a call: PRIVCALL_DEFINE(name, (type, argument), ... up to six) { body } makes a function
 * `long name(type argument, ...)` that ring 3 calls by privcall(name, ...). Arguments arrive in 64
 * bits and are converted to their types, which are integers (an address of ring 3 is a priv_uaddr).
 * What they say is the attacker's word: check it. Names are global in the program.
 */
#define PRIVCALL_DEFINE(name, ...) \
	PRIV_CAT_(PRIV_DEFINE, PRIV_COUNT_(__VA_ARGS__))(name, ##__VA_ARGS__)

/*
 * A variable for secrets. All variables of this part are out of reach of ring 3; this one can
 * moreover have no initial value (a compile error), because that would stand in the program's file.
 */
#define PRIV_SECRET __attribute__((section(".bss.priv_secret")))

/*
 * Copy between this part's memory and ring 3's. The ring-3 range may be anywhere that ring 3 could
 * reach itself; it never names memory of this part. 0 or -EFAULT (part may have been copied). Copy
 * an input once, then check the copy: ring 3 may change the original at any time.
 */
int priv_copy_in(void *to, priv_uaddr from, size_t bytes);
int priv_copy_out(priv_uaddr to, const void *from, size_t bytes);

/*
 * Memory of this part, zeroed when given back. NULL: no room. Thread-safe.
 */
void *priv_malloc(size_t bytes);
void *priv_calloc(size_t n, size_t bytes);
void priv_free(void *p); /* NULL is allowed */
/* Overwrite with zeros; never optimised away. */
void priv_zero(void *p, size_t bytes);

/* Random bytes from the kernel. 0, or a negative errno value: then use nothing. */
int priv_random(void *to, size_t bytes);

/* Files, for reading. Numbers or a negative errno value. */
int priv_open(const char *path);
int priv_read(int file, void *to, size_t bytes);
int priv_close(int file);
/*
 * A whole file of at most `max` bytes into fresh memory, with a NUL behind it that does not count
 * (priv_free it). 0; -EFBIG when it is longer; errors of open and read.
 */
int priv_read_file(const char *path, size_t max, void **data, size_t *bytes);

/* A lock between threads; {0} is free. Held only inside one privcall. */
typedef struct {
	volatile uint32_t word;
} priv_lock_t;
void priv_lock(priv_lock_t *l);
void priv_unlock(priv_lock_t *l);

/* End the process: something is wrong that must not go on. Nothing is shown. */
void priv_abort(void) __attribute__((noreturn));

/* Of the C library: */
void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *p, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *p, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strstr(const char *s, const char *what);
#endif

#ifdef __cplusplus
}
#endif
