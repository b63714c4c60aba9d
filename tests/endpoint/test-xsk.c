/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* AF_XDP ports on a real wire: what comes and goes, and that no frame is ever lost. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/ctx.h"
#include "endpoint/xsk-port.h"
#include "rig.h"
#include "veth.h"
#include "vtct.h"

#define MTU	   1500
#define JUMBO	   9000
#define FRAME_MOST (JUMBO + 14)
#define PATIENCE   20000 /* rounds of 1 ms */

/* ---- A wire, a port on it, and a guest behind that. ---- */

struct bed {
	struct veth veth;
	struct rig *rig;
	struct vtc_port *port;
	struct ringport *guest;
};

static struct vtc__xsk_opts default_opts(const struct veth *v)
{
	return (struct vtc__xsk_opts){ .name = VETH_NEAR,
				       .ifindex = v->ifindex,
				       .queue_count = 1,
				       .ring_size = 256,
				       .frame_count = 1024 };
}

static struct vtc_port *open_port(struct vtc_ctx *ctx, const struct veth *v,
				  const struct vtc__xsk_opts *opts, unsigned int last)
{
	struct vtc__xsk_opts o = opts ? *opts : default_opts(v);
	struct vtc_port *port = NULL;
	int err = vtc__xsk_open(ctx, &o, &port);

	if (err == -EOPNOTSUPP)
		vtct_skip("this kernel has no AF_XDP");
	ck_assert_errno(err, 0);
	veth_sort(v, 0, last, vtc__xsk_socket(port, 0));
	return port;
}

static const struct ringport_plan small_guest = { .ring_size = 256 };
static const struct ringport_plan jumbo_guest = { .ring_size = 256,
						  .mergeable = true,
						  .packet_len = FRAME_MOST + 12 };

static struct bed bed_new(unsigned int mtu, const struct vtc__xsk_opts *opts,
			  const struct ringport_plan *guest)
{
	struct bed b;

	veth_enter();
	b.veth = veth_new(mtu);
	b.rig = rig_new(NULL);
	b.port = open_port(b.rig->ctx, &b.veth, opts, 1);
	b.guest = ringport_new(b.rig->ctx, guest ? guest : &small_guest);
	ck_assert_errno(vtc_relay_join(b.rig->relay, b.port, ringport_port(b.guest)), 0);
	return b;
}

static void bed_free(struct bed *b)
{
	vtc_port_close(b->port);
	ringport_free(b->guest);
	ck_assert_ptr_null(b->rig->ctx->umems);
	rig_free(b->rig);
	veth_free(&b->veth);
}

/* ---- Frames that know their number ---- */

static void fill(uint8_t *frame, size_t len, unsigned int number, unsigned int last)
{
	static const uint8_t head[] = { 2, 0, 0, 0, 0, 0, 2, 1, 1, 1, 1, 1, 0x88, 0xb5 };

	memcpy(frame, head, sizeof(head));
	frame[5] = (uint8_t)last;
	if (len >= 18)
		memcpy(frame + 14, &number, sizeof(number));
	for (size_t i = 18; i < len; i++)
		frame[i] = (uint8_t)(number * 31 + i + (i >> 8) * 7);
}

static void from_wire(const struct bed *b, size_t len, unsigned int number,
		      unsigned int last)
{
	static uint8_t frame[FRAME_MOST];

	fill(frame, len, number, last);
	veth_send(&b->veth, frame, len);
}

/* Let it work until it has moved so many packets. */
static void work(struct rig *rig, unsigned int packets)
{
	struct pollfd p = { .fd = vtc_relay_get_fd(rig->relay), .events = POLLIN };
	unsigned int done = rig_run(rig);

	for (int i = 0; i < PATIENCE && done < packets; i++) {
		(void)poll(&p, 1, 1);
		done += rig_run(rig);
	}
	ck_assert_uint_eq(done, packets);
}

static void guest_expects(struct ringport *guest, unsigned int queue, size_t len,
			  unsigned int number, unsigned int last)
{
	static const uint8_t no_header[10];
	static uint8_t want[FRAME_MOST], got[FRAME_MOST + 1];
	uint8_t header[12];
	long n = ringport_receive(guest, queue, header, got, sizeof(got));

	ck_assert_msg(n == (long)len, "packet %u has %ld bytes, not %zu", number, n, len);
	fill(want, len, number, last);
	ck_assert_mem_eq(header, no_header, 10);
	ck_assert_mem_eq(got, want, len);
}

static void from_guest(struct ringport *guest, size_t len, unsigned int number)
{
	static const uint8_t header[12];
	static uint8_t frame[FRAME_MOST];

	fill(frame, len, number, 9);
	ck_assert(ringport_send(guest, 0, header, frame, len, 1));
	ringport_kick(guest, 0);
}

static void wire_expects(const struct bed *b, size_t len, unsigned int number)
{
	static uint8_t want[FRAME_MOST], got[FRAME_MOST + 1];
	long n = veth_receive(&b->veth, got, sizeof(got), true);

	ck_assert_msg(n == (long)len, "frame %u has %ld bytes, not %zu", number, n, len);
	fill(want, len, number, 9);
	ck_assert_mem_eq(got, want, len);
}

