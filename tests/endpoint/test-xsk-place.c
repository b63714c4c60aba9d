/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * AF_XDP ports that send from the guest's memory: what arrives, what was copied, and that
 * the guest gets its buffers back when it may, and always.
 */
#include <linux/capability.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <vtc/error.h>

#include "core/ctx.h"
#include "endpoint/xsk-port.h"
#include "rig.h"
#include "veth.h"
#include "vtct.h"

#define MTU	   1500
#define JUMBO	   9000
#define FRAME_MOST (JUMBO + 14)
#define SMALL	   256u
#define PATIENCE   20000 /* rounds of 1 ms */
#define RING	   256u
#define PLACED	   (RING / 4) /* in flight where they lie */
#define MS	   1000000u

/* ---- A wire with a queue more to send by, a port on it, and a guest behind that ---- */

struct bed {
	struct veth veth;
	struct rig *rig;
	struct vtc_port *port;
	struct ringport *guest;
	unsigned int sent, got;
	uint64_t copies; /* that do not count */
};

static const struct ringport_plan plain_guest = { .ring_size = RING, .shared = true };
static const struct ringport_plan packed_guest = { .ring_size = RING,
						   .shared = true,
						   .packed = true };
static const struct ringport_plan jumbo_guest = { .ring_size = RING,
						  .shared = true,
						  .packet_len = FRAME_MOST + 12 };
static const struct ringport_plan borrowed_guest = { .ring_size = RING };

static struct vtc__xsk_opts default_opts(const struct veth *v)
{
	return (struct vtc__xsk_opts){ .name = VETH_NEAR,
				       .ifindex = v->ifindex,
				       .queue_count = 1,
				       .ring_size = RING,
				       .frame_count = 1024,
				       .in_place = true };
}

static void open_port(struct bed *b)
{
	struct vtc__xsk_opts o = default_opts(&b->veth);
	int err = vtc__xsk_open(b->rig->ctx, &o, &b->port);

	if (err == -EOPNOTSUPP && errno == EAFNOSUPPORT)
		vtct_skip("this kernel has no AF_XDP");
	ck_assert_errno(err, 0);
	ck_assert_errno(vtc_relay_join(b->rig->relay, b->port, ringport_port(b->guest)),
			0);
}

static struct bed bed_new(unsigned int mtu, const struct ringport_plan *guest)
{
	struct bed b = { 0 };

	veth_enter();
	b.veth = veth_new_queues(mtu, 1, 2);
	b.rig = rig_new(NULL);
	b.guest = ringport_new(b.rig->ctx, guest);
	open_port(&b);
	return b;
}

static void bed_free(struct bed *b)
{
	vtc_port_close(b->port);
	ck_assert_uint_eq(ringport_held(b->guest, 0), 0);
	ringport_free(b->guest);
	ck_assert_ptr_null(b->rig->ctx->umems);
	rig_free(b->rig);
	veth_free(&b->veth);
}

/* ---- Frames that know their number ---- */

static void fill(uint8_t *frame, size_t len, unsigned int number)
{
	static const uint8_t head[] = { 2, 0, 0, 0, 0, 9, 2, 1, 1, 1, 1, 1, 0x88, 0xb5 };

	memcpy(frame, head, sizeof(head));
	if (len >= 18)
		memcpy(frame + 14, &number, sizeof(number));
	for (size_t i = 18; i < len; i++)
		frame[i] = (uint8_t)(number * 31 + i + (i >> 8) * 7);
}

static void from_guest(struct bed *b, size_t len, unsigned int pieces)
{
	static const uint8_t header[12];
	static uint8_t frame[FRAME_MOST];

	fill(frame, len, b->sent++);
	ck_assert(ringport_send(b->guest, 0, header, frame, len, pieces));
	ringport_kick(b->guest, 0);
}

