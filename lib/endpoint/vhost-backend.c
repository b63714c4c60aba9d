/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "vhost-backend.h"

int vtc__vhost_backend_open(struct vtc_ctx *ctx, const struct vtc_vhost_user_opts *opts,
			    struct vtc_port **ret_port)
{
	(void)ctx;
	(void)opts;
	(void)ret_port;
	return -EOPNOTSUPP;
}
