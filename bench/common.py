# SPDX-License-Identifier: BSD-2-Clause
"""What benchmarks share: each other's parts, functions of the kernel by address, a small machine for one static program."""
import bisect
import importlib.machinery
import importlib.util
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
BUILD = os.environ.get("RF_BUILD", os.path.join(ROOT, "build"))
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


def run_image(folder, more, timeout):
    """What the program of make_image() says on the serial line."""
    p = subprocess.run(QEMU + ["-kernel", os.path.join(BUILD, "kernel.elf"), "-initrd", folder + ".erofs", "-fw_cfg",
                               "name=opt/ringfence/run,file=" + folder + ".run"] + more,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=timeout, check=False)
    return p.stdout.decode(errors="replace").replace("\r", "")