static void wire_expects(struct bed *b, size_t len)
{
	static uint8_t want[FRAME_MOST], got[FRAME_MOST + 1];
	long n = veth_receive(&b->veth, got, sizeof(got), true);

	ck_assert_msg(n == (long)len, "frame %u has %ld bytes, not %zu", b->got, n, len);
	fill(want, len, b->got++);
	ck_assert_mem_eq(got, want, len);
}

static void work(struct bed *b, unsigned int packets)
{
	struct pollfd p = { .fd = vtc_relay_get_fd(b->rig->relay), .events = POLLIN };
	unsigned int done = rig_run(b->rig);

	for (int i = 0; i < PATIENCE && done < packets; i++) {
		(void)poll(&p, 1, 1);
		done += rig_run(b->rig);
	}
	ck_assert_uint_eq(done, packets);
}

/* Until the guest has everything back. */
static void await_all(struct bed *b)
{
	for (int i = 0; i < PATIENCE && ringport_unsent(b->guest, 0); i++) {
		(void)poll(NULL, 0, 1);
		(void)rig_run(b->rig);
	}
	ck_assert_uint_eq(ringport_unsent(b->guest, 0), 0);
	ck_assert_uint_eq(ringport_held(b->guest, 0), 0);
}

static uint64_t copies(struct bed *b)
{
	return rig_stats(b->port, 0).copies +
	       rig_stats(ringport_port(b->guest), 0).copies - b->copies;
}

/*
 * Send until nothing is copied any more: the kernel lets go of the queue some time after
 * another socket on it was closed.
 */
static void warm_up(struct bed *b)
{
	uint64_t before = UINT64_MAX;

	for (int i = 0; i < PATIENCE / 10 && before != copies(b); i++) {
		before = copies(b);
		from_guest(b, 1514, 1);
		work(b, 1);
		wire_expects(b, 1514);
		await_all(b);
		b->rig->now_ns += 100 * MS;
		(void)poll(NULL, 0, i ? 10 : 0);
	}
	ck_assert_uint_eq(copies(b), before);
	b->copies += copies(b);
}

/* ---- What arrives ---- */

static const size_t sizes[] = { 14,  15,   16,	 60,   64,   100,  255,
				256, 257,  258,	 300,  500,  511,  512,
				513, 1000, 1024, 1499, 1500, 1513, 1514 };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static unsigned int count_small(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < SIZES; i++)
		n += sizes[i] <= SMALL;
	return n;
}

static void check_sizes(struct bed *b)
{
	struct vtc_port_stats near, before = rig_stats(b->port, 0);
	uint64_t bytes = 0;

	for (unsigned int pieces = 1; pieces <= 8; pieces++) {
		for (unsigned int i = 0; i < SIZES; i++)
			from_guest(b, sizes[i], pieces);
		work(b, SIZES);
		for (unsigned int i = 0; i < SIZES; i++, bytes += sizes[i - 1])
			wire_expects(b, sizes[i]);
		await_all(b);
	}
	near = rig_stats(b->port, 0);
	ck_assert_uint_eq(near.tx_packets - before.tx_packets, 8 * SIZES);
	ck_assert_uint_eq(near.tx_bytes - before.tx_bytes, bytes);
	ck_assert_uint_eq(copies(b), 8 * count_small());
	ck_assert_uint_eq(rig_stats(ringport_port(b->guest), 0).rx_packets,
			  near.tx_packets);
}

START_TEST(large_packets_are_not_copied)
{
	struct bed b = bed_new(MTU, &plain_guest);

	warm_up(&b);
	check_sizes(&b);
	bed_free(&b);
}
END_TEST

START_TEST(nor_from_packed_rings)
{
	struct bed b = bed_new(MTU, &packed_guest);

	warm_up(&b);
	check_sizes(&b);
	bed_free(&b);
}
END_TEST

