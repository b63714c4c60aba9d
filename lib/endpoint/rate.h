/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The share of a port in its relay. Between ports it is deficit round robin: in each
 * round the flows to a port may move some bytes more, in proportion to its weight; what
 * they cannot use because there is nothing to move is lost. A limit is a bucket that
 * fills with time.
 */
#ifndef VTC__RATE_PORT_H
#define VTC__RATE_PORT_H

#include <stdbool.h>
#include <stdint.h>

/* What the port with the largest weight may move in a round. */
#define VTC__ROUND_BYTES 65536u

struct vtc__port_rate {
	uint32_t weight;    /* 0: none was set */
	uint64_t max_bytes; /* in a second; 0: no limit */
	int64_t tokens;	    /* bytes that may go now; below 0 after a large packet */
	uint32_t rest;	    /* of a byte, in billionths */
	uint64_t at_ns;	    /* when that was so; 0: never yet */

	/* The relay's. */
	uint64_t quantum; /* bytes more to move in each round */
	int64_t deficit;  /* bytes to move in this one... */
	uint32_t round;	  /* ... whose number this is */
};

static inline bool vtc__rate_is_set(const struct vtc__port_rate *rate)
{
	return rate->weight || rate->max_bytes;
}

/* Bytes that may go at this time; 0: none before *ret_until. */
uint64_t vtc__rate_allows(struct vtc__port_rate *rate, uint64_t now_ns,
			  uint64_t *ret_until);

static inline void vtc__rate_took(struct vtc__port_rate *rate, uint64_t bytes)
{
	if (rate->max_bytes)
		rate->tokens -= (int64_t)bytes;
}

#endif
