#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The ELF reader under libFuzzer for a minute (FUZZ_TIME seconds).
echo 1..1
if ! command -v clang >/dev/null; then
	echo 'ok 1 # SKIP no clang'
	exit 0
fi
cd "$RF_ROOT" || exit 1
if log=$(make --no-print-directory O="$RF_BUILD" fuzz FUZZ_TIME="${FUZZ_TIME:-60}" 2>&1); then
	echo "ok 1 - elf: $(grep -o 'number_of_executed_units: *[0-9]*' <<<"$log" | grep -o '[0-9]*') inputs"
else
	echo 'not ok 1 - elf'
	sed 's/^/# /' <<<"$log"
	exit 1
fi
