/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Netlink messages byte by byte, without the library's own builder, which is under test.
 */
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "vtct.h"

void vtct_buf_free(struct vtct_buf *buf)
{
	free(buf->data);
	memset(buf, 0, sizeof(*buf));
}

void vtct_buf_add(struct vtct_buf *buf, const void *data, size_t len)
{
	if (buf->len + len > buf->room) {
		buf->room = 2 * (buf->len + len);
		buf->data = vtct_realloc(buf->data, buf->room);
	}
	if (data && len)
		memcpy(buf->data + buf->len, data, len);
	else if (len)
		memset(buf->data + buf->len, 0, len);
	buf->len += len;
}

void vtct_put(struct vtct_buf *buf, int type, const void *data, size_t len)
{
	size_t nest = vtct_nest(buf, type);

	vtct_buf_add(buf, data, len);
	vtct_nest_end(buf, nest);
	vtct_buf_add(buf, NULL, NLA_ALIGN(len) - len);
}

void vtct_put_u8(struct vtct_buf *buf, int type, uint8_t value)
{
	vtct_put(buf, type, &value, sizeof(value));
}

void vtct_put_u16(struct vtct_buf *buf, int type, uint16_t value)
{
	vtct_put(buf, type, &value, sizeof(value));
}

void vtct_put_u32(struct vtct_buf *buf, int type, uint32_t value)
{
	vtct_put(buf, type, &value, sizeof(value));
}

void vtct_put_u64(struct vtct_buf *buf, int type, uint64_t value)
{
	vtct_put(buf, type, &value, sizeof(value));
}

void vtct_put_str(struct vtct_buf *buf, int type, const char *text)
{
	vtct_put(buf, type, text, strlen(text) + 1);
}

size_t vtct_nest(struct vtct_buf *buf, int type)
{
	struct nlattr attr = { .nla_type = (uint16_t)type };
	size_t nest = buf->len;

	vtct_buf_add(buf, &attr, sizeof(attr));
	return nest;
}

void vtct_nest_end(struct vtct_buf *buf, size_t nest)
{
	uint16_t len = (uint16_t)(buf->len - nest);

	memcpy(buf->data + nest, &len, sizeof(len));
}

size_t vtct_msg(struct vtct_buf *buf, uint16_t type, uint16_t flags, uint32_t seq,
		const void *head, size_t len)
{
	struct nlmsghdr msg = { .nlmsg_type = type,
				.nlmsg_flags = flags,
				.nlmsg_seq = seq };
	size_t start = buf->len;

	vtct_buf_add(buf, &msg, sizeof(msg));
	vtct_buf_add(buf, head, len);
	vtct_buf_add(buf, NULL, NLMSG_ALIGN(len) - len);
	return start;
}

void vtct_msg_end(struct vtct_buf *buf, size_t msg)
{
	uint32_t len = (uint32_t)(buf->len - msg);

	memcpy(buf->data + msg, &len, sizeof(len));
	vtct_buf_add(buf, NULL, NLMSG_ALIGN(len) - len);
}
