/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The card that pools are on: which interface it is, its driver, and what is odd about
 * that driver. It is known by its index; its name is looked up anew for each use.
 */
#ifndef VTC__UPLINK_H
#define VTC__UPLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/ctx.h"

#define VTC__IFNAME_LEN 16

/* What the names of all cards' journals begin with. */
#define VTC__UPLINK_JOURNAL "vmdq-"

/* What drivers do differently; zero is the usual. Sources: see quirks.c. */
struct vtc__quirks {
	const char *driver;
	uint16_t vlan_mask;  /* the one VLAN mask that its flow rules take; 0: try */
	bool location_any;   /* flow rules: RX_CLS_LOC_ANY is a must */
	bool channels_first; /* flow rules must go before the channels change */
	bool no_mac_rules;   /* its flow rules cannot match a MAC */
	bool and_is_or;	     /* MAC and VLAN in one flow rule are two filters: OR */
	bool tags_hidden;    /* a VLAN tag stays beside the packet whatever we set */
	bool takes_all;	     /* receives frames for any address, of any VLAN */
	bool maxrate_sticky; /* writing 0 to tx_maxrate does not lift a limit */
	bool vf_stats;	     /* fills IFLA_VF_STATS with real numbers */
};

struct vtc__uplink {
	struct vtc_ctx *ctx;
	uint32_t ifindex;
	char name[VTC__IFNAME_LEN];
	char driver[32]; /* "veth", "igb", ...; "" if it does not tell */
	char pci[64];	 /* bus address of its device; "" if there is none */
	struct vtc__quirks quirks;
	bool gone; /* there is no such interface any more */
};

/* By interface name or bus address. -ENODEV, and writes the error record. */
int vtc__uplink_find(struct vtc_ctx *ctx, const char *nic, const char *operation,
		     struct vtc__uplink *ret);
/*
 * By index, as of a journal. -ENODEV: it is gone; then all of it that is known (the
 * index, no name) is in ret all the same, so that its journal can be opened. Leaves the
 * error record alone.
 */
int vtc__uplink_by_index(struct vtc_ctx *ctx, uint32_t ifindex, struct vtc__uplink *ret);
/* By index: the name of today. -ENODEV: gone. Leaves the error record alone. */
int vtc__uplink_refresh(struct vtc__uplink *uplink);
/* Any interface by name; -ENODEV. Leaves the error record alone. */
int vtc__ifindex(struct vtc_ctx *ctx, const char *name, uint32_t *ret);
int vtc__ifname(struct vtc_ctx *ctx, uint32_t ifindex, char name[VTC__IFNAME_LEN]);

/* Name of the card's journal: network namespace and index. */
int vtc__uplink_journal_name(const struct vtc__uplink *uplink, char *buf, size_t len);
/* The reverse: 1 and the index if the name is of this namespace, 0 if of another. */
int vtc__uplink_of_journal(struct vtc_ctx *ctx, const char *journal_name,
			   uint32_t *ret_ifindex);

const struct vtc__quirks *vtc__quirks_find(const char *driver); /* quirks.c; never NULL */

#endif
