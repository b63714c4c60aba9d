/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memory map: what it takes, what it proves, and that a region leaves only when no
 * vring can still use it.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vtc/vtc.h>

#include "vring/mem.h"
#include "vtct.h"

#define PAGE 4096u

static struct vtc_ctx *ctx;
static struct vtc_mem *mem;
static uint8_t memory[64 * PAGE] __attribute__((aligned(4096)));
static struct vtc_segment seg[8];

static void setup(void)
{
	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	ck_assert_errno(vtc_mem_new(ctx, &mem), 0);
}

static void teardown(void)
{
	mem = vtc_mem_unref(mem);
	ctx = vtc_ctx_unref(ctx);
}

static struct vtc_mem_region region(uint64_t addr, uint64_t size, void *base)
{
	return (struct vtc_mem_region){ .sz = sizeof(struct vtc_mem_region),
					.guest_addr = addr,
					.size = size,
					.base = base,
					.fd = -1,
					.perm = VTC_MEM_RW };
}

static int add(uint64_t addr, uint64_t size, void *base)
{
	struct vtc_mem_region r = region(addr, size, base);

	return vtc_mem_add(mem, &r);
}

static int look(uint64_t addr, uint64_t len, enum vtc_mem_perm perm)
{
	return vtc_mem_translate(mem, addr, len, perm, seg, 8);
}

START_TEST(a_range_is_proven_whole)
{
	ck_assert_errno(add(0x10000, PAGE, memory), 0);
	ck_assert_errno(look(0x10000, PAGE, VTC_MEM_RW), 1);
	ck_assert_ptr_eq(seg[0].base, memory);
	ck_assert_uint_eq(seg[0].len, PAGE);
	ck_assert_errno(look(0x10fff, 1, VTC_MEM_READ), 1);
	ck_assert_ptr_eq(seg[0].base, memory + PAGE - 1);
	ck_assert_errno(look(0x10fff, 2, VTC_MEM_READ), -EFAULT);
	ck_assert_errno(look(0xffff, 1, VTC_MEM_READ), -EFAULT);
	ck_assert_errno(look(0x11000, 1, VTC_MEM_READ), -EFAULT);
	ck_assert_errno(look(0x10000, UINT64_MAX, VTC_MEM_READ), -EFAULT);
	ck_assert_errno(look(UINT64_MAX, 2, VTC_MEM_READ), -EFAULT);
	ck_assert_errno(look(0x10000, 0, VTC_MEM_READ), -EINVAL);
	ck_assert_errno(look(0x10000, 1, (enum vtc_mem_perm)4), -EINVAL);
	ck_assert_errno(look(0x10000, 1, (enum vtc_mem_perm)0), -EINVAL);
}
END_TEST

START_TEST(an_empty_map_has_nothing)
{
	ck_assert_errno(look(0, 1, VTC_MEM_READ), -EFAULT);
	ck_assert_errno(vtc_mem_remove(mem, 0, 1), -ENOENT);
}
END_TEST

START_TEST(permissions_hold)
{
	struct vtc_mem_region r = region(0, PAGE, memory);

	r.perm = VTC_MEM_READ;
	ck_assert_errno(vtc_mem_add(mem, &r), 0);
	ck_assert_errno(look(0, 8, VTC_MEM_READ), 1);
	ck_assert_errno(look(0, 8, VTC_MEM_WRITE), -EFAULT);
	ck_assert_errno(look(0, 8, VTC_MEM_RW), -EFAULT);
}
END_TEST

