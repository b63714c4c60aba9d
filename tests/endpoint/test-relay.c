/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Relays between ports on real rings, whose guests are played here. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <vtc/relay.h>

#include "rig.h"
#include "vring/frame.h"
#include "vtct.h"

#define BIT(n) (1ull << (n))
#define ALL_TCP                                                  \
	(BIT(VTC_NET_F_GUEST_CSUM) | BIT(VTC_NET_F_GUEST_TSO4) | \
	 BIT(VTC_NET_F_GUEST_TSO6))
#define STALL_NS 10000000u

/* Two ports, joined. */
struct pair {
	struct rig *rig;
	struct ringport *a, *b;
};

static struct pair pair_new(const struct vtc_relay_opts *opts,
			    const struct ringport_plan *a, const struct ringport_plan *b)
{
	struct pair p = { .rig = rig_new(opts) };

	p.a = ringport_new(p.rig->ctx, a);
	p.b = ringport_new(p.rig->ctx, b);
	ck_assert_errno(
		vtc_relay_join(p.rig->relay, ringport_port(p.a), ringport_port(p.b)), 0);
	return p;
}

static void pair_free(struct pair *p)
{
	ringport_free(p->a);
	ringport_free(p->b);
	rig_free(p->rig);
}

static struct vtc_port_stats stats_a(const struct pair *p)
{
	return rig_stats(ringport_port(p->a), 0);
}

static struct vtc_port_stats stats_b(const struct pair *p)
{
	return rig_stats(ringport_port(p->b), 0);
}

/* ---- What goes through ---- */

static size_t length_of(unsigned int number)
{
	return 14 + (number * 37) % 1500;
}

/* Both rings of each layout, packets of all lengths and forms, both ways at once. */
static void exchange(const struct ringport_plan *a, const struct ringport_plan *b)
{
	struct pair p = pair_new(NULL, a, b);
	unsigned int sent = 0;

	while (sent < 2000) {
		unsigned int first = sent;

		ringport_post(p.a, 0, 64);
		ringport_post(p.b, 0, 64);
		for (; sent < first + 40; sent++) {
			rig_send(p.a, 0, length_of(sent), sent, 1 + sent % 4);
			rig_send(p.b, 0, length_of(sent + 7), sent, 1 + sent % 3);
		}
		ck_assert_uint_eq(rig_run(p.rig), 80);
		for (unsigned int i = first; i < sent; i++) {
			rig_expect(p.b, 0, length_of(i), i);
			rig_expect(p.a, 0, length_of(i + 7), i);
		}
	}
	rig_expect_none(p.a, 0);
	rig_expect_none(p.b, 0);
	ck_assert_uint_eq(ringport_unsent(p.a, 0), 0);
	ck_assert_uint_eq(stats_a(&p).rx_packets, 2000);
	ck_assert_uint_eq(stats_b(&p).tx_packets, 2000);
	ck_assert_uint_eq(stats_a(&p).rx_bytes, stats_b(&p).tx_bytes);
	ck_assert_uint_eq(stats_b(&p).copies, 2000);
	ck_assert_uint_eq(rig_relay_stats(p.rig).packets, 4000);
	pair_free(&p);
}

START_TEST(delivers_in_order)
{
	struct ringport_plan a = { .packed = _i & 1, .event_idx = _i & 4 };
	struct ringport_plan b = { .packed = _i & 2,
				   .event_idx = _i & 4,
				   .mergeable = _i & 8 };

	exchange(&a, &b);
}
END_TEST

START_TEST(a_guest_talks_to_itself)
{
	struct rig *rig = rig_new(NULL);
	struct ringport *a = ringport_new(rig->ctx, NULL);

	ck_assert_errno(vtc_relay_join(rig->relay, ringport_port(a), ringport_port(a)),
			0);
	ringport_post(a, 0, 100);
	for (unsigned int i = 0; i < 100; i++)
		rig_send(a, 0, 60 + i, i, 1);
	ck_assert_uint_eq(rig_run(rig), 100);
	for (unsigned int i = 0; i < 100; i++)
		rig_expect(a, 0, 60 + i, i);
	ringport_free(a);
	rig_free(rig);
}
END_TEST

START_TEST(queues_go_to_queues)
{
	const struct ringport_plan four = { .queue_pairs = 4 };
	const struct ringport_plan two = { .queue_pairs = 2 };
	struct pair p = pair_new(NULL, &four, &two);

	for (unsigned int q = 0; q < 2; q++)
		ringport_post(p.b, q, 10);
	for (unsigned int q = 0; q < 4; q++)
		ringport_post(p.a, q, 10);
	for (unsigned int q = 0; q < 4; q++)
		rig_send(p.a, q, 100, q, 1);
	rig_send(p.b, 1, 100, 9, 1);
	rig_run(p.rig);
	for (unsigned int q = 0; q < 4; q++)
		rig_expect(p.b, q % 2, 100, q);
	rig_expect(p.a, 1, 100, 9);
	pair_free(&p);
}
END_TEST

/* ---- Headers ---- */

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

