/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line: one function for each command, which reads its arguments and carries it out. */
#pragma once

/* `argv[0]` is what --help calls the command ("ringfence run"). Return the tool's exit code. */
int cli_run(int argc, char **argv);
int cli_build(int argc, char **argv);
int cli_inspect(int argc, char **argv);
int cli_doctor(int argc, char **argv);
