/* SPDX-License-Identifier: MIT */
/*
 * Which Ethernet address is at which port. An address belongs to the port that used it
 * first, until it was silent for long enough or the port forgets it; only a port that may
 * take over gets it sooner. So no machine gets what is meant for another by pretending.
 */
#ifndef VTCCTL_ADDRESSES_H
#define VTCCTL_ADDRESSES_H

#include <stdbool.h>
#include <stdint.h>

/* Addresses that are learned, in all and at one port. */
#define ADDRESSES_MAX	   8192u
#define ADDRESSES_PER_PORT 1024u

#define ADDRESSES_PORTS_MAX 64u

struct addresses;

/* Addresses that were silent for so many seconds are free again. NULL: errno says why. */
struct addresses *addresses_new(uint32_t silent_seconds);
void addresses_free(struct addresses *addresses);

/* This address is at this port alone, and never free. False: there is no room. */
bool addresses_fix(struct addresses *addresses, uint64_t address, unsigned int port);

/*
 * The port has sent with this address, now. False: it belongs to another one. What finds
 * no room is not learned, which is no fault.
 */
bool addresses_learn(struct addresses *addresses, uint64_t address, unsigned int port,
		     bool may_take_over, uint32_t now);

/* The port that the address is at; -1: unknown. */
int addresses_find(const struct addresses *addresses, uint64_t address, uint32_t now);

/* What was learned at the port is free. */
void addresses_forget(struct addresses *addresses, unsigned int port);

/* How many addresses are known at the port. */
unsigned int addresses_count(const struct addresses *addresses, unsigned int port);

#endif
