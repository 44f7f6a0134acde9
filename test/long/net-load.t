#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# nginx in a machine of 256 MiB: 10,000 connections, a minute of load, slow readers, floods. TAP.
exec "$RF_ROOT/test/net/load.t" --full
