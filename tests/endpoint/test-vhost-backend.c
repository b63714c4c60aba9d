/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vhost-user backends, and frontends that behave like those in the field. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vtc/vtc.h>

#include "endpoint/vhost-inflight.h"
#include "endpoint/vhost-place.h"
#include "rig.h"
#include "vhostfront.h"
#include "vtct.h"

#define BIT(n) (1ull << (n))
#define SEEN   4096

/* The other side: notes the numbers of packets, and how many it takes. */
struct sink {
	unsigned int seen[SEEN], count;
	unsigned int room;
	uint8_t last[128];
	unsigned int last_len;
	unsigned int queue;
};

struct setup {
	struct rig *rig;
	struct vtc_port *port, *callback;
	struct vhostfront *front;
	struct sink sink;
	char path[108];
	int fds;
};

static unsigned int number_of(const struct vtc_packet *p)
{
	static uint8_t bytes[RIG_PACKET_MAX], want[RIG_PACKET_MAX];
	unsigned int len = 0, number;

	for (unsigned int i = 0; i < p->count; i++) {
		memcpy(bytes + len, p->segments[i].base, p->segments[i].len);
		len += (unsigned int)p->segments[i].len;
	}
	ck_assert_uint_eq(len, p->len);
	memcpy(&number, bytes, sizeof(number));
	if (len != 60) {
		rig_fill(want, len, number);
		ck_assert_mem_eq(bytes, want, len);
	}
	return number;
}

static unsigned int take_packets(void *data, unsigned int queue,
				 const struct vtc_packet *packets, unsigned int count)
{
	struct sink *s = data;
	unsigned int n;

	s->queue = queue;
	for (n = 0; n < count && s->room; n++, s->room--) {
		ck_assert_uint_lt(s->count, SEEN);
		s->seen[s->count++] = number_of(&packets[n]);
		s->last_len = packets[n].len;
		if (packets[n].count == 1 && packets[n].len <= sizeof(s->last))
			memcpy(s->last, packets[n].segments->base, packets[n].len);
	}
	return n;
}

static void step(void *data)
{
	struct setup *s = data;

	rig_run(s->rig);
}

static void open_port(struct setup *s, const struct vtc_vhost_user_opts *opts)
{
	struct vtc_vhost_user_opts o = VTC_VHOST_USER_OPTS_INIT;

	if (opts)
		o = *opts;
	o.path = s->path;
	ck_assert_errno(vtc_port_open_vhost_user(s->rig->ctx, &o, &s->port), 0);
	ck_assert_errno(vtc_relay_join(s->rig->relay, s->port, s->callback), 0);
}

static struct setup *setup_new(const struct vhostfront_plan *plan,
			       const struct vtc_vhost_user_opts *opts)
{
	static int number;
	struct vtc_callback_opts c = VTC_CALLBACK_OPTS_INIT;
	struct setup *s = vtct_alloc(sizeof(*s));

	memset(s, 0, sizeof(*s));
	s->fds = vtct_count_fds();
	s->rig = rig_new(NULL);
	s->sink.room = UINT32_MAX;
	c.packets = take_packets;
	c.data = &s->sink;
	ck_assert_errno(vtc_port_new_callback(s->rig->ctx, &c, &s->callback), 0);
	snprintf(s->path, sizeof(s->path), "%s/b%d", vtct_dir(), number++);
	open_port(s, opts);
	s->front = vhostfront_new(s->rig->ctx, plan, step, s);
	vhostfront_connect(s->front, s->path);
	return s;
}

/* Everything has been given back. */
static void setup_free(struct setup *s)
{
	vhostfront_free(s->front);
	rig_run(s->rig);
	vtc_port_close(s->port);
	vtc_port_close(s->callback);
	rig_free(s->rig);
	ck_assert_int_eq(vtct_count_fds(), s->fds);
	free(s);
}

static struct vtc_port_info info_of(const struct setup *s)
{
	struct vtc_port_info i = { .sz = sizeof(i) };

	ck_assert_errno(vtc_port_get_info(s->port, &i), 0);
	return i;
}

static struct setup *setup_started(const struct vhostfront_plan *plan,
				   const struct vtc_vhost_user_opts *opts)
{
	struct setup *s = setup_new(plan, opts);

	vhostfront_hello(s->front);
	vhostfront_start(s->front);
	ck_assert_uint_eq(info_of(s).ready, s->front->plan.queue_pairs);
	return s;
}

/* To the guest. */
static int give(struct setup *s, unsigned int queue, unsigned int len,
		unsigned int number)
{
	static uint8_t bytes[RIG_PACKET_MAX];
	const struct vtc_segment segment = { bytes, len };
	const struct vtc_packet p = { .segments = &segment, .count = 1, .len = len };

	rig_fill(bytes, len, number);
	return vtc_port_send(s->port, queue, &p, 1);
}

/* Some packets each way on each pair. */
static void exchange(struct setup *s, unsigned int first)
{
	for (unsigned int pair = 0; pair < s->front->plan.queue_pairs; pair++) {
		unsigned int seen = s->sink.count;

		for (unsigned int i = 0; i < 20; i++)
			vhostfront_send(s->front, pair, 61 + 50 * i, first + i, 1 + i % 3,
					false);
		rig_run(s->rig);
		ck_assert_uint_eq(s->sink.count, seen + 20);
		for (unsigned int i = 0; i < 20; i++)
			ck_assert_uint_eq(s->sink.seen[seen + i], first + i);
		ck_assert_uint_eq(vhostfront_unsent(s->front, pair), 0);
		ck_assert_uint_ge(vhostfront_post(s->front, pair, 20), 20);
		rig_run(s->rig);
		for (unsigned int i = 0; i < 20; i++)
			ck_assert_int_eq(give(s, pair, 61 + 60 * i, first + 100 + i), 1);
		for (unsigned int i = 0; i < 20; i++)
			vhostfront_expect(s->front, pair, 61 + 60 * i, first + 100 + i);
		vhostfront_expect_none(s->front, pair);
	}
}

/* ---- Handshakes ---- */

#define RING_KINDS 16

/* Split or packed, in order or not, with event index, with indirect tables. */
static struct vhostfront_plan plan_of(int kind)
{
	struct vhostfront_plan p = { 0 };

	p.features_off = (kind & 1 ? 0 : BIT(VTC_VRING_F_PACKED)) |
			 (kind & 2 ? 0 : BIT(VTC_VRING_F_IN_ORDER)) |
			 (kind & 4 ? 0 : BIT(VTC_VRING_F_EVENT_IDX)) |
			 (kind & 8 ? 0 : BIT(VTC_NET_F_MRG_RXBUF));
	return p;
}

START_TEST(starts_as_qemu_does)
{
	struct vhostfront_plan plan = plan_of(_i);
	struct setup *s = setup_started(&plan, NULL);
	struct vtc_port_info info = info_of(s);

	ck_assert_uint_eq(info.connected, 1);
	ck_assert_uint_eq(info.connections, 1);
	ck_assert_str_eq(info.kind, "vhost-user backend");
	ck_assert_str_eq(info.name, s->path);
	ck_assert_uint_eq(info.features[0], s->front->features);
	ck_assert_ptr_null(info.error);
	for (unsigned int i = 0; i < 20; i++)
		exchange(s, 1000 * i);
	setup_free(s);
}
END_TEST

