/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools by traffic control, shown by frames: what the far end of a cable sends to a pool
 * arrives at the guest's end of the pool's target and nowhere else, and what belongs to
 * nobody in the bridge that the card is a port of. Cable and targets are veth pairs;
 * flower is the kernel's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pools.h"
#include "wire.h"

#define CARD	"card"
#define GUESTS	7
#define FRAMES	200
#define FILTERS 4 /* at random, of each pool */

/* Ports of the wire; the one behind the bridge gets what is left to the stack. */
enum { FAR = 0, STACK = 1, GUEST = 2 };

#define AT(port) (1u << (port))
#define NOBODY	 AT(STACK)
#define NONE	 WIRE_NO_VLAN

static const struct vtc_mac stranger = { { 0x02, 0x99, 0x99, 0x99, 0x99, 0x99 } };
static const struct vtc_mac common = { { 0x02, 0x56, 0x54, 0x43, 0x00, 0x01 } };
static const struct vtc_mac everybody = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
static const struct vtc_mac some = { { 0x01, 0x00, 0x5e, 0x00, 0x00, 0x42 } };

static struct vtc_ctx *ctx;
static struct wire wire;
static struct vtc_pool *pools[GUESTS];

/* The kernel deals out numbers of actions. */
static const char *state(void)
{
	return lab_do("{ tc qdisc show dev " CARD "; tc filter show dev " CARD " ingress;"
		      "tc filter show dev " CARD " egress; ip link show " CARD
		      "; } | sed 's/index [0-9]*//'");
}

static void make_pair(const char *a, const char *b)
{
	lab_do("ip link add %s type veth peer name %s && ip link set %s up && "
	       "ip link set %s up",
	       a, b, a, b);
}

/* Once. */
static void cable(void)
{
	char a[16], b[16];

	make_pair(CARD, "far");
	make_pair("port", "stack");
	lab_do("ip link add bridge type bridge && ip link set bridge up && "
	       "ip link set " CARD " master bridge && ip link set port master bridge");
	for (unsigned int i = 0; i < GUESTS; i++) {
		snprintf(a, sizeof(a), "target%u", i);
		snprintf(b, sizeof(b), "guest%u", i);
		make_pair(a, b);
	}
}

static void setup(void)
{
	ctx = pools_ctx();
	/* of a test that failed */
	(void)vtc_pool_recover(ctx, CARD, NULL);
	lab_output("tc qdisc del dev " CARD " clsact 2>/dev/null");
}

static void teardown(void)
{
	wire_close(&wire);
	vtc_ctx_unref(ctx);
}

/* Address of a guest, so that its probes reach it. */
static struct vtc_mac guest_mac(unsigned int guest)
{
	char name[16];
	struct vtc_mac mac;

	snprintf(name, sizeof(name), "guest%u", guest);
	ck_assert_errno(vtc_mac_parse(lab_read("class/net/%s/address", name), &mac), 0);
	return mac;
}

/* Pool number i, with the address of guest i. */
static void request(unsigned int i, uint32_t flags)
{
	char name[16], target[16];
	struct vtc_mac mac = guest_mac(i);

	snprintf(name, sizeof(name), "vm%u", i);
	snprintf(target, sizeof(target), "target%u", i);
	pools[i] = pools_request(ctx, CARD, name, VTC_POOL_BACKEND_TC, target, flags);
	pools_add(ctx, pools[i], pools_mac(&mac));
}

static void plug_in(const char *far, unsigned int guests)
{
	char name[16];

	ck_assert_int_eq(wire_add(&wire, far), 0);
	ck_assert_int_eq(wire_add(&wire, "stack"), 0);
	for (unsigned int i = 0; i < guests; i++) {
		snprintf(name, sizeof(name), "guest%u", i);
		ck_assert_int_eq(wire_add(&wire, name), 0);
	}
}

static void settle(void)
{
	ck_assert_int_eq(wire_settle(&wire, LAB_WAIT_S * 1000), 0);
}

static void request_all(unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		request(i, 0);
	plug_in("far", count);
	settle();
}

static void release_all(unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		pools_release(ctx, pools[i]);
}

/* Send, and expect the frame at these ports (a bit each), unchanged, with its tag. */
static void expect_at(const char *what, const struct vtc_mac *to, uint16_t tci,
		      unsigned int ports)
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
		ck_assert_msg(!want || result.tci[i] == tci, "%s: tag %#x, not %#x", what,
			      (unsigned int)result.tci[i], (unsigned int)tci);
	}
}

