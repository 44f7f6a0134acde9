/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All of them are two-byte opcodes (0f xx), most with a ModRM byte that decides. Encodings as in
 * the Intel and AMD manuals; where the processor ignores a field (mod of mov to cr), so do we.
 *
 * Allowed on purpose: stac and clac (the kernel touches a program's memory), invlpg (drops a
 * cached translation, changes none), clts and mov to cr2 (protect nothing), sysret, iret, hlt,
 * cli, sti, in and out.
 */
#include <stdbool.h>

#include "build-tools/forbidden.h"

#define PREFIX_MAX 14u /* an instruction has at most 15 bytes */

struct modrm {
	unsigned mod, reg, rm;
};

static struct modrm split(uint8_t byte)
{
	return (struct modrm){ .mod = byte >> 6, .reg = (byte >> 3) & 7u, .rm = byte & 7u };
}

static bool is_legacy_prefix(uint8_t b)
{
	switch (b) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64:
	case 0x65: /* segments */
	case 0x66:
	case 0x67:
	case 0xf0:
	case 0xf2:
	case 0xf3: return true;
	default: return false;
	}
}

/* Is `prefix` among the prefixes that may stand before the opcode at code[at]? */
static bool has_prefix(const uint8_t *code, size_t at, uint8_t prefix)
{
	size_t first = at > PREFIX_MAX ? at - PREFIX_MAX : 0;

	if (at > first && (code[at - 1] & 0xf0) == 0x40) /* REX stands last */
		at--;
	while (at > first && is_legacy_prefix(code[at - 1]))
		if (code[--at] == prefix)
			return true;
	return false;
}

/* 0f 00: sldt str lldt ltr verr verw */
static const char *group6(struct modrm m)
{
	switch (m.reg) {
	case 2: return "lldt";
	case 3: return "ltr";
	default: return NULL;
	}
}

/* 0f 01 with a register form: the whole byte decides. */
static const char *group7_register(uint8_t byte, struct modrm m)
{
	switch (byte) {
	case 0xc1: return "vmcall";
	case 0xc2: return "vmlaunch";
	case 0xc3: return "vmresume";
	case 0xc4: return "vmxoff";
	case 0xc6: return "wrmsrns";
	case 0xd1: return "xsetbv";
	case 0xd8: return "vmrun";
	case 0xd9: return "vmmcall";
	case 0xda: return "vmload";
	case 0xdb: return "vmsave";
	case 0xdc: return "stgi";
	case 0xdd: return "clgi";
	case 0xde: return "skinit";
	case 0xdf: return "invlpga";
	case 0xef: return "wrpkru";
	case 0xf8: return "swapgs";
	default: return m.reg == 6 ? "lmsw" : NULL;
	}
}

/* 0f 01: sgdt sidt lgdt lidt smsw - lmsw invlpg in memory */
static const char *group7(uint8_t byte)
{
	struct modrm m = split(byte);

	if (m.mod == 3)
		return group7_register(byte, m);
	switch (m.reg) {
	case 2: return "lgdt";
	case 3: return "lidt";
	case 6: return "lmsw";
	default: return NULL;
	}
}

static const char *mov_to_cr(struct modrm m)
{
	switch (m.reg) {
	case 0: return "mov to cr0 (or cr8)";
	case 3: return "mov to cr3";
	case 4: return "mov to cr4";
	default: return NULL;
	}
}

/* 0f ae with f3: rdfsbase rdgsbase wrfsbase wrgsbase */
static const char *group15(const uint8_t *code, size_t at, struct modrm m)
{
	if (m.mod != 3 || (m.reg != 2 && m.reg != 3) || !has_prefix(code, at, 0xf3))
		return NULL;
	return m.reg == 2 ? "wrfsbase" : "wrgsbase";
}

/* 0f 38 82 with 66; the operand must be in memory */
static const char *invpcid(const uint8_t *code, size_t len, size_t at)
{
	if (len - at < 4 || code[at + 2] != 0x82 || split(code[at + 3]).mod == 3)
		return NULL;
	return has_prefix(code, at, 0x66) ? "invpcid" : NULL;
}

const char *forbidden_at(const uint8_t *code, size_t len, size_t at)
{
	if (len - at < 2 || code[at] != 0x0f)
		return NULL;
	if (code[at + 1] == 0x30)
		return "wrmsr";
	if (len - at < 3)
		return NULL;
	switch (code[at + 1]) {
	case 0x00: return group6(split(code[at + 2]));
	case 0x01: return group7(code[at + 2]);
	case 0x22: return mov_to_cr(split(code[at + 2]));
	case 0x23: return "mov to a debug register";
	case 0x38: return invpcid(code, len, at);
	case 0xae: return group15(code, at, split(code[at + 2]));
	default: return NULL;
	}
}
