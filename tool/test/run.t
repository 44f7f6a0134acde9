#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Running programs through the tool, with a double of QEMU that runs them on the host: streams, exit codes, signals.
. "$RF_ROOT/tool/test/lib.sh"

run echo 'a  b' "c'd" ''
is 'arguments pass unchanged' "$out" "a  b c'd "
is 'and nothing is on standard error' "$err" ''
is 'exit code 0' "$code" 0

run sh -c 'echo out; echo err >&2; exit 7'
is 'standard output' "$out" out
is 'standard error is apart' "$err" err
is 'exit code of the program' "$code" 7
run sh -c 'kill -TERM $$'
is '128 + signal' "$code" 143
run -- sh -c 'exit 3'
is '-- before the program' "$code" 3
run sh -c 'exit 255'
is 'exit code 255' "$code" 255

head -c 3000000 /dev/urandom >random
run cat <random
cmp -s out random
ok '3 MB through standard input and output, byte by byte'
run sh -c 'cat >&2' <random
cmp -s err random
ok 'and through standard error'
run cat random
cmp -s out random
ok 'a file that an argument names'
is 'empty input ends' "$(run cat </dev/null; echo "$code")" 0
is 'closed standard streams' "$("$RF_BUILD/ringfence" run --accel tcg true <&- >&- 2>&-; echo $?)" 0
is 'a reader that goes away' "$("$RF_BUILD/ringfence" run --accel tcg yes | head -n 2; echo "${PIPESTATUS[0]}")" \
	$'y\ny\n141'
run sh -c 'dd bs=1 count=3 2>/dev/null; exit 4' <random
is 'a program that does not read to the end' "$code" 4
{ echo one; until [ -e seen ]; do :; done; echo two; } | "$RF_BUILD/ringfence" run --accel tcg sh -c \
	"read a; echo \$a; : >$work/seen; cat" >out
is 'input that comes piece by piece' "$(cat out)" $'one\ntwo'
rm -f seen

run -e A=1 -e B=x=y -e A=2 -e UNSET_VARIABLE sh -c 'echo "$A $B ${UNSET_VARIABLE-none}"'
is '-e' "$out" '2 x=y none'
SECRET=s LC_TEST=l run env
like 'variables that are passed on' "$out" '^LC_TEST=l$'
[[ "$out" != *SECRET* ]]
ok 'and others that are not'
SECRET=s run -e SECRET env
like '-e NAME passes one on' "$out" '^SECRET=s$'
run -w /tmp pwd
is '-w' "$out" /tmp
is 'working folder' "$(run pwd; echo "$out")" "$work"

FAKE_QEMU=config-dump run -m 128M --strace --missing-files printf '%s' x
like 'run configuration: program' "$out" '^exe=/usr/bin/printf$'
is 'arguments in order' "$(grep ^arg= <<<"$out" | tr '\n' ' ')" 'arg=printf arg=%s arg=x '
like 'wishes' "$(tr '\n' ' ' <<<"$out")" 'strace=1 missing=1 '
like 'time' "$out" '^time=1[0-9]{18}$'
like 'working folder' "$out" "^cwd=$work\$"
like 'user' "$out" "^uid=$(id -u)\$"

# Signals: the tool passes them on; it is told by a file that the program is ready for them.
"$RF_BUILD/ringfence" run --accel tcg bash -c \
	"trap 'echo got it; exit 9' TERM; : >$work/ready; while :; do read -t 0.1 <> <(:); done" >out &
pid=$!
until [ -e ready ]; do :; done
kill -TERM $pid
wait $pid
is 'SIGTERM reaches the program' "$? $(cat out)" '9 got it'
FAKE_QEMU=hang "$RF_BUILD/ringfence" run --accel tcg true &
pid=$!
until qemu=$(pgrep -P $pid -f fake_qemu); do :; done
kill -TERM $pid
wait $pid
is 'a signal before the program runs ends the machine' $? 143
! kill -0 "$qemu" 2>/dev/null
ok 'no QEMU is left behind'
FAKE_QEMU=hang "$RF_BUILD/ringfence" run --accel tcg true &
pid=$!
until qemu=$(pgrep -P $pid -f fake_qemu); do :; done
kill -KILL $pid
wait $pid 2>/dev/null
while kill -0 "$qemu" 2>/dev/null; do :; done
ok 'QEMU dies with a tool that is killed'

if [ -r /dev/kvm ] && [ -w /dev/kvm ]; then # the double does not use it
	rf run -v echo ok
	like 'KVM is not taken if a guest does not run on it' "$err" 'TCG.*a probe guest failed on KVM'
	FAKE_QEMU=kvm-works rf run -v echo ok
	like 'the answer is remembered' "$err" 'TCG.*remembered since this boot'
	sed -i 1s/.*/of-another-boot/ "$XDG_CACHE_HOME/ringfence/accel"
	FAKE_QEMU=kvm-hangs rf run -v echo ok
	like 'until the next boot; a guest that hangs does not count' "$err" 'TCG.*within a second'
	rm "$XDG_CACHE_HOME/ringfence/accel"
	FAKE_QEMU=kvm-works rf run -v echo ok
	like 'KVM is taken if a guest runs on it' "$err" 'KVM: a probe guest reached long mode'
	is 'and the program runs' "$out" ok
else
	rf run -v echo ok
	like 'no KVM' "$err" 'accelerator: TCG \(software\): .*/dev/kvm'
fi
run -v echo ok
like 'the word of the user counts' "$err" 'TCG.*as asked for'

for end in 'panic 125 kernel panicked' 'config 125 does not understand' 'nomem 125 not enough memory' \
	'noprog 126 could not be started' 'silent 125 without the program' 'refuse 125 could not start'; do
	read -r how expected words <<<"$end"
	FAKE_QEMU=$how run true
	is "$how: exit code" "$code" "$expected"
	like "$how: message" "$err" "error: .*$words"
	like "$how: next step" "$err" 'next step: '
done
FAKE_QEMU=panic run true
like 'a panic shows the log' "$err" 'PANIC: page fault'
FAKE_QEMU=oom run -m 70M true
is 'out of memory: exit code' "$code" 137
like 'out of memory: message' "$err" '70 MiB of memory were not enough'
FAKE_QEMU=crash run true
is 'a crash: exit code' "$code" 139
like 'a crash: report' "$err" '^ringfence: x: segmentation fault at 0x0$'
is 'and nothing of it on standard output' "$out" ''
finish
