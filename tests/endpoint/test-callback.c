/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ports without memory: functions of the caller, and one that reads and writes itself, as
 * a tap does. And packets of the caller's own.
 */
#include <stdlib.h>
#include <string.h>

#include <vtc/relay.h>

#include "queueport.h"
#include "rig.h"
#include "vring/frame.h"
#include "vtct.h"

#define BIT(n) (1ull << (n))

/* ---- A function, and what it saw. ---- */

struct seen {
	struct vtc_port *reply_to; /* or NULL */
	unsigned int take;	   /* packets in each call; 0: all */
	unsigned int calls;
	unsigned int count;
	struct vtc_nethdr header; /* of the last */
	size_t len;
	uint8_t bytes[RIG_PACKET_MAX];
	unsigned int queue;
	uint8_t order[1024]; /* first byte of each */
	uint64_t total;
	bool asked; /* some packet asked for something */
};

static void look(struct seen *s, const struct vtc_packet *p)
{
	s->header = p->header;
	s->len = frame_join(p->segments, p->count, s->bytes, sizeof(s->bytes));
	ck_assert_uint_eq(s->len, p->len);
	ck_assert_uint_lt(s->count, sizeof(s->order));
	s->order[s->count++] = s->bytes[0];
	s->total += s->len;
	s->asked = s->asked || p->header.flags || p->header.gso_type;
}

static unsigned int packets_seen(void *data, unsigned int queue,
				 const struct vtc_packet *packets, unsigned int count)
{
	struct seen *s = data;
	unsigned int n = s->take && s->take < count ? s->take : count;

	s->calls++;
	s->queue = queue;
	for (unsigned int i = 0; i < n; i++)
		look(s, &packets[i]);
	if (s->reply_to)
		ck_assert_int_eq(vtc_port_send(s->reply_to, queue, packets, n), (int)n);
	return n;
}

static struct vtc_port *function_new(struct rig *rig, struct seen *seen, uint32_t flags)
{
	struct vtc_callback_opts o = VTC_CALLBACK_OPTS_INIT;
	struct vtc_port *port = NULL;

	o.flags = flags;
	o.packets = packets_seen;
	o.data = seen;
	ck_assert_errno(vtc_port_new_callback(rig->ctx, &o, &port), 0);
	return port;
}

/* A guest and a function. */
struct talk {
	struct rig *rig;
	struct ringport *guest;
	struct vtc_port *function;
	struct seen *seen;
};

static struct talk talk_new(const struct ringport_plan *plan, uint32_t flags)
{
	struct talk t = { .rig = rig_new(NULL), .seen = vtct_alloc(sizeof(struct seen)) };

	memset(t.seen, 0, sizeof(*t.seen));
	t.guest = ringport_new(t.rig->ctx, plan);
	t.function = function_new(t.rig, t.seen, flags);
	ck_assert_errno(vtc_relay_join(t.rig->relay, t.function, ringport_port(t.guest)),
			0);
	return t;
}

static void talk_free(struct talk *t)
{
	ringport_free(t->guest);
	vtc_port_close(t->function);
	rig_free(t->rig);
	free(t->seen);
}

static void send_frame(struct ringport *rp, const struct frame *f, unsigned int pieces)
{
	uint8_t header[12];

	rig_header(&f->header, header);
	ck_assert(ringport_send(rp, 0, header, f->bytes, f->len, pieces));
	ringport_kick(rp, 0);
}

static bool sum_is_right(const struct frame *f, const uint8_t *bytes, size_t len)
{
	return frame_sum(frame_pseudo(f, bytes, len), bytes + f->l4, len - f->l4) ==
	       65535;
}

static const struct frame_plan small_frame = { .version = 4, .payload = 500 };
static const struct frame_plan large_frame = { .version = 6,
					       .payload = 20000,
					       .gso_size = 1400 };
#define LARGE_PIECES 15 /* of 1400 bytes */
static const struct ringport_plan sends_large = { .packet_len = RIG_PACKET_MAX };

