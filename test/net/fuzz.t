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
LEAK = 128 << 10  # of each size of kernel objects a page may stay
ALL_NODES = bytes.fromhex("ff02") + bytes(13) + b"\1"
ALL_NODES_MAC = bytes.fromhex("333300000001")

rnd = random.Random(SEED)
connections = {}  # our port: (seq, ack), as far as we know
connections6 = {}


def learn(frame):
    known = connections
    t = w.parse_tcp(frame)
    if t is None and len(frame) >= 74 and frame[12:14] == b"\x86\xdd" and frame[20] == 6:
        known = connections6
        sport, dport, seq, ack, off, flags = struct.unpack("!HHIIBB", frame[54:68])
        t = dport, sport, seq, ack, flags, frame[54 + (off >> 4) * 4:54 + struct.unpack("!H", frame[18:20])[0]]
    if t is None or t[0] in (40000, 41000):
        return
    port, _, seq, ack, flags, data = t
    if flags & w.RST:
        known.pop(port, None)
    else:
        known[port] = (ack, seq + len(data) + bool(flags & (w.SYN | w.FIN)))
        if len(known) > 200:
            known.pop(next(iter(known)))


def noise(most):
    return rnd.randbytes(rnd.choice((0, 1, 7, 8, 40, rnd.randrange(most + 1))))


def sacks(ack):
    """Blocks that say what came beyond a hole, some of them impossible."""
    ends = [ack + rnd.choice((0, 1, 1460, -1, rnd.randrange(1 << 32))) & 0xffffffff for _ in range(2 * rnd.randrange(5))]
    return b"\1\1\5" + bytes([2 + 4 * len(ends)]) + b"".join(struct.pack("!I", e) for e in ends)


def tcp_options(ack):
    return rnd.choice((b"", b"\2\4\5\xb4", b"\2\4\0\1", b"\2\4\0\0", b"\1\1\4\2", b"\3\3\x0e\1", b"\3\3\xff\1", b"\1\1\x08\x0a" + rnd.randbytes(8),
                       b"\2\4\5\xb4\1\3\3\7\1\1\4\2", b"\0\0\0\0", b"\5\0\1\1", b"\2\1\1\1", sacks(ack),
                       rnd.randbytes(4 * rnd.randrange(11))))


def tcp_parts(known):
    if known and rnd.random() < 0.8:
        port = rnd.choice(list(known))
        seq, ack = known[port]
        seq += rnd.choice((0, 0, 0, 0, 1, -1, 1460, 2920, 65535, 262143, 262144, -65536, 0x7fffffff, 0x80000000, rnd.randrange(1 << 32)))
        ack += rnd.choice((0, 0, 0, 0, -1, 1, -1400, 1 << 20, 0x80000000))
        flags = rnd.choice((w.ACK, w.ACK | w.PSH, w.ACK | w.FIN, w.ACK | w.URG, w.RST, w.SYN, w.SYN | w.ACK, rnd.randrange(256)))
    else:
        port, seq, ack, flags = rnd.randrange(1024, 65536), rnd.randrange(1 << 32), 0, w.SYN
    data = b"" if flags & w.SYN and rnd.random() < 0.9 else noise(1400)
    return [port, rnd.choice((7, 7, 7, 80)), seq, ack, flags, data, tcp_options(ack), rnd.choice((0, 1, 536, 65535))]


def tcp_frame():
    segment = w.tcp(*tcp_parts(connections))
    if segment[13] & w.URG:
        segment = segment[:18] + struct.pack("!H", rnd.choice((0, 1, 2, 1400, 65535, rnd.randrange(65536)))) + segment[20:]
        segment = w.with_sum(segment, 16, w.pseudo4(6, len(segment)))
    return w.ip4(6, segment)


def tcp6_frame():
    return w.ip6(6, w.tcp6(*tcp_parts(connections6)))


def udp6_frame():
    return w.ip6(17, w.udp6(rnd.randrange(65536), rnd.choice((7, 7, 53, 546, 547, 9999)), noise(1400)))


def udp_frame():
    return w.ip4(17, w.udp(rnd.randrange(65536), rnd.choice((7, 7, 53, 67, 68, 9999)), noise(1400)))


