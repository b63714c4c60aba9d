/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Weights and limits of ports in a relay: shares are counted in bytes that arrive, while
 * all who send have something to send.
 */
#include <stdlib.h>
#include <string.h>

#include <vtc/relay.h>

#include "rig.h"
#include "vtct.h"

#define JOINS	 5
#define BUDGET	 200	  /* packets between two looks of the test */
#define MEASURED 4000000u /* bytes */
#define FLOOD	 3
#define DEAF	 4

/* A sender, and the port that its packets go to. */
struct join {
	struct ringport *from, *to;
	unsigned int queues, len;
	uint32_t weight;
	bool deaf; /* the receiver never has a buffer */
	uint64_t bytes, packets, sent;
};

static uint8_t packet[RIG_PACKET_MAX];

static void open_join(struct rig *rig, struct join *j, uint64_t max_bps)
{
	const struct ringport_plan plan = { .queue_pairs = j->queues, .ring_size = 1024 };
	struct vtc_port_rate rate = VTC_PORT_RATE_INIT;

	j->from = ringport_new(rig->ctx, &plan);
	j->to = ringport_new(rig->ctx, &plan);
	rate.weight = j->weight;
	rate.max_bps = max_bps;
	ck_assert_errno(vtc_port_set_rate(ringport_port(j->to), &rate), 0);
	ck_assert_errno(
		vtc_relay_join(rig->relay, ringport_port(j->from), ringport_port(j->to)),
		0);
}

static void close_join(struct join *j)
{
	ringport_free(j->from);
	ringport_free(j->to);
}

/* As many packets as the rings take. */
static void fill(struct join *j)
{
	static const uint8_t header[12];

	for (unsigned int q = 0; q < j->queues; q++) {
		while (ringport_send(j->from, q, header, packet, j->len, 1))
			j->sent++;
		ringport_kick(j->from, q);
		if (!j->deaf)
			ringport_post(j->to, q, 1024);
	}
}

static void receive(struct join *j)
{
	uint8_t header[12], got[2048];

	for (unsigned int q = 0; q < j->queues; q++)
		while (ringport_receive(j->to, q, header, got, sizeof(got)) ==
		       (long)j->len) {
			j->bytes += j->len;
			j->packets++;
		}
}

static uint64_t sum(const struct join *joins, unsigned int count)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < count; i++)
		bytes += joins[i].bytes;
	return bytes;
}

/* Nobody ever runs out of packets to send. */
static void run(struct rig *rig, struct join *joins, unsigned int count)
{
	for (unsigned int turn = 0; turn < 100000; turn++) {
		for (unsigned int i = 0; i < count; i++)
			fill(&joins[i]);
		ck_assert_int_gt(vtc_relay_process(rig->relay, BUDGET), 0);
		for (unsigned int i = 0; i < count; i++)
			receive(&joins[i]);
		if (sum(joins, count) >= MEASURED)
			return;
	}
	ck_abort_msg("the relay does not get on");
}

static void check_shares(const struct join *joins, unsigned int count)
{
	uint64_t bytes = sum(joins, count), weight = 0;

	for (unsigned int i = 0; i < count; i++)
		weight += joins[i].deaf ? 0 : joins[i].weight;
	for (unsigned int i = 0; i < count; i++) {
		double share = (double)joins[i].bytes / (double)bytes;
		double want = (double)joins[i].weight / (double)weight;

		if (joins[i].deaf)
			continue;
		ck_assert_msg(share > want * 0.9 && share < want * 1.1,
			      "port %u of weight %u: a share of %.4f, not %.4f", i,
			      joins[i].weight, share, want);
	}
}

static void check_fair(unsigned int count)
{
	struct join joins[JOINS] = {
		{ .queues = 1, .len = 1500, .weight = 1 },
		{ .queues = 1, .len = 700, .weight = 2 },
		{ .queues = 1, .len = 300, .weight = 4 },
		{ .queues = 4, .len = 1500, .weight = 1 }, /* FLOOD */
		{ .queues = 1, .len = 1000, .weight = 4, .deaf = true },
	};
	struct vtc_relay_opts opts = VTC_RELAY_OPTS_INIT;
	struct rig *rig;

	opts.stall_ms = 1000;
	rig = rig_new(&opts);
	for (unsigned int i = 0; i < count; i++)
		open_join(rig, &joins[i], 0);
	run(rig, joins, count);
	check_shares(joins, count);
	for (unsigned int i = 0; i < count; i++)
		close_join(&joins[i]);
	rig_free(rig);
}

START_TEST(bytes_are_shared_by_weight)
{
	check_fair(FLOOD);
}
END_TEST

START_TEST(who_floods_gets_no_more)
{
	check_fair(FLOOD + 1);
}
END_TEST

START_TEST(who_takes_nothing_holds_up_nobody)
{
	check_fair(DEAF + 1);
}
END_TEST

