/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * AF_XDP sockets and their rings, as the kernel has them (linux/if_xdp.h); what goes
 * through them is not known here.
 */
#ifndef VTC__XSK_SOCKET_H
#define VTC__XSK_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vtc/ctx.h>

#include "vring/vring.h"

#define VTC__FRAME_SHIFT 12
#define VTC__FRAME_SIZE	 (1u << VTC__FRAME_SHIFT)

/* Most frames of a packet to send: the kernel's MAX_SKB_FRAGS, as it mostly is. */
#define VTC__XSK_FRAMES_MAX 17u

/* More of the packet is in the next descriptor. */
#define VTC__XSK_MORE 1u

/* A slot of a ring for packets. */
struct vtc__xsk_slot {
	uint64_t addr;
	uint32_t len;
	uint32_t options;
};

struct vtc__xsk_ring {
	uint32_t *producer, *consumer, *flags; /* the kernel's, too */
	void *slots; /* struct vtc__xsk_slot, or uint64_t: addresses alone */
	uint32_t mask;
	uint32_t own;	/* where we are */
	uint32_t other; /* where the kernel was when we looked */
	void *map;
	size_t map_len;
};

/* How many slots can be read. Looks anew if it knows of fewer than wanted. */
VTC__ALWAYS uint32_t vtc__ring_filled(struct vtc__xsk_ring *r, uint32_t want)
{
	if (r->other - r->own < want)
		r->other = __atomic_load_n(r->producer, __ATOMIC_ACQUIRE);
	return vtc__likely(r->other - r->own <= r->mask + 1) ? r->other - r->own : 0;
}

VTC__ALWAYS void vtc__ring_release(struct vtc__xsk_ring *r, uint32_t count)
{
	r->own += count;
	__atomic_store_n(r->consumer, r->own, __ATOMIC_RELEASE);
}

/* The same for rings that we write: how many slots are free. */
VTC__ALWAYS uint32_t vtc__ring_room(struct vtc__xsk_ring *r, uint32_t want)
{
	uint32_t size = r->mask + 1;

	if (size - (r->own - r->other) < want)
		r->other = __atomic_load_n(r->consumer, __ATOMIC_ACQUIRE);
	return vtc__likely(r->own - r->other <= size) ? size - (r->own - r->other) : 0;
}

VTC__ALWAYS void vtc__ring_submit(struct vtc__xsk_ring *r, uint32_t count)
{
	r->own += count;
	__atomic_store_n(r->producer, r->own, __ATOMIC_RELEASE);
}

/* What we wrote and the kernel has not read. */
VTC__ALWAYS uint32_t vtc__ring_unread(struct vtc__xsk_ring *r)
{
	r->other = __atomic_load_n(r->consumer, __ATOMIC_ACQUIRE);
	return r->own - r->other;
}

/*
 * Asked after something was written: the kernel sets the flag and looks at the ring once
 * more, so we have to do it in the reverse order.
 */
VTC__ALWAYS bool vtc__ring_wants_wakeup(const struct vtc__xsk_ring *r)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(r->flags, __ATOMIC_RELAXED) & 1;
}

VTC__ALWAYS struct vtc__xsk_slot *vtc__ring_packet(const struct vtc__xsk_ring *r,
						   uint32_t at)
{
	return (struct vtc__xsk_slot *)r->slots + (at & r->mask);
}

VTC__ALWAYS uint64_t *vtc__ring_addr(const struct vtc__xsk_ring *r, uint32_t at)
{
	return (uint64_t *)r->slots + (at & r->mask);
}

/* The memory of a queue, and the socket that holds it; packets never come to this one. */
struct vtc__xsk_base {
	int fd;
	uint8_t *area;
	uint32_t frame_count;
	struct vtc__xsk_ring fill, done;
	bool lent;     /* the area is somebody else's */
	bool zerocopy; /* what the kernel gave */
	bool multi;    /* packets may be in several frames */
};

struct vtc__xsk_plan {
	uint32_t ifindex, queue;
	uint32_t frame_count;
	bool zerocopy, copy; /* must, must not */
};

/*
 * -EBUSY: the queue has a socket of somebody else's. -EOPNOTSUPP: no zero-copy, but it is
 * a must.
 */
int vtc__xsk_base_open(struct vtc_ctx *ctx, const struct vtc__xsk_plan *plan,
		       struct vtc__xsk_base *base);
void vtc__xsk_base_close(struct vtc__xsk_base *base);

/*
 * The same with memory that was there before, on a queue of the card that has no socket
 * yet: the base itself sends, from anywhere in that memory. Its first frame_count frames
 * are as those of the other. It is on the queue once it is bound; -EBUSY: another one is,
 * or was just closed. That can be tried again.
 */
struct vtc__xsk_lent {
	uint8_t *area; /* begins with a page */
	size_t len;
	uint32_t ring_size;
};

int vtc__xsk_base_open_lent(const struct vtc__xsk_plan *plan,
			    const struct vtc__xsk_lent *lent, struct vtc__xsk_base *base,
			    struct vtc__xsk_ring *ret_tx);
int vtc__xsk_base_bind(struct vtc_ctx *ctx, const struct vtc__xsk_plan *plan,
		       struct vtc__xsk_base *base);
void vtc__xsk_ring_close(struct vtc__xsk_ring *ring);

/*
 * A socket on the same queue, to receive by or to send by: -errno, or a descriptor. Not
 * one for both: who waits for packets would be woken for each one that was sent, too.
 */
enum vtc__xsk_way { VTC__XSK_RECEIVE, VTC__XSK_SEND };

int vtc__xsk_socket_open(const struct vtc__xsk_base *base,
			 const struct vtc__xsk_plan *plan, enum vtc__xsk_way way,
			 uint32_t ring_size, struct vtc__xsk_ring *ring);
void vtc__xsk_socket_close(int fd, struct vtc__xsk_ring *ring);

/* Have the kernel send, or see that there are frames. 0 or -errno. Never waits. */
int vtc__xsk_socket_send(int fd);
int vtc__xsk_socket_fill(int fd);

struct vtc__xsk_lost {
	uint64_t rx;	 /* dropped: no frame or no room in the ring, or too long */
	uint64_t tx_bad; /* descriptors that the kernel refused */
};

int vtc__xsk_socket_lost(int fd, struct vtc__xsk_lost *ret);

#endif
