/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/task/bpf.h"

#include "base/str.h"
#include "kernel/mem/kmem.h"

/* ---- checking ---- */

/* Of arithmetic: what its constant must be. */
static bool constant_fits(const struct sock_filter *f)
{
	switch (f->code) {
	case BPF_ALU | BPF_DIV | BPF_K: return f->k != 0;
	case BPF_ALU | BPF_LSH | BPF_K:
	case BPF_ALU | BPF_RSH | BPF_K: return f->k < 32;
	default: return true;
	}
}

static bool jump_fits(const struct sock_filter *f, unsigned left)
{
	if (BPF_OP(f->code) == BPF_JA)
		return f->k < left;
	return f->jt < left && f->jf < left;
}

static bool is_arithmetic(uint16_t code)
{
	switch (BPF_OP(code)) {
	case BPF_ADD:
	case BPF_SUB:
	case BPF_MUL:
	case BPF_DIV:
	case BPF_AND:
	case BPF_OR:
	case BPF_XOR:
	case BPF_LSH:
	case BPF_RSH: return code < 0x100;
	case BPF_NEG: return code == (BPF_ALU | BPF_NEG);
	default: return false;
	}
}

/* `left`: instructions behind this one. */
static bool insn_fits(const struct sock_filter *f, unsigned left, uint32_t size)
{
	switch (f->code) {
	case BPF_LD | BPF_W | BPF_ABS: return f->k < size && f->k % sizeof(uint32_t) == 0;
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A: return true;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX: return f->k < BPF_MEMWORDS;
	case BPF_JMP | BPF_JA:
	case BPF_JMP | BPF_JEQ | BPF_K:
	case BPF_JMP | BPF_JEQ | BPF_X:
	case BPF_JMP | BPF_JGE | BPF_K:
	case BPF_JMP | BPF_JGE | BPF_X:
	case BPF_JMP | BPF_JGT | BPF_K:
	case BPF_JMP | BPF_JGT | BPF_X:
	case BPF_JMP | BPF_JSET | BPF_K:
	case BPF_JMP | BPF_JSET | BPF_X: return jump_fits(f, left);
	default: return BPF_CLASS(f->code) == BPF_ALU && is_arithmetic(f->code) && constant_fits(f);
	}
}

/*
 * Scratch words must be written on every way to where they are read. written[i]: bits of those that
 * all jumps to i have seen written.
 */
static err_t check_scratch(const struct sock_filter *insn, unsigned n, uint16_t *written)
{
	uint16_t now = 0;

	memset(written, 0xff, n * sizeof(*written));
	for (unsigned i = 0; i < n; i++) {
		const struct sock_filter *f = &insn[i];

		now &= written[i];
		switch (BPF_CLASS(f->code)) {
		case BPF_ST:
		case BPF_STX: now |= (uint16_t)(1u << f->k); break;
		case BPF_LD:
		case BPF_LDX:
			if (BPF_MODE(f->code) == BPF_MEM && !(now >> f->k & 1))
				return E_INVAL;
			break;
		case BPF_JMP:
			if (BPF_OP(f->code) == BPF_JA) {
				written[i + 1 + f->k] &= now;
			} else {
				written[i + 1 + f->jt] &= now;
				written[i + 1 + f->jf] &= now;
			}
			now = UINT16_MAX;
			break;
		default: break;
		}
	}
	return OK;
}

err_t bpf_check(const struct sock_filter *insn, unsigned n, uint32_t size)
{
	uint16_t *written;
	err_t err;

	if (n == 0 || n > BPF_MAXINSNS || BPF_CLASS(insn[n - 1].code) != BPF_RET)
		return E_INVAL;
	for (unsigned i = 0; i < n; i++)
		if (!insn_fits(&insn[i], n - 1 - i, size))
			return E_INVAL;
	written = kmem_alloc(n * sizeof(*written));
	if (written == NULL)
		return E_NOMEM;
	err = check_scratch(insn, n, written);
	kmem_free(written);
	return err;
}

/* ---- running ---- */

/* False: division by nothing ends the program. */
static bool compute(uint16_t op, uint32_t *a, uint32_t v)
{
	switch (op) {
	case BPF_ADD: *a += v; break;
	case BPF_SUB: *a -= v; break;
	case BPF_MUL: *a *= v; break;
	case BPF_DIV:
		if (v == 0)
			return false;
		*a /= v;
		break;
	case BPF_AND: *a &= v; break;
	case BPF_OR: *a |= v; break;
	case BPF_XOR: *a ^= v; break;
	case BPF_LSH: *a <<= v & 31; break;
	case BPF_RSH: *a >>= v & 31; break;
	default: *a = -*a; break; /* BPF_NEG */
	}
	return true;
}

static bool holds(uint16_t op, uint32_t a, uint32_t v)
{
	switch (op) {
	case BPF_JEQ: return a == v;
	case BPF_JGE: return a >= v;
	case BPF_JGT: return a > v;
	default: return (a & v) != 0; /* BPF_JSET */
	}
}

static uint32_t load(const struct sock_filter *f, const void *record, uint32_t size,
		     const uint32_t *mem)
{
	uint32_t v;

	switch (BPF_MODE(f->code)) {
	case BPF_ABS: memcpy(&v, (const uint8_t *)record + f->k, sizeof(v)); return v;
	case BPF_LEN: return size;
	case BPF_MEM: return mem[f->k];
	default: return f->k;
	}
}

uint32_t bpf_run(const struct sock_filter *insn, const void *record, uint32_t size)
{
	uint32_t a = 0, x = 0, mem[BPF_MEMWORDS];

	for (const struct sock_filter *f = insn;; f++) {
		uint32_t v = BPF_SRC(f->code) == BPF_X ? x : f->k;

		switch (BPF_CLASS(f->code)) {
		case BPF_LD: a = load(f, record, size, mem); break;
		case BPF_LDX: x = load(f, record, size, mem); break;
		case BPF_ST: mem[f->k] = a; break;
		case BPF_STX: mem[f->k] = x; break;
		case BPF_ALU:
			if (!compute(BPF_OP(f->code), &a, v))
				return 0;
			break;
		case BPF_JMP:
			if (BPF_OP(f->code) == BPF_JA)
				f += f->k;
			else
				f += holds(BPF_OP(f->code), a, v) ? f->jt : f->jf;
			break;
		case BPF_RET: return BPF_RVAL(f->code) == BPF_A ? a : f->k;
		default: /* BPF_MISC */
			if (BPF_MISCOP(f->code) == BPF_TAX)
				x = a;
			else
				a = x;
		}
	}
}
