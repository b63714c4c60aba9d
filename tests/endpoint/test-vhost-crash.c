/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vhost-user backends that are killed at any instruction, and what their successors find:
 * the place in a packed ring, records of what is in flight, and all of it for real.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vtc/vtc.h>

#include "endpoint/vhost-inflight.h"
#include "endpoint/vhost-place.h"
#include "rig.h"
#include "vhostfront.h"
#include "vring/vring.h"
#include "vtct.h"

#define BIT(n) (1ull << (n))

/* ---- The place in a packed ring ---- */

#define RING_MAX 64u

struct model {
	struct vtc_ctx *ctx;
	struct vtc_mem *mem;
	uint8_t *memory;
	struct vtc_vring *driver, *device;
	uint32_t size, free, used;
	unsigned int pieces; /* of a chain, at most */
	uint32_t random;
};

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static struct model *model_new(uint32_t size, uint64_t features, unsigned int pieces)
{
	struct model *m = vtct_alloc(sizeof(*m));
	struct vtc_mem_region r = {
		.sz = sizeof(r), .size = 65536, .fd = -1, .perm = VTC_MEM_RW
	};
	struct vtc_vring_opts o = VTC_VRING_OPTS_INIT;

	memset(m, 0, sizeof(*m));
	ck_assert_errno(vtc_ctx_new(NULL, &m->ctx), 0);
	ck_assert_errno(vtc_mem_new(m->ctx, &m->mem), 0);
	r.base = m->memory = aligned_alloc(4096, r.size);
	ck_assert_errno(vtc_mem_add(m->mem, &r), 0);
	o.size = m->size = m->free = size;
	o.features[0] = features | BIT(VTC_VRING_F_PACKED);
	o.driver_addr = 16384;
	o.device_addr = 20480;
	o.role = VTC_VRING_DRIVER;
	ck_assert_errno(vtc_vring_new(m->ctx, m->mem, &o, &m->driver), 0);
	o.role = VTC_VRING_DEVICE;
	ck_assert_errno(vtc_vring_new(m->ctx, m->mem, &o, &m->device), 0);
	m->pieces = pieces;
	m->random = size;
	return m;
}

static void model_free(struct model *m)
{
	vtc_vring_free(m->driver);
	vtc_vring_free(m->device);
	vtc_mem_unref(m->mem);
	vtc_ctx_unref(m->ctx);
	free(m->memory);
	free(m);
}

static void model_add(struct model *m, unsigned int count)
{
	struct vtc_buffer b[4] = {
		{ 32768, 64, 0 }, { 32768, 64, 0 }, { 32768, 64, 0 }, { 32768, 64, 0 }
	};
	struct vtc_done done;

	while (vtc_vring_reap(m->driver, &done, 1) == 1)
		continue;
	for (unsigned int i = 0; i < count; i++) {
		struct vtc_add add = { .buffers = b };

		add.readable = (uint16_t)(1 + next_random(&m->random) % m->pieces);
		(void)vtc_vring_add(m->driver, &add, 1);
	}
	ck_assert_int_ge(vtc_vring_kick(m->driver), 0);
}

static void model_use(struct model *m, unsigned int max)
{
	struct vtc_chain chains[RING_MAX];
	struct vtc_segment segments[4 * RING_MAX];
	struct vtc_done done[RING_MAX];
	int n = max ? vtc_vring_pull(m->device, chains, max, segments, 4 * RING_MAX) : 0;

	ck_assert_int_ge(n, 0);
	for (int i = 0; i < n; i++)
		done[i] = (struct vtc_done){ chains[i].id, 0 };
	if (n)
		ck_assert_errno(vtc_vring_push(m->device, done, (unsigned int)n), 0);
	ck_assert_int_ge(vtc_vring_flush(m->device), 0);
}

static struct vtc_vring_state model_place(const struct model *m)
{
	struct vtc_vring_state s;

	ck_assert_errno(vtc_vring_get_state(m->device, &s), 0);
	return s;
}

