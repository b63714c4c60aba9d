/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What backends share: the guard and the filter itself. */
#include <errno.h>
#include <stddef.h>

#include "pool.h"

int vtc__pool_do_guard(struct vtc__txn *txn, struct vtc_pool *pool)
{
	(void)txn, (void)pool;
	return -EOPNOTSUPP;
}

int vtc__pool_do_guard_filter(struct vtc__txn *txn, struct vtc_pool *pool,
			      const struct vtc_filter *filter, uint32_t tag)
{
	(void)txn, (void)pool, (void)filter, (void)tag;
	return -EOPNOTSUPP;
}

int vtc__pool_do_match(struct vtc__txn *txn, struct vtc_pool *pool,
		       const struct vtc_filter *filter, uint32_t tag)
{
	(void)txn, (void)pool, (void)filter, (void)tag;
	return -EOPNOTSUPP;
}