START_TEST(a_checksum_is_left_to_who_can)
{
	const struct ringport_plan takes = { .features = BIT(VTC_NET_F_GUEST_CSUM) };
	struct pair p = pair_new(NULL, NULL, &takes);
	struct frame f = frame_make(&small_frame);
	uint8_t header[12], got[2048];

	for (unsigned int pieces = 1; pieces < 5; pieces++) {
		ringport_post(p.b, 0, 1);
		send_frame(p.a, &f, pieces);
		rig_run(p.rig);
		ck_assert_int_eq(ringport_receive(p.b, 0, header, got, sizeof(got)),
				 (long)f.len);
		ck_assert_mem_eq(got, f.bytes, f.len);
		ck_assert_uint_eq(header[0], VTC_NETHDR_F_NEEDS_CSUM);
		ck_assert_uint_eq(header[6], f.l4);
		ck_assert_uint_eq(header[8], 16);
		ck_assert_uint_eq(header[10], 1);
	}
	frame_free(&f);
	pair_free(&p);
}
END_TEST

START_TEST(a_checksum_is_completed_for_who_cannot)
{
	struct pair p = pair_new(NULL, NULL, NULL);
	struct frame f = frame_make(&small_frame);
	uint8_t header[12], got[2048];

	ringport_post(p.b, 0, 1);
	send_frame(p.a, &f, 1);
	rig_run(p.rig);
	ck_assert_int_eq(ringport_receive(p.b, 0, header, got, sizeof(got)), (long)f.len);
	ck_assert_uint_eq(header[0], 0);
	ck_assert(sum_is_right(&f, got, f.len));
	frame_free(&f);
	pair_free(&p);
}
END_TEST

static const struct ringport_plan sends_large = { .packet_len = RIG_PACKET_MAX };
static const struct frame_plan large_frame = { .version = 4,
					       .payload = 64000,
					       .gso_size = 1448 };

/* 64 KiB into buffers of 1.5 KiB: 43 of them. */
START_TEST(a_large_packet_spans_many_chains)
{
	const struct ringport_plan takes = {
		.features = ALL_TCP, .mergeable = true, .buffer_len = 1526, .packed = _i
	};
	static uint8_t got[RIG_PACKET_MAX];
	struct pair p = pair_new(NULL, &sends_large, &takes);
	struct frame f = frame_make(&large_frame);
	uint8_t header[12];

	for (int i = 0; i < 4; i++) {
		ringport_post(p.b, 0, 256);
		send_frame(p.a, &f, 1);
		send_frame(p.a, &f, 18);
		rig_run(p.rig);
		for (int k = 0; k < 2; k++) {
			ck_assert_int_eq(
				ringport_receive(p.b, 0, header, got, sizeof(got)),
				(long)f.len);
			ck_assert_mem_eq(got, f.bytes, f.len);
			ck_assert_uint_eq(header[1], VTC_NETHDR_GSO_TCPV4);
			ck_assert_uint_eq(header[10], (f.len + 12 + 1525) / 1526);
		}
	}
	frame_free(&f);
	pair_free(&p);
}
END_TEST

/* Chains so small that a burst of all there are is needed. */
START_TEST(a_large_packet_asks_for_more)
{
	const struct ringport_plan takes = { .features = ALL_TCP,
					     .mergeable = true,
					     .buffer_len = 300 };
	static uint8_t got[RIG_PACKET_MAX];
	struct pair p = pair_new(NULL, &sends_large, &takes);
	struct frame f = frame_make(&large_frame);
	uint8_t header[12];

	ringport_post(p.b, 0, 256);
	send_frame(p.a, &f, 1);
	ck_assert_uint_eq(rig_run(p.rig), 1);
	ck_assert_int_eq(ringport_receive(p.b, 0, header, got, sizeof(got)), (long)f.len);
	ck_assert_mem_eq(got, f.bytes, f.len);
	frame_free(&f);
	pair_free(&p);
}
END_TEST

/* All payload comes, in pieces that the receiver takes. */
static void expect_cut(struct ringport *rp, const struct frame *f)
{
	static uint8_t whole[RIG_PACKET_MAX];
	uint8_t header[12], got[2048];
	size_t done = 0;

	while (done < f->plan.payload) {
		long n = ringport_receive(rp, 0, header, got, sizeof(got));

		ck_assert_int_gt(n, (long)f->head);
		ck_assert_uint_eq(header[0] | header[1], 0);
		ck_assert(sum_is_right(f, got, (size_t)n));
		memcpy(whole + done, got + f->head, (size_t)n - f->head);
		done += (size_t)n - f->head;
	}
	ck_assert_uint_eq(done, f->plan.payload);
	ck_assert_mem_eq(whole, f->bytes + f->head, done);
}

START_TEST(a_large_packet_is_cut)
{
	const struct ringport_plan plain = { .buffer_len = 1526, .mergeable = _i };
	struct pair p = pair_new(NULL, &sends_large, &plain);
	struct frame f = frame_make(&large_frame);

	ringport_post(p.b, 0, 256);
	send_frame(p.a, &f, 3);
	send_frame(p.a, &f, 1);
	ck_assert_uint_eq(rig_run(p.rig), 2);
	expect_cut(p.b, &f);
	expect_cut(p.b, &f);
	rig_expect_none(p.b, 0);
	ck_assert_uint_eq(stats_b(&p).tx_packets, 2 * ((64000 + 1447) / 1448));
	frame_free(&f);
	pair_free(&p);
}
END_TEST

