/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/accel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool/cache.h"
#include "tool/probe_guest.h"
#include "tool/report.h"
#include "tool/vm.h"

#define PROBE_LIMIT_MS 1000
#define BOOT_ID_FILE   "/proc/sys/kernel/random/boot_id"
#define KVM_DEVICE     "/dev/kvm"

/* The answer's file holds: boot id, QEMU's path, "kvm" or "tcg", the reason; one a line. */
static char *answer_head(const char *qemu)
{
	char *boot_id, *head;
	size_t size;

	if (read_whole_file(BOOT_ID_FILE, 4096, &boot_id, &size) != 0)
		return NULL;
	boot_id[strcspn(boot_id, "\n")] = '\0';
	head = xasprintf("%s\n%s\n", boot_id, qemu);
	free(boot_id);
	return head;
}

static bool remembered(const char *path, const char *head, bool *kvm, char why[ACCEL_WHY_MAX])
{
	char *text;
	size_t size;
	bool known;

	if (head == NULL || read_whole_file(path, 65536, &text, &size) != 0)
		return false;
	const char *answer = str_begins(text, head) ? text + strlen(head) : "";

	known = str_begins(answer, "kvm\n") || str_begins(answer, "tcg\n");
	*kvm = str_begins(answer, "kvm\n");
	if (known)
		snprintf(why, ACCEL_WHY_MAX, "%.*s (remembered since this boot)",
			 (int)strcspn(answer + 4, "\n"), answer + 4);
	free(text);
	return known;
}

static void remember(const char *path, const char *head, bool kvm, const char *why)
{
	char *temporary = head != NULL ? cache_temporary(".accel") : NULL;
	int fd = head != NULL ? open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
	char *text = xasprintf("%s%s\n%s\n", head != NULL ? head : "", kvm ? "kvm" : "tcg", why);

	if (fd >= 0 && write_all(fd, text, strlen(text)) == 0)
		cache_publish(temporary, path);
	if (fd >= 0)
		close(fd);
	free(text);
	free(temporary);
}

/* First line of what QEMU complained about, if it did. */
static void first_complaint(int fd, char *out, size_t size)
{
	ssize_t n = read(fd, out, size - 1);

	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

static bool run_probe(const char *qemu, char why[ACCEL_WHY_MAX])
{
	int kernel = memfd_create("ringfence-probe", MFD_CLOEXEC);
	struct vm_config cfg = { .qemu = qemu,
				 .machine = MACHINE_MICROVM,
				 .kvm = true,
				 .cpus = 1,
				 .memory = 16 << 20,
				 .kernel_fd = kernel,
				 .image_fd = -1,
				 .config_fd = -1 };
	struct vm vm;
	char complaint[160];

	if (kernel < 0 ||
	    write_all(kernel, probe_guest, (size_t)(probe_guest_end - probe_guest)) != 0)
		die(EXIT_TOOL, NULL, "no memory file can be made: %s", strerror(errno));
	vm_start(&cfg, &vm);
	struct pollfd end = { .fd = vm.pidfd, .events = POLLIN };
	uint64_t limit = now_ns() + PROBE_LIMIT_MS * 1000000ull;
	int ready;

	do {
		uint64_t now = now_ns();

		interrupts_check();
		ready = poll(&end, 1, now < limit ? (int)((limit - now) / 1000000) : 0);
	} while (ready < 0 && errno == EINTR);
	vm_kill(&vm);
	int status = vm_wait(&vm);
	bool ok = ready > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 2 * PROBE_VALUE + 1;

	first_complaint(vm.errors, complaint, sizeof(complaint));
	if (ok)
		snprintf(why, ACCEL_WHY_MAX, "a probe guest reached long mode on it");
	else if (ready == 0)
		snprintf(why, ACCEL_WHY_MAX,
			 "a probe guest did not reach long mode on KVM within a second");
	else
		snprintf(why, ACCEL_WHY_MAX, "a probe guest failed on KVM (%s)",
			 *complaint != '\0' ? complaint : "it ended before long mode");
	vm_close(&vm);
	close(kernel);
	return ok;
}

bool accel_choose(enum accel wish, const char *qemu, char why[ACCEL_WHY_MAX])
{
	bool kvm = false;

	if (wish != ACCEL_AUTO) {
		snprintf(why, ACCEL_WHY_MAX, "as asked for");
		return wish == ACCEL_KVM;
	}
	if (access(KVM_DEVICE, F_OK) != 0) {
		snprintf(why, ACCEL_WHY_MAX, "there is no " KVM_DEVICE);
		return false;
	}
	if (access(KVM_DEVICE, R_OK | W_OK) != 0) {
		snprintf(why, ACCEL_WHY_MAX,
			 "this user may not open " KVM_DEVICE " (group kvm may)");
		return false;
	}
	char *path = path_join(cache_dir(), "accel");
	char *head = answer_head(qemu);

	if (!remembered(path, head, &kvm, why)) {
		progress("trying KVM");
		kvm = run_probe(qemu, why);
		progress_end();
		remember(path, head, kvm, why);
	}
	free(head);
	free(path);
	return kvm;
}
