#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A million packets mutated at random. TAP.
exec "$RF_ROOT/test/net/fuzz.t" 1000000
