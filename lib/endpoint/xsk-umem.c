/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The frames of a queue: see xsk-umem.h. */
#include "xsk-umem.h"

#include <errno.h>
#include <stdlib.h>

#include "core/ctx.h"

/* For packets to send: one frame of so many. */
#define TX_PART 4

/* ---- Life ---- */

static void umem_free(struct vtc__umem *u)
{
	free(u->free);
	free(u->state);
	free(u->owner);
	free(u);
}

static struct vtc__umem *umem_alloc(const struct vtc__xsk_plan *plan)
{
	struct vtc__umem *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->refs = 1;
	u->ifindex = plan->ifindex;
	u->queue = plan->queue;
	u->tx_most = plan->frame_count / TX_PART;
	u->rx_most = plan->frame_count - u->tx_most;
	u->free_count = plan->frame_count;
	u->free = malloc(plan->frame_count * sizeof(u->free[0]));
	u->state = calloc(plan->frame_count, sizeof(u->state[0]));
	u->owner = calloc(plan->frame_count, sizeof(struct vtc__umem_user *));
	if (!u->free || !u->state || !u->owner) {
		umem_free(u);
		return NULL;
	}
	for (uint32_t i = 0; i < plan->frame_count; i++)
		u->free[i] = i;
	return u;
}

static int umem_new(struct vtc_ctx *ctx, const struct vtc__xsk_plan *plan,
		    struct vtc__umem **ret_umem)
{
	struct vtc__umem *u = umem_alloc(plan);
	int err;

	if (!u)
		return -ENOMEM;
	err = vtc__xsk_base_open(ctx, plan, &u->base);
	if (err) {
		umem_free(u);
		return err;
	}
	vtc__umem_refill(u);
	u->next = ctx->umems;
	ctx->umems = u;
	*ret_umem = u;
	return 0;
}

int vtc__umem_get(struct vtc_ctx *ctx, const struct vtc__xsk_plan *plan,
		  struct vtc__umem **ret_umem)
{
	struct vtc__umem *u = ctx->umems;

	while (u && (u->ifindex != plan->ifindex || u->queue != plan->queue))
		u = u->next;
	if (!u)
		return umem_new(ctx, plan, ret_umem);
	if (plan->zerocopy && !u->base.zerocopy)
		return -EOPNOTSUPP;
	if (plan->copy && u->base.zerocopy)
		return -EBUSY;
	u->refs++;
	*ret_umem = u;
	return 0;
}

void vtc__umem_put(struct vtc_ctx *ctx, struct vtc__umem *umem)
{
	struct vtc__umem **at = &ctx->umems;

	if (--umem->refs)
		return;
	while (*at != umem)
		at = &(*at)->next;
	*at = umem->next;
	vtc__xsk_base_close(&umem->base);
	umem_free(umem);
}

struct vtc__umem *vtc__umem_new_alone(const struct vtc__xsk_plan *plan)
{
	struct vtc__umem *u = umem_alloc(plan);

	if (!u)
		return NULL;
	u->tx_most = plan->frame_count;
	u->rx_most = 0;
	return u;
}

void vtc__umem_free_alone(struct vtc__umem *umem)
{
	if (umem)
		umem_free(umem);
}

/* ---- Who sends ---- */

/* Enough for the longest packet. */
#define SHARE_MIN VTC__XSK_FRAMES_MAX

/* What frames are thought to have, before any were sent; and are at least. */
#define LEN_FIRST 1024u
#define LEN_MIN	  (32 * VTC__UMEM_LENS)

/* Who was refused wants to send, until this many times all frames have come back. */
#define WAITS 4

void vtc__umem_join(struct vtc__umem *umem, struct vtc__umem_user *user)
{
	*user = (struct vtc__umem_user){ .next = umem->users,
					 .weight = 1,
					 .len = LEN_FIRST * VTC__UMEM_LENS };
	umem->users = user;
}

void vtc__umem_leave(struct vtc__umem *umem, struct vtc__umem_user *user)
{
	struct vtc__umem_user **at = &umem->users;

	while (*at != user)
		at = &(*at)->next;
	*at = user->next;
	for (uint32_t i = 0; user->sent && i < umem->base.frame_count; i++) {
		if (umem->state[i] == VTC__FRAME_SENT && umem->owner[i] == user) {
			umem->owner[i] = NULL;
			user->sent--;
		}
	}
}

static bool wants_to_send(const struct vtc__umem *u, const struct vtc__umem_user *user)
{
	return user->sent ||
	       (user->refused && u->back - user->refused_at < WAITS * u->tx_most);
}

/* Shorter frames are more frames, for as many bytes. */
static uint64_t frames_by_weight(const struct vtc__umem_user *user)
{
	uint32_t len = user->len > LEN_MIN ? user->len : LEN_MIN;

	return ((uint64_t)user->weight << 32) / len;
}

/* How many frames a user may have in flight. */
static uint32_t share_of(const struct vtc__umem *u, const struct vtc__umem_user *user)
{
	uint64_t own = frames_by_weight(user), all = own;
	uint32_t share;

	for (const struct vtc__umem_user *other = u->users; other; other = other->next) {
		if (other != user && wants_to_send(u, other))
			all += frames_by_weight(other);
	}
	share = (uint32_t)(u->tx_most * own / all);
	return share > SHARE_MIN ? share : SHARE_MIN;
}

uint32_t vtc__umem_room(struct vtc__umem *umem, struct vtc__umem_user *user,
			uint32_t most)
{
	uint32_t n = umem->tx_most - umem->tx_count, share = share_of(umem, user);

	n = n < umem->free_count ? n : umem->free_count;
	share = user->sent < share ? share - user->sent : 0;
	n = n < share ? n : share;
	user->refused = n < most;
	if (n >= most)
		return most;
	user->refused_at = umem->back;
	return n;
}

/* ---- Frames ---- */

void vtc__umem_refill(struct vtc__umem *umem)
{
	struct vtc__xsk_ring *fill = &umem->base.fill;
	uint32_t n = umem->rx_most - umem->rx_count;

	n = n < umem->free_count ? n : umem->free_count;
	if (n && vtc__ring_room(fill, n) < n)
		n = vtc__ring_room(fill, n);
	if (!n)
		return;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t frame = umem->free[--umem->free_count];

		umem->state[frame] = VTC__FRAME_FILL;
		*vtc__ring_addr(fill, fill->own + i) = (uint64_t)frame
						       << VTC__FRAME_SHIFT;
	}
	umem->rx_count += n;
	vtc__ring_submit(fill, n);
}

void vtc__umem_reap(struct vtc__umem *umem)
{
	struct vtc__xsk_ring *done = &umem->base.done;
	uint32_t n = vtc__ring_filled(done, done->mask + 1);

	for (uint32_t i = 0; i < n; i++) {
		uint64_t addr = *vtc__ring_addr(done, done->own + i);

		if (vtc__umem_is(umem, addr, VTC__FRAME_SENT))
			vtc__umem_unsend(umem, (uint32_t)(addr >> VTC__FRAME_SHIFT));
		else if (umem->sent)
			umem->sent(umem, addr);
	}
	umem->back += n;
	if (n)
		vtc__ring_release(done, n);
}
