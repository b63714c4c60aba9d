/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Our driver side against our device side, in every variant: each chain arrives once,
 * with its bytes, and comes back once, with its length; no notification is missed.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vring/vring.h"
#include "vtct.h"

#include <vtc/vtc.h>

/* Guest addresses; the data regions adjoin there, but not in memory. */
#define RING_ADDR   0x10000000ull
#define RING_LEN    (2u << 20)
#define TABLES_ADDR (RING_ADDR + RING_LEN)
#define TABLES_LEN  (1u << 20)
#define DATA_ADDR   0x40000000ull
#define AREA	    4096u
#define PARTS	    3 /* most buffers of a chain, each way */
#define PART	    (AREA / (2 * PARTS))
#define BURST	    40

#define PACKED	 1u
#define EVENT	 2u
#define ORDER	 4u
#define INDIRECT 8u
#define GENERIC	 16u
#define VARIANTS 32

/* ck_assert() takes notes even if all is well, which is too slow for bytes. */
#define CHECK(what)                                \
	do {                                       \
		if (!(what))                       \
			ck_abort_msg("%s", #what); \
	} while (0)

/* What the driver side put into a chain, found again by its area. */
struct expect {
	uint32_t readable, writable, written;
	uint32_t writable_len[PARTS];
	uint8_t seed;
	bool added, pulled;
};

static struct vtc_ctx *ctx;
static struct vtc_mem *mem;
static uint8_t *ring_memory, *data[2], *tables;
static struct vtc_vring *driver, *device;
static struct vtc_vring_opts opts;
static struct expect *expects;
static uint32_t areas, *free_areas, free_count, state;

static uint32_t rnd(uint32_t below)
{
	state = state * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)(state >> 8) * below) >> 24);
}

static void *pages(size_t len)
{
	void *p = NULL;

	if (posix_memalign(&p, 4096, len))
		vtct_die("memory is out");
	memset(p, 0xa5, len);
	return p;
}

static void add_region(uint64_t addr, void *base, uint64_t size)
{
	struct vtc_mem_region r = { .sz = sizeof(r),
				    .guest_addr = addr,
				    .size = size,
				    .base = base,
				    .fd = -1,
				    .perm = VTC_MEM_RW };

	ck_assert_errno(vtc_mem_add(mem, &r), 0);
}

/* The border is in the middle of an area, so chains there straddle it. */
static uint32_t border(void)
{
	return areas / 2 * AREA + AREA / 2 + 13;
}

static uint8_t *at(uint64_t addr)
{
	uint64_t off = addr - DATA_ADDR;

	return off < border() ? data[0] + off : data[1] + (off - border());
}

static void set_opts(unsigned int variant, uint32_t size)
{
	static const unsigned int bits[] = { VTC_VRING_F_PACKED, VTC_VRING_F_EVENT_IDX,
					     VTC_VRING_F_IN_ORDER, VTC_VRING_F_INDIRECT };

	opts = (struct vtc_vring_opts)VTC_VRING_OPTS_INIT;
	opts.size = size;
	opts.features[0] = 1ull << 32;
	for (unsigned int i = 0; i < 4; i++) {
		if (variant & 1u << i)
			opts.features[0] |= 1ull << bits[i];
	}
	opts.desc_addr = RING_ADDR;
	opts.driver_addr = RING_ADDR + (1u << 19) + (1u << 18);
	opts.device_addr = RING_ADDR + (1u << 20);
}

static void start(unsigned int variant, uint32_t size)
{
	areas = size + 5;
	state = variant * 7919 + size;
	expects = vtct_alloc(areas * sizeof(*expects));
	free_areas = vtct_alloc(areas * sizeof(*free_areas));
	memset(expects, 0, areas * sizeof(*expects));
	for (free_count = 0; free_count < areas; free_count++)
		free_areas[free_count] = free_count;

	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	ck_assert_errno(vtc_mem_new(ctx, &mem), 0);
	ring_memory = pages(RING_LEN);
	tables = pages(TABLES_LEN);
	data[0] = pages(border());
	data[1] = pages(areas * AREA - border());
	add_region(RING_ADDR, ring_memory, RING_LEN);
	add_region(TABLES_ADDR, tables, TABLES_LEN);
	add_region(DATA_ADDR, data[0], border());
	add_region(DATA_ADDR + border(), data[1], areas * AREA - border());

	set_opts(variant, size);
	ck_assert_errno(vtc_vring_new(ctx, mem, &opts, &device), 0);
	opts.role = VTC_VRING_DRIVER;
	if (variant & INDIRECT && size >= 4) {
		opts.indirect_addr = TABLES_ADDR;
		opts.indirect_len = 4;
	}
	ck_assert_errno(vtc_vring_new(ctx, mem, &opts, &driver), 0);
	if (variant & GENERIC)
		vtc__vring_set_generic(device);
}