/* ---- No frame is lost ---- */

static struct vtc__umem *umem_of(const struct bed *b)
{
	return ((struct vtc__xsk *)b->port)->sockets[0].umem;
}

/* All frames to receive in are the kernel's, and all others are free. */
static bool is_at_rest(struct vtc__umem *u)
{
	uint32_t count[4] = { 0 };

	vtc__umem_reap(u);
	vtc__umem_refill(u);
	for (uint32_t i = 0; i < u->base.frame_count; i++)
		count[u->state[i]]++;
	ck_assert_uint_eq(count[VTC__FRAME_FREE], u->free_count);
	ck_assert_uint_eq(count[VTC__FRAME_FILL] + count[VTC__FRAME_HELD], u->rx_count);
	ck_assert_uint_eq(count[VTC__FRAME_SENT], u->tx_count);
	return count[VTC__FRAME_FILL] == u->rx_most && !u->tx_count;
}

static void rest(struct vtc__umem *u)
{
	for (int i = 0; i < PATIENCE && !is_at_rest(u); i++)
		(void)poll(NULL, 0, 1);
	ck_assert(is_at_rest(u));
}

/* And those that are the kernel's are really used: more packets than frames come. */
static void account(struct bed *b)
{
	unsigned int n = 2 * umem_of(b)->base.frame_count;

	rest(umem_of(b));
	for (unsigned int i = 0; i < n; i++) {
		ringport_post(b->guest, 0, 1);
		from_wire(b, 60, i, 1);
		work(b->rig, 1);
		guest_expects(b->guest, 0, 60, i, 1);
	}
	rest(umem_of(b));
}

/* ---- Both ways ---- */

static const size_t sizes[] = { 14,  15,  16,  17,   18,   20,	 59,   60,   61,
				63,  64,  65,  127,  128,  129,	 200,  256,  500,
				511, 512, 513, 1000, 1024, 1499, 1500, 1513, 1514 };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

START_TEST(frames_of_all_sizes_come)
{
	struct bed b = bed_new(MTU, NULL, NULL);
	struct vtc_port_stats near, guest;

	ringport_post(b.guest, 0, SIZES);
	for (unsigned int i = 0; i < SIZES; i++)
		from_wire(&b, sizes[i], i, 1);
	work(b.rig, SIZES);
	for (unsigned int i = 0; i < SIZES; i++)
		guest_expects(b.guest, 0, sizes[i], i, 1);
	near = rig_stats(b.port, 0);
	guest = rig_stats(ringport_port(b.guest), 0);
	ck_assert_uint_eq(near.rx_packets, SIZES);
	ck_assert_uint_eq(guest.tx_packets, SIZES);
	ck_assert_uint_eq(near.rx_bytes, guest.tx_bytes);
	/* One copy, from the card's memory to the guest's. */
	ck_assert_uint_eq(near.copies + guest.copies, SIZES);
	ck_assert_uint_eq(near.rx_dropped_bad, 0);
	account(&b);
	bed_free(&b);
}
END_TEST

START_TEST(packets_of_all_sizes_go)
{
	struct bed b = bed_new(MTU, NULL, NULL);
	struct vtc_port_stats near, guest;

	for (unsigned int i = 0; i < SIZES; i++)
		from_guest(b.guest, sizes[i], i);
	work(b.rig, SIZES);
	for (unsigned int i = 0; i < SIZES; i++)
		wire_expects(&b, sizes[i], i);
	near = rig_stats(b.port, 0);
	guest = rig_stats(ringport_port(b.guest), 0);
	ck_assert_uint_eq(near.tx_packets, SIZES);
	ck_assert_uint_eq(near.copies + guest.copies, SIZES);
	ck_assert_uint_gt(near.notifications_sent, 0);
	ck_assert_uint_gt(near.sys_calls, 0);
	ck_assert_uint_eq(ringport_unsent(b.guest, 0), 0);
	account(&b);
	bed_free(&b);
}
END_TEST

START_TEST(large_frames_are_in_many_pieces)
{
	static const size_t large[] = { 1514, 3000, 3824, 3825, 4080, 4081,
					4096, 5000, 8000, 9000, 9013, FRAME_MOST };
	unsigned int n = sizeof(large) / sizeof(large[0]);
	struct bed b = bed_new(JUMBO, NULL, &jumbo_guest);

	if (!umem_of(&b)->base.multi)
		vtct_skip("packets in several frames need Linux 6.6");
	for (unsigned int i = 0; i < 50 * n; i++) {
		size_t len = large[i % n];

		ringport_post(b.guest, 0, 8);
		from_wire(&b, len, i, 1);
		work(b.rig, 1);
		guest_expects(b.guest, 0, len, i, 1);
		from_guest(b.guest, len, i);
		work(b.rig, 1);
		wire_expects(&b, len, i);
	}
	ck_assert_uint_eq(rig_stats(b.port, 0).rx_dropped_bad, 0);
	ck_assert_uint_eq(rig_stats(b.port, 0).tx_dropped_error, 0);
	account(&b);
	bed_free(&b);
}
END_TEST

