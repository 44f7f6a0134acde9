#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
exec python3 "$(dirname "$0")/compare.py" --memory runtimes dev python \
	-k 'worker_threads|java threads|goroutines|make builds|^git$|multiprocessing$'