START_TEST(a_frame_goes_to_its_pool_and_nowhere_else)
{
	const char *before = state();
	struct vtc_pool_info info;

	request_all(2);
	info = pools_info(pools[0]);
	ck_assert_uint_eq(info.backend, VTC_POOL_BACKEND_TC);
	ck_assert_uint_eq(info.flags, 0);
	ck_assert_str_eq(info.target, "target0");
	for (unsigned int i = 0; i < 2; i++) {
		expect_at("to a pool", &wire.ports[GUEST + i].mac, NONE, AT(GUEST + i));
		expect_at("to a pool, in a VLAN", &wire.ports[GUEST + i].mac, 77,
			  AT(GUEST + i));
	}
	expect_at("to the stack", &wire.ports[STACK].mac, NONE, NOBODY);
	expect_at("to nobody", &stranger, NONE, NOBODY);
	expect_at("to everybody", &everybody, NONE, NOBODY);
	release_all(2);
	ck_assert_str_eq(state(), before);
}
END_TEST

START_TEST(the_most_specific_filter_wins)
{
	request_all(3);
	pools_add(ctx, pools[2], pools_vlan(10));
	pools_add(ctx, pools[1], pools_mac(&common));
	pools_add(ctx, pools[0], pools_both(&common, 10));
	expect_at("address and VLAN", &common, 10, AT(GUEST));
	expect_at("the same with a priority", &common, 5 << 13 | 10, AT(GUEST));
	expect_at("the address, another VLAN", &common, 20, AT(GUEST + 1));
	expect_at("the address, no VLAN", &common, NONE, AT(GUEST + 1));
	expect_at("the VLAN, another address", &stranger, 10, AT(GUEST + 2));
	expect_at("neither", &stranger, 20, NOBODY);
	expect_at("the VLAN, all addresses", &everybody, 10, NOBODY);
	release_all(3);
}
END_TEST

START_TEST(vlan_0_is_no_tag_or_one_with_a_priority_only)
{
	struct vtc_filter filter = pools_both(&common, 0);

	request_all(2);
	pools_add(ctx, pools[0], filter);
	expect_at("without tag", &common, NONE, AT(GUEST));
	expect_at("with a priority", &common, 3 << 13, AT(GUEST));
	expect_at("in a VLAN", &common, 10, NOBODY);

	pools_add(ctx, pools[1], pools_vlan(0));
	wire.ports[STACK].reach_tci = 10;
	expect_at("the address, without tag", &common, NONE, AT(GUEST));
	expect_at("another address, without tag", &stranger, NONE, AT(GUEST + 1));
	expect_at("another address, in a VLAN", &stranger, 10, NOBODY);

	ck_assert_errno(vtc_pool_remove_filter(pools[0], &filter), 0);
	expect_at("the filter is gone", &common, 3 << 13, AT(GUEST + 1));
	release_all(2);
}
END_TEST

START_TEST(a_hidden_tag_is_seen)
{
	lab_do("ip link add link far name far.10 type vlan id 10 && "
	       "ip link set far.10 up");
	request(0, 0);
	request(1, 0);
	pools_add(ctx, pools[0], pools_both(&common, 10));
	pools_add(ctx, pools[1], pools_vlan(10));
	plug_in("far.10", 2);
	wire.ports[FAR].reach_tci = 10;
	wire.ports[STACK].reach = everybody;
	settle();
	for (unsigned int i = 0; i < 3; i++) {
		static const struct vtc_mac *const to[] = { &common, &stranger,
							    &everybody };
		static const unsigned int at[] = { AT(GUEST), AT(GUEST + 1), NOBODY };
		struct wire_result result;

		ck_assert_int_eq(wire_send(&wire, FAR, to[i], NONE, &result), 0);
		for (unsigned int port = 1; port < wire.count; port++) {
			ck_assert_int_eq(result.arrived[port], !!(at[i] & AT(port)));
			ck_assert(!result.arrived[port] ||
				  (result.intact[port] && result.tci[port] == 10));
		}
	}
	release_all(2);
	lab_do("ip link del far.10");
}
END_TEST

