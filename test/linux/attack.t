#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Run the hostile programs of attack/ in Ringfence: they must end as they say, and the kernel must live.

usage: attack.t [-k NAME] [-s SEED] [-n COUNT] [-v]      (COUNT system calls for fuzz_syscalls)

Prints TAP. The programs are never run on the host.
"""
import argparse
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(HERE)))
BUILD = os.environ.get("RF_BUILD", os.path.join(ROOT, "build"))
TOOL = os.path.join(BUILD, "ringfence")
PROGS = os.path.join(BUILD, "prog/test/linux/attack")

# What the kernel's log must not have.
BAD = re.compile(r"panic|stack overflow|in the kernel,", re.I)
# What it must tell about a program.
TOLD = {"bombs": "out of memory: bombs"}


def run(name, args, cores, memory):
    argv = [TOOL, "run", "-v", "-c", str(cores), "-m", memory, "--", os.path.join(PROGS, name)] + args
    try:
        p = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=500)
        return p.returncode, p.stdout.decode(errors="replace"), p.stderr.decode(errors="replace")
    except subprocess.TimeoutExpired as e:
        return "timeout", (e.stdout or b"").decode(errors="replace"), (e.stderr or b"").decode(errors="replace")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-k", "--name", default="", help="only programs whose name contains this")
    p.add_argument("-s", "--seed", default="1")
    p.add_argument("-n", "--count", default="200000")
    p.add_argument("-v", "--verbose", action="store_true")
    args = p.parse_args()
    tests = [("registers", [], 1, "128M"), ("pointers", [], 1, "128M"), ("races", [], 1, "128M"),
             ("races", [], 2, "128M"), ("bombs", [], 1, "96M"), ("bombs", [], 2, "160M"),
             ("fuzz_syscalls", [args.seed, args.count], 1, "128M"),
             ("fuzz_syscalls", [args.seed + "0", args.count], 2, "128M")]
    tests = [t for t in tests if args.name in t[0]]
    good = True
    print("1..%d" % len(tests))
    for i, (name, argv, cores, memory) in enumerate(tests):
        status, out, err = run(name, argv, cores, memory)
        # The first lines tell the command line of the emulator.
        log = [line for line in err.splitlines() if not line.startswith("ringfence: start:")]
        found = [line for line in log if BAD.search(line)]
        told = name not in TOLD or any(TOLD[name] in line for line in log)
        fine = status == 0 and not found and told
        good &= fine
        print("%sok %d - %s, %d core%s" % ("" if fine else "not ", i + 1, " ".join([name] + argv), cores,
                                          "s" if cores > 1 else ""))
        if not fine:
            print("# exit status %s%s" % (status, "" if told else ", and the log lacks: " + TOLD[name]))
        for line in (out.splitlines() + found if not fine else out.splitlines() if args.verbose else []):
            print("# " + line[:200])
        if not fine:
            for line in log[-40:]:
                print("# log | " + line[:200])
        sys.stdout.flush()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