/* A packet in pieces is there wholly or not at all. */
START_TEST(a_large_packet_waits_for_room)
{
	const struct ringport_plan plain = { .buffer_len = 1526 };
	struct pair p = pair_new(NULL, &sends_large, &plain);
	struct frame f = frame_make(&large_frame);

	ringport_post(p.b, 0, 20);
	send_frame(p.a, &f, 1);
	ck_assert_uint_eq(rig_run(p.rig), 0);
	rig_expect_none(p.b, 0);
	ringport_post(p.b, 0, 100);
	ck_assert_uint_eq(rig_run(p.rig), 1);
	expect_cut(p.b, &f);
	rig_expect_none(p.b, 0);
	frame_free(&f);
	pair_free(&p);
}
END_TEST

/* ---- What cannot go through ---- */

START_TEST(too_large_is_dropped)
{
	const struct ringport_plan big = { .packet_len = 4096 };
	const struct ringport_plan b = { .buffer_len = 1526, .mergeable = _i };
	struct pair p = pair_new(NULL, &big, &b);

	ringport_post(p.b, 0, 10);
	rig_send(p.a, 0, 100, 1, 1);
	rig_send(p.a, 0, 3000, 2, 1);
	rig_send(p.a, 0, 100, 3, 1);
	ck_assert_uint_eq(rig_run(p.rig), 3);
	rig_expect(p.b, 0, 100, 1);
	if (_i)
		rig_expect(p.b, 0, 3000, 2);
	rig_expect(p.b, 0, 100, 3);
	ck_assert_uint_eq(stats_b(&p).tx_dropped_size, !_i);
	ck_assert_uint_eq(stats_b(&p).tx_packets, 2u + (unsigned int)_i);
	ck_assert_uint_eq(ringport_unsent(p.a, 0), 0);
	pair_free(&p);
}
END_TEST

/* Not even a whole burst of buffers holds it. */
START_TEST(larger_than_a_burst_is_dropped)
{
	const struct ringport_plan tiny = { .buffer_len = 100,
					    .mergeable = true,
					    .features = ALL_TCP };
	struct pair p = pair_new(NULL, &sends_large, &tiny);
	struct frame f = frame_make(&large_frame);

	ringport_post(p.b, 0, 256);
	send_frame(p.a, &f, 1);
	rig_send(p.a, 0, 60, 1, 1);
	ck_assert_uint_eq(rig_run(p.rig), 2);
	rig_expect(p.b, 0, 60, 1);
	ck_assert_uint_eq(stats_b(&p).tx_dropped_size, 1);
	frame_free(&f);
	pair_free(&p);
}
END_TEST

START_TEST(bad_headers_are_dropped)
{
	static const struct vtc_nethdr bad[] = {
		{ .gso_type = 77 },
		{ .gso_type = VTC_NETHDR_GSO_TCPV4, .gso_size = 1000 },
		{ .flags = VTC_NETHDR_F_NEEDS_CSUM,
		  .gso_type = VTC_NETHDR_GSO_TCPV4,
		  .csum_start = 34,
		  .csum_offset = 16 },
		{ .flags = VTC_NETHDR_F_NEEDS_CSUM, .csum_start = 90, .csum_offset = 9 },
		{ .flags = VTC_NETHDR_F_NEEDS_CSUM,
		  .csum_start = 65535,
		  .csum_offset = 65535 },
	};
	const unsigned int count = sizeof(bad) / sizeof(bad[0]);
	const struct ringport_plan takes = { .features = _i ? ALL_TCP : 0 };
	struct pair p = pair_new(NULL, NULL, &takes);
	uint8_t header[12], packet[100] = { 0 };

	ringport_post(p.b, 0, 20);
	for (unsigned int i = 0; i < 4 * count; i++) {
		rig_header(&bad[i / 4], header);
		ck_assert(
			ringport_send(p.a, 0, header, packet, sizeof(packet), 1 + i % 4));
	}
	rig_send(p.a, 0, 60, 1, 1);
	ck_assert_uint_eq(rig_run(p.rig), 4 * count + 1);
	rig_expect(p.b, 0, 60, 1);
	rig_expect_none(p.b, 0);
	ck_assert_uint_eq(stats_a(&p).rx_dropped_bad, 4 * count);
	ck_assert_uint_eq(stats_a(&p).rx_packets, 4 * count + 1);
	pair_free(&p);
}
END_TEST

START_TEST(short_packets_are_dropped)
{
	static const uint8_t header[12], packet[20];
	struct pair p = pair_new(NULL, NULL, NULL);

	ringport_post(p.b, 0, 100);
	for (unsigned int len = 0; len < 20; len++)
		ck_assert(ringport_send(p.a, 0, header, packet, len, 1 + len % 2));
	ringport_kick(p.a, 0);
	ck_assert_uint_eq(rig_run(p.rig), 20);
	ck_assert_uint_eq(stats_a(&p).rx_dropped_bad, 14);
	ck_assert_uint_eq(stats_b(&p).tx_packets, 6);
	pair_free(&p);
}
END_TEST

