/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools on a veth, sorted by the guard program: a bridge has the card as a port, and taps
 * stand for virtual machines. Frames go in at the far end of the veth.
 */
#include <linux/bpf.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vtc/vtc.h>

#include "net.h"
#include "vmdq/guard.h"
#include "vmdq/pool.h"
#include "vtct.h"

#define NIC "vtcw0"

static struct vtc_ctx *ctx;
static char state_dir[128];
static char *before;
static int wire, host; /* far end of the card; a machine at another port of the bridge */
static uint32_t number;

static const uint8_t mac_a[6] = { 2, 0, 0, 0, 0, 0xa };
static const uint8_t mac_b[6] = { 2, 0, 0, 0, 0, 0xb };
static const uint8_t mac_host[6] = { 2, 0, 0, 0, 0, 0xff };
static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* ---- The world around ---- */

static struct vtc_ctx *new_ctx(void)
{
	struct vtc_ctx_opts opts = VTC_CTX_OPTS_INIT;
	struct vtc_ctx *new;

	opts.state_dir = state_dir;
	opts.log_level = VTC_LOG_NONE;
	ck_assert_errno(vtc_ctx_new(&opts, &new), 0);
	return new;
}

static void need_programs(void)
{
	struct vtc__uplink uplink;
	char why[256] = "";
	int err;

	ck_assert_errno(vtc__uplink_find(ctx, NIC, "test", &uplink), 0);
	err = vtc__guard_probe(ctx, uplink.ifindex, why, sizeof(why));
	if (err)
		vtct_skip("no guard program here: %s", why);
}

static void set_up(void)
{
	net_enter();
	net_run("ip link add " NIC " numrxqueues 4 numtxqueues 4 type veth peer name "
		"vtcw1 numrxqueues 4 numtxqueues 4 && ip link add vtcb0 type veth peer "
		"name vtcb1 && ip link add vtcbr type bridge mcast_snooping 0");
	net_run("for i in " NIC " vtcb0; do ip link set $i master vtcbr; done; "
		"for i in " NIC " vtcw1 vtcb0 vtcb1 vtcbr; do ip link set $i up; done");
	snprintf(state_dir, sizeof(state_dir), "%s/state-XXXXXX", vtct_dir());
	ck_assert_ptr_nonnull(mkdtemp(state_dir));
	wire = net_open_packet("vtcw1");
	host = net_open_packet("vtcb1");
	ctx = new_ctx();
	need_programs();
	before = net_snapshot(NIC, state_dir);
}

static void tear_down(void)
{
	free(before);
	vtc_ctx_unref(ctx);
	close(wire);
	close(host);
}

static void expect_as_before(void)
{
	char *now = net_snapshot(NIC, state_dir);
	const char *difference = net_difference(before, now);

	ck_assert_msg(!difference, "%s", difference);
	free(now);
}

static const char *said(struct vtc_ctx *of)
{
	static char text[1024];

	vtc_error_format(vtc_ctx_last_error(of), text, sizeof(text));
	return text;
}

static struct vtc_pool *request(const char *name, const char *target, uint32_t flags)
{
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;
	struct vtc_pool *pool = NULL;
	int err;

	opts.name = name;
	opts.target = target;
	opts.flags = flags;
	opts.backend = VTC_POOL_BACKEND_XDP;
	opts.audit_ms = 3600000;
	err = vtc_pool_request(ctx, NIC, &opts, &pool);
	ck_assert_msg(!err, "%s", said(ctx));
	return pool;
}

static struct vtc_filter match(const uint8_t *mac, int vlan)
{
	struct vtc_filter filter = { .match = 0 };

	if (mac) {
		memcpy(filter.mac.addr, mac, 6);
		filter.match |= VTC_FILTER_MAC;
	}
	if (vlan >= 0) {
		filter.vlan = (uint16_t)vlan;
		filter.match |= VTC_FILTER_VLAN;
	}
	return filter;
}

static void add(struct vtc_pool *pool, const uint8_t *mac, int vlan)
{
	struct vtc_filter filter = match(mac, vlan);
	int err = vtc_pool_add_filter(pool, &filter);

	ck_assert_msg(!err, "%s", said(ctx));
}

static void release(struct vtc_pool *pool)
{
	int err = vtc_pool_release(pool);

	ck_assert_msg(!err, "%s", said(ctx));
}

static struct vtc_pool_audit audit(struct vtc_pool *pool)
{
	struct vtc_pool_audit found = { .sz = sizeof(found) };
	int err = vtc_pool_audit(pool, &found);

	ck_assert_msg(!err, "%s", said(ctx));
	return found;
}

/* ---- Frames ---- */

static struct net_frame send_frame(const uint8_t *to, int vlan)
{
	struct net_frame frame = { .vlan = vlan, .number = ++number };

	memcpy(frame.to, to, 6);
	net_send(wire, &frame);
	return frame;
}

/* It comes out at fd, and not at the bridge: what was sent after it is there first. */
static void expect_at(int fd, const uint8_t *to, int vlan)
{
	struct net_frame frame = send_frame(to, vlan);
	struct net_frame fence;
	unsigned int others = 0;

	ck_assert_msg(net_receive(fd, &frame, NULL), "the frame did not come");
	if (fd == host)
		return;
	fence = send_frame(mac_host, NET_VLAN_NONE);
	ck_assert_msg(net_receive(host, &fence, &others), "the bridge does not work");
	ck_assert_msg(others == 0, "the bridge got a frame of a pool");
}

static void expect_nothing(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	ck_assert_msg(poll(&p, 1, 0) == 0, "a frame that is for somebody else");
}

/* ---- A whole life ---- */

static struct vtc_pool_stats stats_of(struct vtc_pool *pool)
{
	struct vtc_pool_stats stats = { .sz = sizeof(stats) };

	ck_assert_errno(vtc_pool_get_stats(pool, &stats), 0);
	return stats;
}

