/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The general way to take a chain: any number of descriptors, indirect tables, buffers
 * that lie in several regions. Each rule has its own words.
 */
#include "chain.h"

/*
 * One 16-byte descriptor of an indirect table, which may lie anywhere, into private
 * memory.
 */
static bool read_desc(const struct vtc_vring *v, uint64_t addr, struct vtc__desc *ret)
{
	uint8_t raw[sizeof(*ret)];
	unsigned int done = 0;

	while (done < sizeof(raw)) {
		const struct vtc__span *span = vtc__map_find(v->map, addr + done);
		uint64_t off;

		if (!span || !(span->perm & VTC_MEM_READ))
			return false;
		off = addr + done - span->addr;
		while (done < sizeof(raw) && off < span->size)
			raw[done++] =
				__atomic_load_n(&span->base[off++], __ATOMIC_RELAXED);
	}
	memcpy(ret, raw, sizeof(raw));
	ret->addr = le64toh(ret->addr);
	ret->word = le64toh(ret->word);
	return true;
}

/* The usual table is aligned and in one piece. */
static bool fetch_desc(const struct vtc_vring *v, uint64_t addr, struct vtc__desc *ret)
{
	const struct vtc__hit *hit = &v->hit[0];
	uint64_t off = addr - hit->addr;

	if (off >= hit->size || hit->size - off < sizeof(*ret) ||
	    (uintptr_t)(hit->base + off) % sizeof(uint64_t))
		return read_desc(v, addr, ret);
	ret->addr = vtc__load64(hit->base + off, __ATOMIC_RELAXED);
	ret->word = vtc__load64(hit->base + off + 8, __ATOMIC_RELAXED);
	return true;
}

/*
 * An address that this table does not allow. A new table may have come since the call
 * began, and the chain with it: that is no fault, the walk is done again.
 */
static int fault(struct vtc__walk *w, const char *reason)
{
	if (atomic_load(&w->v->mem->epoch) != w->v->epoch)
		return -ESTALE;
	return vtc__vring_break(w->v, reason);
}

bool vtc__walk_again(struct vtc_vring *v, int *err)
{
	if (*err != -ESTALE)
		return false;
	*err = vtc__vring_follow(v);
	return !*err;
}

static int put_segment(struct vtc__walk *w, void *base, uint64_t len, bool write)
{
	if (w->count == w->room)
		return -ENOSPC;
	if (w->count == UINT16_MAX)
		return vtc__vring_break(w->v, "a chain has more than 65535 pieces");
	w->segments[w->count++] = (struct vtc_segment){ base, len };
	if (!write)
		w->readable++;
	return 0;
}

static int put_pieces(struct vtc__walk *w, uint64_t addr, uint32_t len, bool write)
{
	struct vtc_vring *v = w->v;
	unsigned int perm = write ? VTC_MEM_WRITE : VTC_MEM_READ;

	while (len) {
		const struct vtc__span *span = vtc__map_find(v->map, addr);
		uint64_t off, part;
		int err;

		if (!span)
			return fault(w, "a buffer is outside the memory map");
		if (!(span->perm & perm))
			return fault(w,
				     write ? "a writable buffer is in read-only memory"
					   : "a readable buffer is in write-only memory");
		v->hit[write] = (struct vtc__hit){ span->addr, span->size, span->base };
		off = addr - span->addr;
		part = span->size - off < len ? span->size - off : len;
		err = put_segment(w, span->base + off, part, write);
		if (err)
			return err;
		addr += part;
		len -= (uint32_t)part;
	}
	return 0;
}

int vtc__walk_buffer(struct vtc__walk *w, uint64_t addr, uint32_t len, bool write)
{
	if (w->descs++ == w->v->size)
		return vtc__vring_break(w->v,
					"a chain is longer than the ring, or a loop");
	if (!len)
		return vtc__vring_break(w->v, "a buffer has length 0");
	if (addr + len < addr)
		return vtc__vring_break(w->v, "a buffer's addresses wrap");
	if (!write && w->writable_bytes)
		return vtc__vring_break(w->v, "a readable buffer follows a writable one");
	*(write ? &w->writable_bytes : &w->readable_bytes) += len;
	if (w->readable_bytes + w->writable_bytes > UINT32_MAX)
		return vtc__vring_break(w->v, "a chain is longer than 4 GiB");
	return put_pieces(w, addr, len, write);
}

/* Flags of a table's descriptor. In a packed ring all but the write flag say nothing. */
static int table_flags(struct vtc__walk *w, uint64_t word)
{
	unsigned int flags =
		w->v->packed ? vtc__packed_flags(word) : vtc__split_flags(word);

	if (flags & VTC__INDIRECT)
		return vtc__vring_break(w->v, "an indirect table is inside another");
	return (int)flags;
}

/* Where a table goes on after this descriptor; count: it ends. -EPROTO. */
static int64_t table_next(struct vtc__walk *w, uint64_t word, uint32_t i, uint32_t count)
{
	if (w->v->packed)
		return i + 1;
	if (!(vtc__split_flags(word) & VTC__NEXT))
		return count;
	if (vtc__split_next(word) >= count)
		return vtc__vring_break(
			w->v, "a descriptor goes on outside its indirect table");
	return vtc__split_next(word);
}

