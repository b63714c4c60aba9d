/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SIOCETHTOOL on a card, and sets of names. */
#include "ethtool.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 65536u

/*
 * Older kernels fill in as many names as there are at that moment, whatever we have room
 * for; so there is room for what a driver might add meanwhile. Later ones give none if
 * the number is not the one that we say.
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

static int take_strings(const struct ethtool_gstrings *answer, uint32_t count,
			struct vtc__strings *ret)
{
	struct vtc__strings strings = { .count = answer->len };

	if (answer->len != count)
		return -EAGAIN;
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
	ask = calloc(1, sizeof(*ask) + ((size_t)count + SPARE) * ETH_GSTRING_LEN);
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
