/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools that are VFs of a real driver (igb), shown by frames: what the far end of the
 * cable sends to a pool arrives at its VF and at no other, what is nobody's at the PF;
 * and the card is afterwards as it was.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pools.h"
#include "wire.h"

#define VFS    7
#define FRAMES 150

/* Ports of the wire. */
enum { FAR = 0, PF = 1, VM = 2 };

#define AT(port) (1u << (port))
#define NONE	 WIRE_NO_VLAN

static const struct vtc_mac stranger = { { 0x02, 0x99, 0x99, 0x99, 0x99, 0x99 } };
static const struct vtc_mac everybody = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
static const struct vtc_mac common = { { 0x02, 0x56, 0x54, 0x43, 0x01, 0x00 } };

static struct vtc_ctx *ctx;
static struct wire wire;
static const char *bdf, *nic;
static struct vtc_pool *pools[VFS];

/* Address of virtual machine number i. */
static struct vtc_mac vm_mac(unsigned int i)
{
	struct vtc_mac mac = common;

	mac.addr[4] = 0;
	mac.addr[5] = (uint8_t)i;
	return mac;
}

/* All that pools change, as ip tells it. */
static const char *state(void)
{
	return lab_do("ip -d link show dev %s; ip -br link show", nic);
}

static void vfs_down(void)
{
	for (unsigned int i = 0; i < VFS; i++)
		lab_do("ip link set %s down", lab_netdev(lab_vf(bdf, i)));
}

/* Once. */
static void create_vfs(void)
{
	bdf = lab_pf(0);
	lab_up(bdf);
	lab_set_vfs(bdf, VFS, true);
	nic = lab_netdev(bdf);
}

static void setup(void)
{
	ctx = pools_ctx();
	/* of a test that failed */
	vfs_down();
	(void)vtc_pool_recover(ctx, nic, NULL);
}

static void teardown(void)
{
	wire_close(&wire);
	vtc_ctx_unref(ctx);
}

static struct vtc_pool *request(unsigned int i, struct vtc_filter filter)
{
	char name[16];

	snprintf(name, sizeof(name), "vm%u", i);
	pools[i] = pools_request(ctx, nic, name, VTC_POOL_BACKEND_VF, NULL, 0);
	pools_add(ctx, pools[i], filter);
	return pools[i];
}

/* The cable, and all pools' interfaces. */
static void plug_in(unsigned int count)
{
	struct vtc_filter filter;

	ck_assert_int_eq(wire_add(&wire, "wire0"), 0);
	ck_assert_int_eq(wire_add(&wire, nic), 0);
	for (unsigned int i = 0; i < count; i++) {
		struct vtc_pool_info info = pools_info(pools[i]);

		lab_do("ip link set %s up", info.netdev);
		ck_assert_int_eq(wire_add(&wire, info.netdev), 0);
		ck_assert_errno(vtc_pool_get_filter(pools[i], 0, &filter), 0);
		if (filter.match & VTC_FILTER_VLAN)
			wire.ports[VM + i].reach_tci = filter.vlan;
	}
	ck_assert_int_eq(wire_settle(&wire, LAB_WAIT_S * 1000), 0);
}

/*
 * A trusted VF tells the PF its address when it goes down, whatever the administrator
 * gave it: that is for the time before the release.
 */
static void release_all(unsigned int count)
{
	wire_close(&wire);
	vfs_down();
	for (unsigned int i = 0; i < count; i++)
		pools_release(ctx, pools[i]);
}

/* Send, and expect the frame at these ports (a bit each), unchanged, with this tag. */
static void expect_at(const char *what, const struct vtc_mac *to, uint16_t tci,
		      unsigned int ports, uint16_t want_tci)
{
	struct wire_result result;
	int err = wire_send(&wire, FAR, to, tci, &result);

	ck_assert_msg(err == 0, "%s: %s", what, strerror(-err));
	for (unsigned int i = 1; i < wire.count; i++) {
		bool want = ports & AT(i);

		ck_assert_msg(result.arrived[i] == want, "%s: %s at %s", what,
			      want ? "does not arrive" : "arrives", wire.ports[i].name);
		ck_assert_msg(!want || result.intact[i], "%s: changed on its way to %s",
			      what, wire.ports[i].name);
		ck_assert_msg(!want || result.tci[i] == want_tci, "%s: tag %#x, not %#x",
			      what, (unsigned int)result.tci[i], (unsigned int)want_tci);
	}
}

