#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Python's servers and clients with each other over loopback; prints the same on the host and in Ringfence."""
import asyncio
import hashlib
import http.server
import socket
import socketserver
import threading
import urllib.error
import urllib.request


class Pages(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        size = int(self.path[1:] or "0")
        if size > 4000000:
            self.send_error(404)
            return
        body = bytes(i * 7 % 251 for i in range(1000)) * (size // 1000)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        text = hashlib.sha256(body).hexdigest().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass


def over_http():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = "http://127.0.0.1:%d/" % server.server_port
    for size in (0, 1000, 65000, 3000000):
        body = urllib.request.urlopen(url + str(size)).read()
        print("get", size, hashlib.sha256(body).hexdigest())
    print("post", urllib.request.urlopen(url, data=b"abc" * 700000).read().decode())
    try:
        urllib.request.urlopen(url + "5000000")
    except urllib.error.HTTPError as e:
        print("http", e.code)
    server.shutdown()
    server.server_close()


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line.upper())


class Echo6(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    daemon_threads = True


def over_six():
    with Echo6(("::1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        s = socket.create_connection(server.server_address[:2])
        s.sendall(b"one\ntwo\n")
        s.shutdown(socket.SHUT_WR)
        print("six", s.makefile("rb").read())
        server.shutdown()


async def answer(reader, writer):
    while line := await reader.readline():
        writer.write(line[::-1])
        await writer.drain()
    writer.close()


async def ask(port, number):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for k in range(20):
        writer.write(b"%d %d\n" % (number, k))
        line = await reader.readuntil(str(number)[::-1].encode())
        assert line.strip().endswith(str(number)[::-1].encode()), line
    writer.close()
    await writer.wait_closed()
    return 20


async def streams():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print("asked", sum(await asyncio.gather(*[ask(port, 1000 + i) for i in range(60)])))
    try:
        await asyncio.wait_for(asyncio.open_connection("127.0.0.1", 1), 20)
    except OSError as e:
        print("refused", e.errno)
    server.close()
    await server.wait_closed()


over_http()
over_six()
asyncio.run(streams())
