/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An HTB tree at the root of a card that shares what software sends there between pools:
 *
 *	vt:0 --- vt:1, the link's speed --- vt:2, whatever is no pool's
 *	                                +-- vt:10 + slot, a pool
 *
 * A classic BPF filter sorts frames into the classes by their source address and VLAN.
 * The tree is what the journal's records of kind "htb" and "match" say, and nothing else:
 * each change makes it anew from these.
 */
#ifndef VTC__HTB_H
#define VTC__HTB_H

#include <linux/filter.h>

#include "rate.h"

/* The data of a step "htb": a pool's class. */
struct vtc__htb_step {
	uint64_t min_bps, max_bps;
	uint64_t link_bps; /* the link's speed when it was set; 0: not known */
	uint32_t weight;
	uint32_t slot;
	uint32_t pool_flags; /* VTC_POOL_F_ */
	uint32_t reserved;
};

#define VTC__HTB_POOLS VTC_POOL_MAX
#define VTC__HTB_ROOT  0x76740000u /* VTC__QDISC_HANDLE */

struct vtc__htb_class {
	uint32_t classid, parent;
	uint64_t rate_bps, ceil_bps;
	uint32_t quantum;  /* bytes in a turn */
	uint16_t overhead; /* bytes of each frame that the link sends beside it */
};

struct vtc__htb_pool {
	char group[VTC__GROUP_LEN];
	struct vtc__htb_step step;
};

/* The tree as it is to be. */
struct vtc__htb {
	struct vtc__htb_class link, rest, pools[VTC__HTB_POOLS];
	struct vtc__htb_pool of[VTC__HTB_POOLS];
	size_t count;
	struct sock_filter *program; /* malloc()ed */
	uint16_t program_len;
};

/*
 * What the journal asks for, but for the pool in this slot (UINT32_MAX: all). -ENOSPC:
 * too many filters. End with vtc__htb_free().
 */
int vtc__htb_plan(struct vtc__txn *txn, uint32_t but_slot, struct vtc__htb *ret);
void vtc__htb_free(struct vtc__htb *htb);
/* htb-program.c: what the filter runs. */
int vtc__htb_program(struct vtc__txn *txn, struct vtc__htb *htb);

/* Bring the card's tree to this (htb-tree.c). Bare -errno; no pools: it goes. */
int vtc__htb_make(struct vtc__txn *txn, const struct vtc__htb *htb);
/* 1: the card has the class and the filter; 0: not so, see text; -errno. */
int vtc__htb_check(struct vtc__txn *txn, const struct vtc__htb *htb, uint32_t slot,
		   char *text, size_t len);

/* Speed of the link in bits in a second; 0: not known. */
uint64_t vtc__htb_link_bps(struct vtc__txn *txn);

static inline uint32_t vtc__htb_classid(uint32_t slot)
{
	return 0x76740010u + slot;
}

#endif
