/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* AF_XDP ports: opened, watched, and told how the interface is. */
#include "xsk.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/ctx.h"
#include "core/error.h"
#include "xsk-place.h"

#define OPERATION "open AF_XDP port"

/* What is in flight fits the cache of a core: frames lie 4 KiB apart. */
#define RING_SIZE  512u
#define RING_MIN   64u
#define RING_MAX   32768u
#define FRAMES_MAX (1u << 18)

/* ---- Events ---- */

static void on_packets(struct vtc__watch *watch, uint32_t events)
{
	struct vtc__xsk_socket *s = VTC__OWNER(watch, struct vtc__xsk_socket, watch);
	struct vtc_port *port = &s->xsk->port;

	if (events & EPOLLIN)
		vtc__count(port, s->index % port->queue_pairs,
			   VTC__NOTIFICATIONS_RECEIVED, 1);
	vtc__port_kicked(port);
}

static void on_due(struct vtc__timer *timer)
{
	struct vtc__xsk_socket *s = VTC__OWNER(timer, struct vtc__xsk_socket, timer);

	vtc__xsk_kick(s);
	vtc__port_kicked(&s->xsk->port);
}

static void xsk_detach(struct vtc_port *port)
{
	struct vtc__xsk *x = vtc__xsk_of(port);

	vtc__xsk_place_ops.settle(port, true);
	for (unsigned int i = 0; i < x->count; i++) {
		vtc__loop_forget(port->loop, &x->sockets[i].watch);
		vtc__loop_stop_timer(port->loop, &x->sockets[i].timer);
	}
	vtc__loop_forget(port->loop, &x->links);
	if (x->group)
		vtc__xsk_group_forget(x->group, port->loop);
}

static int xsk_attach(struct vtc_port *port)
{
	struct vtc__xsk *x = vtc__xsk_of(port);
	int err = vtc__loop_watch(port->loop, &x->links, EPOLLIN);

	for (unsigned int i = 0; !err && i < x->count; i++)
		err = vtc__loop_watch(port->loop, &x->sockets[i].watch, EPOLLIN);
	if (!err && x->group)
		err = vtc__xsk_group_watch(x->group, port->loop);
	if (err)
		xsk_detach(port);
	else
		vtc__xsk_look(x);
	return err;
}

/* ---- The end ---- */

/*
 * Frames that the kernel is just about to give to a socket, which no program names any
 * more, would be lost for the others: let who is at it come to an end.
 */
