#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# setup.sh [run|test|bench|all]: sees to it that the Debian packages are installed that are needed to build and run
# Ringfence (run), to test it as well (test), to measure it beside Linux as well (bench), and that the sources of
# others that are built into the kernel are in deps/. Installs what is missing as root, or through sudo;
# otherwise says what to type. Does nothing, quickly, when nothing is missing.
set -eu
cd "$(dirname "$0")"

# group  package  why
packages='
run   gcc                  C compiler
run   make                 build
run   binutils             linker, objcopy
run   libc6-dev            headers for the tool
run   linux-libc-dev       the Linux interface: numbers and structures
run   libelf-dev           tool: programs and their libraries
run   libcyaml-dev         tool: manifests and catalogue
run   libyaml-dev          tool: the YAML parser itself, for places in error messages
run   libcjson-dev         tool: talks to QEMU
run   libcapstone-dev      scan of the kernel; system calls of a program
run   qemu-system-x86      the machine
run   qemu-system-data     its firmware (qboot)
run   seabios              its firmware (SeaBIOS)
run   erofs-utils          root images (mkfs.erofs)
run   dpkg-dev             unpacks sources of lwIP
run   debian-archive-keyring  verifies them
run   python3              the demonstration runs it in the machine
run   nginx-light          the demonstration serves with it
run   libssl-dev           OpenSSL provider of keys in ring 2; HeartBleed, replayed
test  perl                 prove; perl programs in the machine
test  libcmocka-dev        unit tests
test  clang                second compiler, fuzzing
test  libclang-rt-14-dev   sanitisers and libFuzzer for clang
test  clang-format         style
test  cppcheck             static checks
test  gdb                  debugging; tests of it
test  man-db               manual pages are rendered
test  strace               compare system calls
test  musl-tools           small static programs
test  grub-common          ISO
test  grub-pc-bin          ISO: BIOS boot
test  xorriso              ISO
test  mtools               ISO
test  bochs                second processor model
test  bochsbios            its BIOS
test  vgabios              its VGA BIOS
test  bochs-wx             its display for machines without a screen (rfb)
test  busybox-static       runs in the machine: shell pipelines
test  gawk                 runs in the machine
test  lua5.4               runs in the machine
test  sqlite3              runs in the machine
test  lighttpd             runs in the machine
test  lighttpd-mod-openssl  its TLS
test  haproxy              runs in the machine
test  curl                 client of the servers; runs in the machine
test  wget                 client of the servers; runs in the machine
test  iproute2             runs in the machine: what netlink says; networks of tests
test  wrk                  client for nginx
test  iputils-ping         runs in the machine
test  libpython3.11-testsuite  tests of Python for sockets
test  g++                  runs in the machine
test  cmake                runs in the machine
test  valgrind             runs in the machine: translates what it runs
test  libc6-dbg            without it valgrind does not begin
test  nodejs               runs in the machine: worker threads, code made at run time
test  openjdk-17-jdk-headless  its Java runs in the machine, its javac makes the test programs
test  golang-go            makes the Go program that runs in the machine
test  ruby                 runs in the machine
test  php-cli              runs in the machine
test  git                  runs in the machine
test  openssl              keys and certificates of tests; runs in the machine
test  jq                   runs in the machine
test  rsync                runs in the machine
test  cpio                 runs in the machine
test  xz-utils             runs in the machine: threads
test  zstd                 runs in the machine: threads
test  ripgrep              runs in the machine: a Rust program with threads
test  imagemagick          runs in the machine
test  vim                  runs in the machine, on a terminal
test  less                 runs in the machine, on a terminal
test  htop                 runs in the machine, on a terminal
test  tmux                 runs in the machine; drives terminals of the tests
test  libpython3.11-testsuite  runs in the machine: the tests of Python
test  util-linux           its ipcs, ipcmk, ipcrm, unshare run in tests
test  redis-server         runs in the machine, and its clients on the host
test  tcl                  the tests of redis
test  memcached            runs in the machine
test  libmemcached-tools   clients of memcached
test  postgresql-15        runs in the machine, and its clients on the host
test  dropbear-bin         runs in the machine
test  openssh-server       runs in the machine
test  openssh-client       client of both
test  stress-ng            runs in the machine: all that stresses an operating system
bench linux-image-cloud-amd64  the kernel we are compared with
bench cpio                 its initramfs
bench redis-server         server to measure, and its client
bench wrk                  client for nginx
bench iproute2             network of client and machine
'

group=${1:-all}
case $group in
run) wanted=' run ' ;;
test) wanted=' run test ' ;;
bench | all) wanted=' run test bench ' ;;
*)
	echo "usage: $0 [run|test|bench|all]" >&2
	exit 2
	;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	echo 'setup: this is not a Debian system; install what setup.sh lists by hand' >&2
	exit 1
fi

names=() # package names of the group
while read -r of name why; do
	[ -n "$of" ] && [[ $wanted == *" $of "* ]] && names+=("$name")
done <<<"$packages"

installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${names[@]}" 2>/dev/null |
	sed -n 's/^installed //p') || true
missing=()
for name in "${names[@]}"; do
	grep -qxF -- "$name" <<<"$installed" || missing+=("$name")
done
fetch_sources() {
	build-tools/fetch-source.sh lwip deps/lwip # TCP/IP
	build-tools/fetch-source.sh bearssl deps/bearssl # cryptography in ring 2
	[ "$group" = run ] && return
	build-tools/fetch-source.sh posixtestsuite deps/posixtestsuite # runs in the machine
	build-tools/fetch-source.sh busybox deps/busybox               # its tests do
	build-tools/fetch-source.sh redis deps/redis                   # its tests use the machine
}

if [ ${#missing[@]} -eq 0 ]; then
	fetch_sources
	exit 0
fi

echo "setup: these Debian packages are missing:"
while read -r of name why; do
	for m in "${missing[@]}"; do
		[ "$m" = "$name" ] && printf '  %-24s %s\n' "$name" "$why"
	done
done <<<"$packages"

as_root=()
if [ "$(id -u)" -ne 0 ]; then
	if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
		as_root=(sudo)
	else
		echo "setup: neither root nor sudo here; as root, type:" >&2
		echo "  apt-get update && apt-get install --no-install-recommends ${missing[*]}" >&2
		exit 1
	fi
fi

# Servers are installed to run in machines of ours: they must not start here, on the host.
policy=/usr/sbin/policy-rc.d
keep_servers_down() {
	[ -e $policy ] && return
	printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null
	"${as_root[@]}" chmod +x $policy
	trap '"${as_root[@]}" rm -f $policy' EXIT
}

install_missing() {
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -q --no-install-recommends "${missing[@]}"
}

keep_servers_down
# The list of packages is fetched only when what is known does not do.
if ! install_missing; then
	echo 'setup: fetching the list of packages' >&2
	"${as_root[@]}" apt-get update -q
	install_missing
fi
fetch_sources
