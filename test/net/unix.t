#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Sockets: the same on the host and in Ringfence. TAP.
exec python3 "$(dirname "$0")/../support/same.py" net unix_stream unix_packet
