/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The steps in which VFs get their attributes, and how to take them. */
#ifndef VTC__VF_SEND_H
#define VTC__VF_SEND_H

#include <stdbool.h>

#include "core/netlink.h"
#include "vf.h"

#define VTC__VF_STEPS	    9
#define VTC__VF_MESSAGE_MAX 92

#define VTC__VF_RATES ((1u << VTC_VF_ATTR_MIN_RATE) | (1u << VTC_VF_ATTR_MAX_RATE))

/* What clearing an address sends to drivers that refuse zeros: local, of no vendor. */
#define VTC__VF_MAC_NOBODY 0x020000000000u

struct vtc__vf_message;

/* One message to the kernel. The rates share one, all other attributes have their own. */
struct vtc__vf_step {
	void (*put)(const struct vtc__vf_step *step, struct vtc__vf_message *msg,
		    uint32_t vf, const uint64_t *value);
	const char *operation;
	enum vtc_vf_attr attr;
	int type; /* IFLA_VF_ */
	uint16_t attrs;
};

/* In the order in which they are to be taken. */
extern const struct vtc__vf_step vtc__vf_steps[VTC__VF_STEPS];

/* Messages of one VF that go to the kernel together; empty: count and len are 0. */
struct vtc__vf_packet {
	const struct vtc__vf_step *steps[VTC__VF_STEPS];
	size_t count, len;
	union {
		struct nlmsghdr first;
		unsigned char data[VTC__VF_STEPS * VTC__VF_MESSAGE_MAX];
	};
};

/* Each step once; value has all VTC_VF_ATTR_COUNT of them. */
void vtc__vf_packet_add(struct vtc__vf_packet *packet, struct vtc_pf *pf,
			uint32_t ifindex, const struct vtc__vf_step *step, uint32_t vf,
			const uint64_t *value);

/*
 * Send what is in the packet, and tell the result of each step; then it is empty. A step
 * that fails does not keep the kernel from those behind it.
 */
void vtc__vf_packet_send(struct vtc__vf_packet *packet, struct vtc_pf *pf,
			 vtc__nl_result_fn fn, void *arg);

/* Whether vtc__vf_send() has a second choice: such a step is to be sent alone. */
bool vtc__vf_may_be_refused(const struct vtc__vf_step *step, const uint64_t *value);

/*
 * Set the attributes of a step; value has all VTC_VF_ATTR_COUNT of them. The kernel's own
 * -errno, and its words in vtc__nl_message(ctx->rt).
 */
int vtc__vf_send(struct vtc_pf *pf, uint32_t ifindex, const struct vtc__vf_step *step,
		 uint32_t vf, const uint64_t *value);

#endif
