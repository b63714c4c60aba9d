/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The frontend against a scripted backend: what it says, and how it takes it when the
 * other side refuses, is silent, late, wrong or gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vtc/port.h>

#include "endpoint/vhost-frontend.h"
#include "rig.h"
#include "vhostback.h"
#include "vhostclient.h"
#include "vtct.h"

#define BIT(n)	     (1ull << (n))
#define SECOND	     1000000000ull
#define HDR	     12u
#define RX	     0u /* rings */
#define TX	     1u
#define PACKET_MAX   70000u
#define SEALS	     (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define REPLY_FLAGS  (VTC__VHOST_VERSION | VTC__VHOST_REPLY)
#define AT_USED	     4u /* of the used ring: its first element */
#define USED_ELEMENT 8u

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0

/* Memory that runs out: what the library calls, in front of the C library's own. */
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_memalign(size_t align, size_t size);

#define EXPORTED __attribute__((visibility("default")))

static unsigned int fail_in; /* allocations from now; 0: never */

static bool fails(void)
{
	return fail_in && --fail_in == 0;
}

EXPORTED void *calloc(size_t count, size_t size)
{
	return fails() ? NULL : __libc_calloc(count, size);
}

EXPORTED void *aligned_alloc(size_t align, size_t size)
{
	return fails() ? NULL : __libc_memalign(align, size);
}
#endif

static struct rig *rig;
static struct vtc_port *port, *callback;
static struct vhostback back;
static struct vtc_vhost_user_opts opts;
static char path[108];
static int listener, fds_before;

/* What the callback got. */
static unsigned int got;
static uint8_t packet[PACKET_MAX];
static uint32_t packet_len;

static unsigned int receive(void *data, unsigned int queue,
			    const struct vtc_packet *packets, unsigned int count)
{
	(void)data;
	(void)queue;
	for (unsigned int i = 0; i < count; i++) {
		packet_len = 0;
		for (unsigned int k = 0; k < packets[i].count; k++) {
			const struct vtc_segment *s = &packets[i].segments[k];

			memcpy(packet + packet_len, s->base, s->len);
			packet_len += (uint32_t)s->len;
		}
		got++;
	}
	return count;
}

/* Each look at the clock costs a tick. */
static uint64_t now_ns, tick_ns;

static uint64_t now(void *data)
{
	(void)data;
	return now_ns += tick_ns;
}

static struct rig *new_rig(void)
{
	struct vtc_ctx_opts o = VTC_CTX_OPTS_INIT;
	struct rig *r = vtct_alloc(sizeof(*r));

	*r = (struct rig){ 0 };
	now_ns = SECOND;
	tick_ns = 100;
	o.clock = now;
	ck_assert_errno(vtc_ctx_new(&o, &r->ctx), 0);
	ck_assert_errno(vtc_relay_new(r->ctx, NULL, &r->relay), 0);
	return r;
}

static void begin(void)
{
	fds_before = vtct_count_fds();
	opts = (struct vtc_vhost_user_opts)VTC_VHOST_USER_OPTS_INIT;
	opts.role = VTC_VRING_DRIVER;
	opts.ring_size = 64;
	listener = -1;
	got = 0;
	rig = new_rig();
}

static void join(void)
{
	struct vtc_callback_opts c = { .sz = sizeof(c),
				       .flags = VTC_CALLBACK_F_OFFLOAD,
				       .packets = receive };

	ck_assert_errno(vtc_port_new_callback(rig->ctx, &c, &callback), 0);
	ck_assert_errno(vtc_relay_join(rig->relay, port, callback), 0);
}

static void join_anew(void)
{
	vtc_port_close(callback);
	join();
}

static void open_port(void)
{
	ck_assert_errno(vtc_port_open_vhost_user(rig->ctx, &opts, &port), 0);
	join();
}

static void open_connected(void)
{
	int fds[2];

	vhostclient_pair(fds);
	opts.fd = fds[0];
	open_port();
	close(fds[0]);
	vhostback_open(&back, fds[1]);
}

/* The first time at once, then after a pause. */
static void accept_backend(void)
{
	int fd = -1;

	for (int i = 0; i < 100; i++) {
		(void)rig_run(rig);
		fd = vhostclient_accept(listener);
		if (fd >= 0)
			break;
		now_ns += SECOND;
		(void)rig_is_ready(rig, true);
	}
	ck_assert_int_ge(fd, 0);
	vhostback_open(&back, fd);
}

static void open_at_path(void)
{
	(void)snprintf(path, sizeof(path), "%s/socket", vtct_dir());
	(void)unlink(path);
	listener = vhostclient_listen(path);
	opts.path = path;
	open_port();
	accept_backend();
}

static void end(void)
{
	vtc_port_close(port);
	vtc_port_close(callback);
	rig_free(rig);
	vhostback_close(&back);
	if (listener >= 0)
		close(listener);
	ck_assert_int_eq(vtct_count_fds(), fds_before);
}

static struct vtc_port_info info(void)
{
	struct vtc_port_info i = { .sz = sizeof(i) };

	ck_assert_errno(vtc_port_get_info(port, &i), 0);
	return i;
}

/* Both sides, until neither has anything to say. */
static void talk(void)
{
	for (int i = 0; i < 300; i++) {
		(void)rig_run(rig);
		if (!vhostback_serve(&back))
			return;
	}
}

