#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What peers do that no socket of the host can be made to do: TCP by hand. Prints TAP."""
import os
import re
import select
import struct
import sys
import time

ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "test/support"))
# pylint: disable=wrong-import-position
import wire as w  # noqa: E402
from machine import Machine, expect  # noqa: E402

ECHO = os.path.join(os.environ.get("RF_BUILD", os.path.join(ROOT, "build")), "prog/test/net/prog/echo")


def send(cable, port, seq, ack, flags, data=b"", window=65535):
    cable.send(w.eth(w.ETH4, w.ip4(6, w.tcp(port, 7, seq, ack, flags, data, window=window))))


def wait(cable, port, flags, data=False):
    """(seq, ack, data) of the next segment to this port with these flags."""
    def wanted(f):
        t = w.parse_tcp(f)
        fits = t and t[0] == port and t[4] & flags == flags and (t[5] or not data)
        return (t[2], t[3], t[5]) if fits else None
    return cable.wait(wanted)


def lives(cable, seconds):
    end = time.monotonic() + seconds
    n = 0
    while time.monotonic() < end:
        n += 1
        expect(cable.ask(b"%d" % n) == b"%d" % n, "another datagram came back")


def probe_of_a_closed_window_is_taken(cable):
    """The byte that asks whether the window is open is acknowledged while the window stays closed."""
    port, seq = 45000, 7000
    send(cable, port, seq, 0, w.SYN)
    their = wait(cable, port, w.SYN | w.ACK)[0] + 1
    send(cable, port, seq + 1, their, w.ACK | w.PSH, b"x", window=0)
    at, _, data = wait(cable, port, w.ACK, data=True)
    expect(at == their and data == b"x", "another probe: %r" % data)
    send(cable, port, seq + 2, their + 1, w.ACK, window=0)
    lives(cable, 2)
    send(cable, port, seq + 2, their + 1, w.ACK | w.PSH, b"more")
    expect(wait(cable, port, w.ACK, data=True)[2] == b"more", "no echo when the window is open again")
    send(cable, port, seq + 6, their + 5, w.RST)


def byte_half_the_sequence_space_away(cable):
    """Neither before nor behind what is expected: signed comparison takes it for both."""
    port, seq = 45001, 9000
    send(cable, port, seq, 0, w.SYN)
    their = wait(cable, port, w.SYN | w.ACK)[0] + 1
    send(cable, port, seq + 1, their, w.ACK)
    for far in (0x80000000, 0x7fffffff, 0x80000001):
        for flags, data in ((w.ACK | w.PSH, b"x"), (w.ACK | w.FIN, b""), (w.ACK | w.FIN, b"x"), (w.ACK, bytes(1000))):
            send(cable, port, seq + 1 + far, their, flags, data)
    lives(cable, 0.2)
    send(cable, port, seq + 1, their, w.ACK | w.PSH, b"here")
    expect(wait(cable, port, w.ACK, data=True)[2] == b"here", "no echo afterwards")
    send(cable, port, seq + 5, their + 4, w.RST)


def connection_goes_on_after_icmp(cable):
    """An error about a connection that stands may be anybody's guess, or pass."""
    port, seq = 45002, 11000
    send(cable, port, seq, 0, w.SYN)
    their = wait(cable, port, w.SYN | w.ACK)[0] + 1
    send(cable, port, seq + 1, their, w.ACK | w.PSH, b"x")
    wait(cable, port, w.ACK, data=True)
    for code in range(16):
        cable.send(unreachable(code, w.tcp_back(7, port, their)))
    lives(cable, 0.2)
    send(cable, port, seq + 2, their + 1, w.ACK | w.PSH, b"more")
    expect(wait(cable, port, w.ACK, data=True)[2] == b"more", "no echo afterwards")
    send(cable, port, seq + 6, their + 5, w.RST)


def fragments_of_fragments(cable):
    """What is put together is a fragment again; in any order, and three deep."""
    def piece(follows, at, more, ident, data):
        return struct.pack("!BBHI", follows, 0, at | more, ident) + data

    def send6(payload):
        cable.send(w.eth(w.ETH6, w.ip6(44, payload)))

    datagram = w.udp6(40000, 7, b"in fragments")
    for turn, backwards in enumerate((False, True)):
        inner = piece(17, 0, 1, 500 + turn, datagram[:16])
        rest = piece(17, 16, 0, 500 + turn, datagram[16:])
        outer = [piece(44, 0, 1, 600 + turn, inner[:16]), piece(44, 16, 0, 600 + turn, inner[16:])]
        for p in reversed(outer) if backwards else outer:
            send6(p)
        send6(rest)
        deep = [piece(44, 0, 1, 700 + turn, outer[0][:16]), piece(44, 16, 0, 700 + turn, outer[0][16:])]
        for p in reversed(deep) if backwards else deep:
            send6(p)
    lives(cable, 0.2)


