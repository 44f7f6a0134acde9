#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# bochs.sh ISO [CPU-MODEL [CORES [SECONDS]]]: boots an ISO in Bochs without a screen and prints what the serial port said.
# Exit status 0 when the machine was switched off by its program (port 0x8900), 1 when Bochs gave up, 124 when it took too long.
set -u
iso=$(realpath "$1") model=${2:-tigerlake} cores=${3:-1} seconds=${4:-120}
share=${BXSHARE:-/usr/share/bochs}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
cat >rc <<RC
display_library: rfb, options="timeout=0"
plugin_ctrl: unmapped=1, biosdev=1, speaker=0, extfpuirq=1, parallel=0, serial=1, gameport=0, iodebug=1
romimage: file=$share/BIOS-bochs-latest
vgaromimage: file=$share/VGABIOS-lgpl-latest
megs: 128
cpu: model=$model, count=$cores, ips=50000000, reset_on_triple_fault=0, ignore_bad_msrs=0
ata0-master: type=cdrom, path=$iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=serial.txt
log: bochs.log
panic: action=fatal
error: action=report
info: action=report
debug: action=ignore
clock: sync=none, time0=local
RC
echo c >debugger # Debian's Bochs has its debugger built in: go on at once
timeout --kill-after=5 "$seconds" bochs -q -f rc -rc debugger >out.txt 2>&1 </dev/null
status=$?
[ ! -e serial.txt ] || tr -d '\r' <serial.txt
[ $status -eq 124 ] && exit 124
if grep -aq 'Shutdown port: shutdown requested' bochs.log; then
	exit 0
fi
grep -a '>>PANIC<<' bochs.log out.txt | tail -5 >&2
exit 1