def fragment_frame():
    return w.ip4(rnd.choice((1, 6, 17)), noise(1400), rnd.randrange(20), rnd.choice((0x2000, 0)) | rnd.randrange(200))


def icmp_frame():
    kind = rnd.choice((8, 8, 0, 3, 3, 4, 5, 11, 12, 13, 17))
    inner = noise(1400)
    if kind in (3, 4, 5, 11, 12) and connections and rnd.random() < 0.6:  # about what the machine has sent
        port = rnd.choice(list(connections))
        inner = w.tcp_back(7, port, connections[port][1] + rnd.choice((0, -1, 1, -500))) + noise(20)
    elif kind in (3, 4, 5, 11, 12):
        inner = w.ip4(rnd.choice((1, 6, 17)), noise(60))
    return w.ip4(1, w.with_sum(struct.pack("!BBHI", kind, rnd.randrange(17), 0, rnd.choice((0, 68, 576, 1400, rnd.randrange(1 << 32)))) + inner, 2, b""))


def igmp_frame():
    return w.ip4(2, w.with_sum(bytes([rnd.choice((0x11, 0x16, 0x22)), 1, 0, 0]) + rnd.randbytes(4), 2, b""), options=b"\x94\4\0\0")


def arp_frame():
    return struct.pack("!HHBBH", 1, 0x0800, 6, 4, rnd.choice((1, 1, 2))) + w.OUR_MAC + rnd.choice(
        (w.OUR_IP, w.GUEST_IP, rnd.randbytes(4))) + bytes(6) + rnd.choice((w.GUEST_IP, rnd.randbytes(4)))


def nd_options():
    """What neighbours and routers tell, several at once; some lengths are none."""
    kinds = (b"\1\1" + w.OUR_MAC, b"\2\1" + w.OUR_MAC, b"\5\1\0\0" + struct.pack("!I", rnd.choice((0, 1279, 1280, 1500, 70000))),
             b"\3\4" + bytes([rnd.choice((0, 64, 65, 128, 255)), rnd.choice((0, 0x40, 0x80, 0xc0))]) +
             struct.pack("!III", rnd.choice((0, 1, 7199, 0xffffffff)), rnd.choice((0, 1, 0xffffffff)), 0) +
             rnd.choice((bytes.fromhex("fd00") + rnd.randbytes(6), bytes.fromhex("fe80") + bytes(6), rnd.randbytes(8))) + bytes(8),
             b"\x19\3\0\0" + struct.pack("!I", rnd.randrange(1 << 32)) + w.OUR_IP6, b"\x18\2\x40\0" + rnd.randbytes(12), b"\4\1" + rnd.randbytes(6),
             b"\1\0" + rnd.randbytes(6), b"\3\1" + rnd.randbytes(6), bytes([rnd.randrange(256), rnd.randrange(8)]) + rnd.randbytes(14))
    return b"".join(rnd.choice(kinds) for _ in range(rnd.randrange(5)))


def mld_frame():
    """Questions about groups and reports, version 1 and 2, with the router alert they need."""
    group = rnd.choice((bytes(16), ALL_NODES, bytes.fromhex("ff0200000000000000000001ff123456"), rnd.randbytes(16)))
    kind = rnd.choice((130, 130, 131, 132, 143))
    body = struct.pack("!HH", rnd.choice((0, 1, 0x7fff, 0x8fff, 0xffff)), 0) + group + rnd.choice(
        (b"", struct.pack("!BBH", rnd.randrange(256), rnd.randrange(256), rnd.randrange(4)) + rnd.randbytes(16 * rnd.randrange(3))))
    to = rnd.choice((w.GUEST_IP6, ALL_NODES, group))
    message = w.with_sum(bytes([kind, 0, 0, 0]) + body, 2, w.pseudo6(58, 4 + len(body), to))
    return w.ip6(0, bytes([58, 0, 5, 2, 0, 0, 1, 0]) + message, to, rnd.choice((1, 1, 255)))


