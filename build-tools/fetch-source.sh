#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# fetch-source.sh PACKAGE DIR: the source of a Debian package, with Debian's patches, in DIR. Does nothing when
# it is there. Needs no root, and changes neither the system's list of sources nor what apt knows: apt
# gets a list and a state of its own for the moment. apt verifies signatures and sums as always.
set -euo pipefail
package=$1 dir=$(realpath -m "$2")

[ -e "$dir/.complete" ] && exit 0

fail() {
	echo "fetch-source: $package: $1" >&2
	echo "fetch-source: see to the cause and start again, or put the package's unpacked source in $dir" >&2
	echo "fetch-source: and make the file $dir/.complete" >&2
	exit 1
}

command -v apt-get >/dev/null || fail 'there is no apt-get here'
command -v dpkg-source >/dev/null || fail 'dpkg-source is missing (package dpkg-dev)'

mkdir -p "$(dirname "$dir")"
exec 9>"$dir.lock"
flock 9
[ -e "$dir/.complete" ] && exit 0

work=$(mktemp -d "$dir.XXXXXX")
trap 'rm -rf "$work" "$dir.lock"' EXIT

# The mirror that this system uses itself; its suite.
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
[ -n "$suite" ] || fail '/etc/os-release does not name a Debian release'
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $suite" 'Component: main' |
	grep -E '/debian/?$' | head -1) || true
[ -n "$mirror" ] || fail "apt knows no mirror of Debian's $suite (see sources.list(5))"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -e "$keys" ] || fail "$keys is missing (package debian-archive-keyring)"

mkdir -p "$work"/{lists/partial,cache/archives/partial,files}
echo "deb-src [signed-by=$keys] $mirror $suite main" >"$work/sources.list"
options=(-q=2 -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null -o "Dir::State::lists=$work/lists"
	-o "Dir::Cache=$work/cache" -o Acquire::Languages=none -o Acquire::Retries=3 -o "APT::Sandbox::User=$(id -un)")

echo "fetch-source: $package from $mirror $suite" >&2
apt-get "${options[@]}" update || fail "the list of sources of $mirror cannot be had"
(cd "$work/files" && apt-get "${options[@]}" source --download-only "$package") || fail 'cannot be fetched'
dpkg-source --no-check -q -x "$work"/files/*.dsc "$work/source" ||
	fail 'cannot be unpacked' # apt has checked the sums
touch "$work/source/.complete"
rm -rf "$dir"
mv "$work/source" "$dir"