def tcp_of_packet(packet):
    """(sequence number, flags, data) of the machine's TCP in an IPv6 packet, whose checksum must be good; None: it is no TCP."""
    t = packet[40:]
    if packet[6] != 6:
        return None
    pseudo = packet[8:40] + struct.pack("!IHBB", len(t), 0, 0, 6)
    expect(w.with_sum(t, 16, pseudo) == t, "a wrong checksum")
    return struct.unpack("!I", t[4:8])[0], t[13], t[(t[12] >> 4) * 4:]


def packets_of(f, pieces):
    """The IPv6 packet in a frame, or the one whose last fragment it is."""
    if f[12:14] != b"\x86\xdd":
        return None
    p = f[14:54 + struct.unpack("!H", f[18:20])[0]]
    if p[6] != 44:
        return p
    place = struct.unpack("!H", p[42:44])[0]
    expect(len(p) <= 1280, "a fragment of %d bytes" % len(p))
    pieces.setdefault(p[44:48], {})[place & ~7] = p[48:]
    if place & 1:
        return None
    whole = pieces.pop(p[44:48])
    return p[:6] + p[40:41] + p[7:40] + b"".join(whole[at] for at in sorted(whole))


def path_of_ipv6_becomes_narrower(cable):
    """A segment under way is larger than the path: it comes again in fragments, as often as need be."""
    port, seq, pieces, data = 45003, 12000, {}, bytes(range(200)) * 7

    def say(seq, ack, flags, data=b"", options=b""):
        cable.send(w.eth(w.ETH6, w.ip6(6, w.tcp6(port, 7, seq, ack, flags, data, options))))

    def hear(wanted):
        def look(f):
            p = packets_of(f, pieces)
            t = p and tcp_of_packet(p)
            return (p, t) if t and wanted(t) else None
        return cable.wait(look)

    say(seq, 0, w.SYN, options=b"\2\4\5\xa0")
    their = hear(lambda t: t[1] & w.SYN)[1][0] + 1
    say(seq + 1, their, w.ACK | w.PSH, data)
    packet, t = hear(lambda t: t[2])
    expect(t[2] == data, "another echo")
    for mtu in (0, 40, 48, 56, 1279, 1280):
        cable.send(w.eth(w.ETH6, w.icmp6(b"\2\0\0\0" + struct.pack("!I", mtu) + packet[:1100])))
    for _ in range(3):
        packet, t = hear(lambda t: t[2])
        expect(t[0] == their and t[2] == data, "something else comes again")
    say(seq + 1 + len(data), their + len(data), w.ACK | w.PSH, b"and on")
    expect(hear(lambda t: t[2])[1][2] == b"and on", "no echo afterwards")
    say(seq + 7 + len(data), 0, w.RST)


def window_that_grows_while_connecting():
    """SO_RCVBUF between the SYN and the answer to it, with window scaling."""
    program = """import socket, select, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
s.setblocking(False)
s.connect_ex(("10.9.0.1", 81))
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 200000)
print("asked", file=sys.stderr)
select.select([], [s], [])
print("error", s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), file=sys.stderr)
"""
    asked = []
    with w.Wire() as cable:
        def look(f):
            t = w.parse_tcp(f)
            if t and t[4] == w.SYN:
                asked.append(t)
        cable.seen.append(look)
        with Machine("-v", "--net", "user", "--", "python3", "-c", program, env={
                "RF_TEST_NETDEV": cable.netdev(), "RF_TEST_DROP": "net", "RF_TEST_CONFIG": "net=10.9.0.2/24,10.9.0.1"}) as machine:
            machine.wait_for("asked\n")
            end = time.monotonic() + 60
            while "error " not in machine.err and machine.p.poll() is None:
                machine.drain()
                cable.take()
                for t in asked:
                    cable.send(w.eth(w.ETH4, w.ip4(6, w.tcp(81, t[1], 5000, t[2] + 1, w.SYN | w.ACK, options=b"\2\4\5\xb4\1\3\3\7"))))
                asked.clear()
                expect(time.monotonic() < end, "no end: " + machine.err[-1500:])
                select.select([cable.s, machine.p.stderr], [], [], 1)
            expect("error 0\n" in machine.err, machine.err[-1500:])


