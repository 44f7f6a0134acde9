/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plugin of QEMU: for each call of PrivUser, on standard error, how many blocks it ran and how
 * many accesses to memory it made, and a hash of all their addresses in order. Two calls that
 * differ in nothing but secrets must have the same. `-plugin libtrace.so,entry=ADDRESS`: where
 * calls begin.
 *
 * Debian's QEMU has the interface but not its header: what is used of it is declared here.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
enum qemu_plugin_mem_rw { QEMU_PLUGIN_MEM_R = 1, QEMU_PLUGIN_MEM_W, QEMU_PLUGIN_MEM_RW };
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t,
					   void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *),
					  enum qemu_plugin_cb_flags, void *);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *,
				      void (*)(unsigned, qemu_plugin_meminfo_t, uint64_t, void *),
				      enum qemu_plugin_cb_flags, enum qemu_plugin_mem_rw, void *);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void *), void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);

#define PRIV_START 0xc0000000ull
#define PRIV_LIMIT 0x100000000ull

static uint64_t entry, blocks, accesses, hash;

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

static void add(uint64_t v)
{
	hash = (hash ^ v) * 0x9e3779b97f4a7c15ull;
	hash ^= hash >> 29;
}

static void end_call(void)
{
	if (blocks != 0)
		fprintf(stderr, "call %llu %llu %016llx\n", (unsigned long long)blocks,
			(unsigned long long)accesses, (unsigned long long)hash);
	blocks = accesses = hash = 0;
}

static void runs(unsigned cpu, void *pc)
{
	(void)cpu;
	if ((uintptr_t)pc == entry)
		end_call();
	blocks++;
	add((uintptr_t)pc);
}

static void touches(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t at, void *unused)
{
	(void)cpu;
	(void)info;
	(void)unused;
	/* After an interrupt QEMU also reports what its helpers do for the kernel. */
	if (at >= PRIV_LIMIT)
		return;
	accesses++;
	add(at);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	uint64_t pc = qemu_plugin_tb_vaddr(tb);

	(void)id;
	if (pc < PRIV_START || pc >= PRIV_LIMIT)
		return;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, runs, QEMU_PLUGIN_CB_NO_REGS, (void *)pc);
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++)
		qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(tb, i), touches,
						 QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, NULL);
}

static void at_exit(qemu_plugin_id_t id, void *unused)
{
	(void)id;
	(void)unused;
	end_call();
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id,
							       const void *info, int argc,
							       char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "entry=", 6) != 0)
		return -1;
	entry = strtoull(argv[0] + 6, NULL, 0);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, at_exit, NULL);
	return 0;
}