/* What nobody knows, or nobody made valid, does not reach the other guest. */
START_TEST(headers_do_not_leak)
{
	struct pair p = pair_new(NULL, NULL, NULL);
	uint8_t header[12], got[2048], packet[100] = { 0 };

	memset(header, 0xff, sizeof(header));
	header[0] = 0xfc;
	header[1] = VTC_NETHDR_GSO_NONE;
	for (unsigned int pieces = 1; pieces < 5; pieces++) {
		ringport_post(p.b, 0, 1);
		ck_assert(ringport_send(p.a, 0, header, packet, sizeof(packet), pieces));
		ringport_kick(p.a, 0);
		rig_run(p.rig);
		ck_assert_int_eq(
			ringport_receive(p.b, 0, got, got + 12, sizeof(got) - 12), 100);
		ck_assert_mem_eq(got, "\0\0\0\0\0\0\0\0\0\0\1\0", 12);
	}
	pair_free(&p);
}
END_TEST

/* It is its own ring that a guest breaks: the others go on. */
START_TEST(a_broken_ring)
{
	const struct ringport_plan two = { .queue_pairs = 2 };
	struct pair p = pair_new(NULL, &two, &two);

	ringport_post(p.a, 0, 1);
	ringport_post(p.b, 1, 1);
	ringport_spoil(p.a, 0);
	ck_assert_uint_eq(rig_run(p.rig), 0);
	ck_assert(!rig_is_ready(p.rig, false));
	rig_send(p.a, 1, 60, 1, 1);
	rig_send(p.b, 0, 60, 2, 1);
	ck_assert_uint_eq(rig_run(p.rig), 2);
	rig_expect(p.b, 1, 60, 1);
	rig_expect(p.a, 0, 60, 2);
	pair_free(&p);
}
END_TEST

/* ---- No room ---- */

START_TEST(packets_wait_for_room)
{
	struct pair p = pair_new(NULL, NULL, NULL);

	ringport_post(p.b, 0, 3);
	for (unsigned int i = 0; i < 10; i++)
		rig_send(p.a, 0, 60, i, 1);
	ck_assert_uint_eq(rig_run(p.rig), 3);
	ck_assert_uint_eq(ringport_unsent(p.a, 0), 7);
	ck_assert(!rig_is_ready(p.rig, false));

	ringport_post(p.b, 0, 4);
	ck_assert(rig_is_ready(p.rig, false));
	ck_assert_uint_eq(rig_run(p.rig), 4);
	ringport_post(p.b, 0, 4);
	ck_assert_uint_eq(rig_run(p.rig), 3);
	for (unsigned int i = 0; i < 10; i++)
		rig_expect(p.b, 0, 60, i);
	ck_assert_uint_eq(stats_b(&p).tx_dropped_room, 0);
	pair_free(&p);
}
END_TEST

START_TEST(a_stall_drops_until_there_is_room)
{
	struct pair p = pair_new(NULL, NULL, NULL);

	for (unsigned int i = 0; i < 10; i++)
		rig_send(p.a, 0, 60, i, 1);
	ck_assert_uint_eq(rig_run(p.rig), 0);
	p.rig->now_ns += STALL_NS / 2;
	ck_assert_uint_eq(rig_run(p.rig), 0);
	p.rig->now_ns += STALL_NS / 2;
	ck_assert_uint_eq(rig_run(p.rig), 10);
	ck_assert_uint_eq(stats_b(&p).tx_dropped_room, 10);
	ck_assert_uint_eq(ringport_unsent(p.a, 0), 0);

	/* Others are dropped at once. */
	rig_send(p.a, 0, 60, 10, 1);
	ck_assert(rig_is_ready(p.rig, false));
	ck_assert_uint_eq(rig_run(p.rig), 1);
	ck_assert_uint_eq(stats_b(&p).tx_dropped_room, 11);

	/* With room, all is as before. */
	ringport_post(p.b, 0, 1);
	rig_send(p.a, 0, 60, 11, 1);
	rig_send(p.a, 0, 60, 12, 1);
	ck_assert_uint_eq(rig_run(p.rig), 1);
	rig_expect(p.b, 0, 60, 11);
	ringport_post(p.b, 0, 1);
	ck_assert_uint_eq(rig_run(p.rig), 1);
	rig_expect(p.b, 0, 60, 12);
	ck_assert_uint_eq(stats_b(&p).tx_dropped_room, 11);
	pair_free(&p);
}
END_TEST

/* Nobody kicks: it is the timer that wakes. */
START_TEST(a_stall_wakes_by_itself)
{
	struct vtc_relay_opts o = VTC_RELAY_OPTS_INIT;
	struct pair p;

	o.stall_ms = 1;
	p = pair_new(&o, NULL, NULL);
	rig_send(p.a, 0, 60, 0, 1);
	ck_assert_uint_eq(rig_run(p.rig), 0);
	p.rig->now_ns += 1000000;
	ck_assert(rig_is_ready(p.rig, true));
	ck_assert_uint_eq(rig_run(p.rig), 1);
	ck_assert_uint_eq(stats_b(&p).tx_dropped_room, 1);
	ck_assert(!rig_is_ready(p.rig, false));
	pair_free(&p);
}
END_TEST