def unreachable(code, packet, kind=3):
    """The frame of an ICMP error about a packet of the guest."""
    return w.eth(w.ETH4, w.ip4(1, w.with_sum(struct.pack("!BBHI", kind, code, 0, 0) + packet[:28], 2, b"")))


def attempt(answer, to="10.9.0.1"):
    """What a client's connect() says when its SYN is answered by answer(frame)."""
    with w.Wire() as cable:
        def look(f):
            t = w.parse_tcp(f)
            if t and t[4] == w.SYN:
                for a in answer(f):
                    cable.send(a)
        cable.seen.append(look)
        with Machine("-v", "--net", "user", "--", "/bin/busybox", "nc", to, "81",
                     env={"RF_TEST_NETDEV": cable.netdev(), "RF_TEST_DROP": "net",
                          "RF_TEST_CONFIG": "net=10.9.0.2/24,10.9.0.1"}) as machine:
            end = time.monotonic() + 60
            while "nc: " not in machine.err:
                machine.drain()
                cable.take()
                expect(time.monotonic() < end, "connect() does not end: " + machine.err)
                select.select([cable.s, machine.p.stderr], [], [], 1)
            return re.search(r"nc: .*: (.*)", machine.err).group(1)


def attempts_end_by_icmp():
    """As on Linux, whether the error may pass or not."""
    for code, text in ((0, "Network is unreachable"), (1, "No route to host"), (2, "Protocol not available"),
                       (3, "Connection refused"), (13, "No route to host")):
        said = attempt(lambda f, c=code: [unreachable(c, f[14:])])
        expect(said == text, "code %d: %s" % (code, said))


def error_about_another_segment_is_nobodys():
    def answer(f):
        seq = struct.unpack("!I", f[38:42])[0]
        other = f[14:38] + struct.pack("!I", seq + 1000 & 0xffffffff)
        reset = w.tcp(81, struct.unpack("!H", f[34:36])[0], 0, seq + 1, w.RST | w.ACK)
        return [unreachable(1, other), w.eth(w.ETH4, w.ip4(6, reset))]
    expect(attempt(answer) == "Connection refused", "the error was taken")


def nobody_has_the_address():
    """No answer to ARP: three seconds."""
    expect(attempt(lambda f: [], "10.9.0.77") == "No route to host", "another error")


def address_by_dhcp_with_the_longest_name():
    """The name of the machine goes into the questions, which have little room."""
    name = "n" * 63
    names = set()
    with w.Wire() as cable:
        def look(f):
            q = w.dhcp_question(f)
            if q:
                names.add((q[0], q[2]))
                cable.send(w.eth(w.ETH4, w.dhcp_answer(q[1], w.dhcp_options({1: w.DHCP_OFFER}.get(q[0], w.DHCP_ACK)))))
        cable.seen.append(look)
        with Machine("-v", "--net", "user", "--name", name, "--", ECHO, "7",
                     env={"RF_TEST_NETDEV": cable.netdev(), "RF_TEST_DROP": "net"}) as machine:
            try:
                expect(cable.ask(b"hello") == b"hello", "another datagram came back")
            except AssertionError as e:
                machine.drain()
                raise AssertionError("%s\n%s" % (e, machine.err[-1500:])) from e
    expect((3, name.encode()) in names, "the names in its questions: %r" % names)


ATTEMPTS = [window_that_grows_while_connecting, address_by_dhcp_with_the_longest_name, attempts_end_by_icmp, error_about_another_segment_is_nobodys, nobody_has_the_address]
TESTS = [path_of_ipv6_becomes_narrower, fragments_of_fragments, connection_goes_on_after_icmp, probe_of_a_closed_window_is_taken, byte_half_the_sequence_space_away]


def with_echo(test):
    with w.Wire() as cable:
        with Machine("-v", "--net", "user", "--", ECHO, "7",
                     env={"RF_TEST_NETDEV": cable.netdev(), "RF_TEST_DROP": "net",
                          "RF_TEST_CONFIG": "net=10.9.0.2/24,10.9.0.1"}) as machine:
            try:
                machine.wait_for("up\n")
                test(cable)
            except AssertionError as e:
                machine.drain()
                raise AssertionError("%s\n%s" % (e, machine.err[-1500:])) from e


def main():
    print("1..%d" % (len(TESTS) + len(ATTEMPTS)))
    for number, t in enumerate(TESTS + ATTEMPTS, 1):
        name = t.__name__.replace("_", " ")
        try:
            if t in TESTS:
                with_echo(t)
            else:
                t()
            print("ok %d - %s" % (number, name), flush=True)
        except AssertionError as e:
            print("not ok %d - %s\n# %s" % (number, name, str(e).replace("\n", "\n# ")), flush=True)


main()
