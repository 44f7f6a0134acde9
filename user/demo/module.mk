# SPDX-License-Identifier: BSD-2-Clause
# HeartBleed, replayed: a server with its bug, and the attacker.
PROGS := heartbleed/server.c heartbleed/attack.c
PROG_LIBS_server := -lssl -lcrypto
PROG_LIBS_attack := -lssl -lcrypto