static void expect_place(const struct model *m, const struct vtc_vring_state *got)
{
	struct vtc_vring_state want = model_place(m);

	ck_assert_msg(got->used == want.used && got->used_round == want.used_round &&
			      got->avail == want.used &&
			      got->avail_round == want.used_round && !got->in_flight,
		      "%u/%u is not %u/%u of %u", got->used, got->used_round, want.used,
		      want.used_round, m->size);
}

static const uint32_t sizes[] = { 1, 2, 3, 7, 16, 64 };

/* Whatever old place the frontend gives. */
START_TEST(finds_the_place)
{
	struct model *m = model_new(sizes[_i], 0, 1);

	for (int i = 0; i < 3000; i++) {
		struct vtc_vring_state at = vtc__vhost_place_of(BIT(31) | BIT(15));

		ck_assert_errno(vtc__vhost_place_find(m->memory, m->size, true, &at), 0);
		expect_place(m, &at);
		at.used = at.avail = (uint16_t)(next_random(&m->random) % m->size);
		at.used_round = at.avail_round = next_random(&m->random) & 1;
		ck_assert_errno(vtc__vhost_place_find(m->memory, m->size, true, &at), 0);
		expect_place(m, &at);
		model_add(m, next_random(&m->random) % (m->size + 1));
		model_use(m, next_random(&m->random) % (m->size + 1));
	}
	model_free(m);
}
END_TEST

/* A right place stays, whatever the ring looks like. */
START_TEST(keeps_the_place)
{
	uint64_t features = _i & 8 ? BIT(VTC_VRING_F_IN_ORDER) : 0;
	struct model *m = model_new(sizes[_i % 6], features, _i < 6 ? 1 : 3);

	for (int i = 0; i < 3000; i++) {
		struct vtc_vring_state at = model_place(m);

		ck_assert_errno(vtc__vhost_place_find(m->memory, m->size, false, &at), 0);
		expect_place(m, &at);
		model_add(m, next_random(&m->random) % (m->size + 1));
		model_use(m, next_random(&m->random) % (m->size + 1));
	}
	model_free(m);
}
END_TEST

/* What was being published when the backend was killed. */
START_TEST(ends_a_torn_burst)
{
	struct model *m = model_new(sizes[_i], 0, 1);
	uint8_t before[16 * RING_MAX];

	for (int i = 0; i < 1000; i++) {
		struct vtc_vring_state at, start;
		uint32_t torn, slot;

		model_add(m, next_random(&m->random) % (m->size + 1));
		start = model_place(m);
		memcpy(before, m->memory, 16 * m->size);
		model_use(m, next_random(&m->random) % (m->size + 1));
		/* Take back the first one, and some of the last. */
		at = model_place(m);
		torn = (at.used + m->size - start.used) % m->size;
		if (torn < 2)
			continue;
		memcpy(m->memory + 16 * start.used, before + 16 * start.used, 16);
		slot = start.used;
		at = vtc__vhost_place_of(BIT(31) | BIT(15));
		ck_assert_errno(vtc__vhost_place_find(m->memory, m->size, true, &at), 0);
		expect_place(m, &at);
		ck_assert_uint_eq(m->memory[16 * slot + 8] | m->memory[16 * slot + 9], 0);
	}
	model_free(m);
}
END_TEST

START_TEST(reads_and_writes_bases)
{
	static const struct {
		uint32_t base;
		uint16_t slot;
		uint8_t round;
	} row[] = {
		{ 0x80008000, 0, 0 }, { 0x00008000, 0, 0 }, /* virtio-user */
		{ 0x00050005, 5, 1 }, { 0x80058005, 5, 0 },
		{ 0x00038006, 3, 1 }, /* three are in flight: again */
		{ 0x00000005, 0, 1 }, { 0x7fff7fff, 0x7fff, 1 },
	};
	struct vtc_vring_state s = vtc__vhost_place_of(row[_i].base);

	ck_assert_uint_eq(s.used, row[_i].slot);
	ck_assert_uint_eq(s.used_round, row[_i].round);
	ck_assert_uint_eq(s.avail, row[_i].slot);
	ck_assert_uint_eq(s.avail_round, row[_i].round);
	s = vtc__vhost_place_of(vtc__vhost_base_of(&s));
	ck_assert_uint_eq(s.used, row[_i].slot);
	ck_assert_uint_eq(s.used_round, row[_i].round);
}
END_TEST

