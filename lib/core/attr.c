/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Netlink messages and attributes over libnl: see netlink.h. */
#include "netlink.h"

#include <errno.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

/* A struct vtc__nlmsg is libnl's struct nl_msg; the name keeps libnl out of netlink.h. */
static struct nl_msg *nl(struct vtc__nlmsg *msg)
{
	return (struct nl_msg *)msg;
}

struct vtc__nlmsg *vtc__nlmsg_new(uint16_t type, uint16_t flags, size_t size)
{
	struct nl_msg *msg = nlmsg_alloc_size(size);

	if (!msg)
		return NULL;
	if (!nlmsg_put(msg, 0, 0, type, 0, flags)) {
		nlmsg_free(msg);
		return NULL;
	}
	return (struct vtc__nlmsg *)msg;
}

void vtc__nlmsg_free(struct vtc__nlmsg *msg)
{
	nlmsg_free(nl(msg));
}

struct nlmsghdr *vtc__nlmsg_header(struct vtc__nlmsg *msg)
{
	return nlmsg_hdr(nl(msg));
}

int vtc__nlmsg_append(struct vtc__nlmsg *msg, const void *data, size_t len)
{
	return nlmsg_append(nl(msg), (void *)(uintptr_t)data, len, NLMSG_ALIGNTO)
		       ? -EMSGSIZE
		       : 0;
}

int vtc__nlmsg_put(struct vtc__nlmsg *msg, int type, const void *data, size_t len)
{
	return nla_put(nl(msg), type, (int)len, data) ? -EMSGSIZE : 0;
}

int vtc__nlmsg_put_u32(struct vtc__nlmsg *msg, int type, uint32_t value)
{
	return vtc__nlmsg_put(msg, type, &value, sizeof(value));
}

int vtc__nlmsg_put_str(struct vtc__nlmsg *msg, int type, const char *text)
{
	return vtc__nlmsg_put(msg, type, text, strlen(text) + 1);
}

struct nlattr *vtc__nlmsg_nest(struct vtc__nlmsg *msg, int type)
{
	return nla_nest_start(nl(msg), type);
}

void vtc__nlmsg_nest_end(struct vtc__nlmsg *msg, struct nlattr *nest)
{
	nla_nest_end_keep_empty(nl(msg), nest);
}

int vtc__nla_parse(const struct nlattr **tb, int max, const void *data, size_t len)
{
	const struct nlattr *pos = data;
	int rest;

	memset(tb, 0, sizeof(*tb) * ((size_t)max + 1));
	if (len > INT32_MAX)
		return -EPROTO;
	for (rest = (int)len; nla_ok(pos, rest); pos = nla_next(pos, &rest)) {
		if (nla_type(pos) <= max)
			tb[nla_type(pos)] = pos;
	}
	/*
	 * Up to 3 bytes may be left, or missing, for padding; more means a wrong length.
	 */
	return rest >= (int)sizeof(struct nlattr) ? -EPROTO : 0;
}

int vtc__nlmsg_parse(const struct nlmsghdr *msg, size_t header, const struct nlattr **tb,
		     int max)
{
	size_t skip = NLMSG_LENGTH(NLMSG_ALIGN(header));

	if (msg->nlmsg_len < NLMSG_LENGTH(header))
		return -EPROTO;
	if (skip > msg->nlmsg_len)
		skip = msg->nlmsg_len;
	return vtc__nla_parse(tb, max, (const char *)msg + skip, msg->nlmsg_len - skip);
}

int vtc__nla_parse_nested(const struct nlattr *nest, const struct nlattr **tb, int max)
{
	return vtc__nla_parse(tb, max, vtc__nla_data(nest), vtc__nla_len(nest));
}

const struct nlattr *vtc__nla_foreach_next(const struct nlattr *nest,
					   const struct nlattr *prev)
{
	const char *end = (const char *)vtc__nla_data(nest) + vtc__nla_len(nest);
	const char *pos = vtc__nla_data(nest);

	if (prev)
		pos = (const char *)prev + (((size_t)prev->nla_len + 3) & ~(size_t)3);
	if (pos >= end || !nla_ok((const struct nlattr *)pos, (int)(end - pos)))
		return NULL;
	return (const struct nlattr *)pos;
}

int vtc__nla_type(const struct nlattr *attr)
{
	return nla_type(attr);
}

const void *vtc__nla_data(const struct nlattr *attr)
{
	return nla_data(attr);
}

size_t vtc__nla_len(const struct nlattr *attr)
{
	return (size_t)nla_len(attr);
}

static int fixed(const struct nlattr *attr, void *ret, size_t size)
{
	if (!attr)
		return -ENODATA;
	if (vtc__nla_len(attr) != size)
		return -EPROTO;
	memcpy(ret, vtc__nla_data(attr), size);
	return 0;
}

int vtc__nla_u8(const struct nlattr *attr, uint8_t *ret)
{
	return fixed(attr, ret, sizeof(*ret));
}

int vtc__nla_u16(const struct nlattr *attr, uint16_t *ret)
{
	return fixed(attr, ret, sizeof(*ret));
}

int vtc__nla_u32(const struct nlattr *attr, uint32_t *ret)
{
	return fixed(attr, ret, sizeof(*ret));
}

int vtc__nla_u64(const struct nlattr *attr, uint64_t *ret)
{
	return fixed(attr, ret, sizeof(*ret));
}

int vtc__nla_str(const struct nlattr *attr, const char **ret)
{
	if (!attr)
		return -ENODATA;
	if (!memchr(vtc__nla_data(attr), '\0', vtc__nla_len(attr)))
		return -EPROTO;
	*ret = vtc__nla_data(attr);
	return 0;
}

int vtc__nla_struct(const struct nlattr *attr, void *ret, size_t size)
{
	if (!attr)
		return -ENODATA;
	if (vtc__nla_len(attr) < size)
		return -EPROTO;
	memcpy(ret, vtc__nla_data(attr), size);
	return 0;
}
