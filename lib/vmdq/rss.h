/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which queues a card spreads traffic over that no rule names ("ethtool -x"): the step
 * that keeps it off the queues of pools, and contexts, with which a pool of several
 * queues has a table of its own.
 */
#ifndef VTC__RSS_H
#define VTC__RSS_H

#include <stdint.h>

#include "step.h"

struct vtc__rss_table {
	uint32_t size;
	uint32_t *queue; /* of each entry */
};

/* Tables (rss.c); context 0 is that of the card. These leave the error record alone. */
int vtc__rss_get(struct vtc__uplink *uplink, uint32_t context,
		 struct vtc__rss_table *ret);
void vtc__rss_free(struct vtc__rss_table *table);
int vtc__rss_set(struct vtc__uplink *uplink, const struct vtc__rss_table *table);
/* The default of the driver, which then follows the number of channels again. */
int vtc__rss_reset(struct vtc__uplink *uplink);
/* 0 if the driver lets the table be set, as far as can be told without doing so. */
int vtc__rss_probe(struct vtc__uplink *uplink);

/* A new context with this table. -EOPNOTSUPP: the card has none. */
int vtc__rss_create(struct vtc__uplink *uplink, const struct vtc__rss_table *table,
		    uint32_t *ret_context);
int vtc__rss_delete(struct vtc__uplink *uplink, uint32_t context);

/* A table of the card's size, spread evenly over count queues from first on. */
int vtc__rss_spread(struct vtc__uplink *uplink, uint32_t first, uint32_t count,
		    struct vtc__rss_table *ret);
bool vtc__rss_is_spread(const struct vtc__rss_table *table, uint32_t first,
			uint32_t count);
/* Whether it is what a driver makes itself for so many channels. */
bool vtc__rss_is_default(const struct vtc__rss_table *table, uint32_t channels);

/* The table as it is before channels are added, and whether the driver made it. */
struct vtc__rss_before {
	size_t len;
	_Alignas(uint32_t) uint8_t data[VTC__JOURNAL_DATA_MAX]; /* of the step */
};

/*
 * What no rule names goes to the queues below base alone, as long as the card has pools
 * (rss-step.c): a shared step; the last one counts. First the table of today is kept,
 * while the card has the channels that it is made for. Both write the error record.
 */
int vtc__rss_keep(struct vtc__txn *txn, uint32_t channels, struct vtc__rss_before *ret);
int vtc__do_rss(struct vtc__txn *txn, uint32_t base, struct vtc__rss_before *before);
/* The base of today; 0: no pool has queues of its own. */
uint32_t vtc__rss_base(struct vtc__txn *txn);

/*
 * A context for these queues, as long as the group is there (rss-context.c).
 * -EOPNOTSUPP: the card has none, or none left. Writes the error record.
 */
int vtc__do_context(struct vtc__txn *txn, const char *group, uint32_t first,
		    uint32_t count);
/* A context spread so: 1 and its number; 0: none. Leaves the error record alone. */
int vtc__context_find(struct vtc__uplink *uplink, uint32_t first, uint32_t count,
		      uint32_t *ret_context);

extern const struct vtc__step_kind vtc__step_context, vtc__step_rss;

#endif