START_TEST(group_frames_are_copied_to_who_wants_them)
{
	request(0, VTC_POOL_F_GROUP_COPY);
	request(1, 0);
	request(2, VTC_POOL_F_GROUP_COPY);
	plug_in("far", 3);
	settle();
	expect_at("to everybody", &everybody, NONE, NOBODY | AT(GUEST) | AT(GUEST + 2));
	expect_at("to everybody in a VLAN", &everybody, 10,
		  NOBODY | AT(GUEST) | AT(GUEST + 2));
	expect_at("to some", &some, NONE, NOBODY | AT(GUEST) | AT(GUEST + 2));
	expect_at("to nobody", &stranger, NONE, NOBODY);
	release_all(3);
}
END_TEST

static void expect_members(unsigned int untagged, unsigned int in_10, unsigned int in_20)
{
	expect_at("no tag", &everybody, NONE, NOBODY | untagged);
	expect_at("priority only", &everybody, 3 << 13, NOBODY | untagged);
	expect_at("VLAN 10", &everybody, 10, NOBODY | in_10);
	expect_at("VLAN 20", &some, 5 << 13 | 20, NOBODY | in_20);
}

static void remove_filter(unsigned int pool, struct vtc_filter filter)
{
	ck_assert_msg(vtc_pool_remove_filter(pools[pool], &filter) == 0, "%s",
		      lab_error(ctx));
}

START_TEST(copies_go_by_the_vlans_of_the_filters)
{
	const unsigned int a = AT(GUEST), b = AT(GUEST + 1);
	const char *before = state(), *made;

	request(0, VTC_POOL_F_GROUP_COPY);
	request(1, VTC_POOL_F_GROUP_COPY);
	plug_in("far", 2);
	for (unsigned int i = 0; i < 2; i++) {
		struct vtc_mac mac = guest_mac(i);

		pools_add(ctx, pools[i], pools_both(&mac, 0));
		remove_filter(i, pools_mac(&mac));
	}
	settle();
	expect_members(a | b, 0, 0);
	pools_add(ctx, pools[0], pools_both(&common, 10));
	expect_members(a | b, a, 0);
	/* One copy, however many filters are of the VLAN. */
	pools_add(ctx, pools[0], pools_vlan(10));
	pools_add(ctx, pools[1], pools_both(&stranger, 20));
	expect_members(a | b, a, b);
	remove_filter(0, pools_both(&common, 10));
	expect_members(a | b, a, b);
	pools_add(ctx, pools[0], pools_mac(&common));
	expect_members(a | b, a, a | b);
	made = state();
	lab_do("tc filter del dev " CARD " ingress");
	ck_assert_uint_gt(pools_audit(ctx, pools[0]), 0);
	ck_assert_uint_gt(pools_audit(ctx, pools[1]), 0);
	ck_assert_str_eq(state(), made);
	expect_members(a | b, a, a | b);
	remove_filter(0, pools_vlan(10));
	expect_members(a | b, a, a | b);
	remove_filter(0, pools_mac(&common));
	expect_members(a | b, 0, b);
	release_all(2);
	ck_assert_str_eq(state(), before);
}
END_TEST

START_TEST(a_pool_takes_everything_that_is_nobodys)
{
	request(0, VTC_POOL_F_EVERYTHING);
	request(1, 0);
	plug_in("far", 2);
	pools_add(ctx, pools[0], pools_mac(&common));
	wire.ports[STACK].reach = everybody; /* the only way there */
	settle();
	expect_at("to nobody", &stranger, NONE, AT(GUEST));
	expect_at("to nobody in a VLAN", &stranger, 10, AT(GUEST));
	expect_at("to the other pool", &wire.ports[GUEST + 1].mac, NONE, AT(GUEST + 1));
	expect_at("to everybody", &everybody, NONE, NOBODY);
	release_all(2);
}
END_TEST

/* ---- At random ---- */

struct rule {
	struct vtc_filter filter;
	unsigned int port;
};

static struct rule rules[GUESTS * FILTERS];
static unsigned int rule_count;
static unsigned int seed;

static uint16_t random_vlan(void)
{
	static const uint16_t vlans[] = { 0, 10, 20, 30 };

	return vlans[rand_r(&seed) % 4];
}

static struct vtc_mac random_mac(void)
{
	struct vtc_mac mac = common;

	mac.addr[5] = (uint8_t)(rand_r(&seed) % 6);
	return mac;
}

static struct vtc_filter random_filter(void)
{
	struct vtc_mac mac = random_mac();

	switch (rand_r(&seed) % 5) {
	case 0:
		return pools_mac(&mac);
	case 1:
		return pools_vlan((uint16_t)(random_vlan() + 10));
	default:
		return pools_both(&mac, random_vlan());
	}
}

