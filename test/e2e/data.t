#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Debian's redis, memcached, postgresql, openssl s_server, dropbear and sshd as machines, used by their own clients on the host."""
import os
import re
import socket
import sys
import threading

ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "test/support"))
# pylint: disable=wrong-import-position
from e2e import Service, equal, expect, file_with, host, main, rf, test, until  # noqa: E402

LONG = 240  # seconds for a long piece of work


def good(p):
    """The output of a command that must have succeeded."""
    expect(p.returncode == 0, "%r: %s %r %r" % (p.args, p.returncode, p.stdout[-1000:], p.stderr[-1000:]))
    return p.stdout.decode(errors="replace")


# ---- redis ----

BENCHMARKS = ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "LPUSH", "RPUSH", "LPOP", "RPOP", "SADD", "HSET", "SPOP", "ZADD", "ZPOPMIN",
              "LPUSH (needed to benchmark LRANGE)", "LRANGE_100 (first 100 elements)", "LRANGE_300 (first 300 elements)",
              "LRANGE_500 (first 500 elements)", "LRANGE_600 (first 600 elements)", "MSET (10 keys)"]


def redis_cli(service, *words, **kw):
    return good(host("redis-cli", "-p", str(service.port(6379)), *words, **kw)).strip()


class Redis:
    """A connection, for what redis-cli would be too slow."""

    def __init__(self, port):
        self.s = socket.create_connection(("127.0.0.1", port), LONG)
        self.f = self.s.makefile("rb")

    def send(self, *words):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        self.s.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))

    def answer(self):
        line = self.f.readline()
        expect(line.endswith(b"\r\n"), "the connection ended: %r" % line)
        kind, rest = line[:1], line[1:-2]
        expect(kind != b"-", line)
        if kind == b"$":
            return None if rest == b"-1" else self.f.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self.answer() for _ in range(int(rest))]
        return int(rest) if kind == b":" else line[:-2]

    def __call__(self, *words):
        self.send(*words)
        return self.answer()

    def close(self):
        self.f.close()
        self.s.close()


def info(r, section, key):
    return re.search(rb"^%s:(.*)\r$" % key.encode(), r("INFO", section), re.M).group(1).decode()


@test
def redis_serves_its_own_clients():
    with Service("kv", "redis-server", ports=(6379,)) as m:
        equal(redis_cli(m, "PING"), "PONG")
        equal(redis_cli(m, "SET", "a", "b"), "OK")
        equal(redis_cli(m, "-x", "SET", "blob", input=bytes(range(256)) * 4096), "OK")
        equal(host("redis-cli", "-p", str(m.port(6379)), "GET", "blob").stdout, bytes(range(256)) * 4096 + b"\n")
        equal(redis_cli(m, "EVAL", "return redis.call('get', KEYS[1]) .. ARGV[1]", "1", "a", "c"), "bc")
        lines = good(host("redis-benchmark", "-p", str(m.port(6379)), "-n", "1000", "-c", "50", "--csv", timeout=LONG)).splitlines()
        rates = dict(re.match(r'"(.*?)","([0-9.]+)"', line).groups() for line in lines[1:])
        equal(sorted(rates), sorted(BENCHMARKS))
        expect(all(float(rate) > 0 for rate in rates.values()), rates)
        print("# " + ", ".join("%s %s/s" % (k.split(" ")[0], rates[k]) for k in BENCHMARKS))
        equal(redis_cli(m, "SHUTDOWN"), "")
        equal(rf("wait", "kv").returncode, 0)
        expect("bye bye" in m.log(), "it says that it ends")


@test
def clients_that_come_together_find_room():
    with Service("crowd", "redis-server", ports=(6379,)) as m:
        # QEMU's own queue has room for one connection; Linux then makes the others wait a second and more.
        line = good(host("ss", "-Hltn", "sport = :%d" % m.port(6379))).split()
        with open("/proc/sys/net/core/somaxconn") as f:
            equal(int(line[2]), int(f.read()))
        clients = []
        for _ in range(200):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", m.port(6379)))
            clients.append(s)
        for i, s in enumerate(clients):
            s.settimeout(LONG)
            s.sendall(b"INCR together\r\n")
            answer = s.recv(100)
            equal(answer, b":%d\r\n" % (i + 1))
        expect(int(re.search(r"connected_clients:(\d+)", redis_cli(m, "INFO", "clients")).group(1)) > 200, "all are there")
        for s in clients:
            s.close()


REDIS_CONF = """protected-mode no
enable-debug-command yes
dir /srv
save ""
appendfsync always
"""


def redis_with_a_shell(name):
    """The server starts again when it ends; what it has saved is in its machine."""
    conf = file_with(name + ".conf", REDIS_CONF)
    return Service(name, "sh", "-c", "cd /srv; while :; do redis-server kv.conf; echo ended $?; done", ports=(6379,),
                   options=["-m", "256M", "--also", "redis-server", "--also", "kill", "--include", conf + ":/srv/kv.conf"])


