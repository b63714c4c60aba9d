/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SIOCETHTOOL on a card: names, and the counters that go by them. */
#include "ethtool.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 65536u

/*
 * The kernel fills in as many names and counters as there are at that moment, whatever we
 * have room for; so there is room for all queues that a driver might add meanwhile.
 */
#define SPARE 4096u

int vtc__ethtool(struct vtc__uplink *uplink, void *data)
{
	struct vtc_ctx *ctx = uplink->ctx;
	int err = vtc__uplink_refresh(uplink);

	return err ? err : ctx->sys->ethtool(ctx->sys_priv, uplink->name, data);
}

static int count_strings(struct vtc__uplink *uplink, uint32_t set, uint32_t *ret)
{
	union {
		struct ethtool_sset_info info;
		uint32_t room[sizeof(struct ethtool_sset_info) / 4 + 1];
	} ask = { .info = { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ull << set } };
	int err = vtc__ethtool(uplink, &ask);

	if (err)
		return err;
	if (!(ask.info.sset_mask & (1ull << set)))
		return -EOPNOTSUPP;
	memcpy(ret, ask.info.data, sizeof(*ret));
	return *ret > NAMES_MAX ? -EPROTO : 0;
}

static int take_strings(const struct ethtool_gstrings *answer, uint32_t room,
			struct vtc__strings *ret)
{
	struct vtc__strings strings = { .count = answer->len };

	if (answer->len > room)
		return -EPROTO;
	strings.text = calloc(answer->len + 1, sizeof(*strings.text));
	if (!strings.text)
		return -ENOMEM;
	for (uint32_t i = 0; i < answer->len; i++)
		memcpy(strings.text[i], answer->data + (size_t)i * ETH_GSTRING_LEN,
		       sizeof(*strings.text) - 1);
	*ret = strings;
	return 0;
}

int vtc__ethtool_strings(struct vtc__uplink *uplink, uint32_t set,
			 struct vtc__strings *ret)
{
	struct ethtool_gstrings *ask;
	uint32_t count;
	int err = count_strings(uplink, set, &count);

	if (err)
		return err;
	count += SPARE;
	ask = calloc(1, sizeof(*ask) + (size_t)count * ETH_GSTRING_LEN);
	if (!ask)
		return -ENOMEM;
	ask->cmd = ETHTOOL_GSTRINGS;
	ask->string_set = set;
	ask->len = count;
	err = vtc__ethtool(uplink, ask);
	if (!err)
		err = take_strings(ask, count, ret);
	free(ask);
	return err;
}

void vtc__strings_free(struct vtc__strings *strings)
{
	free(strings->text);
	*strings = (struct vtc__strings){ .count = 0 };
}

int vtc__strings_find(const struct vtc__strings *strings, const char *name)
{
	for (uint32_t i = 0; i < strings->count; i++)
		if (strcmp(strings->text[i], name) == 0)
			return (int)i;
	return -ENOENT;
}

/* ---- Counters ---- */

static int read_stats(struct vtc__uplink *uplink, uint32_t count,
		      struct ethtool_stats **ret)
{
	struct ethtool_stats *stats;
	int err;

	stats = calloc(1, sizeof(*stats) + ((size_t)count + SPARE) * sizeof(uint64_t));
	if (!stats)
		return -ENOMEM;
	stats->cmd = ETHTOOL_GSTATS;
	stats->n_stats = count + SPARE;
	err = vtc__ethtool(uplink, stats);
	/* Another number of them: they are no longer those of the names. */
	if (!err && stats->n_stats != count)
		err = -ENODATA;
	if (err)
		free(stats);
	else
		*ret = stats;
	return err;
}

static int find_queue(const struct vtc__strings *names, const char *pattern,
		      uint32_t queue)
{
	char name[sizeof(*names->text)];
	const char *at = strstr(pattern, "%u");

	if (!at)
		return -ENOENT;
	snprintf(name, sizeof(name), "%.*s%u%s", (int)(at - pattern), pattern, queue,
		 at + 2);
	return vtc__strings_find(names, name);
}

/* The pattern of this card: that of its quirks, or else the first that queue 0 has. */
static const char *find_pattern(const struct vtc__uplink *uplink,
				const struct vtc__strings *names)
{
	static const char *const known[] = {
		"rx_queue_%u_packets", "rx%u_packets",		 "rx-%u.packets",
		"rx_%u_packets",       "[%u]: rx_ucast_packets", "rx_queue_%u_pkts",
	};

	if (uplink->quirks.rx_packets)
		return uplink->quirks.rx_packets;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (find_queue(names, known[i], 0) >= 0)
			return known[i];
	return "";
}

static int sum_queues(const struct vtc__strings *names, const char *pattern,
		      const struct ethtool_stats *stats, uint32_t first, uint32_t count,
		      uint64_t *ret)
{
	uint64_t sum = 0;

	for (uint32_t queue = first; queue - first < count; queue++) {
		int at = find_queue(names, pattern, queue);

		if (at < 0)
			return -ENODATA;
		sum += stats->data[at];
	}
	*ret = sum;
	return 0;
}

int vtc__ethtool_rx_packets(struct vtc__uplink *uplink, uint32_t first, uint32_t count,
			    uint64_t *ret)
{
	struct vtc__strings names;
	struct ethtool_stats *stats;
	int err = vtc__ethtool_strings(uplink, ETH_SS_STATS, &names);

	if (err)
		return err == -EOPNOTSUPP ? -ENODATA : err;
	err = read_stats(uplink, names.count, &stats);
	if (!err) {
		err = sum_queues(&names, find_pattern(uplink, &names), stats, first,
				 count, ret);
		free(stats);
	}
	vtc__strings_free(&names);
	return err;
}
