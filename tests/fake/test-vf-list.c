/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading VFs: what is reported, what is not, and answers that no kernel should send. */
#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include <vtc/vf.h>

#include "fakekernel.h"
#include "vtct.h"

#define ADDRESS "0000:01:00.0"

/* More than there are calls to the kernel in the longest test of each_step_fails_once. */
#define STEPS_TRIED 200

static struct vtct_tree *tree;
static struct vtct_kernel *k;
static struct vtct_pf *fake;
static struct vtc_ctx *ctx;
static struct vtc_pf *pf;

static void set_up(void)
{
	tree = vtct_tree_new();
	k = vtct_kernel_new(tree);
	fake = vtct_kernel_igb(k, 0);
	ctx = vtct_kernel_ctx(k);
	ck_assert_errno(vtc_pf_open(ctx, ADDRESS, &pf), 0);
}

static void tear_down(void)
{
	vtc_pf_close(pf);
	vtc_ctx_unref(ctx);
	vtct_kernel_free(k);
	vtct_tree_free(tree);
}

static struct vtc_vf_list *list_of(uint32_t flags)
{
	struct vtc_vf_list_opts opts = VTC_VF_LIST_OPTS_INIT;
	struct vtc_vf_list *list = NULL;

	opts.flags = flags;
	ck_assert_errno(vtc_vf_list_new(pf, &opts, &list), 0);
	return list;
}

static void fails(int err)
{
	struct vtc_vf_list *list = (struct vtc_vf_list *)&list;

	ck_assert_errno(vtc_vf_list_new(pf, NULL, &list), err);
	ck_assert_ptr_eq(list, &list);
	ck_assert_int_eq(vtc_error_get_code(vtc_ctx_last_error(ctx)), err);
	ck_assert_str_eq(vtc_error_get_operation(vtc_ctx_last_error(ctx)), "list VFs");
}

static const struct vtc_vf *vf_of(const struct vtc_vf_list *list, uint32_t index)
{
	const struct vtc_vf *vf = NULL;

	ck_assert_errno(vtc_vf_list_get(list, index, &vf), 0);
	ck_assert_uint_eq(vtc_vf_get_index(vf), index);
	return vf;
}

/* ---- Answers by hand ---- */

static size_t begin(struct vtct_buf *buf, uint32_t ifindex)
{
	struct ifinfomsg ifi = { .ifi_index = (int)ifindex };

	return vtct_msg(buf, RTM_NEWLINK, 0, 0, &ifi, sizeof(ifi));
}

static void put_pair(struct vtct_buf *buf, int type, uint32_t vf, uint32_t value)
{
	uint32_t pair[2] = { vf, value };

	vtct_put(buf, type, pair, sizeof(pair));
}

static void put_mac(struct vtct_buf *buf, uint32_t vf)
{
	struct ifla_vf_mac mac = { .vf = vf, .mac = { 2, 0, 0, 0, 0, (uint8_t)vf } };

	vtct_put(buf, IFLA_VF_MAC, &mac, sizeof(mac));
}

static void put_entry(struct vtct_buf *buf, uint32_t vf)
{
	size_t info = vtct_nest(buf, IFLA_VF_INFO);

	put_mac(buf, vf);
	vtct_nest_end(buf, info);
}

/* The next question about VFs gets this answer. */
static void answer(struct vtct_buf *buf, size_t msg)
{
	struct vtct_script *s = vtct_script(k, RTM_GETLINK, 0);

	vtct_msg_end(buf, msg);
	vtct_script_data(s, buf->data, buf->len, true);
	vtct_script_ack(s, 0, NULL);
	vtct_buf_free(buf);
}

/* ---- Tests ---- */

START_TEST(no_vf)
{
	struct vtc_vf_list *list = list_of(0);
	const struct vtc_vf *vf;

	ck_assert_uint_eq(vtc_vf_list_get_count(list), 0);
	ck_assert_errno(vtc_vf_list_get(list, 0, &vf), -ERANGE);
	vtc_vf_list_free(list);
}
END_TEST

