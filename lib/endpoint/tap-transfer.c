/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System calls that move the packets of a tap: one for many, or one for each. */
#include <errno.h>
#include <sys/uio.h>

#include "core/ctx.h"
#include "tap.h"

#define FEW_MOST 16u /* from so many on, a ring is never slower */
#define TRIES	 8

static ssize_t once(int fd, enum vtc__io_direction direction, const struct vtc__io *io)
{
	ssize_t n;

	do {
		n = direction == VTC__IO_READ ? readv(fd, io->iov, (int)io->count)
					      : writev(fd, io->iov, (int)io->count);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static void one_by_one(struct vtc__tap_queue *q, enum vtc__io_direction direction,
		       struct vtc__io *ios, unsigned int count)
{
	int32_t last = 0;

	for (unsigned int i = 0; i < count; i++) {
		if (last != -EAGAIN) {
			last = (int32_t)once(q->watch.fd, direction, &ios[i]);
			vtc__count(&q->tap->port, q->index, VTC__SYS_CALLS, 1);
		}
		ios[i].result = last;
	}
}

int vtc__tap_new_uring(struct vtc__tap *tap)
{
	int fds[VTC_PORT_QUEUE_PAIRS_MAX];

	for (unsigned int i = 0; i < tap->port.queue_pairs; i++)
		fds[i] = tap->queues[i].watch.fd;
	return vtc__uring_new(fds, tap->port.queue_pairs, &tap->uring);
}

/*
 * A ring serves the thread that made it. When packets flow on another one now, that gets
 * a ring of its own; where that does not work either, there is none any more.
 */
static void renew(struct vtc__tap *tap)
{
	vtc__uring_free(tap->uring);
	tap->uring = NULL;
	if (!tap->renewed)
		(void)vtc__tap_new_uring(tap);
	tap->renewed = true;
}

static unsigned int count_done(const struct vtc__io *ios, unsigned int count)
{
	unsigned int i = 0;

	while (i < count && ios[i].result != -ECANCELED)
		i++;
	return i;
}

static void all_at_once(struct vtc__tap_queue *q, enum vtc__io_direction direction,
			unsigned int count)
{
	struct vtc__tap *tap = q->tap;
	unsigned int done;

	vtc__count(&tap->port, q->index, VTC__SYS_CALLS, 1);
	if (vtc__uring_run(tap->uring, direction, q->index, tap->ios, count) == 0) {
		tap->renewed = false;
		return;
	}
	renew(tap);
	done = count_done(tap->ios, count);
	one_by_one(q, direction, tap->ios + done, count - done);
}

/* What is written to a send buffer that can be full must go in order. */
void vtc__tap_transfer(struct vtc__tap_queue *q, enum vtc__io_direction direction,
		       unsigned int count)
{
	bool in_order = direction == VTC__IO_WRITE && q->limited;

	if (q->tap->uring && count >= q->tap->few && !in_order)
		all_at_once(q, direction, count);
	else
		one_by_one(q, direction, q->tap->ios, count);
}

/* ---- How many are many ---- */

/* Best of some tries, with writes that the kernel refuses before it does anything. */
static uint64_t cost(struct vtc__tap *tap, unsigned int count, unsigned int few)
{
	uint8_t byte = 0;
	struct iovec iov = { &byte, sizeof(byte) };
	uint64_t best = UINT64_MAX, ns;

	tap->few = few;
	for (int i = 0; i < TRIES; i++) {
		for (unsigned int k = 0; k < count; k++)
			tap->ios[k] = (struct vtc__io){ &iov, 1, 0 };
		ns = vtc__now_ns(tap->port.ctx);
		vtc__tap_transfer(&tap->queues[0], VTC__IO_WRITE, count);
		ns = vtc__now_ns(tap->port.ctx) - ns;
		best = ns < best ? ns : best;
	}
	return best;
}

/*
 * What a system call costs differs by machine, kernel and hypervisor by a factor of four,
 * and with it how many packets it takes for a ring to be worth its own work.
 */
void vtc__tap_measure(struct vtc__tap *tap)
{
	unsigned int count = 2;

	while (count < FEW_MOST && cost(tap, count, 0) >= cost(tap, count, count + 1))
		count *= 2;
	tap->few = count;
	atomic_store_explicit(&tap->port.counters->value[VTC__SYS_CALLS], 0,
			      memory_order_relaxed);
}
