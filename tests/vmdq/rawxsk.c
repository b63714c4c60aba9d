/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rawxsk.h"

#include <linux/if_xdp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vtct.h"

#define FRAME_LEN  2048u
#define MEMORY_LEN (RAWXSK_FRAMES * FRAME_LEN)

static void set(int fd, int option, const void *value, socklen_t len)
{
	ck_assert_msg(setsockopt(fd, SOL_XDP, option, value, len) == 0,
		      "option %d of an AF_XDP socket: %s", option, strerror(errno));
}

static uint8_t *map_ring(struct rawxsk *xsk, int n, size_t len, off_t where)
{
	void *map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			 xsk->fd, where);

	ck_assert_ptr_ne(map, MAP_FAILED);
	xsk->maps[n] = map;
	xsk->map_len[n] = len;
	return map;
}

/* All frames are the kernel's to fill, and none comes back. */
static void give_frames(struct rawxsk *xsk, const struct xdp_ring_offset *at)
{
	uint8_t *ring = map_ring(xsk, 0, at->desc + RAWXSK_FRAMES * sizeof(uint64_t),
				 XDP_UMEM_PGOFF_FILL_RING);
	uint64_t *addresses = (void *)(ring + at->desc);
	uint32_t i;

	for (i = 0; i < RAWXSK_FRAMES; i++)
		addresses[i] = i * FRAME_LEN;
	__atomic_store_n((uint32_t *)(void *)(ring + at->producer), RAWXSK_FRAMES,
			 __ATOMIC_RELEASE);
}

static void map_rx(struct rawxsk *xsk, const struct xdp_ring_offset *at)
{
	uint8_t *ring =
		map_ring(xsk, 1, at->desc + RAWXSK_FRAMES * sizeof(struct xdp_desc),
			 XDP_PGOFF_RX_RING);

	xsk->rx_producer = (void *)(ring + at->producer);
	xsk->rx_consumer = (void *)(ring + at->consumer);
	xsk->rx = ring + at->desc;
}

void rawxsk_open(struct rawxsk *xsk, uint32_t ifindex, uint32_t queue)
{
	struct sockaddr_xdp addr = { .sxdp_family = AF_XDP,
				     .sxdp_flags = XDP_COPY,
				     .sxdp_ifindex = ifindex,
				     .sxdp_queue_id = queue };
	struct xdp_umem_reg umem = { .len = MEMORY_LEN, .chunk_size = FRAME_LEN };
	struct xdp_mmap_offsets at;
	socklen_t len = sizeof(at);
	uint32_t size = RAWXSK_FRAMES;

	memset(xsk, 0, sizeof(*xsk));
	xsk->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (xsk->fd < 0)
		vtct_skip("AF_XDP sockets: %s", strerror(errno));
	xsk->memory = mmap(NULL, MEMORY_LEN, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(xsk->memory, MAP_FAILED);
	umem.addr = (uintptr_t)xsk->memory;
	set(xsk->fd, XDP_UMEM_REG, &umem, sizeof(umem));
	set(xsk->fd, XDP_UMEM_FILL_RING, &size, sizeof(size));
	set(xsk->fd, XDP_UMEM_COMPLETION_RING, &size, sizeof(size));
	set(xsk->fd, XDP_RX_RING, &size, sizeof(size));
	ck_assert_int_eq(getsockopt(xsk->fd, SOL_XDP, XDP_MMAP_OFFSETS, &at, &len), 0);
	give_frames(xsk, &at.fr);
	map_rx(xsk, &at.rx);
	ck_assert_msg(bind(xsk->fd, (struct sockaddr *)&addr, sizeof(addr)) == 0,
		      "binding an AF_XDP socket: %s", strerror(errno));
}

void rawxsk_close(struct rawxsk *xsk)
{
	munmap(xsk->maps[0], xsk->map_len[0]);
	munmap(xsk->maps[1], xsk->map_len[1]);
	close(xsk->fd);
	munmap(xsk->memory, MEMORY_LEN);
}

size_t rawxsk_receive(struct rawxsk *xsk, uint8_t *frame)
{
	uint32_t next = *xsk->rx_consumer;
	struct xdp_desc desc;

	if (__atomic_load_n(xsk->rx_producer, __ATOMIC_ACQUIRE) == next)
		return 0;
	memcpy(&desc, xsk->rx + next % RAWXSK_FRAMES * sizeof(desc), sizeof(desc));
	memcpy(frame, xsk->memory + desc.addr, desc.len);
	__atomic_store_n(xsk->rx_consumer, next + 1, __ATOMIC_RELEASE);
	return desc.len;
}
