/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* AF_XDP sockets: see xsk-socket.h. */
#include "xsk-socket.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/ctx.h"

/* Since Linux 6.6. */
#ifndef XDP_USE_SG
#define XDP_USE_SG (1 << 4)
#endif

_Static_assert(sizeof(struct vtc__xsk_slot) == sizeof(struct xdp_desc), "as the kernel");
_Static_assert(XDP_RING_NEED_WAKEUP == 1, "as the kernel");

/* A socket that was closed lets go of its queue some time later. */
#define BUSY_TRIES 100
#define BUSY_MS	   2

/* The base has to have one, but nothing comes there. */
#define NO_RING_SIZE 2u

/* ---- Rings ---- */

struct ring_kind {
	int option;
	off_t page;
	size_t slot_len;
	size_t place; /* in struct xdp_mmap_offsets */
};

static const struct ring_kind rx_kind = { XDP_RX_RING, XDP_PGOFF_RX_RING,
					  sizeof(struct xdp_desc),
					  offsetof(struct xdp_mmap_offsets, rx) };
static const struct ring_kind tx_kind = { XDP_TX_RING, XDP_PGOFF_TX_RING,
					  sizeof(struct xdp_desc),
					  offsetof(struct xdp_mmap_offsets, tx) };
static const struct ring_kind fill_kind = { XDP_UMEM_FILL_RING,
					    (off_t)XDP_UMEM_PGOFF_FILL_RING,
					    sizeof(uint64_t),
					    offsetof(struct xdp_mmap_offsets, fr) };
static const struct ring_kind done_kind = { XDP_UMEM_COMPLETION_RING,
					    (off_t)XDP_UMEM_PGOFF_COMPLETION_RING,
					    sizeof(uint64_t),
					    offsetof(struct xdp_mmap_offsets, cr) };

static int set_option(int fd, int option, const void *value, socklen_t len)
{
	return setsockopt(fd, SOL_XDP, option, value, len) ? -errno : 0;
}

static int ring_offset(int fd, const struct ring_kind *kind, struct xdp_ring_offset *ret)
{
	struct xdp_mmap_offsets all;
	socklen_t len = sizeof(all);

	if (getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &all, &len))
		return -errno;
	if (len != sizeof(all)) /* before Linux 5.4: no flags */
		return -EOPNOTSUPP;
	*ret = *(const struct xdp_ring_offset *)(const void *)((const char *)&all +
							       kind->place);
	return 0;
}

static int ring_open(int fd, const struct ring_kind *kind, uint32_t size,
		     struct vtc__xsk_ring *ring)
{
	struct xdp_ring_offset at = { 0 };
	int err = set_option(fd, kind->option, &size, sizeof(size));
	uint8_t *map;

	if (!err)
		err = ring_offset(fd, kind, &at);
	if (err)
		return err;
	*ring = (struct vtc__xsk_ring){ .mask = size - 1,
					.map_len = at.desc + size * kind->slot_len };
	map = mmap(NULL, ring->map_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		   fd, kind->page);
	if (map == MAP_FAILED)
		return -errno;
	ring->map = map;
	ring->producer = (uint32_t *)(void *)(map + at.producer);
	ring->consumer = (uint32_t *)(void *)(map + at.consumer);
	ring->flags = (uint32_t *)(void *)(map + at.flags);
	ring->slots = map + at.desc;
	return 0;
}

void vtc__xsk_ring_close(struct vtc__xsk_ring *ring)
{
	if (ring->map)
		(void)munmap(ring->map, ring->map_len);
	ring->map = NULL;
}

/* ---- The base ---- */

static size_t area_len(const struct vtc__xsk_base *base)
{
	return (size_t)base->frame_count << VTC__FRAME_SHIFT;
}

static int register_area(struct vtc__xsk_base *base)
{
	struct xdp_umem_reg reg = { .len = area_len(base),
				    .chunk_size = VTC__FRAME_SIZE };
	void *area = mmap(NULL, reg.len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED)
		return -ENOMEM;
	base->area = area;
	/* A child would get a copy of it at once, because the kernel holds it. */
	(void)madvise(area, reg.len, MADV_DONTFORK);
	reg.addr = (uintptr_t)area;
	return set_option(base->fd, XDP_UMEM_REG, &reg, sizeof(reg));
}

static int bind_once(struct vtc_ctx *ctx, const struct vtc__xsk_base *base,
		     const struct vtc__xsk_plan *plan, unsigned int flags,
		     unsigned int tries)
{
	struct sockaddr_xdp addr = { .sxdp_family = AF_XDP,
				     .sxdp_flags =
					     (uint16_t)(flags | XDP_USE_NEED_WAKEUP),
				     .sxdp_ifindex = plan->ifindex,
				     .sxdp_queue_id = plan->queue };
	int err = 0;

	for (unsigned int i = 0; i < tries; i++) {
		if (i)
			vtc__sleep_ms(ctx, BUSY_MS);
		err = bind(base->fd, (struct sockaddr *)&addr, sizeof(addr)) ? -errno : 0;
		if (err != -EBUSY)
			break;
	}
	return err;
}

/* Whether another way might do. */
static bool refused(int err)
{
	return err && err != -EBUSY && err != -EPERM && err != -ENODEV;
}