/* More than one descriptor for a segment. */
START_TEST(nor_are_those_that_need_several_descriptors)
{
	static const size_t large[] = { 4095, 4096, 4097, 8191, 8192, 8193, FRAME_MOST };
	struct bed b = bed_new(JUMBO, &jumbo_guest);

	warm_up(&b);

	for (unsigned int i = 0; i < 700; i++) {
		from_guest(&b, large[i % 7], 1 + i / 7 % 5);
		work(&b, 1);
		wire_expects(&b, large[i % 7]);
	}
	await_all(&b);
	ck_assert_uint_eq(copies(&b), 0);
	bed_free(&b);
}
END_TEST

/* 16 pieces at most, without the header's. */
START_TEST(in_too_many_pieces_they_are_copied)
{
	struct bed b = bed_new(MTU, &plain_guest);

	warm_up(&b);

	for (unsigned int i = 0; i < 50; i++) {
		from_guest(&b, 1514, 18);
		from_guest(&b, 1500, 1);
		from_guest(&b, 1514, 17);
		work(&b, 3);
		wire_expects(&b, 1514);
		wire_expects(&b, 1500);
		wire_expects(&b, 1514);
		await_all(&b);
	}
	ck_assert_uint_eq(copies(&b), 50);
	bed_free(&b);
}
END_TEST

START_TEST(small_and_large_ones_keep_their_order)
{
	struct bed b = bed_new(MTU, &plain_guest);

	warm_up(&b);
	size_t len[80];

	srand(1);
	for (unsigned int round = 0; round < 300; round++) {
		for (unsigned int i = 0; i < 80; i++) {
			len[i] = 18 + (size_t)rand() % (rand() % 2 ? 200 : 1497);
			from_guest(&b, len[i], 1 + (unsigned int)rand() % 3);
		}
		work(&b, 80);
		for (unsigned int i = 0; i < 80; i++)
			wire_expects(&b, len[i]);
		await_all(&b);
	}
	bed_free(&b);
}
END_TEST

/* A checksum to complete: the frame on the wire has it, the guest's memory has not. */
START_TEST(what_asks_for_work_is_copied)
{
	struct bed b = bed_new(MTU, &plain_guest);

	warm_up(&b);
	const struct vtc_nethdr asks = { .flags = VTC_NETHDR_F_NEEDS_CSUM,
					 .csum_start = 100,
					 .csum_offset = 16 };
	uint8_t header[12], frame[1000], got[1001];

	rig_header(&asks, header);
	for (unsigned int i = 0; i < 50; i++) {
		from_guest(&b, 1514, 1);
		fill(frame, sizeof(frame), 7);
		memset(frame + 100, 0, sizeof(frame) - 100);
		frame[sizeof(frame) - 1] = 1;
		ck_assert(ringport_send(b.guest, 0, header, frame, sizeof(frame), 1));
		ringport_kick(b.guest, 0);
		from_guest(&b, 600, 2);
	}
	work(&b, 150);
	frame[116] = 0xff, frame[117] = 0xfe;
	for (unsigned int i = 0; i < 50; i++) {
		wire_expects(&b, 1514);
		ck_assert_int_eq(veth_receive(&b.veth, got, sizeof(got), true), 1000);
		ck_assert_mem_eq(got, frame, 1000);
		wire_expects(&b, 600);
	}
	await_all(&b);
	ck_assert_uint_eq(copies(&b), 50);
	bed_free(&b);
}
END_TEST

/* Memory that cannot be mapped a second time. */
START_TEST(without_memory_to_share_all_is_copied)
{
	struct bed b = bed_new(MTU, &borrowed_guest);

	for (unsigned int i = 0; i < 1000; i++) {
		from_guest(&b, 1514, 1 + i % 3);
		work(&b, 1);
		wire_expects(&b, 1514);
	}
	await_all(&b);
	ck_assert_uint_eq(copies(&b), 1000);
	bed_free(&b);
}
END_TEST

