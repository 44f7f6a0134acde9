/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * debug=1 in the run configuration: the first program waits before its first instruction until a
 * debugger on the host (QEMU's gdb stub) sets a byte. Lines to the host (abi/control.h):
 *   debug=module BASE PATH    a file that is mapped, at its first page; hexadecimal
 *   debug=wait BYTE ADDRESS   where the byte lies, and the program's first instruction
 */
#include "base/fmt.h"
#include "kernel/core/core.h"
#include "kernel/linux/linux.h"
#include "kernel/mem/aspace.h"
#include "kernel/task/task.h"
#include "kernel/vfs/poll.h"

#define LOOK_NS 20000000ull

static volatile uint8_t go_on; /* set from outside */

static void tell_modules(void)
{
	char path[200], line[256];
	uint64_t dev, ino;

	for (struct vma *v = aspace_first(current_task->mm); v != NULL; v = aspace_next(v)) {
		if (v->obj == NULL || v->obj->ops->describe == NULL || v->pgoff != 0)
			continue;
		v->obj->ops->describe(v->obj, path, sizeof(path), &dev, &ino);
		if (path[0] != '/')
			continue;
		fmt_snprintf(line, sizeof(line), "debug=module %lx %s", v->start, path);
		console_control(line);
	}
}

void debug_wait(void)
{
	struct waitq nobody;
	char line[128];

	if (!run_config_flag("debug"))
		return;
	tell_modules();
	fmt_snprintf(line, sizeof(line), "debug=wait %lx %lx", (uint64_t)(uintptr_t)&go_on,
		     current->regs->rip);
	console_control(line);
	waitq_init(&nobody);
	while (go_on == 0)
		(void)wait_on(&nobody, time_mono_ns() + LOOK_NS, false);
}
