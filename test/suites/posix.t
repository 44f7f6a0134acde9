#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The conformance programs of posixtestsuite, on the host and in Ringfence: the same verdict of each.

usage: posix.t [--all] [--update] [PATTERN...]     (PATTERN in interfaces/AREA/NUMBER; --update writes docs/conformance.md)
"""
import argparse
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
    p.add_argument("patterns", nargs="*")
    args = p.parse_args()
    if os.geteuid() != 0:
        print("1..0 # SKIP needs root on the host: what programs may do must be the same")
        return 0
    names, failed = posix_build.build()
    report = suite.Report("posix", "posixtestsuite", suite.source_version(suite.source("posixtestsuite")))
    if args.patterns:
        names = [n for n in names if any(re.search(q, n) for q in args.patterns)]
    elif not args.all:
        names = [n for n in names if SHORT.search(n) and n not in report.differs]
    report.test(len(failed) < 10, "%d programs, %d cannot be built here" % (len(names), len(failed)), failed)
    left = names
    for title, pattern in GROUPS:
        chosen = [n for n in left if re.search(pattern, n)]
        left = [n for n in left if n not in chosen]
        if chosen:
            run_group(report, title, chosen)
    return report.end(args.all and not args.patterns, args.update)


def run_group(report, title, names):
    with tempfile.NamedTemporaryFile("w", suffix=".list") as f:
        f.write("".join(os.path.join(posix_build.OUT, n) + "\n" for n in names))
        f.flush()
        driver = [suite.DRIVER, str(SECONDS), capabilities(), f.name]
        limit = 120 + 20 * len(names)
        # System V and message queues of its own, so that nothing is left behind.
        _, host_out, _ = suite.run(["unshare", "--ipc"] + driver, limit)
        folders = sorted({os.path.join(posix_build.OUT, os.path.dirname(n)) for n in names})
        status, out, err = suite.guest(driver, limit, include=folders + [f.name], memory="256M",
                                       also=ALSO + [os.path.join(posix_build.OUT, names[0])])
        host, _ = verdicts(host_out)
        there, notes = verdicts(out)
        report.compare(title, host, there, notes)
        if status != 0:
            report.test(False, "%s: the machine ended with %s" % (title, status), err.splitlines()[-20:])


sys.exit(main())
