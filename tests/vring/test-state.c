/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a vring remembers: options, positions, chains in flight, and going on elsewhere.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <vtc/vtc.h>

#include "vring/vring.h"
#include "vtct.h"

#define RING 0x100000ull
#define DATA 0x200000ull
#define PAGE 4096u

static struct vtc_ctx *ctx;
static struct vtc_mem *mem;
static struct vtc_vring *driver, *device;
static struct vtc_vring_opts opts;
static uint8_t memory[16 * PAGE] __attribute__((aligned(4096)));
static struct vtc_chain chains[16];
static struct vtc_segment segments[64];

static void add_region(uint64_t addr, uint64_t size, void *base, uint32_t perm)
{
	struct vtc_mem_region r = { .sz = sizeof(r),
				    .guest_addr = addr,
				    .size = size,
				    .base = base,
				    .fd = -1,
				    .perm = perm };

	ck_assert_errno(vtc_mem_add(mem, &r), 0);
}

static void setup(void)
{
	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	ck_assert_errno(vtc_mem_new(ctx, &mem), 0);
	memset(memory, 0x5a, sizeof(memory));
	add_region(RING, 8 * PAGE, memory, VTC_MEM_RW);
	add_region(DATA, 8 * PAGE, memory + 8 * PAGE, VTC_MEM_RW);
	opts = (struct vtc_vring_opts)VTC_VRING_OPTS_INIT;
	opts.size = 8;
	opts.desc_addr = RING;
	opts.driver_addr = RING + PAGE;
	opts.device_addr = RING + 2 * PAGE;
	driver = device = NULL;
}

static void teardown(void)
{
	vtc_vring_free(driver);
	vtc_vring_free(device);
	mem = vtc_mem_unref(mem);
	ctx = vtc_ctx_unref(ctx);
}

static void feature(unsigned int bit)
{
	opts.features[bit / 64] |= 1ull << bit % 64;
}

static void make(void)
{
	opts.role = VTC_VRING_DRIVER;
	ck_assert_errno(vtc_vring_new(ctx, mem, &opts, &driver), 0);
	opts.role = VTC_VRING_DEVICE;
	ck_assert_errno(vtc_vring_new(ctx, mem, &opts, &device), 0);
}

static void offer(unsigned int count, unsigned int buffers)
{
	struct vtc_buffer b[8];
	struct vtc_add a = { b, 0, (uint16_t)buffers, 0 };

	for (unsigned int i = 0; i < buffers; i++)
		b[i] = (struct vtc_buffer){ DATA + i * 256, 100, 0 };
	for (unsigned int i = 0; i < count; i++) {
		a.id = 100 + i;
		ck_assert_errno(vtc_vring_add(driver, &a, 1), 1);
	}
	ck_assert_int_ge(vtc_vring_kick(driver), 0);
}

static int pull(unsigned int max)
{
	return vtc_vring_pull(device, chains, max, segments, 64);
}

static int push(uint32_t id, uint32_t len)
{
	struct vtc_done d = { id, len };

	return vtc_vring_push(device, &d, 1);
}

static int make_one(void)
{
	struct vtc_vring *v = NULL;
	int err = vtc_vring_new(ctx, mem, &opts, &v);

	vtc_vring_free(v);
	return err;
}

/* ---- Options ---- */

