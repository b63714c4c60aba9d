/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools by flow rules and by L2 forwarding, on a simulated card (vtcsim): its counters of
 * each queue tell where the simulated hardware sorted a frame to. What real drivers are
 * known to refuse, change or forget is switched on in it, one habit in each test.
 */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pools.h"

#define CARD	"vtcsim0"
#define WIRE	"vtcwire0"
#define TARGET	"target"
#define GUEST	"guest"
#define QUEUES	8
#define FRAMES	32
#define NO_VLAN (-1)

/* Queues as bits; the stack has the first four if nothing else is said. */
#define STACK 0x0fu
#define ON(n) (1u << (n))

static const struct vtc_mac mine = { { 0x02, 0x11, 0, 0, 0, 1 } };
static const struct vtc_mac other = { { 0x02, 0x11, 0, 0, 0, 2 } };
static const struct vtc_mac stranger = { { 0x02, 0x99, 0, 0, 0, 9 } };

static struct vtc_ctx *ctx;

/* ---- The card ---- */

/* All that a pool may change of it, and all interfaces. */
static const char *state(void)
{
	return lab_do("ethtool -l " CARD " && ethtool -x " CARD " && ethtool -k " CARD
		      " && ethtool -n " CARD " && bridge fdb show dev " CARD
		      " self && ip -o link show | cut -d: -f2 | sort &&"
		      "ip -d link show " CARD " | sed 's/prog.*/prog/' && "
		      "find /sys/fs/bpf -type f");
}

/* The whole of two states is more than libcheck can print. */
static void expect_state(const char *want)
{
	const char *now = state(), *line = now;
	size_t i = 0;

	while (now[i] && now[i] == want[i])
		if (now[i++] == '\n')
			line = now + i;
	ck_assert_msg(now[i] == want[i],
		      "it differs in the line\n%.80s\nat\n%.40s\nwhich was\n%.40s", line,
		      now + i, want + i);
}

static void load(const char *parameters)
{
	lab_do("modprobe -r vtcsim && modprobe vtcsim %s && ip link set " WIRE
	       " up && ip link set " CARD " up",
	       parameters);
}

static void habit(const char *parameter, const char *value)
{
	int err = lab_write(value, "module/vtcsim/parameters/%s", parameter);

	if (err)
		vtct_die("%s %s: %s", parameter, value, strerror(-err));
}

static void read_counters(uint64_t counters[QUEUES])
{
	const char *text = lab_do("ethtool -S " CARD);
	char key[32];

	for (int i = 0; i < QUEUES; i++) {
		snprintf(key, sizeof(key), "rx_queue_%d_packets:", i);
		counters[i] = (uint64_t)atoll(lab_field(text, key));
	}
}

/* The same frame of several senders; theirs is the place behind the address. */
static void send_each(uint8_t frame[64])
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	address.sll_ifindex = (int)if_nametoindex(WIRE);
	/* The card's hash is of the sender. */
	for (int i = 0; i < FRAMES; i++) {
		memcpy(frame + ETH_ALEN, (uint8_t[]){ 2, 0, 0, 0, 1, (uint8_t)i },
		       ETH_ALEN);
		if (sendto(fd, frame, 64, 0, (struct sockaddr *)&address,
			   sizeof(address)) != 64)
			vtct_die("send: %s", strerror(errno));
	}
	close(fd);
}

static void send_frames(const struct vtc_mac *to, int vlan)
{
	uint8_t frame[64] = { 0 };

	memcpy(frame, to->addr, ETH_ALEN);
	frame[12] = vlan == NO_VLAN ? 0x88 : 0x81;
	frame[13] = vlan == NO_VLAN ? 0xb5 : 0x00;
	frame[14] = vlan == NO_VLAN ? 0 : (uint8_t)(vlan >> 8);
	frame[15] = vlan == NO_VLAN ? 0 : (uint8_t)vlan;
	frame[16] = 0x88;
	frame[17] = 0xb5;
	send_each(frame);
}

/* An 802.1ad tag, and behind it one of 802.1Q. */
static void send_two_tags(const struct vtc_mac *to, uint8_t outer, uint8_t inner)
{
	uint8_t frame[64] = { 0 };

	memcpy(frame, to->addr, ETH_ALEN);
	memcpy(frame + 12,
	       (uint8_t[]){ 0x88, 0xa8, 0, outer, 0x81, 0x00, 0, inner, 0x88, 0xb5 }, 10);
	send_each(frame);
}

static uint64_t moved(const uint64_t before[QUEUES], unsigned int *ret_queues)
{
	uint64_t now[QUEUES], sum = 0;

	*ret_queues = 0;
	read_counters(now);
	for (int i = 0; i < QUEUES; i++) {
		sum += now[i] - before[i];
		if (now[i] != before[i])
			*ret_queues |= ON(i);
	}
	return sum;
}

/* Queues on which frames for an address come. */
static unsigned int queues_of(const struct vtc_mac *to, int vlan)
{
	uint64_t before[QUEUES];
	unsigned int queues = 0;

	read_counters(before);
	send_frames(to, vlan);
	ck_assert(lab_wait(moved(before, &queues) >= FRAMES));
	return queues;
}

/* ---- Fixtures ---- */

static void setup(void)
{
	load("");
	ctx = pools_ctx();
}

static void teardown(void)
{
	vtc_ctx_unref(ctx);
}

static struct vtc_pool *request(const char *name, uint32_t queues, const char *target)
{
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;
	struct vtc_pool *pool = NULL;

	opts.name = name;
	opts.backend = VTC_POOL_BACKEND_NTUPLE;
	opts.queues = queues;
	opts.target = target;
	ck_assert_msg(vtc_pool_request(ctx, CARD, &opts, &pool) == 0, "%s",
		      lab_error(ctx));
	return pool;
}

static struct vtc_pool *request_xdp(const char *name)
{
	return pools_request(ctx, CARD, name, VTC_POOL_BACKEND_XDP, TARGET, 0);
}

