/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The driver side of a packed ring (VIRTIO 2.8). */
#include "add.h"

#define DESC_SIZE sizeof(struct vtc__desc)

static uint8_t *slot_at(const struct vtc_vring *v, uint32_t slot)
{
	return v->desc + slot * DESC_SIZE;
}

VTC__ALWAYS bool is_used(unsigned int flags, uint32_t wrap)
{
	return (flags & (VTC__AVAIL | VTC__USED)) == (wrap ? VTC__AVAIL | VTC__USED : 0);
}

VTC__ALWAYS unsigned int flags_of(const struct vtc_add *a, unsigned int i)
{
	return i < a->readable ? 0 : VTC__WRITE;
}

VTC__ALWAYS uint64_t word_of(unsigned int flags, uint16_t id, uint32_t len, uint32_t wrap)
{
	flags |= wrap ? VTC__AVAIL : VTC__USED;
	return (uint64_t)flags << 48 | (uint64_t)id << 32 | len;
}

/* The first descriptor since the last kick shows all others, so it waits for the kick. */
VTC__ALWAYS void put_desc(struct vtc_vring *v, struct vtc__pos pos, uint64_t addr,
			  uint64_t word, bool withhold)
{
	uint8_t *p = slot_at(v, pos.slot);

	vtc__store64(p, addr, __ATOMIC_RELAXED);
	if (withhold) {
		v->head_word = word;
		v->head = pos;
	} else {
		vtc__store64(p + 8, word, __ATOMIC_RELAXED);
	}
}

static void put_table(struct vtc_vring *v, const struct vtc_add *a, unsigned int descs,
		      uint16_t id, struct vtc__pos pos, bool withhold)
{
	uint8_t *table;
	uint64_t addr = vtc__add_table(v, id, &table);

	for (unsigned int i = 0; i < descs; i++) {
		uint8_t *p = table + i * DESC_SIZE;

		vtc__store64(p, a->buffers[i].guest_addr, __ATOMIC_RELAXED);
		vtc__store64(p + 8, (uint64_t)flags_of(a, i) << 48 | a->buffers[i].len,
			     __ATOMIC_RELAXED);
	}
	put_desc(v, pos, addr,
		 word_of(VTC__INDIRECT, id, (uint32_t)(descs * DESC_SIZE), pos.wrap),
		 withhold);
}

static void put_chain(struct vtc_vring *v, const struct vtc_add *a, unsigned int descs,
		      uint16_t id, struct vtc__pos pos, bool withhold)
{
	for (unsigned int i = 0; i < descs; i++) {
		const struct vtc_buffer *b = &a->buffers[i];
		unsigned int flags = flags_of(a, i) | (i + 1 < descs ? VTC__NEXT : 0);

		put_desc(v, pos, b->guest_addr, word_of(flags, id, b->len, pos.wrap),
			 withhold && !i);
		vtc__advance(&pos, 1, v->size);
	}
}

/* Returns how many descriptors of the ring were taken. */
VTC__ALWAYS unsigned int add_one(struct vtc_vring *v, const struct vtc_add *a,
				 unsigned int descs, struct vtc__pos pos, bool withhold,
				 uint16_t id)
{
	if (vtc__likely(descs == 1)) {
		put_desc(v, pos, a->buffers->guest_addr,
			 word_of(flags_of(a, 0), id, a->buffers->len, pos.wrap),
			 withhold);
	} else if (vtc__add_uses_table(v, descs)) {
		put_table(v, a, descs, id, pos, withhold);
		descs = 1;
	} else {
		put_chain(v, a, descs, id, pos, withhold);
	}
	v->owned[id] = (struct vtc__owned){ a->id, vtc__add_writable(a), descs };
	vtc__order_add(v, id);
	return descs;
}

static int add(struct vtc_vring *v, const struct vtc_add *chains, unsigned int count)
{
	struct vtc__pos pos = vtc__avail_pos(v);
	uint32_t room = v->size - v->busy, head = v->free_head, pending = v->pending, i;

	for (i = 0; i < count; i++) {
		unsigned int descs =
			(unsigned int)chains[i].readable + chains[i].writable;

		if (room < (vtc__add_uses_table(v, descs) ? 1 : descs))
			break;
		descs = add_one(v, &chains[i], descs, pos, pending + i == 0,
				vtc__free_take(v, &head));
		vtc__advance(&pos, descs, v->size);
		room -= descs;
	}
	vtc__set_avail_pos(v, pos);
	v->free_head = head;
	v->added += v->size - v->busy - room;
	v->busy = v->size - room;
	v->in_flight += i;
	v->pending = pending + i;
	return (int)i;
}

