#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Machines in the background, programs started in them, statistics and gdb, with QEMU and the kernel."""
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
import urllib.request

ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "test/support"))
# pylint: disable=wrong-import-position
from e2e import FOLDER, TOOL, equal, expect, free_port, is_gone, main, rf, start, state, terminal, test, until  # noqa: E402


class Machine:
    """One that sleeps, with some programs to run in it."""

    def __init__(self, name, *program):
        self.name = name
        also = sum((["--also", p] for p in ("sh", "cat", "tty", "stty", "sha256sum", "yes", "sleep", "env", "pwd", "kill")), [])
        p = rf("run", "-d", "--name", name, *also, *(program or ("sleep", "1000")))
        equal((p.returncode, p.stdout, p.stderr), (0, name.encode() + b"\n", b""))

    def __enter__(self):
        return self

    def __exit__(self, *what):
        rf("rm", "-f", self.name)

    def exec(self, *args, options=(), **kw):
        return rf("exec", *options, self.name, *args, **kw)


@test
def streams_and_exit_codes():
    with Machine("m1") as m:
        p = m.exec("sh", "-c", "echo out; echo err >&2; exit 7")
        equal((p.stdout, p.stderr, p.returncode), (b"out\n", b"err\n", 7))
        equal(m.exec("sh", "-c", "kill -9 $$").returncode, 137)
        equal(m.exec("cat").stdout, b"")
        equal(m.exec("cat", options=["-i"], input=b"in\n").stdout, b"in\n")
        equal(m.exec("pwd", options=["-w", "/tmp"]).stdout, b"/tmp\n")
        equal(m.exec("sh", "-c", "echo $A", options=["-e", "A=b c"]).stdout, b"b c\n")
        expect(b"PATH=" in m.exec("env").stdout, "the machine's environment")
        expect(m.exec("sh", "-c", "exit 0", options=["--"]).returncode == 0, "-- before the name")


@test
def a_program_that_is_not_in_the_image():
    with Machine("m2") as m:
        p = m.exec("no-such")
        equal(p.returncode, 127)
        expect(b"no-such is not in the image of the machine m2" in p.stderr and b"--also no-such" in p.stderr, p.stderr)
        p = m.exec("/etc/passwd")
        expect(p.returncode == 126 and b"cannot be run" in p.stderr, (p.returncode, p.stderr))
        p = m.exec("sh", options=["-w", "/none"])
        expect(p.returncode == 127, (p.returncode, p.stderr))


@test
def megabytes_pass_both_ways():
    data = os.urandom(3000000)
    with Machine("m3") as m:
        equal(m.exec("sha256sum", options=["-i"], input=data).stdout.split()[0], hashlib.sha256(data).hexdigest().encode())
        equal(hashlib.sha256(m.exec("cat", options=["-i"], input=data).stdout).hexdigest(), hashlib.sha256(data).hexdigest())
        p = m.exec("sh", "-c", "cat >&2", options=["-i"], input=data)
        expect(p.stderr == data and p.stdout == b"", "standard error: %d bytes" % len(p.stderr))


@test
def several_at_once_and_a_slow_reader():
    with Machine("m4") as m:
        slow = start("exec", "m4", "yes")
        slow.stdout.read(10)  # and no more: its window is soon full
        cats = [start("exec", "-i", "m4", "cat") for _ in range(8)]
        for i, c in enumerate(cats):
            equal(c.communicate(b"%d" % i * 5000, timeout=30)[0], b"%d" % i * 5000)
        equal(m.exec("sh", "-c", "echo alive").stdout, b"alive\n")
        slow.kill()
        slow.communicate()
        # Its program gets SIGHUP and is gone.
        until(lambda: b"yes" not in m.exec("sh", "-c", "cat /proc/[0-9]*/comm").stdout, "the end of yes")


@test
def at_most_sixteen():
    with Machine("m5") as m:
        held = [start("exec", "-i", "m5", "sh", "-c", "echo up; cat") for _ in range(16)]
        for h in held:
            equal(h.stdout.readline(), b"up\n")
        p = m.exec("sh", "-c", "echo")
        expect(p.returncode == 125 and b"too many programs" in p.stderr, (p.returncode, p.stderr))
        for h in held:
            h.communicate()
        equal(m.exec("sh", "-c", "echo again").stdout, b"again\n")


