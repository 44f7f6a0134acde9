#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Programs of a test folder run on the host and in Ringfence and must print the same. TAP.

usage: same.py FOLDER PROGRAM... [/PATH...]    (FOLDER as in test/FOLDER/prog; paths: what the programs start)
"""
import difflib
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(HERE)))
BUILD = os.environ.get("RF_BUILD", os.path.join(ROOT, "build"))
FOLDER = sys.argv[1]
PROGRAMS = [a for a in sys.argv[2:] if not a.startswith("/")]
ALSO = [option for a in sys.argv[2:] if a.startswith("/") for option in ("--also", a)]


def run(argv):
    p = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    return p.stdout.decode(errors="replace").splitlines(), p.returncode, p.stderr.decode(errors="replace")


def by_section(lines):
    sections = {}
    for line in lines:
        sections.setdefault(line.split(":")[0], []).append(line)
    return sections


def main():
    number = 0
    for name in PROGRAMS:
        program = os.path.join(BUILD, "prog/test", FOLDER, "prog", name)
        host, host_rc, _ = run([program])
        guest, guest_rc, guest_err = run([os.path.join(BUILD, "ringfence"), "run"] + ALSO + ["--", program])
        expect, got = by_section(host), by_section(guest)
        for section in list(expect) + [s for s in got if s not in expect]:
            number += 1
            same = expect.get(section) == got.get(section)
            print("%sok %d - %s: %s" % ("" if same else "not ", number, name, section))
            if not same:
                for line in difflib.unified_diff(expect.get(section, []), got.get(section, []), "host", "guest",
                                                 lineterm="", n=1):
                    print("#  ", line)
        number += 1
        print("%sok %d - %s: status %d, %d here" % ("" if host_rc == guest_rc else "not ", number, name, host_rc, guest_rc))
        if host_rc != guest_rc:
            print("".join("#   %s\n" % line for line in guest_err.splitlines()), end="")
    print("1..%d" % number)


main()