START_TEST(nobody_there_is_dropped_at_once)
{
	struct pair p = pair_new(NULL, NULL, NULL);

	ringport_post(p.b, 0, 10);
	rig_send(p.a, 0, 60, 0, 1);
	ck_assert_uint_eq(rig_run(p.rig), 1);
	ringport_set_ready(p.b, 0);
	rig_send(p.a, 0, 60, 1, 1);
	rig_send(p.b, 0, 60, 1, 1);
	ck_assert_uint_eq(rig_run(p.rig), 1);
	ck_assert_uint_eq(stats_b(&p).tx_dropped_down, 1);
	ringport_set_ready(p.b, 1);
	ck_assert(rig_is_ready(p.rig, false));
	ringport_post(p.a, 0, 1);
	rig_send(p.a, 0, 60, 2, 1);
	ck_assert_uint_eq(rig_run(p.rig), 2);
	rig_expect(p.b, 0, 60, 0);
	rig_expect(p.b, 0, 60, 2);
	rig_expect(p.a, 0, 60, 1);
	pair_free(&p);
}
END_TEST

START_TEST(features_change_under_way)
{
	struct pair p = pair_new(NULL, NULL, NULL);
	struct frame f = frame_make(&small_frame);
	uint8_t header[12], got[2048];

	for (unsigned int i = 0; i < 6; i++) {
		ringport_set_features(p.b, i % 2 ? BIT(VTC_NET_F_GUEST_CSUM) : 0);
		ringport_post(p.b, 0, 1);
		send_frame(p.a, &f, 1 + i / 2);
		ck_assert_uint_eq(rig_run(p.rig), 1);
		ck_assert_int_gt(ringport_receive(p.b, 0, header, got, sizeof(got)), 0);
		ck_assert_uint_eq(header[0], i % 2);
	}
	frame_free(&f);
	pair_free(&p);
}
END_TEST

/* ---- Turns ---- */

START_TEST(queues_take_turns_by_packets)
{
	const struct ringport_plan two = { .queue_pairs = 2 };
	struct vtc_relay_opts o = VTC_RELAY_OPTS_INIT;
	struct pair p;

	o.burst_packets = 8;
	p = pair_new(&o, &two, &two);
	for (unsigned int q = 0; q < 2; q++)
		ringport_post(p.b, q, 256);
	for (unsigned int i = 0; i < 200; i++)
		rig_send(p.a, 0, 60, i, 1);
	for (unsigned int i = 0; i < 32; i++)
		rig_send(p.a, 1, 60, i, 1);
	for (unsigned int i = 1; i <= 4; i++) {
		ck_assert_int_eq(vtc_relay_process(p.rig->relay, 16), 16);
		for (unsigned int q = 0; q < 2; q++)
			ck_assert_uint_eq(rig_stats(ringport_port(p.b), q).tx_packets,
					  8 * i);
	}
	ck_assert_uint_eq(rig_run(p.rig), 168);
	pair_free(&p);
}
END_TEST

START_TEST(queues_take_turns_by_bytes)
{
	const struct ringport_plan two = { .queue_pairs = 2 };
	struct vtc_relay_opts o = VTC_RELAY_OPTS_INIT;
	struct pair p;

	o.burst_bytes = 4500;
	p = pair_new(&o, &two, &two);
	for (unsigned int q = 0; q < 2; q++)
		ringport_post(p.b, q, 256);
	for (unsigned int i = 0; i < 100; i++) {
		rig_send(p.a, 0, 1514, i, 1);
		rig_send(p.a, 1, 114, i, 1);
	}
	ck_assert_int_eq(vtc_relay_process(p.rig->relay, 4), 3 + 36);
	ck_assert_uint_eq(rig_stats(ringport_port(p.b), 0).tx_packets, 3);
	ck_assert_uint_eq(rig_run(p.rig), 200 - 39);
	for (unsigned int i = 0; i < 100; i++) {
		rig_expect(p.b, 0, 1514, i);
		rig_expect(p.b, 1, 114, i);
	}
	pair_free(&p);
}
END_TEST

START_TEST(the_budget_ends_a_call)
{
	struct vtc_relay_opts o = VTC_RELAY_OPTS_INIT;
	struct pair p;

	o.burst_packets = 4;
	p = pair_new(&o, NULL, NULL);
	ringport_post(p.b, 0, 256);
	for (unsigned int i = 0; i < 100; i++)
		rig_send(p.a, 0, 60, i, 1);
	ck_assert_int_eq(vtc_relay_process(p.rig->relay, 1), 4);
	ck_assert_int_eq(vtc_relay_process(p.rig->relay, 10), 12);
	ck_assert_uint_eq(rig_run(p.rig), 84);
	pair_free(&p);
}
END_TEST

/* ---- Sleep ---- */