START_TEST(options_are_checked)
{
	struct vtc_vring_opts good = opts;

	ck_assert_errno(make_one(), 0);
#define REFUSED(field, value, err)                \
	do {                                      \
		opts = good;                      \
		opts.field = (value);             \
		ck_assert_errno(make_one(), err); \
	} while (0)
	REFUSED(flags, 1, -EINVAL);
	REFUSED(role, 2, -EINVAL);
	REFUSED(size, 0, -EINVAL);
	REFUSED(size, 6, -EINVAL);
	REFUSED(size, 65536, -EINVAL);
	REFUSED(reserved, 1, -EINVAL);
	REFUSED(desc_addr, RING + 8, -EINVAL);
	REFUSED(driver_addr, RING + 1, -EINVAL);
	REFUSED(device_addr, RING + 2, -EINVAL);
	REFUSED(desc_addr, 0x10, -EFAULT);
	REFUSED(desc_addr, DATA + 8 * PAGE - 16, -EFAULT);
	REFUSED(indirect_len, 4, -EINVAL);
	REFUSED(state.avail, 1, -EINVAL);
	REFUSED(state.avail_round, 1, -EINVAL);
	REFUSED(state.in_flight, 1, -EINVAL);
	REFUSED(sz, 16, -EINVAL);
	REFUSED(sz, 0, -EINVAL);
#undef REFUSED
	opts = good;
	feature(VTC_VRING_F_PACKED);
	opts.size = 6;
	ck_assert_errno(make_one(), 0);
	opts.state.avail = opts.state.used = 6;
	ck_assert_errno(make_one(), -EINVAL);
}
END_TEST

START_TEST(a_ring_needs_the_permissions_of_its_side)
{
	add_region(0x800000, PAGE, memory, VTC_MEM_READ);
	opts.device_addr = 0x800000;
	ck_assert_errno(make_one(), -EFAULT);
	opts.device_addr = RING + 2 * PAGE;
	opts.desc_addr = 0x800000;
	ck_assert_errno(make_one(), 0);
	feature(VTC_VRING_F_PACKED);
	ck_assert_errno(make_one(), -EFAULT);
}
END_TEST

START_TEST(sides_are_kept_apart)
{
	struct vtc_done d = { 0, 0 };
	struct vtc_add a;
	uint32_t id;

	make();
	ck_assert_errno(vtc_vring_pull(driver, chains, 1, segments, 1), -EINVAL);
	ck_assert_errno(vtc_vring_unpull(driver, 0), -EINVAL);
	ck_assert_errno(vtc_vring_push(driver, &d, 1), -EINVAL);
	ck_assert_errno(vtc_vring_flush(driver), -EINVAL);
	ck_assert_errno(vtc_vring_get_in_flight(driver, &id, 1), -EINVAL);
	ck_assert_errno(vtc_vring_resubmit(driver, &id, 0), -EINVAL);
	ck_assert_errno(vtc_vring_add(device, &a, 0), -EINVAL);
	ck_assert_errno(vtc_vring_kick(device), -EINVAL);
	ck_assert_errno(vtc_vring_reap(device, &d, 1), -EINVAL);
	ck_assert_errno(vtc_vring_needs_poll(NULL), -EINVAL);
	ck_assert_errno(vtc_vring_reset(NULL), -EINVAL);
	ck_assert_ptr_null(vtc_vring_get_error(NULL));
}
END_TEST

/* ---- Both layouts: the loop index is "packed" ---- */

static void layout(int packed)
{
	if (packed)
		feature(VTC_VRING_F_PACKED);
}

START_TEST(bad_buffers_are_not_added)
{
	struct vtc_buffer b[2] = { { DATA, 1, 0 }, { DATA, 1, 0 } };
	struct vtc_add a[2] = { { b, 1, 0, 0 }, { b, 1, 1, 0 } };

	layout(_i);
	make();
	b[1].len = 0;
	ck_assert_errno(vtc_vring_add(driver, a, 2), -EINVAL);
	b[1] = (struct vtc_buffer){ UINT64_MAX, 2, 0 };
	ck_assert_errno(vtc_vring_add(driver, a, 2), -EINVAL);
	b[1] = (struct vtc_buffer){ 0, 1, 1 };
	ck_assert_errno(vtc_vring_add(driver, a, 2), -EINVAL);
	b[0].len = b[1].len = UINT32_MAX;
	b[1].reserved = 0;
	ck_assert_errno(vtc_vring_add(driver, a, 2), -EINVAL);
	a[0].readable = 0;
	ck_assert_errno(vtc_vring_add(driver, a, 1), -EINVAL);
	a[0].readable = 9;
	ck_assert_errno(vtc_vring_add(driver, a, 1), -EINVAL);
	ck_assert_errno(vtc_vring_kick(driver), 0);
	ck_assert_errno(pull(1), 0);
}
END_TEST

