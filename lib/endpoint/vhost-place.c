/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a packed ring stands: see vhost-place.h. */
#include "vhost-place.h"

#include <errno.h>

#include "vring/vring.h"

#define SLOT_MASK 0x7fffu
#define WRAP	  0x8000u

/*
 * DPDK's virtio-user fills in the half for the available place only; a used place that is
 * a whole lap behind would be a full ring, all of it in flight, in the first lap.
 */
struct vtc_vring_state vtc__vhost_place_of(uint32_t base)
{
	uint32_t avail = base & 0xffff, used = base >> 16;
	uint32_t at = !used && avail & WRAP ? avail : used;
	uint16_t slot = at & SLOT_MASK;
	uint8_t round = !(at & WRAP);

	/* What was taken and never came back is taken again. */
	return (struct vtc_vring_state){ slot, slot, round, round, 0 };
}

uint32_t vtc__vhost_base_of(const struct vtc_vring_state *state)
{
	uint32_t at = state->used | (state->used_round ? 0 : WRAP);

	return at | at << 16;
}

/* ---- The ring as it is seen ---- */

struct view {
	uint8_t *ring;
	uint32_t size;
};

static uint8_t *slot_at(const struct view *v, uint32_t slot)
{
	return v->ring + slot * sizeof(struct vtc__desc);
}

static uint64_t word_at(const struct view *v, uint32_t slot)
{
	return vtc__load64(slot_at(v, slot) + 8, __ATOMIC_ACQUIRE);
}

static bool is_available(const struct view *v, uint32_t slot, bool wrap)
{
	unsigned int flags = vtc__packed_flags(word_at(v, slot));

	return !!(flags & VTC__AVAIL) == wrap && !!(flags & VTC__USED) != wrap;
}

static bool is_used(const struct view *v, uint32_t slot, bool wrap)
{
	unsigned int flags = vtc__packed_flags(word_at(v, slot));

	return !!(flags & VTC__AVAIL) == wrap && !!(flags & VTC__USED) == wrap;
}

/* How many descriptors are available from a place on, without a gap. */
static uint32_t count_available(const struct view *v, struct vtc__pos at)
{
	uint32_t n = 0;

	for (; n < v->size && is_available(v, at.slot, at.wrap); n++)
		vtc__advance(&at, 1, v->size);
	return n;
}

/* From the place on: available ones, then only such as were used a lap ago. */
static bool fits(const struct view *v, struct vtc__pos at)
{
	uint32_t n = count_available(v, at);

	vtc__advance(&at, n, v->size);
	for (; n < v->size; n++) {
		if (!is_used(v, at.slot, !at.wrap))
			return false;
		vtc__advance(&at, 1, v->size);
	}
	return true;
}

/* Whatever the chains are like, nothing ahead of the place has been used in its lap. */
static bool is_possible(const struct view *v, struct vtc__pos at)
{
	for (uint32_t n = 0; n < v->size; n++) {
		if (is_used(v, at.slot, at.wrap))
			return false;
		vtc__advance(&at, 1, v->size);
	}
	return true;
}

/* An available descriptor behind one that is not, in the lap that it is in itself. */
static bool begins(const struct view *v, struct vtc__pos at)
{
	struct vtc__pos before = { (at.slot ? at.slot : v->size) - 1,
				   at.slot ? at.wrap : !at.wrap };

	return is_available(v, at.slot, at.wrap) &&
	       !is_available(v, before.slot, before.wrap);
}

static bool find_begin(const struct view *v, struct vtc__pos *ret_at)
{
	for (uint32_t slot = 0; slot < v->size; slot++) {
		for (uint32_t wrap = 0; wrap < 2; wrap++) {
			*ret_at = (struct vtc__pos){ slot, wrap };
			if (begins(v, *ret_at))
				return true;
		}
	}
	return false;
}

