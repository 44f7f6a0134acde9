# SPDX-License-Identifier: BSD-2-Clause
"""What the suites share: running on the host and in a machine, listed differences, TAP, the table in the documentation."""
import os
import re
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(HERE)))
BUILD = os.environ.get("RF_BUILD", os.path.join(ROOT, "build"))
TOOL = os.path.join(BUILD, "ringfence")
DRIVER = os.path.join(BUILD, "prog/test/suites/driver")
TABLE = os.path.join(ROOT, "docs/conformance.md")


def source(package):
    """The folder with the source of a Debian package; fetched when it is not there yet."""
    folder = os.path.join(ROOT, "deps", package)
    if not os.path.exists(os.path.join(folder, ".complete")):
        subprocess.run([os.path.join(ROOT, "build-tools/fetch-source.sh"), package, folder], check=True)
    return folder


def version(package):
    out = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
    return out.stdout


def source_version(folder):
    with open(os.path.join(folder, "debian/changelog")) as f:
        return re.search(r"\((.*?)\)", f.readline()).group(1)


def listed(name):
    """Cases that may differ: {case: reason}, from a file of lines `case  reason`."""
    path = os.path.join(HERE, name + ".differs")
    out = {}
    if os.path.exists(path):
        with open(path) as f:
            for line in f:
                line = line.strip()
                if line and not line.startswith("#"):
                    case, _, reason = line.partition(" ")
                    out[case] = reason.strip()
    return out


def as_at_a_terminal():
    """What a shell in the background has switched off for us, and cases look at."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


def run(argv, timeout, **kw):
    try:
        p = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, start_new_session=True,
                           preexec_fn=as_at_a_terminal, **kw)
        return p.returncode, p.stdout.decode(errors="replace"), p.stderr.decode(errors="replace")
    except subprocess.TimeoutExpired as e:
        return "timeout", (e.stdout or b"").decode(errors="replace"), (e.stderr or b"").decode(errors="replace")


def guest(argv, timeout, include=(), also=(), memory="512M", options=()):
    line = [TOOL, "run", "-m", memory] + list(options)
    for path in also:
        line += ["--also", path]
    for path in include:
        line += ["--include", path]
    return run(line + ["--"] + argv, timeout)


class Report:
    """Compares verdicts, case by case, and prints TAP: one test for each group, one for the end of the machine."""

    def __init__(self, suite, title, suite_version):
        self.suite, self.title, self.version = suite, title, suite_version
        self.differs = listed(suite)
        self.number, self.bad = 0, 0
        self.total = self.same = 0
        self.seen = {}

    def test(self, good, name, notes=()):
        self.number += 1
        self.bad += not good
        print("%sok %d - %s" % ("" if good else "not ", self.number, name))
        for line in notes:
            print("# " + line[:240])
        sys.stdout.flush()

    def compare(self, group, host, there, notes=None):
        """host, there: {case: verdict}. A case that only one of them has differs."""
        wrong = []
        for case in sorted(set(host) | set(there)):
            a, b = host.get(case, "-"), there.get(case, "-")
            self.total += 1
            if a == b:
                self.same += 1
                if case in self.differs and not self.differs[case].startswith("sometimes"):
                    wrong.append("%s: listed as different, but is %s on both" % (case, a))
                continue
            self.seen[case] = (a, b)
            if case not in self.differs:
                wrong.append("%s: host %s, here %s" % (case, a, b))
                if notes and case in notes:
                    wrong += ["    " + line for line in notes[case]]
        self.test(not wrong, "%s: %d cases" % (group, len(set(host) | set(there))), wrong)

    def end(self, whole, update):
        """`whole`: everything was run, so that the table can be checked, or written with `update`."""
        if whole:
            text = self.row()
            if update:
                write_table(self.suite, text)
            self.test(text == read_table(self.suite), "%s: docs/conformance.md says so" % self.title,
                      [] if text == read_table(self.suite) else ["run with --update"])
        print("1..%d" % self.number)
        return 1 if self.bad else 0

    def row(self):
        lines = ["## %s" % self.title, "", "| suite | version | run | same as on the host | different, or sometimes different |",
                 "|---|---|---:|---:|---:|", "| %s | %s | %d | %d | %d |" % (
                     self.title, self.version, self.total, self.total - len(self.differs), len(self.differs)), ""]
        for case in sorted(self.differs):
            lines.append("- `%s`: %s" % (case, self.differs[case]))
        return "\n" + "\n".join(lines).strip() + "\n"


MARK = "<!-- %s: %s -->\n"


def read_table(suite):
    with open(TABLE) as f:
        text = f.read()
    begin, end = MARK % ("begin", suite), MARK % ("end", suite)
    if begin not in text or end not in text:
        return None
    return text.split(begin)[1].split(end)[0]


def write_table(suite, row):
    with open(TABLE) as f:
        text = f.read()
    begin, end = MARK % ("begin", suite), MARK % ("end", suite)
    if begin in text:
        text = text.split(begin)[0] + begin + row + end + text.split(end)[1]
    else:
        text = text.rstrip("\n") + "\n\n" + begin + row + end
    with open(TABLE, "w") as f:
        f.write(text)
