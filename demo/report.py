# SPDX-License-Identifier: BSD-2-Clause
"""What `make run` runs in the virtual machine: an ordinary Python program, on files of the host."""
import collections
import hashlib
import os
import platform
import re
import sqlite3
import sys
import threading

found, lock = {}, threading.Lock()


def examine(path):
    with open(path, "rb") as f:
        data = f.read()
    words = collections.Counter(re.findall(rb"[A-Za-z]{4,}", data.lower()))
    with lock:
        found[path] = (len(data), data.count(b"\n"), hashlib.sha256(data).hexdigest()[:16], words)


def main(paths):
    print("Python %s on %s %s, process %d, user %d" % (
        platform.python_version(), platform.system(), platform.release(), os.getpid(), os.getuid()))
    workers = [threading.Thread(target=examine, args=(p,)) for p in paths]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    db = sqlite3.connect(":memory:")
    db.execute("create table word(file text, word text, n integer)")
    print("%10s %7s  %-16s  %s" % ("bytes", "lines", "sha256", "file"))
    for path in paths:
        size, lines, digest, words = found[path]
        print("%10d %7d  %-16s  %s" % (size, lines, digest, path))
        db.executemany("insert into word values(?,?,?)", [(path, w.decode(), n) for w, n in words.items()])
    rows = db.execute("select word, sum(n), count(distinct file) from word group by word order by 2 desc, 1 limit 5")
    print("most frequent words: " + ", ".join("%s (%d in %d files)" % r for r in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
