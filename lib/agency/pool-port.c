/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A port on a pool. Where the guard sorts, its sockets are on the pool's queues of the
 * card. Where the card itself delivers to an interface of the pool's own, they are on
 * that one, in a pool of their own that takes everything.
 */
#include <errno.h>
#include <stdlib.h>

#include <vtc/agency.h>
#include <vtc/relay.h>

#include "core/ctx.h"
#include "core/error.h"
#include "core/opts.h"
#include "endpoint/port.h"
#include "endpoint/xsk.h"
#include "vlans.h"
#include "vmdq/pool.h"

#define OPERATION  "open port on pool"
#define OPTS_FIRST sizeof(struct vtc_pool_port_opts)
#define FLAGS_KNOWN                                                                 \
	(VTC_POOL_PORT_F_ZEROCOPY | VTC_POOL_PORT_F_COPY | VTC_POOL_PORT_F_SPREAD | \
	 VTC_POOL_PORT_F_TX_IN_PLACE)
#define INNER_NAME "port"

/* The same port, as one of the pools sees it. */
struct face {
	struct vtc__pool_port port; /* first */
	struct agent *agent;
	struct vtc_pool *pool; /* NULL: none, or the port is not entered there */
	bool has_sockets;
};

struct agent {
	struct vtc_port *port;
	struct face outer, inner;
	bool follows; /* the pool's filters say in which VLANs group frames are copied */
};

static struct agent *agent_of(const struct vtc__pool_port *port)
{
	return ((const struct face *)(const void *)port)->agent;
}

/* ---- What pools ask of it ---- */

static int set_rate(struct vtc__pool_port *port, const struct vtc_rate *rate,
		    struct vtc_rate_answer *answer)
{
	struct vtc_port_rate r = VTC_PORT_RATE_INIT;
	int err;

	if (rate) {
		r.weight = rate->weight;
		r.max_bps = rate->max_bps;
	}
	err = vtc_port_set_rate(agent_of(port)->port, &r);
	if (err || !answer)
		return err;
	answer->weight = r.weight ? VTC_RATE_APPROXIMATE : VTC_RATE_NOT_ASKED;
	answer->min = rate && rate->min_bps ? VTC_RATE_UNSUPPORTED : VTC_RATE_NOT_ASKED;
	answer->max = r.max_bps ? VTC_RATE_APPROXIMATE : VTC_RATE_NOT_ASKED;
	answer->mechanism = "relay";
	return 0;
}

static int socket_of(struct vtc__pool_port *port, unsigned int queue)
{
	const struct face *face = (const struct face *)(const void *)port;

	return face->has_sockets ? vtc__xsk_socket(face->agent->port, queue) : -1;
}

static void get_stats(struct vtc__pool_port *port, struct vtc_pool_stats *stats)
{
	struct vtc_port_stats s = { .sz = sizeof(s) };

	stats->valid |= VTC_POOL_STAT_RX_DROPPED | VTC_POOL_STAT_TX_PACKETS |
			VTC_POOL_STAT_TX_BYTES | VTC_POOL_STAT_TX_DROPPED;
	for (unsigned int i = 0; !vtc_port_get_stats(agent_of(port)->port, i, &s); i++) {
		/* Beside what the card has dropped before. */
		stats->rx_dropped += s.rx_dropped_bad;
		stats->tx_packets += s.tx_packets;
		stats->tx_bytes += s.tx_bytes;
		stats->tx_dropped += s.tx_dropped_room + s.tx_dropped_size +
				     s.tx_dropped_error + s.tx_dropped_down;
	}
}

static struct vtc_pool *inner_of(struct vtc__pool_port *port)
{
	const struct agent *a = agent_of(port);

	return port == &a->outer.port ? a->inner.pool : NULL;
}

static void filters_changed(struct vtc__pool_port *port)
{
	struct agent *a = agent_of(port);
	struct vtc__vlans vlans;

	if (!a->follows)
		return;
	(void)vtc__vlans_of_pool(a->outer.pool, &vlans);
	vtc__xsk_set_vlans(a->port, vlans.bits);
}

static const struct vtc__pool_port face_ops = {
	.set_rate = set_rate,
	.socket = socket_of,
	.inner = inner_of,
	.stats = get_stats,
	.filters_changed = filters_changed,
};

/* ---- The pool within ---- */

static int request_inner(struct agent *a, struct vtc_pool *pool)
{
	struct vtc_pool_opts o = VTC_POOL_OPTS_INIT;
	int err;

	o.name = INNER_NAME;
	o.backend = VTC_POOL_BACKEND_XDP;
	o.flags = VTC_POOL_F_EVERYTHING;
	err = vtc_pool_request(pool->ctx, pool->netdev, &o, &a->inner.pool);
	if (!err || err == -EBUSY || err == -EPERM)
		return err;
	o.flags |= VTC_POOL_F_GENERIC_XDP;
	return vtc_pool_request(pool->ctx, pool->netdev, &o, &a->inner.pool);
}

/* ---- The end ---- */

static void take_out(struct face *face)
{
	if (face->pool)
		vtc__pool_drop_port(face->pool, &face->port);
}

/* Called when the port is closed, and before. */
static void on_closed(void *data)
{
	struct agent *a = data;

	take_out(&a->outer);
	take_out(&a->inner);
	(void)vtc_pool_release(a->inner.pool);
	free(a);
}

