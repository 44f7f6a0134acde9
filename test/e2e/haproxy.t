#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Three machines: Debian's haproxy in front of two of nginx, which come and go. Prints TAP."""
import csv
import http.client
import os
import re
import signal
import sys
import threading

ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "test/support"))
# pylint: disable=wrong-import-position
from e2e import Service, equal, expect, file_with, main, rf, test, until  # noqa: E402

# 10.0.2.2 is the host, whose ports lead to the other machines.
CONF = """global
	log stdout format raw local0
	stats socket /run/haproxy/admin.sock mode 600 level admin
	user haproxy
	group haproxy
	chroot /var/lib/haproxy
	maxconn 500
defaults
	mode http
	log global
	option httplog
	option redispatch
	retries 3
	retry-on conn-failure empty-response response-timeout
	timeout connect 5s
	timeout client 30s
	timeout server 30s
frontend web
	bind :80
	stats enable
	stats uri /stats
	default_backend two
frontend admin
	bind :81
	mode tcp
	option tcplog
	use_backend two_raw
backend two
	balance roundrobin
	option httpchk GET /
	server a 10.0.2.2:%d check inter 200ms fall 2 rise 2
	server b 10.0.2.2:%d check inter 200ms fall 2 rise 2
backend two_raw
	mode tcp
	server a 10.0.2.2:%d
"""
BIG = os.urandom(2 << 20)


def page(service, path="/", port=80):
    c = http.client.HTTPConnection("127.0.0.1", service.port(port), timeout=30)
    c.request("GET", path, headers={"Connection": "close"})
    r = c.getresponse()
    body = r.read()
    c.close()
    return r.status, body


def backend(name, port=None):
    index, big = file_with(name + ".html", name), file_with("big", BIG)
    if port is None:
        return Service(name, "nginx", options=["--include", index + ":/var/www/html/index.html", "--include", big + ":/var/www/html/big"])
    p = rf("run", "-d", "--name", name, "-p", "127.0.0.1:%d:80" % port, "--include", index + ":/var/www/html/index.html", "nginx")
    equal((p.returncode, p.stderr), (0, b""))
    return None


def proxy(a, b):
    conf = file_with("haproxy.cfg", CONF % (a.port(80), b.port(80), a.port(80)))
    return Service("proxy", "haproxy", ports=(80, 81), options=["--include", conf + ":/etc/haproxy/haproxy.cfg"])


def servers(front):
    """State of each server as haproxy's own table has it."""
    rows = csv.DictReader(page(front, "/stats;csv")[1].decode().lstrip("# ").splitlines())
    return {r["svname"]: r["status"] for r in rows if r["pxname"] == "two" and r["svname"] in "ab"}


def come_up(front, want):
    until(lambda: servers(front) == want, "%r" % want)


UP, DOWN = "UP", "DOWN"


@test
def debians_configuration():
    """It has no frontend: haproxy starts with it and says so."""
    p = rf("run", "haproxy", "-c", "-f", "/etc/haproxy/haproxy.cfg")
    equal((p.returncode, b"Configuration file is valid" in p.stdout + p.stderr), (0, True))
    with Service("plain", "haproxy", ports=(), options=["--also", "python3"]) as s:
        ask = """import socket
s = socket.socket(socket.AF_UNIX)
s.connect("/run/haproxy/admin.sock")
s.sendall(b"show info\\n")
print("".join(iter(lambda: s.recv(4096).decode(), "")))"""
        until(lambda: s.exec("python3", "-c", ask).returncode == 0 or not s.is_up(), "haproxy's start")
        expect(b"\nName: HAProxy\n" in b"\n" + s.exec("python3", "-c", ask).stdout, "it does not tell its name")
        equal(s.stop(), 143)  # as on Linux: SIGTERM is what ends it