START_TEST(a_function_sees_packets)
{
	struct talk t = talk_new(NULL, 0);
	uint8_t want[2000];

	for (unsigned int i = 0; i < 200; i++)
		rig_send(t.guest, 0, 60 + i, i, i < 20 ? 1 + i % 4 : 1);
	ck_assert_uint_eq(rig_run(t.rig), 200);
	ck_assert_uint_eq(t.seen->count, 200);
	ck_assert_uint_lt(t.seen->calls, 10);
	for (unsigned int i = 0; i < 200; i++)
		ck_assert_uint_eq(t.seen->order[i], i);
	rig_fill(want, 259, 199);
	ck_assert_mem_eq(t.seen->bytes, want, 259);
	ck_assert(!t.seen->asked);
	ck_assert_uint_eq(rig_stats(t.function, 0).tx_packets, 200);
	ck_assert_uint_eq(rig_stats(t.function, 0).tx_bytes, t.seen->total);
	ck_assert_uint_eq(rig_stats(t.function, 0).copies, 0);
	ck_assert_uint_eq(rig_stats(ringport_port(t.guest), 0).rx_bytes, t.seen->total);
	talk_free(&t);
}
END_TEST

START_TEST(a_function_is_told_the_queue)
{
	const struct ringport_plan three = { .queue_pairs = 3 };
	struct talk t = talk_new(&three, 0);

	for (unsigned int q = 0; q < 3; q++) {
		rig_send(t.guest, q, 60, q, 1);
		rig_run(t.rig);
		ck_assert_uint_eq(t.seen->queue, q);
	}
	talk_free(&t);
}
END_TEST

START_TEST(a_function_gets_what_it_can)
{
	struct talk t = talk_new(&sends_large, _i ? VTC_CALLBACK_F_OFFLOAD : 0);
	struct frame small = frame_make(&small_frame), large = frame_make(&large_frame);

	rig_send(t.guest, 0, 60, 0, 1);
	send_frame(t.guest, &small, 1);
	ck_assert_uint_eq(rig_run(t.rig), 2);
	ck_assert_uint_eq(t.seen->count, 2);
	ck_assert_uint_eq(t.seen->len, small.len);
	ck_assert_uint_eq(t.seen->header.flags, (unsigned int)_i);
	ck_assert_int_eq(sum_is_right(&small, t.seen->bytes, small.len), !_i);

	send_frame(t.guest, &large, 5);
	rig_send(t.guest, 0, 60, 0, 1);
	ck_assert_uint_eq(rig_run(t.rig), 2);
	ck_assert_uint_eq(t.seen->count, 3u + (_i ? 1 : LARGE_PIECES));
	ck_assert_int_eq(t.seen->asked, _i);
	ck_assert_uint_eq(t.seen->total,
			  2 * 60 + small.len + large.len +
				  (_i ? 0 : (LARGE_PIECES - 1) * large.head));
	frame_free(&small);
	frame_free(&large);
	talk_free(&t);
}
END_TEST

/* Some of each call, of pieces of a large packet, too; in order, none twice. */
START_TEST(a_function_takes_its_time)
{
	struct talk t = talk_new(&sends_large, 0);
	struct frame large = frame_make(&large_frame);

	t.seen->take = 1;
	for (unsigned int i = 0; i < 5; i++)
		rig_send(t.guest, 0, 60, i, 1);
	send_frame(t.guest, &large, 2);
	rig_send(t.guest, 0, 60, 5, 1);
	for (unsigned int i = 0; i < 50 && t.seen->count < 6 + LARGE_PIECES; i++) {
		rig_run(t.rig);
		t.rig->now_ns += 1000000;
		vtc_relay_wake(t.rig->relay);
	}
	ck_assert_uint_eq(t.seen->count, 6 + LARGE_PIECES);
	for (unsigned int i = 0; i < 5; i++)
		ck_assert_uint_eq(t.seen->order[i], i);
	ck_assert_uint_eq(t.seen->order[5 + LARGE_PIECES], 5);
	ck_assert_uint_eq(t.seen->total,
			  6 * 60 + large.len + (LARGE_PIECES - 1) * large.head);
	ck_assert_uint_eq(rig_stats(t.function, 0).tx_dropped_room, 0);
	frame_free(&large);
	talk_free(&t);
}
END_TEST

static unsigned int none(void *data, unsigned int queue, const struct vtc_packet *packets,
			 unsigned int count)
{
	(void)queue;
	(void)packets;
	(void)count;
	++*(unsigned int *)data;
	return 0;
}

