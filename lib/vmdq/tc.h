/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Traffic control on the card: where filters hang, and the filters of pools. */
#ifndef VTC__TC_H
#define VTC__TC_H

#include <stdbool.h>
#include <stdint.h>

#include <vtc/pool.h>

#include "core/netlink.h"
#include "step.h"

/* ---- Where filters hang (tc-clsact.c) ---- */

extern const struct vtc__step_kind vtc__step_clsact;

/* The shared step "clsact", if the card has it not yet. */
int vtc__tc_do_clsact(struct vtc__txn *txn);

/* ---- Filters (tc-flower.c) ---- */

/* What beside the address a filter looks at. */
enum vtc__flower_shape {
	VTC__FLOWER_TAGGED,   /* frames with a tag of this VLAN */
	VTC__FLOWER_UNTAGGED, /* frames without any tag */
	VTC__FLOWER_ANY,      /* whatever the tag */
	/* The same for copies of broadcast and multicast frames. */
	VTC__FLOWER_GROUP_TAGGED,
	VTC__FLOWER_GROUP_UNTAGGED,
	VTC__FLOWER_GROUP_ANY,
};

/* The step "flower". */
struct vtc__flower {
	struct vtc_filter filter; /* match 0: every unicast (group) address */
	uint32_t shape;
	uint32_t priority, handle;
	uint32_t target;
	char target_name[VTC__IFNAME_LEN]; /* for when it is made anew */
};

extern const struct vtc__step_kind vtc__step_flower;

/* Whether it makes copies. */
bool vtc__flower_is_group(const struct vtc__flower *flower);

/*
 * Of a pool's slot; number is different for each filter of the slot (those for copies
 * apart), and small. The priority follows from the shape: the most specific filter comes
 * first. Of the filters of a slot that make copies one at most does so with a frame.
 */
void vtc__flower_init(struct vtc__flower *flower, enum vtc__flower_shape shape,
		      uint32_t slot, uint32_t number);

struct vtc__flower_count {
	uint64_t packets, bytes;
};

/* What a filter has counted; -ENOENT: it is not there. */
int vtc__flower_count(struct vtc__txn *txn, const struct vtc__flower *flower,
		      struct vtc__flower_count *ret);

/* A request about filters or the queueing discipline of the card. */
int vtc__tc_request(struct vtc__txn *txn, struct vtc__nlmsg *msg, vtc__nl_fn fn,
		    void *arg);

#endif
