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
# a constant's address. Other orders of the objects, and PAD, give others: up to 32 are tried before the build fails.
set -eu
script=$1 name=$2
out=$(dirname "$name")
table=$out/gen/$(basename "$name").symtab
read -r -a objects <"$name.objs"

link() { # link OUTPUT TABLE-OBJECT
	# shellcheck disable=SC2086  # flags are words
	"$LD" $LDFLAGS $sort --defsym=PAD=$((try * 64)) -T "$script" -o "$1" "${order[@]}" "$2"
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

tries=32
for ((try = 0; try < tries; try++)); do
	first=$((try * ${#objects[@]} / tries))
	order=("${objects[@]:first}" "${objects[@]:0:first}")
	((try % 4 < 2)) || mapfile -t order < <(printf '%s\n' "${order[@]}" | tac)
	sort=
	((try % 2 == 0)) || sort=--sort-section=name
	link_with_table
	if ((try < tries - 1)); then
		"$TOOLS/scan" "$name.debug.elf" >"$name.scan" 2>&1 && break
		echo "  SCAN    forbidden bytes with order $try of the objects, trying another" >&2
	elif ! "$TOOLS/scan" "$name.debug.elf"; then
		rm -f "$name.debug.elf"
		exit 1
	fi
done

"$OBJCOPY" --strip-all "$name.debug.elf" "$name.elf.new"
size=$(stat -c %s "$name.elf.new")
if ((size > MAX_BYTES)); then
	echo "link: $name.elf has $size bytes, more than the $MAX_BYTES allowed" >&2
	exit 1
fi
mv "$name.elf.new" "$name.elf"
