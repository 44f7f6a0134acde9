#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""curl and wget in a machine: what they get, say and answer is what they do on this host, to which they are compared.
In a network of this test's own, with its own name server. Prints TAP."""
import ctypes
import hashlib
import http.server
import os
import re
import shutil
import socket
import socketserver
import ssl
import struct
import sys
import threading

ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "test/support"))
# pylint: disable=wrong-import-position
from e2e import Skip, certificate, equal, expect, file_with, free_port, host, main, own_network, rf, test  # noqa: E402

HOST = "10.0.2.2"  # this host as a machine sees it on QEMU's network; here an address of the loopback device
NAMES = {"server.example": HOST, "nobody.example": "10.0.2.99"}
BIG = os.urandom(20 << 20)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        data = {"/": b"hello\n", "/big": BIG}.get(self.path)
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/")
            data = b""
        elif self.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"only this")
            self.close_connection = True
            return
        else:
            self.send_response(200 if data is not None else 404)
        self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()
        self.wfile.write(data or b"")

    def do_POST(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        answer = hashlib.sha256(data).hexdigest().encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, *args):
        """A client that does not trust us is what is tested."""


def dns_answer(query):
    """To one question, for an address of IPv4, out of NAMES."""
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode())
        at += 1 + query[at]
    kind = struct.unpack(">H", query[at + 1:at + 3])[0]
    address = NAMES.get(".".join(labels).lower())
    found = address is not None and kind == 1
    head = query[:2] + struct.pack(">HHHHH", 0x8180 if address else 0x8183, 1, found, 0, 0)
    record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton(address) if found else b""
    return head + query[12:at + 5] + record


def serve_names(s):
    while True:
        query, client = s.recvfrom(2000)
        s.sendto(dns_answer(query), client)


def own_resolver():
    """/etc/resolv.conf of this process and its children names the server here: QEMU hands questions on to it, too."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x20000) != 0 or host("mount", "--make-rprivate", "/").returncode != 0:  # CLONE_NEWNS
        raise Skip("no mount namespace can be made here")
    conf = file_with("resolv.conf", "nameserver 127.0.0.1\n")
    equal(host("mount", "--bind", conf, "/etc/resolv.conf").returncode, 0)
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind(("127.0.0.1", 53))
    threading.Thread(target=serve_names, args=(names,), daemon=True).start()


class World:
    """Made once: the network, its name server, a server for HTTP and one for HTTPS."""
    ports = {}
    failed = None


def world():
    if World.failed:
        raise Skip(World.failed)
    if World.ports:
        return World.ports
    try:
        own_network("tuntap add rfside mode tap", "addr add 10.0.2.15/24 dev rfside", "link set rfside up", "addr add %s/32 dev lo" % HOST)
        own_resolver()
    except Skip as e:
        World.failed = str(e)
        raise
    key, cert = certificate("server.example", "-addext", "basicConstraints=critical,CA:TRUE")
    for name in ("http", "https"):
        server = Server(("0.0.0.0", 0), Handler)
        if name == "https":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert, key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        World.ports[name] = server.server_address[1]
    World.ports.update(cert=cert, closed=free_port())
    return World.ports


def plain(text):
    """Without times and the program's progress."""
    text = re.sub(rb"after \d+ ms", b"after N ms", text)
    text = re.sub(rb"--\d{4}-\d\d-\d\d \d\d:\d\d:\d\d--", b"--DATE--", text)
    return re.sub(rb"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", b"DATE ", re.sub(rb"\([\d.,]+ [KMG]?B/s\)", b"(RATE)", text))


def same(*argv, code=None, options=(), timeout=90):
    """Run on the host and in a machine: same status, output and messages. The machine's output."""
    argv = [a.format(**world(), host=HOST) for a in argv]
    results = {}
    beside = threading.Thread(target=lambda: results.update(host=host(*argv, timeout=timeout)))
    beside.start()
    there = rf("run", *options, *argv, timeout=timeout)
    beside.join()
    here = results["host"]
    equal((there.returncode, plain(there.stderr)[-1500:]), (here.returncode, plain(here.stderr)[-1500:]))
    expect(there.stdout == here.stdout, "other output: %r, here %r" % (there.stdout[:500], here.stdout[:500]))
    if code is not None:
        equal(there.returncode, code)
    return there.stdout