static void check_info(struct vtc_pool *pool)
{
	struct vtc_pool_info info = { .sz = sizeof(info) };

	ck_assert_errno(vtc_pool_get_info(pool, &info), 0);
	ck_assert_uint_eq(info.backend, VTC_POOL_BACKEND_XDP);
	ck_assert_uint_ne(info.guard, VTC_POOL_GUARD_NONE);
	ck_assert_uint_eq(info.owner, (uint32_t)getpid());
	ck_assert_uint_eq(info.flags, 0);
	ck_assert_str_eq(info.name, "web");
	ck_assert_str_eq(info.nic, NIC);
	ck_assert_str_eq(info.target, "vtct0");
	ck_assert_str_eq(info.netdev, "");
}

static void check_stats(struct vtc_pool *pool)
{
	struct vtc_pool_stats stats = stats_of(pool);

	ck_assert_uint_eq(stats.valid & VTC_POOL_STAT_RX_PACKETS,
			  VTC_POOL_STAT_RX_PACKETS);
	ck_assert_uint_eq(stats.rx_packets, 1);
	ck_assert_uint_eq(stats.rx_bytes, 64);
	ck_assert_uint_eq(stats.to_target, 1);
	ck_assert_uint_eq(stats.to_stack, 0);
}

START_TEST(a_whole_life_leaves_no_trace)
{
	struct vtc_filter filter = match(mac_a, -1), got;
	int tap = net_open_tap("vtct0");
	struct vtc_pool *pool;

	free(before);
	before = net_snapshot(NIC, state_dir);
	pool = request("web", "vtct0", 0);
	check_info(pool);
	expect_at(host, mac_a, NET_VLAN_NONE);
	add(pool, mac_a, -1);
	ck_assert_errno(vtc_pool_get_filter(pool, 0, &got), 0);
	ck_assert_int_eq(memcmp(&got, &filter, sizeof(got)), 0);
	ck_assert_errno(vtc_pool_get_filter(pool, 1, &got), -ENOENT);
	expect_at(tap, mac_a, NET_VLAN_NONE);
	check_stats(pool);
	expect_at(host, mac_b, NET_VLAN_NONE);
	expect_nothing(tap);
	ck_assert_errno(vtc_pool_remove_filter(pool, &filter), 0);
	ck_assert_errno(vtc_pool_remove_filter(pool, &filter), -ENOENT);
	expect_at(host, mac_a, NET_VLAN_NONE);
	release(pool);
	expect_as_before();
	close(tap);
}
END_TEST

START_TEST(the_most_specific_filter_wins)
{
	int a = net_open_tap("vtct0"), b = net_open_tap("vtct1"),
	    c = net_open_tap("vtct2");
	struct vtc_pool *any = request("any", "vtct0", 0);
	struct vtc_pool *one = request("one", "vtct1", 0);
	struct vtc_pool *vlan = request("vlan", "vtct2", 0);

	add(any, mac_a, -1);
	add(one, mac_a, 5);
	add(one, mac_b, 0);
	add(vlan, NULL, 5);
	expect_at(a, mac_a, NET_VLAN_NONE);
	expect_at(a, mac_a, 6);
	expect_at(b, mac_a, 5);
	expect_at(b, mac_b, NET_VLAN_NONE);
	expect_at(c, mac_b, 5);
	expect_at(host, mac_b, 7);
	expect_nothing(a);
	expect_nothing(b);
	expect_nothing(c);
	release(one);
	/* The MAC counts before the VLAN. */
	expect_at(a, mac_a, 5);
	release(any);
	release(vlan);
	close(a);
	close(b);
	close(c);
}
END_TEST

START_TEST(one_pool_takes_everything)
{
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;
	int a = net_open_tap("vtct0"), b = net_open_tap("vtct1");
	struct vtc_pool *all = request("all", "vtct0", VTC_POOL_F_EVERYTHING);
	struct vtc_pool *one = request("one", "vtct1", 0);
	struct net_frame frame;
	struct vtc_pool *none = NULL;

	add(one, mac_b, -1);
	frame = send_frame(mac_a, NET_VLAN_NONE);
	ck_assert(net_receive(a, &frame, NULL));
	frame = send_frame(mac_b, NET_VLAN_NONE);
	ck_assert(net_receive(b, &frame, NULL));
	expect_nothing(a);
	opts.name = "too";
	opts.flags = VTC_POOL_F_EVERYTHING;
	ck_assert_errno(vtc_pool_request(ctx, NIC, &opts, &none), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(said(ctx), "pool all"));
	release(all);
	expect_at(host, mac_a, NET_VLAN_NONE);
	release(one);
	close(a);
	close(b);
}
END_TEST

/* ---- What is refused ---- */

static void refuse(struct vtc_pool_opts *opts, int err, const char *word)
{
	struct vtc_pool *pool = NULL;

	opts->sz = sizeof(*opts);
	ck_assert_errno(vtc_pool_request(ctx, NIC, opts, &pool), err);
	ck_assert_ptr_null(pool);
	ck_assert_msg(strstr(said(ctx), word), "\"%s\" does not say \"%s\"", said(ctx),
		      word);
	expect_as_before();
}

