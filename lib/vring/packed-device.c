/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The device side of a packed ring (VIRTIO 2.8). */
#include "chain.h"

#define DESC_SIZE sizeof(struct vtc__desc)

/* How many descriptors ahead the next cache line is fetched. */
#define AHEAD 8

static uint8_t *slot_at(const struct vtc_vring *v, uint32_t slot)
{
	return v->desc + slot * DESC_SIZE;
}

/* Whether a descriptor's flags say that it is available in this round. */
VTC__ALWAYS bool is_available(unsigned int flags, uint32_t wrap)
{
	return (flags & (VTC__AVAIL | VTC__USED)) == (wrap ? VTC__AVAIL : VTC__USED);
}

/*
 * Each chain's descriptors are kept in a private copy, for the dirty log: the ring's own
 * may be overwritten by used ones before the chain is pushed. The first is found by the
 * id, the others are nodes that the id field links, as it links the free ones: a chain
 * takes the first nodes of the free list as they are.
 */
VTC__ALWAYS uint64_t link_to(uint64_t word, uint32_t node)
{
	return (word & ~((uint64_t)UINT16_MAX << 32)) | (uint64_t)node << 32;
}

static uint32_t copy_put(struct vtc_vring *v, uint32_t node, const struct vtc__desc *d)
{
	struct vtc__desc *copy = &v->copy[v->flights + node];
	uint32_t next = vtc__packed_id(copy->word);

	copy->addr = d->addr;
	copy->word = link_to(d->word, next);
	return next;
}

static void copy_free(struct vtc_vring *v, uint32_t id, uint32_t slots)
{
	uint32_t at = id, first = vtc__packed_id(v->copy[id].word);

	while (--slots)
		at = v->flights + vtc__packed_id(v->copy[at].word);
	v->copy[at].word = link_to(v->copy[at].word, v->nodes);
	v->nodes = first;
}

/* A chain of several descriptors, on the way through it. */
struct course {
	struct vtc__desc d;
	struct vtc__pos at;
	uint32_t slots;
	uint32_t node; /* first free one */
};

static int next_desc(struct vtc_vring *v, struct course *c)
{
	const uint8_t *p;

	if (v->busy + c->slots >= v->size)
		return vtc__vring_break(
			v, "a chain is longer than the ring's free part, or a loop");
	vtc__advance(&c->at, 1, v->size);
	p = slot_at(v, c->at.slot);
	c->d.word = vtc__load64(p + 8, __ATOMIC_RELAXED);
	c->d.addr = vtc__load64(p, __ATOMIC_RELAXED);
	c->node = copy_put(v, c->node, &c->d);
	c->slots++;
	return 0;
}

static int walk_desc(struct vtc__walk *w, const struct course *c)
{
	unsigned int flags = vtc__packed_flags(c->d.word);
	uint32_t len = vtc__word_len(c->d.word);

	if (!(flags & VTC__INDIRECT))
		return vtc__walk_buffer(w, c->d.addr, len, flags & VTC__WRITE);
	if (flags & VTC__NEXT || c->slots > 1)
		return vtc__vring_break(w->v,
					"an indirect descriptor is in a longer chain");
	return vtc__walk_table(w, c->d.addr, len);
}

static int walk_chain(struct vtc__walk *w, struct course *c)
{
	int err = walk_desc(w, c);

	while (!err && vtc__packed_flags(c->d.word) & VTC__NEXT) {
		err = next_desc(w->v, c);
		if (!err)
			err = walk_desc(w, c);
	}
	return err;
}

VTC__ALWAYS struct vtc__desc desc_at(const uint8_t *p)
{
	uint64_t word = vtc__load64(p + 8, __ATOMIC_ACQUIRE);

	return (struct vtc__desc){ vtc__load64(p, __ATOMIC_RELAXED), word };
}

/* Takes one chain: 1, 0 if there is none, or a negative error. The id is in the last. */
static __attribute__((noinline)) int take(struct vtc_vring *v, struct vtc_chain *chain,
					  struct vtc_segment *segments, unsigned int room)
{
	struct vtc__pos at = vtc__avail_pos(v);
	struct vtc__desc first = desc_at(slot_at(v, at.slot));
	struct vtc__walk w;
	struct course c;
	uint16_t id;
	int err;

	if (!is_available(vtc__packed_flags(first.word), at.wrap))
		return 0;
	if (v->busy >= v->size)
		return vtc__vring_break(
			v, "more descriptors are available than the ring has");
	do {
		c = (struct course){ first, at, 1, v->nodes };
		vtc__walk_begin(&w, v, segments, room);
		err = walk_chain(&w, &c);
	} while (vtc__walk_again(v, &err));
	if (err)
		return err;
	id = vtc__packed_id(c.d.word);
	if (v->flight[id].state != VTC__FREE)
		return vtc__vring_break(v, "a buffer id is in flight already");
	v->copy[id] = (struct vtc__desc){ first.addr, link_to(first.word, v->nodes) };
	v->nodes = c.node;
	vtc__walk_end(&w, id, chain);
	vtc__chain_note(v, v->seq++, chain, c.slots);
	v->busy += c.slots;
	vtc__advance(&at, c.slots, v->size);
	vtc__set_avail_pos(v, at);
	return 1;
}

