/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QEMU's user network listens on the ports of this host with a queue of one connection: of clients
 * that come together all but two wait a second and more, until their kernel tries again.
 */
#pragma once

#include <sys/types.h>

/*
 * Make the queues of all listening IPv4 sockets of this process, a child of ours, as long as the
 * host allows. How many there were; -1 with errno: the process cannot be looked into (its queues
 * stay as they are).
 */
int backlog_widen(pid_t pid, int pidfd);