@test
def both_serve_in_turn():
    with backend("a") as a, backend("b") as b, proxy(a, b) as front:
        come_up(front, {"a": UP, "b": UP})
        got = [page(front) for _ in range(40)]
        equal({g: got.count(g) for g in got}, {(200, b"a"): 20, (200, b"b"): 20})
        expect(all(page(front, "/big") == (200, BIG) for _ in range(4)), "another file")
        equal([page(front, "/", 81) for _ in range(3)], [(200, b"a")] * 3)
        equal(page(front, "/none")[0], 404)


class Load:
    """Clients that get the page over and over until told to end."""

    def __init__(self, front):
        self.front, self.seen, self.failures, self.end = front, [], [], threading.Event()
        self.threads = [threading.Thread(target=self.client, daemon=True) for _ in range(4)]

    def client(self):
        while not self.end.is_set():
            try:
                self.seen.append(page(self.front))
            except Exception as e:  # pylint: disable=broad-except  # whatever it is, a request is lost
                self.failures.append(repr(e))
                return

    def more(self, n):
        """Until n more requests were answered; what they got. None of them was on its way before."""
        at = len(self.seen) + len(self.threads)
        until(lambda: len(self.seen) >= at + n or self.failures, "%d more answers" % n)
        return set(self.seen[at:])

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *what):
        self.end.set()
        for t in self.threads:
            t.join(60)


@test
def one_goes_and_comes_back_while_clients_ask():
    with backend("a") as a, backend("b") as b, proxy(a, b) as front:
        come_up(front, {"a": UP, "b": UP})
        with Load(front) as load:
            load.more(20)
            equal(rf("stop", "b").returncode, 0)
            come_up(front, {"a": UP, "b": DOWN})
            equal(load.more(20), {(200, b"a")})
            equal(rf("rm", "b").returncode, 0)
            backend("b", b.port(80))
            come_up(front, {"a": UP, "b": UP})
            equal(load.more(20), {(200, b"a"), (200, b"b")})
            rf("rm", "-f", "a")  # without a word, too
            come_up(front, {"a": DOWN, "b": UP})
            equal(load.more(20), {(200, b"b")})
        equal((load.failures, set(load.seen)), ([], {(200, b"a"), (200, b"b")}))
        rf("rm", "-f", "b")
        come_up(front, {"a": DOWN, "b": DOWN})
        equal(page(front)[0], 503)


def master_listens(front):
    """Until the master has its handler for SIGUSR2: while it starts itself anew, the signal is ignored, as on Linux."""
    def caught():
        text = front.exec("cat", "/proc/1/status").stdout.decode()
        return int(re.search(r"SigCgt:\s*([0-9a-f]+)", text)[1], 16) >> (signal.SIGUSR2 - 1) & 1
    until(caught, "the master's handlers")


@test
def a_new_configuration_under_load_loses_no_request():
    """A master starts the next worker, which takes the listening sockets over from the last."""
    with backend("a") as a, backend("b") as b:
        conf = CONF % (a.port(80), b.port(80), a.port(80))
        path = file_with("haproxy.cfg", conf) + ":/etc/haproxy/haproxy.cfg"
        with Service("proxy", "haproxy", "-W", "-f", "/etc/haproxy/haproxy.cfg", ports=(80, 81),
                     options=["--include", path, "--also", "sh", "--also", "cat"]) as front:
            come_up(front, {"a": UP, "b": UP})
            master_listens(front)
            with Load(front) as load:
                load.more(20)
                only_a = "".join(line + "\n" for line in conf.splitlines() if "server b" not in line)
                equal(front.exec("sh", "-c", "cat >/etc/haproxy/haproxy.cfg", options=["-i"], input=only_a.encode()).returncode, 0)
                front.signal("USR2")
                until(lambda: servers(front).keys() == {"a"} or load.failures, "the new configuration")
                until(lambda: load.more(20) == {(200, b"a")} or load.failures, "the end of the old worker's work")
            equal((load.failures, set(load.seen)), ([], {(200, b"a"), (200, b"b")}))
            master_listens(front)
            front.signal("USR1")  # finish and go
            equal(rf("wait", "proxy").returncode, 0)


if __name__ == "__main__":
    sys.exit(main())
