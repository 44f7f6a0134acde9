/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The processor as the rest of the kernel sees it: traps, interrupts, time, FPU, user access. No
 * instruction here
 * can change a translation, a control register or an entry MSR: those are nk's (R1). */
#pragma once

#include "abi/boot.h"
#include "abi/err.h"
#include "abi/layout.h"
#include "abi/types.h"
#include "kernel/x86/frame.h"

/*
 * Registers of a program (or of the kernel, for a trap inside it), at the top of the thread's
 * kernel stack. The order is entry.S's. orig_rax: system call number, or -1 for traps and
 * interrupts; vector is
 * TRAP_SYSCALL for system calls. */
#define TRAP_SYSCALL 0x100
struct trapframe {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	uint64_t orig_rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

/* ---- entry (entry.S) ---- */

/*
 * Top of the current thread's kernel stack: SYSCALL and traps from ring 3 start there. Set on a
 * thread switch.
 */
extern uint64_t cur_kstack_top;

/*
 * Enter ring 3 with these registers; does not return. `tf` lies at the top of the current kernel
 * stack.
 */
NORETURN void x86_return_to_user(struct trapframe *tf);

/*
 * Switch kernel stacks: saves callee-saved registers on the current stack, stores rsp to *save_rsp,
 * loads rsp.
 */
void x86_switch_stack(uint64_t *save_rsp, uint64_t load_rsp);
/*
 * Make `top` (16-byte aligned end of a stack) a stack that x86_switch_stack can load: `entry` is
 * then called on it
 * as if by a call from nowhere, and must not return. Answers the value for load_rsp. */
uint64_t x86_prepare_stack(uint64_t top, void (*entry)(void));

/*
 * Called by entry.S on the thread's kernel stack, interrupts off. Defined by kernel/linux and
 * kernel/task: `syscall_dispatch` handles one system call (sets tf->rax), `user_return_work` runs
 * before each return to ring 3
 * when `user_work` is not 0 (signals, rescheduling). */
void syscall_dispatch(struct trapframe *tf);
void user_return_work(struct trapframe *tf);
extern uint32_t user_work;
/*
 * entry.S calls the function of a system call with a number below this itself, through
 * syscall_functions of kernel/linux: SYSCALL_LIMIT, or 0 when every call of the current thread is
 * watched. kernel/task sets it.
 */
extern uint32_t syscall_usual;
/* The calls of all threads are watched (--strace, --stats). */
extern bool watch_all_calls;
/* Numbers of the last system calls of this core; the newest is at recent_calls_at - 1. */
extern uint16_t recent_calls[256];
extern uint8_t recent_calls_at;
#define USER_WORK_RESCHED 1u
#define USER_WORK_SIGNAL  2u
/* this frame must go back by IRETQ with all registers (signal return, exec, ptrace) */
#define USER_WORK_SPECIAL 4u
/* other threads have run: a restartable sequence must not go on in its middle (task/rseq.c) */
#define USER_WORK_RSEQ 8u
/* not into the program while a fork copies its PrivUser */
#define USER_WORK_HOLD 16u

/* ---- the gates of PrivUser (entry.S for nk/privgate.S): variables of the current thread ---- */
/*
 * esp at the entry of PrivUser, 0: none, and every privcall answers priv_error. Entry point and
 * selectors.
 */
extern uint64_t priv_stack, priv_entry, priv_cs, priv_ss;
extern int64_t priv_error;
/*
 * The part of the gate stack that belongs to the thread while it is in ring 1 or 2. At its end
 * stand
 * the words that the processor pushed; below them the caller in ring 3: */
#define PRIV_GATE_WORDS (PRIV_GATE_BYTES / 8)
extern uint64_t priv_gate[PRIV_GATE_WORDS];
enum priv_gate_word {
	PRIV_GATE_RBP = PRIV_GATE_WORDS - 10,
	PRIV_GATE_RBX,
	PRIV_GATE_RIP,
	PRIV_GATE_CS,
	PRIV_GATE_RSP,
	PRIV_GATE_SS,
};
/* The gate's instruction behind INT VEC_PRIVUSER: the thread is done in PrivUser. */
extern const char nk_priv_left[];

/* ---- traps and interrupts (trap.c, irq.c) ---- */

/* First of all: from here on traps find their handlers. */
void trap_init(void);

#define PF_PRESENT 1u
#define PF_WRITE   2u
#define PF_USER    4u
#define PF_FETCH   16u

/* Handlers set once at start-up by the modules that own them. Called with interrupts off.
 * page_fault: on a user address, from ring 3 or from a user copy in the kernel; returns true when
 * the access can be retried. user_exception: any other exception from ring 3 (vector, error code in
 * tf), and a page fault from ring 3 that page_fault did not serve (vector 14, fault_addr). timer:
 * the armed time has come (never earlier). privuser: an exception or system call from rings 1 and 2
 * (fault_addr of page faults); returns when the thread can go on. ipi: set by kernel/msg.
 * kernel_fault: an exception in the kernel that nothing expects; set by kernel/core, does
 * not return. */
struct trap_hooks {
	bool (*page_fault)(struct trapframe *tf, uint64_t addr, uint32_t code);
	void (*user_exception)(struct trapframe *tf, uint64_t fault_addr);
	void (*privuser)(struct trapframe *tf, uint64_t fault_addr);
	void (*timer)(void);
	void (*ipi)(void);
	/* A debug exception in the kernel: true when it was a program's watchpoint. */
	bool (*debug_in_kernel)(void);
	void (*kernel_fault)(struct trapframe *tf, uint64_t fault_addr);
};
extern struct trap_hooks trap_hooks;

/*
 * Give `handler(arg)` the device vector it returns (VEC_DEVICE0...). `name`, which stays, is for
 * reports. E_NOSPC when all are taken.
 */
err_t irq_alloc(const char *name, void (*handler)(void *arg), void *arg,
		uint8_t *vector) MUST_CHECK;
/* The n-th kind of interrupt of this core, and how many came. False: there is no n-th. */
struct irq_count {
	const char *name;
	uint8_t vector; /* 0: none of a device */
	uint64_t count;
};
bool irq_count_of(unsigned n, struct irq_count *out);
/*
 * Route a line of the IO-APIC to a vector on this core and unmask it. E_INVAL for a line that is
 * not there; E_NODEV when
 * the machine has no IO-APIC; errors of x86_map_device. */
err_t irq_route_gsi(unsigned gsi, uint8_t vector, bool level, bool active_low) MUST_CHECK;

/*
 * Interrupts on, HLT, interrupts off: returns after at least one interrupt was handled. The idle
 * loop's only wait.
 */
void x86_wait_for_interrupt(void);
/*
 * Poll pending interrupts once (sti; nop; cli) from the kernel: only the scheduler's idle path and
 * long loops.
 */
void x86_poll_interrupts(void);

/* ---- local APIC (apic.c) ---- */
void apic_init(void);
uint32_t apic_id(void);
void apic_send_ipi(unsigned core, uint8_t vector);
void apic_eoi(void);

/* ---- time (time.c): all times are nanoseconds in uint64_t ---- */
void time_init(void);
uint64_t time_mono_ns(void); /* since boot, which counts as one second */
uint64_t time_real_ns(void); /* since 1970 */
void time_set_real_ns(uint64_t ns);
/* From now on all clocks run faster (below 0: slower) than measured, by parts per billion. */
#define TIME_BEND_MAX 500000
void time_bend(int32_t ppb);
/*
 * Arm this core's timer interrupt for an absolute monotonic time (past: as soon as possible);
 * UINT64_MAX disarms.
 * Cheap when unchanged or later than what is armed is NOT assumed: the caller keeps the earliest
 * deadline.
 */
void timer_arm(uint64_t mono_ns);
uint64_t tsc_khz(void);
/* Nanoseconds since boot at which the TSC stood, or will stand, at `tsc`. */
uint64_t time_of_tsc(uint64_t tsc);

/* The clock in numbers, to hand from the core that measured it to the others.
 * mono ns = mono_base + ((tsc - tsc_base) * mult >> 32), real = mono + real_offset. */
struct time_params {
	uint64_t tsc_base, mono_base, mult, lapic_mult;
	int64_t real_offset;
};
static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return lo | (uint64_t)hi << 32;
}
extern struct time_params clock_params; /* mult 0: not measured yet */
extern bool clock_runs;
/* a * b in 32.32 */
static inline uint64_t time_mul(uint64_t a, uint64_t b)
{
	return (uint64_t)(((unsigned __int128)a * b) >> 32);
}
static inline uint64_t time_at(uint64_t tsc)
{
	int64_t delta = (int64_t)(tsc - clock_params.tsc_base);

	if (delta < 0)
		return clock_params.mono_base - time_mul((uint64_t)-delta, clock_params.mult);
	return clock_params.mono_base + time_mul((uint64_t)delta, clock_params.mult);
}
/* time_mono_ns() for those who know that clock_runs. */
static inline uint64_t time_running_ns(void)
{
	return time_at(rdtsc());
}
/* False as long as nothing was measured. Does not measure. */
bool time_params_get(struct time_params *p);
void time_params_set(const struct time_params *p);
/* Called, on the core that measures, when the numbers changed. NULL: nobody wants to know. */
extern void (*time_changed)(void);
/*
 * How the TSC's frequency was found: "cpuid", "hypervisor", "apic", "pit", "core 0" (told by it),
 * "guess"; "none" when
 * not yet. */
