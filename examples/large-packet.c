/* SPDX-License-Identifier: MIT */
/*
 * cc large-packet.c $(pkg-config --cflags --libs vtc)
 *
 * Both sides of a channel in one process. The driver sends a large TCP packet without a
 * checksum, but takes no such packets: the device cuts it to give it back on ring 1.
 */
#include <stdio.h>
#include <string.h>

#include <vtc/channel.h>
#include <vtc/nethdr.h>

#define CHAINS 64 /* to receive into */
#define IP     26 /* offsets in a packet, with its virtio-net header of 12 bytes */
#define TCP    46
#define DATA   66

static uint8_t large[DATA + 20000] = {
	/* Checksum missing at 34 + 16, headers of 54 bytes, pieces of 0x05b4. */
	VTC_NETHDR_F_NEEDS_CSUM, VTC_NETHDR_GSO_TCPV4, 54, 0, 0xb4, 0x05, 34, 0, 16,
	/* Ethernet type; IPv4 with 20040 bytes. */
	[IP - 2] = 8, 0, 0x45, 0, 0x4e, 0x48, 0, 0, 0, 0, 64, 6, 0xa8, 0xac, 192, 0, 2, 1,
	192, 0, 2, 2,
	/* TCP; in its checksum's place the sum of the pseudo header. */
	0x10, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x18, 0xff, 0xff, 0xd2, 0x3e, 0, 0
};

static int driver_start(struct vtc_channel *channel)
{
	struct vtc_vring *tx = vtc_channel_get_vring(channel, 0);
	struct vtc_vring *rx = vtc_channel_get_vring(channel, 1);
	struct vtc_buffer buffer = { 0, sizeof(large), 0 };
	struct vtc_segment segment;
	int n;

	vtc_channel_get_buffer(channel, 0, &buffer.guest_addr, &segment);
	for (size_t i = DATA; i < sizeof(large); i++)
		large[i] = (uint8_t)(i * 31 >> 3);
	memcpy(segment.base, large, sizeof(large));
	n = vtc_vring_add(tx, &(struct vtc_add){ &buffer, 1, 0, 0 }, 1);
	buffer.len = 1024;
	for (uint32_t id = 1; n == 1 && id <= CHAINS; id++) {
		vtc_channel_get_buffer(channel, id, &buffer.guest_addr, &segment);
		n = vtc_vring_add(rx, &(struct vtc_add){ &buffer, 0, 1, id }, 1);
	}
	return n == 1 && vtc_vring_kick(tx) >= 0 && vtc_vring_kick(rx) >= 0;
}

static int device_cut(struct vtc_channel *channel, struct vtc_offload *offload)
{
	struct vtc_vring *tx = vtc_channel_get_vring(channel, 0);
	struct vtc_vring *rx = vtc_channel_get_vring(channel, 1);
	struct vtc_segment in[8], out[9], room[CHAINS];
	struct vtc_chain chain, chains[CHAINS];
	struct vtc_done done[CHAINS];
	struct vtc_nethdr header;
	unsigned int used = 0;
	int n;

	if (vtc_vring_pull(tx, &chain, 1, in, 8) != 1 ||
	    vtc_vring_pull(rx, chains, CHAINS, room, CHAINS) != CHAINS ||
	    vtc_nethdr_get(in, chain.readable, 12, &header) < 0)
		return 0;
	n = vtc_nethdr_strip(in, chain.readable, 12);
	n = vtc_offload_begin(offload, &header, in + n, chain.readable - (unsigned int)n);
	printf("device: cuts a packet of %u bytes into %d\n", chain.readable_bytes, n);
	while (n > 0 && (n = vtc_offload_next(offload, &header, out, 9)) > 0) {
		n = vtc_nethdr_scatter(&header, 12, 1, out, (unsigned int)n,
				       chains + used, CHAINS - used, done + used);
		used += n > 0 ? (unsigned int)n : 0;
	}
	return n == 0 && vtc_vring_unpull(rx, CHAINS - used) == 0 &&
	       vtc_vring_push(rx, done, used) == 0 && vtc_vring_flush(rx) >= 0 &&
	       vtc_vring_push(tx, &(struct vtc_done){ chain.id, 0 }, 1) == 0 &&
	       vtc_vring_flush(tx) >= 0;
}

/* The Internet checksum before it is inverted. */
static size_t add_up(const uint8_t *p, const uint8_t *end, size_t sum)
{
	for (int high = 1; p < end; high = !high)
		sum += (size_t)*p++ << (high ? 8 : 0);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* Is it a small packet with checksums, and the next part of the payload? */
static int is_right(const uint8_t *p, size_t len, size_t at)
{
	return len > DATA && len <= DATA + 1460 && len - DATA <= sizeof(large) - at &&
	       add_up(p + IP, p + TCP, 0) == 0xffff &&
	       add_up(p + IP + 12, p + len, 6 + len - TCP) == 0xffff &&
	       memcmp(p + DATA, large + at, len - DATA) == 0;
}

static int driver_reap(struct vtc_channel *channel)
{
	struct vtc_segment segments[CHAINS], *s = segments;
	uint8_t packet[CHAINS * 1024];
	struct vtc_done done[CHAINS];
	struct vtc_nethdr header;
	size_t len, at = DATA;
	uint64_t addr;
	int n, count = vtc_vring_reap(vtc_channel_get_vring(channel, 1), done, CHAINS);

	for (int i = 0; i < count; i++) {
		vtc_channel_get_buffer(channel, done[i].id, &addr, &segments[i]);
		segments[i].len = done[i].len;
	}
	for (; s < segments + count; at += len - DATA) {
		n = vtc_nethdr_get_buffers(s, 1);
		if (n < 0 || n > segments + count - s ||
		    vtc_nethdr_get(s, (unsigned int)n, 12, &header) < 0 || header.flags)
			return 0;
		for (len = 0; n > 0; n--, len += s++->len)
			memcpy(packet + len, s->base, s->len);
		if (!is_right(packet, len, at))
			return 0;
	}
	printf("driver: %zu bytes right, in %d buffers\n", at - DATA, count);
	return at == sizeof(large);
}

int main(int argc, char **argv)
{
	struct vtc_channel_opts opts = VTC_CHANNEL_OPTS_INIT;
	struct vtc_channel *driver = NULL, *device = NULL;
	struct vtc_offload *offload = NULL;
	struct vtc_ctx *ctx = NULL;
	int fds[5], ok;

	if (argc > 1)
		return puts("usage: large-packet") < 0 || strcmp(argv[1], "--help") != 0;
	opts.buffers = 1 + CHAINS;
	opts.buffer_size = 20480; /* for the large packet */
	ok = vtc_ctx_new(NULL, &ctx) == 0 &&
	     vtc_channel_create(ctx, &opts, &driver) == 0 &&
	     vtc_channel_get_fds(driver, fds, 5) == 5 &&
	     vtc_channel_open(ctx, fds, 5, &device) == 0 &&
	     vtc_offload_new(ctx, opts.features, VTC_VRING_DRIVER, &offload) == 0 &&
	     driver_start(driver) && device_cut(device, offload) && driver_reap(driver);
	fputs(ok ? "" : "large-packet: failed\n", stderr);
	vtc_offload_free(offload);
	vtc_channel_close(device);
	vtc_channel_close(driver);
	vtc_ctx_unref(ctx);
	return !ok;
}
