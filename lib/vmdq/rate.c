/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rates of pools. The step "rate" remembers what was asked for, so that it is the same
 * whoever asks; the steps behind it are the mechanism's. All have the tag VTC__TAG_RATE.
 */
#include "rate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/opts.h"

/* The sizes of 0.4, which callers of any later version reach. */
#define RATE_FIRST   sizeof(struct vtc_rate)
#define ANSWER_FIRST sizeof(struct vtc_rate_answer)

#define WEIGHT_MAX 1000u

static const char *const set_rate = VTC__RATE_OPERATION;

/* ---- The step that remembers ---- */

static int remember(struct vtc__txn *txn, void *data, size_t len, bool *changed)
{
	(void)txn, (void)data, (void)len, (void)changed;
	return 0;
}

static int remembered(struct vtc__txn *txn, const void *data, size_t len, char *text,
		      size_t text_len)
{
	(void)txn, (void)data, (void)len, (void)text, (void)text_len;
	return 1;
}

static int forget(struct vtc__txn *txn, const void *data, size_t len)
{
	(void)txn, (void)data, (void)len;
	return 0;
}

const struct vtc__step_kind vtc__step_rate = { "rate", remember, remembered, forget };

static const struct vtc__record *find_record(struct vtc__txn *txn,
					     const struct vtc_pool *pool)
{
	return vtc__step_find(txn, pool->name, vtc__step_rate.name, 0);
}

/* The record of before becomes that of now, so that at any time there is one. */
static int do_remember(struct vtc__txn *txn, struct vtc_pool *pool,
		       const struct vtc_rate *rate, const struct vtc_rate_answer *answer)
{
	const struct vtc__record *record = find_record(txn, pool);
	struct vtc__rate_step step = {
		.min_bps = rate->min_bps,
		.max_bps = rate->max_bps,
		.weight = rate->weight,
		.got_weight = answer->weight,
		.got_min = answer->min,
		.got_max = answer->max,
	};

	int err;

	snprintf(step.mechanism, sizeof(step.mechanism), "%s", answer->mechanism);
	if (!record)
		return vtc__step_do(txn, pool->name, &vtc__step_rate, VTC__TAG_RATE,
				    &step, sizeof(step), NULL);
	err = vtc__journal_update(txn->journal, record->id, &step, sizeof(step));
	if (err) {
		vtc__pool_err(pool, err, VTC_ERROR_ORIGIN_SYSTEM, txn->operation);
		vtc__err_message(pool->ctx, "the journal cannot be written");
	}
	return err;
}

static int do_forget(struct vtc__txn *txn, const struct vtc_pool *pool)
{
	const struct vtc__record *record = find_record(txn, pool);

	return record ? vtc__step_undo(txn, record->id) : 0;
}

/* The name as static text; who wrote the journal may have known another mechanism. */
static const char *static_name(const char name[16])
{
	for (const struct vtc__rate_mechanism *const *m = vtc__rate_mechanisms; *m; m++)
		if (strncmp((*m)->name, name, 16) == 0)
			return (*m)->name;
	return strncmp(name, "none", 16) == 0 ? "none" : "unknown";
}

/* 1: there is a rate; 0: none was set. */
static int recall(struct vtc__txn *txn, const struct vtc_pool *pool,
		  struct vtc_rate *rate, struct vtc_rate_answer *answer)
{
	const struct vtc__record *record = find_record(txn, pool);
	struct vtc__rate_step step;

	if (!record || record->len < sizeof(step))
		return 0;
	memcpy(&step, record->data, sizeof(step));
	*rate = (struct vtc_rate){ .sz = sizeof(*rate),
				   .weight = step.weight,
				   .min_bps = step.min_bps,
				   .max_bps = step.max_bps };
	*answer = (struct vtc_rate_answer){ .sz = sizeof(*answer),
					    .weight = step.got_weight,
					    .min = step.got_min,
					    .max = step.got_max,
					    .mechanism = static_name(step.mechanism) };
	return 1;
}

/* ---- What mechanisms share ---- */

bool vtc__rate_asks_nothing(const struct vtc_rate *rate)
{
	return !rate->weight && !rate->min_bps && !rate->max_bps;
}

static uint32_t unkept(uint64_t asked)
{
	return asked ? VTC_RATE_UNSUPPORTED : VTC_RATE_NOT_ASKED;
}

