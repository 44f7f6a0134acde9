#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Boots on machines of many shapes: nk's own checks pass on each, and what cannot work says why."""
import os
import subprocess
import sys

BUILD = os.environ.get("RF_BUILD", "build")
KERNEL = os.path.join(BUILD, "kernel-test.elf")
NOMEM, CONFIG = 2 * 0x7c + 1, 2 * 0x7b + 1  # abi/boot.h, enum boot_exit

# What, options beside the common ones, command line, exit code, text that must appear.
CASES = [
    ("q35, SeaBIOS", "-M q35", "test=nk.audit*", 1, "ok 1"),
    ("q35, qboot, 8 cores", "-M q35 -bios qboot.rom -smp 8", "test=nk.audit*", 1, "ok 1"),
    ("q35, more cores than can be used", "-M q35 -bios qboot.rom -smp 10", "test=nk.audit*", 1, "2 cores are not used"),
    ("pc, qboot", "-M pc -bios qboot.rom", "test=nk.audit*", 1, "ok 1"),
    ("microvm", "-M microvm", "test=nk.audit*", 1, "ok 1"),
    ("microvm without ACPI, 3 cores", "-M microvm,acpi=off -smp 3", "test=nk.audit*", 1, "ok 1"),
    ("a small processor", "-M q35 -bios qboot.rom -cpu qemu64 -smp 2", "test=nk.audit*", 1, "ok 1"),
    ("8 MiB", "-M q35 -bios qboot.rom -m 8M", "test=nk.audit*", 1, "ok 1"),
    ("6 GiB, 2 cores with equal shares", "-M q35 -bios qboot.rom -m 6G -smp 2", "mem.weights=1,1 test=nk.audit*", 1, "ok 1"),
    ("3 MiB are too little", "-M q35 -bios qboot.rom -m 3M", "test=*", NOMEM, "memory"),
    ("16 MiB are too little for 8 cores", "-M q35 -bios qboot.rom -m 16M -smp 8", "test=*", NOMEM, "too little for 8 core"),
    ("weights that are no numbers", "-M q35 -bios qboot.rom -smp 2", "mem.weights=1;1 test=*", CONFIG, "mem.weights"),
    ("a command line that is too long", "-M q35 -bios qboot.rom", "test=* " + "x" * 2048, CONFIG, "command line"),
    ("a run configuration that is too long", "-M q35 -bios qboot.rom -fw_cfg name=opt/ringfence/run,file=/proc/self/exe",
     "test=*", CONFIG, "run configuration"),
]


def boot(options, cmdline):
    words = options.split()
    if "-cpu" not in words:
        words += ["-cpu", "max"]
    if "-m" not in words:
        words += ["-m", "64M"]
    p = subprocess.run(["qemu-system-x86_64", "-accel", "tcg", "-nodefaults", "-no-user-config", "-display", "none",
                        "-no-reboot", "-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
                        "-kernel", KERNEL, "-append", cmdline] + words, stdin=subprocess.DEVNULL, timeout=60,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return p.returncode, p.stdout.decode("utf-8", "replace")


def main():
    if not os.path.exists(KERNEL):
        print(f"1..0 # SKIP no {KERNEL}; make ktest builds it")
        return 0
    print(f"1..{len(CASES)}")
    bad = 0
    for n, (what, options, cmdline, code, text) in enumerate(CASES, 1):
        try:
            got, output = boot(options, cmdline)
        except subprocess.TimeoutExpired:
            got, output = None, "no end within 60 s"
        good = got == code and text in output
        print(f"{'ok' if good else 'not ok'} {n} - {what}")
        if not good:
            bad += 1
            print(f"# exit code {got}, expected {code}; output:")
            for line in output.split("\n")[-12:]:
                print("#  ", line.rstrip())
        sys.stdout.flush()
    return 1 if bad else 0


sys.exit(main())
