/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rates of pools. */
#include <errno.h>
#include <stddef.h>

#include "rate.h"

const struct vtc__rate_mechanism *const vtc__rate_mechanisms[] = { NULL };

int vtc_pool_set_rate(struct vtc_pool *pool, const struct vtc_rate *rate,
		      struct vtc_rate_answer *answer)
{
	(void)pool, (void)rate, (void)answer;
	return -EOPNOTSUPP;
}

int vtc_pool_get_rate(struct vtc_pool *pool, struct vtc_rate *rate,
		      struct vtc_rate_answer *answer)
{
	(void)pool, (void)rate, (void)answer;
	return -EOPNOTSUPP;
}
