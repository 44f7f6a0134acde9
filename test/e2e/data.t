#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Debian's redis, memcached, postgresql, openssl s_server, dropbear and sshd as machines, used by their own clients on the host."""
import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import threading

ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "test/support"))
# pylint: disable=wrong-import-position
from e2e import FOLDER, Service, Skip, certificate, equal, expect, file_with, host, main, rf, terminal, test, until  # noqa: E402

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


# ---- memcached ----

class Memcached:
    """Its text protocol."""

    def __init__(self, port):
        self.s = socket.create_connection(("127.0.0.1", port), LONG)
        self.f = self.s.makefile("rb")

    def command(self, line):
        self.s.sendall(line.encode() + b"\r\n")
        return self.f.readline()

    def set(self, key, data):
        self.s.sendall(b"set %s 0 0 %d\r\n%s\r\n" % (key.encode(), len(data), data))
        return self.f.readline()

    def get(self, key):
        line = self.command("get " + key)
        if line == b"END\r\n":
            return None
        data = self.f.read(int(line.split()[3]) + 2)[:-2]
        equal(self.f.readline(), b"END\r\n")
        return data

    def stats(self):
        lines = [self.command("stats")]
        while lines[-1] != b"END\r\n":
            lines.append(self.f.readline())
        return {w[1].decode(): w[2].decode() for w in (line.split() for line in lines[:-1])}

    def close(self):
        self.f.close()
        self.s.close()


@test
def memcached_with_its_own_clients():
    with Service("mc", "memcached", ports=(11211,)) as m:
        server = "127.0.0.1:%d" % m.port(11211)
        out = good(host("memccapable", "-h", "127.0.0.1", "-p", str(m.port(11211)), timeout=LONG))
        equal(len(re.findall(r"(?m)^(?:ascii|binary) .*\[pass\]$", out)), 54)
        expect("All tests passed" in out, out)
        for binary in ([], ["--binary"]):
            out = good(host("memcslap", "--servers=" + server, "--concurrency=10", "--execute-number=50", "--test=set", *binary, timeout=LONG))
            expect("500 keys by" in out, out)
        expect(int(re.search(r"cmd_set: (\d+)", good(host("memcstat", "--servers=" + server))).group(1)) >= 1000, "what memcslap set")
        equal(m.stop(), 0)


@test
def memcached_with_many_connections():
    with Service("crowd", "memcached", ports=(11211,)) as m:
        clients = [Memcached(m.port(11211)) for _ in range(200)]
        for i, c in enumerate(clients):
            equal(c.set("key%d" % i, b"value %d" % i), b"STORED\r\n")
        for i, c in enumerate(clients):
            equal(c.get("key%d" % (199 - i)), b"value %d" % (199 - i))
        equal(int(clients[0].stats()["curr_connections"]) >= 200, True)
        for c in clients:
            c.close()


@test
def memcached_throws_out_what_is_old():
    with Service("small", "memcached", "-m", "4", ports=(11211,)) as m:
        c = Memcached(m.port(11211))
        for i in range(3000):
            equal(c.set("key%d" % i, b"%04d" % i * 1000), b"STORED\r\n")
        stats = c.stats()
        expect(int(stats["evictions"]) > 0 and int(stats["bytes"]) <= 4 << 20, stats)
        equal((c.get("key0"), c.get("key2999")), (None, b"2999" * 1000))
        c.close()


@test
def memcached_by_datagrams():
    with Service("udp", "memcached", "-U", "11211", ports=(11211, "11211/udp")) as m:
        c = Memcached(m.port(11211))
        equal(c.set("a", b"b" * 5000), b"STORED\r\n")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(LONG)
            s.connect(("127.0.0.1", m.port("11211/udp")))
            s.send(struct.pack("!HHHH", 77, 0, 1, 0) + b"get a\r\n")
            parts = {}
            while not parts or len(parts) < total:
                got = s.recv(65536)
                number, at, total, _ = struct.unpack("!HHHH", got[:8])
                equal(number, 77)
                parts[at] = got[8:]
        expect(total > 1, "an answer of several datagrams")
        equal(b"".join(parts[i] for i in range(total)), b"VALUE a 0 5000\r\n" + b"b" * 5000 + b"\r\nEND\r\n")
        c.close()


# ---- postgresql ----