static int kick(struct vtc_vring *v)
{
	uint32_t steps = v->added;
	bool known = v->signalled;

	if (!v->pending)
		return 0;
	vtc__store64(slot_at(v, v->head.slot) + 8, v->head_word, __ATOMIC_SEQ_CST);
	v->pending = 0;
	v->added = 0;
	v->signalled = true;
	return vtc__packed_wants(v, v->device, vtc__avail_pos(v), steps, known);
}

VTC__ALWAYS void disarm(struct vtc_vring *v)
{
	v->armed = false;
	vtc__store16(v->driver + 2, VTC__EVENT_DISABLE, __ATOMIC_RELAXED);
}

/* Where reap stands; a copy is in registers. */
struct course {
	struct vtc__pos pos;
	uint32_t tail; /* of the FIFO of free ids */
	uint32_t busy;
};

VTC__ALWAYS void release(struct vtc_vring *v, uint16_t id, struct course *c)
{
	uint32_t slots = v->owned[id].slots;

	v->owned[id].slots = 0;
	vtc__free_give(v, &c->tail, id);
	/* A guess, so that the next descriptor can be read before slots is known. */
	if (vtc__likely(slots == 1)) {
		c->busy--;
		vtc__advance(&c->pos, 1, v->size);
	} else {
		c->busy -= slots;
		vtc__advance(&c->pos, slots, v->size);
	}
}

/* 1: reaped; 0: nothing is used; or -EPROTO. */
VTC__ALWAYS int reap_one(struct vtc_vring *v, struct vtc_done *done, struct course *c)
{
	uint64_t word = vtc__load64(slot_at(v, c->pos.slot) + 8, __ATOMIC_ACQUIRE);
	uint32_t len = vtc__word_len(word);
	uint16_t id = vtc__packed_id(word);
	struct vtc__owned *o;

	if (!is_used(vtc__packed_flags(word), c->pos.wrap))
		return 0;
	o = vtc__reap_check(v, id, &len);
	if (vtc__unlikely(!o))
		return -EPROTO;
	*done = (struct vtc_done){ o->id, len };
	release(v, id, c);
	return 1;
}

VTC__ALWAYS int reap_in_order(struct vtc_vring *v, struct vtc_done *done,
			      struct course *c)
{
	if (!v->batch) {
		uint64_t word =
			vtc__load64(slot_at(v, c->pos.slot) + 8, __ATOMIC_ACQUIRE);

		if (!is_used(vtc__packed_flags(word), c->pos.wrap))
			return 0;
		v->batch_id = vtc__packed_id(word);
		v->batch_len = vtc__word_len(word);
		if (!vtc__reap_check(v, v->batch_id, &v->batch_len))
			return -EPROTO;
		v->batch = true;
	}
	release(v, vtc__order_reap(v, done), c);
	return 1;
}

VTC__ALWAYS int reap(struct vtc_vring *v, struct vtc_done *done, unsigned int max,
		     bool in_order)
{
	unsigned int given = v->in_flight - v->pending, i;
	struct course c = { vtc__used_pos(v), v->free_tail, v->busy };
	int err = 0;

	/* With nothing given there may be left-over used flags of the last round. */
	for (i = 0; i < max && i < given; i++) {
		err = in_order ? reap_in_order(v, &done[i], &c)
			       : reap_one(v, &done[i], &c);
		if (err <= 0)
			break;
	}
	vtc__set_used_pos(v, c.pos);
	v->free_tail = c.tail;
	v->busy = c.busy;
	v->in_flight -= i;
	if (i && v->armed)
		disarm(v);
	if (i == given && v->batch)
		(void)vtc__vring_break(v, "a used batch ends behind what was added");
	return i ? (int)i : err;
}

static int reap_all(struct vtc_vring *v, struct vtc_done *done, unsigned int max)
{
	return v->in_order ? reap(v, done, max, true) : reap(v, done, max, false);
}

static bool nothing_used(const struct vtc_vring *v, int order)
{
	uint64_t word = vtc__load64(slot_at(v, v->used) + 8, order);

	return v->in_flight == v->pending ||
	       !is_used(vtc__packed_flags(word), v->used_wrap);
}

static int needs_poll(struct vtc_vring *v)
{
	if (v->batch || !nothing_used(v, __ATOMIC_ACQUIRE))
		return 0;
	vtc__packed_arm(v, v->driver, vtc__used_pos(v));
	return nothing_used(v, __ATOMIC_SEQ_CST);
}

const struct vtc__ops vtc__packed_driver = {
	.add = add,
	.kick = kick,
	.reap = reap_all,
	.needs_poll = needs_poll,
};