def icmp6_frame():
    kind = rnd.choice((128, 129, 130, 131, 133, 134, 134, 135, 136, 137, 1, 2, 3, 4))
    if kind < 5 and connections6 and rnd.random() < 0.6:
        port = rnd.choice(list(connections6))
        quoted = struct.pack("!IHBB", 6 << 28, 20, 6, 64) + w.GUEST_IP6 + w.OUR_IP6 + struct.pack("!HHI", 7, port, connections6[port][1] & 0xffffffff)
        return w.icmp6(bytes([kind, rnd.randrange(8), 0, 0]) + struct.pack("!I", rnd.choice((0, 68, 1279, 1280, 1400, 70000))) + quoted + noise(40))
    to = rnd.choice((w.GUEST_IP6, ALL_NODES))
    body = {134: struct.pack("!BBHII", 64, rnd.randrange(256), 1800, 0, 0),
            135: bytes(4) + w.GUEST_IP6, 136: b"\x60\0\0\0" + w.OUR_IP6, 137: bytes(4) + w.OUR_IP6 + rnd.randbytes(16)}
    return w.icmp6(bytes([kind, 0, 0, 0]) + body.get(kind, noise(200) + bytes(4)) + nd_options(), to)


def extended6_frame():
    kinds = [rnd.choice((0, 43, 44, 44, 51, 59, 60, 135)) for _ in range(rnd.randrange(1, 6))]
    last = rnd.choice((6, 17, 17, 58, 59, 41, rnd.randrange(256)))
    payload = {6: w.tcp6(*tcp_parts(connections6)), 58: b"\x80\0\0\0\0\1\0\1ping", 17: w.udp6(1, 7, b"extended")}.get(last, noise(60))
    for i, _ in reversed(list(enumerate(kinds))):
        following = kinds[i + 1] if i + 1 < len(kinds) else last
        more = rnd.choice((0, 0, 0, 1, 2, rnd.randrange(256)))
        inside = rnd.choice((b"\1\4\0\0\0\0", b"\0\0\0\0\0\0", b"\xc2\4" + rnd.randbytes(4), rnd.randbytes(6)))
        payload = bytes([following, more]) + inside + (rnd.randbytes(8 * more) if more < 8 else b"") + payload
    return w.ip6(kinds[0], payload)


