/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Features of a card that can be on or off ("ethtool -k"), and the step that sets one. */
#ifndef VTC__FEATURE_H
#define VTC__FEATURE_H

#include <stdbool.h>

#include "step.h"

#define VTC__FEATURE_NTUPLE	 "rx-ntuple-filter"
#define VTC__FEATURE_L2_FORWARD	 "l2-fwd-offload"
#define VTC__FEATURE_RX_VLAN	 "rx-vlan-hw-parse"
#define VTC__FEATURE_RX_STAG	 "rx-vlan-stag-hw-parse"
#define VTC__FEATURE_VLAN_FILTER "rx-vlan-filter"
#define VTC__FEATURE_HW_TC	 "hw-tc-offload"

struct vtc__feature {
	bool on;
	bool fixed; /* the driver lets nobody change it */
};

/* -ENOENT: this kernel knows no feature of that name. Leaves the error record alone. */
int vtc__feature_get(struct vtc__uplink *uplink, const char *name,
		     struct vtc__feature *ret);

/*
 * The feature on or off as long as the card has pools: a shared step, noted once however
 * many ask for it. -EBUSY: a pool needs it the other way. Writes the error record.
 */
int vtc__do_feature(struct vtc__txn *txn, const char *name, bool on);

extern const struct vtc__step_kind vtc__step_feature;

#endif
