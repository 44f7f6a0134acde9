#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The whole suite; see test/suites/redis.t.
exec python3 "$(dirname "$0")/../suites/redis.t" --all
