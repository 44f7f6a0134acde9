#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A program sends packets at random to its own machine, by raw sockets: no panic, and the network works afterwards. Prints TAP.

usage: raw.t [PACKETS [SEED]]
"""
import os
import random
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("RF_BUILD", os.path.join(HERE, "../../build"))
packets = sys.argv[1] if len(sys.argv) > 1 else "20000"
seed = sys.argv[2] if len(sys.argv) > 2 else str(random.SystemRandom().randrange(1 << 32))
print("1..1\n# seed %s" % seed, flush=True)
p = subprocess.run([BUILD + "/ringfence", "run", "python3", HERE + "/prog/raw_noise.py", seed, packets], stdin=subprocess.DEVNULL,
                   capture_output=True, timeout=300, check=False, text=True)
good = (p.returncode, p.stdout) == (0, "works\n")
print("%sok 1 - %s packets, and it works" % ("" if good else "not ", packets))
if not good:
    print("# exit code %d\n# %s" % (p.returncode, (p.stdout + p.stderr)[-3000:].replace("\n", "\n# ")))
