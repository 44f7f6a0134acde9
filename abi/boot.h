/* SPDX-License-Identifier: BSD-2-Clause */
/* What the host tool hands to the kernel, and what boot code hands to each core's kernel. */
#pragma once

#include "abi/types.h"

/*
 * Run configuration: bytes of the fw_cfg file below, or the second Multiboot2 module:
 * NUL-terminated strings `key=value`, in any order, except that arg= and env= keep their order.
 * Keys:
 *   exe=PATH        the program, as execve gets it: a path from cwd or the root (required)
 *   arg=STRING      one per argument, argv[0] first (at least one)
 *   env=NAME=VALUE  one per variable
 *   cwd=PATH        working directory (default "/")
 *   uid=N gid=N     credentials (default 0)
 *   umask=OCTAL     (default 022)
 *   hostname=NAME   (default "ringfence")
 *   tty=ROWSxCOLS   standard input and output are a terminal: descriptors 0, 1, 2 are one tty
 *                   device
 *   tty-out=N       with tty: bit mask of descriptors (1|2|4) that are the terminal; the others are
 *                   ports
 *   strace=1        print system calls, as strace would, to the log
 *   missing=1       print each path that was looked for in vain to the log
 *   core=1          the core files of processes that crash go to the host
 *   stats=1         tell the host what the run has cost (kernel/linux/stats.c)
 *   debug=1         wait for a debugger before the program's first instruction
 *                   (kernel/linux/debug.c)
 *   time=NS         wall-clock time at start, nanoseconds since 1970 (default: the RTC)
 *   init=1          reap orphans and pass signals on (default: the program itself is process 1's
 *                   child role)
 *   net=dhcp        the network device asks for an IPv4 address (default when there is a device);
 *                   IPv6 by router advertisement. The program starts when the answer is there, but
 *                   does not wait for a slow one (kernel/net/netconf.h)
 *   net=ADDR/LEN[,GATEWAY[,DNS...]]
 *                   fixed: the first instruction needs no answer of anybody. May be given once for
 *                   IPv4 and once for IPv6
 *   net=none        only the loopback device
 *   dns=ADDR        a name server; several in order of preference, before those of net=
 *   etc-net=1       write /etc/resolv.conf, hosts and hostname also where the image brings its own
 *   secret=PATH     only PrivUser may open this file, and only for reading; nobody else may, root
 *                   neither. It is an error if it is not there
 *   secret-code=HEX whose PrivUser may: only one that is set up with exactly this code
 *                   (abi/privuser.h says of what this is the digest); may be given several times.
 *                   Without it any program's PrivUser may, one that an attacker brings as well
 *   privuser=0      PrivUser runs in ring 3, to measure and test what the protection does
 *                   (default 1)
 * Unknown keys are a boot error (exit code BOOT_EXIT_CONFIG), so that old kernels do not ignore new
 * wishes.
 */
#define BOOT_RUN_FWCFG "opt/ringfence/run"
#define BOOT_RUN_MAX   (1024u * 1024u)

/* Ports of the virtio-serial device (virtserialport nr=). */
enum boot_port {
	BOOT_PORT_STDIN = 1,
	BOOT_PORT_STDOUT = 2,
	BOOT_PORT_STDERR = 3,
	BOOT_PORT_CONTROL = 4, /* lines of text, see abi/control.h */
};

/* Values written to QEMU's isa-debug-exit port (0xf4); QEMU then exits with 2 * value + 1. */
enum boot_exit {
	BOOT_EXIT_OK = 0,       /* powered off; the program's status went over the control port */
	BOOT_EXIT_FAILED = 0x10, /* in-kernel tests failed */
	/* the run configuration or the command line cannot be understood */
	BOOT_EXIT_CONFIG = 0x7b,
	BOOT_EXIT_NOMEM = 0x7c,  /* not enough memory to start */
	BOOT_EXIT_NOPROG = 0x7d, /* the program could not be started (reason is in the log) */
	BOOT_EXIT_PANIC = 0x7e,  /* kernel panic (report is in the log) */
	/* 0x20 + (exit code & 0x1f) when there is no control port (ISO, Bochs) */
	BOOT_EXIT_STATUS = 0x20,
};

/*
 * Kernel command line (PVH or Multiboot2), words separated by blanks:
 *   test=PATTERN     run in-kernel tests whose name matches ("mem.*", "*"), TAP on COM1, then power
 *                    off
 *   log=LEVEL        error, warn (default), info, debug: what goes to COM1
 *   mem.weights=A,B  memory shares of the cores (default: core 0 gets all but a minimum for the
 *   others)
 *   privuser=0       as in the run configuration
 *   image=ADDR,LEN   the root image lies there in the machine's memory, on a page: QEMU has mapped
 *                    a file, and there is no module. It is only read
 *   run              start the program of the run configuration (default when there is one)
 */

/*
 * ---- boot record: one per core, read-only to its kernel, at boot_info (defined by boot/) ----
 */

#define BOOT_RANGES 16
#define BOOT_CMDLINE_MAX 2048

struct boot_range { uint64_t start, end; }; /* physical, 2 MiB chunks: [start, end) */

enum boot_protocol { BOOT_PVH = 1, BOOT_MULTIBOOT2 = 2 };

/*
 * From CPUID. What the system must switch on before it can be used is true only when it is on:
 * protections, XSAVE, x2APIC are switched on; protection keys and FSGSBASE are not, so both are
 * false.
 */
struct boot_features {
	bool smep, smap, umip, nx, pku, xsave, xsaveopt, avx, fsgsbase, rdrand, rdtscp;
	bool x2apic, tsc_deadline, invariant_tsc, pdpe1gb, hypervisor;
	uint32_t xsave_size;  /* bytes of an XSAVE area for xcr0; 512 when only FXSAVE */
	uint64_t xcr0;
	char hypervisor_id[13]; /* CPUID 0x40000000, "" without one */
};

struct boot_info {
	uint32_t core, ncores;
	uint32_t apic_id[8];             /* by core */
	enum boot_protocol protocol;
	uint64_t entry_tsc;              /* TSC at the kernel's first instruction */
	uint32_t nranges;
	/* this core's memory; chunk `first` is online already */
	struct boot_range range[BOOT_RANGES];
	uint64_t first_chunk;            /* physical address of the chunk that boot put online */
	uint64_t memory_total;           /* bytes of RAM of the whole machine */
	paddr_t image;                   /* root image; image_len 0 when none */
	uint64_t image_len;
	const uint8_t *image_va;         /* in the image window */
	/* run configuration, mapped read-only in the image window; run_len 0 when none */
	const char *run;
	uint64_t run_len;
	char cmdline[BOOT_CMDLINE_MAX];
	struct boot_features cpu;
	uint64_t lapic_pa;               /* xAPIC registers, mapped at DEV_BASE */
	uint64_t rsdp;                   /* ACPI, 0 when none */
};

extern const struct boot_info boot_info;

/*
 * Rings: for each ordered pair of cores (from, to) BOOT_RING_BYTES at ring_va(from, to): first the
 * lines of messages, then the side buffer. Mapped RW on `from`, read-only on `to`, nowhere else.
 */
#define BOOT_RING_LINES 64u
#define BOOT_RING_BYTES 8192u /* 4 KiB of lines, 4 KiB of side buffer */

static inline uint64_t boot_ring_va(unsigned from, unsigned to)
{
	return 0xffffc08000000000ull /* RING_BASE */ + (from * 8ull + to) * BOOT_RING_BYTES;
}
