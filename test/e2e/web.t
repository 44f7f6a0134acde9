#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Servers of the web other than nginx in a machine each: lighttpd, Python's, node, an application over SQLite. Prints TAP."""
import collections
import hashlib
import http.client
import json
import os
import socket
import sys
import threading
import urllib.parse

ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "test/support"))
# pylint: disable=wrong-import-position
from e2e import FOLDER, Service, certificate, equal, expect, file_with, host, main, rf, test, until  # noqa: E402

BIG = os.urandom(4 << 20)
SITE = {"index.html": b"<p>hello\n", "big": BIG, "empty": b"", "name with space.txt": b"spaces\n", "sub/page.html": b"below\n"}


def site():
    """A folder of files; its path."""
    for name, data in SITE.items():
        file_with("site/" + name, data)
    return FOLDER + "/site"


def curl(*args):
    p = host("curl", "-sS", "--max-time", "30", *args)
    expect(p.returncode == 0, "curl: %d %r" % (p.returncode, p.stderr))
    return p.stdout


def ask(connection, path, body=None, method=None):
    """One request on a connection that stays open: status, answer."""
    connection.request(method or ("GET" if body is None else "POST"), path, body)
    r = connection.getresponse()
    return r.status, r.read()


def answer_of(service, path):
    c = connect(service)
    try:
        return ask(c, path)
    finally:
        c.close()


def connect(service, port=80):
    return http.client.HTTPConnection("127.0.0.1", service.port(port), timeout=60)


