#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The OpenSSL provider inside a machine: what it signs is right; and HeartBleed's attacker, who finds the key of a server
that keeps it as usual, finds nothing of one whose key is in PrivUser. TAP."""
import base64
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.environ.get("RF_BUILD", os.path.join(ROOT, "build"))
TOOL = os.path.join(BUILD, "ringfence")
PROVIDER = os.path.join(BUILD, "ringfence.so")
NAME_OID = bytes.fromhex("69ce9182c195d195bfbc80a6adba40")  # KEY_NAME_OID of abi/keyname.h
CONF = """openssl_conf = init
[init]
providers = providers
[providers]
default = default_sect
ringfence = ringfence_sect
[default_sect]
activate = 1
[ringfence_sect]
module = /srv/ringfence.so
activate = 1
"""

number = failed = 0


def check(good, what, more=""):
    global number, failed
    number += 1
    failed += not good
    print("%sok %d - %s" % ("" if good else "not ", number, what))
    if not good:
        for line in more.splitlines()[-30:]:
            print("# " + line)
    sys.stdout.flush()


def run(argv, timeout=100):
    p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
    return p.returncode, p.stdout.decode(errors="replace")


def der(tag, body):
    n = len(body)
    return bytes([tag]) + (bytes([n]) if n < 128 else bytes([0x81, n])) + body


def name_file(path, key):
    """The file that stands where a key was: PKCS#8 with the key's path."""
    data = der(0x30, der(2, b"\0") + der(0x30, der(6, NAME_OID)) + der(4, key.encode()))
    with open(path, "w") as f:
        f.write("-----BEGIN PRIVATE KEY-----\n%s-----END PRIVATE KEY-----\n" % base64.encodebytes(data).decode())


def openssl(*argv):
    subprocess.run(["openssl", *argv], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_keys(folder):
    keys = {"rsa": ["RSA", "rsa_keygen_bits:2048"], "p256": ["EC", "ec_paramgen_curve:P-256"],
            "p384": ["EC", "ec_paramgen_curve:P-384"]}
    for name, (kind, option) in keys.items():
        path = os.path.join(folder, name)
        openssl("genpkey", "-algorithm", kind, "-pkeyopt", option, "-out", path + ".pem")
        openssl("pkey", "-in", path + ".pem", "-pubout", "-out", path + ".pub")
        name_file(path + ".name", "/srv/%s.pem" % name)
    openssl("req", "-x509", "-key", folder + "/rsa.pem", "-subj", "/CN=test", "-days", "2", "-out", folder + "/rsa.crt")
    openssl("genpkey", "-algorithm", "RSA", "-aes128", "-pass", "pass:x", "-out", folder + "/locked.pem")
    name_file(folder + "/locked.name", "/srv/locked.pem")
    name_file(folder + "/none.name", "/srv/none.pem")
    with open(folder + "/openssl.cnf", "w") as f:
        f.write(CONF)
    return list(keys)


def includes(folder):
    out = ["--include", PROVIDER + ":/srv/ringfence.so"]
    for name in os.listdir(folder):
        out += ["--include", "%s/%s:/srv/%s" % (folder, name, name)]
    return out


def signatures(folder, names):
    script = "echo text >/tmp/m; export OPENSSL_CONF=/srv/openssl.cnf; openssl list -providers -verbose\n"
    pss = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:-1"
    for name, options in [(n, "") for n in names] + [("rsa", pss)]:
        script += ("openssl dgst -sha256 -sign /srv/{n}.name {o} -out /tmp/s /tmp/m && OPENSSL_CONF=/dev/null openssl dgst "
                   "-sha256 -verify /srv/{n}.pub {o} -signature /tmp/s /tmp/m && echo right {n}{o}\n").format(n=name, o=options)
    script += "for k in locked none; do openssl dgst -sha256 -sign /srv/$k.name /tmp/m >/dev/null && echo wrong $k; done; true\n"
    code, out = run([TOOL, "run", "-m", "192M", "--also", "openssl", *includes(folder), "--", "/bin/sh", "-c", script])
    check(code == 0 and "keys are in ring 2" in out, "the provider loads, and its keys are in ring 2", out)
    for name in names + ["rsa" + pss]:
        check("right " + name in out, "a signature with %s" % name.split("-")[0].split(" ")[0], out)
    check("encrypted" in out and "wrong locked" not in out, "an encrypted key is refused, with the reason", out)
    check("no such file" in out and "wrong none" not in out, "so is one that is not there", out)


def heartbleed():
    """The demonstration steals an ordinary key by both bugs, and nothing of one in ring 2."""
    code, out = run([TOOL, "demo", "heartbleed"], 300)
    stolen, kept = out.count("KEY STOLEN"), out.count("not 8 bytes of any secret part")
    check(stolen == 2, "an over-read, and reading all memory, give an ordinary key away, and it forges a signature", out)
    check(kept == 2 and "Verdict: protected" in out, "they show not eight bytes of a key in ring 2", out)
    check(code == 0, "the demonstration's exit code says so", out)


def main():
    folder = tempfile.mkdtemp(prefix="rf-provider-")
    try:
        names = make_keys(folder)
        signatures(folder, names)
        heartbleed()
    finally:
        shutil.rmtree(folder)
    print("1..%d" % number)
    return failed != 0


sys.exit(main())