START_TEST(the_choice_is_a_vf_and_says_which)
{
	struct vtc_pool_choice *choice;
	const char *why;

	ck_assert_msg(vtc_pool_choice_new(ctx, nic, NULL, &choice) == 0, "%s",
		      lab_error(ctx));
	ck_assert_int_eq(vtc_pool_choice_get_backend(choice), VTC_POOL_BACKEND_VF);
	ck_assert_int_eq(vtc_pool_choice_get_reason(choice, VTC_POOL_BACKEND_VF, &why),
			 1);
	ck_assert_has(why, "VF 0");
	ck_assert_has(why, lab_netdev(lab_vf(bdf, 0)));
	for (int i = VTC_POOL_BACKEND_NTUPLE; i < VTC_POOL_BACKEND_COUNT; i++) {
		int usable = vtc_pool_choice_get_reason(choice, i, &why);

		printf("# %s: %s, %s\n", vtc_pool_backend_name(i), usable ? "yes" : "no",
		       why);
		ck_assert_int_gt(strlen(why), 0);
	}
	vtc_pool_choice_free(choice);
}
END_TEST

START_TEST(a_pool_gets_its_frames_and_gives_back_its_vf)
{
	const char *vf_before = lab_ip_vf(nic, 0);
	struct vtc_mac mac = vm_mac(0);
	struct vtc_pool_info info;

	request(0, pools_mac(&mac));
	info = pools_info(pools[0]);
	ck_assert_uint_eq(info.backend, VTC_POOL_BACKEND_VF);
	ck_assert_uint_eq(info.flags,
			  VTC_POOL_INFO_HARDWARE | VTC_POOL_INFO_VLAN_STRIPPED);
	ck_assert_str_eq(info.netdev, lab_netdev(lab_vf(bdf, 0)));
	ck_assert_has(lab_ip_vf(nic, 0), "link/ether 02:56:54:43:00:00");
	plug_in(1);
	ck_assert_mem_eq(&wire.ports[VM].mac, &mac, sizeof(mac));
	expect_at("to the pool", &mac, NONE, AT(VM), NONE);
	expect_at("to nobody", &stranger, NONE, AT(PF), NONE);
	expect_at("to the PF", &wire.ports[PF].mac, NONE, AT(PF), NONE);
	expect_at("to everybody", &everybody, NONE, AT(PF) | AT(VM), NONE);
	/* while its interface is up; going down, it tells the PF an address by itself */
	pools_release(ctx, pools[0]);
	ck_assert_str_eq(lab_ip_vf(nic, 0), vf_before);
	wire_close_last(&wire);
	expect_at("to a pool that is gone", &mac, NONE, AT(PF), NONE);
	vfs_down();
}
END_TEST

/* ---- Seven at random ---- */

struct rule {
	struct vtc_mac mac;
	uint16_t vlan; /* 0: none */
};

static struct rule rules[VFS];
static unsigned int seed = 82576;

static struct rule random_rule(void)
{
	struct rule rule = { common, (uint16_t)(rand_r(&seed) % 4 * 100) };

	rule.mac.addr[5] = (uint8_t)(rand_r(&seed) % 5);
	return rule;
}

static bool request_random(unsigned int i)
{
	struct rule rule = random_rule();
	struct vtc_filter filter =
		rule.vlan ? pools_both(&rule.mac, rule.vlan) : pools_mac(&rule.mac);
	int err = vtc_pool_add_filter(pools[i], &filter);

	ck_assert_msg(err == 0 || err == -EADDRINUSE, "%s", lab_error(ctx));
	rules[i] = rule;
	return !err;
}

/* What nobody asked for may be dropped or go to the PF, but never to a VF. */
static void check_random(unsigned int n)
{
	struct rule to = random_rule();
	struct wire_result result;

	ck_assert_int_eq(
		wire_send(&wire, FAR, &to.mac, to.vlan ? to.vlan : NONE, &result), 0);
	for (unsigned int i = 0; i < VFS; i++) {
		bool want = to.vlan == rules[i].vlan &&
			    memcmp(&to.mac, &rules[i].mac, sizeof(to.mac)) == 0;

		ck_assert_msg(result.arrived[VM + i] == want,
			      "frame %u to %u in VLAN %u %s at VF %u", n, to.mac.addr[5],
			      to.vlan, want ? "does not arrive" : "arrives", i);
		ck_assert(!want || (result.intact[VM + i] && result.tci[VM + i] == NONE));
		ck_assert(!want || !result.arrived[PF]);
	}
}

