/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rings with the buffers of a pool: see vhost-driver.h. */
#include "vhost-driver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ETH_LEN	       14u
#define AT_NUM_BUFFERS 10

static uint32_t power_of_two(uint32_t n)
{
	uint32_t p = 1;

	while (p < n)
		p *= 2;
	return p;
}

static uint32_t lesser(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* A ring that broke says so again and again. */
static bool is_waiting(struct vtc_vring *vring)
{
	return !vring || vtc_vring_needs_poll(vring) != 0;
}

/* ---- Receiving ---- */

int vtc__vhost_rx_open(const struct vtc__vhost_pool *pool, uint32_t ring,
		       struct vtc__vhost_rx *rx)
{
	uint32_t room = power_of_two(pool->ring_size);

	*rx = (struct vtc__vhost_rx){ .pool = pool, .ring = ring, .mask = room - 1 };
	rx->came = calloc(room, sizeof(*rx->came));
	rx->away = calloc(pool->ring_size, sizeof(*rx->away));
	return rx->came && rx->away ? 0 : -ENOMEM;
}

void vtc__vhost_rx_close(struct vtc__vhost_rx *rx)
{
	vtc_vring_free(rx->vring);
	free(rx->came);
	free(rx->away);
}

static struct vtc__vhost_came *came_at(const struct vtc__vhost_rx *rx, uint32_t at)
{
	return &rx->came[at & rx->mask];
}

/* Buffers to add, as the ring wants to be told of them. */
struct batch {
	struct vtc_add add[VTC__BURST_MAX];
	struct vtc_buffer buffer[VTC__BURST_MAX];
	uint32_t count;
};

static void flush(struct vtc_vring *vring, struct batch *b)
{
	/* There is room for all buffers, or the ring is broken: the kick will tell. */
	if (b->count)
		(void)vtc_vring_add(vring, b->add, b->count);
	b->count = 0;
}

static void add_writable(struct vtc__vhost_rx *rx, struct batch *b, uint32_t id)
{
	const struct vtc__vhost_pool *p = rx->pool;

	b->buffer[b->count] = vtc__vhost_pool_buffer(p, rx->ring, id, p->buffer_size);
	b->add[b->count] = (struct vtc_add){ &b->buffer[b->count], 0, 1, id };
	if (++b->count == VTC__BURST_MAX)
		flush(rx->vring, b);
}

int vtc__vhost_rx_start(struct vtc__vhost_rx *rx, struct vtc_vring *vring, bool mergeable)
{
	uint32_t size = rx->pool->ring_size;
	struct batch b;

	b.count = 0;
	rx->vring = vring;
	rx->mergeable = mergeable;
	memset(rx->away, 0, size * sizeof(*rx->away));
	for (uint32_t at = rx->head; at != rx->tail; at++)
		rx->away[came_at(rx, at)->id] = true;
	for (uint32_t id = 0; id < size; id++) {
		if (!rx->away[id])
			add_writable(rx, &b, id);
	}
	flush(vring, &b);
	return vtc_vring_kick(vring);
}

/* The oldest buffers are the backend's again. */
static int recycle(struct vtc__vhost_rx *rx, uint32_t count)
{
	struct batch b;

	b.count = 0;
	if (!rx->vring) {
		rx->head += count;
		return 0;
	}
	for (uint32_t end = rx->head + count; rx->head != end; rx->head++)
		add_writable(rx, &b, came_at(rx, rx->head)->id);
	flush(rx->vring, &b);
	return vtc_vring_kick(rx->vring);
}

static int collect(struct vtc__vhost_rx *rx, uint32_t max)
{
	struct vtc_done done[VTC__BURST_MAX];
	int n;

	if (!rx->vring)
		return 0;
	n = vtc_vring_reap(rx->vring, done, lesser(max, VTC__BURST_MAX));
	for (int i = 0; i < n; i++)
		*came_at(rx, rx->tail++) =
			(struct vtc__vhost_came){ .id = done[i].id, .len = done[i].len };
	return n;
}

static int count_buffers(const struct vtc__vhost_rx *rx, const struct vtc__vhost_came *c)
{
	struct vtc_segment s = { vtc__vhost_pool_at(rx->pool, rx->ring, c->id), c->len };

	return rx->mergeable ? vtc_nethdr_get_buffers(&s, 1) : 1;
}

/* Where does the next packet end? False: not all of it has come. */
static bool parse_one(struct vtc__vhost_rx *rx)
{
	struct vtc__vhost_came *c = came_at(rx, rx->parsed);
	int n = count_buffers(rx, c);
	uint64_t len = 0;

	c->bad = n < 0 || (uint32_t)n > rx->pool->ring_size;
	c->buffers = c->bad ? 1 : (uint32_t)n;
	if (c->buffers > rx->tail - rx->parsed)
		return false;
	for (uint32_t i = 0; i < c->buffers; i++)
		len += came_at(rx, rx->parsed + i)->len;
	c->bad |= len < VTC__HDR_LEN + ETH_LEN || len > VTC__PACKET_MAX ||
		  c->buffers > VTC__SEGMENTS_MAX;
	rx->parsed += c->buffers;
	return true;
}

/* Look for packets until there is one. 0, or -EPROTO. */
static int fill(struct vtc__vhost_rx *rx, uint32_t max)
{
	int n = 0;

	do {
		if (rx->parsed - rx->head < max)
			n = collect(rx, max);
		while (rx->parsed != rx->tail && parse_one(rx))
			;
	} while (n > 0 && rx->parsed == rx->head);
	return rx->parsed == rx->head ? n : 0;
}

void vtc__vhost_rx_stop(struct vtc__vhost_rx *rx)
{
	if (!rx->vring)
		return;
	while (collect(rx, VTC__BURST_MAX) > 0)
		;
	while (rx->parsed != rx->tail && parse_one(rx))
		;
	/* Half a packet will never be a whole one. */
	rx->tail = rx->parsed;
	vtc_vring_free(rx->vring);
	rx->vring = NULL;
}

static unsigned int put_chain(const struct vtc__vhost_rx *rx, uint32_t at,
			      struct vtc_chain *chain, struct vtc_segment *segments)
{
	unsigned int n = came_at(rx, at)->buffers;

	*chain = (struct vtc_chain){ .segments = segments,
				     .readable = (uint16_t)n,
				     .id = at & rx->mask };
	for (unsigned int i = 0; i < n; i++) {
		const struct vtc__vhost_came *c = came_at(rx, at + i);

		segments[i].base = vtc__vhost_pool_at(rx->pool, rx->ring, c->id);
		segments[i].len = c->len;
		chain->readable_bytes += c->len;
	}
	return n;
}

int vtc__vhost_rx_take(struct vtc__vhost_rx *rx, struct vtc__burst *burst,
		       unsigned int max)
{
	unsigned int n = 0, segments = 0;
	int err = fill(rx, max);

	for (uint32_t at = rx->head; n < max && at != rx->parsed; n++) {
		const struct vtc__vhost_came *c = came_at(rx, at);

		if (c->bad || segments + c->buffers > VTC__SEGMENTS_MAX)
			break;
		at += put_chain(rx, at, &burst->chains[n], &burst->segments[segments]);
		segments += c->buffers;
	}
	return n ? (int)n : err;
}

unsigned int vtc__vhost_rx_bad(const struct vtc__vhost_rx *rx)
{
	unsigned int n = 0;

	for (uint32_t at = rx->head; at != rx->parsed && came_at(rx, at)->bad; n++)
		at += came_at(rx, at)->buffers;
	return n;
}

int vtc__vhost_rx_give_back(struct vtc__vhost_rx *rx, unsigned int used)
{
	uint32_t buffers = 0;

	while (used--)
		buffers += came_at(rx, rx->head + buffers)->buffers;
	return buffers ? recycle(rx, buffers) : 0;
}

bool vtc__vhost_rx_arm(struct vtc__vhost_rx *rx)
{
	return vtc__vhost_rx_empty(rx) && is_waiting(rx->vring);
}

/* ---- Transmitting ---- */

int vtc__vhost_tx_open(const struct vtc__vhost_pool *pool, uint32_t ring,
		       struct vtc__vhost_tx *tx)
{
	uint32_t size = pool->ring_size, room = power_of_two(size);

	*tx = (struct vtc__vhost_tx){ .pool = pool, .ring = ring, .mask = room - 1 };
	tx->slot = calloc(size, sizeof(*tx->slot));
	tx->sorted = calloc(size, sizeof(struct vtc__vhost_slot *));
	tx->free = calloc(room, sizeof(*tx->free));
	if (!tx->slot || !tx->sorted || !tx->free)
		return -ENOMEM;
	while (tx->tail < size) {
		tx->free[tx->tail] = tx->tail;
		tx->tail++;
	}
	return 0;
}

void vtc__vhost_tx_close(struct vtc__vhost_tx *tx)
{
	vtc_vring_free(tx->vring);
	free(tx->slot);
	free(tx->sorted);
	free(tx->free);
}

static void release(struct vtc__vhost_tx *tx, uint32_t id)
{
	tx->slot[id].seq = 0;
	for (uint32_t n = tx->slot[id].buffers; n; n--) {
		tx->free[tx->tail++ & tx->mask] = id;
		id = tx->slot[id].next;
	}
}

static int reap(struct vtc__vhost_tx *tx)
{
	struct vtc_done done[VTC__BURST_MAX];
	int n = tx->vring ? vtc_vring_reap(tx->vring, done, VTC__BURST_MAX) : 0;

	for (int i = 0; i < n; i++)
		release(tx, done[i].id);
	return n;
}

/* Add the packet that begins with a slot. Its buffers fit the batch: a burst's do. */
static void add_readable(struct vtc__vhost_tx *tx, struct batch *b, uint32_t *chains,
			 uint32_t id)
{
	struct vtc__vhost_slot *first = &tx->slot[id];

	b->add[(*chains)++] =
		(struct vtc_add){ &b->buffer[b->count], (uint16_t)first->buffers, 0, id };
	for (uint32_t n = first->buffers; n; n--) {
		b->buffer[b->count++] =
			vtc__vhost_pool_buffer(tx->pool, tx->ring, id, tx->slot[id].len);
		id = tx->slot[id].next;
	}
}

static int by_seq(const void *a, const void *b)
{
	const struct vtc__vhost_slot *const *x = a, *const *y = b;

	return (*x)->seq < (*y)->seq ? -1 : (*x)->seq > (*y)->seq;
}

static uint32_t sort_unfinished(struct vtc__vhost_tx *tx)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < tx->pool->ring_size; i++) {
		if (tx->slot[i].seq)
			tx->sorted[count++] = &tx->slot[i];
	}
	qsort(tx->sorted, count, sizeof(struct vtc__vhost_slot *), by_seq);
	return count;
}

