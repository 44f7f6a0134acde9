#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The programs of kernel/task/test/p_*.c, first on the host, then in the guest: their own TAP must be all ok, and
have the same plan in both."""
import os
import re
import subprocess
import sys

ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.environ.get("RF_BUILD", os.path.join(ROOT, "build"))
TOOL = os.path.join(BUILD, "ringfence")
PROGRAMS = ["p_signal", "p_thread", "p_proc"]
INCLUDE = ["/bin/sh", "/lib/x86_64-linux-gnu/libgcc_s.so.1"]
TIMEOUT = 120


def run(argv):
    try:
        # A session of its own: the one that we are in may have begun outside of our PID namespace.
        p = subprocess.run(argv, capture_output=True, timeout=TIMEOUT, stdin=subprocess.DEVNULL,
                           start_new_session=True)
    except subprocess.TimeoutExpired as e:
        return "timeout", (e.stdout or b"").decode(errors="replace")
    return p.returncode, p.stdout.decode(errors="replace")


def plan(text):
    m = re.search(r"^1\.\.(\d+)$", text, re.M)
    return int(m.group(1)) if m else None


def guest(path):
    argv = [TOOL, "run"]
    for name in INCLUDE:
        if os.path.exists(name):
            argv += ["--include", name]
    return argv + ["--", path]


def main():
    print("1..%d" % (2 * len(PROGRAMS)))
    number = failed = 0
    for name in PROGRAMS:
        path = os.path.join(BUILD, "prog/kernel/task/test", name)
        plans = []
        for where, argv in (("host", [path]), ("guest", guest(path))):
            status, text = run(argv)
            plans.append(plan(text))
            good = status == 0 and plans[-1] is not None and plans[-1] == plans[0]
            number += 1
            failed += not good
            print("%s %d - %s, %s" % ("ok" if good else "not ok", number, name, where))
            if not good:
                print("# status %s, plan %s" % (status, plans[-1]))
                for line in text.splitlines():
                    if line.startswith(("not ok", "#")):
                        print("# " + line)
            sys.stdout.flush()
    return failed != 0


sys.exit(main())
