/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plugin of QEMU: how often each translated block runs, in a file that can be read meanwhile.
 * `-plugin libcount.so,to=FILE`. The file is an array of struct block behind a word that says how
 * many there are. A block that an exception ends early counts in full.
 *
 * Debian's QEMU has the interface but not its header: what is used of it is declared here.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
typedef void (*qemu_plugin_vcpu_tb_trans_cb_t)(qemu_plugin_id_t, struct qemu_plugin_tb *);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, qemu_plugin_vcpu_tb_trans_cb_t);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, enum qemu_plugin_op, void *,
					      uint64_t);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);

#define BLOCKS_MAX (4u << 20)

static struct counts {
	uint64_t n;
	struct block {
		uint64_t pc, instructions, times;
	} blocks[BLOCKS_MAX];
} * counts;

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	struct block *b = &counts->blocks[counts->n];

	(void)id;
	if (counts->n == BLOCKS_MAX)
		return;
	b->pc = qemu_plugin_tb_vaddr(tb);
	b->instructions = qemu_plugin_tb_n_insns(tb);
	counts->n++;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &b->times, 1);
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id,
							       const void *info, int argc,
							       char **argv)
{
	int fd;

	(void)info;
	if (argc != 1 || strncmp(argv[0], "to=", 3) != 0)
		return -1;
	fd = open(argv[0] + 3, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(*counts)) != 0) {
		perror(argv[0] + 3);
		return -1;
	}
	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (counts == MAP_FAILED)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
