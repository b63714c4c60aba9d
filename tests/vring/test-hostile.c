/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A peer that breaks the rules, one rule a test: its own ring breaks, with the reason in
 * words, and stays untouched from then on; a neighbour on the same memory goes on; the
 * process lives.
 *
 * The test writes the peer's part of the ring by hand. Most rules are the same for split
 * and packed rings: such a test runs for both, and _i says which it is.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <vtc/vtc.h>

#include "vring/vring.h"
#include "vtct.h"

#define SIZE   8u
#define PAGE   4096u
#define ROUNDS 20000

/*
 * Guest addresses. The two last regions may only be read, only be written by the device.
 */
#define RING	  0x100000u
#define DRIVER	  (RING + 0x1000)
#define DEVICE	  (RING + 0x2000)
#define TABLE	  (RING + 0x3000)
#define NEIGHBOUR (RING + 0x4000)
#define RING_LEN  0x8000u
#define DATA	  0x200000u
#define DATA_LEN  (4 * PAGE)
#define READABLE  0x300000u
#define WRITABLE  0x400000u
#define NOWHERE	  0x900000u

#define NEXT	 VTC__NEXT
#define WRITE	 VTC__WRITE
#define INDIRECT VTC__INDIRECT

struct desc {
	uint64_t addr;
	uint32_t len;
	unsigned int flags;
	uint16_t next; /* split; packed: the buffer id */
};

static struct vtc_ctx *ctx;
static struct vtc_mem *mem;
static uint8_t *ring_memory, *data, *readable, *writable;
static struct vtc_vring *v, *near_driver, *near_device;
static struct vtc_chain chains[2 * SIZE];
static struct vtc_segment segments[4 * SIZE];
static struct vtc_done done[2 * SIZE];
static bool packed;

static uint8_t *pages(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);

	if (p == MAP_FAILED)
		vtct_die("memory is out");
	return p;
}

static void add_region(uint64_t addr, uint64_t len, void *base, uint32_t perm)
{
	struct vtc_mem_region r = { .sz = sizeof(r),
				    .guest_addr = addr,
				    .size = len,
				    .base = base,
				    .fd = -1,
				    .perm = perm };

	ck_assert_errno(vtc_mem_add(mem, &r), 0);
}

static struct vtc_vring *make(uint32_t role, uint64_t addr, uint32_t size,
			      uint64_t features)
{
	struct vtc_vring_opts o = VTC_VRING_OPTS_INIT;
	struct vtc_vring *new = NULL;

	o.role = role;
	o.size = size;
	o.features[0] = features | (packed ? 1ull << VTC_VRING_F_PACKED : 0);
	o.desc_addr = addr;
	o.driver_addr = addr + (DRIVER - RING);
	o.device_addr = addr + (DEVICE - RING);
	ck_assert_errno(vtc_vring_new(ctx, mem, &o, &new), 0);
	return new;
}

/* The ring under test, in its role; the test is the other side. */
static void start(bool is_packed, uint32_t role, uint64_t features)
{
	packed = is_packed;
	near_driver = make(VTC_VRING_DRIVER, NEIGHBOUR, SIZE, 0);
	near_device = make(VTC_VRING_DEVICE, NEIGHBOUR, SIZE, 0);
	v = make(role, RING, SIZE, features);
}

static void start_device(bool is_packed)
{
	start(is_packed, VTC_VRING_DEVICE, 1ull << VTC_VRING_F_INDIRECT);
}

static void setup(void)
{
	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	ck_assert_errno(vtc_mem_new(ctx, &mem), 0);
	ring_memory = pages(RING_LEN);
	data = pages(DATA_LEN);
	readable = pages(PAGE);
	writable = pages(PAGE);
	add_region(RING, RING_LEN, ring_memory, VTC_MEM_RW);
	add_region(DATA, DATA_LEN, data, VTC_MEM_RW);
	add_region(READABLE, PAGE, readable, VTC_MEM_READ);
	add_region(WRITABLE, PAGE, writable, VTC_MEM_WRITE);
}

static void teardown(void)
{
	vtc_vring_free(v);
	vtc_vring_free(near_driver);
	vtc_vring_free(near_device);
	/* Not every test makes rings, and without fork the next one finds them here. */
	v = near_driver = near_device = NULL;
	mem = vtc_mem_unref(mem);
	ctx = vtc_ctx_unref(ctx);
	munmap(ring_memory, RING_LEN);
	munmap(data, DATA_LEN);
	munmap(readable, PAGE);
	munmap(writable, PAGE);
}

static void *at(uint64_t addr)
{
	return ring_memory + (addr - RING);
}

static void set16(uint64_t addr, uint16_t value)
{
	vtc__store16(at(addr), value, __ATOMIC_RELEASE);
}

static void set64(uint64_t addr, uint64_t value)
{
	vtc__store64(at(addr), value, __ATOMIC_RELEASE);
}

/* ---- The driver's part, by hand ---- */

static uint64_t desc_word(const struct desc *d, unsigned int wrap_flags)
{
	if (packed)
		return (uint64_t)(d->flags | wrap_flags) << 48 | (uint64_t)d->next << 32 |
		       d->len;
	return (uint64_t)d->next << 48 | (uint64_t)d->flags << 32 | d->len;
}

static void put_desc_as(unsigned int slot, const struct desc *d, unsigned int wrap_flags)
{
	set64(RING + slot * 16, d->addr);
	set64(RING + slot * 16 + 8, desc_word(d, wrap_flags));
}

static void put_desc(unsigned int slot, const struct desc *d)
{
	put_desc_as(slot, d, VTC__AVAIL);
}

static void put_table(const struct desc *d, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		set64(TABLE + i * 16, d[i].addr);
		set64(TABLE + i * 16 + 8, desc_word(&d[i], 0));
	}
}

static void show(uint16_t index, uint16_t head)
{
	if (packed)
		return;
	set16(DRIVER + 4 + index % SIZE * 2, head);
	set16(DRIVER + 2, (uint16_t)(index + 1));
}

