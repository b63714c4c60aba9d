/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Generic netlink: which families and operations this kernel has. */
#ifndef VTC__GENL_H
#define VTC__GENL_H

#include <stdbool.h>
#include <stdint.h>

#include "netlink.h"

struct vtc__genl_family {
	uint16_t id;
	uint8_t version;
	uint8_t reserved;
	uint32_t ops[8]; /* bit n: the family has command n */
};

/* -ENOENT: this kernel does not have the family (or its module is not loaded). */
int vtc__genl_find(struct vtc_ctx *ctx, const char *name, struct vtc__genl_family *ret);
/* Number of a multicast group of a family. -ENOENT: there is none. */
int vtc__genl_group(struct vtc_ctx *ctx, const char *family, const char *name,
		    uint32_t *ret);
bool vtc__genl_has_op(const struct vtc__genl_family *family, uint8_t cmd);

/* A request message for a command of a family. NULL: memory is out. */
struct vtc__nlmsg *vtc__genl_msg(const struct vtc__genl_family *family, uint8_t cmd,
				 uint16_t flags, size_t size);

/* vtc__nlmsg_parse() behind the generic header. */
int vtc__genl_parse(const struct nlmsghdr *msg, const struct nlattr **tb, int max);

#endif