/* The driver never sees it; and the limit follows the interface's. */
START_TEST(what_is_longer_than_the_mtu_is_not_sent)
{
	struct bed b = bed_new(MTU, NULL, &jumbo_guest);

	from_guest(b.guest, MTU + 19, 1);
	(void)rig_run(b.rig);
	ck_assert_uint_eq(rig_stats(b.port, 0).tx_packets, 0);
	ck_assert_uint_eq(rig_stats(b.port, 0).tx_dropped_size, 1);
	veth_run("ip link set " VETH_FAR " mtu 3000 && ip link set " VETH_NEAR
		 " mtu 3000");
	from_guest(b.guest, 3014, 2);
	work(b.rig, 1);
	wire_expects(&b, 3014, 2);
	from_guest(b.guest, 3019, 3);
	work(b.rig, 1);
	ck_assert_uint_eq(rig_stats(b.port, 0).tx_packets, 1);
	ck_assert_uint_eq(rig_stats(b.port, 0).tx_dropped_size, 2);
	ck_assert_uint_eq(rig_stats(b.port, 0).tx_dropped_error, 0);
	bed_free(&b);
}
END_TEST

START_TEST(bursts_keep_their_order)
{
	struct bed b = bed_new(MTU, NULL, NULL);
	unsigned int sent = 0, got = 0;

	for (int round = 0; round < 50; round++) {
		ringport_post(b.guest, 0, 200);
		for (unsigned int i = 0; i < 200; i++)
			from_wire(&b, 60 + i, sent++, 1);
		work(b.rig, 200);
		for (unsigned int i = 0; i < 200; i++)
			guest_expects(b.guest, 0, 60 + i, got++, 1);
	}
	sent = got = 0;
	for (int round = 0; round < 50; round++) {
		for (unsigned int i = 0; i < 200; i++)
			from_guest(b.guest, 60 + i, sent++);
		work(b.rig, 200);
		for (unsigned int i = 0; i < 200; i++)
			wire_expects(&b, 60 + i, got++);
	}
	account(&b);
	bed_free(&b);
}
END_TEST

/* More than there are frames, while nobody takes any: what is too much is dropped. */
START_TEST(a_guest_without_room_costs_no_frame)
{
	struct bed b = bed_new(MTU, NULL, NULL);
	struct vtc_port_stats s;

	for (unsigned int i = 0; i < 4000; i++)
		from_wire(&b, 60, i, 1);
	for (int i = 0; i < 1000; i++) {
		(void)rig_run(b.rig);
		b.rig->now_ns += 1000000;
	}
	s = rig_stats(ringport_port(b.guest), 0);
	ck_assert_uint_gt(s.tx_dropped_room, 0);
	ck_assert_uint_gt(rig_stats(b.port, 0).rx_dropped_bad, 0);
	ck_assert_uint_eq(s.tx_dropped_room + rig_stats(b.port, 0).rx_dropped_bad, 4000);
	account(&b);
	bed_free(&b);
}
END_TEST

START_TEST(a_million_packets_leave_no_trace)
{
	struct bed b = bed_new(MTU, NULL, NULL);
	uint8_t header[12], got[64];

	for (unsigned int i = 0; i < 1000000; i += 250) {
		ringport_post(b.guest, 0, 250);
		for (unsigned int k = 0; k < 250; k++)
			from_wire(&b, 60, i + k, 1);
		work(b.rig, 250);
		for (unsigned int k = 0; k < 250; k++) {
			unsigned int number;

			ck_assert_int_eq(
				ringport_receive(b.guest, 0, header, got, sizeof(got)),
				60);
			memcpy(&number, got + 14, sizeof(number));
			ck_assert_uint_eq(number, i + k);
		}
	}
	account(&b);
	bed_free(&b);
}
END_TEST

/* ---- Several on one queue ---- */

static void check_two(struct bed *b, struct ringport *other, unsigned int count)
{
	ringport_post(b->guest, 0, count);
	ringport_post(other, 0, count);
	for (unsigned int i = 0; i < count; i++) {
		from_wire(b, 100, i, 1);
		from_wire(b, 100, i, 2);
	}
	work(b->rig, 2 * count);
	for (unsigned int i = 0; i < count; i++) {
		guest_expects(b->guest, 0, 100, i, 1);
		guest_expects(other, 0, 100, i, 2);
		from_guest(b->guest, 70, i);
		from_guest(other, 90, i);
		work(b->rig, 2);
	}
	for (unsigned int i = 0; i < 2 * count; i++)
		ck_assert_int_gt(veth_receive(&b->veth, (uint8_t[200]){ 0 }, 200, true),
				 0);
}