static void stop(void)
{
	vtc_vring_free(driver);
	vtc_vring_free(device);
	mem = vtc_mem_unref(mem);
	ctx = vtc_ctx_unref(ctx);
	free(expects);
	free(free_areas);
	free(ring_memory);
	free(tables);
	free(data[0]);
	free(data[1]);
}

static uint8_t byte_of(const struct expect *e, uint32_t i)
{
	return (uint8_t)(e->seed + i * 7);
}

/* ---- Driver ---- */

static uint32_t make_buffers(uint32_t area, uint32_t first, uint32_t count,
			     struct vtc_buffer *buffers)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		buffers[i] =
			(struct vtc_buffer){ DATA_ADDR + area * AREA + (first + i) * PART,
					     1 + rnd(PART), 0 };
		sum += buffers[i].len;
	}
	return sum;
}

static void fill(struct expect *e, const struct vtc_buffer *buffers, uint32_t count)
{
	uint32_t n = 0;

	for (uint32_t b = 0; b < count; b++) {
		for (uint32_t i = 0; i < buffers[b].len; i++)
			*at(buffers[b].guest_addr + i) = byte_of(e, n++);
	}
}

static void make_chain(uint32_t area, struct vtc_buffer *buffers, struct vtc_add *add,
		       uint32_t seed)
{
	struct expect *e = &expects[area];
	uint32_t most = opts.size < 2 * PARTS ? opts.size / 2 : PARTS;
	uint32_t readable = rnd(most + 1), writable = rnd(most + 1);

	if (rnd(2) || readable + writable == 0) {
		readable = rnd(2);
		writable = 1 - readable;
	}
	CHECK(!e->added);
	*e = (struct expect){ .seed = (uint8_t)seed, .added = true };
	e->readable = make_buffers(area, 0, readable, buffers);
	e->writable = make_buffers(area, PARTS, writable, buffers + readable);
	for (uint32_t i = 0; i < writable; i++)
		e->writable_len[i] = buffers[readable + i].len;
	fill(e, buffers, readable);
	*add = (struct vtc_add){ buffers, (uint16_t)readable, (uint16_t)writable, area };
}

/* Offers up to count chains; what did not fit keeps its area. */
static uint32_t offer(uint32_t count, uint32_t seed)
{
	struct vtc_buffer buffers[BURST][2 * PARTS];
	struct vtc_add adds[BURST] = { { 0 } };
	uint32_t n = 0;
	int added;

	while (n < count && free_count) {
		make_chain(free_areas[--free_count], buffers[n], &adds[n], seed + n);
		n++;
	}
	added = vtc_vring_add(driver, adds, n);
	CHECK(added >= 0);
	for (uint32_t i = n; i-- > (uint32_t)added;) {
		expects[adds[i].id].added = false;
		free_areas[free_count++] = adds[i].id;
	}
	return (uint32_t)added;
}

static void take_back(const struct vtc_done *done)
{
	struct expect *e;

	CHECK(done->id < areas);
	e = &expects[done->id];
	CHECK(e->added && e->pulled);
	CHECK(done->len == e->written);
	for (uint32_t p = 0, n = 0; p < PARTS; p++) {
		uint64_t addr = DATA_ADDR + done->id * AREA + (PARTS + p) * PART;

		for (uint32_t i = 0; i < e->writable_len[p] && n < done->len; i++)
			CHECK(*at(addr + i) == byte_of(e, n++));
	}
	e->added = e->pulled = false;
	free_areas[free_count++] = done->id;
}

static uint32_t take_all_back(uint32_t max)
{
	struct vtc_done done[BURST];
	int n = vtc_vring_reap(driver, done, max);

	if (n < 0)
		ck_abort_msg("reap: %s", vtc_vring_get_error(driver));
	for (int i = 0; i < n; i++)
		take_back(&done[i]);
	return (uint32_t)n;
}

/* ---- Device ---- */

static uint32_t area_of(const struct vtc_chain *c)
{
	const uint8_t *p = c->segments[0].base;
	uint64_t off = p >= data[0] && p < data[0] + border()
			       ? (uint64_t)(p - data[0])
			       : (uint64_t)(p - data[1]) + border();

	return (uint32_t)(off / AREA);
}

