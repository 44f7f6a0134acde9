#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Bad input: a clear error with cause and next step, an exit code that is not 0, nothing half-written.
. "$RF_ROOT/tool/test/lib.sh"

bad() { # bad NAME CODE PATTERN: by the last rf or run
	is "$1: exit code" "$code" "$2"
	like "$1: message" "$err" "^ringfence: error: .*$3"
	is "$1: nothing on standard output" "$out" ''
}
hint() { like 'its next step' "$err" "^  next step: .*$1"; }

run no-such-program
bad 'no such program' 127 'no program "no-such-program" in PATH'
hint spelling
run ./none
bad 'no such path' 127 './none does not exist'
run ''
bad 'empty name' 127 'empty'
run /etc
bad 'a folder' 126 '/etc is a folder'
echo text >text
run ./text
bad 'not executable' 126 'is not executable'
hint 'chmod \+x'
chmod +x text
run ./text
bad 'neither ELF nor script' 126 'neither an ELF program nor a script'
: >empty && chmod +x empty
run ./empty
bad 'empty file' 126 'is empty'

elf() { # elf NAME OFFSET BYTES...: /bin/true with bytes changed
	cp /bin/true "$1" && printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
elf i386 4 '\001' && elf arm64 18 '\267\000' && elf phoff 32 '\377\377\377\377\377\377\377\177'
elf phnum 56 '\377\377' && elf type 16 '\001\000'
head -c 100 /bin/true >cut100 && head -c 5000 /bin/true >cut5000 && chmod +x cut100 cut5000
printf '\177ELF' >magic && chmod +x magic
run ./i386
bad '32-bit program' 126 '32-bit'
hint '64-bit program for x86-64'
run ./arm64
bad 'program for arm64' 126 'another processor \(AArch64\)'
for f in phoff phnum type cut100 cut5000 magic; do
	run ./$f
	bad "damaged: $f" 126 "$f cannot run here: "
done

cat >need.c <<'C'
int in_library(void);
int main(void) { return in_library(); }
C
echo 'int in_library(void) { return 5; }' >library.c
gcc -shared -fPIC -o libof-a-test.so library.c && gcc -o need need.c -L. -lof-a-test
gcc -o runpath need.c -L. -lof-a-test -Wl,-rpath,'$ORIGIN'
gcc -o loader need.c -L. -lof-a-test -Wl,-rpath,'$ORIGIN' -Wl,--dynamic-linker=/lib/ld-of-a-test.so
run ./runpath
is 'a library beside the program' "$code" 5
run -e LD_LIBRARY_PATH="$work" ./need
is 'a library in LD_LIBRARY_PATH' "$code" 5
run ./need
bad 'missing library' 126 "library libof-a-test.so is missing, which $work/need needs"
hint 'apt-file search libof-a-test.so'
run ./loader
bad 'missing interpreter of an ELF program' 126 'dynamic loader /lib/ld-of-a-test.so, which is missing'
hint 'install'
script() { printf "$2" >"$1" && chmod +x "$1"; }
script s1 '#!/none/sh\n' && script s2 '#!/bin/sh\r\necho x\r\n' && script s3 '#!/usr/bin/env no-such-program\n'
script s4 '#!\n' && script loop "#!$work/loop\n"
run ./s1
bad 'missing interpreter of a script' 126 's1 is a script for /none/sh, which does not exist'
run ./s2
bad 'script with carriage returns' 126 'is a script for /bin/sh, which does not exist'
hint 'carriage return'
run ./s3
bad 'script for a program that is not there' 126 'no-such-program.* not in PATH'
run ./s4
bad 'script without an interpreter' 126 'neither an ELF program nor a script'
run ./loop
bad 'script that is its own interpreter' 126 'too many scripts'

head -c 30000000 /dev/zero >large
run -m 16M cat large
bad 'image larger than memory' 125 'image \(3[0-9] MiB\) does not fit into 16 MiB'
hint '-m [34][0-9]M'
run -m much true
bad 'bad size' 125 '"much" is no size'
run -c 9 true
bad 'too many processors' 125 '"9" is no number from 1 to 8'
run --include /none true
bad 'missing file to include' 125 '/none does not exist'
run --include /etc/hostname:relative true
bad 'bad place in the guest' 125 'cannot be placed'
run -e =x true
bad 'bad variable' 125 'names no variable'
run -w relative true
bad 'bad working folder' 125 'does not begin with /'
run
bad 'no program' 125 'no program is given'
rf run --accel fast true
bad 'unknown accelerator' 125 'none of auto, kvm, tcg'
rf frobnicate
bad 'unknown command' 125 'no command "frobnicate"'
rf run --frobnicate
is 'unknown option: exit code' "$code" 125

manifest() { # manifest NAME PATTERN TEXT
	printf -- "$3" >m.yaml
	run -f m.yaml
	bad "manifest: $1" 125 "$2"
}
manifest 'bad YAML' 'm.yaml:2:2: .*' 'program: [a\nb: }\n'
manifest 'unknown key' 'm.yaml:2:1: unknown key "memroy"' 'program: true\nmemroy: 64M\n'
manifest 'number' 'm.yaml:2:7: key "cpus": must be a whole number' 'program: true\ncpus: many\n'
manifest 'too large a number' 'm.yaml: key "cpus": 99 is more' 'program: true\ncpus: 99\n'
manifest 'list' 'm.yaml:2:7: key "args": must be a list' 'program: true\nargs: x\n'
manifest 'entry' 'm.yaml:3:5: key "args": each entry' 'program: true\nargs:\n  - [x]\n'
manifest 'size' 'm.yaml: key "memory": "big" is no size' 'program: true\nmemory: big\n'
manifest 'yes or no' 'm.yaml:2:9: key "strace": must be yes or no' 'program: true\nstrace: perhaps\n'
manifest 'twice' 'm.yaml:2:1: key "program" stands here twice' 'program: a\nprogram: b\n'
manifest 'no mapping' 'm.yaml:1:1: ' '- a\n'
manifest 'tab' 'm.yaml:2:1: found character that cannot start any token' 'a:\n\tb: c\n'
manifest 'include that is not there' '/none does not exist' 'program: true\ninclude: [/none]\n'
run -f none.yaml
bad 'manifest that is not there' 125 'none.yaml: No such file'

RINGFENCE_QEMU=/none run true
bad 'no QEMU' 125 'RINGFENCE_QEMU names no program'
hint 'apt-get install qemu-system-x86'
RINGFENCE_KERNEL=/none run true
bad 'no kernel' 125 'no kernel.elf'
run --kernel /none true
bad 'no such kernel' 125 'kernel /none does not exist'
RINGFENCE_CATALOG=/none run true
bad 'no catalog' 125 'catalog of known programs'
mkdir catalog && echo 'nome: x' >catalog/x.yaml
RINGFENCE_CATALOG=$work/catalog run true
bad 'bad catalog file' 125 'x.yaml:1:1: unknown key "nome"'

rf build -o out.img no-such-program
bad 'build: no such program' 127 'no program'
[ ! -e out.img ]
ok 'build: nothing is written'
rf build true
bad 'build: no output' 125 'no file is named'
rf build -o /none/out.img true
bad 'build: cannot be written' 125 '/none/out.img cannot be written'
rf build -o good.img true
is 'build' "$code" 0
size=$(stat -c %s good.img)
cp good.img bad.img && printf '\377\377\377\377\377\377\377\177' |
	dd of=bad.img bs=1 seek=$((size - 56)) conv=notrunc status=none
run ./bad.img
bad 'damaged image' 126 'bad.img is a damaged image'
cp good.img old.img && printf '\011' | dd of=old.img bs=1 seek=$((size - 24)) conv=notrunc status=none
run ./old.img
bad 'image of another version' 125 'image of version 9'
run --include /etc/hostname ./good.img
bad 'include into an image' 125 'nothing can be included'

is 'nothing is left over' "$(find "$XDG_CACHE_HOME" /dev/shm -name 'tmp-*' -newer kernel; ls | grep -c '\.tmp-')" 0
finish
