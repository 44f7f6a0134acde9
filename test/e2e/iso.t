#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A static hello from a GRUB image, as on a PC: in QEMU and in Bochs (tigerlake), whose only line is COM1. TAP.
set -u
root=${RF_ROOT:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${RF_BUILD:-$root/build}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

echo 1..4
mkdir -p "$dir/img/dev" "$dir/img/proc" "$dir/img/sys" "$dir/img/tmp" "$dir/img/run"
if ! {
	set -x
	gcc -O2 -static -o "$dir/img/hello" "$root/bench/hello.c" &&
		mkfs.erofs -Enoinline_data,force-inode-extended "$dir/root.erofs" "$dir/img" &&
		printf 'exe=/hello\0arg=/hello\0env=PATH=/\0' >"$dir/run.bin" &&
		"$root/build-tools/mkiso.sh" "$build/kernel.elf" "$dir/hello.iso" "" "$dir/root.erofs" "$dir/run.bin"
} >"$dir/mkiso.log" 2>&1; then
	set +x
	sed 's/^/# /' "$dir/mkiso.log"
	for n in 1 2 3 4; do echo "not ok $n - the ISO is made"; done
	exit 1
fi
set +x

check() { # number, name, file with the serial output
	if grep -q '^hello$' "$3"; then
		echo "ok $1 - $2"
	else
		echo "not ok $1 - $2"
		sed 's/^/#   /' "$3" | tail -15
	fi
}

n=0
for cores in 1 2; do
	n=$((n + 1))
	timeout 60 qemu-system-x86_64 -accel tcg -cpu max -M q35 -m 128M -smp $cores -nodefaults -display none -serial stdio -monitor none \
		-no-reboot -device isa-debug-exit,iobase=0xf4,iosize=4 -cdrom "$dir/hello.iso" </dev/null 2>&1 | tr -d '\r' >"$dir/qemu.txt"
	check $n "hello from GRUB in QEMU, $cores cores" "$dir/qemu.txt"
done
for cores in 1 2; do
	n=$((n + 1))
	"$root/build-tools/bochs.sh" "$dir/hello.iso" tigerlake $cores 120 >"$dir/bochs.txt" 2>&1
	check $n "hello from GRUB in Bochs tigerlake, $cores cores" "$dir/bochs.txt"
done
