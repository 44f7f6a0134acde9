# SPDX-License-Identifier: BSD-2-Clause
"""Builds the conformance programs of posixtestsuite: build/suites/posix/<area>/<number>."""
import concurrent.futures
import os
import subprocess

from suite import BUILD, source

OUT = os.path.join(BUILD, "suites/posix")


def programs(folder):
    """Paths of all sources with a main program, below conformance/."""
    out = []
    for base in ("conformance/interfaces", "conformance/behavior"):
        for where, _, files in os.walk(os.path.join(folder, base)):
            for name in files:
                path = os.path.join(where, name)
                if name.endswith(".c") and "testfrmw" not in path and name[0].isdigit():
                    with open(path, errors="replace") as f:
                        if "main" in f.read():
                            out.append(os.path.relpath(path, folder))
    return sorted(out)


def build_one(folder, path):
    target = os.path.join(OUT, path[len("conformance/"):-2])
    if os.path.exists(target):
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    line = ["gcc", "-w", "-O0", "-D_GNU_SOURCE", "-include", "fcntl.h", "-Iinclude", "-I" + os.path.dirname(path), "-o", target, path]
    libraries = ["-lpthread", "-lrt", "-lm"]
    p = subprocess.run(line + libraries, cwd=folder, capture_output=True)
    if p.returncode != 0:  # some rely on headers that took this one in
        p = subprocess.run(line + ["-include", "signal.h"] + libraries, cwd=folder, capture_output=True)
    if p.returncode != 0:
        with open(target + ".failed", "wb") as f:
            f.write(p.stderr)


def build():
    """Names of all programs that could be built, and of those that could not."""
    folder = source("posixtestsuite")
    paths = programs(folder)
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda p: build_one(folder, p), paths))
    names = [p[len("conformance/"):-2] for p in paths]
    return ([n for n in names if os.path.exists(os.path.join(OUT, n))],
            [n for n in names if not os.path.exists(os.path.join(OUT, n))])


if __name__ == "__main__":
    built, failed = build()
    print("built %d, failed %d" % (len(built), len(failed)))
    print("\n".join(failed))