START_TEST(ports_on_a_queue_share_its_frames)
{
	struct bed b = bed_new(MTU, NULL, NULL);
	struct vtc_port *port = open_port(b.rig->ctx, &b.veth, NULL, 2);
	struct ringport *other = ringport_new(b.rig->ctx, NULL);

	ck_assert_ptr_eq(((struct vtc__xsk *)port)->sockets[0].umem, umem_of(&b));
	ck_assert_uint_eq(umem_of(&b)->refs, 2);
	ck_assert_errno(vtc_relay_join(b.rig->relay, port, ringport_port(other)), 0);
	for (int i = 0; i < 10; i++)
		check_two(&b, other, 100);
	rest(umem_of(&b));
	/* It goes with packets in its ring that nobody took. */
	for (unsigned int i = 0; i < 100; i++)
		from_wire(&b, 100, i, 2);
	veth_sort(&b.veth, 0, 2, -1);
	vtc_port_close(port);
	ringport_free(other);
	ck_assert_uint_eq(umem_of(&b)->refs, 1);
	account(&b);
	bed_free(&b);
}
END_TEST

/* More than anybody waits for, but it ends. */
#define FLOOD_MAX 10000000u

static pid_t flood(const struct bed *b, unsigned int last)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid)
		return pid;
	for (unsigned int i = 0; i < FLOOD_MAX; i++)
		from_wire(b, 60, i, last);
	_exit(0);
}

/* Frames must not be left behind in sockets that are closed while packets come. */
START_TEST(ports_come_and_go_under_traffic)
{
	struct bed b = bed_new(MTU, NULL, NULL);
	struct vtc__umem *u = umem_of(&b);
	pid_t pid = flood(&b, 2);
	uint32_t before;

	rest(u);
	before = vtc__ring_unread(&u->base.fill);
	for (int i = 0; i < 100; i++) {
		struct vtc_port *port = open_port(b.rig->ctx, &b.veth, NULL, 2);

		(void)poll(NULL, 0, i % 3);
		veth_sort(&b.veth, 0, 2, -1);
		vtc_port_close(port);
	}
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	rest(u);
	/* Some may be in the kernel's hands. */
	ck_assert_uint_ge(vtc__ring_unread(&u->base.fill) + 64, before);
	account(&b);
	bed_free(&b);
}
END_TEST

/* One that takes nothing slows no other. */
START_TEST(a_guest_that_sleeps_holds_up_nobody)
{
	struct bed b = bed_new(MTU, NULL, NULL);
	struct vtc_port *port = open_port(b.rig->ctx, &b.veth, NULL, 2);
	struct ringport *sleeper = ringport_new(b.rig->ctx, NULL);
	unsigned int sent = 0, got = 0;

	ck_assert_errno(vtc_relay_join(b.rig->relay, port, ringport_port(sleeper)), 0);
	for (int round = 0; round < 200; round++) {
		uint64_t want = rig_stats(ringport_port(b.guest), 0).tx_packets + 50;

		ringport_post(b.guest, 0, 50);
		for (unsigned int i = 0; i < 50; i++) {
			from_wire(&b, 60, i, 2);
			from_wire(&b, 60, sent++, 1);
		}
		for (int i = 0; i < PATIENCE; i++) {
			(void)rig_run(b.rig);
			if (rig_stats(ringport_port(b.guest), 0).tx_packets == want)
				break;
			(void)poll(NULL, 0, 1);
		}
		for (unsigned int i = 0; i < 50; i++)
			guest_expects(b.guest, 0, 60, got++, 1);
		b.rig->now_ns += 1000000;
	}
	ck_assert_uint_gt(rig_stats(ringport_port(sleeper), 0).tx_dropped_room, 0);
	veth_sort(&b.veth, 0, 2, -1);
	vtc_port_close(port);
	ringport_free(sleeper);
	account(&b);
	bed_free(&b);
}
END_TEST

/* The first of them goes first. */
/* ---- Guests that are slow ---- */

#define SLOW	   2
#define SLOW_FLOOD 100 /* frames of each in a round, of which it takes one */
#define BRISK	   20

struct slow {
	struct vtc_port *port;
	struct ringport *guest;
};

static struct slow slow_new(const struct bed *b, const struct vtc__xsk_opts *o,
			    unsigned int last, bool limited)
{
	struct slow s = { open_port(b->rig->ctx, &b->veth, o, last),
			  ringport_new(b->rig->ctx, &small_guest) };
	struct vtc_port_rate rate = VTC_PORT_RATE_INIT;

	rate.max_bps = limited ? 8000 : 0;
	ck_assert_errno(vtc_port_set_rate(ringport_port(s.guest), &rate), 0);
	ck_assert_errno(vtc_relay_join(b->rig->relay, s.port, ringport_port(s.guest)), 0);
	return s;
}

static void slow_turn(const struct bed *b, struct slow *s, unsigned int last,
		      bool limited)
{
	uint8_t header[12], got[100];

	while (ringport_receive(s->guest, 0, header, got, sizeof(got)) > 0)
		;
	ringport_post(s->guest, 0, limited ? SLOW_FLOOD : 1);
	for (unsigned int i = 0; i < SLOW_FLOOD; i++)
		from_wire(b, 60, i, last);
}

