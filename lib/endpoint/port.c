/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all ports share: their beginning and end, what they tell, what they count. */
#include "port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/ctx.h"
#include "core/error.h"
#include "core/opts.h"
#include "relay.h"

/* The sizes of 0.3, which callers of any later version reach. */
#define STATS_FIRST sizeof(struct vtc_port_stats)
#define INFO_FIRST  sizeof(struct vtc_port_info)

static struct vtc__counters *counters_new(unsigned int count)
{
	size_t size = count * sizeof(struct vtc__counters);
	struct vtc__counters *c = aligned_alloc(_Alignof(struct vtc__counters), size);

	if (c)
		memset(c, 0, size);
	return c;
}

int vtc__port_init(struct vtc_port *port, struct vtc_ctx *ctx,
		   const struct vtc__port_ops *ops, unsigned int queue_pairs)
{
	struct vtc__counters *counters = counters_new(queue_pairs);

	if (!counters)
		return vtc__err(ctx, -ENOMEM, VTC_ERROR_ORIGIN_SYSTEM, "port open",
				"counters of %u queue pairs", queue_pairs);
	*port = (struct vtc_port){ .ops = ops,
				   .ctx = vtc_ctx_ref(ctx),
				   .queue_pairs = queue_pairs,
				   .len_max = UINT32_MAX,
				   .counters = counters };
	return 0;
}

void vtc__port_fini(struct vtc_port *port)
{
	free(port->counters);
	vtc_ctx_unref(port->ctx);
}

void vtc_port_close(struct vtc_port *port)
{
	if (!port)
		return;
	vtc__relay_leave(port);
	vtc__capture_end(port);
	port->ops->close(port);
}

void vtc__port_changed(struct vtc_port *port)
{
	port->changed = true;
	if (port->relay)
		vtc__relay_look(port->relay, true);
}

void vtc__port_kicked(struct vtc_port *port)
{
	if (port->relay)
		vtc__relay_look(port->relay, false);
}

void vtc__port_settle(struct vtc_port *port, bool forget)
{
	if (port->peer && port->peer->ops->place)
		port->peer->ops->place->settle(port->peer, forget);
}

int vtc_port_get_info(const struct vtc_port *port, struct vtc_port_info *info)
{
	struct vtc_port_info out = { .name = "" };

	if (!port || !info || info->sz < INFO_FIRST)
		return -EINVAL;
	out.kind = port->ops->kind;
	out.ready = port->ready;
	out.queue_pairs = port->queue_pairs;
	out.features[0] = port->accepts[0];
	out.features[1] = port->accepts[1];
	if (port->ops->info)
		port->ops->info(port, &out);
	vtc__opts_give(info, &out, sizeof(out));
	return 0;
}

int vtc_port_get_stats(const struct vtc_port *port, unsigned int queue,
		       struct vtc_port_stats *stats)
{
	struct vtc_port_stats out = { 0 };
	uint64_t *const field[VTC__COUNTERS] = {
		[VTC__RX_PACKETS] = &out.rx_packets,
		[VTC__RX_BYTES] = &out.rx_bytes,
		[VTC__TX_PACKETS] = &out.tx_packets,
		[VTC__TX_BYTES] = &out.tx_bytes,
		[VTC__RX_DROPPED_BAD] = &out.rx_dropped_bad,
		[VTC__TX_DROPPED_ROOM] = &out.tx_dropped_room,
		[VTC__TX_DROPPED_SIZE] = &out.tx_dropped_size,
		[VTC__TX_DROPPED_ERROR] = &out.tx_dropped_error,
		[VTC__TX_DROPPED_DOWN] = &out.tx_dropped_down,
		[VTC__NOTIFICATIONS_SENT] = &out.notifications_sent,
		[VTC__NOTIFICATIONS_SUPPRESSED] = &out.notifications_suppressed,
		[VTC__NOTIFICATIONS_RECEIVED] = &out.notifications_received,
		[VTC__COPIES] = &out.copies,
		[VTC__SYS_CALLS] = &out.sys_calls,
	};

	if (!port || !stats || stats->sz < STATS_FIRST)
		return -EINVAL;
	if (queue >= port->queue_pairs)
		return -ERANGE;
	for (unsigned int i = 0; i < VTC__COUNTERS; i++)
		*field[i] = atomic_load_explicit(&port->counters[queue].value[i],
						 memory_order_relaxed);
	if (port->ops->stats)
		port->ops->stats(port, queue, &out);
	vtc__opts_give(stats, &out, sizeof(out));
	return 0;
}
