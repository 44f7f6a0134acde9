#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The tool's ELF reader (base/elf.c, libelf on top) under libFuzzer, TOOL_FUZZ_TIME seconds.
echo 1..1
if ! command -v clang >/dev/null; then
	echo 'ok 1 # SKIP no clang'
	exit 0
fi
cd "$RF_ROOT" || exit 1
mkdir -p "$RF_BUILD/fuzz"
if ! log=$(clang -std=gnu17 -D_GNU_SOURCE -g -O1 -I. -fsanitize=fuzzer,address,undefined \
	-fno-sanitize-recover=undefined -o "$RF_BUILD/fuzz/fuzz_elf_info" tool/test/fuzz_elf_info.c tool/elf_info.c \
	tool/elf_check.c tool/util.c tool/report.c base/elf.c base/str.c base/err.c -lelf 2>&1 &&
	build-tools/fuzz.sh "$RF_BUILD/fuzz/fuzz_elf_info" "${TOOL_FUZZ_TIME:-15}" 2>&1); then
	echo 'not ok 1 - elf_info'
	sed 's/^/# /' <<<"$log"
	exit 1
fi
echo "ok 1 - elf_info: $(grep -o 'number_of_executed_units: *[0-9]*' <<<"$log" | grep -o '[0-9]*') inputs"
