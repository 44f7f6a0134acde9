#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
exec python3 "$(dirname "$0")/../linux/compare.py" --memory busybox shell text lang python runtimes dev tools media