START_TEST(many_packets_leave_no_trace)
{
	struct bed b = bed_new(MTU, &plain_guest);

	warm_up(&b);
	uint8_t got[1600];

	for (unsigned int i = 0; i < 100000; i += 250) {
		for (unsigned int k = 0; k < 250; k++)
			from_guest(&b, 300 + k, 1);
		work(&b, 250);
		for (unsigned int k = 0; k < 250; k++) {
			ck_assert_int_eq(veth_receive(&b.veth, got, sizeof(got), true),
					 300 + k);
		}
		await_all(&b);
	}
	ck_assert_uint_eq(copies(&b), 0);
	bed_free(&b);
}
END_TEST

/* ---- A receiver that takes nothing ---- */

/* Behind the wire, packets wait for seconds: 1000 bytes go in each. */
static void block(void)
{
	veth_run("ip link add name br0 type bridge mcast_snooping 0");
	veth_run("ip link add slow0 type veth peer name slow1");
	if (system("tc qdisc add dev slow0 root tbf rate 8kbit burst 1540 limit 10m") !=
	    0)
		vtct_skip("there is no token bucket in this kernel");
	veth_run("ip link set slow1 up && ip link set slow0 up master br0");
	veth_run("ip link set " VETH_FAR " master br0 && ip link set br0 up");
	veth_run("for i in slow0 " VETH_FAR "; do bridge link set dev $i state 3; done");
}

static void unblock(void)
{
	veth_run("ip link del slow0 && ip link del br0");
}

static struct bed blocked_new(void)
{
	struct bed b = bed_new(MTU, &plain_guest);

	warm_up(&b);

	block();
	return b;
}

/* So many that some stay in flight. */
static void pile_up(struct bed *b, unsigned int packets)
{
	for (unsigned int i = 0; i < packets; i++)
		from_guest(b, 1000, 1);
	work(b, packets);
	for (unsigned int i = 0; i < packets; i++)
		wire_expects(b, 1000);
	ck_assert_uint_gt(ringport_held(b->guest, 0), 0);
	ck_assert_uint_gt(ringport_unsent(b->guest, 0), 0);
}

START_TEST(few_are_in_flight_and_the_ring_goes_on)
{
	struct bed b = blocked_new();
	uint64_t before;

	/* One or two may have gone on. */
	pile_up(&b, PLACED + 10);
	ck_assert_uint_ge(copies(&b), 8);
	ck_assert_uint_le(copies(&b), 10);
	/* The guest gets them back although nobody has taken them. */
	for (int i = 0; i < 30 && ringport_unsent(b.guest, 0); i++) {
		b.rig->now_ns += 1 * MS;
		(void)poll(NULL, 0, 1);
		(void)rig_run(b.rig);
	}
	await_all(&b);
	/* And others go, by copies, as long as the first are there. */
	before = copies(&b);
	for (unsigned int i = 0; i < 50; i++) {
		from_guest(&b, 1200, 1);
		work(&b, 1);
		wire_expects(&b, 1200);
		await_all(&b);
	}
	ck_assert_uint_eq(copies(&b), before + 50);
	unblock();
	/* Until they are not. */
	b.rig->now_ns += 1100 * MS;
	warm_up(&b);
	bed_free(&b);
}
END_TEST

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / MS;
}

/* They come back at once when they are sent: no other packet has to come. */
START_TEST(they_come_back_when_they_are_sent)
{
	struct bed b = blocked_new();

	pile_up(&b, 20);
	unblock();
	await_all(&b);
	bed_free(&b);
}
END_TEST

START_TEST(settled_before_the_memory_changes)
{
	struct bed b = blocked_new();
	uint64_t begun;

	pile_up(&b, 20);
	begun = now_ms();
	vtc__port_settle(ringport_port(b.guest), true);
	ck_assert_uint_lt(now_ms() - begun, 5000);
	ck_assert_uint_eq(ringport_held(b.guest, 0), 0);
	ck_assert_uint_eq(ringport_unsent(b.guest, 0), 0);
	unblock();
	bed_free(&b);
}
END_TEST