START_TEST(everything_is_read)
{
	struct vtct_vf *f = &fake->vfs[1];
	struct vtc_vlan vlan;
	struct vtc_mac mac;
	enum vtc_vf_link_state link;
	const struct vtc_vf *vf;
	struct vtc_vf_list *list;
	uint32_t rate;
	int on;

	fake->unreported = 0;
	vtct_create_vfs(k, fake, 2);
	f->vlan = 100;
	f->qos = 3;
	f->vlan_proto = 0x88a8;
	f->min_rate = 10;
	f->max_rate = 1000;
	f->spoof_check = 0;
	f->trust = 1;
	f->rss_query = 1;
	f->link_state = IFLA_VF_LINK_STATE_DISABLE;
	list = list_of(0);
	ck_assert_uint_eq(vtc_vf_list_get_count(list), 2);
	vf = vf_of(list, 1);

	ck_assert_errno(vtc_vf_get_mac(vf, &mac), 1);
	ck_assert_mem_eq(mac.addr, f->mac, 6);
	ck_assert_errno(vtc_vf_get_vlan(vf, &vlan), 1);
	ck_assert_uint_eq(vlan.id, 100);
	ck_assert_uint_eq(vlan.qos, 3);
	ck_assert_uint_eq(vlan.proto, VTC_VLAN_PROTO_8021AD);
	ck_assert_uint_eq(vlan.reserved, 0);
	ck_assert_errno(vtc_vf_get_min_rate_mbps(vf, &rate), 1);
	ck_assert_uint_eq(rate, 10);
	ck_assert_errno(vtc_vf_get_max_rate_mbps(vf, &rate), 1);
	ck_assert_uint_eq(rate, 1000);
	ck_assert_errno(vtc_vf_get_spoof_check(vf, &on), 1);
	ck_assert_int_eq(on, 0);
	ck_assert_errno(vtc_vf_get_trust(vf, &on), 1);
	ck_assert_int_eq(on, 1);
	ck_assert_errno(vtc_vf_get_rss_query(vf, &on), 1);
	ck_assert_int_eq(on, 1);
	ck_assert_errno(vtc_vf_get_link_state(vf, &link), 1);
	ck_assert_int_eq(link, VTC_VF_LINK_DISABLE);
	vtc_vf_list_free(list);
}
END_TEST

START_TEST(nothing_is_not_unknown)
{
	const struct vtc_vf *vf;
	struct vtc_vf_list *list;
	enum vtc_vf_link_state link;
	struct vtc_vlan vlan = { .id = 77 };
	struct vtc_mac mac = { { 7 } };
	uint32_t rate = 77;
	uint64_t guid = 77;
	int on = 77;

	vtct_create_vfs(k, fake, 1);
	memset(fake->vfs[0].mac, 0, 6);
	fake->unreported = 1u << IFLA_VF_TRUST | 1u << IFLA_VF_RSS_QUERY_EN;
	list = list_of(0);
	vf = vf_of(list, 0);
	ck_assert_errno(vtc_vf_get_mac(vf, &mac), 0);
	ck_assert_errno(vtc_vf_get_vlan(vf, &vlan), 0);
	ck_assert_errno(vtc_vf_get_min_rate_mbps(vf, &rate), 0);
	ck_assert_errno(vtc_vf_get_max_rate_mbps(vf, &rate), 0);
	ck_assert_errno(vtc_vf_get_node_guid(vf, &guid), -ENODATA);
	ck_assert_errno(vtc_vf_get_port_guid(vf, &guid), -ENODATA);
	ck_assert_errno(vtc_vf_get_trust(vf, &on), -ENODATA);
	ck_assert_errno(vtc_vf_get_rss_query(vf, &on), -ENODATA);
	ck_assert_uint_eq(vlan.id, 77);
	ck_assert_uint_eq(mac.addr[0], 7);
	ck_assert_uint_eq(rate, 77);
	ck_assert_uint_eq(guid, 77);
	ck_assert_int_eq(on, 77);
	ck_assert_errno(vtc_vf_get_spoof_check(vf, &on), 1);
	ck_assert_int_eq(on, 1);
	ck_assert_errno(vtc_vf_get_link_state(vf, &link), 1);
	ck_assert_int_eq(link, VTC_VF_LINK_AUTO);
	vtc_vf_list_free(list);
}
END_TEST

START_TEST(priority_without_vlan)
{
	struct vtc_vf_list *list;
	struct vtc_vlan vlan;

	vtct_create_vfs(k, fake, 1);
	fake->vfs[0].qos = 5;
	list = list_of(0);
	ck_assert_errno(vtc_vf_get_vlan(vf_of(list, 0), &vlan), 1);
	ck_assert_uint_eq(vlan.id, 0);
	ck_assert_uint_eq(vlan.qos, 5);
	ck_assert_uint_eq(vlan.proto, VTC_VLAN_PROTO_8021Q);
	vtc_vf_list_free(list);
}
END_TEST

START_TEST(guids)
{
	struct vtc_vf_list *list;
	uint64_t guid;

	fake->infiniband = true;
	vtct_create_vfs(k, fake, 1);
	fake->vfs[0].node_guid = 0x1122334455667788;
	list = list_of(0);
	ck_assert_errno(vtc_vf_get_node_guid(vf_of(list, 0), &guid), 1);
	ck_assert_uint_eq(guid, 0x1122334455667788);
	ck_assert_errno(vtc_vf_get_port_guid(vf_of(list, 0), &guid), 0);
	vtc_vf_list_free(list);
}
END_TEST

