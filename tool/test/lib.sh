# SPDX-License-Identifier: BSD-2-Clause
# What the tests of the tool share: TAP, a folder of their own, the tool with a double of QEMU.
# Not a test itself: sourced.
export RINGFENCE_QEMU=$RF_BUILD/prog/tool/test/fake_qemu
export RINGFENCE_CATALOG=$RF_ROOT/catalog
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
work=$(mktemp -d "${TMPDIR:-/tmp}/rf-tool-test-XXXXXX")
trap 'rm -rf "$work"' EXIT
export XDG_CACHE_HOME=$work/cache
cd "$work" || exit 1
# The double boots nothing; any file does for a kernel.
echo 'stands for kernel.elf' >"$work/kernel"
export RINGFENCE_KERNEL=$work/kernel
tests=0 failed=0

ok() { # ok NAME: by the last command's result
	local result=$?
	tests=$((tests + 1))
	if [ $result -eq 0 ]; then
		echo "ok $tests - $1"
	else
		echo "not ok $tests - $1"
		failed=$((failed + 1))
	fi
	return $result
}

is() { # is NAME GOT EXPECTED
	[ "$2" = "$3" ]
	ok "$1" || printf '%s\n' "got:" "$2" "expected:" "$3" | sed 's/^/# /'
}

like() { # like NAME GOT PATTERN
	grep -qE -- "$3" <<<"$2"
	ok "$1" || printf '%s\n' "got:" "$2" "expected to match:" "$3" | sed 's/^/# /'
}

rf() { # the tool, emulated; its result in $out, $err, $code
	timeout 60 "$RF_BUILD/ringfence" "$@" >"$work/out" 2>"$work/err"
	code=$?
	out=$(tr -d '\0' <"$work/out") err=$(tr -d '\0' <"$work/err")
}

run() { rf run --accel tcg "$@"; }

finish() {
	echo "1..$tests"
	[ $failed -eq 0 ]
	exit
}
