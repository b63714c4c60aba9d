/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as a header and a packet, cut anywhere: what is accepted fulfils the rules,
 * the pieces add up, and they fit into receive chains. The first byte picks the far side,
 * the second the cuts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <vtc/ctx.h>
#include <vtc/nethdr.h>

#include "fuzz.h"

#define HDR_SIZE 12
#define CUTS	 16
#define CHAINS	 80
#define ROOM	 1526

static void need(int good)
{
	if (!good)
		abort();
}

/* The packet in so many pieces of its own, so that a byte too far is found. */
static unsigned int cut(const uint8_t *data, size_t len, unsigned int how,
			struct vtc_segment *segments)
{
	unsigned int count = 1 + how % CUTS, first = how / CUTS;
	size_t done = 0;

	for (unsigned int i = 0; i < count; i++) {
		size_t part = i + 1 < count ? (first + i * 7) % 23 : len;

		if (part > len - done)
			part = len - done;
		segments[i] = (struct vtc_segment){ malloc(part), part };
		if (part)
			memcpy(segments[i].base, data + done, part);
		done += part;
	}
	return count;
}

static void scatter(const struct vtc_nethdr *header, const struct vtc_segment *packet,
		    unsigned int count, size_t len)
{
	static struct vtc_segment rooms[CHAINS];
	static struct vtc_chain chains[CHAINS];
	struct vtc_done done[CHAINS];
	size_t sum = 0;
	int used;

	for (unsigned int i = 0; i < CHAINS && !chains[i].segments; i++) {
		rooms[i] = (struct vtc_segment){ calloc(1, ROOM), ROOM };
		chains[i] = (struct vtc_chain){ &rooms[i], 0, ROOM, 0, 1, i };
	}
	used = vtc_nethdr_scatter(header, HDR_SIZE, 1, packet, count, chains, CHAINS,
				  done);
	for (int i = 0; i < used; i++)
		sum += done[i].len;
	need(used > 0 ? sum == len + HDR_SIZE : len > CHAINS * ROOM - HDR_SIZE);
}

static void convert(struct vtc_offload *offload, const struct vtc_nethdr *header,
		    const struct vtc_segment *packet, unsigned int count, size_t len)
{
	struct vtc_segment out[CUTS + 1];
	int n, left = vtc_offload_begin(offload, header, packet, count);
	struct vtc_nethdr h;

	need(left > 0 || left == -EPROTO);
	need(left <= (int)len);
	while ((n = vtc_offload_next(offload, &h, out, count + 1)) > 0) {
		size_t sum = 0;

		for (int i = 0; i < n; i++)
			sum += out[i].len;
		need(sum >= 14 && sum <= len);
		scatter(&h, out, (unsigned int)n, sum);
		left--;
	}
	need(n == 0 && (left == 0 || left == -EPROTO));
}

static struct vtc_offload *make(unsigned int side)
{
	static struct vtc_offload *offloads[8];
	static const uint64_t features[4][2] = {
		{ 0 },
		{ 1u << VTC_NET_F_CSUM | 1u << VTC_NET_F_GUEST_CSUM },
		{ ~0ull & ~(1ull << VTC_NET_F_GUEST_TSO4 | 1ull << VTC_NET_F_HOST_TSO6) },
		{ ~0ull, ~0ull },
	};
	struct vtc_offload **o = &offloads[side % 8];
	struct vtc_ctx *ctx;

	if (!*o) {
		need(vtc_ctx_new(NULL, &ctx) == 0);
		need(vtc_offload_new(ctx, features[side % 4],
				     side & 4 ? VTC_VRING_DRIVER : VTC_VRING_DEVICE,
				     o) == 0);
		vtc_ctx_unref(ctx);
	}
	return *o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct vtc_segment whole[CUTS], packet[CUTS];
	struct vtc_nethdr header;
	unsigned int count;
	int used;

	if (len < 2)
		return 0;
	count = cut(data + 2, len - 2, data[1], whole);
	memcpy(packet, whole, sizeof(packet));
	len -= 2;
	if (vtc_nethdr_get(whole, count, HDR_SIZE, &header) == 0) {
		used = vtc_nethdr_strip(packet, count, HDR_SIZE);
		need(used >= 0 &&
		     header.csum_start + header.csum_offset + 2 <= (int)(len - HDR_SIZE));
		convert(make(data[0]), &header, packet + used, count - (unsigned int)used,
			len - HDR_SIZE);
	}
	(void)vtc_nethdr_get_buffers(whole, count);
	for (unsigned int i = 0; i < count; i++)
		free(whole[i].base);
	return 0;
}
