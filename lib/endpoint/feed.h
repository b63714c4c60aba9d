/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packets on their way to a port that sends them itself. Unless it takes whatever comes,
 * each goes with a header in private memory: what was checked is what it sees.
 */
#ifndef VTC__FEED_H
#define VTC__FEED_H

#include "plain.h"
#include "port.h"

struct vtc__mover;

struct vtc__feed {
	struct vtc_port *port;
	unsigned int queue;
	struct vtc__burst *burst;
	uint8_t (*headers)[VTC__HDR_LEN]; /* VTC__BURST_MAX */
	unsigned int count;		  /* packets collected */
	unsigned int segments;		  /* of them */
};

/*
 * Give packets with headers to the port as they are; how many are done with.
 */
unsigned int vtc__feed_chains(struct vtc_port *port, unsigned int queue,
			      const struct vtc_chain *chains, unsigned int count);

/* Give what was collected to the port; how many are done with. The rest is forgotten. */
unsigned int vtc__feed_flush(struct vtc__feed *feed);

/*
 * Begin with a packet without header. 0: collected as it is. 1: to be converted, with
 * vtc__feed_convert() after a flush. -ENOSPC: flush first. -EPROTO: the header does not
 * fit the packet.
 */
int vtc__feed_add(struct vtc__feed *feed, struct vtc__mover *m,
		  const struct vtc_nethdr *header, const struct vtc_segment *segments,
		  unsigned int count);

/*
 * Convert a packet, and give to the port what comes out. *sent of it are done with
 * already and skipped; the number follows. True: all of it is done with.
 */
bool vtc__feed_convert(struct vtc__feed *feed, struct vtc__mover *m,
		       const struct vtc_nethdr *header,
		       const struct vtc_segment *segments, unsigned int count,
		       unsigned int *sent);

static inline bool vtc__feed_fits(const struct vtc__feed *feed, unsigned int segments)
{
	return feed->count < VTC__BURST_MAX &&
	       feed->segments + 1 + segments <= VTC__SEGMENTS_MAX;
}

/* False: not that simple. */
VTC__ALWAYS bool vtc__feed_add_plain(struct vtc__feed *feed, const struct vtc__plain *p)
{
	struct vtc_segment *to = feed->burst->segments + feed->segments;
	uint8_t *header = feed->headers[feed->count];

	if (vtc__unlikely(!vtc__feed_fits(feed, 1)))
		return false;
	vtc__raw_write(header, p->header);
	to[0] = (struct vtc_segment){ header, VTC__HDR_LEN };
	to[1] = (struct vtc_segment){ (void *)(uintptr_t)p->packet, p->len };
	feed->burst->chains[feed->count++] = (struct vtc_chain){
		.segments = to, .readable_bytes = VTC__HDR_LEN + p->len, .readable = 2
	};
	feed->segments += 2;
	return true;
}

#endif