/* A chain from descriptor 0 on, the first that is available. */
static void offer(const struct desc *d, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		put_desc(i, &d[i]);
	show(0, 0);
}

static void offer_table(uint64_t addr, uint32_t len)
{
	offer(&(struct desc){ addr, len, INDIRECT, 0 }, 1);
}

/* A good chain of one, as the n-th available. */
static void offer_good(uint16_t n, uint16_t id)
{
	put_desc(packed ? n % SIZE : id, &(struct desc){ DATA, 100, 0, packed ? id : 0 });
	show(n, id);
}

/* ---- What must be ---- */

static int pull(void)
{
	return vtc_vring_pull(v, chains, 2 * SIZE, segments, 4 * SIZE);
}

static int reap(void)
{
	return vtc_vring_reap(v, done, 2 * SIZE);
}

static void neighbour_goes_on(void)
{
	struct vtc_buffer b = { DATA, 100, 0 };
	struct vtc_add add = { &b, 0, 1, 77 };

	ck_assert_errno(vtc_vring_add(near_driver, &add, 1), 1);
	ck_assert_int_ge(vtc_vring_kick(near_driver), 0);
	ck_assert_errno(vtc_vring_pull(near_device, chains, 1, segments, 1), 1);
	ck_assert_ptr_eq(segments[0].base, data);
	done[0] = (struct vtc_done){ chains[0].id, 42 };
	ck_assert_errno(vtc_vring_push(near_device, done, 1), 0);
	ck_assert_int_ge(vtc_vring_flush(near_device), 0);
	ck_assert_errno(vtc_vring_reap(near_driver, done, 1), 1);
	ck_assert_uint_eq(done[0].id, 77);
	ck_assert_uint_eq(done[0].len, 42);
	ck_assert_ptr_null(vtc_vring_get_error(near_device));
}

static void all_calls_refuse(void)
{
	struct vtc_buffer b = { DATA, 1, 0 };
	struct vtc_add add = { &b, 1, 0, 0 };

	ck_assert_errno(vtc_vring_needs_poll(v), -EPROTO);
	if (v->opts.role == VTC_VRING_DEVICE) {
		ck_assert_errno(pull(), -EPROTO);
		ck_assert_errno(vtc_vring_unpull(v, 0), -EPROTO);
		ck_assert_errno(vtc_vring_push(v, done, 1), -EPROTO);
		ck_assert_errno(vtc_vring_flush(v), -EPROTO);
	} else {
		ck_assert_errno(reap(), -EPROTO);
		ck_assert_errno(vtc_vring_add(v, &add, 1), -EPROTO);
		ck_assert_errno(vtc_vring_kick(v), -EPROTO);
	}
}

/* The call said -EPROTO: the reason, and that this was the end of it. */
static void broken(const char *reason)
{
	uint8_t *before = vtct_alloc(NEIGHBOUR - RING);

	ck_assert_ptr_nonnull(vtc_vring_get_error(v));
	ck_assert_str_eq(vtc_vring_get_error(v), reason);
	memcpy(before, ring_memory, NEIGHBOUR - RING);
	all_calls_refuse();
	ck_assert_str_eq(vtc_vring_get_error(v), reason);
	ck_assert_mem_eq(before, ring_memory, NEIGHBOUR - RING);
	neighbour_goes_on();
	free(before);
}

static void pull_breaks(const char *reason)
{
	ck_assert_errno(pull(), -EPROTO);
	broken(reason);
}

static void reap_breaks(const char *reason)
{
	ck_assert_errno(reap(), -EPROTO);
	broken(reason);
}

/* ---- Chains ---- */

START_TEST(a_chain_that_is_a_loop)
{
	struct desc d[SIZE];

	start_device(_i);
	for (unsigned int i = 0; i < SIZE; i++)
		d[i] = (struct desc){ DATA, 1, NEXT, _i ? 0 : (uint16_t)(i + 1) % SIZE };
	offer(d, SIZE);
	pull_breaks(_i ? "a chain is longer than the ring's free part, or a loop"
		       : "a chain is longer than the ring, or a loop");
}
END_TEST

START_TEST(a_descriptor_that_follows_itself)
{
	start_device(false);
	offer(&(struct desc){ DATA, 1, NEXT, 0 }, 1);
	pull_breaks("a chain is longer than the ring, or a loop");
}
END_TEST

START_TEST(a_loop_in_a_table)
{
	struct desc d[2] = { { DATA, 1, NEXT, 1 }, { DATA, 1, NEXT, 0 } };

	start_device(false);
	put_table(d, 2);
	offer_table(TABLE, 32);
	pull_breaks("a chain is longer than the ring, or a loop");
}
END_TEST

START_TEST(a_chain_over_descriptors_in_flight)
{
	struct desc d = { DATA, 1, NEXT, 3 };

	start_device(true);
	offer_good(0, 1);
	ck_assert_errno(pull(), 1);
	for (unsigned int i = 1; i < SIZE; i++)
		put_desc(i, &d);
	pull_breaks("a chain is longer than the ring's free part, or a loop");
}
END_TEST

START_TEST(a_next_outside_the_ring)
{
	static const uint16_t nexts[] = { SIZE, SIZE + 1, 0x7fff, 0xffff };

	start_device(false);
	offer(&(struct desc){ DATA, 1, NEXT, nexts[_i] }, 1);
	pull_breaks("a next descriptor is outside the ring");
}
END_TEST

START_TEST(a_next_outside_its_table)
{
	struct desc d[2] = { { DATA, 1, NEXT, 2 }, { DATA, 1, 0, 0 } };

	start_device(false);
	put_table(d, 2);
	offer_table(TABLE, 32);
	pull_breaks("a descriptor goes on outside its indirect table");
}
END_TEST

START_TEST(a_head_outside_the_ring)
{
	static const uint16_t heads[] = { SIZE, SIZE + 1, 0x8000, 0xffff };

	start_device(false);
	offer_good(0, 0);
	show(0, heads[_i]);
	pull_breaks("an available head is outside the ring");
}
END_TEST