static Suite *places(void)
{
	Suite *s = suite_create("places");
	TCase *t = tcase_create("variants");

	tcase_add_loop_test(t, finds_the_place, 0, 6);
	tcase_add_loop_test(t, keeps_the_place, 0, 24);
	tcase_add_loop_test(t, ends_a_torn_burst, 3, 6);
	tcase_add_loop_test(t, reads_and_writes_bases, 0, 7);
	suite_add_tcase(s, t);
	return s;
}

/* ---- Records, byte by byte ---- */

#define ENTRIES 8u

static uint8_t region[1024] __attribute__((aligned(64)));

static uint16_t word_at(size_t offset)
{
	return (uint16_t)(region[offset] | region[offset + 1] << 8);
}

static void set_word(size_t offset, uint16_t value)
{
	memcpy(region + offset, &value, sizeof(value));
}

/* Mark a head, which was taken as the n-th. */
static void mark(unsigned int head, uint64_t n)
{
	region[16 + 16 * head] = 1;
	memcpy(region + 16 + 16 * head + 8, &n, sizeof(n));
}

static struct vtc__vhost_record record_new(bool packed, uint16_t used, bool wrap)
{
	struct vtc__vhost_record r = { region, packed, ENTRIES, 0 };
	const struct vtc_vring_state at = { used, used, packed && !wrap, packed && !wrap,
					    0 };

	memset(region, 0xee, sizeof(region));
	set_word(8, 0);
	ck_assert_int_eq(vtc__vhost_record_is_used(&r), 0);
	vtc__vhost_record_init(&r, &at);
	ck_assert_int_eq(vtc__vhost_record_is_used(&r), 1);
	ck_assert_uint_eq(word_at(8), 1);
	ck_assert_uint_eq(word_at(10), ENTRIES);
	return r;
}

START_TEST(a_split_record)
{
	struct vtc__vhost_record r = record_new(false, 5, 0);
	const struct vtc_done done[] = { { 6, 0 }, { 2, 0 } };
	uint32_t ids[ENTRIES];

	ck_assert_uint_eq(vtc__vhost_record_size(false, ENTRIES), 192);
	ck_assert_uint_eq(word_at(14), 5);
	ck_assert_int_eq(vtc__vhost_record_split(&r, 5, ENTRIES, ids), 0);
	mark(2, 11);
	mark(6, 10);
	mark(3, 1ull << 40);
	ck_assert_int_eq(vtc__vhost_record_split(&r, 5, ENTRIES, ids), 3);
	ck_assert_uint_eq(ids[0], 6);
	ck_assert_uint_eq(ids[1], 2);
	ck_assert_uint_eq(ids[2], 3);
	/* Killed before the used index moves: all again; after: one is left. */
	vtc__vhost_record_before(&r, done, 2, 0, 0);
	ck_assert_int_eq(vtc__vhost_record_split(&r, 5, ENTRIES, ids), 3);
	ck_assert_int_eq(vtc__vhost_record_split(&r, 7, ENTRIES, ids), 1);
	ck_assert_uint_eq(ids[0], 3);
	ck_assert_uint_eq(word_at(14), 7);
	vtc__vhost_record_before(&r, &(struct vtc_done){ 3, 0 }, 1, 0, 0);
	vtc__vhost_record_after(&r, &(struct vtc_done){ 3, 0 }, 1, 8);
	ck_assert_uint_eq(r.again, 0);
	ck_assert_int_eq(vtc__vhost_record_split(&r, 8, ENTRIES, ids), 0);
	/* Nothing is marked any more: the index alone. */
	vtc__vhost_record_before(&r, done, 2, 0, 0);
	vtc__vhost_record_after(&r, done, 2, 10);
	ck_assert_uint_eq(word_at(14), 10);
	vtc__vhost_record_close(&r);
	ck_assert_uint_eq(word_at(8), 0);
}
END_TEST

