/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Generic netlink: families are found by asking the controller, each time anew. */
#include "genl.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <string.h>

struct vtc__nlmsg *vtc__genl_msg(const struct vtc__genl_family *family, uint8_t cmd,
				 uint16_t flags, size_t size)
{
	struct genlmsghdr header = { .cmd = cmd, .version = family->version };
	struct vtc__nlmsg *msg = vtc__nlmsg_new(family->id, flags, size);

	if (msg && vtc__nlmsg_append(msg, &header, sizeof(header))) {
		vtc__nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

int vtc__genl_parse(const struct nlmsghdr *msg, const struct nlattr **tb, int max)
{
	return vtc__nlmsg_parse(msg, sizeof(struct genlmsghdr), tb, max);
}

static void take_ops(struct vtc__genl_family *family, const struct nlattr *ops)
{
	const struct nlattr *op = NULL;
	const struct nlattr *tb[CTRL_ATTR_OP_MAX + 1];
	uint32_t id;

	while (ops && (op = vtc__nla_foreach_next(ops, op))) {
		if (vtc__nla_parse_nested(op, tb, CTRL_ATTR_OP_MAX) ||
		    vtc__nla_u32(tb[CTRL_ATTR_OP_ID], &id) || id > UINT8_MAX)
			continue;
		family->ops[id / 32] |= 1u << (id % 32);
	}
}

static int take_family(void *arg, const struct nlmsghdr *msg)
{
	struct vtc__genl_family *family = arg;
	const struct nlattr *tb[CTRL_ATTR_MAX + 1];
	uint32_t version;
	int err = vtc__genl_parse(msg, tb, CTRL_ATTR_MAX);

	if (!err)
		err = vtc__nla_u16(tb[CTRL_ATTR_FAMILY_ID], &family->id);
	if (!err)
		err = vtc__nla_u32(tb[CTRL_ATTR_VERSION], &version);
	if (err)
		return -EPROTO;
	family->version = (uint8_t)version;
	take_ops(family, tb[CTRL_ATTR_OPS]);
	return 0;
}

static int get_family(struct vtc_ctx *ctx, const char *name, vtc__nl_fn fn, void *arg)
{
	const struct vtc__genl_family controller = { .id = GENL_ID_CTRL, .version = 1 };
	struct vtc__nlmsg *msg;
	struct vtc__nl *nl;
	int err = vtc__nl_genl(ctx, &nl);

	if (err)
		return err;
	msg = vtc__genl_msg(&controller, CTRL_CMD_GETFAMILY, 0, 128);
	if (!msg)
		return -ENOMEM;
	err = vtc__nlmsg_put_str(msg, CTRL_ATTR_FAMILY_NAME, name);
	if (!err)
		err = vtc__nl_request(ctx, nl, msg, fn, arg);
	vtc__nlmsg_free(msg);
	return err;
}

int vtc__genl_find(struct vtc_ctx *ctx, const char *name, struct vtc__genl_family *ret)
{
	struct vtc__genl_family family = { .id = 0 };
	int err = get_family(ctx, name, take_family, &family);

	if (!err && !family.id)
		err = -EPROTO;
	if (!err)
		*ret = family;
	return err;
}

struct group {
	const char *name;
	uint32_t id; /* 0: not found */
};

static int take_groups(void *arg, const struct nlmsghdr *msg)
{
	const struct nlattr *tb[CTRL_ATTR_MAX + 1], *one[CTRL_ATTR_MCAST_GRP_MAX + 1];
	const struct nlattr *group = NULL;
	struct group *wanted = arg;
	const char *name;

	if (vtc__genl_parse(msg, tb, CTRL_ATTR_MAX))
		return -EPROTO;
	while (tb[CTRL_ATTR_MCAST_GROUPS] &&
	       (group = vtc__nla_foreach_next(tb[CTRL_ATTR_MCAST_GROUPS], group))) {
		if (vtc__nla_parse_nested(group, one, CTRL_ATTR_MCAST_GRP_MAX) ||
		    vtc__nla_str(one[CTRL_ATTR_MCAST_GRP_NAME], &name) ||
		    strcmp(name, wanted->name) != 0)
			continue;
		return vtc__nla_u32(one[CTRL_ATTR_MCAST_GRP_ID], &wanted->id);
	}
	return 0;
}

int vtc__genl_group(struct vtc_ctx *ctx, const char *family, const char *name,
		    uint32_t *ret)
{
	struct group group = { .name = name };
	int err = get_family(ctx, family, take_groups, &group);

	if (!err && !group.id)
		err = -ENOENT;
	if (!err)
		*ret = group.id;
	return err;
}

bool vtc__genl_has_op(const struct vtc__genl_family *family, uint8_t cmd)
{
	return family->ops[cmd / 32] >> (cmd % 32) & 1;
}
