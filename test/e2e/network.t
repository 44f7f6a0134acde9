#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Machines on a tap device of this host, in a network namespace of this test's own. Prints TAP."""
import http.client
import os
import sys

ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "test/support"))
# pylint: disable=wrong-import-position
from e2e import Service, Skip, equal, expect, host, is_gone, main, own_network, rf, state, test, until  # noqa: E402

TAP, HERE, THERE = "rftap1", "10.202.0.1", "10.202.0.2"
entered = []


def on_tap():
    """Once: the network and its device."""
    if not entered:
        entered.append(None)
        own_network("tuntap add %s mode tap" % TAP, "addr add %s/24 dev %s" % (HERE, TAP), "link set %s up" % TAP)
        entered[0] = True
    if not entered[0]:
        raise Skip("no network namespace with a tap device can be made here")
    return ["--net", "tap=" + TAP]


def page(address):
    c = http.client.HTTPConnection(address, 80, timeout=10)
    try:
        c.request("GET", "/")
        return c.getresponse().status
    except OSError:
        return None  # it does not listen yet
    finally:
        c.close()


@test
def a_server_with_an_address_of_its_own():
    with Service("tap", "nginx", ports=(), options=[*on_tap(), "--ip", "%s/24,%s" % (THERE, HERE)]) as s:
        until(lambda: page(THERE) == 200, "nginx's page")
        equal(host("ping", "-q", "-c", "3", "-i", "0.05", THERE).returncode, 0)
        # Its device is for one machine.
        p = rf("run", *on_tap(), "--ip", "10.202.0.3/24", "true")
        expect(p.returncode == 125 and b"the tap device rftap1 is in use" in p.stderr, (p.returncode, p.stderr))
        equal(page(THERE), 200)
        qemu = state("tap")["qemu"]
        equal(s.stop(), 0)
        expect(is_gone(qemu), "QEMU is still there")
    equal(rf("run", *on_tap(), "--ip", "10.202.0.3/24", "true").returncode, 0)


@test
def devices_that_do_not_fit():
    on_tap()
    p = rf("run", "--net", "tap=lo", "--ip", "10.202.0.3/24", "true")
    expect(p.returncode == 125 and b"lo is no tap device" in p.stderr, (p.returncode, p.stderr))
    p = rf("run", "--net", "tap=none-0", "true")
    expect(p.returncode == 125 and b"there is no network device none-0" in p.stderr, (p.returncode, p.stderr))


@test
def nobody_gives_an_address():
    """The program starts all the same, is told of it, and has an address of 169.254/16 in the end."""
    with Service("dhcp", "sleep", "1000", ports=(), options=[*on_tap(), "--also", "cat"]) as s:
        until(lambda: "no DHCP server answers" in s.log(), "the message")
        until(lambda: b"169.254." in s.exec("cat", "/etc/hosts").stdout, "the address")
        expect(s.is_up(), "the machine has ended")


if __name__ == "__main__":
    sys.exit(main())
