#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Debian's strace and gdb look at a program, on the host and in Ringfence: what they say must be the same, but for
addresses and process numbers. TAP."""
import difflib
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(HERE)))
BUILD = os.environ.get("RF_BUILD", os.path.join(ROOT, "build"))
SUBJECT = os.path.join(BUILD, "prog/test/debug/prog/subject")
SOURCE = os.path.join(HERE, "prog/subject.c")
NEEDS = [SUBJECT, SOURCE, "/usr/share/gdb", "/usr/lib/python3.11", "/usr/lib/x86_64-linux-gnu/gconv",
         "/lib/x86_64-linux-gnu/libthread_db.so.1"]
ALSO = ["/usr/bin/gdb", "/usr/bin/strace", "/bin/rm", "/usr/bin/mkfifo", "/usr/bin/setarch"]
TIMEOUT = 150
GDB = "gdb -nx -batch -iex 'set auto-load no' -ex 'set pagination off' -ex 'set width 0'"


def gdb(*commands, program="--args %s loops" % SUBJECT, first=GDB):
    return first + "".join(" -ex '%s'" % c for c in commands) + " " + program


CALLS = "write,kill,tgkill,getpid,gettid,wait4,rt_sigreturn,exit_group,clone,fork,vfork"
CASES = [
    ("strace", "strace -e trace=%s %s talk" % (CALLS, SUBJECT)),
    ("strace -f: each process in its order", "rm -f /tmp/out.*; strace -ff -e trace=write,wait4,exit_group -o /tmp/out %s talk; cat /tmp/out.*" % SUBJECT),
    ("strace -c", "strace -c -e trace=write %s talk 2>&1 | grep -o 'write$'" % SUBJECT),
    ("break, step, print, finish", gdb("break add", "run", "bt", "info args", "step", "next", "print sum", "print counter",
                                       "finish", "delete", "continue")),
    ("single instructions", gdb("break add", "run", "stepi", "stepi", "stepi", "info registers rip eflags cs", "delete",
                                "continue")),
    ("hardware watchpoint", gdb("watch watched", "run", "continue", "bt", "delete", "continue")),
    ("read watchpoint, hardware breakpoint", gdb("hbreak add", "run", "bt", "delete", "awatch counter", "continue",
                                                 "delete", "continue")),
    ("software watchpoint", gdb("set can-use-hw-watchpoints 0", "break loops", "run", "watch watched", "continue",
                                "continue", "delete", "continue")),
    ("threads", gdb("break thread_main", "run", "info threads", "thread 1", "thread 2", "bt 1", "delete", "continue")),
    ("call a function, change memory", gdb("break loops", "run", "print add(20, 22)", "set var counter = 7",
                                           "print counter", "print $_siginfo.si_signo", "delete", "continue")),
    ("signals", gdb("handle SIGUSR1 stop print pass", "run", "print $_siginfo.si_signo", "bt -1", "continue",
                    program="--args %s talk" % SUBJECT)),
    ("catch a system call", gdb("catch syscall write", "run", "continue", "delete", "continue",
                                program="--args %s talk" % SUBJECT)),
    ("follow the child", gdb("set follow-fork-mode child", "set detach-on-fork on", "break _exit", "run", "bt -1",
                             "continue", program="--args %s talk" % SUBJECT)),
    ("a crash", gdb("run", "bt", "print $_siginfo._sifields._sigfault.si_addr", "info threads", "kill",
                    program="--args %s crash" % SUBJECT)),
    ("attach", "rm -f /tmp/f; mkfifo /tmp/f; %s wait >/tmp/f & p=$!; read line </tmp/f; %s; kill -9 $p; wait $p; echo $?" %
     (SUBJECT, gdb("bt -2", "detach", program="-p $p"))),
    ("core file", "ulimit -c unlimited; cd /tmp; rm -f core; %s crash; echo $?; %s; rm -f core" %
     (SUBJECT, gdb("bt", "print ring[1]", "frame 1", "print level", "info threads", "thread 2", "bt -2",
                   "print $_siginfo.si_signo", program="%s core" % SUBJECT))),
]


def run(argv):
    try:
        p = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired as e:
        return "timeout", (e.stdout or b"").decode(errors="replace"), ""
    return p.returncode, p.stdout.decode(errors="replace"), p.stderr.decode(errors="replace")


def guest(script):
    argv = [os.path.join(BUILD, "ringfence"), "run", "-m", "512"]
    for name in NEEDS:
        argv += ["--include", name]
    for name in ALSO + ["/bin/cat", "/usr/bin/grep"]:
        argv += ["--also", name]
    return run(argv + ["--", "/bin/sh", "-c", script])


# What differs by its nature: where things are, who is who, and words about the machine's own state.
DROP = re.compile(r"^(ringfence: |warning: |\[New (LWP|process)|Download|$|.*\(core dumped\)|Segmentation fault|Killed|\[Thread .* exited)|auto-load|libthread_db|Section `\.reg-xstate")


def normal(text):
    lines = []
    for line in text.splitlines():
        if DROP.search(line):
            continue
        line = re.sub(r"0x[0-9a-f]+", "0x#", line)
        line = re.sub(r"\b(LWP|process|pid|Thread|si_pid=|clone resumed> = )\s*\d+", r"\1 #", line)
        line = re.sub(r"^\d+ +", "# ", line)
        line = re.sub(r"(si_pid=|si_uid=|child_tidptr=|si_utime=|si_stime=)[^,}) ]+( /\*[^*]*\*/)?", r"\1#", line)
        line = re.sub(r"\b(tgkill|kill|wait4)\([^,]*, ?(\d+, )?", r"\1(#, ", line)
        line = re.sub(r"^((# )?(<\.\.\. )?(getpid|gettid|clone|wait4)\b.*) = \d+$", r"\1 = #", line)
        line = re.sub(r" in (clone3|__futex_abstimed_wait_common|__clone\w*) \(\)", " in #", line)
        line = re.sub(r" +", " ", line)
        lines.append(line)
    return lines


def main():
    if not all(os.path.exists(p) for p in NEEDS) or not all(shutil.which(n) for n in ("gdb", "strace")):
        print("1..0 # SKIP gdb, strace or their files are missing")
        return 0
    print("1..%d" % len(CASES))
    failed = 0
    for number, (name, script) in enumerate(CASES, 1):
        if len(sys.argv) > 1 and sys.argv[1] not in name:
            continue
        h, g = run(["/bin/sh", "-c", script]), guest(script)
        expect, got = normal(h[1] + h[2]), normal(g[1] + g[2])
        good = h[0] == g[0] and sorted(expect) == sorted(got) and len(expect) > 0
        failed += not good
        print("%sok %d - %s, %d lines" % ("" if good else "not ", number, name, len(expect)))
        if not good:
            print("# status %s, on the host %s" % (g[0], h[0]))
            for line in list(difflib.unified_diff(expect, got, "host", "guest", lineterm="", n=0))[:30]:
                print("# " + line[:200])
        sys.stdout.flush()
    return failed != 0


sys.exit(main())
