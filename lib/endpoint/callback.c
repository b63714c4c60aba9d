/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include <vtc/port.h>
#include <vtc/relay.h>

int vtc_port_new_callback(struct vtc_ctx *ctx, const struct vtc_callback_opts *opts,
			  struct vtc_port **ret_port)
{
	(void)ctx;
	(void)opts;
	(void)ret_port;
	return -EOPNOTSUPP;
}
