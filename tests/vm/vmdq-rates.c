/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What keeps the rates of pools in hardware, on devices that have it: VF rates and
 * devlink leaves of netdevsim; limits of queues and mqprio's channels of the simulated
 * card. That they take effect cannot be seen here; what the drivers were told can.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab.h"
#include "pools.h"
#include "vmdq/ratepool.h"

#define DEVICE "netdevsim10"
#define SYSFS  "bus/netdevsim/devices/" DEVICE
#define LEAF   "netdevsim/" DEVICE "/129" /* of VF 1 */
#define VF     1
#define MBIT   1000000ull

static struct vtc_ctx *ctx;
static const char *nic;

/* ---- VFs ---- */

static void setup_vfs(void)
{
	if (lab_read_number(SYSFS "/sriov_numvfs") == 0 &&
	    lab_write("4", SYSFS "/sriov_numvfs") < 0)
		vtct_die("no VFs");
	lab_do("devlink dev eswitch set netdevsim/" DEVICE " mode legacy");
	nic = lab_output("ls /sys/" SYSFS "/net | head -n 1");
	lab_do("ip link set %s vf %d max_tx_rate 50 min_tx_rate 10", nic, VF);
	ctx = pools_ctx();
}

static void teardown(void)
{
	vtc_ctx_unref(ctx);
}

static struct vtc_pool *make_vf(void)
{
	struct vtc__pool_data data = { .backend = VTC_POOL_BACKEND_VF, .vf = VF + 1 };

	return ratepool_make(ctx, nic, "a", &data);
}

#define ck_vf(what) ck_assert_has(lab_ip_vf(nic, VF), what)

START_TEST(a_vf_has_rates)
{
	struct vtc_pool *pool = make_vf();

	ck_rate(pool, 0, 100 * MBIT, 200 * MBIT, VTC_RATE_NOT_ASKED, VTC_RATE_EXACT,
		VTC_RATE_EXACT, "vf");
	ck_vf("max_tx_rate 200Mbps, min_tx_rate 100Mbps");
	ck_rate(pool, 7, 0, 300 * MBIT, VTC_RATE_UNSUPPORTED, VTC_RATE_NOT_ASKED,
		VTC_RATE_EXACT, "vf");
	ck_vf("max_tx_rate 300Mbps, min_tx_rate 10Mbps");
	ck_assert_errno(vtc_pool_release(pool), 0);
	ck_vf("max_tx_rate 50Mbps, min_tx_rate 10Mbps");
}
END_TEST

START_TEST(a_vfs_rates_are_whole_megabits)
{
	struct vtc_pool *pool = make_vf();

	ck_rate(pool, 0, 20 * MBIT, 60 * MBIT + 1, VTC_RATE_NOT_ASKED, VTC_RATE_EXACT,
		VTC_RATE_APPROXIMATE, "vf");
	ck_vf("max_tx_rate 60Mbps, min_tx_rate 20Mbps");
	/* Not 0, which would be no limit at all. */
	lab_do("ip link set %s vf %d min_tx_rate 0 max_tx_rate 50", nic, VF);
	ck_rate(pool, 0, 0, 1000, VTC_RATE_NOT_ASKED, VTC_RATE_NOT_ASKED,
		VTC_RATE_APPROXIMATE, "vf");
	ck_vf("max_tx_rate 1Mbps");
	ck_assert_errno(vtc_pool_release(pool), 0);
}
END_TEST

START_TEST(a_vf_has_no_weight)
{
	struct vtc_pool *pool = make_vf();

	ck_assert_errno(ratepool_set(pool, 7, 0, 0, NULL), -EOPNOTSUPP);
	ck_assert_has(ratepool_error(ctx), "vf: a VF has no weight");
	ck_assert_has(ratepool_error(ctx), "devlink: ");
	ck_vf("max_tx_rate 50Mbps, min_tx_rate 10Mbps");
	ck_assert_errno(vtc_pool_release(pool), 0);
}
END_TEST

