#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Python's own tests of what is close to the system, on the host and in Ringfence: the same verdict of each case.

usage: python.t [--all] [--update] [MODULE...]     (MODULE as test_os; --update writes docs/conformance.md)
"""
import argparse
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import suite

PYTHON = "/usr/bin/python3"
LIBRARY = "/usr/lib/python3.11"
PACKAGE = "libpython3.11-testsuite"
MODULES = ["test_os", "test_posix", "test_signal", "test_subprocess", "test_threading", "test_thread", "test_mmap", "test_fcntl",
           "test_select", "test_epoll", "test_tempfile", "test_shutil", "test_io", "test_multiprocessing_fork", "test_pty",
           "test_resource", "test_time", "test_socket", "test_ssl", "test_asyncio"]
NETWORK = ["test_socket", "test_ssl", "test_asyncio"]
SHORT = ["test_posix", "test_fcntl", "test_mmap", "test_resource", "test_pty"]
CASES = os.path.join(suite.HERE, "py_cases.py")
ALSO = ["/bin/" + n for n in "sh bash true false echo cat ls sleep stty kill tar gzip".split()] + \
       ["/usr/bin/" + n for n in "env id getconf unzip zip".split()]
FILES = [LIBRARY, "/usr/lib/python3", "/etc/passwd", "/etc/group", "/etc/services", "/etc/protocols", "/etc/hosts",
         "/etc/nsswitch.conf", "/etc/mime.types", "/usr/lib/x86_64-linux-gnu/libgcc_s.so.1", "/usr/share/zoneinfo"]
SECONDS = 1800


def verdicts(text):
    out, notes, kept = {}, {}, []
    for line in text.splitlines():
        m = re.match(r"^=== (\S+) (\S+)$", line)
        if m:
            case = m.group(1).replace("test.", "", 1)
            out[case], notes[case], kept = m.group(2), kept[-6:], []
        else:
            kept.append(line)
    return out, notes, bool(re.search(r"^\+\+\+ end of", text, re.M))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--all", action="store_true")
    p.add_argument("--update", action="store_true")
    p.add_argument("modules", nargs="*")
    args = p.parse_args()
    if not os.path.exists(os.path.join(LIBRARY, "test/test_os.py")):
        print("1..0 # SKIP %s is not installed" % PACKAGE)
        return 0
    if os.geteuid() != 0:
        print("1..0 # SKIP needs root on the host: what programs may do must be the same")
        return 0
    report = suite.Report("python", "Python's test suite", suite.version(PACKAGE))
    for module in args.modules or (MODULES if args.all else SHORT):
        _, out, _ = suite.run([PYTHON, CASES, module], SECONDS)
        host, _, _ = verdicts(out)
        status, out, err = suite.guest([PYTHON, CASES, module], SECONDS, memory="768M",
                                       include=[f for f in FILES if os.path.exists(f)],
                                       also=[a for a in ALSO if os.path.exists(a)],
                                       options=["--net", "user"] if module in NETWORK else [])
        there, notes, ended = verdicts(out)
        report.compare(module, host, there, notes)
        if status != 0 or not ended:
            report.test(False, "%s: ended with %s" % (module, status), out.splitlines()[-3:] + err.splitlines()[-10:])
    return report.end(args.all and not args.modules, args.update)


sys.exit(main())
