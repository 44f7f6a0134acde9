#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What `make install` gives: the examples of privcall(3) are built outside of the sources and run. TAP.
set -u
root=${RF_ROOT:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${RF_BUILD:-$root/build}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# As the build was made: other words for its folder or compiler would make all of it again.
out=${build#"$root"/}
read -r compiler _ <"$build/.flags"
n=0 failed=0
ok() { # what, then a command
	local what=$1
	shift
	n=$((n + 1))
	if "$@" >"$dir/log" 2>&1; then
		echo "ok $n - $what"
	else
		echo "not ok $n - $what"
		sed 's/^/# /' "$dir/log" | tail -8
		failed=1
	fi
}
usr=$dir/inst/usr
cd "$dir" || exit 1
ok 'make install' make -s -C "$root" install DESTDIR="$dir/inst" PREFIX=/usr O="$out" CC="$compiler"
for page in man1/ringfence-cc.1 man3/privcall.3; do
	ok "$page" test -s "$usr/share/man/$page"
done
manual=$usr/share/man/man3/privcall.3 header=$root/user/lib/privcall.h
ok 'the manual page renders without a complaint' eval 'man --warnings -l "$manual" >page 2>complaints; cat complaints; [ ! -s complaints ] && grep -q "The processor lacks SMEP or SMAP" page'
ok 'it has every function of the header' eval 'for f in $(grep -oE "\b(priv_[a-z_]+|mem[a-z]+|str[a-z]+)\(" "$header" | tr -d "(" | sort -u) PRIVCALL_DEFINE PRIV_SECRET; do
	grep -qE "\b$f\b" "$manual" || { echo "lacks $f"; exit 1; }; done'
ok 'every error, and every option' eval 'for e in $(grep -ohE "\-E[A-Z0-9]+" "$header") $(sed -n "s/.*case \(E[A-Z]*\):.*/-\1/p" "$root/user/lib/privcall.c") \
	$(sed -n "/^struct priv_options/,/^}/s/.*uint32_t \([a-z_]*\);.*/\1/p" "$header"); do
	sed "s/\\\\-/-/g" "$manual" | grep -qF -- "$e" || { echo "lacks $e"; exit 1; }; done'
examples=$usr/share/doc/ringfence/examples
mkdir "$dir/work"
cd "$dir/work" || exit 1
printf hunter2 >password
ok 'the examples are there' cp "$examples/example.c" "$examples/vault.priv.c" .
ok 'they are built' "$usr/bin/ringfence-cc" -O2 -Wall -Wextra -Werror -o example example.c vault.priv.c
ok 'by the installed library' eval '"$usr/bin/ringfence-cc" -E -M example.c | grep -q "$usr"'
ok 'they work' eval 'timeout 60 "$usr/bin/ringfence" run --include "$PWD/password" -- ./example "$PWD/password" hunter2 </dev/null |
	grep -qx "hunter2: right"'
ok 'and for plain Linux' eval '"$usr/bin/ringfence-cc" --plain -o plain example.c vault.priv.c && ./plain password hunter2 2>/dev/null |
	grep -qx "hunter2: right"'
echo "1..$n"
exit $failed