/* ---- Open ---- */

static const char *find_bad_option(const struct vtc_pool_port_opts *o)
{
	if (o->flags & ~FLAGS_KNOWN)
		return "opts.flags: an unknown bit";
	if (o->flags & VTC_POOL_PORT_F_ZEROCOPY && o->flags & VTC_POOL_PORT_F_COPY)
		return "opts.flags: zero-copy and copy exclude each other";
	if (o->queue_pairs > VTC_PORT_QUEUE_PAIRS_MAX)
		return "opts.queue_pairs: above VTC_PORT_QUEUE_PAIRS_MAX";
	return o->reserved ? "opts.reserved: not 0" : NULL;
}

static int load_opts(struct vtc_ctx *ctx, struct vtc_pool_port_opts *o,
		     const struct vtc_pool_port_opts *opts)
{
	int err = vtc__opts_load(o, sizeof(*o), OPTS_FIRST, opts);
	const char *bad = err ? NULL : find_bad_option(o);

	if (err)
		return vtc__err(ctx, err, VTC_ERROR_ORIGIN_ARG, OPERATION, "opts.sz");
	return bad ? vtc__err_arg(ctx, OPERATION, bad) : 0;
}

static int explain(struct vtc_pool *pool, int err, const char *message, const char *hint)
{
	vtc__pool_err(pool, err, VTC_ERROR_ORIGIN_LIBRARY, OPERATION);
	vtc__err_message(pool->ctx, "%s", message);
	vtc__err_hint(pool->ctx, "%s", hint);
	return err;
}

static int check_pool(struct vtc_pool *pool)
{
	if (pool->port)
		return explain(pool, -EBUSY, "the pool has a port", "close that first");
	if (pool->foreign)
		return explain(pool, -EBUSY, "the pool belongs to another process",
			       "only that one can open a port on it");
	if (!pool->backend->uses_guard && !pool->netdev[0])
		return explain(pool, -EOPNOTSUPP,
			       "traffic control has no queue that AF_XDP could have",
			       "take the pool's target interface, or another backend");
	return 0;
}

/* on: the pool whose queues they are. */
static int open_sockets(struct agent *a, const struct vtc_pool *on,
			const struct vtc_pool_port_opts *given)
{
	struct vtc__vlans vlans;
	struct vtc__xsk_opts o = { .name = on->uplink.name,
				   .ifindex = on->uplink.ifindex,
				   .queue_first = on->data.queue_first,
				   .queue_count = on->data.queue_count,
				   .queue_pairs = given->queue_pairs,
				   .ring_size = given->ring_size,
				   .frame_count = given->frame_count,
				   .zerocopy = given->flags & VTC_POOL_PORT_F_ZEROCOPY,
				   .copy = given->flags & VTC_POOL_PORT_F_COPY,
				   .generic = on->guard_mode == VTC_POOL_GUARD_GENERIC,
				   .spread = given->flags & VTC_POOL_PORT_F_SPREAD,
				   .in_place = given->flags & VTC_POOL_PORT_F_TX_IN_PLACE,
				   .group = a->inner.pool ||
					    on->data.flags & VTC_POOL_F_GROUP_COPY,
				   .closed = on_closed,
				   .owner_data = a };

	a->follows = o.group && !a->inner.pool;
	if (a->follows) {
		int err = vtc__vlans_of_pool(a->outer.pool, &vlans);

		if (err)
			return err;
		o.vlans = vlans.bits;
	}
	return vtc__xsk_open(on->ctx, &o, &a->port);
}

static int enter(struct face *face)
{
	return face->pool ? vtc__pool_set_port(face->pool, &face->port) : 0;
}

static struct agent *agent_new(struct vtc_pool *pool)
{
	struct agent *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->outer = (struct face){ face_ops, a, pool, pool->backend->uses_guard };
	a->inner = (struct face){ face_ops, a, NULL, true };
	return a;
}

static int open_port(struct vtc_pool *pool, const struct vtc_pool_port_opts *o,
		     struct vtc_port **ret_port)
{
	struct agent *a = agent_new(pool);
	int err = 0;

	if (!a)
		return explain(pool, -ENOMEM, "memory is out", "");
	if (!pool->backend->uses_guard)
		err = request_inner(a, pool);
	if (!err)
		err = open_sockets(a, a->inner.pool ? a->inner.pool : pool, o);
	if (err) {
		on_closed(a);
		return err;
	}
	a->outer.port.takes_parts = a->inner.port.takes_parts = a->port->mergeable;
	err = enter(&a->inner);
	if (!err)
		err = enter(&a->outer);
	if (err) {
		vtc_port_close(a->port);
		return err;
	}
	*ret_port = a->port;
	return 0;
}

int vtc_pool_open_port(struct vtc_pool *pool, const struct vtc_pool_port_opts *opts,
		       struct vtc_port **ret_port)
{
	struct vtc_pool_port_opts o;
	int err;

	if (!pool)
		return -EINVAL;
	if (!ret_port)
		return vtc__err_arg(pool->ctx, OPERATION, "ret_port");
	err = load_opts(pool->ctx, &o, opts);
	if (!err)
		err = check_pool(pool);
	return err ? err : open_port(pool, &o, ret_port);
}
