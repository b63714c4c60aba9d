/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rates kept by the scheduler of the relay that a pool's AF_XDP port is in. Such frames
 * go past the card's queueing disciplines, so nothing in software but this can keep them.
 */
#include <errno.h>
#include <stdio.h>

#include "rate.h"

static int probe(struct vtc__txn *txn, struct vtc_pool *pool, const struct vtc_rate *rate,
		 struct vtc_rate_answer *answer, char *why, size_t len)
{
	(void)txn;
	if (!vtc__rate_goes_past(pool)) {
		snprintf(why, len, "no port is open on the pool");
		return -EOPNOTSUPP;
	}
	if (rate->weight)
		answer->weight = VTC_RATE_APPROXIMATE;
	if (rate->max_bps)
		answer->max = VTC_RATE_APPROXIMATE;
	return 0;
}

static int set(struct vtc__txn *txn, struct vtc_pool *pool, const struct vtc_rate *rate,
	       struct vtc_rate_answer *answer)
{
	const char *name = answer->mechanism;
	int err = pool->port->set_rate(pool->port, rate, answer);

	(void)txn;
	answer->mechanism = name;
	if (err)
		return vtc__pool_err(pool, err, VTC_ERROR_ORIGIN_NONE, "set pool rate");
	return 0;
}

const struct vtc__rate_mechanism vtc__rate_port = { "relay", probe, set };
