/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The frontend of a vhost-user device, as a port. */
#ifndef VTC__VHOST_FRONTEND_H
#define VTC__VHOST_FRONTEND_H

#include <vtc/port.h>

/* The options have been checked; the error record is written. */
int vtc__vhost_frontend_open(struct vtc_ctx *ctx, const struct vtc_vhost_user_opts *opts,
			     struct vtc_port **ret_port);

#endif
