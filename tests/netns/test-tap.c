/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tap ports on the real kernel: what goes in at a packet socket comes out at a guest, and
 * the other way round, byte by byte. All of it by io_uring, and again without.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vtc/vtc.h>

#include "../endpoint/guest.h"
#include "../vring/frame.h"
#include "netns.h"
#include "vtct.h"

#define NAME	"vtct0"
#define BIT(n)	(UINT64_C(1) << (n))
#define HEADERS (14 + 20 + 20)
#define ALL                                                      \
	(BIT(VTC_NET_F_GUEST_CSUM) | BIT(VTC_NET_F_GUEST_TSO4) | \
	 BIT(VTC_NET_F_GUEST_TSO6) | BIT(VTC_NET_F_GUEST_ECN) |  \
	 BIT(VTC_NET_F_GUEST_USO4) | BIT(VTC_NET_F_GUEST_USO6))

static const uint32_t ways[] = { 0, VTC_TAP_F_NO_URING };
#define WAYS 2

static struct vtc_ctx *ctx;
static struct vtc_relay *relay;
static struct vtc_port *tap;
static struct guest *guest;
static int host; /* packet socket, with virtio headers of 10 bytes */

/* ---- The world around ---- */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return; /* no IPv6, and so no greetings of its neighbours */
	ck_assert_int_gt(write(fd, text, strlen(text)), 0);
	close(fd);
}

static void set_up(void)
{
	vtct_netns_enter();
	write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	if (access("/dev/net/tun", F_OK) < 0)
		vtct_skip("/dev/net/tun: %s", strerror(errno));
	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	ck_assert_errno(vtc_relay_new(ctx, NULL, &relay), 0);
}

static void tear_down(void)
{
	if (host > 0)
		close(host);
	host = 0;
	vtc_port_close(tap);
	if (guest)
		vtc_port_close(&guest->port);
	tap = NULL;
	guest = NULL;
	vtc_relay_free(relay);
	vtc_ctx_unref(ctx);
}

static void set_link(const char *name, bool up, int mtu)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq req = { 0 };

	strcpy(req.ifr_name, name);
	req.ifr_flags = (short)(IFF_NOARP | (up ? IFF_UP : 0));
	ck_assert_int_eq(ioctl(fd, SIOCSIFFLAGS, &req), 0);
	req.ifr_mtu = mtu;
	if (mtu)
		ck_assert_int_eq(ioctl(fd, SIOCSIFMTU, &req), 0);
	close(fd);
}

static void set_option(int fd, int level, int name, int value)
{
	ck_assert_msg(setsockopt(fd, level, name, &value, sizeof(value)) == 0,
		      "option %d: %s", name, strerror(errno));
}

static int open_host(const char *name)
{
	struct sockaddr_ll where = { .sll_family = AF_PACKET,
				     .sll_protocol = htons(ETH_P_ALL),
				     .sll_ifindex = (int)if_nametoindex(name) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert_int_ge(fd, 0);
	set_option(fd, SOL_PACKET, PACKET_VNET_HDR, 1);
	set_option(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
	set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, 64 << 20);
	set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&where, sizeof(where)), 0);
	return fd;
}

static void open_tap(uint32_t flags, unsigned int queue_pairs)
{
	struct vtc_tap_opts o = VTC_TAP_OPTS_INIT;

	o.flags = flags;
	o.name = NAME;
	o.queue_pairs = queue_pairs;
	ck_assert_errno(vtc_port_open_tap(ctx, &o, &tap), 0);
}

static void join(const struct guest_plan *plan, uint32_t flags)
{
	open_tap(flags, plan->queue_pairs);
	guest = guest_new(ctx, plan);
	ck_assert_errno(vtc_relay_join(relay, tap, &guest->port), 0);
	set_link(NAME, true, 0);
	host = open_host(NAME);
}

/* Until there is nothing to do: a packet that was sent here is at the other side. */
static void settle(void)
{
	struct pollfd p = { .fd = vtc_relay_get_fd(relay), .events = POLLIN };
	int n, rounds = 0;

	do {
		n = vtc_relay_process(relay, 0);
		ck_assert_int_ge(n, 0);
		ck_assert_int_lt(rounds++, 100000);
	} while (n || poll(&p, 1, 0) == 1);
}