/* One that takes nothing is asked now and then, and does not keep the relay busy. */
START_TEST(a_function_takes_nothing)
{
	struct vtc_callback_opts o = VTC_CALLBACK_OPTS_INIT;
	struct vtc_relay_opts patient = VTC_RELAY_OPTS_INIT;
	struct ringport *guest;
	struct vtc_port *function;
	unsigned int calls = 0;
	struct rig *rig;

	patient.stall_ms = 1000000;
	rig = rig_new(&patient);
	guest = ringport_new(rig->ctx, NULL);
	o.packets = none;
	o.data = &calls;
	ck_assert_errno(vtc_port_new_callback(rig->ctx, &o, &function), 0);
	ck_assert_errno(vtc_relay_join(rig->relay, ringport_port(guest), function), 0);
	rig_send(guest, 0, 60, 0, 1);
	ck_assert_uint_eq(rig_run(rig), 0);
	ck_assert_uint_ge(calls, 1);
	ck_assert_uint_eq(ringport_unsent(guest, 0), 1);
	rig->now_ns += 1000000;
	ck_assert(rig_is_ready(rig, true));
	calls = 0;
	ck_assert_uint_eq(rig_run(rig), 0);
	ck_assert_uint_ge(calls, 1);
	rig->now_ns += 1000000000000;
	ck_assert_uint_eq(rig_run(rig), 1);
	ck_assert_uint_eq(rig_stats(function, 0).tx_dropped_room, 1);
	ringport_free(guest);
	vtc_port_close(function);
	rig_free(rig);
}
END_TEST

START_TEST(functions_that_cannot_be)
{
	struct vtc_callback_opts o = VTC_CALLBACK_OPTS_INIT;
	struct rig *rig = rig_new(NULL);
	struct seen seen = { 0 };
	struct vtc_port *a = function_new(rig, &seen, 0),
			*b = function_new(rig, &seen, 0);
	struct vtc_port *port = NULL;

	ck_assert_errno(vtc_relay_join(rig->relay, a, b), -EINVAL);
	ck_assert_errno(vtc_relay_join(rig->relay, a, a), -EINVAL);
	ck_assert_errno(vtc_port_new_callback(rig->ctx, &o, &port), -EINVAL);
	ck_assert_errno(vtc_port_new_callback(rig->ctx, NULL, &port), -EINVAL);
	ck_assert_errno(vtc_port_new_callback(NULL, &o, &port), -EINVAL);
	o.packets = none;
	ck_assert_errno(vtc_port_new_callback(rig->ctx, &o, NULL), -EINVAL);
	o.flags = 2;
	ck_assert_errno(vtc_port_new_callback(rig->ctx, &o, &port), -EINVAL);
	ck_assert_ptr_null(port);
	vtc_port_close(a);
	vtc_port_close(b);
	rig_free(rig);
}
END_TEST

/* ---- Sending ---- */

static struct vtc_segment packet_segments[2][64];

static struct vtc_packet packet(unsigned int number, size_t len, unsigned int pieces)
{
	static uint8_t bytes[64][2048];
	struct vtc_segment *s = packet_segments[0];
	struct vtc_packet p = { .len = (uint32_t)len, .count = pieces };
	uint8_t *base = bytes[number];

	rig_fill(base, len, number);
	s += number;
	if (pieces == 1) {
		*s = (struct vtc_segment){ base, len };
		p.segments = s;
		return p;
	}
	s = packet_segments[1];
	s[0] = (struct vtc_segment){ base, 5 };
	s[1] = (struct vtc_segment){ base + 5, len - 5 };
	p.segments = s;
	return p;
}

