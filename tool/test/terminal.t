#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The tool on a terminal: raw while it runs, as before on every way out; size, Ctrl-C, the way out by Ctrl-]."""
import fcntl
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import termios

ROOT, BUILD = os.environ["RF_ROOT"], os.environ["RF_BUILD"]
work = tempfile.mkdtemp(prefix="rf-tool-test-")
count = failed = 0


def ok(good, name, detail=""):
    global count, failed
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}")
    if not good:
        failed += 1
        print(f"# {detail!r}")


class Session:
    """The tool with a terminal of its own, and a double of QEMU that shows what arrives."""

    def __init__(self, how="control", size=(30, 100)):
        self.master, slave = pty.openpty()
        self.resize(*size)
        self.before = termios.tcgetattr(slave)
        env = dict(os.environ, RINGFENCE_QEMU=BUILD + "/prog/tool/test/fake_qemu", FAKE_QEMU=how,
                   RINGFENCE_KERNEL="/etc/passwd", RINGFENCE_CATALOG=ROOT + "/catalog",
                   XDG_CACHE_HOME=work, TERM="xterm", NO_COLOR="1")
        self.process = subprocess.Popen(
            [BUILD + "/ringfence", "run", "--accel", "tcg", "true"], stdin=slave, stdout=slave, stderr=slave,
            env=env, start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.slave = slave
        self.seen = b""

    def resize(self, rows, cols):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def expect(self, what):
        while what not in self.seen:
            if not select.select([self.master], [], [], 30)[0]:
                return False
            try:
                self.seen += os.read(self.master, 65536)
            except OSError:
                return False
        return True

    def type(self, keys):
        os.write(self.master, keys)

    def end(self):
        """Exit code, and whether the terminal is as before."""
        code = self.process.wait(30)
        after = termios.tcgetattr(self.slave)
        return code, after[:4] == self.before[:4]


s = Session("config-dump")
ok(s.expect(b"tty=30x100"), "the guest is told the size", s.seen)
ok(s.expect(b"tty-out=7"), "and which streams are the terminal", s.seen)
ok(s.end() == (0, True), "exit code; terminal restored")

s = Session()
ok(s.expect(b"ready"), "it runs", s.seen)
ok(not termios.tcgetattr(s.slave)[3] & (termios.ECHO | termios.ICANON | termios.ISIG), "the terminal is raw")
s.type(b"\x03")
ok(s.expect(b"input<\x03>"), "Ctrl-C is a byte for the guest", s.seen)
s.type(b"a\r")
ok(s.expect(b"input<a\r>"), "Enter is a carriage return", s.seen)
s.resize(40, 120)
ok(s.expect(b"control<winsize=40x120\n>"), "a new size is passed on", s.seen)
s.process.send_signal(signal.SIGTERM)
ok(s.expect(b"control<signal=15\n>"), "SIGTERM is passed on", s.seen)
s.type(b"q")
ok(s.end() == (0, True), "the end; terminal restored")

s = Session()
s.expect(b"ready")
s.type(b"\x1d\x1d\x1d")
ok(s.end() == (137, True), "Ctrl-] three times ends the machine; terminal restored")

s = Session()
s.expect(b"ready")
s.process.send_signal(signal.SIGHUP)
s.expect(b"signal=1")
s.process.send_signal(signal.SIGHUP)
ok(s.end() == (129, True), "a signal twice ends the machine; terminal restored")

s = Session()
s.expect(b"ready")
s.process.send_signal(signal.SIGSEGV)
ok(s.end() == (-11, True), "even after a crash of the tool the terminal is restored")

s = Session("panic")
ok(s.end() == (125, True), "and after a panic", s.seen)
ok(s.expect(b"PANIC"), "whose report is shown", s.seen)

shutil.rmtree(work)
print(f"1..{count}")
raise SystemExit(failed != 0)