@test
def a_reader_that_goes_away():
    with Machine("m6"):
        p = start("exec", "m6", "yes")
        p.stdout.read(10)
        p.stdout.close()
        equal(p.wait(timeout=30), 141)


@test
def signals_go_to_the_program():
    with Machine("m7"):
        p = start("exec", "m7", "sh", "-c", "trap 'echo got; exit 5' TERM; echo up; while :; do sleep 0.05; done")
        equal(p.stdout.readline(), b"up\n")
        p.send_signal(signal.SIGTERM)
        equal((p.communicate(timeout=30)[0], p.returncode), (b"got\n", 5))


@test
def children_that_keep_the_streams_do_not_hold_the_command():
    with Machine("m8") as m:
        p = m.exec("sh", "-c", "sleep 1000 & echo done", timeout=30)
        equal((p.stdout, p.returncode), (b"done\n", 0))


@test
def the_machine_ends_under_a_program():
    with Machine("m9"):
        p = start("exec", "-i", "m9", "sh", "-c", "echo up; cat")
        equal(p.stdout.readline(), b"up\n")
        rf("rm", "-f", "m9")
        p.stdin.close()
        equal(p.wait(timeout=30), 137)


@test
def memory_comes_back():
    with Machine("m10") as m:
        def used():
            text = m.exec("cat", "/proc/meminfo").stdout.decode()
            return int(re.search(r"MemTotal: +(\d+)", text)[1]) - int(re.search(r"MemFree: +(\d+)", text)[1])
        for _ in range(5):
            used()
        before = used()
        for _ in range(40):
            m.exec("sh", "-c", "echo x")
        expect(used() - before < 400, "%d KiB more after 40 programs" % (used() - before))


@test
def a_shell_on_a_terminal_of_its_own():
    def resize(fd):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 100, 0, 0))

    with Machine("t1"):
        steps = [(b"@ ", b"tty; stty size\n"),
                 (b"\n33 77\r\n", b"until [ \"$(stty size)\" = '50 100' ]; do sleep 0.05; done; echo re''sized\n"),
                 (b"echo re''sized\r\n", resize), (b"resized\r\n", b"cat\n"),
                 # Once cat has answered it is it that has the terminal, and Ctrl-C is for it.
                 (b"cat\r\n", b"x\n"), (b"x\r\nx\r\n", b"\x03"), (b"@ ", b"exit 5\n")]
        out, code = terminal([TOOL, "exec", "-it", "-e", "PS1=@ ", "t1", "sh"], steps)
        expect(b"/dev/pts/0" in out, out)
        equal(code, 5)
        p = rf("exec", "-t", "t1", "sh")
        expect(p.returncode == 125 and b"needs a terminal" in p.stderr, p.stderr)


@test
def two_machines_at_once():
    with Machine("a"), Machine("b"):
        names = [m["name"] for m in json.loads(rf("ps", "-o", "json").stdout)]
        equal(names, ["a", "b"])
        equal(rf("exec", "a", "cat", "/proc/sys/kernel/hostname").stdout, b"a\n")
        equal(rf("exec", "b", "cat", "/proc/sys/kernel/hostname").stdout, b"b\n")
        equal(rf("stop", "a").returncode, 0)
        equal([m["name"] for m in json.loads(rf("ps", "-o", "json").stdout)], ["b"])


@test
def the_command_waits_for_a_server_to_listen():
    port = free_port()
    forward = "127.0.0.1:%d:8000" % port
    try:
        p = rf("run", "-d", "--name", "http", "-p", forward, "-w", "/", "python3", "-m", "http.server", "8000")
        equal((p.returncode, p.stdout), (0, b"http\n"))
        with urllib.request.urlopen("http://127.0.0.1:%d/etc/os-release" % port, timeout=20) as page:
            equal(page.read(), open("/etc/os-release", "rb").read())
        p = rf("run", "-p", forward, "true")
        expect(p.returncode == 125 and b"is in use by the machine http (ringfence stop http)" in p.stderr, p.stderr)
    finally:
        rf("rm", "-f", "http")
    try:
        p = rf("run", "-d", "--name", "http", "-p", forward, "python3", "-m", "http.server", "--bind", "127.0.0.1", "8000")
        equal((p.returncode, p.stdout), (0, b"http\n"))
        expect(b"loopback device only: port %d" % port in p.stderr + rf("logs", "http").stdout, (p.stderr, rf("logs", "http").stdout))
    finally:
        rf("rm", "-f", "http")
    try:
        p = rf("run", "-d", "--name", "http", "-p", forward, "sh", "-c", "echo no; exit 3")
        equal((p.returncode, p.stdout), (3, b""))
        expect(b"ended with exit code 3 before it listened" in p.stderr and b"ringfence logs http" in p.stderr, p.stderr)
        equal(rf("logs", "http").stdout, b"no\n")
    finally:
        rf("rm", "-f", "http")