START_TEST(starts_as_dpdk_does)
{
	struct vhostfront_plan plan = plan_of(_i);
	struct setup *s;

	plan.protocol_off = BIT(VTC__VHOST_PF_REPLY_ACK) | BIT(VTC__VHOST_PF_MEM_SLOTS);
	s = setup_new(&plan, NULL);
	vhostfront_start_dpdk(s->front);
	ck_assert_uint_eq(info_of(s).ready, 1);
	for (unsigned int i = 0; i < 5; i++)
		exchange(s, 1000 * i);
	setup_free(s);
}
END_TEST

START_TEST(starts_without_protocol_features)
{
	struct vhostfront_plan plan = plan_of(_i);
	struct setup *s;

	plan.old = true;
	s = setup_started(&plan, NULL);
	exchange(s, 0);
	setup_free(s);
}
END_TEST

START_TEST(many_queues)
{
	struct vtc_vhost_user_opts o = VTC_VHOST_USER_OPTS_INIT;
	struct vhostfront_plan plan = plan_of(_i);
	struct setup *s;

	o.queue_pairs = 3;
	plan.queue_pairs = 3;
	s = setup_started(&plan, &o);
	for (unsigned int i = 0; i < 5; i++)
		exchange(s, 1000 * i);
	ck_assert_uint_eq(rig_stats(s->port, 2).rx_packets, 100);
	setup_free(s);
}
END_TEST

static Suite *handshakes(void)
{
	Suite *s = suite_create("handshakes");
	TCase *t = tcase_create("variants");

	tcase_add_loop_test(t, starts_as_qemu_does, 0, RING_KINDS);
	tcase_add_loop_test(t, starts_as_dpdk_does, 0, RING_KINDS);
	tcase_add_loop_test(t, starts_without_protocol_features, 0, RING_KINDS);
	tcase_add_loop_test(t, many_queues, 0, RING_KINDS);
	suite_add_tcase(s, t);
	return s;
}

/* ---- The device ---- */

static struct vtc_vhost_user_opts device_opts(void)
{
	struct vtc_vhost_user_opts o = VTC_VHOST_USER_OPTS_INIT;
	const uint8_t mac[6] = { 2, 0, 0, 0xaa, 0xbb, 0xcc };

	o.mtu = 9000;
	memcpy(o.mac, mac, sizeof(mac));
	o.queue_pairs = 2;
	return o;
}

START_TEST(offers_what_it_was_told)
{
	struct vtc_vhost_user_opts o = VTC_VHOST_USER_OPTS_INIT;
	struct setup *s = setup_new(NULL, NULL);
	uint64_t plain, more;

	plain = vhostfront_ask_u64(s->front, VTC__VHOST_GET_FEATURES);
	ck_assert(plain & BIT(VTC_VRING_F_PACKED));
	ck_assert(plain & BIT(VTC__VHOST_F_LOG_ALL));
	ck_assert(
		!(plain & (BIT(VTC_NET_F_MQ) | BIT(VTC_NET_F_MAC) | BIT(VTC_NET_F_MTU))));
	setup_free(s);
	o = device_opts();
	o.features_off[0] = BIT(VTC_VRING_F_PACKED) | BIT(VTC_NET_F_GUEST_TSO4);
	s = setup_new(NULL, &o);
	more = vhostfront_ask_u64(s->front, VTC__VHOST_GET_FEATURES);
	ck_assert_uint_eq(more, (plain & ~o.features_off[0]) | BIT(VTC_NET_F_MQ) |
					BIT(VTC_NET_F_MAC) | BIT(VTC_NET_F_MTU));
	setup_free(s);
}
END_TEST

/* The configuration of a network device: MAC, status, queue pairs, MTU. */
static void get_config(struct vhostfront *f, uint32_t offset, uint32_t size,
		       uint8_t *bytes)
{
	const struct vtc__vhost_config want = { .offset = offset, .size = size };
	struct vhostclient_reply r =
		vhostfront_ask(f, VTC__VHOST_GET_CONFIG, &want, 12 + size);

	ck_assert_uint_eq(r.size, 12 + size);
	memcpy(bytes, r.payload + 12, size);
}

START_TEST(tells_its_configuration)
{
	struct vtc_vhost_user_opts o = device_opts();
	const uint8_t want[] = {
		2, 0, 0, 0xaa, 0xbb, 0xcc, 1, 0, 2, 0, 0x28, 0x23, 0, 0
	};
	const struct vtc__vhost_config beyond = { .offset = 250, .size = 7 };
	struct setup *s = setup_new(NULL, &o);
	uint8_t got[64];

	vhostfront_hello(s->front);
	get_config(s->front, 0, sizeof(want), got);
	ck_assert_mem_eq(got, want, sizeof(want));
	get_config(s->front, 10, 2, got);
	ck_assert_mem_eq(got, want + 10, 2);
	ck_assert_uint_eq(
		vhostfront_ask(s->front, VTC__VHOST_GET_CONFIG, &beyond, 19).size, 0);
	ck_assert_uint_eq(
		vhostfront_tell(s->front, VTC__VHOST_SET_CONFIG, &beyond, 19, -1), 1);
	ck_assert_uint_eq(vhostfront_tell_u64(s->front, VTC__VHOST_NET_SET_MTU, 1400), 0);
	ck_assert_uint_eq(vhostfront_tell_u64(s->front, VTC__VHOST_NET_SET_MTU, 67), 1);
	ck_assert_uint_eq(vhostfront_tell_u64(s->front, VTC__VHOST_NET_SET_MTU, 65536),
			  1);
	get_config(s->front, 10, 2, got);
	ck_assert_uint_eq(got[0] | got[1] << 8, 1400);
	ck_assert_uint_eq(vhostfront_ask_u64(s->front, VTC__VHOST_GET_QUEUE_NUM), 2);
	setup_free(s);
}
END_TEST

START_TEST(announces_a_guest)
{
	const uint8_t mac[8] = { 2, 1, 2, 3, 4, 5, 0, 0 };
	const uint8_t head[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 1, 2, 3, 4,
				 5,    0x80, 0x35, 0,	 1,    8,    0, 6, 4, 0, 3,
				 2,    1,    2,	   3,	 4,    5,    0, 0, 0, 0, 2,
				 1,    2,    3,	   4,	 5,    0,    0, 0, 0 };
	struct setup *s = setup_started(NULL, NULL);

	ck_assert_uint_eq(vhostfront_tell(s->front, VTC__VHOST_SEND_RARP, mac, 8, -1), 0);
	ck_assert_uint_eq(s->sink.count, 1);
	ck_assert_uint_eq(s->sink.last_len, 60);
	ck_assert_mem_eq(s->sink.last, head, sizeof(head));
	setup_free(s);
}
END_TEST

