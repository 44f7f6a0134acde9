/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known about machines that run and ran: a folder for each, below the user's runtime folder
 * ($XDG_RUNTIME_DIR/ringfence, else /tmp/ringfence-UID, which must be the user's alone):
 *
 *   NAME/lock        locked by the machine's owner (the process that holds QEMU) as long as it
 *                    lives
 *   NAME/state.json  written whole or not at all
 *   NAME/socket      commands to the owner (link.h)
 *   NAME/log         of a detached machine (logfile.h)
 *
 * The lock alone says whether a machine runs: it goes with its owner, however that dies, and QEMU
 * goes with it too.
 */
#pragma once

#include <sys/types.h>

#include "tool/util.h"

#define NAME_LONGEST 63

enum vm_phase { VM_STARTING, VM_RUNNING, VM_RESTARTING, VM_EXITED };

struct vm_state {
	char *name;
	char *program;       /* as the user called it, with its arguments */
	struct strv ports;   /* as net_port_text() */
	enum vm_phase phase; /* VM_EXITED when the owner is gone */
	bool detached;
	pid_t owner, qemu; /* 0: none now */
	/* start times as /proc/PID/stat has them, against reused numbers */
	uint64_t owner_start;
	uint64_t qemu_start;
	int64_t created, ended; /* seconds since 1970; 0: not yet */
	uint64_t memory;        /* bytes */
	unsigned restarts;
	int exit_code; /* when VM_EXITED */
	char *message; /* why it ended, if not by itself; NULL */
	bool alive;    /* found out by state_load: the owner runs */
};

/* One machine's folder, held by its owner. */
struct vm_folder {
	char *path, *name;
	int lock; /* descriptor that holds the lock */
};

/* Why `name` cannot be one, or NULL. */
const char *state_bad_name(const char *name);

/*
 * Make and lock the folder of a new machine. `name` NULL: made from the program's. Dies if the name
 * is taken, saying by what; with `quiet` NULL names never fail but answer false when there can be
 * no folder (`why`).
 */
bool state_claim(const char *name, const char *program, struct vm_folder *out, char why[256]);
/* Let go; with `remove` nothing stays. */
void state_release(struct vm_folder *f, bool remove);
/* Write the state. Dies if it cannot be written. */
void state_save(const struct vm_folder *f, const struct vm_state *s);

/* State of a machine by name; false: there is none. Release with state_free(). */
bool state_load(const char *name, struct vm_state *out);
/* All, by name; what a dead owner left behind is tidied up first. */
size_t state_list(struct vm_state **out);
void state_free(struct vm_state *s);
void state_list_free(struct vm_state *all, size_t n);
/* Remove what a machine that does not run has left. False: it runs (again). */
bool state_remove(const char *name);
/* Dies: there is no machine of this name; suggests the nearest. */
void state_unknown(const char *name) __attribute__((noreturn));

/* Path of a file in a machine's folder. The caller frees. */
char *state_path(const char *name, const char *file);
/* Start time of a process, 0 if it is gone. */
uint64_t process_start(pid_t pid);
const char *state_phase_name(enum vm_phase phase);