static void refuse(enum vtc_pool_backend backend, int want, const char *part)
{
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;
	const char *before = state();
	struct vtc_pool *pool;

	opts.name = "refused";
	opts.backend = backend;
	ck_assert_errno(vtc_pool_request(ctx, CARD, &opts, &pool), want);
	ck_assert_has(lab_error(ctx), part);
	expect_state(before);
}

static void expect_queue(struct vtc_pool *pool, uint32_t first)
{
	struct vtc_pool_info info = pools_info(pool);

	ck_assert_uint_eq(info.backend, VTC_POOL_BACKEND_NTUPLE);
	ck_assert_uint_eq(info.queue_first, first);
}

/* What an audit finds; each line of it is about a step. */
static void expect_repair(struct vtc_pool *pool, const char *part)
{
	struct vtc_pool_audit audit = { .sz = sizeof(audit) };

	ck_assert_msg(vtc_pool_audit(pool, &audit) == 0, "%s", lab_error(ctx));
	ck_assert_uint_gt(audit.repaired, 0);
	ck_assert_has(audit.text, part);
	ck_assert_uint_eq(pools_audit(ctx, pool), 0);
}

/* ---- Rules lead to queues ---- */

START_TEST(frames_come_on_the_pools_queue_and_out_at_its_target)
{
	const char *before = state();
	struct vtc_pool *pool = request("vm", 1, TARGET);
	struct vtc_pool_stats stats;
	long arrived;

	expect_queue(pool, 4);
	pools_add(ctx, pool, pools_mac(&mine));
	arrived = lab_read_number("class/net/" GUEST "/statistics/rx_packets");
	ck_assert_uint_eq(queues_of(&mine, NO_VLAN), ON(4));
	ck_assert(lab_wait(lab_read_number("class/net/" GUEST "/statistics/rx_packets") >=
			   arrived + FRAMES));
	ck_assert_uint_eq(queues_of(&stranger, NO_VLAN) & ~STACK, 0);
	stats = pools_stats(ctx, pool);
	ck_assert_uint_eq(stats.rx_packets, FRAMES);
	ck_assert_uint_eq(stats.to_target, FRAMES);
	ck_assert_uint_eq(stats.missort, 0);
	pools_release(ctx, pool);
	expect_state(before);
}
END_TEST

START_TEST(several_queues_have_a_table_of_their_own)
{
	const char *before = state();
	struct vtc_pool *one = request("one", 1, NULL);
	struct vtc_pool *more = request("more", 2, NULL);

	expect_queue(more, 5);
	ck_assert_str_eq(pools_info(more).note, "");
	pools_add(ctx, one, pools_mac(&other));
	pools_add(ctx, more, pools_mac(&mine));
	ck_assert_uint_eq(queues_of(&mine, NO_VLAN), ON(5) | ON(6));
	ck_assert_uint_eq(pools_stats(ctx, more).missort, 0);
	pools_release(ctx, one);
	pools_release(ctx, more);
	expect_state(before);
}
END_TEST

START_TEST(without_a_table_of_their_own_the_first_queue_has_all)
{
	const char *before;
	struct vtc_pool *pool;

	for (int i = 0; i < 4; i++)
		lab_do("ethtool -X " CARD " context new equal 2");
	before = state();
	pool = request("vm", 2, NULL);
	ck_assert_has(pools_info(pool).note, "first queue");
	pools_add(ctx, pool, pools_mac(&mine));
	ck_assert_uint_eq(queues_of(&mine, NO_VLAN), ON(4));
	pools_release(ctx, pool);
	expect_state(before);
}
END_TEST

START_TEST(a_hole_is_filled)
{
	const char *before = state();
	struct vtc_pool *a = request("a", 1, NULL), *b = request("b", 1, NULL);
	struct vtc_pool *c = request("c", 1, NULL), *d;

	expect_queue(b, 5);
	pools_release(ctx, b);
	d = request("d", 1, NULL);
	expect_queue(d, 5);
	pools_release(ctx, a);
	pools_release(ctx, c);
	pools_release(ctx, d);
	expect_state(before);
}
END_TEST

/* Then the stack gets along with fewer. */
START_TEST(a_card_without_spare_channels_gives_up_some)
{
	const char *before;
	struct vtc_pool *a, *b;

	load("queues=4");
	before = state();
	a = request("a", 1, NULL);
	b = request("b", 2, NULL);
	expect_queue(a, 3);
	expect_queue(b, 1);
	ck_assert_uint_eq(queues_of(&stranger, NO_VLAN), ON(0));
	refuse(VTC_POOL_BACKEND_NTUPLE, -ENOSPC, "no queues left");
	pools_release(ctx, b);
	pools_release(ctx, a);
	expect_state(before);
}
END_TEST

static uint32_t end_of(struct vtc_pool *pool)
{
	struct vtc_pool_info info = pools_info(pool);

	return info.queue_first + info.queue_count;
}

/* A queue can have the socket of one port. */
START_TEST(a_pool_without_queues_of_its_own_leaves_those_of_others)
{
	struct vtc_pool *a = request("a", 1, NULL), *b = request_xdp("b"), *c;

	expect_queue(a, 4);
	ck_assert_uint_eq(pools_info(b).queue_first, 0);
	ck_assert_uint_eq(end_of(b), 4);
	c = request("c", 1, NULL);
	expect_queue(c, 5);
	pools_release(ctx, a);
	pools_release(ctx, b);
	pools_release(ctx, c);

	load("queues=4");
	b = request_xdp("b");
	ck_assert_uint_eq(end_of(b), 4);
	refuse(VTC_POOL_BACKEND_NTUPLE, -ENOSPC, "no queues left");
	pools_release(ctx, b);
	a = request("a", 1, NULL);
	expect_queue(a, 3);
	b = request_xdp("b");
	ck_assert_uint_eq(end_of(b), 3);
	pools_release(ctx, a);
	pools_release(ctx, b);
}
END_TEST

