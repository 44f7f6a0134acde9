#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Checks of the sources: make lint. With --format: wraps long comments and runs clang-format instead (make format).

Each check is a function that yields (file, line, text). HACKING.md says what is checked.
"""
import ast
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NK_MAX_LINES = int(os.environ.get("NK_MAX_LINES", "3000"))
FILE_MAX_LINES = int(os.environ.get("FILE_MAX_LINES", "1200"))
COLUMNS = 100
SELF = "build-tools/lint.py"

C_FILES = (".c", ".h", ".S", ".def")
SPDX_FILES = C_FILES + (".ld", ".mk", ".sh", ".py", ".t", ".md", ".yaml", ".yml", ".1")
SPDX_NAMES = ("Makefile", ".clang-format", ".gitignore")
# Tables in abi/ are aligned by hand.
FORMAT_EXEMPT = ("abi/",)

# A module's DEPS come from its own layer or those below.
LAYERS = [["abi"], ["base"], ["nk", "kernel/x86"], ["boot"],
          ["kernel/core", "kernel/msg", "kernel/mem", "kernel/task", "kernel/vfs", "kernel/net", "kernel/ipc", "kernel/dom",
           "kernel/swap"],
          ["kernel/linux"]]


def files():
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=True,
                         stdout=subprocess.PIPE).stdout.decode()
    return sorted(f for f in out.split("\0") if f and os.path.isfile(os.path.join(ROOT, f)))


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8", errors="replace") as f:
        return f.read().split("\n")


TEXT = {}


def lines(name):
    if name not in TEXT:
        TEXT[name] = read(name)
    return TEXT[name]


def is_c(name):
    return name.endswith(C_FILES)


def is_script(name):
    return lines(name)[0].startswith("#!")


def is_source(name):
    base = os.path.basename(name)
    return name.endswith(SPDX_FILES) or base in SPDX_NAMES or (
        os.access(os.path.join(ROOT, name), os.X_OK) and is_script(name))


# ---- checks ----

def check_spdx(names):
    for f in filter(is_source, names):
        first = lines(f)[1 if is_script(f) else 0] if len(lines(f)) > 1 else ""
        if "SPDX-License-Identifier: BSD-2-Clause" not in first:
            yield f, 1, "the first line must be the SPDX line"


def check_columns(names):
    for f in filter(is_c, names):
        for n, line in enumerate(lines(f), 1):
            wide = line.expandtabs(8)
            if len(wide) > COLUMNS and wide[:COLUMNS].count('"') % 2 == 0:  # strings are not broken
                yield f, n, f"longer than {COLUMNS} columns"


def check_length(names):
    for f in filter(is_source, names):
        if len(lines(f)) - 1 > FILE_MAX_LINES:
            yield f, FILE_MAX_LINES, f"more than {FILE_MAX_LINES} lines"


def check_blanks(names):
    for f in filter(is_c, names):
        for n, line in enumerate(lines(f), 1):
            if line != line.rstrip():
                yield f, n, "blanks at the end of the line"
        if lines(f)[-1] != "":
            yield f, len(lines(f)), "no newline at the end of the file"


WORDS = [
    (re.compile(r"\b(TODO|FIXME|XXX)\b"), "a note to do something later"),
    (re.compile(r"\b(for now|not implemented yet|not yet implemented)\b", re.I), "a note to do something later"),
]


def check_words(names):
    for f in names:
        if f == SELF or not is_source(f):
            continue
        for n, line in enumerate(lines(f), 1):
            for pattern, what in WORDS:
                if pattern.search(line):
                    yield f, n, f"{what}: {line.strip()[:60]}"


def check_nk(names):
    total = 0
    for f in names:
        if not f.startswith("nk/") or f.startswith("nk/test/") or not is_c(f):
            continue
        total += len(lines(f)) - 1
        for n, line in enumerate(lines(f), 1):
            if re.match(r"\s*#\s*(if|ifdef|ifndef|elif|else)\b", line):
                yield f, n, "nk/ has no conditional compilation"
    if total > NK_MAX_LINES:
        yield "nk", 0, f"{total} lines, more than {NK_MAX_LINES}"


def module_list(names):
    return [os.path.dirname(f) for f in names if os.path.basename(f) == "module.mk"]


def module_of(path, modules):
    best = ""
    for m in modules:
        if path.startswith(m + "/") and len(m) > len(best):
            best = m
    return best


def deps_of(module, modules):
    """Folders that the module's DEPS name."""
    text = re.sub(r"\\\n", " ", "\n".join(lines(module + "/module.mk")))
    words = re.findall(r"^DEPS\s*[:+]?=\s*([^#\n]*)", text, re.M)
    deps = []
    for w in " ".join(words).split():
        full = w if w in modules or w == "abi" or os.path.isdir(os.path.join(ROOT, w)) else "kernel/" + w
        deps.append(full)
    return deps


