/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Saving where a vring stands, and going on from there. */
#include <stdlib.h>

#include "chain.h"

int vtc_vring_get_state(const struct vtc_vring *vring, struct vtc_vring_state *ret_state)
{
	const struct vtc_vring *v = vring;
	struct vtc_vring_state s;

	if (!v || !ret_state)
		return -EINVAL;
	s = (struct vtc_vring_state){ .avail = v->avail, .used = v->used };
	if (v->packed) {
		s.avail_round = !v->avail_wrap;
		s.used_round = !v->used_wrap;
		s.in_flight = (uint16_t)(v->in_flight + v->pending + v->expected);
	} else {
		s.in_flight = (uint16_t)(v->avail - v->used);
	}
	if (v->opts.role == VTC_VRING_DRIVER && v->pending) {
		s.avail = v->packed ? (uint16_t)v->head.slot
				    : (uint16_t)(v->avail - v->pending);
		s.avail_round = v->packed && !v->head.wrap;
	}
	if (v->opts.role == VTC_VRING_DRIVER)
		s.in_flight = (uint16_t)(v->in_flight - v->pending);
	*ret_state = s;
	return 0;
}

/*
 * ---- The chains in flight, oldest first: a heap whose top is the youngest of those kept
 * ----
 */

struct heap {
	const struct vtc_vring *v;
	uint32_t *ids;
	unsigned int count;
	unsigned int max;
};

/* Ages, not sequence numbers, so that it does not matter that these wrap. */
static uint32_t age(const struct heap *h, uint32_t id)
{
	return h->v->seq - h->v->flight[id].seq;
}

static void sink(struct heap *h, unsigned int at)
{
	for (;;) {
		unsigned int young = at, kid = 2 * at + 1;
		uint32_t id = h->ids[at];

		if (kid < h->count && age(h, h->ids[kid]) < age(h, h->ids[young]))
			young = kid;
		if (kid + 1 < h->count && age(h, h->ids[kid + 1]) < age(h, h->ids[young]))
			young = kid + 1;
		if (young == at)
			return;
		h->ids[at] = h->ids[young];
		h->ids[young] = id;
		at = young;
	}
}

static void keep(struct heap *h, uint32_t id)
{
	if (h->count < h->max) {
		h->ids[h->count++] = id;
		for (unsigned int i = h->count == h->max ? h->count / 2 : 0; i--;)
			sink(h, i);
	} else if (h->max && age(h, id) > age(h, h->ids[0])) {
		h->ids[0] = id;
		sink(h, 0);
	}
}

static void sort(struct heap *h)
{
	unsigned int all = h->count;

	for (unsigned int i = h->count / 2; i--;)
		sink(h, i);
	while (h->count > 1) {
		uint32_t id = h->ids[0];

		h->ids[0] = h->ids[--h->count];
		h->ids[h->count] = id;
		sink(h, 0);
	}
	h->count = all;
}

static uint32_t pending_id(const struct vtc_vring *v, uint32_t i)
{
	return v->packed ? vtc__packed_id(v->used_ring[i].word)
			 : le32toh(v->used_elems[i].id);
}

static unsigned int list_any(const struct vtc_vring *v, uint32_t *ids, unsigned int max)
{
	struct heap h = { v, ids, 0, max };

	for (uint32_t i = 0; i < v->flights; i++) {
		if (v->flight[i].state != VTC__FREE)
			keep(&h, i);
	}
	for (uint32_t i = 0; i < v->pending; i++)
		keep(&h, pending_id(v, i));
	sort(&h);
	return v->in_flight + v->pending;
}

static unsigned int list_in_order(const struct vtc_vring *v, uint32_t *ids,
				  unsigned int max)
{
	uint32_t first = v->push_seq - v->pending, count = v->seq - first;

	for (uint32_t i = 0; i < count && i < max; i++)
		ids[i] = v->pulled[(first + i) & v->pulled_mask];
	return count;
}

int vtc_vring_get_in_flight(const struct vtc_vring *vring, uint32_t *ids,
			    unsigned int max)
{
	const struct vtc_vring *v = vring;
	unsigned int n;

	if (!v || (!ids && max) || v->opts.role != VTC_VRING_DEVICE)
		return -EINVAL;
	n = v->in_order ? list_in_order(v, ids, max) : list_any(v, ids, max);
	for (uint32_t i = v->again_next; i < v->again_count; i++, n++) {
		if (n < max)
			ids[n] = v->again[i];
	}
	return (int)n;
}

/* The descriptors of a packed ring that is used in order are all still there. */
static int go_back(struct vtc_vring *v)
{
	v->avail = v->used;
	v->avail_wrap = v->used_wrap;
	v->expected = 0;
	return 0;
}

static bool has_twice(const uint32_t *ids, unsigned int count, uint16_t *seen)
{
	for (unsigned int i = 0; i < count; i++) {
		if (seen[ids[i]]++)
			return true;
	}
	return false;
}

static int note_again(struct vtc_vring *v, const uint32_t *ids, unsigned int count)
{
	uint16_t *again = calloc(v->size, sizeof(*again));
	bool twice;

	if (!again)
		return -ENOMEM;
	twice = has_twice(ids, count, again);
	if (twice) {
		free(again);
		return -EINVAL;
	}
	for (unsigned int i = 0; i < count; i++)
		again[i] = (uint16_t)ids[i];
	free(v->again);
	v->again = again;
	v->again_count = count;
	v->expected = 0;
	return 0;
}

int vtc_vring_resubmit(struct vtc_vring *vring, const uint32_t *ids, unsigned int count)
{
	struct vtc_vring *v = vring;

	if (!v || !ids || v->opts.role != VTC_VRING_DEVICE || count != v->expected ||
	    v->seq)
		return -EINVAL;
	for (unsigned int i = 0; i < count; i++) {
		if (ids[i] >= v->flights)
			return -EINVAL;
	}
	if (v->packed)
		return go_back(v);
	return note_again(v, ids, count);
}
