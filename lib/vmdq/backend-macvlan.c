/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The backend macvlan: the pool is a macvlan interface whose frames the card itself sorts
 * out, onto queues that no other has.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/sysfs.h"
#include "feature.h"
#include "link.h"
#include "pool.h"

/* ---- Probe ---- */

static const char *cannot(const struct vtc_pool_opts *opts)
{
	if (opts->flags & VTC_POOL_F_EVERYTHING)
		return "a macvlan gets what is for its address only";
	if (opts->target)
		return "frames come out at the macvlan interface, not at a target";
	if (opts->queues > 1)
		return "a macvlan has one queue";
	return NULL;
}

static int probe_feature(struct vtc__txn *txn, char *why, size_t len)
{
	struct vtc__feature feature = { .on = false };
	int err = vtc__feature_get(&txn->uplink, VTC__FEATURE_L2_FORWARD, &feature);

	if (!err && (feature.on || !feature.fixed))
		return 0;
	snprintf(why, len, "feature " VTC__FEATURE_L2_FORWARD " %s",
		 err ? "cannot be read" : "is fixed off");
	return err ? err : -EOPNOTSUPP;
}

/* Both a bridge and macvlans want every frame of the card for themselves first. */
static int probe_master(struct vtc__txn *txn, char *why, size_t len)
{
	char path[VTC__PATH_MAX], master[VTC__IFNAME_LEN];
	int err = vtc__path(path, sizeof(path), "class/net/%s/master", txn->uplink.name);

	if (err || vtc__sysfs_link_name(txn->ctx, path, master, sizeof(master)))
		return 0;
	snprintf(why, len,
		 "the card is a port of %s, and a port cannot carry macvlans: take it "
		 "out of %s, or use another backend",
		 master, master);
	return -EBUSY;
}

static int probe(struct vtc__txn *txn, const struct vtc_pool_opts *opts, char *why,
		 size_t len)
{
	const char *reason = cannot(opts);
	int err;

	if (reason) {
		snprintf(why, len, "%s", reason);
		return -EOPNOTSUPP;
	}
	err = probe_feature(txn, why, len);
	if (!err)
		err = probe_master(txn, why, len);
	if (err)
		return err;
	if (vtc__pool_guard_step(txn)) {
		snprintf(why, len,
			 "pools of the card have a program on it, with which drivers do "
			 "not forward for macvlans");
		return -EBUSY;
	}
	snprintf(why, len, "a macvlan interface whose frames the card sorts; one MAC");
	return 0;
}

static int make(struct vtc__txn *txn, struct vtc_pool *pool)
{
	pool->data.queue_count = 0;
	return vtc__do_feature(txn, VTC__FEATURE_L2_FORWARD, true);
}

/* ---- Filters ---- */

static int refuse(struct vtc__txn *txn, const struct vtc_pool *pool, const char *why,
		  const char *hint)
{
	vtc__pool_err(pool, -EOPNOTSUPP, VTC_ERROR_ORIGIN_LIBRARY, txn->operation);
	vtc__err_message(txn->ctx, "%s", why);
	vtc__err_hint(txn->ctx, "%s", hint);
	return -EOPNOTSUPP;
}

/* Its own interface is known when the first filter is. */
static int note_netdev(struct vtc__txn *txn, struct vtc_pool *pool)
{
	struct vtc__link link;
	int err;

	if (!vtc__link_of(txn, pool->name, &link))
		return 0;
	pool->data.netdev = link.ifindex;
	err = vtc__journal_update(txn->journal, pool->id, &pool->data,
				  sizeof(pool->data));
	if (!err)
		err = vtc__pool_load(txn, pool);
	if (err)
		vtc__pool_err(pool, err, VTC_ERROR_ORIGIN_SYSTEM, txn->operation);
	return err;
}

static int add_filter(struct vtc__txn *txn, struct vtc_pool *pool,
		      const struct vtc_filter *filter, uint32_t tag)
{
	struct vtc__link link = { .lower = txn->uplink.ifindex, .mac = filter->mac };
	struct vtc__link other;
	int err;

	if (filter->match != VTC_FILTER_MAC)
		return refuse(txn, pool, "a macvlan is found by its address alone",
			      "give a MAC without VLAN, or use the backend xdp");
	if (vtc__link_of(txn, pool->name, &other))
		return refuse(txn, pool, "a macvlan has one address, and this one has it",
			      "remove the filter that there is, or request another pool");
	snprintf(link.name, sizeof(link.name), "vtc%u.%u", pool->data.slot, link.lower);
	err = vtc__step_do(txn, pool->name, &vtc__step_link, tag, &link, sizeof(link),
			   NULL);
	return err ? err : note_netdev(txn, pool);
}

static bool apart(const struct vtc__uplink *uplink, const struct vtc_filter *a,
		  const struct vtc_filter *b)
{
	(void)uplink;
	return memcmp(&a->mac, &b->mac, sizeof(a->mac)) != 0;
}

/* ---- What is told ---- */

static int stats(struct vtc__txn *txn, struct vtc_pool *pool,
		 struct vtc_pool_stats *stats)
{
	struct vtc__link link;
	int err;

	if (!vtc__link_of(txn, pool->name, &link))
		return 0;
	err = vtc__link_stats(txn->ctx, &link, stats);
	/* It is gone; the next audit makes it again. */
	return err == -ENODEV ? 0 : err;
}

static const char *note(struct vtc__txn *txn, const struct vtc_pool *pool)
{
	struct vtc__link link;

	if (!vtc__link_of(txn, pool->name, &link) || link.offloaded)
		return "";
	return "the card does not sort for it, the kernel does: it may have no room for "
	       "another address";
}

const struct vtc__backend vtc__backend_macvlan = {
	.id = VTC_POOL_BACKEND_MACVLAN,
	.name = "macvlan",
	.hardware = true,
	.probe = probe,
	.request = make,
	.add_filter = add_filter,
	.apart = apart,
	.stats = stats,
	.note = note,
};
