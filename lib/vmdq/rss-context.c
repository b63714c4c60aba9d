/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The step that gives a pool of several queues a table of its own. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rss.h"

/* Cards have few contexts, numbered from 1. */
#define CONTEXTS_MAX 64u

struct context_data {
	uint32_t first;
	uint32_t count;
	uint32_t context; /* 0: not known, it may have been made or not */
	uint32_t reserved;
};

static int load(const void *data, size_t len, struct context_data *ret)
{
	if (len < sizeof(*ret))
		return -EPROTO;
	memcpy(ret, data, sizeof(*ret));
	return ret->count ? 0 : -EPROTO;
}

static int explain(struct vtc__txn *txn, const struct context_data *step, int err)
{
	return vtc__err(txn->ctx, err, VTC_ERROR_ORIGIN_SYSTEM, txn->operation,
			"%s: RSS context for %u queues from %u on", txn->uplink.name,
			step->count, step->first);
}

/* 1: a context of that number spreads over our queues. */
static int is_ours(struct vtc__uplink *uplink, const struct context_data *step,
		   uint32_t context)
{
	struct vtc__rss_table table;
	int err = vtc__rss_get(uplink, context, &table);

	if (err)
		return err;
	err = vtc__rss_is_spread(&table, step->first, step->count);
	vtc__rss_free(&table);
	return err;
}

/* 1: it is there; 0: it is not. The queues are ours alone, so whose it is can be seen. */
static int find(struct vtc__uplink *uplink, const struct context_data *step,
		uint32_t *ret_context)
{
	/* That of the record first; one that was made anew may have another number. */
	for (uint32_t i = step->context ? 0 : 1; i <= CONTEXTS_MAX; i++) {
		uint32_t context = i ? i : step->context;
		int ours = is_ours(uplink, step, context);

		if (ours == 1)
			*ret_context = context;
		if (ours == 1 || ours == -ENODEV || ours == -ENOMEM)
			return ours;
	}
	return 0;
}

static int create(struct vtc__uplink *uplink, const struct context_data *step,
		  uint32_t *ret_context)
{
	struct vtc__rss_table table;
	int err = vtc__rss_spread(uplink, step->first, step->count, &table);

	if (err)
		return err;
	err = vtc__rss_create(uplink, &table, ret_context);
	vtc__rss_free(&table);
	return err;
}

static int context_apply(struct vtc__txn *txn, void *data, size_t len, bool *changed)
{
	struct context_data step = { .count = 0 };
	int err = load(data, len, &step);

	if (!err)
		err = create(&txn->uplink, &step, &step.context);
	if (err)
		return explain(txn, &step, err);
	memcpy(data, &step, sizeof(step));
	*changed = true;
	return 0;
}

static int context_check(struct vtc__txn *txn, const void *data, size_t len, char *text,
			 size_t text_len)
{
	struct context_data step = { .count = 0 };
	uint32_t context;
	int there = load(data, len, &step);

	if (!there)
		there = find(&txn->uplink, &step, &context);
	if (!there)
		snprintf(text, text_len, "RSS context %u is gone", step.context);
	return there;
}

static int context_undo(struct vtc__txn *txn, const void *data, size_t len)
{
	struct context_data step = { .count = 0 };
	uint32_t context = 0;
	int err = load(data, len, &step);

	if (!err)
		err = find(&txn->uplink, &step, &context);
	if (err == 1)
		err = vtc__rss_delete(&txn->uplink, context);
	if (!err || err == -ENODEV || err == -ENOENT)
		return 0;
	return explain(txn, &step, err);
}

const struct vtc__step_kind vtc__step_context = {
	.name = "context",
	.apply = context_apply,
	.check = context_check,
	.undo = context_undo,
};

int vtc__do_context(struct vtc__txn *txn, const char *group, uint32_t first,
		    uint32_t count)
{
	struct context_data data = { .first = first, .count = count };
	int err = vtc__step_do(txn, group, &vtc__step_context, 0, &data, sizeof(data),
			       NULL);

	/* What a driver, or the kernel for it, says that has none, or no more. */
	return err == -EINVAL || err == -ENOSPC || err == -EBUSY ? -EOPNOTSUPP : err;
}

int vtc__context_find(struct vtc__uplink *uplink, uint32_t first, uint32_t count,
		      uint32_t *ret_context)
{
	struct context_data any = { .first = first, .count = count };

	return find(uplink, &any, ret_context);
}
