#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# fuzz.sh PROGRAM SECONDS: runs a libFuzzer program, beginning with real ELF files cut to their first 4 KiB.
set -eu
program=$1 seconds=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/corpus"
n=0
for f in /bin/true /bin/sh /lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/libc.so.6 /bin/busybox "$program"; do
	[ -r "$f" ] || continue
	{ printf '\024'; head -c 4096 "$f"; } >"$work/corpus/$((n += 1))"
done
cd "$work"
if ! "$program" -max_total_time="$seconds" -max_len=8192 -print_final_stats=1 corpus >log 2>&1; then
	cat log >&2
	for f in crash-* leak-* timeout-* oom-*; do
		[ -e "$f" ] && base64 "$f" >&2
	done
	exit 1
fi
grep -E 'Done|number_of_executed_units' log