const char *time_source(void);
/* The battery clock in ns since 1970 (whole seconds); false when there is none. */
bool rtc_read_ns(uint64_t *out);
/*
 * The page that the vDSO reads (struct vdso_time in x86/vdso_abi.h); map it read-only to programs.
 */
paddr_t vdso_time_frame(void);

/* ---- FPU (fpu.c): the kernel itself never uses it ---- */
/* boot_info.cpu.xsave_size bytes, 64-byte aligned; allocate with fpu_alloc */
struct fpu_area;
/* NULL when out of memory. Holds nothing before fpu_copy or fpu_reset. */
struct fpu_area *fpu_alloc(void);
void fpu_free(struct fpu_area *a);
void fpu_copy(struct fpu_area *to, const struct fpu_area *from);
void fpu_reset(struct fpu_area *a);
/* The registers take the initial state, and are those of `a`. */
void fpu_start(struct fpu_area *a);
/*
 * The image of `a` to fpu_size() bytes of the program at addr (multiple of 64; checked by the
 * caller against what the program may reach), or from there. False when the memory is not there or,
 * loading, the processor refuses the image: the registers of `a` have the initial state then.
 * Saving, XSAVE leaves most of its header as it finds it: the caller has made it zero. Loading
 * needs XSAVE.
 */
