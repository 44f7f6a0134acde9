# SPDX-License-Identifier: BSD-2-Clause
"""A network of a test's own."""
import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000


def enter(*lines):
    """A network namespace for this process and all that it starts from now on; lines are for `ip`. Why there is none, or None."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0 or libc.unshare(CLONE_NEWNET) != 0:
        return "no network namespace can be made here"
    for line in ("link set lo up", *lines):
        p = subprocess.run(["ip", *line.split()], capture_output=True)
        if p.returncode != 0:
            return "ip %s: %s" % (line, p.stderr.decode().strip())
    return None