static void add_random(unsigned int guest)
{
	struct vtc_filter filter = random_filter();
	int err = vtc_pool_add_filter(pools[guest], &filter);

	if (err == -EADDRINUSE || err == -EEXIST)
		return;
	ck_assert_msg(err == 0, "%s", lab_error(ctx));
	rules[rule_count++] = (struct rule){ filter, GUEST + guest };
}

static bool matches(const struct vtc_filter *filter, const struct vtc_mac *mac,
		    uint16_t vlan, uint32_t match)
{
	return filter->match == match &&
	       (!(match & VTC_FILTER_MAC) ||
		memcmp(&filter->mac, mac, sizeof(*mac)) == 0) &&
	       (!(match & VTC_FILTER_VLAN) || filter->vlan == vlan);
}

/* What vtc/pool.h says, in as few words. */
static unsigned int should_go_to(const struct vtc_mac *mac, uint16_t vlan)
{
	static const uint32_t order[] = { VTC_FILTER_MAC | VTC_FILTER_VLAN,
					  VTC_FILTER_MAC, VTC_FILTER_VLAN };

	for (unsigned int o = 0; o < 3; o++)
		for (unsigned int i = 0; i < rule_count; i++)
			if (matches(&rules[i].filter, mac, vlan, order[o]))
				return rules[i].port;
	return STACK;
}

START_TEST(filters_at_random_sort_as_documented)
{
	const char *before = state();
	char what[64];

	seed = (unsigned int)lab_read_number("class/net/" CARD "/ifindex") * 7919;
	request_all(GUESTS);
	for (unsigned int i = 0; i < GUESTS * FILTERS; i++)
		add_random(i % GUESTS);
	for (unsigned int i = 0; i < FRAMES; i++) {
		uint16_t vlan = (uint16_t)(rand_r(&seed) % 5 * 10);
		uint16_t tci = vlan || rand_r(&seed) % 2 ? vlan : NONE;
		struct vtc_mac mac = random_mac();

		snprintf(what, sizeof(what), "frame %u to %u in VLAN %u", i, mac.addr[5],
			 vlan);
		expect_at(what, &mac, tci, AT(should_go_to(&mac, vlan)));
	}
	release_all(GUESTS);
	ck_assert_str_eq(state(), before);
}
END_TEST

/* ---- Others on the card ---- */

#define THEIRS                                                   \
	"tc filter add dev " CARD " ingress prio 1 protocol ip " \
	"flower dst_ip 192.0.2.1 action drop"

START_TEST(what_others_have_stays)
{
	const char *before, *during;

	lab_do("tc qdisc add dev " CARD " clsact && " THEIRS);
	before = state();
	request_all(1);
	expect_at("to the pool", &wire.ports[GUEST].mac, NONE, AT(GUEST));
	release_all(1);
	ck_assert_str_eq(state(), before);
	lab_do("tc qdisc del dev " CARD " clsact");

	/* clsact is ours now, but somebody comes to use it, too */
	wire_close(&wire);
	request_all(1);
	lab_do(THEIRS);
	release_all(1);
	during = state();
	ck_assert_str_eq(during, before);
	lab_do("tc qdisc del dev " CARD " clsact");
}
END_TEST

START_TEST(an_ingress_discipline_serves_as_well)
{
	const char *before;

	lab_do("tc qdisc add dev " CARD " ingress");
	before = state();
	request_all(1);
	expect_at("to the pool", &wire.ports[GUEST].mac, NONE, AT(GUEST));
	release_all(1);
	ck_assert_str_eq(state(), before);
	lab_do("tc qdisc del dev " CARD " ingress");
}
END_TEST

START_TEST(what_is_lost_is_made_again)
{
	const char *made;

	request_all(2);
	made = state();
	ck_assert_uint_eq(pools_audit(ctx, pools[0]), 0);
	lab_do("tc filter del dev " CARD " ingress");
	ck_assert_uint_gt(pools_audit(ctx, pools[0]), 0);
	ck_assert_uint_gt(pools_audit(ctx, pools[1]), 0);
	ck_assert_str_eq(state(), made);
	lab_do("tc qdisc del dev " CARD " clsact");
	ck_assert_uint_gt(pools_audit(ctx, pools[0]), 0);
	ck_assert_uint_gt(pools_audit(ctx, pools[1]), 0);
	ck_assert_str_eq(state(), made);
	expect_at("to the pool", &wire.ports[GUEST].mac, NONE, AT(GUEST));
	release_all(2);
}
END_TEST

