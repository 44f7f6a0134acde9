#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# How the kernel is linked: the table of names, the scan, and functions that change their place, on small examples.
set -u
tools=$RF_BUILD/tools
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
mkdir gen
n=0
check() { # check STATUS NAME
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' "$dir/log"
		failed=1
	fi
}
failed=0
echo 1..8

cat >kernel.ld <<'LD'
ENTRY(start)
SECTIONS {
	. = 0xffffffff80100000;
	.text : {
		. += PAD;
		INCLUDE first.ld
		*(.text .text.*)
	}
	.nk.text : { *(.nktext) }
	. = ALIGN(4096);
	.rodata : { KEEP(*(.rodata.symtab)) *(.rodata .rodata.*) }
	/DISCARD/ : { *(.eh_frame) *(.comment) *(.note.*) }
}
LD

assemble() { # assemble NAME < source
	as -o "$1.o" -
}
function_of() { # function_of NAME BODY: a global function with a type
	printf '.section .text.%s, "ax"\n.globl %s\n.type %s, @function\n%s:\n%b\n.size %s, . - %s\n' \
		"$1" "$1" "$1" "$1" "$2" "$1" "$1"
}
link() { # link NAME OBJECT...
	local name=$1
	shift
	echo "$*" >"$name.objs"
	LD=ld LDFLAGS='-m elf_x86_64 -nostdlib -static -z max-page-size=4096 -z noexecstack --build-id=none' \
		CC="${CC:-cc}" OBJCOPY=objcopy TOOLS=$tools MAX_BYTES=${max:-1048576} \
		"$RF_ROOT/build-tools/link.sh" kernel.ld "$name" >log 2>&1
}

function_of start '\tcall other\n\tret' | assemble start
function_of other '\tnop\n\tret' | assemble other
link good start.o other.o
check $? 'clean code is linked'
[ -s good.elf ] && [ -s good.debug.elf ] && ! nm good.elf 2>/dev/null | grep -q start
check $? 'symbols are stripped from what is booted'

nm good.debug.elf | sed -n 's/^ffffffff\(8[0-9a-f]*\) [Tt] \(.*\)/\2/p' | sort >want
sed -n 's/.*\.asciz "\(.*\)"/\1/p' gen/good.symtab.S | sort >got
diff want got >log 2>&1
check $? 'the table holds the functions'

function_of start '\twrmsr\n\tret' | assemble bad
! link bad bad.o other.o && [ ! -e bad.elf ] && grep -q 'wrmsr at .*start+0' log
check $? 'a forbidden instruction fails the build and is named'

{ function_of start '\tret'; printf '.section .nktext, "ax"\n\twrmsr\n'; } | assemble nk
link nk nk.o
check $? 'the nested kernel may contain it'

# The distance from call to callee is 0x300f: the bytes 0f 30, unless one of them moves.
function_of start '\tcall far\n\t.skip 0x300f, 0x90' | assemble near
function_of far '\tret' | assemble far
link accident near.o far.o && grep -q 'after 1 change(s) of place' log
check $? 'an accident of distances is cured by another place'

# A forbidden sequence across the border of two sections. 16 bytes: no alignment comes between.
{ function_of start '\t.skip 14, 0x90\n\tret\n\t.byte 0x0f'; printf '.section .nktext, "ax"\n\t.byte 0x30\n'; } | assemble border
link border border.o && grep -q 'after 1 change' log
check $? 'a sequence that begins in outer code and ends in the nested kernel is found, and taken apart'

max=1000
! link big start.o other.o && grep -q 'more than the 1000 allowed' log
check $? 'a kernel that is too large fails the build'
exit $failed
