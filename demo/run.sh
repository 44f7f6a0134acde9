#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The main job: the distribution's own programs, unmodified, each in a virtual machine of its own: Python on files of this host, then nginx behind a port.
set -eu
cd "$(dirname "$0")/.."
build=${RF_BUILD:-build}
port=${PORT:-8080}
files="README.md HACKING.md docs/map.md /etc/passwd"

echo "\$ ringfence run /usr/bin/python3 demo/report.py $files"
# shellcheck disable=SC2086
"$build/ringfence" run /usr/bin/python3 demo/report.py $files
echo
echo "That was $(/usr/bin/python3 --version) from Debian's package on the Ringfence kernel, in a virtual machine of its own."
echo "Try it with your own program:  $build/ringfence run PROGRAM [ARGUMENT...]    (more: $build/ringfence --help)"
echo
if [ -t 0 ] && [ -t 2 ]; then
	echo "\$ ringfence run -p 127.0.0.1:$port:80 nginx          (Ctrl-C ends it)"
	exec "$build/ringfence" run -p "127.0.0.1:$port:80" nginx
fi
# Nobody is there to end it: in the background, for one page.
echo "\$ ringfence run -d -p 127.0.0.1:$port:80 nginx"
name=$("$build/ringfence" run -d -p "127.0.0.1:$port:80" nginx)
trap '"$build/ringfence" rm -f "$name"' EXIT
echo "\$ GET http://127.0.0.1:$port/"
/usr/bin/python3 -c "
import urllib.request
with urllib.request.urlopen('http://127.0.0.1:$port/', timeout=20) as page:
    print(page.status, page.headers['Server'], len(page.read()), 'bytes')"
