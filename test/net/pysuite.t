#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Python's own tests of sockets, the same case by case on the host and in Ringfence. TAP.
exec python3 "$(dirname "$0")/pysuite.py" test_select test_epoll test_socket
