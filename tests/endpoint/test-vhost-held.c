/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vhost-user backends whose far side holds what the guest sends: chains go back in the
 * order of the ring, all of them before a ring or the memory changes, and those of a
 * backend that dies are sent again by the next one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vtc/vtc.h>

#include "rig.h"
#include "vhostfront.h"
#include "vtct.h"

#define BIT(n) (1ull << (n))
#define ROOM   256u
#define SEEN   1024u

/* ---- A port that holds all that it is given ---- */

struct keeper {
	struct vtc_port port;
	bool dead; /* settles without giving anything back, as if it had been killed */
	uint32_t ids[ROOM];
	unsigned int held, settled, forgotten;
	unsigned int seen[SEEN], count;
};

static struct keeper *keeper_of(struct vtc_port *port)
{
	return VTC__OWNER(port, struct keeper, port);
}

static void give_back(struct keeper *k, unsigned int count)
{
	struct vtc_done done[ROOM];

	ck_assert_uint_le(count, k->held);
	for (unsigned int i = 0; i < count; i++)
		done[i] = (struct vtc_done){ k->ids[i], 0 };
	k->held -= count;
	memmove(k->ids, k->ids + count, k->held * sizeof(k->ids[0]));
	if (count)
		k->port.peer->ops->release(k->port.peer, 0, done, count);
}

static int begin(struct vtc_port *port, unsigned int queue, unsigned int from)
{
	uint32_t chains;

	(void)queue;
	if (!port->peer->ops->memory(port->peer, from, &chains))
		return -EAGAIN;
	ck_assert_uint_eq(chains, 64);
	return (int)(ROOM - keeper_of(port)->held);
}

static int put(struct vtc_port *port, unsigned int from, uint32_t id,
	       const struct vtc_segment *segments, unsigned int count)
{
	static uint8_t bytes[RIG_PACKET_MAX], want[RIG_PACKET_MAX];
	struct keeper *k = keeper_of(port);
	size_t len = 0;

	ck_assert_uint_eq(from, 0);
	for (unsigned int i = 0; i < count; i++) {
		memcpy(bytes + len, segments[i].base, segments[i].len);
		len += segments[i].len;
	}
	ck_assert_uint_lt(k->count, SEEN);
	memcpy(&k->seen[k->count], bytes, sizeof(k->seen[0]));
	rig_fill(want, len, k->seen[k->count++]);
	ck_assert_mem_eq(bytes, want, len);
	k->ids[k->held++] = id;
	return 0;
}

static void pass(struct vtc_port *port, unsigned int from, uint32_t id)
{
	ck_assert_uint_eq(from, 0);
	keeper_of(port)->ids[keeper_of(port)->held++] = id;
}

static void end(struct vtc_port *port, unsigned int queue)
{
	(void)port;
	(void)queue;
}

static void settle(struct vtc_port *port, bool forget)
{
	struct keeper *k = keeper_of(port);

	k->settled += k->held > 0;
	k->forgotten += forget;
	if (k->dead)
		k->held = 0;
	else
		give_back(k, k->held);
}

static int reserve(struct vtc_port *port, unsigned int queue, struct vtc__burst *burst,
		   unsigned int max)
{
	(void)port;
	(void)queue;
	(void)burst;
	(void)max;
	return 0;
}

static void commit(struct vtc_port *port, unsigned int queue, struct vtc__burst *burst,
		   unsigned int taken, unsigned int used)
{
	(void)port;
	(void)queue;
	(void)burst;
	(void)taken;
	(void)used;
}

static bool arm_reserve(struct vtc_port *port, unsigned int queue)
{
	(void)port;
	(void)queue;
	return true;
}

static void detach(struct vtc_port *port)
{
	settle(port, true);
}

static void close_keeper(struct vtc_port *port)
{
	vtc__port_fini(port);
	free(keeper_of(port));
}

static const struct vtc__place_ops place = { begin, put, pass, end, settle };