/* Until nothing waits for chains any more. */
static void settle_until_received(const struct guest_queue *q, unsigned int count)
{
	struct pollfd p = { .fd = vtc_relay_get_fd(relay), .events = POLLIN };

	settle();
	while (q->received_count < count) {
		ck_assert_int_eq(poll(&p, 1, 20000), 1);
		settle();
	}
}

static uint64_t copies(void)
{
	return guest_count(tap, 0, VTC__COPIES);
}

static struct vtc_port_info info_of(const struct vtc_port *port)
{
	struct vtc_port_info info = { .sz = sizeof(info) };

	ck_assert_errno(vtc_port_get_info(port, &info), 0);
	return info;
}

/* ---- Packets ---- */

static struct frame make(size_t payload, uint16_t gso_size)
{
	struct frame_plan plan = { .version = 4, .payload = payload };
	struct frame f;

	plan.gso_size = gso_size;
	f = frame_make(&plan);
	f.header.hdr_len = (uint16_t)f.head;
	if (!gso_size)
		memset(&f.header, 0, sizeof(f.header));
	return f;
}

static struct virtio_net_hdr raw_header(const struct frame *f)
{
	return (struct virtio_net_hdr){
		.flags = f->header.flags,
		.gso_type = f->header.gso_type,
		.hdr_len = f->header.hdr_len,
		.gso_size = f->header.gso_size,
		.csum_start = f->header.csum_start,
		.csum_offset = f->header.csum_offset,
	};
}

static void host_send(const struct frame *f)
{
	struct virtio_net_hdr header = raw_header(f);
	const struct iovec parts[] = { { &header, sizeof(header) },
				       { f->bytes, f->len } };

	ck_assert_msg(writev(host, parts, 2) == (ssize_t)(sizeof(header) + f->len),
		      "the kernel refuses the packet: %s", strerror(errno));
}

static void send_new(struct frame *f, size_t payload, uint16_t gso_size)
{
	*f = make(payload, gso_size);
	host_send(f);
}

static void host_expect(const struct frame *f)
{
	static uint8_t got[80000];
	struct virtio_net_hdr header;
	const struct iovec parts[] = { { &header, sizeof(header) },
				       { got, sizeof(got) } };
	ssize_t n = readv(host, parts, 2);

	ck_assert_int_eq(n, (ssize_t)(sizeof(header) + f->len));
	ck_assert_int_eq(memcmp(got, f->bytes, f->len), 0);
	ck_assert_uint_eq(header.gso_type, f->header.gso_type);
	ck_assert_uint_eq(header.gso_size, f->header.gso_size);
}

static void host_expect_nothing(void)
{
	uint8_t byte;

	ck_assert_int_eq(read(host, &byte, 1), -1);
	ck_assert_int_eq(errno, EAGAIN);
}

static void send_from_guest(unsigned int queue, const struct frame *f)
{
	struct virtio_net_hdr_v1 header = { .num_buffers = 0 };
	struct virtio_net_hdr raw = raw_header(f);

	memcpy(&header, &raw, sizeof(raw));
	guest_send(guest, queue, (const uint8_t *)&header, f->bytes, f->len);
}

static void expect_at_guest(const struct guest_packet *p, const struct frame *f)
{
	ck_assert_uint_eq(p->len, VTC__HDR_LEN + f->len);
	ck_assert_int_eq(memcmp(p->bytes + VTC__HDR_LEN, f->bytes, f->len), 0);
	ck_assert_uint_eq(p->bytes[1], f->header.gso_type);
	ck_assert_uint_eq(p->bytes[4] + 256u * p->bytes[5], f->header.gso_size);
}

/* ---- Both ways ---- */

static const struct guest_plan plain = { .queue_pairs = 1, .room = 2048, .pieces = 1 };

#define SOME 300 /* a tap's queue takes 1000 */

