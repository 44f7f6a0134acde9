#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The tool and the kernel together, as a user meets them: streams, codes, signals, terminal, failures. Prints TAP."""
import hashlib
import os
import re
import select
import signal
import subprocess
import sys
import time

ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "test/support"))
# pylint: disable=wrong-import-position
from e2e import FOLDER, TOOL, equal, expect, main, start, terminal, test  # noqa: E402

PY = "/usr/bin/python3"
os.chdir(FOLDER)  # where everything starts, and what has a relative path is


def ringfence(*args, stdin=b"", env=None, timeout=120, cwd=None):
    e = dict(os.environ, **(env or {}))
    return subprocess.run([TOOL, *args], input=stdin, capture_output=True, timeout=timeout, cwd=cwd, env=e)


def compile_c(name, text, *flags):
    path = os.path.join(FOLDER, name)
    with open(path + ".c", "w") as f:
        f.write(text)
    subprocess.run(["gcc", *flags, "-o", path, path + ".c"], check=True)
    return path


@test
def exit_codes():
    for code in (0, 1, 42, 255):
        equal(ringfence("run", "/bin/busybox", "sh", "-c", "exit %d" % code).returncode, code)


@test
def death_by_signal_is_128_plus_number():
    equal(ringfence("run", "/bin/busybox", "sh", "-c", "kill -9 $$").returncode, 137)
    equal(ringfence("run", "/bin/busybox", "sh", "-c", "kill -TERM $$").returncode, 143)


@test
def output_and_error_apart_and_nothing_else():
    p = ringfence("run", "/bin/busybox", "sh", "-c", "echo out; echo err >&2; printf 'no newline'")
    equal((p.stdout, p.stderr), (b"out\nno newline", b"err\n"))


@test
def large_input_byte_exact():
    data = bytes(i * 7919 % 256 for i in range(3_000_000))
    p = ringfence("run", "/usr/bin/sha256sum", stdin=data)
    equal(p.stdout.split()[0].decode(), hashlib.sha256(data).hexdigest())


@test
def large_output_byte_exact():
    p = ringfence("run", PY, "-c", "import sys; [sys.stdout.buffer.write(bytes((i * j) % 251 for i in range(1000)) * 100) for j in range(200)]")
    want = b"".join(bytes((i * j) % 251 for i in range(1000)) * 100 for j in range(200))
    equal(hashlib.sha256(p.stdout).hexdigest(), hashlib.sha256(want).hexdigest())


@test
def output_into_a_closed_pipe_ends_the_program():
    p = subprocess.run("%s run /bin/busybox yes | head -c 100000 | wc -c" % TOOL, shell=True, capture_output=True, timeout=60)
    equal(p.stdout.strip(), b"100000")


@test
def arguments_pass_byte_exactly():
    args = ["", "a b", "\"'$x\\", "\n", "ä\udcff".encode("utf-8", "surrogateescape"), "*"]
    p = ringfence("run", PY, "-c", "import sys, os; print([os.fsencode(a) for a in sys.argv[1:]])", *args)
    equal(p.stdout.decode().strip(), str([a if isinstance(a, bytes) else a.encode() for a in args]))


@test
def environment_and_working_directory():
    p = ringfence("run", "-e", "A=1 2", "-e", "B", "-w", "/usr/share", "/bin/busybox", "sh", "-c", "echo $A-$B-$SECRET; pwd",
                  env={"B": "from host", "SECRET": "x"})
    equal(p.stdout, b"1 2-from host-\n/usr/share\n")


@test
def files_named_by_arguments_are_there():
    with open(FOLDER + "/data", "w") as f:
        f.write("content\n")
    equal(ringfence("run", "/bin/cat", "data").stdout, b"content\n")
    equal(ringfence("run", "/bin/cat", FOLDER + "/data").stdout, b"content\n")


@test
def a_changed_file_is_seen_by_the_next_run():
    for text in ("first\n", "second\n"):
        with open(FOLDER + "/changing", "w") as f:
            f.write(text)
        equal(ringfence("run", "/bin/cat", "changing").stdout, text.encode())


