/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Limits of single transmit queues (tx_maxrate in sysfs, Mbit/s), for pools that have
 * queues of their own: each queue gets its part of the pool's limit.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/sysfs.h"
#include "rate.h"

#define BPS_IN_MBPS 1000000u

struct maxrate {
	uint32_t first, count;
	uint32_t mbps; /* of each queue */
	uint32_t before[VTC_POOL_QUEUES_MAX];
};

static int path_of(const struct vtc__txn *txn, uint32_t queue, char path[VTC__PATH_MAX])
{
	return vtc__path(path, VTC__PATH_MAX, "class/net/%s/queues/tx-%u/tx_maxrate",
			 txn->uplink.name, queue);
}

static int read_queue(struct vtc__txn *txn, uint32_t queue, uint32_t *ret)
{
	char path[VTC__PATH_MAX];
	int err = path_of(txn, queue, path);

	return err ? err : vtc__sysfs_read_u32(txn->ctx, path, ret);
}

static int write_queue(struct vtc__txn *txn, uint32_t queue, uint32_t mbps)
{
	char path[VTC__PATH_MAX], text[16];
	int err = path_of(txn, queue, path);

	snprintf(text, sizeof(text), "%u", mbps);
	return err ? err : vtc__sysfs_write(txn->ctx, path, text);
}

static int probe(struct vtc__txn *txn, struct vtc_pool *pool, const struct vtc_rate *rate,
		 struct vtc_rate_answer *answer, char *why, size_t len)
{
	uint32_t now;

	if (!pool->backend->own_queues || !pool->data.queue_count) {
		snprintf(why, len, "the pool has no queues of its own");
		return -EOPNOTSUPP;
	}
	if (read_queue(txn, pool->data.queue_first, &now)) {
		snprintf(why, len, "the card has no transmit queue %u",
			 pool->data.queue_first);
		return -EOPNOTSUPP;
	}
	if (rate->max_bps)
		answer->max = VTC_RATE_CAPPED;
	snprintf(why, len, "a queue has a limit, but neither weight nor minimum");
	return 0;
}

static int fail(struct vtc__txn *txn, uint32_t queue, int err)
{
	vtc__err(txn->ctx, err, VTC_ERROR_ORIGIN_SYSFS, txn->operation, "%s",
		 txn->uplink.name);
	vtc__err_message(txn->ctx, "limit of transmit queue %u", queue);
	return err;
}

/* What is there has to be in the journal before it is overwritten. */
static int look(struct vtc__txn *txn, struct maxrate *step)
{
	for (uint32_t i = 0; i < step->count; i++) {
		int err = read_queue(txn, step->first + i, &step->before[i]);

		if (err)
			return fail(txn, step->first + i, err);
	}
	return 0;
}

static int set(struct vtc__txn *txn, struct vtc_pool *pool, const struct vtc_rate *rate,
	       struct vtc_rate_answer *answer)
{
	struct maxrate step = { .first = pool->data.queue_first,
				.count = pool->data.queue_count };
	bool exact;
	int err;

	(void)answer;
	if (step.count > VTC_POOL_QUEUES_MAX)
		step.count = VTC_POOL_QUEUES_MAX;
	step.mbps = (uint32_t)vtc__rate_round(rate->max_bps / step.count, BPS_IN_MBPS,
					      &exact);
	if (!step.mbps)
		step.mbps = 1;
	err = look(txn, &step);
	if (err)
		return err;
	return vtc__step_do(txn, pool->name, &vtc__step_maxrate, VTC__TAG_RATE, &step,
			    sizeof(step), NULL);
}

const struct vtc__rate_mechanism vtc__rate_maxrate = { "tx_maxrate", probe, set };

/* ---- The step ---- */

static int load(const void *data, size_t len, struct maxrate *step)
{
	if (len < sizeof(*step))
		return -EBADMSG;
	memcpy(step, data, sizeof(*step));
	return step->count > VTC_POOL_QUEUES_MAX ? -EBADMSG : 0;
}

/* Where hardware keeps a limit when 0 is written: the link's speed is none. */
static int lift(struct vtc__txn *txn, uint32_t queue)
{
	char path[VTC__PATH_MAX];
	uint32_t mbps;

	if (!txn->uplink.quirks.maxrate_sticky)
		return 0;
	if (vtc__path(path, sizeof(path), "class/net/%s/speed", txn->uplink.name) ||
	    vtc__sysfs_read_u32(txn->ctx, path, &mbps))
		return 0;
	return write_queue(txn, queue, mbps);
}

static int put_back(struct vtc__txn *txn, uint32_t queue, uint32_t set, uint32_t before)
{
	uint32_t now;
	int err = read_queue(txn, queue, &now);

	/* The queue is gone, or somebody set another limit. */
	if (err == -ENOENT || (!err && (now != set || now == before)))
		return 0;
	if (!err && !before)
		err = lift(txn, queue);
	return err ? err : write_queue(txn, queue, before);
}

static int apply(struct vtc__txn *txn, void *data, size_t len, bool *changed)
{
	struct maxrate step;
	int err = load(data, len, &step);

	(void)changed;
	for (uint32_t i = 0; i < step.count && !err; i++) {
		err = write_queue(txn, step.first + i, step.mbps);
		if (err)
			fail(txn, step.first + i, err);
	}
	return err;
}

static int check(struct vtc__txn *txn, const void *data, size_t len, char *text,
		 size_t text_len)
{
	struct maxrate step;
	uint32_t now;
	int err = load(data, len, &step);

	for (uint32_t i = 0; i < step.count && !err; i++) {
		err = read_queue(txn, step.first + i, &now);
		if (err || now == step.mbps)
			continue;
		snprintf(text, text_len, "the limit of transmit queue %u is %u Mbit/s",
			 step.first + i, now);
		return 0;
	}
	return err ? err : 1;
}

static int undo(struct vtc__txn *txn, const void *data, size_t len)
{
	struct maxrate step;
	int first_err = load(data, len, &step);

	if (first_err)
		return first_err;
	for (uint32_t i = step.count; i-- > 0;) {
		int err = put_back(txn, step.first + i, step.mbps, step.before[i]);

		if (err && !first_err)
			first_err = fail(txn, step.first + i, err);
	}
	return first_err;
}

const struct vtc__step_kind vtc__step_maxrate = { "maxrate", apply, check, undo };
