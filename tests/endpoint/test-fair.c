/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Weights and limits of ports in a relay: shares are counted in bytes that arrive, while
 * all who send have something to send.
 */
#include <stdlib.h>
#include <string.h>

#include <vtc/relay.h>

#include "endpoint/xsk-umem.h"
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

/* ---- Ports that share what there is to send in ---- */

#define FRAMES 256u

/* A card's queue: frames come back in the order in which they were sent. */
static struct {
	struct vtc__umem umem;
	uint32_t free[FRAMES], sent[FRAMES];
	uint8_t state[FRAMES], area[FRAMES][2048];
	struct vtc__umem_user *owner[FRAMES];
	uint32_t first, end;
} queue;

struct sender {
	struct vtc_port port;
	struct vtc__umem_user user;
	uint64_t bytes;
};

static int sender_reserve(struct vtc_port *port, unsigned int q, struct vtc__burst *burst,
			  unsigned int max)
{
	struct sender *s = (struct sender *)port;
	uint32_t n;

	(void)q;
	s->user.weight = port->rate.weight;
	n = vtc__umem_room(&queue.umem, &s->user, max);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t frame = vtc__umem_send(&queue.umem, &s->user);

		burst->segments[i] = (struct vtc_segment){ queue.area[frame], 2048 };
		burst->chains[i] = (struct vtc_chain){ .segments = &burst->segments[i],
						       .writable_bytes = 2048,
						       .writable = 1,
						       .id = frame };
	}
	return (int)n;
}

static void sender_commit(struct vtc_port *port, unsigned int q, struct vtc__burst *burst,
			  unsigned int taken, unsigned int used)
{
	struct sender *s = (struct sender *)port;

	(void)q;
	for (unsigned int i = 0; i < used; i++) {
		s->bytes += burst->done[i].len;
		vtc__umem_note(&s->user, 1, burst->done[i].len);
		queue.sent[queue.end++ % FRAMES] = burst->chains[i].id;
	}
	for (unsigned int i = used; i < taken; i++)
		vtc__umem_unsend(&queue.umem, burst->chains[i].id);
}

static void sender_close(struct vtc_port *port)
{
	vtc__umem_leave(&queue.umem, &((struct sender *)port)->user);
	vtc__port_fini(port);
}

static bool never_takes(struct vtc_port *port, unsigned int q)
{
	(void)port, (void)q;
	return true;
}

static const struct vtc__port_ops sender_ops = { .kind = "sender",
						 .close = sender_close,
						 .reserve = sender_reserve,
						 .commit = sender_commit,
						 .arm_take = never_takes,
						 .arm_reserve = never_takes };

static void open_sender(struct rig *rig, struct sender *s, struct join *j)
{
	const struct ringport_plan plan = { .ring_size = 1024 };
	struct vtc_port_rate rate = VTC_PORT_RATE_INIT;

	ck_assert_errno(vtc__port_init(&s->port, rig->ctx, &sender_ops, 1), 0);
	s->port.ready = 1;
	s->port.accepts_all = true;
	vtc__umem_join(&queue.umem, &s->user);
	rate.weight = j->weight;
	ck_assert_errno(vtc_port_set_rate(&s->port, &rate), 0);
	j->from = ringport_new(rig->ctx, &plan);
	ck_assert_errno(vtc_relay_join(rig->relay, ringport_port(j->from), &s->port), 0);
}

static void queue_init(void)
{
	memset(&queue, 0, sizeof(queue));
	queue.umem = (struct vtc__umem){ .base = { .frame_count = FRAMES },
					 .tx_most = FRAMES,
					 .free_count = FRAMES,
					 .free = queue.free,
					 .state = queue.state,
					 .owner = queue.owner };
	for (uint32_t i = 0; i < FRAMES; i++)
		queue.free[i] = i;
}

/* The wire has sent some. */
static void frames_come_back(uint32_t count)
{
	for (; count && queue.first != queue.end; count--) {
		vtc__umem_unsend(&queue.umem, queue.sent[queue.first++ % FRAMES]);
		queue.umem.back++;
	}
}

static void check_wire(uint32_t back, const uint32_t *weights)
{
	struct sender senders[FLOOD];
	struct join joins[FLOOD];
	struct rig *rig = rig_new(NULL);

	queue_init();
	memset(senders, 0, sizeof(senders));
	for (unsigned int i = 0; i < FLOOD; i++) {
		joins[i] = (struct join){ .queues = 1, .len = 1500, .deaf = true };
		joins[i].weight = weights[i];
		open_sender(rig, &senders[i], &joins[i]);
	}
	for (int turn = 0; turn < 600; turn++) {
		for (unsigned int i = 0; i < FLOOD; i++)
			fill(&joins[i]);
		frames_come_back(back);
		(void)vtc_relay_process(rig->relay, 0);
		rig->now_ns += 200000;
	}
	for (unsigned int i = 0; i < FLOOD; i++) {
		joins[i].bytes = senders[i].bytes;
		joins[i].deaf = false;
	}
	check_shares(joins, FLOOD);
	for (unsigned int i = 0; i < FLOOD; i++) {
		vtc_port_close(&senders[i].port);
		ringport_free(joins[i].from);
	}
	rig_free(rig);
}

