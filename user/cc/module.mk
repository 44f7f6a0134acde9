# SPDX-License-Identifier: BSD-2-Clause
# ringfence-cc, a program of the host. It shares the tool's small helpers.
SRCS := main.c args.c run.c build.c objects.c header.c
DEPS := abi tool