START_TEST(keeps_the_status_and_is_reset)
{
	struct setup *s = setup_started(NULL, NULL);
	struct vhostfront *f = s->front;

	ck_assert_uint_eq(vhostfront_tell_u64(f, VTC__VHOST_SET_STATUS, 15), 0);
	ck_assert_uint_eq(vhostfront_ask_u64(f, VTC__VHOST_GET_STATUS), 15);
	exchange(s, 0);
	ck_assert_uint_eq(vhostfront_tell(f, VTC__VHOST_RESET_DEVICE, NULL, 0, -1), 0);
	ck_assert_uint_eq(vhostfront_ask_u64(f, VTC__VHOST_GET_STATUS), 0);
	ck_assert_uint_eq(info_of(s).ready, 0);
	/* QEMU stops the rings all the same, and keeps the memory. */
	vhostfront_stop(f);
	vhostfront_reset_rings(f);
	ck_assert_uint_eq(vhostfront_set_features(f, 0), 0);
	for (unsigned int i = 0; i < 2; i++)
		vhostfront_start_ring(f, i);
	ck_assert_uint_eq(info_of(s).ready, 0);
	for (unsigned int i = 0; i < 2; i++)
		vhostfront_enable(f, i, true);
	exchange(s, 100);
	setup_free(s);
}
END_TEST

/* A channel to the frontend is owned, and the last one only. */
START_TEST(owns_the_channel)
{
	struct setup *s = setup_new(NULL, NULL);
	int before, pair[2];

	vhostfront_hello(s->front);
	before = vtct_count_fds();
	for (unsigned int i = 0; i < 5; i++) {
		vhostclient_pair(pair);
		ck_assert_uint_eq(vhostfront_tell(s->front, VTC__VHOST_SET_BACKEND_REQ_FD,
						  NULL, 0, pair[0]),
				  0);
		close(pair[0]);
		close(pair[1]);
	}
	ck_assert_int_eq(vtct_count_fds(), before + 1);
	setup_free(s);
}
END_TEST

/* ---- What cannot be ---- */

/* The backend leaves, says why, and takes the next frontend. */
static void expect_left(struct setup *s, const char *why)
{
	ck_assert(vhostfront_is_alone(s->front));
	ck_assert_uint_eq(info_of(s).connected, 0);
	ck_assert_msg(info_of(s).error && strstr(info_of(s).error, why),
		      "\"%s\" is not in \"%s\"", why, info_of(s).error);
	ck_assert_uint_eq(info_of(s).ready, 0);
	vhostfront_disconnect(s->front);
	vhostfront_connect(s->front, s->path);
	vhostfront_hello(s->front);
	vhostfront_reset_rings(s->front);
}

START_TEST(refuses_features)
{
	struct setup *s = setup_new(NULL, NULL);
	struct vhostfront *f = s->front;

	vhostfront_hello(f);
	ck_assert_uint_eq(vhostfront_set_features(f, BIT(24)), 1);
	expect_left(s, "SET_FEATURES: a feature was not offered");
	ck_assert_uint_eq(vhostfront_tell_u64(f, VTC__VHOST_SET_FEATURES, 0), 1);
	expect_left(s, "legacy");
	ck_assert_uint_eq(
		vhostfront_tell_u64(f, VTC__VHOST_SET_PROTOCOL_FEATURES, BIT(8)), 1);
	expect_left(s, "a protocol feature was not offered");
	vhostfront_start(f);
	exchange(s, 0);
	ck_assert_uint_eq(vhostfront_tell_u64(f, VTC__VHOST_SET_FEATURES,
					      f->features & ~BIT(VTC_NET_F_CSUM)),
			  1);
	expect_left(s, "features change while a ring runs");
	ck_assert_uint_eq(info_of(s).connections, 5);
	setup_free(s);
}
END_TEST

/* Fields of a state message, on rings that run. */
START_TEST(refuses_ring_parameters)
{
	static const struct {
		uint32_t request, index, num;
		const char *why;
	} row[] = {
		{ VTC__VHOST_SET_VRING_NUM, 2, 64, "no such ring" },
		{ VTC__VHOST_SET_VRING_NUM, UINT32_MAX, 64, "no such ring" },
		{ VTC__VHOST_SET_VRING_NUM, 256, 64, "no such ring" },
		{ VTC__VHOST_SET_VRING_NUM, 0, 0, "1 to 32768" },
		{ VTC__VHOST_SET_VRING_NUM, 0, 32769, "1 to 32768" },
		{ VTC__VHOST_SET_VRING_NUM, 0, 128, "while the ring runs" },
		{ VTC__VHOST_SET_VRING_BASE, 0, 1, "while the ring runs" },
		{ VTC__VHOST_SET_VRING_BASE, 9, 1, "no such ring" },
		{ VTC__VHOST_SET_VRING_ENABLE, 2, 1, "no such ring" },
	};
	const struct vtc__vhost_state state = { row[_i].index, row[_i].num };
	struct setup *s = setup_started(NULL, NULL);

	ck_assert_uint_eq(
		vhostfront_tell(s->front, row[_i].request, &state, sizeof(state), -1), 1);
	expect_left(s, row[_i].why);
	vhostfront_start(s->front);
	exchange(s, 0);
	setup_free(s);
}
END_TEST

START_TEST(refuses_descriptors)
{
	static const uint32_t request[] = { VTC__VHOST_SET_VRING_KICK,
					    VTC__VHOST_SET_VRING_CALL,
					    VTC__VHOST_SET_VRING_ERR };
	struct setup *s = setup_started(NULL, NULL);
	uint64_t ring = 0;
	int pipes[2];

	ck_assert_int_eq(pipe(pipes), 0);
	ck_assert_uint_eq(vhostfront_tell(s->front, request[_i], &ring, 8, pipes[1]), 1);
	expect_left(s, "no eventfd");
	ck_assert_uint_eq(
		vhostfront_tell(s->front, request[_i], &ring, 8, s->front->memfd), 1);
	expect_left(s, "no eventfd");
	vhostfront_start(s->front);
	exchange(s, 0);
	close(pipes[0]);
	close(pipes[1]);
	setup_free(s);
}
END_TEST

/* What others may use is an eventfd that blocks. */
START_TEST(takes_blocking_doorbells)
{
	struct setup *s = setup_new(NULL, NULL);

	for (unsigned int i = 0; i < 2; i++) {
		fcntl(s->front->ring[i].kick, F_SETFL, O_RDWR);
		fcntl(s->front->ring[i].call, F_SETFL, O_RDWR);
	}
	vhostfront_hello(s->front);
	vhostfront_start(s->front);
	/* Full: nothing is to wait for that. */
	ck_assert_int_eq(write(s->front->ring[1].call, &(uint64_t){ UINT64_MAX - 4 }, 8),
			 8);
	exchange(s, 0);
	setup_free(s);
}
END_TEST

static Suite *devices(void)
{
	Suite *s = vtct_suite("device", offers_what_it_was_told, tells_its_configuration,
			      announces_a_guest, keeps_the_status_and_is_reset,
			      owns_the_channel, refuses_features,
			      takes_blocking_doorbells, NULL);
	TCase *t = tcase_create("variants");

	tcase_add_loop_test(t, refuses_ring_parameters, 0, 9);
	tcase_add_loop_test(t, refuses_descriptors, 0, 3);
	suite_add_tcase(s, t);
	return s;
}

/* ---- Rings come and go ---- */

static unsigned int posted(const struct setup *s, unsigned int ring)
{
	return s->front->plan.ring_size - s->front->ring[ring].free_count;
}