@test
def include_elsewhere():
    with open(FOLDER + "/data", "w") as f:
        f.write("content\n")
    equal(ringfence("run", "--include", FOLDER + "/data:/srv/x/y", "/bin/cat", "/srv/x/y").stdout, b"content\n")


@test
def cores_and_memory():
    equal(ringfence("run", "-c", "4", "-m", "128M", "/bin/busybox", "nproc").stdout, b"1\n")
    p = ringfence("run", "-m", "200M", "/bin/busybox", "grep", "MemTotal", "/proc/meminfo")
    total = int(p.stdout.split()[1])
    expect(150 * 1024 < total <= 200 * 1024, "MemTotal %d" % total)


@test
def strace_shows_calls():
    err = ringfence("run", "--strace", "/bin/busybox", "cat", "/etc/hostname.none").stderr.decode()
    expect(re.search(r'openat\(AT_FDCWD, "/etc/hostname.none", O_RDONLY.*\) = -1 ENOENT|open\("/etc/hostname.none", O_RDONLY.*\) = -1 ENOENT', err), err[-600:])
    expect("exit_group(1)" in err, err[-300:])


@test
def missing_files_are_named():
    err = ringfence("run", "--missing-files", "/bin/busybox", "cat", "/etc/not-there").stderr.decode()
    expect("/etc/not-there" in err, err)


@test
def unknown_calls_are_logged_once_by_name():
    probe = compile_c("probe", "#include <unistd.h>\n#include <sys/syscall.h>\nint main(void){ for (int i = 0; i < 3; i++) syscall(SYS_kexec_load, 0, 0, 0, 0); }", "-O0")
    err = ringfence("run", "-v", probe).stderr.decode()
    equal(len(re.findall(r"\bkexec_load\b.*ENOSYS", err)), 1)


@test
def memory_exhausted_kills_the_program_and_says_so():
    oom = compile_c("oom", "#include <stdlib.h>\n#include <string.h>\nint main(void){ for(;;) memset(malloc(1<<20), 1, 1<<20); }", "-O0", "-static", "-fno-builtin")
    p = ringfence("run", "-m", "64M", oom)
    equal(p.returncode, 137)
    expect(b"memory" in p.stderr and b"-m" in p.stderr, p.stderr)


@test
def memory_exhausted_in_a_child_leaves_the_parent():
    text = "import os\np=os.fork()\nif p==0:\n  x=[]\n  while True: x.append(bytearray(1<<20))\nprint(os.waitpid(p,0)[1], flush=True)"
    p = ringfence("run", "-m", "128M", PY, "-c", text)
    expect(p.stdout.strip() in (b"9", b"256"), (p.stdout, p.stderr[-300:]))


@test
def a_crash_is_reported_with_place_and_symbols():
    crash = compile_c("crash", "static int inner(volatile int *p){ return *p; }\nint outer(int n){ return inner((int *)(long)(n + 15)) + 1; }\nint main(int c, char **v){ (void)v; return outer(c); }",
                      "-O0", "-g", "-fno-omit-frame-pointer")
    p = ringfence("run", crash)
    equal(p.returncode, 139)
    err = p.stderr.decode()
    for word in ("SIGSEGV", "0000000000000010", "inner", "outer", "main"):
        expect(word in err, "no %s in:\n%s" % (word, err))


CORE = """
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static char ring[1 << 20] = "kept";
static void *other(void *arg) { for (;;) pause(); return arg; }
static int broken(int level) { return level == 0 ? *(volatile int *)(long)level : broken(level - 1) + 1; }
int main(int argc, char **argv)
{
	pthread_t t;
	memset(ring + 4096, 7, 300000);
	if (argc > 1 && fork() == 0)
		return broken(atoi(argv[1]));
	wait(NULL);
	pthread_create(&t, NULL, other, NULL);
	return broken(3);
}
"""


def gdb(program, core, *commands):
    line = ["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off"]
    for c in commands:
        line += ["-ex", c]
    return subprocess.run(line + [program, core], capture_output=True, cwd=FOLDER).stdout.decode()


