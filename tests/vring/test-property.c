/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Our driver side against our device side, at random: all features, sizes and bursts;
 * chains that straddle regions; indices that wrap; chains given back, returned out of
 * order, and taken over by a successor. Whatever happens, each chain arrives once, in
 * order, with its bytes, and comes back once with its length.
 *
 * Random numbers come from a seed that is fixed for each case; a failure names it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <vtc/vtc.h>

#include "vring/vring.h"
#include "vtct.h"

/* Guest addresses. The data regions adjoin there, but not in memory. */
#define RING	 0x10000000ull
#define DRIVER	 (RING + (1u << 19) + (1u << 18))
#define DEVICE	 (RING + (1u << 20))
#define RING_LEN (2u << 20)
#define TABLES	 0x20000000ull
#define DATA	 0x40000000ull
#define AREA	 256u /* of a chain: first half readable, second half writable */
#define HALF	 (AREA / 2)
#define PARTS	 4 /* most buffers of a chain, each way */
#define REGIONS	 40
#define BURST	 300
#define PIECES	 (BURST * 3)

#define PACKED	 1u
#define EVENT	 2u
#define ORDER	 4u
#define INDIRECT 8u
#define VARIANTS 16

struct chain {
	uint32_t readable, writable, written, seed;
	struct vtc_buffer buffers[2 * PARTS];
	uint16_t count[2];
	bool added, pulled;
};

static const uint32_t sizes[] = { 1, 2, 4, 8, 256, 32768, 3, 5, 7, 100, 1001 };
static const uint32_t bursts[] = { 1, 3, 32, BURST };
#define SIZES  11
#define BURSTS 4

static struct vtc_ctx *ctx;
static struct vtc_mem *mem;
static struct vtc_vring *driver, *device;
static uint8_t *ring_memory, *tables, *data[REGIONS];
static unsigned int variant, regions;
static uint32_t size, burst, areas, total, state, seed;

static struct chain *chains;
static uint32_t *idle, idle_count;	 /* areas that no chain uses */
static uint32_t *queue;			 /* areas in the order of adding, modulo areas */
static uint32_t added, pulled, returned; /* counts; places in that queue */
static uint32_t *held,
	held_count;   /* areas that the device side has pulled, oldest first */
static uint32_t *ids; /* by area */

#define CHECK(what)                                                                      \
	do {                                                                             \
		if (!(what))                                                             \
			ck_abort_msg(                                                    \
				"%s (variant %u, size %u, burst %u, seed %u, chain %u; " \
				"%s, %s)",                                               \
				#what, variant, size, burst, seed, added,                \
				vtc_vring_get_error(driver),                             \
				vtc_vring_get_error(device));                            \
	} while (0)

static uint32_t rnd(uint32_t below)
{
	state = state * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)(state >> 8) * below) >> 24);
}

/* ---- Memory ---- */

static uint8_t *pages(size_t len)
{
	void *p = NULL;

	if (posix_memalign(&p, 4096, len))
		vtct_die("memory is out");
	memset(p, 0xa5, len);
	return p;
}

/* Regions end in the middle of areas, at odd places. */
static uint32_t border(unsigned int i)
{
	if (i == 0)
		return 0;
	return i == regions ? areas * AREA
			    : areas * i / regions * AREA + 3 + 41 * i % 240;
}

static unsigned int region_of(uint32_t off)
{
	unsigned int low = 0, high = regions;

	while (high - low > 1) {
		unsigned int mid = (low + high) / 2;

		if (border(mid) <= off)
			low = mid;
		else
			high = mid;
	}
	return low;
}

static uint8_t *at(uint64_t addr)
{
	uint32_t off = (uint32_t)(addr - DATA);
	unsigned int r = region_of(off);

	return data[r] + (off - border(r));
}

static void add_region(uint64_t addr, uint64_t len, void *base)
{
	struct vtc_mem_region r = { .sz = sizeof(r),
				    .guest_addr = addr,
				    .size = len,
				    .base = base,
				    .fd = -1,
				    .perm = VTC_MEM_RW };

	ck_assert_errno(vtc_mem_add(mem, &r), 0);
}

static void make_memory(void)
{
	uint32_t tables_len = size * PARTS * 16;

	ring_memory = pages(RING_LEN);
	tables = pages(tables_len);
	add_region(RING, RING_LEN, ring_memory);
	add_region(TABLES, tables_len, tables);
	for (unsigned int i = 0; i < regions; i++) {
		uint32_t len = border(i + 1) - border(i);

		data[i] = pages(len);
		add_region(DATA + border(i), len, data[i]);
	}
}

/* ---- Rings ---- */