@test
def a_server_in_the_foreground_says_its_address_and_ends_with_ctrl_c():
    port = free_port()
    address = b"http://127.0.0.1:%d" % port

    def fetch_and_end(fd):
        with urllib.request.urlopen(address.decode(), timeout=20) as page:
            equal(page.headers["Server"].split("/")[0], "nginx")
        os.write(fd, b"\x03")

    out, code = terminal([TOOL, "run", "-p", "127.0.0.1:%d:80" % port, "nginx"], [(address + b"\r\n", fetch_and_end)])
    equal((code, out.count(address)), (0, 1))
    equal(json.loads(rf("ps", "-a", "-o", "json").stdout), [])


@test
def a_built_server_knows_its_port():
    image, port = FOLDER + "/web.img", free_port()
    equal(rf("build", "-o", image, "nginx").returncode, 0)
    try:
        # What the image says is the usual port; here another one is wanted.
        p = rf("run", "-d", "--name", "built", "-p", "127.0.0.1:%d:80" % port, image)
        equal((p.returncode, p.stdout), (0, b"built\n"))
        with urllib.request.urlopen("http://127.0.0.1:%d/" % port, timeout=20) as page:
            equal(page.status, 200)
    finally:
        rf("rm", "-f", "built")
    with open(image, "rb") as f:
        text = f.read()[-4096:]
    expect(b'"127.0.0.1:8080:80/tcp"' in text and b'"service":\ttrue' in text, text[-800:])


@test
def stop_ends_the_program_and_then_the_machine():
    with Machine("s1", "sh", "-c", "trap 'echo bye; exit 4' TERM; echo up; while :; do sleep 0.05; done"):
        until(lambda: rf("logs", "s1").stdout == b"up\n", "the program")
        qemu = state("s1")["qemu"]
        equal(rf("stop", "s1").returncode, 0)
        equal((state("s1")["exit_code"], rf("logs", "s1").stdout), (4, b"up\nbye\n"))
        expect(is_gone(qemu), "QEMU is still there")
    with Machine("s2", "sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done"):
        until(lambda: rf("logs", "s2").stdout == b"up\n", "the program")
        equal((rf("stop", "-t", "0", "s2").returncode, state("s2")["exit_code"]), (0, 137))


@test
def nothing_is_left_whoever_is_killed():
    for victim in ("pid", "qemu"):
        with Machine("k"):
            s = state("k")
            os.kill(s[victim], signal.SIGKILL)
            until(lambda: is_gone(s["qemu"]) and is_gone(s["pid"]), "the end of owner and QEMU")
            p = rf("ps", "-a", "-o", "json")
            equal([m["state"] for m in json.loads(p.stdout) if m["name"] == "k"], ["exited"])


@test
def logs_follow_until_the_end():
    with Machine("l", "sh", "-c", "for i in 1 2 3; do echo line $i; sleep 0.2; done; exit 3"):
        p = rf("logs", "-f", "l")
        equal((p.stdout, p.returncode), (b"line 1\nline 2\nline 3\n", 0))
        equal(rf("wait", "l").returncode, 3)


@test
def long_logs_are_bounded():
    with Machine("big", "sh", "-c", "yes 0123456789012345678901234567890123456789012345678901234567890 | head -c 12000000; echo end"):
        equal(rf("wait", "big", timeout=120).returncode, 0)
        folder = FOLDER + "/ringfence/big/"
        size = sum(os.path.getsize(folder + f) for f in ("log", "log.1"))
        expect(size < 9 << 20, "%d bytes" % size)
        out = rf("logs", "big").stdout
        expect(out.endswith(b"890123end\n") and len(out) == size, out[-100:])