START_TEST(idle_is_quiet)
{
	struct pair p = pair_new(NULL, NULL, NULL);
	struct vtc_relay_stats before, after;

	ringport_post(p.b, 0, 64);
	rig_run(p.rig);
	ck_assert(!rig_is_ready(p.rig, false));
	rig_send(p.a, 0, 60, 0, 1);
	ck_assert(rig_is_ready(p.rig, false));
	before = rig_relay_stats(p.rig);
	ck_assert_uint_eq(rig_run(p.rig), 1);
	ck_assert(!rig_is_ready(p.rig, false));
	after = rig_relay_stats(p.rig);
	ck_assert_uint_eq(after.wake_ups, before.wake_ups + 1);
	ck_assert_uint_eq(after.sleeps, before.sleeps + 1);
	ck_assert_uint_eq(after.turns, before.turns + 2);
	pair_free(&p);
}
END_TEST

/* Packets that come close together are looked for; those far apart are not. */
START_TEST(looking_follows_the_rate)
{
	struct pair p = pair_new(NULL, NULL, NULL);
	struct vtc_relay_stats stats;

	ringport_post(p.b, 0, 256);
	for (unsigned int i = 0; i < 100; i++) {
		p.rig->now_ns += 100000000;
		rig_send(p.a, 0, 60, i, 1);
		rig_run(p.rig);
	}
	stats = rig_relay_stats(p.rig);
	for (unsigned int i = 0; i < 100; i++) {
		p.rig->now_ns += 1000;
		rig_send(p.a, 0, 60, i, 1);
		rig_run(p.rig);
	}
	ck_assert_uint_gt(rig_relay_stats(p.rig).spins, stats.spins + 20);
	stats = rig_relay_stats(p.rig);
	for (unsigned int i = 0; i < 20; i++) {
		p.rig->now_ns += 100000000;
		rig_send(p.a, 0, 60, i, 1);
		rig_run(p.rig);
	}
	ck_assert_uint_lt(rig_relay_stats(p.rig).spins, stats.spins + 20);
	pair_free(&p);
}
END_TEST

static void *wake(void *data)
{
	ck_assert_errno(vtc_relay_wake(data), 0);
	return NULL;
}

START_TEST(another_thread_wakes)
{
	struct pair p = pair_new(NULL, NULL, NULL);
	pthread_t thread;

	for (int i = 0; i < 3; i++) {
		rig_run(p.rig);
		ck_assert(!rig_is_ready(p.rig, false));
		ck_assert_int_eq(pthread_create(&thread, NULL, wake, p.rig->relay), 0);
		ck_assert(rig_is_ready(p.rig, true));
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
	}
	pair_free(&p);
}
END_TEST

/* Guests on threads of their own: nobody misses a notification. */
struct race {
	struct pair pair;
	unsigned int count;
	atomic_bool over;
};

static void *send_all(void *data)
{
	struct race *race = data;
	struct ringport *a = race->pair.a;
	static uint8_t packet[2000];
	static const uint8_t header[12];

	for (unsigned int i = 0; i < race->count;) {
		size_t len = length_of(i);

		rig_fill(packet, len, i);
		if (ringport_send(a, 0, header, packet, len, 1)) {
			ringport_kick(a, 0);
			i++;
		} else {
			ringport_wait(a, 0);
		}
	}
	return NULL;
}

static void *receive_all(void *data)
{
	struct race *race = data;
	struct ringport *b = race->pair.b;
	static uint8_t want[2000], got[2048];
	uint8_t header[12];

	for (unsigned int i = 0; i < race->count;) {
		size_t len = length_of(i);
		long n = ringport_receive(b, 0, header, got, sizeof(got));

		if (n < 0) {
			ringport_post(b, 0, 16);
			ringport_wait(b, 0);
			continue;
		}
		rig_fill(want, len, i++);
		ck_assert_int_eq(n, (long)len);
		ck_assert_mem_eq(got, want, len);
	}
	ck_assert_uint_le(stats_b(&race->pair).tx_packets, race->count);
	ck_assert_uint_gt(rig_relay_stats(race->pair.rig).turns, 0);
	race->over = true;
	ck_assert_errno(vtc_relay_wake(race->pair.rig->relay), 0);
	return NULL;
}

static void race_guests(const struct ringport_plan *plan)
{
	struct vtc_relay_opts patient = VTC_RELAY_OPTS_INIT;
	struct race race = { .count = 3000 };
	pthread_t sender, receiver;

	patient.stall_ms = 1000000;
	race.pair = pair_new(&patient, plan, plan);
	ck_assert_int_eq(pthread_create(&receiver, NULL, receive_all, &race), 0);
	ck_assert_int_eq(pthread_create(&sender, NULL, send_all, &race), 0);
	while (!race.over) {
		if (!vtc_relay_process(race.pair.rig->relay, 0))
			ck_assert(rig_is_ready(race.pair.rig, true));
	}
	ck_assert_int_eq(pthread_join(sender, NULL), 0);
	ck_assert_int_eq(pthread_join(receiver, NULL), 0);
	ck_assert_uint_eq(stats_b(&race.pair).tx_packets, race.count);
	pair_free(&race.pair);
}

START_TEST(nobody_misses_a_notification)
{
	const struct ringport_plan plan = { .ring_size = 32,
					    .packed = _i & 1,
					    .event_idx = _i & 2 };

	race_guests(&plan);
}
END_TEST

/* ---- Life ---- */

