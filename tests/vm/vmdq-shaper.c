/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rates of pools by net-shapers, on a kernel that has them: on netdevsim, which takes all
 * that the kernel's interface can say but sorts no frames, so that its pools are records
 * alone; and on the simulated card, whose pools are whole. What is set is read back from
 * the kernel by messages of our own. That frames are shaped cannot be seen here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab.h"
#include "pools.h"
#include "shapers.h"
#include "vmdq/ratepool.h"

#define MBIT 1000000ull

#define EXACT	  VTC_RATE_EXACT
#define NOT_ASKED VTC_RATE_NOT_ASKED

static struct vtc_ctx *ctx;
static const char *nic;

#define ck_shapers(want) ck_assert_str_eq(shapers_of(nic), (want))

/* ---- netdevsim: the messages ---- */

static void setup_netdevsim(void)
{
	(void)lab_write("10", "bus/netdevsim/del_device"); /* of the test before */
	if (lab_write("10 1 4", "bus/netdevsim/new_device"))
		vtct_die("this guest's kernel has no netdevsim");
	nic = lab_output("ls /sys/bus/netdevsim/devices/netdevsim10/net | head -n 1");
	ctx = pools_ctx();
}

static void teardown(void)
{
	vtc_ctx_unref(ctx);
}

static struct vtc_pool *make(const char *name, uint32_t slot, uint32_t first,
			     uint32_t count)
{
	struct vtc__pool_data data = { .backend = VTC_POOL_BACKEND_NTUPLE,
				       .slot = slot,
				       .queue_first = first,
				       .queue_count = count };

	return ratepool_make(ctx, nic, name, &data);
}

START_TEST(one_queue_is_shaped_itself)
{
	struct vtc_pool *pool = make("a", 0, 2, 1);

	ck_shapers("");
	ck_rate(pool, 7, 3 * MBIT, 9000 * MBIT, EXACT, EXACT, EXACT, "net-shaper");
	ck_shapers("queue 2 in card min 3000000 max 9000000000 weight 7\n");
	ck_rate(pool, 0, 0, 4 * MBIT, NOT_ASKED, NOT_ASKED, EXACT, "net-shaper");
	ck_shapers("queue 2 in card max 4000000\n");
	ck_assert_uint_eq(pools_audit(ctx, pool), 0);
	ck_assert_errno(vtc_pool_set_rate(pool, NULL, NULL), 0);
	ck_shapers("");
	ck_rate(pool, 1, 0, 0, EXACT, NOT_ASKED, NOT_ASKED, "net-shaper");
	ck_shapers("queue 2 in card weight 1\n");
	ck_assert_errno(vtc_pool_release(pool), 0);
	ck_shapers("");
}
END_TEST

START_TEST(several_queues_are_leaves_of_a_node)
{
	struct vtc_pool *pool = make("a", 0, 1, 3);

	ck_rate(pool, 9, 8 * MBIT, 5000 * MBIT, EXACT, EXACT, EXACT, "net-shaper");
	ck_shapers("queue 1 in node 0\nqueue 2 in node 0\nqueue 3 in node 0\n"
		   "node 0 in card min 8000000 max 5000000000 weight 9\n");
	ck_assert_uint_eq(pools_audit(ctx, pool), 0);
	ck_rate(pool, 2, 0, 0, EXACT, NOT_ASKED, NOT_ASKED, "net-shaper");
	ck_shapers("queue 1 in node 0\nqueue 2 in node 0\nqueue 3 in node 0\n"
		   "node 0 in card weight 2\n");
	ck_assert_errno(vtc_pool_release(pool), 0);
	ck_shapers("");
}
END_TEST

START_TEST(pools_have_nodes_of_their_own)
{
	struct vtc_pool *a = make("a", 0, 0, 2), *b = make("b", 1, 2, 2);

	ck_rate(a, 1, 0, 0, EXACT, NOT_ASKED, NOT_ASKED, "net-shaper");
	ck_rate(b, 2, 0, 0, EXACT, NOT_ASKED, NOT_ASKED, "net-shaper");
	ck_shapers("queue 0 in node 0\nqueue 1 in node 0\n"
		   "queue 2 in node 1\nqueue 3 in node 1\n"
		   "node 0 in card weight 1\nnode 1 in card weight 2\n");
	ck_assert_errno(vtc_pool_release(a), 0);
	ck_shapers("queue 2 in node 1\nqueue 3 in node 1\nnode 1 in card weight 2\n");
	ck_assert_errno(vtc_pool_release(b), 0);
	ck_shapers("");
}
END_TEST