START_TEST(stops_and_goes_on)
{
	struct vhostfront_plan plan = plan_of(_i);
	struct setup *s = setup_started(&plan, NULL);
	struct vhostfront *f = s->front;

	for (unsigned int i = 0; i < 12; i++) {
		exchange(s, 1000 * i);
		vhostfront_post(f, 0, 7);
		rig_run(s->rig);
		vhostfront_stop(f);
		ck_assert_uint_eq(info_of(s).ready, 0);
		/* What comes in between is not lost. */
		vhostfront_send(f, 0, 100, 1000 * i + 500, 1, false);
		rig_run(s->rig);
		ck_assert_int_eq(give(s, 0, 100, 1), 0);
		ck_assert_uint_eq(vhostfront_unsent(f, 0), 1);
		for (unsigned int ring = 0; ring < 2; ring++)
			vhostfront_start_ring(f, ring);
		/* The rings are still on. */
		rig_run(s->rig);
		ck_assert_uint_eq(s->sink.seen[s->sink.count - 1], 1000 * i + 500);
		ck_assert_uint_eq(vhostfront_unsent(f, 0), 0);
		while (posted(s, 0)) {
			ck_assert_int_eq(give(s, 0, 100, 7), 1);
			vhostfront_expect(f, 0, 100, 7);
		}
	}
	setup_free(s);
}
END_TEST

START_TEST(stops_at_the_place)
{
	struct vhostfront_plan plan = plan_of(_i);
	struct setup *s = setup_started(&plan, NULL);
	struct vhostfront *f = s->front;
	uint32_t at;

	ck_assert_uint_eq(vhostfront_stop_ring(f, 1), f->ring[1].base);
	vhostfront_start_ring(f, 1);
	for (unsigned int i = 0; i < 70; i++) {
		vhostfront_send(f, 0, 100, i, 1, false);
		rig_run(s->rig);
	}
	vhostfront_unsent(f, 0);
	at = vhostfront_stop_ring(f, 1);
	/* 70 descriptors in a ring of 64: the second lap. */
	if (f->features & BIT(VTC_VRING_F_PACKED))
		ck_assert_uint_eq(at, 6 | 6u << 16);
	else
		ck_assert_uint_eq(at, 70);
	/* Once more: still there. */
	ck_assert_uint_eq(vhostfront_stop_ring(f, 1), at);
	setup_free(s);
}
END_TEST

START_TEST(parts_come_in_any_order)
{
	static const char order[][6] = { "fmnak", "knafm", "mkanf", "anmkf", "kafnm" };
	struct setup *s = setup_new(NULL, NULL);
	struct vhostfront *f = s->front;

	vhostfront_hello(f);
	for (unsigned int ring = 0; ring < 2; ring++)
		vhostfront_enable(f, ring, true);
	for (const char *at = order[_i]; *at; at++) {
		struct vtc__vhost_state size = { 0, f->plan.ring_size };

		ck_assert_uint_eq(info_of(s).ready, 0);
		if (*at == 'f')
			ck_assert_uint_eq(vhostfront_set_features(f, 0), 0);
		if (*at == 'm')
			ck_assert_uint_eq(vhostfront_set_memory(f), 0);
		for (unsigned int ring = 0; ring < 2; ring++) {
			struct vtc__vhost_state base = { ring, f->ring[ring].base };

			size.index = ring;
			if (*at == 'n')
				vhostfront_tell(f, VTC__VHOST_SET_VRING_NUM, &size, 8,
						-1);
			if (*at == 'a')
				vhostfront_set_addr(f, ring);
			if (*at == 'k')
				vhostfront_kick_off(f, ring);
			if (at == order[_i])
				vhostfront_tell(f, VTC__VHOST_SET_VRING_BASE, &base, 8,
						-1);
		}
	}
	ck_assert_uint_eq(info_of(s).ready, 1);
	exchange(s, 0);
	setup_free(s);
}
END_TEST

START_TEST(a_ring_that_is_off)
{
	struct vhostfront_plan plan = plan_of(_i);
	struct setup *s = setup_started(&plan, NULL);
	struct vhostfront *f = s->front;

	exchange(s, 0);
	vhostfront_post(f, 0, 5);
	vhostfront_enable(f, 1, false);
	ck_assert_uint_eq(info_of(s).ready, 1);
	s->sink.count = 0;
	/* Twice: the second kick must be asked for. */
	for (unsigned int i = 0; i < 2; i++) {
		for (unsigned int k = 0; k < 30; k++)
			vhostfront_send(f, 0, 100, k, 1, false);
		rig_run(s->rig);
		ck_assert_uint_eq(vhostfront_unsent(f, 0), 0);
		ck_assert_uint_eq(s->sink.count, 0);
	}
	ck_assert_int_eq(give(s, 0, 100, 1), 1);
	vhostfront_expect(f, 0, 100, 1);
	vhostfront_enable(f, 0, false);
	ck_assert_uint_eq(info_of(s).ready, 0);
	ck_assert_int_eq(give(s, 0, 100, 1), 0);
	vhostfront_expect_none(f, 0);
	vhostfront_send(f, 0, 100, 1, 1, false);
	rig_run(s->rig);
	ck_assert_uint_eq(vhostfront_unsent(f, 0), 0);
	/* On again, the other first: what the guest sends meanwhile waits. */
	vhostfront_enable(f, 1, true);
	vhostfront_send(f, 0, 100, 77, 1, false);
	rig_run(s->rig);
	ck_assert_uint_eq(s->sink.count, 0);
	vhostfront_enable(f, 0, true);
	rig_run(s->rig);
	ck_assert_uint_eq(s->sink.seen[0], 77);
	exchange(s, 100);
	setup_free(s);
}
END_TEST

START_TEST(starts_without_being_kicked)
{
	struct setup *s = setup_new(NULL, NULL);
	struct vhostfront *f = s->front;

	vhostfront_hello(f);
	vhostfront_send(f, 0, 100, 5, 1, true);
	vhostfront_start(f);
	rig_run(s->rig);
	ck_assert_uint_eq(s->sink.count, 1);
	/* A new descriptor to hear with, too. */
	vhostfront_send(f, 0, 100, 6, 1, true);
	vhostfront_kick_off(f, 1);
	rig_run(s->rig);
	ck_assert_uint_eq(s->sink.count, 2);
	/* And rings at once into a new one. */
	vhostfront_heard(f->ring[1].call);
	vhostfront_tell(f, VTC__VHOST_SET_VRING_CALL, &(uint64_t){ 1 }, 8,
			f->ring[1].call);
	ck_assert_uint_ge(vhostfront_heard(f->ring[1].call), 1);
	setup_free(s);
}
END_TEST

START_TEST(looks_without_a_kick_descriptor)
{
	struct setup *s = setup_started(NULL, NULL);
	struct vhostfront *f = s->front;

	ck_assert_uint_eq(
		vhostfront_tell_u64(f, VTC__VHOST_SET_VRING_KICK, 1 | VTC__VHOST_NO_FD),
		0);
	rig_run(s->rig);
	vhostfront_send(f, 0, 100, 5, 1, true);
	s->rig->now_ns += 1000000;
	ck_assert(rig_is_ready(s->rig, true));
	rig_run(s->rig);
	ck_assert_uint_eq(s->sink.count, 1);
	setup_free(s);
}
END_TEST

