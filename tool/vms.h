/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands about machines that run or ran; each returns the tool's exit code. */
#pragma once

#include "tool/util.h"

int command_ps(bool all, bool json);
int command_logs(const char *name, bool follow);
int command_kill(const char *name, int sig);
/* Ask for its end, enforced after so many seconds; returns when it has ended. */
int command_stop(const char *name, unsigned seconds);
int command_rm(const char *name, bool force);
/* Its exit code, when it has ended. */
int command_wait(const char *name);

struct exec_spec {
	const char *name;
	struct strv argv, env; /* env: NAME=VALUE */
	const char *workdir;   /* NULL: as the machine's program */
	bool input, terminal;
};
int command_exec(const struct exec_spec *spec);