START_TEST(neighbours_merge_only_if_they_adjoin_in_both)
{
	ck_assert_errno(add(0, PAGE, memory), 0);
	ck_assert_errno(add(PAGE, PAGE, memory + PAGE), 0);
	ck_assert_errno(add(2 * PAGE, PAGE, memory + 8 * PAGE), 0);
	ck_assert_errno(look(0, 3 * PAGE, VTC_MEM_RW), 2);
	ck_assert_uint_eq(seg[0].len, 2 * PAGE);
	ck_assert_ptr_eq(seg[1].base, memory + 8 * PAGE);
	ck_assert_errno(vtc_mem_translate(mem, 0, 3 * PAGE, VTC_MEM_RW, seg, 1), -ENOSPC);
	/* One half of the merged pair goes, the other stays. */
	ck_assert_errno(vtc_mem_remove(mem, 0, 2 * PAGE), -ENOENT);
	ck_assert_errno(vtc_mem_remove(mem, 0, PAGE), 0);
	ck_assert_errno(look(PAGE - 1, 2, VTC_MEM_RW), -EFAULT);
	ck_assert_errno(look(PAGE, PAGE + 1, VTC_MEM_RW), 2);
}
END_TEST

START_TEST(overlaps_are_refused)
{
	ck_assert_errno(add(0x10000, 0x1000, memory), 0);
	ck_assert_errno(add(0x10000, 0x1000, memory), -EEXIST);
	ck_assert_errno(add(0x10fff, 1, memory), -EEXIST);
	ck_assert_errno(add(0xf000, 0x1001, memory), -EEXIST);
	ck_assert_errno(add(0xf000, 0x3000, memory), -EEXIST);
	ck_assert_errno(add(0x10800, 0x10, memory), -EEXIST);
	ck_assert_errno(add(0xf000, 0x1000, memory), 0);
	ck_assert_errno(add(0x11000, 0x1000, memory), 0);
}
END_TEST

START_TEST(nonsense_is_refused)
{
	struct vtc_mem_region r;

	ck_assert_errno(add(0, 0, memory), -EINVAL);
	ck_assert_errno(add(UINT64_MAX - 10, 11, memory), -EINVAL);
	ck_assert_errno(add(UINT64_MAX - 10, 100, memory), -EINVAL);
	ck_assert_errno(add(0, (uint64_t)PTRDIFF_MAX + 1, memory), -EINVAL);
	r = region(0, PAGE, memory);
	r.perm = 0;
	ck_assert_errno(vtc_mem_add(mem, &r), -EINVAL);
	r.perm = 4;
	ck_assert_errno(vtc_mem_add(mem, &r), -EINVAL);
	r = region(0, PAGE, memory);
	r.flags = 2;
	ck_assert_errno(vtc_mem_add(mem, &r), -EINVAL);
	r = region(0, PAGE, memory);
	r.fd = 0;
	ck_assert_errno(vtc_mem_add(mem, &r), -EINVAL);
	r = region(0, PAGE, NULL);
	ck_assert_errno(vtc_mem_add(mem, &r), -EINVAL);
	r.sz = 8;
	ck_assert_errno(vtc_mem_add(mem, &r), -EINVAL);
	ck_assert_errno(vtc_mem_add(mem, NULL), -EINVAL);
}
END_TEST

static int file(size_t size, unsigned int seals)
{
	int fd = memfd_create("test", MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)size) || fcntl(fd, F_ADD_SEALS, seals))
		vtct_die("memfd");
	return fd;
}

START_TEST(a_file_must_be_sealed_and_long_enough)
{
	struct vtc_mem_region r = region(0x1000, PAGE, NULL);
	int loose = file(4 * PAGE, 0), tight = file(4 * PAGE, F_SEAL_SHRINK), fds;

	fds = vtct_count_fds();
	r.fd = loose;
	ck_assert_errno(vtc_mem_add(mem, &r), -EPERM);
	r.flags = VTC_MEM_F_TRUSTED;
	ck_assert_errno(vtc_mem_add(mem, &r), 0);
	r = region(0x10000, PAGE, NULL);
	r.fd = tight;
	r.fd_offset = 3 * PAGE + 1;
	ck_assert_errno(vtc_mem_add(mem, &r), -ENXIO);
	r.fd_offset = UINT64_MAX - 100;
	ck_assert_errno(vtc_mem_add(mem, &r), -EINVAL);
	r.fd_offset = (uint64_t)INT64_MAX - 100;
	ck_assert_errno(vtc_mem_add(mem, &r), -EINVAL);
	r.fd_offset = 3 * PAGE;
	ck_assert_errno(vtc_mem_add(mem, &r), 0);
	r.guest_addr = 0x20000;
	r.fd = 987;
	ck_assert_errno(vtc_mem_add(mem, &r), -EBADF);
	ck_assert_int_eq(vtct_count_fds(), fds);
	close(loose);
	close(tight);
}
END_TEST

