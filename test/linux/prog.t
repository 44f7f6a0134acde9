#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Run the programs of prog/ on the host and in Ringfence: what they print, and how they end, must be the same.

usage: prog.t [-c CORES] [-k NAME] [-v] [SECTION...]

Each program is a list of sections (see prog/check.h). Prints TAP: one test for each program and number of cores; the
lines that differ follow as comments.
"""
import argparse
import difflib
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(HERE)))
BUILD = os.environ.get("RF_BUILD", os.path.join(ROOT, "build"))
TOOL = os.path.join(BUILD, "ringfence")
PROGS = os.path.join(BUILD, "prog/test/linux/prog")

# What the programs start.
ALSO = ["/bin/true", "/bin/false", "/bin/sleep", "/bin/sh", "/bin/grep"]
MEMORY = "256M"

NAMES = ["proc", "exec_errors", "sig", "fault", "eintr", "threads", "mem", "mapfile", "path", "fileio", "pollio",
         "clocks", "creds", "misc", "pty", "async", "rseq", "env_static", "env_static_pie", "env_fixed", "env_pie", "admin",
         "prio", "activity", "mounts"]
# These begin as root, or read files that only root may read.
NEED_ROOT = {"async", "creds", "path", "fileio", "proc", "mem", "misc", "admin", "prio", "activity", "mounts"}


def folder_for_files():
    """Where the host runs them: in memory, as there, if it can."""
    return "/dev/shm" if os.path.isdir("/dev/shm") and os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()


def environment(**more):
    env = {"PATH": "/usr/bin:/bin", "HOME": "/root", "LANG": "C.UTF-8", "TZ": "UTC"}
    env["XDG_CACHE_HOME"] = os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))
    env.update(more)
    return env


def run(argv, env, timeout):
    try:
        p = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, env=env)
    except subprocess.TimeoutExpired as e:
        return "timeout", (e.stdout or b"").decode(errors="replace"), (e.stderr or b"").decode(errors="replace")
    return p.returncode, p.stdout.decode(errors="replace"), p.stderr.decode(errors="replace")


def in_guest(path, sections, cores):
    argv = [TOOL, "run", "-c", str(cores), "-m", MEMORY]
    for name in ALSO:
        argv += ["--also", name]
    return run(argv + ["--", path] + sections, environment(TMPDIR="/tmp"), 400)


def show_difference(host, guest):
    lines = difflib.unified_diff(host.splitlines(), guest.splitlines(), "host", "guest", lineterm="", n=0)
    for i, line in enumerate(lines):
        if i < 60 and not line.startswith("@@"):
            print("# " + line[:200])


def check(number, name, cores, host, args):
    guest = in_guest(os.path.join(PROGS, name), args.sections, cores)
    good = guest[0] == host[0] and guest[1] == host[1]
    print("%sok %d - %s, %d lines, %d core%s" % ("" if good else "not ", number, name, host[1].count("\n"), cores,
                                                "s" if cores > 1 else ""))
    if not good:
        print("# exit status %s, on the host %s" % (guest[0], host[0]))
        show_difference(host[1], guest[1])
    if guest[0] != host[0] or args.verbose:
        for line in guest[2].splitlines()[-40:]:
            print("# err | " + line[:200])
    sys.stdout.flush()
    return good


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-c", "--cores", default="1,2", help="core counts, comma-separated")
    p.add_argument("-k", "--name", default="", help="only programs whose name contains this")
    p.add_argument("-v", "--verbose", action="store_true")
    p.add_argument("sections", nargs="*")
    args = p.parse_args()
    cores = [int(n) for n in args.cores.split(",")]
    names = [n for n in NAMES if args.name in n]
    good, number = True, 0
    print("1..%d" % (len(names) * len(cores)))
    for name in names:
        if name in NEED_ROOT and os.geteuid() != 0:
            for _ in cores:
                number += 1
                print("ok %d - %s # SKIP needs root on the host" % (number, name))
            continue
        host = run([os.path.join(PROGS, name)] + args.sections, environment(TMPDIR=folder_for_files()), 400)
        if host[0] != 0:
            print("# the host's own run ended with %s" % host[0])
        for n in cores:
            number += 1
            good &= check(number, name, n, host, args)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
