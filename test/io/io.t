#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Pipes, waiting and terminals: the same on the host and in Ringfence. TAP.
exec python3 "$(dirname "$0")/../support/same.py" io pipes splice waits terminals mounts
