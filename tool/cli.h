/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line: one function for each command, which reads its arguments and carries it out. */
#pragma once

/* `argv[0]` is what --help calls the command ("ringfence run"). Return the tool's exit code. */
int cli_run(int argc, char **argv);
int cli_build(int argc, char **argv);
int cli_inspect(int argc, char **argv);
int cli_demo(int argc, char **argv);
int cli_doctor(int argc, char **argv);

/* Commands about machines that run or ran (cli_vms.c). */
int cli_ps(int argc, char **argv);
int cli_logs(int argc, char **argv);
int cli_exec(int argc, char **argv);
int cli_kill(int argc, char **argv);
int cli_stop(int argc, char **argv);
int cli_rm(int argc, char **argv);
int cli_wait(int argc, char **argv);

/* A whole number; dies if it is none from `least` to `most`. */
unsigned cli_number(const char *text, const char *option, unsigned least, unsigned most);