static const struct vtc__port_ops ops = {
	.kind = "one that holds",
	.detach = detach,
	.close = close_keeper,
	.reserve = reserve,
	.commit = commit,
	.arm_reserve = arm_reserve,
	.place = &place,
};

static struct keeper *keeper_new(struct vtc_ctx *ctx)
{
	struct keeper *k = vtct_alloc(sizeof(*k));

	memset(k, 0, sizeof(*k));
	ck_assert_errno(vtc__port_init(&k->port, ctx, &ops, 1), 0);
	k->port.far_role = VTC_VRING_DEVICE;
	k->port.ready = 1;
	return k;
}

/* ---- Behind a backend ---- */

struct setup {
	struct rig *rig;
	struct vtc_port *port;
	struct keeper *keeper;
	struct vhostfront *front;
	char path[108];
	int fds;
};

static void step(void *data)
{
	rig_run(((struct setup *)data)->rig);
}

/* Split or packed, in order or not; with a record or without. */
#define KINDS 8

static struct vhostfront_plan plan_of(int kind)
{
	return (struct vhostfront_plan){
		.features_off = (kind & 1 ? 0 : BIT(VTC_VRING_F_PACKED)) |
				(kind & 2 ? 0 : BIT(VTC_VRING_F_IN_ORDER)),
		.protocol_off = BIT(VTC__VHOST_PF_MEM_SLOTS), /* a table of all, then */
		.inflight = kind & 4,
	};
}

static void open_port(struct setup *s)
{
	struct vtc_vhost_user_opts o = VTC_VHOST_USER_OPTS_INIT;

	o.path = s->path;
	ck_assert_errno(vtc_port_open_vhost_user(s->rig->ctx, &o, &s->port), 0);
	ck_assert_errno(vtc_relay_join(s->rig->relay, s->port, &s->keeper->port), 0);
}

static struct setup *setup_new(int kind)
{
	const struct vhostfront_plan plan = plan_of(kind);
	struct setup *s = vtct_alloc(sizeof(*s));

	memset(s, 0, sizeof(*s));
	s->fds = vtct_count_fds();
	s->rig = rig_new(NULL);
	s->keeper = keeper_new(s->rig->ctx);
	snprintf(s->path, sizeof(s->path), "%s/h", vtct_dir());
	open_port(s);
	s->front = vhostfront_new(s->rig->ctx, &plan, step, s);
	vhostfront_connect(s->front, s->path);
	vhostfront_hello(s->front);
	vhostfront_start(s->front);
	return s;
}

static void setup_free(struct setup *s)
{
	vhostfront_free(s->front);
	rig_run(s->rig);
	vtc_port_close(s->port);
	vtc_port_close(&s->keeper->port);
	rig_free(s->rig);
	ck_assert_int_eq(vtct_count_fds(), s->fds);
	free(s);
}

/* Packets of any size, numbered from there; nothing of them comes back. */
static void send_some(struct setup *s, unsigned int first, unsigned int count)
{
	unsigned int seen = s->keeper->count;
	unsigned int unsent = vhostfront_unsent(s->front, 0);

	for (unsigned int i = 0; i < count; i++)
		vhostfront_send(s->front, 0, 61 + 50 * i, first + i, 1 + i % 3, false);
	rig_run(s->rig);
	ck_assert_uint_eq(s->keeper->count, seen + count);
	for (unsigned int i = 0; i < count; i++)
		ck_assert_uint_eq(s->keeper->seen[seen + i], first + i);
	ck_assert_uint_eq(vhostfront_unsent(s->front, 0), unsent + count);
}

/* All is back, and the ring goes on. */
static void goes_on(struct setup *s, unsigned int first)
{
	ck_assert_uint_eq(vhostfront_unsent(s->front, 0), 0);
	for (unsigned int i = 0; i < 10; i++) {
		send_some(s, first + 10 * i, 10);
		give_back(s->keeper, 10);
		ck_assert_uint_eq(vhostfront_unsent(s->front, 0), 0);
	}
}