START_TEST(a_table_of_the_users_comes_back)
{
	const char *before;
	struct vtc_pool *pool;

	lab_do("ethtool -X " CARD " weight 3 1 2");
	before = state();
	pool = request("vm", 1, NULL);
	pools_release(ctx, pool);
	expect_state(before);
}
END_TEST

/* As with igb: when channels are added the driver makes its table anew. */
START_TEST(a_default_table_in_blocks_is_no_users)
{
	const char *before;
	struct vtc_pool *a, *b;

	load("rss_blocks=1");
	before = state();
	a = request("a", 1, NULL);
	b = request("b", 1, NULL);
	ck_assert_uint_eq(queues_of(&stranger, NO_VLAN) & ~STACK, 0);
	pools_release(ctx, a);
	pools_release(ctx, b);
	expect_state(before);
	/* It follows the channels again. */
	lab_do("ethtool -L " CARD " combined 2");
	ck_assert_has(lab_do("ethtool -x " CARD " | grep '24:'"), " 1 ");
	ck_assert_has_not(lab_do("ethtool -x " CARD " | grep '24:'"), " 2 ");
}
END_TEST

START_TEST(rules_of_others_stay)
{
	const char *before;
	struct vtc_pool *pool;

	lab_do("ethtool -K " CARD " ntuple on && "
	       "ethtool -N " CARD " flow-type ether dst 02:22:00:00:00:01 action 1 loc 5 "
	       "&& ethtool -N " CARD " flow-type ether dst 02:22:00:00:00:02 action 1 "
	       "loc 7");
	before = state();
	pool = request("vm", 1, NULL);
	pools_add(ctx, pool, pools_mac(&mine));
	ck_assert_has(lab_do("ethtool -n " CARD " rule 6"), "02:11:00:00:00:01");
	pools_release(ctx, pool);
	expect_state(before);
}
END_TEST

/* Somebody replaced our rule: theirs is not ours to take away. */
START_TEST(a_rule_that_somebody_changed_is_left)
{
	struct vtc_pool *pool = request("vm", 1, NULL);

	pools_add(ctx, pool, pools_mac(&mine));
	lab_do("ethtool -N " CARD
	       " flow-type ether dst 02:22:00:00:00:01 action 1 loc 5");
	pools_release(ctx, pool);
	/* It would go with the feature. */
	ck_assert_has(lab_do("ethtool -n " CARD " rule 5"), "02:22:00:00:00:01");
	ck_assert_has(lab_do("ethtool -k " CARD " | grep ntuple"), "on");
}
END_TEST

START_TEST(a_filter_that_goes_takes_its_rule_along)
{
	struct vtc_pool *pool = request("vm", 1, NULL);
	struct vtc_filter filter = pools_mac(&mine);

	pools_add(ctx, pool, filter);
	pools_add(ctx, pool, pools_mac(&other));
	ck_assert_errno(vtc_pool_remove_filter(pool, &filter), 0);
	ck_assert_has(lab_do("ethtool -n " CARD), "Total 1 rules");
	ck_assert_uint_eq(queues_of(&mine, NO_VLAN) & ON(4), 0);
	ck_assert_uint_eq(queues_of(&other, NO_VLAN), ON(4));
	pools_release(ctx, pool);
}
END_TEST

START_TEST(a_full_table_is_told_of)
{
	struct vtc_pool *pool = request("vm", 1, NULL);
	const char *before;

	for (int i = 0; i < 16; i++)
		lab_do("ethtool -N " CARD
		       " flow-type ether dst 02:22:00:00:00:%02x action 1 loc %d",
		       i, i);
	before = state();
	pools_refuse(ctx, pool, pools_mac(&mine), -ENOSPC, "no room for a rule");
	expect_state(before);
	refuse(VTC_POOL_BACKEND_NTUPLE, -ENOSPC, "all 16 flow rules are in use");
	pools_release(ctx, pool);
}
END_TEST

/* ---- What is lost ---- */

/* Until it is found the guard sorts, on whatever queue the frames come. */
START_TEST(a_lost_rule_harms_nobody_and_is_made_again)
{
	struct vtc_pool *pool = request("vm", 1, TARGET);
	struct vtc_pool_stats stats;

	pools_add(ctx, pool, pools_mac(&mine));
	lab_do("ethtool -N " CARD " delete 5");
	ck_assert_uint_eq(queues_of(&mine, NO_VLAN) & ~STACK, 0);
	stats = pools_stats(ctx, pool);
	ck_assert_uint_eq(stats.missort, FRAMES);
	ck_assert_uint_eq(stats.to_target, FRAMES);
	expect_repair(pool, "flow rule MAC 02:11:00:00:00:01 to queue 4");
	ck_assert_uint_eq(queues_of(&mine, NO_VLAN), ON(4));
	ck_assert_uint_eq(pools_stats(ctx, pool).missort, FRAMES);
	pools_release(ctx, pool);
}
END_TEST

START_TEST(rules_that_go_down_with_the_interface_come_up_again)
{
	struct vtc_pool *pool = request("vm", 1, NULL);

	pools_add(ctx, pool, pools_mac(&mine));
	habit("flush_on_down", "1");
	lab_do("ip link set " CARD " down && ip link set " CARD " up");
	ck_assert_has(lab_do("ethtool -n " CARD), "Total 0 rules");
	expect_repair(pool, "flow rule");
	ck_assert_uint_eq(queues_of(&mine, NO_VLAN), ON(4));
	pools_release(ctx, pool);
}
END_TEST

START_TEST(a_table_that_was_reset_is_set_again)
{
	const char *before = state();
	struct vtc_pool *pool = request("vm", 1, NULL);

	habit("reta_reset_on_up", "1");
	lab_do("ip link set " CARD " down && ip link set " CARD " up");
	ck_assert_uint_eq(queues_of(&stranger, NO_VLAN) & ON(4), ON(4));
	expect_repair(pool, "other traffic was spread over the pools' queues");
	ck_assert_uint_eq(queues_of(&stranger, NO_VLAN) & ~STACK, 0);
	pools_release(ctx, pool);
	expect_state(before);
}
END_TEST

