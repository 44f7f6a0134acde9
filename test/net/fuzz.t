#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Packets mutated at random on the wire: no panic, the service answers afterwards, and memory is back. Prints TAP.

usage: fuzz.t [FRAMES [SEED]]       (RF_FUZZ_FRAMES in the environment says the same; 30,000 by default)
"""
import os
import random
import struct
import sys
import time

ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "test/support"))
# pylint: disable=wrong-import-position
import wire as w  # noqa: E402
from machine import Machine  # noqa: E402

ECHO = os.path.join(os.environ.get("RF_BUILD", os.path.join(ROOT, "build")), "prog/test/net/prog/echo")
FRAMES = int(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("RF_FUZZ_FRAMES", "30000"))
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 32)
ROUND = 5000
SETTLE = 150  # seconds: TIME-WAIT, half-open connections, pieces that wait for others
LEAK = 64 << 10  # of each size of kernel objects a page may stay
ALL_NODES = bytes.fromhex("ff02") + bytes(13) + b"\1"
ALL_NODES_MAC = bytes.fromhex("333300000001")

rnd = random.Random(SEED)
connections = {}  # our port: (seq, ack), as far as we know


def learn(frame):
    t = w.parse_tcp(frame)
    if t is None or t[0] in (40000, 41000):
        return
    port, _, seq, ack, flags, data = t
    if flags & w.RST:
        connections.pop(port, None)
    else:
        connections[port] = (ack, seq + len(data) + bool(flags & (w.SYN | w.FIN)))
        if len(connections) > 200:
            connections.pop(next(iter(connections)))


def noise(most):
    return rnd.randbytes(rnd.choice((0, 1, 7, 8, 40, rnd.randrange(most + 1))))


def tcp_frame():
    options = rnd.choice((b"", b"\2\4\5\xb4", b"\2\4\0\1", b"\1\1\4\2", b"\3\3\x0e\1", rnd.randbytes(4 * rnd.randrange(11))))
    if connections and rnd.random() < 0.8:
        port = rnd.choice(list(connections))
        seq, ack = connections[port]
        seq += rnd.choice((0, 0, 0, 1, -1, 1460, rnd.randrange(1 << 32)))
        flags = rnd.choice((w.ACK, w.ACK | w.PSH, w.ACK | w.FIN, w.RST, w.SYN, rnd.randrange(256)))
    else:
        port, seq, ack, flags = rnd.randrange(1024, 65536), rnd.randrange(1 << 32), 0, w.SYN
    data = b"" if flags & w.SYN else noise(1400)
    return w.ip4(6, w.tcp(port, rnd.choice((7, 7, 7, 80)), seq, ack, flags, data, options, rnd.choice((0, 1, 65535))))


def udp_frame():
    return w.ip4(17, w.udp(rnd.randrange(65536), rnd.choice((7, 7, 53, 67, 68, 9999)), noise(1400)))


def fragment_frame():
    return w.ip4(rnd.choice((1, 6, 17)), noise(1400), rnd.randrange(20), rnd.choice((0x2000, 0)) | rnd.randrange(200))


def icmp_frame():
    kind = rnd.choice((8, 8, 0, 3, 4, 5, 11, 13, 17))
    inner = w.ip4(rnd.choice((6, 17)), noise(60)) if kind in (3, 4, 5, 11) else noise(1400)
    return w.ip4(1, w.with_sum(struct.pack("!BBHI", kind, rnd.randrange(5), 0, rnd.randrange(1 << 32)) + inner, 2, b""))


def igmp_frame():
    return w.ip4(2, w.with_sum(bytes([rnd.choice((0x11, 0x16, 0x22)), 1, 0, 0]) + rnd.randbytes(4), 2, b""), options=b"\x94\4\0\0")


def arp_frame():
    return struct.pack("!HHBBH", 1, 0x0800, 6, 4, rnd.choice((1, 1, 2))) + w.OUR_MAC + rnd.choice(
        (w.OUR_IP, w.GUEST_IP, rnd.randbytes(4))) + bytes(6) + rnd.choice((w.GUEST_IP, rnd.randbytes(4)))


def icmp6_frame():
    kind = rnd.choice((128, 129, 130, 131, 133, 134, 134, 135, 136, 137, 1, 2, 3, 4))
    to = rnd.choice((w.GUEST_IP6, ALL_NODES))
    body = {134: struct.pack("!BBHII", 64, rnd.randrange(256), 1800, 0, 0),
            135: bytes(4) + w.GUEST_IP6, 136: b"\x60\0\0\0" + w.OUR_IP6, 137: bytes(4) + w.OUR_IP6 + rnd.randbytes(16)}
    options = rnd.choice((b"", b"\1\1" + w.OUR_MAC, b"\5\1\0\0" + struct.pack("!I", rnd.randrange(70000)),
                          b"\3\4\x40\xc0" + struct.pack("!III", 3600, 1800, 0) + bytes.fromhex("fd00") + rnd.randbytes(14)))
    return w.icmp6(bytes([kind, 0, 0, 0]) + body.get(kind, noise(200) + bytes(4)) + options, to)


def extended6_frame():
    kinds = [rnd.choice((0, 43, 44, 60)) for _ in range(rnd.randrange(1, 5))]
    payload = struct.pack("!HHHH", 1, 7, 8, 0)
    for i, _ in reversed(list(enumerate(kinds))):
        following = kinds[i + 1] if i + 1 < len(kinds) else 17
        payload = bytes([following, 0]) + rnd.randbytes(6) + payload
    return w.ip6(kinds[0], payload)


KINDS = [(tcp_frame, w.ETH4), (tcp_frame, w.ETH4), (tcp_frame, w.ETH4), (udp_frame, w.ETH4), (udp_frame, w.ETH4),
         (fragment_frame, w.ETH4), (icmp_frame, w.ETH4), (igmp_frame, w.ETH4), (arp_frame, w.ARP), (icmp6_frame, w.ETH6),
         (icmp6_frame, w.ETH6), (extended6_frame, w.ETH6)]
SUM_AT = {1: 2, 2: 2, 6: 16, 17: 6, 58: 2}


def mend(kind, packet):
    """Checksums as they should be, so that the mutation is looked at and not only the sum."""
    if kind == w.ETH4 and len(packet) >= 28:
        head = (packet[0] & 15) * 4
        if head < 20 or head + 8 > len(packet):
            return packet
        packet = w.with_sum(packet[:head], 10, b"") + packet[head:]
        at = SUM_AT.get(packet[9])
        if at is not None and len(packet) >= head + at + 2:
            length = len(packet) - head
            pseudo = packet[12:20] + struct.pack("!BBH", 0, packet[9], length) if packet[9] in (6, 17) else b""
            packet = packet[:head] + w.with_sum(packet[head:], at, pseudo)
    elif kind == w.ETH6 and len(packet) >= 48 and packet[6] in SUM_AT:
        at = SUM_AT[packet[6]]
        if len(packet) >= 40 + at + 2:
            pseudo = packet[8:40] + struct.pack("!IHBB", len(packet) - 40, 0, 0, packet[6])
            packet = packet[:40] + w.with_sum(packet[40:], at, pseudo)
    return packet


def mutate(packet):
    b = bytearray(packet)
    for _ in range(rnd.choice((0, 1, 1, 2, 5))):
        # Headers are what decides.
        at = rnd.randrange(min(len(b), 80) if rnd.random() < 0.8 else len(b)) if b else 0
        how = rnd.randrange(6)
        if not b:
            break
        if how == 0:
            b[at] ^= 1 << rnd.randrange(8)
        elif how == 1:
            b[at] = rnd.choice((0, 1, 0x7f, 0x80, 0xff, rnd.randrange(256)))
        elif how == 2:
            b[at:at + 2] = struct.pack("!H", rnd.choice((0, 1, 0xffff, len(b), rnd.randrange(65536))))
        elif how == 3:
            del b[rnd.randrange(len(b)):]
        elif how == 4:
            b += rnd.randbytes(rnd.randrange(64))
        else:
            b[at:at] = rnd.randbytes(rnd.randrange(1, 9))
    return bytes(b[:1500])


def frame():
    make, kind = rnd.choice(KINDS)
    packet = mutate(make())
    if rnd.random() < 0.85:
        packet = mend(kind, packet)
    to = ALL_NODES_MAC if kind == w.ETH6 and packet[24:26] == b"\xff\x02" else w.GUEST_MAC
    if rnd.random() < 0.02:
        to = rnd.choice((b"\xff" * 6, rnd.randbytes(6)))
    f = w.eth(kind, packet, to)
    return f[:rnd.randrange(1, len(f))] if rnd.random() < 0.01 else f  # QEMU takes an empty one as the end


def result(number, ok, what, why=""):
    print("%sok %d - %s%s" % ("" if ok else "not ", number, what, "\n# " + why if why else ""), flush=True)


def healthy(cable, number):
    text = b"are you there %d" % number
    for _ in range(4):  # an answer to an earlier question may still be under way
        if cable.ask(text) == text:
            return
    raise AssertionError("another datagram came back")


def free_memory(cable):
    for i in range(200):  # the device keeps the buffers of a burst until they are used up
        healthy(cable, i)
    while True:
        text = cable.ask(b"free", sport=40001)
        if text.isdigit():
            return int(text)


def run(cable, machine):
    machine.wait_for("up\n")
    cable.seen.append(learn)
    healthy(cable, 0)
    for _ in range(500):  # what is made once and stays
        cable.send(frame())
    healthy(cable, 0)
    cable.tcp_echo(b"before")
    cable.ask(b"close")
    before = free_memory(cable)
    start = time.monotonic()
    for i in range(FRAMES):
        cable.send(frame())
        if i % 16 == 0:
            cable.take()
        if i % ROUND == ROUND - 1:
            healthy(cable, i)
    took = time.monotonic() - start
    result(1, True, "%d frames, and it answers all the time" % FRAMES,
           "%.0f frames a second, %d came back" % (FRAMES / took, cable.received))
    data = os.urandom(500)
    got = cable.tcp_echo(data, sport=41000, seq=rnd.randrange(1 << 31))
    result(2, got == data, "a connection works afterwards", "" if got == data else "%d bytes: %r" % (len(got), got[:60]))
    cable.ask(b"close")
    end = time.monotonic() + SETTLE
    while (after := free_memory(cable)) < before - LEAK and time.monotonic() < end:
        time.sleep(1)
    result(3, after >= before - LEAK, "memory is back", "free before %d, after %d" % (before, after))


def main():
    print("1..3\n# seed %d" % SEED, flush=True)
    with w.Wire() as cable:
        with Machine("-v", "--net", "user", "--", ECHO, "7",
                     env={"RF_TEST_NETDEV": cable.netdev(), "RF_TEST_DROP": "net",
                          "RF_TEST_CONFIG": "net=10.9.0.2/24,10.9.0.1"}) as machine:
            try:
                run(cable, machine)
            except AssertionError as e:
                machine.drain()
                print("Bail out! %s\n# %s" % (e, machine.err[-3000:].replace("\n", "\n# ")), flush=True)
                sys.exit(1)


main()