/* Nothing is available: the place is where the descriptors of the last lap begin. */
static void find_border(const struct view *v, struct vtc__pos *ret_at)
{
	bool lap = is_used(v, 0, 1);

	for (uint32_t slot = 1; slot < v->size; slot++) {
		if (is_used(v, slot, !lap)) {
			*ret_at = (struct vtc__pos){ slot, lap };
			return;
		}
	}
	*ret_at = (struct vtc__pos){ 0, !lap };
}

/* The one place that can fit. */
static bool search(const struct view *v, struct vtc__pos *ret_at)
{
	if (!find_begin(v, ret_at))
		find_border(v, ret_at);
	return fits(v, *ret_at);
}

/*
 * The rest of a chain that was used looks as if it was available. It has the buffer id
 * that its first descriptor has now.
 */
static bool may_be_rest(const struct view *v, struct vtc__pos at)
{
	uint32_t n = count_available(v, at);
	uint16_t id = vtc__packed_id(word_at(v, (at.slot ? at.slot : v->size) - 1));

	for (; n; n--) {
		if (vtc__packed_id(word_at(v, at.slot)) == id)
			return true;
		vtc__advance(&at, 1, v->size);
	}
	return false;
}

/* ---- A burst that was being published ---- */

/* Its first descriptor is written last: how many there are behind that, or 0. */
static uint32_t count_torn(const struct view *v, struct vtc__pos at)
{
	uint32_t torn = 0, n;

	vtc__advance(&at, 1, v->size);
	for (; torn + 1 < v->size && is_used(v, at.slot, at.wrap); torn++)
		vtc__advance(&at, 1, v->size);
	n = 1 + torn + count_available(v, at);
	vtc__advance(&at, n - 1 - torn, v->size);
	for (; torn && n < v->size; n++) {
		if (!is_used(v, at.slot, !at.wrap))
			return 0;
		vtc__advance(&at, 1, v->size);
	}
	return torn;
}

static bool search_torn(const struct view *v, struct vtc__pos *ret_at, uint32_t *ret_torn)
{
	unsigned int tries = 2;

	for (uint32_t i = 0; i < 2 * v->size && tries; i++) {
		struct vtc__pos at = { i / 2, i % 2 };

		if (!begins(v, at))
			continue;
		tries--;
		*ret_torn = count_torn(v, at);
		*ret_at = at;
		if (*ret_torn)
			return true;
	}
	return false;
}

static void use_empty(const struct view *v, struct vtc__pos at)
{
	uint64_t id = vtc__packed_id(word_at(v, at.slot));
	uint64_t flags = at.wrap ? VTC__AVAIL | VTC__USED : 0;

	vtc__store64(slot_at(v, at.slot) + 8, flags << 48 | id << 32, __ATOMIC_RELEASE);
}

/* How much was written to the first is lost, and with it where its packet ends. */
static void publish_torn(const struct view *v, struct vtc__pos *at, uint32_t torn)
{
	struct vtc__pos first = *at;

	for (; torn; torn--) {
		vtc__advance(at, 1, v->size);
		use_empty(v, *at);
	}
	vtc__advance(at, 1, v->size);
	use_empty(v, first);
}

/* ---- All together ---- */

static void set_place(struct vtc_vring_state *place, struct vtc__pos at)
{
	uint16_t slot = (uint16_t)at.slot;
	uint8_t round = !at.wrap;

	*place = (struct vtc_vring_state){ slot, slot, round, round, 0 };
}

int vtc__vhost_place_find(uint8_t *ring, uint32_t size, bool single,
			  struct vtc_vring_state *place)
{
	struct view v = { ring, size };
	struct vtc__pos given = { place->used, !place->used_round }, at;
	uint32_t torn;

	if (fits(&v, given))
		return 0;
	if (search(&v, &at) && (single || !may_be_rest(&v, at))) {
		set_place(place, at);
		return 0;
	}
	if (single && search_torn(&v, &at, &torn)) {
		publish_torn(&v, &at, torn);
		set_place(place, at);
		return 0;
	}
	return is_possible(&v, given) ? 0 : -EPROTO;
}
