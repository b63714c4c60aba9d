/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Our frontend and our backend, each in a relay of its own: every way to lay out a ring,
 * packets of all lengths both ways at once, backends that come and go.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "station.h"
#include "vtct.h"

#define BIT(n)	(1ull << (n))
#define PACKETS 400u

static struct vtc_vhost_user_opts front_opts, back_opts;
static struct station front, back, far;
static struct station *const both[] = { &front, &back };
static char path[108];
static int fds_before;

static void begin(void)
{
	fds_before = vtct_count_fds();
	front_opts = (struct vtc_vhost_user_opts)VTC_VHOST_USER_OPTS_INIT;
	front_opts.role = VTC_VRING_DRIVER;
	back_opts = (struct vtc_vhost_user_opts)VTC_VHOST_USER_OPTS_INIT;
	back_opts.role = VTC_VRING_DEVICE;
	front = back = far = (struct station){ .total = PACKETS };
}

/* Both ends of a new connection. */
static void connect_both(void)
{
	int fds[2];

	ck_assert(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	front_opts.fd = fds[0];
	back_opts.fd = fds[1];
	back_opts.queue_pairs = front_opts.queue_pairs;
	station_open(&front, &front_opts);
	station_open(&back, &back_opts);
	close(fds[0]);
	close(fds[1]);
}

static void end(void)
{
	station_close(&front);
	station_close(&back);
	ck_assert_int_eq(vtct_count_fds(), fds_before);
}

static bool has_all(const struct station *s, uint32_t total)
{
	for (unsigned int q = 0; q < s->queues; q++) {
		if (s->got[q] < total)
			return false;
	}
	return true;
}

static bool both_done(struct station *const *all)
{
	return has_all(all[0], all[1]->total) && has_all(all[1], all[0]->total);
}

static bool both_ready(struct station *const *all)
{
	return station_info(all[0]).ready && station_info(all[1]).ready;
}

static void run(void)
{
	const char *wrong = station_run(both, 2, both_done);

	ck_assert_msg(!wrong, "%s (front %u sent %u got, back %u sent %u got; %s; %s)",
		      wrong, front.sent[0], front.got[0], back.sent[0], back.got[0],
		      station_info(&front).error, station_info(&back).error);
}

static struct vtc_port_stats stats(const struct station *s, unsigned int queue)
{
	struct vtc_port_stats st = { .sz = sizeof(st) };

	ck_assert_errno(vtc_port_get_stats(s->port, queue, &st), 0);
	return st;
}

static void check_none_dropped(const struct station *s)
{
	for (unsigned int q = 0; q < s->queues; q++) {
		struct vtc_port_stats st = stats(s, q);

		ck_assert_uint_eq(st.rx_dropped_bad + st.tx_dropped_room +
					  st.tx_dropped_size + st.tx_dropped_error +
					  st.tx_dropped_down,
				  0);
	}
}

/* ---- All layouts ---- */

static const unsigned int features[] = { VTC_VRING_F_PACKED, VTC_NET_F_MRG_RXBUF,
					 VTC_VRING_F_IN_ORDER, VTC_VRING_F_EVENT_IDX,
					 VTC_VRING_F_INDIRECT };
#define LAYOUTS (1 << (sizeof(features) / sizeof(*features)))

static uint64_t features_off(int layout)
{
	uint64_t off = 0;

	for (unsigned int i = 0; i < sizeof(features) / sizeof(*features); i++) {
		if (!(layout >> i & 1))
			off |= BIT(features[i]);
	}
	return off;
}

static void check_layout(int layout)
{
	uint64_t has = station_info(&front).features[0];

	for (unsigned int i = 0; i < sizeof(features) / sizeof(*features); i++)
		ck_assert_int_eq(has >> features[i] & 1, layout >> i & 1);
	ck_assert(has == station_info(&back).features[0]);
}

START_TEST(every_layout)
{
	int layout = _i % LAYOUTS;

	front_opts.features_off[0] = _i & 1 ? features_off(layout) : 0;
	back_opts.features_off[0] = _i & 1 ? 0 : features_off(layout);
	front_opts.queue_pairs = _i < LAYOUTS ? 1 : 2;
	front_opts.ring_size = 64;
	connect_both();
	run();
	check_layout(layout);
	ck_assert_uint_eq(station_info(&front).ready, front_opts.queue_pairs);
	ck_assert_uint_eq(stats(&front, 0).tx_packets, PACKETS);
	ck_assert_uint_eq(stats(&front, 0).rx_packets, PACKETS);
	ck_assert_uint_eq(stats(&back, 0).rx_bytes, stats(&front, 0).tx_bytes);
	check_none_dropped(&front);
	check_none_dropped(&back);
	end();
}
END_TEST

/* Rings as small as a packet, and buffers that most packets do not fit. */
START_TEST(every_size)
{
	static const struct {
		uint32_t ring_size, buffer_size;
	} sizes[] = { { 1, 2048 },  { 2, 2048 },  { 4, 1000 },	 { 8, 256 },
		      { 32, 64 },   { 64, 100 },  { 256, 1024 }, { 1024, 4096 },
		      { 2, 70000 }, { 32768, 64 } };

	front_opts.ring_size = sizes[_i / 4].ring_size;
	front_opts.buffer_size = sizes[_i / 4].buffer_size;
	front_opts.features_off[0] =
		(_i & 1 ? BIT(VTC_VRING_F_PACKED) : 0) |
		(_i & 2 ? BIT(VTC_VRING_F_INDIRECT) | BIT(VTC_VRING_F_IN_ORDER) : 0);
	connect_both();
	run();
	check_none_dropped(&front);
	check_none_dropped(&back);
	end();
}
END_TEST

/* Large packets, as far as what was negotiated carries them. */
START_TEST(large_packets)
{
	bool mergeable = _i & 2, full = _i & 8;

	front_opts.features_off[0] = (_i & 1 ? 0 : BIT(VTC_VRING_F_PACKED)) |
				     (mergeable ? 0 : BIT(VTC_NET_F_MRG_RXBUF)) |
				     (_i & 4 ? 0 : BIT(VTC_VRING_F_INDIRECT));
	front_opts.ring_size = full ? 16 : 64;
	front_opts.buffer_size = full ? 70000 : 2048;
	front.large = 4;
	back.large = mergeable || full ? 4 : 0;
	connect_both();
	run();
	ck_assert_uint_eq(stats(&back, 0).rx_packets, PACKETS);
	ck_assert_uint_eq(stats(&front, 0).rx_packets, PACKETS);
	check_none_dropped(&front);
	check_none_dropped(&back);
	end();
}
END_TEST

/* ---- Relays between ports with memory ---- */

static bool echo_done(struct station *const *all)
{
	return has_all(all[1], all[1]->total);
}

/* What the backend sends comes back to it from a frontend that is joined with itself. */
START_TEST(an_echo)
{
	const char *wrong;

	front.echo = true;
	front.total = 0;
	back.total = 1000;
	back.large = _i & 2 ? 5 : 0;
	front_opts.features_off[0] = (_i & 1 ? 0 : BIT(VTC_VRING_F_PACKED)) |
				     (_i & 2 ? 0 : BIT(VTC_NET_F_MRG_RXBUF));
	connect_both();
	wrong = station_run(both, 2, echo_done);
	ck_assert_msg(!wrong, "%s", wrong);
	ck_assert_uint_eq(stats(&front, 0).copies, 1000);
	check_none_dropped(&front);
	end();
}
END_TEST

/* Two frontends side by side, and who is at the other ends of them. */
START_TEST(two_frontends_joined)
{
	struct station *const all[] = { &back, &far, &front };
	struct vtc_port *second;
	int fds[2];

	front_opts.features_off[0] = _i & 1 ? BIT(VTC_VRING_F_PACKED) : 0;
	front.total = 0;
	back.large = far.large = 3;
	connect_both();
	ck_assert(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	front_opts.features_off[0] = _i & 2 ? BIT(VTC_VRING_F_PACKED) : 0;
	front_opts.fd = fds[0];
	back_opts.fd = fds[1];
	station_open(&far, &back_opts);
	ck_assert_errno(vtc_port_open_vhost_user(front.ctx, &front_opts, &second), 0);
	close(fds[0]);
	close(fds[1]);
	/* Whoever was joined before is not any more. */
	vtc_port_close(front.callback);
	front.callback = second;
	ck_assert_errno(vtc_relay_join(front.relay, front.port, second), 0);
	ck_assert_ptr_null(station_run(all, 3, both_done));
	station_close(&far);
	end();
}
END_TEST

/* ---- Backends come and go ---- */

static void begin_path(void)
{
	begin();
	(void)snprintf(path, sizeof(path), "%s/socket", vtct_dir());
	front_opts.path = back_opts.path = path;
	front.total = back.total = UINT32_MAX;
	front.repeats = back.repeats = true;
}

static void open_at_path(void)
{
	station_open(&back, &back_opts);
	station_open(&front, &front_opts);
}

static uint32_t goal;

static bool goal_reached(struct station *const *all)
{
	return has_all(all[0], goal) && has_all(all[1], goal);
}

static void run_to_goal(uint32_t more)
{
	const char *wrong;

	goal += more;
	wrong = station_run(both, 2, goal_reached);
	ck_assert_msg(!wrong, "%s (front %u sent %u got, back %u sent %u got; %s; %s)",
		      wrong, front.sent[0], front.got[0], back.sent[0], back.got[0],
		      station_info(&front).error, station_info(&back).error);
}

/* The backend ends with packets everywhere; the next one has other features. */
START_TEST(a_backend_is_replaced)
{
	goal = 0;
	front.large = back.large = _i ? 0 : 7;
	open_at_path();
	for (int round = 0; round < 4; round++) {
		run_to_goal(50 + 30 * (uint32_t)round);
		back_opts.features_off[0] = features_off(_i ? round * 7 : LAYOUTS - 1);
		station_go(&back);
		station_come(&back, &back_opts);
	}
	run_to_goal(50);
	/* What was received is given out once only. */
	ck_assert_uint_eq(front.repeated, 0);
	ck_assert_uint_eq(station_info(&front).connections, 5);
	ck_assert_ptr_null(station_info(&front).error);
	end();
	ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(a_frontend_is_replaced)
{
	goal = 0;
	open_at_path();
	for (int round = 0; round < 4; round++) {
		run_to_goal(60);
		station_go(&front);
		while (station_info(&back).connected)
			(void)station_turn(&back);
		/* What was in the old one's hands is gone with it. */
		back.sent[0] = front.got[0];
		front.sent[0] = back.got[0];
		front_opts.features_off[0] = features_off(LAYOUTS - 1 - round * 5);
		station_come(&front, &front_opts);
	}
	run_to_goal(60);
	end();
}
END_TEST

START_TEST(packets_that_came_are_given_out_when_the_backend_is_gone)
{
	back.total = front.total = 0;
	connect_both();
	ck_assert_ptr_null(station_run(both, 2, both_ready));
	back.total = 40;
	while (back.sent[0] < 40)
		(void)station_turn(&back);
	station_go(&back);
	for (int i = 0; i < 100 && front.got[0] < 40; i++)
		(void)station_turn(&front);
	ck_assert_uint_eq(front.got[0], 40);
	ck_assert_ptr_null(front.wrong);
	ck_assert_uint_eq(station_info(&front).ready, 0);
	ck_assert_uint_eq(station_info(&front).connected, 0);
	ck_assert_str_eq(station_info(&front).error, "the peer closed the connection");
	end();
}
END_TEST

START_TEST(says_what_it_is)
{
	struct vtc_port_info info;

	open_at_path();
	ck_assert_ptr_null(station_run(both, 2, both_ready));
	info = station_info(&front);
	ck_assert_str_eq(info.kind, "vhost-user frontend");
	ck_assert_str_eq(info.name, path);
	ck_assert_uint_eq(info.connected, 1);
	ck_assert_uint_eq(info.connections, 1);
	ck_assert_uint_eq(info.ready, 1);
	ck_assert_uint_eq(info.queue_pairs, 1);
	ck_assert_ptr_null(info.error);
	end();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("vhost-pair");
	TCase *pair = tcase_create("pair"), *at_path = tcase_create("path");

	tcase_add_checked_fixture(pair, begin, NULL);
	tcase_set_timeout(pair, 60);
	tcase_add_loop_test(pair, every_layout, 0, 2 * LAYOUTS);
	tcase_add_loop_test(pair, every_size, 0, 40);
	tcase_add_loop_test(pair, large_packets, 0, 16);
	tcase_add_loop_test(pair, an_echo, 0, 4);
	tcase_add_loop_test(pair, two_frontends_joined, 0, 4);
	tcase_add_test(pair, packets_that_came_are_given_out_when_the_backend_is_gone);
	suite_add_tcase(s, pair);
	tcase_add_checked_fixture(at_path, begin_path, NULL);
	tcase_set_timeout(at_path, 60);
	tcase_add_loop_test(at_path, a_backend_is_replaced, 0, 2);
	tcase_add_test(at_path, a_frontend_is_replaced);
	tcase_add_test(at_path, says_what_it_is);
	suite_add_tcase(s, at_path);
	return s;
}

int main(void)
{
	return vtct_main(suite(), NULL);
}
