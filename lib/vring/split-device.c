/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The device side of a split ring (VIRTIO 2.7). */
#include "chain.h"

/* How far the next descriptor is fetched ahead. */
#define AHEAD 8

/* The available ring: flags, idx, ring[size], used_event. The used ring is alike. */
#define IDX_AT	2
#define RING_AT 4

static const uint8_t *avail_at(const struct vtc_vring *v, uint16_t index)
{
	return v->driver + RING_AT + (index & v->mask) * sizeof(uint16_t);
}

static uint8_t *avail_event(const struct vtc_vring *v)
{
	return v->device + RING_AT + v->size * sizeof(struct vtc__used);
}

static const uint8_t *used_event(const struct vtc_vring *v)
{
	return v->driver + RING_AT + v->size * sizeof(uint16_t);
}

/* Chains that may be pulled, up to max, or -EPROTO. */
VTC__ALWAYS int available(struct vtc_vring *v, unsigned int max)
{
	unsigned int n = (uint16_t)(v->seen - v->avail);

	if (n < max) {
		uint16_t ahead;

		v->seen = vtc__load16(v->driver + IDX_AT, __ATOMIC_ACQUIRE);
		n = (uint16_t)(v->seen - v->avail);
		ahead = (uint16_t)(v->seen - v->used);
		/* What was pulled and is not published takes up room, too. */
		if (vtc__unlikely(ahead > v->size))
			return vtc__vring_break(v,
						"the available index is too far ahead");
		if (vtc__unlikely(n > ahead))
			return vtc__vring_break(v, "the available index went back");
	}
	return (int)(n < max ? n : max);
}

VTC__ALWAYS struct vtc__desc desc_at(const struct vtc_vring *v, uint16_t head)
{
	const uint8_t *p = v->desc + head * sizeof(struct vtc__desc);

	return (struct vtc__desc){ vtc__load64(p, __ATOMIC_RELAXED),
				   vtc__load64(p + 8, __ATOMIC_RELAXED) };
}

static int walk_desc(struct vtc__walk *w, const struct vtc__desc *d, unsigned int flags)
{
	uint32_t len = vtc__word_len(d->word);

	if (!(flags & VTC__INDIRECT))
		return vtc__walk_buffer(w, d->addr, len, flags & VTC__WRITE);
	if (flags & VTC__NEXT)
		return vtc__vring_break(w->v, "an indirect descriptor has a next one");
	return vtc__walk_table(w, d->addr, len);
}

static int walk(struct vtc_vring *v, uint16_t head, struct vtc_chain *chain,
		struct vtc_segment *segments, unsigned int room)
{
	struct vtc__walk w;
	uint16_t at = head;
	unsigned int flags;

	vtc__walk_begin(&w, v, segments, room);
	do {
		struct vtc__desc d = desc_at(v, at);
		int err;

		flags = vtc__split_flags(d.word);
		err = walk_desc(&w, &d, flags);
		if (err)
			return err;
		at = vtc__split_next(d.word);
		if (flags & VTC__NEXT && at >= v->size)
			return vtc__vring_break(v,
						"a next descriptor is outside the ring");
	} while (flags & VTC__NEXT);
	vtc__walk_end(&w, head, chain);
	return 0;
}

/* Takes one chain: segments used, or a negative error. */
static __attribute__((noinline)) int take(struct vtc_vring *v, uint16_t head,
					  struct vtc_chain *chain,
					  struct vtc_segment *segments, unsigned int room)
{
	int err;

	if (head >= v->size)
		return vtc__vring_break(v, "an available head is outside the ring");
	if (v->flight[head].state != VTC__FREE)
		return vtc__vring_break(v, "an available head is in flight already");
	do
		err = walk(v, head, chain, segments, room);
	while (vtc__walk_again(v, &err));
	if (err)
		return err;
	vtc__chain_note(v, v->seq++, chain, 1);
	return chain->readable + chain->writable;
}

/*
 * Takes chains of one descriptor as long as they are easy, up to count. The first that is
 * not is left to take(), which reads it again and trusts nothing that was seen here.
 */