START_TEST(a_packed_record)
{
	struct vtc__vhost_record r = record_new(true, 6, true);
	struct vtc_vring_state at;
	uint8_t ring[16 * ENTRIES] = { 0 };

	ck_assert_uint_eq(vtc__vhost_record_size(true, ENTRIES), 320);
	ck_assert_uint_eq(word_at(16), 6);
	ck_assert_uint_eq(word_at(18), 6);
	ck_assert_uint_eq(word_at(20), 0x101);
	ck_assert_uint_eq(word_at(32 + 2), 1);
	/* From 6 to 1 in the next lap: not visible, and then visible. */
	vtc__vhost_record_before(&r, NULL, 1, 1, false);
	ck_assert_uint_eq(word_at(16), 1);
	ck_assert_uint_eq(word_at(18), 6);
	ring[16 * 6 + 14] = 0x80;
	ck_assert_errno(vtc__vhost_record_packed(&r, ring, ENTRIES, false, &at), 0);
	ck_assert(at.used == 6 && !at.used_round && at.avail == 6 && !at.in_flight);
	vtc__vhost_record_before(&r, NULL, 1, 1, false);
	ring[16 * 6 + 15] = 0x80;
	ck_assert_errno(vtc__vhost_record_packed(&r, ring, ENTRIES, false, &at), 0);
	ck_assert(at.used == 1 && at.used_round == 1);
	vtc__vhost_record_before(&r, NULL, 1, 2, false);
	vtc__vhost_record_after(&r, NULL, 1, 0);
	ck_assert_uint_eq(word_at(18), 2);
	ck_assert_errno(vtc__vhost_record_packed(&r, ring, ENTRIES, false, &at), 0);
	ck_assert(at.used == 2 && at.avail == 2);
	/* What somebody took out of order cannot be taken again. */
	region[32 + 32 * 3] = 1;
	ck_assert_errno(vtc__vhost_record_packed(&r, ring, ENTRIES, false, &at),
			-EOPNOTSUPP);
	ck_assert_errno(vtc__vhost_record_packed(&r, ring, ENTRIES, true, &at), 0);
	ck_assert_uint_eq(region[32 + 32 * 3], 0);
}
END_TEST

START_TEST(hostile_records)
{
	struct vtc__vhost_record r = record_new(false, 0, 0);
	struct vtc_vring_state at;
	uint8_t ring[16 * ENTRIES] = { 0 };
	uint32_t ids[ENTRIES];

	/* A batch that is larger than the ring, or leads out of it. */
	ck_assert_errno(vtc__vhost_record_split(&r, 9, ENTRIES, ids), -EPROTO);
	set_word(12, 8);
	ck_assert_errno(vtc__vhost_record_split(&r, 1, ENTRIES, ids), -EPROTO);
	set_word(12, 1);
	set_word(16 + 16 + 6, 0xffff);
	ck_assert_errno(vtc__vhost_record_split(&r, 2, ENTRIES, ids), -EPROTO);
	set_word(8, 2);
	ck_assert_errno(vtc__vhost_record_is_used(&r), -EPROTO);
	set_word(8, 1);
	set_word(10, ENTRIES - 1);
	ck_assert_errno(vtc__vhost_record_is_used(&r), -EPROTO);
	r = record_new(true, 0, 1);
	set_word(16, ENTRIES);
	ck_assert_errno(vtc__vhost_record_packed(&r, ring, ENTRIES, 0, &at), -EPROTO);
	set_word(16, 0);
	set_word(18, 0xffff);
	ck_assert_errno(vtc__vhost_record_packed(&r, ring, ENTRIES, 0, &at), -EPROTO);
	set_word(18, 0);
	set_word(20, 0x201);
	ck_assert_errno(vtc__vhost_record_packed(&r, ring, ENTRIES, 0, &at), -EPROTO);
}
END_TEST

/* ---- A backend in a process of its own ---- */

struct shared {
	volatile int ready;
};

struct victim {
	struct shared *shared;
	struct vhostfront *front;
	struct vtc_ctx *ctx;
	char path[108];
	pid_t pid;
	unsigned int steps;
};

#define WAIT_MS	   20000
#define PACKETS	   5u
#define TRIALS	   10u
/* So many instructions take a while, one by one: fewer trials. */
#define MANY_STEPS 20000u

