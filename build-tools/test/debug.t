#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# make debug: gdb stops in the kernel's first C function and knows its source line.
echo 1..1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
printf 'hbreak boot_main\ncontinue\nkill\n' >"$dir/commands"
cd "$RF_ROOT" || exit 1
GDB_ARGS="-batch -x $dir/commands" timeout 60 build-tools/debug.sh "$RF_BUILD" >"$dir/log" 2>&1 </dev/null
if grep -q 'Breakpoint 1, boot_main .*at boot/main.c' "$dir/log"; then
	echo 'ok 1 - gdb knows the running kernel'
else
	echo 'not ok 1 - gdb knows the running kernel'
	sed 's/^/# /' "$dir/log"
	exit 1
fi