PG = "/usr/lib/postgresql/15/bin/"
PG_MACHINE = """#!/bin/sh
export PATH=%s:$PATH
initdb -D /tmp/data -A trust >/tmp/log 2>&1 || { cat /tmp/log; exit 3; }
echo 'host all all 0.0.0.0/0 trust' >>/tmp/data/pg_hba.conf
while :; do
	postgres -D /tmp/data -c 'listen_addresses=*'
	echo ended $?
	[ -e /tmp/data/stopped ] && exit 0
done
""" % PG


def client(m, program, *words, **kw):
    """A client on the host."""
    return good(host(PG + program, "-h", "127.0.0.1", "-p", str(m.port(5432)), "-U", "postgres", *words, **kw))


def sql(m, text):
    return client(m, "psql", "-XAtqc", text, "bench", timeout=LONG).strip()


def balanced(m):
    """The transactions of pgbench were done wholly, or not at all. Their number."""
    sums = sql(m, "select (select sum(abalance) from pgbench_accounts), (select sum(bbalance) from pgbench_branches), "
                  "(select sum(tbalance) from pgbench_tellers), (select coalesce(sum(delta), 0) from pgbench_history), "
                  "(select count(*) from pgbench_history)").split("|")
    equal(len(set(sums[:4])), 1)
    return int(sums[4])


def accepts(m):
    p = host(PG + "pg_isready", "-h", "127.0.0.1", "-p", str(m.port(5432)))
    return p.returncode == 0


def postgres_user():
    """Debian's packages make it; the machine's program must not be root."""
    with open("/etc/passwd") as f:
        if not os.path.exists(PG) or os.geteuid() != 0 or not re.search(r"(?m)^postgres:", f.read()):
            raise Skip("needs Debian's postgresql-15, and root")


@test
def postgresql_of_debian():
    postgres_user()
    if not os.path.exists("/etc/postgresql/15/main/postgresql.conf") or os.path.exists("/var/lib/postgresql/15/main/postmaster.pid"):
        raise Skip("Debian's cluster is not there, or in use")
    with Service("pg", "postgres", ports=(5432,), options=["--also", PG + "psql"]) as m:
        until(lambda: m.exec(PG + "psql", "-XAtqc", "select 6 * 7").stdout == b"42\n", "an answer by AF_UNIX", LONG)
        # By the network Debian's configuration knows nobody.
        p = host(PG + "psql", "-h", "127.0.0.1", "-p", str(m.port(5432)), "-U", "postgres", "-c", "select 1")
        expect(p.returncode == 2 and b"no pg_hba.conf entry" in p.stderr, p)
        equal(m.stop(), 0)
        expect("database system is shut down" in m.log(), "it ends cleanly")