static void let_pass(const struct vtc__xsk *x)
{
	for (unsigned int i = 0; i < x->count; i++) {
		if (x->sockets[i].umem && x->sockets[i].umem->refs > 1) {
			(void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
			return;
		}
	}
}

static void close_socket(struct vtc__xsk_socket *s)
{
	vtc__xsk_unsend(s);
	vtc__xsk_socket_close(s->watch.fd, &s->rx);
	vtc__xsk_socket_close(s->sender, &s->tx);
	vtc__umem_leave(s->umem, &s->user);
	vtc__umem_put(s->xsk->port.ctx, s->umem);
}

static void xsk_close(struct vtc_port *port)
{
	struct vtc__xsk *x = vtc__xsk_of(port);

	if (x->closed)
		x->closed(x->owner_data);
	let_pass(x);
	vtc__xsk_place_free(x);
	if (x->fifos)
		vtc__xsk_drain(x);
	for (unsigned int i = 0; i < x->count; i++)
		close_socket(&x->sockets[i]);
	vtc__xsk_group_close(x->group);
	if (x->links.fd >= 0)
		(void)close(x->links.fd);
	vtc__xsk_free_fifos(x);
	free(x->sockets);
	vtc__port_fini(port);
	free(x);
}

/* ---- What it tells ---- */

static void xsk_info(const struct vtc_port *port, struct vtc_port_info *info)
{
	const struct vtc__xsk *x = (const struct vtc__xsk *)port;

	info->connected = !x->error;
	info->connections = 1;
	info->uses_zerocopy = x->sockets[0].umem->base.zerocopy;
	info->name = x->name;
	info->error = x->error;
}

/* The kernel counts itself; from any thread. */
static void xsk_stats(const struct vtc_port *port, unsigned int queue,
		      struct vtc_port_stats *stats)
{
	const struct vtc__xsk *x = (const struct vtc__xsk *)port;

	for (unsigned int i = queue; i < x->count; i += port->queue_pairs) {
		struct vtc__xsk_lost lost;

		if (!vtc__xsk_socket_lost(x->sockets[i].watch.fd, &lost))
			stats->rx_dropped_bad += lost.rx;
		if (!vtc__xsk_socket_lost(x->sockets[i].sender, &lost))
			stats->tx_dropped_error += lost.tx_bad;
	}
}

static const struct vtc__port_ops xsk_ops = {
	.kind = "AF_XDP",
	.attach = xsk_attach,
	.detach = xsk_detach,
	.close = xsk_close,
	.info = xsk_info,
	.stats = xsk_stats,
	.take = vtc__xsk_take,
	.give_back = vtc__xsk_give_back,
	.excess = vtc__xsk_excess,
	.reserve = vtc__xsk_reserve,
	.commit = vtc__xsk_commit,
	.place = &vtc__xsk_place_ops,
	.arm_take = vtc__xsk_arm_take,
	.arm_reserve = vtc__xsk_arm_reserve,
};

int vtc__xsk_socket(const struct vtc_port *port, unsigned int n)
{
	const struct vtc__xsk *x = (const struct vtc__xsk *)port;

	return n < x->count ? x->sockets[n].watch.fd : -EINVAL;
}

void vtc__xsk_set_vlans(struct vtc_port *port, const uint64_t *vlans)
{
	struct vtc__xsk *x = vtc__xsk_of(port);

	if (x->group)
		vtc__xsk_group_set_vlans(x->group, vlans);
}

/* ---- Open ---- */

static bool is_power(uint32_t n)
{
	return n && !(n & (n - 1));
}

static int load_opts(struct vtc__xsk_opts *o, const struct vtc__xsk_opts *given)
{
	*o = *given;
	o->ring_size = o->ring_size ? o->ring_size : RING_SIZE;
	o->frame_count = o->frame_count ? o->frame_count : 2 * o->ring_size;
	o->queue_pairs = o->queue_pairs ? o->queue_pairs : o->queue_count;
	if (!is_power(o->ring_size) || o->ring_size < RING_MIN ||
	    o->ring_size > RING_MAX || !is_power(o->frame_count) ||
	    o->frame_count < o->ring_size || o->frame_count > FRAMES_MAX)
		return -EINVAL;
	if (!o->queue_count || o->queue_count > VTC__XSK_QUEUES_MAX ||
	    o->queue_pairs > VTC_PORT_QUEUE_PAIRS_MAX || (o->zerocopy && o->copy))
		return -EINVAL;
	return o->generic && o->zerocopy ? -EOPNOTSUPP : 0;
}

static int open_both(struct vtc__xsk_socket *s, const struct vtc__xsk_plan *plan,
		     uint32_t ring_size)
{
	const struct vtc__xsk_base *base = &s->umem->base;
	int fd = vtc__xsk_socket_open(base, plan, VTC__XSK_RECEIVE, ring_size, &s->rx);

	if (fd < 0)
		return fd;
	s->watch = (struct vtc__watch){ fd, on_packets };
	s->sender = vtc__xsk_socket_open(base, plan, VTC__XSK_SEND, ring_size, &s->tx);
	if (s->sender >= 0)
		return 0;
	vtc__xsk_socket_close(fd, &s->rx);
	return s->sender;
}

static int open_socket(struct vtc__xsk *x, const struct vtc__xsk_opts *o, unsigned int i)
{
	struct vtc__xsk_socket *s = &x->sockets[i];
	struct vtc__xsk_plan plan = { .ifindex = o->ifindex,
				      .queue = o->queue_first + i,
				      .frame_count = o->frame_count,
				      .zerocopy = o->zerocopy,
				      .copy = o->copy || o->generic };
	int err = vtc__umem_get(x->port.ctx, &plan, &s->umem);

	if (err)
		return err;
	err = open_both(s, &plan, o->ring_size);
	if (err) {
		vtc__umem_put(x->port.ctx, s->umem);
		return err;
	}
	vtc__umem_join(s->umem, &s->user);
	s->xsk = x;
	s->index = i;
	s->timer.due = on_due;
	x->count = i + 1;
	return 0;
}

/* Packets in several frames only if all queues can have them. */
static bool all_take_parts(const struct vtc__xsk *x)
{
	for (unsigned int i = 0; i < x->count; i++)
		if (!x->sockets[i].umem->base.multi)
			return false;
	return true;
}

static int open_parts(struct vtc__xsk *x, const struct vtc__xsk_opts *o)
{
	int err = 0;

	x->fifos = calloc(x->port.queue_pairs, sizeof(x->fifos[0]));
	x->sockets = calloc(o->queue_count, sizeof(x->sockets[0]));
	if (!x->fifos || !x->sockets)
		return -ENOMEM;
	err = vtc__xsk_make_fifos(x, o->frame_count);
	for (unsigned int i = 0; !err && i < o->queue_count; i++)
		err = open_socket(x, o, i);
	x->port.mergeable = all_take_parts(x);
	if (!err)
		err = vtc__xsk_open_link(x);
	if (!err && o->in_place)
		err = vtc__xsk_place_new(x, o);
	if (!err && o->group)
		err = vtc__xsk_group_open(&x->port, o->ifindex, o->vlans, &x->group);
	return err;
}

static void set_up(struct vtc__xsk *x, const struct vtc__xsk_opts *o)
{
	x->port.far_role = VTC_VRING_DEVICE;
	x->port.silent = true;
	x->closed = o->closed;
	x->owner_data = o->owner_data;
	vtc__xsk_look(x);
}

static int new_port(struct vtc_ctx *ctx, const struct vtc__xsk_opts *o,
		    struct vtc__xsk **ret)
{
	struct vtc__xsk *x = calloc(1, sizeof(*x));
	int err;

	if (!x)
		return -ENOMEM;
	err = vtc__port_init(&x->port, ctx, &xsk_ops, o->queue_pairs);
	if (err) {
		free(x);
		return err;
	}
	snprintf(x->name, sizeof(x->name), "%s", o->name);
	x->ifindex = o->ifindex;
	x->spread = o->spread && o->queue_pairs > 1;
	x->links.fd = -1;
	*ret = x;
	return 0;
}

static const char *why_not(const struct vtc__xsk_opts *o, bool has_sockets)
{
	if (has_sockets && o->in_place)
		return "it has no transmit queue beyond those to receive by that is free, "
		       "and sending in place needs one";
	return o->zerocopy ? "its driver has no zero-copy" : "this kernel has no AF_XDP";
}

static int tell(struct vtc_ctx *ctx, const struct vtc__xsk_opts *o, int err,
		bool has_sockets)
{
	(void)vtc__err(ctx, err, VTC_ERROR_ORIGIN_SYSTEM, OPERATION,
		       "%s, queues %u to %u", o->name, o->queue_first,
		       o->queue_first + o->queue_count - 1);
	if (err == -EBUSY)
		vtc__err_message(ctx, "a queue has a socket of another program or "
				      "context");
	if (err == -ENOBUFS)
		vtc__err_hint(ctx, "raise the limit of locked memory (ulimit -l)");
	if (err == -EOPNOTSUPP)
		vtc__err_message(ctx, "%s", why_not(o, has_sockets));
	if (err == -EINVAL)
		vtc__err_message(ctx, "it has no such queue");
	return err;
}

static int refuse(struct vtc_ctx *ctx, int err)
{
	(void)vtc__err(ctx, err, VTC_ERROR_ORIGIN_ARG, OPERATION, "opts");
	vtc__err_message(ctx, err == -EOPNOTSUPP
				      ? "VTC_POOL_PORT_F_ZEROCOPY: there is none behind "
					"the driver, where the guard is (generic)"
				      : "ring_size: a power of 2 from 64 to 32768; "
					"frame_count: one from ring_size to 262144; "
					"at most 64 queues");
	return err;
}

int vtc__xsk_open(struct vtc_ctx *ctx, const struct vtc__xsk_opts *opts,
		  struct vtc_port **ret_port)
{
	struct vtc__xsk_opts o;
	struct vtc__xsk *x;
	bool has_sockets;
	int err = load_opts(&o, opts);

	if (err)
		return refuse(ctx, err);
	err = new_port(ctx, &o, &x);
	if (err)
		return tell(ctx, &o, err, false);
	err = open_parts(x, &o);
	if (err) {
		has_sockets = x->count == o.queue_count;
		xsk_close(&x->port);
		return tell(ctx, &o, err, has_sockets);
	}
	set_up(x, &o);
	*ret_port = &x->port;
	return 0;
}