START_TEST(one_pair_stops_the_other_goes_on)
{
	struct vtc_vhost_user_opts o = VTC_VHOST_USER_OPTS_INIT;
	struct vhostfront_plan plan = plan_of(_i);
	struct setup *s;

	o.queue_pairs = plan.queue_pairs = 2;
	s = setup_started(&plan, &o);
	exchange(s, 0);
	vhostfront_enable(s->front, 2, false);
	vhostfront_enable(s->front, 3, false);
	ck_assert_uint_eq(info_of(s).ready, 1);
	s->front->plan.queue_pairs = 1;
	exchange(s, 100);
	/* Packets for the second come by the first. */
	vhostfront_post(s->front, 0, 1);
	ck_assert_int_eq(give(s, 1, 100, 9), 1);
	vhostfront_expect(s->front, 0, 100, 9);
	s->front->plan.queue_pairs = 2;
	vhostfront_enable(s->front, 2, true);
	vhostfront_enable(s->front, 3, true);
	exchange(s, 200);
	setup_free(s);
}
END_TEST

/* A hostile driver breaks its ring, and no more. */
START_TEST(a_broken_ring)
{
	struct vtc_vhost_user_opts o = VTC_VHOST_USER_OPTS_INIT;
	struct vhostfront_plan plan = plan_of(_i & 1);
	unsigned int ring = _i >> 1;
	struct setup *s;
	struct vhostfront *f;

	o.queue_pairs = plan.queue_pairs = 2;
	s = setup_started(&plan, &o);
	f = s->front;
	exchange(s, 0);
	vhostfront_post(f, 0, 3);
	vhostfront_send(f, 0, 100, 1, 1, true);
	/* Buffers nowhere. */
	for (unsigned int i = 0; i < 64; i++)
		memset(vhostfront_at(f, f->ring[ring].at[0] + 16 * i), 0x7e, 8);
	(void)give(s, 0, 100, 1);
	ck_assert_int_eq(write(f->ring[1].kick, &(uint64_t){ 1 }, 8), 8);
	rig_run(s->rig);
	ck_assert_uint_ge(vhostfront_heard(f->ring[ring].err), 1);
	ck_assert(vhostfront_ask_u64(f, VTC__VHOST_GET_STATUS) & 0x40);
	ck_assert_uint_eq(info_of(s).connected, 1);
	ck_assert_uint_eq(info_of(s).error[5], '0' + ring);
	if (ring) {
		/* The other direction, and the other pair. */
		give(s, 0, 100, 2);
		vhostfront_expect(f, 0, 100, 1);
		ck_assert_uint_eq(info_of(s).ready, 2);
	} else {
		ck_assert_uint_eq(info_of(s).ready, 0);
	}
	vhostfront_stop(f);
	vhostfront_reset_rings(f);
	for (unsigned int i = 0; i < 4; i++)
		vhostfront_start_ring(f, i);
	exchange(s, 100);
	setup_free(s);
}
END_TEST

START_TEST(the_next_frontend)
{
	struct vhostfront_plan plan = plan_of(_i);
	struct setup *s = setup_started(&plan, NULL);

	for (unsigned int i = 0; i < 5; i++) {
		exchange(s, 100 * i);
		vhostfront_post(s->front, 0, 10);
		vhostfront_send(s->front, 0, 100, 1, 1, true);
		vhostfront_disconnect(s->front);
		vhostfront_connect(s->front, s->path);
		vhostfront_hello(s->front);
		ck_assert_uint_eq(info_of(s).ready, 0);
		vhostfront_reset_rings(s->front);
		vhostfront_start(s->front);
		ck_assert_uint_eq(info_of(s).connections, i + 2);
	}
	exchange(s, 1000);
	/* The port may leave the relay for a while. */
	vtc_relay_free(s->rig->relay);
	ck_assert_errno(vtc_relay_new(s->rig->ctx, NULL, &s->rig->relay), 0);
	ck_assert_errno(vtc_relay_join(s->rig->relay, s->callback, s->port), 0);
	exchange(s, 2000);
	setup_free(s);
}
END_TEST

static Suite *ring_suite(void)
{
	Suite *s = vtct_suite("rings", starts_without_being_kicked,
			      looks_without_a_kick_descriptor, NULL);
	TCase *t = tcase_create("variants");

	tcase_add_loop_test(t, stops_and_goes_on, 0, RING_KINDS);
	tcase_add_loop_test(t, stops_at_the_place, 0, RING_KINDS);
	tcase_add_loop_test(t, parts_come_in_any_order, 0, 5);
	tcase_add_loop_test(t, a_ring_that_is_off, 0, RING_KINDS);
	tcase_add_loop_test(t, one_pair_stops_the_other_goes_on, 0, RING_KINDS);
	tcase_add_loop_test(t, a_broken_ring, 0, 4);
	tcase_add_loop_test(t, the_next_frontend, 0, RING_KINDS);
	suite_add_tcase(s, t);
	return s;
}

/* ---- Memory ---- */

/* How many bytes of such a file are mapped; the frontend and the tests map all, once. */
static uint64_t mapped(const char *name)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long long first, end;
	uint64_t sum = 0;
	char line[512];

	ck_assert_ptr_nonnull(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (strstr(line, name) && sscanf(line, "%llx-%llx", &first, &end) == 2)
			sum += end - first;
	}
	fclose(maps);
	return sum;
}

static uint64_t memory_size(const struct setup *s)
{
	return s->front->regions[0].size + s->front->regions[1].size;
}

static void expect_mapped(const struct setup *s, uint64_t bytes)
{
	ck_assert_uint_eq(mapped("memfd:vhostfront"), memory_size(s) + bytes);
}

START_TEST(unsealed_memory)
{
	struct vtc_vhost_user_opts o = VTC_VHOST_USER_OPTS_INIT;
	const struct vhostfront_plan plan = { .unsealed = true };
	struct setup *s = setup_new(&plan, NULL);

	vhostfront_hello(s->front);
	ck_assert_uint_eq(vhostfront_set_features(s->front, 0), 0);
	ck_assert_uint_eq(vhostfront_set_memory(s->front), 1);
	expect_mapped(s, 0);
	expect_left(s, "share sealed memory (QEMU: memory-backend-memfd), or open the "
		       "port with VTC_VHOST_USER_F_TRUSTED");
	setup_free(s);
	o.flags = VTC_VHOST_USER_F_TRUSTED;
	s = setup_started(&plan, &o);
	exchange(s, 0);
	setup_free(s);
}
END_TEST

START_TEST(the_same_table_again)
{
	struct vhostfront_plan plan = plan_of(_i);
	struct setup *s;
	int memfd, again;
	char path[64];

	plan.protocol_off = BIT(VTC__VHOST_PF_MEM_SLOTS);
	s = setup_started(&plan, NULL);
	expect_mapped(s, memory_size(s));
	memfd = s->front->memfd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd);
	again = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(again, 0);
	for (unsigned int i = 0; i < 5; i++) {
		exchange(s, 100 * i);
		vhostfront_post(s->front, 0, 5);
		/* Mapped anew it could not be written to. */
		s->front->memfd = again;
		ck_assert_uint_eq(vhostfront_set_memory(s->front), 0);
		s->front->memfd = memfd;
		ck_assert_uint_eq(info_of(s).ready, 1);
	}
	close(again);
	expect_mapped(s, memory_size(s));
	vhostfront_disconnect(s->front);
	rig_run(s->rig);
	expect_mapped(s, 0);
	setup_free(s);
}
END_TEST

