# SPDX-License-Identifier: BSD-2-Clause
"""A program on a terminal of 80x24 whose screen can be read: a private tmux server of the host is the terminal."""
import os
import re
import shlex
import subprocess
import tempfile
import time

COLUMNS, ROWS = 80, 24


class Screen:
    """with Screen(argv, cwd, env) as s: s.keys("i", "text", "Escape"); s.wait("pattern"); s.text()"""

    def __init__(self, argv, cwd, env):
        self.folder = tempfile.mkdtemp(prefix="rf-screen-")
        self.status_file = os.path.join(self.folder, "status")
        command = "cd %s; env -i %s %s; echo $? >%s" % (
            shlex.quote(cwd), " ".join(shlex.quote("%s=%s" % kv) for kv in env.items()), shlex.join(argv),
            self.status_file)
        # The last screen stays to be read when the program has ended.
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), "cat")
        self.tmux("set-option", "-g", "remain-on-exit", "on")
        self.tmux("set-option", "-g", "status", "off")
        self.tmux("set-option", "-g", "escape-time", "0")
        self.tmux("respawn-pane", "-k", "sh -c " + shlex.quote(command))

    def tmux(self, *args):
        p = subprocess.run(["tmux", "-S", os.path.join(self.folder, "socket")] + list(args), capture_output=True,
                           text=True, check=False, env=dict(os.environ, LC_ALL="C.UTF-8"))
        if p.returncode != 0:
            raise RuntimeError("tmux %s: %s" % (" ".join(args), p.stderr.strip()))
        return p.stdout

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.tmux("kill-server")
        except RuntimeError:
            pass # it ends with its last session
        subprocess.run(["rm", "-rf", self.folder], check=True)

    def keys(self, *keys):
        """Names as tmux has them (Escape, Enter, C-c, Down); anything else is typed as it is."""
        self.tmux("send-keys", *keys)

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def resize(self, columns, rows):
        self.tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def text(self):
        """The lines of the screen, without blanks at their ends."""
        return [line.rstrip() for line in self.tmux("capture-pane", "-p").split("\n")]

    def wait(self, pattern, seconds):
        """Until the screen matches; the screen, or None when the time is over."""
        end = time.monotonic() + seconds
        while True:
            lines = self.text()
            if re.search(pattern, "\n".join(lines), re.M):
                return lines
            if time.monotonic() > end:
                return None
            time.sleep(0.05)

    def status(self, seconds):
        """How the program ended; None: it has not."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if os.path.exists(self.status_file):
                with open(self.status_file) as f:
                    text = f.read()
                if text.endswith("\n"):
                    return int(text)
            time.sleep(0.05)
        return None