/* Frames are the usual number, for one queue; each of the brisk guest's comes. */
static void check_slow(bool limited)
{
	struct slow slow[SLOW];
	struct vtc__xsk_opts o;
	struct bed b;

	veth_enter();
	b.veth = veth_new(MTU);
	b.rig = rig_new(NULL);
	o = default_opts(&b.veth);
	o.ring_size = o.frame_count = 0;
	b.port = open_port(b.rig->ctx, &b.veth, &o, 1);
	b.guest = ringport_new(b.rig->ctx, &small_guest);
	ck_assert_errno(vtc_relay_join(b.rig->relay, b.port, ringport_port(b.guest)), 0);
	for (unsigned int i = 0; i < SLOW; i++)
		slow[i] = slow_new(&b, &o, 2 + i, limited);
	for (unsigned int round = 0; round < 200; round++) {
		ringport_post(b.guest, 0, BRISK);
		for (unsigned int i = 0; i < SLOW; i++)
			slow_turn(&b, &slow[i], 2 + i, limited);
		for (unsigned int i = 0; i < BRISK; i++)
			from_wire(&b, 60, i, 1);
		(void)rig_run(b.rig);
		for (unsigned int i = 0; i < BRISK; i++)
			guest_expects(b.guest, 0, 60, i, 1);
		b.rig->now_ns += 1000000;
	}
	for (unsigned int i = 0; i < SLOW; i++) {
		ck_assert_uint_gt(rig_stats(ringport_port(slow[i].guest), 0).tx_packets,
				  0);
		veth_sort(&b.veth, 0, 2 + i, -1);
		vtc_port_close(slow[i].port);
		ringport_free(slow[i].guest);
	}
	account(&b);
	bed_free(&b);
}

START_TEST(slow_guests_hold_up_nobody)
{
	check_slow(false);
}
END_TEST

START_TEST(limited_guests_hold_up_nobody)
{
	check_slow(true);
}
END_TEST

START_TEST(the_first_port_may_go_first)
{
	struct bed b = bed_new(MTU, NULL, NULL);
	struct vtc_port *second = open_port(b.rig->ctx, &b.veth, NULL, 1);

	vtc_port_close(b.port);
	b.port = second;
	ck_assert_errno(vtc_relay_join(b.rig->relay, second, ringport_port(b.guest)), 0);
	account(&b);
	bed_free(&b);
}
END_TEST

