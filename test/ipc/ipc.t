#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# IPC of System V and POSIX: the same on the host and in Ringfence. TAP.
exec python3 "$(dirname "$0")/../support/same.py" ipc shm sem msg mq /bin/true
