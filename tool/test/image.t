#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Images: what is in them, the cache, images built into one file, `inspect` and `doctor`.
. "$RF_ROOT/tool/test/lib.sh"

image() { ls -t "$XDG_CACHE_HOME"/ringfence/images/*.erofs | head -n 1; }
unpack() { rm -rf x && fsck.erofs --extract=x "$(image)" >/dev/null 2>&1; }

mkdir -p data/sub && echo one >data/sub/file && ln -s sub/file data/link && touch -d '2001-02-03 04:05:06.5' data/sub/file
chmod 640 data/sub/file
run -v cat data/link
is 'a folder of an argument is read' "$out" one
like 'the image is built' "$err" 'image: .* built in'
run -v cat data/link
like 'the second time it comes from the cache' "$err" 'image: .* found in the cache'
mapped='memory-backend-file,id=image,mem-path=/dev/fd/[0-9]+,size=[0-9]+,share=off,readonly=on .*image=0x[0-9a-f]+,'
like 'the machine gets it mapped, not copied' "$(grep -v -- -initrd <<<"$err")" " $mapped"
run -v -m 3G cat data/link
like 'where the memory is in two pieces it is copied' "$err" ' -initrd /dev/fd/'
unpack
ok 'fsck.erofs passes the image'
for f in /usr/bin/cat /lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/libc.so.6 /etc/passwd; do
	cmp -s "x$f" "$f"
	ok "$f is as on the host"
done
is 'links stay links' "$(readlink x/lib) $(readlink "x$work/data/link")" "$(readlink /lib) sub/file"
is 'time and rights of a file' "$(stat -c '%Y %a' "x$work/data/sub/file")" "$(stat -c '%Y %a' data/sub/file)"
is '/tmp is for everyone' "$(stat -c %a x/tmp)" 1777
[ -d x/proc ] && [ -d x/dev ]
ok 'folders for what the kernel makes'
echo two >data/sub/file
run -v cat data/sub/file
like 'a changed file makes a new image' "$err" 'built in'
is 'with the new content' "$out" two
first=$(sha256sum <"$(image)")
rm -rf "$XDG_CACHE_HOME/ringfence/images"
run cat data/sub/file
is 'the same files give the same image' "$(sha256sum <"$(image)")" "$first"

run ls data
is 'a folder comes with its content' "$out" $'link\nsub'
echo 'echo from $0; wc -l <data/sub/file; sed -n 1p data/sub/file' >script.sh
run sh script.sh data
is 'programs that a script names' "$out" $'from script.sh\n1\ntwo'
unpack
[ -x x/usr/bin/wc ] && [ -x x/usr/bin/sed ]
ok 'are in the image'
printf '#!/usr/bin/env sh\nexec tr a-z A-Z\n' >upper && chmod +x upper
run ./upper <<<text
is 'a script runs with its interpreter' "$out" TEXT
unpack
[ -x x/usr/bin/env ] && [ -x x/usr/bin/dash ] && [ -x x/usr/bin/tr ]
ok 'env, shell and what it starts are in the image'
run --include data:/srv/www true
unpack
is '--include HOST:GUEST' "$(cat x/srv/www/sub/file)" two
echo spec >listed
run true @listed
unpack
is 'an argument @FILE' "$(cat "x$work/listed")" spec
mkdir site && echo mine >site/inner.txt
run --include site/inner.txt:"$work/data/sub/file" --include data true
unpack
is 'what is given a place comes instead of what is there' "$(cat "x$work/data/sub/file")" mine
rf run --accel tcg --include site/inner.txt:/srv/a --include data/sub/file:/srv/a true
like 'two files at one place are refused' "$code $err" '^125 .*data/sub/file:/srv/a cannot be included: File exists'
run --include /usr/bin/awk true
unpack
[ -e x/usr/bin/awk ] && [ -e x/lib/x86_64-linux-gnu/libm.so.6 ]
ok '--include of a program brings its libraries'
run --also gzip true
unpack
[ -x x/usr/bin/gzip ]
ok '--also'
run ls /
unpack
[ ! -e x/boot ] && [ ! -e x/usr/share/doc ]
ok 'a folder of the system is not copied because an argument names it'
run --file=/dev/null ls 2>/dev/null
run ls "--color=never" --ignore=data/sub "$work"
is 'values of options may be paths' "$code" 0

cat >ringfence.yaml <<'Y'
program: sh
args: ["-c", 'echo "$GREETING $0 $1"', zero]
env: [GREETING=hello]
workdir: /tmp
cpus: 2
include: [data]
Y
run -f ringfence.yaml one
is 'manifest, and further arguments' "$out" 'hello zero one'
run -f ringfence.yaml -e GREETING=bye one
is 'options win over the manifest' "$out" 'bye zero one'

rf build -f ringfence.yaml -o service.img
is 'build from a manifest' "$code" 0
run ./service.img two
is 'run an image' "$out" 'hello zero two'
FAKE_QEMU=config-dump run ./service.img
like 'its working folder' "$out" '^cwd=/tmp$'
rf build -o sh.img sh -c 'exit 6'
run ./sh.img
is 'exit code from an image' "$code" 6
fsck.erofs sh.img >/dev/null 2>&1
ok 'an image is an EROFS file system'
cp -r "$XDG_CACHE_HOME" kept && rm -rf "$XDG_CACHE_HOME"
run ./sh.img
is 'it does not need the cache' "$code" 6

if [ -x /usr/bin/python3 ]; then
	run -v /usr/bin/python3 -c 'import json; print(json.dumps([1]))'
	is 'python3' "$out" '[1]'
	like 'by its catalog entry' "$err" 'catalog entry: python3'
	echo "# $(grep image: <<<"$err")"
	unpack
	version=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
	[ -e "x/usr/lib/python$version/json/__init__.py" ] && [ ! -e "x/usr/lib/python$version/test" ]
	ok 'its library, without its tests'
	missing=$(find x -name '*.so*' -type f | while read -r lib; do
		objdump -p "$lib" 2>/dev/null | awk '/NEEDED/ { print $2 }'
	done | sort -u | while read -r name; do
		find x -name "$name" | grep -q . || echo "$name"
	done)
	is 'every library that a module needs is there' "$missing" ''
fi

rf inspect sh
is 'inspect' "$code" 0
like 'its libraries' "$out" 'libc.so.6 +/lib/x86_64-linux-gnu/libc.so.6'
like 'its loader' "$out" 'Loader +/lib64/ld-linux-x86-64.so.2'
rf inspect -o json sh
like 'as JSON' "$(tr -d '\n\t' <<<"$out")" '^\{"program":.*"libraries":\[.*"syscalls":\[.*"read".*\}$'
rf doctor
is 'doctor' "$code" 0
like 'it looks at QEMU' "$out" '^ok +QEMU'
RINGFENCE_QEMU=/none RINGFENCE_KERNEL=/none rf doctor
is 'doctor: something is missing' "$code" 1
like 'and what helps' "$out" 'apt-get install qemu-system-x86'
for command in run build inspect doctor; do
	rf $command --help
	is "$command --help" "$code" 0
	like 'has an example' "$out" "Example"
done
rf --version
like '--version' "$out" '^ringfence [0-9]'
# Other tools may be at work: a stage that is left over is one whose lock nobody holds.
left=0
for stage in /dev/shm/ringfence-stage-*; do
	[ "$stage" -nt kernel ] && flock -n "$stage" true 2>/dev/null && [ -d "$stage" ] && left=$((left + 1))
done
is 'no stage is left in memory' $left 0
finish