START_TEST(seven_pools_at_random_get_their_own_only)
{
	const char *before = state();
	char name[16];

	for (unsigned int i = 0; i < VFS; i++) {
		snprintf(name, sizeof(name), "vm%u", i);
		pools[i] = pools_request(ctx, nic, name, VTC_POOL_BACKEND_VF, NULL, 0);
		for (unsigned int turn = 0; turn < 100 && !request_random(i); turn++)
			;
	}
	plug_in(VFS);
	for (unsigned int n = 0; n < FRAMES; n++)
		check_random(n);
	release_all(VFS);
	ck_assert_str_eq(state(), before);
}
END_TEST

START_TEST(one_address_in_two_vlans_is_two_pools)
{
	struct vtc_filter plain = pools_mac(&common);

	request(0, pools_both(&common, 10));
	request(1, pools_both(&common, 20));
	plug_in(2);
	expect_at("in the first VLAN", &common, 10, AT(VM), NONE);
	expect_at("in the second VLAN", &common, 20, AT(VM + 1), NONE);
	expect_at("in none", &common, NONE, AT(PF), NONE);

	pools[2] = pools_request(ctx, nic, "vm2", VTC_POOL_BACKEND_VF, NULL, 0);
	pools_refuse(ctx, pools[2], plain, -EADDRINUSE, "pool vm");
	release_all(3);
}
END_TEST

START_TEST(what_a_vf_cannot_match_is_refused)
{
	struct vtc_mac mac = vm_mac(0);

	pools[0] = pools_request(ctx, nic, "vm0", VTC_POOL_BACKEND_VF, NULL, 0);
	pools_refuse(ctx, pools[0], pools_vlan(10), -EOPNOTSUPP, "VLAN alone");
	pools_refuse(ctx, pools[0], pools_both(&mac, 0), -EOPNOTSUPP, "without tag");
	pools_add(ctx, pools[0], pools_mac(&mac));
	pools_refuse(ctx, pools[0], pools_mac(&common), -EOPNOTSUPP, "one address");
	release_all(1);
}
END_TEST

START_TEST(a_filter_can_be_exchanged)
{
	struct vtc_mac mac = vm_mac(0), other = vm_mac(1);
	struct vtc_filter filter = pools_both(&mac, 10);

	request(0, filter);
	plug_in(1);
	expect_at("before", &mac, 10, AT(VM), NONE);
	ck_assert_errno(vtc_pool_remove_filter(pools[0], &filter), 0);
	pools_add(ctx, pools[0], pools_mac(&other));
	wire_close(&wire);
	plug_in(1);
	expect_at("after", &other, NONE, AT(VM), NONE);
	expect_at("the old one", &mac, NONE, AT(PF), NONE);
	release_all(1);
}
END_TEST

static int try_one_more(struct vtc_pool **ret_pool)
{
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;

	opts.name = "more";
	opts.backend = VTC_POOL_BACKEND_VF;
	return vtc_pool_request(ctx, nic, &opts, ret_pool);
}

START_TEST(an_eighth_pool_finds_no_vf)
{
	struct vtc_pool *more;

	for (unsigned int i = 0; i < VFS; i++) {
		struct vtc_mac mac = vm_mac(i);

		request(i, pools_mac(&mac));
	}
	ck_assert_errno(try_one_more(&more), -ENOSPC);
	ck_assert_has(lab_error(ctx), "none of the 7 VFs is free: pools have 7");
	pools_release(ctx, pools[3]);
	ck_assert_errno(try_one_more(&more), 0);
	ck_assert_str_eq(pools_info(more).netdev, lab_netdev(lab_vf(bdf, 3)));
	pools[3] = more;
	release_all(VFS);
}
END_TEST

START_TEST(a_vf_in_use_is_left_alone)
{
	struct vtc_pool *pool;

	lab_do("ip link set %s up", lab_netdev(lab_vf(bdf, 0)));
	pool = pools_request(ctx, nic, "vm", VTC_POOL_BACKEND_VF, NULL, 0);
	ck_assert_str_eq(pools_info(pool).netdev, lab_netdev(lab_vf(bdf, 1)));
	pools_release(ctx, pool);
	for (unsigned int i = 1; i < VFS; i++)
		lab_do("ip link set %s up", lab_netdev(lab_vf(bdf, i)));
	ck_assert_errno(try_one_more(&pool), -ENOSPC);
	ck_assert_has(lab_error(ctx), "vf 0 (its interface is up");
	vfs_down();
}
END_TEST

