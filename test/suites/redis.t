#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Redis' own tests, on the host and in Ringfence, with Debian's redis-server: the same verdict of each case.

Most units run on the host against a server, which is in a machine or on the host. Those that start servers of their own and look
at their files run in a machine as a whole. Every unit gets a new server. Cases with the tag "slow" are left out.

usage: redis.t [--all] [--update] [UNIT...]     (UNIT as unit/expire; --update writes docs/conformance.md)
"""
import argparse
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import suite

OUT = os.path.join(suite.BUILD, "suites/redis")
TYPES = ["unit/type/" + n for n in "string incr list list-3 set zset hash stream stream-cgroups".split()]
OUTSIDE = TYPES + ["unit/" + n for n in "expire scan multi pubsub keyspace dump sort bitops bitfield geo hyperloglog protocol quit slowlog "
                                        "latency-monitor lazyfree scripting functions introspection introspection-2 tracking pause other".split()]
INSIDE = ["unit/" + n for n in "aofrw pubsubshard shutdown".split()] + \
         ["integration/" + n for n in "aof aof-multi-part rdb redis-cli".split()]
SHORT = ["unit/type/hash", "unit/type/incr", "unit/keyspace", "unit/pubsub", "unit/pubsubshard"]
BINARIES = ["redis-server", "redis-cli", "redis-benchmark", "redis-check-aof", "redis-check-rdb"]
SERVER = ["redis-server", "--protected-mode", "no", "--save", "", "--enable-debug-command", "yes", "--enable-protected-configs", "yes",
          "--enable-module-command", "yes", "--notify-keyspace-events", "KEA", "--latency-monitor-threshold", "1", "--repl-diskless-sync-delay", "0"]
TOOLS = "sh env cat cp echo grep head kill mkdir ps rm tail uname wc which id getconf hostname sleep".split()
SECONDS = 1800


def prepare():
    source = suite.source("redis")
    if not os.path.exists(os.path.join(OUT, ".done")):
        shutil.rmtree(OUT, ignore_errors=True)
        shutil.copytree(os.path.join(source, "tests"), os.path.join(OUT, "tests"))
        os.makedirs(os.path.join(OUT, "tests/tmp"), exist_ok=True)
        os.makedirs(os.path.join(OUT, "src"))
        for name in BINARIES:
            os.symlink(os.path.join("/usr/bin", name), os.path.join(OUT, "src", name))
        open(os.path.join(OUT, ".done"), "w").close()
    return suite.source_version(source)


def words(unit, *more):
    return ["tclsh", "tests/test_helper.tcl", "--single", unit, "--durable", "--clients", "1", "--timeout", str(SECONDS // 2), "--tags", "-slow", *more]


def verdicts(unit, text):
    out, notes, last = {}, {}, None
    for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines():
        m = re.match(r"^\[(ok|err|exception)\]: (.*)$", line)
        if not m:
            if last and len(notes[last]) < 6:
                notes[last].append(line)
            continue
        name = re.sub(r" \(\d+ ms\).*$| in tests/\S+\.tcl.*$", "", m.group(2))
        last = unit + ":" + re.sub(r"[^\w<>=+*/|]+", "-", name).strip("-")
        while last in out:
            last += "'"
        out[last], notes[last] = m.group(1), []
    return out, notes, "Execution time of different units" in text


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A context: redis-server, on the host or in a machine, on a port of its own."""

    def __init__(self, argv, folder):
        # The reports of the server go where nobody has to read them while it runs.
        self.log = tempfile.TemporaryFile(dir=folder)
        self.p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd=folder)

    def __enter__(self):
        return self

    def wait_for(self, port):
        end = time.monotonic() + 60
        while time.monotonic() < end and self.p.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", port), 5) as s:
                    s.sendall(b"PING\r\n")
                    if s.recv(10).startswith(b"+PONG"):
                        return True
            except OSError:
                pass
            try:
                self.p.wait(0.05)
            except subprocess.TimeoutExpired:
                pass
        return False

    def lines(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace").splitlines()[-20:]

    def __exit__(self, *what):
        self.p.send_signal(signal.SIGTERM)
        try:
            self.p.wait(30)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
        self.log.close()


def outside(unit, here):
    """Run against a server. Text of the run, and what the server said last if it did not live to the end."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        argv = SERVER + ["--port", str(port)] if here else \
            [suite.TOOL, "run", "-m", "512M", "-p", "127.0.0.1:%d:6379" % port, "--", *SERVER]
        with Server(argv, folder) as server:
            if not server.wait_for(port):
                return "", server.lines()
            _, out, err = suite.run(words(unit, "--host", "127.0.0.1", "--port", str(port), "--baseport", str(random.randrange(12000, 20000))), SECONDS, cwd=OUT)
            return out + err, [] if server.p.poll() is None else server.lines()


def inside(unit, here):
    script = "cp -r %s $T && cd $T && %s 2>&1" % (OUT, " ".join(words(unit)))
    with tempfile.TemporaryDirectory() as folder:
        if here:
            _, out, _ = suite.run(["sh", "-c", "T=%s/redis; %s" % (folder, script)], SECONDS)
            return out, []
        status, out, err = suite.guest(
            ["sh", "-c", "T=/tmp/redis; " + script], SECONDS, include=[OUT, "/usr/share/tcltk/tcl8.6", "/etc/passwd", "/etc/hosts"],
            also=["tclsh", *BINARIES, *TOOLS], memory="768M")
        return out, [] if status in (0, 1) else ["ended with %s" % status] + err.splitlines()[-10:]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--all", action="store_true")
    p.add_argument("--update", action="store_true")
    p.add_argument("units", nargs="*")
    args = p.parse_args()
    if shutil.which("redis-server") is None or shutil.which("tclsh") is None:
        print("1..0 # SKIP redis-server and tcl are not installed")
        return 0
    os.environ["TERM"] = "dumb"
    report = suite.Report("redis", "Redis' test suite", prepare())
    for unit in args.units or (OUTSIDE + INSIDE if args.all else SHORT):
        run = inside if unit in INSIDE else outside
        reference = run(unit, True)[0]
        host, _, ended_there = verdicts(unit, reference)
        text, said = run(unit, False)
        there, notes, ended = verdicts(unit, text)
        report.compare(unit, host, there, notes)
        if not host:
            report.test(False, "%s: does not run on the host" % unit, reference.splitlines()[-10:])
        if said or (ended_there and not ended):
            report.test(False, "%s: did not come to its end" % unit, said + text.splitlines()[-10:])
    return report.end(args.all and not args.units, args.update)


sys.exit(main())
