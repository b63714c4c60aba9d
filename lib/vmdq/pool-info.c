/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a pool is, for its user. */
#include <errno.h>
#include <stddef.h>

#include "core/opts.h"
#include "pool.h"

#define INFO_FIRST sizeof(struct vtc_pool_info)

static uint32_t flags_of(const struct vtc_pool *pool)
{
	return (pool->backend->vlan_stripped ? VTC_POOL_INFO_VLAN_STRIPPED : 0) |
	       (pool->backend->hardware ? VTC_POOL_INFO_HARDWARE : 0) |
	       (pool->foreign ? VTC_POOL_INFO_FOREIGN : 0);
}

int vtc_pool_get_info(struct vtc_pool *pool, struct vtc_pool_info *info)
{
	struct vtc_pool_info now;

	if (!pool)
		return -EINVAL;
	if (!info || info->sz < INFO_FIRST)
		return vtc__err_arg(pool->ctx, "get pool info",
				    info ? "info.sz" : "info");
	/* The name of a card that is gone is the last one that it had. */
	(void)vtc__uplink_refresh(&pool->uplink);
	now = (struct vtc_pool_info){
		.flags = flags_of(pool),
		.backend = pool->data.backend,
		.guard = pool->guard_mode,
		.queue_first = pool->data.queue_first,
		.queue_count = pool->data.queue_count,
		.opts_flags = pool->data.flags,
		.owner = pool->owner,
		.name = pool->name,
		.nic = pool->uplink.name,
		.target = pool->data.target_name,
		.netdev = pool->netdev,
		.note = pool->note,
	};
	vtc__opts_give(info, &now, sizeof(now));
	return 0;
}