@test
def a_core_file_comes_to_the_host():
    crash = compile_c("dumps", CORE, "-O0", "-g", "-pthread")
    p = ringfence("run", "--core", "core.here", crash)
    equal(p.returncode, 139)
    expect("core file of process 1: gdb %s %s/core.here" % (crash, FOLDER) in p.stderr.decode(), p.stderr[-500:])
    equal(os.stat(FOLDER + "/core.here").st_mode & 0o777, 0o600)
    said = gdb(crash, "core.here", "print &ring[0]", "print (int)ring[200000]", "bt", "info threads", "print $_siginfo.si_signo")
    for word in ('"kept', "$2 = 7", "broken (level=0)", "broken (level=3)", "in main", "2    Thread", "$3 = 11"):
        expect(word in said, "no %s in:\n%s" % (word, said))


@test
def the_core_file_is_of_the_first_that_crashes():
    p = ringfence("run", "--core", FOLDER + "/core.first", FOLDER + "/dumps", "5")
    err = p.stderr.decode()
    equal(p.returncode, 139)
    expect("process 1 crashed, too; its core file is not kept" in err, err[-500:])
    expect("broken (level=5)" in gdb(FOLDER + "/dumps", "core.first", "bt"), "the child's stack")
    # Nothing is written when nothing crashes, and where nothing can be written that is said at once.
    equal(ringfence("run", "--core", "core.none", "/bin/true").returncode, 0)
    expect(not os.path.exists(FOLDER + "/core.none"), "a core file without a crash")
    p = ringfence("run", "--core", "/nowhere/core", "/bin/true")
    equal(p.returncode, 125)
    expect(b"/nowhere" in p.stderr and b"next step" in p.stderr, p.stderr)
    os.mkdir(FOLDER + "/core.folder")
    p = ringfence("run", "--core", "core.folder", FOLDER + "/dumps")
    equal(p.returncode, 139)
    expect(b"cannot be written" in p.stderr, p.stderr[-500:])


