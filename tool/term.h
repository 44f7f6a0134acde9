/* SPDX-License-Identifier: BSD-2-Clause */
/* The user's terminal: raw while the guest has it, and as it was on every way out. */
#pragma once

#include <stdbool.h>

/*
 * Make the terminal `fd` raw. It is restored by term_restore(), at exit, and when the tool dies of
 * a fault. False if it is no terminal.
 */
bool term_raw(int fd);
void term_restore(void);
/* Size; false if `fd` is no terminal or does not know. */
bool term_size(int fd, unsigned *rows, unsigned *cols);