static uint64_t tell_region(struct vhostfront *f, uint32_t request,
			    const struct vtc__vhost_region *region)
{
	const struct vtc__vhost_mem_reg r = { .region = *region };

	return vhostfront_tell(f, request, &r, sizeof(r),
			       request == VTC__VHOST_ADD_MEM_REG ? f->memfd : -1);
}

/* The rings stop when their memory goes, and go on when it is back, wherever that is. */
START_TEST(memory_goes_and_comes_back)
{
	struct vhostfront_plan plan = plan_of(_i);
	struct setup *s = setup_started(&plan, NULL);
	struct vtc__vhost_region rings = s->front->regions[0];

	for (unsigned int i = 0; i < 5; i++) {
		exchange(s, 100 * i);
		vhostfront_post(s->front, 0, 5);
		ck_assert_uint_eq(tell_region(s->front, VTC__VHOST_REM_MEM_REG, &rings),
				  0);
		ck_assert_uint_eq(info_of(s).ready, 0);
		expect_mapped(s, s->front->regions[1].size);
		rings.guest_addr += 0x10000000;
		ck_assert_uint_eq(tell_region(s->front, VTC__VHOST_ADD_MEM_REG, &rings),
				  0);
		ck_assert_uint_eq(info_of(s).ready, 1);
	}
	exchange(s, 1000);
	ck_assert_uint_eq(
		tell_region(s->front, VTC__VHOST_REM_MEM_REG, &s->front->regions[0]), 1);
	expect_left(s, "no such region");
	setup_free(s);
}
END_TEST

START_TEST(a_table_that_changes)
{
	struct vhostfront_plan plan = plan_of(_i);
	struct setup *s;

	plan.protocol_off = BIT(VTC__VHOST_PF_MEM_SLOTS);
	s = setup_started(&plan, NULL);
	for (unsigned int i = 0; i < 5; i++) {
		exchange(s, 100 * i);
		vhostfront_post(s->front, 0, 5);
		/* Only the frontend's own addresses: the rings' change with them. */
		s->front->regions[0].user_addr += 0x100000000;
		ck_assert_uint_eq(vhostfront_set_memory(s->front), 0);
		ck_assert_uint_eq(info_of(s).ready, 0);
		for (unsigned int ring = 0; ring < 2; ring++)
			ck_assert_uint_eq(vhostfront_set_addr(s->front, ring), 0);
		ck_assert_uint_eq(info_of(s).ready, 1);
		expect_mapped(s, memory_size(s));
	}
	exchange(s, 1000);
	setup_free(s);
}
END_TEST

START_TEST(many_regions)
{
	struct setup *s = setup_started(NULL, NULL);
	struct vtc__vhost_region r = { 0x900000000, 4096, 0x100000, 0 };

	for (unsigned int i = 0; i < 507; i++) {
		ck_assert_uint_eq(tell_region(s->front, VTC__VHOST_ADD_MEM_REG, &r), 0);
		r.guest_addr += 8192;
		r.user_addr += 8192;
		r.mmap_offset = (i % 16) * 4096;
	}
	exchange(s, 0);
	ck_assert_uint_eq(tell_region(s->front, VTC__VHOST_ADD_MEM_REG, &r), 1);
	expect_left(s, "too many regions");
	expect_mapped(s, 0);
	setup_free(s);
}
END_TEST

START_TEST(regions_that_cannot_be)
{
	static const struct {
		struct vtc__vhost_region region;
		const char *why;
	} row[] = {
		{ { 0x200000000, 0, 0x1000, 0 }, "empty" },
		{ { UINT64_MAX - 4095, 8192, 0x1000, 0 }, "wrap" },
		{ { 0x200000000, 8192, UINT64_MAX - 4095, 0 }, "wrap" },
		{ { 0x200000000, UINT64_MAX, 0x1000, 0 }, "wrap" },
		{ { 0x200000000, 4096, 0x1000, 0x7ffffffffffff000 }, "" },
		{ { 0x200000000, 4096, 0x1000, 0x10000000 }, "file ends" },
		{ { 0x200000000, 0x10000000000, 0x1000, 0 }, "file ends" },
		{ { 0x140000000, 4096, 0x1000, 0 }, "overlaps" },
		{ { 0x200000000, 4096, 0x550000000000, 0 }, "overlaps" },
		{ { 0x200000000, 4096, 0x54fffffff001, 0 }, "overlaps" },
	};
	struct setup *s = setup_started(NULL, NULL);

	ck_assert_uint_eq(tell_region(s->front, VTC__VHOST_ADD_MEM_REG, &row[_i].region),
			  1);
	expect_left(s, row[_i].why);
	vhostfront_start(s->front);
	exchange(s, 0);
	setup_free(s);
}
END_TEST

/* ---- The dirty log ---- */

struct dirty {
	int fd;
	uint8_t *bits;
	size_t size;
};

static struct dirty dirty_new(size_t size, uint64_t offset)
{
	struct dirty d = { .size = size };