/* The best there is: without copy, with packets in several frames. */
static int bind_base(struct vtc_ctx *ctx, struct vtc__xsk_base *base,
		     const struct vtc__xsk_plan *plan, unsigned int tries)
{
	static const unsigned int ways[] = { XDP_ZEROCOPY | XDP_USE_SG, XDP_ZEROCOPY,
					     XDP_COPY | XDP_USE_SG, XDP_COPY };
	int err = -EOPNOTSUPP;

	for (unsigned int i = plan->copy ? 2 : 0; i < (plan->zerocopy ? 2 : 4); i++) {
		err = bind_once(ctx, base, plan, ways[i], tries);
		if (!err) {
			base->zerocopy = ways[i] & XDP_ZEROCOPY;
			base->multi = ways[i] & XDP_USE_SG;
		}
		if (!refused(err))
			return err;
	}
	return plan->zerocopy ? -EOPNOTSUPP : err;
}

int vtc__xsk_base_open(struct vtc_ctx *ctx, const struct vtc__xsk_plan *plan,
		       struct vtc__xsk_base *base)
{
	uint32_t none = NO_RING_SIZE;
	int err;

	*base = (struct vtc__xsk_base){ .frame_count = plan->frame_count };
	base->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (base->fd < 0)
		return errno == EAFNOSUPPORT ? -EOPNOTSUPP : -errno;
	err = register_area(base);
	if (!err)
		err = ring_open(base->fd, &fill_kind, plan->frame_count, &base->fill);
	if (!err)
		err = ring_open(base->fd, &done_kind, plan->frame_count, &base->done);
	if (!err)
		err = set_option(base->fd, XDP_RX_RING, &none, sizeof(none));
	if (!err)
		err = bind_base(ctx, base, plan, BUSY_TRIES);
	if (err)
		vtc__xsk_base_close(base);
	return err;
}

void vtc__xsk_base_close(struct vtc__xsk_base *base)
{
	vtc__xsk_ring_close(&base->fill);
	vtc__xsk_ring_close(&base->done);
	(void)close(base->fd);
	if (base->area && !base->lent)
		(void)munmap(base->area, area_len(base));
}

static int register_lent(struct vtc__xsk_base *base, const struct vtc__xsk_lent *lent)
{
	struct xdp_umem_reg reg = { .addr = (uintptr_t)lent->area,
				    .len = lent->len,
				    .chunk_size = VTC__FRAME_SIZE,
				    .flags = XDP_UMEM_UNALIGNED_CHUNK_FLAG };

	base->area = lent->area;
	return set_option(base->fd, XDP_UMEM_REG, &reg, sizeof(reg));
}

int vtc__xsk_base_open_lent(const struct vtc__xsk_plan *plan,
			    const struct vtc__xsk_lent *lent, struct vtc__xsk_base *base,
			    struct vtc__xsk_ring *ret_tx)
{
	int err;

	*base = (struct vtc__xsk_base){ .frame_count = plan->frame_count, .lent = true };
	ret_tx->map = NULL;
	base->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (base->fd < 0)
		return errno == EAFNOSUPPORT ? -EOPNOTSUPP : -errno;
	err = register_lent(base, lent);
	if (!err)
		err = ring_open(base->fd, &fill_kind, NO_RING_SIZE, &base->fill);
	/* Each descriptor needs a place there before it goes. */
	if (!err)
		err = ring_open(base->fd, &done_kind, 2 * lent->ring_size, &base->done);
	if (!err)
		err = ring_open(base->fd, &tx_kind, lent->ring_size, ret_tx);
	if (!err)
		return 0;
	vtc__xsk_ring_close(ret_tx);
	vtc__xsk_base_close(base);
	return err;
}

int vtc__xsk_base_bind(struct vtc_ctx *ctx, const struct vtc__xsk_plan *plan,
		       struct vtc__xsk_base *base)
{
	return bind_base(ctx, base, plan, 1);
}

/* ---- Sockets ---- */

static int bind_shared(int fd, const struct vtc__xsk_base *base,
		       const struct vtc__xsk_plan *plan)
{
	struct sockaddr_xdp addr = { .sxdp_family = AF_XDP,
				     .sxdp_flags = XDP_SHARED_UMEM,
				     .sxdp_ifindex = plan->ifindex,
				     .sxdp_queue_id = plan->queue,
				     .sxdp_shared_umem_fd = (uint32_t)base->fd };

	return bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ? -errno : 0;
}

int vtc__xsk_socket_open(const struct vtc__xsk_base *base,
			 const struct vtc__xsk_plan *plan, enum vtc__xsk_way way,
			 uint32_t ring_size, struct vtc__xsk_ring *ring)
{
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	int err;

	ring->map = NULL;
	if (fd < 0)
		return -errno;
	err = ring_open(fd, way == VTC__XSK_SEND ? &tx_kind : &rx_kind, ring_size, ring);
	if (!err)
		err = bind_shared(fd, base, plan);
	if (!err)
		return fd;
	vtc__xsk_socket_close(fd, ring);
	return err;
}

/* It lives as long as its ring is mapped. */
void vtc__xsk_socket_close(int fd, struct vtc__xsk_ring *ring)
{
	vtc__xsk_ring_close(ring);
	(void)close(fd);
}

int vtc__xsk_socket_send(int fd)
{
	return sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 ? -errno : 0;
}

int vtc__xsk_socket_fill(int fd)
{
	return recvfrom(fd, NULL, 0, MSG_DONTWAIT, NULL, NULL) < 0 ? -errno : 0;
}

int vtc__xsk_socket_lost(int fd, struct vtc__xsk_lost *ret)
{
	struct xdp_statistics s = { 0 };
	socklen_t len = sizeof(s);

	if (getsockopt(fd, SOL_XDP, XDP_STATISTICS, &s, &len))
		return -errno;
	ret->rx = s.rx_dropped + s.rx_ring_full;
	ret->tx_bad = s.tx_invalid_descs;
	return 0;
}