static int check_table(struct vtc__walk *w, uint64_t addr, uint32_t len)
{
	struct vtc_vring *v = w->v;

	if (!v->indirect)
		return vtc__vring_break(v, "an indirect table, which was not negotiated");
	if (!len || len % sizeof(struct vtc__desc))
		return vtc__vring_break(
			v, "an indirect table's length is no multiple of 16");
	if (len / sizeof(struct vtc__desc) > v->size)
		return vtc__vring_break(v, "an indirect table is longer than the ring");
	if (addr + len < addr)
		return vtc__vring_break(v, "an indirect table's addresses wrap");
	return 0;
}

int vtc__walk_table(struct vtc__walk *w, uint64_t addr, uint32_t len)
{
	uint32_t count = len / (uint32_t)sizeof(struct vtc__desc);
	int64_t i = 0;
	int err = check_table(w, addr, len);

	while (!err && i < count) {
		struct vtc__desc d;
		int flags;

		if (!fetch_desc(w->v, addr + (uint64_t)i * sizeof(d), &d))
			return vtc__vring_break(
				w->v, "an indirect table is outside the memory map");
		flags = table_flags(w, d.word);
		if (flags < 0)
			return flags;
		err = vtc__walk_buffer(w, d.addr, vtc__word_len(d.word),
				       flags & (int)VTC__WRITE && !w->v->only_read);
		i = err ? err : table_next(w, d.word, (uint32_t)i, count);
		if (i < 0)
			return (int)i;
	}
	return err;
}

bool vtc__chain_done_old(struct vtc_vring *v, const struct vtc__flight *f,
			 const struct vtc_done *done, bool in_order)
{
	if (f->state == VTC__FREE || done->len > f->writable ||
	    (in_order && f->seq != v->push_seq))
		return false;
	v->old--;
	return true;
}

uint16_t vtc__chain_undo(struct vtc_vring *v)
{
	uint16_t id = v->pulled[--v->seq & v->pulled_mask];
	struct vtc__flight *f = &v->flight[id];

	if (f->state == VTC__IN_FLIGHT_OLD)
		v->old--;
	f->state = VTC__FREE;
	v->in_flight--;
	v->since_push--;
	return id;
}

/* ---- Dirty log. The driver can only deceive itself here: nothing is accessed. ---- */

static void log_part(const struct vtc_vring *v, uint64_t addr, uint32_t len,
		     uint32_t *left)
{
	uint32_t part = len < *left ? len : *left;

	if (addr + part >= addr)
		vtc__map_log(v->map, addr, part);
	*left -= part;
}

static void log_table(const struct vtc_vring *v, uint64_t addr, uint32_t len,
		      uint32_t *left)
{
	uint32_t count = len / (uint32_t)sizeof(struct vtc__desc), i = 0;

	for (uint32_t n = 0; n < count && n < v->size && i < count && *left; n++) {
		struct vtc__desc d;
		unsigned int flags;

		if (!fetch_desc(v, addr + (uint64_t)i * sizeof(d), &d))
			return;
		flags = v->packed ? vtc__packed_flags(d.word) : vtc__split_flags(d.word);
		if (flags & VTC__WRITE)
			log_part(v, d.addr, vtc__word_len(d.word), left);
		if (!v->packed && !(flags & VTC__NEXT))
			return;
		i = v->packed ? i + 1 : vtc__split_next(d.word);
	}
}

static void log_desc(const struct vtc_vring *v, uint64_t addr, uint32_t len,
		     unsigned int flags, uint32_t *left)
{
	if (flags & VTC__INDIRECT)
		log_table(v, addr, len, left);
	else if (flags & VTC__WRITE)
		log_part(v, addr, len, left);
}

/* A packed ring may have overwritten the descriptors, so there is a private copy. */
static void log_packed(const struct vtc_vring *v, uint16_t id, uint32_t left)
{
	uint32_t at = id;

	for (uint32_t n = v->flight[id].slots; n && left; n--) {
		const struct vtc__desc *d = &v->copy[at];

		log_desc(v, d->addr, vtc__word_len(d->word), vtc__packed_flags(d->word),
			 &left);
		at = v->flights + vtc__packed_id(d->word);
	}
}

static void log_split(const struct vtc_vring *v, uint16_t id, uint32_t left)
{
	uint16_t at = id;

	for (uint32_t n = 0; n < v->size && left; n++) {
		const uint8_t *p = v->desc + at * sizeof(struct vtc__desc);
		uint64_t addr = vtc__load64(p, __ATOMIC_RELAXED);
		uint64_t word = vtc__load64(p + 8, __ATOMIC_RELAXED);

		log_desc(v, addr, vtc__word_len(word), vtc__split_flags(word), &left);
		if (!(vtc__split_flags(word) & VTC__NEXT))
			return;
		at = vtc__split_next(word) & v->mask;
	}
}

void vtc__chain_log(struct vtc_vring *v, uint16_t id, uint32_t len)
{
	if (v->packed)
		log_packed(v, id, len);
	else
		log_split(v, id, len);
}