/* A rate that the shapers of this card cannot keep now is kept without. */
static void shape_in_software(struct vtc_pool *pool)
{
	struct vtc_rate_answer answer = { .sz = sizeof(answer) };

	ck_assert_errno(ratepool_set(pool, 5, 0, 5 * MBIT, &answer), 0);
	ck_assert_str_eq(answer.mechanism, "htb");
	ck_assert_errno(vtc_pool_set_rate(pool, NULL, NULL), 0);
}

START_TEST(somebody_elses_shapers_are_left_alone)
{
	struct vtc_pool *a = make("a", 0, 0, 2), *b = make("b", 1, 2, 1);
	const char *theirs;

	shapers_set_card(nic, 10000 * MBIT);
	shapers_set(nic, 1, 0, 7 * MBIT);
	theirs = shapers_of(nic);
	ck_assert_str_eq(theirs, "card max 10000000000\nqueue 1 in card max 7000000\n");
	shape_in_software(a);
	ck_shapers(theirs);
	shapers_group(nic, 2, 3, 8 * MBIT);
	theirs = shapers_of(nic);
	shape_in_software(b);
	ck_shapers(theirs);
	shapers_delete(nic, 1);
	theirs = shapers_of(nic);
	ck_rate(a, 5, 0, 5 * MBIT, EXACT, NOT_ASKED, EXACT, "net-shaper");
	ck_assert_errno(vtc_pool_release(a), 0);
	ck_assert_errno(vtc_pool_release(b), 0);
	ck_shapers(theirs);
}
END_TEST

/* What somebody added goes; what somebody changed in between stays at the end. */
START_TEST(what_is_lost_or_changed_comes_back)
{
	struct vtc_pool *pool = make("a", 0, 2, 1);

	ck_rate(pool, 0, 0, 8 * MBIT, NOT_ASKED, NOT_ASKED, EXACT, "net-shaper");
	shapers_delete(nic, 2);
	ck_assert_uint_eq(pools_audit(ctx, pool), 1);
	ck_shapers("queue 2 in card max 8000000\n");
	/* A shaper that is there is only added to: the minimum would stay. */
	shapers_set(nic, 2, 2 * MBIT, 0);
	ck_shapers("queue 2 in card min 2000000 max 8000000\n");
	ck_assert_uint_eq(pools_audit(ctx, pool), 1);
	ck_shapers("queue 2 in card max 8000000\n");
	ck_assert_uint_eq(pools_audit(ctx, pool), 0);
	shapers_set(nic, 2, 0, 7 * MBIT);
	ck_assert_errno(vtc_pool_release(pool), 0);
	ck_shapers("queue 2 in card max 7000000\n");
}
END_TEST

START_TEST(a_node_that_is_lost_or_changed_comes_back)
{
	static const char *const ours =
		"queue 1 in node 0\nqueue 2 in node 0\nqueue 3 in node 0\n"
		"node 0 in card max 8000000 weight 4\n";
	struct vtc_pool *pool = make("a", 0, 1, 3);

	ck_rate(pool, 4, 0, 8 * MBIT, EXACT, NOT_ASKED, EXACT, "net-shaper");
	ck_shapers(ours);
	/* The kernel refuses a node for queues of which one is in a node already. */
	shapers_delete(nic, 2);
	ck_assert_uint_eq(pools_audit(ctx, pool), 1);
	ck_shapers(ours);
	/* And makes one for queues that are in a node below that. */
	shapers_set_node(nic, 0, 7 * MBIT);
	ck_assert_uint_eq(pools_audit(ctx, pool), 1);
	ck_shapers(ours);
	ck_assert_uint_eq(pools_audit(ctx, pool), 0);
	ck_assert_errno(vtc_pool_release(pool), 0);
	ck_shapers("");
}
END_TEST