VTC__ALWAYS unsigned int take_easy(struct vtc_vring *v, struct vtc_chain *chains,
				   struct vtc_segment *segments, unsigned int count,
				   bool many)
{
	uint32_t seq = v->seq;
	unsigned int i;

	for (i = 0; i < count; i++) {
		uint16_t head = vtc__load16(avail_at(v, (uint16_t)(v->avail + i)),
					    __ATOMIC_RELAXED);
		struct vtc__desc d;
		unsigned int flags;

		__builtin_prefetch(v->desc + ((head + AHEAD) & v->mask) * sizeof(d));
		if (vtc__unlikely(head >= v->size) ||
		    vtc__unlikely(v->flight[head].state != VTC__FREE))
			break;
		d = desc_at(v, head);
		flags = vtc__split_flags(d.word);
		if (vtc__unlikely(flags & (VTC__NEXT | VTC__INDIRECT)) ||
		    vtc__unlikely(!vtc__chain_fast(v, d.addr, vtc__word_len(d.word),
						   flags, head, many, &chains[i],
						   &segments[i])))
			break;
		vtc__chain_note(v, seq++, &chains[i], 1);
	}
	v->seq = seq;
	v->avail = (uint16_t)(v->avail + i);
	return i;
}

/* Chains that a predecessor had in flight, before any new one. */
static VTC__COLD int pull_again(struct vtc_vring *v, struct vtc_chain *chains,
				unsigned int max, struct vtc_segment *segments,
				unsigned int room)
{
	unsigned int i = 0;
	int used = 0;

	for (; i < max && v->again_next < v->again_count; i++) {
		used = take(v, v->again[v->again_next], &chains[i], segments, room);
		if (used < 0)
			break;
		segments += used;
		room -= (unsigned int)used;
		v->again_next++;
		v->again_pulled++;
	}
	v->in_flight += i;
	v->since_push += i;
	return i ? (int)i : used;
}

/* Something was found: no notification is wanted for now. */
VTC__ALWAYS void disarm(struct vtc_vring *v)
{
	v->armed = false;
	if (!v->event_idx)
		vtc__store16(v->device, VTC__NO_NOTIFY, __ATOMIC_RELAXED);
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
	unsigned int i = 0, n;
	int used;

	if (vtc__unlikely(v->again_next < v->again_count))
		return pull_again(v, chains, max, segments, room);
	used = available(v, max);
	if (used <= 0)
		return used;
	if (v->armed)
		disarm(v);
	for (max = (unsigned int)used; i < max; i++) {
		n = fast ? take_easy_any(v, chains + i, segments,
					 max - i < room ? max - i : room)
			 : 0;
		i += n;
		segments += n;
		room -= n;
		if (i == max)
			break;
		used = take(v, vtc__load16(avail_at(v, v->avail), __ATOMIC_RELAXED),
			    &chains[i], segments, room);
		if (used < 0)
			break;
		v->avail++;
		segments += used;
		room -= (unsigned int)used;
	}
	v->in_flight += i;
	v->since_push += i;
	return i ? (int)i : used;
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
		if (v->since_push > v->again_pulled) {
			v->avail--;
		} else {
			v->again_pulled--;
			v->again_next--;
		}
		(void)vtc__chain_undo(v);
	}
	return 0;
}

VTC__ALWAYS int push(struct vtc_vring *v, const struct vtc_done *done, unsigned int count,
		     bool in_order)
{
	bool logs = v->map->log;
	uint32_t at = v->pending;
	unsigned int i;

	for (i = 0; i < count; i++, at++) {
		struct vtc__flight *f;

		if (vtc__unlikely(!vtc__chain_done(v, &done[i], in_order, &f)))
			break;
		if (vtc__unlikely(logs))
			vtc__chain_log(v, (uint16_t)done[i].id, done[i].len);
		v->used_elems[at].id = htole32(done[i].id);
		v->used_elems[at].len = htole32(done[i].len);
	}
	v->pending = at;
	v->in_flight -= i;
	return i == count ? 0 : -EINVAL;
}

static int push_any(struct vtc_vring *v, const struct vtc_done *done, unsigned int count)
{
	return push(v, done, count, false);
}

static int push_generic(struct vtc_vring *v, const struct vtc_done *done,
			unsigned int count)
{
	return push(v, done, count, v->in_order);
}

/*
 * In order, one used element may stand for many chains: it names the last, and its place
 * is that of the first. It may also do so for writable chains that were written in full,
 * but DPDK's driver looks at the element of each that it receives.
 */
static int push_in_order(struct vtc_vring *v, const struct vtc_done *done,
			 unsigned int count)
{
	bool logs = v->map->log;
	unsigned int i;

	for (i = 0; i < count; i++) {
		struct vtc__flight *f;

		if (vtc__unlikely(!vtc__chain_done(v, &done[i], true, &f)))
			break;
		if (vtc__unlikely(logs))
			vtc__chain_log(v, (uint16_t)done[i].id, done[i].len);
		if (!v->batch)
			v->used_ring[v->used_count++].pos.slot = v->pending + i;
		v->used_ring[v->used_count - 1].word =
			(uint64_t)done[i].len << 32 | done[i].id;
		v->batch = !f->writable;
	}
	v->pending += i;
	v->in_flight -= i;
	return i == count ? 0 : -EINVAL;
}