START_TEST(channels_that_somebody_took_come_back)
{
	const char *before = state();
	struct vtc_pool *pool = request("vm", 1, NULL);

	pools_add(ctx, pool, pools_mac(&mine));
	lab_do("ethtool -N " CARD " delete 5 && ethtool -X " CARD " default && "
	       "ethtool -L " CARD " combined 3");
	expect_repair(pool, "3 channels are left of 5");
	ck_assert_uint_eq(queues_of(&mine, NO_VLAN), ON(4));
	ck_assert_uint_eq(queues_of(&stranger, NO_VLAN) & ~STACK, 0);
	pools_release(ctx, pool);
	expect_state(before);
}
END_TEST

START_TEST(channels_that_somebody_added_stay)
{
	struct vtc_pool *pool = request("vm", 1, NULL);

	lab_do("ethtool -L " CARD " combined 7");
	ck_assert_uint_eq(pools_audit(ctx, pool), 0);
	ck_assert_uint_eq(queues_of(&stranger, NO_VLAN) & ~STACK, 0);
	pools_release(ctx, pool);
	ck_assert_has(lab_do("ethtool -l " CARD " | tail -n 2"), "7");
}
END_TEST

START_TEST(a_feature_that_somebody_switched_off_is_on_again)
{
	struct vtc_pool *pool = request("vm", 1, NULL);

	pools_add(ctx, pool, pools_mac(&mine));
	lab_do("ethtool -K " CARD " ntuple off");
	expect_repair(pool, "feature rx-ntuple-filter was switched off");
	ck_assert_uint_eq(queues_of(&mine, NO_VLAN), ON(4));
	pools_release(ctx, pool);
}
END_TEST

START_TEST(a_context_that_was_deleted_is_made_again)
{
	const char *before = state();
	struct vtc_pool *pool = request("vm", 2, NULL);

	pools_add(ctx, pool, pools_mac(&mine));
	lab_do("ethtool -N " CARD " delete 5 && ethtool -X " CARD " context 1 delete");
	expect_repair(pool, "RSS context 1 is gone");
	ck_assert_uint_eq(queues_of(&mine, NO_VLAN), ON(4) | ON(5));
	pools_release(ctx, pool);
	expect_state(before);
}
END_TEST

START_TEST(the_driver_is_loaded_anew_below_a_pool)
{
	struct vtc_pool_audit audit = { .sz = sizeof(audit) };
	struct vtc_pool *pool = request("vm", 1, NULL), *again;
	const char *before;

	pools_add(ctx, pool, pools_mac(&mine));
	load("");
	before = state();
	ck_assert_errno(vtc_pool_audit(pool, &audit), -ENODEV);
	again = request("vm", 1, NULL);
	pools_add(ctx, again, pools_mac(&mine));
	ck_assert_uint_eq(queues_of(&mine, NO_VLAN), ON(4));
	pools_release(ctx, again);
	ck_assert_errno(vtc_pool_release(pool), 0);
	expect_state(before);
	ck_assert_errno(vtc_pool_recover(ctx, NULL, NULL), 0);
	ck_assert_str_eq(lab_output("ls %s | grep -v lock", vtct_dir()), "");
}
END_TEST

static void make_and_die(void)
{
	struct vtc_ctx *own = pools_ctx();
	struct vtc_pool *pool =
		pools_request(own, CARD, "dead", VTC_POOL_BACKEND_NTUPLE, TARGET, 0);

	pools_add(own, pool, pools_mac(&mine));
	pools_add(own, pool, pools_both(&other, 5));
}

START_TEST(a_killed_process_leaves_nothing)
{
	const char *before = state();

	pools_killed(make_and_die);
	ck_assert_int_ne(strcmp(state(), before), 0);
	ck_assert_uint_gt(pools_recover(ctx, CARD), 0);
	expect_state(before);
}
END_TEST

/* ---- What drivers take ---- */

START_TEST(the_vlan_mask_that_the_driver_takes_is_found)
{
	static const char *const masks[] = { "4095", "65535" };

	for (int i = 0; i < 2; i++) {
		struct vtc_pool *pool;

		habit("vlan_mask", masks[i]);
		pool = request("vm", 1, NULL);
		pools_add(ctx, pool, pools_both(&mine, 5));
		pools_add(ctx, pool, pools_vlan(6));
		ck_assert_uint_eq(queues_of(&mine, 5), ON(4));
		ck_assert_uint_eq(queues_of(&stranger, 6), ON(4));
		ck_assert_uint_eq(queues_of(&mine, 7) & ~STACK, 0);
		ck_assert_uint_eq(pools_stats(ctx, pool).missort, 0);
		ck_assert_uint_eq(pools_stats(ctx, pool).rx_packets, 2 * FRAMES);
		pools_release(ctx, pool);
	}
}
END_TEST

START_TEST(a_driver_that_takes_no_vlan_is_told_of)
{
	struct vtc_pool *pool = request("vm", 1, NULL);
	const char *before = state();

	habit("vlan_mask", "0");
	pools_refuse(ctx, pool, pools_both(&mine, 5), -EOPNOTSUPP, "takes no rule");
	expect_state(before);
	pools_add(ctx, pool, pools_mac(&mine));
	pools_release(ctx, pool);
}
END_TEST

/* The card matches the MAC alone; the guard tells the tags apart. */
START_TEST(frames_without_tag_are_told_apart_by_the_guard)
{
	struct vtc_pool *pool = request("vm", 1, NULL);

	pools_add(ctx, pool, pools_both(&mine, 0));
	ck_assert_uint_eq(queues_of(&mine, NO_VLAN), ON(4));
	ck_assert_uint_eq(queues_of(&mine, 5), ON(4));
	ck_assert_uint_eq(pools_stats(ctx, pool).rx_packets, FRAMES);
	pools_refuse(ctx, pool, pools_vlan(0), -EOPNOTSUPP, "frames without tag");
	pools_release(ctx, pool);
}
END_TEST

