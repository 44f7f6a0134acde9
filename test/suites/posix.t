#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The conformance programs of posixtestsuite, on the host and in Ringfence: the same verdict of each.

usage: posix.t [--all] [--update] [--jobs N] [PATTERN...]     (PATTERN in interfaces/AREA/NUMBER; --update writes
docs/conformance.md; --jobs: so many machines at once: most programs only wait)
"""
import argparse
import concurrent.futures
import os
import re
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import posix_build
import suite

# What `make test` runs: areas that sleep little.
SHORT = re.compile(r"^interfaces/(sem_(open|unlink|getvalue)|shm_unlink|mmap|munmap|mq_(unlink|getattr)|sched_get|sigaddset|kill|clock_get|"
                   r"pthread_attr_)")
# A machine for each: one that dies takes only those along.
GROUPS = [("aio", r"/(aio_|lio_)"), ("clocks and timers", r"/(clock|timer|time|nanosleep|[a-z]*time)[a-z_]*/|behavior/"),
          ("memory", r"/(mmap|munmap|m(un)?lock|shm_|fsync)"), ("message queues", r"/mq_"),
          ("attributes of threads", r"/pthread_attr"), ("mutexes", r"/pthread_mutex"),
          ("conditions and barriers", r"/pthread_(cond|barrier)"), ("read-write locks", r"/pthread_(rwlock|spin)"),
          ("threads", r"/pthread_"), ("scheduling", r"/sched_"), ("semaphores", r"/sem_"),
          ("sigaction", r"/sigaction/"), ("signals", r"/(sig|kill|raise)"), ("processes", r"")]
SECONDS = 60
# Starts threads and processes until the host has no more of them, for whatever else runs there.
LEFT_OUT = {"interfaces/pthread_cond_broadcast/1-2"}
ALSO = ["/bin/sleep", "/bin/ls", "/bin/true"]


def capabilities():
    """What this host's root may do: the machine's gets no more."""
    with open("/proc/self/status") as f:
        return re.search(r"CapBnd:\s*(\w+)", f.read()).group(1)


def verdicts(text):
    out, notes, kept = {}, {}, []
    for line in text.splitlines():
        m = re.match(r"^=== (\S+) (.*)$", line)
        if m:
            case = m.group(1)[len(posix_build.OUT) + 1:]
            out[case], notes[case], kept = m.group(2), kept[-6:], []
        else:
            kept.append(line)
    return out, notes


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--all", action="store_true")
    p.add_argument("--update", action="store_true")
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("patterns", nargs="*")
    args = p.parse_args()
    if os.geteuid() != 0:
        print("1..0 # SKIP needs root on the host: what programs may do must be the same")
        return 0
    names, failed = posix_build.build()
    names = [n for n in names if n not in LEFT_OUT]
    report = suite.Report("posix", "posixtestsuite", suite.source_version(suite.source("posixtestsuite")))
    if args.patterns:
        names = [n for n in names if any(re.search(q, n) for q in args.patterns)]
    elif not args.all:
        names = [n for n in names if SHORT.search(n) and n not in report.differs]
    report.test(len(failed) < 10, "%d programs, %d cannot be built here" % (len(names), len(failed)), failed)
    left, areas = names, []
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool, tempfile.TemporaryDirectory() as folder:
        for title, pattern in GROUPS:
            chosen = [n for n in left if re.search(pattern, n)]
            left = [n for n in left if n not in chosen]
            if chosen:
                line = driver(os.path.join(folder, "%d.list" % len(areas)), chosen)
                areas.append((title, line, chosen, on_host(line, chosen)))
        # Only now: some set the host's clock, and a machine's follows that.
        for area in [(t, host, pool.submit(in_machine, line, chosen)) for t, line, chosen, host in areas]:
            compare(report, *area[:2], area[2].result())
    return report.end(args.all and not args.patterns, args.update)


def driver(path, names):
    """The command that runs these."""
    with open(path, "w") as f:
        f.write("".join(os.path.join(posix_build.OUT, n) + "\n" for n in names))
    return [suite.DRIVER, str(SECONDS), capabilities(), path]


def limit(names):
    return 120 + 20 * len(names)


def on_host(line, names):
    # System V and message queues of its own, so that nothing is left behind.
    return suite.run(["unshare", "--ipc"] + line, limit(names))


def in_machine(line, names):
    folders = sorted({os.path.join(posix_build.OUT, os.path.dirname(n)) for n in names})
    return suite.guest(line, limit(names), include=folders + line[-1:], memory="256M",
                       also=ALSO + [os.path.join(posix_build.OUT, names[0])])


def compare(report, title, on_the_host, in_the_machine):
    status, out, err = in_the_machine
    host, _ = verdicts(on_the_host[1])
    there, notes = verdicts(out)
    report.compare(title, host, there, notes)
    if status != 0:
        report.test(False, "%s: the machine ended with %s" % (title, status), err.splitlines()[-20:])


sys.exit(main())
