/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bytes that grow, and netlink messages in them. It checks nothing: wrong messages are
 * wanted, too.
 */
#ifndef VTCT_BUF_H
#define VTCT_BUF_H

#include <stddef.h>
#include <stdint.h>

struct vtct_buf {
	unsigned char *data;
	size_t len, room;
};

#define VTCT_BUF_INIT      \
	{                  \
		NULL, 0, 0 \
	}

void vtct_buf_free(struct vtct_buf *buf);
/* Append; data NULL: zeros. */
void vtct_buf_add(struct vtct_buf *buf, const void *data, size_t len);

/* Attributes, padded to 4 bytes. */
void vtct_put(struct vtct_buf *buf, int type, const void *data, size_t len);
void vtct_put_u8(struct vtct_buf *buf, int type, uint8_t value);
void vtct_put_u16(struct vtct_buf *buf, int type, uint16_t value);
void vtct_put_u32(struct vtct_buf *buf, int type, uint32_t value);
void vtct_put_u64(struct vtct_buf *buf, int type, uint64_t value);
void vtct_put_str(struct vtct_buf *buf, int type, const char *text);

/*
 * A nest, from here to the end. Like the kernel's, its length is cut to 16 bits without a
 * word if more than 64 KiB went in.
 */
size_t vtct_nest(struct vtct_buf *buf, int type);
void vtct_nest_end(struct vtct_buf *buf, size_t nest);

/* A message, from here to the end; head: the family header. */
size_t vtct_msg(struct vtct_buf *buf, uint16_t type, uint16_t flags, uint32_t seq,
		const void *head, size_t len);
void vtct_msg_end(struct vtct_buf *buf, size_t msg);

#endif
