#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Debian's nginx in a machine: what it serves, TLS with its own key, two workers, a new configuration under load. Prints TAP."""
import gzip
import hashlib
import http.client
import json
import os
import re
import socket
import sys
import threading

ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "test/support"))
# pylint: disable=wrong-import-position
from e2e import FOLDER, Service, certificate, equal, expect, file_with, free_port, host, main, rf, test, until  # noqa: E402

CONF = """user www-data; worker_processes 2; error_log stderr notice; pid /run/nginx.pid;
events { worker_connections 256; }
http {
	include /etc/nginx/mime.types;
	sendfile on; tcp_nopush on; gzip on; gzip_types text/plain;
	log_format short '$status $request_uri';
	access_log /var/log/nginx/access.log short;
	ssl_protocols TLSv1.2 TLSv1.3;
	ssl_certificate /etc/nginx/own.crt; ssl_certificate_key /etc/nginx/own.key;
	server {
		listen 80; listen 443 ssl; root /srv;
		add_header X-Version %d;
		location = /status { stub_status; access_log off; }
	}
}
"""
BIG = os.urandom(5 << 20)
TEXT = b"".join(b"line %d of a text that can be made smaller\n" % i for i in range(5000))


def served(more=()):
    key, cert = certificate("own.example")
    files = {"/etc/nginx/nginx.conf": file_with("nginx.conf", CONF % 1), "/etc/nginx/own.key": key, "/etc/nginx/own.crt": cert,
             "/srv/big": file_with("big", BIG), "/srv/text.txt": file_with("text.txt", TEXT),
             "/srv/index.html": file_with("index.html", "<p>hello\n"), "/srv/empty": file_with("empty", "")}
    include = sum((["--include", "%s:%s" % (h, m)] for m, h in files.items()), [])
    also = sum((["--also", p] for p in ("sh", "cat", "wc", "ls")), [])
    return Service("web", "nginx", ports=(80, 443), options=[*include, *also, *more])


def curl(*args):
    p = host("curl", "-sS", "--max-time", "30", *args)
    return p.returncode, p.stdout, p.stderr.decode()


def answer(service, path, headers=None, method="GET"):
    c = http.client.HTTPConnection("127.0.0.1", service.port(80), timeout=30)
    c.request(method, path, headers=headers or {})
    r = c.getresponse()
    body = r.read()
    c.close()
    return r, body


@test
def default_configuration():
    """`ringfence run nginx` and no more: Debian's page, Debian's configuration."""
    with Service("plain", "nginx") as s:
        equal(curl(s.url())[1], open("/var/www/html/index.nginx-debian.html", "rb").read())
        code, _, err = curl("-f", s.url("/none"))
        expect(code == 22 and "404" in err, (code, err))
        equal(s.stop(), 0)


@test
def static_files():
    with served() as s:
        for path, data, kind in (("/", b"<p>hello\n", "text/html"), ("/big", BIG, "application/octet-stream"), ("/empty", b"", None),
                                 ("/text.txt", TEXT, "text/plain")):
            r, body = answer(s, path)
            expect(r.status == 200 and body == data, "%s: %d, %d bytes" % (path, r.status, len(body)))
            expect(kind is None or r.headers["Content-Type"].startswith(kind) or "octet" in kind, r.headers["Content-Type"])
        r, body = answer(s, "/big", {"Range": "bytes=1000000-1999999"})
        equal((r.status, body == BIG[1000000:2000000]), (206, True))
        r, body = answer(s, "/text.txt", method="HEAD")
        equal((r.status, r.headers["Content-Length"], body), (200, str(len(TEXT)), b""))
        r, _ = answer(s, "/text.txt", {"If-None-Match": r.headers["ETag"]})
        equal(r.status, 304)
        equal(answer(s, "/../etc/passwd")[0].status, 400)
        equal(answer(s, "/none")[0].status, 404)