static int other_process(const struct veth *v)
{
	struct vtc__xsk_opts o = default_opts(v);
	struct vtc_port *port;
	struct vtc_ctx *ctx;
	int err, status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		if (vtc_ctx_new(NULL, &ctx))
			_exit(1);
		err = vtc__xsk_open(ctx, &o, &port);
		if (!err)
			vtc_port_close(port);
		_exit(-err);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

START_TEST(a_queue_belongs_to_one_process)
{
	struct bed b = bed_new(MTU, NULL, NULL);

	ck_assert_errno(other_process(&b.veth), -EBUSY);
	account(&b);
	vtc_port_close(b.port);
	ck_assert_errno(other_process(&b.veth), 0);
	b.port = open_port(b.rig->ctx, &b.veth, NULL, 1);
	ck_assert_errno(vtc_relay_join(b.rig->relay, b.port, ringport_port(b.guest)), 0);
	account(&b);
	bed_free(&b);
}
END_TEST

START_TEST(a_port_can_be_opened_again_and_again)
{
	struct bed b = bed_new(MTU, NULL, NULL);
	int fds = vtct_count_fds();

	for (unsigned int i = 0; i < 20; i++) {
		vtc_port_close(b.port);
		b.port = open_port(b.rig->ctx, &b.veth, NULL, 1);
		ck_assert_errno(
			vtc_relay_join(b.rig->relay, b.port, ringport_port(b.guest)), 0);
		ringport_post(b.guest, 0, 1);
		from_wire(&b, 60, i, 1);
		work(b.rig, 1);
		guest_expects(b.guest, 0, 60, i, 1);
		from_guest(b.guest, 60, i);
		work(b.rig, 1);
		wire_expects(&b, 60, i);
	}
	ck_assert_int_eq(vtct_count_fds(), fds);
	bed_free(&b);
}
END_TEST

/* ---- Sleep ---- */

START_TEST(a_frame_wakes)
{
	struct bed b = bed_new(MTU, NULL, NULL);

	for (unsigned int i = 0; i < 50; i++) {
		ringport_post(b.guest, 0, 1);
		(void)rig_run(b.rig);
		ck_assert(!rig_is_ready(b.rig, false));
		from_wire(&b, 60, i, 1);
		ck_assert(rig_is_ready(b.rig, true));
		work(b.rig, 1);
		guest_expects(b.guest, 0, 60, i, 1);
	}
	ck_assert_uint_gt(rig_stats(b.port, 0).notifications_received, 0);
	bed_free(&b);
}
END_TEST

/* ---- The interface goes ---- */

static struct vtc_port_info info_of(const struct vtc_port *port)
{
	struct vtc_port_info info = { .sz = sizeof(info) };

	ck_assert_errno(vtc_port_get_info(port, &info), 0);
	return info;
}

static void await_ready(struct bed *b, unsigned int ready)
{
	for (int i = 0; i < PATIENCE && info_of(b->port).ready != ready; i++) {
		(void)poll(NULL, 0, 1);
		(void)rig_run(b->rig);
	}
	ck_assert_uint_eq(info_of(b->port).ready, ready);
}

START_TEST(down_and_up_again)
{
	struct bed b = bed_new(MTU, NULL, NULL);

	ck_assert_uint_eq(info_of(b.port).connected, 1);
	ck_assert_str_eq(info_of(b.port).kind, "AF_XDP");
	ck_assert_str_eq(info_of(b.port).name, VETH_NEAR);
	ck_assert_uint_eq(info_of(b.port).uses_zerocopy, 0);
	for (unsigned int i = 0; i < 3; i++) {
		veth_run("ip link set " VETH_NEAR " down");
		await_ready(&b, 0);
		ck_assert_str_eq(info_of(b.port).error, "the interface is down");
		from_guest(b.guest, 60, i);
		(void)rig_run(b.rig);
		ck_assert_uint_eq(rig_stats(b.port, 0).tx_dropped_down, i + 1);
		veth_run("ip link set " VETH_NEAR " up");
		veth_await_carrier();
		await_ready(&b, 1);
		ck_assert_ptr_null(info_of(b.port).error);
		account(&b);
	}
	bed_free(&b);
}
END_TEST

START_TEST(removed_under_traffic)
{
	struct bed b = bed_new(MTU, NULL, NULL);

	for (unsigned int i = 0; i < 100; i++) {
		ringport_post(b.guest, 0, 1);
		from_wire(&b, 60, i, 1);
		from_guest(b.guest, 60, i);
	}
	veth_run("ip link del " VETH_FAR);
	await_ready(&b, 0);
	ck_assert_str_eq(info_of(b.port).error, "the interface is gone");
	ck_assert_uint_eq(info_of(b.port).connected, 0);
	for (unsigned int i = 0; i < 100; i++) {
		from_guest(b.guest, 60, i);
		(void)rig_run(b.rig);
	}
	ck_assert_uint_eq(ringport_unsent(b.guest, 0), 0);
	ck_assert_uint_ge(rig_stats(b.port, 0).tx_dropped_down, 100);
	bed_free(&b);
}
END_TEST

/* ---- Spread ---- */

#define FLOWS 64u
#define PAIRS 4u

/* UDP over IPv4, or over IPv6; without checksums, which nobody looks at here. */
static size_t make_flow(uint8_t *frame, unsigned int flow, unsigned int number)
{
	bool six = flow % 2;
	size_t head = six ? 40 : 20;

	memset(frame, 0, 100);
	fill(frame, 18, 0, 1);
	frame[12] = six ? 0x86 : 0x08;
	frame[13] = six ? 0xdd : 0x00;
	frame[14] = six ? 0x60 : 0x45;
	frame[14 + (six ? 6 : 9)] = 17;
	frame[14 + head - 1] = (uint8_t)(flow / 8);
	frame[14 + head + 1] = (uint8_t)flow;
	memcpy(frame + 14 + head + 8, &flow, sizeof(flow));
	memcpy(frame + 14 + head + 12, &number, sizeof(number));
	return 100;
}

static unsigned int read_flow(struct ringport *guest, unsigned int queue,
			      unsigned int *queue_of, unsigned int *next)
{
	uint8_t header[12], got[200];
	unsigned int flow, number, count = 0, head;

	while (ringport_receive(guest, queue, header, got, sizeof(got)) == 100) {
		head = got[12] == 0x86 ? 40 : 20;
		memcpy(&flow, got + 14 + head + 8, sizeof(flow));
		memcpy(&number, got + 14 + head + 12, sizeof(number));
		ck_assert_uint_lt(flow, FLOWS);
		ck_assert_uint_eq(number, next[flow]++);
		ck_assert(!number || queue_of[flow] == queue);
		queue_of[flow] = queue;
		count++;
	}
	return count;
}

START_TEST(spread_keeps_flows_together)
{
	static const struct ringport_plan four = { .queue_pairs = PAIRS };
	unsigned int queue_of[FLOWS], next[FLOWS] = { 0 }, count[PAIRS] = { 0 };
	struct vtc__xsk_opts o;
	struct bed b;
	uint8_t frame[100];

	veth_enter();
	b.veth = veth_new(MTU);
	b.rig = rig_new(NULL);
	o = default_opts(&b.veth);
	o.queue_pairs = PAIRS;
	o.spread = true;
	b.port = open_port(b.rig->ctx, &b.veth, &o, 1);
	b.guest = ringport_new(b.rig->ctx, &four);
	ck_assert_errno(vtc_relay_join(b.rig->relay, b.port, ringport_port(b.guest)), 0);
	for (unsigned int round = 0; round < 100; round++) {
		for (unsigned int q = 0; q < PAIRS; q++)
			ringport_post(b.guest, q, FLOWS);
		for (unsigned int f = 0; f < FLOWS; f++)
			veth_send(&b.veth, frame, make_flow(frame, f, round));
		work(b.rig, FLOWS);
		for (unsigned int q = 0; q < PAIRS; q++)
			count[q] += read_flow(b.guest, q, queue_of, next);
	}
	for (unsigned int q = 0; q < PAIRS; q++)
		ck_assert_uint_gt(count[q], 100);
	rest(umem_of(&b));
	bed_free(&b);
}
END_TEST

/* One queue of a guest is slow, and its flows are many; the others get all of theirs. */
START_TEST(spread_bears_a_slow_queue)
{
	static const struct ringport_plan four = { .queue_pairs = PAIRS };
	unsigned int queue_of[FLOWS], next[FLOWS] = { 0 }, sent = 0, got = 0;
	uint8_t frame[100], header[12];
	struct vtc__xsk_opts o;
	struct bed b;

	veth_enter();
	b.veth = veth_new(MTU);
	b.rig = rig_new(NULL);
	o = default_opts(&b.veth);
	o.queue_pairs = PAIRS;
	o.spread = true;
	b.port = open_port(b.rig->ctx, &b.veth, &o, 1);
	b.guest = ringport_new(b.rig->ctx, &four);
	ck_assert_errno(vtc_relay_join(b.rig->relay, b.port, ringport_port(b.guest)), 0);
	for (unsigned int round = 0; round < 100; round++) {
		for (unsigned int q = 0; q < PAIRS; q++)
			ringport_post(b.guest, q, q ? FLOWS : 1);
		for (unsigned int f = 0; f < FLOWS; f++) {
			size_t len = make_flow(frame, f, round);
			bool slow = !vtc__xsk_spread(frame, (uint32_t)len, PAIRS);

			for (int i = slow ? 10 : 1; i; i--)
				veth_send(&b.veth, frame, len);
			sent += !slow;
		}
		(void)rig_run(b.rig);
		for (unsigned int q = 1; q < PAIRS; q++)
			got += read_flow(b.guest, q, queue_of, next);
		while (ringport_receive(b.guest, 0, header, frame, sizeof(frame)) > 0)
			;
		b.rig->now_ns += 1000000;
	}
	ck_assert_uint_eq(got, sent);
	bed_free(&b);
}
END_TEST

/* The driver changes how many it uses (its control queue's VQ_PAIRS_SET). */
START_TEST(spread_follows_the_guests_queues)
{
	static const struct ringport_plan four = { .queue_pairs = PAIRS };
	static const unsigned int ready[] = { PAIRS, 1, 3, 2, PAIRS };
	uint8_t frame[100], header[12];
	struct vtc__xsk_opts o;
	struct bed b;

	veth_enter();
	b.veth = veth_new(MTU);
	b.rig = rig_new(NULL);
	o = default_opts(&b.veth);
	o.queue_pairs = PAIRS;
	o.spread = true;
	b.port = open_port(b.rig->ctx, &b.veth, &o, 1);
	b.guest = ringport_new(b.rig->ctx, &four);
	ck_assert_errno(vtc_relay_join(b.rig->relay, b.port, ringport_port(b.guest)), 0);
	for (size_t i = 0; i < sizeof(ready) / sizeof(ready[0]); i++) {
		ringport_set_ready(b.guest, ready[i]);
		for (unsigned int q = 0; q < PAIRS; q++)
			ringport_post(b.guest, q, FLOWS);
		for (unsigned int f = 0; f < FLOWS; f++)
			veth_send(&b.veth, frame, make_flow(frame, f, 0));
		work(b.rig, FLOWS);
		for (unsigned int q = 0; q < PAIRS; q++) {
			unsigned int got = 0;

			while (ringport_receive(b.guest, q, header, frame,
						sizeof(frame)) > 0)
				got++;
			ck_assert(q < ready[i] ? got > 0 : !got);
		}
	}
	rest(umem_of(&b));
	bed_free(&b);
}
END_TEST

/* ---- Group frames ---- */

static size_t group_frame(uint8_t *frame, int vlan, unsigned int number)
{
	static const uint8_t tag[] = { 0x81, 0x00 };

	fill(frame, 60, number, 1);
	memset(frame, 0xff, 6);
	if (vlan < 0)
		return 60;
	memmove(frame + 16, frame + 12, 48);
	memcpy(frame + 12, tag, 2);
	frame[14] = (uint8_t)(0x60 | vlan >> 8);
	frame[15] = (uint8_t)vlan;
	return 64;
}

static void group_expects(struct bed *b, int vlan, unsigned int number)
{
	uint8_t want[100], got[100], header[12];
	size_t len = group_frame(want, vlan, number);

	ck_assert_int_eq(ringport_receive(b->guest, 0, header, got, sizeof(got)),
			 (long)len);
	ck_assert_mem_eq(got, want, len);
}

static void send_groups(struct bed *b)
{
	static const int vlans[] = { -1, 0, 5, 6, 4094 };
	uint8_t frame[100];

	ringport_post(b->guest, 0, 10);
	for (unsigned int i = 0; i < 5; i++)
		veth_send(&b->veth, frame, group_frame(frame, vlans[i], i));
}

START_TEST(group_frames_are_copied)
{
	uint64_t vlans[VTC__XSK_VLANS / 64] = { 1u << 5 };
	struct vtc__xsk_opts o;
	struct bed b;
	uint8_t header[12], got[100];

	veth_enter();
	b.veth = veth_new(MTU);
	b.rig = rig_new(NULL);
	o = default_opts(&b.veth);
	o.group = true;
	b.port = open_port(b.rig->ctx, &b.veth, &o, 1);
	b.guest = ringport_new(b.rig->ctx, NULL);
	ck_assert_errno(vtc_relay_join(b.rig->relay, b.port, ringport_port(b.guest)), 0);
	send_groups(&b);
	work(b.rig, 5);
	group_expects(&b, -1, 0);
	group_expects(&b, 0, 1);
	group_expects(&b, 5, 2);
	group_expects(&b, 6, 3);
	group_expects(&b, 4094, 4);
	vtc__xsk_set_vlans(b.port, vlans);
	send_groups(&b);
	work(b.rig, 1);
	group_expects(&b, 5, 2);
	vlans[0] = 1;
	vtc__xsk_set_vlans(b.port, vlans);
	send_groups(&b);
	work(b.rig, 2);
	group_expects(&b, -1, 0);
	group_expects(&b, 0, 1);
	ck_assert_int_eq(ringport_receive(b.guest, 0, header, got, sizeof(got)), -1);
	/* They are not all that comes. */
	ringport_post(b.guest, 0, 4);
	from_wire(&b, 60, 7, 1);
	work(b.rig, 1);
	guest_expects(b.guest, 0, 60, 7, 1);
	/* What the guest itself sends to all is no copy for it. */
	ck_assert(ringport_send(b.guest, 0, (uint8_t[12]){ 0 }, got,
				group_frame(got, -1, 8), 1));
	ringport_kick(b.guest, 0);
	work(b.rig, 1);
	ck_assert_int_eq(veth_receive(&b.veth, got, sizeof(got), true), 60);
	ck_assert_int_eq(ringport_receive(b.guest, 0, header, got, sizeof(got)), -1);
	bed_free(&b);
}
END_TEST

/* ---- Options ---- */

START_TEST(what_cannot_be_is_refused)
{
	struct vtc_port *port = NULL;
	struct vtc__xsk_opts o, good;
	struct veth v;
	struct vtc_ctx *ctx;
	int fds;

	veth_enter();
	v = veth_new(MTU);
	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	good = default_opts(&v);
	fds = vtct_count_fds();
	o = good, o.ring_size = 100;
	ck_assert_errno(vtc__xsk_open(ctx, &o, &port), -EINVAL);
	o = good, o.frame_count = 128;
	ck_assert_errno(vtc__xsk_open(ctx, &o, &port), -EINVAL);
	o = good, o.queue_count = 0;
	ck_assert_errno(vtc__xsk_open(ctx, &o, &port), -EINVAL);
	o = good, o.queue_first = 7;
	ck_assert_errno(vtc__xsk_open(ctx, &o, &port), -EINVAL);
	o = good, o.queue_count = 3;
	ck_assert_errno(vtc__xsk_open(ctx, &o, &port), -EINVAL);
	o = good, o.zerocopy = true;
	ck_assert_errno(vtc__xsk_open(ctx, &o, &port), -EOPNOTSUPP);
	o = good, o.ifindex = 9999;
	ck_assert_errno(vtc__xsk_open(ctx, &o, &port), -ENODEV);
	ck_assert_ptr_null(port);
	ck_assert_ptr_null(ctx->umems);
	ck_assert_int_eq(vtct_count_fds(), fds);
	vtc_ctx_unref(ctx);
	veth_free(&v);
}
END_TEST

int main(void)
{
	Suite *s = vtct_suite(
		"xsk", frames_of_all_sizes_come, packets_of_all_sizes_go,
		large_frames_are_in_many_pieces, what_is_longer_than_the_mtu_is_not_sent,
		bursts_keep_their_order, a_guest_without_room_costs_no_frame,
		a_million_packets_leave_no_trace, ports_on_a_queue_share_its_frames,
		ports_come_and_go_under_traffic, a_guest_that_sleeps_holds_up_nobody,
		slow_guests_hold_up_nobody, limited_guests_hold_up_nobody,
		the_first_port_may_go_first, a_queue_belongs_to_one_process,
		a_port_can_be_opened_again_and_again, a_frame_wakes, down_and_up_again,
		removed_under_traffic, spread_keeps_flows_together,
		spread_bears_a_slow_queue, spread_follows_the_guests_queues,
		group_frames_are_copied, what_cannot_be_is_refused, NULL);

	return vtct_main(s, NULL);
}
