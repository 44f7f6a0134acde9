# SPDX-License-Identifier: BSD-2-Clause
"""usage: raw_noise.py SEED PACKETS: packets of all kinds at random, by raw sockets, to the machine itself; then it must work."""
import random
import socket
import struct
import sys

SEED, PACKETS = (int(a) for a in sys.argv[1:])
rnd = random.Random(SEED)
six = {p: socket.socket(socket.AF_INET6, socket.SOCK_RAW, p) for p in (6, 17, 43, 44, 50, 51, 58, 59, 60, 135)}
four = {p: socket.socket(socket.AF_INET, socket.SOCK_RAW, p) for p in (1, 2, 6, 17, 136, 255)}
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):  # somebody is there
    s = socket.socket(socket.AF_INET6, kind)
    s.bind(("::", 7))
    if kind == socket.SOCK_STREAM:
        s.listen(5)
    four[-kind] = s
TO6 = ("::1", "ff02::1%lo", "ff02::1", "::ffff:127.0.0.1")
TO4 = ("127.0.0.1", "127.1.2.3", "224.0.0.1", "255.255.255.255", "0.0.0.0")


def noise(most):
    return rnd.randbytes(rnd.choice((0, 1, 7, 8, 16, 24, 40, 127, 128, 129, rnd.randrange(most))))


def checksum(d):
    d += b"\0" * (len(d) & 1)
    total = sum(struct.unpack("!%dH" % (len(d) // 2), d))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def segment():
    return struct.pack("!HHIIBBHHH", rnd.randrange(65536), 7, rnd.randrange(1 << 32), rnd.randrange(1 << 32), rnd.choice((80, 96, 240, 64)),
                       rnd.randrange(256), 1000, 0, rnd.randrange(65536)) + noise(500)


def payload6(p):
    if p == 44:
        return struct.pack("!BBHI", rnd.choice((17, 6, 58, 44, 0, 60)), 0, 8 * rnd.randrange(6) | rnd.randrange(2),
                           rnd.randrange(4)) + rnd.randbytes(8 * rnd.randrange(5))
    if p in (43, 60):
        return bytes([rnd.choice((17, 6, 58, 44, 60, 43)), rnd.choice((0, 0, 1, 255))]) + rnd.randbytes(6) + noise(100)
    if p == 58:
        return bytes([rnd.choice((1, 2, 3, 4, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 143)), rnd.randrange(3), 0, 0]) + noise(200)
    return segment() if p == 6 else noise(3000)


def packet4():
    """With a header of its own."""
    body = noise(400)
    head = struct.pack("!BBHHHBBH", 0x40 | rnd.choice((5, 5, 5, 5, 6, 15, 4, 0)), 0, rnd.choice((20 + len(body), rnd.randrange(65536))),
                       rnd.randrange(4), rnd.choice((0, 0, 0x2000, 0x2001, 1, 2, 0x1fff, rnd.randrange(65536))), rnd.choice((64, 1, 0)),
                       rnd.choice((1, 2, 6, 17, 136, 99)), 0)
    d = head + socket.inet_aton(rnd.choice(("127.0.0.1", "0.0.0.0", "1.2.3.4"))) + socket.inet_aton(rnd.choice(TO4)) + body
    return d[:rnd.randrange(len(d))] if rnd.random() < 0.1 else d


def payload4(p):
    if p == 255:
        return packet4()
    if p == 1:
        d = bytes([rnd.choice((0, 3, 4, 5, 8, 11, 12, 13, 17)), rnd.randrange(16), 0, 0, 0, 0, 0, 0]) + struct.pack(
            "!BBHHHBBH", 0x45, 0, 40, 1, 0, 64, rnd.choice((6, 17, 1)), 0) + socket.inet_aton("127.0.0.1") * 2 + noise(100)
        return d[:2] + struct.pack("!H", checksum(d)) + d[4:]
    if p == 2:
        return bytes([rnd.choice((0x11, 0x12, 0x16, 0x17, 0x22)), rnd.randrange(256), 0, 0]) + rnd.randbytes(4)
    return segment() if p == 6 else noise(3000)


def one():
    if rnd.random() < 0.5:
        p = rnd.choice(list(six))
        six[p].sendto(payload6(p), (rnd.choice(TO6), 0))
    else:
        p = rnd.choice([p for p in four if p > 0])
        four[p].sendto(payload4(p), (rnd.choice(TO4), 0))


def read_all():
    for s in list(six.values()) + list(four.values()):
        try:
            while s.recv(10, socket.MSG_DONTWAIT):
                pass
        except OSError:
            pass


sent = 0
for i in range(PACKETS):
    try:
        one()
        sent += 1
    except OSError:
        pass
    if i % 50 == 0:
        read_all()
for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    a, b = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
    a.bind((address, 0))
    a.settimeout(30)
    b.sendto(b"works", a.getsockname())
    assert a.recv(10) == b"works"
    listener = socket.create_server((address, 0), family=family)
    c = socket.create_connection(listener.getsockname()[:2], timeout=30)
    listener.accept()[0].sendall(b"works, too")
    assert c.recv(20) == b"works, too"
assert sent > PACKETS // 5, sent
print("works")
