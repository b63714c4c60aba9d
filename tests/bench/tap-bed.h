/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where taps are measured: a network namespace, taps that are up in it, and a packet
 * socket for each, that fills its queue. What is written to them ends in the stack.
 */
#ifndef TAP_BED_H
#define TAP_BED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BED_HDR	    12u
#define BED_LARGE   65226u /* a packet of 45 segments */
#define BED_SEGMENT 1448u
#define BED_FILL    256u /* packets in the tap's queue */

/* NULL: packets can be measured; else why not. */
const char *bed_enter(void);

/* A queue of a new tap, that is up and takes all offloads if told to. */
int bed_tap(const char *name, bool offload);

/* A packet socket for it. */
int bed_host(const char *name);

/* A packet of that length with its header; more than 1514 bytes: TCP to be cut. */
size_t bed_packet(uint8_t *to, size_t len);

/* Put so many into the queue of the socket's tap. */
void bed_fill(int host, size_t len, unsigned int count);

#endif