def at_once(n, client):
    """client(i) for each i below n, at the same time; what they return. Fails when one does."""
    results, failures = [None] * n, []

    def one(i):
        try:
            results[i] = client(i)
        except Exception as e:  # pylint: disable=broad-except  # reported below
            failures.append("client %d: %r" % (i, e))

    threads = [threading.Thread(target=one, args=(i,), daemon=True) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(120)
    equal(failures, [])
    expect(not any(t.is_alive() for t in threads), "a client hangs")
    return results


def serves_the_site(service, port=80, kept=True):
    """All files, byte for byte, by several clients at once, on one connection each where the server keeps it."""
    def client(_):
        c = connect(service, port)
        addresses = set()
        for name, data in list(SITE.items()) * 3:
            equal(ask(c, "/" + urllib.parse.quote(name)), (200, data))
            addresses.add(c.sock and c.sock.getsockname())
        equal(ask(c, "/none")[0], 404)
        c.close()
        if kept:
            equal(len(addresses), 1)
    at_once(5, client)


# ---- lighttpd ----

@test
def lighttpd_with_debians_configuration():
    with Service("lighttpd", "lighttpd") as s:
        for name in os.listdir("/var/www/html"):  # whichever packages have put there
            equal(curl(s.url("/" + name)), open("/var/www/html/" + name, "rb").read())
        expect(answer_of(s, "/none")[0] == 404, "a page that is not there")
        equal(s.stop(), 0)


@test
def lighttpd_serves_files():
    key, cert = certificate("light.example")
    conf = file_with("lighttpd.conf", """server.modules = ("mod_access", "mod_openssl", "mod_deflate", "mod_setenv")
server.document-root = "/srv"
server.port = 80
server.username = "www-data"
server.groupname = "www-data"
index-file.names = ("index.html")
mimetype.assign = (".html" => "text/html")
deflate.mimetypes = ("text/html")
$SERVER["socket"] == ":443" { ssl.engine = "enable" ssl.pemfile = "/etc/light.crt" ssl.privkey = "/etc/light.key" }
""")
    files = {site(): "/srv", key: "/etc/light.key", cert: "/etc/light.crt", conf: "/etc/lighttpd/lighttpd.conf"}
    with Service("lighttpd", "lighttpd", ports=(80, 443),
                 options=sum((["--include", "%s:%s" % f] for f in files.items()), [])) as s:
        serves_the_site(s)
        equal(curl("-r", "1000-1999", s.url("/big")), BIG[1000:2000])
        equal(curl("--compressed", s.url("/")), b"<p>hello\n")
        equal(hashlib.sha256(curl("--cacert", cert, "--resolve", "light.example:%d:127.0.0.1" % s.port(443),
                                  "https://light.example:%d/big" % s.port(443))).digest(), hashlib.sha256(BIG).digest())
        s.signal("INT")  # orderly, with what is under way
        equal(rf("wait", "lighttpd").returncode, 0)


# ---- Python ----

@test
def pythons_http_server():
    with Service("py", "python3", "-m", "http.server", "8000", ports=(8000,), options=["-w", "/srv", "--include", site() + ":/srv"]) as s:
        serves_the_site(s, 8000, kept=False)
        listing = curl(s.url("/sub/", 8000))
        expect(b"page.html" in listing, listing)
        until(lambda: '"GET /none HTTP/1.1" 404' in s.log(), "the log's line")


ASYNCIO = r'''
import asyncio, hashlib, signal

clients = 0

async def serve(reader, writer):
    """Lines "sum N" with N bytes behind, "wait MS", "count", "quit"."""
    global clients
    clients += 1
    try:
        while True:
            words = (await reader.readline()).split()
            if words[:1] == [b"sum"]:
                answer = hashlib.sha256(await reader.readexactly(int(words[1]))).hexdigest()
            elif words[:1] == [b"wait"]:
                await asyncio.sleep(int(words[1]) / 1000)
                answer = "waited"
            elif words[:1] == [b"count"]:
                answer = str(clients)
            else:
                break
            writer.write(answer.encode() + b"\n")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        clients -= 1
        writer.close()

async def run():
    server = await asyncio.start_server(serve, "0.0.0.0", 7000, limit=1 << 22)
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    async with server:
        await end.wait()
    print("ended in order", flush=True)

asyncio.run(run())
'''


@test
def an_asyncio_server():
    with Service("async", "python3", "/srv/server.py", ports=(7000,), options=["--include", file_with("server.py", ASYNCIO) + ":/srv/server.py"]) as s:
        address = ("127.0.0.1", s.port(7000))

        def client(i):
            data = os.urandom(100000 + i)
            with socket.create_connection(address, timeout=60) as c, c.makefile("rb") as lines:
                for _ in range(5):
                    c.sendall(b"sum %d\n" % len(data) + data)
                    equal(lines.readline().decode().strip(), hashlib.sha256(data).hexdigest())
                c.sendall(b"wait 200\n")
                equal(lines.readline(), b"waited\n")

        at_once(20, client)
        # Who vanishes in the middle of something is let go.
        gone = [socket.create_connection(address, timeout=60) for _ in range(10)]
        for c in gone:
            c.sendall(b"sum 1000\nhalf of it")
        with socket.create_connection(address, timeout=60) as c, c.makefile("rb") as lines:
            def count():
                c.sendall(b"count\n")
                return int(lines.readline())
            until(lambda: count() == 11, "ten clients and this one")
            for g in gone:
                g.close()
            until(lambda: count() == 1, "the end of those that vanished")
        equal(s.stop(), 0)
        equal(s.log(), "ended in order\n")


# ---- node ----

NODE = r'''
const http = require("http"), crypto = require("crypto"), fs = require("fs");
const agent = new http.Agent({keepAlive: true});
http.createServer((request, response) => {
	if (request.url == "/sum") {
		const sum = crypto.createHash("sha256");
		request.on("data", part => sum.update(part));
		request.on("end", () => response.end(sum.digest("hex") + "\n"));
	} else if (request.url == "/stream") {
		fs.createReadStream("/srv/big").pipe(response);
	} else if (request.url == "/self") {
		http.get({port: 3000, path: "/", agent}, r => r.pipe(response));
	} else if (request.url == "/count") {
		request.socket.count = (request.socket.count || 0) + 1;
		response.end(String(request.socket.count));
	} else {
		response.end("hello\n");
	}
}).listen(3000, () => console.log("listening"));
process.on("SIGTERM", () => { console.log("term"); process.exit(3); });
'''


@test
def node_serves():
    file_with("app/server.js", NODE)
    with Service("node", "node", "/srv/server.js", ports=(3000,), options=[
            "--include", FOLDER + "/app/server.js:/srv/server.js", "--include", file_with("big", BIG) + ":/srv/big"]) as s:
        equal(curl(s.url("/", 3000)), b"hello\n")
        c = connect(s, 3000)
        equal([ask(c, "/count")[1] for _ in range(50)], [b"%d" % (n + 1) for n in range(50)])
        c.close()

        def client(i):
            data = os.urandom((1 << 20) + i)
            k = connect(s, 3000)
            for _ in range(3):
                equal(ask(k, "/sum", data), (200, hashlib.sha256(data).hexdigest().encode() + b"\n"))
                equal(ask(k, "/self"), (200, b"hello\n"))
            equal(ask(k, "/stream"), (200, BIG))
            k.close()

        at_once(6, client)
        large = BIG * 8  # 32 MiB in one body, in pieces of unknown number
        equal(curl("-H", "Transfer-Encoding: chunked", "--data-binary", "@" + file_with("large", large), s.url("/sum", 3000)).strip().decode(),
              hashlib.sha256(large).hexdigest())
        equal(s.stop(), 3)
        equal(s.log(), "listening\nterm\n")


# ---- an application with a database ----

APP = r'''
import http.server, json, socketserver, sqlite3, urllib.parse

FILE = "/var/lib/app/notes.db"


def database():
    db = sqlite3.connect(FILE, timeout=60, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    return db


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, what):
        data = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass

    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        query = urllib.parse.parse_qs(url.query)
        if url.path == "/notes":
            rows = self.db.execute("SELECT id, author, text FROM notes WHERE author = ? ORDER BY id", query["author"]).fetchall()
            self.answer(200, rows)
        elif url.path == "/total":
            self.answer(200, self.db.execute("SELECT count(*), sum(amount) FROM notes").fetchone())
        elif url.path == "/check":
            self.answer(200, self.db.execute("PRAGMA integrity_check").fetchone()[0])
        else:
            self.answer(404, "nothing there")

    def do_POST(self):
        note = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            self.db.execute("BEGIN IMMEDIATE")
            cursor = self.db.execute("INSERT INTO notes (author, text, amount) VALUES (?, ?, ?)", (note["author"], note["text"], note["amount"]))
            self.db.execute("UPDATE accounts SET sum = sum + ? WHERE name = 'all'", (note["amount"],))
            if note.get("fail"):
                raise ValueError
            self.db.execute("COMMIT")
            self.answer(201, cursor.lastrowid)
        except (KeyError, ValueError):
            self.db.execute("ROLLBACK")
            self.answer(400, "rolled back")

    def setup(self):
        super().setup()
        self.db = database()

    def finish(self):
        self.db.close()
        super().finish()


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64


db = database()
db.executescript("""CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, author TEXT, text TEXT, amount INTEGER);
CREATE INDEX IF NOT EXISTS by_author ON notes (author);
CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, sum INTEGER);
INSERT OR IGNORE INTO accounts VALUES ('all', 0);""")
db.close()
Server(("", 8000), Handler).serve_forever()
'''


@test
def an_application_over_sqlite():
    """Clients write and read at once; what one has written it finds, what failed is not there, and the sums are right."""
    app = file_with("app/app.py", APP)
    with Service("app", "python3", "/srv/app.py", ports=(8000,),
                 options=["--include", app + ":/srv/app.py", "--also", "sqlite3", "-w", "/var/lib/app"]) as s:
        notes, refused = 15, 5

        def client(i):
            c, author = connect(s, 8000), "author-%d" % i
            ids = []
            for n in range(notes):
                note = {"author": author, "text": "note %d \u00e4\u20ac'\";--" % n, "amount": i * 100 + n}
                status, answer = ask(c, "/", json.dumps(note))
                equal(status, 201)
                ids.append(json.loads(answer))
                if n < refused:
                    equal(ask(c, "/", json.dumps(dict(note, fail=True)))[0], 400)
                rows = json.loads(ask(c, "/notes?author=" + author)[1])
                equal([r[0] for r in rows], ids)
                equal(rows[-1][2], note["text"])
            c.close()
            return ids

        ids = at_once(8, client)
        equal([i for i, n in collections.Counter(sum(ids, [])).items() if n > 1], [])
        want = sum(i * 100 + n for i in range(8) for n in range(notes))
        equal(json.loads(curl(s.url("/total", 8000))), [8 * notes, want])
        equal(json.loads(curl(s.url("/check", 8000))), "ok")
        # Another program, its command line, sees the same.
        p = s.exec("sqlite3", "/var/lib/app/notes.db", "SELECT sum FROM accounts; SELECT count(*) FROM notes WHERE author = 'author-3'")
        equal(p.stdout.split(), [b"%d" % want, b"%d" % notes])


if __name__ == "__main__":
    sys.exit(main())