/* A card that takes the outer of two tags off would leave one for the inner VLAN. */
START_TEST(of_two_tags_the_outer_one_counts)
{
	const char *before;
	struct vtc_pool *outer, *inner;

	lab_do("ethtool -K " CARD " rx-vlan-stag-hw-parse on");
	before = state();
	outer = request_xdp("outer");
	inner = request_xdp("inner");
	ck_assert_has(lab_do("ethtool -k " CARD " | grep rx-vlan-stag-hw-parse"), "off");
	pools_add(ctx, outer, pools_both(&mine, 10));
	pools_add(ctx, inner, pools_both(&mine, 20));
	send_two_tags(&mine, 10, 20);
	ck_assert(lab_wait(pools_stats(ctx, outer).rx_packets >= FRAMES));
	ck_assert_uint_eq(pools_stats(ctx, inner).rx_packets, 0);
	pools_release(ctx, outer);
	pools_release(ctx, inner);
	expect_state(before);
}
END_TEST

START_TEST(tags_that_cannot_be_seen_are_told_of)
{
	struct vtc_pool *pool;

	load("vlan_fixed=1");
	pool = request_xdp("vm");
	ck_assert_has(pools_info(pool).note, "VLAN tags that the driver takes off");
	pools_refuse(ctx, pool, pools_both(&mine, 5), -EOPNOTSUPP, "before the guard");
	pools_add(ctx, pool, pools_mac(&mine));
	pools_release(ctx, pool);
	load("");
	pool = request_xdp("vm");
	ck_assert_has_not(pools_info(pool).note, "VLAN");
	pools_release(ctx, pool);
}
END_TEST

static const char *addresses(void)
{
	return lab_do("bridge fdb show dev " CARD " self");
}

static void expect_received(enum vtc_pool_backend backend)
{
	struct vtc_pool *pool = pools_request(ctx, CARD, "vm", backend, TARGET, 0);
	uint64_t before;

	pools_add(ctx, pool, pools_mac(&mine));
	ck_assert_str_eq(pools_info(pool).note, "");
	before = pools_stats(ctx, pool).rx_packets;
	send_frames(&mine, NO_VLAN);
	send_frames(&mine, 5);
	ck_assert(lab_wait(pools_stats(ctx, pool).rx_packets >= before + 2 * FRAMES));
	pools_release(ctx, pool);
}

/* A card that is no port of a bridge takes what is for itself, and what it is told of. */
START_TEST(the_card_is_told_what_to_receive)
{
	static const enum vtc_pool_backend backends[] = { VTC_POOL_BACKEND_NTUPLE,
							  VTC_POOL_BACKEND_XDP,
							  VTC_POOL_BACKEND_TC };
	const char *before;

	load("unicast_filter=1 vlan_filter=1");
	before = addresses();
	for (int i = 0; i < 3; i++) {
		const char *was = state();

		expect_received(backends[i]);
		expect_state(was);
		ck_assert_str_eq(addresses(), before);
	}
}
END_TEST

START_TEST(an_address_goes_with_the_last_that_needs_it)
{
	struct vtc_filter five = pools_both(&mine, 5), six = pools_both(&mine, 6);
	struct vtc_pool *a, *b;

	load("unicast_filter=1");
	a = request_xdp("a");
	b = request_xdp("b");
	pools_add(ctx, a, five);
	pools_add(ctx, a, six);
	pools_add(ctx, b, pools_mac(&mine));
	ck_assert_has(addresses(), "02:11:00:00:00:01");
	ck_assert_errno(vtc_pool_remove_filter(a, &five), 0);
	pools_release(ctx, b);
	ck_assert_has(addresses(), "02:11:00:00:00:01");
	lab_do("bridge fdb del 02:11:00:00:00:01 dev " CARD " self");
	expect_repair(a, "not told of an address");
	ck_assert_has(addresses(), "02:11:00:00:00:01");
	pools_release(ctx, a);
	ck_assert_has_not(addresses(), "02:11:00:00:00:01");
	/* One that somebody else added stays. */
	lab_do("bridge fdb add 02:11:00:00:00:01 dev " CARD " self");
	a = request_xdp("a");
	pools_add(ctx, a, five);
	pools_release(ctx, a);
	ck_assert_has(addresses(), "02:11:00:00:00:01");
}
END_TEST

START_TEST(a_card_that_cannot_be_told_is_told_of)
{
	struct vtc_pool *pool;

	load("unicast_filter=1 no_addresses=1 vlan_filter=2");
	pool = request_xdp("vm");
	ck_assert_has(pools_info(pool).note, "rx-vlan-filter is on");
	pools_add(ctx, pool, pools_mac(&mine));
	ck_assert_has(pools_info(pool).note, "cannot be told of an address");
	ck_assert_uint_eq(pools_audit(ctx, pool), 0);
	lab_do("ip link set " CARD " promisc on");
	(void)queues_of(&mine, 5);
	pools_release(ctx, pool);
}
END_TEST

/* As with igb: a MAC and a tag would be two rules of which either is enough. */
START_TEST(where_and_is_or_the_mac_alone_is_matched)
{
	struct vtc_pool *a, *b;

	load("driver=igb vlan_mask=0xe000");
	a = request("a", 1, NULL);
	b = request("b", 1, NULL);
	pools_add(ctx, a, pools_both(&mine, 5));
	ck_assert_has_not(lab_do("ethtool -n " CARD), "VLAN");
	ck_assert_uint_eq(queues_of(&mine, 6), ON(4));
	ck_assert_uint_eq(pools_stats(ctx, a).rx_packets, 0);
	pools_refuse(ctx, b, pools_both(&mine, 6), -EADDRINUSE, "a");
	pools_refuse(ctx, b, pools_vlan(6), -EOPNOTSUPP, "VLAN");
	pools_release(ctx, a);
	pools_release(ctx, b);
}
END_TEST