START_TEST(send_reaches_the_guest)
{
	struct talk t = talk_new(NULL, 0);
	struct vtc_port *guest = ringport_port(t.guest);
	struct vtc_packet packets[60];

	rig_run(t.rig);
	for (unsigned int i = 0; i < 60; i++)
		packets[i] = packet(i, 20 + 30 * i, 1);
	packets[9] = packet(9, 300, 2);
	ck_assert_int_eq(vtc_port_send(guest, 0, packets, 60), 0);
	ringport_post(t.guest, 0, 50);
	ck_assert_int_eq(vtc_port_send(guest, 0, packets, 60), 50);
	ringport_post(t.guest, 0, 50);
	ck_assert_int_eq(vtc_port_send(guest, 7, packets + 50, 10), 10);
	for (unsigned int i = 0; i < 60; i++)
		rig_expect(t.guest, 0, i == 9 ? 300 : 20 + 30 * i, i);
	rig_expect_none(t.guest, 0);
	ck_assert_uint_eq(rig_stats(guest, 0).tx_packets, 60);
	ck_assert_uint_gt(ringport_interrupts(t.guest), 0);
	talk_free(&t);
}
END_TEST

START_TEST(send_converts)
{
	struct talk t = talk_new(NULL, 0);
	struct frame large = frame_make(&large_frame);
	struct vtc_segment segment = { large.bytes, large.len };
	struct vtc_packet p = { .segments = &segment,
				.count = 1,
				.len = (uint32_t)large.len };
	uint8_t header[12], got[2048];

	p.header = large.header;
	rig_run(t.rig);
	ringport_post(t.guest, 0, LARGE_PIECES - 1);
	ck_assert_int_eq(vtc_port_send(ringport_port(t.guest), 0, &p, 1), 0);
	ringport_post(t.guest, 0, 1);
	ck_assert_int_eq(vtc_port_send(ringport_port(t.guest), 0, &p, 1), 1);
	for (unsigned int i = 0; i < LARGE_PIECES; i++) {
		long n = ringport_receive(t.guest, 0, header, got, sizeof(got));

		ck_assert_int_gt(n, (long)large.head);
		ck_assert(sum_is_right(&large, got, (size_t)n));
	}
	frame_free(&large);
	talk_free(&t);
}
END_TEST

START_TEST(send_drops_what_never_fits)
{
	struct talk t = talk_new(NULL, 0);
	struct vtc_port *guest = ringport_port(t.guest);
	struct vtc_packet packets[4] = { packet(0, 60, 1), packet(1, 2040, 1),
					 packet(2, 60, 1), packet(3, 60, 1) };

	packets[2].header.gso_type = 99;
	rig_run(t.rig);
	ringport_post(t.guest, 0, 10);
	ck_assert_int_eq(vtc_port_send(guest, 0, packets, 4), 4);
	rig_expect(t.guest, 0, 60, 0);
	rig_expect(t.guest, 0, 60, 3);
	rig_expect_none(t.guest, 0);
	ck_assert_uint_eq(rig_stats(guest, 0).tx_dropped_size, 2);
	talk_free(&t);
}
END_TEST

START_TEST(send_that_cannot_be)
{
	struct talk t = talk_new(NULL, 0);
	struct ringport *alone = ringport_new(t.rig->ctx, NULL);
	struct vtc_port *guest = ringport_port(t.guest);
	struct vtc_packet p = packet(0, 60, 1);

	rig_run(t.rig);
	ringport_post(t.guest, 0, 1);
	ringport_post(alone, 0, 1);
	ck_assert_errno(vtc_port_send(NULL, 0, &p, 1), -EINVAL);
	ck_assert_errno(vtc_port_send(guest, 0, NULL, 1), -EINVAL);
	ck_assert_errno(vtc_port_send(t.function, 0, &p, 1), -EINVAL);
	ck_assert_errno(vtc_port_send(ringport_port(alone), 0, &p, 1), -EINVAL);
	ck_assert_errno(vtc_port_send(guest, 0, &p, 0), 0);
	ringport_set_ready(t.guest, 0);
	ck_assert_errno(vtc_port_send(guest, 0, &p, 1), 0);
	ringport_free(alone);
	talk_free(&t);
}
END_TEST

/* The function answers from within. */
START_TEST(an_echo)
{
	struct talk t = talk_new(NULL, 0);

	t.seen->reply_to = ringport_port(t.guest);
	ringport_post(t.guest, 0, 100);
	for (unsigned int i = 0; i < 100; i++)
		rig_send(t.guest, 0, 60 + 10 * i, i, 1 + i % 3);
	ck_assert_uint_eq(rig_run(t.rig), 100);
	for (unsigned int i = 0; i < 100; i++)
		rig_expect(t.guest, 0, 60 + 10 * i, i);
	talk_free(&t);
}
END_TEST

