/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/syscalls.h"

#include <asm/unistd_64.h>
#include <capstone/capstone.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "tool/elf_info.h"
#include "tool/report.h"

#define WINDOW   64u /* bytes before a syscall in which the number is looked for */
#define FILE_MAX (1u << 30)

static const char *const names[SYSCALL_MAX] = {
#define NAME(name) [__NR_##name] = #name,
#include "tool/syscall_names.def"
#undef NAME
};

static const bool served[SYSCALL_MAX] = {
#define SYSCALL(nr, name, ...) [nr] = true,
#include "kernel/linux/syscall.def"
#undef SYSCALL
};

const char *syscall_name(unsigned nr)
{
	return nr < SYSCALL_MAX ? names[nr] : NULL;
}

bool syscall_served(unsigned nr)
{
	return nr < SYSCALL_MAX && served[nr];
}

static bool is_eax(x86_reg reg)
{
	return reg == X86_REG_EAX || reg == X86_REG_RAX || reg == X86_REG_AX || reg == X86_REG_AL;
}

/* What an instruction does to eax. */
enum effect { LEAVES, SETS_CONSTANT, SETS_OTHER };

static enum effect effect_on_eax(csh cs, const cs_insn *in, int64_t *value)
{
	const cs_x86 *x = &in->detail->x86;
	cs_regs read, written;
	uint8_t reads, writes;

	if (in->id == X86_INS_CALL || in->id == X86_INS_RET || in->id == X86_INS_SYSCALL)
		return SETS_OTHER;
	if (x->op_count == 2 && x->operands[0].type == X86_OP_REG && is_eax(x->operands[0].reg)) {
		if ((in->id == X86_INS_MOV || in->id == X86_INS_MOVABS) &&
		    x->operands[1].type == X86_OP_IMM) {
			*value = x->operands[1].imm;
			return SETS_CONSTANT;
		}
		if ((in->id == X86_INS_XOR || in->id == X86_INS_SUB) &&
		    x->operands[1].type == X86_OP_REG && x->operands[1].reg == x->operands[0].reg) {
			*value = 0;
			return SETS_CONSTANT;
		}
	}
	if (cs_regs_access(cs, in, read, &reads, written, &writes) != 0)
		return LEAVES;
	for (uint8_t i = 0; i < writes; i++)
		if (is_eax((x86_reg)written[i]))
			return SETS_OTHER;
	return LEAVES;
}

/* The number in eax where instructions [0..n) end; -1 if it is no constant. */
static int64_t number_after(csh cs, const cs_insn *list, size_t n)
{
	int64_t value;

	while (n-- > 0) {
		switch (effect_on_eax(cs, &list[n], &value)) {
		case LEAVES: break;
		case SETS_CONSTANT: return value;
		case SETS_OTHER:
			/* push N; pop rax */
			if (n > 0 && list[n].id == X86_INS_POP && list[n - 1].id == X86_INS_PUSH &&
			    list[n - 1].detail->x86.operands[0].type == X86_OP_IMM)
				return list[n - 1].detail->x86.operands[0].imm;
			return -1;
		}
	}
	return -1;
}

/*
 * x86 code cannot be read backwards: start at ever later places before the instruction until the
 * decoding meets it. The first that also finds a number is taken.
 */
static int64_t number_at(csh cs, const uint8_t *code, size_t at)
{
	size_t first = at > WINDOW ? at - WINDOW : 0;

	for (size_t start = first; start < at; start++) {
		cs_insn *list;
		size_t n = cs_disasm(cs, code + start, at - start, start, 0, &list);
		int64_t nr = -1;

		if (n > 0 && list[n - 1].address + list[n - 1].size == at)
			nr = number_after(cs, list, n);
		if (n > 0)
			cs_free(list, n);
		if (nr >= 0)
			return nr;
	}
	return -1;
}

void syscall_scan_code(struct syscall_scan *scan, const uint8_t *code, size_t size)
{
	const uint8_t *p = code;
	csh cs;

	if (cs_open(CS_ARCH_X86, CS_MODE_64, &cs) != CS_ERR_OK)
		die(EXIT_TOOL, NULL, "the disassembler (capstone) cannot be started");
	cs_option(cs, CS_OPT_DETAIL, CS_OPT_ON);
	while (size - (size_t)(p - code) >= 2 &&
	       (p = memmem(p, size - (size_t)(p - code), "\x0f\x05", 2)) != NULL) {
		int64_t nr = number_at(cs, code, (size_t)(p - code));

		scan->places++;
		if (nr >= 0 && nr < SYSCALL_MAX && names[nr] != NULL)
			scan->made[nr] = true;
		else
			scan->unknown++;
		p += 2;
	}
	cs_close(&cs);
}

bool syscall_scan_file(struct syscall_scan *scan, const char *path)
{
	char why[ELF_WHY_MAX], *data;
	size_t size;
	bool is_elf, ok;

	if (read_whole_file(path, FILE_MAX, &data, &size) != 0)
		return false;
	ok = elf_headers_ok(data, size, &is_elf, why);
	if (ok) {
		Elf64_Ehdr head;

		memcpy(&head, data, sizeof(head));
		for (unsigned i = 0; i < head.e_phnum; i++) {
			Elf64_Phdr ph;

			memcpy(&ph, data + head.e_phoff + i * sizeof(ph), sizeof(ph));
			if (ph.p_type == PT_LOAD && (ph.p_flags & PF_X) != 0)
				syscall_scan_code(scan, (const uint8_t *)data + ph.p_offset,
						  ph.p_filesz);
		}
	}
	free(data);
	return ok;
}