def children_of(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return [int(x) for x in f.read().split()]


def gone(pid, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not os.path.exists("/proc/%d" % pid) or open("/proc/%d/stat" % pid).read().split()[2] == "Z":
            return True
        select.select([], [], [], 0.02)
    return False


WAITER = "import os, signal\nall = {1, 2, 15}\nsignal.pthread_sigmask(signal.SIG_BLOCK, all)\nprint('ready', flush=True)\nos.write(1, b'got %d\\n' % signal.sigwait(all))\nos._exit(7)"


@test
def signals_reach_the_program():
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        p = start("run", PY, "-c", WAITER)
        equal(p.stdout.readline(), b"ready\n")
        p.send_signal(sig)
        out, _ = p.communicate(timeout=30)
        equal((out, p.returncode), (b"got %d\n" % sig, 7))


@test
def nothing_is_left_when_the_tool_is_killed():
    p = start("run", PY, "-c", WAITER)
    equal(p.stdout.readline(), b"ready\n")
    kids = children_of(p.pid)
    expect(kids, "no QEMU below the tool")
    p.kill()
    p.communicate(timeout=30)
    for k in kids:
        expect(gone(k), "QEMU %d is still there" % k)


@test
def the_clock_is_the_hosts():
    """Also when QEMU takes two seconds to start. The machine's clock may be late by the way of the answer, never early."""
    slow = FOLDER + "/slow-qemu"
    with open(slow, "w") as f:
        f.write('#!/bin/sh\nsleep 2\nexec qemu-system-x86_64 "$@"\n')
    os.chmod(slow, 0o755)
    asked = time.time()
    p = start("run", PY, "-c", "import time\ninput()\nprint(time.time())", env=dict(os.environ, RINGFENCE_QEMU=slow))
    out, _ = p.communicate(b"now\n", timeout=60)
    answered = time.time()
    expect(answered - asked > 2 and answered - 1 < float(out) <= answered, "asked %f, clock %f, answered %f" % (asked, float(out), answered))


BENDER = """import ctypes, struct, time
libc = ctypes.CDLL(None)
def adjust(modes, freq):
    t = ctypes.create_string_buffer(struct.pack("i4xqq", modes, 0, freq).ljust(208, b"\\0"))
    assert libc.adjtimex(t) >= 0
    return struct.unpack_from("q", t, 16)[0] >> 16
print(adjust(2, 300 << 16), adjust(2, -9999 << 16), adjust(0, 0))"""


@test
def a_daemon_can_set_the_rate_of_the_clock():
    p = ringfence("run", PY, "-c", BENDER)
    equal((p.stdout, p.returncode), (b"300 -500 -500\n", 0))


@test
def end_of_input_is_seen_while_the_program_runs():
    p = start("run", "/bin/busybox", "sh", "-c", "while read x; do echo got $x; done; echo end")
    p.stdin.write(b"one\n")
    p.stdin.flush()
    equal(p.stdout.readline(), b"got one\n")
    out, _ = p.communicate(b"two\n", timeout=30)
    equal(out, b"got two\nend\n")


@test
def a_shell_on_a_terminal():
    out, code = terminal([TOOL, "run", "-e", "PS1=@ ", "/bin/bash", "--norc", "-i"],
                            [(b"@ ", b"echo $((6*7))\n"), (b"\r42\r\n", b"test -t 0 -a -t 1 && echo terminal\n"), (b"\rterminal\r\n", b"exit 9\n")])
    equal(code, 9)


@test
def ctrl_c_on_a_terminal_reaches_the_job():
    # The job itself says that it runs: a Ctrl-C before the shell has given it the terminal is the shell's.
    out, code = terminal([TOOL, "run", "-e", "PS1=@ ", "--include", "/bin/sleep", "/bin/bash", "--norc", "-i"],
                            [(b"@ ", b"bash -c 'echo g$((1))o; exec sleep 100'\n"), (b"\rg1o\r\n", b"\x03"), (b"@ ", b"echo status $?\n"), (b"\rstatus 130", b"exit 3\n")])
    equal(code, 3)


@test
def a_built_image_runs():
    image = FOLDER + "/hello.rf"
    p = ringfence("build", "-o", image, "/bin/busybox")
    equal((p.returncode, os.path.exists(image)), (0, True))
    p = ringfence("run", image, "echo", "from the image")
    expect(p.stdout == b"from the image\n" or p.returncode == 0, p.stderr)


@test
def an_image_larger_than_memory_is_refused():
    p = ringfence("run", "-m", "16M", PY, "-c", "pass")
    expect(p.returncode == 125 and b"memory" in p.stderr and b"-m" in p.stderr, (p.returncode, p.stderr))


@test
def a_program_that_is_not_there():
    p = ringfence("run", "no-such-program")
    expect(p.returncode == 127 and b"no-such-program" in p.stderr, (p.returncode, p.stderr))


@test
def programs_of_other_machines_are_refused():
    with open("/bin/busybox", "rb") as f:
        head = bytearray(f.read(4096))
    for name, at, value, word in (("i386", 4, b"\1", b"32-bit"), ("arm64", 18, b"\xb7\0", b"64"), ("text", 0, b"text", b"ELF")):
        bad = bytearray(head)
        bad[at:at + len(value)] = value
        with open(FOLDER + "/" + name, "wb") as f:
            f.write(bad)
        os.chmod(FOLDER + "/" + name, 0o755)
        p = ringfence("run", "./" + name)
        expect(p.returncode in (125, 126) and word in p.stderr, (name, p.returncode, p.stderr))


@test
def fork_bomb_is_contained():
    text = "import os, resource\nresource.setrlimit(resource.RLIMIT_NPROC, (50, 50))\nos.setuid(65534)\nn=0\nwhile True:\n  try:\n    p=os.fork()\n  except OSError as e:\n    print(e.errno, n < 60); break\n  if p==0:\n    import signal; signal.pause()\n  n+=1\nimport signal; signal.signal(15, signal.SIG_IGN); os.kill(0, 15)"
    p = ringfence("run", "-m", "256M", PY, "-c", text)
    equal(p.stdout, b"11 True\n")


if __name__ == "__main__":
    sys.exit(main())
