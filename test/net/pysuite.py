#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Python's own tests (Debian's libpython3.11-testsuite) on the host and in Ringfence, case by case. TAP.

usage: pysuite.py MODULE...

pysuite.accepted lists differences that are accepted, one a line: the test's name, its result in Ringfence, and
why. A listed difference that is no longer there fails, too.
"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(HERE)))
BUILD = os.environ.get("RF_BUILD", os.path.join(ROOT, "build"))
PYTHON = "/usr/bin/python3"
LIB = "/usr/lib/python3.11"
RUNNER = os.path.join(HERE, "pysuite_run.py")
SECONDS = 280
# Not run on either side: AF_VSOCK waits for ever for a second machine.
LEAVE_OUT = ["VSOCK"]


def results(argv):
    try:
        p = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
        out, err, end = p.stdout, p.stderr, "status %d" % p.returncode
    except subprocess.TimeoutExpired as e:
        out, err, end = e.stdout or b"", e.stderr or b"", "no end after %d seconds" % SECONDS
    lines = out.decode(errors="replace").splitlines()
    if "END" in lines:
        end = "complete"
    found = {}
    for line in lines:
        words = line.split(" ")
        if words[0] == "RESULT":
            found[" ".join(words[1:-1])] = words[-1]
    return found, end, err.decode(errors="replace")


def accepted():
    listed = {}
    with open(os.path.join(HERE, "pysuite.accepted")) as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                name, result, why = line.rstrip("\n").split(" ", 2)
                listed[name] = (result, why)
    return listed


def explain(err, name):
    """What the test said, as comments."""
    lines = err.splitlines()
    if name in lines:
        at = lines.index(name)
        for line in lines[at + 1:at + 40]:
            print("#   ", line)
            if line and not line.startswith((" ", "Traceback")):
                break


def main():
    number = 0
    if not os.path.exists(LIB + "/test/test_socket.py"):
        print("1..0 # SKIP libpython3.11-testsuite is not installed")
        return
    listed = accepted()
    for module in sys.argv[1:]:
        host, host_end, _ = results([PYTHON, RUNNER, module] + LEAVE_OUT)
        guest, guest_end, err = results([BUILD + "/ringfence", "run", "--net", "user", "-m", "512M", "--include", LIB, "--",
                                         PYTHON, RUNNER, module] + LEAVE_OUT)
        number += 1
        ok = host_end == guest_end == "complete"
        print("%sok %d - %s: %s, %s here; %d tests" % ("" if ok else "not ", number, module, host_end, guest_end, len(host)))
        if not ok:
            print("".join("#   %s\n" % line for line in err.splitlines()[-20:]), end="")
        classes = {}
        for name in sorted(set(host) | set(guest)):
            classes.setdefault(name.rsplit(".", 1)[0], []).append(name)
        for cls, names in classes.items():
            bad = []
            for name in names:
                expect, got = host.get(name, "missing"), guest.get(name, "missing")
                if name in listed:
                    if expect == got or got != listed[name][0]:
                        bad.append((name, "%s, listed as %s" % (got, listed[name][0])))
                elif expect != got:
                    bad.append((name, "%s, %s on the host" % (got, expect)))
            number += 1
            print("%sok %d - %s: %d" % ("not " if bad else "", number, cls, len(names)))
            for name, what in bad:
                print("#   %s: %s" % (name, what))
                explain(err, name)
    print("1..%d" % number)


main()
