#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
exec "$RF_ROOT/build-tools/ktest" --iso --smp 2
