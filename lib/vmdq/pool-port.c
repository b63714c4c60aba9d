/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The port on a pool. */
#include <errno.h>
#include <stddef.h>

#include "pool.h"

int vtc__pool_set_port(struct vtc_pool *pool, struct vtc__pool_port *port)
{
	(void)pool, (void)port;
	return -EOPNOTSUPP;
}

void vtc__pool_drop_port(struct vtc_pool *pool, struct vtc__pool_port *port)
{
	(void)pool, (void)port;
}