START_TEST(counters)
{
	struct {
		struct vtc_vf_stats stats;
		uint64_t newer;
	} larger;
	struct vtc_vf_stats stats;
	struct vtc_vf_list *list;

	vtct_create_vfs(k, fake, 1);
	fake->vfs[0].rx_packets = 1;
	fake->vfs[0].tx_packets = 2;
	fake->vfs[0].rx_bytes = 3;
	fake->vfs[0].tx_bytes = 4;
	fake->vfs[0].broadcast = 5;
	fake->vfs[0].multicast = 6;
	fake->vfs[0].rx_dropped = 7;
	fake->vfs[0].tx_dropped = UINT64_MAX;

	list = list_of(0);
	ck_assert_errno(vtc_vf_get_stats(vf_of(list, 0), &stats, sizeof(stats)),
			-ENODATA);
	vtc_vf_list_free(list);

	list = list_of(VTC_VF_LIST_F_STATS);
	memset(&larger, 0xff, sizeof(larger));
	ck_assert_errno(vtc_vf_get_stats(vf_of(list, 0), &larger.stats, sizeof(larger)),
			1);
	ck_assert_uint_eq(larger.stats.rx_packets, 1);
	ck_assert_uint_eq(larger.stats.tx_packets, 2);
	ck_assert_uint_eq(larger.stats.rx_bytes, 3);
	ck_assert_uint_eq(larger.stats.tx_bytes, 4);
	ck_assert_uint_eq(larger.stats.rx_broadcast, 5);
	ck_assert_uint_eq(larger.stats.rx_multicast, 6);
	ck_assert_uint_eq(larger.stats.rx_dropped, 7);
	ck_assert_uint_eq(larger.stats.tx_dropped, UINT64_MAX);
	ck_assert_uint_eq(larger.newer, 0);
	memset(&stats, 0xff, sizeof(stats));
	ck_assert_errno(vtc_vf_get_stats(vf_of(list, 0), &stats, 2 * sizeof(uint64_t)),
			1);
	ck_assert_uint_eq(stats.tx_packets, 2);
	ck_assert_uint_eq(stats.rx_bytes, UINT64_MAX);
	vtc_vf_list_free(list);
}
END_TEST

START_TEST(what_sysfs_adds)
{
	struct vtc_vf_list *list;
	struct vtc_mac mac;
	const char *address;

	vtct_create_vfs(k, fake, 4);
	vtct_tree_unbind_vf(tree, fake, 1, fake->vf_driver);
	vtct_tree_remove_netdev(tree, vtct_vf_dir(fake, 2), vtct_vf_ifname(fake, 2));
	vtct_tree_remove(tree, "bus/pci/devices/" ADDRESS "/virtfn3");
	list = list_of(0);

	ck_assert_errno(vtc_vf_get_address(vf_of(list, 0), &address), 1);
	ck_assert_str_eq(address, vtct_vf_address(fake, 0));
	ck_assert_errno(vtc_vf_get_effective_mac(vf_of(list, 0), &mac), 1);
	ck_assert_mem_eq(mac.addr, fake->vfs[0].mac, 6);
	ck_assert_errno(vtc_vf_get_effective_mac(vf_of(list, 1), &mac), 0);
	ck_assert_errno(vtc_vf_get_effective_mac(vf_of(list, 2), &mac), -ENODATA);
	ck_assert_errno(vtc_vf_get_address(vf_of(list, 2), &address), 1);
	ck_assert_errno(vtc_vf_get_address(vf_of(list, 3), &address), -ENODATA);
	vtc_vf_list_free(list);
}
END_TEST

START_TEST(a_pf_that_is_no_pci_function)
{
	struct vtct_pf *nsim = vtct_kernel_netdevsim(k, 1);
	struct vtc_vf_list *list;
	struct vtc_pf *other;
	struct vtc_mac mac;
	const char *address;

	vtct_create_vfs(k, nsim, 2);
	ck_assert_errno(vtc_pf_open(ctx, "netdevsim1", &other), 0);
	ck_assert_errno(vtc_vf_list_new(other, NULL, &list), 0);
	ck_assert_uint_eq(vtc_vf_list_get_count(list), 2);
	ck_assert_errno(vtc_vf_get_address(vf_of(list, 1), &address), 0);
	ck_assert_errno(vtc_vf_get_effective_mac(vf_of(list, 1), &mac), 0);
	vtc_vf_list_free(list);
	vtc_pf_close(other);
}
END_TEST

START_TEST(bad_parameters)
{
	struct vtc_vf_list_opts opts = VTC_VF_LIST_OPTS_INIT;
	struct {
		struct vtc_vf_list_opts opts;
		uint32_t more;
	} longer = { VTC_VF_LIST_OPTS_INIT, 1 };
	struct vtc_vf_list *list;

	ck_assert_errno(vtc_vf_list_new(NULL, NULL, &list), -EINVAL);
	ck_assert_errno(vtc_vf_list_new(pf, NULL, NULL), -EINVAL);
	opts.flags = 2;
	ck_assert_errno(vtc_vf_list_new(pf, &opts, &list), -EINVAL);
	opts.flags = 0;
	opts.sz = 4;
	ck_assert_errno(vtc_vf_list_new(pf, &opts, &list), -EINVAL);
	longer.opts.sz = sizeof(longer);
	ck_assert_errno(vtc_vf_list_new(pf, &longer.opts, &list), -E2BIG);
	ck_assert_uint_eq(vtct_requests(k, 0), 0);
}
END_TEST