@test
def files_go_out_by_sendfile():
    with served(more=["--stats=json"]) as s:
        for _ in range(3):
            equal(answer(s, "/big")[1] == BIG, True)
        equal(s.stop(), 0)
        stats = json.loads([line for line in s.log().splitlines() if line.startswith('{"')][-1])
    calls = {c["name"]: c for c in stats["calls"]}
    expect(calls["sendfile"]["calls"] >= 3, calls["sendfile"])


@test
def compressed_on_demand():
    with served() as s:
        r, body = answer(s, "/text.txt", {"Accept-Encoding": "gzip"})
        equal((r.headers["Content-Encoding"], gzip.decompress(body) == TEXT), ("gzip", True))
        expect(len(body) < len(TEXT) // 3, "%d of %d bytes" % (len(body), len(TEXT)))
        equal(curl("--compressed", s.url("/text.txt"))[1], TEXT)


@test
def connections_are_kept():
    with served() as s:
        c = http.client.HTTPConnection("127.0.0.1", s.port(80), timeout=30)
        c.connect()
        address = c.sock.getsockname()
        for _ in range(200):
            c.request("GET", "/")
            equal(c.getresponse().read(), b"<p>hello\n")
        equal(c.sock.getsockname(), address)
        # And several requests on the way at once, answered in their order.
        with socket.create_connection(("127.0.0.1", s.port(80)), timeout=30) as raw:
            raw.sendall(b"GET /text.txt HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n" * 20
                        + b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            data = b"".join(iter(lambda: raw.recv(65536), b""))
        equal((data.count(b"HTTP/1.1 200 OK"), data.count(TEXT), data.count(b"<p>hello\n")), (41, 20, 21))


@test
def tls_with_its_own_key():
    with served() as s:
        url = "https://own.example:%d" % s.port(443)
        to = ["--resolve", "own.example:%d:127.0.0.1" % s.port(443)]
        trust = ["--cacert", FOLDER + "/own.example.crt"]
        for version in ("1.2", "1.3"):
            code, out, err = curl(*to, *trust, "--tlsv" + version, "--tls-max", version, url + "/big")
            expect(code == 0 and hashlib.sha256(out).digest() == hashlib.sha256(BIG).digest(), (code, len(out), err))
        equal(curl(*to, *trust, "--http1.1", *[url + "/"] * 20)[1], b"<p>hello\n" * 20)
        # The check is one: neither another certificate's owner nor another name is believed.
        _, other = certificate("other.example")
        equal(curl(*to, "--cacert", other, url)[0], 60)
        equal(curl("--resolve", "other.example:%d:127.0.0.1" % s.port(443), *trust, url.replace("own.", "other."))[0], 60)
        p = host("openssl", "s_client", "-connect", "127.0.0.1:%d" % s.port(443), "-CAfile", FOLDER + "/own.example.crt", input=b"")
        expect(b"Verify return code: 0 (ok)" in p.stdout, p.stdout[-1500:])


class Load:
    """Clients that get a page over and over, a connection for each, until told to end."""

    def __init__(self, service, path, clients, want):
        self.address, self.path, self.want = ("127.0.0.1", service.port(80)), path, want
        self.done, self.versions, self.failures, self.end = 0, set(), [], threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.client, daemon=True) for _ in range(clients)]

    def get(self):
        c = http.client.HTTPConnection(*self.address, timeout=30)
        try:
            c.request("GET", self.path, headers={"Connection": "close"})
            r = c.getresponse()
            body = r.read()
        finally:
            c.close()
        expect(r.status == 200 and body == self.want, "%d, %d bytes" % (r.status, len(body)))
        return r.headers["X-Version"]

    def client(self):
        while not self.end.is_set():
            try:
                version = self.get()
                with self.lock:
                    self.done += 1
                    self.versions.add(version)
            except Exception as e:  # pylint: disable=broad-except  # whatever it is, a request is lost
                self.failures.append(repr(e))
                return

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def more(self, n):
        """Until n more requests were answered."""
        target = self.done + n
        until(lambda: self.done >= target or self.failures, "%d requests (%d done)" % (target, self.done))

    def __exit__(self, *what):
        self.end.set()
        for t in self.threads:
            t.join(60)


