/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's opinion: it cuts the same large packets for a tap device that can do
 * nothing, and what it hands out must be ours, byte by byte.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <vtc/nethdr.h>

#include "../vring/frame.h"
#include "netns.h"
#include "vtct.h"

#define NAME "vtct0"

/* What goes in at the socket comes out at the device. */
struct way {
	int tap, socket;
};

static struct way way_open(void)
{
	struct ifreq name = { .ifr_name = NAME };
	struct sockaddr_ll where = { .sll_family = AF_PACKET };
	struct way way;
	int on = 1;

	way.tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (way.tap < 0)
		vtct_skip("/dev/net/tun: %s", strerror(errno));
	name.ifr_flags = IFF_TAP | IFF_NO_PI;
	if (ioctl(way.tap, TUNSETIFF, &name) < 0)
		vtct_skip("a tap device: %s", strerror(errno));
	ck_assert_int_eq(ioctl(way.tap, TUNSETOFFLOAD, 0), 0);
	way.socket = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(way.socket, 0);
	name.ifr_flags = IFF_UP | IFF_NOARP;
	ck_assert_int_eq(ioctl(way.socket, SIOCSIFFLAGS, &name), 0);
	ck_assert_int_eq(
		setsockopt(way.socket, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)), 0);
	where.sll_ifindex = (int)if_nametoindex(NAME);
	ck_assert_int_eq(bind(way.socket, (struct sockaddr *)&where, sizeof(where)), 0);
	return way;
}

static void way_close(const struct way *way)
{
	close(way->tap);
	close(way->socket);
}

static void way_send(const struct way *way, const struct frame *f)
{
	struct virtio_net_hdr header = {
		.flags = f->header.flags,
		.gso_type = f->header.gso_type,
		.hdr_len = (uint16_t)f->head,
		.gso_size = f->header.gso_size,
		.csum_start = f->header.csum_start,
		.csum_offset = f->header.csum_offset,
	};
	const struct iovec parts[] = { { &header, sizeof(header) },
				       { f->bytes, f->len } };

	ck_assert_msg(writev(way->socket, parts, 2) == (ssize_t)(sizeof(header) + f->len),
		      "the kernel refuses the packet: %s", strerror(errno));
}

/* The next packet that is the test's; the kernel greets its neighbours here, too. */
static size_t way_receive(const struct way *way, const struct frame *f, uint8_t *to,
			  size_t room)
{
	struct pollfd ready = { way->tap, POLLIN, 0 };

	for (;;) {
		ssize_t len = read(way->tap, to, room);

		if (len >= 14 && memcmp(to, f->bytes, 12) == 0)
			return (size_t)len;
		if (len < 0 && errno == EAGAIN)
			ck_assert_msg(poll(&ready, 1, 20000) == 1,
				      "the kernel made fewer packets");
	}
}

static void compare(const struct way *way, struct vtc_offload *o,
		    const struct frame_plan *plan)
{
	static uint8_t theirs[70000], ours[70000];
	struct vtc_segment cut[FRAME_SEGMENTS_MAX], segments[FRAME_SEGMENTS_MAX + 1];
	struct frame f = frame_make(plan);
	unsigned int count = frame_cut(f.bytes, f.len, FRAME_SEGMENTS_MAX, cut);
	struct vtc_nethdr header;
	int n;

	way_send(way, &f);
	ck_assert_int_gt(vtc_offload_begin(o, &f.header, cut, count), 0);
	while ((n = vtc_offload_next(o, &header, segments, count + 1)) > 0) {
		size_t len = frame_join(segments, (unsigned int)n, ours, sizeof(ours));

		ck_assert_uint_eq(way_receive(way, &f, theirs, sizeof(theirs)), len);
		for (size_t i = 0; i < len; i++)
			if (ours[i] != theirs[i])
				ck_abort_msg(
					"IPv%u %s, %u tags, %u + %u words: byte %zu of "
					"%zu (%zu in IP) is %02x, not %02x",
					plan->version, plan->udp ? "UDP" : "TCP",
					plan->vlans, plan->ip_words, plan->tcp_words, i,
					len, i - f.l3, ours[i], theirs[i]);
	}
	ck_assert_int_eq(n, 0);
	frame_cut_free(cut, count);
	frame_free(&f);
}

START_TEST(kernel_cuts_the_same)
{
	const uint64_t nothing[2] = { 0 };
	struct vtc_offload *o;
	struct vtc_ctx *ctx;
	struct way way;

	vtct_netns_enter();
	way = way_open();
	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	ck_assert_errno(vtc_offload_new(ctx, nothing, VTC_VRING_DRIVER, &o), 0);
	for (int i = 0; i < 400; i++) {
		struct frame_plan plan = frame_random_plan();

		/* A piece must fit the device's 1500 bytes, and all of them its queue. */
		plan.payload = 1000 + frame_random(20000);
		plan.gso_size = (uint16_t)(400 + frame_random(900));
		if (i % 4 == 0)
			plan.payload = 1 + frame_random(1000);
		if (i % 4 == 0)
			plan.gso_size = 0;
		compare(&way, o, &plan);
	}
	vtc_offload_free(o);
	vtc_ctx_unref(ctx);
	way_close(&way);
}
END_TEST

int main(void)
{
	return vtct_main(vtct_suite("offload", kernel_cuts_the_same, NULL), NULL);
}