START_TEST(a_head_that_is_in_flight)
{
	start_device(_i);
	offer_good(0, 3);
	ck_assert_errno(pull(), 1);
	offer_good(1, 3);
	pull_breaks(_i ? "a buffer id is in flight already"
		       : "an available head is in flight already");
}
END_TEST

START_TEST(a_head_twice_in_one_burst)
{
	start_device(_i);
	offer_good(0, 3);
	offer_good(1, 3);
	ck_assert_errno(pull(), 1);
	pull_breaks(_i ? "a buffer id is in flight already"
		       : "an available head is in flight already");
}
END_TEST

START_TEST(a_readable_buffer_after_a_writable_one)
{
	struct desc d[2] = { { DATA, 1, WRITE | NEXT, 1 }, { DATA, 1, 0, 0 } };

	start_device(_i);
	offer(d, 2);
	pull_breaks("a readable buffer follows a writable one");
}
END_TEST

START_TEST(a_readable_buffer_after_a_writable_one_in_a_table)
{
	struct desc d[2] = { { DATA, 1, WRITE | NEXT, 1 }, { DATA, 1, 0, 0 } };

	start_device(_i);
	put_table(d, 2);
	offer_table(TABLE, 32);
	pull_breaks("a readable buffer follows a writable one");
}
END_TEST