int vtc__vhost_tx_start(struct vtc__vhost_tx *tx, struct vtc_vring *vring)
{
	uint32_t count = sort_unfinished(tx);

	tx->vring = vring;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t chains = 0;
		struct batch b;

		b.count = 0;
		add_readable(tx, &b, &chains, (uint32_t)(tx->sorted[i] - tx->slot));
		(void)vtc_vring_add(vring, b.add, chains);
	}
	return vtc_vring_kick(vring);
}

void vtc__vhost_tx_stop(struct vtc__vhost_tx *tx)
{
	while (reap(tx) > 0)
		;
	vtc_vring_free(tx->vring);
	tx->vring = NULL;
}

unsigned int vtc__vhost_tx_forget(struct vtc__vhost_tx *tx)
{
	uint32_t count = sort_unfinished(tx);

	for (uint32_t i = 0; i < count; i++)
		release(tx, (uint32_t)(tx->sorted[i] - tx->slot));
	return count;
}

int vtc__vhost_tx_reserve(struct vtc__vhost_tx *tx, struct vtc__burst *burst,
			  unsigned int max)
{
	uint32_t room = tx->pool->buffer_size, n;
	int err = 0;

	if (tx->tail - tx->head < max)
		err = reap(tx);
	tx->unused = tx->tail - tx->head;
	n = tx->vring ? lesser(tx->unused, max) : 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t id = tx->free[(tx->head + i) & tx->mask];

		burst->segments[i] =
			(struct vtc_segment){ vtc__vhost_pool_at(tx->pool, tx->ring, id),
					      room };
		burst->chains[i] = (struct vtc_chain){ .segments = &burst->segments[i],
						       .writable_bytes = room,
						       .writable = 1,
						       .id = id };
	}
	return err < 0 ? err : (int)n;
}