START_TEST(joins_that_cannot_be)
{
	struct pair p = pair_new(NULL, NULL, NULL);
	struct rig *other = rig_new(NULL);
	struct ringport *c = ringport_new(p.rig->ctx, NULL);
	struct vtc_port *a = ringport_port(p.a), *free_port = ringport_port(c);

	ck_assert_errno(vtc_relay_join(NULL, free_port, free_port), -EINVAL);
	ck_assert_errno(vtc_relay_join(p.rig->relay, NULL, free_port), -EINVAL);
	ck_assert_errno(vtc_relay_join(p.rig->relay, free_port, NULL), -EINVAL);
	ck_assert_errno(vtc_relay_join(p.rig->relay, a, free_port), -EBUSY);
	ck_assert_errno(vtc_relay_join(p.rig->relay, free_port, a), -EBUSY);
	ck_assert_errno(vtc_relay_join(other->relay, free_port, free_port), -EINVAL);
	ck_assert_ptr_null(free_port->relay);
	ringport_free(c);
	rig_free(other);
	pair_free(&p);
}
END_TEST

START_TEST(a_failed_join_leaves_nothing)
{
	struct rig *rig = rig_new(NULL);
	struct ringport *rp[2] = { ringport_new(rig->ctx, NULL),
				   ringport_new(rig->ctx, NULL) };
	struct vtc_port *a = ringport_port(rp[0]), *b = ringport_port(rp[1]);

	ringport_fail_attach(rp[_i], -EMFILE);
	ck_assert_errno(vtc_relay_join(rig->relay, a, b), -EMFILE);
	ck_assert_ptr_null(a->relay);
	ck_assert_ptr_null(b->relay);
	ck_assert_ptr_null(a->loop);
	rig_send(rp[0], 0, 60, 0, 1);
	ck_assert(!rig_is_ready(rig, false));
	ck_assert_uint_eq(rig_run(rig), 0);

	ck_assert_errno(vtc_relay_join(rig->relay, a, b), 0);
	ringport_post(rp[1], 0, 1);
	ck_assert_uint_eq(rig_run(rig), 1);
	rig_expect(rp[1], 0, 60, 0);
	ringport_free(rp[0]);
	ringport_free(rp[1]);
	rig_free(rig);
}
END_TEST

/* Every order of the three ends, with packets under way. */
START_TEST(ends_in_any_order)
{
	static const char *const orders[] = { "abr", "arb", "bar", "bra", "rab", "rba" };
	struct pair p = pair_new(NULL, NULL, NULL);

	ringport_post(p.b, 0, 1);
	for (unsigned int i = 0; i < 3; i++)
		rig_send(p.a, 0, 60, i, 1);
	if (_i % 2)
		rig_run(p.rig);
	for (const char *at = orders[_i / 2]; *at; at++) {
		if (*at == 'a')
			ringport_free(p.a);
		else if (*at == 'b')
			ringport_free(p.b);
		else
			rig_free(p.rig);
		if (*at != 'r' && at[1] && at[1] != 'r' && at[2] == 'r')
			ck_assert_uint_eq(rig_run(p.rig), 0);
	}
}
END_TEST

/* Others go on when a join ends, and its ports may be joined anew. */
START_TEST(one_join_of_many_ends)
{
	struct pair p = pair_new(NULL, NULL, NULL);
	struct ringport *c = ringport_new(p.rig->ctx, NULL);
	struct ringport *d = ringport_new(p.rig->ctx, NULL);
	struct ringport *e = ringport_new(p.rig->ctx, NULL);

	ck_assert_errno(vtc_relay_join(p.rig->relay, ringport_port(c), ringport_port(d)),
			0);
	ringport_post(p.b, 0, 10);
	ringport_post(d, 0, 10);
	for (unsigned int i = 0; i < 2; i++) {
		rig_send(p.a, 0, 60, i, 1);
		rig_send(c, 0, 60, i, 1);
	}
	ck_assert_int_eq(vtc_relay_process(p.rig->relay, 0), 4);
	vtc_port_close(ringport_port(c));
	rig_send(p.a, 0, 60, 2, 1);
	rig_send(d, 0, 60, 0, 1);
	ck_assert_uint_eq(rig_run(p.rig), 1);
	ck_assert_ptr_null(ringport_port(d)->relay);
	ck_assert_errno(vtc_relay_join(p.rig->relay, ringport_port(d), ringport_port(e)),
			0);
	ringport_post(e, 0, 1);
	ck_assert_uint_eq(rig_run(p.rig), 1);
	rig_expect(e, 0, 60, 0);
	ringport_free(c);
	ringport_free(d);
	ringport_free(e);
	pair_free(&p);
}
END_TEST

START_TEST(no_descriptor_is_left)
{
	int before = vtct_count_fds();
	struct rig *rig = rig_new(NULL);

	rig_free(rig);
	ck_assert_int_eq(vtct_count_fds(), before);
}
END_TEST