@test
def curl_gets():
    equal(same("curl", "-sS", "http://{host}:{http}/", code=0), b"hello\n")
    equal(same("curl", "-sSL", "http://{host}:{http}/moved", code=0), b"hello\n")
    equal(hashlib.sha256(same("curl", "-sS", "http://{host}:{http}/big", code=0)).digest(), hashlib.sha256(BIG).digest())
    big = file_with("upload", BIG)
    equal(same("curl", "-sS", "-H", "Expect:", "--data-binary", "@" + big, "http://{host}:{http}/", code=0).strip().decode(),
          hashlib.sha256(BIG).hexdigest())
    same("curl", "-sSf", "http://{host}:{http}/none", code=22)
    same("curl", "-sS", "http://{host}:{http}/cut", code=18)
    same("curl", "-sS", "--http0.9", "http://{host}:{http}/", "http://{host}:{http}/moved", "http://{host}:{http}/", code=0)


@test
def curl_checks_certificates():
    equal(same("curl", "-sS", "--cacert", "{cert}", "https://server.example:{https}/", code=0), b"hello\n")
    equal(hashlib.sha256(same("curl", "-sS", "--cacert", "{cert}", "https://server.example:{https}/big")).digest(), hashlib.sha256(BIG).digest())
    same("curl", "-sS", "https://server.example:{https}/", code=60)
    same("curl", "-sS", "--cacert", "{cert}", "https://{host}:{https}/", code=60)
    equal(same("curl", "-sSk", "https://{host}:{https}/", code=0), b"hello\n")
    same("curl", "-sS", "https://{host}:{http}/", code=35)


@test
def curl_finds_names():
    equal(same("curl", "-sS", "http://server.example:{http}/", code=0), b"hello\n")
    same("curl", "-sS", "http://unknown.example:{http}/", code=6)
    equal(same("curl", "-sS", "--resolve", "other.example:{http}:{host}", "http://other.example:{http}/", code=0), b"hello\n")


@test
def curl_says_why_not():
    same("curl", "-sS", "http://{host}:{closed}/", code=7)
    same("curl", "-sS", "http://nobody.example/", code=7)      # a neighbour that is not there
    same("curl", "-sS", "http://192.0.2.1/", code=7)           # a network that nobody knows
    same("curl", "-sS", "--connect-timeout", "1", "http://10.0.2.98/", code=28)
    same("curl", "-sS", "http://localhost:{closed}/", code=7)


@test
def wget_gets():
    equal(same("wget", "-q", "-O", "-", "http://{host}:{http}/", code=0), b"hello\n")
    equal(same("wget", "-nv", "-O", "-", "http://server.example:{http}/moved", code=0), b"hello\n")
    equal(hashlib.sha256(same("wget", "-q", "-O", "-", "http://server.example:{http}/big", code=0)).digest(), hashlib.sha256(BIG).digest())
    same("wget", "-nv", "-O", "-", "http://{host}:{http}/none", code=8)


@test
def wget_checks_certificates():
    equal(same("wget", "-nv", "-O", "-", "--ca-certificate={cert}", "https://server.example:{https}/", code=0), b"hello\n")
    same("wget", "-nv", "-O", "-", "https://server.example:{https}/", code=5)
    equal(same("wget", "-q", "--no-check-certificate", "-O", "-", "https://{host}:{https}/", code=0), b"hello\n")


@test
def wget_says_why_not():
    same("wget", "-t1", "-O", "-", "http://{host}:{closed}/", code=4)
    same("wget", "-t1", "-O", "-", "http://nobody.example/", code=4)
    same("wget", "-t1", "-O", "-", "http://192.0.2.1/", code=4)
    same("wget", "-t1", "-O", "-", "http://unknown.example:{http}/", code=4)


ERRORS = """import errno, socket
def ask(fd, wait):
    try:
        fd.connect(wait)
        return "connected"
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e))
print(ask(socket.socket(), ("10.0.2.99", 80)))
print(ask(socket.socket(), ("192.0.2.1", 80)))
several = [socket.socket() for _ in range(4)]
for s in several:
    s.setblocking(False)
    print(errno.errorcode[s.connect_ex(("10.0.2.98", 80))])
import select
p = select.poll()
for s in several:
    p.register(s, select.POLLOUT)
found = 0
while found < 4:
    for fd, events in p.poll(30000):
        print(events & (select.POLLERR | select.POLLHUP))
        p.unregister(fd)
        found += 1
print([errno.errorcode[s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)] for s in several])
"""


@test
def neighbours_that_are_not_there():
    text = same("python3", "-c", ERRORS, code=0, options=["--net", "user"])
    equal(text.split(b"\n")[0], b"EHOSTUNREACH")


if __name__ == "__main__":
    if os.geteuid() == 0 and shutil.which("mount"):
        sys.exit(main())
    print("1..0 # SKIP only root can have a network and a name server of its own")