/* All want to send more than the wire takes: what it takes is by weight. */
START_TEST(a_wire_that_is_full_is_shared_by_weight)
{
	static const uint32_t backs[] = { 1, 32, 200 };
	static const uint32_t orders[][FLOOD] = { { 1, 2, 4 }, { 4, 2, 1 } };

	for (size_t i = 0; i < sizeof(backs) / sizeof(backs[0]); i++)
		for (size_t j = 0; j < sizeof(orders) / sizeof(orders[0]); j++)
			check_wire(backs[i], orders[j]);
}
END_TEST

/* The frames of those who have nothing to send are the others'. */
START_TEST(who_sends_alone_has_all_frames)
{
	struct vtc__umem_user idle, busy;

	queue_init();
	vtc__umem_join(&queue.umem, &idle);
	vtc__umem_join(&queue.umem, &busy);
	idle.weight = 1000;
	ck_assert_uint_eq(vtc__umem_room(&queue.umem, &busy, FRAMES), FRAMES);
	for (uint32_t i = 0; i < FRAMES; i++)
		queue.sent[queue.end++] = vtc__umem_send(&queue.umem, &busy);
	/* One that comes gets the next ones that come back. */
	ck_assert_uint_eq(vtc__umem_room(&queue.umem, &idle, 32), 0);
	frames_come_back(32);
	ck_assert_uint_eq(vtc__umem_room(&queue.umem, &busy, 32), 0);
	ck_assert_uint_eq(vtc__umem_room(&queue.umem, &idle, 32), 32);
	vtc__umem_leave(&queue.umem, &busy);
	vtc__umem_leave(&queue.umem, &idle);
	frames_come_back(FRAMES);
	ck_assert_uint_eq(queue.umem.free_count, FRAMES);
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

/* A relay that has much to do looks every now and then, and that often. */
static double share_of_limit(uint64_t bps, uint64_t every_ns)
{
	struct vtc__port_rate rate = { .max_bytes = bps / 8 };
	uint64_t now = 1, until, bytes = 0, end;

	while (vtc__rate_allows(&rate, now, &until))
		vtc__rate_took(&rate, 1514);
	for (end = now + 1000000000; now < end; now += every_ns) {
		for (; vtc__rate_allows(&rate, now, &until); bytes += 1514)
			vtc__rate_took(&rate, 1514);
	}
	return (double)bytes * 8 / (double)bps;
}

START_TEST(a_limit_is_reached_however_often_one_looks)
{
	static const uint64_t every_ns[] = { 150, 700, 1500, 5000, 30000000 };
	static const uint64_t bps[] = { 1000000, 10000000, 50000000, 100000000,
					1000000000 };

	for (size_t i = 0; i < sizeof(every_ns) / sizeof(every_ns[0]); i++) {
		for (size_t j = 0; j < sizeof(bps) / sizeof(bps[0]); j++) {
			double share = share_of_limit(bps[j], every_ns[i]);

			/* After a long pause the bucket is full, and more is lost. */
			ck_assert_msg(share < 1.02 && (share > 0.98 || i == 4),
				      "a share of %.3f of %llu bit/s, every %llu ns",
				      share, (unsigned long long)bps[j],
				      (unsigned long long)every_ns[i]);
		}
	}
}
END_TEST

/* The smallest: 1 byte in a second is little, but more than nothing. */
START_TEST(a_limit_is_never_nothing)
{
	struct join j = { .queues = 1, .len = 100 };
	struct rig *rig = rig_new(NULL);

	open_join(rig, &j, 1);
	for (int turn = 0; turn < 300; turn++) {
		fill(&j);
		(void)rig_run(rig);
		receive(&j);
		rig->now_ns += 1000000000;
	}
	ck_assert_uint_ge(j.packets, 2);
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
	return vtct_main(vtct_suite("fair", bytes_are_shared_by_weight,
				    who_floods_gets_no_more,
				    who_takes_nothing_holds_up_nobody,
				    a_weight_counts_when_it_is_changed,
				    a_wire_that_is_full_is_shared_by_weight,
				    who_sends_alone_has_all_frames,
				    a_limit_holds_back_and_drops_nothing,
				    a_limit_is_reached_however_often_one_looks,
				    a_limit_is_never_nothing, a_limit_is_nobody_elses,
				    what_makes_no_sense_is_refused, NULL),
			 NULL);
}
