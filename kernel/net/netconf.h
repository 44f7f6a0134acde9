/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses of the network device, as the run configuration says (net=, dns=, etc-net= of
 * abi/boot.h), and what the program finds about them in /etc.
 *
 * With DHCP the first question leaves while the rest of the machine starts, and the program begins
 * when the answer is there: with QEMU's own network that is a millisecond or two later. After
 * START_WAIT_NS it begins without an address: a server that binds 0.0.0.0 does not notice, and DHCP
 * goes on. When nobody has answered after GIVE_UP_NS, that is said, and the device takes an address
 * of 169.254/16 (RFC 3927), which a later answer replaces. IPv6: a link-local address at once,
 * further ones and the way out as routers say. Fixed addresses wait for nothing.
 */
#pragma once

#include "abi/err.h"
#include "abi/types.h"

#define NETCONF_START_WAIT_NS 1000000000ull
#define NETCONF_GIVE_UP_NS    3000000000ull

/*
 * Start the device and give it its addresses, or begin to ask for them. Outside of threads.
 * E_INVAL: a value of the configuration makes no sense (it is said in the log). Without a device,
 * and when it
 * does not work, there is only loopback: OK. */
err_t netconf_start(void) MUST_CHECK;
/* Until there is an IPv4 address, or there will be none soon; then /etc is written. MAY_SWITCH */
void netconf_await(void);
/* Now and then while the program is being prepared: answers are taken, and answered. */
void netconf_glance(void);