def layer_of(module):
    for n, layer in enumerate(LAYERS):
        if module in layer:
            return n
    return None


def check_deps(names):
    modules = module_list(names)
    for m in modules:
        for d in deps_of(m, modules):
            if not os.path.isdir(os.path.join(ROOT, d)):
                yield m + "/module.mk", 1, f"DEPS names {d}, which does not exist"
            own, other = layer_of(m), layer_of(d)
            if own is not None and other is not None and other > own:
                yield m + "/module.mk", 1, f"DEPS: {d} stands above {m}"


def check_includes(names):
    modules = module_list(names) + ["abi"]
    for f in filter(is_c, names):
        m = module_of(f, modules)
        if not m or "/test/" in f:
            continue
        allowed = set(deps_of(m, modules) if m != "abi" else []) | {m, "abi"}
        for n, line in enumerate(lines(f), 1):
            inc = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not inc:
                continue
            target = inc.group(1)
            if "/" not in target:
                if not os.path.exists(os.path.join(ROOT, os.path.dirname(f), target)):
                    yield f, n, f'"{target}": includes are written from the root of the repository'
                continue
            owner = module_of(target, modules) or os.path.dirname(target)
            if owner.startswith("nk") and not m.startswith(("nk", "boot")):
                yield f, n, f'"{target}": nothing includes the inside of nk/; abi/nk.h is its interface'
            elif owner not in allowed and not m.startswith(("nk", "boot")):
                yield f, n, f'"{target}" belongs to {owner}, which is not in DEPS of {m}'


def formatted(names):
    return [f for f in names if f.endswith((".c", ".h")) and not f.startswith(FORMAT_EXEMPT)]


def check_format(names):
    out = subprocess.run(["clang-format", "--dry-run", "--ferror-limit=1"] + formatted(names), cwd=ROOT,
                         stderr=subprocess.PIPE).stderr.decode()
    for m in re.finditer(r"^(\S+?):(\d+):\d+: (?:warning|error): code should be clang-formatted", out, re.M):
        yield m.group(1), int(m.group(2)), "not formatted; make format does it"


def check_cppcheck(names):
    # Programs for tests do on purpose what it warns of.
    sources = [f for f in names if f.endswith(".c") and "test" not in f.split("/")]
    if not sources:
        return
    out = subprocess.run(
        ["cppcheck", "--quiet", "--std=c11", "--enable=warning,portability", "--inline-suppr", "--max-configs=1",
         "--check-library", "--suppress=missingInclude", "--suppress=unknownMacro", "--suppress=checkLibraryFunction",
         "--suppress=checkLibraryCheckType", "--suppress=checkLibraryNoReturn", "--suppress=nullPointerRedundantCheck",
         "--suppress=comparePointers", "--suppress=internalAstError", "--suppress=preprocessorErrorDirective", "--suppress=syntaxError:*/test/*",
         f"-j{os.cpu_count() or 2}", "-I.", "--template={file}:{line}: {id}: {message}"] + sources,
        cwd=ROOT, stderr=subprocess.PIPE).stderr.decode()
    for line in out.splitlines():
        m = re.match(r"(.+?):(\d+): (\S+: .*)", line)
        if m:
            yield m.group(1), int(m.group(2)), "cppcheck: " + m.group(3)


def check_scripts(names):
    for f in names:
        if not os.path.getsize(os.path.join(ROOT, f)) or not is_script(f):
            continue
        interpreter = lines(f)[0]
        if "python" in interpreter:
            try:
                ast.parse("\n".join(lines(f)), f)
            except SyntaxError as e:
                yield f, e.lineno or 1, f"python: {e.msg}"
        elif interpreter.endswith("sh"):
            shell = "bash" if interpreter.endswith("bash") else "sh"
            r = subprocess.run([shell, "-n", f], cwd=ROOT, stderr=subprocess.PIPE)
            if r.returncode != 0:
                yield f, 1, r.stderr.decode().strip()


CHECKS = [check_spdx, check_columns, check_length, check_blanks, check_words, check_nk, check_deps, check_includes,
          check_scripts, check_format, check_cppcheck]


def main():
    names = files()
    if sys.argv[1:2] == ["--format"]:
        paths = tuple(sys.argv[2:])
        names = [f for f in names if not paths or f.startswith(paths)]
        subprocess.run(["build-tools/wrap.py"] + list(filter(is_c, names)), cwd=ROOT, check=True)
        subprocess.run(["clang-format", "-i"] + formatted(names), cwd=ROOT, check=True)
        return 0
    only = sys.argv[1:]
    found = 0
    for check in CHECKS:
        if only and check.__name__[len("check_"):] not in only:
            continue
        for name, line, text in check(names):
            print(f"{name}:{line}: {text}")
            found += 1
    if found:
        print(f"lint: {found} finding{'s' if found != 1 else ''}", file=sys.stderr)
    return 1 if found else 0


sys.exit(main())
