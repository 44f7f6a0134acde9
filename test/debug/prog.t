#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Who sees whom, and what of it: the same on the host and in Ringfence. TAP.
exec python3 "$(dirname "$0")/../support/same.py" debug others trace filter core hostile