/* How many descriptors can be looked at without a look at the ring's end or fill. */
VTC__ALWAYS unsigned int easy_room(const struct vtc_vring *v, unsigned int max,
				   unsigned int room)
{
	unsigned int end = (unsigned int)v->size - v->avail, idle = v->size - v->busy;
	unsigned int n = max < room ? max : room;

	n = n < end ? n : end;
	return n < idle ? n : idle;
}

/*
 * Takes chains of one descriptor as long as they are easy. The first that is not is left
 * to take(), which reads it again and trusts nothing that was seen here.
 */
VTC__ALWAYS unsigned int take_easy(struct vtc_vring *v, struct vtc_chain *chains,
				   struct vtc_segment *segments, unsigned int count,
				   bool many)
{
	const uint8_t *p = slot_at(v, v->avail);
	struct vtc__pos at = vtc__avail_pos(v);
	unsigned int all = VTC__AVAIL | VTC__USED | VTC__NEXT | VTC__INDIRECT;
	unsigned int want = at.wrap ? VTC__AVAIL : VTC__USED;
	uint32_t seq = v->seq;
	unsigned int i;

	for (i = 0; i < count; i++, p += DESC_SIZE) {
		struct vtc__desc d = desc_at(p);
		unsigned int flags = vtc__packed_flags(d.word);
		uint16_t id = vtc__packed_id(d.word);

		if ((flags & all) != want)
			break;
		/* Not while there is nothing: the driver is about to write there. */
		if (!i)
			__builtin_prefetch(p + AHEAD / 2 * DESC_SIZE);
		__builtin_prefetch(p + AHEAD * DESC_SIZE);
		if (vtc__unlikely(v->flight[id].state != VTC__FREE) ||
		    vtc__unlikely(!vtc__chain_fast(v, d.addr, vtc__word_len(d.word),
						   flags, id, many, &chains[i],
						   &segments[i])))
			break;
		v->copy[id] = d;
		vtc__chain_note(v, seq++, &chains[i], 1);
	}
	v->seq = seq;
	v->busy += i;
	vtc__advance(&at, i, v->size);
	vtc__set_avail_pos(v, at);
	return i;
}

VTC__ALWAYS void disarm(struct vtc_vring *v)
{
	v->armed = false;
	vtc__store16(v->device + 2, VTC__EVENT_DISABLE, __ATOMIC_RELAXED);
}

static unsigned int take_easy_any(struct vtc_vring *v, struct vtc_chain *chains,
				  struct vtc_segment *segments, unsigned int count)
{
	return v->map->count > 1 ? take_easy(v, chains, segments, count, true)
				 : take_easy(v, chains, segments, count, false);
}

VTC__ALWAYS int pull(struct vtc_vring *v, struct vtc_chain *chains, unsigned int max,
		     struct vtc_segment *segments, unsigned int room, bool fast)
{
	unsigned int i, n;
	int taken = 0;

	for (i = 0; i < max; i++) {
		n = fast ? take_easy_any(v, chains + i, segments,
					 easy_room(v, max - i, room))
			 : 0;
		i += n;
		segments += n;
		room -= n;
		if (i == max)
			break;
		taken = take(v, &chains[i], segments, room);
		if (taken <= 0)
			break;
		n = (unsigned int)(chains[i].readable + chains[i].writable);
		segments += n;
		room -= n;
	}
	if (!i)
		return taken;
	if (v->armed)
		disarm(v);
	v->in_flight += i;
	v->since_push += i;
	return (int)i;
}

static int pull_fast(struct vtc_vring *v, struct vtc_chain *chains, unsigned int max,
		     struct vtc_segment *segments, unsigned int room)
{
	return pull(v, chains, max, segments, room, true);
}

static int pull_generic(struct vtc_vring *v, struct vtc_chain *chains, unsigned int max,
			struct vtc_segment *segments, unsigned int room)
{
	return pull(v, chains, max, segments, room, false);
}

static int unpull(struct vtc_vring *v, unsigned int count)
{
	while (count--) {
		uint16_t id = vtc__chain_undo(v);
		uint32_t slots = v->flight[id].slots;

		if (slots > 1)
			copy_free(v, id, slots);
		v->busy -= slots;
		/* Back is the same as on by the rest of the ring, but for the round. */
		if (v->avail < slots)
			v->avail_wrap ^= 1;
		v->avail = (uint16_t)(v->avail < slots ? v->avail + v->size - slots
						       : v->avail - slots);
	}
	return 0;
}

