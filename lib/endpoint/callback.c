/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A port that is a function of the caller. */
#include <errno.h>
#include <stdlib.h>

#include <vtc/port.h>

#include "core/ctx.h"
#include "core/error.h"
#include "core/opts.h"
#include "port.h"
#include "vring/vring.h"

/* The size of 0.3, which callers of any later version reach. */
#define OPTS_FIRST sizeof(struct vtc_callback_opts)

/* When to offer again what the function did not take. */
#define AGAIN_NS 1000000u

struct callback {
	struct vtc_port port;
	struct vtc_callback_opts opts;
	struct vtc__timer again;
	struct vtc_packet packets[VTC__BURST_MAX];
};

static struct callback *callback_of(struct vtc_port *port)
{
	return VTC__OWNER(port, struct callback, port);
}

/* The header was checked, and is private; it has a segment for itself (feed.h). */
static void describe(const struct vtc_chain *chain, struct vtc_packet *packet)
{
	const uint8_t *raw = chain->segments->base;

	if (vtc__likely(!(raw[0] | raw[1])))
		packet->header = (struct vtc_nethdr){ .num_buffers = 1 };
	else
		(void)vtc_nethdr_get(chain->segments, chain->readable, VTC__HDR_LEN,
				     &packet->header);
	packet->segments = chain->segments + 1;
	packet->count = chain->readable - 1u;
	packet->len = chain->readable_bytes - VTC__HDR_LEN;
}

static unsigned int consume(struct vtc_port *port, unsigned int queue,
			    const struct vtc_chain *chains, unsigned int count)
{
	struct callback *c = callback_of(port);
	uint64_t bytes = 0;
	unsigned int n;

	for (unsigned int i = 0; i < count; i++)
		describe(&chains[i], &c->packets[i]);
	n = c->opts.packets(c->opts.data, queue, c->packets, count);
	n = n < count ? n : count;
	for (unsigned int i = 0; i < n; i++)
		bytes += c->packets[i].len;
	vtc__count(port, queue, VTC__TX_PACKETS, n);
	vtc__count(port, queue, VTC__TX_BYTES, bytes);
	return n;
}

static void due(struct vtc__timer *timer)
{
	vtc__port_kicked(&VTC__OWNER(timer, struct callback, again)->port);
}

/* Nobody tells when the function will take more. */
static bool arm_reserve(struct vtc_port *port, unsigned int queue)
{
	struct callback *c = callback_of(port);

	(void)queue;
	if (!c->again.set)
		vtc__loop_set_timer(port->loop, &c->again,
				    vtc__now_ns(port->ctx) + AGAIN_NS);
	return true;
}

static void detach(struct vtc_port *port)
{
	vtc__loop_stop_timer(port->loop, &callback_of(port)->again);
}

static void close_callback(struct vtc_port *port)
{
	struct callback *c = callback_of(port);

	vtc__port_fini(port);
	free(c);
}

static void info(const struct vtc_port *port, struct vtc_port_info *info)
{
	(void)port;
	info->connected = 1;
}

static const struct vtc__port_ops callback_ops = {
	.kind = "callback",
	.detach = detach,
	.close = close_callback,
	.info = info,
	.consume = consume,
	.arm_reserve = arm_reserve,
};

static void set_up(struct callback *c)
{
	struct vtc_port *port = &c->port;

	port->ready = port->queue_pairs;
	port->far_role = VTC_VRING_DRIVER;
	if (!(c->opts.flags & VTC_CALLBACK_F_OFFLOAD))
		return;
	port->accepts[0] = 1ull << VTC_NET_F_GUEST_CSUM | 1ull << VTC_NET_F_GUEST_TSO4 |
			   1ull << VTC_NET_F_GUEST_TSO6 | 1ull << VTC_NET_F_GUEST_ECN |
			   1ull << VTC_NET_F_GUEST_USO4 | 1ull << VTC_NET_F_GUEST_USO6;
}

static int load_opts(struct vtc_ctx *ctx, struct vtc_callback_opts *o,
		     const struct vtc_callback_opts *opts)
{
	int err = vtc__opts_load(o, sizeof(*o), OPTS_FIRST, opts);

	if (!err && (o->flags & ~VTC_CALLBACK_F_OFFLOAD || !o->packets))
		err = -EINVAL;
	return err ? vtc__err(ctx, err, VTC_ERROR_ORIGIN_ARG, "port new callback",
			      "options")
		   : 0;
}

int vtc_port_new_callback(struct vtc_ctx *ctx, const struct vtc_callback_opts *opts,
			  struct vtc_port **ret_port)
{
	struct vtc_callback_opts o;
	struct callback *c;
	int err;

	if (!ctx || !opts || !ret_port)
		return vtc__err_arg(ctx, "port new callback", "a parameter is NULL");
	err = load_opts(ctx, &o, opts);
	if (err)
		return err;
	c = calloc(1, sizeof(*c));
	if (!c)
		return vtc__err(ctx, -ENOMEM, VTC_ERROR_ORIGIN_SYSTEM,
				"port new callback", "port");
	err = vtc__port_init(&c->port, ctx, &callback_ops, VTC_PORT_QUEUE_PAIRS_MAX);
	if (err) {
		free(c);
		return err;
	}
	c->opts = o;
	c->again.due = due;
	set_up(c);
	*ret_port = &c->port;
	return 0;
}
