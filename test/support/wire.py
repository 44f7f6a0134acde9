# SPDX-License-Identifier: BSD-2-Clause
"""The other end of a machine's cable: QEMU's network device by a socket (`-netdev dgram`), frames made by hand."""
import os
import select
import socket
import struct
import time

OUR_MAC, OUR_IP = bytes.fromhex("020000000001"), bytes([10, 9, 0, 1])
GUEST_MAC, GUEST_IP = bytes.fromhex("525400123456"), bytes([10, 9, 0, 2])
OUR_IP6 = bytes.fromhex("fe80000000000000" "00000000000000aa")
GUEST_IP6 = bytes.fromhex("fe80000000000000" "505400fffe123456")
ETH4, ETH6, ARP = 0x0800, 0x86dd, 0x0806
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
DHCP_OFFER, DHCP_ACK, DHCP_NAK = 2, 5, 6


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def eth(kind, payload, to=GUEST_MAC):
    return to + OUR_MAC + struct.pack("!H", kind) + payload


def ip4(proto, payload, ident=0, fragment=0, options=b""):
    head = struct.pack("!BBHHHBBH", 0x45 + len(options) // 4, 0, 20 + len(options) + len(payload), ident, fragment, 64, proto, 0)
    head += OUR_IP + GUEST_IP + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ip6(proto, payload, to=GUEST_IP6, hops=255):
    return struct.pack("!IHBB", 6 << 28, len(payload), proto, hops) + OUR_IP6 + to + payload


def pseudo4(proto, length):
    return OUR_IP + GUEST_IP + struct.pack("!BBH", 0, proto, length)


def pseudo6(proto, length, to=GUEST_IP6):
    return OUR_IP6 + to + struct.pack("!IHBB", length, 0, 0, proto)


def with_sum(data, at, pseudo):
    data = data[:at] + b"\0\0" + data[at + 2:]
    return data[:at] + struct.pack("!H", checksum(pseudo + data)) + data[at + 2:]


def udp(sport, dport, data):
    d = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
    return with_sum(d, 6, pseudo4(17, len(d)))


def tcp(sport, dport, seq, ack, flags, data=b"", options=b"", window=65535):
    d = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xffffffff, ack & 0xffffffff, (5 + len(options) // 4) << 4, flags,
                    window, 0, 0) + options + data
    return with_sum(d, 16, pseudo4(6, len(d)))


def tcp_back(sport, dport, seq):
    """The beginning of a segment of the guest's, as an ICMP error brings it back."""
    head = struct.pack("!BBHHHBBH", 0x45, 0, 40, 0, 0, 64, 6, 0) + GUEST_IP + OUR_IP
    return head + struct.pack("!HHI", sport, dport, seq & 0xffffffff)


def tcp6(sport, dport, seq, ack, flags, data=b"", options=b"", window=65535):
    d = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xffffffff, ack & 0xffffffff, (5 + len(options) // 4) << 4, flags,
                    window, 0, 0) + options + data
    return with_sum(d, 16, pseudo6(6, len(d)))


def udp6(sport, dport, data):
    d = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
    return with_sum(d, 6, pseudo6(17, len(d)))


def dhcp_question(frame):
    """(type, number, what goes with the name of the machine) of a frame from a DHCP client; None: something else."""
    if len(frame) < 282 or frame[12:14] != b"\x08\x00" or frame[23] != 17 or frame[36:38] != b"\0\x43":
        return None
    at, options = 282, {}
    while at + 1 < len(frame) and frame[at] != 255:
        options[frame[at]] = frame[at + 2:at + 2 + frame[at + 1]]
        at += 2 + frame[at + 1]
    return options.get(53, b"\0")[0], frame[46:50], options.get(12)


def dhcp_options(kind, lease=3600):
    return (bytes([53, 1, kind, 54, 4]) + OUR_IP + b"\x33\4" + struct.pack("!I", lease) + b"\1\4\xff\xff\xff\0" + b"\3\4" + OUR_IP +
            b"\6\4" + OUR_IP + b"\xff")


def dhcp_answer(number, options, mac=GUEST_MAC):
    d = bytes([2, 1, 6, 0]) + number + bytes(8) + GUEST_IP + OUR_IP + bytes(4) + mac + bytes(10 + 192) + b"\x63\x82\x53\x63" + options
    return ip4(17, udp(67, 68, d))


def icmp6(data, to=GUEST_IP6):
    return ip6(58, with_sum(data, 2, pseudo6(58, len(data), to)), to)


def parse_tcp(frame):
    """(our port, their port, seq, ack, flags, data) of a frame from the guest; None: something else."""
    if len(frame) < 54 or frame[12:14] != b"\x08\x00" or frame[23] != 6:
        return None
    head = 14 + (frame[14] & 15) * 4
    total = struct.unpack("!H", frame[16:18])[0]
    sport, dport, seq, ack, off, flags = struct.unpack("!HHIIBB", frame[head:head + 14])
    return dport, sport, seq, ack, flags, frame[head + (off >> 4) * 4:14 + total]


class Wire:
    """A context; netdev() is for QEMU's -netdev."""

    def __init__(self):
        self.path = "/tmp/rf-wire-%d" % os.getpid()
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.s.bind(self.path + ".b")
        self.s.setblocking(False)
        self.seen = []  # called with each frame that comes
        self.sent = self.received = 0

    def netdev(self):
        return "dgram,{id},local.type=unix,local.path=%s.a,remote.type=unix,remote.path=%s.b" % (self.path, self.path)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.s.close()
        for e in (".a", ".b"):
            if os.path.exists(self.path + e):
                os.unlink(self.path + e)

    def take(self):
        """All frames that are there."""
        frames = []
        while True:
            try:
                frames.append(self.s.recv(70000))
            except BlockingIOError:
                break
        for f in frames:
            self.received += 1
            self.answer(f)
            for fn in self.seen:
                fn(f)
        return frames

    def answer(self, f):
        """What every neighbour answers, so that the guest can speak at all."""
        if f[12:14] == b"\x08\x06" and f[20:22] == b"\0\1" and f[38:42] == OUR_IP:
            self.send(eth(ARP, struct.pack("!HHBBH", 1, ETH4, 6, 4, 2) + OUR_MAC + OUR_IP + f[22:28] + f[28:32], f[6:12]))
        if f[12:14] == b"\x86\xdd" and len(f) >= 78 and f[54] == 135 and f[62:78] == OUR_IP6:
            to = f[22:38] if any(f[22:38]) else bytes.fromhex("ff02") + bytes(13) + b"\1"
            self.send(eth(ETH6, icmp6(b"\x88\0\0\0\x60\0\0\0" + OUR_IP6 + b"\2\1" + OUR_MAC, to), f[6:12]))

    def send(self, frame, limit=20):
        end = time.monotonic() + limit
        while True:
            try:
                self.s.sendto(frame, self.path + ".a")
                self.sent += 1
                return
            except (BlockingIOError, ConnectionRefusedError, FileNotFoundError):
                if time.monotonic() > end:
                    raise AssertionError("the machine takes no more frames") from None
            r, _, _ = select.select([self.s], [self.s], [], 0.2)
            if r:
                self.take()

    def wait(self, wanted, again=None, limit=20):
        """The first answer wanted(frame) that is not None. `again` is sent every second."""
        end = time.monotonic() + limit
        resend = 0
        while time.monotonic() < end:
            if again is not None and time.monotonic() >= resend:
                self.send(again)
                resend = time.monotonic() + 1
            select.select([self.s], [], [], 0.2)
            for f in self.take():
                answer = wanted(f)
                if answer is not None:
                    return answer
        raise AssertionError("no answer")

    # ---- what a healthy machine does ----

    def ask(self, data, port=7, sport=40000):
        """A datagram and the answer to it."""
        def wanted(f):
            ours = len(f) > 42 and f[12:14] == b"\x08\0" and f[23] == 17 and f[36:38] == struct.pack("!H", sport)
            return f[42:14 + struct.unpack("!H", f[16:18])[0]] if ours else None
        return self.wait(wanted, eth(ETH4, ip4(17, udp(sport, port, data))))

    def tcp_echo(self, data, port=7, sport=41000, seq=1000):
        """A connection, opened, used and closed by the rules."""
        def of(flags):
            def wanted(f):
                t = parse_tcp(f)
                return t if t and t[0] == sport and t[4] & flags == flags else None
            return wanted
        their = self.wait(of(SYN | ACK), eth(ETH4, ip4(6, tcp(sport, port, seq, 0, SYN))))[2] + 1
        self.send(eth(ETH4, ip4(6, tcp(sport, port, seq + 1, their, ACK))))
        got = self.wait(lambda f: (lambda t: t if t and t[5] else None)(of(ACK)(f)),
                        eth(ETH4, ip4(6, tcp(sport, port, seq + 1, their, ACK | PSH, data))))
        their += len(got[5])
        done = eth(ETH4, ip4(6, tcp(sport, port, seq + 1 + len(data), their, ACK | FIN)))
        self.wait(of(FIN), done)
        self.send(eth(ETH4, ip4(6, tcp(sport, port, seq + 2 + len(data), their + 1, ACK))))
        return got[5]
