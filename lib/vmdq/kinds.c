/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All kinds of steps; each is defined in the file of the thing that it changes. */
#include <stddef.h>

#include "channels.h"
#include "feature.h"
#include "link.h"
#include "pool.h"
#include "rate.h"
#include "rss.h"
#include "rule.h"
#include "step.h"
#include "tc.h"
#include "vf-step.h"

/* Sorted by name, one in a line. */
/* clang-format off */
const struct vtc__step_kind *const vtc__step_kinds[] = {
	&vtc__step_address,
	&vtc__step_channels,
	&vtc__step_clsact,
	&vtc__step_context,
	&vtc__step_devlink_rate,
	&vtc__step_feature,
	&vtc__step_filter,
	&vtc__step_flood,
	&vtc__step_flower,
	&vtc__step_guard,
	&vtc__step_htb,
	&vtc__step_link,
	&vtc__step_match,
	&vtc__step_maxrate,
	&vtc__step_mqprio,
	&vtc__step_pool,
	&vtc__step_rate,
	&vtc__step_rss,
	&vtc__step_rule,
	&vtc__step_shaper,
	&vtc__step_slot,
	&vtc__step_vf,
	&vtc__step_vf_attr,
	&vtc__step_vf_mac,
	NULL,
};
/* clang-format on */