START_TEST(a_chain_that_does_not_fit_stays)
{
	layout(_i);
	make();
	offer(1, 1);
	offer(1, 4);
	ck_assert_errno(vtc_vring_pull(device, chains, 16, segments, 4), 1);
	ck_assert_errno(vtc_vring_pull(device, chains, 16, segments, 3), -ENOSPC);
	ck_assert_errno(vtc_vring_pull(device, chains, 16, segments, 4), 1);
	ck_assert_uint_eq(chains[0].writable, 4);
	ck_assert_uint_eq(chains[0].writable_bytes, 400);
}
END_TEST

START_TEST(push_takes_only_what_is_in_flight)
{
	layout(_i);
	make();
	offer(2, 1);
	ck_assert_errno(push(0, 0), -EINVAL);
	ck_assert_errno(pull(2), 2);
	ck_assert_errno(push(chains[0].id, 101), -EINVAL);
	ck_assert_errno(push(chains[0].id, 100), 0);
	ck_assert_errno(push(chains[0].id, 100), -EINVAL);
	ck_assert_errno(push(UINT32_MAX, 0), -EINVAL);
	ck_assert_errno(push(70000, 0), -EINVAL);
	ck_assert_errno(push(chains[1].id, 0), 0);
}
END_TEST

START_TEST(in_order_means_in_order)
{
	struct vtc_done d[4];

	layout(_i);
	feature(VTC_VRING_F_IN_ORDER);
	make();
	offer(4, 1);
	ck_assert_errno(pull(4), 4);
	ck_assert_errno(push(chains[1].id, 100), -EINVAL);
	/* One used entry for the first three, one for the last. */
	ck_assert_errno(push(chains[0].id, 100), 0);
	ck_assert_errno(push(chains[1].id, 100), 0);
	ck_assert_errno(push(chains[2].id, 9), 0);
	ck_assert_errno(push(chains[3].id, 8), 0);
	ck_assert_int_ge(vtc_vring_flush(device), 0);
	ck_assert_errno(vtc_vring_reap(driver, d, 2), 2);
	ck_assert_uint_eq(d[1].id, 101);
	ck_assert_uint_eq(d[1].len, 100);
	ck_assert_errno(vtc_vring_needs_poll(driver), 0);
	ck_assert_errno(vtc_vring_reap(driver, d, 4), 2);
	ck_assert_uint_eq(d[0].len, 9);
	ck_assert_uint_eq(d[1].id, 103);
	ck_assert_uint_eq(d[1].len, 8);
}
END_TEST

START_TEST(unpulled_chains_come_again)
{
	uint32_t id;

	layout(_i);
	make();
	offer(3, 2);
	ck_assert_errno(vtc_vring_unpull(device, 1), -EINVAL);
	ck_assert_errno(pull(3), 3);
	id = chains[1].id;
	ck_assert_errno(vtc_vring_unpull(device, 4), -EINVAL);
	ck_assert_errno(vtc_vring_unpull(device, 2), 0);
	ck_assert_errno(push(id, 0), -EINVAL);
	ck_assert_errno(vtc_vring_needs_poll(device), 0);
	ck_assert_errno(pull(16), 2);
	ck_assert_uint_eq(chains[0].id, id);
	ck_assert_errno(push(id, 0), 0);
	ck_assert_errno(vtc_vring_unpull(device, 1), -EINVAL);
}
END_TEST

