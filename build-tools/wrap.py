#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Wraps comments of C files at 100 columns, in place; `make format` does it before clang-format.

Only what is too long is touched:
- a long line of a block comment is broken, its rest goes to a line of its own, or in front of the next one where that
  is plain text of the same paragraph;
- a comment that stands alone on a long line becomes a block;
- a comment behind code on a long line moves to lines of its own above the code.
Code itself is never changed.
"""
import re
import sys
import textwrap

COLUMNS = 100


def width(s):
    return len(s.expandtabs(8))


def room(indent):
    return COLUMNS - width(indent)


def block(indent, text):
    """The lines of a comment with this text."""
    one = f"{indent}/* {text} */"
    if width(one) <= COLUMNS:
        return [one]
    return [indent + "/*"] + [f"{indent} * {t}" for t in textwrap.wrap(text, room(indent) - 3)] + [indent + " */"]


# " * text" within a block; the text may be indented (a list or a table).
INNER = re.compile(r"^(\s*\* ?)(\s*)(\S.*)$")
ITEM = re.compile(r"^([-*]|\d+\.|[A-Za-z_0-9=.()/-]+:?\s{2,})\s*")


def is_plain(line, indent):
    """Is this a line of running text with the same indentation, to which words may be added in front?"""
    m = INNER.match(line)
    return m and "*/" not in line and m.group(2) == indent and not ITEM.match(m.group(3))


def hanging(indent, text):
    """Where the text of an item continues: behind its mark or its first column."""
    m = ITEM.match(text)
    return indent + " " * (len(m.group(0)) if m and len(m.group(0)) < 24 else 0)


def wrap_inner(lines, i):
    """Break lines[i], a long line within a block comment. Returns how many lines are finished."""
    prefix, indent, text = INNER.match(lines[i]).groups()
    closing = ""
    if text.endswith("*/"):
        text, closing = text[:-2].rstrip(), " */"
    if not prefix.endswith(" "):
        prefix += " "
    space = room(prefix)
    cont = hanging(indent, text)
    cut = text.rfind(" ", 0, space - len(indent.expandtabs(8)) + 1)
    head = ITEM.match(text)
    if cut <= (len(head.group(0)) if head else 0):
        return 1
    first, rest = text[:cut].rstrip(), text[cut + 1:].lstrip()
    lines[i] = prefix + indent + first
    if not closing and i + 1 < len(lines) and is_plain(lines[i + 1], cont):
        m = INNER.match(lines[i + 1])
        lines[i + 1] = m.group(1) + m.group(2) + rest + " " + m.group(3)
    else:
        lines.insert(i + 1, prefix + cont + rest)
    if closing:
        star = prefix.rstrip()
        lines.insert(i + 2, star[:-1] + "*/")
    return 1


ALONE = re.compile(r"^(\s*)/\* (.*) \*/$")
BEHIND = re.compile(r"^(\s*)(\S.*?)\s*/\* ((?:(?!\*/).)*) \*/$")


OPENED = re.compile(r"^(\s*)(\S.*?)\s*/\* ((?:(?!\*/).)*)$")


def wrap_opened(lines, i):
    """Code, behind it a comment of several lines: the comment moves above the code."""
    m = OPENED.match(lines[i])
    if not m or m.group(2).startswith(("*", "/*")):
        return 1
    text, end = [m.group(3)], i
    while "*/" not in lines[end]:
        end += 1
        text.append(lines[end].strip().removeprefix("* "))
    if not text[-1].endswith("*/"):
        return 1
    text[-1] = text[-1][:-2]
    new = block(m.group(1), " ".join(t.strip() for t in text).strip()) + [m.group(1) + m.group(2)]
    lines[i:end + 1] = new
    return len(new)


def wrap_line(lines, i, inside):
    line = lines[i]
    if inside:
        return wrap_inner(lines, i) if INNER.match(line) and re.match(r"^\s*\*", line) else 1
    m = re.match(r"^(\s*)/\* (?!.*\*/)(\S.*)$", line)
    if m: # the first line of a block: give the block its usual form, then wrap
        lines[i:i + 1] = [m.group(1) + "/*", f"{m.group(1)} * {m.group(2)}"]
        return 1
    m = ALONE.match(line)
    if m and "*/" not in m.group(2):
        new = block(m.group(1), m.group(2))
    else:
        m = BEHIND.match(line)
        if not m:
            return wrap_opened(lines, i)
        if i > 0 and lines[i - 1].endswith("\\"):
            return 1
        new = block(m.group(1), m.group(3)) + [m.group(1) + m.group(2)]
    lines[i:i + 1] = new
    return len(new)


def opened_too_wide(lines, i):
    """Does a comment of several lines begin behind code here, and one of its lines is too long?"""
    if not OPENED.match(lines[i]) or "*/" in lines[i][lines[i].rfind("/*"):]:
        return False
    while "*/" not in lines[i] and i + 1 < len(lines):
        i += 1
        if width(lines[i]) > COLUMNS:
            return True
    return False


def wrap(text):
    lines = text.split("\n")
    i, inside = 0, False
    while i < len(lines):
        line = lines[i]
        step = 1
        if width(line) > COLUMNS or (not inside and opened_too_wide(lines, i)):
            step = wrap_line(lines, i, inside)
        for j in range(i, min(i + step, len(lines))):
            last_open, last_close = lines[j].rfind("/*"), lines[j].rfind("*/")
            if last_open > last_close - 1 and last_open >= 0:
                inside = True
            elif last_close >= 0:
                inside = False
        i += step
    return "\n".join(lines)


def main():
    for name in sys.argv[1:]:
        with open(name, encoding="utf-8") as f:
            old = f.read()
        new = wrap(old)
        if new != old:
            with open(name, "w", encoding="utf-8") as f:
                f.write(new)


main()