START_TEST(options_are_checked)
{
	struct vtc_pool *pool = NULL;

	ck_assert_errno(vtc_pool_request(NULL, NIC, NULL, &pool), -EINVAL);
	ck_assert_errno(vtc_pool_request(ctx, NIC, NULL, &pool), -EINVAL);
	refuse(&(struct vtc_pool_opts){ .name = NULL }, -EINVAL, "opts.name");
	refuse(&(struct vtc_pool_opts){ .name = "a/b" }, -EINVAL, "opts.name");
	refuse(&(struct vtc_pool_opts){ .name = ".." }, -EINVAL, "opts.name");
	refuse(&(struct vtc_pool_opts){ .name = "" }, -EINVAL, "opts.name");
	refuse(&(struct vtc_pool_opts){ .name = "a", .flags = 1u << 30 }, -EINVAL,
	       "opts.flags");
	refuse(&(struct vtc_pool_opts){ .name = "a", .reserved = 1 }, -EINVAL,
	       "opts.reserved");
	refuse(&(struct vtc_pool_opts){ .name = "a", .queues = 65 }, -EINVAL,
	       "opts.queues");
	refuse(&(struct vtc_pool_opts){ .name = "a", .backend = 6 }, -EINVAL,
	       "opts.backend");
	refuse(&(struct vtc_pool_opts){ .name = "a", .target = "nobody" }, -ENODEV,
	       "nobody");
	refuse(&(struct vtc_pool_opts){ .name = "a", .target = NIC }, -EINVAL,
	       "the card itself");
	ck_assert_errno(vtc_pool_request(ctx, "nobody", NULL, &pool), -EINVAL);
	ck_assert_errno(vtc_pool_open(ctx, NIC, "a", &pool), -ENOENT);
	ck_assert_errno(vtc_pool_open(ctx, NIC, "a/b", &pool), -EINVAL);
	ck_assert_errno(vtc_pool_open(ctx, "nobody", "a", &pool), -ENODEV);
	ck_assert_ptr_null(pool);
}
END_TEST

static void refuse_filter(struct vtc_pool *pool, struct vtc_filter filter, int err,
			  const char *word)
{
	ck_assert_errno(vtc_pool_add_filter(pool, &filter), err);
	ck_assert_msg(strstr(said(ctx), word), "\"%s\" does not say \"%s\"", said(ctx),
		      word);
}

START_TEST(filters_are_checked)
{
	static const uint8_t group[6] = { 1 }, zero[6];
	struct vtc_pool *a = request("a", NULL, 0), *b = request("b", NULL, 0);
	struct vtc_filter odd = match(mac_a, 1);

	refuse_filter(a, match(group, -1), -EINVAL, "filter.mac");
	refuse_filter(a, match(zero, -1), -EINVAL, "filter.mac");
	refuse_filter(a, match(mac_a, 4095), -EINVAL, "filter.vlan");
	refuse_filter(a, match(NULL, -1), -EINVAL, "filter.match");
	odd.match |= 4;
	refuse_filter(a, odd, -EINVAL, "filter.match");
	ck_assert_errno(vtc_pool_add_filter(a, NULL), -EINVAL);
	add(a, mac_a, 1);
	refuse_filter(a, match(mac_a, 1), -EEXIST, "has this filter already");
	refuse_filter(b, match(mac_a, 1), -EADDRINUSE, "pool a");
	add(b, mac_a, 2);
	release(a);
	add(b, mac_a, 1);
	release(b);
	expect_as_before();
}
END_TEST

START_TEST(what_a_filter_does_not_match_does_not_count)
{
	struct vtc_pool *pool = request("a", NULL, 0);
	struct vtc_filter filter = match(mac_a, -1);

	filter.vlan = 77;
	ck_assert_errno(vtc_pool_add_filter(pool, &filter), 0);
	refuse_filter(pool, match(mac_a, -1), -EEXIST, "already");
	filter = match(mac_a, -1);
	ck_assert_errno(vtc_pool_remove_filter(pool, &filter), 0);
	release(pool);
}
END_TEST

START_TEST(a_name_is_used_once)
{
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;
	struct vtc_pool *pool = request("web", NULL, 0), *none = NULL;

	opts.name = "web";
	ck_assert_errno(vtc_pool_request(ctx, NIC, &opts, &none), -EEXIST);
	ck_assert_ptr_nonnull(strstr(said(ctx), "pool of this name"));
	release(pool);
	expect_as_before();
}
END_TEST

START_TEST(a_handle_is_of_one_pool_and_not_of_the_next_of_its_name)
{
	struct vtc_pool *first = request("vm", NULL, 0), *handle, *second;
	struct vtc_pool_stats stats = { .sz = sizeof(stats) };

	ck_assert_errno(vtc_pool_open(ctx, NIC, "vm", &handle), 0);
	release(first);
	second = request("vm", NULL, 0);
	ck_assert_errno(vtc_pool_get_stats(handle, &stats), -ENOENT);
	ck_assert_errno(vtc_pool_release(handle), 0);
	ck_assert_errno(vtc_pool_get_stats(second, &stats), 0);
	release(second);
	expect_as_before();
}
END_TEST

START_TEST(a_card_has_64_pools)
{
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;
	struct vtc_pool *pools[VTC_POOL_MAX], *none = NULL;
	char name[16];

	for (int i = 0; i < VTC_POOL_MAX; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		pools[i] = request(name, NULL, 0);
	}
	opts.name = "more";
	ck_assert_errno(vtc_pool_request(ctx, NIC, &opts, &none), -ENOSPC);
	release(pools[17]);
	pools[17] = request("more", NULL, 0);
	for (int i = 0; i < VTC_POOL_MAX; i++)
		release(pools[i]);
	expect_as_before();
}
END_TEST

static struct vtc__guard *open_guard(void)
{
	const struct vtc__guard_step *step;
	struct vtc__uplink uplink;
	struct vtc__guard *guard;
	struct vtc__txn txn;

	ck_assert_errno(vtc__uplink_find(ctx, NIC, "test", &uplink), 0);
	ck_assert_errno(vtc__txn_begin(ctx, &uplink, "test", &txn), 0);
	step = vtc__pool_guard_step(&txn);
	ck_assert_ptr_nonnull(step);
	ck_assert_errno(vtc__guard_open(ctx, &step->id, &guard), 0);
	vtc__txn_end(&txn);
	return guard;
}

START_TEST(a_full_table_changes_nothing)
{
	struct vtc_filter filter = match(mac_a, -1);
	struct vtc_pool *pool = request("a", NULL, 0);
	struct vtc__guard *guard = open_guard();
	int err = 0;

	for (uint32_t i = 0; !err && i <= VTC__GUARD_FILTERS; i++) {
		filter.mac.addr[1] = (uint8_t)(i >> 8);
		filter.mac.addr[2] = (uint8_t)i;
		err = vtc__guard_add_filter(guard, &filter, 63);
	}
	ck_assert_errno(err, -ENOSPC);
	vtc__guard_close(guard);
	refuse_filter(pool, match(mac_b, -1), -ENOSPC, "do not fit");
	ck_assert_errno(vtc_pool_get_filter(pool, 0, &filter), -ENOENT);
	release(pool);
	expect_as_before();
}
END_TEST

