/* SPDX-License-Identifier: BSD-2-Clause */
/* Of BearSSL, for ring 2: what takes PEM and DER apart. */
#include "src/codec/pemdec.c"
