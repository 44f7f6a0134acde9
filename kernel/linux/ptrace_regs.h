/* SPDX-License-Identifier: BSD-2-Clause */
/* A stopped thread's registers as ptrace and core files show them. */
#pragma once

#include "kernel/task/task.h"

/* As struct user_regs_struct of x86-64, which the kernel's own headers do not give. */
struct user_regs {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax;
	uint64_t rip, cs, eflags, rsp, ss, fs_base, gs_base, ds, es, fs, gs;
};
#define USER_REG_COUNT (sizeof(struct user_regs) / sizeof(uint64_t))
#define USER_AREA_SIZE 928u /* sizeof(struct user) */
#define USER_DEBUGREG  848u /* offsetof(struct user, u_debugreg) */

/* t does not run, or is the current thread with its bases saved. */
void regs_get(const struct thread *t, struct user_regs *out);
/*
 * One register by its index in struct user_regs. E_IO for what no program may have: selectors that
 * are not the program's, bases outside its half. The thread then goes back to it by IRETQ, so no
 * value can reach ring 0.
 */
err_t regs_set_one(struct thread *t, unsigned index, uint64_t value) MUST_CHECK;

/* The XSAVE image (or FXSAVE, without XSAVE) with XCR0 where Linux puts it; fpu_size() bytes. */
void regs_xstate_get(struct thread *t, void *image);
/* E_INVAL for an image that the processor would refuse. */
err_t regs_xstate_set(struct thread *t, void *image) MUST_CHECK;
#define FXSAVE_SIZE 512u
/* Only the x87 and SSE part, 512 bytes. E_NOMEM, E_INVAL. */
err_t regs_fx_get(struct thread *t, void *fx) MUST_CHECK;
err_t regs_fx_set(struct thread *t, const void *fx) MUST_CHECK;