void vtc__rate_answer_init(struct vtc_rate_answer *answer, const struct vtc_rate *rate,
			   const char *mechanism)
{
	*answer = (struct vtc_rate_answer){ .sz = sizeof(*answer),
					    .weight = unkept(rate->weight),
					    .min = unkept(rate->min_bps),
					    .max = unkept(rate->max_bps),
					    .mechanism = mechanism };
}

uint64_t vtc__rate_round(uint64_t bps, uint64_t unit, bool *exact)
{
	uint64_t n = bps / unit + (bps % unit >= unit - unit / 2);

	*exact = bps % unit == 0;
	return n || !bps ? n : 1;
}

bool vtc__rate_goes_past(const struct vtc_pool *pool)
{
	return pool->port != NULL;
}

/* ---- Replacing ---- */

/* A step that keeps the pool's rate, not the one that remembers it. */
static bool is_kept_by(const struct vtc__record *record, const struct vtc_pool *pool)
{
	return record->tag == VTC__TAG_RATE && strcmp(record->group, pool->name) == 0 &&
	       strcmp(record->kind, vtc__step_rate.name) != 0;
}

static int undo_rate(struct vtc__txn *txn, struct vtc_pool *pool)
{
	const struct vtc__record *record;
	struct vtc_error says;
	uint64_t id = UINT64_MAX;
	int first = 0;

	while ((record = vtc__journal_find_last(txn->journal, id))) {
		int err;

		id = record->id;
		err = is_kept_by(record, pool) ? vtc__step_undo(txn, id) : 0;
		if (err && !first) {
			first = err;
			says = pool->ctx->error;
		}
	}
	if (first) {
		vtc__pool_err(pool, first, VTC_ERROR_ORIGIN_NETLINK, txn->operation);
		vtc__err_message(pool->ctx, "the rate of before cannot be undone: %.200s",
				 says.message);
	}
	return first;
}

static int set_new(struct vtc__txn *txn, struct vtc_pool *pool,
		   const struct vtc_rate *rate, struct vtc_rate_answer *answer)
{
	struct vtc_error first;
	int err = vtc__rate_choose(txn, pool, rate, answer);

	if (!err)
		err = do_remember(txn, pool, rate, answer);
	if (!err)
		return 0;
	first = pool->ctx->error;
	(void)undo_rate(txn, pool);
	pool->ctx->error = first;
	return err;
}

/* Nothing keeps it, but the next audit tries again: it is told by its mechanism. */
static void remember_lost(struct vtc__txn *txn, struct vtc_pool *pool,
			  const struct vtc_rate *rate, const char *mechanism)
{
	struct vtc_rate_answer answer;

	vtc__rate_answer_init(&answer, rate, mechanism);
	(void)do_remember(txn, pool, rate, &answer);
}

/* Put the rate of before in place again; the error record keeps the first failure. */
static void bring_back(struct vtc__txn *txn, struct vtc_pool *pool,
		       const struct vtc_rate *rate, const char *mechanism)
{
	struct vtc_error first = pool->ctx->error;
	struct vtc_rate_answer answer;
	int err = set_new(txn, pool, rate, &answer);

	if (err)
		remember_lost(txn, pool, rate, mechanism);
	pool->ctx->error = first;
	if (err)
		vtc__err_hint(pool->ctx,
			      "the rate of before could not be set again, either (%d): "
			      "the pool has none until an audit can",
			      err);
}

/* A port keeps its rate outside the journal: undoing does not reach it. */
static int clear_port(struct vtc_pool *pool)
{
	const struct vtc_rate none = VTC_RATE_INIT;
	struct vtc_rate_answer answer;

	return pool->port ? pool->port->set_rate(pool->port, &none, &answer) : 0;
}

static int replace(struct vtc__txn *txn, struct vtc_pool *pool,
		   const struct vtc_rate *rate, struct vtc_rate_answer *answer)
{
	struct vtc_rate_answer old_answer;
	struct vtc_rate old;
	int had = recall(txn, pool, &old, &old_answer);
	int err = undo_rate(txn, pool);

	vtc__rate_answer_init(answer, rate, "none");
	if (!err)
		err = clear_port(pool);
	if (!err && vtc__rate_asks_nothing(rate))
		err = do_forget(txn, pool);
	else if (!err)
		err = set_new(txn, pool, rate, answer);
	if (err && had)
		bring_back(txn, pool, &old, old_answer.mechanism);
	return err;
}

