/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The steps in which VFs get their attributes, and how to take one. */
#ifndef VTC__VF_SEND_H
#define VTC__VF_SEND_H

#include "core/netlink.h"
#include "vf.h"

#define VTC__VF_STEPS 9

#define VTC__VF_RATES ((1u << VTC_VF_ATTR_MIN_RATE) | (1u << VTC_VF_ATTR_MAX_RATE))

/* What clearing an address sends to drivers that refuse zeros: local, of no vendor. */
#define VTC__VF_MAC_NOBODY 0x020000000000u

/* One message to the kernel. The rates share one, all other attributes have their own. */
struct vtc__vf_step {
	int (*put)(const struct vtc__vf_step *step, struct vtc__nlmsg *msg, uint32_t vf,
		   const uint64_t *value);
	const char *operation;
	enum vtc_vf_attr attr;
	int type; /* IFLA_VF_ */
	uint16_t attrs;
};

/* In the order in which they are to be taken. */
extern const struct vtc__vf_step vtc__vf_steps[VTC__VF_STEPS];

/*
 * Set the attributes of a step; value has all VTC_VF_ATTR_COUNT of them. The kernel's own
 * -errno, and its words in vtc__nl_message(ctx->rt).
 */
int vtc__vf_send(struct vtc_pf *pf, uint32_t ifindex, const struct vtc__vf_step *step,
		 uint32_t vf, const uint64_t *value);

#endif
