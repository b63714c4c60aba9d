/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The VLANs of a pool: see vlans.h. */
#include "vlans.h"

#include <errno.h>
#include <string.h>

#include "vmdq/pool.h"

static void add(struct vtc__vlans *vlans, const struct vtc_filter *filter)
{
	if (filter->match & VTC_FILTER_VLAN)
		vlans->bits[filter->vlan / 64] |= UINT64_C(1) << filter->vlan % 64;
	else
		memset(vlans, 0xff, sizeof(*vlans));
}

int vtc__vlans_of_pool(struct vtc_pool *pool, struct vtc__vlans *ret)
{
	struct vtc_filter filter;
	int err = 0;

	memset(ret, 0, sizeof(*ret));
	if (pool->data.flags & VTC_POOL_F_EVERYTHING)
		memset(ret, 0xff, sizeof(*ret));
	for (unsigned int i = 0; !err; i++) {
		err = vtc_pool_get_filter(pool, i, &filter);
		if (!err && filter.vlan < VTC__VLANS)
			add(ret, &filter);
	}
	return err == -ENOENT ? 0 : err;
}