START_TEST(null_everywhere)
{
	const struct vtc_vf *vf;
	struct vtc_vf_list *list;
	enum vtc_vf_link_state link;
	struct vtc_vf_stats stats;
	struct vtc_vlan vlan;
	struct vtc_mac mac;
	const char *text;
	uint32_t n;
	uint64_t guid;
	int on;

	vtct_create_vfs(k, fake, 1);
	list = list_of(VTC_VF_LIST_F_STATS);
	vf = vf_of(list, 0);
	ck_assert_errno(vtc_vf_list_get(NULL, 0, &vf), -EINVAL);
	ck_assert_errno(vtc_vf_list_get(list, 0, NULL), -EINVAL);
	ck_assert_uint_eq(vtc_vf_list_get_count(NULL), 0);
	ck_assert_uint_eq(vtc_vf_get_index(NULL), 0);
	vtc_vf_list_free(NULL);
#define BOTH(get, ret)                              \
	ck_assert_errno(get(NULL, (ret)), -EINVAL); \
	ck_assert_errno(get(vf, NULL), -EINVAL)
	BOTH(vtc_vf_get_address, &text);
	BOTH(vtc_vf_get_mac, &mac);
	BOTH(vtc_vf_get_effective_mac, &mac);
	BOTH(vtc_vf_get_vlan, &vlan);
	BOTH(vtc_vf_get_min_rate_mbps, &n);
	BOTH(vtc_vf_get_max_rate_mbps, &n);
	BOTH(vtc_vf_get_spoof_check, &on);
	BOTH(vtc_vf_get_trust, &on);
	BOTH(vtc_vf_get_link_state, &link);
	BOTH(vtc_vf_get_rss_query, &on);
	BOTH(vtc_vf_get_node_guid, &guid);
	BOTH(vtc_vf_get_port_guid, &guid);
#undef BOTH
	ck_assert_errno(vtc_vf_get_stats(NULL, &stats, sizeof(stats)), -EINVAL);
	ck_assert_errno(vtc_vf_get_stats(vf, NULL, sizeof(stats)), -EINVAL);
	ck_assert_errno(vtc_vf_get_stats(vf, &stats, 0), -EINVAL);
	vtc_vf_list_free(list);
}
END_TEST

START_TEST(attribute_names)
{
	for (int i = 0; i < VTC_VF_ATTR_COUNT; i++)
		ck_assert_ptr_nonnull(vtc_vf_attr_name((enum vtc_vf_attr)i));
	ck_assert_str_eq(vtc_vf_attr_name(VTC_VF_ATTR_MIN_RATE), "min-rate");
	ck_assert_ptr_null(vtc_vf_attr_name((enum vtc_vf_attr)VTC_VF_ATTR_COUNT));
	ck_assert_ptr_null(vtc_vf_attr_name((enum vtc_vf_attr) - 1));
}
END_TEST

START_TEST(a_pf_without_interface)
{
	vtct_tree_remove_netdev(tree, fake->dir, fake->ifname);
	fails(-ENODEV);
	ck_assert_ptr_nonnull(strstr(vtc_error_get_message(vtc_ctx_last_error(ctx)),
				     "no network interface here"));
}
END_TEST

START_TEST(a_pf_that_vanished)
{
	vtct_unplug(k, fake);
	fails(-ENODEV);
	ck_assert_ptr_nonnull(
		strstr(vtc_error_get_message(vtc_ctx_last_error(ctx)), "gone"));
}
END_TEST

START_TEST(an_interface_that_vanished_in_between)
{
	vtct_link_remove(k, fake->ifindex, false);
	fails(-ENODEV);
}
END_TEST

/*
 * Port 2 and a representor of its VF 0, both on the same function: neither speaks for the
 * PF.
 */
START_TEST(several_interfaces)
{
	static const uint8_t mac[6] = { 2, 2, 2, 2, 2, 2 };
	struct vtc_vf_list *list;

	vtct_create_vfs(k, fake, 2);
	vtct_tree_add_netdev(tree, fake->dir, "port2", fake->ifindex + 50, mac, true);
	vtct_tree_add_netdev(tree, fake->dir, "rep0", 1, mac, true);
	vtct_tree_addf(tree, "%s/net/rep0/phys_port_name = pf0vf0\n", fake->dir);
	list = list_of(0);
	ck_assert_uint_eq(vtc_vf_list_get_count(list), 2);
	vtc_vf_list_free(list);
}
END_TEST

/* ---- What is left out, and what is cut ---- */

START_TEST(a_vf_that_the_driver_leaves_out)
{
	const struct vtc_vf *vf;
	struct vtc_vf_list *list;
	struct vtc_mac mac;

	vtct_create_vfs(k, fake, 5);
	fake->vfs[0].silent = fake->vfs[2].silent = fake->vfs[4].silent = true;
	list = list_of(0);
	ck_assert_uint_eq(vtc_vf_list_get_count(list), 5);
	ck_assert_errno(vtc_vf_list_get(list, 0, &vf), -ENODATA);
	ck_assert_errno(vtc_vf_list_get(list, 2, &vf), -ENODATA);
	ck_assert_errno(vtc_vf_list_get(list, 4, &vf), -ENODATA);
	ck_assert_errno(vtc_vf_list_get(list, 5, &vf), -ERANGE);
	ck_assert_errno(vtc_vf_get_mac(vf_of(list, 3), &mac), 1);
	ck_assert_uint_eq(mac.addr[5], 3);
	vtc_vf_list_free(list);
}
END_TEST