static struct vtc_vring *make_ring(uint32_t role, const struct vtc_vring_state *s)
{
	static const unsigned int bits[] = { VTC_VRING_F_PACKED, VTC_VRING_F_EVENT_IDX,
					     VTC_VRING_F_IN_ORDER, VTC_VRING_F_INDIRECT };
	struct vtc_vring_opts o = VTC_VRING_OPTS_INIT;
	struct vtc_vring *ring = NULL;

	o.role = role;
	o.size = size;
	for (unsigned int i = 0; i < 4; i++)
		o.features[0] |= variant >> i & 1 ? 1ull << bits[i] : 0;
	o.desc_addr = RING;
	o.driver_addr = DRIVER;
	o.device_addr = DEVICE;
	o.state = *s;
	if (role == VTC_VRING_DRIVER && variant & INDIRECT && size >= PARTS) {
		o.indirect_addr = TABLES;
		o.indirect_len = PARTS;
	}
	ck_assert_errno(vtc_vring_new(ctx, mem, &o, &ring), 0);
	return ring;
}

/* A split ring that has been in use for long: its indices are about to wrap. */
static void make_rings(void)
{
	struct vtc_vring_state s = { 0, 0, 0, 0, 0 };

	memset(ring_memory, 0, RING_LEN);
	if (!(variant & PACKED) && total < 65536) {
		s.avail = s.used = (uint16_t)(0u - total / 2);
		vtc__store16(ring_memory + (DRIVER - RING) + 2, s.avail,
			     __ATOMIC_RELAXED);
		vtc__store16(ring_memory + (DEVICE - RING) + 2, s.used, __ATOMIC_RELAXED);
	}
	driver = make_ring(VTC_VRING_DRIVER, &s);
	device = make_ring(VTC_VRING_DEVICE, &s);
}

static void start(void)
{
	areas = size + 3;
	regions = areas < REGIONS ? areas : REGIONS;
	state = seed;
	added = pulled = returned = held_count = 0;
	chains = vtct_alloc(areas * sizeof(*chains));
	idle = vtct_alloc(areas * sizeof(*idle));
	queue = vtct_alloc(areas * sizeof(*queue));
	held = vtct_alloc(areas * sizeof(*held));
	ids = vtct_alloc(areas * sizeof(*ids));
	for (idle_count = 0; idle_count < areas; idle_count++)
		idle[idle_count] = idle_count;
	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	ck_assert_errno(vtc_mem_new(ctx, &mem), 0);
	make_memory();
	make_rings();
}

static void stop(void)
{
	vtc_vring_free(driver);
	vtc_vring_free(device);
	mem = vtc_mem_unref(mem);
	ctx = vtc_ctx_unref(ctx);
	for (unsigned int i = 0; i < regions; i++)
		free(data[i]);
	free(ring_memory);
	free(tables);
	free(chains);
	free(idle);
	free(queue);
	free(held);
	free(ids);
}

/* ---- Driver ---- */

static uint8_t byte_of(const struct chain *c, uint32_t i)
{
	return (uint8_t)(c->seed + i * 7 + (i >> 5));
}

/* One after the other in its half, with and without gaps. */
static uint32_t make_buffers(struct vtc_buffer *b, uint32_t count, uint64_t addr)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t gap = rnd(4), most = HALF / count - 3;

		b[i] = (struct vtc_buffer){ addr + gap, rnd(8) ? 1 + rnd(most / 4) : most,
					    0 };
		addr += gap + b[i].len;
		sum += b[i].len;
	}
	return sum;
}

static void make_chain(uint32_t area, struct vtc_add *add)
{
	uint32_t most = size < 2 * PARTS ? size / 2 : PARTS;
	uint64_t addr = DATA + area * AREA;
	struct chain *c = &chains[area];

	CHECK(!c->added);
	*c = (struct chain){ .seed = rnd(256), .added = true };
	c->count[0] = (uint16_t)rnd(most + 1);
	c->count[1] = (uint16_t)rnd(most + 1);
	if (rnd(2) || c->count[0] + c->count[1] == 0) {
		c->count[0] = (uint16_t)rnd(2);
		c->count[1] = 1 - c->count[0];
	}
	c->readable = make_buffers(c->buffers, c->count[0], addr);
	c->writable = make_buffers(c->buffers + c->count[0], c->count[1], addr + HALF);
	for (uint32_t i = 0, n = 0; i < c->count[0]; i++) {
		for (uint32_t j = 0; j < c->buffers[i].len; j++)
			*at(c->buffers[i].guest_addr + j) = byte_of(c, n++);
	}
	*add = (struct vtc_add){ c->buffers, c->count[0], c->count[1], area };
}

