/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A place in a list of segments that moves forward. Every way through a packet is made of
 * vtc__cursor_take(), which always gets nearer to the end: empty segments are stepped
 * over, and no list of segments makes a loop without end.
 */
#ifndef VTC__CURSOR_H
#define VTC__CURSOR_H

#include <stddef.h>
#include <stdint.h>

#include <vtc/mem.h>

struct vtc__cursor {
	const struct vtc_segment *segments;
	unsigned int count;
	unsigned int at;
	size_t off; /* within segments[at] */
};

static inline struct vtc__cursor vtc__cursor(const struct vtc_segment *segments,
					     unsigned int count)
{
	return (struct vtc__cursor){ segments, count, 0, 0 };
}

static inline uint64_t vtc__segments_len(const struct vtc_segment *segments,
					 unsigned int count)
{
	uint64_t len = 0;

	for (unsigned int i = 0; i < count; i++)
		len += segments[i].len;
	return len;
}

/* The next bytes that lie in one piece, at most max; length 0: there are no more. */
struct vtc_segment vtc__cursor_take(struct vtc__cursor *cursor, size_t max);

void vtc__cursor_skip(struct vtc__cursor *cursor, size_t len);

/*
 * Copy into private memory; returns how many bytes there were. Memory of the peer is read
 * here and never again for what was copied.
 */
size_t vtc__cursor_read(struct vtc__cursor *cursor, void *to, size_t len);

/* Copy from one list to another, each byte once; returns how many bytes. */
size_t vtc__cursor_copy(struct vtc__cursor *to, struct vtc__cursor *from, size_t len);

#endif
