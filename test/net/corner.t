#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Corners of all kinds of sockets: the same on the host and in Ringfence. TAP.
exec python3 "$(dirname "$0")/../support/same.py" net corner