START_TEST(parameters)
{
	struct rig *rig = rig_new(NULL);
	struct vtc_relay_opts o = VTC_RELAY_OPTS_INIT;
	struct vtc_relay_stats stats = { .sz = sizeof(stats) - 8 };
	struct vtc_relay *relay = NULL;

	ck_assert_errno(vtc_relay_new(NULL, NULL, &relay), -EINVAL);
	ck_assert_errno(vtc_relay_new(rig->ctx, NULL, NULL), -EINVAL);
	o.burst_packets = 257;
	ck_assert_errno(vtc_relay_new(rig->ctx, &o, &relay), -EINVAL);
	o.burst_packets = 0;
	o.flags = 1;
	ck_assert_errno(vtc_relay_new(rig->ctx, &o, &relay), -EINVAL);
	o.flags = 0;
	o.reserved = 1;
	ck_assert_errno(vtc_relay_new(rig->ctx, &o, &relay), -EINVAL);
	o.reserved = 0;
	o.sz -= 4;
	ck_assert_errno(vtc_relay_new(rig->ctx, &o, &relay), -EINVAL);
	ck_assert_ptr_null(relay);
	ck_assert_errno(vtc_relay_get_fd(NULL), -EINVAL);
	ck_assert_errno(vtc_relay_wake(NULL), -EINVAL);
	ck_assert_errno(vtc_relay_process(NULL, 0), -EINVAL);
	ck_assert_errno(vtc_relay_get_stats(NULL, &stats), -EINVAL);
	ck_assert_errno(vtc_relay_get_stats(rig->relay, NULL), -EINVAL);
	ck_assert_errno(vtc_relay_get_stats(rig->relay, &stats), -EINVAL);
	vtc_relay_free(NULL);
	vtc_port_close(NULL);
	rig_free(rig);
}
END_TEST

/* Structs of older and newer callers. */
START_TEST(what_a_port_tells)
{
	struct {
		struct vtc_port_stats stats;
		uint64_t newer;
	} longer = { { .sz = sizeof(longer) }, 77 };
	struct vtc_port_info info = { .sz = sizeof(info) };
	struct pair p = pair_new(NULL, NULL, NULL);
	struct vtc_port *a = ringport_port(p.a);

	ck_assert_errno(vtc_port_get_stats(a, 0, &longer.stats), 0);
	ck_assert_uint_eq(longer.newer, 0);
	ck_assert_uint_eq(longer.stats.sz, sizeof(longer));
	ck_assert_errno(vtc_port_get_stats(a, 1, &longer.stats), -ERANGE);
	ck_assert_errno(vtc_port_get_stats(NULL, 0, &longer.stats), -EINVAL);
	ck_assert_errno(vtc_port_get_stats(a, 0, NULL), -EINVAL);
	longer.stats.sz = sizeof(longer.stats) - 8;
	ck_assert_errno(vtc_port_get_stats(a, 0, &longer.stats), -EINVAL);

	ck_assert_errno(vtc_port_get_info(a, &info), 0);
	ck_assert_str_eq(info.kind, "rings of a test");
	ck_assert_str_eq(info.name, "");
	ck_assert_uint_eq(info.ready, 1);
	ck_assert_uint_eq(info.queue_pairs, 1);
	ck_assert_ptr_null(info.error);
	ck_assert_errno(vtc_port_get_info(NULL, &info), -EINVAL);
	ck_assert_errno(vtc_port_get_info(a, NULL), -EINVAL);
	info.sz -= 8;
	ck_assert_errno(vtc_port_get_info(a, &info), -EINVAL);
	pair_free(&p);
}
END_TEST

static Suite *moves(void)
{
	Suite *s = vtct_suite("moves", a_guest_talks_to_itself, queues_go_to_queues,
			      a_checksum_is_left_to_who_can,
			      a_checksum_is_completed_for_who_cannot,
			      a_large_packet_asks_for_more, a_large_packet_waits_for_room,
			      larger_than_a_burst_is_dropped, short_packets_are_dropped,
			      headers_do_not_leak, a_broken_ring, NULL);
	TCase *t = tcase_create("variants");

	tcase_add_loop_test(t, delivers_in_order, 0, 16);
	tcase_add_loop_test(t, a_large_packet_spans_many_chains, 0, 2);
	tcase_add_loop_test(t, a_large_packet_is_cut, 0, 2);
	tcase_add_loop_test(t, too_large_is_dropped, 0, 2);
	tcase_add_loop_test(t, bad_headers_are_dropped, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

static Suite *relays(void)
{
	Suite *s = vtct_suite("relays", packets_wait_for_room,
			      a_stall_drops_until_there_is_room, a_stall_wakes_by_itself,
			      nobody_there_is_dropped_at_once, features_change_under_way,
			      queues_take_turns_by_packets, queues_take_turns_by_bytes,
			      the_budget_ends_a_call, idle_is_quiet,
			      looking_follows_the_rate, another_thread_wakes,
			      joins_that_cannot_be, one_join_of_many_ends,
			      no_descriptor_is_left, parameters, what_a_port_tells, NULL);
	TCase *t = tcase_create("variants");

	tcase_add_loop_test(t, a_failed_join_leaves_nothing, 0, 2);
	tcase_add_loop_test(t, ends_in_any_order, 0, 12);
	tcase_add_loop_test(t, nobody_misses_a_notification, 0, 4);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return vtct_main(moves(), relays(), NULL);
}