START_TEST(hidden_tags_refuse_filters_of_vlans)
{
	struct vtc_pool *pool = request("a", NULL, VTC_POOL_F_GENERIC_XDP);
	struct vtc_pool_info info = { .sz = sizeof(info) };

	ck_assert_errno(vtc_pool_get_info(pool, &info), 0);
	ck_assert_uint_eq(info.guard, VTC_POOL_GUARD_GENERIC);
	refuse_filter(pool, match(mac_a, 3), -EOPNOTSUPP, "VLAN tags");
	add(pool, mac_a, -1);
	release(pool);
	expect_as_before();
}
END_TEST

START_TEST(the_choice_has_reasons)
{
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;
	struct vtc_pool *pool = NULL;
	const struct vtc_pool_choice *made;
	struct vtc_pool_choice *choice;
	const char *text;

	ck_assert_errno(vtc_pool_choice_new(ctx, NIC, NULL, &choice), 0);
	ck_assert_int_eq(vtc_pool_choice_get_backend(choice), VTC_POOL_BACKEND_XDP);
	for (int i = VTC_POOL_BACKEND_VF; i < VTC_POOL_BACKEND_COUNT; i++) {
		ck_assert_int_ge(vtc_pool_choice_get_reason(choice, i, &text), 0);
		ck_assert_msg(text[0], "no reason for %s", vtc_pool_backend_name(i));
	}
	ck_assert_int_eq(vtc_pool_choice_get_reason(choice, VTC_POOL_BACKEND_VF, &text),
			 0);
	ck_assert_errno(vtc_pool_choice_get_reason(choice, 0, &text), -EINVAL);
	vtc_pool_choice_free(choice);

	opts.name = "a";
	ck_assert_errno(vtc_pool_request(ctx, NIC, &opts, &pool), 0);
	made = vtc_pool_get_choice(pool);
	ck_assert_int_eq(vtc_pool_choice_get_backend(made), VTC_POOL_BACKEND_XDP);
	release(pool);

	opts.backend = VTC_POOL_BACKEND_VF;
	ck_assert_int_lt(vtc_pool_request(ctx, NIC, &opts, &pool), 0);
	ck_assert_ptr_nonnull(strstr(said(ctx), "vf: "));
	expect_as_before();
}
END_TEST

START_TEST(a_target_must_take_frames)
{
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;
	struct vtc_pool *pool = NULL;
	const char *text = said(ctx);

	net_run("ip link add vtct0 type veth peer name vtct1 && "
		"ethtool -K vtct1 gro off && ip link set vtct0 up && "
		"ip link set vtct1 up");
	free(before);
	before = net_snapshot(NIC, state_dir);
	opts.name = "a";
	opts.target = "vtct0";
	opts.backend = VTC_POOL_BACKEND_XDP;
	ck_assert_errno(vtc_pool_request(ctx, NIC, &opts, &pool), -EOPNOTSUPP);
	ck_assert_ptr_nonnull(strstr(said(ctx), "takes no frames from XDP programs"));
	expect_as_before();

	/* The next best backend may, if this kernel has it. */
	opts.backend = VTC_POOL_BACKEND_AUTO;
	if (vtc_pool_request(ctx, NIC, &opts, &pool) == 0) {
		const struct vtc_pool_choice *made = vtc_pool_get_choice(pool);

		ck_assert_int_eq(vtc_pool_choice_get_backend(made), VTC_POOL_BACKEND_TC);
		ck_assert_int_eq(
			vtc_pool_choice_get_reason(made, VTC_POOL_BACKEND_XDP, &text), 0);
		release(pool);
	} else {
		text = said(ctx);
	}
	ck_assert_msg(strstr(text, "takes no frames"), "%s", text);
	expect_as_before();
}
END_TEST

START_TEST(the_guard_can_be_alone)
{
	struct vtc_pool *pool = request("a", NULL, VTC_POOL_F_PLAIN_XDP);
	struct vtc_pool_info info = { .sz = sizeof(info) };

	ck_assert_errno(vtc_pool_get_info(pool, &info), 0);
	ck_assert_uint_eq(info.guard, VTC_POOL_GUARD_NATIVE);
	ck_assert_uint_eq(info.opts_flags, VTC_POOL_F_PLAIN_XDP);
	release(pool);
	expect_as_before();
}
END_TEST

/* ---- Several processes ---- */

/* Run fn in a process of its own and wait for its end. */
static void in_child(void (*fn)(struct vtc_ctx *own))
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		ctx = new_ctx();
		fn(ctx);
		fflush(NULL);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

static void look_at_foreign(struct vtc_ctx *own)
{
	struct vtc_pool_info info = { .sz = sizeof(info) };
	struct vtc_filter filter = match(mac_b, -1), got;
	struct vtc_pool *pool = NULL;

	ck_assert_errno(vtc_pool_open(own, NIC, "web", &pool), 0);
	ck_assert_errno(vtc_pool_get_info(pool, &info), 0);
	ck_assert_uint_eq(info.flags, VTC_POOL_INFO_FOREIGN);
	ck_assert_uint_eq(info.owner, (uint32_t)getppid());
	ck_assert_errno(vtc_pool_get_filter(pool, 0, &got), 0);
	ck_assert_uint_eq(stats_of(pool).rx_packets, 0);
	ck_assert_errno(vtc_pool_add_filter(pool, &filter), -EBUSY);
	ck_assert_errno(vtc_pool_remove_filter(pool, &got), -EBUSY);
	ck_assert_errno(vtc_pool_audit(pool, NULL), -EBUSY);
	ck_assert_errno(vtc_pool_release(pool), -EBUSY);
	ck_assert_ptr_nonnull(strstr(said(own), "belongs to process"));
	vtc_pool_close(pool);
}

