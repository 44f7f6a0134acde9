#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What peers do that no socket of the host can be made to do: TCP by hand. Prints TAP."""
import os
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


TESTS = [probe_of_a_closed_window_is_taken, byte_half_the_sequence_space_away]


def main():
    print("1..%d" % len(TESTS), flush=True)
    for number, t in enumerate(TESTS, 1):
        with w.Wire() as cable:
            with Machine("-v", "--net", "user", "--", ECHO, "7",
                         env={"RF_TEST_NETDEV": cable.netdev(), "RF_TEST_DROP": "net",
                              "RF_TEST_CONFIG": "net=10.9.0.2/24,10.9.0.1"}) as machine:
                try:
                    machine.wait_for("up\n")
                    t(cable)
                    print("ok %d - %s" % (number, t.__name__.replace("_", " ")), flush=True)
                except AssertionError as e:
                    machine.drain()
                    print("not ok %d - %s\n# %s\n# %s" % (number, t.__name__.replace("_", " "), e,
                                                          machine.err[-1500:].replace("\n", "\n# ")), flush=True)


main()
