#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The main job: the distribution's own Python, unmodified, in a virtual machine of its own, on files of this host.
set -eu
cd "$(dirname "$0")/.."
build=${RF_BUILD:-build}
files="README.md HACKING.md docs/map.md /etc/passwd"

echo "\$ ringfence run /usr/bin/python3 demo/report.py $files"
# shellcheck disable=SC2086
"$build/ringfence" run /usr/bin/python3 demo/report.py $files
echo
echo "That was $(/usr/bin/python3 --version) from Debian's package on the Ringfence kernel, in a virtual machine of its own."
echo "Try it with your own program:  $build/ringfence run PROGRAM [ARGUMENT...]    (more: $build/ringfence --help)"