def pieces_of(data, most):
    """(offset, more follow, bytes) of all fragments; sometimes one is missing, twice there, or reaches into another."""
    cuts = sorted({8 * rnd.randrange(1, max(2, len(data) // 8)) for _ in range(rnd.randrange(1, most))} | {0})
    out = [(a, b < len(data), data[a:b]) for a, b in zip(cuts, cuts[1:] + [len(data)])]
    if rnd.random() < 0.3:
        at, more, d = rnd.choice(out)
        out.append(rnd.choice(((at, more, d), (at, not more, d), (at + 8, more, d), (at, more, d[:8]), (max(at - 8, 0), more, d), (65528, False, d[:8]))))
    if rnd.random() < 0.1:
        out.remove(rnd.choice(out))
    if rnd.random() < 0.5:
        rnd.shuffle(out)
    return out


def fragmented4():
    """A whole datagram in fragments, as packets."""
    ident, proto = rnd.randrange(65536), rnd.choice((17, 17, 17, 1, 6))
    data = {17: lambda: w.udp(rnd.randrange(65536), 7, noise(6000)), 6: lambda: w.tcp(*tcp_parts(connections)),
            1: lambda: w.with_sum(b"\x08\0\0\0" + noise(6000), 2, b"")}[proto]()
    return [w.ip4(proto, d, ident, more << 13 | at // 8) for at, more, d in pieces_of(data, 8)]


def fragmented6():
    ident, proto = rnd.randbytes(4), rnd.choice((17, 17, 58, 6, 44))
    data = {17: lambda: w.udp6(rnd.randrange(65536), 7, noise(6000)), 6: lambda: w.tcp6(*tcp_parts(connections6)),
            44: lambda: bytes([17, 0, 0, rnd.randrange(2)]) + ident + w.udp6(1, 7, noise(60)),
            58: lambda: w.icmp6(b"\x80\0\0\0" + noise(6000))[40:]}[proto]()
    return [w.ip6(44, struct.pack("!BBH", proto, 0, at | more) + ident + d) for at, more, d in pieces_of(data, 8)]


KINDS = [(tcp_frame, w.ETH4), (tcp_frame, w.ETH4), (tcp_frame, w.ETH4), (udp_frame, w.ETH4), (udp_frame, w.ETH4),
         (fragment_frame, w.ETH4), (icmp_frame, w.ETH4), (igmp_frame, w.ETH4), (arp_frame, w.ARP), (icmp6_frame, w.ETH6),
         (icmp6_frame, w.ETH6), (extended6_frame, w.ETH6), (tcp6_frame, w.ETH6), (tcp6_frame, w.ETH6), (udp6_frame, w.ETH6), (mld_frame, w.ETH6)]
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


waiting = []  # fragments that come later, between other frames


def frame():
    make, kind = rnd.choice(KINDS)
    if waiting and rnd.random() < 0.5:
        kind, packet = waiting.pop(0)
        if rnd.random() < 0.1:
            packet = mutate(packet)
        return w.eth(kind, packet)
    if rnd.random() < 0.05:
        waiting.extend((w.ETH4, p) for p in fragmented4())
        waiting.extend((w.ETH6, p) for p in fragmented6())
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


# ---- a machine that asks for its address ----

DHCP_FRAMES = 3000


def dhcp_frame(question):
    kind, number = question
    options = w.dhcp_options(rnd.choice((w.DHCP_OFFER if kind == 1 else w.DHCP_ACK,) * 3 + (w.DHCP_NAK, rnd.randrange(9))),
                             rnd.choice((1, 2, 60, 0, 0xffffffff)))
    how = rnd.randrange(7)
    if how == 0:
        options = rnd.randbytes(rnd.randrange(300))
    elif how == 1:  # options that go on in other fields
        options = bytes([52, 1, rnd.randrange(4)]) + options
    elif how == 2:
        options = options[:-1] + bytes([rnd.randrange(256), rnd.randrange(256)]) + rnd.randbytes(rnd.randrange(40)) + b"\xff"
    elif how == 3:
        options = options[:rnd.randrange(len(options))]
    elif how == 4:
        options = bytes(rnd.randrange(100)) + options
    packet = w.dhcp_answer(number, options)
    if rnd.random() < 0.3:
        packet = mend(w.ETH4, mutate(packet))
    return w.eth(w.ETH4, packet, rnd.choice((w.GUEST_MAC, b"\xff" * 6)))


def ask_for_an_address(cable, machine):
    """Answers that a DHCP server does not give, in all states; the machine goes on speaking."""
    asked = [None]

    def look(f):
        q = w.dhcp_question(f)
        if q:
            asked[0] = q[:2]
    cable.seen.append(look)
    machine.wait_for("up\n")
    end = time.monotonic() + 60
    while asked[0] is None and time.monotonic() < end:
        cable.take()
        time.sleep(0.01)
    for i in range(DHCP_FRAMES):
        cable.send(dhcp_frame(asked[0] or (1, b"none")))
        if i % 8 == 0:
            cable.take()
    ping = w.icmp6(b"\x80\0\0\0\0\1\0\1still there?")
    cable.wait(lambda f: f[54:55] == b"\x81" and f[62:74] == b"still there?" or None, w.eth(w.ETH6, ping))
    result(4, asked[0] is not None, "%d answers of no DHCP server" % DHCP_FRAMES, "" if asked[0] else "it has not asked")


def with_machine(work, **env):
    with w.Wire() as cable:
        with Machine("-v", "--net", "user", "--", ECHO, "7", env={"RF_TEST_NETDEV": cable.netdev(), "RF_TEST_DROP": "net", **env}) as machine:
            try:
                work(cable, machine)
            except AssertionError as e:
                machine.drain()
                print("Bail out! seed %d: %s\n# %s" % (SEED, e, machine.err[-3000:].replace("\n", "\n# ")), flush=True)
                sys.exit(1)


def main():
    print("1..4\n# seed %d" % SEED, flush=True)
    with_machine(run, RF_TEST_CONFIG="net=10.9.0.2/24,10.9.0.1")
    with_machine(ask_for_an_address)


main()
