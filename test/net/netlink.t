#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# AF_NETLINK: the same on the host and in Ringfence. TAP.
exec python3 "$(dirname "$0")/../support/same.py" net netlink