START_TEST(the_oldest_in_flight_comes_first)
{
	uint32_t ids[8], first;

	layout(_i);
	make();
	offer(4, 1);
	ck_assert_errno(pull(4), 4);
	first = chains[0].id;
	/* Pushed, but not flushed, is still in flight. */
	ck_assert_errno(push(chains[2].id, 0), 0);
	ck_assert_errno(vtc_vring_get_in_flight(device, ids, 8), 4);
	for (int i = 0; i < 4; i++)
		ck_assert_uint_eq(ids[i], chains[i].id);
	ids[1] = 77;
	ck_assert_errno(vtc_vring_get_in_flight(device, ids, 1), 4);
	ck_assert_uint_eq(ids[0], first);
	ck_assert_uint_eq(ids[1], 77);
	ck_assert_int_ge(vtc_vring_flush(device), 0);
	ck_assert_errno(vtc_vring_get_in_flight(device, ids, 8), 3);
	ck_assert_uint_eq(ids[2], chains[3].id);
}
END_TEST

START_TEST(a_quiet_ring_goes_on_elsewhere)
{
	struct vtc_vring_state s;
	struct vtc_done d[8];

	layout(_i);
	make();
	for (int round = 0; round < 5; round++) {
		offer(3, 2);
		ck_assert_errno(pull(3), 3);
		for (int i = 0; i < 3; i++)
			ck_assert_errno(push(chains[i].id, 1), 0);
		ck_assert_int_ge(vtc_vring_flush(device), 0);
		ck_assert_errno(vtc_vring_reap(driver, d, 8), 3);

		ck_assert_errno(vtc_vring_get_state(device, &s), 0);
		ck_assert_uint_eq(s.in_flight, 0);
		vtc_vring_free(device);
		opts.state = s;
		ck_assert_errno(vtc_vring_new(ctx, mem, &opts, &device), 0);
		ck_assert_errno(vtc_vring_get_state(driver, &s), 0);
		ck_assert_mem_eq(&s, &opts.state, sizeof(s));
		vtc_vring_free(driver);
		opts.role = VTC_VRING_DRIVER;
		ck_assert_errno(vtc_vring_new(ctx, mem, &opts, &driver), 0);
		opts.role = VTC_VRING_DEVICE;
	}
}
END_TEST

START_TEST(reset_begins_anew)
{
	struct vtc_vring_state s;

	layout(_i);
	make();
	offer(4, 2);
	ck_assert_errno(pull(3), 3);
	ck_assert_errno(push(chains[1].id, 0), 0);
	ck_assert_errno(vtc_vring_reset(driver), 0);
	ck_assert_errno(vtc_vring_reset(device), 0);
	ck_assert_errno(vtc_vring_get_state(device, &s), 0);
	ck_assert_uint_eq(s.in_flight + s.avail + s.used, 0);
	ck_assert_errno(pull(1), 0);
	offer(8, 1);
	ck_assert_errno(pull(16), 8);
	ck_assert_errno(push(chains[7].id, 100), 0);
}
END_TEST

START_TEST(a_broken_ring_says_why_and_stays_so)
{
	layout(_i);
	make();
	offer(1, 1);
	ck_assert_errno(vtc_mem_remove(mem, DATA, 8 * PAGE), 0);
	ck_assert_errno(pull(1), -EPROTO);
	ck_assert_ptr_nonnull(vtc_vring_get_error(device));
	ck_assert_errno(pull(1), -EPROTO);
	ck_assert_errno(vtc_vring_needs_poll(device), -EPROTO);
	ck_assert_errno(vtc_vring_flush(device), -EPROTO);
	ck_assert_errno(push(0, 0), -EPROTO);
	ck_assert_errno(vtc_vring_unpull(device, 0), -EPROTO);
	ck_assert_ptr_null(vtc_vring_get_error(driver));
	ck_assert_errno(vtc_vring_reset(device), 0);
	ck_assert_ptr_null(vtc_vring_get_error(device));
}
END_TEST

/* ---- In flight, by a successor ---- */

static void succeed(const uint32_t *ids, unsigned int count, int want)
{
	ck_assert_errno(vtc_vring_get_state(device, &opts.state), 0);
	vtc_vring_free(device);
	device = NULL;
	ck_assert_errno(vtc_vring_new(ctx, mem, &opts, &device), 0);
	ck_assert_errno(vtc_vring_resubmit(device, ids, count), want);
}