/* Whole pieces: the other side looks at none of it before the index. */
VTC__ALWAYS void copy_used(struct vtc_vring *v)
{
	uint8_t *ring = v->device + RING_AT;
	uint32_t at = v->used & v->mask, count = v->pending;
	uint32_t first = v->size - at < count ? v->size - at : count;

	memcpy(ring + at * sizeof(struct vtc__used), v->used_elems,
	       first * sizeof(struct vtc__used));
	memcpy(ring, v->used_elems + first, (count - first) * sizeof(struct vtc__used));
}

VTC__ALWAYS void put_used(struct vtc_vring *v)
{
	for (uint32_t i = 0; i < v->used_count; i++) {
		uint16_t at = (uint16_t)(v->used + v->used_ring[i].pos.slot) & v->mask;
		uint8_t *p = v->device + RING_AT + at * sizeof(struct vtc__used);

		vtc__store32(p, (uint32_t)v->used_ring[i].word, __ATOMIC_RELAXED);
		vtc__store32(p + 4, (uint32_t)(v->used_ring[i].word >> 32),
			     __ATOMIC_RELAXED);
	}
	v->used_count = 0;
	v->batch = false;
}

static VTC__COLD void log_used(const struct vtc_vring *v, uint32_t count)
{
	uint32_t at = v->used & v->mask;
	uint32_t first = v->size - at < count ? v->size - at : count;
	uint64_t ring = v->opts.device_addr + RING_AT;

	vtc__vring_log(v, ring + at * sizeof(struct vtc__used),
		       first * sizeof(struct vtc__used));
	vtc__vring_log(v, ring, (count - first) * sizeof(struct vtc__used));
	vtc__vring_log(v, v->opts.device_addr, RING_AT);
}

VTC__ALWAYS int flush(struct vtc_vring *v, bool in_order)
{
	uint16_t old = v->used, now = (uint16_t)(old + v->pending);
	bool known = v->signalled;

	if (!v->pending)
		return 0;
	if (in_order)
		put_used(v);
	else
		copy_used(v);
	/* The other side writes its wish and then looks at the index, we the reverse. */
	vtc__store16(v->device + IDX_AT, now, __ATOMIC_SEQ_CST);
	if (vtc__unlikely(v->map->log))
		log_used(v, v->pending);
	v->used = now;
	v->pending = 0;
	v->signalled = true;
	if (!v->event_idx)
		return !(vtc__load16(v->driver, __ATOMIC_SEQ_CST) & VTC__NO_NOTIFY);
	return !known ||
	       vtc__need_event(vtc__load16(used_event(v), __ATOMIC_SEQ_CST), now, old);
}

static int flush_any(struct vtc_vring *v)
{
	return flush(v, false);
}

static int flush_in_order(struct vtc_vring *v)
{
	return flush(v, true);
}

static int needs_poll(struct vtc_vring *v)
{
	if (v->again_next < v->again_count || v->seen != v->avail ||
	    vtc__load16(v->driver + IDX_AT, __ATOMIC_ACQUIRE) != v->avail)
		return 0;
	if (v->event_idx)
		vtc__store16(avail_event(v), v->avail, __ATOMIC_SEQ_CST);
	else
		vtc__store16(v->device, 0, __ATOMIC_SEQ_CST);
	vtc__vring_log(v, v->opts.device_addr,
		       RING_AT + v->size * sizeof(struct vtc__used) + sizeof(uint16_t));
	v->armed = true;
	return vtc__load16(v->driver + IDX_AT, __ATOMIC_SEQ_CST) == v->avail;
}

const struct vtc__ops vtc__split_device = {
	.pull = pull_fast,
	.unpull = unpull,
	.push = push_any,
	.flush = flush_any,
	.needs_poll = needs_poll,
};

const struct vtc__ops vtc__split_device_in_order = {
	.pull = pull_fast,
	.unpull = unpull,
	.push = push_in_order,
	.flush = flush_in_order,
	.needs_poll = needs_poll,
};

const struct vtc__ops vtc__split_device_generic = {
	.pull = pull_generic,
	.unpull = unpull,
	.push = push_generic,
	.flush = flush_any,
	.needs_poll = needs_poll,
};