static struct vtct_pf *large(uint32_t vfs)
{
	struct vtct_pf *nsim = vtct_kernel_netdevsim(k, 1);

	nsim->total_vfs = VTCT_MAX_VFS;
	vtct_create_vfs(k, nsim, vfs);
	for (uint32_t i = 0; i < vfs; i++)
		nsim->vfs[i].max_rate = i + 1;
	vtc_pf_close(pf);
	ck_assert_errno(vtc_pf_open(ctx, "netdevsim1", &pf), 0);
	return nsim;
}

/* All VFs are read whatever the 16 bits of the list's length say. */
START_TEST(lists_of_all_sizes)
{
	static const uint32_t sizes[] = { 220, 221, 222, 256, 333, 334,	 335,
					  336, 442, 443, 668, 669, 1000, 1024 };

	for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(*sizes); i++) {
		uint32_t count = sizes[i / 2], rate;
		struct vtct_pf *nsim = large(count);
		struct vtc_vf_list *list = list_of(i % 2 ? VTC_VF_LIST_F_STATS : 0);
		struct vtc_vf_stats stats;

		ck_assert_uint_eq(vtc_vf_list_get_count(list), count);
		for (uint32_t vf = 0; vf < count; vf++) {
			ck_assert_errno(vtc_vf_get_max_rate_mbps(vf_of(list, vf), &rate),
					1);
			ck_assert_uint_eq(rate, vf + 1);
			ck_assert_errno(
				vtc_vf_get_stats(vf_of(list, vf), &stats, sizeof(stats)),
				i % 2 ? 1 : -ENODATA);
		}
		vtc_vf_list_free(list);
		vtct_unplug(k, nsim);
	}
}
END_TEST

START_TEST(left_out_of_a_long_list)
{
	struct vtct_pf *nsim = large(400);
	const struct vtc_vf *vf;
	struct vtc_vf_list *list;

	nsim->vfs[10].silent = nsim->vfs[350].silent = nsim->vfs[399].silent = true;
	list = list_of(0);
	ck_assert_errno(vtc_vf_list_get(list, 10, &vf), -ENODATA);
	ck_assert_errno(vtc_vf_list_get(list, 350, &vf), -ENODATA);
	ck_assert_errno(vtc_vf_list_get(list, 399, &vf), -ENODATA);
	vf_of(list, 398);
	vtc_vf_list_free(list);
}
END_TEST

/* A kernel that minds the limit of a length: the last entry is the last that fits. */
START_TEST(a_list_that_was_cut)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	size_t msg = begin(&buf, fake->ifindex), nest;
	const struct vtc_vf *vf;
	struct vtc_vf_list *list;
	uint32_t i, entries = (UINT16_MAX - 4) / 44;

	vtct_create_vfs(k, fake, 1);
	vtct_put_u32(&buf, IFLA_NUM_VF, 2000);
	nest = vtct_nest(&buf, IFLA_VFINFO_LIST);
	for (i = 0; i < entries; i++)
		put_entry(&buf, i + (i >= 7));
	vtct_nest_end(&buf, nest);
	vtct_put_u32(&buf, IFLA_GROUP, 0);
	answer(&buf, msg);

	list = list_of(0);
	ck_assert_uint_eq(vtc_vf_list_get_count(list), 2000);
	ck_assert_errno(vtc_vf_list_get(list, 7, &vf), -ENODATA);
	vf_of(list, entries);
	ck_assert_errno(vtc_vf_list_get(list, entries + 1, &vf), -EOVERFLOW);
	ck_assert_errno(vtc_vf_list_get(list, 1999, &vf), -EOVERFLOW);
	ck_assert_errno(vtc_vf_list_get(list, 2000, &vf), -ERANGE);
	vtc_vf_list_free(list);
}
END_TEST

START_TEST(a_driver_that_reports_no_vf)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	size_t msg = begin(&buf, fake->ifindex);
	const struct vtc_vf *vf;
	struct vtc_vf_list *list;

	vtct_put_u32(&buf, IFLA_NUM_VF, 3);
	answer(&buf, msg);
	list = list_of(0);
	ck_assert_uint_eq(vtc_vf_list_get_count(list), 3);
	ck_assert_errno(vtc_vf_list_get(list, 0, &vf), -ENODATA);
	vtc_vf_list_free(list);
}
END_TEST

