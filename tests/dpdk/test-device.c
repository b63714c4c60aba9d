/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The library's frontend on DPDK's virtio device (testpmd with net_vhost): rings and
 * features of all kinds, every byte checked on its way there and back.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <vtc/vtc.h>

#include "peer.h"
#include "testpmd.h"
#include "vtct.h"

#define FRAMES	   1500
#define FEW_FRAMES 300
#define MEMORY	   "--no-huge --no-shconf -m 96"
#define ARGUMENTS  "--total-num-mbufs=6144 --port-topology=loop"

/* Bits of the number of a way that our driver side can work in. */
#define PACKED	  1u
#define MERGEABLE 2u
#define IN_ORDER  4u
#define WAYS	  8u

static const uint32_t sizes[] = { 60, 61, 64, 127, 128, 129, 576, 1023, 1500, 1514 };
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static uint64_t bit_unless(bool wanted, unsigned int bit)
{
	return wanted ? 0 : 1ull << bit;
}

static struct peer *make_peer(const unsigned int *ways, unsigned int count)
{
	struct vtc_vhost_user_opts opts = VTC_VHOST_USER_OPTS_INIT;
	struct peer *peer = peer_new();
	char path[64];

	opts.role = VTC_VRING_DRIVER;
	opts.path = path;
	for (unsigned int i = 0; i < count; i++) {
		peer_socket(path, i);
		opts.features_off[0] =
			bit_unless(ways[i] & PACKED, VTC_VRING_F_PACKED) |
			bit_unless(ways[i] & MERGEABLE, VTC_NET_F_MRG_RXBUF) |
			bit_unless(ways[i] & IN_ORDER, VTC_VRING_F_IN_ORDER);
		peer_open(peer, &opts);
	}
	return peer;
}

/* What a dead one left behind keeps the next one from listening. */
static struct testpmd *start(struct peer *peer, unsigned int count)
{
	char eal[2048] = MEMORY, path[64];
	size_t len = strlen(eal);
	struct testpmd *t;

	for (unsigned int i = 0; i < count; i++) {
		peer_socket(path, i);
		unlink(path);
		len += (size_t)snprintf(eal + len, sizeof(eal) - len,
					" --vdev net_vhost%u,iface=%s,queues=1", i, path);
	}
	t = testpmd_start("device", TESTPMD_LAST, eal, ARGUMENTS, peer_serve, peer);
	ck_assert_ptr_nonnull(t);
	peer_wait_ready(peer, count);
	return t;
}

static void check_features(const struct peer *peer, const unsigned int *ways,
			   unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		peer_check_feature(peer, i, VTC_VRING_F_PACKED, ways[i] & PACKED);
		peer_check_feature(peer, i, VTC_NET_F_MRG_RXBUF, ways[i] & MERGEABLE);
		peer_check_feature(peer, i, VTC_VRING_F_IN_ORDER, ways[i] & IN_ORDER);
	}
}

START_TEST(all_ways)
{
	static const unsigned int ways[WAYS] = { 0, 1, 2, 3, 4, 5, 6, 7 };
	struct peer *peer = make_peer(ways, WAYS);
	struct testpmd *t = start(peer, WAYS);

	check_features(peer, ways, WAYS);
	for (enum peer_swap swap = PEER_SAME; swap <= PEER_TUPLE; swap++)
		peer_exchange(peer, t, swap, sizes, COUNT(sizes), FRAMES);
	testpmd_quit(t);
	peer_free(peer);
}
END_TEST

/* Killed while it sends; our ports find the next one. */
START_TEST(killed)
{
	static const unsigned int ways[] = { MERGEABLE, PACKED | IN_ORDER };
	struct peer *peer = make_peer(ways, COUNT(ways));
	int fds = 0;

	for (unsigned int life = 0; life < 3; life++) {
		struct testpmd *t = start(peer, COUNT(ways));

		check_features(peer, ways, COUNT(ways));
		peer_exchange(peer, t, PEER_SAME, sizes, COUNT(sizes), FEW_FRAMES);
		ck_assert_uint_eq(peer_info(peer, 0).connections, life + 1);
		peer_ignore(peer);
		peer_order(t, "set fwd txonly");
		peer_order(t, "start");
		testpmd_kill(t);
		peer_wait_gone(peer);
		if (!life)
			fds = vtct_count_fds();
		ck_assert_int_le(vtct_count_fds(), fds);
	}
	peer_free(peer);
}
END_TEST

int main(void)
{
	Suite *s = vtct_suite("testpmd-device", all_ways, killed, NULL);

	return vtct_main(s, NULL);
}
