/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A place in a list of segments: see cursor.h. */
#include "cursor.h"

#include <string.h>

struct vtc_segment vtc__cursor_take(struct vtc__cursor *cursor, size_t max)
{
	while (cursor->at < cursor->count) {
		const struct vtc_segment *s = &cursor->segments[cursor->at];
		size_t len = s->len - cursor->off;
		uint8_t *base;

		if (!len) {
			cursor->at++;
			cursor->off = 0;
			continue;
		}
		base = (uint8_t *)s->base + cursor->off;
		len = len < max ? len : max;
		cursor->off += len;
		return (struct vtc_segment){ base, len };
	}
	return (struct vtc_segment){ NULL, 0 };
}

void vtc__cursor_skip(struct vtc__cursor *cursor, size_t len)
{
	struct vtc_segment piece;

	do {
		piece = vtc__cursor_take(cursor, len);
		len -= piece.len;
	} while (len && piece.len);
}

size_t vtc__cursor_read(struct vtc__cursor *cursor, void *to, size_t len)
{
	size_t done = 0;

	while (done < len) {
		struct vtc_segment piece = vtc__cursor_take(cursor, len - done);

		if (!piece.len)
			break;
		memcpy((uint8_t *)to + done, piece.base, piece.len);
		done += piece.len;
	}
	/*
	 * Without this a compiler may drop the copy and look at the peer's memory again,
	 * after the peer has changed it.
	 */
	__asm__ volatile("" : : "r"(to) : "memory");
	return done;
}

/* The two may overlap: a guest can send to itself. */
static size_t copy_piece(struct vtc__cursor *to, const struct vtc_segment *piece)
{
	size_t done = 0;

	while (done < piece->len) {
		struct vtc_segment room = vtc__cursor_take(to, piece->len - done);

		if (!room.len)
			break;
		memmove(room.base, (const uint8_t *)piece->base + done, room.len);
		done += room.len;
	}
	return done;
}

size_t vtc__cursor_copy(struct vtc__cursor *to, struct vtc__cursor *from, size_t len)
{
	size_t done = 0;

	while (done < len) {
		struct vtc_segment piece = vtc__cursor_take(from, len - done);
		size_t copied = copy_piece(to, &piece);

		done += copied;
		if (!copied || copied < piece.len)
			break;
	}
	return done;
}