/* The guest gets back what it sends. */
static void __attribute__((noreturn)) be_backend(const struct victim *v)
{
	struct vtc_vhost_user_opts o = VTC_VHOST_USER_OPTS_INIT;
	struct rig *rig = rig_new(NULL);
	struct vtc_port *port;

	o.path = v->path;
	if (vtc_port_open_vhost_user(rig->ctx, &o, &port) ||
	    vtc_relay_join(rig->relay, port, port))
		_exit(1);
	v->shared->ready = 1;
	for (;;) {
		struct pollfd p = { .fd = vtc_relay_get_fd(rig->relay),
				    .events = POLLIN };
		int n = vtc_relay_process(rig->relay, 0);

		if (n < 0)
			_exit(1);
		if (!n)
			(void)poll(&p, 1, -1);
	}
}

static void nap(void)
{
	(void)poll(NULL, 0, 1);
}

static void start_backend(struct victim *v)
{
	v->shared->ready = 0;
	v->pid = fork();
	ck_assert_int_ge(v->pid, 0);
	if (!v->pid)
		be_backend(v);
	for (int i = 0; i < WAIT_MS && !v->shared->ready; i++)
		nap();
	ck_assert_int_eq(v->shared->ready, 1);
}

static void kill_backend(struct victim *v)
{
	kill(v->pid, SIGKILL);
	ck_assert_int_eq(waitpid(v->pid, NULL, 0), v->pid);
	vhostfront_disconnect(v->front);
}

static void wait_for_backend(void *data)
{
	const struct victim *v = data;
	struct pollfd p = { .fd = v->front->fd, .events = POLLIN };

	(void)poll(&p, 1, 20);
}

/* Of a split ring QEMU knows where it stands, of a packed one what it knew once. */
static void connect_front(struct victim *v)
{
	struct vhostfront *f = v->front;

	vhostfront_connect(f, v->path);
	vhostfront_hello(f);
	for (unsigned int i = 0; i < 2; i++) {
		const uint8_t *used = vhostfront_at(f, f->ring[i].at[2]);

		if (!(f->features & BIT(VTC_VRING_F_PACKED)))
			f->ring[i].base = used[2] | (uint32_t)used[3] << 8;
	}
	vhostfront_start(f);
}

static struct victim *victim_new(const struct vhostfront_plan *plan)
{
	static int number;
	struct victim *v = vtct_alloc(sizeof(*v));