/*
 * A packet that takes many buffers says how many, as a received one does; to the backend
 * it must not. What it says is in the backend's reach, who can but spoil its own packets.
 */
static uint32_t take_buffers(struct vtc__vhost_tx *tx, uint32_t id, uint32_t left)
{
	uint8_t *p = vtc__vhost_pool_at(tx->pool, tx->ring, id) + AT_NUM_BUFFERS;
	uint32_t n = (uint32_t)p[0] | (uint32_t)p[1] << 8;

	p[0] = p[1] = 0;
	return n < 1 ? 1 : lesser(n, left);
}

/* Link the next reserved buffers to a packet; which is its first. */
static uint32_t link_packet(struct vtc__vhost_tx *tx, const struct vtc_done *done,
			    uint32_t left)
{
	uint32_t id = tx->free[tx->head & tx->mask], first = id;
	uint32_t n = take_buffers(tx, id, left);

	tx->slot[first].seq = ++tx->seq;
	tx->slot[first].buffers = n;
	for (uint32_t i = 0; i < n; i++) {
		tx->slot[id].len = done[i].len;
		tx->slot[id].next = tx->free[++tx->head & tx->mask];
		id = tx->slot[id].next;
	}
	return first;
}

int vtc__vhost_tx_commit(struct vtc__vhost_tx *tx, const struct vtc__burst *burst,
			 unsigned int used)
{
	uint32_t chains = 0;
	struct batch b;

	b.count = 0;
	tx->unused -= used;
	for (unsigned int i = 0; i < used;) {
		uint32_t id = link_packet(tx, &burst->done[i], used - i);

		add_readable(tx, &b, &chains, id);
		i += tx->slot[id].buffers;
	}
	if (!tx->vring || !chains)
		return 0;
	(void)vtc_vring_add(tx->vring, b.add, chains);
	return vtc_vring_kick(tx->vring);
}

/* What reserve() gave and commit() left did not suffice: is there more? */
bool vtc__vhost_tx_arm(struct vtc__vhost_tx *tx)
{
	if (!tx->vring)
		return true;
	(void)reap(tx);
	return tx->tail - tx->head <= tx->unused && is_waiting(tx->vring);
}
