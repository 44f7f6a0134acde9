#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# mkiso.sh KERNEL.ELF OUT.iso CMDLINE [ROOT-IMAGE [RUN-CONFIGURATION]]: a BIOS-bootable image with GRUB.
set -eu
kernel=$1 iso=$2 cmdline=$3 image=${4:-} run=${5:-}
[ -z "$run" ] || [ -n "$image" ] || {
	echo 'mkiso: a run configuration needs a root image (ISO_IMAGE)' >&2
	exit 1
}
# The log lies outside the tree that goes into the image: xorriso takes offence at a file that grows.
dir=$(mktemp -d) log=$(mktemp)
trap 'rm -rf "$dir" "$log"' EXIT
mkdir -p "$dir/boot/grub"
cp "$kernel" "$dir/boot/kernel.elf"
{
	echo 'set timeout=0'
	echo 'set default=0'
	echo 'menuentry ringfence {'
	echo "	multiboot2 /boot/kernel.elf $cmdline"
	if [ -n "$image" ]; then
		cp "$image" "$dir/boot/root.erofs"
		echo '	module2 /boot/root.erofs root'
	fi
	if [ -n "$run" ]; then
		cp "$run" "$dir/boot/run"
		echo '	module2 /boot/run run'
	fi
	echo '	boot'
	echo '}'
} >"$dir/boot/grub/grub.cfg"
# Few modules and no fonts: 1 MB instead of 10.
if ! grub-mkrescue --install-modules='multiboot2 iso9660 biosdisk normal part_msdos boot' \
	--fonts= --locales= --themes= -o "$iso" "$dir" >"$log" 2>&1; then
	cat "$log" >&2
	exit 1
fi
echo "$iso"
