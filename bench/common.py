# SPDX-License-Identifier: BSD-2-Clause
"""What benchmarks share: each other's parts, functions of the kernel by address, a small machine for one static program."""
import bisect
import collections
import importlib.machinery
import importlib.util
import os
import re
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
BUILD = os.environ.get("RF_BUILD", os.path.join(ROOT, "build"))
BEARSSL = os.path.join(ROOT, "deps/bearssl")
# As the Makefile compiles the provider's pieces of BearSSL.
BEARSSL_FLAGS = ["-O3", "-w", "-I" + BEARSSL + "/inc", "-I" + BEARSSL, "-I" + BEARSSL + "/src", "-DBR_SSE2=0",
                 "-DBR_AES_X86NI=0", "-DBR_RDRAND=0"]
KERNEL_HALF = 1 << 47
PROGRAM = "(program)"
ICOUNT = ["-icount", "shift=0,sleep=off"]
QEMU = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-nodefaults", "-no-user-config", "-display", "none",
        "-serial", "stdio", "-monitor", "none", "-no-reboot", "-M", "microvm,acpi=off", "-global",
        "virtio-mmio.force-legacy=false", "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-m", "64M"]
sys.dont_write_bytecode = True


def module(name):
    """Another benchmark, whose file has no ending."""
    loader = importlib.machinery.SourceFileLoader("bench_" + name, os.path.join(HERE, name))
    m = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(m)
    return m


class Symbols:
    """The kernel's function at an address."""

    def __init__(self, elf):
        out = subprocess.run(["nm", "-n", elf], capture_output=True, check=True).stdout.decode()
        found = re.findall(r"^([0-9a-f]{16}) [tTwW] ([^.\s]\S*)$", out, re.M)
        self.at = [int(a, 16) for a, _ in found]
        self.names = [n for _, n in found]

    def function(self, pc):
        i = bisect.bisect_right(self.at, pc) - 1
        return self.names[i] if pc >= KERNEL_HALF and i >= 0 else PROGRAM


class Counts:
    """How often each block of a machine has run: start QEMU with .argv, read at any time."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "counts")
        plugin = os.path.join(folder, "libcount.so")
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-o", plugin, os.path.join(HERE, "count.c")],
                       check=True)
        self.argv = ["-plugin", "%s,to=%s" % (plugin, self.path)]

    def read(self):
        """{(address, place in the file): instructions}"""
        with open(self.path, "rb") as f:
            n = struct.unpack("<Q", f.read(8))[0]
            data = f.read(24 * n)
        return {(pc, i): size * times for i, (pc, size, times) in enumerate(struct.iter_unpack("<3Q", data)) if times}

    @staticmethod
    def total(before, after):
        """Counter of the instructions between two read(), by address of the block."""
        total = collections.Counter()
        for place, n in after.items():
            total[place[0]] += n - before.get(place, 0)
        return total


def make_root(folder):
    """The folders that a root has."""
    for name in ("dev", "proc", "sys", "tmp", "run"):
        os.makedirs(os.path.join(folder, name))
    return folder


def make_image(folder, program):
    """The folder as an image beside it, and what is to run in it."""
    subprocess.run(["mkfs.erofs", "--quiet", "-Enoinline_data,force-inode-extended", folder + ".erofs", folder], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(folder + ".run", "wb") as f:
        f.write(b"exe=/%s\0arg=/%s\0env=PATH=/\0" % (program, program))


def run_image(folder, more, timeout, stderr=None):
    """What the program of make_image() says on the serial line. stderr: a file for what QEMU says."""
    errors = open(stderr, "wb") if stderr else None
    p = subprocess.run(QEMU + ["-kernel", os.path.join(BUILD, "kernel.elf"), "-initrd", folder + ".erofs", "-fw_cfg",
                               "name=opt/ringfence/run,file=" + folder + ".run"] + more,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, timeout=timeout, check=False)
    if errors is not None:
        errors.close()
    return p.stdout.decode(errors="replace").replace("\r", "")