START_TEST(frames_come_as_they_were_sent_and_in_order)
{
	struct frame f[SOME];

	join(&plain, ways[_i]);
	guest_post(guest, 0, SOME);
	for (int i = 0; i < SOME; i++)
		send_new(&f[i], (size_t)i * 4, 0);
	settle();
	ck_assert_uint_eq(guest->queues[0].received_count, SOME);
	for (int i = 0; i < SOME; i++)
		expect_at_guest(&guest->queues[0].received[i], &f[i]);

	for (int i = 0; i < SOME; i++)
		send_from_guest(0, &f[i]);
	settle();
	for (int i = 0; i < SOME; i++)
		host_expect(&f[i]);
	host_expect_nothing();

	ck_assert_uint_eq(copies(), 0);
	ck_assert_uint_eq(guest_count(&guest->port, 0, VTC__COPIES), 0);
	ck_assert_uint_eq(guest_count(tap, 0, VTC__RX_PACKETS), SOME);
	ck_assert_uint_eq(guest_count(tap, 0, VTC__TX_PACKETS), SOME);
	ck_assert_uint_eq(guest_count(tap, 0, VTC__RX_BYTES),
			  guest_count(tap, 0, VTC__TX_BYTES));
	for (int i = 0; i < SOME; i++)
		frame_free(&f[i]);
}
END_TEST

START_TEST(one_system_call_moves_many_packets)
{
	struct frame f;

	join(&plain, ways[_i]);
	if (!info_of(tap).uses_uring)
		vtct_skip("io_uring is not to be had, or not wanted");
	f = make(100, 0);
	guest_post(guest, 0, 1024);
	for (int i = 0; i < SOME; i++)
		host_send(&f);
	for (int i = 0; i < SOME; i++)
		send_from_guest(0, &f);
	settle();
	ck_assert_uint_eq(guest->queues[0].received_count, SOME);
	ck_assert_uint_lt(guest_count(tap, 0, VTC__SYS_CALLS), SOME / 5);
	frame_free(&f);
}
END_TEST

/* Large packets, as many as fit the tap's queue, in buffers of that size. */
static void exchange_large(const struct guest_plan *plan, uint32_t flags,
			   unsigned int buffers)
{
	struct frame f[8];
	uint64_t before;

	join(plan, flags);
	guest->posts_again = true;
	guest_post(guest, 0, buffers);
	settle();
	send_new(&f[0], 60000, 1448);
	settle();
	before = copies();
	for (int i = 1; i < 8; i++)
		send_new(&f[i], 60000 + (size_t)i * 700, 1448);
	settle();
	ck_assert_uint_eq(guest->queues[0].received_count, 8);
	for (int i = 0; i < 8; i++)
		expect_at_guest(&guest->queues[0].received[i], &f[i]);
	ck_assert_uint_eq(copies(), before);

	for (int i = 0; i < 8; i++)
		send_from_guest(0, &f[i]);
	settle();
	for (int i = 0; i < 8; i++)
		host_expect(&f[i]);
	ck_assert_uint_eq(copies(), before);
	for (int i = 0; i < 8; i++)
		frame_free(&f[i]);
}

START_TEST(large_packets_go_to_merged_buffers)
{
	struct guest_plan plan = {
		.queue_pairs = 1, .room = 1536, .mergeable = true, .accepts = ALL
	};

	exchange_large(&plan, ways[_i], 256);
	ck_assert_uint_gt(guest->queues[0].received[0].buffers, 30);
}
END_TEST

START_TEST(large_packets_go_to_large_buffers)
{
	struct guest_plan plan = {
		.queue_pairs = 1, .room = 66000, .pieces = 19, .accepts = ALL
	};

	exchange_large(&plan, ways[_i], 64);
	ck_assert_uint_eq(copies(), 0);
}
END_TEST

/* Sizes at random, buffers at random: the slots are filled and emptied in all ways. */
static void mix(const struct guest_plan *plan, uint32_t flags)
{
	struct guest_queue *q;
	struct frame f[SOME];

	join(plan, flags);
	q = &guest->queues[0];
	settle();
	for (int i = 0; i < SOME; i++) {
		bool large = frame_random(4) == 0;

		f[i] = make(large ? 2000 + frame_random(63000) : frame_random(1400),
			    large ? 1400 : 0);
		host_send(&f[i]);
		if (frame_random(8))
			continue;
		guest_post(guest, 0,
			   frame_random(GUEST_CHAINS_MAX - (q->end - q->first)));
		settle();
	}
	while (q->received_count < SOME) {
		unsigned int room = GUEST_CHAINS_MAX - (q->end - q->first);

		guest_post(guest, 0, room < 64 ? room : 64);
		settle_until_received(
			q, q->received_count < SOME - 1 ? q->received_count + 1 : SOME);
	}
	for (int i = 0; i < SOME; i++) {
		expect_at_guest(&q->received[i], &f[i]);
		frame_free(&f[i]);
	}
	ck_assert_uint_eq(guest_count(tap, 0, VTC__RX_PACKETS), SOME);
}