	memset(v, 0, sizeof(*v));
	ck_assert_errno(vtc_ctx_new(NULL, &v->ctx), 0);
	v->shared = mmap(NULL, sizeof(*v->shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(v->shared, MAP_FAILED);
	snprintf(v->path, sizeof(v->path), "%s/c%d", vtct_dir(), number++);
	v->front = vhostfront_new(v->ctx, plan, wait_for_backend, v);
	start_backend(v);
	connect_front(v);
	return v;
}

static void victim_free(struct victim *v)
{
	kill_backend(v);
	vhostfront_free(v->front);
	munmap(v->shared, sizeof(*v->shared));
	vtc_ctx_unref(v->ctx);
	free(v);
}

/* Note what has come, whole, from first on: a bit for each. */
static uint64_t receive_all(struct victim *v, unsigned int first)
{
	static uint8_t got[4096], want[4096];
	uint64_t seen = 0;
	long n;

	while ((n = vhostfront_receive(v->front, 0, got, sizeof(got))) >= 0) {
		unsigned int number;

		/* A torn burst of buffers comes back empty. */
		if (n < 60)
			continue;
		memcpy(&number, got, sizeof(number));
		rig_fill(want, (size_t)n, number);
		ck_assert_mem_eq(got, want, (size_t)n);
		ck_assert_uint_lt(number - first, 64);
		seen |= BIT(number - first);
	}
	return seen;
}

static void send_all(struct victim *v, unsigned int first, unsigned int pieces)
{
	for (unsigned int i = 0; i < PACKETS; i++)
		vhostfront_send(v->front, 0, 100 + 10 * i, first + i, 1 + i % pieces,
				false);
}

static bool is_done(struct victim *v, unsigned int first, uint64_t *seen)
{
	*seen |= receive_all(v, first);
	return *seen == BIT(PACKETS) - 1 && !vhostfront_unsent(v->front, 0);
}

static void wait_done(struct victim *v, unsigned int first, uint64_t *seen)
{
	for (int i = 0; i < WAIT_MS && !is_done(v, first, seen); i++)
		nap();
	ck_assert_msg(is_done(v, first, seen), "seen %#llx, %u left",
		      (unsigned long long)*seen, vhostfront_unsent(v->front, 0));
}

static void wait_stop(const struct victim *v)
{
	int status;

	ck_assert_int_eq(waitpid(v->pid, &status, 0), v->pid);
	ck_assert(WIFSTOPPED(status));
}

static void hold(const struct victim *v)
{
	if (ptrace(PTRACE_SEIZE, v->pid, NULL, NULL))
		vtct_skip("ptrace(2) is not allowed here");
	ck_assert_int_eq(ptrace(PTRACE_INTERRUPT, v->pid, NULL, NULL), 0);
	wait_stop(v);
}

static void one_step(const struct victim *v)
{
	ck_assert_int_eq(ptrace(PTRACE_SINGLESTEP, v->pid, NULL, NULL), 0);
	wait_stop(v);
}

/* How many instructions it takes until all packets are back. */
static unsigned int count_steps(struct victim *v, unsigned int pieces)
{
	unsigned int steps = 0;
	uint64_t seen = 0;

	hold(v);
	send_all(v, 0, pieces);
	for (; steps < 2000000 && (steps % 16 || !is_done(v, 0, &seen)); steps++)
		one_step(v);
	ck_assert(is_done(v, 0, &seen));
	return steps;
}

/* Split or packed, in order or not, without and with a record. */
START_TEST(killed_anywhere)
{
	struct vhostfront_plan plan = { 0 };
	bool packed = _i & 1, in_order = _i & 2, record = _i & 4;
	unsigned int pieces = packed && !record ? 1 : 3, steps, trials;
	struct victim *v;

	if (packed && in_order && !record)
		return; /* the place in such a ring cannot be told */
	if (getenv("LD_PRELOAD") && strstr(getenv("LD_PRELOAD"), "vgpreload"))
		vtct_skip("not one program within another");
	plan.features_off = (packed ? 0 : BIT(VTC_VRING_F_PACKED)) |
			    (in_order ? 0 : BIT(VTC_VRING_F_IN_ORDER));
	plan.inflight = record;
	v = victim_new(&plan);
	vhostfront_post(v->front, 0, 60);
	steps = count_steps(v, pieces);
	trials = steps < MANY_STEPS ? TRIALS : TRIALS / 3;
	kill_backend(v);
	for (unsigned int i = 0; i < trials; i++) {
		unsigned int first = 100 * (i + 1), n;
		uint64_t seen = 0;

		start_backend(v);
		connect_front(v);
		vhostfront_post(v->front, 0, 60);
		/* Elsewhere in the ring each time. */
		for (unsigned int k = 0; k < i; k++) {
			seen = 0;
			send_all(v, first, pieces);
			wait_done(v, first, &seen);
			vhostfront_post(v->front, 0, 60);
		}
		hold(v);
		seen = 0;
		first += 50;
		send_all(v, first, pieces);
		n = (unsigned int)(steps * (i + 1ull) / (trials + 1));
		while (n--)
			one_step(v);
		kill_backend(v);
		start_backend(v);
		connect_front(v);
		vhostfront_post(v->front, 0, 60);
		if (packed && !record)
			nap();
		wait_done(v, first, &seen);
		seen = 0;
		send_all(v, first + 10, pieces);
		wait_done(v, first + 10, &seen);
		kill_backend(v);
	}
	start_backend(v);
	victim_free(v);
}
END_TEST

static Suite *crashes(void)
{
	Suite *s = suite_create("crashes");
	TCase *t = tcase_create("variants");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, killed_anywhere, 0, 8);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return vtct_main(places(),
			 vtct_suite("records", a_split_record, a_packed_record,
				    hostile_records, NULL),
			 crashes(), NULL);
}
