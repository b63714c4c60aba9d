/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * That attributes do what they say, shown by frames: what the far end of the cable sends
 * to a VF's address and VLAN arrives at that VF and nowhere else, whatever else arrives
 * at the PF, and what a VF sends leaves with its tag.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab.h"
#include "wire.h"

#define VFS 3

/* Ports of the wire. */
enum { FAR = 0, PF = 1, VF = 2 };

static struct vtc_ctx *ctx;
static struct vtc_pf *pf;
static struct wire wire;
static const char *bdf;

static const struct vtc_mac vf_mac[VFS] = {
	{ { 0x02, 0x56, 0x54, 0x43, 0x00, 0x00 } },
	{ { 0x02, 0x56, 0x54, 0x43, 0x00, 0x01 } },
	{ { 0x02, 0x56, 0x54, 0x43, 0x00, 0x02 } },
};
static const struct vtc_mac stranger = { { 0x02, 0x99, 0x99, 0x99, 0x99, 0x99 } };

static void apply_to(uint32_t index, void (*ask)(struct vtc_vf_config *, uint32_t))
{
	struct vtc_vf_config *config = NULL;

	ck_assert_errno(vtc_vf_config_new(index, &config), 0);
	ask(config, index);
	ck_assert_msg(vtc_vf_apply(pf, &config, 1, NULL) == 0, "%s", lab_error(ctx));
	vtc_vf_config_free(config);
}

static void ask_mac(struct vtc_vf_config *config, uint32_t index)
{
	ck_assert_errno(vtc_vf_config_set_mac(config, &vf_mac[index]), 0);
}

static void ask_vlan(struct vtc_vf_config *config, uint32_t index)
{
	struct vtc_vlan vlan = { .id = (uint16_t)(100 * index),
				 .qos = index == 2 ? 3 : 0 };

	ck_assert_errno(vtc_vf_config_set_vlan(config, &vlan), 0);
}

static void ask_no_vlan(struct vtc_vf_config *config, uint32_t index)
{
	(void)index;
	ck_assert_errno(vtc_vf_config_clear(config, VTC_VF_ATTR_VLAN), 0);
}

static void plug_in(void)
{
	ck_assert_int_eq(wire_add(&wire, "wire0"), 0);
	ck_assert_int_eq(wire_add(&wire, lab_netdev(bdf)), 0);
	for (unsigned int i = 0; i < VFS; i++)
		ck_assert_int_eq(wire_add(&wire, lab_netdev(lab_vf(bdf, i))), 0);
	ck_assert_int_eq(wire_settle(&wire, LAB_WAIT_S * 1000), 0);
}

static void open_pf(void)
{
	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	ck_assert_errno(vtc_pf_open(ctx, bdf, &pf), 0);
}

static void close_pf(void)
{
	vtc_pf_close(pf);
	vtc_ctx_unref(ctx);
}

/* Once: VFs get their addresses before their drivers start, so that those use them. */
static void create_vfs(void)
{
	unsigned int i;

	bdf = lab_pf(0);
	lab_set_vfs(bdf, VFS, false);
	lab_up(bdf);
	open_pf();
	for (i = 0; i < VFS; i++)
		apply_to(i, ask_mac);
	close_pf();
	for (i = 0; i < VFS; i++)
		lab_bind(lab_vf(bdf, i), "igbvf");
	for (i = 0; i < VFS; i++)
		lab_up(lab_vf(bdf, i));
}

static void setup(void)
{
	open_pf();
	for (unsigned int i = 1; i < VFS; i++)
		apply_to(i, ask_no_vlan);
	plug_in();
}

static void teardown(void)
{
	wire_close(&wire);
	close_pf();
}

/* Send, and expect the frame at these ports (a bit each), unchanged, with this tag. */
static void expect_at(const char *what, unsigned int from, const struct vtc_mac *to,
		      uint16_t tci, unsigned int ports, uint16_t want_tci)
{
	struct wire_result result;
	int err = wire_send(&wire, from, to, tci, &result);

	ck_assert_msg(err == 0, "%s: %s", what, strerror(-err));
	for (unsigned int i = 0; i < wire.count; i++) {
		bool want = ports & 1u << i;

		if (i == from && !result.arrived[i])
			continue;
		ck_assert_msg(result.arrived[i] == want, "%s: %s at %s", what,
			      want ? "does not arrive" : "arrives", wire.ports[i].name);
		ck_assert_msg(!want || result.intact[i], "%s: changed on its way to %s",
			      what, wire.ports[i].name);
		ck_assert_msg(!want || result.tci[i] == want_tci, "%s: tag %#x, not %#x",
			      what, (unsigned int)result.tci[i], (unsigned int)want_tci);
	}
}

#define AT(port) (1u << (port))
#define NOWHERE	 0u
#define ALL_VFS	 (AT(VF) | AT(VF + 1) | AT(VF + 2))
#define NONE	 WIRE_NO_VLAN