START_TEST(what_somebody_changed_is_left_alone)
{
	const char *changed;

	request_all(1);
	lab_do("tc filter del dev " CARD " ingress");
	/* in place of ours: priority and handle, another action */
	lab_do("tc filter add dev " CARD " ingress prio 22082 handle 0x1000002 "
	       "protocol all flower dst_mac %s action drop",
	       lab_read("class/net/guest0/address"));
	changed = lab_do("tc filter show dev " CARD " ingress");
	release_all(1);
	ck_assert_str_eq(lab_do("tc filter show dev " CARD " ingress"), changed);
	ck_assert_has(changed, "0x1000002");
	lab_do("tc qdisc del dev " CARD " clsact");
}
END_TEST

START_TEST(a_target_that_was_made_anew_is_found)
{
	request_all(2);
	wire_close(&wire);
	lab_do("ip link del target0");
	make_pair("target0", "guest0");
	lab_do("ip link set guest0 address %s",
	       lab_output("tc filter show dev " CARD " ingress | sed -n "
			  "'/dst_mac/{s/.*dst_mac //p;q}'"));
	ck_assert_uint_gt(pools_audit(ctx, pools[0]), 0);
	plug_in("far", 2);
	settle();
	expect_at("to the pool", &wire.ports[GUEST].mac, NONE, AT(GUEST));
	release_all(2);
}
END_TEST

/* The index of the target that is gone belongs to an interface that was moved here. */
START_TEST(a_stranger_with_the_index_of_the_target_gets_nothing)
{
	const char *address = lab_read("class/net/guest0/address");
	struct vtc_pool_audit audit = { .sz = sizeof(audit) };
	struct vtc_mac mac = guest_mac(0);
	long index = lab_read_number("class/net/target0/ifindex");

	request(0, VTC_POOL_F_GROUP_COPY);
	lab_do("ip netns add other && ip -n other link add stranger index %ld type veth "
	       "peer name spy && ip -n other link set spy netns 1 && ip link del target0 && "
	       "ip -n other link set stranger netns 1 && ip netns del other && "
	       "ip link set stranger up && ip link set spy up",
	       index);
	ck_assert_int_eq(lab_read_number("class/net/stranger/ifindex"), index);
	plug_in("far", 0);
	settle();
	/* There is no target of that name: its filters cannot be made anew. */
	(void)vtc_pool_audit(pools[0], &audit);
	ck_assert_uint_gt(audit.failed, 0);
	expect_at("to the pool", &mac, NONE, NOBODY);
	expect_at("to everybody", &everybody, NONE, NOBODY);
	ck_assert_int_eq(lab_read_number("class/net/spy/statistics/rx_packets"), 0);
	wire_close(&wire);
	lab_do("ip link del stranger");
	make_pair("target0", "guest0");
	lab_do("ip link set guest0 address %s", address);
	ck_assert_uint_gt(pools_audit(ctx, pools[0]), 0);
	plug_in("far", 1);
	settle();
	expect_at("to the pool", &mac, NONE, AT(GUEST));
	release_all(1);
}
END_TEST

START_TEST(frames_are_counted)
{
	const uint64_t len = 14 + WIRE_PAYLOAD;
	struct vtc_pool_stats a, b;
	const uint32_t told = VTC_POOL_STAT_RX_PACKETS | VTC_POOL_STAT_RX_BYTES |
			      VTC_POOL_STAT_TO_TARGET;

	request_all(1);
	pools_add(ctx, pools[0], pools_both(&common, 10));
	a = pools_stats(ctx, pools[0]);
	ck_assert_uint_eq(a.valid & told, told);
	for (unsigned int i = 0; i < 10; i++) {
		expect_at("to nobody", &stranger, NONE, NOBODY);
		expect_at("to the pool", &common, 10, AT(GUEST));
	}
	b = pools_stats(ctx, pools[0]);
	/* and a probe with each of the twenty */
	ck_assert_uint_eq(b.rx_packets - a.rx_packets, 30);
	ck_assert_uint_eq(b.rx_bytes - a.rx_bytes, 20 * len + 10 * (len + 4));
	ck_assert_uint_eq(b.to_target, b.rx_packets);
	release_all(1);
}
END_TEST

/* ---- Failures ---- */

