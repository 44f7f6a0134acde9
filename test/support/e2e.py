# SPDX-License-Identifier: BSD-2-Clause
"""What end-to-end tests share: a runtime folder of their own, the tool, machines in the background, ports, TAP.

A test file imports this first: it sets the environment in which the tool then runs. Functions marked @test are run in
their order by main(), or those that the command line names.
"""
import fcntl
import json
import os
import pty
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time

import netns

ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.environ.get("RF_BUILD", os.path.join(ROOT, "build"))
TOOL = os.path.join(BUILD, "ringfence")
FOLDER = tempfile.mkdtemp(prefix="rf-e2e-")
LIMIT = 60  # seconds for anything that is not a long piece of work
os.environ["XDG_RUNTIME_DIR"] = FOLDER
os.environ.setdefault("XDG_CACHE_HOME", os.path.join(FOLDER, "cache"))
os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
os.environ["LC_ALL"] = "C"
TESTS = []


class Skip(Exception):
    """Raised by a test that cannot run here; says why."""


def test(fn):
    TESTS.append(fn)
    return fn


def expect(ok, why):
    if not ok:
        raise AssertionError(why)


def equal(got, want):
    if got != want:
        raise AssertionError("got %r, want %r" % (got, want))


def until(condition, what, seconds=LIMIT):
    """There is no event to wait for on this side: look again and again."""
    end = time.monotonic() + seconds
    while not condition():
        expect(time.monotonic() < end, "never came: " + what)
        select.select([], [], [], 0.02)


def host(*args, timeout=LIMIT, **kw):
    """A program of this host."""
    return subprocess.run(args, capture_output=True, timeout=timeout, **kw)


def rf(*args, timeout=LIMIT, **kw):
    """The tool."""
    return host(TOOL, *args, timeout=timeout, **kw)


def start(*args, **kw):
    """The tool, without waiting for its end."""
    return subprocess.Popen([TOOL, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)


def state(name):
    with open("%s/ringfence/%s/state.json" % (FOLDER, name)) as f:
        return json.load(f)


def is_gone(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def file_with(name, data):
    """A file of the test's folder; its path."""
    path = os.path.join(FOLDER, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data.encode() if isinstance(data, str) else data)
    return path


def certificate(name, *more):
    """A key and a certificate signed by itself for this name (and "localhost"): (path of the key, of the certificate)."""
    key, cert = (os.path.join(FOLDER, name + end) for end in (".key", ".crt"))
    p = host("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=" + name, "-addext",
             "subjectAltName=DNS:%s,DNS:localhost,IP:127.0.0.1" % name, *more, "-keyout", key, "-out", cert)
    equal(p.returncode, 0)
    return key, cert


class Service:
    """A machine in the background that listens: Service("web", "nginx", ports=(80, "53/udp")). A context.

    options are those of `ringfence run` before the program. Every port of the machine is behind a free one of 127.0.0.1:
    service.port(80), service.url("/x"). When a test fails in it, its log is printed.
    """

    def __init__(self, name, *program, ports=(80,), options=(), env=None):
        self.name = name
        for _ in range(5):
            self.ports = {p: free_port(socket.SOCK_DGRAM if str(p).endswith("/udp") else socket.SOCK_STREAM) for p in ports}
            forward = sum((["-p", "127.0.0.1:%d:%s" % (h, m)] for m, h in self.ports.items()), [])
            p = rf("run", "-d", "--name", name, *forward, *options, *program, env=dict(os.environ, **(env or {})))
            if b"is in use" not in p.stderr:  # else somebody else was quicker
                break
        if p.returncode != 0:
            log = self.log()
            rf("rm", "-f", name)
            raise AssertionError("%s does not start: %d %r\n%s" % (name, p.returncode, p.stderr, log[-3000:]))
        equal(p.stdout, name.encode() + b"\n")
        self.said = p.stderr.decode()

    def __enter__(self):
        return self

    def __exit__(self, kind, *what):
        if kind is not None and kind is not Skip:
            for line in self.log().splitlines()[-40:]:
                print("# %s: %s" % (self.name, line[:300]))
        rf("rm", "-f", self.name)

    def port(self, machines):
        return self.ports[machines]

    def url(self, path="/", port=80, scheme="http"):
        return "%s://127.0.0.1:%d%s" % (scheme, self.ports[port], path)

    def log(self):
        return rf("logs", self.name).stdout.decode(errors="replace")

    def exec(self, *args, options=(), **kw):
        return rf("exec", *options, self.name, *args, **kw)

    def signal(self, name):
        equal(rf("kill", "-s", name, self.name).returncode, 0)

    def is_up(self):
        return state(self.name)["state"] == "running" and not is_gone(state(self.name)["qemu"])

    def stop(self):
        """The program ends by SIGTERM; its exit code."""
        p = rf("stop", self.name)
        expect(p.returncode == 0, "stop: %d %r" % (p.returncode, p.stderr))
        return state(self.name)["exit_code"]


def own_network(*lines):
    """netns.enter(); skips where that is not allowed."""
    why = netns.enter(*lines)
    if why is not None:
        raise Skip(why)


def terminal(argv, steps, timeout=LIMIT):
    """Run on a terminal of 33 x 77; for each (text to wait for, what to type or do) in turn. Output, exit status."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(argv[0], argv)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    seen, at, end = b"", 0, time.monotonic() + timeout
    while True:
        if steps and steps[0][0] in seen[at:]:
            at = len(seen)
            act = steps.pop(0)[1]
            if callable(act):
                act(fd)
            else:
                os.write(fd, act)
        if not select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise AssertionError("nothing more came: %r, waiting for %r" % (seen[-500:], steps[:1]))
        try:
            part = os.read(fd, 65536)
        except OSError:
            part = b""
        if not part:
            return seen, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        seen += part


def run_one(number, fn):
    """True unless it failed."""
    name = "%d - %s" % (number, fn.__name__)
    try:
        fn()
        print("ok " + name)
    except Skip as e:
        print("ok %s # SKIP %s" % (name, e))
    except Exception as e:  # pylint: disable=broad-except  # a failure of any kind is this test's
        print("not ok " + name)
        for line in ("%s: %s" % (type(e).__name__, e)).splitlines()[:40]:
            print("#   " + line[:600])
        return False
    finally:
        sys.stdout.flush()
    return True


def main():
    """Run the tests, remove what is left; the exit status."""
    # Whoever started us in the background may have had Ctrl-C ignored, and what we start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    only = sys.argv[1:]
    chosen = [t for t in TESTS if not only or t.__name__ in only]
    print("1..%d" % len(chosen))
    failed = sum(not run_one(i, fn) for i, fn in enumerate(chosen, 1))
    for m in json.loads(rf("ps", "-a", "-o", "json").stdout):
        rf("rm", "-f", m["name"])
    shutil.rmtree(FOLDER, ignore_errors=True)
    return failed != 0
