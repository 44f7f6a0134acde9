/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands of the tool; each returns the tool's exit code. */
#pragma once

#include "tool/spec.h"

/* Run a program, or a built image if spec->program is the path of one. */
int command_run(const struct run_spec *spec);
/* Write a built image. */
int command_build(const struct run_spec *spec, const char *output);
/* Say what a program consists of and needs. */
/* HeartBleed, replayed. */
int command_demo_heartbleed(void);
int command_inspect(const char *program, const struct strv *secrets, bool json);
/* Check the host. */
int command_doctor(void);
