#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The network device from outside: QEMU's own network and a tap device in a namespace of this test's own, on each
machine and firmware; addresses and the files about them; what happens when nobody answers. Prints TAP."""
import contextlib
import os
import re
import select
import socket
import subprocess
import sys
import time

ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "test/support"))
# pylint: disable=wrong-import-position
import netns  # noqa: E402
from machine import LIMIT, TOOL, WRAPPER, Machine, expect  # noqa: E402

BUILD = os.environ.get("RF_BUILD", os.path.join(ROOT, "build"))
ECHO = os.path.join(BUILD, "prog/test/net/prog/echo")
TAP, HOST4, GUEST4, HOST6, GUEST6 = "rftap0", "10.201.0.1", "10.201.0.2", "fd2a::1", "fd2a::2"


def output(*args, env=None):
    e = dict(os.environ, RINGFENCE_QEMU=WRAPPER, **(env or {}))
    p = subprocess.run([TOOL, "run", *args], stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT, env=e)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def udp_echo(address, sizes=(1, 100, 1400)):
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect(address)
        for n in sizes:
            data = os.urandom(n)
            s.send(data)
            expect(s.recv(70000) == data, "another datagram came back (%d bytes)" % n)


def tcp_echo(address, size=300000):
    data = os.urandom(size)
    with socket.create_connection(address, timeout=10) as s:
        back = b""
        sent = 0
        s.setblocking(False)
        end = time.monotonic() + LIMIT
        while len(back) < size:
            want = [s] if sent < min(size, len(back) + 30000) else []
            r, w, _ = select.select([s], want, [], max(0, end - time.monotonic()))
            expect(r or w, "the echo stalls at %d of %d bytes" % (len(back), size))
            if w:
                sent += s.send(data[sent:sent + 20000])
            if r:
                got = s.recv(65536)
                expect(got, "closed at %d of %d bytes" % (len(back), size))
                back += got
        expect(back == data, "other bytes came back")


# ---- QEMU's own network ----

def user_network(*machine, env=None):
    tcp, udp = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_DGRAM)
    with Machine(*machine, "-p", "127.0.0.1:%d:7" % tcp, "-p", "127.0.0.1:%d:7/udp" % udp, "--", ECHO, "7", env=env) as m:
        m.wait_for("up\n")
        udp_echo(("127.0.0.1", udp))
        tcp_echo(("127.0.0.1", tcp))


def user_microvm():
    user_network()


def user_q35_qboot():
    user_network("--machine", "q35")


def user_q35_seabios():
    user_network("--machine", "q35", env={"RF_TEST_FIRMWARE": "seabios"})


def dhcp_gives_address_and_name_server():
    rc, out, err = output("-v", "--net", "user", "--", "/bin/busybox", "cat", "/etc/resolv.conf",
                          env={"RF_TEST_DROP": "net", "RF_TEST_CONFIG": "net=dhcp"})
    expect(rc == 0 and out == "nameserver 10.0.2.3\n", "got %d %r %r" % (rc, out, err))
    expect("eth0: 10.0.2.15" in err, err)


def files_about_the_machine():
    rc, out, err = output("--net", "user", "--", "/bin/busybox", "cat", "/etc/hosts", "/etc/hostname",
                          env={"RF_TEST_CONFIG": "dns=10.1.1.1"})
    expect(rc == 0 and "127.0.0.1\tlocalhost\n" in out and re.search(r"^10\.0\.2\.15\t(\S+)\n(.|\n)*^\1$", out, re.M),
           "got %d %r %r" % (rc, out, err))


def bad_addresses_are_refused():
    for net in ("10.0.0.1", "10.0.0.1/33", "10.0.0.1/24,nonsense", "10.0.0.1/24,fe80::1", "fd00::1/63", "dhcp;net=none",
                "10.0.0.1/24;net=10.0.0.2/24", "10.0.0.1/24,10.0.0.2,", "10.0.0.1/24,10.0.0.2,x", "/24"):
        rc, out, err = output("--net", "user", "--", "/bin/busybox", "true", env={"RF_TEST_DROP": "net", "RF_TEST_CONFIG": "net=" + net})
        expect(rc == 125 and "run configuration" in err, "net=%s: %d %r" % (net, rc, err))


def no_device_is_said():
    rc, _, err = output("--net", "none", "--", "/bin/busybox", "true",
                        env={"RF_TEST_DROP": "net", "RF_TEST_CONFIG": "net=dhcp"})
    expect(rc == 0 and "no network device" in err, "%d %r" % (rc, err))


def no_dhcp_server_is_said_and_goes_on():
    """A network in which nobody is: the program starts all the same, and gets an address of 169.254/16."""
    path = "/tmp/rf-nobody-%d" % os.getpid()
    silent = "dgram,{id},local.type=unix,local.path=%s.a,remote.type=unix,remote.path=%s.b" % (path, path)
    with contextlib.ExitStack() as stack:
        s = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        s.bind(path + ".b")
        stack.callback(lambda: [os.unlink(path + e) for e in (".a", ".b") if os.path.exists(path + e)])
        m = stack.enter_context(Machine("-v", "--net", "user", "--", ECHO, "7",
                                        env={"RF_TEST_NETDEV": silent, "RF_TEST_DROP": "net"}))
        m.wait_for("up\n")
        expect("no DHCP server" not in m.err, "the program waited too long: " + m.err)
        m.wait_for("no DHCP server answers")
        m.wait_for("eth0: 169.254.")


# ---- a tap device ----

def enter_namespace():
    """The network with our end of the tap device. False: not allowed here."""
    return netns.enter("tuntap add %s mode tap" % TAP, "addr add %s/24 dev %s" % (HOST4, TAP),
                       "-6 addr add %s/64 dev %s nodad" % (HOST6, TAP), "link set %s up" % TAP) is None


def ping(*args):
    p = subprocess.run(["ping", "-q", *args], capture_output=True, timeout=LIMIT)
    expect(p.returncode == 0 and b" 0% packet loss" in p.stdout, "ping %s: %r" % (" ".join(args), p.stdout + p.stderr))


def tap_network(*machine, env=None):
    config = {"RF_TEST_CONFIG": "net=%s/64,%s" % (GUEST6, HOST6)}
    with Machine(*machine, "--net", "tap=" + TAP, "--ip", "%s/24,%s" % (GUEST4, HOST4), "--", ECHO, "7",
                 env=dict(config, **(env or {}))) as m:
        m.wait_for("up\n")
        ping("-c", "20", "-i", "0.01", GUEST4)
        ping("-c", "5", "-i", "0.01", "-s", "6000", GUEST4)
        ping("-c", "5", "-i", "0.01", GUEST6)
        ping("-c", "5", "-i", "0.01", "-s", "6000", GUEST6)
        for host in (GUEST4, GUEST6):
            udp_echo((host, 7), (0, 1, 1472, 5000, 60000))
            tcp_echo((host, 7), 2000000)


def tap_microvm():
    tap_network()


def tap_q35_qboot():
    tap_network("--machine", "q35")


def tap_q35_seabios():
    tap_network("--machine", "q35", env={"RF_TEST_FIRMWARE": "seabios"})


def tap_flood():
    """More at once than the device has buffers for: nothing stalls, and little is lost."""
    with Machine("--net", "tap=" + TAP, "--ip", "%s/24" % GUEST4, "--", ECHO, "7") as m:
        m.wait_for("up\n")
        p = subprocess.run(["ping", "-q", "-f", "-l", "500", "-c", "20000", "-w", "30", GUEST4], capture_output=True,
                           timeout=LIMIT)
        got = re.search(r"(\d+) received", p.stdout.decode())
        expect(got and int(got.group(1)) > 10000, "%r" % p.stdout)
        udp_echo((GUEST4, 7))
        tcp_echo((GUEST4, 7))


PLAIN = [user_microvm, user_q35_qboot, user_q35_seabios, dhcp_gives_address_and_name_server, files_about_the_machine,
         bad_addresses_are_refused, no_device_is_said, no_dhcp_server_is_said_and_goes_on]
WITH_TAP = [tap_microvm, tap_q35_qboot, tap_q35_seabios, tap_flood]


def main():
    names = sys.argv[1:]
    chosen = [t for t in PLAIN + WITH_TAP if not names or t.__name__ in names]
    entered = tap = False
    print("1..%d" % len(chosen), flush=True)
    for number, t in enumerate(chosen, 1):
        if t in WITH_TAP and not entered:
            entered, tap = True, enter_namespace()
        name = t.__name__.replace("_", " ")
        if t in WITH_TAP and not tap:
            print("ok %d - %s # SKIP no network namespace with a tap device can be made here" % (number, name), flush=True)
            continue
        try:
            t()
            print("ok %d - %s" % (number, name), flush=True)
        except (AssertionError, OSError, subprocess.SubprocessError) as e:
            print("not ok %d - %s\n# %s" % (number, name, str(e).replace("\n", "\n# ")), flush=True)


main()
