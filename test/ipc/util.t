#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""ipcmk, ipcs and ipcrm of util-linux, on the host and in Ringfence: the same text but for keys, ids and times. TAP."""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(HERE)))
BUILD = os.environ.get("RF_BUILD", os.path.join(ROOT, "build"))
PROGRAMS = ["/usr/bin/ipcs", "/usr/bin/ipcmk", "/usr/bin/ipcrm", "/usr/bin/tr"]
SCRIPT = r"""
id() { tr -cd '0-9'; }
m=$(ipcmk -M 5000 -p 0640 | id); s=$(ipcmk -S 3 | id); q=$(ipcmk -Q | id)
ipcs -m -i $m; ipcs -s -i $s; ipcs -q -i $q; ipcs -l
ipcrm -m $m -s $s -q $q; echo $?
ipcrm -m $m 2>/dev/null; echo $?
ipcs -s -i $s 2>/dev/null; echo $?
"""


def run(argv):
    p = subprocess.run(argv + ["/bin/sh", "-c", SCRIPT], stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
                       env=dict(os.environ, LC_ALL="C", TZ="UTC"))
    text = p.stdout.decode(errors="replace")
    text = re.sub(r"id=\d+", "id=N", text)
    text = re.sub(r"(time\s*=\s*)\w+ \w+ .*", r"\1T", text)
    return text + "status %d\n" % p.returncode


def main():
    missing = [p for p in PROGRAMS if not os.path.exists(p)]
    if missing:
        print("1..0 # SKIP not here: %s" % " ".join(missing))
        return 0
    host = run([])
    guest = run([os.path.join(BUILD, "ringfence"), "run"] + [a for p in PROGRAMS for a in ("--also", p)] + ["--"])
    print("1..1\n%sok 1 - ipcmk, ipcs, ipcrm" % ("" if host == guest else "not "))
    if host != guest:
        for a, b in zip(host.splitlines(), guest.splitlines()):
            if a != b:
                print("# host  %s\n# guest %s" % (a, b))
    return host != guest


sys.exit(main())