START_TEST(a_chain_above_4_gib)
{
	struct desc d[2] = { { 1ull << 40, UINT32_MAX, NEXT, 1 }, { DATA, 1, 0, 0 } };
	void *p = mmap(NULL, 1ull << 32, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		vtct_skip("there is no room for 4 GiB of addresses");
	add_region(1ull << 40, 1ull << 32, p, VTC_MEM_RW);
	start_device(_i);
	offer(d, 2);
	pull_breaks("a chain is longer than 4 GiB");
	munmap(p, 1ull << 32);
}
END_TEST

START_TEST(good_chains_before_a_bad_one_come_first)
{
	struct desc bad = { NOWHERE, 1, 0, 2 };

	start_device(_i);
	offer_good(0, 0);
	offer_good(1, 1);
	put_desc(2, &bad);
	show(2, 2);
	ck_assert_errno(pull(), 2);
	ck_assert_uint_eq(chains[1].readable_bytes, 100);
	pull_breaks("a buffer is outside the memory map");
}
END_TEST

START_TEST(chains_without_end_are_pulled_in_bursts)
{
	start_device(_i);
	for (uint16_t i = 0; i < SIZE; i++)
		offer_good(i, i);
	ck_assert_errno(vtc_vring_pull(v, chains, 3, segments, 4 * SIZE), 3);
	ck_assert_errno(vtc_vring_pull(v, chains, 2 * SIZE, segments, 2), 2);
	ck_assert_errno(pull(), SIZE - 5);
	ck_assert_errno(pull(), 0);
	neighbour_goes_on();
}
END_TEST

START_TEST(a_chain_of_many_pieces_is_no_reason_to_break)
{
	struct desc d[3] = { { DATA, 1, NEXT, 1 },
			     { DATA, 1, NEXT, 2 },
			     { DATA, 1, 0, 0 } };

	start_device(_i);
	offer(d, 3);
	ck_assert_errno(vtc_vring_pull(v, chains, 1, segments, 2), -ENOSPC);
	ck_assert_ptr_null(vtc_vring_get_error(v));
	ck_assert_errno(pull(), 1);
	ck_assert_uint_eq(chains[0].readable, 3);
}
END_TEST

/* ---- Buffers ---- */

static const struct bad_buffer {
	const char *reason;
	uint64_t addr;
	uint32_t len;
	unsigned int flags;
} bad_buffers[] = {
	{ "a buffer has length 0", DATA, 0, 0 },
	{ "a buffer has length 0", DATA, 0, WRITE },
	{ "a buffer has length 0", NOWHERE, 0, 0 },
	{ "a buffer has length 0", UINT64_MAX, 0, 0 },
	{ "a buffer's addresses wrap", UINT64_MAX, 1, 0 },
	{ "a buffer's addresses wrap", UINT64_MAX - 9, 11, WRITE },
	{ "a buffer's addresses wrap", UINT64_MAX - UINT32_MAX + 1, UINT32_MAX, 0 },
	{ "a buffer is outside the memory map", 0, 1, 0 },
	{ "a buffer is outside the memory map", NOWHERE, 1, 0 },
	{ "a buffer is outside the memory map", DATA - 1, 2, 0 },
	{ "a buffer is outside the memory map", DATA, DATA_LEN + 1, 0 },
	{ "a buffer is outside the memory map", DATA + DATA_LEN - 1, 2, WRITE },
	{ "a buffer is outside the memory map", DATA, UINT32_MAX - 1, WRITE },
	{ "a buffer is outside the memory map", DATA + DATA_LEN - 8, READABLE - DATA, 0 },
	{ "a buffer is outside the memory map", UINT64_MAX - 1, 1, 0 },
	{ "a writable buffer is in read-only memory", READABLE, 1, WRITE },
	{ "a writable buffer is in read-only memory", READABLE + PAGE - 1, 1, WRITE },
	{ "a readable buffer is in write-only memory", WRITABLE, 1, 0 },
};
#define BAD_BUFFERS (int)(sizeof(bad_buffers) / sizeof(bad_buffers[0]))

START_TEST(a_bad_buffer_alone)
{
	const struct bad_buffer *b = &bad_buffers[_i / 2];

	start_device(_i % 2);
	offer(&(struct desc){ b->addr, b->len, b->flags, 0 }, 1);
	pull_breaks(b->reason);
}
END_TEST

/* The map's fast search learns from the buffer before. */
START_TEST(a_bad_buffer_after_a_good_chain)
{
	const struct bad_buffer *b = &bad_buffers[_i / 2];

	start_device(_i % 2);
	offer_good(0, 0);
	ck_assert_errno(pull(), 1);
	put_desc(1, &(struct desc){ b->addr, b->len, b->flags, _i % 2 });
	show(1, 1);
	pull_breaks(b->reason);
}
END_TEST

START_TEST(a_bad_buffer_in_a_chain)
{
	const struct bad_buffer *b = &bad_buffers[_i / 2];
	struct desc d[2] = { { DATA, 1, NEXT, 1 }, { b->addr, b->len, b->flags, 0 } };

	start_device(_i % 2);
	offer(d, 2);
	pull_breaks(b->reason);
}
END_TEST

START_TEST(a_bad_buffer_in_a_table)
{
	const struct bad_buffer *b = &bad_buffers[_i / 2];
	struct desc d[2] = { { DATA, 1, NEXT, 1 }, { b->addr, b->len, b->flags, 0 } };

	start_device(_i % 2);
	put_table(d, 2);
	offer_table(TABLE, 32);
	pull_breaks(b->reason);
}
END_TEST

START_TEST(rights_end_where_a_region_ends)
{
	struct desc d = { DATA + DATA_LEN - 4, 8, WRITE, 0 };

	add_region(DATA + DATA_LEN, PAGE, readable, VTC_MEM_READ);
	start_device(_i);
	offer(&d, 1);
	pull_breaks("a writable buffer is in read-only memory");
}
END_TEST

/* ---- Indirect tables ---- */

static const struct bad_table {
	const char *reason;
	uint64_t addr;
	uint32_t len;
} bad_tables[] = {
	{ "an indirect table's length is no multiple of 16", TABLE, 0 },
	{ "an indirect table's length is no multiple of 16", TABLE, 1 },
	{ "an indirect table's length is no multiple of 16", TABLE, 17 },
	{ "an indirect table's length is no multiple of 16", TABLE, UINT32_MAX },
	{ "an indirect table is longer than the ring", TABLE, 16 * (SIZE + 1) },
	{ "an indirect table is longer than the ring", TABLE, 0xfffffff0 },
	{ "an indirect table's addresses wrap", UINT64_MAX - 15, 32 },
	{ "an indirect table's addresses wrap", UINT64_MAX, 16 },
	{ "an indirect table is outside the memory map", NOWHERE, 16 },
	{ "an indirect table is outside the memory map", RING - 8, 16 },
	{ "an indirect table is outside the memory map", RING + RING_LEN - 8, 16 },
	{ "an indirect table is outside the memory map", WRITABLE, 16 },
};
#define BAD_TABLES (int)(sizeof(bad_tables) / sizeof(bad_tables[0]))

START_TEST(a_bad_table)
{
	const struct bad_table *t = &bad_tables[_i / 2];

	start_device(_i % 2);
	offer_table(t->addr, t->len);
	pull_breaks(t->reason);
}
END_TEST

START_TEST(a_table_in_a_table)
{
	struct desc d = { TABLE, 16, INDIRECT, 0 };

	start_device(_i);
	put_table(&d, 1);
	offer_table(TABLE, 16);
	pull_breaks("an indirect table is inside another");
}
END_TEST

START_TEST(a_table_that_was_not_negotiated)
{
	start(_i, VTC_VRING_DEVICE, 0);
	put_table(&(struct desc){ DATA, 1, 0, 0 }, 1);
	offer_table(TABLE, 16);
	pull_breaks("an indirect table, which was not negotiated");
}
END_TEST

START_TEST(a_table_with_a_next)
{
	struct desc d[2] = { { TABLE, 16, INDIRECT | NEXT, 1 }, { DATA, 1, 0, 0 } };

	start_device(_i);
	put_table(&(struct desc){ DATA, 1, 0, 0 }, 1);
	offer(d, 2);
	pull_breaks(_i ? "an indirect descriptor is in a longer chain"
		       : "an indirect descriptor has a next one");
}
END_TEST

/* Split: allowed, if it is the last (VIRTIO 2.7.5.3.2). Packed: not (2.8.8). */
START_TEST(a_table_at_the_end_of_a_chain)
{
	struct desc d[2] = { { DATA, 1, NEXT, 1 }, { TABLE, 16, INDIRECT, 0 } };

	start_device(_i);
	put_table(&(struct desc){ DATA, 1, 0, 0 }, 1);
	offer(d, 2);
	if (_i) {
		pull_breaks("an indirect descriptor is in a longer chain");
		return;
	}
	ck_assert_errno(pull(), 1);
	ck_assert_uint_eq(chains[0].readable, 2);
}
END_TEST

START_TEST(a_table_and_a_chain_are_counted_together)
{
	struct desc d[SIZE], t[2] = { { DATA, 1, NEXT, 1 }, { DATA, 1, 0, 0 } };

	start_device(false);
	for (uint16_t i = 0; i < SIZE; i++)
		d[i] = (struct desc){ DATA, 1, NEXT, (uint16_t)(i + 1) };
	d[SIZE - 1] = (struct desc){ TABLE, 32, INDIRECT, 0 };
	put_table(t, 2);
	offer(d, SIZE);
	pull_breaks("a chain is longer than the ring, or a loop");
}
END_TEST

/* ---- Indices, flags and wrap counters ---- */

START_TEST(an_available_index_that_jumps)
{
	static const uint16_t jumps[] = { SIZE + 1, 0x7fff, 0x8000, 0xffff };

	start_device(false);
	set16(DRIVER + 2, jumps[_i]);
	pull_breaks("the available index is too far ahead");
}
END_TEST

START_TEST(an_available_index_beyond_what_is_in_flight)
{
	start_device(false);
	for (uint16_t i = 0; i < SIZE; i++)
		offer_good(i, i);
	ck_assert_errno(pull(), SIZE);
	set16(DRIVER + 2, SIZE + 1);
	pull_breaks("the available index is too far ahead");
}
END_TEST

START_TEST(an_available_index_that_goes_back)
{
	start_device(false);
	offer_good(0, 0);
	offer_good(1, 1);
	ck_assert_errno(pull(), 2);
	set16(DRIVER + 2, 1);
	pull_breaks("the available index went back");
}
END_TEST

/* What was pulled fills the ring, and the driver shows it again in the next round. */
START_TEST(more_descriptors_than_the_ring_has)
{
	start_device(true);
	for (uint16_t i = 0; i < SIZE; i++)
		offer_good(i, i);
	ck_assert_errno(pull(), SIZE);
	put_desc_as(0, &(struct desc){ DATA, 1, 0, 100 }, VTC__USED);
	pull_breaks("more descriptors are available than the ring has");
}
END_TEST

START_TEST(flags_of_another_round_say_nothing)
{
	static const unsigned int flags[] = { 0, VTC__USED, VTC__AVAIL | VTC__USED };

	start_device(true);
	put_desc_as(0, &(struct desc){ NOWHERE, 0, NEXT | INDIRECT, 0 }, flags[_i]);
	ck_assert_errno(pull(), 0);
	ck_assert_errno(vtc_vring_needs_poll(v), 1);
	ck_assert_ptr_null(vtc_vring_get_error(v));
}
END_TEST

/* The flags of the rest of a chain are not looked at, but what is used cannot be. */
START_TEST(a_packed_id_may_be_any)
{
	start_device(true);
	offer_good(0, 0xffff);
	ck_assert_errno(pull(), 1);
	ck_assert_uint_eq(chains[0].id, 0xffff);
	done[0] = (struct vtc_done){ 0xffff, 0 };
	ck_assert_errno(vtc_vring_push(v, done, 1), 0);
	ck_assert_int_ge(vtc_vring_flush(v), 0);
}
END_TEST

START_TEST(events_of_any_value_are_harmless)
{
	static const uint16_t values[] = { 0, 1, 2, 3, SIZE, 0x7fff, 0x8000, 0xffff };

	start(_i, VTC_VRING_DEVICE, 1ull << VTC_VRING_F_EVENT_IDX);
	for (uint16_t n = 0; n < SIZE; n++) {
		offer_good(n, n);
		ck_assert_errno(pull(), 1);
		set16(_i ? DRIVER : DRIVER + 4 + 2 * SIZE, values[n]);
		set16(_i ? DRIVER + 2 : DRIVER, values[SIZE - 1 - n]);
		done[0] = (struct vtc_done){ n, 0 };
		ck_assert_errno(vtc_vring_push(v, done, 1), 0);
		ck_assert_int_ge(vtc_vring_flush(v), 0);
	}
	ck_assert_ptr_null(vtc_vring_get_error(v));
}
END_TEST

/* ---- What this side says: never more than it did ---- */

static uint32_t used_len(void)
{
	return vtc__load32(at(packed ? RING + 8 : DEVICE + 8), __ATOMIC_ACQUIRE);
}

START_TEST(a_used_length_is_never_more_than_can_be_written)
{
	struct desc d[2] = { { DATA, 70, NEXT, 1 }, { DATA + 100, 30, WRITE, 0 } };

	start_device(_i);
	offer(d, 2);
	ck_assert_errno(pull(), 1);
	ck_assert_uint_eq(chains[0].writable_bytes, 30);
	done[0] = (struct vtc_done){ 0, 31 };
	ck_assert_errno(vtc_vring_push(v, done, 1), -EINVAL);
	done[0].len = UINT32_MAX;
	ck_assert_errno(vtc_vring_push(v, done, 1), -EINVAL);
	ck_assert_errno(vtc_vring_flush(v), 0);
	done[0].len = 30;
	ck_assert_errno(vtc_vring_push(v, done, 1), 0);
	ck_assert_int_ge(vtc_vring_flush(v), 0);
	ck_assert_uint_eq(used_len(), 30);
}
END_TEST

START_TEST(what_is_not_in_flight_cannot_be_pushed)
{
	static const uint32_t ids[] = { 1, SIZE, 65535, 65536, UINT32_MAX };

	start_device(_i);
	offer_good(0, 0);
	ck_assert_errno(pull(), 1);
	for (unsigned int i = 0; i < 5; i++) {
		done[0] = (struct vtc_done){ ids[i], 0 };
		ck_assert_errno(vtc_vring_push(v, done, 1), -EINVAL);
	}
	done[0] = done[1] = (struct vtc_done){ 0, 0 };
	ck_assert_errno(vtc_vring_push(v, done, 2), -EINVAL);
	ck_assert_int_ge(vtc_vring_flush(v), 0);
	ck_assert_errno(vtc_vring_push(v, done, 1), -EINVAL);
	ck_assert_ptr_null(vtc_vring_get_error(v));
}
END_TEST

START_TEST(a_dirty_log_that_is_short_is_not_overrun)
{
	uint8_t bits[2] = { 0, 0xaa };

	ck_assert_errno(vtc_mem_set_dirty_log(mem, bits, 1), 0);
	start_device(_i);
	offer(&(struct desc){ DATA, 100, WRITE, 0 }, 1);
	ck_assert_errno(pull(), 1);
	done[0] = (struct vtc_done){ 0, 100 };
	ck_assert_errno(vtc_vring_push(v, done, 1), 0);
	ck_assert_int_ge(vtc_vring_flush(v), 0);
	ck_assert_uint_eq(bits[0], 0);
	ck_assert_uint_eq(bits[1], 0xaa);
}
END_TEST

/*
 * Only the driver is deceived if it rewrites a chain in flight: the log stays in its
 * bounds.
 */
START_TEST(a_chain_rewritten_in_flight_does_not_confuse_the_log)
{
	uint8_t *bits = vtct_alloc(PAGE);

	ck_assert_errno(vtc_mem_set_dirty_log(mem, bits, PAGE), 0);
	start_device(_i);
	offer(&(struct desc){ DATA, 100, WRITE, 0 }, 1);
	ck_assert_errno(pull(), 1);
	offer(&(struct desc){ UINT64_MAX - 4, UINT32_MAX, WRITE | NEXT, 0 }, 1);
	done[0] = (struct vtc_done){ 0, 100 };
	ck_assert_errno(vtc_vring_push(v, done, 1), 0);
	ck_assert_int_ge(vtc_vring_flush(v), 0);
	neighbour_goes_on();
	ck_assert_errno(vtc_mem_set_dirty_log(mem, NULL, 0), 0);
	ck_assert_errno(pull(), 0);
	neighbour_goes_on();
	free(bits);
}
END_TEST

/* ---- Memory that leaves ---- */

START_TEST(ring_memory_that_leaves_the_map)
{
	static const char reason[] = "the ring's memory has left the memory map";
	struct vtc_buffer b = { DATA, 1, 0 };
	struct vtc_add add = { &b, 1, 0, 0 };

	packed = _i % 2;
	v = make(_i / 2 ? VTC_VRING_DRIVER : VTC_VRING_DEVICE, RING, SIZE, 0);
	ck_assert_errno(vtc_mem_remove(mem, RING, RING_LEN), 0);
	ck_assert_errno(vtc_vring_needs_poll(v), -EPROTO);
	ck_assert_str_eq(vtc_vring_get_error(v), reason);
	if (_i / 2)
		ck_assert_errno(vtc_vring_add(v, &add, 1), -EPROTO);
	else
		ck_assert_errno(pull(), -EPROTO);
	ck_assert_errno(vtc_vring_reset(v), -EFAULT);
	ck_assert_errno(vtc_vring_needs_poll(v), -EPROTO);
	ck_assert_str_eq(vtc_vring_get_error(v), reason);
	add_region(RING, RING_LEN, ring_memory, VTC_MEM_RW);
	ck_assert_errno(vtc_vring_reset(v), 0);
	ck_assert_errno(vtc_vring_needs_poll(v), 1);
}
END_TEST

START_TEST(data_that_has_left_the_map)
{
	start_device(_i);
	offer_good(0, 0);
	ck_assert_errno(pull(), 1);
	ck_assert_errno(vtc_mem_remove(mem, DATA, DATA_LEN), -EAGAIN);
	offer_good(1, 1);
	ck_assert_errno(pull(), -EPROTO);
	ck_assert_str_eq(vtc_vring_get_error(v), "a buffer is outside the memory map");
	ck_assert_errno(vtc_mem_remove(mem, DATA, DATA_LEN), -EAGAIN);
	data[0]++;
	ck_assert_errno(vtc_vring_reset(v), 0);
	ck_assert_errno(vtc_mem_remove(mem, DATA, DATA_LEN), 0);
}
END_TEST

START_TEST(a_reset_mends)
{
	start_device(_i);
	offer(&(struct desc){ NOWHERE, 1, 0, 0 }, 1);
	pull_breaks("a buffer is outside the memory map");
	memset(ring_memory, 0, NEIGHBOUR - RING);
	ck_assert_errno(vtc_vring_reset(v), 0);
	ck_assert_ptr_null(vtc_vring_get_error(v));
	offer_good(0, 5);
	ck_assert_errno(pull(), 1);
}
END_TEST

/* ---- A hostile device ---- */

static void start_driver(bool is_packed, uint64_t features)
{
	start(is_packed, VTC_VRING_DRIVER, features);
}

/* Chains of one buffer that may be written, with the numbers 100, 101, ... */
static void give(uint32_t count)
{
	struct vtc_buffer b = { DATA, 50, 0 };
	struct vtc_add add = { &b, 0, 1, 100 };

	for (; count--; add.id++)
		ck_assert_errno(vtc_vring_add(v, &add, 1), 1);
	ck_assert_int_ge(vtc_vring_kick(v), 0);
}

/* The device's part, by hand: the n-th used. */
static void use(uint16_t n, uint32_t id, uint32_t len)
{
	if (packed) {
		unsigned int flags = n / SIZE % 2 ? 0 : VTC__AVAIL | VTC__USED;

		set64(RING + n % SIZE * 16 + 8,
		      (uint64_t)flags << 48 | (uint64_t)(id & 0xffff) << 32 | len);
		return;
	}
	vtc__store32(at(DEVICE + 4 + n % SIZE * 8), id, __ATOMIC_RELAXED);
	vtc__store32(at(DEVICE + 8 + n % SIZE * 8), len, __ATOMIC_RELAXED);
	set16(DEVICE + 2, (uint16_t)(n + 1));
}

static uint64_t order(int is)
{
	return is ? 1ull << VTC_VRING_F_IN_ORDER : 0;
}

START_TEST(a_used_id_outside_the_ring)
{
	static const uint32_t ids[] = { SIZE, 0xffff, 0x10000, UINT32_MAX };
	unsigned int kind = (unsigned int)_i / 4;

	if (kind % 2 && ids[_i % 4] > 0xffff)
		return; /* a packed id has 16 bits */
	start_driver(kind % 2, order(kind / 2));
	give(2);
	use(0, ids[_i % 4], 0);
	reap_breaks("a used id is not in flight");
}
END_TEST

START_TEST(a_used_id_that_was_never_given)
{
	start_driver(_i % 2, order(_i / 2));
	give(2);
	use(0, 2, 0);
	reap_breaks("a used id is not in flight");
}
END_TEST

START_TEST(a_used_id_twice)
{
	start_driver(_i % 2, order(_i / 2));
	give(3);
	use(0, 0, 50);
	use(1, 0, 50);
	ck_assert_errno(reap(), 1);
	ck_assert_uint_eq(done[0].id, 100);
	reap_breaks("a used id is not in flight");
}
END_TEST

START_TEST(a_used_length_above_what_can_be_written)
{
	static const uint32_t lens[] = { 51, 0x10000, UINT32_MAX };

	start_driver(_i % 2, order(_i / 2 % 2));
	give(1);
	use(0, 0, lens[_i / 4]);
	reap_breaks("a used length is more than the chain's writable bytes");
}
END_TEST

START_TEST(a_used_index_that_jumps)
{
	static const uint16_t jumps[] = { 3, SIZE, SIZE + 1, 0x8000, 0xffff };

	start_driver(false, order(_i / 5));
	give(2);
	use(0, 0, 0);
	use(1, 1, 0);
	set16(DEVICE + 2, jumps[_i % 5]);
	reap_breaks("the used index is ahead of what was added");
}
END_TEST

START_TEST(a_used_index_that_goes_back)
{
	start_driver(false, order(_i));
	give(2);
	use(0, 0, 50);
	ck_assert_errno(reap(), 1);
	set16(DEVICE + 2, 0);
	reap_breaks("the used index is ahead of what was added");
}
END_TEST

/* Added, but the device was not told yet. */
START_TEST(a_chain_used_before_it_was_shown)
{
	struct vtc_buffer b = { DATA, 50, 0 };
	struct vtc_add add = { &b, 0, 1, 100 };

	start_driver(_i % 2, order(_i / 2));
	ck_assert_errno(vtc_vring_add(v, &add, 1), 1);
	use(0, 0, 50);
	if (_i % 2) /* nothing was given, so nothing is looked at */
		ck_assert_errno(reap(), 0);
	else
		reap_breaks("the used index is ahead of what was added");
}
END_TEST

START_TEST(a_batch_that_ends_too_late)
{
	start_driver(_i, order(1));
	give(3);
	if (_i) {
		struct vtc_buffer b = { DATA, 50, 0 };
		struct vtc_add add = { &b, 0, 1, 200 };

		/* The last of the batch was not shown yet. */
		ck_assert_errno(vtc_vring_add(v, &add, 1), 1);
		use(0, 3, 50);
		ck_assert_errno(reap(), 3);
		broken("a used batch ends behind what was added");
		return;
	}
	use(0, 2, 50);
	set16(DEVICE + 2, 2);
	ck_assert_errno(reap(), 2);
	broken("the used index ends within a batch");
}
END_TEST

START_TEST(used_flags_of_another_round_say_nothing)
{
	start_driver(true, order(_i));
	give(2);
	set64(RING + 8, 0); /* both flags 0: used in the round before */
	ck_assert_errno(reap(), 0);
	set64(RING + 8, (uint64_t)VTC__USED << 48);
	ck_assert_errno(reap(), 0);
	ck_assert_errno(vtc_vring_needs_poll(v), 1);
	ck_assert_ptr_null(vtc_vring_get_error(v));
}
END_TEST

START_TEST(descriptors_rewritten_by_the_device_are_not_believed)
{
	start_driver(_i % 2, order(_i / 2));
	give(3);
	for (unsigned int i = 0; i < SIZE; i++)
		put_desc_as(i, &(struct desc){ NOWHERE, 9, NEXT, 0xffff }, VTC__AVAIL);
	if (!packed)
		memset(at(DRIVER), 0xff, 4 + 2 * SIZE);
	for (uint16_t i = 0; i < 3; i++)
		use(i, i, 50);
	ck_assert_errno(reap(), 3);
	give(SIZE);
	for (uint16_t i = 3; i < SIZE + 3; i++)
		use(i, i % SIZE, 50);
	ck_assert_errno(reap(), SIZE);
	neighbour_goes_on();
}
END_TEST

START_TEST(device_events_of_any_value_are_harmless)
{
	static const uint16_t values[] = { 0, 1, 2, 3, SIZE, 0x7fff, 0x8000, 0xffff };

	start_driver(_i, 1ull << VTC_VRING_F_EVENT_IDX);
	for (uint16_t n = 0; n < SIZE; n++) {
		set16(_i ? DEVICE : DEVICE + 4 + 8 * SIZE, values[n]);
		set16(_i ? DEVICE + 2 : DEVICE, values[SIZE - 1 - n]);
		give(1);
	}
	ck_assert_ptr_null(vtc_vring_get_error(v));
}
END_TEST

/* ---- Double fetch: the peer rewrites what we look at, while we do ---- */

static atomic_bool stop;

static uint32_t rnd(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

/* Where only one thread runs at a time, as in valgrind, the other one gets its turn. */
static bool stopped(uint32_t *state)
{
	if (rnd(state) % 64 == 0)
		sched_yield();
	return atomic_load(&stop);
}

/* Descriptors that are good or bad, half a change at a time. */
static void *rewrite_descs(void *arg)
{
	static const uint64_t addrs[] = { DATA,	    DATA + DATA_LEN - 8,
					  READABLE, WRITABLE,
					  NOWHERE,  UINT64_MAX - 7,
					  TABLE,    DATA };
	static const uint32_t lens[] = { 8, 16, 0, 64, UINT32_MAX, 9, 32, 1 };
	static const unsigned int flags[] = { 0,    0,	      0, WRITE,
					      NEXT, INDIRECT, 0, WRITE | NEXT };
	uint32_t state = 1;

	(void)arg;
	while (!stopped(&state)) {
		uint64_t where = rnd(&state) % 2 ? RING : TABLE;
		unsigned int slot = rnd(&state) % SIZE, r = rnd(&state);
		struct desc d = { 0, lens[r / 8 % 8], flags[r / 64 % 8],
				  (uint16_t)(r % SIZE) };

		/* In a packed ring all of them are always available, in either round. */
		set64(where + slot * 16, addrs[r % 8]);
		set64(where + slot * 16 + 8,
		      desc_word(&d, r % 2 ? VTC__AVAIL : VTC__USED));
	}
	return NULL;
}

static bool within(const struct vtc_segment *s, const uint8_t *base, size_t len)
{
	const uint8_t *p = s->base;

	return p >= base && p < base + len && s->len <= (size_t)(base + len - p);
}

static void check_chain(const struct vtc_chain *c)
{
	uint64_t sums[2] = { 0, 0 };

	for (unsigned int i = 0; i < (unsigned int)c->readable + c->writable; i++) {
		const struct vtc_segment *s = &c->segments[i];
		bool write = i >= c->readable;

		if (!s->len ||
		    !(within(s, data, DATA_LEN) || within(s, ring_memory, RING_LEN) ||
		      within(s, write ? writable : readable, PAGE)))
			ck_abort_msg("piece %u of %u", i, c->readable + c->writable);
		sums[write] += s->len;
	}
	ck_assert_uint_eq(sums[0], c->readable_bytes);
	ck_assert_uint_eq(sums[1], c->writable_bytes);
}

static void begin_anew(void)
{
	ck_assert_errno(vtc_vring_reset(v), 0);
	for (uint16_t i = 0; i < SIZE; i++)
		show(i, i);
}

/*
 * Everything that comes is sound, however often the ring breaks. Returns how many came.
 */
static unsigned int pull_some(void)
{
	int n = pull();

	ck_assert_int_ge(n, -EPROTO);
	for (int i = 0; i < n; i++) {
		check_chain(&chains[i]);
		done[i] = (struct vtc_done){ chains[i].id, chains[i].writable_bytes };
	}
	if (n > 0 && !vtc_vring_get_error(v))
		ck_assert_errno(vtc_vring_push(v, done, (unsigned int)n), 0);
	return n > 0 ? (unsigned int)n : 0;
}

START_TEST(descriptors_rewritten_while_they_are_read)
{
	unsigned int got = 0, round;
	pthread_t thread;

	start_device(_i);
	for (uint16_t i = 0; i < SIZE; i++)
		offer_good(i, i);
	atomic_store(&stop, false);
	ck_assert_int_eq(pthread_create(&thread, NULL, rewrite_descs, NULL), 0);
	for (round = 0; round < ROUNDS || (!got && round < 100 * ROUNDS); round++) {
		got += pull_some();
		if (vtc_vring_flush(v) < 0 || (!_i && round % 4 == 0))
			begin_anew();
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	ck_assert_uint_gt(got, 0);
	neighbour_goes_on();
}
END_TEST

static void *rewrite_used(void *arg)
{
	uint32_t state = 2;

	(void)arg;
	while (!stopped(&state)) {
		uint32_t r = rnd(&state);

		use((uint16_t)(r / 16), r % (SIZE + 1), r / 32 % 60);
	}
	return NULL;
}

START_TEST(used_elements_rewritten_while_they_are_read)
{
	pthread_t thread;

	start_driver(_i % 2, order(_i / 2));
	atomic_store(&stop, false);
	ck_assert_int_eq(pthread_create(&thread, NULL, rewrite_used, NULL), 0);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct vtc_buffer b = { DATA, 50, 0 };
		struct vtc_add add = { &b, 0, 1, round };
		int n = vtc_vring_add(v, &add, 1);

		if (n >= 0)
			n = vtc_vring_kick(v);
		if (n >= 0)
			n = reap();
		for (int i = 0; i < n; i++) {
			ck_assert_uint_le(done[i].id, round);
			ck_assert_uint_le(done[i].len, 50);
		}
		if (n < 0)
			ck_assert_errno(vtc_vring_reset(v), 0);
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	neighbour_goes_on();
}
END_TEST

int main(void)
{
	const struct {
		const TTest *test;
		int count;
	} tests[] = {
		{ a_chain_that_is_a_loop, 2 },
		{ a_descriptor_that_follows_itself, 1 },
		{ a_loop_in_a_table, 1 },
		{ a_chain_over_descriptors_in_flight, 1 },
		{ a_next_outside_the_ring, 4 },
		{ a_next_outside_its_table, 1 },
		{ a_head_outside_the_ring, 4 },
		{ a_head_that_is_in_flight, 2 },
		{ a_head_twice_in_one_burst, 2 },
		{ a_readable_buffer_after_a_writable_one, 2 },
		{ a_readable_buffer_after_a_writable_one_in_a_table, 2 },
		{ a_chain_above_4_gib, 2 },
		{ good_chains_before_a_bad_one_come_first, 2 },
		{ chains_without_end_are_pulled_in_bursts, 2 },
		{ a_chain_of_many_pieces_is_no_reason_to_break, 2 },
		{ a_bad_buffer_alone, 2 * BAD_BUFFERS },
		{ a_bad_buffer_after_a_good_chain, 2 * BAD_BUFFERS },
		{ a_bad_buffer_in_a_chain, 2 * BAD_BUFFERS },
		{ a_bad_buffer_in_a_table, 2 * BAD_BUFFERS },
		{ rights_end_where_a_region_ends, 2 },
		{ a_bad_table, 2 * BAD_TABLES },
		{ a_table_in_a_table, 2 },
		{ a_table_that_was_not_negotiated, 2 },
		{ a_table_with_a_next, 2 },
		{ a_table_at_the_end_of_a_chain, 2 },
		{ a_table_and_a_chain_are_counted_together, 1 },
		{ an_available_index_that_jumps, 4 },
		{ an_available_index_beyond_what_is_in_flight, 1 },
		{ an_available_index_that_goes_back, 1 },
		{ more_descriptors_than_the_ring_has, 1 },
		{ flags_of_another_round_say_nothing, 3 },
		{ a_packed_id_may_be_any, 1 },
		{ events_of_any_value_are_harmless, 2 },
		{ a_used_length_is_never_more_than_can_be_written, 2 },
		{ what_is_not_in_flight_cannot_be_pushed, 2 },
		{ a_dirty_log_that_is_short_is_not_overrun, 2 },
		{ a_chain_rewritten_in_flight_does_not_confuse_the_log, 2 },
		{ ring_memory_that_leaves_the_map, 4 },
		{ data_that_has_left_the_map, 2 },
		{ a_reset_mends, 2 },
		{ a_used_id_outside_the_ring, 16 },
		{ a_used_id_that_was_never_given, 4 },
		{ a_used_id_twice, 4 },
		{ a_used_length_above_what_can_be_written, 12 },
		{ a_used_index_that_jumps, 10 },
		{ a_used_index_that_goes_back, 2 },
		{ a_chain_used_before_it_was_shown, 4 },
		{ a_batch_that_ends_too_late, 2 },
		{ used_flags_of_another_round_say_nothing, 2 },
		{ descriptors_rewritten_by_the_device_are_not_believed, 4 },
		{ device_events_of_any_value_are_harmless, 2 },
		{ descriptors_rewritten_while_they_are_read, 2 },
		{ used_elements_rewritten_while_they_are_read, 4 },
	};
	Suite *s = suite_create("hostile");
	TCase *tc = tcase_create("hostile");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_loop_test(tc, tests[i].test, 0, tests[i].count);
	suite_add_tcase(s, tc);
	return vtct_main(s, NULL);
}
