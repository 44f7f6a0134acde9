#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Busybox's own tests, on the host and in Ringfence, with Debian's busybox-static: the same verdict of each case.

usage: busybox.t [--all] [--update] [APPLET...]     (--update writes docs/conformance.md)
"""
import argparse
import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import suite

BUSYBOX = "/bin/busybox"
OUT = os.path.join(suite.BUILD, "suites/busybox")
SHORT = ["cat", "cut", "expr", "grep", "head", "printf", "seq", "sort", "tr", "uniq", "wc"]
# They need a network, or a compiler, or compute for hours in the emulator.
LEFT_OUT = {"wget", "all_sourcecode", "bc", "dc"}
# What the scripts take from the system beside busybox itself.
TOOLS = ["/bin/" + n for n in "sh bash cat rm mkdir ls ln cp mv touch chmod dd date sleep true false mktemp grep sed gzip tar uname".split()] + \
        ["/usr/bin/" + n for n in "env printf expr test wc cut sort uniq head tail tr od seq md5sum xargs find id cmp diff tee bzip2 xz yes "
                                  "basename dirname readlink stat nproc whoami hexdump unzip zip bunzip2 cpio awk".split()]


def version_of_busybox():
    return suite.version("busybox-static")


def prepare():
    """A folder with the tests, the binary, and its configuration."""
    source = suite.source("busybox")
    if os.path.exists(os.path.join(OUT, ".done")):
        return
    shutil.rmtree(OUT, ignore_errors=True)
    shutil.copytree(os.path.join(source, "testsuite"), os.path.join(OUT, "testsuite"))
    shutil.copy(BUSYBOX, os.path.join(OUT, "busybox"))
    shutil.copy(os.path.join(source, "debian/config/pkg/static"), os.path.join(OUT, ".config"))
    subprocess.run(["gcc", "-static", "-w", "-o", os.path.join(OUT, "echo-ne"), os.path.join(source, "scripts/echo.c")], check=True)
    with open(os.path.join(OUT, "run"), "w") as f:
        f.write("""#!/bin/sh
# run APPLET...: the tests of each
cp -r %s /tmp/busybox-tests.$$ && cd /tmp/busybox-tests.$$/testsuite || exit 2
export ECHO=/tmp/busybox-tests.$$/echo-ne
export SHELL=/bin/sh
umask 022
sh ./runtest -v "$@" </dev/null 2>&1
echo "+++ end"
rm -rf /tmp/busybox-tests.$$
""" % OUT)
    os.chmod(os.path.join(OUT, "run"), 0o755)
    open(os.path.join(OUT, ".done"), "w").close()


def applets():
    tests = os.path.join(OUT, "testsuite")
    found = {n[:-6] for n in os.listdir(tests) if n.endswith(".tests")}
    found |= {n for n in os.listdir(tests) if os.path.isdir(os.path.join(tests, n))}
    have = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True).stdout.split()
    return sorted(n for n in found if n not in LEFT_OUT and (n in have or n == "busybox"))


def verdicts(text):
    out, notes, kept = {}, {}, []
    for line in text.splitlines():
        m = re.match(r"^\.*(PASS|FAIL|SKIPPED|UNTESTED): (.*)$", line)
        if not m:
            kept.append(line)
            continue
        case = re.sub(r"\W+", "-", m.group(2)).strip("-")
        while case in out:
            case += "'"
        out[case], notes[case], kept = m.group(1), kept[-6:], []
    return out, notes, "+++ end" in text


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--all", action="store_true")
    p.add_argument("--update", action="store_true")
    p.add_argument("applets", nargs="*")
    args = p.parse_args()
    if not os.path.exists(BUSYBOX):
        print("1..0 # SKIP busybox-static is not installed")
        return 0
    prepare()
    report = suite.Report("busybox", "busybox's test suite", version_of_busybox())
    names = applets()
    chosen = args.applets or (names if args.all else [n for n in names if n in SHORT])
    run = [os.path.join(OUT, "run")]
    for i in range(0, len(chosen), 40):
        part = chosen[i:i + 40]
        _, host_out, _ = suite.run(run + part, 600)
        host, _, _ = verdicts(host_out)
        status, out, err = suite.guest(run + part, 3000, include=[OUT], also=[t for t in TOOLS if os.path.exists(t)], memory="256M")
        there, notes, ended = verdicts(out)
        report.compare("%s to %s" % (part[0], part[-1]), host, there, notes)
        if status != 0 or not ended:
            report.test(False, "%s: ended with %s" % (part[0], status), out.splitlines()[-3:] + err.splitlines()[-10:])
    return report.end(args.all and not args.applets, args.update)


sys.exit(main())
