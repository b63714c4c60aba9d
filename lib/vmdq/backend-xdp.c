/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The backend xdp: the guard program alone sorts, on every queue of the card. */
#include <errno.h>
#include <stdio.h>

#include "core/sysfs.h"
#include "core/text.h"
#include "pool.h"
#include "rss.h"

static int probe(struct vtc__txn *txn, const struct vtc_pool_opts *opts, char *why,
		 size_t len)
{
	int err = 0;

	(void)opts;
	if (!vtc__pool_guard_step(txn))
		err = vtc__guard_probe(txn->ctx, txn->uplink.ifindex, why, len);
	if (!err)
		snprintf(why, len, "a program on the card sorts all frames");
	return err;
}

static int count_queue(void *arg, const char *name)
{
	if (vtc__text_starts(name, "rx-"))
		++*(uint32_t *)arg;
	return 0;
}

/* Frames of the pool may come on any that is not set aside for another pool. */
static uint32_t count_queues(struct vtc__txn *txn)
{
	const struct vtc__uplink *uplink = &txn->uplink;
	uint32_t count = 0, base = vtc__rss_base(txn);
	char path[VTC__PATH_MAX];

	if (!vtc__path(path, sizeof(path), "class/net/%s/queues", uplink->name))
		(void)vtc__sysfs_list(uplink->ctx, path, count_queue, &count);
	if (base && base < count)
		count = base;
	if (!count)
		return 1;
	return count < VTC_POOL_QUEUES_MAX ? count : VTC_POOL_QUEUES_MAX;
}

static int request(struct vtc__txn *txn, struct vtc_pool *pool)
{
	pool->data.queue_first = 0;
	pool->data.queue_count = count_queues(txn);
	return vtc__pool_do_guard(txn, pool);
}

static bool apart(const struct vtc__uplink *uplink, const struct vtc_filter *a,
		  const struct vtc_filter *b)
{
	(void)uplink, (void)a, (void)b;
	return true;
}

const struct vtc__backend vtc__backend_xdp = {
	.id = VTC_POOL_BACKEND_XDP,
	.name = "xdp",
	.uses_guard = true,
	.by_card = true,
	.probe = probe,
	.request = request,
	.add_filter = vtc__pool_do_guard_filter,
	.apart = apart,
};
