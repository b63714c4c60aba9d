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

int main(void)
{
	return vtct_main(handshakes(), NULL);
}
