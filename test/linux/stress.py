#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""stress-ng's stressors of an operating system in Ringfence: each ends as it should, the kernel lives, the memory is back.

usage: stress.py [-t SECONDS] [-v] [--short | STRESSOR...]     (without: all of class os that need no network)

Each stressor runs in a machine of its own, twice (test/support/watch): after the second run as much memory must be
free as after the first. With --short some of them one after the other in one machine. Prints TAP.
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
WATCH = os.path.join(BUILD, "prog/test/support/watch")
STRESS = "/usr/bin/stress-ng"

SHORT = ["clone", "fork", "vforkmany", "mmapfork", "madvise", "mremap", "memfd", "futex", "pthread", "sigq", "signest",
         "sysbadaddr", "procfs", "dentry", "ring-pipe"]
NETWORK = {"dccp", "epoll", "icmp-flood", "netdev", "netlink-proc", "netlink-task", "ping-sock", "rawpkt", "rawsock", "rawudp", "sctp",
           "sock", "sockabuse", "sockdiag", "sockfd", "sockpair", "sockmany", "tun", "udp", "udp-flood"}
# What does not end with 0, and why. The test fails when such a reason is no longer one, too.
NO_RESOURCE, FAILED = 3, 2
OTHERWISE = {
    "aiol": (NO_RESOURCE, "no io_setup"),
    "bind-mount": (FAILED, "no namespaces"),
    "binderfs": (NO_RESOURCE, "no binder"),
    "efivar": (NO_RESOURCE, "no EFI variables"),
    "pci": (NO_RESOURCE, "no PCI bus to see"),
    "swap": (NO_RESOURCE, "no file that can take swapped pages"),
}
# More options: files that fit into the machine.
OPTIONS = {"iomix": ["--iomix-bytes", "64M"], "oom-pipe": ["--oomable"]}
# What may fail on a Linux, too, now and then: it is tried again.
TWICE = {"opcode"}  # its children execute random bytes next to memory that they share with it, and write into that
MEMORY = "512M"
LOG_BAD = re.compile(r"panic|stack overflow|in the kernel,|watch: killed", re.I)


def class_os():
    text = subprocess.run([STRESS, "--class", "os?"], capture_output=True, text=True, check=False).stdout
    return [s for s in text.split(":")[1].split() if s not in NETWORK]


def in_machine(command, seconds):
    argv = [TOOL, "run", "-v", "-m", MEMORY, "--also", STRESS, "--", WATCH, "-n", "2", "-s", "512", "-t", str(seconds)]
    try:
        p = subprocess.run(argv + command, stdin=subprocess.DEVNULL, capture_output=True, timeout=3 * seconds + 60)
        return p.returncode, p.stderr.decode(errors="replace")
    except subprocess.TimeoutExpired as e:
        return "timeout", (e.stderr or b"").decode(errors="replace")


def report(number, name, status, wanted, why, log):
    lines = [line for line in log.splitlines() if not line.startswith("ringfence: ")]
    bad = [line for line in lines if LOG_BAD.search(line)]
    fine = status == wanted and not bad
    print("%sok %d - %s%s" % ("" if fine else "not ", number, name, ": " + why if why else ""))
    if not fine:
        print("# ended with %s, expected %s" % (status, wanted))
        for line in bad + lines[-30:]:
            print("# " + line[:200])
    sys.stdout.flush()
    return fine


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-t", "--seconds", default="1")
    p.add_argument("--short", action="store_true")
    p.add_argument("stressors", nargs="*")
    args = p.parse_args()
    if args.short:
        print("1..1")
        loop = "for s in %s; do stress-ng --$s 1 -t %s --verify -q || { echo $s fails >&2; exit 1; }; done" % (
            " ".join(args.stressors or SHORT), args.seconds)
        status, log = in_machine(["/bin/sh", "-c", loop], 120)
        return 0 if report(1, "stressors one after the other", status, 0, "", log) else 1
    names = args.stressors or class_os()
    print("1..%d" % len(names))
    good = True
    for i, name in enumerate(names):
        wanted, why = OTHERWISE.get(name, (0, ""))
        command = ["stress-ng", "--" + name, "1", "-t", args.seconds, "--verify", "--pathological"] + OPTIONS.get(name, [])
        status, log = in_machine(command, 60 + 10 * int(args.seconds))
        if name in TWICE and status != wanted:
            status, log = in_machine(command, 60 + 10 * int(args.seconds))
        good &= report(i + 1, name, status, wanted, why, log)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
