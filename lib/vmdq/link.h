/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The macvlan interface of a pool, and the step that makes it. */
#ifndef VTC__LINK_H
#define VTC__LINK_H

#include <stdint.h>

#include <vtc/types.h>

#include "pool.h"

/* Data of the step "link". The journal keeps it as it is, so it has no padding. */
struct vtc__link {
	char name[VTC__IFNAME_LEN];
	uint32_t lower;	  /* index of the card */
	uint32_t ifindex; /* 0: not known, it may have been made or not */
	struct vtc_mac mac;
	uint16_t offloaded; /* 1: the card sorts; 0: the kernel does */
};

/* The group's link as the journal has it: 1, or 0: there is none. */
int vtc__link_of(struct vtc__txn *txn, const char *group, struct vtc__link *ret);
/* Frames of the interface. -ENODEV: it is gone. Leaves the error record alone. */
int vtc__link_stats(struct vtc_ctx *ctx, const struct vtc__link *link,
		    struct vtc_pool_stats *stats);

extern const struct vtc__step_kind vtc__step_link;

#endif
