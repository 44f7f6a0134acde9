#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Run unmodified programs of the distribution on the host and in Ringfence, and compare output and exit status.

usage: compare.py GROUP... [-c CORES] [-k NAME] [-v] [--memory]     (groups: see cases.py)

Each case runs in a folder of its own, once on the host and once in a virtual machine that sees the same folder
at the same path. Standard output and the exit status must be the same; standard error too unless the case says
otherwise. With --memory each case runs three times in one machine instead (test/support/watch): its memory must be
back after it. Prints TAP.
"""
import argparse
import copy
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import cases  # noqa: E402
import cases_programs  # noqa: E402,F401  (more groups)

ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(HERE)))
TOOL = os.path.join(os.environ.get("RF_BUILD", os.path.join(ROOT, "build")), "ringfence")
WATCH = os.path.join(os.environ.get("RF_BUILD", os.path.join(ROOT, "build")), "prog/test/support/watch")
ENV = {"PATH": "/usr/bin:/bin", "HOME": "/root", "LANG": "C.UTF-8", "TERM": "dumb", "TZ": "UTC"}
HOST_TIMEOUT, GUEST_TIMEOUT, BUILD_TIMEOUT = 60, 120, 300


def run(argv, cwd, stdin, timeout, env):
    """(status, stdout, stderr); status -n for signal n, "timeout" when it did not end."""
    try:
        p = subprocess.run(argv, cwd=cwd, input=stdin, capture_output=True, timeout=timeout, env=env)
    except subprocess.TimeoutExpired as e:
        return "timeout", e.stdout or b"", e.stderr or b""
    return p.returncode, p.stdout, p.stderr


def prepare(case, folder):
    os.makedirs(folder)
    for name, content in case.files.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        if content[:2] in ("#!", b"#!"):
            os.chmod(path, 0o755)


def build(case, folder):
    """The folder that each run gets a copy of. Raises CalledProcessError when a command fails."""
    prepare(case, folder)
    for argv in case.build:
        subprocess.run(argv, cwd=folder, env=dict(os.environ, **case.build_env), check=True, capture_output=True,
                       timeout=BUILD_TIMEOUT)


def on_host(case, template, folder):
    shutil.copytree(template, folder, symlinks=True)
    result = run(case.argv, folder, case.stdin, HOST_TIMEOUT, ENV)
    shutil.rmtree(folder)
    return result


def guest_argv(case, folder, cores, extra):
    argv = [TOOL, "run", "-c", str(cores)]
    if case.memory:
        argv += ["-m", case.memory]
    for name in case.include:
        argv += ["--include", name]
    if case.files:
        argv += ["--include", folder]
    return argv + extra + ["--"] + case.argv


def in_guest(case, template, folder, cores, extra):
    shutil.copytree(template, folder, symlinks=True)
    env = dict(ENV, XDG_CACHE_HOME=os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")))
    result = run(guest_argv(case, folder, cores, extra), folder, case.stdin, GUEST_TIMEOUT, env)
    shutil.rmtree(folder)
    return result


def peak_on_host(case, template, folder):
    """KiB of the largest process that a run of the case had."""
    shutil.copytree(template, folder, symlinks=True)
    code = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, "
            "stderr=subprocess.DEVNULL); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    _, out, _ = run(["/usr/bin/python3", "-c", code] + case.argv, folder, b"", HOST_TIMEOUT, ENV)
    shutil.rmtree(folder)
    return int(out)


# A process may have that much more than on the host: what comes in around a fault, and no page of zeros is shared.
PEAK_TIMES, PEAK_PLUS = 1.5, 8192


def peak_is_wrong(case, template, folder, err):
    """(why or None, text)"""
    host = peak_on_host(case, template, folder)
    guest = int(re.search(rb"the largest process had (\d+) KiB", err).group(1))
    text = "largest process %.1f MiB, on the host %.1f" % (guest / 1024, host / 1024)
    return text if guest > host * PEAK_TIMES + PEAK_PLUS else None, text


def memory_in_guest(case, template, folder):
    """(why it is wrong or None, what watch said)"""
    shutil.copytree(template, folder, symlinks=True)
    program = case.argv[0] if case.argv[0].startswith("/") else None
    extra = (["--also", program] if program else []) + ([] if case.files else ["--include", folder])
    watched = copy.copy(case)
    watched.argv = [WATCH, "-n", "3", "-s", "512", "-t", "100", "-d", folder] + case.argv
    env = dict(ENV, XDG_CACHE_HOME=os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")))
    status, _, err = run(guest_argv(watched, folder, 1, extra), folder, b"", 3 * GUEST_TIMEOUT, env)
    shutil.rmtree(folder)
    return None if status == case.expect else "exit status %s" % status, err


def check_memory(number, case):
    base = tempfile.mkdtemp(prefix="rf-")
    try:
        template, folder = os.path.join(base, "template"), os.path.join(base, "work")
        build(case, template)
        why, err = memory_in_guest(case, template, folder)
        peak = "?"
        if why is None:
            why, peak = peak_is_wrong(case, template, folder, err)
        print("%sok %d - memory is back: %s%s" % ("not " if why else "", number, case.name, ": " + (why or peak)))
        if why:
            show("guest err", err)
        return why is None
    finally:
        shutil.rmtree(base, ignore_errors=True)
        sys.stdout.flush()


def check_loss(number):
    """Is a loss seen at all? Files that stay are one."""
    argv = [TOOL, "run", "--also", "/bin/sh", "--include", "/bin/dd", "--", WATCH, "-n", "2", "/bin/sh", "-c",
            "dd if=/dev/zero of=/tmp/stays.$$ bs=1M count=1"]
    status, _, err = run(argv, "/", b"", GUEST_TIMEOUT, dict(os.environ, **ENV))
    print("%sok %d - a loss is seen" % ("" if status == 121 else "not ", number))
    if status != 121:
        show("guest err", err)
    return status == 121


def as_shell(status):
    """What a shell shows for a status of subprocess: a signal is 128 + its number."""
    return 128 - status if isinstance(status, int) and status < 0 else status


def difference(case, host, guest):
    if as_shell(host[0]) != guest[0]:
        return "exit status %s, on the host %s" % (guest[0], as_shell(host[0]))
    if case.filter(host[1]) != case.filter(guest[1]):
        return "standard output differs"
    if case.compare_stderr and host[2] != guest[2]:
        return "standard error differs"
    return None


def show(label, data):
    for line in data.decode(errors="replace").splitlines()[:12]:
        print("#   %s | %s" % (label, line[:200]))


def check(number, case, cores, args):
    base = tempfile.mkdtemp(prefix="rf-")
    template, folder = os.path.join(base, "template"), os.path.join(base, "work")
    try:
        if any(shutil.which(p) is None for p in case.optional):
            print("ok %d - %s # SKIP no %s here" % (number, case.name, " ".join(case.optional)))
            return True
        missing = [p for p in case.needs if not os.path.exists(p)]
        if missing: # setup.sh installs what the tests need
            print("not ok %d - %s: no %s here" % (number, case.name, " ".join(missing)))
            return False
        build(case, template)
        host = on_host(case, template, folder)
        if host[0] == "timeout" or (case.expect is not None and as_shell(host[0]) != case.expect):
            print("not ok %d - %s (the host's own run ended with %s)" % (number, case.name, host[0]))
            show("host err", host[2])
            return False
        guest = in_guest(case, template, folder, cores, args.extra)
        why = difference(case, host, guest)
        print("%sok %d - %s, %d core%s%s" % ("not " if why else "", number, case.name, cores,
                                             "s" if cores > 1 else "", ": " + why if why else ""))
        if why or args.verbose:
            show("host ", host[1])
            show("guest", guest[1])
            show("host err ", host[2])
            show("guest err", guest[2])
        return why is None
    except subprocess.CalledProcessError as e:
        print("not ok %d - %s: %s fails on the host" % (number, case.name, " ".join(e.cmd)))
        show("host err", e.stderr)
        return False
    finally:
        shutil.rmtree(base, ignore_errors=True)
        sys.stdout.flush()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("groups", nargs="+")
    p.add_argument("-c", "--cores", default="1,4", help="core counts, comma-separated")
    p.add_argument("-k", "--name", default="", help="only cases whose name has this regular expression in it")
    p.add_argument("-v", "--verbose", action="store_true")
    p.add_argument("--extra", action="append", default=[], help="another option for ringfence run")
    p.add_argument("--memory", action="store_true", help="see whether memory is back, instead of comparing")
    args = p.parse_args()
    if args.memory:
        # What reads its input or is stopped by a signal cannot run three times alike; what is not there is compare's.
        plain = [c for g in args.groups for c in cases.GROUPS[g]
                 if re.search(args.name, c.name) and not c.stdin and c.expect is not None and c.expect < 128 and not c.optional]
        print("1..%d" % (len(plain) + 1))
        return 0 if all([check_loss(1)] + [check_memory(i + 2, c) for i, c in enumerate(plain)]) else 1
    todo = [(c, int(n)) for n in args.cores.split(",") for g in args.groups for c in cases.GROUPS[g]
            if re.search(args.name, c.name)]
    print("1..%d" % len(todo))
    results = [check(i + 1, c, n, args) for i, (c, n) in enumerate(todo)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
