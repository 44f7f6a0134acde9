#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Machines with names: in the background, their state, signals, stopping, restarting, removing; and what is left when
# somebody is killed. With a double of QEMU that runs the programs on the host.
. "$RF_ROOT/tool/test/lib.sh" || exit 1
export XDG_RUNTIME_DIR=$work/rt
mkdir -m 700 rt
state=$XDG_RUNTIME_DIR/ringfence

bad() { # bad NAME CODE PATTERN: by the last rf
	is "$1: exit code" "$code" "$2"
	like "$1: message" "$err" "^ringfence: error: .*$3"
	is "$1: nothing on standard output" "$out" ''
}
hint() { like 'its next step' "$err" "^  next step: .*$1"; }
wait_for() { # wait_for COMMAND...: until it succeeds, 20 s at most
	local end=$((SECONDS + 20))
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		read -r -t 0.02 <> <(:)
	done
	return 0
}
gone() { ! kill -0 "$1" 2>/dev/null || grep -qs '^State:.Z' "/proc/$1/status"; }
has_lines() { [ "$(wc -l <"$1")" -ge "$2" ]; }
runs() { [ "$(field "$1" .state 2>/dev/null)" = running ]; }
field() { jq -r "$2" "$state/$1/state.json"; }
detached() { rf run -d --accel tcg "$@"; }
cleanup() { # whatever a failed test left
	for d in "$state"/*/; do
		[ -e "$d/state.json" ] && "$RF_BUILD/ringfence" rm -f "$(basename "$d")"
	done >"$work/cleanup" 2>&1
	rm -rf "$work"
}
trap cleanup EXIT

# ---- start, list, output ----
rf ps
is 'ps with nothing: exit code' "$code" 0
is 'ps with nothing: only the heading' "$(wc -l <<<"$out")" 1
rf ps -o json
is 'ps -o json with nothing' "$out" '[]'
detached --name web sh -c 'echo out; echo err >&2; while :; do sleep 1; done'
is 'run -d: exit code' "$code" 0
is 'prints the name' "$out" web
is 'and nothing else' "$err" ''
is 'state' "$(field web .state) $(field web .detached)" 'running true'
is 'the folder is the user'\''s alone' "$(stat -c %a "$state") $(stat -c %a "$state/web")" '700 700'
owner=$(field web .pid) qemu=$(field web .qemu)
is 'the owner has a session of its own, and no terminal' "$(ps -o sid=,tty= -p "$owner" | tr -s ' ' | grep -c '?')" 1
rf ps
like 'ps' "$out" '^web +running [0-9]+ s +- +[0-9]+M  sh -c echo out'
rf ps -o json
is 'ps -o json' "$(jq -r '.[0].name + " " + .[0].state' <<<"$out")" 'web running'
wait_for grep -q err "$state/web/log"
rf logs web
is 'logs: both streams' "$(sort <<<"$out")" $'err\nout'
rf run --accel tcg --name web true
bad 'name taken' 125 'the name web is taken by a machine that runs'
hint 'ringfence stop web'
detached sh -c 'while :; do sleep 1; done'
is 'a second machine gets its program'\''s name' "$out" sh
detached sh -c 'while :; do sleep 1; done'
is 'and a third a number' "$out" sh-2
rf ps -o json
is 'three machines at once' "$(jq -r '[.[].name] | join(" ")' <<<"$out")" 'sh sh-2 web'

# ---- signals, stopping ----
detached --name traps bash -c "trap 'echo hup' HUP; trap 'echo term; exit 4' TERM; : >$work/ready; while :; do read -t 0.05 <> <(:); done"
wait_for test -e ready
rf kill -s HUP traps
is 'kill -s HUP' "$code" 0
wait_for grep -q hup "$state/traps/log"
ok 'reaches the program'
rf kill -s NOPE traps
bad 'unknown signal' 125 'no signal "NOPE"'
rf stop traps
is 'stop: exit code' "$code" 0
is 'the program ended by itself' "$(field traps .exit_code) $(field traps .state)" '4 exited'
rf wait traps
is 'wait gives its exit code' "$code" 4
rf logs traps
is 'the log stays' "$out" $'hup\nterm'
rf stop traps
bad 'stop of one that has ended' 1 'the machine traps has ended'
hint 'ringfence rm traps'
rf kill traps
bad 'kill of one that has ended' 1 'has ended'
rf ps
[[ $out != *traps* ]]
ok 'ps does not list it'
rf ps -a
like 'ps -a does' "$out" '^traps +exited \(4\)'
detached --name traps true
bad 'its name is taken' 125 'taken by a machine that has ended'
hint 'ringfence rm traps'
rf rm traps
is 'rm: exit code' "$code" 0
[ ! -e "$state/traps" ]
ok 'nothing is left'
for command in kill stop rm wait logs 'exec -i'; do
	rf $command wbe $([ "$command" = 'exec -i' ] && echo true)
	bad "$command of an unknown machine" 1 'there is no machine wbe'
	hint 'did you mean web'
done
detached --name deaf sh -c "trap '' TERM; : >$work/deaf; while :; do sleep 0.1; done"
wait_for test -e deaf
begin=$SECONDS
rf stop -t 1 deaf
is 'stop of a program that does not listen' "$code $(field deaf .exit_code)" '0 137'
[ $((SECONDS - begin)) -lt 9 ]
ok 'takes its time and no more'
rf rm web
bad 'rm of one that runs' 1 'the machine web runs'
hint 'rm -f web'
rf rm -f web
is 'rm -f' "$code" 0
[ ! -e "$state/web" ] && gone "$qemu" && wait_for gone "$owner"
ok 'leaves nothing: no folder, no QEMU, no owner'
# Whichever comes first, the program's end or its removal.
refused=0
for _ in {1..25}; do
	detached --name quick sh -c 'exit 1'
	rf rm -f quick
	[ "$code" -eq 0 ] && [ ! -e "$state/quick" ] || refused=$((refused + 1))
done
is 'rm -f of one that ends at that moment' $refused 0

# ---- failures to start ----
detached no-such-program
bad 'no such program' 127 'no program "no-such-program"'
FAKE_QEMU=panic detached --name p true
bad 'a kernel that panics' 125 'the kernel panicked'
FAKE_QEMU=noprog detached --name p true
bad 'a program that cannot be started there' 126 'could not be started'
FAKE_QEMU=refuse detached --name p true
bad 'a QEMU that refuses' 125 'QEMU could not start'
RINGFENCE_QEMU=/none detached --name p true
bad 'no QEMU' 125 'RINGFENCE_QEMU names no program'
[ ! -e "$state/p" ]
ok 'no state is left'
for name in '' -x 'a b' a/b ../x "$(printf 'x%.0s' {1..64})"; do
	detached --name "$name" true
	bad "name \"${name:0:10}\"" 125 'cannot be a name'
done
rf run --accel tcg --restart on-failure true
bad '--restart without -d' 125 'machines in the background'
for what in always on-failure: on-failure:0 on-failure:x; do
	detached --restart $what true
	bad "--restart $what" 125 "\"$what\" is none of no, on-failure"
done
mkdir -m 755 other && XDG_RUNTIME_DIR=$work/other rf run --accel tcg true
is 'a runtime folder without ours' "$code" 0
chmod 755 other/ringfence
XDG_RUNTIME_DIR=$work/other detached true
bad 'a state folder that is open to others' 125 'open to other users'
rm -rf other && ln -s /tmp other2 && mkdir other3 && ln -s /tmp other3/ringfence
XDG_RUNTIME_DIR=$work/other3 detached true
bad 'a state folder that is a link' 125 'is no folder'
XDG_RUNTIME_DIR=$work/other3 rf run --accel tcg echo all the same
is 'in the foreground it runs all the same' "$out$code" 'all the same0'

# ---- restart ----
detached --name again --restart on-failure:2 sh -c "echo run >>$work/runs; exit 3"
rf wait again
is 'restart on failure, with a limit' "$(wc -l <runs) $code" '3 3'
is 'is counted' "$(field again .restarts)" 2
rf logs again
like 'and logged' "$out" 'ringfence: restart 2 in 0.2 s'
detached --name once --restart on-failure sh -c "echo run >>$work/once; exit 0"
rf wait once
is 'no restart without a failure' "$(wc -l <once) $code" '1 0'
detached --name loops --restart on-failure sh -c 'exit 1'
rf stop loops
is 'stop ends the restarts' "$code" 0
is 'for good' "$(field loops .state)" exited
detached --name crash --restart on-failure:1 sh -c "echo \$\$ >>$work/crashes; while :; do sleep 0.1; done"
wait_for test -s crashes
qemu=$(field crash .qemu)
kill -KILL "$qemu"
wait_for has_lines crashes 2
ok 'a QEMU that is killed is a failure: restart'
rf rm -f crash

# ---- somebody is killed ----
detached --name k1 sh -c 'while :; do sleep 1; done'
owner=$(field k1 .pid) qemu=$(field k1 .qemu)
kill -KILL "$owner"
wait_for gone "$qemu"
ok 'QEMU goes with its owner'
rf ps -a
like 'ps tidies up' "$out" '^k1 +exited \(137\)'
is 'and says why' "$(field k1 .message)" 'the process that held the machine was killed'
rf stop k1
bad 'stop of it' 1 'has ended'
rf rm k1
is 'rm of it' "$code" 0
detached --name k2 sh -c 'while :; do sleep 1; done'
kill -KILL "$(field k2 .qemu)"
rf wait k2
is 'QEMU killed: the owner tells' "$code $(field k2 .state)" '125 exited'
rf logs k2
like 'why' "$out" 'QEMU was killed by signal 9'
rf rm k2
"$RF_BUILD/ringfence" run --accel tcg --name k3 sh -c 'while :; do sleep 1; done' >k3.out 2>&1 &
tool=$!
wait_for runs k3
qemu=$(field k3 .qemu)
rf ps
like 'a machine in the foreground is listed' "$out" '^k3 +running'
rf logs k3
bad 'it has no log' 125 'in the foreground'
kill -KILL $tool
wait $tool 2>/dev/null
wait_for gone "$qemu"
rf ps -a
[[ $out != *k3* && ! -e $state/k3 ]]
ok 'a tool that is killed leaves nothing that stays'
# The number of a process that is gone belongs to another one now: it must not be touched.
detached --name k4 sh -c 'while :; do sleep 1; done'
kill -KILL "$(field k4 .pid)"
wait_for gone "$(field k4 .qemu)"
/bin/sleep 1000 &
innocent=$!
jq ".qemu = $innocent" "$state/k4/state.json" >k4 && cp k4 "$state/k4/state.json"
rf ps -a
kill -0 $innocent
ok 'a process with the number of a dead QEMU is left alone'
kill $innocent
rf rm k4
echo '{"name":' >broken && mkdir "$state/k5" && cp broken "$state/k5/state.json"
rf ps -a
is 'a damaged state is removed' "$code $(ls -d "$state/k5" 2>/dev/null)" '0 '

# ---- in the foreground ----
"$RF_BUILD/ringfence" run --accel tcg --name fg bash -c "trap 'echo bye; exit 6' TERM; : >$work/fg; while :; do read -t 0.05 <> <(:); done" >fg.out &
tool=$!
wait_for test -e fg
rf stop fg
wait $tool
is 'stop of a machine in the foreground: its command has the exit code' "$? $(cat fg.out)" '6 bye'
[ ! -e "$state/fg" ]
ok 'and nothing is left'
mkdir catalog && cat >catalog/served.yaml <<'Y'
name: served
match: [served]
service: yes
args-before: [first]
args: [none]
needs: [/tmp/needed-by-served]
Y
printf '#!/bin/sh\ntrap "" TERM; echo "$*"; test -t 0; while :; do sleep 0.1; done\n' >served && chmod +x served
RINGFENCE_CATALOG=$work/catalog rf run --accel tcg ./served
bad 'a configuration that is missing' 125 'served needs its configuration /tmp/needed-by-served'
RINGFENCE_CATALOG=$work/catalog "$RF_BUILD/ringfence" run --accel tcg ./served x >served.out &
tool=$!
wait_for test -s served.out
is 'arguments of the catalog' "$(cat served.out)" 'first x'
kill -TERM $tool
wait_for grep -q '^ShdPnd:.*0000000000000000' /proc/$tool/status
kill -TERM $tool
wait $tool
is 'a service that does not listen ends with the second signal' $? 143

rm served.out
RINGFENCE_CATALOG=$work/catalog "$RF_BUILD/ringfence" run --accel tcg ./served x >served.out &
tool=$!
wait_for test -s served.out
begin=$SECONDS
kill -TERM $tool
wait $tool
is 'or after ten seconds' "$? $((SECONDS - begin >= 9 && SECONDS - begin < 20))" '137 1'

# ---- ports ----
port() { # port NAME PATTERN ARG...
	local name=$1 pattern=$2
	shift 2
	rf run --accel tcg "$@" true
	bad "$name" 125 "$pattern"
}
port 'port without a machine'\''s' 'no port of the machine' -p 80
port 'no number' "the host's port is no number" -p x:80
port 'too large' "the machine's port is no number" -p 80:65536
port 'bad protocol' 'neither /tcp nor /udp' -p 80:80/sctp
port 'bad address' 'no IPv4 address' -p 1.2.3:80:80
port 'IPv6 without brackets' 'no IPv4 address' -p ::1:80:80
port 'IPv6' 'IPv4 addresses only' -p '[::1]:8080:80'
port 'twice' 'asked for twice' -p 8080:80 -p 127.0.0.1:8080:81
port 'ports without a network' 'need a network' -p 8080:80 --net none
port 'ports on a tap' 'belong to --net user' -p 8080:80 --net tap=x
port 'no such tap' 'no network device nope-0' --net tap=nope-0
port 'unknown network' 'none of user, tap=NAME, none' --net bridge
port 'bad address of the machine' 'no length from 1 to 32' --ip 10.0.0.2/33
coproc HOLDER { exec python3 -uc 'import socket,sys
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); print(s.getsockname()[1]); sys.stdin.read()'; }
read -r held <&"${HOLDER[0]}"
port 'port in use' "port $held of this host \(tcp at 127.0.0.1\) is in use by python3 \(process $HOLDER_PID\)" \
	-p 127.0.0.1:$held:80
hint 'like -p [0-9]+:80'
exec {HOLDER[1]}>&-
is 'udp is another port' "$(rf run --accel tcg -p 127.0.0.1:$held:80/udp true; echo "$code")" 0
run -v -p 127.0.0.1:$held:80 -p $held:53/udp true
like 'what QEMU gets' "$err" "user,id=net0,hostfwd=tcp:127.0.0.1:$held-:80,hostfwd=udp::$held-:53"
FAKE_QEMU=config-dump run -p 127.0.0.1:$held:80 true
like 'what the kernel gets' "$out" '^net=10.0.2.15/24,10.0.2.2,10.0.2.3$'
FAKE_QEMU=config-dump run true
[[ $out != *net=* ]]
ok 'no network without a reason'
printf 'program: true\nports: [%s]\nname: from-manifest\n' "127.0.0.1:$held:80" >ports.yaml
FAKE_QEMU=config-dump rf run --accel tcg -f ports.yaml
like 'ports and name of a manifest' "$out" '^hostname=from-manifest$'
printf 'program: true\nname: ok\nports:\n  - 80\n' >bad.yaml
rf run -f bad.yaml
bad 'bad port of a manifest' 125 'bad.yaml:4: key "ports": "80": there is no port'
printf 'program: true\nrestart: always\n' >bad.yaml
rf run -d -f bad.yaml
bad 'bad restart of a manifest' 125 'bad.yaml:2: key "restart": "always" is none'

# ---- every command explains itself ----
for command in run build inspect doctor ps logs exec kill stop rm wait; do
	rf $command --help
	is "$command --help: exit code" "$code" 0
	like "$command --help: examples" "$out" '^ *Examples?:'
done
for command in logs exec kill stop rm wait; do
	rf $command
	bad "$command without a name" 125 'no machine is named'
done
rf exec web
bad 'exec without a program' 125 'no program is named'
rf psx
hint 'did you mean ps'
for name in sh sh-2 deaf again once loops; do rf rm -f $name; done
rf ps -a -o json
is 'nothing is left over' "$out $(ls -A "$state")" '[] '
finish