static void work(void)
{
	struct vtc_mac mac = guest_mac(0);
	struct vtc_pool *pool;

	ctx = pools_ctx();
	pool = pools_request(ctx, CARD, "killed", VTC_POOL_BACKEND_TC, "target0",
			     VTC_POOL_F_GROUP_COPY);
	pools_add(ctx, pool, pools_mac(&mac));
	pools_add(ctx, pool, pools_both(&common, 0));
}

START_TEST(a_killed_process_leaves_nothing)
{
	const char *before = state();

	pools_killed(work);
	ck_assert_str_ne(state(), before);
	ck_assert_uint_gt(pools_recover(ctx, CARD), 3);
	ck_assert_str_eq(state(), before);
}
END_TEST

static void life(struct vtc_ctx *with)
{
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;
	struct vtc_filter filter = pools_both(&common, 0);
	struct vtc_pool *pool;

	opts.name = "faults";
	opts.backend = VTC_POOL_BACKEND_TC;
	opts.target = "target0";
	opts.flags = VTC_POOL_F_GROUP_COPY | VTC_POOL_F_EVERYTHING;
	if (vtc_pool_request(with, CARD, &opts, &pool))
		return;
	(void)vtc_pool_add_filter(pool, &filter);
	(void)vtc_pool_release(pool);
}

START_TEST(a_fault_at_any_change_leaves_nothing)
{
	pools_faults(CARD, life, state);
}
END_TEST

START_TEST(without_a_target_it_is_refused)
{
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;
	struct vtc_pool *pool;

	opts.name = "vm";
	opts.backend = VTC_POOL_BACKEND_TC;
	ck_assert_errno(vtc_pool_request(ctx, CARD, &opts, &pool), -EOPNOTSUPP);
	ck_assert_has(lab_error(ctx), "target");
}
END_TEST

START_TEST(a_kernel_without_flower_is_told_of)
{
	const char *before = state(), *loader = lab_do("cat /proc/sys/kernel/modprobe");
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;
	struct vtc_pool *pool;

	lab_do("modprobe -r cls_flower && echo /bin/false >/proc/sys/kernel/modprobe");
	opts.name = "vm";
	opts.target = "target0";
	opts.backend = VTC_POOL_BACKEND_TC;
	ck_assert_errno(vtc_pool_request(ctx, CARD, &opts, &pool), -EOPNOTSUPP);
	ck_assert_has(lab_error(ctx), "modprobe cls_flower");
	lab_do("echo %s >/proc/sys/kernel/modprobe", loader);
	ck_assert_str_eq(state(), before);
	request_all(1);
	release_all(1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vmdq-tc");
	TCase *tcase = tcase_create("vmdq-tc");

	lab_do("modprobe -a veth bridge 8021q");
	/* the kernel's own frames (IPv6 neighbour discovery) are of no interest here */
	lab_do("echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6");
	tcase_add_unchecked_fixture(tcase, cable, NULL);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 300);
	tcase_add_test(tcase, a_frame_goes_to_its_pool_and_nowhere_else);
	tcase_add_test(tcase, the_most_specific_filter_wins);
	tcase_add_test(tcase, vlan_0_is_no_tag_or_one_with_a_priority_only);
	tcase_add_test(tcase, a_hidden_tag_is_seen);
	tcase_add_test(tcase, group_frames_are_copied_to_who_wants_them);
	tcase_add_test(tcase, copies_go_by_the_vlans_of_the_filters);
	tcase_add_test(tcase, a_pool_takes_everything_that_is_nobodys);
	tcase_add_test(tcase, filters_at_random_sort_as_documented);
	tcase_add_test(tcase, what_others_have_stays);
	tcase_add_test(tcase, an_ingress_discipline_serves_as_well);
	tcase_add_test(tcase, what_is_lost_is_made_again);
	tcase_add_test(tcase, what_somebody_changed_is_left_alone);
	tcase_add_test(tcase, a_target_that_was_made_anew_is_found);
	tcase_add_test(tcase, a_stranger_with_the_index_of_the_target_gets_nothing);
	tcase_add_test(tcase, frames_are_counted);
	tcase_add_test(tcase, a_killed_process_leaves_nothing);
	tcase_add_test(tcase, a_fault_at_any_change_leaves_nothing);
	tcase_add_test(tcase, without_a_target_it_is_refused);
	tcase_add_test(tcase, a_kernel_without_flower_is_told_of);
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
