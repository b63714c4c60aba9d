/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rates: which of the card's mechanisms keeps one. Each mechanism is a file of its own
 * (rate-vf.c, rate-shaper.c, ...), and does its work in steps with the tag VTC__TAG_RATE.
 */
#ifndef VTC__RATE_H
#define VTC__RATE_H

#include "pool.h"

struct vtc__rate_mechanism {
	const char *name;
	/*
	 * What it would keep of a rate for this pool, without changing anything: fills
	 * answer. -EOPNOTSUPP: nothing, and the reason in why.
	 */
	int (*probe)(struct vtc__txn *txn, struct vtc_pool *pool,
		     const struct vtc_rate *rate, struct vtc_rate_answer *answer,
		     char *why, size_t len);
	/* Steps of group pool->name, or shared ones. Writes the error record. */
	int (*set)(struct vtc__txn *txn, struct vtc_pool *pool,
		   const struct vtc_rate *rate);
};

/* The best first; ends with NULL. */
extern const struct vtc__rate_mechanism *const vtc__rate_mechanisms[];

#endif
