/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DPDK's virtio driver (testpmd with net_virtio_user) on the library's backend: each of
 * its paths for split and packed rings, every byte checked on its way there and back.
 */
#include <stdio.h>
#include <string.h>
#include <vtc/vtc.h>

#include "peer.h"
#include "testpmd.h"
#include "vtct.h"

#define FRAMES	   1500
#define MADE	   700
#define FEW_FRAMES 300
#define MEMORY	   "--no-huge --no-shconf -m 96"

/* For frames of four pieces in all of the driver's rings: it gets none back without. */
#define ARGUMENTS "--total-num-mbufs=12288 --port-topology=loop"

/* Bits of the number of a way that the driver can work in. */
#define MERGEABLE  1u
#define IN_ORDER   2u
#define VECTORIZED 4u
#define WAYS	   8u

static const uint32_t sizes[] = { 60, 61, 64, 127, 128, 129, 576, 1023, 1500, 1514 };
static const uint32_t large[] = { 60, 1514, 2036, 2037, 2048, 4000, 8191, 9000 };
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct peer *make_peer(unsigned int ports)
{
	struct vtc_vhost_user_opts opts = VTC_VHOST_USER_OPTS_INIT;
	struct peer *peer = peer_new();
	char path[64];

	opts.role = VTC_VRING_DEVICE;
	opts.flags = VTC_VHOST_USER_F_TRUSTED;
	opts.path = path;
	for (unsigned int i = 0; i < ports; i++) {
		peer_socket(path, i);
		peer_open(peer, &opts);
	}
	return peer;
}

static struct testpmd *start(struct peer *peer, bool packed, const unsigned int *ways,
			     unsigned int count, const char *arguments)
{
	char eal[4096], all[256], path[64];
	struct testpmd *t;
	size_t len;

	len = (size_t)snprintf(eal, sizeof(eal), MEMORY " --force-max-simd-bitwidth=512");
	for (unsigned int i = 0; i < count; i++) {
		peer_socket(path, i);
		len += (size_t)snprintf(
			eal + len, sizeof(eal) - len,
			" --vdev net_virtio_user%u,path=%s,queues=1,packed_vq=%d,"
			"mrg_rxbuf=%d,in_order=%d,vectorized=%d,queue_size=256",
			i, path, packed, !!(ways[i] & MERGEABLE), !!(ways[i] & IN_ORDER),
			!!(ways[i] & VECTORIZED));
	}
	snprintf(all, sizeof(all), ARGUMENTS " %s", arguments);
	t = testpmd_start("driver", TESTPMD_LAST, eal, all, peer_serve, peer);
	ck_assert_ptr_nonnull(t);
	peer_wait_ready(peer, count);
	return t;
}

/* What was asked for is what both sides work with. */
static void check_features(const struct peer *peer, bool packed, const unsigned int *ways,
			   unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		ck_assert_uint_eq(peer_info(peer, i).ready, 1);
		peer_check_feature(peer, i, VTC_VRING_F_PACKED, packed);
		peer_check_feature(peer, i, VTC_NET_F_MRG_RXBUF, ways[i] & MERGEABLE);
		peer_check_feature(peer, i, VTC_VRING_F_IN_ORDER, ways[i] & IN_ORDER);
	}
}

static void all_ways(bool packed)
{
	static const unsigned int ways[WAYS] = { 0, 1, 2, 3, 4, 5, 6, 7 };
	struct peer *peer = make_peer(WAYS);
	struct testpmd *t = start(peer, packed, ways, WAYS, "");

	check_features(peer, packed, ways, WAYS);
	for (enum peer_swap swap = PEER_SAME; swap <= PEER_TUPLE; swap++)
		peer_exchange(peer, t, swap, sizes, COUNT(sizes), FRAMES);
	/* Made by the driver, also in several pieces. */
	peer_receive(peer, t, "64", 64, MADE);
	peer_receive(peer, t, "1514", 1514, MADE);
	peer_receive(peer, t, "64,128,600", 792, MADE);
	peer_receive(peer, t, "100,50,50,50", 250, MADE);
	testpmd_quit(t);
	peer_wait_gone(peer);
	peer_free(peer);
}

START_TEST(split)
{
	all_ways(false);
}
END_TEST

START_TEST(packed)
{
	all_ways(true);
}
END_TEST

/* Frames that need several of the driver's buffers. */
static void large_frames(bool is_packed)
{
	static const unsigned int ways[] = { MERGEABLE, MERGEABLE | IN_ORDER };
	struct peer *peer = make_peer(COUNT(ways));
	struct testpmd *t = start(peer, is_packed, ways, COUNT(ways),
				  "--max-pkt-len=9018 --rx-offloads=0x2000 "
				  "--tx-offloads=0x8000");

	check_features(peer, is_packed, ways, COUNT(ways));
	peer_exchange(peer, t, PEER_SAME, large, COUNT(large), FRAMES);
	testpmd_quit(t);
	peer_free(peer);
}

START_TEST(split_large)
{
	large_frames(false);
}
END_TEST

START_TEST(packed_large)
{
	large_frames(true);
}
END_TEST

/* testpmd's memory has no other name. */
static unsigned int count_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned int count = 0;
	char line[512];

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		count += strstr(line, "/memfd:") != NULL;
	fclose(f);
	return count;
}

/* Killed while frames are on their way; the next one finds the ports as new. */
START_TEST(killed)
{
	static const unsigned int ways[] = { 0, MERGEABLE | IN_ORDER };
	struct peer *peer = make_peer(COUNT(ways));
	int fds = vtct_count_fds();

	for (unsigned int life = 0; life < 3; life++) {
		struct testpmd *t = start(peer, life % 2, ways, COUNT(ways), "");

		check_features(peer, life % 2, ways, COUNT(ways));
		peer_exchange(peer, t, PEER_SAME, sizes, COUNT(sizes), FEW_FRAMES);
		ck_assert_uint_eq(peer_info(peer, 0).connections, life + 1);
		ck_assert_uint_gt(count_maps(), 0);
		peer_ignore(peer);
		peer_order(t, "set fwd txonly");
		peer_order(t, "start");
		testpmd_kill(t);
		peer_wait_gone(peer);
		ck_assert_int_eq(vtct_count_fds(), fds);
		ck_assert_uint_eq(count_maps(), 0);
	}
	peer_free(peer);
}
END_TEST

int main(void)
{
	Suite *s = vtct_suite("testpmd-driver", split, packed, split_large, packed_large,
			      killed, NULL);

	return vtct_main(s, NULL);
}
