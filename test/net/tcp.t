#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# TCP: the same on the host and in Ringfence. TAP.
exec python3 "$(dirname "$0")/../support/same.py" net tcp_stream tcp_poll tcp_load
