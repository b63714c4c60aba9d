/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Driver and device on a thread each, which sleep when needs_poll says so, while a third
 * thread adds and removes regions: nothing gets lost, no wake-up is missed, and memory is
 * unmapped only when nobody uses it. tsan.sh runs this under ThreadSanitizer.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vtc/vtc.h>

#include "vtct.h"

#define RING	   0x100000u
#define RING_LEN   0x10000u
#define DATA	   0x200000u
#define SLOT	   64u
#define SIZE	   16u
#define MOVING	   0x400000u
#define MOVING_LEN 0x4000u
#define TOTAL	   20000u
#define WAIT_MS	   30000

#define PACKED 1u
#define EVENT  2u
#define ORDER  4u

static struct vtc_ctx *ctx;
static struct vtc_mem *mem;
static struct vtc_vring *driver, *device;
static uint8_t ring_memory[RING_LEN] __attribute__((aligned(4096)));
static uint8_t data[SIZE * SLOT];
static int kick_fd, call_fd;
static atomic_bool stop;
static atomic_uint failed; /* line of the first check that did not hold */
static atomic_uint slept;

/* Threads cannot leave a test, so they note where it failed. */
#define CHECK(what)                                                               \
	do {                                                                      \
		unsigned int none = 0;                                            \
		if (!(what))                                                      \
			atomic_compare_exchange_strong(&failed, &none, __LINE__); \
	} while (0)

static bool is_well(void)
{
	return !atomic_load(&failed);
}

static void notify(int fd)
{
	uint64_t one = 1;

	CHECK(write(fd, &one, sizeof(one)) == (ssize_t)sizeof(one));
}

/* A wake-up that was lost shows here, as a wait without end. */
static void wait_for(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	uint64_t count;

	atomic_fetch_add(&slept, 1);
	CHECK(poll(&p, 1, WAIT_MS) == 1);
	CHECK(read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count));
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

static struct vtc_vring *make(uint32_t role, unsigned int variant)
{
	struct vtc_vring_opts o = VTC_VRING_OPTS_INIT;
	struct vtc_vring *ring = NULL;

	o.role = role;
	o.size = SIZE;
	o.features[0] = (variant & PACKED ? 1ull << VTC_VRING_F_PACKED : 0) |
			(variant & EVENT ? 1ull << VTC_VRING_F_EVENT_IDX : 0) |
			(variant & ORDER ? 1ull << VTC_VRING_F_IN_ORDER : 0);
	o.desc_addr = RING;
	o.driver_addr = RING + 0x1000;
	o.device_addr = RING + 0x2000;
	ck_assert_errno(vtc_vring_new(ctx, mem, &o, &ring), 0);
	return ring;
}

static void setup(void)
{
	memset(ring_memory, 0, sizeof(ring_memory));
	atomic_store(&stop, false);
	atomic_store(&failed, 0);
	atomic_store(&slept, 0);
	kick_fd = eventfd(0, EFD_CLOEXEC);
	call_fd = eventfd(0, EFD_CLOEXEC);
	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	ck_assert_errno(vtc_mem_new(ctx, &mem), 0);
	add_region(RING, RING_LEN, ring_memory);
	add_region(DATA, sizeof(data), data);
}

static void teardown(void)
{
	vtc_vring_free(driver);
	vtc_vring_free(device);
	mem = vtc_mem_unref(mem);
	ctx = vtc_ctx_unref(ctx);
	close(kick_fd);
	close(call_fd);
}

/* ---- Driver: each chain carries its number, and gets the number's complement ---- */

struct course {
	uint32_t added, returned;
	uint32_t idle[SIZE], idle_count;
	uint32_t number[SIZE]; /* by slot */
	bool back[TOTAL];
};

static void offer(struct course *c)
{
	uint32_t slot = c->idle[--c->idle_count];
	struct vtc_buffer b[2] = { { DATA + slot * SLOT, 4, 0 },
				   { DATA + slot * SLOT + 4, 4, 0 } };
	struct vtc_add add = { b, 1, 1, slot };

	c->number[slot] = c->added;
	memcpy(data + slot * SLOT, &c->added, 4);
	if (vtc_vring_add(driver, &add, 1) == 1)
		c->added++;
	else
		c->idle_count++;
}

static void take_back(struct course *c, const struct vtc_done *done)
{
	uint32_t answer, number;

	CHECK(done->id < SIZE && done->len == 4);
	if (!is_well())
		return;
	memcpy(&answer, data + done->id * SLOT + 4, 4);
	number = c->number[done->id];
	CHECK(answer == ~number);
	CHECK(!c->back[number]);
	c->back[number] = true;
	c->idle[c->idle_count++] = done->id;
	c->returned++;
}