/* ---- Ports that read and write themselves ---- */

/* A guest and such a port. */
struct wire {
	struct rig *rig;
	struct ringport *guest;
	struct queueport *queue;
};

static struct wire wire_new(const struct ringport_plan *plan, bool accepts_all)
{
	struct wire w = { .rig = rig_new(NULL) };

	w.guest = ringport_new(w.rig->ctx, plan);
	w.queue = queueport_new(w.rig->ctx, accepts_all);
	ck_assert_errno(vtc_relay_join(w.rig->relay, ringport_port(w.guest),
				       queueport_port(w.queue)),
			0);
	return w;
}

static void wire_free(struct wire *w)
{
	ringport_free(w->guest);
	queueport_free(w->queue);
	rig_free(w->rig);
}

static void feed(struct queueport *qp, size_t len, unsigned int number)
{
	uint8_t bytes[2048] = { 0 };

	bytes[10] = 1;
	rig_fill(bytes + 12, len, number);
	queueport_feed(qp, bytes, 12 + len);
}

static void expect_queued(struct queueport *qp, size_t len, unsigned int number)
{
	static uint8_t want[RIG_PACKET_MAX], got[RIG_PACKET_MAX];

	ck_assert_int_eq(queueport_get(qp, got, sizeof(got)), (long)len + 12);
	rig_fill(want, len, number);
	ck_assert_mem_eq(got + 12, want, len);
}

START_TEST(a_reader_waits_for_room)
{
	struct wire w = wire_new(NULL, true);

	for (unsigned int i = 0; i < 10; i++)
		feed(w.queue, 100 + i, i);
	ck_assert_uint_eq(rig_run(w.rig), 0);
	ck_assert_uint_eq(queueport_left(w.queue), 10);
	ringport_post(w.guest, 0, 4);
	ck_assert_uint_eq(rig_run(w.rig), 4);
	ringport_post(w.guest, 0, 20);
	ck_assert_uint_eq(rig_run(w.rig), 6);
	for (unsigned int i = 0; i < 10; i++)
		rig_expect(w.guest, 0, 100 + i, i);
	ck_assert_uint_eq(rig_stats(ringport_port(w.guest), 0).tx_packets, 10);
	ck_assert_uint_eq(rig_stats(ringport_port(w.guest), 0).tx_bytes, 1045);
	ck_assert_uint_eq(rig_stats(ringport_port(w.guest), 0).copies, 0);
	ck_assert(!rig_is_ready(w.rig, false));
	wire_free(&w);
}
END_TEST

START_TEST(a_reader_is_drained_when_nobody_is_there)
{
	struct wire w = wire_new(NULL, true);

	ringport_set_ready(w.guest, 0);
	for (unsigned int i = 0; i < 40; i++)
		feed(w.queue, 100, i);
	ck_assert_uint_eq(rig_run(w.rig), 40);
	ck_assert_uint_eq(rig_stats(ringport_port(w.guest), 0).tx_dropped_down, 40);
	wire_free(&w);
}
END_TEST

START_TEST(a_reader_is_told_who_reads)
{
	struct wire w = wire_new(NULL, true);
	unsigned int before;

	rig_run(w.rig);
	before = queueport_peer_changes(w.queue);
	ck_assert_uint_ge(before, 1);
	ringport_set_features(w.guest, BIT(VTC_NET_F_GUEST_CSUM));
	rig_run(w.rig);
	ck_assert_uint_eq(queueport_peer_changes(w.queue), before + 1);
	rig_run(w.rig);
	ck_assert_uint_eq(queueport_peer_changes(w.queue), before + 1);
	wire_free(&w);
}
END_TEST

/* accepts_all: nobody looks at headers, not even at those that are no good. */
START_TEST(a_writer_gets_all)
{
	struct wire w = wire_new(NULL, true);
	uint8_t header[12], got[2048], bytes[100] = { 0 };

	for (unsigned int i = 0; i < 50; i++)
		rig_send(w.guest, 0, 60 + i, i, 1 + i % 4);
	memset(header, 0xee, sizeof(header));
	ck_assert(ringport_send(w.guest, 0, header, bytes, sizeof(bytes), 2));
	ringport_kick(w.guest, 0);
	ck_assert_uint_eq(rig_run(w.rig), 51);
	for (unsigned int i = 0; i < 50; i++)
		expect_queued(w.queue, 60 + i, i);
	ck_assert_int_eq(queueport_get(w.queue, got, sizeof(got)), 112);
	ck_assert_mem_eq(got, header, sizeof(header));
	wire_free(&w);
}
END_TEST

