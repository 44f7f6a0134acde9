#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Attacks on PrivUser: with the protection on they fail, in QEMU and in Bochs (which enforces segment limits); with it
off those that it stops succeed. The programs print TAP of their own, which goes on here.

usage: privuser.t [WHERE...]   qemu-on, qemu-off, bochs-on
"""
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(HERE)))
BUILD = os.environ.get("RF_BUILD", os.path.join(ROOT, "build"))
PROGS = os.path.join(BUILD, "prog/test/attack/privuser")
TIMEOUT = 240

# What attacks.c's children must die of, seen in the kernel's own lines.
REASONS = ["protection fault at", "page fault at", "invalid instruction", "division error at", "stack overflow at", "abort at"]
# With the protection off PrivUser runs in ring 3, where a fork does not wait for it.
LEFT_OUT = [("qemu-off", "crowd")]
LEAK = re.compile(rb"died in PrivUser[^\n]*\n[^\n]*(rax|rsp) [0-9a-f]{16}")


def run(argv, timeout):
    try:
        p = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False)
        return p.returncode, p.stdout, p.stderr
    except subprocess.TimeoutExpired as e:
        return "time is up", e.stdout or b"", e.stderr or b""


def in_qemu(name, more):
    program = os.path.join(PROGS, name)
    return run([os.path.join(BUILD, "ringfence"), "run", "--also", program] + more +
               ["--", os.path.join(PROGS, "starter"), program], TIMEOUT)


def in_bochs(name):
    with tempfile.TemporaryDirectory() as d:
        image = os.path.join(d, "img")
        for folder in ("", "dev", "proc", "sys", "tmp", "run"):
            os.mkdir(os.path.join(image, folder))
        for n in ("starter", name):
            subprocess.run(["cp", os.path.join(PROGS, n), os.path.join(image, n)], check=True)
        with open(os.path.join(d, "run.bin"), "wb") as f:
            f.write(b"exe=/starter\0arg=/starter\0arg=/" + name.encode() + b"\0env=PATH=/\0")
        subprocess.run(["mkfs.erofs", "-Enoinline_data,force-inode-extended", os.path.join(d, "root.erofs"), image],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        subprocess.run([os.path.join(ROOT, "build-tools/mkiso.sh"), os.path.join(BUILD, "kernel.elf"), os.path.join(d, "a.iso"),
                        "", os.path.join(d, "root.erofs"), os.path.join(d, "run.bin")], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        status, out, err = run([os.path.join(ROOT, "build-tools/bochs.sh"), os.path.join(d, "a.iso"), "tigerlake", "1",
                                str(TIMEOUT)], TIMEOUT + 20)
        return status, out, out + err


number = 0
failed = 0


def ok(good, name):
    global number, failed
    number += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {number} - {name}", flush=True)


def take(where, name, status, out):
    """The program's own TAP, and whether all of it came."""
    lines = out.decode("utf-8", "replace").replace("\r", "").split("\n")
    done = 0
    for line in lines:
        m = re.match(r"^(not )?ok \d+ - (.*)", line)
        if m:
            done += 1
            ok(not m.group(1), f"{where} {name}: {m.group(2)}")
        elif line.startswith(("# ", "Bail")):
            print(f"# {where} {name}: {line}")
    plan = next((int(line[3:]) for line in lines if re.match(r"^1\.\.\d+$", line)), None)
    ok(plan == done and plan, f"{where} {name}: complete, {done} tests")
    if plan != done:
        print(f"# it ended with {status}")
        for line in lines[-10:]:
            print("#  ", line[:150])


def traced():
    """--strace shows what the calls of calls.c are given; what it points at in PrivUser it cannot."""
    for more in ([], ["--append", "privuser=0"]):
        _, out, err = in_qemu("calls", ["--strace"] + more)
        ok(err.count(b"write(") > 20, f"--strace {more}: writes are traced")
        ok((b"RINGFENCE-MARKER" in err) == bool(more), f"--strace {more}: a buffer in PrivUser is {'' if more else 'not '}shown")


def main():
    places = sys.argv[1:] or ["qemu-on", "qemu-off", "bochs-on"]
    for where in places:
        for name in ("attacks", "calls", "borders", "scans", "crowd"):
            if (where, name) in LEFT_OUT:
                continue
            if where == "bochs-on":
                status, out, err = in_bochs(name)
            else:
                status, out, err = in_qemu(name, ["--append", "privuser=0"] if where == "qemu-off" else [])
            take(where, name, status, out)
            if name == "attacks" and where != "qemu-off":
                for reason in REASONS:
                    ok(f"died in PrivUser: {reason}".encode() in err, f"{where}: the log has \"{reason}\"")
                ok(not LEAK.search(err), f"{where}: the log shows no register of PrivUser")
    if "qemu-on" in places:
        traced()
    print(f"1..{number}")
    return failed != 0


sys.exit(main())
