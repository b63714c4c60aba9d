/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packets on their way to a port that sends them itself: see feed.h. */
#include "feed.h"

#include <errno.h>

#include "move.h"
#include "vring/cursor.h"
#include "vring/nethdr.h"

unsigned int vtc__feed_chains(struct vtc_port *port, unsigned int queue,
			      const struct vtc_chain *chains, unsigned int count)
{
	unsigned int n = port->ops->consume(port, queue, chains, count);

	if (port->capture && n)
		vtc__capture_tx(port, queue, chains, NULL, n);
	return n;
}

unsigned int vtc__feed_flush(struct vtc__feed *feed)
{
	unsigned int count = feed->count;

	feed->count = feed->segments = 0;
	return count ? vtc__feed_chains(feed->port, feed->queue, feed->burst->chains,
					count)
		     : 0;
}

static void append(struct vtc__feed *feed, const struct vtc_nethdr *header,
		   const struct vtc_segment *segments, unsigned int count)
{
	struct vtc_segment *to = feed->burst->segments + feed->segments;
	uint8_t *raw = feed->headers[feed->count];
	uint32_t len = VTC__HDR_LEN;

	vtc__nethdr_encode(header, 1, raw);
	to[0] = (struct vtc_segment){ raw, VTC__HDR_LEN };
	for (unsigned int i = 0; i < count; i++) {
		to[1 + i] = segments[i];
		len += (uint32_t)segments[i].len;
	}
	feed->burst->chains[feed->count++] = (struct vtc_chain){
		.segments = to, .readable_bytes = len, .readable = (uint16_t)(1 + count)
	};
	feed->segments += 1 + count;
}

static bool passed(const struct vtc_nethdr *in, const struct vtc_nethdr *out)
{
	return in->gso_type == out->gso_type &&
	       !((in->flags ^ out->flags) & VTC_NETHDR_F_NEEDS_CSUM);
}

static int add_unseen(struct vtc__feed *feed, const struct vtc_nethdr *header,
		      const struct vtc_segment *segments, unsigned int count)
{
	if (vtc__nethdr_check(header, vtc__segments_len(segments, count)))
		return -EPROTO;
	append(feed, header, segments, count);
	return 0;
}

int vtc__feed_add(struct vtc__feed *feed, struct vtc__mover *m,
		  const struct vtc_nethdr *header, const struct vtc_segment *segments,
		  unsigned int count)
{
	struct vtc_offload *o = feed->port->offload;
	struct vtc_nethdr out;
	int n;

	if (1 + count > VTC__SEGMENTS_MAX)
		return -EPROTO;
	if (!vtc__feed_fits(feed, count))
		return -ENOSPC;
	if (feed->port->accepts_all)
		return add_unseen(feed, header, segments, count);
	if (vtc_offload_begin(o, header, segments, count) < 0)
		return -EPROTO;
	n = vtc_offload_next(o, &out, m->pieces, VTC__PIECES_MAX);
	if (n < 0)
		return -EPROTO;
	if (!passed(header, &out))
		return 1;
	append(feed, &out, m->pieces, (unsigned int)n);
	return 0;
}

bool vtc__feed_convert(struct vtc__feed *feed, struct vtc__mover *m,
		       const struct vtc_nethdr *header,
		       const struct vtc_segment *segments, unsigned int count,
		       unsigned int *sent)
{
	struct vtc_offload *o = feed->port->offload;
	struct vtc_nethdr out;
	unsigned int at = 0;
	int n;

	/* Each one at once: its headers are lost with the next. */
	if (vtc_offload_begin(o, header, segments, count) < 0)
		return true;
	while ((n = vtc_offload_next(o, &out, m->pieces, VTC__PIECES_MAX)) > 0) {
		if (at++ < *sent)
			continue;
		append(feed, &out, m->pieces, (unsigned int)n);
		if (!vtc__feed_flush(feed))
			return false;
		++*sent;
	}
	*sent = 0;
	return true;
}