/* A filter goes whose rule on the card is another's as well; then that one goes. */
static void expect_shared(struct vtc_filter a, struct vtc_filter b, int vlan)
{
	struct vtc_pool *pool = request("vm", 1, NULL);

	pools_add(ctx, pool, a);
	pools_add(ctx, pool, b);
	ck_assert_has(lab_do("ethtool -n " CARD), "Total 1 rules");
	ck_assert_errno(vtc_pool_remove_filter(pool, &a), 0);
	ck_assert_has(lab_do("ethtool -n " CARD), "Total 1 rules");
	ck_assert_uint_eq(queues_of(&mine, vlan), ON(4));
	ck_assert_uint_eq(pools_audit(ctx, pool), 0);
	lab_do("ethtool -n " CARD " | sed -n 's/Filter: //p' | "
	       "xargs ethtool -N " CARD " delete");
	expect_repair(pool, "flow rule MAC 02:11:00:00:00:01");
	ck_assert_uint_eq(queues_of(&mine, vlan), ON(4));
	pools_add(ctx, pool, a);
	ck_assert_errno(vtc_pool_remove_filter(pool, &b), 0);
	ck_assert_has(lab_do("ethtool -n " CARD), "Total 1 rules");
	ck_assert_errno(vtc_pool_remove_filter(pool, &a), 0);
	ck_assert_has(lab_do("ethtool -n " CARD), "Total 0 rules");
	pools_release(ctx, pool);
}

START_TEST(a_rule_of_two_filters_goes_with_the_last)
{
	const char *before = state();

	expect_shared(pools_both(&mine, 0), pools_mac(&mine), NO_VLAN);
	expect_shared(pools_mac(&mine), pools_both(&mine, 0), NO_VLAN);
	expect_state(before);
	load("driver=igb vlan_mask=0xe000");
	expect_shared(pools_both(&mine, 10), pools_both(&mine, 20), 20);
}
END_TEST

static void check_picked(void)
{
	const char *before = state();
	struct vtc_pool *pool = request("vm", 1, NULL);

	pools_add(ctx, pool, pools_mac(&mine));
	pools_add(ctx, pool, pools_both(&other, 5));
	ck_assert_has(lab_do("ethtool -n " CARD " rule 15"), "02:11:00:00:00:01");
	lab_do("ethtool -N " CARD " delete 15");
	expect_repair(pool, "flow rule");
	ck_assert_uint_eq(queues_of(&mine, NO_VLAN), ON(4));
	ck_assert_uint_eq(queues_of(&other, 5), ON(4));
	pools_release(ctx, pool);
	expect_state(before);
}

START_TEST(the_card_picks_the_place)
{
	habit("location_any", "1");
	check_picked();
}
END_TEST

START_TEST(the_card_picks_the_place_and_does_not_say_so)
{
	habit("location_any", "1");
	habit("location_hidden", "1");
	check_picked();
}
END_TEST

START_TEST(a_part_that_the_driver_drops_is_noticed)
{
	struct vtc_pool *pool = request("vm", 1, NULL);
	const char *before = state();

	habit("drop_vlan", "1");
	pools_refuse(ctx, pool, pools_both(&mine, 5), -EIO, "not all of it");
	expect_state(before);
	pools_add(ctx, pool, pools_mac(&mine));
	ck_assert_uint_eq(queues_of(&mine, NO_VLAN), ON(4));
	pools_release(ctx, pool);
}
END_TEST

/* As with ice. */
START_TEST(rules_make_way_for_more_channels)
{
	const char *before;
	struct vtc_pool *a, *b;

	load("driver=ice vlan_mask=0xffff channels_first=1");
	before = state();
	a = request("a", 1, NULL);
	pools_add(ctx, a, pools_both(&mine, 5));
	b = request("b", 1, NULL);
	pools_add(ctx, b, pools_mac(&other));
	ck_assert_uint_eq(queues_of(&mine, 5), ON(4));
	ck_assert_uint_eq(queues_of(&other, NO_VLAN), ON(5));
	ck_assert_uint_eq(pools_audit(ctx, a), 0);
	pools_release(ctx, a);
	pools_release(ctx, b);
	expect_state(before);
}
END_TEST

START_TEST(rules_of_others_make_no_way)
{
	struct vtc_pool *a;

	load("driver=ice vlan_mask=0xffff channels_first=1");
	a = request("a", 1, NULL);
	pools_add(ctx, a, pools_mac(&mine));
	lab_do("ethtool -N " CARD
	       " flow-type ether dst 02:22:00:00:00:01 action 1 loc 0");
	refuse(VTC_POOL_BACKEND_NTUPLE, -EBUSY, "flow rules of others");
	ck_assert_uint_eq(queues_of(&mine, NO_VLAN), ON(4));
	ck_assert_uint_eq(pools_audit(ctx, a), 0);
	lab_do("ethtool -N " CARD " delete 0");
	pools_release(ctx, a);
}
END_TEST

START_TEST(refusals_change_nothing_and_say_why)
{
	habit("refuse_features", "1");
	refuse(VTC_POOL_BACKEND_NTUPLE, -EIO, "did not switch it on");
	refuse(VTC_POOL_BACKEND_MACVLAN, -EIO, "did not switch it on");
	habit("refuse_features", "0");
	habit("rss_fixed", "1");
	refuse(VTC_POOL_BACKEND_NTUPLE, -EOPNOTSUPP, "does not let it be set");
	load("driver=bnxt_en location_any=1 rules_need_up=1");
	lab_do("ip link set " CARD " down");
	refuse(VTC_POOL_BACKEND_NTUPLE, -EAGAIN, "while the interface is up");
	load("ntuple_fixed=1 forward_fixed=1");
	refuse(VTC_POOL_BACKEND_NTUPLE, -EOPNOTSUPP, "rx-ntuple-filter is fixed off");
	refuse(VTC_POOL_BACKEND_MACVLAN, -EOPNOTSUPP, "l2-fwd-offload is fixed off");
	load("driver=ixgbe");
	refuse(VTC_POOL_BACKEND_NTUPLE, -EOPNOTSUPP, "ixgbe cannot match a MAC");
}
END_TEST

