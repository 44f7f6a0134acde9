#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Programs that fill a terminal, on the host and in Ringfence: the same keys must give the same screens. TAP.

usage: terminal.t [-k NAME] [-v]
"""
import argparse
import os
import re
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from screen import Screen  # noqa: E402

ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(HERE)))
TOOL = os.path.join(os.environ.get("RF_BUILD", os.path.join(ROOT, "build")), "ringfence")
ENV = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TERM": "screen-256color", "TZ": "UTC", "PS1": "$ ", "HISTFILE": ""}
SECONDS = 40
TEXT = "".join("line %d of the text, %s\n" % (i, "word " * (i % 7)) for i in range(1, 301))


class Case:
    """steps: (keys to send, pattern to wait for); a tuple ("resize", columns, rows) as keys changes the size.
    see: what of a screen is compared."""

    def __init__(self, name, argv, steps, files=None, include=(), memory="128M", status=0, see=None, env=None):
        self.name, self.argv, self.steps = name, argv, steps
        self.files, self.include, self.memory, self.status = files or {}, include, memory, status
        self.see = see or (lambda lines: lines)
        self.env = dict(ENV, **(env or {}))


def htop_lines(lines):
    """Numbers of processes and times differ: which meters and columns there are, and our own process."""
    text = "\n".join(lines)
    return [bool(re.search(p, text)) for p in (r"Mem\[", r"Swp\[", r"Tasks: ", r"Load average: ", r"PID.*USER.*PRI.*NI.*VIRT.*Command", r"F1Help", r"F5List", r"Filter: htop", r"\bhtop\b.*\n(.*\n)*.*Filter")]


def without_age(lines):
    """vim says how long ago the change was that it takes back."""
    return [re.sub(r"\b\d+ seconds? ago", "lately", line) for line in lines]


CASES = [
    Case("less pages and searches", ["less", "text"],
         [([], "line 23 of"), ([" "], "line 46 of"), (["/", "line 200", "Enter"], "line 200 of"), (["G"], r"\(END\)|line 300"), (["g"], "^line 1 of"),
          (["50g"], "^line 50 of"), (["-", "N", "Enter"], r"^ +50 "), (["q"], None)], files={"text": TEXT}),
    Case("less follows the size of the window", ["less", "text"],
         [([], "line 23 of"), (("resize", 60, 12), "^line 11 of.*\n(.*\n)?:$|^line 11 of"), ([" "], "line 15 of"), (["q"], None)], files={"text": TEXT}),
    Case("vim edits a file", ["vim", "-u", "NONE", "-N", "-i", "NONE", "file"],
         [([], "line 5 of"), (["i"], "INSERT"), (["new text ", "Escape"], "^new text line 1"), (["dd", "p"], "(?s)line 2 of.*new text"), ([":%s/word/WORD/g", "Enter"], "WORD WORD"),
          (["/line 17", "Enter"], "line 17 of"), (["3yy", "G", "p"], "3 more lines"), (["u"], "3 fewer lines"), ([":split", "Enter"], "(?s)file.*file"),
          ([":wqa", "Enter"], None)], files={"file": TEXT[:2000]}, see=without_age),
    Case("vim with syntax colours and a shell command", ["vim", "-i", "NONE", "c.c"],
         [([], "return 0"), ([":syntax on", "Enter"], "return 0"), ([":r !echo from the shell", "Enter"], "from the shell"), ([":q!", "Enter"], None)],
         files={"c.c": "/* comment */\nint main(void)\n{\n\treturn 0;\n}\n"}, include=["/bin/echo"], memory="192M"),
    Case("htop shows processes", ["htop"], [([], "F10"), (["F5"], "F5List"), (["F4", "htop"], "Filter: htop"), (["Enter", "q"], None)], see=htop_lines),
    Case("bash: line editing, job control, history", ["bash", "--norc", "--noprofile", "-i"],
         [([], r"^\$ $|^\$"), (["echo one two", "Enter"], "^one two"), (["Up", "C-a", "M-d", "printf '%s.\\n'", "Enter"], r"^two\."),
          (["sleep 100", "Enter"], "sleep 100"), (["C-z"], "Stopped"), (["bg", "Enter"], r"sleep 100 &"), (["kill %1; wait %1; echo st $?", "Enter"], "^st 143"),
          (["echo cat; cat", "Enter"], "^cat"), (["typed", "Enter"], "typed\ntyped"), (["C-d"], r"typed\n\$"), (["stty size", "Enter"], "^24 80"),
          (["echo go; sleep 100", "Enter"], "^go"), (["C-c"], r"\^C"), (["exit 7", "Enter"], None)],
         include=["/bin/sleep", "/bin/cat", "/bin/stty", "/usr/bin/printf"], status=7, see=lambda lines: [re.sub(r"^(\[1\]) \d+$", r"\1", line) for line in lines]),
    Case("tmux inside: panes", ["tmux", "-f", "conf", "-S", "sock", "new-session", "-s", "s"],
         [([], r"^\$"), (["echo first $((6*7))", "Enter"], "^first 42"), (["C-b", "%"], "│"), (["echo second", "Enter"], "│second"),
          (["C-b", '"'], "─"), (["C-b", "o"], "─"), (["tmux -S sock list-panes | wc -l", "Enter"], r"^3\b"), (["C-b", "["], r"\[0/"), (["q", "C-b", "z"], "first"),
          (["tmux -S sock kill-server", "Enter"], None)],
         files={"conf": "set -g default-command \"env PS1='$ ' bash --norc --noprofile -i\"\nset -g status off\n"},
         include=["/usr/bin/wc", "/usr/bin/env", "/usr/lib/locale/C.utf8"], memory="192M", env={"SHELL": "/bin/bash"}, status=1),
]


def prepare(case, folder):
    os.makedirs(folder)
    for name, content in case.files.items():
        with open(os.path.join(folder, name), "w") as f:
            f.write(content)


def guest_argv(case, folder):
    argv = [TOOL, "run", "-m", case.memory, "--include", folder]
    for name in case.include:
        argv += ["--include", name]
    for name in case.env:
        argv += ["-e", name]
    return argv + ["--"] + case.argv


def send(screen, keys):
    if isinstance(keys, tuple):
        screen.resize(*keys[1:])
        return
    for key in keys:
        screen.keys(key)


def step(case, number, screens):
    """Keys to both; both must come to show the pattern, and then the same. What is wrong, or None."""
    keys, pattern = case.steps[number]
    for screen in screens:
        send(screen, keys)
    if pattern is None:
        return None
    end = time.monotonic() + SECONDS
    for where, screen in zip(("host", "guest"), screens):
        if screen.wait(pattern, SECONDS) is None:
            return "step %d: the %s does not show %r" % (number + 1, where, pattern)
    while True:
        host, guest = (case.see(s.text()) for s in screens)
        if host == guest:
            return None
        if time.monotonic() > end:
            return "step %d: screens differ" % (number + 1)
        time.sleep(0.05)


def play(case, base):
    """What is wrong, or None; and the last screens."""
    env = dict(case.env, XDG_CACHE_HOME=os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")))
    folders = [os.path.join(base, where) for where in ("host", "guest")]
    for folder in folders:
        prepare(case, folder)
    host_env, guest_env = (dict(env, HOME=f) for f in folders)
    with Screen(case.argv, folders[0], host_env) as host, Screen(guest_argv(case, folders[1]), folders[1], guest_env) as guest:
        for number in range(len(case.steps)):
            why = step(case, number, (host, guest))
            if why is not None:
                return why, (host.text(), guest.text())
        ends = host.status(SECONDS), guest.status(SECONDS)
        why = None if ends == (case.status, case.status) else "status %s, on the host %s" % (ends[1], ends[0])
        return why, (host.text(), guest.text())


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-k", "--name", default="")
    p.add_argument("-v", "--verbose", action="store_true")
    args = p.parse_args()
    todo = [c for c in CASES if args.name in c.name]
    good = True
    print("1..%d" % len(todo))
    for number, case in enumerate(todo):
        base = tempfile.mkdtemp(prefix="rf-")
        why, screens = play(case, base)
        good &= why is None
        print("%sok %d - %s%s" % ("" if why is None else "not ", number + 1, case.name, ": " + why if why else ""))
        if why or args.verbose:
            for label, lines in zip(("host", "guest"), screens):
                for line in lines:
                    print("# %s | %s" % (label, line))
        shutil.rmtree(base)
        sys.stdout.flush()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