START_TEST(a_writer_gets_what_it_can)
{
	struct wire w = wire_new(&sends_large, false);
	struct frame large = frame_make(&large_frame);
	uint8_t header[12], got[2048], bytes[100] = { 0 };

	rig_send(w.guest, 0, 60, 0, 1);
	send_frame(w.guest, &large, 4);
	memset(header, 0xee, sizeof(header));
	ck_assert(ringport_send(w.guest, 0, header, bytes, sizeof(bytes), 2));
	rig_send(w.guest, 0, 60, 1, 1);
	ck_assert_uint_eq(rig_run(w.rig), 4);
	expect_queued(w.queue, 60, 0);
	for (unsigned int i = 0; i < LARGE_PIECES; i++) {
		long n = queueport_get(w.queue, got, sizeof(got));

		ck_assert_int_gt(n, 12);
		ck_assert_mem_eq(got, "\0\0\0\0\0\0\0\0\0\0\1\0", 12);
		ck_assert(sum_is_right(&large, got + 12, (size_t)n - 12));
	}
	expect_queued(w.queue, 60, 1);
	ck_assert_uint_eq(rig_stats(ringport_port(w.guest), 0).rx_dropped_bad, 1);
	frame_free(&large);
	wire_free(&w);
}
END_TEST

START_TEST(a_writer_is_waited_for)
{
	struct wire w = wire_new(&sends_large, _i);
	struct frame large = frame_make(&large_frame);
	unsigned int want = _i ? 1 : LARGE_PIECES, got = 0;
	static uint8_t bytes[RIG_PACKET_MAX];

	queueport_set_room(w.queue, 3);
	for (unsigned int i = 0; i < 8; i++)
		rig_send(w.guest, 0, 60, i, 1);
	send_frame(w.guest, &large, 2);
	ck_assert_uint_eq(rig_run(w.rig), 3);
	ck_assert(!rig_is_ready(w.rig, false));
	ck_assert_uint_eq(ringport_unsent(w.guest, 0), 6);
	for (unsigned int i = 0; i < 30; i++) {
		queueport_set_room(w.queue, 1);
		rig_run(w.rig);
	}
	for (unsigned int i = 0; i < 8; i++)
		expect_queued(w.queue, 60, i);
	while (queueport_get(w.queue, bytes, sizeof(bytes)) >= 0)
		got++;
	ck_assert_uint_eq(got, want);
	ck_assert_uint_eq(ringport_unsent(w.guest, 0), 0);
	frame_free(&large);
	wire_free(&w);
}
END_TEST

START_TEST(a_writer_that_waits_too_long)
{
	struct wire w = wire_new(NULL, true);

	queueport_set_room(w.queue, 0);
	rig_send(w.guest, 0, 60, 0, 1);
	ck_assert_uint_eq(rig_run(w.rig), 0);
	w.rig->now_ns += 10000000;
	ck_assert_uint_eq(rig_run(w.rig), 1);
	ck_assert_uint_eq(rig_stats(queueport_port(w.queue), 0).tx_dropped_room, 1);
	wire_free(&w);
}
END_TEST

/* A large packet of which a part has gone is dropped; the next one is whole. */
START_TEST(a_part_of_a_packet)
{
	struct wire w = wire_new(&sends_large, false);
	struct frame large = frame_make(&large_frame);
	static uint8_t bytes[RIG_PACKET_MAX];
	unsigned int got = 0;

	queueport_set_room(w.queue, 3);
	send_frame(w.guest, &large, 2);
	ck_assert_uint_eq(rig_run(w.rig), 0);
	w.rig->now_ns += 10000000;
	ck_assert_uint_eq(rig_run(w.rig), 1);
	queueport_set_room(w.queue, 100);
	send_frame(w.guest, &large, 2);
	ck_assert_uint_eq(rig_run(w.rig), 1);
	while (queueport_get(w.queue, bytes, sizeof(bytes)) >= 0)
		got++;
	ck_assert_uint_eq(got, 3 + LARGE_PIECES);
	frame_free(&large);
	wire_free(&w);
}
END_TEST