START_TEST(left_to_itself_the_library_takes_the_rules)
{
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;
	struct vtc_pool *pool;

	opts.name = "vm";
	ck_assert_errno(vtc_pool_request(ctx, CARD, &opts, &pool), 0);
	ck_assert_uint_eq(pools_info(pool).backend, VTC_POOL_BACKEND_NTUPLE);
	ck_assert_uint_eq(pools_info(pool).flags & VTC_POOL_INFO_HARDWARE,
			  VTC_POOL_INFO_HARDWARE);
	pools_release(ctx, pool);
	/* The rules are known to be refused only when it is tried. */
	habit("rss_fixed", "1");
	ck_assert_errno(vtc_pool_request(ctx, CARD, &opts, &pool), 0);
	ck_assert_uint_eq(pools_info(pool).backend, VTC_POOL_BACKEND_MACVLAN);
	pools_release(ctx, pool);
}
END_TEST

/* As with ice before Linux 6.11: there are rules, but none that matches a MAC. */
START_TEST(a_card_without_rules_for_a_mac_is_left_to_the_program)
{
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;
	struct vtc_pool *pool;
	const char *before, *why;

	load("forward_fixed=1 no_ether=1");
	refuse(VTC_POOL_BACKEND_NTUPLE, -EOPNOTSUPP, "takes no rule that sends");
	before = state();
	opts.name = "vm";
	ck_assert_errno(vtc_pool_request(ctx, CARD, &opts, &pool), 0);
	ck_assert_uint_eq(pools_info(pool).backend, VTC_POOL_BACKEND_XDP);
	ck_assert_int_eq(vtc_pool_choice_get_reason(vtc_pool_get_choice(pool),
						    VTC_POOL_BACKEND_NTUPLE, &why),
			 0);
	ck_assert_has(why, "takes no rule that sends");
	pools_add(ctx, pool, pools_mac(&mine));
	(void)queues_of(&mine, NO_VLAN);
	ck_assert_uint_eq(pools_stats(ctx, pool).rx_packets, FRAMES);
	pools_release(ctx, pool);
	expect_state(before);
}
END_TEST

/* ---- L2 forwarding ---- */

static struct vtc_pool *request_macvlan(const char *name)
{
	return pools_request(ctx, CARD, name, VTC_POOL_BACKEND_MACVLAN, NULL, 0);
}

START_TEST(frames_come_out_at_the_macvlan)
{
	const char *before = state(), *netdev;
	struct vtc_pool *pool = request_macvlan("vm");
	uint64_t counters[QUEUES];
	unsigned int queues;

	pools_add(ctx, pool, pools_mac(&mine));
	netdev = pools_info(pool).netdev;
	ck_assert_str_eq(pools_info(pool).note, "");
	ck_assert_str_eq(lab_read("class/net/%s/address", netdev), "02:11:00:00:00:01");
	read_counters(counters);
	send_frames(&mine, NO_VLAN);
	ck_assert(lab_wait(pools_stats(ctx, pool).rx_packets >= FRAMES));
	ck_assert_uint_eq(moved(counters, &queues), 0);
	ck_assert_uint_eq(queues_of(&stranger, NO_VLAN) & ~STACK, 0);
	ck_assert_uint_eq(pools_stats(ctx, pool).rx_packets, FRAMES);
	pools_release(ctx, pool);
	expect_state(before);
}
END_TEST

START_TEST(a_macvlan_has_one_address_and_no_vlan)
{
	struct vtc_pool *a = request_macvlan("a"), *b = request_macvlan("b");
	struct vtc_filter filter = pools_mac(&mine);

	pools_refuse(ctx, a, pools_both(&mine, 5), -EOPNOTSUPP, "address alone");
	pools_refuse(ctx, a, pools_vlan(5), -EOPNOTSUPP, "address alone");
	pools_add(ctx, a, filter);
	pools_refuse(ctx, a, pools_mac(&other), -EOPNOTSUPP, "one address");
	pools_add(ctx, b, pools_mac(&other));
	ck_assert_errno(vtc_pool_remove_filter(a, &filter), 0);
	pools_add(ctx, a, pools_mac(&stranger));
	pools_release(ctx, a);
	pools_release(ctx, b);
}
END_TEST

START_TEST(a_port_of_a_bridge_carries_no_macvlans)
{
	lab_do("ip link add simbridge type bridge && ip link set " CARD
	       " master simbridge");
	refuse(VTC_POOL_BACKEND_MACVLAN, -EBUSY, "port of simbridge");
	lab_do("ip link del simbridge");
}
END_TEST

START_TEST(a_macvlan_that_is_lost_comes_back)
{
	const char *before = state();
	struct vtc_pool *pool = request_macvlan("vm");
	char netdev[16];
	long index;

	pools_add(ctx, pool, pools_mac(&mine));
	snprintf(netdev, sizeof(netdev), "%s", pools_info(pool).netdev);
	index = lab_read_number("class/net/%s/ifindex", netdev);
	lab_do("ip link del %s", netdev);
	expect_repair(pool, "is gone");
	ck_assert_int_eq(lab_read_number("class/net/%s/ifindex", netdev), index);
	lab_do("ip link set %s down", netdev);
	expect_repair(pool, "is down");
	lab_do("ethtool -K " CARD " l2-fwd-offload off");
	expect_repair(pool, "does not sort for");
	ck_assert_has_not(lab_do("bridge fdb show dev " CARD " self"),
			  "02:11:00:00:00:01");
	pools_release(ctx, pool);
	expect_state(before);
}
END_TEST

START_TEST(a_card_without_room_is_told_of)
{
	struct vtc_pool *pool;

	lab_do("ethtool -K " CARD " l2-fwd-offload on");
	for (int i = 0; i < 4; i++)
		lab_do("ip link add link " CARD " name full%d type macvlan && "
		       "ip link set full%d up",
		       i, i);
	pool = request_macvlan("vm");
	pools_add(ctx, pool, pools_mac(&mine));
	ck_assert_has(pools_info(pool).note, "the kernel does");
	pools_release(ctx, pool);
	ck_assert_has(lab_do("ethtool -k " CARD " | grep l2-fwd"), "on");
}
END_TEST

