/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The driver side of a packed ring (VIRTIO 2.8). */
#include "add.h"

#define DESC_SIZE sizeof(struct vtc__desc)

static uint8_t *slot_at(const struct vtc_vring *v, uint32_t slot)
{
	return v->desc + slot * DESC_SIZE;
}

VTC__ALWAYS bool is_used(unsigned int flags, uint8_t wrap)
{
	return (flags & (VTC__AVAIL | VTC__USED)) == (wrap ? VTC__AVAIL | VTC__USED : 0);
}

/* The first descriptor since the last kick shows all others, so it waits for the kick. */
VTC__ALWAYS void put_word(struct vtc_vring *v, uint64_t word, bool withhold)
{
	if (withhold) {
		v->head_word = word;
		v->head_slot = v->avail;
		v->head_wrap = v->avail_wrap;
	} else {
		vtc__store64(slot_at(v, v->avail) + 8, word, __ATOMIC_RELAXED);
	}
}

VTC__ALWAYS void put_desc(struct vtc_vring *v, uint64_t addr, uint32_t len,
			  unsigned int flags, uint16_t id, bool withhold)
{
	flags |= v->avail_wrap ? VTC__AVAIL : VTC__USED;
	vtc__store64(slot_at(v, v->avail), addr, __ATOMIC_RELAXED);
	put_word(v, (uint64_t)flags << 48 | (uint64_t)id << 32 | len, withhold);
	vtc__advance(&v->avail, &v->avail_wrap, 1, v->size);
}

VTC__ALWAYS unsigned int flags_of(const struct vtc_add *a, unsigned int i)
{
	return i < a->readable ? 0 : VTC__WRITE;
}

static void put_table(struct vtc_vring *v, const struct vtc_add *a, unsigned int descs,
		      uint16_t id, bool withhold)
{
	uint8_t *table;
	uint64_t addr = vtc__add_table(v, id, &table);

	for (unsigned int i = 0; i < descs; i++) {
		vtc__store64(table + i * DESC_SIZE, a->buffers[i].guest_addr,
			     __ATOMIC_RELAXED);
		vtc__store64(table + i * DESC_SIZE + 8,
			     (uint64_t)flags_of(a, i) << 48 | a->buffers[i].len,
			     __ATOMIC_RELAXED);
	}
	put_desc(v, addr, (uint32_t)(descs * DESC_SIZE), VTC__INDIRECT, id, withhold);
}

VTC__ALWAYS void add_one(struct vtc_vring *v, const struct vtc_add *a, unsigned int descs,
			 bool table, bool withhold)
{
	uint16_t id = vtc__free_take(v);

	if (table) {
		put_table(v, a, descs, id, withhold);
		descs = 1;
	} else {
		for (unsigned int i = 0; i < descs; i++)
			put_desc(v, a->buffers[i].guest_addr, a->buffers[i].len,
				 flags_of(a, i) | (i + 1 < descs ? VTC__NEXT : 0), id,
				 withhold && !i);
	}
	v->owned[id] = (struct vtc__owned){ a->id, vtc__add_writable(a), (uint16_t)descs, 0 };
	vtc__order_add(v, id);
	v->busy += descs;
	v->added += descs;
}

static int add(struct vtc_vring *v, const struct vtc_add *chains, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		unsigned int descs = (unsigned int)chains[i].readable + chains[i].writable;
		bool table = vtc__add_uses_table(v, descs);

		if (v->size - v->busy < (table ? 1 : descs))
			break;
		add_one(v, &chains[i], descs, table, v->pending + i == 0);
	}
	v->in_flight += i;
	v->pending += i;
	return (int)i;
}

static int kick(struct vtc_vring *v)
{
	uint32_t steps = v->added;
	bool known = v->signalled;

	if (!v->pending)
		return 0;
	vtc__store64(slot_at(v, v->head_slot) + 8, v->head_word, __ATOMIC_SEQ_CST);
	v->pending = 0;
	v->added = 0;
	v->signalled = true;
	return vtc__packed_wants(v, v->device, v->avail, v->avail_wrap, steps, known);
}

VTC__ALWAYS void disarm(struct vtc_vring *v)
{
	v->armed = false;
	vtc__store16(v->driver + 2, VTC__EVENT_DISABLE, __ATOMIC_RELAXED);
}

static void release(struct vtc_vring *v, uint16_t id)
{
	uint32_t slots = v->owned[id].slots;

	v->owned[id].slots = 0;
	vtc__free_give(v, id);
	v->busy -= slots;
	vtc__advance(&v->used, &v->used_wrap, slots, v->size);
}

/* 1: reaped; 0: nothing is used; or -EPROTO. */
VTC__ALWAYS int reap_one(struct vtc_vring *v, struct vtc_done *done)
{
	uint64_t word = vtc__load64(slot_at(v, v->used) + 8, __ATOMIC_ACQUIRE);
	struct vtc__owned *o;

	if (!is_used(vtc__packed_flags(word), v->used_wrap))
		return 0;
	o = vtc__reap_check(v, vtc__packed_id(word), vtc__word_len(word));
	if (vtc__unlikely(!o))
		return -EPROTO;
	done->id = o->id;
	done->len = vtc__word_len(word);
	release(v, vtc__packed_id(word));
	return 1;
}

VTC__ALWAYS int reap_in_order(struct vtc_vring *v, struct vtc_done *done)
{
	if (!v->batch) {
		uint64_t word = vtc__load64(slot_at(v, v->used) + 8, __ATOMIC_ACQUIRE);

		if (!is_used(vtc__packed_flags(word), v->used_wrap))
			return 0;
		v->batch_id = vtc__packed_id(word);
		v->batch_len = vtc__word_len(word);
		if (!vtc__reap_check(v, v->batch_id, v->batch_len))
			return -EPROTO;
		v->batch = true;
	}
	release(v, vtc__order_reap(v, done));
	return 1;
}

static int reap(struct vtc_vring *v, struct vtc_done *done, unsigned int max)
{
	unsigned int given = v->in_flight - v->pending, i;
	int err = 0;

	/* With nothing given there may be left-over used flags of the last round. */
	for (i = 0; i < max && i < given; i++) {
		err = v->in_order ? reap_in_order(v, &done[i]) : reap_one(v, &done[i]);
		if (err <= 0)
			break;
	}
	v->in_flight -= i;
	if (i && v->armed)
		disarm(v);
	if (i == given && v->batch)
		(void)vtc__vring_break(v, "a used batch ends behind what was added");
	return i ? (int)i : err;
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
	vtc__packed_arm(v, v->driver, v->used, v->used_wrap);
	return nothing_used(v, __ATOMIC_SEQ_CST);
}

const struct vtc__ops vtc__packed_driver = {
	.add = add,
	.kick = kick,
	.reap = reap,
	.needs_poll = needs_poll,
};
