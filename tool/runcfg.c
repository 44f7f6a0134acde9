/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/runcfg.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi/boot.h"
#include "tool/report.h"

void runcfg_add(struct runcfg *cfg, const char *key, const char *fmt, ...)
{
	char *value = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&value, fmt, ap) < 0)
		die_oom();
	va_end(ap);
	size_t n = strlen(key) + 1 + strlen(value) + 1;

	cfg->data = xrealloc(cfg->data, cfg->size + n);
	snprintf(cfg->data + cfg->size, n, "%s=%s", key, value);
	cfg->size += n;
	free(value);
}

void runcfg_release(struct runcfg *cfg)
{
	free(cfg->data);
	*cfg = (struct runcfg){ 0 };
}

int runcfg_file(const struct runcfg *cfg)
{
	if (cfg->size > BOOT_RUN_MAX)
		die(EXIT_TOOL, "put long arguments into a file",
		    "arguments and environment take %zu bytes, more than the %u that are possible",
		    cfg->size, BOOT_RUN_MAX);
	int fd = memfd_create("ringfence-run", MFD_CLOEXEC);

	if (fd < 0 || write_all(fd, cfg->data, cfg->size) != 0 || lseek(fd, 0, SEEK_SET) != 0)
		die(EXIT_TOOL, NULL, "no memory file can be made: %s", strerror(errno));
	return fd;
}
