#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# System V IPC: the same on the host and in Ringfence. TAP.
exec python3 "$(dirname "$0")/../support/same.py" ipc shm sem msg /bin/true
