/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How many queues a card uses. */
#include "channels.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <stdio.h>
#include <string.h>

#include "ethtool.h"
#include "rule.h"

#define CHANNELS_MAX 65536u

/* A closed AF_XDP socket holds its queue a little longer. */
#define SHRINK_TRIES	40u
#define SHRINK_PAUSE_MS 50u

struct channels_data {
	uint32_t before;
	uint32_t set;
};

static int read_all(struct vtc__uplink *uplink, struct ethtool_channels *all)
{
	*all = (struct ethtool_channels){ .cmd = ETHTOOL_GCHANNELS };
	return vtc__ethtool(uplink, all);
}

static struct vtc__channels pick(const struct ethtool_channels *all)
{
	if (all->max_combined && !all->rx_count)
		return (struct vtc__channels){ .combined = true,
					       .count = all->combined_count,
					       .max = all->max_combined };
	return (struct vtc__channels){ .count = all->rx_count, .max = all->max_rx };
}

int vtc__channels_get(struct vtc__uplink *uplink, struct vtc__channels *ret)
{
	struct ethtool_channels all;
	int err = read_all(uplink, &all);

	if (err)
		return err;
	/* Which numbers the queues of a pair have beside others is up to the driver. */
	if (all.combined_count && all.rx_count)
		return -EOPNOTSUPP;
	*ret = pick(&all);
	if (!ret->count || ret->count > ret->max || ret->max > CHANNELS_MAX)
		return -EOPNOTSUPP;
	return 0;
}

static int set_count(struct vtc__uplink *uplink, uint32_t count)
{
	struct ethtool_channels all;
	int err = read_all(uplink, &all);

	if (err)
		return err;
	all.cmd = ETHTOOL_SCHANNELS;
	if (pick(&all).combined)
		all.combined_count = count;
	else
		all.rx_count = count;
	return vtc__ethtool(uplink, &all);
}

/* ---- The step ---- */

static int load(const void *data, size_t len, struct channels_data *ret)
{
	if (len < sizeof(*ret))
		return -EPROTO;
	memcpy(ret, data, sizeof(*ret));
	return 0;
}

static int explain(struct vtc__txn *txn, uint32_t from, uint32_t to, int err)
{
	vtc__err(txn->ctx, err, VTC_ERROR_ORIGIN_SYSTEM, txn->operation,
		 "%s: channels from %u to %u", txn->uplink.name, from, to);
	if (err == -EBUSY)
		vtc__err_hint(txn->ctx, "flow rules of others, or RDMA, may hold the "
					"queues: see ethtool -n, and the kernel's log");
	return err;
}

/* With a driver that wants it so: our rules go first, and come again afterwards. */
static int set_without_rules(struct vtc__txn *txn, uint32_t count)
{
	int err, again;

	if (!txn->uplink.quirks.channels_first)
		return set_count(&txn->uplink, count);
	err = vtc__rules_lift(txn);
	if (!err)
		err = set_count(&txn->uplink, count);
	/* Also if only some of them could be taken off. */
	again = vtc__rules_lower(txn);
	return err ? err : again;
}

static int channels_apply(struct vtc__txn *txn, void *data, size_t len, bool *changed)
{
	struct channels_data step = { .set = 0 };
	struct vtc__channels now;
	int err = load(data, len, &step);

	(void)changed;
	if (!err)
		err = vtc__channels_get(&txn->uplink, &now);
	if (!err && now.count < step.set)
		err = set_without_rules(txn, step.set);
	return err ? explain(txn, step.before, step.set, err) : 0;
}

/* More than we asked for are as good. */
static int channels_check(struct vtc__txn *txn, const void *data, size_t len, char *text,
			  size_t text_len)
{
	struct channels_data step;
	struct vtc__channels now;
	int err = load(data, len, &step);

	if (!err)
		err = vtc__channels_get(&txn->uplink, &now);
	if (err)
		return err;
	if (now.count >= step.set)
		return 1;
	snprintf(text, text_len, "%u channels are left of %u", now.count, step.set);
	return 0;
}

static int shrink(struct vtc__txn *txn, uint32_t count)
{
	int err = set_without_rules(txn, count);

	for (unsigned int i = 1; err == -EINVAL && i < SHRINK_TRIES; i++) {
		vtc__sleep_ms(txn->ctx, SHRINK_PAUSE_MS);
		err = set_without_rules(txn, count);
	}
	return err;
}

static int channels_undo(struct vtc__txn *txn, const void *data, size_t len)
{
	struct channels_data step = { .set = 0 };
	struct vtc__channels now;
	int err = load(data, len, &step);

	if (!err)
		err = vtc__channels_get(&txn->uplink, &now);
	if (err == -ENODEV)
		return 0;
	if (!err && now.count == step.set)
		err = shrink(txn, step.before);
	return err ? explain(txn, step.set, step.before, err) : 0;
}

const struct vtc__step_kind vtc__step_channels = {
	.name = "channels",
	.apply = channels_apply,
	.check = channels_check,
	.undo = channels_undo,
};

int vtc__do_channels(struct vtc__txn *txn, uint32_t count)
{
	struct channels_data data = { .set = count };
	struct vtc__channels now;
	int err = vtc__channels_get(&txn->uplink, &now);

	if (err)
		return explain(txn, 0, count, err);
	if (now.count >= count)
		return 0;
	data.before = now.count;
	return vtc__step_do(txn, "", &vtc__step_channels, 0, &data, sizeof(data), NULL);
}