START_TEST(old_kernels)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	size_t msg = begin(&buf, fake->ifindex), nest, info;
	struct ifla_vf_vlan old_vlan = { .vf = 0, .vlan = 7, .qos = 1 };
	struct vtc_vlan vlan;
	struct vtc_vf_list *list;
	uint32_t rate;
	int on;

	vtct_put_u32(&buf, IFLA_NUM_VF, 1);
	nest = vtct_nest(&buf, IFLA_VFINFO_LIST);
	info = vtct_nest(&buf, IFLA_VF_INFO);
	put_mac(&buf, 0);
	vtct_put(&buf, IFLA_VF_VLAN, &old_vlan, sizeof(old_vlan));
	put_pair(&buf, IFLA_VF_TX_RATE, 0, 500);
	vtct_nest_end(&buf, info);
	vtct_nest_end(&buf, nest);
	answer(&buf, msg);

	list = list_of(0);
	ck_assert_errno(vtc_vf_get_vlan(vf_of(list, 0), &vlan), 1);
	ck_assert_uint_eq(vlan.id, 7);
	ck_assert_uint_eq(vlan.proto, VTC_VLAN_PROTO_8021Q);
	ck_assert_errno(vtc_vf_get_max_rate_mbps(vf_of(list, 0), &rate), 1);
	ck_assert_uint_eq(rate, 500);
	ck_assert_errno(vtc_vf_get_min_rate_mbps(vf_of(list, 0), &rate), -ENODATA);
	ck_assert_errno(vtc_vf_get_spoof_check(vf_of(list, 0), &on), -ENODATA);
	vtc_vf_list_free(list);
}
END_TEST

START_TEST(values_that_are_none)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	size_t msg = begin(&buf, fake->ifindex), nest, info;
	struct ifla_vf_vlan old_vlan = { .vf = 0, .vlan = 4096 };
	enum vtc_vf_link_state link;
	struct vtc_vf_list *list;
	struct vtc_vlan vlan;
	int on;

	vtct_put_u32(&buf, IFLA_NUM_VF, 1);
	nest = vtct_nest(&buf, IFLA_VFINFO_LIST);
	info = vtct_nest(&buf, IFLA_VF_INFO);
	put_mac(&buf, 0);
	vtct_put(&buf, IFLA_VF_VLAN, &old_vlan, sizeof(old_vlan));
	put_pair(&buf, IFLA_VF_LINK_STATE, 0, 3);
	put_pair(&buf, IFLA_VF_TRUST, 0, 2);
	vtct_nest_end(&buf, info);
	vtct_nest_end(&buf, nest);
	answer(&buf, msg);

	list = list_of(0);
	ck_assert_errno(vtc_vf_get_vlan(vf_of(list, 0), &vlan), -ENODATA);
	ck_assert_errno(vtc_vf_get_link_state(vf_of(list, 0), &link), -ENODATA);
	ck_assert_errno(vtc_vf_get_trust(vf_of(list, 0), &on), -ENODATA);
	vtc_vf_list_free(list);
}
END_TEST

/* ---- Answers that make no sense ---- */

static void put_duplicate(struct vtct_buf *buf)
{
	put_entry(buf, 1);
	put_entry(buf, 1);
}

static void put_beyond(struct vtct_buf *buf)
{
	put_entry(buf, 0);
	put_entry(buf, 2);
}

static void put_too_many(struct vtct_buf *buf)
{
	put_entry(buf, 0);
	put_entry(buf, 1);
	put_entry(buf, 0);
}

static void put_without_number(struct vtct_buf *buf)
{
	vtct_nest_end(buf, vtct_nest(buf, IFLA_VF_INFO));
}

static void put_short_mac(struct vtct_buf *buf)
{
	size_t info = vtct_nest(buf, IFLA_VF_INFO);

	vtct_put_u32(buf, IFLA_VF_MAC, 0);
	vtct_nest_end(buf, info);
}

static void put_other_vfs_trust(struct vtct_buf *buf)
{
	size_t info = vtct_nest(buf, IFLA_VF_INFO);

	put_mac(buf, 0);
	put_pair(buf, IFLA_VF_TRUST, 1, 1);
	vtct_nest_end(buf, info);
}

static void put_short_rate(struct vtct_buf *buf)
{
	size_t info = vtct_nest(buf, IFLA_VF_INFO);

	put_mac(buf, 0);
	put_pair(buf, IFLA_VF_RATE, 0, 1);
	vtct_nest_end(buf, info);
}

static void put_short_vlan(struct vtct_buf *buf)
{
	size_t info = vtct_nest(buf, IFLA_VF_INFO), list;

	put_mac(buf, 0);
	list = vtct_nest(buf, IFLA_VF_VLAN_LIST);
	put_pair(buf, IFLA_VF_VLAN_INFO, 0, 1);
	vtct_nest_end(buf, list);
	vtct_nest_end(buf, info);
}

static void put_short_counter(struct vtct_buf *buf)
{
	size_t info = vtct_nest(buf, IFLA_VF_INFO), stats;

	put_mac(buf, 0);
	stats = vtct_nest(buf, IFLA_VF_STATS);
	vtct_put_u32(buf, IFLA_VF_STATS_RX_PACKETS, 1);
	vtct_nest_end(buf, stats);
	vtct_nest_end(buf, info);
}

static void put_wrong_nest(struct vtct_buf *buf)
{
	struct nlattr wrong = { .nla_len = 200, .nla_type = IFLA_VF_MAC };
	size_t info = vtct_nest(buf, IFLA_VF_INFO);

	put_mac(buf, 0);
	vtct_buf_add(buf, &wrong, sizeof(wrong));
	vtct_nest_end(buf, info);
}