START_TEST(what_is_held_comes_back_later)
{
	struct setup *s = setup_new(_i);

	for (unsigned int round = 0; round < 50; round++) {
		send_some(s, round * 20, 12);
		give_back(s->keeper, 5);
		ck_assert_uint_eq(vhostfront_unsent(s->front, 0), 7);
		send_some(s, round * 20 + 12, 8);
		give_back(s->keeper, 1);
		ck_assert_uint_eq(vhostfront_unsent(s->front, 0), 14);
		give_back(s->keeper, 14);
		ck_assert_uint_eq(vhostfront_unsent(s->front, 0), 0);
		s->keeper->count = 0;
	}
	ck_assert_uint_eq(rig_stats(s->port, 0).copies, 0);
	ck_assert_uint_eq(rig_stats(s->port, 0).rx_packets, 1000);
	setup_free(s);
}
END_TEST

START_TEST(a_ring_stops_with_nothing_held)
{
	struct setup *s = setup_new(_i);
	uint32_t at;

	for (unsigned int i = 0; i < 5; i++) {
		send_some(s, 1000 * i, 10);
		at = vhostfront_stop_ring(s->front, 1);
		ck_assert_uint_eq(s->keeper->held, 0);
		ck_assert_uint_eq(vhostfront_unsent(s->front, 0), 0);
		/* So it can go on there. */
		ck_assert_uint_eq(vhostfront_stop_ring(s->front, 1), at);
		vhostfront_start_ring(s->front, 1);
		goes_on(s, 1000 * i + 100);
		s->keeper->count = 0;
	}
	setup_free(s);
}
END_TEST

START_TEST(a_ring_that_is_off_holds_nothing)
{
	struct setup *s = setup_new(_i);

	send_some(s, 0, 10);
	vhostfront_enable(s->front, 1, false);
	rig_run(s->rig);
	ck_assert_uint_eq(s->keeper->held, 0);
	vhostfront_enable(s->front, 1, true);
	goes_on(s, 100);
	setup_free(s);
}
END_TEST

START_TEST(memory_changes_with_nothing_held)
{
	struct setup *s = setup_new(_i);
	unsigned int before;

	for (unsigned int i = 0; i < 5; i++) {
		send_some(s, 1000 * i, 10);
		before = s->keeper->forgotten;
		ck_assert_uint_eq(vhostfront_set_memory(s->front), 0);
		rig_run(s->rig);
		ck_assert_uint_eq(s->keeper->forgotten, before + 1);
		ck_assert_uint_eq(s->keeper->held, 0);
		goes_on(s, 1000 * i + 100);
		s->keeper->count = 0;
	}
	setup_free(s);
}
END_TEST

START_TEST(a_frontend_goes_and_its_memory_with_it)
{
	struct setup *s = setup_new(_i);

	for (unsigned int i = 0; i < 5; i++) {
		send_some(s, 1000 * i, 10);
		vhostfront_disconnect(s->front);
		rig_run(s->rig);
		ck_assert_uint_eq(s->keeper->held, 0);
		ck_assert_uint_ge(s->keeper->forgotten, i + 1);
		vhostfront_connect(s->front, s->path);
		vhostfront_hello(s->front);
		/* A record would say that they are older. */
		if (!s->front->plan.inflight)
			vhostfront_reset_rings(s->front);
		vhostfront_start(s->front);
		goes_on(s, 1000 * i + 100);
		s->keeper->count = 0;
	}
	setup_free(s);
}
END_TEST

START_TEST(the_port_leaves_with_nothing_held)
{
	struct setup *s = setup_new(_i);

	send_some(s, 0, 10);
	vtc_relay_free(s->rig->relay);
	ck_assert_uint_eq(s->keeper->held, 0);
	ck_assert_uint_eq(vhostfront_unsent(s->front, 0), 0);
	ck_assert_errno(vtc_relay_new(s->rig->ctx, NULL, &s->rig->relay), 0);
	ck_assert_errno(vtc_relay_join(s->rig->relay, &s->keeper->port, s->port), 0);
	goes_on(s, 100);
	setup_free(s);
}
END_TEST

