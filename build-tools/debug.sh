#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# debug.sh BUILD [QEMU OPTION...]: starts QEMU with the kernel, stopped, and gdb attached to it.
# GDB_ARGS are passed to gdb (for instance -batch -ex ...). QEMU ends with gdb.
set -eu
build=$1
shift
socket=$(mktemp -u "${TMPDIR:-/tmp}/ringfence-gdb.XXXXXX")
qemu-system-x86_64 -M q35 -accel tcg -cpu max -m "${MEM:-128M}" -smp "${SMP:-1}" -nodefaults -no-reboot \
	-display none -serial "file:$build/debug.log" -kernel "$build/kernel.elf" -append "${CMDLINE:-}" \
	-device isa-debug-exit,iobase=0xf4,iosize=4 \
	-chardev "socket,path=$socket,server=on,wait=off,id=gdb" -gdb chardev:gdb -S "$@" </dev/null &
qemu=$!
trap 'kill $qemu 2>/dev/null || true; rm -f "$socket"' EXIT
while [ ! -S "$socket" ]; do
	kill -0 $qemu || { echo 'debug: QEMU did not start' >&2; exit 1; }
	sleep 0.05
done
echo "kernel log: $build/debug.log"
# shellcheck disable=SC2086  # words
gdb -q -iex 'set architecture i386:x86-64' -ex "target remote $socket" ${GDB_ARGS:-} "$build/kernel.debug.elf"