static void put_endless_entry(struct vtct_buf *buf)
{
	struct nlattr wrong = { .nla_len = 60000, .nla_type = IFLA_VF_INFO };

	vtct_buf_add(buf, &wrong, sizeof(wrong));
}

static void put_entry_of_nothing(struct vtct_buf *buf)
{
	struct nlattr wrong = { .nla_len = 0, .nla_type = IFLA_VF_INFO };

	vtct_buf_add(buf, &wrong, sizeof(wrong));
}

static void put_something_else(struct vtct_buf *buf)
{
	put_entry(buf, 0);
	vtct_put_u32(buf, 9, 0);
}

static void (*const nonsense[])(struct vtct_buf *buf) = {
	put_duplicate,	    put_beyond,		 put_too_many,	    put_without_number,
	put_short_mac,	    put_other_vfs_trust, put_short_rate,    put_short_vlan,
	put_short_counter,  put_wrong_nest,	 put_endless_entry, put_entry_of_nothing,
	put_something_else,
};

#define NONSENSE ((int)(sizeof(nonsense) / sizeof(*nonsense)))

START_TEST(an_entry_that_makes_no_sense)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	size_t msg = begin(&buf, fake->ifindex), nest;

	vtct_put_u32(&buf, IFLA_NUM_VF, 2);
	nest = vtct_nest(&buf, IFLA_VFINFO_LIST);
	nonsense[_i](&buf);
	vtct_nest_end(&buf, nest);
	answer(&buf, msg);
	fails(-EPROTO);
}
END_TEST

/* The walk over the entries must end where the length, modulo 64 KiB, says. */
START_TEST(a_list_whose_length_is_wrong)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	size_t msg = begin(&buf, fake->ifindex), nest;
	uint16_t len = (uint16_t)(_i * 4);

	vtct_put_u32(&buf, IFLA_NUM_VF, 2);
	nest = vtct_nest(&buf, IFLA_VFINFO_LIST);
	put_entry(&buf, 0);
	put_entry(&buf, 1);
	vtct_nest_end(&buf, nest);
	vtct_put_u32(&buf, IFLA_GROUP, 0);
	memcpy(buf.data + nest, &len, sizeof(len));
	answer(&buf, msg);
	if (len == 4 + 2 * 44)
		vtc_vf_list_free(list_of(0));
	else
		fails(-EPROTO);
}
END_TEST

START_TEST(an_answer_about_another_interface)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	size_t msg = begin(&buf, fake->ifindex + 1);

	vtct_put_u32(&buf, IFLA_NUM_VF, 0);
	answer(&buf, msg);
	fails(-EPROTO);
}
END_TEST

START_TEST(an_answer_of_another_type)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	struct ifinfomsg ifi = { .ifi_index = (int)fake->ifindex };
	size_t msg = vtct_msg(&buf, RTM_DELLINK, 0, 0, &ifi, sizeof(ifi));

	answer(&buf, msg);
	fails(-EPROTO);
}
END_TEST

START_TEST(an_answer_that_is_too_short)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	uint32_t half = 0;
	size_t msg = vtct_msg(&buf, RTM_NEWLINK, 0, 0, &half, sizeof(half));

	answer(&buf, msg);
	fails(-EPROTO);
}
END_TEST

START_TEST(an_answer_without_number)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	size_t msg = begin(&buf, fake->ifindex);

	answer(&buf, msg);
	fails(-EPROTO);
}
END_TEST

START_TEST(a_list_without_number)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	size_t msg = begin(&buf, fake->ifindex), nest = vtct_nest(&buf, IFLA_VFINFO_LIST);

	put_entry(&buf, 0);
	vtct_nest_end(&buf, nest);
	answer(&buf, msg);
	fails(-EPROTO);
}
END_TEST

START_TEST(a_number_that_is_too_large)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	size_t msg = begin(&buf, fake->ifindex);

	vtct_put_u32(&buf, IFLA_NUM_VF, 65536);
	answer(&buf, msg);
	fails(-EPROTO);
}
END_TEST

START_TEST(two_numbers)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	size_t msg = begin(&buf, fake->ifindex);

	vtct_put_u32(&buf, IFLA_NUM_VF, 1);
	vtct_put_u32(&buf, IFLA_NUM_VF, 2);
	answer(&buf, msg);
	fails(-EPROTO);
}
END_TEST

START_TEST(two_answers)
{
	struct vtct_script *s = vtct_script(k, RTM_GETLINK, 0);
	struct vtct_buf buf = VTCT_BUF_INIT;
	size_t msg = begin(&buf, fake->ifindex);

	vtct_put_u32(&buf, IFLA_NUM_VF, 0);
	vtct_msg_end(&buf, msg);
	vtct_script_data(s, buf.data, buf.len, true);
	vtct_script_data(s, buf.data, buf.len, true);
	vtct_script_ack(s, 0, NULL);
	vtct_buf_free(&buf);
	fails(-EPROTO);
}
END_TEST