static void talk_until_ready(void)
{
	talk();
	ck_assert_msg(info().ready, "not ready: %s", info().error);
}

static void check_left(const char *why)
{
	ck_assert_uint_eq(info().connected, 0);
	ck_assert_uint_eq(info().ready, 0);
	ck_assert_ptr_nonnull(info().error);
	ck_assert_str_eq(info().error, why);
}

/* ---- What it says ---- */

static const uint32_t hello[] = {
	VTC__VHOST_SET_OWNER,
	VTC__VHOST_GET_FEATURES,
	VTC__VHOST_GET_PROTOCOL_FEATURES,
	VTC__VHOST_SET_PROTOCOL_FEATURES,
	VTC__VHOST_SET_FEATURES,
	VTC__VHOST_SET_MEM_TABLE,
	VTC__VHOST_GET_FEATURES,
};

static const uint32_t ring_setup[] = {
	VTC__VHOST_SET_VRING_NUM,  VTC__VHOST_SET_VRING_BASE, VTC__VHOST_SET_VRING_ADDR,
	VTC__VHOST_SET_VRING_KICK, VTC__VHOST_SET_VRING_CALL, VTC__VHOST_SET_VRING_ENABLE,
	VTC__VHOST_GET_FEATURES,
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MESSAGES (COUNT(hello) + 2 * COUNT(ring_setup))

static uint32_t expected(unsigned int message)
{
	return message < COUNT(hello)
		       ? hello[message]
		       : ring_setup[(message - COUNT(hello)) % COUNT(ring_setup)];
}

static bool was_rung(int eventfd)
{
	struct pollfd p = { eventfd, POLLIN, 0 };

	return poll(&p, 1, 0) == 1;
}

START_TEST(says_all_that_is_needed)
{
	open_connected();
	talk_until_ready();
	ck_assert_uint_eq(back.messages, MESSAGES);
	for (unsigned int i = 0; i < MESSAGES; i++)
		ck_assert_uint_eq(back.history[i], expected(i));
	ck_assert_uint_eq(back.surplus, 0);
	ck_assert_uint_eq(back.protocol,
			  BIT(VTC__VHOST_PF_MQ) | BIT(VTC__VHOST_PF_REPLY_ACK));
	ck_assert_int_eq(fcntl(back.memfd, F_GET_SEALS) & SEALS, SEALS);
	ck_assert_uint_eq(info().ready, 1);
	ck_assert_uint_eq(info().connections, 1);
	ck_assert(info().features[0] == back.features);
	end();
}
END_TEST

START_TEST(says_where_the_rings_are)
{
	bool packed = _i;

	opts.features_off[0] = packed ? 0 : BIT(VTC_VRING_F_PACKED);
	open_connected();
	talk_until_ready();
	for (unsigned int i = 0; i < 2; i++) {
		const struct vhostback_ring *r = &back.ring[i];

		ck_assert_uint_eq(r->num, 64);
		ck_assert_uint_eq(r->base, packed ? 0x80008000 : 0);
		ck_assert_uint_eq(r->addr.flags, 0);
		ck_assert(r->enabled);
		ck_assert(was_rung(r->kick));
		ck_assert(!was_rung(r->call));
		ck_assert_int_ne(fcntl(r->kick, F_GETFL) & O_NONBLOCK, 0);
		(void)vhostback_vring(&back, i);
	}
	ck_assert(back.region.guest_addr != back.region.user_addr);
	end();
}
END_TEST

START_TEST(talks_to_old_backends)
{
	open_connected();
	back.offered = BIT(VTC__F_VERSION_1);
	talk_until_ready();
	ck_assert_uint_eq(back.features, BIT(VTC__F_VERSION_1));
	ck_assert_uint_eq(back.messages, 5 + 2 * (COUNT(ring_setup) - 1));
	ck_assert(!back.ring[RX].enabled);
	end();
}
END_TEST

START_TEST(talks_to_backends_that_acknowledge_nothing)
{
	open_connected();
	back.protocol_offered = BIT(VTC__VHOST_PF_MQ);
	talk_until_ready();
	ck_assert_uint_eq(back.messages, MESSAGES);
	end();
}
END_TEST

START_TEST(takes_as_many_queues_as_there_are)
{
	static const uint64_t queues[] = { 1, 2, 3, UINT64_MAX };

	opts.queue_pairs = 3;
	open_connected();
	back.queues = queues[_i];
	talk_until_ready();
	ck_assert_uint_eq(info().ready, queues[_i] < 3 ? queues[_i] : 3);
	ck_assert_uint_eq(info().queue_pairs, 3);
	end();
}
END_TEST

START_TEST(takes_one_queue_without_mq)
{
	opts.queue_pairs = 3;
	open_connected();
	if (_i)
		back.offered &= ~BIT(VTC_NET_F_MQ);
	else
		back.protocol_offered &= ~BIT(VTC__VHOST_PF_MQ);
	talk_until_ready();
	ck_assert_uint_eq(info().ready, 1);
	end();
}
END_TEST

#define ALWAYS (BIT(VTC__F_VERSION_1) | BIT(VTC__VHOST_F_PROTOCOL_FEATURES))
#define RINGS                                                  \
	(BIT(VTC_VRING_F_PACKED) | BIT(VTC_VRING_F_IN_ORDER) | \
	 BIT(VTC_VRING_F_EVENT_IDX) | BIT(VTC_VRING_F_INDIRECT))
#define SUMS (BIT(VTC_NET_F_CSUM) | BIT(VTC_NET_F_GUEST_CSUM))
#define SEND_LARGE                                                                       \
	(BIT(VTC_NET_F_HOST_TSO4) | BIT(VTC_NET_F_HOST_TSO6) | BIT(VTC_NET_F_HOST_ECN) | \
	 BIT(VTC_NET_F_HOST_USO))
#define TAKE_LARGE                                               \
	(BIT(VTC_NET_F_GUEST_TSO4) | BIT(VTC_NET_F_GUEST_TSO6) | \
	 BIT(VTC_NET_F_GUEST_ECN) | BIT(VTC_NET_F_GUEST_USO4) |  \
	 BIT(VTC_NET_F_GUEST_USO6))
#define MERGE BIT(VTC_NET_F_MRG_RXBUF)

static const struct {
	uint64_t offered_off, off;
	uint32_t ring_size, buffer_size;
	uint64_t taken;
} choices[] = {
	{ 0, 0, 64, 2048, ALWAYS | RINGS | SUMS | SEND_LARGE | TAKE_LARGE | MERGE },
	{ 0, MERGE, 64, 2048, ALWAYS | RINGS | SUMS | SEND_LARGE },
	{ MERGE, 0, 64, 2048, ALWAYS | RINGS | SUMS | SEND_LARGE },
	{ MERGE, 0, 4, 66000, ALWAYS | RINGS | SUMS | SEND_LARGE | TAKE_LARGE },
	{ 0, 0, 16, 2048, ALWAYS | RINGS | SUMS | MERGE },
	{ 0, 0, 512, 64, ALWAYS | RINGS | SUMS | MERGE },
	{ BIT(VTC_NET_F_CSUM), 0, 64, 2048,
	  ALWAYS | RINGS | BIT(VTC_NET_F_GUEST_CSUM) | TAKE_LARGE | MERGE },
	{ 0, BIT(VTC_NET_F_GUEST_CSUM), 64, 2048,
	  ALWAYS | RINGS | BIT(VTC_NET_F_CSUM) | SEND_LARGE | MERGE },
	{ BIT(VTC_NET_F_HOST_TSO4) | BIT(VTC_NET_F_HOST_TSO6), 0, 64, 2048,
	  ALWAYS | RINGS | SUMS | BIT(VTC_NET_F_HOST_USO) | TAKE_LARGE | MERGE },
	{ 0, BIT(VTC_NET_F_GUEST_TSO4) | BIT(VTC_NET_F_GUEST_TSO6), 64, 2048,
	  ALWAYS | RINGS | SUMS | SEND_LARGE | MERGE | BIT(VTC_NET_F_GUEST_USO4) |
		  BIT(VTC_NET_F_GUEST_USO6) },
	{ RINGS, 0, 64, 2048, ALWAYS | SUMS | SEND_LARGE | TAKE_LARGE | MERGE },
};

START_TEST(takes_what_it_can_carry)
{
	opts.features_off[0] = choices[_i].off;
	opts.ring_size = choices[_i].ring_size;
	opts.buffer_size = choices[_i].buffer_size;
	open_connected();
	back.offered &= ~choices[_i].offered_off;
	talk_until_ready();
	ck_assert_msg(back.features == choices[_i].taken, "%#llx, not %#llx",
		      (unsigned long long)back.features,
		      (unsigned long long)choices[_i].taken);
	end();
}
END_TEST

/* ---- Backends that are no good ---- */

START_TEST(version_1_is_needed)
{
	open_connected();
	back.offered &= ~BIT(VTC__F_VERSION_1);
	talk();
	check_left("the backend does not offer VERSION_1");
	ck_assert_uint_eq(back.messages, 2);
	end();
}
END_TEST

START_TEST(queues_are_needed)
{
	opts.queue_pairs = 2;
	open_connected();
	back.queues = 0;
	talk();
	check_left("the backend has no queues");
	end();
}
END_TEST

START_TEST(a_refusal_is_told)
{
	static const struct {
		uint32_t request;
		const char *why;
	} refusals[] = {
		{ VTC__VHOST_SET_FEATURES, "the backend refused the features" },
		{ VTC__VHOST_SET_MEM_TABLE, "the backend refused the memory" },
		{ VTC__VHOST_SET_VRING_NUM, "the backend refused a ring" },
		{ VTC__VHOST_SET_VRING_KICK, "the backend refused a ring" },
		{ VTC__VHOST_SET_VRING_ENABLE, "the backend refused a ring" },
	};

	open_connected();
	back.refuse = refusals[_i].request;
	talk();
	check_left(refusals[_i].why);
	end();
}
END_TEST

/* A backend that is silent from some message on, for so long that it counts. */
START_TEST(silence_ends)
{
	open_connected();
	back.silent_from = _i;
	talk();
	ck_assert_uint_eq(info().connected, 1);
	ck_assert_uint_eq(info().ready, 0);
	tick_ns = 6 * SECOND;
	join_anew();
	ck_assert(rig_is_ready(rig, true));
	(void)rig_run(rig);
	check_left("the backend does not reply");
	ck_assert(!vhostback_serve(&back));
	end();
}
END_TEST

/* Each reply comes late, but not too late: after a pause without a relay. */
START_TEST(patience_begins_anew_with_each_reply)
{
	open_connected();
	for (int i = 0; i < 100 && !info().ready; i++) {
		now_ns += 4 * SECOND;
		(void)rig_run(rig);
		(void)vhostback_serve(&back);
		if (i % 3 == 0)
			join_anew();
	}
	ck_assert_uint_eq(info().ready, 1);
	end();
}
END_TEST

/* The backend goes at each message; the next one, too; then one stays. */
START_TEST(a_backend_may_go_at_any_time)
{
	open_connected();
	back.hang_up_at = _i;
	talk();
	ck_assert_uint_eq(info().connected, 0);
	ck_assert_ptr_nonnull(info().error);
	end();
}
END_TEST

static void say(const void *bytes, size_t len, int fd)
{
	ck_assert_int_eq(vhostclient_send(back.fd, bytes, len, &fd, fd >= 0), (int)len);
	(void)rig_run(rig);
}

static void say_u64(uint32_t request, uint32_t flags, int fd)
{
	const uint32_t m[] = { request, flags, 8, 0, 0 };

	say(m, sizeof(m), fd);
}

static void come_to(unsigned int message)
{
	open_connected();
	back.silent_from = (int)message;
	talk();
	ck_assert_uint_eq(info().connected, 1);
}

/* Replies to everything but what was asked. */
START_TEST(a_reply_to_no_question_is_refused)
{
	static const uint32_t requests[] = {
		VTC__VHOST_GET_PROTOCOL_FEATURES, VTC__VHOST_GET_QUEUE_NUM,
		VTC__VHOST_GET_VRING_BASE,	  VTC__VHOST_SET_FEATURES,
		VTC__VHOST_SET_VRING_ENABLE,
	};

	come_to(1);
	say_u64(requests[_i], REPLY_FLAGS, -1);
	ck_assert_uint_eq(info().connected, 0);
	ck_assert_ptr_nonnull(info().error);
	end();
}
END_TEST

START_TEST(a_reply_to_a_later_question_is_refused)
{
	come_to(6);
	say_u64(VTC__VHOST_GET_PROTOCOL_FEATURES, REPLY_FLAGS, -1);
	check_left("the backend replied to what it was not asked");
	end();
}
END_TEST

START_TEST(a_reply_when_all_is_said_is_refused)
{
	open_connected();
	talk_until_ready();
	say_u64(_i ? VTC__VHOST_GET_FEATURES : VTC__VHOST_SET_VRING_NUM, REPLY_FLAGS, -1);
	check_left("the backend replied to what it was not asked");
	end();
}
END_TEST

START_TEST(what_is_no_reply_is_refused)
{
	static const uint8_t noise[64] = { 0xff, 0xfe, 1, 2, 3, 4, 5, 0xff, 0x7f };

	come_to(1);
	switch (_i) {
	case 0:
		say(noise, sizeof(noise), -1);
		break;
	case 1:
		say_u64(VTC__VHOST_GET_FEATURES, VTC__VHOST_VERSION, -1);
		break;
	case 2:
		say_u64(VTC__VHOST_GET_FEATURES, VTC__VHOST_REPLY | 2, -1);
		break;
	case 3: /* with a descriptor, which is not to be kept */
		say_u64(VTC__VHOST_GET_FEATURES, REPLY_FLAGS, back.fd);
		break;
	default:
		say((const uint32_t[]){ VTC__VHOST_GET_FEATURES, REPLY_FLAGS, 4, 0 }, 16,
		    -1);
	}
	ck_assert_uint_eq(info().connected, 0);
	ck_assert_ptr_nonnull(info().error);
	end();
}
END_TEST

START_TEST(a_reply_in_pieces_is_one)
{
	static const uint64_t offered = BIT(VTC__F_VERSION_1);
	uint8_t m[20];

	come_to(1);
	memcpy(m, (const uint32_t[]){ VTC__VHOST_GET_FEATURES, REPLY_FLAGS, 8 }, 12);
	memcpy(m + 12, &offered, 8);
	for (unsigned int i = 0; i < sizeof(m); i++)
		say(m + i, 1, -1);
	back.silent_from = INT32_MAX;
	back.offered = offered;
	talk_until_ready();
	end();
}
END_TEST

/* ---- Packets ---- */

static struct vtc_port_stats stats(void)
{
	struct vtc_port_stats st = { .sz = sizeof(st) };

	ck_assert_errno(vtc_port_get_stats(port, 0, &st), 0);
	return st;
}

static void open_running(bool packed, bool mergeable)
{
	opts.features_off[0] |= BIT(VTC_VRING_F_EVENT_IDX) | BIT(VTC_VRING_F_IN_ORDER) |
				(packed ? 0 : BIT(VTC_VRING_F_PACKED)) |
				(mergeable ? 0 : MERGE);
	open_connected();
	talk_until_ready();
}

/* The device sends: bytes as they are, in as many buffers as it takes. */
static void device_sends_raw(const uint8_t *bytes, size_t len)
{
	struct vtc_vring *v = vhostback_vring(&back, RX);
	struct vtc_segment segments[64];
	struct vtc_chain chain;

	do {
		size_t part;

		ck_assert_int_eq(vtc_vring_pull(v, &chain, 1, segments, 64), 1);
		part = len < chain.writable_bytes ? len : chain.writable_bytes;
		memcpy(segments[0].base, bytes, part);
		ck_assert_errno(
			vtc_vring_push(v, &(struct vtc_done){ chain.id, (uint32_t)part },
				       1),
			0);
		bytes += part;
		len -= part;
	} while (len);
	if (vtc_vring_flush(v) == 1)
		ck_assert_int_eq(eventfd_write(back.ring[RX].call, 1), 0);
}

static void device_sends(size_t len, unsigned int buffers, unsigned int number)
{
	static uint8_t bytes[HDR + PACKET_MAX];

	memset(bytes, 0, HDR);
	bytes[10] = (uint8_t)buffers;
	bytes[11] = (uint8_t)(buffers >> 8);
	rig_fill(bytes + HDR, len, number);
	device_sends_raw(bytes, HDR + len);
}

static void expect(size_t len, unsigned int number)
{
	uint8_t bytes[PACKET_MAX];
	unsigned int before = got;

	(void)rig_run(rig);
	ck_assert_uint_eq(got, before + 1);
	ck_assert_uint_eq(packet_len, len);
	rig_fill(bytes, len, number);
	ck_assert_mem_eq(packet, bytes, len);
}

static int send_packet(size_t len, unsigned int number)
{
	static uint8_t bytes[PACKET_MAX];
	struct vtc_segment s = { bytes, len };
	struct vtc_packet p = { .segments = &s, .count = 1, .len = (uint32_t)len };

	rig_fill(bytes, len, number);
	return vtc_port_send(port, 0, &p, 1);
}

/* The device takes a packet and looks at it; not done with it yet. Which chain it is. */
static uint32_t device_takes(size_t len, unsigned int number, unsigned int pieces)
{
	static uint8_t bytes[HDR + PACKET_MAX], want[HDR + PACKET_MAX];
	struct vtc_segment segments[64];
	struct vtc_chain chain;
	size_t at = 0;

	ck_assert_int_eq(
		vtc_vring_pull(vhostback_vring(&back, TX), &chain, 1, segments, 64), 1);
	ck_assert_uint_eq(chain.readable, pieces);
	ck_assert_uint_eq(chain.writable, 0);
	for (unsigned int i = 0; i < chain.readable; i++) {
		memcpy(bytes + at, segments[i].base, segments[i].len);
		at += segments[i].len;
	}
	ck_assert_uint_eq(at, HDR + len);
	memset(want, 0, HDR);
	rig_fill(want + HDR, len, number);
	ck_assert_mem_eq(bytes, want, HDR + len);
	return chain.id;
}

static void device_has_none(void)
{
	struct vtc_segment segments[64];
	struct vtc_chain chain;

	ck_assert_int_eq(
		vtc_vring_pull(vhostback_vring(&back, TX), &chain, 1, segments, 64), 0);
}

static void device_is_done(uint32_t id)
{
	struct vtc_vring *v = vhostback_vring(&back, TX);

	ck_assert_errno(vtc_vring_push(v, &(struct vtc_done){ id, 0 }, 1), 0);
	ck_assert_int_ge(vtc_vring_flush(v), 0);
}

START_TEST(packets_come)
{
	open_running(_i & 1, _i & 2);
	for (unsigned int i = 0; i < 300; i++) {
		device_sends(60 + i, 1, i);
		expect(60 + i, i);
	}
	ck_assert_uint_eq(stats().rx_packets, 300);
	ck_assert_uint_eq(stats().rx_dropped_bad, 0);
	end();
}
END_TEST

START_TEST(packets_come_in_many_buffers)
{
	opts.buffer_size = 256;
	open_running(_i & 1, true);
	for (unsigned int i = 0; i < 100; i++) {
		size_t len = 60 + 97 * i;

		device_sends(len, (unsigned int)((HDR + len + 255) / 256), i);
		expect(len, i);
	}
	end();
}
END_TEST

START_TEST(a_packet_is_waited_for_until_it_is_whole)
{
	static uint8_t bytes[HDR + 600];

	opts.buffer_size = 256;
	open_running(_i, true);
	bytes[10] = 3;
	rig_fill(bytes + HDR, 600, 5);
	device_sends_raw(bytes, 256);
	(void)rig_run(rig);
	device_sends_raw(bytes + 256, 256);
	(void)rig_run(rig);
	ck_assert_uint_eq(got, 0);
	device_sends_raw(bytes + 512, 100);
	expect(600, 5);
	end();
}
END_TEST

/* What is none is dropped, and its buffers are used again. */
START_TEST(bad_packets_are_dropped)
{
	static uint8_t bytes[HDR + 100];
	unsigned int kind = (unsigned int)_i / 2;
	bool mergeable = kind != 1;

	open_running(_i & 1, mergeable);
	for (unsigned int i = 0; i < 200; i++) {
		memset(bytes, 0, HDR);
		bytes[10] = 1;
		switch (kind) {
		case 0: /* shorter than a header */
		case 1:
			device_sends_raw(bytes, 1 + i % 11);
			break;
		case 2: /* than an Ethernet header */
			device_sends_raw(bytes, HDR + i % 14);
			break;
		case 3: /* in no buffer */
			bytes[10] = 0;
			device_sends_raw(bytes, HDR + 60);
			break;
		default: /* in more than there are */
			bytes[11] = 255;
			device_sends_raw(bytes, HDR + 60);
		}
		(void)rig_run(rig);
	}
	ck_assert_uint_eq(got, 0);
	ck_assert_uint_eq(stats().rx_dropped_bad, 200);
	ck_assert_uint_eq(stats().rx_packets, 0);
	device_sends(60, 1, 7);
	expect(60, 7);
	ck_assert_ptr_null(info().error);
	end();
}
END_TEST

START_TEST(too_long_packets_are_dropped)
{
	opts.ring_size = 16;
	opts.buffer_size = 8192;
	open_running(_i, true);
	device_sends(60, 1, 1);
	device_sends(69000, 9, 2);
	device_sends(60, 1, 3);
	(void)rig_run(rig);
	ck_assert_uint_eq(got, 2);
	device_sends(65000, 8, 4);
	expect(65000, 4);
	ck_assert_uint_eq(stats().rx_dropped_bad, 1);
	end();
}
END_TEST

START_TEST(packets_go)
{
	open_running(_i & 1, _i & 2);
	for (unsigned int i = 0; i < 300; i++) {
		ck_assert_int_eq(send_packet(60 + i, i), 1);
		device_is_done(device_takes(60 + i, i, 1));
	}
	ck_assert_uint_eq(stats().tx_packets, 300);
	end();
}
END_TEST

/* In many buffers, whether or not received ones could be. */
START_TEST(long_packets_go)
{
	opts.buffer_size = 1024;
	open_running(_i & 1, _i & 2);
	for (unsigned int i = 0; i < 60; i++) {
		size_t len = 60 + 1000 * i;

		ck_assert_int_eq(send_packet(len, i), 1);
		device_is_done(
			device_takes(len, i, (unsigned int)(HDR + len + 1023) / 1024));
	}
	end();
}
END_TEST

START_TEST(as_many_packets_go_as_there_are_buffers)
{
	uint32_t ids[64];

	open_running(_i, true);
	for (unsigned int i = 0; i < 64; i++)
		ck_assert_int_eq(send_packet(100, i), 1);
	ck_assert_int_eq(send_packet(100, 64), 0);
	for (unsigned int i = 0; i < 64; i++)
		ids[i] = device_takes(100, i, 1);
	/* In any order. */
	for (unsigned int i = 64; i-- > 32;)
		device_is_done(ids[i]);
	for (unsigned int i = 64; i < 96; i++)
		ck_assert_int_eq(send_packet(100, i), 1);
	ck_assert_int_eq(send_packet(100, 96), 0);
	end();
}
END_TEST

START_TEST(doorbells_are_rung_when_wanted)
{
	struct vtc_port_stats st;
	eventfd_t value;

	open_running(_i, true);
	ck_assert_int_eq(eventfd_read(back.ring[TX].kick, &value), 0);
	(void)vhostback_vring(&back, TX);
	ck_assert_int_eq(send_packet(100, 0), 1);
	ck_assert(was_rung(back.ring[TX].kick));
	ck_assert_int_eq(eventfd_read(back.ring[TX].kick, &value), 0);
	/* A pull says that the device is awake. */
	device_is_done(device_takes(100, 0, 1));
	st = stats();
	ck_assert_int_eq(send_packet(100, 1), 1);
	ck_assert(!was_rung(back.ring[TX].kick));
	ck_assert_uint_eq(stats().notifications_suppressed,
			  st.notifications_suppressed + 1);
	device_is_done(device_takes(100, 1, 1));
	ck_assert_int_eq(vtc_vring_needs_poll(vhostback_vring(&back, TX)), 1);
	ck_assert_int_eq(send_packet(100, 2), 1);
	ck_assert(was_rung(back.ring[TX].kick));
	/* And the other way round: the relay sleeps, and is woken. */
	(void)rig_run(rig);
	ck_assert(!rig_is_ready(rig, false));
	st = stats();
	device_sends(60, 1, 3);
	ck_assert(rig_is_ready(rig, true));
	expect(60, 3);
	ck_assert_uint_eq(stats().notifications_received, st.notifications_received + 1);
	end();
}
END_TEST

/* ---- A device that breaks the rules ---- */

static void put32(uint8_t *p, uint32_t value)
{
	memcpy(p, &value, sizeof(value));
}

/* Return a chain of a split ring, whatever it says. */
static void lie(unsigned int ring, uint16_t index, uint32_t id, uint32_t len)
{
	uint8_t *used = vhostback_at(&back, back.ring[ring].addr.used);

	put32(used + AT_USED, id);
	put32(used + AT_USED + USED_ELEMENT / 2, len);
	memcpy(used + 2, &index, sizeof(index));
	ck_assert_int_eq(eventfd_write(back.ring[ring].call, 1), 0);
}

START_TEST(a_lie_ends_the_connection)
{
	static const struct {
		unsigned int ring;
		uint16_t index;
		uint32_t id, len;
		const char *why;
	} lies[] = {
		{ RX, 1, 64, 100, "a used id is not in flight" },
		{ RX, 1, UINT32_MAX, 100, "a used id is not in flight" },
		{ RX, 1, 0, 2049,
		  "a used length is more than the chain's writable bytes" },
		{ RX, 65, 0, 100, "the used index is ahead of what was added" },
		{ RX, 0xffff, 0, 100, "the used index is ahead of what was added" },
		{ TX, 1, 64, 0, "a used id is not in flight" },
		{ TX, 65, 0, 0, "the used index is ahead of what was added" },
	};

	open_running(false, true);
	ck_assert_int_eq(send_packet(100, 0), 1);
	lie(lies[_i].ring, lies[_i].index, lies[_i].id, lies[_i].len);
	(void)rig_run(rig);
	/* Transmit buffers are looked for when they are needed. */
	for (unsigned int i = 0; i < 64; i++)
		(void)send_packet(100, i);
	(void)rig_run(rig);
	check_left(lies[_i].why);
	ck_assert_uint_eq(got, 0);
	ck_assert_int_eq(send_packet(100, 1), 0);
	end();
}
END_TEST

/* ---- The next backend ---- */

static void next_backend(void)
{
	vhostback_close(&back);
	accept_backend();
}

START_TEST(what_was_completed_is_kept_and_the_rest_is_sent_again)
{
	uint32_t ids[10];

	opts.buffer_size = 256;
	opts.features_off[0] =
		BIT(VTC_VRING_F_IN_ORDER) | (_i & 1 ? BIT(VTC_VRING_F_PACKED) : 0);
	open_at_path();
	talk_until_ready();
	for (unsigned int i = 0; i < 10; i++)
		ck_assert_int_eq(send_packet(100 + 300 * (i % 3), i), 1);
	for (unsigned int i = 0; i < 8; i++)
		ids[i] = device_takes(100 + 300 * (i % 3), i, 1 + i % 3);
	for (unsigned int i = 0; i < 8; i += 2)
		device_is_done(ids[7 - i]);
	device_sends(700, 3, 42);
	next_backend();
	if (_i & 2)
		back.offered &= ~RINGS;
	ck_assert_uint_eq(got, 1);
	ck_assert_uint_eq(packet_len, 700);
	talk_until_ready();
	for (unsigned int i = 0; i < 10; i++) {
		if (i > 7 || i % 2 == 0)
			device_is_done(device_takes(100 + 300 * (i % 3), i, 1 + i % 3));
	}
	device_has_none();
	ck_assert_int_eq(send_packet(100, 10), 1);
	device_is_done(device_takes(100, 10, 1));
	device_sends(700, 3, 43);
	expect(700, 43);
	ck_assert_uint_eq(info().connections, 2);
	ck_assert_ptr_null(info().error);
	end();
}
END_TEST

/* A packet without checksum cannot go to one who does not compute it. */
START_TEST(the_next_backend_is_not_sent_what_it_does_not_take)
{
	static uint8_t bytes[100];
	struct vtc_segment s = { bytes, sizeof(bytes) };
	struct vtc_packet p = { .segments = &s, .count = 1, .len = sizeof(bytes) };

	open_at_path();
	talk_until_ready();
	p.header = (struct vtc_nethdr){ .flags = VTC_NETHDR_F_NEEDS_CSUM,
					.csum_start = 34,
					.csum_offset = 16 };
	ck_assert_int_eq(vtc_port_send(port, 0, &p, 1), 1);
	next_backend();
	back.offered &= ~(SUMS | SEND_LARGE);
	talk_until_ready();
	device_has_none();
	ck_assert_uint_eq(stats().tx_dropped_down, 1);
	ck_assert_int_eq(send_packet(100, 1), 1);
	device_is_done(device_takes(100, 1, 1));
	end();
}
END_TEST

/* All receive buffers are with the application; the ring begins empty, and fills. */
START_TEST(the_next_backend_gets_all_buffers)
{
	opts.ring_size = 8;
	open_at_path();
	talk_until_ready();
	for (unsigned int i = 0; i < 8; i++)
		device_sends(60 + i, 1, i);
	next_backend();
	(void)rig_run(rig);
	ck_assert_uint_eq(got, 8);
	talk_until_ready();
	for (unsigned int i = 0; i < 8; i++)
		device_sends(60 + i, 1, i);
	(void)rig_run(rig);
	ck_assert_uint_eq(got, 16);
	end();
}
END_TEST

START_TEST(a_connection_that_was_passed_in_is_the_only_one)
{
	open_connected();
	talk_until_ready();
	vhostback_hang_up(&back);
	(void)rig_run(rig);
	check_left("the peer closed the connection");
	ck_assert_int_eq(send_packet(100, 0), 0);
	end();
}
END_TEST

/* ---- Opening ---- */

START_TEST(too_much_memory_is_refused)
{
	int fds[2];

	vhostclient_pair(fds);
	opts.fd = fds[0];
	opts.queue_pairs = VTC_PORT_QUEUE_PAIRS_MAX;
	opts.ring_size = VTC_VRING_SIZE_MAX;
	opts.buffer_size = 1 << 20;
	ck_assert_errno(vtc_port_open_vhost_user(rig->ctx, &opts, &port), -EINVAL);
	rig_free(rig);
	close(fds[0]);
	close(fds[1]);
	ck_assert_int_eq(vtct_count_fds(), fds_before);
}
END_TEST

START_TEST(descriptors_run_out)
{
	struct rlimit limit, before;
	int fds[2], err = -EMFILE, failures = 0;

	vhostclient_pair(fds);
	opts.fd = fds[0];
	opts.queue_pairs = 3;
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (limit = before, limit.rlim_cur = (rlim_t)fds[1] + 1; err == -EMFILE;
	     limit.rlim_cur++) {
		int open_before = vtct_count_fds();

		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
		err = vtc_port_open_vhost_user(rig->ctx, &opts, &port);
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
		if (!err)
			vtc_port_close(port);
		ck_assert_int_eq(vtct_count_fds(), open_before);
		failures += !!err;
	}
	ck_assert_errno(err, 0);
	/* A socket, a memory, and two doorbells for each ring. */
	ck_assert_int_eq(failures, 14);
	rig_free(rig);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

#if !SANITIZED
static void skip_in_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	if (!preload || !strstr(preload, "vgpreload"))
		return;
	rig_free(rig);
	vtct_skip("valgrind has an allocator of its own");
}

START_TEST(memory_runs_out_when_opening)
{
	int fds[2], err = -ENOMEM;
	unsigned int n = 0;

	skip_in_valgrind();
	vhostclient_pair(fds);
	opts.fd = fds[0];
	while (err == -ENOMEM) {
		fail_in = ++n;
		err = vtc_port_open_vhost_user(rig->ctx, &opts, &port);
		fail_in = 0;
	}
	ck_assert_errno(err, 0);
	ck_assert_uint_gt(n, 8);
	vtc_port_close(port);
	rig_free(rig);
	close(fds[0]);
	close(fds[1]);
	ck_assert_int_eq(vtct_count_fds(), fds_before);
}
END_TEST

/* When the rings are made, as many allocations in as the loop says. */
START_TEST(memory_runs_out_when_a_backend_comes)
{
	skip_in_valgrind();
	open_connected();
	back.silent_from = 2;
	talk();
	fail_in = (unsigned int)_i;
	say_u64(VTC__VHOST_GET_PROTOCOL_FEATURES, REPLY_FLAGS, -1);
	fail_in = 0;
	check_left("the rings cannot be made: memory is out");
	end();
}
END_TEST
#endif

static Suite *suite(void)
{
	Suite *s = suite_create("vhost-frontend");
	TCase *talks = tcase_create("handshake"), *packets = tcase_create("packets");

	tcase_add_checked_fixture(talks, begin, NULL);
	tcase_set_timeout(talks, 60);
	tcase_add_test(talks, says_all_that_is_needed);
	tcase_add_loop_test(talks, says_where_the_rings_are, 0, 2);
	tcase_add_test(talks, talks_to_old_backends);
	tcase_add_test(talks, talks_to_backends_that_acknowledge_nothing);
	tcase_add_loop_test(talks, takes_as_many_queues_as_there_are, 0, 4);
	tcase_add_loop_test(talks, takes_one_queue_without_mq, 0, 2);
	tcase_add_loop_test(talks, takes_what_it_can_carry, 0, COUNT(choices));
	tcase_add_test(talks, version_1_is_needed);
	tcase_add_test(talks, queues_are_needed);
	tcase_add_loop_test(talks, a_refusal_is_told, 0, 5);
	tcase_add_loop_test(talks, silence_ends, 1, MESSAGES);
	tcase_add_test(talks, patience_begins_anew_with_each_reply);
	tcase_add_loop_test(talks, a_backend_may_go_at_any_time, 0, MESSAGES);
	tcase_add_loop_test(talks, a_reply_to_no_question_is_refused, 0, 5);
	tcase_add_test(talks, a_reply_to_a_later_question_is_refused);
	tcase_add_loop_test(talks, a_reply_when_all_is_said_is_refused, 0, 2);
	tcase_add_loop_test(talks, what_is_no_reply_is_refused, 0, 5);
	tcase_add_test(talks, a_reply_in_pieces_is_one);
	tcase_add_test(talks, too_much_memory_is_refused);
	tcase_add_test(talks, descriptors_run_out);
#if !SANITIZED
	tcase_add_test(talks, memory_runs_out_when_opening);
	tcase_add_loop_test(talks, memory_runs_out_when_a_backend_comes, 1, 9);
#endif
	suite_add_tcase(s, talks);
	tcase_add_checked_fixture(packets, begin, NULL);
	tcase_set_timeout(packets, 60);
	tcase_add_loop_test(packets, packets_come, 0, 4);
	tcase_add_loop_test(packets, packets_come_in_many_buffers, 0, 2);
	tcase_add_loop_test(packets, a_packet_is_waited_for_until_it_is_whole, 0, 2);
	tcase_add_loop_test(packets, bad_packets_are_dropped, 0, 10);
	tcase_add_loop_test(packets, too_long_packets_are_dropped, 0, 2);
	tcase_add_loop_test(packets, packets_go, 0, 4);
	tcase_add_loop_test(packets, long_packets_go, 0, 4);
	tcase_add_loop_test(packets, as_many_packets_go_as_there_are_buffers, 0, 2);
	tcase_add_loop_test(packets, doorbells_are_rung_when_wanted, 0, 2);
	tcase_add_loop_test(packets, a_lie_ends_the_connection, 0, 7);
	tcase_add_loop_test(packets,
			    what_was_completed_is_kept_and_the_rest_is_sent_again, 0, 4);
	tcase_add_test(packets, the_next_backend_is_not_sent_what_it_does_not_take);
	tcase_add_test(packets, the_next_backend_gets_all_buffers);
	tcase_add_test(packets, a_connection_that_was_passed_in_is_the_only_one);
	suite_add_tcase(s, packets);
	return s;
}

int main(void)
{
	return vtct_main(suite(), NULL);
}
