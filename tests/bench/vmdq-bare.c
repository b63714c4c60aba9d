/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bare AF_XDP socket: see vmdq-bare.h. */
#include "vmdq-bare.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <xdp/xsk.h>

#include "bench.h"
#include "vmdq-net.h"

#define FRAME  4096u
#define RING   2048u
#define SENT   256u /* frames that are sent in turn, as many as a guest's ring has */
#define FRAMES (RING + SENT)
#define ROOM   2048u /* of a copy; there are as many as a guest's ring has buffers */
#define BATCH  64u
#define KICK   32u /* as many as the kernel sends in one call */

struct bare {
	struct xsk_umem *umem;
	struct xsk_socket *socket;
	struct xsk_ring_prod fill, tx;
	struct xsk_ring_cons done, rx;
	uint8_t *area, *copies;
	size_t len;
	uint32_t copied;
	uint32_t next;
};

static void fill_all(struct bare *b)
{
	uint32_t at;

	if (xsk_ring_prod__reserve(&b->fill, RING, &at) != RING)
		bench_die("no room for frames");
	for (uint32_t i = 0; i < RING; i++)
		*xsk_ring_prod__fill_addr(&b->fill, at + i) = (uint64_t)i * FRAME;
	xsk_ring_prod__submit(&b->fill, RING);
}

struct bare *bare_new(const char *ifname, size_t len)
{
	const struct xsk_socket_config config = {
		.rx_size = RING,
		.tx_size = RING,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_COPY | XDP_USE_NEED_WAKEUP,
	};
	const struct xsk_umem_config umem = { .fill_size = 2 * RING,
					      .comp_size = RING,
					      .frame_size = FRAME };
	struct bare *b = calloc(1, sizeof(*b));

	if (!b)
		bench_die("memory is out");
	b->len = len;
	b->area = aligned_alloc(2u << 20, (size_t)FRAMES * FRAME);
	b->copies = aligned_alloc(2u << 20, 2u << 20);
	if (!b->area || !b->copies)
		bench_die("memory is out");
	for (uint32_t i = 0; i < FRAMES; i++)
		net_frame(b->area + (size_t)i * FRAME, len, 1);
	if (xsk_umem__create(&b->umem, b->area, (uint64_t)FRAMES * FRAME, &b->fill,
			     &b->done, &umem) ||
	    xsk_socket__create(&b->socket, ifname, 0, b->umem, &b->rx, &b->tx, &config))
		bench_die("no AF_XDP socket on %s: %s", ifname, strerror(errno));
	fill_all(b);
	return b;
}

int bare_fd(const struct bare *bare)
{
	return xsk_socket__fd(bare->socket);
}

void bare_free(struct bare *bare)
{
	xsk_socket__delete(bare->socket);
	xsk_umem__delete(bare->umem);
	free(bare->area);
	free(bare->copies);
	free(bare);
}

static void copy_one(struct bare *b, const struct xdp_desc *packet)
{
	uint8_t *to = b->copies + (size_t)(b->copied++ % SENT) * ROOM;

	memcpy(to, b->area + packet->addr, packet->len);
}

unsigned int bare_take(struct bare *b, bool copy)
{
	uint32_t from, to, n = xsk_ring_cons__peek(&b->rx, BATCH, &from);

	if (!n)
		return 0;
	if (xsk_ring_prod__reserve(&b->fill, n, &to) != n)
		bench_die("no room for frames");
	for (uint32_t i = 0; i < n; i++) {
		const struct xdp_desc *packet = xsk_ring_cons__rx_desc(&b->rx, from + i);

		if (copy)
			copy_one(b, packet);
		*xsk_ring_prod__fill_addr(&b->fill, to + i) =
			packet->addr & ~(uint64_t)(FRAME - 1);
	}
	xsk_ring_prod__submit(&b->fill, n);
	xsk_ring_cons__release(&b->rx, n);
	return n;
}

static unsigned int take_back(struct bare *b)
{
	uint32_t at, n = xsk_ring_cons__peek(&b->done, RING, &at);

	if (n)
		xsk_ring_cons__release(&b->done, n);
	return n;
}

static void kick(struct bare *b)
{
	if (sendto(bare_fd(b), NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN &&
	    errno != EBUSY && errno != ENOBUFS)
		bench_die("cannot send: %s", strerror(errno));
}

static void put(struct bare *b, unsigned int count)
{
	uint32_t at;

	if (xsk_ring_prod__reserve(&b->tx, count, &at) != count)
		bench_die("no room to send");
	for (uint32_t i = 0; i < count; i++)
		*xsk_ring_prod__tx_desc(&b->tx, at + i) = (struct xdp_desc){
			.addr = (uint64_t)(RING + b->next++ % SENT) * FRAME,
			.len = (uint32_t)b->len,
		};
	xsk_ring_prod__submit(&b->tx, count);
}

void bare_send(struct bare *b, unsigned int count)
{
	unsigned int done = 0;

	for (unsigned int n = 0; n < count; n += KICK) {
		put(b, count - n < KICK ? count - n : KICK);
		kick(b);
		done += take_back(b);
	}
	while (done < count) {
		kick(b);
		done += take_back(b);
	}
}