START_TEST(an_offset_need_not_be_aligned)
{
	struct vtc_mem_region r = region(0x777, 5000, NULL);
	int fd = file(4 * PAGE, F_SEAL_SHRINK);

	r.fd = fd;
	r.fd_offset = 4500;
	ck_assert_errno(vtc_mem_add(mem, &r), 0);
	ck_assert_int_eq(pwrite(fd, "here", 4, 4500 + 4996), 4);
	ck_assert_errno(look(0x777 + 4996, 4, VTC_MEM_RW), 1);
	ck_assert_mem_eq(seg[0].base, "here", 4);
	ck_assert_errno(vtc_mem_remove(mem, 0x777, 5000), 0);
	close(fd);
}
END_TEST

/* Any number of regions, at any distance, is searched alike. */
START_TEST(all_of_many_are_found)
{
	uint64_t addr = 0, addrs[VTC_MEM_REGIONS_MAX];

	for (uint64_t i = 0; i < VTC_MEM_REGIONS_MAX; i++) {
		addr += i % 50 == 49 ? 1ull << 50 : PAGE + i * 64;
		addrs[i] = addr;
	}
	for (unsigned int i = 0; i < VTC_MEM_REGIONS_MAX; i++) {
		/* In an order that is not that of the addresses. */
		unsigned int n = i * 100 % VTC_MEM_REGIONS_MAX;

		ck_assert_errno(add(addrs[n], PAGE, memory + n), 0);
	}
	ck_assert_errno(add(1ull << 60, PAGE, memory), -ENOSPC);
	for (unsigned int i = 0; i < VTC_MEM_REGIONS_MAX; i++) {
		ck_assert_errno(look(addrs[i], PAGE, VTC_MEM_RW), 1);
		ck_assert_ptr_eq(seg[0].base, memory + i);
		ck_assert_errno(look(addrs[i] - 1, 1, VTC_MEM_RW), -EFAULT);
		ck_assert_errno(look(addrs[i] + PAGE, 1, VTC_MEM_RW), -EFAULT);
	}
}
END_TEST

START_TEST(the_whole_address_space_is_searched)
{
	ck_assert_errno(add(0, PAGE, memory), 0);
	ck_assert_errno(add(UINT64_MAX - PAGE, PAGE, memory + PAGE), 0);
	ck_assert_errno(look(UINT64_MAX - 1, 1, VTC_MEM_RW), 1);
	ck_assert_errno(look(UINT64_MAX, 1, VTC_MEM_RW), -EFAULT);
	ck_assert_errno(look(1ull << 63, 1, VTC_MEM_RW), -EFAULT);
	ck_assert_errno(look(0, 1, VTC_MEM_RW), 1);
}
END_TEST

/* ---- Vrings on the map ---- */

static struct vtc_vring *driver, *device;

static void make_rings(void)
{
	struct vtc_vring_opts o = VTC_VRING_OPTS_INIT;

	ck_assert_errno(add(0x100000, 8 * PAGE, memory), 0);
	ck_assert_errno(add(0x200000, PAGE, memory + 8 * PAGE), 0);
	ck_assert_errno(add(0x300000, PAGE, memory + 16 * PAGE), 0);
	o.size = 8;
	o.desc_addr = 0x100000;
	o.driver_addr = 0x100000 + PAGE;
	o.device_addr = 0x100000 + 2 * PAGE;
	ck_assert_errno(vtc_vring_new(ctx, mem, &o, &device), 0);
	o.role = VTC_VRING_DRIVER;
	ck_assert_errno(vtc_vring_new(ctx, mem, &o, &driver), 0);
}