START_TEST(sizes_may_come_in_any_order)
{
	struct guest_plan plan = {
		.queue_pairs = 1, .room = 1536, .mergeable = true, .accepts = ALL
	};

	mix(&plan, ways[_i]);
}
END_TEST

START_TEST(buffers_may_be_in_many_pieces)
{
	struct guest_plan plan = { .queue_pairs = 1,
				   .room = 1700,
				   .pieces = 4,
				   .mergeable = true,
				   .accepts = ALL };

	mix(&plan, ways[_i]);
}
END_TEST

/* ---- Packets that come while others are read ---- */

#define MANY	    4000
#define OUTSTANDING 300

static struct frame flood[16]; /* one of them is large */
static atomic_uint flood_received;

static void *send_flood(void *unused)
{
	for (unsigned int i = 0; i < MANY; i++) {
		while (i - atomic_load(&flood_received) > OUTSTANDING)
			usleep(50);
		host_send(&flood[i % 16]);
	}
	return unused;
}

START_TEST(packets_may_come_meanwhile)
{
	struct guest_plan plan = {
		.queue_pairs = 1, .room = 1536, .mergeable = true, .accepts = ALL
	};
	struct pollfd p = { .events = POLLIN };
	pthread_t thread;

	join(&plan, ways[_i]);
	settle();
	guest->posts_again = true;
	guest_post(guest, 0, 512);
	p.fd = vtc_relay_get_fd(relay);
	atomic_store(&flood_received, 0);
	for (int i = 0; i < 16; i++)
		flood[i] = make(i % 16 == 7 ? 30000 : 40u * (unsigned int)i,
				i % 16 == 7 ? 1448 : 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, send_flood, NULL), 0);
	while (guest->queues[0].received_count < MANY) {
		if (vtc_relay_process(relay, 64) == 0)
			ck_assert_int_eq(poll(&p, 1, 20000), 1);
		atomic_store(&flood_received, guest->queues[0].received_count);
	}
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	for (unsigned int i = 0; i < MANY; i++)
		expect_at_guest(&guest->queues[0].received[i], &flood[i % 16]);
	for (int i = 0; i < 16; i++)
		frame_free(&flood[i]);
}
END_TEST

START_TEST(a_header_may_be_in_pieces)
{
	struct guest_plan plan = { .queue_pairs = 1, .room = 128, .pieces = 16 };
	struct frame f = make(40, 0);

	join(&plan, ways[_i]);
	guest_post(guest, 0, 16);
	for (int i = 0; i < 8; i++)
		host_send(&f);
	settle();
	ck_assert_uint_eq(guest->queues[0].received_count, 8);
	for (int i = 0; i < 8; i++)
		expect_at_guest(&guest->queues[0].received[i], &f);
	frame_free(&f);
}
END_TEST

/* ---- What does not fit ---- */

START_TEST(what_is_too_long_is_left_out_and_nothing_else)
{
	struct frame small = make(200, 0), big = make(4000, 0);

	join(&plain, ways[_i]);
	set_link(NAME, true, 9000);
	guest_post(guest, 0, 256);
	for (int i = 0; i < 40; i++)
		host_send(i % 3 == 1 ? &big : &small);
	settle();
	ck_assert_uint_eq(guest->queues[0].received_count, 27);
	for (int i = 0; i < 27; i++)
		expect_at_guest(&guest->queues[0].received[i], &small);
	ck_assert_uint_eq(guest_count(&guest->port, 0, VTC__TX_DROPPED_SIZE), 13);
	ck_assert_uint_eq(guest_count(tap, 0, VTC__RX_PACKETS), 40);
	frame_free(&small);
	frame_free(&big);
}
END_TEST

START_TEST(packets_wait_for_buffers)
{
	struct guest_plan plan = {
		.queue_pairs = 1, .room = 1536, .mergeable = true, .accepts = ALL
	};
	struct frame f = make(60000, 1448);

	join(&plan, ways[_i]);
	settle();
	guest_post(guest, 0, 5);
	host_send(&f);
	settle();
	ck_assert_uint_eq(guest->queues[0].received_count, 0);
	guest_post(guest, 0, 60);
	settle_until_received(&guest->queues[0], 1);
	expect_at_guest(&guest->queues[0].received[0], &f);
	frame_free(&f);
}
END_TEST

