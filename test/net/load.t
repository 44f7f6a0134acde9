#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Debian's nginx in a machine of 256 MiB under load and fault, over a tap device in a network namespace of this test's own:
it goes on serving, and its memory comes back. Prints TAP.

usage: load.t [--full] [TEST...]

Memory is what the machine uses besides the program's own pages and their tables, as its /proc/meminfo says: MemTotal - MemFree -
AnonPages - PageTables. It is looked at after a small round of the same load, in which what is made once is made, and again after
the load. Which kernel objects are more by then is said by /proc/slabinfo.
"""
import contextlib
import os
import random
import re
import resource
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "test/support"))
# pylint: disable=wrong-import-position
import netns  # noqa: E402
import wire  # noqa: E402
from machine import TOOL, expect  # noqa: E402

FULL = "--full" in sys.argv
TAP, HOST, GUEST, CLIENT = "rfload0", "10.202.0.1", "10.202.0.2", "10.202.0.3"
LARGE = 8 << 20
FEW = 4  # listeners, and what asks
TABLE = 128 if FULL else 0  # KiB: nginx's table of more than 10,000 descriptors, which does not shrink, as on Linux
KEPT = 64 + TABLE  # KiB of kernel objects: of each of the 13 sizes a page that is empty, or has one old object
SLACK = KEPT + 32  # KiB: buffers that the device holds at the moment
SETTLE = 200  # seconds: TIME-WAIT 60, a closed connection whose peer is gone 100
CONF = """user root; worker_processes 1; worker_rlimit_nofile 16384; pid /tmp/nginx.pid; error_log stderr crit;
events { worker_connections 12000; }
http { access_log off; sendfile on; keepalive_requests 100000000; keepalive_timeout 1h; send_timeout 1h;
client_header_timeout 5s; open_file_cache max=8;
client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
server { listen 80 backlog=4096; root /srv; }
server { listen 81 backlog=4096 so_keepalive=4s:1s:3; send_timeout 5s; root /srv; } }
"""
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
DOWNLOAD = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"
RESET = struct.pack("ii", 1, 0)


def note(text):
    print("# " + text, flush=True)


def scale(short, full):
    return full if FULL else short


def ip(*words):
    p = subprocess.run(["ip", *words], capture_output=True, text=True)
    expect(p.returncode == 0, "ip %s: %s" % (" ".join(words), p.stderr))


def enter_namespace():
    """The network with our end of the tap device. False: not allowed here."""
    why = netns.enter("tuntap add %s mode tap vnet_hdr" % TAP, "addr add %s/24 dev %s" % (HOST, TAP), "link set %s up" % TAP)
    if why is not None:
        note(why)
    return why is None


# ---- the machine ----

class Server:
    """nginx in a machine; a context."""

    def __init__(self, folder):
        self.folder = folder
        self.env = dict(os.environ, XDG_RUNTIME_DIR=folder)
        files = {"index.html": b"x" * 612, "large": os.urandom(1 << 20) * (LARGE >> 20), "nginx.conf": CONF.encode()}
        for name, text in files.items():
            with open(os.path.join(folder, name), "wb") as f:
                f.write(text)

    def tool(self, *args):
        return subprocess.run([TOOL, *args], capture_output=True, text=True, timeout=120, env=self.env)

    def __enter__(self):
        include = []
        for name, to in (("index.html", "/srv/index.html"), ("large", "/srv/large"), ("nginx.conf", "/etc/nginx/load.conf")):
            include += ["--include", "%s/%s:%s" % (self.folder, name, to)]
        p = self.tool("run", "-d", "--name", "load", "-m", "256M", "--net", "tap=" + TAP, "--ip", "%s/24,%s" % (GUEST, HOST),
                      "--also", "cat", *include, "--", "nginx", "-c", "/etc/nginx/load.conf")
        expect(p.returncode == 0, "does not start: " + p.stderr)
        healthy(60)
        return self

    def __exit__(self, *error):
        self.tool("kill", "-s", "KILL", "load")
        self.tool("rm", "load")

    def look(self):
        """(KiB that are used besides the program's, of these kernel objects, sockets of TCP, what there is to say)"""
        use_up_buffers()
        p = self.tool("exec", "load", "cat", "/proc/meminfo", "/proc/net/sockstat", "/proc/slabinfo")
        expect(p.returncode == 0, "the machine does not say what memory it has: %s %s" % (p.stderr, self.log()))
        m = dict(re.findall(r"^(\w+):\s+(\d+) kB", p.stdout, re.M))
        m = {k: int(v) for k, v in m.items()}
        tcp = re.search(r"^TCP: inuse (\d+).*", p.stdout, re.M)
        used = m["MemTotal"] - m["MemFree"] - m["AnonPages"] - m["PageTables"]
        objects = ", ".join("%s of %s" % (n, size) for size, n in re.findall(r"^kmalloc-(\d+) +([1-9]\d*)", p.stdout, re.M))
        text = "%d KiB used (objects %d, stacks %d, files %d), program %d + %d KiB, %s; %s" % (
            used, m["Slab"], m["KernelStack"], m["Shmem"], m["AnonPages"], m["PageTables"], tcp.group(0), objects)
        return used, m["Slab"], int(tcp.group(1)), text

    def packets(self):
        """How many have come."""
        p = self.tool("exec", "load", "cat", "/proc/net/snmp")
        return int(re.findall(r"^Ip: (.*)", p.stdout, re.M)[1].split()[2])

    def log(self):
        """What it said last."""
        p = self.tool("logs", "load")
        return (p.stdout + p.stderr)[-2000:]


def connect(source=HOST, rcvbuf=None, port=80):
    s = socket.socket()
    if rcvbuf:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    s.bind((source, 0))
    s.settimeout(30)
    s.connect((GUEST, port))
    return s


def answer(s):
    """The page that was asked for came."""
    got = b""
    while not got.endswith(b"x" * 612):
        data = s.recv(65536)
        expect(data, "closed after %d bytes" % len(got))
        got += data
    expect(got.startswith(b"HTTP/1.1 200 "), "another answer: %r" % got[:60])


def get(s):
    s.sendall(REQUEST)
    answer(s)


def healthy(limit=30):
    """A new connection, and an answer; the time that takes."""
    start = time.monotonic()
    while True:
        try:
            with connect() as s:
                get(s)
            return time.monotonic() - start
        except OSError as e:
            expect(time.monotonic() < start + limit, "no answer: %s" % e)
            select.select([], [], [], 0.05)


def use_up_buffers():
    """The device keeps as many as a burst needs, until they are used up: 256 at most, 64 at rest."""
    for _ in range(50):
        healthy()


def reset(sockets):
    for s in sockets:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        s.close()


def settled(server):
    """What is used when the connections of a first round are gone."""
    end = time.monotonic() + SETTLE
    while True:
        now = server.look()
        if now[2] <= FEW:
            return now
        expect(time.monotonic() < end, "connections do not go: " + now[3])
        select.select([], [], [], 0.2)


def back(server, before):
    """Memory is as it was."""
    start = time.monotonic()
    while True:
        now = server.look()
        if now[2] <= FEW and now[0] <= before[0] + SLACK and now[1] <= before[1] + KEPT:
            note("before: " + before[3])
            note("after %.0f s: %s" % (time.monotonic() - start, now[3]))
            return
        expect(time.monotonic() < start + SETTLE, "memory is not back: before %s; now %s" % (before[3], now[3]))
        select.select([], [], [], 1)


# ---- loads ----

def idle_round(n, server=None):
    held = []
    try:
        for _ in range(n):
            s = connect()
            held.append(s)
            get(s)
        if server:
            note("with %d connections: %s" % (n, server.look()[3]))
            note("a new one is answered in %.0f ms" % (healthy() * 1000))
        for s in random.sample(held, min(n, 500)):
            get(s)
    finally:
        for s in held:
            s.close()


def idle_connections(server):
    """Each works when it is many."""
    idle_round(50)
    before = settled(server)
    idle_round(scale(1000, 10000), server)
    back(server, before)


def wrk(seconds):
    p = subprocess.run(["wrk", "-t1", "-c200", "-d%d" % seconds, "--timeout", "20", "http://%s/" % GUEST], capture_output=True,
                       text=True, timeout=seconds + 60)
    expect(p.returncode == 0, p.stdout + p.stderr)
    note(re.search(r"\d+ requests in .*", p.stdout).group(0))
    expect("Socket errors" not in p.stdout and "Non-2xx" not in p.stdout, "requests failed: " + p.stdout)


def two_hundred_at_once(server):
    wrk(1)
    before = settled(server)
    wrk(scale(4, 60))
    back(server, before)


def slow_round(n, seconds, server=None):
    """They want a large file, and take a byte now and then."""
    held = []
    got = 0
    try:
        for _ in range(n):
            s = connect(rcvbuf=4096)
            s.sendall(DOWNLOAD)
            held.append(s)
        end = time.monotonic() + seconds
        worst = 0
        while time.monotonic() < end:
            for s in random.sample(held, min(n, 50)):
                n_read = len(s.recv(1))
                got += n_read if s is held[0] else 0
            worst = max(worst, healthy())
        if server:
            note("with %d slow readers: %s; an answer took %.0f ms at most" % (n, server.look()[3], worst * 1000))
        s = held[0]
        while got < LARGE:  # one of them wants all of it now
            data = s.recv(1 << 20)
            expect(data, "a slow reader's connection ended after %d bytes" % got)
            got += len(data)
    finally:
        reset(held)


def slow_readers(server):
    slow_round(10, 1)
    before = settled(server)
    slow_round(scale(200, 10000), scale(3, 60), server)
    back(server, before)


@contextlib.contextmanager
def address_of_clients():
    ip("addr", "add", CLIENT + "/24", "dev", TAP)
    try:
        yield
    finally:
        ip("addr", "del", CLIENT + "/24", "dev", TAP)


def vanish(n):
    """Clients lose their address while their connections are in all states; nobody tells the server."""
    held = []
    with address_of_clients():
        for i in range(n):
            s = connect(CLIENT, rcvbuf=16384, port=81)
            held.append(s)
            if i % 4 == 0:
                get(s)
            elif i % 4 == 1:
                s.sendall(DOWNLOAD)
            elif i % 4 == 2:
                s.sendall(REQUEST[:9])
    reset(held)  # nothing leaves
    healthy()


def clients_that_come_back(server):
    """As somebody who knows nothing of the connections."""
    with address_of_clients():
        pass
    vanish(8)
    with address_of_clients():
        before = settled(server)
    vanish(scale(100, 2000))
    with address_of_clients():
        back(server, before)


def clients_that_stay_away(server):
    before = settled(server)
    vanish(2000)
    back(server, before)


def reset_round(n):
    for i in range(n):
        s = connect()
        if i % 3 == 0:
            s.sendall(DOWNLOAD)
            s.recv(1)
        elif i % 3 == 1:
            s.sendall(REQUEST)
        else:
            s.sendall(REQUEST[:9])
        reset([s])


def resets_in_the_middle(server):
    reset_round(20)
    before = settled(server)
    reset_round(scale(1000, 20000))
    back(server, before)


def syn(source, port, seq):
    pseudo = socket.inet_aton(source) + socket.inet_aton(GUEST)
    t = struct.pack("!HHIIBBHHHBBH", port, 80, seq, 0, 6 << 4, 2, 64240, 0, 0, 2, 4, 1460)
    t = wire.with_sum(t, 16, pseudo + struct.pack("!BBH", 0, 6, len(t)))
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(t), 0, 0, 64, 6, 0, pseudo[:4], pseudo[4:]) + t