static void free_rings(void)
{
	vtc_vring_free(driver);
	vtc_vring_free(device);
}

static void offer(uint64_t addr, uint32_t len)
{
	struct vtc_buffer b = { addr, len, 0 };
	struct vtc_add a = { &b, 0, 1, 7 };

	ck_assert_errno(vtc_vring_add(driver, &a, 1), 1);
	ck_assert_int_ge(vtc_vring_kick(driver), 0);
}

static struct vtc_chain chain;

static int pull(void)
{
	return vtc_vring_pull(device, &chain, 1, seg, 8);
}

static void push(uint32_t len)
{
	struct vtc_done d = { chain.id, len };

	ck_assert_errno(vtc_vring_push(device, &d, 1), 0);
	ck_assert_int_ge(vtc_vring_flush(device), 0);
	ck_assert_errno(vtc_vring_reap(driver, &d, 1), 1);
	ck_assert_uint_eq(d.id, 7);
	ck_assert_uint_eq(d.len, len);
}

/* A search that went past the last of many spans here would read what is behind them. */
START_TEST(the_last_address_is_in_no_region)
{
	ck_assert_errno(add(0x1000, PAGE, memory), 0);
	for (uint32_t i = 0; i < 300; i++)
		ck_assert_errno(add(UINT64_MAX - 8192 + i * 16, 8, memory), 0);
	ck_assert_errno(look(UINT64_MAX, 1, VTC_MEM_READ), -EFAULT);
	ck_assert_errno(look(UINT64_MAX - 1, 1, VTC_MEM_READ), -EFAULT);
	ck_assert_errno(look(UINT64_MAX - 8192 + 299 * 16, 8, VTC_MEM_READ), 1);
}
END_TEST

START_TEST(an_idle_ring_holds_nothing)
{
	make_rings();
	ck_assert_errno(vtc_mem_remove(mem, 0x200000, PAGE), 0);
	offer(0x300000, 100);
	ck_assert_errno(pull(), 1);
	push(10);
	ck_assert_errno(vtc_mem_remove(mem, 0x300000, PAGE), 0);
	free_rings();
}
END_TEST

START_TEST(a_chain_in_flight_holds_its_region)
{
	make_rings();
	offer(0x200000, 100);
	ck_assert_errno(pull(), 1);
	ck_assert_errno(vtc_mem_remove(mem, 0x200000, PAGE), -EAGAIN);
	ck_assert_errno(add(0x200000, PAGE, memory + 8 * PAGE), -EEXIST);
	ck_assert_errno(vtc_mem_remove(mem, 0x200000, PAGE), -EAGAIN);
	push(100);
	ck_assert_errno(vtc_mem_remove(mem, 0x200000, PAGE), 0);
	ck_assert_errno(vtc_mem_remove(mem, 0x200000, PAGE), -ENOENT);
	free_rings();
}
END_TEST

/* Chains that were pulled after the change do not keep the old region for ever. */
START_TEST(only_chains_of_before_hold_a_region)
{
	struct vtc_chain old;
	struct vtc_done d;

	make_rings();
	offer(0x200000, 100);
	ck_assert_errno(pull(), 1);
	old = chain;
	ck_assert_errno(vtc_mem_remove(mem, 0x200000, PAGE), -EAGAIN);
	offer(0x300000, 100);
	ck_assert_errno(pull(), 1);
	ck_assert_errno(vtc_mem_remove(mem, 0x200000, PAGE), -EAGAIN);
	d = (struct vtc_done){ old.id, 0 };
	ck_assert_errno(vtc_vring_push(device, &d, 1), 0);
	ck_assert_errno(vtc_mem_remove(mem, 0x200000, PAGE), 0);
	ck_assert_errno(vtc_mem_remove(mem, 0x300000, PAGE), -EAGAIN);
	free_rings();
	ck_assert_errno(vtc_mem_remove(mem, 0x300000, PAGE), 0);
}
END_TEST