START_TEST(another_process_can_only_look)
{
	struct vtc_pool *pool = request("web", NULL, 0);

	add(pool, mac_a, -1);
	in_child(look_at_foreign);
	release(pool);
	expect_as_before();
}
END_TEST

static void make_kept(struct vtc_ctx *own)
{
	struct vtc_pool *pool = request("web", "vtct0", VTC_POOL_F_KEEP);

	(void)own;
	add(pool, mac_a, -1);
	vtc_pool_close(pool);
}

static void change_kept(struct vtc_ctx *own)
{
	struct vtc_pool *pool = NULL;

	ck_assert_errno(vtc_pool_open(own, NIC, "web", &pool), 0);
	add(pool, mac_b, -1);
	vtc_pool_close(pool);
}

static void release_kept(struct vtc_ctx *own)
{
	struct vtc_pool *pool = NULL;

	ck_assert_errno(vtc_pool_open(own, NIC, "web", &pool), 0);
	release(pool);
}

START_TEST(a_kept_pool_outlives_processes)
{
	int tap = net_open_tap("vtct0");
	struct vtc_pool *pool = NULL;
	struct vtc_filter got;

	free(before);
	before = net_snapshot(NIC, state_dir);
	in_child(make_kept);
	in_child(change_kept);
	expect_at(tap, mac_a, NET_VLAN_NONE);
	expect_at(tap, mac_b, NET_VLAN_NONE);
	ck_assert_errno(vtc_pool_open(ctx, NIC, "web", &pool), 0);
	ck_assert_errno(vtc_pool_get_filter(pool, 1, &got), 0);
	in_child(release_kept);
	ck_assert_errno(vtc_pool_get_filter(pool, 0, &got), -ENOENT);
	ck_assert_ptr_nonnull(strstr(said(ctx), "somebody released it"));
	ck_assert_errno(vtc_pool_release(pool), 0);
	expect_as_before();
	close(tap);
}
END_TEST

static void make_mortal(struct vtc_ctx *own)
{
	(void)own;
	add(request("web", NULL, 0), mac_a, -1);
}

static void come_and_go(const char *name, const uint8_t *mac)
{
	for (int i = 0; i < 10; i++) {
		struct vtc_pool *pool = request(name, NULL, 0);

		add(pool, mac, -1);
		ck_assert_uint_eq(audit(pool).failed, 0);
		release(pool);
	}
}

START_TEST(two_processes_come_and_go)
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		ctx = new_ctx();
		come_and_go("child", mac_b);
		_exit(0);
	}
	come_and_go("parent", mac_a);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	expect_as_before();
}
END_TEST

static unsigned int count_pools(uint32_t alive)
{
	struct vtc_pool_entry entry = { .sz = sizeof(entry) };
	struct vtc_pool_list *list;
	unsigned int i = 0;

	ck_assert_errno(vtc_pool_list_new(ctx, NULL, &list), 0);
	for (; vtc_pool_list_get(list, i, &entry) == 0; i++) {
		ck_assert_str_eq(entry.nic, NIC);
		ck_assert_uint_eq(entry.alive, alive);
		ck_assert_uint_eq(entry.backend, VTC_POOL_BACKEND_XDP);
	}
	vtc_pool_list_free(list);
	return i;
}

START_TEST(what_the_dead_left_is_put_back)
{
	struct vtc_pool_recovery recovery = { .sz = sizeof(recovery) };

	ck_assert_uint_eq(count_pools(1), 0);
	in_child(make_mortal);
	ck_assert_uint_eq(count_pools(0), 1);
	ck_assert_errno(vtc_pool_recover(ctx, NULL, &recovery), 0);
	ck_assert_uint_eq(recovery.pools, 1);
	ck_assert_uint_ge(recovery.undone, 5);
	ck_assert_uint_eq(recovery.failed, 0);
	ck_assert_uint_eq(count_pools(0), 0);
	expect_as_before();

	in_child(make_mortal);
	release(request("web", NULL, 0));
	expect_as_before();
	ck_assert_errno(vtc_pool_recover(ctx, NIC, &recovery), 0);
	ck_assert_uint_eq(recovery.undone, 0);
}
END_TEST

static void damage_journal(void)
{
	net_run("cd %s && for j in *.journal; do "
		"head -c 30 $j > ${j%%-*}-99.journal; done",
		state_dir);
}

START_TEST(one_damaged_journal_does_not_stop_the_others)
{
	struct vtc_pool_recovery recovery = { .sz = sizeof(recovery) };

	in_child(make_mortal);
	damage_journal();
	ck_assert_uint_eq(count_pools(0), 1);
	ck_assert_errno(vtc_pool_recover(ctx, NULL, &recovery), -EBADMSG);
	ck_assert_uint_eq(recovery.pools, 1);
	net_run("ls %s/*-99.journal >/dev/null && rm %s/*-99.journal", state_dir,
		state_dir);
	expect_as_before();
}
END_TEST

START_TEST(the_list_tells_of_all)
{
	struct vtc_pool *a = request("a", NULL, 0), *b = request("b", NULL, 0);
	struct vtc_pool_entry entry = { .sz = sizeof(entry) };
	struct vtc_pool_list *list;

	ck_assert_uint_eq(count_pools(1), 2);
	ck_assert_errno(vtc_pool_list_new(ctx, NIC, &list), 0);
	ck_assert_errno(vtc_pool_list_get(list, 1, &entry), 0);
	ck_assert_str_eq(entry.name, "b");
	ck_assert_errno(vtc_pool_list_get(list, 2, &entry), -ENOENT);
	vtc_pool_list_free(list);
	release(a);
	release(b);
}
END_TEST

/* ---- What happens to a pool ---- */

static void expect_text(const struct vtc_pool_audit *found, const char *word)
{
	ck_assert_msg(strstr(found->text, word), "\"%s\" does not say \"%s\"",
		      found->text, word);
}

