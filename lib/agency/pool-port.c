/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A port on a pool. */
#include <errno.h>
#include <stddef.h>

#include <vtc/agency.h>

int vtc_pool_open_port(struct vtc_pool *pool, const struct vtc_pool_port_opts *opts,
		       struct vtc_port **ret_port)
{
	(void)pool, (void)opts, (void)ret_port;
	return -EOPNOTSUPP;
}