static void check_readable(const struct vtc_chain *c, const struct expect *e)
{
	uint32_t n = 0;

	CHECK(c->readable_bytes == e->readable);
	for (unsigned int s = 0; s < c->readable; s++) {
		const uint8_t *p = c->segments[s].base;

		for (size_t i = 0; i < c->segments[s].len; i++)
			CHECK(p[i] == byte_of(e, n++));
	}
	CHECK(n == e->readable);
}

static void write_some(const struct vtc_chain *c, struct expect *e)
{
	unsigned int s = c->readable;
	uint32_t n = 0;
	size_t i = 0;

	CHECK(c->writable_bytes == e->writable);
	e->written = rnd(2) ? e->writable : rnd(e->writable + 1);
	for (; n < e->written; n++) {
		if (i == c->segments[s].len) {
			s++;
			i = 0;
		}
		((uint8_t *)c->segments[s].base)[i++] = byte_of(e, n);
	}
}

struct held {
	struct vtc_done done[70000];
	uint32_t count;
};

static uint32_t work(struct held *held, uint32_t max)
{
	struct vtc_chain chains[BURST];
	struct vtc_segment segments[BURST * 2];
	int n = vtc_vring_pull(device, chains, max, segments,
			       2 * max < 13 ? 13 : 2 * max);
	unsigned int back = 0;

	if (n < 0)
		ck_abort_msg("pull: %s", vtc_vring_get_error(device));
	if (n && !rnd(4)) {
		back = rnd((uint32_t)n + 1);
		CHECK(vtc_vring_unpull(device, back) == 0);
	}
	for (int i = 0; i < n - (int)back; i++) {
		uint32_t area = area_of(&chains[i]);
		struct expect *e = &expects[area];

		CHECK(area < areas);
		CHECK(e->added && !e->pulled);
		e->pulled = true;
		check_readable(&chains[i], e);
		write_some(&chains[i], e);
		held->done[held->count++] = (struct vtc_done){ chains[i].id, e->written };
	}
	return (uint32_t)n;
}

static void shuffle(struct held *held)
{
	for (uint32_t i = held->count; i > 1; i--) {
		uint32_t j = rnd(i);
		struct vtc_done d = held->done[i - 1];

		held->done[i - 1] = held->done[j];
		held->done[j] = d;
	}
}

static int give_back(struct held *held, uint32_t count, bool in_order)
{
	if (count > held->count)
		count = held->count;
	if (!in_order)
		shuffle(held);
	CHECK(vtc_vring_push(device, held->done, count) == 0);
	held->count -= count;
	memmove(held->done, held->done + count, held->count * sizeof(held->done[0]));
	return vtc_vring_flush(device);
}

/* ---- Both ---- */

static uint32_t burst(void)
{
	return 1 + rnd(rnd(2) ? BURST : 3);
}

static void pass(unsigned int variant, uint32_t total)
{
	struct held *held = vtct_alloc(sizeof(*held));
	bool device_waits = false, driver_waits = false;
	uint32_t offered = 0, back = 0;

	held->count = 0;
	while (offered < total || back < offered) {
		uint32_t added = offered < total ? offer(burst(), offered) : 0, got;
		int kick = vtc_vring_kick(driver), call;

		offered += added;
		CHECK(kick >= 0);
		if (device_waits && added)
			CHECK(kick == 1);
		device_waits = false;
		got = work(held, burst());
		if (!got && held->count == 0) {
			int wait = vtc_vring_needs_poll(device);

			CHECK(wait >= 0);
			device_waits = wait;
		}
		got = held->count;
		call = give_back(held, burst(), variant & ORDER);
		CHECK(call >= 0);
		if (driver_waits && got)
			CHECK(call == 1);
		driver_waits = false;
		got = take_all_back(burst());
		back += got;
		if (!got)
			driver_waits = vtc_vring_needs_poll(driver);
	}
	ck_assert_uint_eq(free_count, areas);
	free(held);
}

static const uint32_t sizes[] = { 1, 2, 4, 16, 256, 7, 100 };
#define SIZES 7

START_TEST(chains_come_and_go)
{
	unsigned int variant = (unsigned int)_i % VARIANTS;
	uint32_t size = sizes[_i / VARIANTS];

	if (!(variant & PACKED) && size & (size - 1))
		return;
	start(variant, size);
	pass(variant, size == 16 ? 70000 : 5000);
	stop();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ring");
	TCase *tc = tcase_create("pass");

	tcase_add_loop_test(tc, chains_come_and_go, 0, VARIANTS * SIZES);
	tcase_set_timeout(tc, 120);
	suite_add_tcase(s, tc);
	return vtct_main(s, NULL);
}
