/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rates of VFs: in Mbit/s, and the minimum only with drivers that have one, which is
 * known when it has been tried. That a driver takes a rate is no proof that its hardware
 * keeps it; what it tells afterwards is looked at.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rate.h"
#include "vf-step.h"

#define BPS_IN_MBPS 1000000u

static int probe(struct vtc__txn *txn, struct vtc_pool *pool, const struct vtc_rate *rate,
		 struct vtc_rate_answer *answer, char *why, size_t len)
{
	bool exact;

	(void)txn;
	if (!pool->data.vf) {
		snprintf(why, len, "the pool is no VF");
		return -EOPNOTSUPP;
	}
	(void)vtc__rate_round(rate->min_bps, BPS_IN_MBPS, &exact);
	if (rate->min_bps)
		answer->min = exact ? VTC_RATE_EXACT : VTC_RATE_APPROXIMATE;
	(void)vtc__rate_round(rate->max_bps, BPS_IN_MBPS, &exact);
	if (rate->max_bps)
		answer->max = exact ? VTC_RATE_EXACT : VTC_RATE_APPROXIMATE;
	snprintf(why, len, "a VF has no weight");
	return 0;
}

/* What the driver tells; *ret is left as it is if it tells nothing. */
static int read_rates(struct vtc_pf *pf, uint32_t index, struct vtc_vf *ret)
{
	struct vtc_vf_list *list;
	int err = vtc__vf_snapshot(pf, false, &list);

	if (err)
		return err;
	if (index < list->count && list->vfs[index].was_reported)
		*ret = list->vfs[index];
	free(list);
	return 0;
}

static int set_rates(struct vtc__txn *txn, struct vtc_pool *pool,
		     const struct vtc_vf *now, uint64_t min, uint64_t max)
{
	struct vtc__vf_attrs attrs;

	memset(&attrs, 0, sizeof(attrs));
	attrs.vf = pool->data.vf - 1;
	if (min)
		vtc__vf_attrs_ask(&attrs, now, VTC_VF_ATTR_MIN_RATE, min);
	if (max)
		vtc__vf_attrs_ask(&attrs, now, VTC_VF_ATTR_MAX_RATE, max);
	if (!attrs.asked)
		return -EOPNOTSUPP;
	return vtc__step_do(txn, pool->name, &vtc__step_vf_attr, VTC__TAG_RATE, &attrs,
			    sizeof(attrs), NULL);
}

static void compare(const struct vtc_vf *now, enum vtc_vf_attr attr, uint64_t asked,
		    uint32_t *result)
{
	if (*result == VTC_RATE_EXACT && (now->known & vtc__vf_bit(attr)) &&
	    now->value[attr] != asked)
		*result = VTC_RATE_APPROXIMATE;
}

static int set_with(struct vtc__txn *txn, struct vtc_pool *pool, struct vtc_pf *pf,
		    const struct vtc_rate *rate, struct vtc_rate_answer *answer)
{
	bool exact;
	uint64_t min = vtc__rate_round(rate->min_bps, BPS_IN_MBPS, &exact);
	uint64_t max = vtc__rate_round(rate->max_bps, BPS_IN_MBPS, &exact);
	struct vtc_vf now = { 0 };
	int err = read_rates(pf, pool->data.vf - 1, &now);

	if (err)
		return err;
	err = set_rates(txn, pool, &now, min, max);
	if (min && (err == -EINVAL || err == -EOPNOTSUPP)) {
		answer->min = VTC_RATE_UNSUPPORTED;
		min = 0;
		err = set_rates(txn, pool, &now, 0, max);
	}
	if (!err)
		err = read_rates(pf, pool->data.vf - 1, &now);
	if (err)
		return err;
	compare(&now, VTC_VF_ATTR_MIN_RATE, min, &answer->min);
	compare(&now, VTC_VF_ATTR_MAX_RATE, max, &answer->max);
	return 0;
}

static int set(struct vtc__txn *txn, struct vtc_pool *pool, const struct vtc_rate *rate,
	       struct vtc_rate_answer *answer)
{
	struct vtc_pf *pf;
	int err = vtc__vf_open_pf(txn, &pf);

	if (err)
		return err;
	err = set_with(txn, pool, pf, rate, answer);
	vtc_pf_close(pf);
	return err;
}

const struct vtc__rate_mechanism vtc__rate_vf = { "vf", probe, set };