static int drive_once(struct course *c)
{
	struct vtc_done done[SIZE];
	uint32_t before = c->added;
	int n, kick;

	while (c->added < TOTAL && c->idle_count > SIZE / 2 && c->added - before < 5)
		offer(c);
	kick = vtc_vring_kick(driver);
	CHECK(kick >= 0);
	if (kick == 1)
		notify(kick_fd);
	n = vtc_vring_reap(driver, done, SIZE);
	CHECK(n >= 0);
	for (int i = 0; i < n; i++)
		take_back(c, &done[i]);
	return n + (int)(c->added - before);
}

static void *drive(void *arg)
{
	struct course *c = arg;

	for (c->idle_count = 0; c->idle_count < SIZE; c->idle_count++)
		c->idle[c->idle_count] = c->idle_count;
	while (c->returned < TOTAL && is_well()) {
		if (drive_once(c) == 0 && c->returned < c->added &&
		    vtc_vring_needs_poll(driver) == 1)
			wait_for(call_fd);
	}
	atomic_store(&stop, true);
	notify(kick_fd);
	return NULL;
}

/* ---- Device ---- */

static void answer(const struct vtc_chain *c, struct vtc_done *done)
{
	uint32_t number;

	CHECK(c->readable == 1 && c->writable == 1);
	memcpy(&number, c->segments[0].base, 4);
	number = ~number;
	memcpy(c->segments[1].base, &number, 4);
	*done = (struct vtc_done){ c->id, 4 };
}

static int serve_once(void)
{
	struct vtc_chain chains[4];
	struct vtc_segment segments[8];
	struct vtc_done done[4];
	int n = vtc_vring_pull(device, chains, 4, segments, 8);

	CHECK(n >= 0);
	for (int i = 0; i < n; i++)
		answer(&chains[i], &done[i]);
	if (n > 0)
		CHECK(vtc_vring_push(device, done, (unsigned int)n) == 0);
	if (vtc_vring_flush(device) == 1)
		notify(call_fd);
	return n;
}

static void *serve(void *arg)
{
	while (!atomic_load(&stop) && is_well()) {
		if (serve_once() == 0 && vtc_vring_needs_poll(device) == 1)
			wait_for(kick_fd);
	}
	return arg;
}

/* ---- The map ---- */

/* From a file, so that removing it takes the memory away for good. */
static void add_file(int fd)
{
	struct vtc_mem_region r = { .sz = sizeof(r),
				    .guest_addr = MOVING,
				    .size = MOVING_LEN,
				    .fd = fd,
				    .perm = VTC_MEM_RW };

	CHECK(vtc_mem_add(mem, &r) == 0);
}

static void remove_file(void)
{
	int err;

	while ((err = vtc_mem_remove(mem, MOVING, MOVING_LEN)) == -EAGAIN &&
	       !atomic_load(&stop) && is_well())
		sched_yield();
	CHECK(err == 0 || err == -EAGAIN);
}

static int make_file(void)
{
	int fd = memfd_create("moving", MFD_ALLOW_SEALING | MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, MOVING_LEN) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK))
		vtct_die("memfd: %s", strerror(errno));
	return fd;
}

/* At least once, however fast the others were. */
static void *change_map(void *arg)
{
	int fd = make_file();

	do {
		add_file(fd);
		sched_yield();
		remove_file();
	} while (!atomic_load(&stop) && is_well());
	close(fd);
	return arg;
}

static void translate_once(void)
{
	struct vtc_segment s;
	int n = vtc_mem_translate(mem, MOVING + 100, 8, VTC_MEM_RW, &s, 1);

	/* The piece itself is not ours to use: it may leave at once. */
	CHECK(n == 1 || n == -EFAULT);
}

static void *translate(void *arg)
{
	while (!atomic_load(&stop) && is_well()) {
		translate_once();
		sched_yield();
	}
	return arg;
}

static void run(bool changing)
{
	void *(*const jobs[])(void *) = { serve, drive, change_map, translate };
	struct course *course = vtct_alloc(sizeof(*course));
	unsigned int count = changing ? 4 : 2;
	pthread_t threads[4];

	for (unsigned int i = 0; i < count; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, jobs[i], course), 0);
	for (unsigned int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(atomic_load(&failed), 0);
	ck_assert_uint_eq(course->returned, TOTAL);
	ck_assert_uint_gt(atomic_load(&slept), 0);
	free(course);
}

static void start(unsigned int variant)
{
	driver = make(VTC_VRING_DRIVER, variant);
	device = make(VTC_VRING_DEVICE, variant);
}

START_TEST(no_wake_up_is_lost)
{
	start((unsigned int)_i);
	run(false);
}
END_TEST

START_TEST(the_map_changes_under_way)
{
	start((unsigned int)_i);
	run(true);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("threads");
	TCase *tc = tcase_create("threads");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, no_wake_up_is_lost, 0, 8);
	tcase_add_loop_test(tc, the_map_changes_under_way, 0, 8);
	suite_add_tcase(s, tc);
	return vtct_main(s, NULL);
}