START_TEST(who_never_has_enough_buffers_does_not_stop_the_others)
{
	struct guest_plan plan = {
		.queue_pairs = 1, .room = 1536, .mergeable = true, .accepts = ALL
	};
	struct frame big = make(60000, 1448), small = make(10, 0);

	join(&plan, ways[_i]);
	settle();
	guest_post(guest, 0, 5);
	host_send(&big);
	host_send(&small);
	settle_until_received(&guest->queues[0], 1);
	expect_at_guest(&guest->queues[0].received[0], &small);
	ck_assert_uint_eq(guest_count(&guest->port, 0, VTC__TX_DROPPED_ROOM), 1);
	frame_free(&big);
	frame_free(&small);
}
END_TEST

START_TEST(what_the_kernel_refuses_is_counted)
{
	struct frame good = make(100, 0), bad = make(100, 0);

	join(&plain, ways[_i]);
	bad.header.gso_type = 77;
	for (int i = 0; i < 30; i++)
		send_from_guest(0, i % 2 ? &bad : &good);
	settle();
	for (int i = 0; i < 15; i++)
		host_expect(&good);
	host_expect_nothing();
	ck_assert_uint_eq(guest_count(tap, 0, VTC__TX_PACKETS), 15);
	ck_assert_uint_eq(guest_count(tap, 0, VTC__TX_DROPPED_ERROR), 15);
	frame_free(&good);
	frame_free(&bad);
}
END_TEST

/* ---- Offloads ---- */

static void expect_pieces(const struct guest_queue *q, unsigned int from, size_t payload)
{
	size_t sum = 0;

	for (unsigned int i = from; i < q->received_count; i++) {
		const struct guest_packet *p = &q->received[i];

		ck_assert_uint_le(p->len, VTC__HDR_LEN + HEADERS + 1448);
		ck_assert_uint_eq(p->bytes[0] & VTC_NETHDR_F_NEEDS_CSUM, 0);
		ck_assert_uint_eq(p->bytes[1], VTC_NETHDR_GSO_NONE);
		sum += p->len - VTC__HDR_LEN - HEADERS;
	}
	ck_assert_uint_eq(sum, payload);
}

START_TEST(the_kernel_does_what_the_guest_cannot)
{
	struct guest_plan plan = { .queue_pairs = 1, .room = 2048, .mergeable = true };
	struct frame f = make(60000, 1448);
	struct guest_queue *q;

	join(&plan, ways[_i]);
	q = &guest->queues[0];
	settle();
	guest_post(guest, 0, 200);
	host_send(&f);
	settle();
	ck_assert_uint_eq(q->received_count, (60000 + 1447) / 1448);
	expect_pieces(q, 0, 60000);

	guest_accept(guest, ALL);
	settle();
	host_send(&f);
	settle();
	ck_assert_uint_eq(q->received_count, (60000 + 1447) / 1448 + 1);
	expect_at_guest(&q->received[q->received_count - 1], &f);
	frame_free(&f);
}
END_TEST

START_TEST(nothing_comes_that_a_new_driver_does_not_take)
{
	struct guest_plan plan = {
		.queue_pairs = 1, .room = 2048, .mergeable = true, .accepts = ALL
	};
	struct frame f = make(60000, 1448), small = make(10, 0);
	struct guest_queue *q;

	join(&plan, ways[_i]);
	q = &guest->queues[0];
	settle();
	host_send(&f);
	settle();
	guest_accept(guest, 0);
	settle();
	guest_post(guest, 0, 200);
	host_send(&small);
	settle();
	ck_assert_uint_eq(q->received_count, 1);
	expect_at_guest(&q->received[0], &small);
	ck_assert_uint_eq(guest_count(&guest->port, 0, VTC__TX_DROPPED_DOWN), 1);
	frame_free(&f);
	frame_free(&small);
}
END_TEST

/* ---- Queues and descriptors ---- */