/* Returns how many fitted. */
static uint32_t offer(uint32_t count)
{
	struct vtc_add adds[BURST];
	uint32_t n = 0;
	int got;

	for (; n < count && idle_count; n++)
		make_chain(idle[--idle_count], &adds[n]);
	got = n ? vtc_vring_add(driver, adds, n) : 0;
	CHECK(got >= 0);
	for (uint32_t i = 0; i < (uint32_t)got; i++)
		queue[added++ % areas] = adds[i].id;
	while (n-- > (uint32_t)got) {
		chains[adds[n].id].added = false;
		idle[idle_count++] = adds[n].id;
	}
	return (uint32_t)got;
}

static void take_back(const struct vtc_done *done)
{
	struct chain *c = &chains[done->id];

	CHECK(done->id < areas);
	CHECK(c->added && c->pulled && done->len == c->written);
	if (variant & ORDER)
		CHECK(queue[returned % areas] == done->id);
	for (uint32_t i = 0, n = 0; i < c->count[1] && n < done->len; i++) {
		const struct vtc_buffer *b = &c->buffers[c->count[0] + i];

		for (uint32_t j = 0; j < b->len && n < done->len; j++)
			CHECK(*at(b->guest_addr + j) == byte_of(c, n++));
	}
	c->added = c->pulled = false;
	idle[idle_count++] = done->id;
	returned++;
}

static uint32_t take_all_back(uint32_t max)
{
	struct vtc_done done[BURST];
	int n = vtc_vring_reap(driver, done, max);

	CHECK(n >= 0 && n <= (int)max);
	for (int i = 0; i < n; i++)
		take_back(&done[i]);
	return (uint32_t)n;
}

/* ---- Device ---- */

static void check_readable(const struct vtc_chain *c, const struct chain *want)
{
	uint32_t n = 0;

	CHECK(c->readable_bytes == want->readable && c->writable_bytes == want->writable);
	for (unsigned int s = 0; s < c->readable; s++) {
		const uint8_t *p = c->segments[s].base;

		for (size_t i = 0; i < c->segments[s].len; i++)
			CHECK(p[i] == byte_of(want, n++));
	}
	CHECK(n == want->readable);
}

static void write_some(const struct vtc_chain *c, struct chain *want)
{
	const struct vtc_segment *s = &c->segments[c->readable];
	size_t i = 0;

	want->written = rnd(2) ? want->writable : rnd(want->writable + 1);
	for (uint32_t n = 0; n < want->written; n++, i++) {
		for (; i == s->len; s++)
			i = 0;
		((uint8_t *)s->base)[i] = byte_of(want, n);
	}
}

static void work_on(const struct vtc_chain *c)
{
	uint32_t area = queue[pulled++ % areas];
	struct chain *want = &chains[area];

	CHECK(want->added && !want->pulled);
	CHECK(c->segments[0].base ==
	      at(want->buffers[0].guest_addr)); /* of the oldest not pulled */
	want->pulled = true;
	check_readable(c, want);
	write_some(c, want);
	ids[area] = c->id;
	held[held_count++] = area;
}

/* Takes chains, and gives some of them back untouched. */
static uint32_t work(uint32_t max)
{
	struct vtc_chain got[BURST];
	struct vtc_segment pieces[PIECES];
	unsigned int room =
		4 * PARTS + rnd(max * 3 < PIECES ? max * 3 : PIECES - 4 * PARTS);
	int n = vtc_vring_pull(device, got, max, pieces, room < PIECES ? room : PIECES);
	uint32_t back = 0;

	CHECK(n >= 0 && n <= (int)max);
	if (n && !rnd(4)) {
		back = rnd((uint32_t)n + 1);
		CHECK(vtc_vring_unpull(device, back) == 0);
	}
	CHECK(vtc_vring_unpull(device, areas + 1) == -EINVAL);
	for (int i = 0; i < n - (int)back; i++)
		work_on(&got[i]);
	return (uint32_t)n;
}

/* Without IN_ORDER, any of those held. */
static struct vtc_done choose(void)
{
	uint32_t i = variant & ORDER ? 0 : rnd(held_count < 8 ? held_count : 8),
		 area = held[i];

	held_count--;
	memmove(&held[i], &held[i + 1], (held_count - i) * sizeof(*held));
	return (struct vtc_done){ ids[area], chains[area].written };
}

static int give_back(uint32_t count)
{
	struct vtc_done done[BURST];
	uint32_t n = 0;

	while (n < count && held_count)
		done[n++] = choose();
	CHECK(vtc_vring_push(device, done, n) == 0);
	return rnd(4) ? vtc_vring_flush(device) : 0;
}

/* ---- Successors ---- */

static void check_in_flight(const uint32_t *got, int n)
{
	CHECK(n == (int)held_count);
	for (uint32_t i = 0; i < held_count; i++)
		CHECK(got[i] == ids[held[i]]);
}

