/* SPDX-License-Identifier: BSD-2-Clause */
/* Who on this host has a port, for the message that it is in use. */
#pragma once

#include "tool/util.h"

/* "the machine web (ringfence stop web)", "nginx (process 123)", or NULL. The caller frees. */
char *holder_of_port(unsigned port, bool udp);