START_TEST(an_audit_without_losses_does_nothing)
{
	struct vtc_pool *pool = request("a", NULL, 0);
	struct vtc_pool_audit found;

	add(pool, mac_a, -1);
	found = audit(pool);
	ck_assert_uint_ge(found.checked, 5);
	ck_assert_uint_eq(found.repaired, 0);
	ck_assert_uint_eq(found.failed, 0);
	ck_assert_str_eq(found.text, "");
	release(pool);
}
END_TEST

START_TEST(a_guard_that_was_taken_off_comes_back)
{
	int a = net_open_tap("vtct0"), b = net_open_tap("vtct1");
	struct vtc_pool *one = request("one", "vtct0", 0);
	struct vtc_pool *two = request("two", "vtct1", 0);
	struct vtc_pool_audit found;

	add(one, mac_a, -1);
	add(two, mac_b, -1);
	net_run("ip link set " NIC " xdp off");
	expect_at(host, mac_a, NET_VLAN_NONE);
	found = audit(one);
	ck_assert_uint_eq(found.failed, 0);
	ck_assert_uint_eq(found.repaired, 5);
	expect_text(&found, "the guard program was not on " NIC);
	expect_at(a, mac_a, NET_VLAN_NONE);
	expect_at(b, mac_b, NET_VLAN_NONE);
	ck_assert_uint_eq(audit(two).repaired, 0);
	release(one);
	expect_at(b, mac_b, NET_VLAN_NONE);
	release(two);
	close(a);
	close(b);
	expect_as_before();
}
END_TEST

/* Nobody audits them, and the next pool needs it. */
START_TEST(a_guard_that_was_taken_off_below_kept_pools_comes_back)
{
	int tap = net_open_tap("vtct0");
	struct vtc_pool *kept, *next;
	struct vtc_pool_audit found;

	free(before);
	before = net_snapshot(NIC, state_dir);
	in_child(make_kept);
	net_run("ip link set " NIC " xdp off");
	next = request("next", NULL, 0);
	ck_assert_errno(vtc_pool_open(ctx, NIC, "web", &kept), 0);
	found = audit(kept);
	ck_assert_uint_eq(found.repaired, 0);
	ck_assert_uint_eq(found.failed, 0);
	expect_at(tap, mac_a, NET_VLAN_NONE);
	release(next);
	release(kept);
	expect_as_before();
	close(tap);
}
END_TEST

START_TEST(a_target_may_go_and_come)
{
	int tap = net_open_tap("vtct0");
	struct vtc_pool *pool = request("a", "vtct0", 0);
	struct vtc_pool_audit found;

	add(pool, mac_a, -1);
	expect_at(tap, mac_a, NET_VLAN_NONE);
	net_run("ip link set vtct0 down && ip link set vtct0 name vtct7 && "
		"ip link set vtct7 up");
	ck_assert_uint_eq(audit(pool).repaired, 0);
	expect_at(tap, mac_a, NET_VLAN_NONE);
	close(tap);

	expect_at(host, mac_a, NET_VLAN_NONE);
	found = audit(pool);
	expect_text(&found, "vtct0 is gone");
	ck_assert_uint_eq(audit(pool).repaired, 0);
	expect_at(host, mac_a, NET_VLAN_NONE);

	tap = net_open_tap("vtct0");
	found = audit(pool);
	expect_text(&found, "vtct0 is there again");
	expect_at(tap, mac_a, NET_VLAN_NONE);
	close(tap);
	release(pool);
	expect_as_before();
}
END_TEST

START_TEST(a_target_may_be_away_for_a_while)
{
	int tap = net_open_tap("vtct0");
	struct vtc_pool *pool = request("a", "vtct0", 0);
	struct vtc_pool_audit found;

	add(pool, mac_a, -1);
	net_run("ip netns add vtcpool && ip link set vtct0 netns vtcpool && "
		"ip -n vtcpool link set vtct0 netns $$ && ip link set vtct0 up; "
		"ip netns del vtcpool");
	expect_at(host, mac_a, NET_VLAN_NONE);
	found = audit(pool);
	expect_text(&found, "its target was not in the guard's tables");
	expect_at(tap, mac_a, NET_VLAN_NONE);
	close(tap);
	release(pool);
}
END_TEST

/*
 * The tap of a virtual machine ends, and an interface that has the same index in another
 * namespace is moved here, where it keeps that. Its far end is a socket.
 */
static int be_followed_by_a_stranger(int tap)
{
	unsigned int index = if_nametoindex("vtct0");

	net_run("ip netns add vtcpool && ip -n vtcpool link add vtcs0 index %u type veth "
		"peer name vtcs1 && ip -n vtcpool link set vtcs1 netns $$ && ip link set "
		"vtcs1 up && ethtool -K vtcs1 gro on",
		index);
	close(tap);
	net_run("ip -n vtcpool link set vtcs0 netns $$ && ip link set vtcs0 up; "
		"ip netns del vtcpool");
	ck_assert_uint_eq(if_nametoindex("vtcs0"), index);
	return net_open_packet("vtcs1");
}

static void expect_not_at(int stranger)
{
	expect_at(host, mac_a, NET_VLAN_NONE);
	expect_at(host, everybody, NET_VLAN_NONE);
	expect_nothing(stranger);
}

START_TEST(an_index_that_is_another_interfaces_now)
{
	int tap = net_open_tap("vtct0");
	struct vtc_pool *pool = request("a", "vtct0", VTC_POOL_F_GROUP_COPY);
	struct vtc_pool_audit found;
	int stranger;

	add(pool, mac_a, -1);
	expect_at(tap, mac_a, NET_VLAN_NONE);
	stranger = be_followed_by_a_stranger(tap);
	expect_not_at(stranger);
	found = audit(pool);
	expect_text(&found, "vtct0 is gone");
	expect_not_at(stranger);

	tap = net_open_tap("vtct0");
	found = audit(pool);
	expect_text(&found, "vtct0 is there again");
	expect_at(tap, mac_a, NET_VLAN_NONE);
	expect_nothing(stranger);
	close(tap);
	close(stranger);
	release(pool);
}
END_TEST