/* Equal weights: one's packets are five times as long, and it gets no more bytes. */
START_TEST(a_weight_counts_when_it_is_changed)
{
	struct join joins[2] = { { .queues = 1, .len = 1500, .weight = 1 },
				 { .queues = 1, .len = 300, .weight = 1 } };
	struct vtc_port_rate rate = VTC_PORT_RATE_INIT;
	struct rig *rig = rig_new(NULL);

	for (unsigned int i = 0; i < 2; i++)
		open_join(rig, &joins[i], 0);
	run(rig, joins, 2);
	check_shares(joins, 2);
	rate.weight = joins[0].weight = 3;
	ck_assert_errno(vtc_port_set_rate(ringport_port(joins[0].to), &rate), 0);
	joins[0].bytes = joins[1].bytes = 0;
	run(rig, joins, 2);
	check_shares(joins, 2);
	for (unsigned int i = 0; i < 2; i++)
		close_join(&joins[i]);
	rig_free(rig);
}
END_TEST

/* ---- Limits ---- */

#define LIMIT_BPS 80000000ull /* 10 bytes in a microsecond */
#define BUCKET	  150000u     /* what may go at once, at most */

static void check_nothing_dropped(const struct join *j)
{
	struct vtc_port_stats from = rig_stats(ringport_port(j->from), 0);
	struct vtc_port_stats to = rig_stats(ringport_port(j->to), 0);

	ck_assert_uint_eq(from.rx_dropped_bad, 0);
	ck_assert_uint_eq(to.tx_dropped_room, 0);
	ck_assert_uint_eq(to.tx_dropped_down, 0);
}

START_TEST(a_limit_holds_back_and_drops_nothing)
{
	struct join j = { .queues = 1, .len = 1000 };
	struct rig *rig = rig_new(NULL);
	uint64_t start = rig->now_ns, most;

	open_join(rig, &j, LIMIT_BPS);
	for (unsigned int turn = 0; turn < 200; turn++) {
		if (turn < 100)
			fill(&j);
		else
			ringport_post(j.to, 0, 1024);
		(void)rig_run(rig);
		receive(&j);
		most = (rig->now_ns - start) / 1000 * (LIMIT_BPS / 8000000) + BUCKET;
		ck_assert_uint_le(j.bytes, most);
		rig->now_ns += 5000000;
		if (turn < 99)
			ck_assert_uint_gt(ringport_unsent(j.from, 0), 0);
	}
	/* What was left in the ring has had its time: all has come, and not slowly. */
	ck_assert_uint_eq(j.packets, j.sent);
	ck_assert_uint_gt(j.bytes, 100 * 50000 * 9 / 10);
	check_nothing_dropped(&j);
	close_join(&j);
	rig_free(rig);
}
END_TEST

START_TEST(a_limit_is_nobody_elses)
{
	struct join joins[2] = { { .queues = 1, .len = 1000, .weight = 4 },
				 { .queues = 1, .len = 1000, .weight = 1 } };
	struct rig *rig = rig_new(NULL);

	open_join(rig, &joins[0], 8000000);
	open_join(rig, &joins[1], 0);
	run(rig, joins, 2);
	/* The clock hardly goes on: the limit allows little more than the bucket. */
	ck_assert_uint_lt(joins[0].bytes, 2 * BUCKET);
	ck_assert_uint_gt(joins[1].bytes, MEASURED - 2 * BUCKET);
	check_nothing_dropped(&joins[0]);
	for (unsigned int i = 0; i < 2; i++)
		close_join(&joins[i]);
	rig_free(rig);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
	struct vtc_port_rate rate = VTC_PORT_RATE_INIT;
	struct join j = { .queues = 1, .len = 100 };
	struct rig *rig = rig_new(NULL);

	ck_assert_errno(vtc_port_set_rate(NULL, &rate), -EINVAL);
	open_join(rig, &j, 0);
	rate.weight = 1001;
	ck_assert_errno(vtc_port_set_rate(ringport_port(j.to), &rate), -EINVAL);
	rate = (struct vtc_port_rate){ .sz = 4 };
	ck_assert_errno(vtc_port_set_rate(ringport_port(j.to), &rate), -EINVAL);
	ck_assert_errno(vtc_port_set_rate(ringport_port(j.to), NULL), 0);
	close_join(&j);
	rig_free(rig);
}
END_TEST

int main(void)
{
	return vtct_main(
		vtct_suite("fair", bytes_are_shared_by_weight, who_floods_gets_no_more,
			   who_takes_nothing_holds_up_nobody,
			   a_weight_counts_when_it_is_changed,
			   a_limit_holds_back_and_drops_nothing, a_limit_is_nobody_elses,
			   what_makes_no_sense_is_refused, NULL),
		NULL);
}
