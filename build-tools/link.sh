#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# link.sh SCRIPT NAME: links the objects listed in NAME.objs into NAME.debug.elf (with symbols) and NAME.elf
# (to boot), with the table of function names for backtraces, and scans the result for instructions
# that only the nested kernel may contain.
#
# The table is made from a first link with an empty one and linked in; as it stands behind the text, functions
# do not move. That is checked, and repeated should they have moved.
#
# A forbidden sequence can be an accident of the distances between functions (bytes of a call's displacement) or of
# an address. A function where one arises is put in front of all others, and PAD moves text and variables: up to 32 such
# steps are tried before the build fails.
set -eu
script=$1 name=$2
out=$(dirname "$name")
table=$out/gen/$(basename "$name").symtab
first=$out/gen/$(basename "$name").first # what the linker script includes as first.ld
read -r -a objects <"$name.objs"

link() { # link OUTPUT TABLE-OBJECT
	# shellcheck disable=SC2086  # flags are words
	"$LD" $LDFLAGS --defsym=PAD=$((try * 64)) -L "$first" -T "$script" -o "$1" "${objects[@]}" "$2"
}

make_table() { # make_table ELF: writes $table.S, or $table.new.S to compare
	"$TOOLS/mksyms" "$1" >"$2"
}

assemble() {
	"$CC" -c -o "$table.o" "$table.S"
}

link_with_table() {
	make_table - "$table.S" </dev/null
	assemble
	link "$name.pass.elf" "$table.o"
	for _ in 1 2 3 4; do
		make_table "$name.pass.elf" "$table.new.S"
		if cmp -s "$table.new.S" "$table.S"; then
			mv "$name.pass.elf" "$name.debug.elf"
			rm -f "$table.new.S"
			return
		fi
		mv "$table.new.S" "$table.S"
		assemble
		link "$name.pass.elf" "$table.o"
	done
	echo "link: the table of function names does not settle; is .rodata in front of .text?" >&2
	exit 1
}

# The functions that the scan named, in front of those that it named before, with a gap behind them that no other step
# had: so that a function named again gets another distance to all others. A distance of 0x0fXXXX bytes to a variable
# (0f 00 are bytes of it) is left by 64 KiB only: the gaps grow, and together are larger than that.
put_first() {
	sed -nE 's/^.* in \.text[^,]*, ([A-Za-z0-9_]+)[^+]*\+0x.*$/*(.text.\1 .text.\1.* .text.*.\1)/p' "$name.scan" |
		sort -u | cat - <(echo ". += $((try * 176 + 16));") "$first/first.ld" >"$first/new"
	mv "$first/new" "$first/first.ld"
}

tries=96
mkdir -p "$first"
: >"$first/first.ld"
for ((try = 0; try < tries; try++)); do
	link_with_table
	if ((try < tries - 1)); then
		"$TOOLS/scan" "$name.debug.elf" >"$name.scan" 2>&1 && break
		put_first
	elif ! "$TOOLS/scan" "$name.debug.elf"; then
		rm -f "$name.debug.elf"
		exit 1
	fi
done
((try == 0)) || echo "  SCAN    no forbidden bytes in $(basename "$name"), after $try change(s) of place" >&2

"$OBJCOPY" --strip-all "$name.debug.elf" "$name.elf.new"
size=$(stat -c %s "$name.elf.new")
if ((size > MAX_BYTES)); then
	echo "link: $name.elf has $size bytes, more than the $MAX_BYTES allowed" >&2
	exit 1
fi
mv "$name.elf.new" "$name.elf"
