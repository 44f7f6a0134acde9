#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Signatures in PrivUser run the same instructions and touch the same addresses, in the same order, whatever the key and
the message: no branch and no table index depends on a secret. Seen by a plugin of QEMU, in the provider's own objects;
two functions that do leak are found. (How long an instruction takes is the processor's.) TAP."""
import os
import struct
import subprocess
import sys
import tempfile

ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.environ.get("RF_BUILD", os.path.join(ROOT, "build"))
HERE = os.path.join(ROOT, "test/attack/constant-time")
sys.path.insert(0, os.path.join(ROOT, "bench"))
from common import make_image, make_root, run_image  # noqa: E402

KEYS = {"rsa": ["RSA", "-pkeyopt", "rsa_keygen_bits:1024"], "p256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "p384": ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"]}
OPERATIONS = {"leaky_branch": True, "leaky_index": True, "rsa": False, "p256": False, "p384": False}  # name: leaks


def integers(der):
    """Lengths of the integers of a PKCS#1 key."""
    lengths, at = [], 4
    while at < len(der):
        at += 1
        n = der[at]
        at += 1
        if n & 0x80:
            n, at = int.from_bytes(der[at:at + (n & 0x7f)], "big"), at + (n & 0x7f)
        lengths.append(n - (der[at] == 0))
        at += n
    return lengths


def make_key(path, how):
    """An RSA exponent may be shorter than its prime; how long is no secret in BearSSL. Only keys of usual lengths are taken."""
    for _ in range(50):
        subprocess.run(["openssl", "genpkey", "-outform", "DER", "-out", path, "-algorithm", *how], check=True,
                       stderr=subprocess.DEVNULL)
        if how[0] != "RSA":
            return
        subprocess.run(["openssl", "rsa", "-traditional", "-in", path, "-outform", "DER", "-out", path], check=True,
                       stderr=subprocess.DEVNULL)
        with open(path, "rb") as f:
            if integers(f.read())[4:8] == [64, 64, 64, 64]:
                return
    sys.exit("no key of usual lengths")


def build(folder):
    root = make_root(os.path.join(folder, "root"))
    objects = [os.path.join(BUILD, "provider/bearssl_%s.o" % p) for p in ("base", "der", "ecdsa", "p256", "prime")]
    subprocess.run([os.path.join(BUILD, "ringfence-cc"), "-O2", "-static", "-I" + os.path.join(ROOT, "deps/bearssl/inc"), "-o",
                    root + "/sign", HERE + "/sign.c", HERE + "/sign.priv.c", *objects], check=True)
    for name, how in KEYS.items():
        for number in range(2):
            make_key("%s/%s-%d.der" % (root, name, number), how)
    make_image(root, b"sign")
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-o", folder + "/libtrace.so", HERE + "/trace.c"],
                   check=True)
    with open(root + "/sign", "rb") as f:
        data = f.read()
    at = data.index(b"PRV1" + struct.pack("<I", 0xc0000000))
    return root, struct.unpack_from("<I", data, at + 8)[0]


def calls(folder):
    """[(name, trace)] of the calls that count."""
    root, entry = build(folder)
    log = os.path.join(folder, "trace")
    text = run_image(root, ["-plugin", "%s/libtrace.so,entry=%#x" % (folder, entry)], 200, stderr=log)
    names = text.split()
    with open(log) as f:
        traces = [tuple(line.split()[1:]) for line in f if line.startswith("call ")]
    if names[-1:] != ["done"] or len(names) - 1 > len(traces):
        sys.exit("Bail out! %d calls, %d traces:\n%s" % (len(names) - 1, len(traces), text))
    # Before the program's own calls are those of the set-up.
    return [(n, t) for n, t in zip(names, traces[-len(names) + 1:]) if n != "-"]


def main():
    print("1..%d" % len(OPERATIONS))
    with tempfile.TemporaryDirectory() as folder:
        seen = calls(folder)
    for number, (name, leaks) in enumerate(OPERATIONS.items(), 1):
        traces = [t for n, t in seen if n == name]
        differ = len(set(traces)) != 1
        good = len(traces) == 3 and int(traces[0][0]) > 10 and differ == leaks
        print("%sok %d - %s: another key and another message, %s" % (
            "" if good else "not ", number, name, "seen" if leaks else "the same instructions and addresses"))
        for t in traces if not good else traces[:1]:
            print("# blocks %s, accesses %s, hash %s" % t)


main()
