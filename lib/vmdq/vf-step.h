/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A VF as a pool: which one it is, and the steps that give it an address and a VLAN. The
 * VF's own interface, if it is in this network namespace, follows, so that it receives.
 */
#ifndef VTC__VF_STEP_H
#define VTC__VF_STEP_H

#include <stdint.h>

#include "sriov/vf.h"
#include "step.h"

#define VTC__VF_COUNTERS 6 /* received and sent: packets, bytes, dropped */

struct vtc__vf_counters {
	uint64_t value[VTC__VF_COUNTERS];
};

/* The step "vf": whose the VF is, and what was counted before it was. */
struct vtc__vf_claim {
	uint32_t vf;
	uint32_t netdev; /* index of the VF's interface; 0: not here */
	struct vtc__vf_counters pf_base, netdev_base;
};

/* The step "vf-attr": attributes of a VF at its PF. */
struct vtc__vf_attrs {
	uint32_t vf;
	uint16_t asked;	  /* bit per attribute */
	uint16_t passing; /* 1: only on the way to a later step; nothing to keep */
	uint64_t before[VTC_VF_ATTR_COUNT];
	uint64_t set[VTC_VF_ATTR_COUNT];
};

/* The step "vf-mac": the address that the VF's own interface uses. */
struct vtc__vf_mac_step {
	uint32_t vf;
	uint32_t netdev;
	struct vtc_mac before, set;
	uint32_t reserved;
	uint64_t at_pf; /* what the PF told before; see vf-mac.c */
};

extern const struct vtc__step_kind vtc__step_vf, vtc__step_vf_attr, vtc__step_vf_mac;

/* The card's PF; writes the error record. */
int vtc__vf_open_pf(struct vtc__txn *txn, struct vtc_pf **ret_pf);
/* Interface of a VF and its address. -ENODEV: it has none here. */
int vtc__vf_netdev(struct vtc_pf *pf, uint32_t vf, struct vtc__pf_netdev *ret,
		   struct vtc_mac *ret_mac);
/* What the PF tells of its VFs; writes the error record. */
int vtc__vf_snapshot(struct vtc_pf *pf, bool stats, struct vtc_vf_list **ret_list);

/* The claim of a VF, by whatever pool; NULL: it is nobody's. */
const struct vtc__record *vtc__vf_find_claim(struct vtc__txn *txn, uint32_t vf);

/* Fill in attributes of a VF that are to change, with what they are now. */
void vtc__vf_attrs_ask(struct vtc__vf_attrs *attrs, const struct vtc_vf *now,
		       enum vtc_vf_attr attr, uint64_t value);

/* Give a VF its address at the PF; all zeros takes it away. */
int vtc__vf_send_mac(struct vtc_pf *pf, uint32_t vf, uint64_t mac);

/*
 * Whether the address that the PF tells of a VF is one that a step gave it which is not
 * undone: then those before it have to wait. 0, or -EBUSY and the error record.
 */
int vtc__vf_wait_for_mac(struct vtc__txn *txn, uint32_t vf, uint64_t mac);

/* What the PF, and the VF's own interface, have counted; what is not there is 0. */
void vtc__vf_count(struct vtc_pf *pf, uint32_t vf, struct vtc__vf_counters *ret);
void vtc__vf_count_netdev(struct vtc_pf *pf, uint32_t vf,
			  const struct vtc__pf_netdev *netdev,
			  struct vtc__vf_counters *ret);

#endif
