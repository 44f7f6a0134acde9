# SPDX-License-Identifier: BSD-2-Clause
"""`ringfence run` in the background, with test/support/qemu-net as QEMU."""
import os
import select
import subprocess
import time

ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
TOOL = os.path.join(os.environ.get("RF_BUILD", os.path.join(ROOT, "build")), "ringfence")
WRAPPER = os.path.join(ROOT, "test/support/qemu-net")
LIMIT = 60  # seconds for anything


def expect(condition, why):
    if not condition:
        raise AssertionError(why)


class Machine:
    """A context; args are those of `ringfence run`."""

    def __init__(self, *args, env=None):
        e = dict(os.environ, RINGFENCE_QEMU=WRAPPER, **(env or {}))
        self.out = self.err = ""
        self.p = subprocess.Popen([TOOL, "run", *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, env=e)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.p.kill()
        self.p.wait()

    def wait_for(self, text):
        """Until the program, or the tool, says so."""
        end = time.monotonic() + LIMIT
        pipes = {self.p.stdout: "out", self.p.stderr: "err"}
        while text not in self.out and text not in self.err:
            ready = select.select(list(pipes), [], [], max(0, end - time.monotonic()))[0]
            expect(ready, "no %r; so far %r %r" % (text, self.out, self.err))
            for f in ready:
                data = os.read(f.fileno(), 65536).decode(errors="replace")
                if not data:
                    del pipes[f]
                setattr(self, pipes.get(f, "err"), getattr(self, pipes.get(f, "err")) + data)
            expect(pipes or text in self.out + self.err, "ended without %r: %r" % (text, self.out + self.err))

    def drain(self):
        """What it said last."""
        while select.select([self.p.stderr], [], [], 0)[0]:
            data = os.read(self.p.stderr.fileno(), 65536)
            if not data:
                break
            self.err += data.decode(errors="replace")