def fill(r):
    for i in range(5000):
        r.send("SET", "key:%d" % i, "%d" % i * 20)
        r.send("RPUSH", "list:%d" % (i % 50), i, "x" * (i % 300))
        r.send("HSET", "hash:%d" % (i % 20), "field:%d" % i, i)
        r.send("ZADD", "sorted:%d" % (i % 10), i, "member %d" % i)
        if i % 250 == 249:
            for _ in range(1000):
                r.answer()
    for i in range(300):
        r("SADD", "set", i, "s%d" % i)
        r("XADD", "stream", "*", "n", i)
        r("SET", "gone:%d" % i, "x", "EX", 100000)


def kill_and_wait(m, r):
    """kill -9, and a connection to its successor when that has loaded its data."""
    pid = info(r, "server", "process_id")
    r.close()
    good(m.exec("kill", "-9", pid))

    def back():
        try:
            new = Redis(m.port(6379))
        except OSError:
            return False
        try:
            if new("PING") == b"+PONG" and info(new, "server", "process_id") != pid:
                found.append(new)
                return True
        except (OSError, AssertionError):
            pass
        new.close()
        return False
    found = []
    until(back, "the server that was started again", LONG)
    return found[0]


class Counter(threading.Thread):
    """Counts in the database without a pause until it is told to stop."""

    def __init__(self, port):
        super().__init__()
        self.r, self.value, self.wanted = Redis(port), 0, True
        self.start()

    def run(self):
        while self.wanted:
            self.value = self.r("INCR", "counter")

    def end(self):
        self.wanted = False
        self.join()
        self.r.close()


@test
def redis_saves_and_loads_its_memory():
    with redis_with_a_shell("rdb") as m:
        r = Redis(m.port(6379))
        fill(r)
        equal(r("SAVE"), b"+OK")
        before = r("DEBUG", "DIGEST")
        r = kill_and_wait(m, r)
        equal(r("DEBUG", "DIGEST"), before)
        # The child that saves has the memory of the moment of its fork, whatever the parent writes meanwhile.
        equal(r("CONFIG", "SET", "rdb-key-save-delay", "1000"), b"+OK")
        counter = Counter(m.port(6379))
        until(lambda: counter.value > 0, "a first count")
        least = counter.value
        equal(r("BGSAVE"), b"+Background saving started")
        most = int(r("GET", "counter"))
        equal(r("DEL", *["key:%d" % i for i in range(5000)]), 5000)
        until(lambda: counter.value > most, "a count while the child saves")
        equal(info(r, "persistence", "rdb_bgsave_in_progress"), "1")
        until(lambda: info(r, "persistence", "rdb_bgsave_in_progress") == "0", "the end of the child", LONG)
        equal(info(r, "persistence", "rdb_last_bgsave_status"), "ok")
        counter.end()
        r = kill_and_wait(m, r)
        expect(least <= int(r("GET", "counter")) <= most, "the snapshot is of the fork's time: %d %s %d" % (least, r("GET", "counter"), most))
        equal(r("GET", "key:4999"), b"4999" * 20)
        r("DEL", "counter")
        equal(r("DEBUG", "DIGEST"), before)
        r.close()


@test
def redis_writes_and_replays_its_log():
    with redis_with_a_shell("aof") as m:
        r = Redis(m.port(6379))
        equal(r("CONFIG", "SET", "appendonly", "yes"), b"+OK")
        equal(r("CONFIG", "REWRITE"), b"+OK")
        until(lambda: info(r, "persistence", "aof_rewrite_in_progress") == "0", "the first log", LONG)
        fill(r)
        before = r("DEBUG", "DIGEST")
        r = kill_and_wait(m, r)
        equal(r("DEBUG", "DIGEST"), before)
        rewrites = int(info(r, "persistence", "aof_rewrites"))
        equal(r("CONFIG", "SET", "rdb-key-save-delay", "1000"), b"+OK")
        counter = Counter(m.port(6379))
        equal(r("BGREWRITEAOF"), b"+Background append only file rewriting started")
        seen = counter.value
        until(lambda: counter.value > seen, "a count while the log is rewritten")
        equal(info(r, "persistence", "aof_rewrite_in_progress"), "1")
        until(lambda: info(r, "persistence", "aof_rewrite_in_progress") == "0", "the end of the rewriting", LONG)
        equal(info(r, "persistence", "aof_last_bgrewrite_status"), "ok")
        equal(int(info(r, "persistence", "aof_rewrites")), rewrites + 1)
        counter.end()
        last = counter.value
        r = kill_and_wait(m, r)
        equal(int(r("GET", "counter")), last)  # appendfsync always: nothing that was answered is lost
        r("DEL", "counter")
        equal(r("DEBUG", "DIGEST"), before)
        r.close()


if __name__ == "__main__":
    sys.exit(main())