START_TEST(attributes_of_the_administrator_come_back)
{
	const char *before;
	struct vtc_mac mac = vm_mac(0);

	lab_do("ip link set %s vf 0 mac 02:aa:00:00:00:01 vlan 7 qos 3 spoofchk off && "
	       "ip link set %s vf 0 trust on",
	       nic, nic);
	before = state();
	request(0, pools_both(&mac, 10));
	ck_assert_has(lab_ip_vf(nic, 0), "vlan 10");
	ck_assert_has(lab_ip_vf(nic, 0), "spoof checking on");
	ck_assert_has(lab_ip_vf(nic, 0), "trust off");
	plug_in(1);
	expect_at("to the pool", &mac, 10, AT(VM), NONE);
	release_all(1);
	ck_assert_str_eq(state(), before);
	lab_do("ip link set %s vf 0 mac 00:00:00:00:00:00 vlan 0 spoofchk on && "
	       "ip link set %s vf 0 trust off",
	       nic, nic);
}
END_TEST

START_TEST(what_somebody_changed_stays)
{
	struct vtc_mac mac = vm_mac(0);

	request(0, pools_both(&mac, 10));
	lab_do("ip link set %s vf 0 vlan 11 && ip link set %s vf 0 trust on", nic, nic);
	release_all(1);
	ck_assert_has(lab_ip_vf(nic, 0), "vlan 11");
	ck_assert_has(lab_ip_vf(nic, 0), "trust on");
	lab_do("ip link set %s vf 0 vlan 0 && ip link set %s vf 0 trust off", nic, nic);
}
END_TEST

START_TEST(what_is_lost_is_set_again)
{
	struct vtc_mac mac = vm_mac(0);

	request(0, pools_both(&mac, 10));
	plug_in(1);
	ck_assert_uint_eq(pools_audit(ctx, pools[0]), 0);
	lab_do("ip link set %s vf 0 vlan 0 && ip link set %s vf 0 spoofchk off", nic,
	       nic);
	ck_assert_uint_eq(pools_audit(ctx, pools[0]), 2);
	ck_assert_uint_eq(pools_audit(ctx, pools[0]), 0);
	expect_at("to the pool", &mac, 10, AT(VM), NONE);
	release_all(1);
}
END_TEST

/* Port 1 of the wire is behind the bridge then. */
START_TEST(a_port_of_a_bridge_goes_on_with_port_vlans)
{
	struct vtc_mac mac = vm_mac(0), other = vm_mac(1);

	lab_do("ip link add vfbridge type bridge && ip link add port type veth peer name "
	       "stack && ip link set port master vfbridge && ip link set %s master "
	       "vfbridge && for i in vfbridge port stack; do ip link set $i up; done",
	       nic);
	request(0, pools_both(&mac, 10));
	ck_assert_str_eq(pools_info(pools[0]).note, "");
	lab_do("ip link set %s up", pools_info(pools[0]).netdev);
	ck_assert_int_eq(wire_add(&wire, "wire0"), 0);
	ck_assert_int_eq(wire_add(&wire, "stack"), 0);
	ck_assert_int_eq(wire_add(&wire, pools_info(pools[0]).netdev), 0);
	wire.ports[VM].reach_tci = 10;
	ck_assert_int_eq(wire_settle(&wire, LAB_WAIT_S * 1000), 0);
	expect_at("to the pool", &mac, 10, AT(VM), NONE);
	expect_at("to the pool's address in no VLAN", &mac, NONE, AT(PF), NONE);
	expect_at("to the far side of the bridge", &wire.ports[PF].mac, NONE, AT(PF),
		  NONE);
	expect_at("to nobody", &stranger, NONE, AT(PF), NONE);
	expect_at("to everybody", &everybody, NONE, AT(PF), NONE);
	request(1, pools_mac(&other));
	ck_assert_has(pools_info(pools[1]).note, "no port VLAN");
	release_all(2);
	lab_do("ip link del port && ip link del vfbridge");
}
END_TEST

/* How many addresses the PF takes beside its own. */
static unsigned int fill_table(void)
{
	unsigned int i;

	for (i = 0; i < 64; i++)
		if (lab_output("bridge fdb add 02:77:00:00:00:%02x dev %s self permanent "
			       "2>&1",
			       i, nic)[0])
			break;
	return i;
}

START_TEST(a_full_table_of_addresses_is_no_matter_to_pools)
{
	const char *before = state();
	struct vtc_mac mac = vm_mac(0), other = vm_mac(1);
	unsigned int count = fill_table();

	ck_assert_uint_gt(count, 0);
	ck_assert_uint_lt(count, 64);
	request(0, pools_mac(&mac));
	request(1, pools_both(&other, 10));
	plug_in(2);
	expect_at("to a pool", &mac, NONE, AT(VM), NONE);
	expect_at("to a pool in a VLAN", &other, 10, AT(VM + 1), NONE);
	expect_at("to the PF", &wire.ports[PF].mac, NONE, AT(PF), NONE);
	release_all(2);
	while (count--)
		lab_do("bridge fdb del 02:77:00:00:00:%02x dev %s self", count, nic);
	ck_assert_str_eq(state(), before);
}
END_TEST