/* With the guard its reference to the target is lost: the name it had last is left. */
START_TEST(the_guard_goes_and_the_target_with_it)
{
	int tap = net_open_tap("vtct0"), stranger;
	struct vtc_pool *pool = request("a", "vtct0", VTC_POOL_F_GROUP_COPY);
	struct vtc_pool_audit found;

	add(pool, mac_a, -1);
	net_run("ip link set vtct0 down && ip link set vtct0 name vtct7 && "
		"ip link set vtct7 up");
	ck_assert_uint_eq(audit(pool).repaired, 0);
	net_run("ip link set " NIC " xdp off");
	ck_assert_uint_gt(audit(pool).repaired, 0);
	expect_at(tap, mac_a, NET_VLAN_NONE);

	net_run("ip link set vtct7 down && ip link set vtct7 name vtct0 && "
		"ip link set vtct0 up && ip link set " NIC " xdp off");
	stranger = be_followed_by_a_stranger(tap);
	found = audit(pool);
	expect_text(&found, "vtct0 is gone");
	expect_not_at(stranger);
	close(stranger);
	release(pool);
}
END_TEST

/* Until an audit was made; bounded. */
static struct vtc_pool_audit wait_for_audit(struct vtc_pool *pool)
{
	struct vtc_pool_audit found = { .sz = sizeof(found) };
	struct pollfd p = { .fd = vtc_pool_get_fd(pool), .events = POLLIN };
	int n = 0;

	for (int i = 0; i < 1000 && n == 0; i++) {
		ck_assert_int_eq(poll(&p, 1, 20000), 1);
		n = vtc_pool_process(pool, &found);
	}
	ck_assert_msg(n == 1, "%d: %s", n, said(ctx));
	return found;
}

START_TEST(events_lead_to_an_audit)
{
	struct vtc_pool *pool = request("a", NULL, 0);
	struct vtc_pool_audit found;

	add(pool, mac_a, -1);
	ck_assert_int_ge(vtc_pool_get_fd(pool), 0);
	ck_assert_errno(vtc_pool_process(pool, NULL), 0);
	net_run("ip link set " NIC " down");
	found = wait_for_audit(pool);
	ck_assert_uint_eq(found.failed, 0);
	net_run("ip link set " NIC " up");
	found = wait_for_audit(pool);
	ck_assert_uint_eq(found.failed, 0);
	net_run("ip link set " NIC " xdp off");
	found = wait_for_audit(pool);
	ck_assert_uint_ge(found.repaired, 3);
	/* Our own repair is an event as well, and then there is peace. */
	found = wait_for_audit(pool);
	ck_assert_uint_eq(found.repaired, 0);
	ck_assert_errno(vtc_pool_process(pool, NULL), 0);
	net_run("ethtool -K " NIC " tso off >/dev/null");
	found = wait_for_audit(pool);
	ck_assert_uint_eq(found.failed, 0);
	net_run("ethtool -L " NIC " tx 2");
	found = wait_for_audit(pool);
	ck_assert_uint_eq(found.failed, 0);
	release(pool);
}
END_TEST

START_TEST(time_leads_to_an_audit)
{
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;
	struct vtc_pool *pool = NULL;

	opts.name = "a";
	opts.audit_ms = 1;
	ck_assert_errno(vtc_pool_request(ctx, NIC, &opts, &pool), 0);
	ck_assert_uint_ge(wait_for_audit(pool).checked, 2);
	release(pool);
}
END_TEST

START_TEST(a_card_that_moves_away_is_gone)
{
	struct vtc_filter filter = match(mac_b, -1);
	struct vtc_pool *pool = request("a", NULL, 0);
	struct vtc_pool_stats stats = { .sz = sizeof(stats) };

	add(pool, mac_a, -1);
	net_run("ip netns add vtcpool && ip link set " NIC " netns vtcpool");
	ck_assert_errno(vtc_pool_add_filter(pool, &filter), -ENODEV);
	ck_assert_ptr_nonnull(strstr(said(ctx), "moved to another network namespace"));
	ck_assert_errno(vtc_pool_get_stats(pool, &stats), -ENODEV);
	ck_assert_errno(vtc_pool_audit(pool, NULL), -ENODEV);
	ck_assert_errno(vtc_pool_release(pool), 0);
	ck_assert_uint_eq(count_pools(1), 0);
	net_run("ip netns del vtcpool");
}
END_TEST

START_TEST(a_card_that_is_gone_is_cleared_up)
{
	struct vtc_pool_recovery recovery = { .sz = sizeof(recovery) };
	struct vtc_pool *pool;

	in_child(make_mortal);
	net_run("ip link del " NIC);
	ck_assert_errno(vtc_pool_recover(ctx, NULL, &recovery), 0);
	ck_assert_uint_eq(recovery.pools, 1);
	ck_assert_uint_eq(count_pools(0), 0);
	ck_assert_errno(vtc_pool_open(ctx, NIC, "web", &pool), -ENODEV);
}
END_TEST

START_TEST(what_was_kept_on_a_card_that_is_gone_is_forgotten)
{
	struct vtc_pool_recovery recovery = { .sz = sizeof(recovery) };
	int tap = net_open_tap("vtct0");

	in_child(make_kept);
	ck_assert_errno(vtc_pool_recover(ctx, NULL, &recovery), 0);
	ck_assert_uint_eq(recovery.pools, 0);
	ck_assert_uint_eq(count_pools(1), 1);
	net_run("ip link del " NIC);
	ck_assert_errno(vtc_pool_recover(ctx, NULL, &recovery), 0);
	ck_assert_uint_eq(recovery.pools, 1);
	ck_assert_uint_eq(recovery.failed, 0);
	ck_assert_uint_eq(count_pools(1), 0);
	close(tap);
}
END_TEST

/* ---- A port on it ---- */

static struct vtc_port *open_port(struct vtc_pool *pool)
{
	struct vtc_port *port = NULL;
	int err = vtc_pool_open_port(pool, NULL, &port);

	if (err == -EPERM || err == -ENOBUFS || err == -EOPNOTSUPP)
		vtct_skip("no AF_XDP sockets here: %s", said(ctx));
	ck_assert_msg(!err, "%s", said(ctx));
	return port;
}