START_TEST(no_answer_but_the_acknowledgement)
{
	vtct_script_ack(vtct_script(k, RTM_GETLINK, 0), 0, NULL);
	fails(-EPROTO);
}
END_TEST

START_TEST(no_answer_at_all)
{
	vtct_script(k, RTM_GETLINK, 0);
	fails(-ETIMEDOUT);
}
END_TEST

START_TEST(an_answer_to_another_request)
{
	struct vtct_buf buf = VTCT_BUF_INIT;
	struct vtct_script *s = vtct_script(k, RTM_GETLINK, 0);
	size_t msg = begin(&buf, fake->ifindex + 1);

	vtct_create_vfs(k, fake, 1);
	vtct_msg_end(&buf, msg);
	vtct_script_data(s, buf.data, buf.len, false);
	vtct_script_usual(s);
	vtct_buf_free(&buf);
	vtc_vf_list_free(list_of(0));
}
END_TEST

START_TEST(interrupted_and_spurious)
{
	struct vtct_script *s = vtct_script(k, RTM_GETLINK, 0);

	vtct_script_error(s, -EINTR);
	vtct_script_error(s, -EAGAIN);
	vtct_script_usual(s);
	vtc_vf_list_free(list_of(0));
}
END_TEST

START_TEST(a_lost_answer)
{
	vtct_script_error(vtct_script(k, RTM_GETLINK, 0), -ENOBUFS);
	fails(-ENOBUFS);
}
END_TEST

START_TEST(the_kernel_cannot_pack_it)
{
	fake->list_error = -EMSGSIZE;
	fails(-EMSGSIZE);
	ck_assert_ptr_nonnull(
		strstr(vtc_error_get_hint(vtc_ctx_last_error(ctx)), "newer kernel"));
}
END_TEST

START_TEST(each_step_fails_once)
{
	struct vtc_vf_list *list = NULL;
	unsigned int calls;
	int got;

	vtct_create_vfs(k, fake, 2);
	calls = vtct_calls(k, VTCT_ANY);
	vtct_fail_nth(k, VTCT_ANY, (unsigned int)_i + 1, -EIO);
	got = vtc_vf_list_new(pf, NULL, &list);
	calls = vtct_calls(k, VTCT_ANY) - calls;
	/* The loop is long enough if its end meets no call any more. */
	ck_assert(_i + 1 < STEPS_TRIED || calls < STEPS_TRIED);
	if (got) {
		ck_assert_int_lt(got, 0);
		ck_assert_ptr_null(list);
		ck_assert_int_eq(vtc_error_get_code(vtc_ctx_last_error(ctx)), got);
	}
	vtc_vf_list_free(list);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vf-list");
	TCase *tc = tcase_create("vf-list");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, no_vf);
	tcase_add_test(tc, everything_is_read);
	tcase_add_test(tc, nothing_is_not_unknown);
	tcase_add_test(tc, priority_without_vlan);
	tcase_add_test(tc, guids);
	tcase_add_test(tc, counters);
	tcase_add_test(tc, what_sysfs_adds);
	tcase_add_test(tc, a_pf_that_is_no_pci_function);
	tcase_add_test(tc, bad_parameters);
	tcase_add_test(tc, null_everywhere);
	tcase_add_test(tc, attribute_names);
	tcase_add_test(tc, a_pf_without_interface);
	tcase_add_test(tc, a_pf_that_vanished);
	tcase_add_test(tc, an_interface_that_vanished_in_between);
	tcase_add_test(tc, several_interfaces);
	tcase_add_test(tc, a_vf_that_the_driver_leaves_out);
	tcase_add_test(tc, lists_of_all_sizes);
	tcase_add_test(tc, left_out_of_a_long_list);
	tcase_add_test(tc, a_list_that_was_cut);
	tcase_add_test(tc, a_driver_that_reports_no_vf);
	tcase_add_test(tc, old_kernels);
	tcase_add_test(tc, values_that_are_none);
	tcase_add_loop_test(tc, an_entry_that_makes_no_sense, 0, NONSENSE);
	tcase_add_loop_test(tc, a_list_whose_length_is_wrong, 0, 40);
	tcase_add_test(tc, an_answer_about_another_interface);
	tcase_add_test(tc, an_answer_of_another_type);
	tcase_add_test(tc, an_answer_that_is_too_short);
	tcase_add_test(tc, an_answer_without_number);
	tcase_add_test(tc, a_list_without_number);
	tcase_add_test(tc, a_number_that_is_too_large);
	tcase_add_test(tc, two_numbers);
	tcase_add_test(tc, two_answers);
	tcase_add_test(tc, no_answer_but_the_acknowledgement);
	tcase_add_test(tc, no_answer_at_all);
	tcase_add_test(tc, an_answer_to_another_request);
	tcase_add_test(tc, interrupted_and_spurious);
	tcase_add_test(tc, a_lost_answer);
	tcase_add_test(tc, the_kernel_cannot_pack_it);
	tcase_add_loop_test(tc, each_step_fails_once, 0, STEPS_TRIED);
	suite_add_tcase(s, tc);
	return vtct_main(s, NULL);
}