VTC__ALWAYS uint64_t used_word(const struct vtc_done *done, uint32_t wrap)
{
	uint64_t flags =
		(wrap ? VTC__AVAIL | VTC__USED : 0) | (done->len ? VTC__WRITE : 0);

	return flags << 48 | (uint64_t)done->id << 32 | done->len;
}

/* In order and merge: as in split-device.c, one used descriptor may stand for many. */
VTC__ALWAYS int push(struct vtc_vring *v, const struct vtc_done *done, unsigned int count,
		     bool in_order, bool merge)
{
	bool logs = v->map->log, batch = v->batch;
	struct vtc__pos pos = vtc__used_pos(v);
	uint32_t slots = v->used_slots, i;
	struct vtc__used_slot *used = &v->used_ring[v->used_count];

	vtc__advance(&pos, slots, v->size);
	for (i = 0; i < count; i++) {
		struct vtc__flight *f;

		if (vtc__unlikely(!vtc__chain_done(v, &done[i], in_order, &f)))
			break;
		if (vtc__unlikely(logs))
			vtc__chain_log(v, (uint16_t)done[i].id, done[i].len);
		if (vtc__unlikely(f->slots > 1))
			copy_free(v, done[i].id, f->slots);
		if (!merge || !batch)
			*used++ = (struct vtc__used_slot){ 0, pos };
		if (!merge || f->writable)
			used[-1].word = used_word(&done[i], used[-1].pos.wrap);
		if (merge)
			batch = !f->writable;
		slots += f->slots;
		vtc__advance(&pos, f->slots, v->size);
	}
	if (merge && i)
		used[-1].word = used_word(&done[i - 1], used[-1].pos.wrap);
	v->batch = batch;
	v->used_count = (uint32_t)(used - v->used_ring);
	v->used_slots = slots;
	v->pending += i;
	v->in_flight -= i;
	return i == count ? 0 : -EINVAL;
}

static int push_any(struct vtc_vring *v, const struct vtc_done *done, unsigned int count)
{
	return push(v, done, count, false, false);
}

static int push_in_order(struct vtc_vring *v, const struct vtc_done *done,
			 unsigned int count)
{
	return push(v, done, count, true, true);
}

static int push_generic(struct vtc_vring *v, const struct vtc_done *done,
			unsigned int count)
{
	return push(v, done, count, v->in_order, false);
}

static VTC__COLD void log_used(const struct vtc_vring *v)
{
	for (uint32_t i = 0; i < v->used_count; i++)
		vtc__vring_log(v,
			       v->opts.desc_addr + v->used_ring[i].pos.slot * DESC_SIZE,
			       DESC_SIZE);
}

/*
 * The driver stops at the first descriptor that is not used, so the first is written
 * last.
 */
static int flush(struct vtc_vring *v)
{
	const struct vtc__used_slot *used = v->used_ring;
	struct vtc__pos pos = vtc__used_pos(v);
	uint32_t steps = v->used_slots, count = v->used_count;
	bool known = v->signalled;

	if (!v->pending)
		return 0;
	for (uint32_t i = 1; i < count; i++)
		vtc__store64(slot_at(v, used[i].pos.slot) + 8, used[i].word,
			     __ATOMIC_RELAXED);
	vtc__store64(slot_at(v, used[0].pos.slot) + 8, used[0].word, __ATOMIC_SEQ_CST);
	if (vtc__unlikely(v->map->log))
		log_used(v);
	vtc__advance(&pos, steps, v->size);
	vtc__set_used_pos(v, pos);
	v->busy -= steps;
	v->pending = 0;
	v->used_count = 0;
	v->used_slots = 0;
	v->batch = false;
	v->signalled = true;
	return vtc__packed_wants(v, v->driver, pos, steps, known);
}

static bool nothing_available(const struct vtc_vring *v, int order)
{
	uint64_t word = vtc__load64(slot_at(v, v->avail) + 8, order);

	return !is_available(vtc__packed_flags(word), v->avail_wrap);
}

static int needs_poll(struct vtc_vring *v)
{
	if (!nothing_available(v, __ATOMIC_ACQUIRE))
		return 0;
	vtc__packed_arm(v, v->device, vtc__avail_pos(v));
	vtc__vring_log(v, v->opts.device_addr, sizeof(uint32_t));
	return nothing_available(v, __ATOMIC_SEQ_CST);
}

const struct vtc__ops vtc__packed_device = {
	.pull = pull_fast,
	.unpull = unpull,
	.push = push_any,
	.flush = flush,
	.needs_poll = needs_poll,
};

const struct vtc__ops vtc__packed_device_in_order = {
	.pull = pull_fast,
	.unpull = unpull,
	.push = push_in_order,
	.flush = flush,
	.needs_poll = needs_poll,
};

const struct vtc__ops vtc__packed_device_generic = {
	.pull = pull_generic,
	.unpull = unpull,
	.push = push_generic,
	.flush = flush,
	.needs_poll = needs_poll,
};
