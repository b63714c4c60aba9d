/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packets to a tap: from the chains where they lie. */
#include <errno.h>
#include <stddef.h>

#include "tap.h"

_Static_assert(sizeof(struct vtc_segment) == sizeof(struct iovec) &&
		       offsetof(struct vtc_segment, base) ==
			       offsetof(struct iovec, iov_base) &&
		       offsetof(struct vtc_segment, len) ==
			       offsetof(struct iovec, iov_len),
	       "a segment is an iovec");

static void prepare(struct vtc__io *io, const struct vtc_chain *chain)
{
	io->iov = (const struct iovec *)(const void *)chain->segments;
	io->count = chain->readable;
}

/* Which counter a packet goes to that was not written. */
static enum vtc__counter reason(int32_t result)
{
	switch (result) {
	case -EAGAIN:
		return VTC__TX_DROPPED_ROOM;
	case -EIO: /* the interface is not up */
	case -EBADFD:
		return VTC__TX_DROPPED_DOWN;
	default:
		return VTC__TX_DROPPED_ERROR;
	}
}

static void count_written(struct vtc__tap_queue *q, uint64_t packets, uint64_t bytes)
{
	if (!packets)
		return;
	vtc__count(&q->tap->port, q->index, VTC__TX_PACKETS, packets);
	vtc__count(&q->tap->port, q->index, VTC__TX_BYTES, bytes);
}

/*
 * How many are done with. One that found no room before another that was written cannot
 * be tried again: the order of packets counts for more.
 */
static unsigned int settle(struct vtc__tap_queue *q, unsigned int count)
{
	const struct vtc__io *ios = q->tap->ios;
	uint64_t packets = 0, bytes = 0;

	while (count && ios[count - 1].result == -EAGAIN)
		count--;
	for (unsigned int i = 0; i < count; i++) {
		int32_t result = ios[i].result;

		if (result >= (int32_t)VTC__HDR_LEN) {
			packets++;
			bytes += (uint32_t)result - VTC__HDR_LEN;
			continue;
		}
		vtc__count(&q->tap->port, q->index, reason(result), 1);
		if (result == -EBADFD)
			vtc__tap_broken(q->tap);
	}
	count_written(q, packets, bytes);
	return count;
}

static unsigned int write_some(struct vtc__tap_queue *q, const struct vtc_chain *chains,
			       unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		prepare(&q->tap->ios[i], &chains[i]);
	vtc__tap_transfer(q, VTC__IO_WRITE, count);
	return settle(q, count);
}

unsigned int vtc__tap_consume(struct vtc_port *port, unsigned int queue,
			      const struct vtc_chain *chains, unsigned int count)
{
	struct vtc__tap_queue *q = &vtc__tap_of(port)->queues[queue];
	unsigned int done = 0;

	while (done < count) {
		unsigned int n = count - done;
		unsigned int written;

		if (n > VTC__URING_MAX)
			n = VTC__URING_MAX;
		written = write_some(q, chains + done, n);
		done += written;
		q->full = written < n;
		if (q->full)
			break;
	}
	return done;
}
