#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# ringfence-cc and libprivcall: ways to build, in the guest and on plain Linux, and what goes wrong with a clear message. TAP.
set -u
root=${RF_ROOT:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${RF_BUILD:-$root/build}
cc=$build/ringfence-cc
src=$root/test/attack/privuser
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1

n=0 failed=0
ok() { # what, then a command
	local what=$1
	shift
	n=$((n + 1))
	if "$@" >log 2>&1; then
		echo "ok $n - $what"
	else
		echo "not ok $n - $what"
		sed 's/^/# /' log | tail -8
		failed=1
	fi
}
fails() { ! "$@"; }
says() { # text, then a command: its output has the text
	local text=$1
	shift
	"$@" 2>&1 </dev/null | grep -qF -- "$text"
}
tap() { # a command that prints TAP: all of it came, and is good
	"$@" >tap </dev/null
	cat tap
	! grep -q '^not ok' tap && [ "1..$(grep -c '^ok' tap)" = "$(tail -1 tap)" ]
}
lesser() { # a machine whose processor lacks something, then a command: what it says, and that it fails
	printf '#!/bin/bash\nfor w; do a+=("${w/#max/max,-%s}"); done\nexec qemu-system-x86_64 "${a[@]}"\n' "$1" >qemu-lesser
	chmod +x qemu-lesser
	shift
	! RINGFENCE_QEMU=$dir/qemu-lesser timeout 60 "$@" </dev/null
}
guest() { timeout 60 "$build/ringfence" run --include "$dir/password" "$@" </dev/null; }

printf hunter2 >password
ok 'in one step' "$cc" -O2 -Wall -Wextra -Werror -o one "$src/example.c" "$src/vault.priv.c"
ok 'it works in the guest' says 'hunter2: right' guest -- ./one "$dir/password" wrong hunter2
ok 'five wrong guesses, and no more answers' says 'hunter2: no answer' guest -- ./one "$dir/password" a b c d e hunter2
ok 'no file: the error comes back' says 'error 2' guest -- ./one "$dir/nothing"
ok 'a file that is too long' says 'error 27' guest --include /etc/services -- ./one /etc/services

ok 'object by object' "$cc" -O2 -c -o vault.o "$src/vault.priv.c"
ok 'the ordinary object' "$cc" -O2 -c -o main.o "$src/example.c"
ok 'linked from an archive' eval 'ar rc libvault.a vault.o && "$cc" -o two main.o libvault.a'
ok 'the same program' cmp one two
ok 'the password-checking code is not among the 64-bit symbols' eval '! nm two | grep -q " vault_check$"'
ok 'a shared library' eval '"$cc" -shared -fPIC -o v.so "$src/example.c" "$src/vault.priv.c" && nm -D v.so | grep -q main && ! nm -D v.so | grep -q priv_'
ok 'clang underneath' env RINGFENCE_CC=clang "$cc" -O2 -o three "$src/example.c" "$src/vault.priv.c"
ok 'it works' says 'hunter2: right' guest -- ./three "$dir/password" hunter2
ok 'a program without a private part' eval 'echo "int main(void){return 0;}" >none.c && "$cc" -o none none.c && ./none'
ok 'make with CC=ringfence-cc and its own dependencies' eval '"$cc" -MMD -MF d.d -o four "$src/example.c" "$src/vault.priv.c" && grep -q example.c d.d'
ok '--header' eval '"$cc" --header=calls.h "$src/vault.priv.c" && grep -qx "PRIVCALL(vault_check);" calls.h && grep -q "priv_uaddr guess, uint32_t len" calls.h'

ok 'on plain Linux it says that nothing works' says 'NOT protected, and calls will fail: this is not a Ringfence kernel' ./one password hunter2
ok 'and ends with an error' fails ./one password hunter2
ok '--plain' "$cc" --plain -O2 -Wall -o plain "$src/example.c" "$src/vault.priv.c"
ok '--plain works' says 'hunter2: right' ./plain password hunter2
ok '--plain says that nothing is isolated' says 'NOTHING IS ISOLATED' ./plain password hunter2
for lack in smap smep; do
	ok "a processor without $lack: the program has no vault, and says why" eval 'lesser $lack "$build/ringfence" run --include "$dir/password" \
		-- ./one "$dir/password" hunter2 >out 2>&1; cat out; grep -q "NOT protected, and calls will fail: this processor lacks" out && ! grep -q right out'
	ok "  and it ends with an error" lesser $lack "$build/ringfence" run --include "$dir/password" -- ./one "$dir/password" hunter2
done
ok 'the library at its edges' "$cc" -O2 -Wall -Wextra -Werror -o lib "$src/library.c" "$src/library.priv.c"
ok 'in the guest' tap timeout 60 "$build/ringfence" run ./lib /tmp/x
ok 'the same for plain Linux' "$cc" --plain -O2 -Wall -Wextra -Werror -o libplain "$src/library.c" "$src/library.priv.c"
ok 'on plain Linux' tap ./libplain ./x
ok 'switched off by the configuration: it says so' says 'switched the protection off' guest --append privuser=0 -- ./one "$dir/password" hunter2

echo 'PRIV_SECRET static int k = 5; PRIVCALL_DEFINE(f) { return k; }' | sed '1i #include <privcall.h>' >init.priv.c
ok 'a secret with an initial value does not compile' fails "$cc" -c init.priv.c
echo 'PRIVCALL_DEFINE(f, (double, d)) { return (long)(d * 2.5); }' | sed '1i #include <privcall.h>' >double.priv.c
ok 'floating point does not link' says 'undefined reference to `__' "$cc" -o x none.c double.priv.c
echo 'int printf(const char *f, ...); PRIVCALL_DEFINE(f) { return printf("x"); }' | sed '1i #include <privcall.h>' >libc.priv.c
ok 'the C library does not link' says 'undefined reference to `printf' "$cc" -o x none.c libc.priv.c
ok 'a compiler without 32 bits: which package' says 'gcc-multilib' env RINGFENCE_CC=/bin/false "$cc" -c "$src/vault.priv.c"
echo "1..$n"
exit $failed