static void work(void)
{
	struct vtc_mac mac = vm_mac(0), other = vm_mac(1);

	ctx = pools_ctx();
	request(0, pools_both(&mac, 10));
	request(1, pools_mac(&other));
}

START_TEST(a_killed_process_gives_its_vfs_back)
{
	const char *before = state();

	pools_killed(work);
	ck_assert_has(lab_ip_vf(nic, 0), "vlan 10");
	ck_assert_uint_gt(pools_recover(ctx, NULL), 4);
	ck_assert_str_eq(state(), before);
}
END_TEST

static void life(struct vtc_ctx *with)
{
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;
	struct vtc_filter filter = pools_both(&common, 10);
	struct vtc_pool *pool;

	opts.name = "faults";
	opts.backend = VTC_POOL_BACKEND_VF;
	if (vtc_pool_request(with, nic, &opts, &pool))
		return;
	(void)vtc_pool_add_filter(pool, &filter);
	(void)vtc_pool_release(pool);
}

START_TEST(a_fault_at_any_change_leaves_nothing)
{
	/* the VF comes with an address that it may not change itself, or not */
	pools_faults(nic, life, state);
	lab_do("ip link set %s vf 0 mac 02:aa:00:00:00:01 vlan 7 spoofchk off", nic);
	pools_faults(nic, life, state);
	lab_do("ip link set %s vf 0 mac 00:00:00:00:00:00 vlan 0 spoofchk on", nic);
}
END_TEST

START_TEST(frames_are_counted_by_the_vfs_interface)
{
	struct vtc_pool_stats a, b;
	struct vtc_mac mac = vm_mac(0);

	request(0, pools_mac(&mac));
	plug_in(1);
	a = pools_stats(ctx, pools[0]);
	ck_assert_uint_ne(a.valid & VTC_POOL_STAT_RX_PACKETS, 0);
	for (unsigned int i = 0; i < 10; i++)
		expect_at("to the pool", &mac, NONE, AT(VM), NONE);
	/* igbvf looks at its counters every two seconds */
	ck_assert(lab_wait((b = pools_stats(ctx, pools[0])).rx_packets - a.rx_packets >=
			   20));
	ck_assert_uint_gt(b.rx_bytes, a.rx_bytes);
	release_all(1);
}
END_TEST

START_TEST(vfs_that_are_destroyed_leave_nothing_to_undo)
{
	struct vtc_mac mac = vm_mac(0);
	struct vtc_pool_audit audit = { .sz = sizeof(audit) };

	request(0, pools_mac(&mac));
	ck_assert_int_eq(lab_write("0", "bus/pci/devices/%s/sriov_numvfs", bdf), 0);
	ck_assert_errno(vtc_pool_audit(pools[0], &audit), -ENODEV);
	pools_release(ctx, pools[0]);
	create_vfs();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vmdq-vf");
	TCase *tcase = tcase_create("vmdq-vf");

	lab_do("modprobe igbvf");
	/* the kernel's own frames (IPv6 neighbour discovery) are of no interest here */
	lab_do("echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6");
	tcase_add_unchecked_fixture(tcase, create_vfs, NULL);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 300);
	tcase_add_test(tcase, the_choice_is_a_vf_and_says_which);
	tcase_add_test(tcase, a_pool_gets_its_frames_and_gives_back_its_vf);
	tcase_add_test(tcase, seven_pools_at_random_get_their_own_only);
	tcase_add_test(tcase, one_address_in_two_vlans_is_two_pools);
	tcase_add_test(tcase, what_a_vf_cannot_match_is_refused);
	tcase_add_test(tcase, a_filter_can_be_exchanged);
	tcase_add_test(tcase, an_eighth_pool_finds_no_vf);
	tcase_add_test(tcase, a_vf_in_use_is_left_alone);
	tcase_add_test(tcase, attributes_of_the_administrator_come_back);
	tcase_add_test(tcase, what_somebody_changed_stays);
	tcase_add_test(tcase, what_is_lost_is_set_again);
	tcase_add_test(tcase, a_port_of_a_bridge_goes_on_with_port_vlans);
	tcase_add_test(tcase, a_full_table_of_addresses_is_no_matter_to_pools);
	tcase_add_test(tcase, a_killed_process_gives_its_vfs_back);
	tcase_add_test(tcase, a_fault_at_any_change_leaves_nothing);
	tcase_add_test(tcase, frames_are_counted_by_the_vfs_interface);
	tcase_add_test(tcase, vfs_that_are_destroyed_leave_nothing_to_undo);
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