/* Somebody made it another interface's name: that one is not ours to take away. */
START_TEST(a_macvlan_of_others_stays)
{
	struct vtc_pool *pool = request_macvlan("vm");
	char netdev[16];

	pools_add(ctx, pool, pools_mac(&mine));
	snprintf(netdev, sizeof(netdev), "%s", pools_info(pool).netdev);
	lab_do("ip link del %s && ip link add link " CARD " name %s type macvlan", netdev,
	       netdev);
	pools_release(ctx, pool);
	lab_do("ip link del %s", netdev);
}
END_TEST

/* ---- Faults ---- */

static void live_as(struct vtc_ctx *with, enum vtc_pool_backend backend)
{
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;
	struct vtc_filter filter = pools_mac(&mine);
	struct vtc_pool *pool;

	opts.name = "faults";
	opts.backend = backend;
	if (vtc_pool_request(with, CARD, &opts, &pool))
		return;
	if (vtc_pool_add_filter(pool, &filter) == 0)
		(void)vtc_pool_remove_filter(pool, &filter);
	(void)vtc_pool_release(pool);
}

static void live_by_rules(struct vtc_ctx *with)
{
	live_as(with, VTC_POOL_BACKEND_NTUPLE);
}

static void live_by_macvlan(struct vtc_ctx *with)
{
	live_as(with, VTC_POOL_BACKEND_MACVLAN);
}

START_TEST(a_fault_at_any_change_leaves_no_rule)
{
	pools_faults(CARD, live_by_rules, state);
}
END_TEST

START_TEST(a_fault_at_any_change_leaves_no_macvlan)
{
	pools_faults(CARD, live_by_macvlan, state);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, frames_come_on_the_pools_queue_and_out_at_its_target);
	tcase_add_test(tcase, several_queues_have_a_table_of_their_own);
	tcase_add_test(tcase, without_a_table_of_their_own_the_first_queue_has_all);
	tcase_add_test(tcase, a_hole_is_filled);
	tcase_add_test(tcase, a_card_without_spare_channels_gives_up_some);
	tcase_add_test(tcase, a_pool_without_queues_of_its_own_leaves_those_of_others);
	tcase_add_test(tcase, a_table_of_the_users_comes_back);
	tcase_add_test(tcase, a_default_table_in_blocks_is_no_users);
	tcase_add_test(tcase, rules_of_others_stay);
	tcase_add_test(tcase, a_rule_that_somebody_changed_is_left);
	tcase_add_test(tcase, a_filter_that_goes_takes_its_rule_along);
	tcase_add_test(tcase, a_full_table_is_told_of);
	tcase_add_test(tcase, a_lost_rule_harms_nobody_and_is_made_again);
	tcase_add_test(tcase, rules_that_go_down_with_the_interface_come_up_again);
	tcase_add_test(tcase, a_table_that_was_reset_is_set_again);
	tcase_add_test(tcase, channels_that_somebody_took_come_back);
	tcase_add_test(tcase, channels_that_somebody_added_stay);
	tcase_add_test(tcase, a_feature_that_somebody_switched_off_is_on_again);
	tcase_add_test(tcase, a_context_that_was_deleted_is_made_again);
	tcase_add_test(tcase, the_driver_is_loaded_anew_below_a_pool);
	tcase_add_test(tcase, a_killed_process_leaves_nothing);
	tcase_add_test(tcase, the_vlan_mask_that_the_driver_takes_is_found);
	tcase_add_test(tcase, a_driver_that_takes_no_vlan_is_told_of);
	tcase_add_test(tcase, frames_without_tag_are_told_apart_by_the_guard);
	tcase_add_test(tcase, of_two_tags_the_outer_one_counts);
	tcase_add_test(tcase, tags_that_cannot_be_seen_are_told_of);
	tcase_add_test(tcase, the_card_is_told_what_to_receive);
	tcase_add_test(tcase, an_address_goes_with_the_last_that_needs_it);
	tcase_add_test(tcase, a_card_that_cannot_be_told_is_told_of);
	tcase_add_test(tcase, where_and_is_or_the_mac_alone_is_matched);
	tcase_add_test(tcase, a_rule_of_two_filters_goes_with_the_last);
	tcase_add_test(tcase, the_card_picks_the_place);
	tcase_add_test(tcase, the_card_picks_the_place_and_does_not_say_so);
	tcase_add_test(tcase, a_part_that_the_driver_drops_is_noticed);
	tcase_add_test(tcase, rules_make_way_for_more_channels);
	tcase_add_test(tcase, rules_of_others_make_no_way);
	tcase_add_test(tcase, refusals_change_nothing_and_say_why);
	tcase_add_test(tcase, left_to_itself_the_library_takes_the_rules);
	tcase_add_test(tcase, a_card_without_rules_for_a_mac_is_left_to_the_program);
	tcase_add_test(tcase, frames_come_out_at_the_macvlan);
	tcase_add_test(tcase, a_macvlan_has_one_address_and_no_vlan);
	tcase_add_test(tcase, a_port_of_a_bridge_carries_no_macvlans);
	tcase_add_test(tcase, a_macvlan_that_is_lost_comes_back);
	tcase_add_test(tcase, a_card_without_room_is_told_of);
	tcase_add_test(tcase, a_macvlan_of_others_stays);
	tcase_add_test(tcase, a_fault_at_any_change_leaves_no_rule);
	tcase_add_test(tcase, a_fault_at_any_change_leaves_no_macvlan);
}

int main(void)
{
	Suite *suite = suite_create("vmdq-sim");
	TCase *tcase = tcase_create("vmdq-sim");

	lab_do("mount -t bpf bpf /sys/fs/bpf");
	/* The kernel's own frames are of no interest here. */
	lab_do("echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6");
	lab_do("modprobe veth && ip link add " TARGET " type veth peer name " GUEST
	       " && ethtool -K " GUEST " gro on && ip link set " TARGET " up && "
	       "ip link set " GUEST " up");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 300);
	add_tests(tcase);
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