START_TEST(a_reader_and_a_function)
{
	struct rig *rig = rig_new(NULL);
	struct queueport *queue = queueport_new(rig->ctx, true);
	struct seen *seen = vtct_alloc(sizeof(*seen));
	struct vtc_port *function;

	memset(seen, 0, sizeof(*seen));
	seen->reply_to = queueport_port(queue);
	function = function_new(rig, seen, 0);
	ck_assert_errno(vtc_relay_join(rig->relay, queueport_port(queue), function), 0);
	for (unsigned int i = 0; i < 100; i++)
		feed(queue, 60 + i, i);
	ck_assert_uint_eq(rig_run(rig), 100);
	ck_assert_uint_eq(seen->count, 100);
	for (unsigned int i = 0; i < 100; i++) {
		ck_assert_uint_eq(seen->order[i], i);
		expect_queued(queue, 60 + i, i);
	}
	ck_assert_uint_eq(rig_stats(function, 0).copies, 100);
	queueport_free(queue);
	vtc_port_close(function);
	rig_free(rig);
	free(seen);
}
END_TEST

START_TEST(send_to_a_writer)
{
	struct wire w = wire_new(NULL, _i);
	struct frame large = frame_make(&large_frame);
	struct vtc_segment segment = { large.bytes, large.len };
	struct vtc_packet packets[4] = { packet(0, 60, 1), packet(1, 61, 2) };
	static uint8_t bytes[RIG_PACKET_MAX];

	packets[2] = (struct vtc_packet){ .segments = &segment,
					  .count = 1,
					  .len = (uint32_t)large.len,
					  .header = large.header };
	packets[3] = packet(3, 63, 1);
	rig_run(w.rig);
	queueport_set_room(w.queue, 1);
	ck_assert_int_eq(vtc_port_send(queueport_port(w.queue), 0, packets, 4), 1);
	queueport_set_room(w.queue, 100);
	ck_assert_int_eq(vtc_port_send(queueport_port(w.queue), 0, packets + 1, 3), 3);
	expect_queued(w.queue, 60, 0);
	expect_queued(w.queue, 61, 1);
	for (int i = 0; i < (_i ? 1 : LARGE_PIECES); i++)
		ck_assert_int_gt(queueport_get(w.queue, bytes, sizeof(bytes)), 0);
	expect_queued(w.queue, 63, 3);
	frame_free(&large);
	wire_free(&w);
}
END_TEST

START_TEST(a_writer_cannot_join_itself)
{
	struct rig *rig = rig_new(NULL);
	struct queueport *queue = queueport_new(rig->ctx, true);

	ck_assert_errno(
		vtc_relay_join(rig->relay, queueport_port(queue), queueport_port(queue)),
		-EINVAL);
	queueport_free(queue);
	rig_free(rig);
}
END_TEST

static Suite *functions(void)
{
	Suite *s = vtct_suite(
		"functions", a_function_sees_packets, a_function_is_told_the_queue,
		a_function_takes_its_time, a_function_takes_nothing,
		functions_that_cannot_be, send_reaches_the_guest, send_converts,
		send_drops_what_never_fits, send_that_cannot_be, an_echo, NULL);
	TCase *t = tcase_create("variants");

	tcase_add_loop_test(t, a_function_gets_what_it_can, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

static Suite *writers(void)
{
	Suite *s = vtct_suite("readers and writers", a_reader_waits_for_room,
			      a_reader_is_drained_when_nobody_is_there,
			      a_reader_is_told_who_reads, a_writer_gets_all,
			      a_writer_gets_what_it_can, a_writer_that_waits_too_long,
			      a_part_of_a_packet, a_reader_and_a_function,
			      a_writer_cannot_join_itself, NULL);
	TCase *t = tcase_create("variants");

	tcase_add_loop_test(t, a_writer_is_waited_for, 0, 2);
	tcase_add_loop_test(t, send_to_a_writer, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return vtct_main(functions(), writers(), NULL);
}