START_TEST(a_vfs_rate_that_somebody_changed_stays)
{
	struct vtc_pool_audit audit = { .sz = sizeof(audit) };
	struct vtc_pool *pool = make_vf();

	ck_rate(pool, 0, 0, 200 * MBIT, VTC_RATE_NOT_ASKED, VTC_RATE_NOT_ASKED,
		VTC_RATE_EXACT, "vf");
	lab_do("ip link set %s vf %d max_tx_rate 77 min_tx_rate 10", nic, VF);
	ck_assert_errno(vtc_pool_set_rate(pool, NULL, NULL), 0);
	ck_vf("max_tx_rate 77Mbps");
	ck_rate(pool, 0, 0, 200 * MBIT, VTC_RATE_NOT_ASKED, VTC_RATE_NOT_ASKED,
		VTC_RATE_EXACT, "vf");
	lab_do("ip link set %s vf %d max_tx_rate 78 min_tx_rate 10", nic, VF);
	ck_assert_errno(vtc_pool_audit(pool, &audit), 0);
	ck_assert_uint_eq(audit.repaired, 1);
	ck_vf("max_tx_rate 200Mbps");
	ck_assert_errno(vtc_pool_release(pool), 0);
	ck_vf("max_tx_rate 77Mbps");
}
END_TEST

/* The card keeps what it can, the relay of the pool's port the rest. */
START_TEST(a_vf_with_a_port)
{
	struct vtc_pool *pool = make_vf();
	struct ratepool_port port;

	ratepool_open_port(pool, &port);
	ck_rate(pool, 5, 100 * MBIT, 200 * MBIT, VTC_RATE_APPROXIMATE, VTC_RATE_EXACT,
		VTC_RATE_EXACT, "vf");
	ck_vf("max_tx_rate 200Mbps, min_tx_rate 100Mbps");
	ck_assert_uint_eq(port.weight, 5);
	ck_assert_uint_eq(port.max_bps, 0);
	vtc__pool_drop_port(pool, &port.port);
	ck_assert_errno(vtc_pool_release(pool), 0);
	ck_vf("max_tx_rate 50Mbps, min_tx_rate 10Mbps");
}
END_TEST

/* ---- devlink leaves ---- */

static const char *leaf(void)
{
	return lab_do("devlink port function rate show " LEAF);
}

static void to_switchdev(void)
{
	lab_do("devlink dev eswitch set netdevsim/" DEVICE " mode switchdev");
	lab_do("devlink port function rate set " LEAF " tx_share 1mbit tx_max 2mbit");
}

START_TEST(a_leaf_has_share_and_limit)
{
	struct vtc_pool *pool;
	const char *before;

	to_switchdev();
	before = leaf();
	pool = make_vf();
	/* It would have a weight, too, until netdevsim says that its leaves have none. */
	ck_rate(pool, 5, 100 * MBIT, 200 * MBIT + 1, VTC_RATE_UNSUPPORTED, VTC_RATE_EXACT,
		VTC_RATE_APPROXIMATE, "devlink");
	ck_assert_has(leaf(), "tx_share 100Mbit");
	ck_assert_has(leaf(), "tx_max 200Mbit");
	/* Its VFs' rates are refused in this mode. */
	ck_rate(pool, 0, 0, 300 * MBIT, VTC_RATE_NOT_ASKED, VTC_RATE_NOT_ASKED,
		VTC_RATE_EXACT, "devlink");
	ck_assert_has(leaf(), "tx_share 1Mbit");
	ck_assert_has(leaf(), "tx_max 300Mbit");
	ck_assert_errno(vtc_pool_release(pool), 0);
	ck_assert_str_eq(leaf(), before);
}
END_TEST