/* Chains of a ring that broke mean nothing in the next one. */
START_TEST(a_broken_ring_takes_them_along)
{
	struct setup *s = setup_new(_i);
	struct vhostfront *f = s->front;

	send_some(s, 0, 10);
	vhostfront_send(f, 0, 100, 1, 1, true);
	/* Buffers nowhere. */
	for (unsigned int i = 0; i < 64; i++)
		memset(vhostfront_at(f, f->ring[1].at[0] + 16 * i), 0x7e, 8);
	ck_assert_int_eq(write(f->ring[1].kick, &(uint64_t){ 1 }, 8), 8);
	rig_run(s->rig);
	ck_assert_uint_eq(s->keeper->held, 0);
	vhostfront_stop(f);
	vhostfront_reset_rings(f);
	for (unsigned int i = 0; i < 2; i++)
		vhostfront_start_ring(f, i);
	s->keeper->count = 0;
	goes_on(s, 100);
	setup_free(s);
}
END_TEST

static uint16_t used_of(const struct vhostfront *f)
{
	const uint8_t *p = vhostfront_at(f, f->ring[1].at[2]) + 2;

	return (uint16_t)(p[0] | p[1] << 8);
}

/*
 * As if the process had been killed: chains are held, and nobody gives them back. The
 * next one sends them again, and knows by the ring or by the record where to begin.
 */
START_TEST(what_a_dead_one_held_is_sent_again)
{
	struct vhostfront *f;
	struct setup *s;

	/* Where a packed ring without a record stands can only be guessed. */
	if ((_i & 5) == 1)
		return;
	s = setup_new(_i);
	f = s->front;

	for (unsigned int i = 0; i < 20; i++) {
		unsigned int first = 100 * i;

		send_some(s, first, 10);
		give_back(s->keeper, 3);
		ck_assert_uint_eq(vhostfront_unsent(f, 0), 7);
		s->keeper->dead = true;
		vhostfront_disconnect(f);
		rig_run(s->rig);
		ck_assert_uint_eq(vhostfront_unsent(f, 0), 7);
		s->keeper->dead = false;
		s->keeper->count = 0;
		if (!(_i & 1))
			f->ring[1].base = used_of(f);
		vhostfront_connect(f, s->path);
		vhostfront_hello(f);
		vhostfront_start(f);
		rig_run(s->rig);
		ck_assert_uint_eq(s->keeper->count, 7);
		for (unsigned int k = 0; k < 7; k++)
			ck_assert_uint_eq(s->keeper->seen[k], first + 3 + k);
		give_back(s->keeper, 7);
		ck_assert_uint_eq(vhostfront_unsent(f, 0), 0);
		s->keeper->count = 0;
	}
	goes_on(s, 5000);
	setup_free(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vhost-held");
	TCase *t = tcase_create("variants");

	tcase_add_loop_test(t, what_is_held_comes_back_later, 0, KINDS);
	tcase_add_loop_test(t, a_ring_stops_with_nothing_held, 0, KINDS);
	tcase_add_loop_test(t, a_ring_that_is_off_holds_nothing, 0, KINDS);
	tcase_add_loop_test(t, memory_changes_with_nothing_held, 0, KINDS);
	tcase_add_loop_test(t, a_frontend_goes_and_its_memory_with_it, 0, KINDS);
	tcase_add_loop_test(t, the_port_leaves_with_nothing_held, 0, KINDS);
	tcase_add_loop_test(t, a_broken_ring_takes_them_along, 0, KINDS);
	tcase_add_loop_test(t, what_a_dead_one_held_is_sent_again, 0, KINDS);
	suite_add_tcase(s, t);
	return vtct_main(s, NULL);
}
