#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs entry.c (TAP on the serial port) on CPUs with and without SMAP, SMEP and XSAVE.
set -u
build=${RF_BUILD:-build}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/root/bin"
cp "$build/prog/test/core/entry" "$dir/root/bin/entry" || { echo 'Bail out! entry is not built'; exit 1; }
mkfs.erofs -E noinline_data "$dir/image" "$dir/root" >"$dir/log" 2>&1 || { cat "$dir/log"; echo 'Bail out! mkfs.erofs'; exit 1; }
printf 'exe=/bin/entry\0arg=entry\0' >"$dir/run"

n=0 failed=0
for cpu in max qemu64 max,-smap,-xsave; do
	timeout 60 qemu-system-x86_64 -M q35 -accel tcg -cpu "$cpu" -m 64M -nodefaults -no-user-config \
		-display none -no-reboot -serial stdio -device isa-debug-exit,iobase=0xf4,iosize=4 \
		-kernel "$build/kernel.elf" -initrd "$dir/image" -fw_cfg name=opt/ringfence/run,file="$dir/run" \
		</dev/null 2>&1 | head -c 100000 | tr -d '\r' >"$dir/out"
	while IFS= read -r line; do
		case $line in
		'ok '*) n=$((n + 1)); echo "ok $n - $cpu: ${line#ok * - }" ;;
		'not ok '*) n=$((n + 1)); failed=1; echo "not ok $n - $cpu: ${line#not ok * - }" ;;
		*) echo "# $line" ;;
		esac
	done <"$dir/out"
	n=$((n + 1))
	if grep -qx '1\.\.26' "$dir/out"; then
		echo "ok $n - $cpu: ran to its end"
	else
		echo "not ok $n - $cpu: ran to its end"
		failed=1
	fi
done
echo "1..$n"
exit $failed