static void check_plain_sorting(void)
{
	static const struct vtc_mac everybody = { { 0xff, 0xff, 0xff, 0xff, 0xff,
						    0xff } };
	char what[32];

	for (unsigned int i = 0; i < VFS; i++) {
		snprintf(what, sizeof(what), "to the address of VF %u", i);
		expect_at(what, FAR, &vf_mac[i], NONE, AT(VF + i), NONE);
	}
	expect_at("to the PF", FAR, &wire.ports[PF].mac, NONE, AT(PF), NONE);
	expect_at("to nobody's address", FAR, &stranger, NONE, AT(PF), NONE);
	expect_at("to everybody", FAR, &everybody, NONE, AT(PF) | ALL_VFS, NONE);
}

START_TEST(a_vf_gets_what_is_for_its_address)
{
	check_plain_sorting();
}
END_TEST

START_TEST(a_vf_sends_to_the_wire_and_to_its_neighbours)
{
	expect_at("VF 0 to the far end", VF, &wire.ports[FAR].mac, NONE, AT(FAR), NONE);
	expect_at("VF 0 to VF 2", VF, &vf_mac[2], NONE, AT(VF + 2), NONE);
	expect_at("VF 0 to the PF", VF, &wire.ports[PF].mac, NONE, AT(PF), NONE);
	expect_at("the PF to VF 1", PF, &vf_mac[1], NONE, AT(VF + 1), NONE);
}
END_TEST

static const uint16_t tag_1 = 100, tag_2 = 200 | 3 << 13;

static void set_vlans(void)
{
	apply_to(1, ask_vlan);
	apply_to(2, ask_vlan);
	wire.ports[VF + 1].reach_tci = tag_1;
	wire.ports[VF + 2].reach_tci = tag_2;
	ck_assert_int_eq(wire_settle(&wire, LAB_WAIT_S * 1000), 0);
}

START_TEST(a_port_vlan_is_stripped_and_inserted)
{
	set_vlans();
	expect_at("VF 1 in its VLAN", FAR, &vf_mac[1], tag_1, AT(VF + 1), NONE);
	expect_at("VF 2 in its VLAN", FAR, &vf_mac[2], tag_2, AT(VF + 2), NONE);
	expect_at("VF 0 without a VLAN", FAR, &vf_mac[0], NONE, AT(VF), NONE);
	/* what is not in the VF's VLAN is not for the VF */
	expect_at("VF 1 untagged", FAR, &vf_mac[1], NONE, AT(PF), NONE);

	expect_at("from VF 1", VF + 1, &wire.ports[FAR].mac, NONE, AT(FAR), tag_1);
	expect_at("from VF 2", VF + 2, &wire.ports[FAR].mac, NONE, AT(FAR), tag_2);
	expect_at("from VF 0", VF, &wire.ports[FAR].mac, NONE, AT(FAR), NONE);
	expect_at("from VF 1 into another VLAN", VF + 1, &vf_mac[2], NONE, NOWHERE, NONE);
}
END_TEST

START_TEST(another_vlan_does_not_reach_the_vf)
{
	struct wire_result result;

	set_vlans();
	ck_assert_int_eq(wire_send(&wire, FAR, &vf_mac[1], tag_2, &result), 0);
	for (unsigned int i = 0; i < VFS; i++)
		ck_assert_msg(!result.arrived[VF + i], "arrives at VF %u", i);
}
END_TEST

START_TEST(after_clearing_all_is_as_before)
{
	set_vlans();
	apply_to(1, ask_no_vlan);
	apply_to(2, ask_no_vlan);
	wire.ports[VF + 1].reach_tci = wire.ports[VF + 2].reach_tci = NONE;
	ck_assert_int_eq(wire_settle(&wire, LAB_WAIT_S * 1000), 0);
	check_plain_sorting();
	expect_at("from VF 1", VF + 1, &wire.ports[FAR].mac, NONE, AT(FAR), NONE);
	expect_at("from VF 2", VF + 2, &wire.ports[FAR].mac, NONE, AT(FAR), NONE);
}
END_TEST

START_TEST(a_vf_that_is_gone_leaves_its_address)
{
	struct vtc_pf_num_vfs_opts opts = VTC_PF_NUM_VFS_OPTS_INIT;

	opts.flags = VTC_PF_F_DESTROY | VTC_PF_F_DESTROY_IN_USE;
	while (wire.count > VF)
		wire_close_last(&wire);
	ck_assert_msg(vtc_pf_set_num_vfs(pf, 0, &opts) == 1, "%s", lab_error(ctx));
	ck_assert_int_eq(wire_settle(&wire, LAB_WAIT_S * 1000), 0);
	expect_at("to the address of VF 1", FAR, &vf_mac[1], NONE, AT(PF), NONE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("igb-traffic");
	TCase *tcase = tcase_create("igb-traffic");

	lab_do("modprobe igbvf");
	/* the kernel's own frames (IPv6 neighbour discovery) are of no interest here */
	lab_do("echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6");
	tcase_add_unchecked_fixture(tcase, create_vfs, NULL);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, a_vf_gets_what_is_for_its_address);
	tcase_add_test(tcase, a_vf_sends_to_the_wire_and_to_its_neighbours);
	tcase_add_test(tcase, a_port_vlan_is_stripped_and_inserted);
	tcase_add_test(tcase, another_vlan_does_not_reach_the_vf);
	tcase_add_test(tcase, after_clearing_all_is_as_before);
	tcase_add_test(tcase, a_vf_that_is_gone_leaves_its_address);
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