START_TEST(queues_are_served_each)
{
	struct guest_plan plan = { .queue_pairs = 2, .room = 2048 };
	struct frame f[64];

	join(&plan, ways[_i]);
	guest_post(guest, 0, 64);
	guest_post(guest, 1, 64);
	for (int i = 0; i < 64; i++)
		send_new(&f[i], 100, 0);
	settle();
	/* Which queue a flow goes to is the kernel's choice: those the addresses say. */
	ck_assert_uint_eq(
		guest->queues[0].received_count + guest->queues[1].received_count, 64);
	ck_assert_uint_gt(guest->queues[0].received_count, 0);
	ck_assert_uint_gt(guest->queues[1].received_count, 0);

	for (int i = 0; i < 32; i++)
		send_from_guest(1, &f[i]);
	settle();
	for (int i = 0; i < 32; i++)
		host_expect(&f[i]);
	ck_assert_uint_eq(guest_count(tap, 1, VTC__TX_PACKETS), 32);
	for (int i = 0; i < 64; i++)
		frame_free(&f[i]);
}
END_TEST

static int attach(const char *name, int flags)
{
	struct ifreq req = { .ifr_flags = (short)flags };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	strcpy(req.ifr_name, name);
	ck_assert_msg(ioctl(fd, TUNSETIFF, &req) == 0, "%s: %s", name, strerror(errno));
	return fd;
}

static int open_fds(const int32_t *fds, unsigned int count)
{
	struct vtc_tap_opts o = VTC_TAP_OPTS_INIT;

	o.fds = fds;
	o.queue_pairs = count;
	return vtc_port_open_tap(ctx, &o, &tap);
}

#define FIT (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)

START_TEST(descriptors_can_be_passed)
{
	struct frame f = make(64, 0);
	int32_t fd = attach(NAME, FIT);

	ck_assert_errno(open_fds(&fd, 1), 0);
	close(fd);
	guest = guest_new(ctx, &plain);
	ck_assert_errno(vtc_relay_join(relay, tap, &guest->port), 0);
	ck_assert_str_eq(info_of(tap).name, NAME);
	set_link(NAME, true, 0);
	host = open_host(NAME);
	guest_post(guest, 0, 4);
	host_send(&f);
	send_from_guest(0, &f);
	settle();
	ck_assert_uint_eq(guest->queues[0].received_count, 1);
	expect_at_guest(&guest->queues[0].received[0], &f);
	host_expect(&f);
	frame_free(&f);
}
END_TEST

START_TEST(descriptors_are_checked)
{
	int before = vtct_count_fds();
	int32_t two[2] = { attach("a0", FIT), attach("b0", FIT) };
	int32_t tun = attach("c0", IFF_TUN | IFF_NO_PI | IFF_VNET_HDR);
	int32_t bare = attach("d0", IFF_TAP | IFF_NO_PI);
	int32_t null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int32_t unset = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	int32_t none = -1;

	ck_assert_errno(open_fds(two, 2), -EINVAL);
	ck_assert_errno(open_fds(&tun, 1), -EINVAL);
	ck_assert_errno(open_fds(&bare, 1), -EINVAL);
	ck_assert_errno(open_fds(&null, 1), -EINVAL);
	ck_assert_errno(open_fds(&unset, 1), -EINVAL);
	ck_assert_errno(open_fds(&none, 1), -EBADF);
	close(two[0]);
	close(two[1]);
	close(tun);
	close(bare);
	close(null);
	close(unset);
	ck_assert_int_eq(vtct_count_fds(), before);
}
END_TEST

static int open_name(const char *name, unsigned int queue_pairs)
{
	struct vtc_tap_opts o = VTC_TAP_OPTS_INIT;

	o.name = name;
	o.queue_pairs = queue_pairs;
	return vtc_port_open_tap(ctx, &o, &tap);
}

START_TEST(names_are_checked)
{
	int before = vtct_count_fds(), one, many;

	ck_assert_errno(open_name("", 1), -EINVAL);
	ck_assert_errno(open_name("sixteen-letters-", 1), -EINVAL);
	ck_assert_errno(open_name("a/b", 1), -EINVAL);
	ck_assert_errno(open_name("lo", 1), -EINVAL);
	ck_assert_errno(open_name(NULL, 1), -EINVAL);
	ck_assert_errno(open_name(NAME, VTC_PORT_QUEUE_PAIRS_MAX + 1), -EINVAL);
	one = attach("one0", FIT);
	many = attach("many0", FIT | IFF_MULTI_QUEUE);
	ck_assert_errno(open_name("one0", 1), -EBUSY);
	ck_assert_errno(open_name("one0", 2), -EINVAL);
	ck_assert_int_gt(strlen(vtc_error_get_hint(vtc_ctx_last_error(ctx))), 0);
	ck_assert_errno(open_name("many0", 1), 0);
	ck_assert_str_eq(info_of(tap).name, "many0");
	vtc_port_close(tap);
	tap = NULL;
	close(one);
	close(many);
	ck_assert_int_eq(vtct_count_fds(), before);
	ck_assert_uint_eq(if_nametoindex("one0"), 0);
}
END_TEST