/* ---- The same rate again ---- */

int vtc__rate_renew(struct vtc__txn *txn, struct vtc_pool *pool)
{
	struct vtc_rate_answer answer, old;
	struct vtc_rate rate;
	int err;

	if (!recall(txn, pool, &rate, &old))
		return 0;
	err = undo_rate(txn, pool);
	if (!err)
		err = clear_port(pool);
	if (!err)
		err = set_new(txn, pool, &rate, &answer);
	if (err == -EOPNOTSUPP) {
		vtc__rate_answer_init(&answer, &rate, "none");
		return do_remember(txn, pool, &rate, &answer);
	}
	if (err)
		remember_lost(txn, pool, &rate, old.mechanism);
	return err;
}

bool vtc__rate_is_lost(struct vtc__txn *txn, const struct vtc_pool *pool)
{
	const struct vtc__record *record = NULL;
	struct vtc_rate_answer answer;
	struct vtc_rate rate;

	/* A relay keeps it without steps. */
	if (!recall(txn, pool, &rate, &answer) || strcmp(answer.mechanism, "none") == 0 ||
	    strcmp(answer.mechanism, vtc__rate_port.name) == 0)
		return false;
	while ((record = vtc__journal_foreach_next(txn->journal, record)))
		if (is_kept_by(record, pool))
			return false;
	return true;
}

/* ---- The calls ---- */

static int load(struct vtc_pool *pool, const struct vtc_rate *given,
		const struct vtc_rate_answer *answer, struct vtc_rate *rate)
{
	int err = vtc__opts_load(rate, sizeof(*rate), RATE_FIRST, given);

	if (err)
		return vtc__err(pool->ctx, err, VTC_ERROR_ORIGIN_ARG, set_rate,
				"rate.sz");
	if (answer && answer->sz < ANSWER_FIRST)
		return vtc__err_arg(pool->ctx, set_rate, "answer.sz");
	if (rate->weight > WEIGHT_MAX)
		return vtc__err_arg(pool->ctx, set_rate, "the weight is above 1000");
	if (rate->max_bps && rate->min_bps > rate->max_bps)
		return vtc__err_arg(pool->ctx, set_rate,
				    "the minimum is above the maximum");
	rate->sz = sizeof(*rate);
	return 0;
}

int vtc_pool_set_rate(struct vtc_pool *pool, const struct vtc_rate *rate,
		      struct vtc_rate_answer *answer)
{
	struct vtc_rate_answer got;
	struct vtc_rate asked;
	struct vtc__txn txn;
	int err, end;

	if (!pool)
		return -EINVAL;
	err = load(pool, rate, answer, &asked);
	if (err)
		return err;
	err = vtc__pool_begin(pool, set_rate, true, &txn);
	if (err)
		return err;
	err = replace(&txn, pool, &asked, &got);
	/* Also after a failure: the rate of before is there again, and stays. */
	end = vtc__pool_finish(pool, &txn, 0);
	if (!err)
		err = end;
	if (!err && answer)
		vtc__opts_give(answer, &got, sizeof(got));
	return err;
}

int vtc_pool_get_rate(struct vtc_pool *pool, struct vtc_rate *rate,
		      struct vtc_rate_answer *answer)
{
	static const char *const operation = "get pool rate";
	struct vtc_rate_answer got;
	struct vtc_rate asked;
	struct vtc__txn txn;
	int err;

	if (!pool || !rate)
		return -EINVAL;
	if (rate->sz < RATE_FIRST || (answer && answer->sz < ANSWER_FIRST))
		return vtc__err_arg(pool->ctx, operation,
				    rate->sz < RATE_FIRST ? "rate.sz" : "answer.sz");
	err = vtc__pool_begin(pool, operation, false, &txn);
	if (err)
		return err;
	err = recall(&txn, pool, &asked, &got);
	vtc__txn_end(&txn);
	if (err != 1)
		return err;
	vtc__opts_give(rate, &asked, sizeof(asked));
	if (answer)
		vtc__opts_give(answer, &got, sizeof(got));
	return 1;
}