bool fpu_save_user(struct fpu_area *a, uint64_t addr) MUST_CHECK;
bool fpu_load_user(struct fpu_area *a, uint64_t addr) MUST_CHECK;
/*
 * The registers are to hold `next` from now on (before return to ring 3): saves the owner's, loads
 * next's.
 */
void fpu_switch(struct fpu_area *next);
/*
 * Write the registers of `a` to its memory, if they are in the CPU (before fork copies or a signal
 * frame reads it).
 */
void fpu_sync(struct fpu_area *a);
/* Forget that the CPU holds `a` (its memory was changed, or is to be freed). */
void fpu_drop(struct fpu_area *a);
void *fpu_data(struct fpu_area *a); /* the XSAVE/FXSAVE image */
static inline uint32_t fpu_size(void)
{
	return boot_info.cpu.xsave_size; /* of FXSAVE, without XSAVE */
}
/*
 * fpu_size() bytes as XSAVE or FXSAVE lay them out, with initial values where the CPU left them
 * out. The area is in memory (fpu_sync).
 */
void fpu_image_out(const struct fpu_area *a, void *image);
/*
 * False when the image could fault on XRSTOR (reserved bits, header): a program's signal frame must
 * pass it.
 */
bool fpu_image_valid(const void *image, uint32_t len);

