/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables of receive side scaling: reading and writing them. */
#include "rss.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "ethtool.h"

#define ENTRIES_MAX 65536u /* of a table that makes sense */

/* Asked for nothing, the kernel tells the sizes, and how the hash is formed. */
static int read_head(struct vtc__uplink *uplink, uint32_t context,
		     struct ethtool_rxfh *ret)
{
	int err;

	*ret = (struct ethtool_rxfh){ .cmd = ETHTOOL_GRSSH, .rss_context = context };
	err = vtc__ethtool(uplink, ret);
	if (!err && !ret->indir_size)
		err = -EOPNOTSUPP;
	return !err && ret->indir_size > ENTRIES_MAX ? -EPROTO : err;
}

static struct ethtool_rxfh *new_command(uint32_t cmd, uint32_t context, uint32_t size)
{
	struct ethtool_rxfh *rxfh =
		calloc(1, sizeof(*rxfh) + sizeof(uint32_t) * (size_t)size);

	if (rxfh) {
		rxfh->cmd = cmd;
		rxfh->rss_context = context;
		rxfh->indir_size = size;
	}
	return rxfh;
}

static int new_table(uint32_t size, struct vtc__rss_table *ret)
{
	ret->queue = calloc(size, sizeof(*ret->queue));
	ret->size = size;
	return ret->queue ? 0 : -ENOMEM;
}

void vtc__rss_free(struct vtc__rss_table *table)
{
	free(table->queue);
	*table = (struct vtc__rss_table){ .size = 0 };
}

int vtc__rss_get(struct vtc__uplink *uplink, uint32_t context, struct vtc__rss_table *ret)
{
	struct ethtool_rxfh head, *rxfh;
	int err = read_head(uplink, context, &head);

	if (err)
		return err;
	rxfh = new_command(ETHTOOL_GRSSH, context, head.indir_size);
	if (!rxfh)
		return -ENOMEM;
	err = vtc__ethtool(uplink, rxfh);
	if (!err && rxfh->indir_size != head.indir_size)
		err = -EPROTO;
	if (!err)
		err = new_table(head.indir_size, ret);
	if (!err)
		memcpy(ret->queue, rxfh->rss_config, ret->size * sizeof(*ret->queue));
	free(rxfh);
	return err;
}

/* What is between the hash function and rsvd32: names of it differ between headers. */
#define FORM_AT	 (offsetof(struct ethtool_rxfh, hfunc) + sizeof(uint8_t))
#define FORM_LEN 3u

/*
 * How the hash is formed has to be given, too: kernels that know of it take 0 for a
 * change, older ones know no other value.
 */
static void copy_form(struct ethtool_rxfh *to, const struct ethtool_rxfh *from)
{
	memcpy((uint8_t *)to + FORM_AT, (const uint8_t *)from + FORM_AT, FORM_LEN);
}

static int write_table(struct vtc__uplink *uplink, const struct vtc__rss_table *table,
		       uint32_t *context)
{
	struct ethtool_rxfh head, *rxfh;
	int err = read_head(uplink, 0, &head);

	if (err)
		return err;
	rxfh = new_command(ETHTOOL_SRSSH, *context, table->size);
	if (!rxfh)
		return -ENOMEM;
	copy_form(rxfh, &head);
	if (table->size)
		memcpy(rxfh->rss_config, table->queue,
		       table->size * sizeof(*table->queue));
	err = vtc__ethtool(uplink, rxfh);
	*context = rxfh->rss_context;
	free(rxfh);
	return err;
}

int vtc__rss_set(struct vtc__uplink *uplink, const struct vtc__rss_table *table)
{
	uint32_t context = 0;

	return write_table(uplink, table, &context);
}

/* A table of no entries is the default, or the end of a context. */
int vtc__rss_reset(struct vtc__uplink *uplink)
{
	return vtc__rss_delete(uplink, 0);
}

int vtc__rss_delete(struct vtc__uplink *uplink, uint32_t context)
{
	static const struct vtc__rss_table none;

	return write_table(uplink, &none, &context);
}

int vtc__rss_create(struct vtc__uplink *uplink, const struct vtc__rss_table *table,
		    uint32_t *ret_context)
{
	uint32_t context = ETH_RXFH_CONTEXT_ALLOC;
	int err = write_table(uplink, table, &context);

	if (!err)
		*ret_context = context;
	return err;
}

/* A table of an impossible size: -EINVAL, but only if the driver could set one. */
int vtc__rss_probe(struct vtc__uplink *uplink)
{
	struct ethtool_rxfh rxfh;
	int err = read_head(uplink, 0, &rxfh);

	if (err)
		return err;
	rxfh.cmd = ETHTOOL_SRSSH;
	rxfh.indir_size++;
	rxfh.key_size = 0;
	rxfh.hfunc = 0;
	err = vtc__ethtool(uplink, &rxfh);
	return err == -EINVAL ? 0 : err;
}

int vtc__rss_spread(struct vtc__uplink *uplink, uint32_t first, uint32_t count,
		    struct vtc__rss_table *ret)
{
	struct ethtool_rxfh head;
	int err = read_head(uplink, 0, &head);

	if (!err)
		err = new_table(head.indir_size, ret);
	for (uint32_t i = 0; !err && i < ret->size; i++)
		ret->queue[i] = first + i % count;
	return err;
}

bool vtc__rss_is_spread(const struct vtc__rss_table *table, uint32_t first,
			uint32_t count)
{
	for (uint32_t i = 0; i < table->size; i++)
		if (table->queue[i] != first + i % count)
			return false;
	return true;
}

/* In the order of the queues, or in blocks (igb, igc). */
bool vtc__rss_is_default(const struct vtc__rss_table *table, uint32_t channels)
{
	if (vtc__rss_is_spread(table, 0, channels))
		return true;
	for (uint32_t i = 0; i < table->size; i++)
		if (table->queue[i] != (uint64_t)i * channels / table->size)
			return false;
	return true;
}
