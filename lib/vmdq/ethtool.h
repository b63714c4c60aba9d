/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SIOCETHTOOL on a card: the call, and the lists of names that several of its commands
 * use. What one command is about is in the file of the thing: feature.c, channels.c,
 * rss.c, rule.c. All of this leaves the error record alone.
 */
#ifndef VTC__ETHTOOL_H
#define VTC__ETHTOOL_H

#include <stddef.h>
#include <stdint.h>

#include "uplink.h"

/* data begins with the command, and is in and out. -ENODEV: the card is gone. */
int vtc__ethtool(struct vtc__uplink *uplink, void *data);

struct vtc__strings {
	uint32_t count;
	char (*text)[32]; /* each ends with NUL */
};

/* A set of names (ETH_SS_). Free also what is empty. */
int vtc__ethtool_strings(struct vtc__uplink *uplink, uint32_t set,
			 struct vtc__strings *ret);
void vtc__strings_free(struct vtc__strings *strings);
/* Place of a name in the set; -ENOENT. */
int vtc__strings_find(const struct vtc__strings *strings, const char *name);

#endif
