#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The whole suite; see test/suites/busybox.t.
exec python3 "$(dirname "$0")/../suites/busybox.t" --all
