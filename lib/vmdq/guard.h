/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guard program on a card: loading, attaching, and its tables. What the tables hold
 * is in guard-map.h, which the program includes, too. libbpf and libxdp are known to the
 * files guard-*.c alone; a build without them has guard-none.c, where all of this gives
 * -EOPNOTSUPP.
 *
 * A frame: {MAC, VLAN}, {MAC}, {VLAN} are looked up in this order -> slot of a pool ->
 * the socket of (slot, receive queue) -> else the target interface -> else the stack. A
 * frame that is nobody's goes to the slot that takes everything, else to the stack.
 */
#ifndef VTC__GUARD_H
#define VTC__GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vtc/pool.h>

#include "core/ctx.h"
#include "guard-map.h"

struct vtc__guard;

/* What it takes to know a program again; kept in the journal. */
struct vtc__guard_id {
	uint32_t ifindex;
	uint32_t mode;	    /* enum vtc_pool_guard */
	uint32_t tables;    /* number of its configuration table in the kernel */
	uint32_t sees_tags; /* 1: VLAN tags beside the packet are seen, too */
};

/* Why programs cannot be used here: 0 and "", or -EOPNOTSUPP, -EPERM, ... and words. */
int vtc__guard_probe(struct vtc_ctx *ctx, uint32_t ifindex, char *why, size_t len);

/*
 * Load a program for a card; nothing is attached yet, and closing it leaves no trace.
 * flags: VTC_POOL_F_GENERIC_XDP, VTC_POOL_F_PLAIN_XDP. tags_hidden: what the driver's
 * quirks say. note: what is not as one might expect (no dispatcher, and why).
 */
int vtc__guard_load(struct vtc_ctx *ctx, uint32_t ifindex, uint32_t flags,
		    bool tags_hidden, struct vtc__guard **ret_guard,
		    struct vtc__guard_id *ret_id, char *note, size_t len);
/*
 * Attach what was loaded; id->mode becomes what it came to (libxdp may have found that
 * the kernel cannot do a dispatcher). -EBUSY: somebody else's program is there. Writes
 * the error record, which says whose.
 */
int vtc__guard_attach(struct vtc__guard *guard, struct vtc__guard_id *id);
/* Detach a program; 0 also if it is not there (any more). */
int vtc__guard_detach(struct vtc_ctx *ctx, const struct vtc__guard_id *id);
/* 1: it is attached; 0: it is not; -errno. */
int vtc__guard_attached(struct vtc_ctx *ctx, const struct vtc__guard_id *id);
/* Open one that is attached, by any process. -ENOENT: it is not there. */
int vtc__guard_open(struct vtc_ctx *ctx, const struct vtc__guard_id *id,
		    struct vtc__guard **ret_guard);
void vtc__guard_close(struct vtc__guard *guard);

/* ---- Tables ---- */

/*
 * Sets the counters of a slot to 0, too, if it was not used. -ENODEV: there is no target
 * of this index; -EOPNOTSUPP: the target takes no frames from programs (a veth whose peer
 * has neither a program nor GRO loses them without a word).
 */
int vtc__guard_set_slot(struct vtc__guard *guard, uint32_t slot,
			const struct vtc__guard_slot *value);
/* As it was set, but without a target that has gone since. */
int vtc__guard_get_slot(struct vtc__guard *guard, uint32_t slot,
			struct vtc__guard_slot *ret);
/* The slot that takes what is nobody's; VTC__GUARD_SLOTS: none. */
int vtc__guard_set_everything(struct vtc__guard *guard, uint32_t slot);
int vtc__guard_get_everything(struct vtc__guard *guard, uint32_t *ret_slot);

/* -EEXIST: it belongs to a slot already; -ENOSPC; -ENOENT. */
int vtc__guard_add_filter(struct vtc__guard *guard, const struct vtc_filter *filter,
			  uint32_t slot);
int vtc__guard_get_filter(struct vtc__guard *guard, const struct vtc_filter *filter,
			  uint32_t *ret_slot);
int vtc__guard_remove_filter(struct vtc__guard *guard, const struct vtc_filter *filter);

/* The AF_XDP socket of a slot on a queue; fd -1: none any more. */
int vtc__guard_set_socket(struct vtc__guard *guard, uint32_t slot, uint32_t queue,
			  int fd);

/* Whether sockets of a slot take frames that do not lie in one piece; at first not. */
int vtc__guard_set_parts(struct vtc__guard *guard, uint32_t slot, bool take);

int vtc__guard_get_stats(struct vtc__guard *guard, uint32_t slot,
			 struct vtc__guard_stats *ret);

/* ---- Copies of group frames ---- */

/*
 * A second program, behind the driver, copies group frames to the targets of slots that
 * want it (group_copy) and have a rule for the frame's VLAN, for all VLANs, or take
 * everything. It is attached to the card's traffic control ingress, for which the clsact
 * qdisc must be there (-ENOENT), and is needed only if a slot wants copies. It is known
 * again by the guard's tables. Detaching is 0 also if it is not there (any more).
 */
int vtc__guard_flood_attach(struct vtc__guard *guard);
int vtc__guard_flood_detach(struct vtc_ctx *ctx, const struct vtc__guard_id *id);
/* 1: it is attached; 0: it is not; -errno. */
int vtc__guard_flood_attached(struct vtc_ctx *ctx, const struct vtc__guard_id *id);

#endif