START_TEST(nothing_new_goes_to_a_region_that_leaves)
{
	make_rings();
	offer(0x200000, 100);
	ck_assert_errno(pull(), 1);
	ck_assert_errno(vtc_mem_remove(mem, 0x200000, PAGE), -EAGAIN);
	ck_assert_errno(look(0x200000, 1, VTC_MEM_READ), -EFAULT);
	offer(0x200000, 50);
	ck_assert_errno(pull(), -EPROTO);
	ck_assert_str_eq(vtc_vring_get_error(device),
			 "a buffer is outside the memory map");
	free_rings();
}
END_TEST

START_TEST(a_ring_whose_memory_leaves_is_broken)
{
	make_rings();
	ck_assert_errno(vtc_mem_remove(mem, 0x100000, 8 * PAGE), 0);
	ck_assert_errno(pull(), -EPROTO);
	ck_assert_str_eq(vtc_vring_get_error(device),
			 "the ring's memory has left the memory map");
	ck_assert_errno(vtc_vring_reset(device), -EFAULT);
	ck_assert_errno(add(0x100000, 8 * PAGE, memory), 0);
	ck_assert_errno(vtc_vring_reset(device), 0);
	ck_assert_errno(vtc_vring_reset(driver), 0);
	offer(0x200000, 1);
	ck_assert_errno(pull(), 1);
	free_rings();
}
END_TEST

START_TEST(written_pages_are_logged)
{
	uint8_t bits[0x400 / 8];

	memset(bits, 0, sizeof(bits));
	make_rings();
	offer(0x200ff0, 16);
	ck_assert_errno(pull(), 1);
	ck_assert_errno(vtc_mem_set_dirty_log(mem, bits, sizeof(bits)), 0);
	ck_assert_errno(vtc_mem_set_dirty_log(NULL, bits, sizeof(bits)), -EINVAL);
	push(3);
	ck_assert_uint_eq(bits[0x200 / 8], 1);
	ck_assert_uint_eq(bits[0x300 / 8], 0);
	/* The used ring, and nothing else of the ring's region. */
	ck_assert_uint_eq(bits[0x100 / 8], 1u << 2);
	memset(bits, 0, sizeof(bits));
	ck_assert_errno(vtc_mem_set_dirty_log(mem, bits, 0x201 / 8), 0);
	offer(0x300000, 16);
	ck_assert_errno(pull(), 1);
	push(16);
	ck_assert_uint_eq(bits[0x300 / 8], 0);
	ck_assert_uint_eq(bits[0x100 / 8], 1u << 2);
	ck_assert_errno(vtc_mem_set_dirty_log(mem, NULL, 0), 0);
	free_rings();
}
END_TEST

START_TEST(a_vring_keeps_the_map)
{
	make_rings();
	mem = vtc_mem_unref(mem);
	offer(0x200000, 100);
	ck_assert_errno(pull(), 1);
	push(4);
	free_rings();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_range_is_proven_whole,
		an_empty_map_has_nothing,
		permissions_hold,
		neighbours_merge_only_if_they_adjoin_in_both,
		overlaps_are_refused,
		nonsense_is_refused,
		a_file_must_be_sealed_and_long_enough,
		an_offset_need_not_be_aligned,
		all_of_many_are_found,
		the_whole_address_space_is_searched,
		the_last_address_is_in_no_region,
		an_idle_ring_holds_nothing,
		a_chain_in_flight_holds_its_region,
		only_chains_of_before_hold_a_region,
		nothing_new_goes_to_a_region_that_leaves,
		a_ring_whose_memory_leaves_is_broken,
		written_pages_are_logged,
		a_vring_keeps_the_map,
	};
	Suite *s = suite_create("mem");
	TCase *tc = tcase_create("mem");

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return vtct_main(s, NULL);
}