START_TEST(settled_before_the_port_is_closed)
{
	struct bed b = blocked_new();

	pile_up(&b, 20);
	vtc_port_close(b.port);
	ck_assert_uint_eq(ringport_held(b.guest, 0), 0);
	ck_assert_uint_eq(ringport_unsent(b.guest, 0), 0);
	unblock();
	open_port(&b);
	from_guest(&b, 1000, 1);
	work(&b, 1);
	wire_expects(&b, 1000);
	bed_free(&b);
}
END_TEST

START_TEST(settled_before_the_guest_is_detached)
{
	struct bed b = blocked_new();

	pile_up(&b, 20);
	vtc_port_close(ringport_port(b.guest));
	ck_assert_uint_eq(ringport_held(b.guest, 0), 0);
	ck_assert_uint_eq(ringport_unsent(b.guest, 0), 0);
	unblock();
	vtc_port_close(b.port);
	ringport_free(b.guest);
	rig_free(b.rig);
	veth_free(&b.veth);
}
END_TEST

/* ---- Memory ---- */

START_TEST(follows_a_memory_map_that_changes)
{
	struct bed b = bed_new(MTU, &plain_guest);

	warm_up(&b);

	for (unsigned int i = 0; i < 20; i++) {
		warm_up(&b);
		for (unsigned int k = 0; k < 10; k++) {
			from_guest(&b, 1514, 1);
			work(&b, 1);
			wire_expects(&b, 1514);
		}
		ck_assert_uint_eq(copies(&b), 0);
		if (i % 2)
			vtc__port_settle(ringport_port(b.guest), true);
		ringport_add_memory(b.guest);
	}
	await_all(&b);
	bed_free(&b);
}
END_TEST

/* The right to lock more memory than the limit says. */
static void set_right(bool on)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	ck_assert_int_eq(syscall(SYS_capget, &h, d), 0);
	if (on)
		d[0].effective |= 1u << CAP_IPC_LOCK;
	else
		d[0].effective &= ~(1u << CAP_IPC_LOCK);
	ck_assert_int_eq(syscall(SYS_capset, &h, d), 0);
}

START_TEST(without_a_right_to_lock_memory_all_is_copied)
{
	struct bed b = bed_new(MTU, &plain_guest);
	const struct rlimit none = { 0, 0 };

	ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	set_right(false);
	for (unsigned int i = 0; i < 100; i++) {
		from_guest(&b, 1514, 1);
		work(&b, 1);
		wire_expects(&b, 1514);
		await_all(&b);
	}
	ck_assert_uint_eq(copies(&b), 100);
	set_right(true);
	b.rig->now_ns += 1100 * MS;
	warm_up(&b);
	for (unsigned int i = 0; i < 100; i++) {
		from_guest(&b, 1514, 1);
		work(&b, 1);
		wire_expects(&b, 1514);
		await_all(&b);
	}
	ck_assert_uint_eq(copies(&b), 0);
	bed_free(&b);
}
END_TEST

/* How often the guest's memory is mapped. */
static unsigned int count_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned int n = 0;
	char line[512];

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, "memfd:guest") != NULL;
	fclose(f);
	return n;
}

START_TEST(opened_again_and_again)
{
	struct bed b = bed_new(MTU, &plain_guest);
	unsigned int fds = vtct_count_fds(), maps = count_maps();

	for (unsigned int i = 0; i < 20; i++) {
		vtc_port_close(b.port);
		ck_assert_uint_eq(count_maps(), maps);
		open_port(&b);
		ck_assert_uint_eq(vtct_count_fds(), fds);
		warm_up(&b);
		ck_assert_uint_eq(vtct_count_fds(), fds);
		ck_assert_uint_gt(count_maps(), maps);
	}
	bed_free(&b);
}
END_TEST

/* ---- The interface goes ---- */

