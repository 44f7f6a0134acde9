#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Would the property test see a broken nk? Each mutant has one check or one step of nk taken out; m_nk must fail on it."""
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

ROOT = os.environ.get("RF_ROOT", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
SOURCES = "ldt.c submit.c frame.c table.c tlb.c map.c space.c memory.c cpu.c read.c test/model.c test/m_nk.c".split()

# What is broken, file, text, what stands there instead.
MUTANTS = [
    ("nothing (must pass)", "map.c", "", ""),
    ("any frame may be mapped", "map.c",
     "f == NULL || (f->type != NK_T_PLAIN && f->type != type)", "f == NULL"),
    ("root image may be written", "map.c",
     'if (op->rights & NK_W)\n\t\t\treturn refuse("writable mapping of the root image");', ""),
    ("protect may make the image writable", "map.c",
     'if (frame_is_image(entry & NK_PTE_ADDR))\n\t\treturn refuse("writable mapping of the root image");', ""),
    ("writable mappings are not counted", "map.c", "f->wmaps += writable;", ";"),
    ("unmapped frames keep their type", "map.c", "f->type = NK_T_PLAIN;", ";"),
    ("no flush after unmap", "map.c", "tlb_drop_page(root, va + (i - first) * PAGE_SIZE);\n\t\ttable[i] = 0;", ";\n\t\ttable[i] = 0;"),
    ("a run of the image may be writable", "map.c", "(op->rights & (NK_W | NK_REPLACE | NK_PRIV)) == 0 &&", ""),
    ("a run of the image beyond its end", "map.c", "op->n <= (len - off) >> PAGE_SHIFT", "true"),
    ("a run of the image over what is there", "map.c", "if (nk_used_entry(table, end - run, end) != end)", "if (false)"),
    ("clone passes over more than the image", "map.c", "((e = from[i]) & NK_PTE_ADDR) - start < len", "(e = from[i]) != 0"),
    ("no flush after a change of rights", "map.c", "if (old & NK_PTE_P)\n\t\ttlb_drop_page(root, va);", ""),
    ("no flush when an entry is replaced", "map.c", "if (old & NK_PTE_P)\n\t\t\ttlb_drop_page(root_of(op->space), va + i * PAGE_SIZE);", ""),
    ("existing entries are overwritten", "map.c", "return E_EXIST;", ";"),
    ("clone leaves the source writable", "map.c", "if (e & ~mask)", "if (false)"),
    ("windows may be executable", "map.c", 'return refuse("executable mapping in the kernel\'s half");', ";"),
    ("count of writable mappings overflows", "map.c", "(writable && f->wmaps > WMAPS_MAX)", "false"),
    ("ranges beyond the end", "map.c", "op->n <= (end - op->va) >> PAGE_SHIFT", "true"),
    ("donated frames stay writable", "frame.c", "frame_protect(nk_pages[i], false);", ""),
    ("donated frames are not emptied", "frame.c", "frame_zero(nk_pages[i]);", ""),
    ("any frame may be donated", "frame.c", "if (f == NULL || f->type != NK_T_PLAIN)", "if (f == NULL)"),
    ("a frame twice in the pool", "frame.c", "if (f->type == NK_T_POOL)", "if (false)"),
    ("direct map not flushed", "frame.c", "tlb_drop_page(nk_record.root, DM_BASE + pa);", ""),
    ("empty tables are kept, uncounted", "table.c", "level < 4 && f->maps == 0", "false"),
    ("freed table not flushed", "table.c", "tlb_drop_all();", ";"),
    ("too few tables demanded", "table.c", "return level - 1;", "return level > 1 ? level - 2 : 0;"),
    ("kernel's half of a new space is empty", "space.c", "table[i] = kernel[i];", "table[i] = 0;"),
    ("a loaded space may be destroyed", "space.c", "if (op->space.v == hw_root())", "if (false)"),
    ("any plain frame is a space", "frame.c", "return f != NULL && f->type == NK_T_L4;", "return f != NULL;"),
    ("chunks of other cores", "memory.c", "if (range_of(chunk) == NULL)", "if (chunk >= PA_END)"),
    ("memory as a device", "memory.c", "if (start < nk_record.ram[i].end && end > nk_record.ram[i].start)", "if (false)"),
    ("chunk header writable", "memory.c", "table[NK_HDR_FRAMES] &= ~NK_PTE_W;", ""),
    ("a chunk twice online", "memory.c", "return *slot & NK_PTE_P ? E_EXIST : OK;", "return OK;"),
    ("image frames of a chunk in the direct map", "memory.c", "usable < CHUNK_FRAMES ? usable : CHUNK_FRAMES",
     "usable < CHUNK_FRAMES ? CHUNK_FRAMES : CHUNK_FRAMES"),
    ("PrivUser above 4 GiB", "map.c", "if (op->va + op->n * PAGE_SIZE > PRIV_END)", "if (false)"),
    ("PrivUser written and executed", "map.c", "(op->rights & (NK_W | NK_X)) == (NK_W | NK_X)", "false"),
    ("a page leaves PrivUser by protect", "map.c", "priv != ((op->rights & NK_PRIV) != 0)", "false"),
    ("protect looks at no page of PrivUser", "map.c", "if (!(op->rights & NK_W) && op->va >= PRIV_END)", "if (!(op->rights & NK_W))"),
    ("clones of PrivUser are users' frames", "map.c", "counted(&c, e)->type);", "NK_T_USER);"),
    ("PrivUser's frames are users' frames", "map.c", "op->rights & NK_PRIV ? NK_T_PRIV : NK_T_USER", "NK_T_USER"),
    ("64-bit code of any ring in an LDT", "ldt.c", "dpl(d) == 1 && !(d & D_32BIT)", "true"),
    ("segments of any ring in an LDT", "ldt.c", "dpl(d) != 2 || !(d & D_32BIT)", "!(d & D_32BIT)"),
    ("segments with a base", "ldt.c", "|| (d & D_BASE) != 0", ""),
    ("conforming segments", "ldt.c", "|| d & D_CONFORMING", ""),
    ("gates to anywhere", "ldt.c", "dpl(low) < 2 || target != (uint64_t)want", "false"),
    ("gates of any kind", "ldt.c", "(low & D_GATE_TYPE) != D_CALL_GATE ||", ""),
    ("gates to any segment", "ldt.c", "!(cs & D_SEGMENT) || !(cs & D_CODE) || !(cs & D_LONG)", "false"),
    ("half a gate", "ldt.c", "i + 1 == n || cs >= n", "cs >= n"),
    ("LDT stays writable", "ldt.c", "frame_protect(op->base.v, false);", ""),
    ("any frame becomes an LDT", "ldt.c", "f == NULL || f->type != NK_T_PLAIN", "f == NULL"),
    ("a second LDT", "ldt.c", "if (slot != NULL && *slot != 0)", "if (false)"),
    ("what was an LDT stays read-only", "map.c", "if (f->type == NK_T_LDT)", "if (false)"),
    ("any x2APIC command", "cpu.c", "return mode == 0 && vector", "return vector"),
    ("any top-level table is loaded", "cpu.c", "!space_is_program(space) && space.v != nk_record.root", "space.v == 0"),
    ("a space that is gone stays known", "space.c", "space_known(root, false);", ""),
    ("a table that is gone stays known", "frame.c", "table_forget();\n\t*(uint64_t", "*(uint64_t"),
    ("more operations than allowed", "submit.c", "n <= NK_MAX_OPS ? OK : E_INVAL", "OK"),
]


FLAGS = ["-std=gnu17", "-D_GNU_SOURCE", "-O1", "-w", "-iquote", os.path.join(ROOT, "nk/test/model"), "-I" + ROOT]


def compile_to(path, source):
    subprocess.run(["cc"] + FLAGS + ["-c", "-o", path, source], check=True)


def attempt(program, steps):
    try:
        result = subprocess.run([program], env={**os.environ, "NK_STEPS": str(steps)}, timeout=200,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    except subprocess.TimeoutExpired:
        return True, b""
    return result.returncode != 0, result.stdout


def run(number, objects):
    what, name, old, new = MUTANTS[number]
    with open(os.path.join(ROOT, "nk", name), encoding="utf-8") as f:
        text = f.read()
    if old not in text:
        return False, f"'{old}' is not in nk/{name} any more"
    with tempfile.TemporaryDirectory() as d:
        source = os.path.join(d, name)
        with open(source, "w", encoding="utf-8") as f:
            f.write(text.replace(old, new, 1))
        compile_to(os.path.join(d, "mutant.o"), source)
        program = os.path.join(d, "m_nk")
        rest = [o for s, o in objects.items() if s != name]
        subprocess.run(["cc", "-o", program, os.path.join(d, "mutant.o")] + rest + ["-lcmocka"], check=True)
        failed, output = attempt(program, 20000)
        if not failed and number > 0:  # some show only once in a long while
            failed, output = attempt(program, 200000)
    reasons = [line for line in output.decode("utf-8", "replace").split("\n") if "ERROR" not in line and
               ("step " in line or "invariant" in line or "!=" in line or "model:" in line)]
    return failed == (number > 0), reasons[0] if reasons else ""


def main():
    if not shutil.which("cc"):
        print("1..0 # SKIP no compiler")
        return 0
    print(f"1..{len(MUTANTS)}")
    bad = 0
    with ThreadPoolExecutor(max_workers=2) as pool, tempfile.TemporaryDirectory() as d:
        objects = {s: os.path.join(d, s.replace("/", "-") + ".o") for s in SOURCES}
        list(pool.map(lambda s: compile_to(objects[s], os.path.join(ROOT, "nk", s)), SOURCES))
        for i, (good, why) in enumerate(pool.map(lambda n: run(n, objects), range(len(MUTANTS)))):
            print(f"{'ok' if good else 'not ok'} {i + 1} - {'caught: ' if i else ''}{MUTANTS[i][0]}")
            if why:
                print("#", why)
            bad += not good
            sys.stdout.flush()
    return 1 if bad else 0


sys.exit(main())
