/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which mechanism keeps a rate: the one that keeps the most of it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rate.h"

const struct vtc__rate_mechanism *const vtc__rate_mechanisms[] = {
	&vtc__rate_port,   &vtc__rate_vf,      &vtc__rate_shaper, &vtc__rate_devlink,
	&vtc__rate_mqprio, &vtc__rate_maxrate, &vtc__rate_htb,	  NULL,
};

struct candidate {
	const struct vtc__rate_mechanism *mechanism; /* NULL: it has been tried */
	struct vtc_rate_answer answer;
};

struct choice {
	struct candidate of[VTC__RATE_MECHANISMS];
	size_t count;
	char reasons[sizeof(((struct vtc_error *)0)->message)];
};

static unsigned int worth(uint32_t result)
{
	switch (result) {
	case VTC_RATE_EXACT:
		return 4;
	case VTC_RATE_APPROXIMATE:
		return 3;
	case VTC_RATE_CAPPED:
		return 2;
	default:
		return 0;
	}
}

static unsigned int score(const struct vtc_rate_answer *answer)
{
	return worth(answer->weight) + worth(answer->min) + worth(answer->max);
}

static void add_reason(struct choice *choice, const char *name, const char *why)
{
	size_t len = strlen(choice->reasons);

	snprintf(choice->reasons + len, sizeof(choice->reasons) - len, "%s%s: %.120s",
		 len ? "; " : "", name, why);
}

/* All that keep something; the others' reasons. */
static int ask(struct vtc__txn *txn, struct vtc_pool *pool, const struct vtc_rate *rate,
	       struct choice *choice)
{
	memset(choice, 0, sizeof(*choice));
	for (const struct vtc__rate_mechanism *const *m = vtc__rate_mechanisms; *m; m++) {
		struct candidate *c = &choice->of[choice->count];
		char why[128] = "it keeps no part of this";
		int err;

		vtc__rate_answer_init(&c->answer, rate, (*m)->name);
		err = (*m)->probe(txn, pool, rate, &c->answer, why, sizeof(why));
		if (err && err != -EOPNOTSUPP)
			return err;
		if (err || !score(&c->answer)) {
			add_reason(choice, (*m)->name, why);
			continue;
		}
		c->mechanism = *m;
		choice->count++;
	}
	return 0;
}

/* The one that keeps the most; of several the first. NULL: none is left. */
static struct candidate *best(struct choice *choice)
{
	struct candidate *found = NULL;

	for (size_t i = 0; i < choice->count; i++) {
		struct candidate *c = &choice->of[i];

		if (c->mechanism && (!found || score(&c->answer) > score(&found->answer)))
			found = c;
	}
	return found;
}

static const char *words(const struct vtc_error *error)
{
	const char *usual = strerrordesc_np(-error->code);

	return error->message[0] ? error->message : usual ? usual : "it failed";
}

static int refuse(struct vtc_pool *pool, const struct choice *choice)
{
	vtc__pool_err(pool, -EOPNOTSUPP, VTC_ERROR_ORIGIN_NONE, VTC__RATE_OPERATION);
	vtc__err_message(pool->ctx, "%s", choice->reasons);
	vtc__err_hint(pool->ctx, "ask for a limit alone, or open a port on the pool: the "
				 "scheduler of its relay keeps weights and limits");
	return -EOPNOTSUPP;
}

/* How drivers say that they cannot; anything else concerns the others as well. */
static bool is_refusal(int err)
{
	return err == -EOPNOTSUPP || err == -EINVAL || err == -ERANGE || err == -ENOSPC;
}

/* Take the best that does not refuse; NULL: none, and the reasons are in choice. */
static int take_best(struct vtc__txn *txn, struct vtc_pool *pool,
		     const struct vtc_rate *rate, struct choice *choice,
		     struct candidate **ret)
{
	struct candidate *c;

	while ((c = best(choice))) {
		int err = c->mechanism->set(txn, pool, rate, &c->answer);

		if (!err && score(&c->answer)) {
			*ret = c;
			return 0;
		}
		if (err && !is_refusal(err))
			return err;
		add_reason(choice, c->mechanism->name,
			   err ? words(&pool->ctx->error) : "it keeps no part of this");
		c->mechanism = NULL;
	}
	*ret = NULL;
	return 0;
}

/* What of a rate is not kept. */
static struct vtc_rate rest_of(const struct vtc_rate *rate,
			       const struct vtc_rate_answer *answer)
{
	struct vtc_rate rest = VTC_RATE_INIT;

	if (answer->weight == VTC_RATE_UNSUPPORTED)
		rest.weight = rate->weight;
	if (answer->min == VTC_RATE_UNSUPPORTED)
		rest.min_bps = rate->min_bps;
	if (answer->max == VTC_RATE_UNSUPPORTED)
		rest.max_bps = rate->max_bps;
	return rest;
}

static void merge(struct vtc_rate_answer *answer, const struct vtc_rate *rest,
		  const struct vtc_rate_answer *more)
{
	if (rest->weight)
		answer->weight = more->weight;
	if (rest->min_bps)
		answer->min = more->min;
	if (rest->max_bps)
		answer->max = more->max;
}

/*
 * The card and the relay of the pool's port do not know of each other, so one may keep
 * what the other cannot. Two of the card's mechanisms would be in each other's way.
 */
static int complement(struct vtc__txn *txn, struct vtc_pool *pool,
		      const struct vtc_rate *rate, struct vtc_rate_answer *answer,
		      bool by_port)
{
	struct vtc_rate rest = rest_of(rate, answer);
	struct choice choice;
	struct candidate *c;
	int err;

	if (!pool->port || vtc__rate_asks_nothing(&rest))
		return 0;
	err = ask(txn, pool, &rest, &choice);
	for (size_t i = 0; i < choice.count; i++)
		if ((choice.of[i].mechanism == &vtc__rate_port) == by_port)
			choice.of[i].mechanism = NULL;
	if (!err)
		err = take_best(txn, pool, &rest, &choice, &c);
	if (!err && c)
		merge(answer, &rest, &c->answer);
	return err;
}

int vtc__rate_choose(struct vtc__txn *txn, struct vtc_pool *pool,
		     const struct vtc_rate *rate, struct vtc_rate_answer *answer)
{
	struct choice choice;
	struct candidate *c;
	int err = ask(txn, pool, rate, &choice);

	if (err)
		return vtc__pool_err(pool, err, VTC_ERROR_ORIGIN_NETLINK,
				     VTC__RATE_OPERATION);
	err = take_best(txn, pool, rate, &choice, &c);
	if (err)
		return err;
	if (!c)
		return refuse(pool, &choice);
	*answer = c->answer;
	return complement(txn, pool, rate, answer, c->mechanism == &vtc__rate_port);
}
