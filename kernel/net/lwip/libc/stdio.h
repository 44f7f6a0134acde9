/* SPDX-License-Identifier: BSD-2-Clause */
/* For lwIP's sources: there is no C library. They print only where it is configured out. */
#pragma once