/* ---- user memory: raw copies, only for mem/ubuf.c ---- */
/*
 * What the current thread may name, looked at by all of these (usercopy.S). `below`: addresses from
 * there on are free (0: all); otherwise [start, end) is PrivUser, which may not be named or,
 * when below is UINT64_MAX, is all that may. Set by kernel/dom with the thread. */
extern struct user_barred {
	uint64_t below, start, end;
} user_barred;
/* As usercopy.S asks it: may the current thread not name these bytes? */
static inline bool x86_user_is_barred(uint64_t addr, uint64_t len)
{
	uint64_t end;

	if (addr >= user_barred.below)
		return false;
	if (__builtin_add_overflow(addr, len, &end))
		return true;
	if (user_barred.below == UINT64_MAX)
		return addr < user_barred.start || end > user_barred.end;
	return addr < user_barred.end && end > user_barred.start;
}
extern bool x86_smap; /* STAC and CLAC exist, and must be around accesses to programs' memory */
/* Return the number of bytes NOT copied (0 = all). A fault that cannot be served ends the copy. */
size_t x86_copy_from_user(void *dst, uint64_t src, size_t len);
size_t x86_copy_to_user(uint64_t dst, const void *src, size_t len);
size_t x86_zero_user(uint64_t dst, size_t len);
/* 4-byte atomic operations on user memory for futexes; false on fault. */
bool x86_user_load32(uint64_t addr, uint32_t *out);
bool x86_user_cmpxchg32(uint64_t addr, uint32_t expect, uint32_t desired, uint32_t *old);
/* XSAVE, FXSAVE, XRSTOR of these components on `len` bytes of user memory; false on any fault. */
bool x86_user_xsave(uint64_t addr, uint64_t components, size_t len);
bool x86_user_fxsave(uint64_t addr, uint64_t components, size_t len);
bool x86_user_xrstor(uint64_t addr, uint64_t components, size_t len);
bool x86_user_xchg_op32(uint64_t addr, unsigned op, uint32_t arg, uint32_t *old); /* FUTEX_OP_* */

/* ---- devices ---- */
static inline void outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0,%1" ::"a"(v), "Nd"(port));
}
static inline uint8_t inb(uint16_t port)
{
	uint8_t v;
	__asm__ volatile("inb %1,%0" : "=a"(v) : "Nd"(port));
	return v;
}
static inline void outw(uint16_t port, uint16_t v)
{
	__asm__ volatile("outw %0,%1" ::"a"(v), "Nd"(port));
}
static inline uint16_t inw(uint16_t port)
{
	uint16_t v;
	__asm__ volatile("inw %1,%0" : "=a"(v) : "Nd"(port));
	return v;
}
static inline void outl(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0,%1" ::"a"(v), "Nd"(port));
}
static inline uint32_t inl(uint16_t port)
{
	uint32_t v;
	__asm__ volatile("inl %1,%0" : "=a"(v) : "Nd"(port));
	return v;
}
static inline void cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}
void x86_cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4]);
/* 64 bits from RDRAND; false when the CPU lacks it or it fails. */
bool x86_rdrand(uint64_t *out);
/* Map device registers; NULL when nk refuses or the window is full. */
volatile void *x86_map_device(uint64_t pa, size_t len);
/*
 * Call fn(arg) and live through an exception in it: true, with its vector and address (CR2 for page
 * faults, else 0) when
 * there was one; fn was then left where it stood. For probing and tests; does not nest. */
struct x86_fault {
	uint64_t vector, error, addr, rip;
};
bool x86_try(void (*fn)(void *), void *arg, struct x86_fault *fault);

/*
 * ---- vDSO (x86/vdso/): an ELF image, vdso_image_len bytes (a multiple of the page size). It reads
 *  the page of
 * vdso_time_frame() one page below where it is mapped itself. ---- */
extern const uint8_t vdso_image[];
extern const uint64_t vdso_image_len;
