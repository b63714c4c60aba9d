/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest for the measuring of taps: split rings with both sides in this process, as a
 * port of the library, or used by somebody else's loop. Only the device's side is timed.
 */
#ifndef TAP_GUEST_H
#define TAP_GUEST_H

#include "endpoint/port.h"

#define GUEST_RING 256u

struct guest_ring {
	struct vtc_vring *driver, *device;
	uint8_t *buffers;
	uint64_t addr;	/* of the buffers */
	uint32_t free;	/* chains that are at the driver */
	uint32_t next;	/* its buffer */
	uint32_t room;	/* of a buffer */
	size_t map_len; /* of its memory, if it is a mapping */
};

struct guest {
	struct vtc_port port;
	struct vtc_mem *mem;
	struct guest_ring rx, tx;
	uint64_t doorbells; /* that a driver would have heard */
};

/* Buffers of that size, and packets of that one to send. */
struct guest *guest_new(struct vtc_ctx *ctx, uint32_t room, uint32_t len);
/* The same in memory by descriptor, as that of a virtual machine, which may be held. */
struct guest *guest_new_shared(struct vtc_ctx *ctx, uint32_t room, uint32_t len);
void guest_free(struct guest *guest);

/* The driver: take back what is done with, offer buffers and so many packets. */
void guest_turn(struct guest *guest, unsigned int packets);

#endif