def flood(n):
    """SYNs of nobody: two in three from elsewhere, one from neighbours that do not exist."""
    worst = 0
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        for i in range(n):
            far = "198.%d.%d.%d" % (18 + random.randrange(2), random.randrange(256), random.randrange(1, 255))
            near = "10.202.0.%d" % random.randrange(10, 250)
            raw.sendto(syn(near if i % 3 == 0 else far, random.randrange(1024, 65536), random.randrange(1 << 32)), (GUEST, 0))
            if i % 250 == 249:  # as fast as the machine takes them
                worst = max(worst, healthy())
    return worst


def flood_of_syns(server):
    flood(1500)
    before = settled(server)
    with connect() as old:
        get(old)
        n, had, start = scale(10000, 100000), server.packets(), time.monotonic()
        worst = flood(n)
        took = time.monotonic() - start
        had = server.packets() - had
        expect(had > n * 0.9, "%d packets arrived" % had)
        now = server.look()
        note("%d in %.1f s; an answer took %.0f ms at most; then %s" % (n, took, worst * 1000, now[3]))
        expect(now[0] < before[0] + 4096, "a flood takes %d KiB" % (now[0] - before[0]))
        get(old)
    back(server, before)


TESTS = [idle_connections, two_hundred_at_once, slow_readers, clients_that_come_back, resets_in_the_middle, flood_of_syns]
if FULL:
    TESTS.append(clients_that_stay_away)


def main():
    names = [a for a in sys.argv[1:] if not a.startswith("-")]
    chosen = [t for t in TESTS if not names or t.__name__ in names]
    missing = [p for p in ("nginx", "wrk", "ip") if shutil.which(p) is None]
    if missing or not enter_namespace():
        print("1..0 # SKIP %s" % (", ".join(missing) + " missing" if missing else "no network namespace with a tap device here"))
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (16384, max(16384, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    print("1..%d" % len(chosen), flush=True)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Server(stack.enter_context(tempfile.TemporaryDirectory(prefix="rf-load-"))))
        for number, t in enumerate(chosen, 1):
            name = t.__name__.replace("_", " ")
            try:
                t(server)
                print("ok %d - %s" % (number, name), flush=True)
            except (AssertionError, OSError, subprocess.SubprocessError) as e:
                print("not ok %d - %s\n# %s" % (number, name, (str(e) + "\n" + server.log()).replace("\n", "\n# ")), flush=True)


main()
