/* SPDX-License-Identifier: BSD-2-Clause */
/* The other cores, as this one knows them from their messages. */
#pragma once

#include "abi/types.h"

/* Other cores whose kernels are up and have not died, as bits. */
uint32_t cores_up(void);
/*
 * Called when a core has died by its own error; its messages are over. NULL: nobody wants to know.
 */
extern void (*core_down_hook)(unsigned core);