/* With its queues the kernel takes away their shapers. */
START_TEST(channels_that_go_take_the_rate_along)
{
	struct vtc_pool *pool = make("a", 0, 2, 2);

	ck_rate(pool, 4, 0, 8 * MBIT, EXACT, NOT_ASKED, EXACT, "net-shaper");
	lab_do("ethtool -L %s combined 2", nic);
	ck_shapers("");
	lab_do("ethtool -L %s combined 4", nic);
	ck_assert_uint_eq(pools_audit(ctx, pool), 1);
	ck_shapers("queue 2 in node 0\nqueue 3 in node 0\n"
		   "node 0 in card max 8000000 weight 4\n");
	lab_do("ethtool -L %s combined 2", nic);
	ck_assert_errno(vtc_pool_release(pool), 0);
	ck_shapers("");
}
END_TEST

START_TEST(a_queue_that_is_not_there_has_no_rate)
{
	struct vtc_pool *pool = make("a", 0, 3, 2);

	ck_assert_errno(ratepool_set(pool, 4, 0, 8 * MBIT, NULL), -ENOENT);
	ck_assert_has(ratepool_error(ctx), "Not existing queue id 4");
	ck_shapers("");
	ck_assert_errno(vtc_pool_release(pool), 0);
}
END_TEST

static void rate_and_die(void)
{
	struct vtc_ctx *own = pools_ctx();
	struct vtc__pool_data data = { .backend = VTC_POOL_BACKEND_NTUPLE,
				       .queue_first = 1,
				       .queue_count = 2 };
	struct vtc_pool *pool = ratepool_make(own, nic, "dies", &data);

	ck_rate(pool, 4, 0, 8 * MBIT, EXACT, NOT_ASKED, EXACT, "net-shaper");
}

START_TEST(what_a_killed_process_leaves_is_undone)
{
	shapers_set(nic, 3, 0, 7 * MBIT);
	pools_killed(rate_and_die);
	ck_shapers("queue 1 in node 0\nqueue 2 in node 0\nqueue 3 in card max 7000000\n"
		   "node 0 in card max 8000000 weight 4\n");
	ck_assert_uint_gt(pools_recover(ctx, nic), 0);
	ck_shapers("queue 3 in card max 7000000\n");
}
END_TEST

/* ---- The simulated card: whole pools ---- */

#define CARD "vtcsim0"

/* All that a pool with a rate may change. */
static const char *state(void)
{
	return lab_do("ethtool -l " CARD " && ethtool -x " CARD " && ethtool -k " CARD
		      " && ethtool -n " CARD " && tc qdisc show dev " CARD
		      " && cat <<'END'\n%sEND",
		      shapers_of(CARD));
}

static void setup_card(void)
{
	lab_do("modprobe -r vtcsim && modprobe vtcsim shapers=1 && "
	       "ip link set vtcwire0 up && ip link set " CARD " up");
	nic = CARD;
	ctx = pools_ctx();
}

static struct vtc_pool *request(const char *name, uint32_t queues)
{
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;
	struct vtc_pool *pool = NULL;

	opts.name = name;
	opts.backend = VTC_POOL_BACKEND_NTUPLE;
	opts.queues = queues;
	ck_assert_msg(vtc_pool_request(ctx, nic, &opts, &pool) == 0, "%s",
		      lab_error(ctx));
	return pool;
}

START_TEST(pools_that_the_card_sorts_for)
{
	const char *before = state();
	struct vtc_pool *a = request("a", 1), *b = request("b", 2);
	struct vtc_pool_info ia = pools_info(a), ib = pools_info(b);
	char want[256];

	ck_assert_uint_eq(ia.queue_count, 1);
	ck_assert_uint_eq(ib.queue_count, 2);
	ck_rate(a, 0, 2 * MBIT, 80 * MBIT, NOT_ASKED, EXACT, EXACT, "net-shaper");
	ck_rate(b, 3, 0, 90 * MBIT, EXACT, NOT_ASKED, EXACT, "net-shaper");
	snprintf(want, sizeof(want),
		 "queue %u in card min 2000000 max 80000000\n"
		 "queue %u in node 0\nqueue %u in node 0\n"
		 "node 0 in card max 90000000 weight 3\n",
		 ia.queue_first, ib.queue_first, ib.queue_first + 1);
	ck_shapers(want);
	/* Only a node of this card has a weight, and has no minimum. */
	ck_rate(a, 2, 0, 80 * MBIT, EXACT, NOT_ASKED, EXACT, "net-shaper");
	ck_assert_has(shapers_of(nic), "node 1 in card max 80000000 weight 2\n");
	ck_assert_uint_eq(pools_audit(ctx, a), 0);
	ck_assert_uint_eq(pools_audit(ctx, b), 0);
	pools_release(ctx, a);
	pools_release(ctx, b);
	ck_assert_str_eq(state(), before);
}
END_TEST