START_TEST(a_leaf_that_is_lost_or_changed)
{
	struct vtc_pool_audit audit = { .sz = sizeof(audit) };
	struct vtc_pool *pool;

	to_switchdev();
	pool = make_vf();
	ck_rate(pool, 5, 0, 200 * MBIT, VTC_RATE_UNSUPPORTED, VTC_RATE_NOT_ASKED,
		VTC_RATE_EXACT, "devlink");
	lab_do("devlink port function rate set " LEAF " tx_max 3mbit");
	ck_assert_errno(vtc_pool_audit(pool, &audit), 0);
	ck_assert_uint_eq(audit.repaired, 1);
	ck_assert_has(leaf(), "tx_max 200Mbit");
	lab_do("devlink port function rate set " LEAF " tx_max 4mbit");
	ck_assert_errno(vtc_pool_release(pool), 0);
	ck_assert_has(leaf(), "tx_max 4Mbit");
}
END_TEST

/* 5 Gbit/s is the most that netdevsim's leaf takes; it has set the share by then. */
START_TEST(a_leaf_refuses_and_is_as_before)
{
	struct vtc_pool *pool;
	const char *before;

	to_switchdev();
	before = leaf();
	pool = make_vf();
	ck_assert_errno(ratepool_set(pool, 5, 100 * MBIT, 10000 * MBIT, NULL),
			-EOPNOTSUPP);
	ck_assert_has(ratepool_error(ctx), "exceed link maximum speed");
	ck_assert_str_eq(leaf(), before);
	ck_assert_errno(vtc_pool_release(pool), 0);
}
END_TEST

/* ---- The simulated card: queues ---- */

#define CLASSES "kernel/debug/vtcsim/%s/classes"

static void setup_card(void)
{
	nic = lab_output("ls /sys/kernel/debug/vtcsim | head -n 1");
	lab_do("ethtool -L %s combined 8", nic);
	lab_do("ip link set %s up", nic);
	ctx = pools_ctx();
}

static struct vtc_pool *make_queues(const char *name, uint32_t slot, uint32_t first,
				    uint32_t count)
{
	struct vtc__pool_data data = { .backend = VTC_POOL_BACKEND_NTUPLE,
				       .slot = slot,
				       .queue_first = first,
				       .queue_count = count };

	return ratepool_make(ctx, nic, name, &data);
}

static const char *root(void)
{
	return lab_do("tc qdisc show dev %s", nic);
}

START_TEST(channels_of_mqprio)
{
	const char *before = root();
	struct vtc_pool *a = make_queues("a", 0, 4, 2), *b = make_queues("b", 1, 7, 1);

	ck_rate(a, 0, 8 * MBIT, 80 * MBIT, VTC_RATE_NOT_ASKED, VTC_RATE_EXACT,
		VTC_RATE_EXACT, "mqprio");
	ck_assert_str_eq(lab_read(CLASSES, nic),
			 "tc 0 queues 4@0 min 0 max 0\n"
			 "tc 1 queues 2@4 min 1000000 max 10000000\n"
			 "tc 2 queues 1@6 min 0 max 0\n"
			 "tc 3 queues 1@7 min 0 max 0");
	ck_rate(b, 3, 0, 16 * MBIT, VTC_RATE_UNSUPPORTED, VTC_RATE_NOT_ASKED,
		VTC_RATE_EXACT, "mqprio");
	ck_assert_has(lab_read(CLASSES, nic), "tc 3 queues 1@7 min 0 max 2000000");
	ck_assert_errno(vtc_pool_release(a), 0);
	ck_assert_str_eq(lab_read(CLASSES, nic), "tc 0 queues 7@0 min 0 max 0\n"
						 "tc 1 queues 1@7 min 0 max 2000000");
	ck_assert_errno(vtc_pool_release(b), 0);
	ck_assert_str_eq(lab_read(CLASSES, nic), "");
	ck_assert_str_eq(root(), before);
}
END_TEST

