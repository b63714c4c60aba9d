/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The frames of one queue of one interface. All ports of a context on this queue share
 * them: the kernel has one fill and one completion ring for each queue, and frames come
 * back by these to whomever. A part is for packets that are received, the rest for those
 * that are sent, so that neither waits for the other.
 */
#ifndef VTC__XSK_UMEM_H
#define VTC__XSK_UMEM_H

#include "xsk-socket.h"

/* Where a frame is. Whatever the kernel names must be where it can be. */
enum vtc__frame_state {
	VTC__FRAME_FREE,
	VTC__FRAME_FILL, /* the kernel's, for a packet to receive */
	VTC__FRAME_HELD, /* ours, with a packet */
	VTC__FRAME_SENT, /* reserved for a packet to send, or the kernel's */
};

/*
 * Who sends from these frames. All may have as many in flight as there are; when several
 * want to send, each its share of bytes by weight, so that the wire is shared so, too.
 */
struct vtc__umem_user {
	struct vtc__umem_user *next;
	uint32_t weight;
	uint32_t len;	     /* of its frames lately, in VTC__UMEM_LENS of a byte */
	uint32_t sent;	     /* frames in state SENT */
	bool refused;	     /* it got less than it wanted... */
	uint32_t refused_at; /* ... when so many frames had come back */
};

struct vtc__umem {
	struct vtc__umem *next;
	unsigned int refs;
	uint32_t ifindex, queue;
	struct vtc__xsk_base base;
	uint32_t rx_most, rx_count; /* in states FILL and HELD */
	uint32_t tx_most, tx_count; /* in state SENT */
	uint32_t back;		    /* frames that came back from there, ever */
	uint32_t free_count;
	uint32_t *free; /* numbers of frames */
	uint8_t *state;
	/* Something was sent that is in none of the frames. May be NULL. */
	void (*sent)(struct vtc__umem *umem, uint64_t addr);
	void *sent_data;
	struct vtc__umem_user *users;
	struct vtc__umem_user **owner; /* of frames in state SENT; NULL: it has gone */
};

/* That of the context for this queue, or a new one. As vtc__xsk_base_open(). */
int vtc__umem_get(struct vtc_ctx *ctx, const struct vtc__xsk_plan *plan,
		  struct vtc__umem **ret_umem);
void vtc__umem_put(struct vtc_ctx *ctx, struct vtc__umem *umem);

/*
 * All frames are to send, and nobody shares them; the base is the caller's to open and to
 * close. NULL: memory is out.
 */
struct vtc__umem *vtc__umem_new_alone(const struct vtc__xsk_plan *plan);
void vtc__umem_free_alone(struct vtc__umem *umem);

/* Begin and end to send. What was not sent by then belongs to nobody. */
void vtc__umem_join(struct vtc__umem *umem, struct vtc__umem_user *user);
void vtc__umem_leave(struct vtc__umem *umem, struct vtc__umem_user *user);

/* How many frames there are for a user to send, up to most. */
uint32_t vtc__umem_room(struct vtc__umem *umem, struct vtc__umem_user *user,
			uint32_t most);

/* It sends frames of so many bytes. */
#define VTC__UMEM_LENS 16u

VTC__ALWAYS void vtc__umem_note(struct vtc__umem_user *user, uint32_t count,
				uint64_t bytes)
{
	uint32_t len = (uint32_t)(bytes * VTC__UMEM_LENS / count);

	user->len = user->len - user->len / 4 + len / 4;
}

/* Give the kernel frames to receive in. */
void vtc__umem_refill(struct vtc__umem *umem);
/* Take back frames that were sent. */
void vtc__umem_reap(struct vtc__umem *umem);

VTC__ALWAYS uint8_t *vtc__umem_frame(const struct vtc__umem *u, uint32_t frame)
{
	return u->base.area + ((size_t)frame << VTC__FRAME_SHIFT);
}

VTC__ALWAYS uint32_t vtc__umem_number(const struct vtc__umem *u, const uint8_t *at)
{
	return (uint32_t)((size_t)(at - u->base.area) >> VTC__FRAME_SHIFT);
}

/* True if the kernel may have had the frame that an address is in for that purpose. */
VTC__ALWAYS bool vtc__umem_is(const struct vtc__umem *u, uint64_t addr,
			      enum vtc__frame_state state)
{
	uint64_t frame = addr >> VTC__FRAME_SHIFT;

	return vtc__likely(frame < u->base.frame_count) &&
	       vtc__likely(u->state[frame] == state);
}

/* A frame that was received in is free. */
VTC__ALWAYS void vtc__umem_drop(struct vtc__umem *u, uint32_t frame)
{
	u->state[frame] = VTC__FRAME_FREE;
	u->free[u->free_count++] = frame;
	u->rx_count--;
}

/* A frame to send is free again. */
VTC__ALWAYS void vtc__umem_unsend(struct vtc__umem *u, uint32_t frame)
{
	struct vtc__umem_user *user = u->owner[frame];

	u->state[frame] = VTC__FRAME_FREE;
	u->free[u->free_count++] = frame;
	u->tx_count--;
	if (vtc__likely(user != NULL))
		user->sent--;
}

/* The reverse; there must be one, see vtc__umem_room(). */
VTC__ALWAYS uint32_t vtc__umem_send(struct vtc__umem *u, struct vtc__umem_user *user)
{
	uint32_t frame = u->free[--u->free_count];

	u->state[frame] = VTC__FRAME_SENT;
	u->owner[frame] = user;
	u->tx_count++;
	user->sent++;
	return frame;
}

#endif
