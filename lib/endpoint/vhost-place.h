/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a packed ring stands. A device keeps its place to itself; a backend that follows
 * one that was killed gets an old place from the frontend, and looks at the ring.
 */
#ifndef VTC__VHOST_PLACE_H
#define VTC__VHOST_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include <vtc/vring.h>

/* The base of SET_VRING_BASE, as a place where nothing is in flight; and back. */
struct vtc_vring_state vtc__vhost_place_of(uint32_t base);
uint32_t vtc__vhost_base_of(const struct vtc_vring_state *state);

/*
 * Correct a place by the descriptors of the ring. Sure only if all chains are of one
 * descriptor (as they are with indirect ones) and used one by one; 0, or -EPROTO if the
 * place is wrong and the right one cannot be told. What the last backend was about to
 * publish when it was killed is published as if nothing had been written to it.
 */
int vtc__vhost_place_find(uint8_t *ring, uint32_t size, bool single,
			  struct vtc_vring_state *place);

#endif
