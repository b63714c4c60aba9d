/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The backend tc. */
#include <errno.h>

#include "pool.h"

static int probe(struct vtc__txn *txn, const struct vtc_pool_opts *opts, char *why,
		 size_t len)
{
	(void)txn, (void)opts, (void)why, (void)len;
	return -EOPNOTSUPP;
}

const struct vtc__backend vtc__backend_tc = {
	.id = VTC_POOL_BACKEND_TC,
	.probe = probe,
};
