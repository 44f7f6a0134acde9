/* SPDX-License-Identifier: BSD-2-Clause */
/* What the macros of privcall.h are made of. Not for use by itself. */
#pragma once

#include <stdint.h>

#define PRIV_CAT__(a, b) a##b
#define PRIV_CAT_(a, b)  PRIV_CAT__(a, b)

/* How many arguments, 0 to 6. */
#define PRIV_COUNT_(...)                       PRIV_NTH_(0, ##__VA_ARGS__, 6, 5, 4, 3, 2, 1, 0)
#define PRIV_NTH_(z, a, b, c, d, e, f, n, ...) n

#if !defined(PRIVUSER)

#define PRIV_ARG_(x) ((uint64_t)(uintptr_t)(x))

/* priv_init()'s answer; below 0: no call goes through. */
extern int priv_state_ __attribute__((visibility("hidden")));

#if defined(PRIV_PLAIN_BUILD)
#define PRIV_DECLARE_(name) \
	extern long privw_##name(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t)
#define PRIV_CALL_(name, a, b, c, d, e, f, ...)                                                 \
	(priv_state_ < 0 ? (long)priv_state_                                                    \
			 : privw_##name(PRIV_ARG_(a), PRIV_ARG_(b), PRIV_ARG_(c), PRIV_ARG_(d), \
					PRIV_ARG_(e), PRIV_ARG_(f)))
#else
/* The number, made by ringfence-cc when it links. */
#define PRIV_DECLARE_(name) extern const uint32_t privnr_##name
#define PRIV_CALL_(name, a, b, c, d, e, f, ...)                                            \
	priv_enter_(privnr_##name, PRIV_ARG_(a), PRIV_ARG_(b), PRIV_ARG_(c), PRIV_ARG_(d), \
		    PRIV_ARG_(e), PRIV_ARG_(f))

/* The far pointer to the gate. */
extern const struct priv_gate_ {
	uint32_t offset;
	uint16_t selector;
} priv_gate_ __attribute__((visibility("hidden")));

static inline long priv_enter_(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
			       uint64_t e, uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;

	if (__builtin_expect(priv_state_ < 0, 0))
		return priv_state_;
	__asm__ volatile("lcall *%7"
			 : "+a"(nr), "+D"(a), "+S"(b), "+d"(c), "+r"(r10), "+r"(r8), "+r"(r9)
			 : "m"(priv_gate_)
			 : "rcx", "r11", "cc", "memory");
	return (long)nr;
}
#endif

#else /* PRIVUSER */

#define PRIV_T_(t, a) t
#define PRIV_D_(t, a) t a

/*
 * The gate lays six 64-bit slots on the stack, and the call of this function puts its return
 * address below them: they are its arguments.
 */
#define PRIV_WRAPPER_(name, call)                                                                \
	long privw_##name(uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5,       \
			  uint64_t a6);                                                          \
	long privw_##name(uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5,       \
			  uint64_t a6)                                                           \
	{                                                                                        \
		(void)a1, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6;                      \
		return call;                                                                     \
	}                                                                                        \
	extern long (*const privent_##name)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,    \
					    uint64_t);                                           \
	long (*const privent_##name)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t) \
		__attribute__((used, section(".privcalls"))) = privw_##name;

#define PRIV_DEFINE0(name)                      \
	static long priv_call_##name(void);     \
	PRIV_WRAPPER_(name, priv_call_##name()) \
	static long priv_call_##name(void)
#define PRIV_DEFINE1(name, p)                                \
	static long priv_call_##name(PRIV_D_ p);             \
	PRIV_WRAPPER_(name, priv_call_##name((PRIV_T_ p)a1)) \
	static long priv_call_##name(PRIV_D_ p)
#define PRIV_DEFINE2(name, p, q)                                            \
	static long priv_call_##name(PRIV_D_ p, PRIV_D_ q);                 \
	PRIV_WRAPPER_(name, priv_call_##name((PRIV_T_ p)a1, (PRIV_T_ q)a2)) \
	static long priv_call_##name(PRIV_D_ p, PRIV_D_ q)
#define PRIV_DEFINE3(name, p, q, r)                                                        \
	static long priv_call_##name(PRIV_D_ p, PRIV_D_ q, PRIV_D_ r);                     \
	PRIV_WRAPPER_(name, priv_call_##name((PRIV_T_ p)a1, (PRIV_T_ q)a2, (PRIV_T_ r)a3)) \
	static long priv_call_##name(PRIV_D_ p, PRIV_D_ q, PRIV_D_ r)
#define PRIV_DEFINE4(name, p, q, r, s)                                                    \
	static long priv_call_##name(PRIV_D_ p, PRIV_D_ q, PRIV_D_ r, PRIV_D_ s);         \
	PRIV_WRAPPER_(name, priv_call_##name((PRIV_T_ p)a1, (PRIV_T_ q)a2, (PRIV_T_ r)a3, \
					     (PRIV_T_ s)a4))                              \
	static long priv_call_##name(PRIV_D_ p, PRIV_D_ q, PRIV_D_ r, PRIV_D_ s)
#define PRIV_DEFINE5(name, p, q, r, s, t)                                                    \
	static long priv_call_##name(PRIV_D_ p, PRIV_D_ q, PRIV_D_ r, PRIV_D_ s, PRIV_D_ t); \
	PRIV_WRAPPER_(name, priv_call_##name((PRIV_T_ p)a1, (PRIV_T_ q)a2, (PRIV_T_ r)a3,    \
					     (PRIV_T_ s)a4, (PRIV_T_ t)a5))                  \
	static long priv_call_##name(PRIV_D_ p, PRIV_D_ q, PRIV_D_ r, PRIV_D_ s, PRIV_D_ t)
#define PRIV_DEFINE6(name, p, q, r, s, t, u)                                                \
	static long priv_call_##name(PRIV_D_ p, PRIV_D_ q, PRIV_D_ r, PRIV_D_ s, PRIV_D_ t, \
				     PRIV_D_ u);                                            \
	PRIV_WRAPPER_(name, priv_call_##name((PRIV_T_ p)a1, (PRIV_T_ q)a2, (PRIV_T_ r)a3,   \
					     (PRIV_T_ s)a4, (PRIV_T_ t)a5, (PRIV_T_ u)a6))  \
	static long priv_call_##name(PRIV_D_ p, PRIV_D_ q, PRIV_D_ r, PRIV_D_ s, PRIV_D_ t, \
				     PRIV_D_ u)

#endif