START_TEST(mqprio_that_is_lost_comes_back)
{
	struct vtc_pool_audit audit = { .sz = sizeof(audit) };
	const char *before = root(), *classes;
	struct vtc_pool *a = make_queues("a", 0, 4, 2);

	ck_rate(a, 0, 0, 80 * MBIT, VTC_RATE_NOT_ASKED, VTC_RATE_NOT_ASKED,
		VTC_RATE_EXACT, "mqprio");
	classes = lab_read(CLASSES, nic);
	lab_do("tc qdisc del dev %s root", nic);
	ck_assert_str_eq(lab_read(CLASSES, nic), "");
	ck_assert_errno(vtc_pool_audit(a, &audit), 0);
	ck_assert_uint_eq(audit.repaired, 1);
	ck_assert_str_eq(lab_read(CLASSES, nic), classes);
	ck_assert_errno(vtc_pool_release(a), 0);
	ck_assert_str_eq(root(), before);
}
END_TEST

/* The same queueing discipline of the same parts, made by somebody else. */
START_TEST(other_rates_of_mqprio_are_put_right)
{
	struct vtc_pool_audit audit = { .sz = sizeof(audit) };
	struct vtc_pool *a = make_queues("a", 0, 4, 2);
	const char *classes;

	ck_rate(a, 0, 8 * MBIT, 80 * MBIT, VTC_RATE_NOT_ASKED, VTC_RATE_EXACT,
		VTC_RATE_EXACT, "mqprio");
	ck_assert_errno(vtc_pool_audit(a, &audit), 0);
	ck_assert_uint_eq(audit.repaired, 0);
	classes = lab_read(CLASSES, nic);
	lab_do("tc qdisc del dev %s root && tc qdisc add dev %s root handle 7674: mqprio "
	       "num_tc 2 map 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 queues 4@0 2@4 hw 1 mode "
	       "channel shaper bw_rlimit min_rate 0bit 8mbit max_rate 0bit 8mbit",
	       nic, nic);
	ck_assert_str_ne(lab_read(CLASSES, nic), classes);
	ck_assert_errno(vtc_pool_audit(a, &audit), 0);
	ck_assert_uint_eq(audit.repaired, 1);
	ck_assert_has(audit.text, "other rates");
	ck_assert_str_eq(lab_read(CLASSES, nic), classes);
	ck_assert_errno(vtc_pool_release(a), 0);
}
END_TEST

/* Pools that the card sorts for: the parts are those of their queues, also later. */
START_TEST(channels_follow_the_pools)
{
	struct vtc_pool *a, *b;
	const char *before;
	char line[64];

	lab_do("ethtool -L %s combined 4", nic);
	before = root();
	a = pools_request(ctx, nic, "a", VTC_POOL_BACKEND_NTUPLE, NULL, 0);
	ck_rate(a, 0, 0, 80 * MBIT, VTC_RATE_NOT_ASKED, VTC_RATE_NOT_ASKED,
		VTC_RATE_EXACT, "mqprio");
	snprintf(line, sizeof(line), "queues 1@%u min 0 max 10000000",
		 pools_info(a).queue_first);
	ck_assert_has(lab_read(CLASSES, nic), line);
	b = pools_request(ctx, nic, "b", VTC_POOL_BACKEND_NTUPLE, NULL, 0);
	(void)pools_audit(ctx, a);
	ck_assert_has(lab_read(CLASSES, nic), line);
	snprintf(line, sizeof(line), "queues 1@%u min 0 max 0",
		 pools_info(b).queue_first);
	ck_assert_has(lab_read(CLASSES, nic), line);
	ck_assert_uint_eq(pools_audit(ctx, a), 0);
	pools_release(ctx, b);
	(void)pools_audit(ctx, a);
	ck_assert_has_not(lab_read(CLASSES, nic), line);
	pools_release(ctx, a);
	ck_assert_str_eq(lab_read(CLASSES, nic), "");
	ck_assert_str_eq(root(), before);
}
END_TEST