def workers(service):
    """Process numbers of the machine's two workers, once there are two."""
    until(lambda: len(list_workers(service)) == 2, "two workers")
    return list_workers(service)


def list_workers(service):
    text = service.exec("sh", "-c", "for p in /proc/[0-9]*; do echo ${p#/proc/} $(cat $p/cmdline); done").stdout.decode()
    return {int(line.split()[0]) for line in text.splitlines() if "nginx: worker process" in line and "shutting" not in line}


@test
def a_new_configuration_under_load_loses_no_request():
    with served() as s:
        old = workers(s)
        with Load(s, "/text.txt", 6, TEXT) as load:
            load.more(50)
            for version in (2, 3, 4):
                p = s.exec("sh", "-c", "cat >/etc/nginx/nginx.conf", options=["-i"], input=(CONF % version).encode())
                equal(p.returncode, 0)
                s.signal("HUP")
                until(lambda v=version: str(v) in load.versions or load.failures, "an answer of configuration %d" % version)
                load.more(50)
        equal(load.failures, [])
        equal(load.versions, {"1", "2", "3", "4"})
        expect(not workers(s) & old, "the old workers are still there")
        lines = s.exec("cat", "/var/log/nginx/access.log").stdout.decode().split("\n")[:-1]
        equal((len(lines), set(lines)), (load.done, {"200 /text.txt"}))
        # A configuration that is wrong changes nothing.
        now = workers(s)
        s.exec("sh", "-c", "echo nonsense >/etc/nginx/nginx.conf")
        s.signal("HUP")
        until(lambda: "[emerg]" in s.log(), "the complaint")
        equal((answer(s, "/")[0].headers["X-Version"], workers(s)), ("4", now))


@test
def a_worker_that_dies_is_replaced():
    with served() as s:
        old = workers(s)
        equal(s.exec("sh", "-c", "kill -KILL %d" % min(old)).returncode, 0)
        until(lambda: workers(s) != old, "another worker")
        equal(answer(s, "/")[1], b"<p>hello\n")


@test
def orderly_end_finishes_what_was_begun():
    with served() as s:
        with socket.create_connection(("127.0.0.1", s.port(80)), timeout=30) as slow:
            slow.sendall(b"GET /big HTTP/1.0\r\n\r\n")
            begun = slow.recv(1000)
            s.signal("QUIT")
            data = begun + b"".join(iter(lambda: slow.recv(65536), b""))
        equal(data.partition(b"\r\n\r\n")[2] == BIG, True)
        equal(rf("wait", "web").returncode, 0)


@test
def without_its_configuration():
    conf = file_with("bad.conf", "events {}\nhttp { server { listen 80; root /srv; nonsense on; } }\n")
    p = rf("run", "-p", "127.0.0.1:%d:80" % free_port(), "--include", conf + ":/etc/nginx/nginx.conf", "nginx")
    expect(p.returncode == 1 and b'unknown directive "nonsense" in /etc/nginx/nginx.conf:2' in p.stderr, (p.returncode, p.stderr))
    p = rf("run", "-d", "--name", "bad", "--include", conf + ":/etc/nginx/nginx.conf", "-p", "127.0.0.1:%d:80" % free_port(), "nginx")
    expect(p.returncode == 1 and b"before it listened" in p.stderr, (p.returncode, p.stderr))
    p = rf("run", "-p", "127.0.0.1:%d:80" % free_port(), "nginx", "-c", "/etc/none.conf")
    expect(p.returncode == 1 and re.search(rb'open\(\) "/etc/none.conf" failed \(2: No such file', p.stderr), (p.returncode, p.stderr))


if __name__ == "__main__":
    sys.exit(main())
