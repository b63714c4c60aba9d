/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guard of a build without libxdp: there is none. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "guard.h"

int vtc__guard_probe(struct vtc_ctx *ctx, uint32_t ifindex, char *why, size_t len)
{
	(void)ctx, (void)ifindex;
	snprintf(why, len, "libvtc was built without libxdp");
	return -EOPNOTSUPP;
}

int vtc__guard_load(struct vtc_ctx *ctx, uint32_t ifindex, uint32_t flags,
		    bool tags_hidden, struct vtc__guard **ret_guard,
		    struct vtc__guard_id *ret_id, char *note, size_t len)
{
	(void)ctx, (void)ifindex, (void)flags, (void)tags_hidden, (void)ret_guard,
		(void)ret_id, (void)note, (void)len;
	return -EOPNOTSUPP;
}

int vtc__guard_attach(struct vtc__guard *guard, struct vtc__guard_id *id)
{
	(void)guard, (void)id;
	return -EOPNOTSUPP;
}

int vtc__guard_detach(struct vtc_ctx *ctx, const struct vtc__guard_id *id)
{
	(void)ctx, (void)id;
	return -EOPNOTSUPP;
}

int vtc__guard_attached(struct vtc_ctx *ctx, const struct vtc__guard_id *id)
{
	(void)ctx, (void)id;
	return -EOPNOTSUPP;
}

int vtc__guard_open(struct vtc_ctx *ctx, const struct vtc__guard_id *id,
		    struct vtc__guard **ret_guard)
{
	(void)ctx, (void)id, (void)ret_guard;
	return -EOPNOTSUPP;
}

void vtc__guard_close(struct vtc__guard *guard)
{
	(void)guard;
}

int vtc__guard_set_slot(struct vtc__guard *guard, uint32_t slot,
			const struct vtc__guard_slot *value)
{
	(void)guard, (void)slot, (void)value;
	return -EOPNOTSUPP;
}

int vtc__guard_get_slot(struct vtc__guard *guard, uint32_t slot,
			struct vtc__guard_slot *ret)
{
	(void)guard, (void)slot, (void)ret;
	return -EOPNOTSUPP;
}

int vtc__guard_set_everything(struct vtc__guard *guard, uint32_t slot)
{
	(void)guard, (void)slot;
	return -EOPNOTSUPP;
}

int vtc__guard_get_everything(struct vtc__guard *guard, uint32_t *ret_slot)
{
	(void)guard, (void)ret_slot;
	return -EOPNOTSUPP;
}

int vtc__guard_add_filter(struct vtc__guard *guard, const struct vtc_filter *filter,
			  uint32_t slot)
{
	(void)guard, (void)filter, (void)slot;
	return -EOPNOTSUPP;
}

int vtc__guard_get_filter(struct vtc__guard *guard, const struct vtc_filter *filter,
			  uint32_t *ret_slot)
{
	(void)guard, (void)filter, (void)ret_slot;
	return -EOPNOTSUPP;
}

int vtc__guard_remove_filter(struct vtc__guard *guard, const struct vtc_filter *filter)
{
	(void)guard, (void)filter;
	return -EOPNOTSUPP;
}

int vtc__guard_set_socket(struct vtc__guard *guard, uint32_t slot, uint32_t queue, int fd)
{
	(void)guard, (void)slot, (void)queue, (void)fd;
	return -EOPNOTSUPP;
}

int vtc__guard_set_parts(struct vtc__guard *guard, uint32_t slot, bool take)
{
	(void)guard, (void)slot, (void)take;
	return -EOPNOTSUPP;
}

int vtc__guard_get_stats(struct vtc__guard *guard, uint32_t slot,
			 struct vtc__guard_stats *ret)
{
	(void)guard, (void)slot, (void)ret;
	return -EOPNOTSUPP;
}

int vtc__guard_flood_attach(struct vtc__guard *guard)
{
	(void)guard;
	return -EOPNOTSUPP;
}

int vtc__guard_flood_detach(struct vtc_ctx *ctx, const struct vtc__guard_id *id)
{
	(void)ctx, (void)id;
	return -EOPNOTSUPP;
}

int vtc__guard_flood_attached(struct vtc_ctx *ctx, const struct vtc__guard_id *id)
{
	(void)ctx, (void)id;
	return -EOPNOTSUPP;
}