START_TEST(with_somebody_elses_root_queues_have_limits)
{
	struct vtc_pool_audit audit = { .sz = sizeof(audit) };
	struct vtc_pool *a = make_queues("a", 0, 4, 2);
	const char *theirs;

	lab_do("tc qdisc add dev %s root handle 5: pfifo limit 77", nic);
	theirs = root();
	ck_assert_int_eq(lab_write("9", "class/net/%s/queues/tx-4/tx_maxrate", nic), 0);
	ck_rate(a, 0, 5 * MBIT, 80 * MBIT, VTC_RATE_NOT_ASKED, VTC_RATE_UNSUPPORTED,
		VTC_RATE_CAPPED, "tx_maxrate");
	ck_assert_int_eq(lab_read_number("class/net/%s/queues/tx-4/tx_maxrate", nic), 40);
	ck_assert_int_eq(lab_read_number("class/net/%s/queues/tx-5/tx_maxrate", nic), 40);
	ck_assert_int_eq(lab_read_number("class/net/%s/queues/tx-3/tx_maxrate", nic), 0);
	ck_assert_int_eq(lab_write("0", "class/net/%s/queues/tx-5/tx_maxrate", nic), 0);
	ck_assert_errno(vtc_pool_audit(a, &audit), 0);
	ck_assert_uint_eq(audit.repaired, 1);
	ck_assert_int_eq(lab_read_number("class/net/%s/queues/tx-5/tx_maxrate", nic), 40);
	ck_assert_int_eq(lab_write("6", "class/net/%s/queues/tx-5/tx_maxrate", nic), 0);
	ck_assert_errno(vtc_pool_release(a), 0);
	ck_assert_int_eq(lab_read_number("class/net/%s/queues/tx-4/tx_maxrate", nic), 9);
	ck_assert_int_eq(lab_read_number("class/net/%s/queues/tx-5/tx_maxrate", nic), 6);
	ck_assert_str_eq(root(), theirs);
	lab_do("tc qdisc del dev %s root", nic);
}
END_TEST

/* ---- All of it ---- */

static void load_netdevsim(void)
{
	const char *modules = getenv("VTC_LAB_MODULES");
	const char *text =
		lab_output("modprobe netdevsim 2>&1 || { modprobe -a psample macsec "
			   "udp_tunnel && insmod %s/netdevsim.ko; } 2>&1",
			   modules ? modules : ".");

	if (lab_write("10 1 4", "bus/netdevsim/new_device") < 0)
		vtct_die("this guest's kernel has no netdevsim: %s", text);
}

static Suite *vf_suite(void)
{
	Suite *suite = suite_create("rates of VFs");
	TCase *tcase = tcase_create("vf");

	tcase_add_checked_fixture(tcase, setup_vfs, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, a_vf_has_rates);
	tcase_add_test(tcase, a_vfs_rates_are_whole_megabits);
	tcase_add_test(tcase, a_vf_has_no_weight);
	tcase_add_test(tcase, a_vfs_rate_that_somebody_changed_stays);
	tcase_add_test(tcase, a_vf_with_a_port);
	tcase_add_test(tcase, a_leaf_has_share_and_limit);
	tcase_add_test(tcase, a_leaf_that_is_lost_or_changed);
	tcase_add_test(tcase, a_leaf_refuses_and_is_as_before);
	suite_add_tcase(suite, tcase);
	return suite;
}

static Suite *queue_suite(void)
{
	Suite *suite = suite_create("rates of queues");
	TCase *tcase = tcase_create("queues");

	tcase_add_checked_fixture(tcase, setup_card, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, channels_of_mqprio);
	tcase_add_test(tcase, mqprio_that_is_lost_comes_back);
	tcase_add_test(tcase, other_rates_of_mqprio_are_put_right);
	tcase_add_test(tcase, channels_follow_the_pools);
	tcase_add_test(tcase, with_somebody_elses_root_queues_have_limits);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	load_netdevsim();
	lab_do("modprobe -a vtcsim sch_mqprio");
	return vtct_main(vf_suite(), queue_suite(), NULL);
}