@test
def a_crash_is_started_again():
    with Machine("c", "sh", "-c", "echo run; exit 1"):
        rf("rm", "-f", "c")
        p = rf("run", "-d", "--name", "c", "--restart", "on-failure:2", "--also", "kill", "sh", "-c", "echo run; kill -SEGV $$")
        equal((p.returncode, p.stderr), (0, b""))
        equal(rf("wait", "c").returncode, 139)
        equal(len(re.findall(rb"^run$", rf("logs", "c").stdout, re.M)), 3)
        equal(state("c")["restarts"], 2)


@test
def statistics():
    p = rf("run", "--stats=json", "sh", "-c", "exec 3</dev/null; exec 3<&-; exec 3</none")
    s = json.loads(p.stderr.decode().splitlines()[-1])
    calls = {c["name"]: c for c in s["calls"]}
    expect(calls["openat"]["errors"] >= 1 and calls["openat"]["calls"] > calls["openat"]["errors"], calls["openat"])
    expect(calls["openat"]["working_ns"] > 0 and calls["openat"]["elapsed_ns"] > 0, calls["openat"])
    equal(s["calls"] and sum(c["calls"] for c in s["calls"]), s["calls"] and sum(c["calls"] for c in calls.values()))
    for key in ("crossings", "minor_faults", "peak_kib", "memory_kib", "wall_us", "switches"):
        expect(s[key] > 0, key)
    expect(s["peak_kib"] < s["memory_kib"], s)
    p = rf("run", "--stats", "sleep", "0.2")
    line = [x for x in p.stderr.decode().splitlines() if x.startswith("clock_nanosleep")][0].split()
    expect(line[1] == "1" and float(line[4]) >= 200 and float(line[3]) < 100, line)
    equal(rf("run", "true").stderr, b"")


def compile_c(name, text, *flags):
    path = os.path.join(FOLDER, name)
    with open(path + ".c", "w") as f:
        f.write(text)
    subprocess.run(["gcc", *flags, "-o", path, path + ".c"], check=True)
    return path


CRASH = """#include <stdlib.h>
#include <string.h>
static int inner(volatile int *p) { return *p; }
int outer(int n)
{
	return inner((int *)(long)(n + 15)) + 1;
}
int deep(int n) { volatile char b[1000]; b[n % 1000] = 1; return deep(n + 1) + b[5]; }
int main(int c, char **v)
{
	if (c > 2 && v[2][0] == 'd')
		return deep(1);
	return outer(c > 1);
}
"""


@test
def a_crash_report_fits_the_screen():
    crash = compile_c("crash", CRASH, "-O0", "-g", "-fno-omit-frame-pointer")
    err = rf("run", crash, "x").stderr.decode()
    for want in ("died: SIGSEGV at address 0000000000000010", "inner+0x", "outer+0x", "main+0x", "crash.c:6", "last calls: ",
                 "memory: ", "cause: a null pointer was followed", "try: ringfence run --gdb", "[stack]", "libc.so.6"):
        expect(want in err, "no %r in:\n%s" % (want, err))
    err = rf("run", crash, "x", "deep").stderr.decode()
    expect("times more" in err and "cause: the stack is full" in err, err)
    expect(len(err.splitlines()) <= 40, "%d lines" % len(err.splitlines()))


@test
def gdb_stops_in_the_program():
    if shutil.which("gdb") is None:
        return
    crash = compile_c("debugged", CRASH, "-O0", "-g")
    port = 20000 + os.getpid() % 10000
    p = start("run", "--name", "dbg", "--gdb=%d" % port, crash)
    line = p.stderr.readline().decode()
    script = re.search(r"the program waits for: gdb -x (\S+)", line)
    expect(script, line)
    gdb = subprocess.run(["gdb", "-nx", "-batch", "-x", script[1], "-ex", "info symbol $pc", "-ex", "break outer", "-ex", "continue",
                          "-ex", "bt", "-ex", "delete", "-ex", "detach"], capture_output=True, timeout=60, text=True)
    expect("_start in section .text of" in gdb.stdout and "ld-linux" in gdb.stdout, gdb.stdout + gdb.stderr)
    expect(re.search(r"#0 .*outer \(n=.*debugged.c:", gdb.stdout) and re.search(r"#1 .*main \(c=1", gdb.stdout), gdb.stdout)
    p.communicate(timeout=30)
    equal(p.returncode, 139)
    expect(not os.path.exists(script[1]), "the script is left over")


if __name__ == "__main__":
    sys.exit(main())