@test
def postgresql_from_initdb_to_a_crash_and_its_end():
    postgres_user()
    script = file_with("pg.sh", PG_MACHINE)
    os.chmod(FOLDER, 0o755)  # the machine's user reads the script
    also = sum((["--also", p] for p in (PG + "postgres", PG + "initdb", PG + "psql", PG + "pg_ctl", "cat", "kill", "touch")), [])
    with Service("bank", "sh", script, ports=(5432,), options=["-m", "512M", "--user", "postgres", *also]) as m:
        until(lambda: accepts(m), "the database", LONG)
        client(m, "createdb", "bench")
        client(m, "pgbench", "-i", "bench", timeout=LONG)
        out = client(m, "pgbench", "-c", "10", "-j", "2", "-t", "10", "bench", timeout=LONG)
        expect("number of transactions actually processed: 100/100" in out and "number of failed transactions: 0 " in out, out)
        print("# pgbench: %s, %s" % re.search(r"(latency average = .*)(?:.|\n)*(tps = \S+)", out).groups())
        equal(balanced(m), 100)
        equal(m.exec(PG + "psql", "-XAtqc", "select count(*) from pgbench_history", "bench").stdout, b"100\n")
        equal(len(sql(m, "copy pgbench_accounts to stdout").splitlines()), 100000)
        # Processes that share memory of their own for one query.
        out = sql(m, "set parallel_setup_cost = 0; set min_parallel_table_scan_size = 0; set max_parallel_workers_per_gather = 2;"
                     "explain (analyze) select count(*) from pgbench_accounts where abalance < 0")
        expect("Workers Launched: 2" in out, out)

        sql(m, "create table told (n int); insert into told select generate_series(1, 1000)")
        with subprocess.Popen([PG + "pgbench", "-h", "127.0.0.1", "-p", str(m.port(5432)), "-U", "postgres", "-n", "-c", "4", "-T", "600", "bench"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as load:
            try:
                until(lambda: balanced(m) > 110, "transactions", LONG)
                good(m.exec("sh", "-c", "read pid </tmp/data/postmaster.pid; kill -9 $pid"))
                load.wait(LONG)
            finally:
                load.kill()
        until(lambda: m.log().count("ended 137") == 1 and accepts(m), "the database after its death", LONG)
        expect("automatic recovery in progress" in m.log(), "it knows that it was killed")
        expect(balanced(m) > 110, "what was done before")
        equal(sql(m, "select count(*), sum(n) from told"), "1000|500500")

        good(m.exec("touch", "/tmp/data/stopped"))
        # Not waiting for the end: the machine ends with the server, and with it what else runs there.
        good(m.exec(PG + "pg_ctl", "-D", "/tmp/data", "stop", "-m", "fast", "-W", timeout=LONG))
        equal(rf("wait", "bank").returncode, 0)
        expect("ended 0" in m.log() and "database system is shut down" in m.log(), "it ends cleanly")


# ---- openssl ----

def s_client(m, ca, *words, wanted=0):
    """Fetch the server's page about the connection."""
    p = host("openssl", "s_client", "-connect", "127.0.0.1:%d" % m.port(4433), "-CAfile", ca, "-verify_return_error", "-ign_eof", *words,
             input=b"GET / HTTP/1.0\r\n\r\n", timeout=LONG)
    equal(p.returncode, wanted)
    return p.stdout.decode(errors="replace") + p.stderr.decode(errors="replace")


@test
def openssl_serves_tls():
    key, cert = certificate("server.example")
    with Service("tls", "openssl", "s_server", "-accept", "4433", "-key", key, "-cert", cert, "-www", ports=(4433,)) as m:
        for flag, name in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
            session = os.path.join(FOLDER, "session" + flag)
            out = s_client(m, cert, flag, "-sess_out", session)
            expect("New, %s" % name in out and "Verify return code: 0 (ok)" in out and "HTTP/1.0 200 ok" in out, out)
            out = s_client(m, cert, flag, "-sess_in", session)
            expect("Reused, %s" % name in out and "HTTP/1.0 200 ok" in out, out)
        other = certificate("other.example")[1]
        out = s_client(m, other, wanted=1)
        expect("certificate verify failed" in out, out)


@test
def openssl_wants_a_certificate_of_the_client():
    key, cert = certificate("server.example")
    client_key, client_cert = certificate("client.example")
    with Service("mtls", "openssl", "s_server", "-accept", "4433", "-key", key, "-cert", cert, "-www", "-Verify", "1", "-verify_return_error",
                 "-CAfile", client_cert, ports=(4433,)) as m:
        for flag in ("-tls1_2", "-tls1_3"):
            out = s_client(m, cert, flag, "-key", client_key, "-cert", client_cert)
            expect("HTTP/1.0 200 ok" in out, out)
            p = host("openssl", "s_client", "-connect", "127.0.0.1:%d" % m.port(4433), "-CAfile", cert, "-ign_eof", flag,
                     input=b"GET / HTTP/1.0\r\n\r\n", timeout=LONG)
            expect(b"HTTP/1.0 200" not in p.stdout and b"alert" in p.stderr, p)
            p = host("openssl", "s_client", "-connect", "127.0.0.1:%d" % m.port(4433), "-CAfile", cert, "-ign_eof", flag, "-key", key, "-cert", cert,
                     input=b"GET / HTTP/1.0\r\n\r\n", timeout=LONG)
            expect(b"HTTP/1.0 200" not in p.stdout and b"alert" in p.stderr, p)
        expect("depth=0 CN = client.example" in m.log(), "it knows whose certificate it is")


@test
def openssl_sends_a_file():
    key, cert = certificate("server.example")
    blob = os.urandom(3_000_000)
    path = file_with("blob", blob)
    with Service("file", "openssl", "s_server", "-accept", "4433", "-key", key, "-cert", cert, "-HTTP", ports=(4433,),
                 options=["--include", path + ":/srv/blob", "-w", "/srv"]) as m:
        context = ssl.create_default_context(cafile=cert)
        with socket.create_connection(("127.0.0.1", m.port(4433)), LONG) as plain, \
                context.wrap_socket(plain, server_hostname="localhost") as s:
            s.sendall(b"GET /blob HTTP/1.0\r\n\r\n")
            with s.makefile("rb") as f:
                f.readline()
                equal(f.read().endswith(blob[-100_000:]), True)


# ---- ssh ----

def ssh_key(name):
    path = os.path.join(FOLDER, name)
    if not os.path.exists(path):
        good(host("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path))
    return path


SSH_OPTIONS = ["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes",
               "-o", "LogLevel=ERROR"]


def ssh(m, *words, key="right", **kw):
    return host("ssh", *SSH_OPTIONS, "-i", ssh_key(key), "-p", str(m.port(22)), *words, timeout=LONG, **kw)


def serve_ssh(name, program):
    if os.geteuid() != 0:
        raise Skip("needs root: whose keys they are is looked at")
    keys = ssh_key("right") + ".pub"
    also = sum((["--also", p] for p in ("cat", "stty", "scp", "sha256sum")), [])
    with Service(name, program, ports=(22,), options=["--include", keys + ":/root/.ssh/authorized_keys", *also]) as m:
        to = "root@127.0.0.1"
        p = ssh(m, to, "echo out; echo err >&2; exit 7")
        equal((p.returncode, p.stdout, p.stderr), (7, b"out\n", b"err\n"))
        p = ssh(m, to, "echo in", key="wrong")
        expect(p.returncode == 255 and b"Permission denied" in p.stderr and b"in\n" not in p.stdout, p)
        blob = os.urandom(2_000_000)
        equal(ssh(m, to, "cat", input=blob).stdout, blob)

        argv = ["/usr/bin/ssh", *SSH_OPTIONS, "-i", ssh_key("right"), "-p", str(m.port(22)), "-tt", to]
        out, status = terminal([*argv, "stty size; test -t 0 && exit 5"], [], timeout=LONG)
        equal((out.split(b"\r\n")[-2:], status), ([b"33 77", b""], 5))
        # A shell in which Ctrl-C ends the job and not the session.
        out, status = terminal(argv, [(b"# ", b"bash -c 'echo g$((1))o; exec cat'\r"), (b"\rg1o\r", b"\x03"), (b"# ", b"echo s$?e\r"),
                                       (b"\rs130e\r", b"exit 9\r")], timeout=LONG)
        equal(status, 9)

        path = file_with("sent", blob)
        for old in ([], ["-O"]):  # by SFTP, and as it was before
            there, back = "/tmp/there" + "".join(old), os.path.join(FOLDER, "back")
            scp = ["scp", *old, *SSH_OPTIONS, "-i", ssh_key("right"), "-P", str(m.port(22))]
            good(host(*scp, path, "%s:%s" % (to, there), timeout=LONG))
            good(host(*scp, "%s:%s" % (to, there), back, timeout=LONG))
            good(host("cmp", path, back))
        batch = file_with("batch", "put %s /tmp/second\nrename /tmp/second /tmp/third\nget /tmp/third %s.2\nls -l /tmp\n" % (path, back))
        out = good(host("sftp", *SSH_OPTIONS, "-i", ssh_key("right"), "-P", str(m.port(22)), "-b", batch, to, timeout=LONG))
        expect("third" in out, out)
        good(host("cmp", path, back + ".2"))

        sessions = [subprocess.Popen([*argv[:-2], to, "cat; exit %d" % i], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for i in range(4)]
        for i, s in enumerate(sessions):  # all of them are open at once
            s.stdin.write(b"%d\n" % i)
            s.stdin.flush()
            equal(s.stdout.readline(), b"%d\n" % i)
        for i, s in enumerate(sessions):
            s.stdin.close()
            equal((s.stdout.read(), s.wait(LONG)), (b"", i))


@test
def dropbear_lets_in_who_has_the_key():
    serve_ssh("bear", "dropbear")


@test
def openssh_lets_in_who_has_the_key():
    serve_ssh("sshd", "sshd")


if __name__ == "__main__":
    sys.exit(main())
