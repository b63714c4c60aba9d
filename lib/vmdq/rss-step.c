/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The step that keeps the traffic that no rule names off the queues of pools. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rss.h"

/* What was before; without entries it was the driver's default. */
struct rss_data {
	uint32_t base;
	uint32_t size;
	uint16_t queue[];
};

#define ENTRIES_MAX ((VTC__JOURNAL_DATA_MAX - sizeof(struct rss_data)) / sizeof(uint16_t))

static int load(const void *data, size_t len, struct rss_data *ret)
{
	if (len < sizeof(*ret))
		return -EPROTO;
	memcpy(ret, data, sizeof(*ret));
	if (!ret->base || ret->size > ENTRIES_MAX ||
	    len < sizeof(*ret) + ret->size * sizeof(uint16_t))
		return -EPROTO;
	return 0;
}

static int explain(struct vtc__txn *txn, int err)
{
	vtc__err(txn->ctx, err, VTC_ERROR_ORIGIN_SYSTEM, txn->operation, "%s: RSS table",
		 txn->uplink.name);
	if (err == -EOPNOTSUPP)
		vtc__err_message(txn->ctx, "the driver does not let it be set");
	return err;
}

/* Whether no entry is at base or above. */
static int is_clear(struct vtc__uplink *uplink, uint32_t base)
{
	struct vtc__rss_table table;
	int err = vtc__rss_get(uplink, 0, &table);
	int clear = 1;

	if (err)
		return err;
	for (uint32_t i = 0; clear && i < table.size; i++)
		clear = table.queue[i] < base;
	vtc__rss_free(&table);
	return clear;
}

static int write_spread(struct vtc__uplink *uplink, uint32_t base)
{
	struct vtc__rss_table table;
	int err = vtc__rss_spread(uplink, 0, base, &table);

	if (err)
		return err;
	err = vtc__rss_set(uplink, &table);
	vtc__rss_free(&table);
	return err;
}

static int rss_apply(struct vtc__txn *txn, void *data, size_t len, bool *changed)
{
	struct rss_data step;
	int err = load(data, len, &step);

	(void)changed;
	if (!err)
		err = write_spread(&txn->uplink, step.base);
	if (err)
		return explain(txn, err);
	err = is_clear(&txn->uplink, step.base);
	if (err == 1)
		return 0;
	explain(txn, err ? err : -EIO);
	vtc__err_message(txn->ctx, "the driver took it, but spreads as before");
	return err ? err : -EIO;
}

static int rss_check(struct vtc__txn *txn, const void *data, size_t len, char *text,
		     size_t text_len)
{
	struct rss_data step;
	int clear = load(data, len, &step);

	if (!clear)
		clear = is_clear(&txn->uplink, step.base);
	if (!clear)
		snprintf(text, text_len,
			 "other traffic was spread over the pools' "
			 "queues");
	return clear;
}

/* Whether the table is the one that we set, and so ours to put back. */
static int is_ours(struct vtc__uplink *uplink, uint32_t base)
{
	struct vtc__rss_table table;
	int err = vtc__rss_get(uplink, 0, &table);

	if (err)
		return err;
	err = vtc__rss_is_spread(&table, 0, base);
	vtc__rss_free(&table);
	return err;
}

static int put_back(struct vtc__uplink *uplink, const void *data, uint32_t size)
{
	const uint8_t *old = (const uint8_t *)data + sizeof(struct rss_data);
	struct vtc__rss_table table = { .size = size };
	int err;

	if (!size)
		return vtc__rss_reset(uplink);
	table.queue = calloc(size, sizeof(*table.queue));
	if (!table.queue)
		return -ENOMEM;
	for (uint32_t i = 0; i < size; i++) {
		uint16_t queue;

		memcpy(&queue, old + i * sizeof(queue), sizeof(queue));
		table.queue[i] = queue;
	}
	err = vtc__rss_set(uplink, &table);
	vtc__rss_free(&table);
	return err;
}

static int rss_undo(struct vtc__txn *txn, const void *data, size_t len)
{
	struct rss_data step;
	int ours = load(data, len, &step);
	int err;

	if (!ours)
		ours = is_ours(&txn->uplink, step.base);
	if (ours <= 0)
		return ours == 0 || ours == -ENODEV ? 0 : explain(txn, ours);
	err = put_back(&txn->uplink, data, step.size);
	return err ? explain(txn, err) : 0;
}

const struct vtc__step_kind vtc__step_rss = {
	.name = "rss",
	.apply = rss_apply,
	.check = rss_check,
	.undo = rss_undo,
};

uint32_t vtc__rss_base(struct vtc__txn *txn)
{
	const struct vtc__record *record;
	uint32_t base = 0;
	uint64_t id = 0;

	while ((record = vtc__step_find(txn, "", vtc__step_rss.name, id))) {
		struct rss_data step;

		if (!load(record->data, record->len, &step))
			base = step.base;
		id = record->id;
	}
	return base;
}

static int keep(const struct vtc__rss_table *table, struct rss_data *data)
{
	if (table->size > ENTRIES_MAX)
		return -EOVERFLOW;
	for (uint32_t i = 0; i < table->size; i++) {
		if (table->queue[i] > UINT16_MAX)
			return -EOVERFLOW;
		data->queue[i] = (uint16_t)table->queue[i];
	}
	data->size = table->size;
	return 0;
}

int vtc__rss_keep(struct vtc__txn *txn, uint32_t channels, struct vtc__rss_before *ret)
{
	struct rss_data *data = (struct rss_data *)ret->data;
	struct vtc__rss_table now;
	int err = vtc__rss_get(&txn->uplink, 0, &now);

	if (err)
		return explain(txn, err);
	*data = (struct rss_data){ .size = 0 };
	if (!vtc__rss_is_default(&now, channels))
		err = keep(&now, data);
	vtc__rss_free(&now);
	ret->len = sizeof(*data) + data->size * sizeof(data->queue[0]);
	if (err) {
		explain(txn, err);
		vtc__err_message(txn->ctx, "it is too large to be put back later");
	}
	return err;
}

int vtc__do_rss(struct vtc__txn *txn, uint32_t base, struct vtc__rss_before *before)
{
	struct rss_data *data = (struct rss_data *)before->data;

	data->base = base;
	return vtc__step_do(txn, "", &vtc__step_rss, 0, data, before->len, NULL);
}