/* Root's capabilities go with the user; who may not even open the device hears that. */
START_TEST(not_everybody_may_make_a_tap)
{
	pid_t pid = fork();
	int status, err;

	if (pid == 0) {
		if (setresuid(65534, 65534, 65534) < 0)
			_exit(77);
		err = open_name(NAME, 1);
		if (err != -EPERM && err != -EACCES)
			_exit(1);
		_exit(vtc_error_get_hint(vtc_ctx_last_error(ctx))[0] ? 0 : 2);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		vtct_skip("there is no other user in this namespace");
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

/* A batch could leave out one packet and send the next. */
START_TEST(what_may_find_no_room_goes_one_by_one)
{
	struct frame f = make(100, 0);
	int32_t fd = attach(NAME, FIT);
	int room = 1 << 20;

	ck_assert_int_eq(ioctl(fd, TUNSETSNDBUF, &room), 0);
	ck_assert_errno(open_fds(&fd, 1), 0);
	close(fd);
	guest = guest_new(ctx, &plain);
	ck_assert_errno(vtc_relay_join(relay, tap, &guest->port), 0);
	set_link(NAME, true, 0);
	host = open_host(NAME);
	for (int i = 0; i < SOME; i++)
		send_from_guest(0, &f);
	settle();
	for (int i = 0; i < SOME; i++)
		host_expect(&f);
	ck_assert_uint_ge(guest_count(tap, 0, VTC__SYS_CALLS), SOME);
	frame_free(&f);
}
END_TEST

START_TEST(options_are_checked)
{
	struct vtc_tap_opts o = VTC_TAP_OPTS_INIT;
	int32_t fd = 0;

	o.name = NAME;
	ck_assert_errno(vtc_port_open_tap(NULL, &o, &tap), -EINVAL);
	ck_assert_errno(vtc_port_open_tap(ctx, NULL, &tap), -EINVAL);
	ck_assert_errno(vtc_port_open_tap(ctx, &o, NULL), -EINVAL);
	o.flags = 1u << 31;
	ck_assert_errno(vtc_port_open_tap(ctx, &o, &tap), -EINVAL);
	o.flags = 0;
	o.reserved = 1;
	ck_assert_errno(vtc_port_open_tap(ctx, &o, &tap), -EINVAL);
	o.reserved = 0;
	o.fds = &fd;
	ck_assert_errno(vtc_port_open_tap(ctx, &o, &tap), -EINVAL);
	ck_assert_ptr_null(tap);
}
END_TEST

/* ---- The interface goes ---- */

START_TEST(a_link_that_is_down_loses_packets_and_comes_back)
{
	struct frame f = make(100, 0);

	join(&plain, ways[_i]);
	set_link(NAME, false, 0);
	for (int i = 0; i < 20; i++)
		send_from_guest(0, &f);
	settle();
	ck_assert_uint_eq(guest_count(tap, 0, VTC__TX_DROPPED_DOWN), 20);
	set_link(NAME, true, 0);
	for (int i = 0; i < 20; i++)
		send_from_guest(0, &f);
	settle();
	ck_assert_uint_eq(guest_count(tap, 0, VTC__TX_PACKETS), 20);
	ck_assert_uint_eq(info_of(tap).ready, 1);
	frame_free(&f);
}
END_TEST

START_TEST(an_interface_that_is_gone_is_told)
{
	struct frame f = make(100, 0);

	join(&plain, ways[_i]);
	guest_post(guest, 0, 64);
	for (int i = 0; i < 20; i++) {
		host_send(&f);
		send_from_guest(0, &f);
	}
	vtct_netns_remove(ctx, if_nametoindex(NAME));
	settle();
	ck_assert_uint_eq(info_of(tap).ready, 0);
	ck_assert_uint_eq(info_of(tap).connected, 0);
	ck_assert_str_eq(info_of(tap).error, "the interface is gone");
	/* What the guest still sends goes nowhere, and nobody looks for more. */
	send_from_guest(0, &f);
	settle();
	ck_assert_uint_eq(guest->queues[0].sent, 21);
	ck_assert_int_eq(vtc_relay_process(relay, 0), 0);
	frame_free(&f);
}
END_TEST

START_TEST(a_tap_can_be_joined_again)
{
	struct frame f = make(100, 0);

	join(&plain, ways[_i]);
	settle();
	vtc_relay_free(relay);
	ck_assert_errno(vtc_relay_new(ctx, NULL, &relay), 0);
	host_send(&f);
	ck_assert_errno(vtc_relay_join(relay, &guest->port, tap), 0);
	guest_post(guest, 0, 4);
	settle();
	ck_assert_uint_eq(guest->queues[0].received_count, 1);
	frame_free(&f);
}
END_TEST

static void *settle_elsewhere(void *unused)
{
	settle();
	return unused;
}

START_TEST(another_thread_may_process)
{
	struct frame f = make(100, 0);
	pthread_t thread;

	join(&plain, ways[_i]);
	guest_post(guest, 0, SOME);
	for (int i = 0; i < SOME; i++) {
		host_send(&f);
		send_from_guest(0, &f);
	}
	ck_assert_int_eq(pthread_create(&thread, NULL, settle_elsewhere, NULL), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_uint_eq(guest->queues[0].received_count, SOME);
	for (int i = 0; i < SOME; i++)
		host_expect(&f);
	host_expect_nothing();
	if (info_of(tap).uses_uring)
		ck_assert_uint_lt(guest_count(tap, 0, VTC__SYS_CALLS), SOME / 2);
	frame_free(&f);
}
END_TEST

START_TEST(who_has_nothing_to_do_sleeps)
{
	struct vtc_relay_stats before = { .sz = sizeof(before) }, after = before;
	struct frame f = make(100, 0);
	uint64_t calls;

	join(&plain, ways[_i]);
	guest_post(guest, 0, 4);
	host_send(&f);
	settle();
	vtc_relay_get_stats(relay, &before);
	calls = guest_count(tap, 0, VTC__SYS_CALLS);
	for (int i = 0; i < 100; i++)
		settle();
	vtc_relay_get_stats(relay, &after);
	ck_assert_uint_eq(after.wake_ups, before.wake_ups);
	ck_assert_uint_le(guest_count(tap, 0, VTC__SYS_CALLS) - calls, 1000);
	frame_free(&f);
}
END_TEST

static void add_both(TCase *tcase, const TTest *test)
{
	tcase_add_loop_test(tcase, test, 0, WAYS);
}

int main(void)
{
	Suite *suite = suite_create("tap");
	TCase *tcase = tcase_create("tap");
	const TTest *both[] = {
		frames_come_as_they_were_sent_and_in_order,
		one_system_call_moves_many_packets,
		large_packets_go_to_merged_buffers,
		large_packets_go_to_large_buffers,
		sizes_may_come_in_any_order,
		buffers_may_be_in_many_pieces,
		packets_may_come_meanwhile,
		a_header_may_be_in_pieces,
		what_is_too_long_is_left_out_and_nothing_else,
		packets_wait_for_buffers,
		who_never_has_enough_buffers_does_not_stop_the_others,
		what_the_kernel_refuses_is_counted,
		the_kernel_does_what_the_guest_cannot,
		nothing_comes_that_a_new_driver_does_not_take,
		queues_are_served_each,
		a_link_that_is_down_loses_packets_and_comes_back,
		an_interface_that_is_gone_is_told,
		a_tap_can_be_joined_again,
		another_thread_may_process,
		who_has_nothing_to_do_sleeps,
	};

	for (size_t i = 0; i < sizeof(both) / sizeof(both[0]); i++)
		add_both(tcase, both[i]);
	tcase_add_test(tcase, descriptors_can_be_passed);
	tcase_add_test(tcase, descriptors_are_checked);
	tcase_add_test(tcase, names_are_checked);
	tcase_add_test(tcase, not_everybody_may_make_a_tap);
	tcase_add_test(tcase, what_may_find_no_room_goes_one_by_one);
	tcase_add_test(tcase, options_are_checked);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
