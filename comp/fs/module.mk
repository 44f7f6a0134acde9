# SPDX-License-Identifier: BSD-2-Clause
# What all file systems share: the tests that each must pass.
DEPS := abi base core mem vfs
KTESTS := conform.c test/k_fs.c