START_TEST(a_successor_pulls_the_rest_again)
{
	uint32_t ids[8], twice[2] = { 1, 1 };
	struct vtc_done d[8];

	make();
	offer(5, 1);
	ck_assert_errno(pull(4), 4);
	ck_assert_errno(push(chains[1].id, 5), 0);
	ck_assert_int_ge(vtc_vring_flush(device), 0);
	ck_assert_errno(push(chains[3].id, 5), 0);
	ck_assert_errno(vtc_vring_get_in_flight(device, ids, 8), 3);
	succeed(ids, 2, -EINVAL);
	ck_assert_errno(vtc_vring_resubmit(device, twice, 2), -EINVAL);
	ck_assert_errno(vtc_vring_resubmit(device, ids, 3), 0);
	ck_assert_errno(vtc_vring_needs_poll(device), 0);
	ck_assert_errno(pull(2), 2);
	ck_assert_errno(vtc_vring_unpull(device, 1), 0);
	ck_assert_errno(vtc_vring_get_in_flight(device, ids, 8), 3);
	ck_assert_uint_eq(ids[1], chains[1].id);
	ck_assert_errno(pull(16), 2);
	ck_assert_uint_eq(chains[0].id, ids[1]);
	ck_assert_uint_eq(chains[1].id, ids[2]);
	ck_assert_errno(pull(16), 1);
	ids[3] = chains[0].id;
	for (int i = 0; i < 4; i++)
		ck_assert_errno(push(ids[i], 7), 0);
	ck_assert_int_ge(vtc_vring_flush(device), 0);
	ck_assert_errno(vtc_vring_reap(driver, d, 8), 5);
}
END_TEST

START_TEST(a_packed_successor_needs_order)
{
	uint32_t ids[8];

	layout(1);
	make();
	offer(2, 1);
	ck_assert_errno(pull(2), 2);
	ck_assert_errno(vtc_vring_get_state(device, &opts.state), 0);
	ck_assert_uint_eq(opts.state.in_flight, 2);
	ck_assert_errno(make_one(), -EOPNOTSUPP);
	teardown();
	setup();
	layout(1);
	feature(VTC_VRING_F_IN_ORDER);
	make();
	offer(4, 2);
	ck_assert_errno(pull(3), 3);
	ck_assert_errno(push(chains[0].id, 0), 0);
	ck_assert_int_ge(vtc_vring_flush(device), 0);
	ck_assert_errno(vtc_vring_get_in_flight(device, ids, 8), 2);
	ck_assert_uint_eq(ids[0], chains[1].id);
	succeed(ids, 2, 0);
	ck_assert_errno(pull(16), 3);
	ck_assert_uint_eq(chains[0].id, ids[0]);
	ck_assert_uint_eq(chains[1].id, ids[1]);
}
END_TEST

int main(void)
{
	const TTest *const alone[] = {
		options_are_checked,
		a_ring_needs_the_permissions_of_its_side,
		sides_are_kept_apart,
		a_successor_pulls_the_rest_again,
		a_packed_successor_needs_order,
	};
	const TTest *const both[] = {
		bad_buffers_are_not_added,	     a_chain_that_does_not_fit_stays,
		push_takes_only_what_is_in_flight,   in_order_means_in_order,
		unpulled_chains_come_again,	     the_oldest_in_flight_comes_first,
		a_quiet_ring_goes_on_elsewhere,	     reset_begins_anew,
		a_broken_ring_says_why_and_stays_so,
	};
	Suite *s = suite_create("state");
	TCase *tc = tcase_create("state");

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < sizeof(alone) / sizeof(alone[0]); i++)
		tcase_add_test(tc, alone[i]);
	for (size_t i = 0; i < sizeof(both) / sizeof(both[0]); i++)
		tcase_add_loop_test(tc, both[i], 0, 2);
	suite_add_tcase(s, tc);
	return vtct_main(s, NULL);
}