/* The driver refuses the next shaper. */
static void refuse(int error)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", error);
	ck_assert_int_eq(lab_write(text, "module/vtcsim/parameters/shaper_error"), 0);
}

START_TEST(what_the_driver_refuses_leaves_the_old_rate)
{
	struct vtc_pool *pool = request("a", 2);
	const char *before;

	ck_rate(pool, 3, 0, 90 * MBIT, EXACT, NOT_ASKED, EXACT, "net-shaper");
	before = state();
	refuse(EBUSY);
	ck_assert_errno(ratepool_set(pool, 4, 0, 80 * MBIT, NULL), -EBUSY);
	ck_assert_has(ratepool_error(ctx), "net-shaper");
	ck_assert_str_eq(state(), before);
	ck_assert_uint_eq(pools_audit(ctx, pool), 0);
	pools_release(ctx, pool);
}
END_TEST

/* A refusal of the driver's is another mechanism's chance. */
START_TEST(what_the_shaper_cannot_another_may)
{
	const char *before = state();
	struct vtc_pool *pool = request("a", 2);

	refuse(EOPNOTSUPP);
	ck_rate(pool, 0, 0, 80 * MBIT, NOT_ASKED, NOT_ASKED, EXACT, "mqprio");
	ck_shapers("");
	pools_release(ctx, pool);
	ck_assert_str_eq(state(), before);
}
END_TEST

static void live(struct vtc_ctx *with)
{
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;
	struct vtc_rate rate = VTC_RATE_INIT;
	struct vtc_pool *pool;

	opts.name = "faults";
	opts.backend = VTC_POOL_BACKEND_NTUPLE;
	opts.queues = 2;
	if (vtc_pool_request(with, CARD, &opts, &pool))
		return;
	rate.weight = 3;
	rate.max_bps = 90 * MBIT;
	if (vtc_pool_set_rate(pool, &rate, NULL) == 0) {
		rate.weight = 4;
		(void)vtc_pool_set_rate(pool, &rate, NULL);
	}
	(void)vtc_pool_release(pool);
}

START_TEST(a_fault_at_any_change_leaves_no_shaper)
{
	shapers_set(nic, 0, 0, 7 * MBIT);
	pools_faults(CARD, live, state);
}
END_TEST

/* ---- All of it ---- */

static Suite *message_suite(void)
{
	Suite *suite = suite_create("net-shapers of netdevsim");
	TCase *tcase = tcase_create("netdevsim");

	tcase_add_checked_fixture(tcase, setup_netdevsim, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, one_queue_is_shaped_itself);
	tcase_add_test(tcase, several_queues_are_leaves_of_a_node);
	tcase_add_test(tcase, pools_have_nodes_of_their_own);
	tcase_add_test(tcase, somebody_elses_shapers_are_left_alone);
	tcase_add_test(tcase, what_is_lost_or_changed_comes_back);
	tcase_add_test(tcase, a_node_that_is_lost_or_changed_comes_back);
	tcase_add_test(tcase, channels_that_go_take_the_rate_along);
	tcase_add_test(tcase, a_queue_that_is_not_there_has_no_rate);
	tcase_add_test(tcase, what_a_killed_process_leaves_is_undone);
	suite_add_tcase(suite, tcase);
	return suite;
}

static Suite *pool_suite(void)
{
	Suite *suite = suite_create("net-shapers of pools");
	TCase *tcase = tcase_create("pools");

	tcase_add_checked_fixture(tcase, setup_card, teardown);
	tcase_set_timeout(tcase, 300);
	tcase_add_test(tcase, pools_that_the_card_sorts_for);
	tcase_add_test(tcase, what_the_driver_refuses_leaves_the_old_rate);
	tcase_add_test(tcase, what_the_shaper_cannot_another_may);
	tcase_add_test(tcase, a_fault_at_any_change_leaves_no_shaper);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return vtct_main(message_suite(), pool_suite(), NULL);
}