	d.fd = memfd_create("dirty", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ck_assert_int_eq(ftruncate(d.fd, (off_t)(size + offset)), 0);
	ck_assert_int_eq(fcntl(d.fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	d.bits =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, d.fd, (off_t)offset);
	ck_assert_ptr_ne(d.bits, MAP_FAILED);
	return d;
}

static void dirty_free(struct dirty *d)
{
	munmap(d->bits, d->size);
	close(d->fd);
}

static bool dirty_has(const struct dirty *d, uint64_t guest_addr)
{
	return d->bits[guest_addr >> 15] >> (guest_addr >> 12 & 7) & 1;
}

static void dirty_set(struct dirty *d, uint64_t addr, uint64_t len)
{
	for (uint64_t page = addr >> 12; page <= (addr + len - 1) >> 12; page++)
		d->bits[page >> 3] |= (uint8_t)(1u << (page & 7));
}

static int set_log(struct vhostfront *f, const struct dirty *d, uint64_t offset)
{
	const struct vtc__vhost_log log = { d->size, offset };
	struct vhostclient_reply r;
	int n = -EAGAIN;

	vhostfront_say(f, VTC__VHOST_SET_LOG_BASE, &log, sizeof(log), d->fd);
	for (int i = 0; i < 3 && n == -EAGAIN; i++) {
		f->step(f->data);
		n = vhostclient_receive(f->fd, &r);
	}
	return n;
}

/* All that is possible in this ring, as the device writes to it. */
static void expect_ring(struct vhostfront *f, struct dirty *want, unsigned int ring)
{
	bool packed = f->features & BIT(VTC_VRING_F_PACKED);

	if (packed)
		dirty_set(want, f->ring[ring].at[0], 16ull * f->plan.ring_size);
	else
		dirty_set(want, f->ring[ring].at[2], 6 + 8ull * f->plan.ring_size);
	/* Nobody waits for receive buffers here. */
	if (ring)
		dirty_set(want, f->ring[ring].at[2], 4);
}

/* Packets to the guest into buffers of a page, so that each has its own bit. */
START_TEST(logs_what_it_writes)
{
	const size_t size = (0x140000000ull + (1u << 22)) >> 15;
	struct vhostfront_plan plan = plan_of(_i);
	struct dirty log = dirty_new(size, 4096), want = dirty_new(size, 0);
	struct setup *s;
	struct vhostfront *f;

	plan.buffer_len = 4096;
	s = setup_started(&plan, NULL);
	f = s->front;
	exchange(s, 0);
	ck_assert_int_eq(set_log(f, &log, 4096), 1);
	exchange(s, 100);
	ck_assert_mem_eq(log.bits, want.bits, size);
	ck_assert_uint_eq(vhostfront_set_features(f, BIT(VTC__VHOST_F_LOG_ALL)), 0);
	for (unsigned int i = 0; i < 64; i++) {
		unsigned int slot = f->ring[0].free[f->ring[0].free_count - 1];
		uint64_t addr = vhostfront_slot(f, 0, slot);

		vhostfront_post(f, 0, 1);
		ck_assert_uint_eq(dirty_has(&log, addr), dirty_has(&want, addr));
		ck_assert_int_eq(give(s, 0, 100, i), 1);
		dirty_set(&want, addr, 112);
		vhostfront_expect(f, 0, 100, i);
		vhostfront_send(f, 0, 100, i, 1, false);
		rig_run(s->rig);
	}
	expect_ring(f, &want, 0);
	expect_ring(f, &want, 1);
	ck_assert_mem_eq(log.bits, want.bits, size);
	/* Off again. */
	memset(log.bits, 0, size);
	ck_assert_uint_eq(vhostfront_set_features(f, 0), 0);
	exchange(s, 100);
	memset(want.bits, 0, size);
	ck_assert_mem_eq(log.bits, want.bits, size);
	setup_free(s);
	dirty_free(&log);
	dirty_free(&want);
}
END_TEST

START_TEST(the_next_log)
{
	const size_t size = (0x140000000ull + (1u << 22)) >> 15;
	struct vhostfront_plan plan = plan_of(_i);
	struct setup *s = setup_started(&plan, NULL);
	struct dirty a = dirty_new(size, 0), b = dirty_new(size, 0);
	uint64_t ring = s->front->ring[0].at[_i & 1 ? 0 : 2],
		 map_size = (size + 4095) & ~4095ull;

	ck_assert_int_eq(set_log(s->front, &a, 0), 1);
	ck_assert_uint_eq(vhostfront_set_features(s->front, BIT(VTC__VHOST_F_LOG_ALL)),
			  0);
	exchange(s, 0);
	ck_assert(dirty_has(&a, ring));
	memset(a.bits, 0, size);
	ck_assert_int_eq(set_log(s->front, &b, 0), 1);
	ck_assert_uint_eq(mapped("memfd:dirty"), 3 * map_size);
	exchange(s, 0);
	ck_assert(dirty_has(&b, ring));
	ck_assert(!dirty_has(&a, ring));
	/* Rings that start later log, too. */
	memset(b.bits, 0, size);
	vhostfront_stop(s->front);
	vhostfront_start_ring(s->front, 0);
	vhostfront_start_ring(s->front, 1);
	exchange(s, 100);
	ck_assert(dirty_has(&b, ring));
	vhostfront_disconnect(s->front);
	rig_run(s->rig);
	ck_assert_uint_eq(mapped("memfd:dirty"), 2 * map_size);
	dirty_free(&a);
	dirty_free(&b);
	setup_free(s);
}
END_TEST

START_TEST(a_log_that_is_too_small)
{
	struct setup *s = setup_started(NULL, NULL);
	struct dirty log = dirty_new(0x140000000ull >> 15, 0);

	exchange(s, 0);
	if (!_i) {
		ck_assert_int_eq(set_log(s->front, &log, 0), 0);
	} else {
		/* Or longer than its file. */
		log.size = 1u << 20;
		ck_assert_int_eq(set_log(s->front, &log, 0), 0);
		log.size = 0x140000000ull >> 15;
	}
	expect_left(s, _i ? "file ends" : "dirty log ends before the memory");
	ck_assert_uint_eq(mapped("memfd:dirty"), log.size);
	dirty_free(&log);
	setup_free(s);
}
END_TEST

static Suite *memories(void)
{
	Suite *s = vtct_suite("memory", unsealed_memory, many_regions, NULL);
	TCase *t = tcase_create("variants");

	tcase_add_loop_test(t, the_same_table_again, 0, RING_KINDS);
	tcase_add_loop_test(t, memory_goes_and_comes_back, 0, RING_KINDS);
	tcase_add_loop_test(t, a_table_that_changes, 0, RING_KINDS);
	tcase_add_loop_test(t, regions_that_cannot_be, 0, 10);
	tcase_add_loop_test(t, logs_what_it_writes, 0, RING_KINDS);
	tcase_add_loop_test(t, the_next_log, 0, RING_KINDS);
	tcase_add_loop_test(t, a_log_that_is_too_small, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

/* ---- Records of what is in flight ---- */

static uint8_t *map_record(const struct setup *s)
{
	uint8_t *p = mmap(NULL, s->front->inflight.size, PROT_READ | PROT_WRITE,
			  MAP_SHARED, s->front->inflight_fd, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	return p;
}

static uint8_t *ring_record(const struct setup *s, uint8_t *record, unsigned int ring)
{
	bool packed = s->front->features & BIT(VTC_VRING_F_PACKED);

	return record +
	       ring * vtc__vhost_record_size(packed, (uint16_t)s->front->plan.ring_size);
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

START_TEST(keeps_a_record)
{
	struct vhostfront_plan plan = plan_of(_i);
	struct setup *s;
	struct vhostfront *f;
	uint8_t *record, *ring;

	plan.inflight = true;
	s = setup_started(&plan, NULL);
	f = s->front;
	record = map_record(s);
	for (unsigned int i = 0; i < 5; i++)
		exchange(s, 100 * i);
	for (unsigned int i = 0; i < 2; i++) {
		ring = ring_record(s, record, i);
		ck_assert_uint_eq(get16(ring + 8), 1);
		ck_assert_uint_eq(get16(ring + 10), 64);
		if (!(_i & 1))
			ck_assert_uint_eq(get16(ring + 14),
					  get16(vhostfront_at(f, f->ring[i].at[2]) + 2));
		vhostfront_stop_ring(f, i);
		if (_i & 1)
			ck_assert_uint_eq(get16(ring + 18), f->ring[i].base & 0x7fff);
		ck_assert_uint_eq(get16(ring + 8), 0);
	}
	munmap(record, f->inflight.size);
	/* Once more; and after a reset of the guest. */
	for (unsigned int i = 0; i < 2; i++)
		vhostfront_start_ring(f, i);
	exchange(s, 1000);
	vhostfront_stop(f);
	vhostfront_reset_rings(f);
	for (unsigned int i = 0; i < 2; i++)
		vhostfront_start_ring(f, i);
	exchange(s, 2000);
	ck_assert_uint_eq(mapped("memfd:vhost-inflight"),
			  (f->inflight.size + 4095) & ~4095ull);
	vhostfront_disconnect(f);
	rig_run(s->rig);
	ck_assert_uint_eq(mapped("memfd:vhost-inflight"), 0);
	setup_free(s);
}
END_TEST

/* Take five packets, and give back the second and the fourth: the heads. */
static void be_another_backend(struct vhostfront *f, uint16_t used, uint32_t heads[5])
{
	struct vtc_vring_opts o = VTC_VRING_OPTS_INIT;
	struct vtc_segment segments[16];
	struct vtc_chain chains[5];
	struct vtc_done done[2];
	struct vtc_vring *v;

	o.size = f->plan.ring_size;
	o.features[0] = f->features;
	o.desc_addr = f->ring[1].at[0];
	o.driver_addr = f->ring[1].at[1];
	o.device_addr = f->ring[1].at[2];
	o.state.avail = o.state.used = used;
	ck_assert_errno(vtc_vring_new(f->ctx, f->mem, &o, &v), 0);
	ck_assert_int_eq(vtc_vring_pull(v, chains, 5, segments, 16), 5);
	for (unsigned int i = 0; i < 5; i++)
		heads[i] = chains[i].id;
	done[0] = (struct vtc_done){ heads[3], 0 };
	done[1] = (struct vtc_done){ heads[1], 0 };
	ck_assert_errno(vtc_vring_push(v, done, 2), 0);
	ck_assert_int_ge(vtc_vring_flush(v), 0);
	vtc_vring_free(v);
}

static void write_mark(uint8_t *ring, uint32_t head, uint64_t counter, uint16_t next)
{
	uint8_t *entry = ring + 16 + 16 * head;

	entry[0] = 1;
	memcpy(entry + 6, &next, sizeof(next));
	memcpy(entry + 8, &counter, sizeof(counter));
}

/* One that completes out of order, and was killed before it could unmark what it did. */
START_TEST(follows_another_backend)
{
	struct vhostfront_plan plan = plan_of(4);
	struct setup *s;
	struct vhostfront *f;
	uint8_t *record, *ring;
	uint32_t heads[5];
	uint16_t used, head;

	plan.inflight = true;
	s = setup_started(&plan, NULL);
	f = s->front;
	exchange(s, 0);
	vhostfront_disconnect(f);
	rig_run(s->rig);
	used = get16(vhostfront_at(f, f->ring[1].at[2]) + 2);
	for (unsigned int i = 0; i < 7; i++)
		vhostfront_send(f, 0, 100, 900 + i, 1, true);
	be_another_backend(f, used, heads);
	record = map_record(s);
	ring = ring_record(s, record, 1);
	ck_assert_uint_eq(get16(ring + 14), used);
	for (unsigned int i = 0; i < 5; i++)
		write_mark(ring, heads[i], 50 - i, i == 1 ? (uint16_t)heads[3] : 0);
	head = (uint16_t)heads[1];
	memcpy(ring + 12, &head, sizeof(head));
	s->sink.count = 0;
	s->sink.room = 2;
	for (unsigned int i = 0; i < 2; i++)
		f->ring[i].base = get16(vhostfront_at(f, f->ring[i].at[2]) + 2);
	vhostfront_connect(f, s->path);
	vhostfront_hello(f);
	vhostfront_start(f);
	rig_run(s->rig);
	/* By the counters, which go down here: fifth and third; not yet the first. */
	ck_assert_uint_eq(s->sink.count, 2);
	ck_assert_uint_eq(s->sink.seen[0], 904);
	ck_assert_uint_eq(s->sink.seen[1], 902);
	ck_assert_uint_eq(ring[16 + 16 * heads[4]], 0);
	ck_assert_uint_eq(ring[16 + 16 * heads[0]], 1);
	/* Killed here again, the next one has one left. */
	vhostfront_disconnect(f);
	rig_run(s->rig);
	s->sink.room = UINT32_MAX;
	f->ring[1].base = get16(vhostfront_at(f, f->ring[1].at[2]) + 2);
	vhostfront_connect(f, s->path);
	vhostfront_hello(f);
	vhostfront_start(f);
	rig_run(s->rig);
	ck_assert_uint_eq(s->sink.count, 5);
	ck_assert_uint_eq(s->sink.seen[2], 900);
	ck_assert_uint_eq(s->sink.seen[3], 905);
	ck_assert_uint_eq(s->sink.seen[4], 906);
	ck_assert_uint_eq(vhostfront_unsent(f, 0), 0);
	ck_assert_uint_eq(ring[16 + 16 * heads[0]], 0);
	exchange(s, 1000);
	munmap(record, f->inflight.size);
	setup_free(s);
}
END_TEST

START_TEST(a_record_that_makes_no_sense)
{
	struct vhostfront_plan plan = plan_of(_i);
	struct setup *s;
	struct vhostfront *f;
	uint8_t *record;

	plan.inflight = true;
	s = setup_started(&plan, NULL);
	f = s->front;
	exchange(s, 0);
	vhostfront_disconnect(f);
	rig_run(s->rig);
	record = map_record(s);
	memset(ring_record(s, record, 1) + 12, 0xff, 6);
	vhostfront_connect(f, s->path);
	vhostfront_hello(f);
	for (unsigned int i = 0; i < 2; i++)
		f->ring[i].base = get16(vhostfront_at(f, f->ring[i].at[2]) + 2);
	vhostfront_start(f);
	/* The other direction has nothing to do with that. */
	ck_assert_uint_eq(info_of(s).connected, 1);
	ck_assert_str_eq(info_of(s).error,
			 "ring 1: the in-flight record contradicts itself");
	ck_assert_uint_eq(info_of(s).ready, 1);
	vhostfront_post(f, 0, 1);
	ck_assert_int_eq(give(s, 0, 100, 1), 1);
	vhostfront_expect(f, 0, 100, 1);
	ck_assert(vhostfront_ask_u64(f, VTC__VHOST_GET_STATUS) & 0x40);
	munmap(record, f->inflight.size);
	setup_free(s);
}
END_TEST

START_TEST(records_that_cannot_be)
{
	static const struct {
		struct vtc__vhost_inflight record;
		const char *why;
	} row[] = {
		{ { 4096, 0, 0, 64, 0 }, "number of rings" },
		{ { 4096, 0, 3, 64, 0 }, "number of rings" },
		{ { 4096, 0, 2, 0, 0 }, "size of a ring" },
		{ { 4096, 0, 2, 32769, 0 }, "size of a ring" },
		{ { 2303, 0, 2, 64, 0 }, "too small" },
		{ { 8192, 4, 2, 64, 0 }, "not aligned" },
		{ { 8192, 1ull << 40, 2, 64, 0 }, "file ends" },
		{ { UINT64_MAX, 8, 2, 64, 0 }, "" },
	};
	struct setup *s = setup_new(NULL, NULL);
	struct vhostfront *f = s->front;

	vhostfront_hello(f);
	ck_assert_uint_eq(vhostfront_set_features(f, 0), 0);
	ck_assert_uint_eq(vhostfront_tell(f, VTC__VHOST_SET_INFLIGHT_FD, &row[_i].record,
					  20, f->memfd),
			  1);
	expect_left(s, row[_i].why);
	if (_i < 4) {
		vhostfront_say(f, VTC__VHOST_GET_INFLIGHT_FD, &row[_i].record, 20, -1);
		expect_left(s, row[_i].why);
	}
	vhostfront_start(f);
	exchange(s, 0);
	setup_free(s);
}
END_TEST

static Suite *records(void)
{
	Suite *s = vtct_suite("records", follows_another_backend, NULL);
	TCase *t = tcase_create("variants");

	tcase_add_loop_test(t, keeps_a_record, 0, RING_KINDS);
	tcase_add_loop_test(t, a_record_that_makes_no_sense, 0, 4);
	tcase_add_loop_test(t, records_that_cannot_be, 0, 8);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return vtct_main(handshakes(), devices(), ring_suite(), memories(), records(),
			 NULL);
}
