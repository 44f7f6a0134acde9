# SPDX-License-Identifier: BSD-2-Clause
"""A ringfence-cc whose programs run their private part, the same 32-bit code, in ring 3 by far jumps (bench/ring3.c)."""
import os
import shutil

from common import BUILD, HERE, ROOT

DOORS = 0x10000000
USER_CODE = 0x2b  # SEL_UCODE of abi/layout.h

# file of user/lib: what it says, how often, and what stands there instead
CHANGES = {
    "priv/crt.S": [("lcall\t$PRIVUSER_SEL_EXIT, $0", 2, "ljmp $%#x, $%#x" % (USER_CODE, DOORS))],
    # No far call: QEMU (7.2) makes its memory accesses with ring 0's rights, which SMAP stops.
    "priv/runtime.c": [("int $0x80", 1, r"pushl $1f\n\tljmp $%#x, $%#x\n1:" % (USER_CODE, DOORS + 16))],
    # Functions of the program may use what lies below their stack.
    "privcall_impl.h": [("lcall *%7", 1, r"leaq -128(%%rsp), %%rsp\n\tcall ring3_enter_\n\tleaq 128(%%rsp), %%rsp")],
    "privcall.c": [('open("/dev/privuser"', 1, 'open("/dev/null"'), ("ioctl(fd, PRIVUSER_SETUP, s)", 1, "ring3_setup(s)"),
                   ("\nstatic pthread_mutex_t init_lock", 1,
                    '\n#define PAGE_UP(n) (((uint64_t)(n) + 4095) & ~4095ull)\n#define RING3_DOORS %#xu\n#include "%s"\n'
                    "#undef PAGE_UP\nstatic pthread_mutex_t init_lock" % (DOORS, os.path.join(HERE, "ring3.c")))],
}


def make_cc(folder):
    """Its path, below `folder`."""
    library = os.path.join(folder, "lib/ringfence/privcall")
    shutil.copytree(os.path.join(ROOT, "user/lib"), library)
    os.mkdir(os.path.join(library, "abi"))
    shutil.copy(os.path.join(ROOT, "abi/privuser.h"), os.path.join(library, "abi"))
    for name, changes in CHANGES.items():
        path = os.path.join(library, name)
        with open(path) as f:
            text = f.read()
        for old, times, new in changes:
            if text.count(old) != times:
                raise SystemExit("bench/ring3.py: %s has '%s' not %d times" % (name, old, times))
            text = text.replace(old, new)
        with open(path, "w") as f:
            f.write(text)
    os.mkdir(os.path.join(folder, "bin"))
    return shutil.copy(os.path.join(BUILD, "ringfence-cc"), os.path.join(folder, "bin"))
