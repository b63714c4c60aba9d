/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An AF_XDP port. */
#include <errno.h>
#include <stddef.h>

#include "xsk.h"

int vtc__xsk_open(struct vtc_ctx *ctx, const struct vtc__xsk_opts *opts,
		  struct vtc_port **ret_port)
{
	(void)ctx, (void)opts, (void)ret_port;
	return -EOPNOTSUPP;
}

int vtc__xsk_socket(const struct vtc_port *port, unsigned int n)
{
	(void)port, (void)n;
	return -EOPNOTSUPP;
}
