#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Python's own servers and clients, one VM, over loopback: the same as on the host. TAP.
here=$(dirname "$0")
script=$(cat "$here/prog/tcp_python.py")
build=${RF_BUILD:-$here/../../build}
echo 1..2
host=$(timeout 60 python3 -c "$script" 2>&1)
guest=$(timeout 100 "$build/ringfence" run -- /usr/bin/python3 -c "$script" 2>&1)
status=$?
if [ -n "$host" ] && [ "$host" = "$guest" ]; then
	echo 'ok 1 - the same output'
else
	echo 'not ok 1 - the same output'
	diff <(echo "$host") <(echo "$guest") | sed 's/^/# /'
fi
[ $status -eq 0 ] && echo 'ok 2 - status 0' || echo "not ok 2 - status $status"
