#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Run the hostile programs of attack/ in Ringfence: they must end as they say, and the kernel must live.

usage: attack.t [-k NAME] [-s SEED] [-n COUNT] [-v] [--long]      (COUNT system calls for fuzz_syscalls)

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


# For starve: a pipeline of a shell, and much of Python's library. What they leave unread may end with a program.
PIPELINE = "for i in 1 2 3; do echo $i; done | sort | cat >f; rm f; echo $(echo a)"
PYTHON = """
import json, mmap, os, subprocess, tempfile, threading
done = []
threads = [threading.Thread(target=lambda: done.append(len(json.dumps(list(range(2000)))))) for _ in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
d = tempfile.mkdtemp(); open(d + '/f', 'w').write('x' * 100000); os.rename(d + '/f', d + '/g'); os.unlink(d + '/g'); os.rmdir(d)
r, w = os.pipe(); p = os.fork()
if p == 0: os.write(w, b'child'); os._exit(3)
os.close(w); os.waitpid(p, 0); os.read(r, 9); subprocess.run(['/bin/echo', 'x'])
m = mmap.mmap(-1, 1 << 20); m[5000] = 7
"""
SHELL_STARVES = (["/bin/sh", "-c", PIPELINE], ["--also", "/bin/sh", "--include", "/usr/bin/sort", "--include", "/bin/cat", "--include", "/bin/rm"])
PYTHON_STARVES = (["/usr/bin/python3", "-c", PYTHON], ["--also", "/usr/bin/python3", "--include", "/bin/echo"])
ELVES = ["/bin/true"] + [os.path.join(BUILD, "prog/test/linux/prog", n) for n in ("env_fixed", "env_pie", "env_static_pie")]


def starve(numbers, what, memory):
    program, files = what
    return ("starve", numbers.split() + program, 1, memory, ["--append=faults"] + files)


def elves(seed, count):
    return ("elves", [seed, count] + ELVES, 1, "128M", [w for e in ELVES for w in ("--also", e)])


def run(name, args, cores, memory, options=()):
    argv = [TOOL, "run", "-v", "-c", str(cores), "-m", memory] + list(options) + ["--", os.path.join(PROGS, name)] + args
    try:
        p = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=3500)
        return p.returncode, p.stdout.decode(errors="replace"), p.stderr.decode(errors="replace")
    except subprocess.TimeoutExpired as e:
        return "timeout", (e.stdout or b"").decode(errors="replace"), (e.stderr or b"").decode(errors="replace")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-k", "--name", default="", help="only programs whose name contains this")
    p.add_argument("-s", "--seed", default="1")
    p.add_argument("-n", "--count", default="200000")
    p.add_argument("-v", "--verbose", action="store_true")
    p.add_argument("--long", action="store_true")
    args = p.parse_args()
    tests = [("registers", [], 1, "128M"), ("pointers", [], 1, "128M"), ("races", [], 1, "128M"),
             ("races", [], 2, "128M"), ("storms", [], 1, "192M"), ("bombs", [], 1, "96M"), ("bombs", [], 2, "160M"),
             ("fuzz_syscalls", [args.seed, args.count], 1, "128M"),
             ("fuzz_syscalls", [args.seed + "0", args.count], 2, "128M"),
             ("fuzz_threads", [args.seed, args.count], 1, "128M"),
             elves(args.seed, "400"),
             starve("2 200 3", SHELL_STARVES, "128M"), starve("61 3000 307", PYTHON_STARVES, "256M")]
    if args.long:
        tests = [t for k in range(10) for t in (
            ("fuzz_syscalls", [args.seed + str(k), "500000"], 1, "128M"), ("fuzz_threads", [args.seed + str(k), "500000"], 1, "128M"))]
        tests += [elves(args.seed + str(k), "2000") for k in range(3)]
        tests += [starve("2 600 1", SHELL_STARVES, "128M"), starve("3 9000 31", PYTHON_STARVES, "256M")]
    tests = [t for t in tests if args.name in t[0]]
    good = True
    print("1..%d" % len(tests))
    for i, test in enumerate(tests):
        name, argv, cores = test[:3]
        status, out, err = run(*test)
        # The first lines tell the command line of the emulator.
        log = [line for line in err.splitlines() if not line.startswith("ringfence: start:")]
        found = [line for line in log if BAD.search(line)]
        told = name not in TOLD or any(TOLD[name] in line for line in log)
        # Who is killed for want of memory is named.
        killed = re.search(r"killed (\d+)", out)
        told &= killed is None or sum("out of memory: " in line for line in log) >= int(killed.group(1))
        fine = status == 0 and not found and told
        good &= fine
        print("%sok %d - %s, %d core%s" % ("" if fine else "not ", i + 1, " ".join([name] + argv).replace(BUILD + "/", "").split("\n")[0][:100], cores,
                                          "s" if cores > 1 else ""))
        if not fine:
            print("# exit status %s%s" % (status, "" if told else ", and the log lacks a report: " + TOLD.get(name, "out of memory")))
        for line in (out.splitlines() + found if not fine else out.splitlines() if args.verbose else []):
            print("# " + line[:200])
        if not fine:
            for line in log[-40:]:
                print("# log | " + line[:200])
        sys.stdout.flush()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
