/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tap's peers: see tap-peer.h. They do what they can but for batches of packets. */
#include "tap-peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include <vtc/vring.h>

#include "bench.h"
#include "tap-bed.h"

#define BATCH	   64u
#define PIECES_MAX 64u

void peer_write(int tap, const struct guest *guest, size_t len, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		const uint8_t *packet =
			guest->tx.buffers + (size_t)(i % GUEST_RING) * guest->tx.room;

		if (write(tap, packet, BED_HDR + len) < 0)
			bench_die("the tap refuses a packet: %s", strerror(errno));
	}
}

/* To as many buffers as the longest packet takes. */
static ssize_t read_merged(int tap, struct guest_ring *r, unsigned int count)
{
	struct iovec iov[PIECES_MAX];

	for (unsigned int i = 0; i < count; i++) {
		size_t at = (size_t)((r->next + i) % GUEST_RING) * r->room;

		iov[i] = (struct iovec){ r->buffers + at, r->room };
	}
	return readv(tap, iov, (int)count);
}

static ssize_t read_next(int tap, struct guest_ring *r)
{
	return read(tap, r->buffers + (size_t)(r->next % GUEST_RING) * r->room, r->room);
}

unsigned int peer_read(int tap, struct guest *guest, size_t len)
{
	struct guest_ring *r = &guest->rx;
	unsigned int pieces = (unsigned int)((BED_HDR + len + r->room - 1) / r->room);
	unsigned int n = 0;

	while ((pieces > 1 ? read_merged(tap, r, pieces) : read_next(tap, r)) > 0) {
		r->next += pieces;
		n++;
	}
	return n;
}

/* ---- The relay ---- */

struct peer_relay {
	struct guest *guest;
	int tap, epoll;
	struct vtc_chain chains[BATCH];
	struct vtc_segment segments[4 * BATCH];
	struct vtc_done done[BATCH];
};

struct peer_relay *peer_relay_new(int tap, struct guest *guest)
{
	struct peer_relay *r = calloc(1, sizeof(*r));
	struct epoll_event event = { .events = EPOLLIN };

	if (!r)
		bench_die("memory is out");
	r->guest = guest;
	r->tap = tap;
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (r->epoll < 0 || epoll_ctl(r->epoll, EPOLL_CTL_ADD, tap, &event) < 0)
		bench_die("no epoll: %s", strerror(errno));
	return r;
}

void peer_relay_free(struct peer_relay *relay)
{
	close(relay->epoll);
	free(relay);
}

/* The guest's packets to the tap. */
static unsigned int send_some(struct peer_relay *r)
{
	struct vtc_vring *ring = r->guest->tx.device;
	int n = vtc_vring_pull(ring, r->chains, BATCH, r->segments, 4 * BATCH);

	for (int i = 0; i < n; i++) {
		const struct iovec *iov = (const void *)r->chains[i].segments;

		if (writev(r->tap, iov, r->chains[i].readable) < 0)
			bench_die("the tap refuses a packet: %s", strerror(errno));
		r->done[i] = (struct vtc_done){ r->chains[i].id, 0 };
	}
	if (n > 0) {
		vtc_vring_push(ring, r->done, (unsigned int)n);
		vtc_vring_flush(ring);
	}
	return (unsigned int)n;
}

/* A packet to one chain; the kernel leaves the number of buffers to us. */
static ssize_t read_one(const struct peer_relay *r, const struct vtc_chain *chain)
{
	const struct iovec *iov = (const void *)chain->segments;
	ssize_t len = readv(r->tap, iov, chain->writable);

	if (len > 0)
		memcpy((uint8_t *)iov->iov_base + 10, "\1", 2);
	return len;
}

static unsigned int receive_some(struct peer_relay *r)
{
	struct vtc_vring *ring = r->guest->rx.device;
	int n = vtc_vring_pull(ring, r->chains, BATCH, r->segments, 4 * BATCH);
	unsigned int used = 0;

	for (; (int)used < n; used++) {
		ssize_t len = read_one(r, &r->chains[used]);

		if (len < 0)
			break;
		r->done[used] = (struct vtc_done){ r->chains[used].id, (uint32_t)len };
	}
	if (n > (int)used)
		vtc_vring_unpull(ring, (unsigned int)n - used);
	if (used) {
		vtc_vring_push(ring, r->done, used);
		vtc_vring_flush(ring);
	}
	return used;
}

unsigned int peer_relay_process(struct peer_relay *relay)
{
	struct epoll_event event;
	unsigned int packets = 0, n;

	do {
		n = send_some(relay);
		if (epoll_wait(relay->epoll, &event, 1, 0) == 1)
			n += receive_some(relay);
		packets += n;
	} while (n);
	vtc_vring_needs_poll(relay->guest->tx.device);
	return packets;
}
