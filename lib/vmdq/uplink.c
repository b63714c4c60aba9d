/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which card. */
#include <errno.h>
#include <stddef.h>

#include "uplink.h"

int vtc__uplink_find(struct vtc_ctx *ctx, const char *nic, const char *operation,
		     struct vtc__uplink *ret)
{
	(void)ctx, (void)nic, (void)operation, (void)ret;
	return -EOPNOTSUPP;
}

int vtc__uplink_refresh(struct vtc__uplink *uplink)
{
	(void)uplink;
	return -EOPNOTSUPP;
}

int vtc__ifindex(struct vtc_ctx *ctx, const char *name, uint32_t *ret)
{
	(void)ctx, (void)name, (void)ret;
	return -EOPNOTSUPP;
}

int vtc__ifname(struct vtc_ctx *ctx, uint32_t ifindex, char name[VTC__IFNAME_LEN])
{
	(void)ctx, (void)ifindex, (void)name;
	return -EOPNOTSUPP;
}

int vtc__uplink_journal_name(const struct vtc__uplink *uplink, char *buf, size_t len)
{
	(void)uplink, (void)buf, (void)len;
	return -EOPNOTSUPP;
}

int vtc__uplink_of_journal(struct vtc_ctx *ctx, const char *journal_name,
			   uint32_t *ret_ifindex)
{
	(void)ctx, (void)journal_name, (void)ret_ifindex;
	return -EOPNOTSUPP;
}
