/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening vhost-user ports: the options, checked for both roles. */
#include <errno.h>

#include <vtc/port.h>

#include "core/error.h"
#include "core/opts.h"
#include "vhost-backend.h"
#include "vhost-frontend.h"

#define OPERATION  "vhost-user open"
#define OPTS_FIRST sizeof(struct vtc_vhost_user_opts)
#define FLAGS \
	(VTC_VHOST_USER_F_CONNECT | VTC_VHOST_USER_F_TRUSTED | VTC_VHOST_USER_F_LISTENING)
#define MTU_MIN	   68u
#define BUFFER_MIN 64u
#define BUFFER_MAX (1u << 20)

static const char *check_socket(const struct vtc_vhost_user_opts *o)
{
	if (o->path && !*o->path)
		return "path is empty";
	if (!o->path && o->fd < 0)
		return "there is neither a path nor a descriptor";
	if (o->path && o->flags & VTC_VHOST_USER_F_LISTENING)
		return "VTC_VHOST_USER_F_LISTENING is for a descriptor, not for a path";
	if (!o->path && o->flags & VTC_VHOST_USER_F_CONNECT)
		return "VTC_VHOST_USER_F_CONNECT is for a path, not for a descriptor";
	return NULL;
}

static const char *check_backend(const struct vtc_vhost_user_opts *o)
{
	if (o->ring_size || o->buffer_size)
		return "ring_size and buffer_size are for a frontend";
	if (o->mtu && o->mtu < MTU_MIN)
		return "mtu is below 68";
	return NULL;
}

static const char *check_frontend(const struct vtc_vhost_user_opts *o)
{
	if (o->mtu)
		return "mtu is for a backend";
	if (o->ring_size > VTC_VRING_SIZE_MAX || o->ring_size & (o->ring_size - 1))
		return "ring_size is no power of two up to 32768";
	if (o->buffer_size &&
	    (o->buffer_size < BUFFER_MIN || o->buffer_size > BUFFER_MAX))
		return "buffer_size is not between 64 and 1048576";
	return NULL;
}

static const char *check(const struct vtc_vhost_user_opts *o)
{
	const char *why = check_socket(o);

	if (why)
		return why;
	if (o->flags & ~FLAGS)
		return "a flag is unknown";
	if (o->role != VTC_VRING_DEVICE && o->role != VTC_VRING_DRIVER)
		return "role is neither VTC_VRING_DEVICE nor VTC_VRING_DRIVER";
	if (o->queue_pairs > VTC_PORT_QUEUE_PAIRS_MAX)
		return "queue_pairs is above VTC_PORT_QUEUE_PAIRS_MAX";
	if (o->mac[0] & 1)
		return "mac is a multicast address";
	if (o->reserved)
		return "reserved is not 0";
	return o->role == VTC_VRING_DEVICE ? check_backend(o) : check_frontend(o);
}

static int load_opts(struct vtc_ctx *ctx, const struct vtc_vhost_user_opts *opts,
		     struct vtc_vhost_user_opts *o)
{
	int err = vtc__opts_load(o, sizeof(*o), OPTS_FIRST, opts);
	const char *why;

	if (err)
		return vtc__err(ctx, err, VTC_ERROR_ORIGIN_ARG, OPERATION, "options");
	why = check(o);
	if (why)
		return vtc__err_arg(ctx, OPERATION, why);
	if (!o->queue_pairs)
		o->queue_pairs = 1;
	/* A device at a path is there to be connected to. */
	if (o->role == VTC_VRING_DRIVER && o->path)
		o->flags |= VTC_VHOST_USER_F_CONNECT;
	return 0;
}

int vtc_port_open_vhost_user(struct vtc_ctx *ctx, const struct vtc_vhost_user_opts *opts,
			     struct vtc_port **ret_port)
{
	struct vtc_vhost_user_opts o;
	int err;

	if (!ctx || !opts || !ret_port)
		return vtc__err_arg(ctx, OPERATION, "a parameter is NULL");
	err = load_opts(ctx, opts, &o);
	if (err)
		return err;
	if (o.role == VTC_VRING_DRIVER)
		return vtc__vhost_frontend_open(ctx, &o, ret_port);
	return vtc__vhost_backend_open(ctx, &o, ret_port);
}