/* The pool counts it, but neither the target nor the bridge has it. */
static void expect_at_port(struct vtc_pool *pool, int tap)
{
	struct vtc_pool_stats first = stats_of(pool), then;
	struct net_frame fence;
	unsigned int others;

	(void)send_frame(mac_a, NET_VLAN_NONE);
	fence = send_frame(mac_host, NET_VLAN_NONE);
	ck_assert(net_receive(host, &fence, &others));
	ck_assert_uint_eq(others, 0);
	expect_nothing(tap);
	then = stats_of(pool);
	ck_assert_uint_eq(then.rx_packets, first.rx_packets + 1);
	ck_assert_uint_eq(then.to_target, first.to_target);
	ck_assert_uint_eq(then.to_stack, first.to_stack);
}

START_TEST(a_port_comes_before_the_target)
{
	int tap = net_open_tap("vtct0");
	struct vtc_pool *pool = request("a", "vtct0", 0);
	struct vtc_port *port, *none = NULL;

	add(pool, mac_a, -1);
	expect_at(tap, mac_a, NET_VLAN_NONE);
	port = open_port(pool);
	expect_at_port(pool, tap);
	ck_assert_errno(vtc_pool_open_port(pool, NULL, &none), -EBUSY);
	ck_assert_errno(vtc_pool_release(pool), -EBUSY);
	ck_assert_ptr_nonnull(strstr(said(ctx), "a port is open"));

	net_run("ip link set " NIC " xdp off");
	ck_assert_uint_ge(audit(pool).repaired, 3);
	expect_at_port(pool, tap);

	net_run("ip link set " NIC " down && ip link set " NIC " up");
	ck_assert_uint_eq(audit(pool).failed, 0);
	expect_at_port(pool, tap);

	vtc_port_close(port);
	expect_at(tap, mac_a, NET_VLAN_NONE);
	release(pool);
	close(tap);
	expect_as_before();
}
END_TEST

START_TEST(a_closed_handle_waits_for_its_port)
{
	struct vtc_pool *pool = request("a", NULL, 0);
	struct vtc_port *port = open_port(pool);
	int fds;

	vtc_pool_close(pool);
	fds = vtct_count_fds();
	vtc_port_close(port);
	ck_assert_int_lt(vtct_count_fds(), fds);
	ck_assert_errno(vtc_pool_open(ctx, NIC, "a", &pool), 0);
	release(pool);
	expect_as_before();
}
END_TEST

/* ---- Somebody else's program ---- */

static int call_bpf(int command, union bpf_attr *attr, size_t len)
{
	return (int)syscall(__NR_bpf, command, attr, len);
}

/* One that lets all frames pass, on the card as long as the descriptor is open. */
static int attach_foreign(void)
{
	static const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr load = { .prog_type = BPF_PROG_TYPE_XDP,
				.insn_cnt = 2,
				.insns = (uintptr_t)pass,
				.license = (uintptr_t) "GPL" };
	union bpf_attr link = { .link_create = { .attach_type = BPF_XDP } };
	int fd = call_bpf(BPF_PROG_LOAD, &load, sizeof(load));

	ck_assert_msg(fd >= 0, "load: %s", strerror(errno));
	link.link_create.prog_fd = (uint32_t)fd;
	link.link_create.target_ifindex = if_nametoindex(NIC);
	return call_bpf(BPF_LINK_CREATE, &link, sizeof(link));
}

START_TEST(a_program_of_somebody_else_stays)
{
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;
	struct vtc_pool *pool = NULL;
	int foreign = attach_foreign();

	ck_assert_int_ge(foreign, 0);
	free(before);
	before = net_snapshot(NIC, state_dir);
	opts.name = "a";
	opts.backend = VTC_POOL_BACKEND_XDP;
	ck_assert_errno(vtc_pool_request(ctx, NIC, &opts, &pool), -EBUSY);
	ck_assert_ptr_nonnull(strstr(said(ctx), "program"));
	expect_as_before();
	close(foreign);
}
END_TEST

static Suite *suite(void)
{
	static const TTest *const *const tests[] = {
		&a_whole_life_leaves_no_trace,
		&the_most_specific_filter_wins,
		&one_pool_takes_everything,
		&options_are_checked,
		&filters_are_checked,
		&what_a_filter_does_not_match_does_not_count,
		&a_name_is_used_once,
		&a_card_has_64_pools,
		&a_handle_is_of_one_pool_and_not_of_the_next_of_its_name,
		&a_full_table_changes_nothing,
		&hidden_tags_refuse_filters_of_vlans,
		&the_choice_has_reasons,
		&a_target_must_take_frames,
		&the_guard_can_be_alone,
		&another_process_can_only_look,
		&a_kept_pool_outlives_processes,
		&what_the_dead_left_is_put_back,
		&one_damaged_journal_does_not_stop_the_others,
		&the_list_tells_of_all,
		&two_processes_come_and_go,
		&an_audit_without_losses_does_nothing,
		&a_guard_that_was_taken_off_comes_back,
		&a_guard_that_was_taken_off_below_kept_pools_comes_back,
		&a_target_may_go_and_come,
		&a_target_may_be_away_for_a_while,
		&an_index_that_is_another_interfaces_now,
		&the_guard_goes_and_the_target_with_it,
		&events_lead_to_an_audit,
		&time_leads_to_an_audit,
		&a_card_that_moves_away_is_gone,
		&a_card_that_is_gone_is_cleared_up,
		&what_was_kept_on_a_card_that_is_gone_is_forgotten,
		&a_port_comes_before_the_target,
		&a_closed_handle_waits_for_its_port,
		&a_program_of_somebody_else_stays,
	};
	TCase *tcase = tcase_create("pool");
	Suite *s = suite_create("pool");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tcase, *tests[i]);
	suite_add_tcase(s, tcase);
	return s;
}

int main(void)
{
	vtct_dir();
	return vtct_main(suite(), NULL);
}