/* What the old device side held is pulled again: before anything new, oldest first. */
static void forget_held(void)
{
	uint32_t *rest = vtct_alloc((areas + 1) * sizeof(*rest)), n = 0;

	for (uint32_t i = pulled; i != added; i++)
		rest[n++] = queue[i % areas];
	pulled -= held_count;
	for (uint32_t i = 0; i < held_count; i++) {
		chains[held[i]].pulled = false;
		queue[(pulled + i) % areas] = held[i];
	}
	for (uint32_t i = 0; i < n; i++)
		queue[(pulled + held_count + i) % areas] = rest[i];
	held_count = 0;
	free(rest);
}

static void replace_device(void)
{
	struct vtc_vring_state s;
	uint32_t *got;
	int n;

	while (held_count && (variant & (PACKED | ORDER)) == PACKED)
		CHECK(give_back(BURST) >= 0);
	CHECK(vtc_vring_flush(device) >= 0);
	got = vtct_alloc(areas * sizeof(*got));
	n = vtc_vring_get_in_flight(device, got, areas);
	check_in_flight(got, n);
	CHECK(vtc_vring_get_state(device, &s) == 0);
	vtc_vring_free(device);
	device = make_ring(VTC_VRING_DEVICE, &s);
	if (n)
		CHECK(vtc_vring_resubmit(device, got, (unsigned int)n) == 0);
	forget_held();
	free(got);
}

/* The driver side can only be replaced, or the queue be reset, with nothing in flight. */
static void replace_driver(void)
{
	struct vtc_vring_state s;

	if (rnd(2)) {
		CHECK(vtc_vring_reset(device) == 0);
		CHECK(vtc_vring_reset(driver) == 0);
		memset(ring_memory + (DEVICE - RING), 0, 4);
		return;
	}
	CHECK(vtc_vring_get_state(driver, &s) == 0);
	vtc_vring_free(driver);
	driver = make_ring(VTC_VRING_DRIVER, &s);
}

/* ---- All together ---- */

static void fill_up(void)
{
	while (offer(burst))
		;
}

static void round_of(bool *device_waits, bool *driver_waits)
{
	uint32_t before = added, got;
	int kick, call;

	if (added < total && !rnd(64))
		fill_up();
	else if (added < total)
		(void)offer(1 + rnd(burst));
	kick = vtc_vring_kick(driver);
	CHECK(kick >= 0);
	CHECK(!*device_waits || added == before || kick == 1);
	got = work(1 + rnd(burst));
	*device_waits = !got && vtc_vring_needs_poll(device);
	got = held_count;
	call = give_back(1 + rnd(burst));
	CHECK(call >= 0);
	got = take_all_back(1 + rnd(burst));
	CHECK(!*driver_waits || !got || call == 1);
	*driver_waits = !got && vtc_vring_needs_poll(driver);
}

static void run(void)
{
	bool device_waits = false, driver_waits = false;
	uint32_t rounds = 0;

	start();
	while (added < total || returned < added) {
		CHECK(rounds++ < 100 * (total + size)); /* else a chain got lost */
		round_of(&device_waits, &driver_waits);
		if (!rnd(size > 256 ? 500 : 250)) {
			replace_device();
			device_waits = driver_waits = false;
		}
		if (added == returned && !rnd(16)) {
			replace_driver();
			device_waits = driver_waits = false;
		}
	}
	CHECK(idle_count == areas && held_count == 0);
	CHECK(vtc_vring_needs_poll(driver) == 1 && vtc_vring_needs_poll(device) == 1);
	stop();
}

START_TEST(every_chain_is_accounted_for)
{
	variant = (unsigned int)_i % VARIANTS;
	size = sizes[_i / VARIANTS];
	if (!(variant & PACKED) && size & (size - 1))
		return; /* split sizes are powers of two */
	for (unsigned int i = 0; i < BURSTS; i++) {
		burst = bursts[i];
		total = size > 1001  ? (burst < 32 ? 100 : 34000)
			: burst == 1 ? 500
				     : 2500;
		seed = (unsigned int)_i * 7919 + i;
		run();
	}
}
END_TEST

START_TEST(all_indices_are_gone_through)
{
	variant = (unsigned int)_i;
	size = 8;
	burst = 32;
	total = 70000;
	seed = variant;
	run();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("property");
	TCase *tc = tcase_create("property");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, every_chain_is_accounted_for, 0, VARIANTS * SIZES);
	tcase_add_loop_test(tc, all_indices_are_gone_through, 0, VARIANTS);
	suite_add_tcase(s, tc);
	return vtct_main(s, NULL);
}
