#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What a panic says and how the machine ends: asked for with panic= on the command line.
set -u
kernel=${RF_BUILD:-build}/kernel-test.elf
[ -f "$kernel" ] || { echo "Bail out! no $kernel; make ktest builds it"; exit 1; }
out=$(mktemp)
trap 'rm -f "$out"' EXIT
n=0 failed=0

boot() { # boot CORES CMDLINE: log in $out, QEMU's exit code in $code
	timeout 60 qemu-system-x86_64 -M q35 -accel tcg -cpu max -m 64M -smp "$1" -nodefaults -no-user-config \
		-display none -no-reboot -serial stdio -device isa-debug-exit,iobase=0xf4,iosize=4 \
		-kernel "$kernel" -append "$2" </dev/null >"$out" 2>&1
	code=$?
}

is() { # is NAME GOT WANT
	n=$((n + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		echo "# got $2, want $3"
		sed 's/^/# /' "$out"
		failed=1
	fi
}

says() { # says NAME PATTERN
	is "$1" "$(grep -cE "$2" "$out")" 1
}

PANIC=253 # 2 * 0x7e + 1

boot 1 panic=test
is 'panic: exit code' $code $PANIC
says 'panic: cause and core' '^PANIC core 0: asked for on the command line$'
says 'panic: function names' '^  ffffffff[0-9a-f]{8} kernel_main\+0x'
says 'panic: report is complete' '^end of report$'

boot 1 panic=divide
is 'divide error: exit code' $code $PANIC
says 'divide error: cause' '^PANIC core 0: divide error in the kernel'
says 'divide error: registers' '^rip ffffffff[0-9a-f]{8} cs 8 .* vector 0 error 0$'

boot 1 panic=write
is 'write to text: exit code' $code $PANIC
says 'write to text: address' '^PANIC core 0: page fault in the kernel, address 0xffffffff80[0-9a-f]* \(write\)$'

boot 1 panic=deep
is 'stack overflow: exit code' $code $PANIC
says 'stack overflow: cause' '^PANIC core 0: double fault in the kernel|^PANIC core 0: kernel stack overflow'

boot 3 panic=other
is 'another core dies: exit code' $code 1
says 'another core dies: its report' '^PANIC core 2: asked to, by a test$'
says 'another core dies: core 0 is told' 'core 0 error: core 2 has stopped'
says 'another core dies: the call fails' 'core 0 error: call to core 2: no such device$'

boot 1 panic=nonsense
is 'unknown word: exit code' $code 247 # 2 * 0x7b + 1

boot 1 log=loud
is 'unknown log level: exit code' $code 247

boot 1 image=0x1000000,0x1000x
is 'an image at no place: exit code' $code 247
says 'an image at no place: cause' 'image= is to be ADDRESS,LENGTH'

boot 1 image=0x3fff000,0x2000
is 'an image beyond the memory: exit code' $code 247
says 'an image beyond the memory: cause' 'image=: there is no memory at 0x3fff000'

echo "1..$n"
exit $failed