START_TEST(down_and_up_again)
{
	struct bed b = bed_new(MTU, &plain_guest);

	warm_up(&b);

	for (unsigned int i = 0; i < 3; i++) {
		veth_run("ip link set " VETH_NEAR " down");
		for (unsigned int k = 0; k < 50; k++)
			from_guest(&b, 1514, 1);
		await_all(&b);
		b.got = b.sent;
		veth_run("ip link set " VETH_NEAR " up");
		veth_await_carrier();
		for (unsigned int k = 0; k < 50; k++) {
			b.rig->now_ns += 100 * MS;
			(void)poll(NULL, 0, 1);
			(void)rig_run(b.rig);
		}
		from_guest(&b, 1514, 1);
		work(&b, 1);
		wire_expects(&b, 1514);
	}
	await_all(&b);
	bed_free(&b);
}
END_TEST

START_TEST(removed_under_traffic)
{
	struct bed b = bed_new(MTU, &plain_guest);

	warm_up(&b);

	for (unsigned int i = 0; i < 200; i++)
		from_guest(&b, 1514, 1);
	veth_run("ip link del " VETH_FAR);
	for (unsigned int i = 0; i < 50; i++) {
		b.rig->now_ns += 1 * MS;
		(void)poll(NULL, 0, 1);
		(void)rig_run(b.rig);
	}
	await_all(&b);
	bed_free(&b);
}
END_TEST

/* ---- A queue of its own ---- */

static void refuse(struct vtc_ctx *ctx, const struct veth *v)
{
	struct vtc__xsk_opts o = default_opts(v);
	struct vtc_port *port = NULL;
	char text[512];

	ck_assert_errno(vtc__xsk_open(ctx, &o, &port), -EOPNOTSUPP);
	ck_assert_ptr_null(port);
	ck_assert_ptr_null(ctx->umems);
	vtc_error_format(vtc_ctx_last_error(ctx), text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "transmit queue"));
}

START_TEST(without_a_queue_of_its_own_it_is_refused)
{
	struct vtc_ctx *ctx;
	struct veth v;
	int fds;

	veth_enter();
	v = veth_new_queues(MTU, 2, 2);
	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	fds = vtct_count_fds();
	refuse(ctx, &v);
	ck_assert_int_eq(vtct_count_fds(), fds);
	vtc_ctx_unref(ctx);
	veth_free(&v);
}
END_TEST

START_TEST(two_ports_have_two_queues)
{
	struct bed b;
	struct vtc_port *second, *third = NULL;
	struct vtc__xsk_opts o;

	veth_enter();
	b = (struct bed){ .veth = veth_new_queues(MTU, 1, 3), .rig = rig_new(NULL) };
	b.guest = ringport_new(b.rig->ctx, &plain_guest);
	o = default_opts(&b.veth);
	ck_assert_errno(vtc__xsk_open(b.rig->ctx, &o, &second), 0);
	open_port(&b);
	ck_assert_errno(vtc__xsk_open(b.rig->ctx, &o, &third), -EOPNOTSUPP);
	warm_up(&b);
	vtc_port_close(second);
	bed_free(&b);
}
END_TEST

int main(void)
{
	Suite *s = vtct_suite(
		"xsk-place", large_packets_are_not_copied, nor_from_packed_rings,
		nor_are_those_that_need_several_descriptors,
		in_too_many_pieces_they_are_copied, small_and_large_ones_keep_their_order,
		what_asks_for_work_is_copied, without_memory_to_share_all_is_copied,
		many_packets_leave_no_trace, few_are_in_flight_and_the_ring_goes_on,
		they_come_back_when_they_are_sent, settled_before_the_memory_changes,
		settled_before_the_port_is_closed, settled_before_the_guest_is_detached,
		follows_a_memory_map_that_changes,
		without_a_right_to_lock_memory_all_is_copied, opened_again_and_again,
		down_and_up_again, removed_under_traffic,
		without_a_queue_of_its_own_it_is_refused, two_ports_have_two_queues,
		NULL);

	return vtct_main(s, NULL);
}
