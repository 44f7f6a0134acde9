# SPDX-License-Identifier: BSD-2-Clause
# What the drivers of one kind have in common: headers only.
DEPS := abi base
