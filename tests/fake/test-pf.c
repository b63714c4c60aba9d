/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PF handles and the number of VFs, on a kernel that can be made to fail at each step. */
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vtc/pf.h>

#include "core/ctx.h"
#include "fakekernel.h"
#include "vtct.h"

#define ADDRESS "0000:01:00.0"
#define NETDEV	"enp1s0f0"

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
	ck_assert_errno(vtc_pf_open(ctx, NETDEV, &pf), 0);
}

static void tear_down(void)
{
	vtc_pf_close(pf);
	vtc_ctx_unref(ctx);
	vtct_kernel_free(k);
	vtct_tree_free(tree);
}

static const char *message(void)
{
	return vtc_error_get_message(vtc_ctx_last_error(ctx));
}

static const char *hint(void)
{
	return vtc_error_get_hint(vtc_ctx_last_error(ctx));
}

static struct vtc_pf_num_vfs_opts opts_of(uint32_t flags, uint32_t wait)
{
	struct vtc_pf_num_vfs_opts opts = VTC_PF_NUM_VFS_OPTS_INIT;

	opts.flags = flags;
	opts.wait = wait;
	return opts;
}

/* The call fails with this, and the kernel's state is what it was. */
static void fails(uint32_t count, const struct vtc_pf_num_vfs_opts *opts, int err)
{
	char *before = vtct_pf_state(fake), *after;

	ck_assert_errno(vtc_pf_set_num_vfs(pf, count, opts), err);
	ck_assert_int_eq(vtc_error_get_code(vtc_ctx_last_error(ctx)), err);
	after = vtct_pf_state(fake);
	ck_assert_str_eq(before, after);
	free(before);
	free(after);
}

/* ---- Handles ---- */

static void opens(const char *name, const char *address)
{
	struct vtc_pf *other = NULL;

	ck_assert_errno(vtc_pf_open(ctx, name, &other), 0);
	ck_assert_str_eq(vtc_pf_get_address(other), address);
	vtc_pf_close(other);
}

static void opens_not(const char *name, int err)
{
	struct vtc_pf *other = (struct vtc_pf *)&other;

	ck_assert_errno(vtc_pf_open(ctx, name, &other), err);
	ck_assert_ptr_eq(other, &other);
	ck_assert_int_eq(vtc_error_get_code(vtc_ctx_last_error(ctx)), err);
}

START_TEST(names_of_a_pf)
{
	opens(NETDEV, ADDRESS);
	opens(ADDRESS, ADDRESS);
	opens("01:00.0", ADDRESS);
	opens("1:0.0", ADDRESS);
	vtct_kernel_netdevsim(k, 1);
	opens("netdevsim1", "netdevsim1");
	opens("eth1", "netdevsim1");
}
END_TEST

START_TEST(names_of_no_pf)
{
	char longest[400];

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	vtct_kernel_virtio(k);
	vtct_create_vfs(k, fake, 1);
	vtct_tree_add(tree, "class/net/lo/ifindex = 1");

	opens_not("", -EINVAL);
	opens_not("..", -EINVAL);
	opens_not("a/b", -EINVAL);
	opens_not(longest, -EINVAL);
	opens_not("nothing0", -ENODEV);
	opens_not("0000:02:00.0", -ENODEV);
	opens_not("0000:02:00.9", -ENODEV);
	opens_not("enp0s2", -EOPNOTSUPP);
	opens_not("0000:00:02.0", -EOPNOTSUPP);
	opens_not("lo", -EOPNOTSUPP);
	opens_not(vtct_vf_address(fake, 0), -EOPNOTSUPP);
	opens_not(vtct_vf_ifname(fake, 0), -EOPNOTSUPP);
}
END_TEST

START_TEST(null_everywhere)
{
	struct vtc_pf *other;
	uint32_t count;

	ck_assert_errno(vtc_pf_open(NULL, NETDEV, &other), -EINVAL);
	ck_assert_errno(vtc_pf_open(ctx, NULL, &other), -EINVAL);
	ck_assert_errno(vtc_pf_open(ctx, NETDEV, NULL), -EINVAL);
	ck_assert_errno(vtc_pf_get_num_vfs(NULL, &count), -EINVAL);
	ck_assert_errno(vtc_pf_get_num_vfs(pf, NULL), -EINVAL);
	ck_assert_errno(vtc_pf_get_total_vfs(NULL, &count), -EINVAL);
	ck_assert_errno(vtc_pf_get_total_vfs(pf, NULL), -EINVAL);
	ck_assert_errno(vtc_pf_set_num_vfs(NULL, 0, NULL), -EINVAL);
	ck_assert_ptr_null(vtc_pf_get_address(NULL));
	vtc_pf_close(NULL);
}
END_TEST

START_TEST(the_handle_keeps_its_context)
{
	uint32_t count;

	vtc_ctx_unref(ctx);
	ck_assert_errno(vtc_pf_get_total_vfs(pf, &count), 0);
	ck_assert_uint_eq(count, 7);
	vtc_ctx_ref(ctx);
}
END_TEST

START_TEST(numbers)
{
	uint32_t count = 77;

	ck_assert_errno(vtc_pf_get_num_vfs(pf, &count), 0);
	ck_assert_uint_eq(count, 0);
	vtct_create_vfs(k, fake, 3);
	ck_assert_errno(vtc_pf_get_num_vfs(pf, &count), 0);
	ck_assert_uint_eq(count, 3);
	ck_assert_errno(vtc_pf_get_total_vfs(pf, &count), 0);
	ck_assert_uint_eq(count, 7);
}
END_TEST

START_TEST(numbers_that_are_none)
{
	static const char *const junk[] = {
		"", "\n", "abc\n", "-1\n", "7 8\n", "65536\n", "99999999999999999999999\n"
	};
	uint32_t count = 77;

	for (size_t i = 0; i < sizeof(junk) / sizeof(*junk); i++) {
		vtct_tree_set(tree, "bus/pci/devices/" ADDRESS "/sriov_totalvfs", junk[i],
			      strlen(junk[i]));
		ck_assert_errno(vtc_pf_get_total_vfs(pf, &count), -EPROTO);
		vtct_tree_set(tree, "bus/pci/devices/" ADDRESS "/sriov_numvfs", junk[i],
			      strlen(junk[i]));
		ck_assert_errno(vtc_pf_get_num_vfs(pf, &count), -EPROTO);
		ck_assert_errno(vtc_pf_set_num_vfs(pf, 1, NULL), -EPROTO);
	}
	ck_assert_uint_eq(count, 77);
}
END_TEST

START_TEST(a_total_can_be_unknown)
{
	struct vtc_pf *nsim;
	uint32_t count;

	vtct_kernel_netdevsim(k, 1);
	ck_assert_errno(vtc_pf_open(ctx, "netdevsim1", &nsim), 0);
	ck_assert_errno(vtc_pf_get_total_vfs(nsim, &count), -ENODATA);
	ck_assert_errno(vtc_pf_set_num_vfs(nsim, 4, NULL), 1);
	ck_assert_errno(vtc_pf_get_num_vfs(nsim, &count), 0);
	ck_assert_uint_eq(count, 4);
	ck_assert_errno(vtc_pf_set_num_vfs(nsim, 0, NULL), -EBUSY);
	vtc_pf_close(nsim);
}
END_TEST

START_TEST(a_device_that_vanished)
{
	uint32_t count;

	vtct_unplug(k, fake);
	ck_assert_errno(vtc_pf_get_num_vfs(pf, &count), -ENODEV);
	ck_assert_errno(vtc_pf_get_total_vfs(pf, &count), -ENODEV);
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 2, NULL), -ENODEV);
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 0, NULL), -ENODEV);
	ck_assert_str_eq(vtc_pf_get_address(pf), ADDRESS);
}
END_TEST

/* ---- Options ---- */

START_TEST(options_are_checked)
{
	struct {
		struct vtc_pf_num_vfs_opts opts;
		uint32_t more;
	} longer = { VTC_PF_NUM_VFS_OPTS_INIT, 0 };
	struct vtc_pf_num_vfs_opts opts = opts_of(1u << 3, 0);

	fails(2, &opts, -EINVAL);
	opts = opts_of(0, VTC_PF_WAIT_NONE + 1);
	fails(2, &opts, -EINVAL);
	opts = opts_of(0, 0);
	opts.down = VTC_PF_DOWN_BRING_UP + 1;
	fails(2, &opts, -EINVAL);
	opts = opts_of(0, 0);
	opts.autoprobe = VTC_PF_AUTOPROBE_OFF + 1;
	fails(2, &opts, -EINVAL);
	opts = opts_of(0, VTC_PF_WAIT_DRIVER);
	opts.autoprobe = VTC_PF_AUTOPROBE_OFF;
	fails(2, &opts, -EINVAL);
	opts = opts_of(0, 0);
	opts.sz--;
	fails(2, &opts, -EINVAL);
	longer.opts.sz = sizeof(longer);
	longer.more = 1;
	fails(2, &longer.opts, -E2BIG);
	longer.more = 0;
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 2, &longer.opts), 1);
}
END_TEST

/* ---- The number ---- */

START_TEST(from_none_to_some_to_none)
{
	struct vtc_pf_num_vfs_opts destroy = opts_of(VTC_PF_F_DESTROY, 0);

	ck_assert_errno(vtc_pf_set_num_vfs(pf, 0, NULL), 0);
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 4, NULL), 1);
	ck_assert_uint_eq(fake->num_vfs, 4);
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 4, NULL), 0);
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 0, &destroy), 1);
	ck_assert_uint_eq(fake->num_vfs, 0);
}
END_TEST

START_TEST(equal_writes_nothing)
{
	vtct_create_vfs(k, fake, 4);
	vtct_set_root(k, false);
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 4, NULL), 0);
	ck_assert_uint_eq(vtct_calls(k, VTCT_WRITE_SLOW), 0);
	ck_assert_uint_eq(vtct_calls(k, VTCT_WRITE), 0);
}
END_TEST

START_TEST(more_than_there_can_be)
{
	vtct_create_vfs(k, fake, 4);
	fails(8, NULL, -ERANGE);
	ck_assert_ptr_nonnull(strstr(message(), "8 VFs asked for, the PF can have 7"));
	fails(70000, NULL, -ERANGE);
	ck_assert_uint_eq(vtct_calls(k, VTCT_WRITE_SLOW), 0);
}
END_TEST

START_TEST(destroying_needs_leave)
{
	struct vtc_pf_num_vfs_opts destroy = opts_of(VTC_PF_F_DESTROY, 0);
	struct vtc_pf_num_vfs_opts half = opts_of(VTC_PF_F_DESTROY_IN_USE, 0);

	vtct_create_vfs(k, fake, 4);
	fails(0, NULL, -EBUSY);
	ck_assert_ptr_nonnull(strstr(message(), "4 VFs exist, none in use"));
	ck_assert_ptr_nonnull(strstr(hint(), "VTC_PF_F_DESTROY"));
	ck_assert_ptr_null(strstr(hint(), "IN_USE"));
	fails(2, NULL, -EBUSY);
	fails(2, &half, -EBUSY);
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 2, &destroy), 1);
	ck_assert_uint_eq(fake->num_vfs, 2);
}
END_TEST

START_TEST(vfs_in_use_are_named)
{
	struct vtc_pf_num_vfs_opts destroy = opts_of(VTC_PF_F_DESTROY, 0);
	struct vtc_pf_num_vfs_opts force =
		opts_of(VTC_PF_F_DESTROY | VTC_PF_F_DESTROY_IN_USE, 0);
	char vf_netdev[VTCT_PATH_MAX];

	vtct_create_vfs(k, fake, 7);
	vtct_tree_unbind_vf(tree, fake, 0, fake->vf_driver);
	vtct_tree_unbind_vf(tree, fake, 1, fake->vf_driver);
	vtct_tree_bind_vf(tree, fake, 1, "vfio-pci");
	vtct_tree_remove_netdev(tree, vtct_vf_dir(fake, 2), vtct_vf_ifname(fake, 2));
	vtct_tree_addf(tree, "%s/net/\n", vtct_vf_dir(fake, 2));
	vtct_tree_set_up(tree, vtct_vf_dir(fake, 3), vtct_vf_ifname(fake, 3), true);
	snprintf(vf_netdev, sizeof(vf_netdev), "%s/net/%s", vtct_vf_dir(fake, 4),
		 vtct_vf_ifname(fake, 4));
	vtct_tree_addf(tree, "%s/upper_br0/\n", vf_netdev);

	fails(0, &destroy, -EBUSY);
	ck_assert_ptr_null(strstr(message(), "vf 0 "));
	ck_assert_ptr_nonnull(strstr(message(), "vf 1 (passed through by vfio-pci)"));
	ck_assert_ptr_nonnull(strstr(message(), "vf 2 (its interface is in another"));
	ck_assert_ptr_nonnull(strstr(message(), "vf 3 (its interface is up"));
	ck_assert_ptr_nonnull(strstr(message(), "vf 4 (its interface is up"));
	ck_assert_ptr_null(strstr(message(), "vf 5 "));
	ck_assert_ptr_nonnull(strstr(hint(), "VTC_PF_F_DESTROY_IN_USE"));
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 0, &force), 1);
}
END_TEST

START_TEST(the_list_of_vfs_in_use_is_bounded)
{
	vtct_create_vfs(k, fake, 7);
	for (uint32_t i = 0; i < 7; i++) {
		vtct_tree_unbind_vf(tree, fake, i, fake->vf_driver);
		vtct_tree_bind_vf(tree, fake, i, "vfio-pci");
	}
	fails(0, NULL, -EBUSY);
	ck_assert_ptr_nonnull(strstr(message(), ", and 3 more"));
}
END_TEST

START_TEST(fewer_than_asked_is_an_error)
{
	struct vtc_pf_num_vfs_opts destroy = opts_of(VTC_PF_F_DESTROY, 0);

	fake->grant_at_most = 2;
	fails(4, NULL, -ENOSPC);
	ck_assert_ptr_nonnull(strstr(message(), "4 VFs asked for, 2 there"));
	ck_assert_int_eq(vtc_error_get_origin(vtc_ctx_last_error(ctx)),
			 VTC_ERROR_ORIGIN_DEVICE);

	vtct_create_vfs(k, fake, 2);
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 5, &destroy), -ENOSPC);
	ck_assert_uint_eq(fake->num_vfs, 2);
}
END_TEST

START_TEST(what_the_driver_says_is_passed_on)
{
	static const struct {
		int err;
		const char *hint;
	} all[] = {
		{ -EBUSY, "kernel log" }, { -ENOMEM, "pci=realloc" },
		{ -ENOSPC, "fewer" },	  { -EAGAIN, "try again" },
		{ -EIO, "kernel log" },	  { -EINVAL, "kernel log" },
		{ -ENOENT, "driver" },	  { -EPERM, "root" },
		{ -EACCES, "root" },	  { -EROFS, "read-only" },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		fake->enable_error = all[i].err;
		fails(4, NULL, all[i].err);
		ck_assert_ptr_nonnull(strstr(hint(), all[i].hint));
		ck_assert_str_eq(vtc_error_get_subject(vtc_ctx_last_error(ctx)), ADDRESS);
		ck_assert_str_eq(vtc_error_get_operation(vtc_ctx_last_error(ctx)),
				 "set number of VFs");
	}
}
END_TEST

START_TEST(without_rights_nothing_happens)
{
	vtct_set_root(k, false);
	fails(4, NULL, -EACCES);
	ck_assert_ptr_nonnull(strstr(hint(), "root"));
}
END_TEST

START_TEST(without_driver_nothing_happens)
{
	struct vtct_pf bare;
	struct vtc_pf *other;

	vtct_pf_igb(&bare, 1);
	bare.driver[0] = bare.ifname[0] = '\0';
	vtct_kernel_add_pf(k, &bare);
	ck_assert_errno(vtc_pf_open(ctx, "01:00.1", &other), 0);
	ck_assert_errno(vtc_pf_set_num_vfs(other, 2, NULL), -ENOENT);
	ck_assert_ptr_nonnull(strstr(message(), "no driver"));
	ck_assert_errno(vtc_pf_set_num_vfs(other, 0, NULL), 0);
	vtc_pf_close(other);
}
END_TEST

START_TEST(destroying_fails)
{
	struct vtc_pf_num_vfs_opts destroy = opts_of(VTC_PF_F_DESTROY, 0);

	vtct_create_vfs(k, fake, 3);
	fake->disable_error = -EPERM;
	fails(5, &destroy, -EPERM);
}
END_TEST

START_TEST(the_earlier_number_comes_back)
{
	struct vtc_pf_num_vfs_opts destroy = opts_of(VTC_PF_F_DESTROY, 0);

	vtct_create_vfs(k, fake, 3);
	vtct_fail_nth(k, VTCT_WRITE_SLOW, 2, -EIO);
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 5, &destroy), -EIO);
	ck_assert_uint_eq(fake->num_vfs, 3);
	ck_assert_ptr_null(strstr(message(), "not put back"));
}
END_TEST

START_TEST(undo_fails_and_says_so)
{
	struct vtc_pf_num_vfs_opts destroy = opts_of(VTC_PF_F_DESTROY, 0);

	destroy.autoprobe = VTC_PF_AUTOPROBE_OFF;
	destroy.down = VTC_PF_DOWN_BRING_UP;
	vtct_create_vfs(k, fake, 3);
	fake->enable_error = -EIO;
	vtct_fail_nth(k, VTCT_WRITE, 2, -EPERM);
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 5, &destroy), -EIO);
	ck_assert_ptr_nonnull(strstr(message(), "not put back: autoprobe"));
	ck_assert_ptr_nonnull(strstr(message(), "not put back: the number of VFs"));
	ck_assert_int_eq(vtc_error_get_code(vtc_ctx_last_error(ctx)), -EIO);
}
END_TEST

/* ---- Autoprobe ---- */

START_TEST(autoprobe_is_kept)
{
	fake->autoprobe = true;
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 2, NULL), 1);
	ck_assert(fake->autoprobe);
	ck_assert(vtct_tree_has(tree, "bus/pci/devices/" ADDRESS "/virtfn1/driver"));
}
END_TEST

START_TEST(autoprobe_is_switched_and_stays)
{
	struct vtc_pf_num_vfs_opts opts = opts_of(0, 0);

	opts.autoprobe = VTC_PF_AUTOPROBE_OFF;
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 2, &opts), 1);
	ck_assert(!fake->autoprobe);
	ck_assert(!vtct_tree_has(tree, "bus/pci/devices/" ADDRESS "/virtfn1/driver"));
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 2, &opts), 0);

	opts.autoprobe = VTC_PF_AUTOPROBE_ON;
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 2, &opts), 1);
	ck_assert(fake->autoprobe);
	ck_assert_uint_eq(fake->num_vfs, 2);
}
END_TEST

START_TEST(autoprobe_comes_back_on_failure)
{
	struct vtc_pf_num_vfs_opts opts = opts_of(0, 0);

	opts.autoprobe = VTC_PF_AUTOPROBE_OFF;
	fake->enable_error = -EIO;
	fails(2, &opts, -EIO);
	fake->enable_error = 0;
	vtct_fail_nth(k, VTCT_WRITE, 1, -EPERM);
	fails(2, &opts, -EPERM);
}
END_TEST

START_TEST(no_autoprobe_to_switch)
{
	struct vtc_pf_num_vfs_opts opts = opts_of(0, 0);
	struct vtc_pf *nsim;

	vtct_kernel_netdevsim(k, 1);
	ck_assert_errno(vtc_pf_open(ctx, "netdevsim1", &nsim), 0);
	opts.autoprobe = VTC_PF_AUTOPROBE_OFF;
	ck_assert_errno(vtc_pf_set_num_vfs(nsim, 2, &opts), -EOPNOTSUPP);
	opts.autoprobe = VTC_PF_AUTOPROBE_ON;
	ck_assert_errno(vtc_pf_set_num_vfs(nsim, 2, &opts), 1);
	vtc_pf_close(nsim);
}
END_TEST

/* ---- A PF that is down ---- */

static void put_down(void)
{
	struct vtct_link link = *vtct_link_find(k, fake->ifindex);

	fake->up = link.up = link.carrier = false;
	vtct_link_set(k, &link, false);
	vtct_tree_set_up(tree, fake->dir, fake->ifname, false);
}

START_TEST(down_fails)
{
	put_down();
	fails(2, NULL, -ENETDOWN);
	ck_assert_ptr_nonnull(strstr(message(), NETDEV));
}
END_TEST

START_TEST(down_does_not_matter_for_destroying)
{
	struct vtc_pf_num_vfs_opts destroy = opts_of(VTC_PF_F_DESTROY, 0);

	vtct_create_vfs(k, fake, 2);
	put_down();
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 0, &destroy), 1);
}
END_TEST

START_TEST(down_is_ignored)
{
	struct vtc_pf_num_vfs_opts opts = opts_of(0, 0);

	opts.down = VTC_PF_DOWN_IGNORE;
	put_down();
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 2, &opts), 1);
	ck_assert(!fake->up);
}
END_TEST

START_TEST(down_is_brought_up)
{
	struct vtc_pf_num_vfs_opts opts = opts_of(0, 0);

	opts.down = VTC_PF_DOWN_BRING_UP;
	fake->up_needed = true;
	put_down();
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 2, &opts), 1);
	ck_assert(fake->up);
}
END_TEST

START_TEST(what_was_brought_up_goes_down_again)
{
	struct vtc_pf_num_vfs_opts opts = opts_of(0, 0);

	opts.down = VTC_PF_DOWN_BRING_UP;
	put_down();
	fake->enable_error = -EIO;
	fails(2, &opts, -EIO);
	ck_assert(!fake->up);
}
END_TEST

START_TEST(what_cannot_be_brought_up)
{
	struct vtc_pf_num_vfs_opts opts = opts_of(0, 0);

	opts.down = VTC_PF_DOWN_BRING_UP;
	put_down();
	fake->up_error = -EIO;
	vtct_set_extack(k, "no firmware");
	fails(2, &opts, -EIO);
	ck_assert_ptr_nonnull(strstr(message(), "no firmware"));
	ck_assert_int_eq(vtc_error_get_origin(vtc_ctx_last_error(ctx)),
			 VTC_ERROR_ORIGIN_NETLINK);
}
END_TEST

/* ---- Waiting ---- */

START_TEST(waiting_for_levels)
{
	struct vtc_pf_num_vfs_opts opts = opts_of(VTC_PF_F_DESTROY, VTC_PF_WAIT_NETDEV);
	uint64_t start = vtct_now_ns(k);

	fake->driver_delay_ns = 300 * VTCT_NS_PER_MS;
	fake->netdev_delay_ns = 500 * VTCT_NS_PER_MS;
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 4, &opts), 1);
	ck_assert_uint_ge(vtct_now_ns(k) - start, 800 * VTCT_NS_PER_MS);
	ck_assert(vtct_tree_has(tree, "class/net/enp1s0f0v3"));

	ck_assert_errno(vtc_pf_set_num_vfs(pf, 0, &opts), 1);
	opts.wait = VTC_PF_WAIT_DRIVER;
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 4, &opts), 1);
	ck_assert(vtct_tree_has(tree, "bus/pci/devices/" ADDRESS "/virtfn3/driver"));
	ck_assert(!vtct_tree_has(tree, "class/net/enp1s0f0v3"));

	opts.flags |= VTC_PF_F_DESTROY_IN_USE;
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 0, &opts), 1);
	opts.wait = VTC_PF_WAIT_LINKED;
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 4, &opts), 1);
	ck_assert(!vtct_tree_has(tree, "bus/pci/devices/" ADDRESS "/virtfn3/driver"));
}
END_TEST

START_TEST(waiting_ends)
{
	struct vtc_pf_num_vfs_opts opts = opts_of(0, VTC_PF_WAIT_DRIVER);
	uint64_t start = vtct_now_ns(k);

	fake->vf_driver[0] = '\0';
	opts.timeout_ms = 500;
	fails(4, &opts, -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(message(), "vf 0 has not got a driver"));
	ck_assert_uint_ge(vtct_now_ns(k) - start, 500 * VTCT_NS_PER_MS);
	ck_assert_uint_lt(vtct_now_ns(k) - start, 600 * VTCT_NS_PER_MS);
}
END_TEST

static void lose_link(void *arg)
{
	(void)arg;
	vtct_tree_remove(tree, "bus/pci/devices/" ADDRESS "/virtfn2");
}

START_TEST(a_link_that_is_missing)
{
	struct vtc_pf_num_vfs_opts opts = opts_of(0, VTC_PF_WAIT_NETDEV);

	fake->driver_delay_ns = 100 * VTCT_NS_PER_MS;
	vtct_at(k, 50 * VTCT_NS_PER_MS, lose_link, NULL);
	opts.timeout_ms = 500;
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 4, &opts), -ETIMEDOUT);
	ck_assert_uint_eq(fake->num_vfs, 0);
	ck_assert_ptr_nonnull(strstr(message(), "vf 2 has not got"));
}
END_TEST

static void unplug(void *arg)
{
	(void)arg;
	vtct_unplug(k, fake);
}

START_TEST(the_pf_vanishes_while_we_wait)
{
	struct vtc_pf_num_vfs_opts opts = opts_of(0, VTC_PF_WAIT_DRIVER);

	fake->driver_delay_ns = 1000 * VTCT_NS_PER_MS;
	vtct_at(k, 100 * VTCT_NS_PER_MS, unplug, NULL);
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 4, &opts), -ENODEV);
	ck_assert_ptr_nonnull(strstr(message(), "gone"));
}
END_TEST

/* ---- Slow writes ---- */

START_TEST(a_slow_write_in_time)
{
	fake->numvfs_ns = 30000 * VTCT_NS_PER_MS;
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 4, NULL), 1);
	ck_assert_uint_eq(fake->num_vfs, 4);
}
END_TEST

START_TEST(a_write_that_blocks)
{
	struct vtc_pf_num_vfs_opts opts = opts_of(0, 0);
	uint64_t start = vtct_now_ns(k);

	opts.timeout_ms = 100;
	opts.autoprobe = VTC_PF_AUTOPROBE_OFF;
	fake->numvfs_ns = 5000 * VTCT_NS_PER_MS;
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 4, &opts), -ETIMEDOUT);
	ck_assert_uint_eq(vtct_now_ns(k) - start, 100 * VTCT_NS_PER_MS);
	ck_assert_uint_eq(vtct_calls(k, VTCT_WRITE_SLOW), 1);
	ck_assert_ptr_nonnull(strstr(message(), "still busy with 4"));

	/* Not tried again while it goes on, and not even looked at. */
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 4, NULL), -EBUSY);
	ck_assert_ptr_nonnull(strstr(message(), "earlier write"));
	ck_assert_uint_eq(vtct_calls(k, VTCT_WRITE_SLOW), 1);

	vtct_advance(k, 5000 * VTCT_NS_PER_MS);
	ck_assert_uint_eq(fake->num_vfs, 4);
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 4, NULL), 0);
}
END_TEST

/* ---- Locks ---- */

static void let_go(void *arg)
{
	vtc__unlock(ctx, *(int *)arg);
	*(int *)arg = -1;
}

START_TEST(another_process_holds_the_lock)
{
	struct vtc_pf_num_vfs_opts opts = opts_of(0, 0);
	int fd = vtc__lock(ctx, "pf-" ADDRESS);
	uint64_t start = vtct_now_ns(k);

	ck_assert_int_ge(fd, 0);
	opts.timeout_ms = 200;
	fails(4, &opts, -EBUSY);
	ck_assert_ptr_nonnull(strstr(message(), "another process"));
	ck_assert_uint_ge(vtct_now_ns(k) - start, 200 * VTCT_NS_PER_MS);

	vtct_at(k, 100 * VTCT_NS_PER_MS, let_go, &fd);
	ck_assert_errno(vtc_pf_set_num_vfs(pf, 4, &opts), 1);
	ck_assert_int_eq(fd, -1);
}
END_TEST

START_TEST(no_lock_can_be_made)
{
	vtct_fail_nth(k, VTCT_LOCK, 1, -EROFS);
	fails(4, NULL, -EROFS);
	ck_assert_ptr_nonnull(strstr(message(), "cannot take the lock"));
}
END_TEST

START_TEST(the_lock_is_given_back)
{
	int fd;

	fake->enable_error = -EIO;
	fails(4, NULL, -EIO);
	fails(9, NULL, -ERANGE);
	fd = vtc__lock(ctx, "pf-" ADDRESS);
	ck_assert_int_ge(fd, 0);
	vtc__unlock(ctx, fd);
}
END_TEST

/* ---- Dry runs ---- */

static int dry(uint32_t count, uint32_t flags)
{
	struct vtc_pf_num_vfs_opts opts = opts_of(flags | VTC_PF_F_DRY_RUN, 0);
	char *before = vtct_pf_state(fake), *after;
	int got = vtc_pf_set_num_vfs(pf, count, &opts);

	after = vtct_pf_state(fake);
	ck_assert_str_eq(before, after);
	free(before);
	free(after);
	return got;
}

START_TEST(a_dry_run_changes_nothing)
{
	ck_assert_errno(dry(0, 0), 0);
	ck_assert_errno(dry(4, 0), 1);
	ck_assert_errno(dry(8, 0), -ERANGE);
	vtct_create_vfs(k, fake, 4);
	ck_assert_errno(dry(4, 0), 0);
	ck_assert_errno(dry(2, 0), -EBUSY);
	ck_assert_errno(dry(2, VTC_PF_F_DESTROY), 1);
	put_down();
	ck_assert_errno(dry(2, VTC_PF_F_DESTROY), -ENETDOWN);
	ck_assert_uint_eq(vtct_calls(k, VTCT_WRITE), 0);
	ck_assert_uint_eq(vtct_calls(k, VTCT_WRITE_SLOW), 0);
	ck_assert_uint_eq(vtct_calls(k, VTCT_LOCK), 0);
	ck_assert_uint_eq(vtct_requests(k, RTM_SETLINK), 0);
}
END_TEST

/* ---- Every step fails once ---- */

/*
 * Whatever fails, the call says so, or the VFs are there; and what is not there was put
 * back.
 */
START_TEST(each_step_fails_once)
{
	struct vtc_pf_num_vfs_opts opts = opts_of(VTC_PF_F_DESTROY, VTC_PF_WAIT_NETDEV);
	unsigned int n = (unsigned int)_i + 1;
	unsigned int calls;
	int got;

	opts.autoprobe = VTC_PF_AUTOPROBE_ON;
	opts.down = VTC_PF_DOWN_BRING_UP;
	opts.timeout_ms = 2000;
	fake->autoprobe = false;
	vtct_tree_addf(tree, "%s/sriov_drivers_autoprobe = 0\n", fake->dir);
	vtct_create_vfs(k, fake, 2);
	put_down();
	calls = vtct_calls(k, VTCT_ANY);
	vtct_fail_nth(k, VTCT_ANY, n, -EIO);
	got = vtc_pf_set_num_vfs(pf, 4, &opts);
	vtct_fail_clear(k);
	calls = vtct_calls(k, VTCT_ANY) - calls;
	/* The loop is long enough if its end meets no call any more. */
	ck_assert(_i + 1 < STEPS_TRIED || calls < STEPS_TRIED);

	if (got == 1) {
		ck_assert_uint_eq(fake->num_vfs, 4);
		ck_assert(fake->autoprobe);
		return;
	}
	ck_assert_int_lt(got, 0);
	ck_assert_int_eq(vtc_error_get_code(vtc_ctx_last_error(ctx)), got);
	ck_assert_uint_eq(fake->num_vfs, 2);
	ck_assert(!fake->autoprobe);
	ck_assert(!fake->up);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pf");
	TCase *tc = tcase_create("pf");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, names_of_a_pf);
	tcase_add_test(tc, names_of_no_pf);
	tcase_add_test(tc, null_everywhere);
	tcase_add_test(tc, the_handle_keeps_its_context);
	tcase_add_test(tc, numbers);
	tcase_add_test(tc, numbers_that_are_none);
	tcase_add_test(tc, a_total_can_be_unknown);
	tcase_add_test(tc, a_device_that_vanished);
	tcase_add_test(tc, options_are_checked);
	tcase_add_test(tc, from_none_to_some_to_none);
	tcase_add_test(tc, equal_writes_nothing);
	tcase_add_test(tc, more_than_there_can_be);
	tcase_add_test(tc, destroying_needs_leave);
	tcase_add_test(tc, vfs_in_use_are_named);
	tcase_add_test(tc, the_list_of_vfs_in_use_is_bounded);
	tcase_add_test(tc, fewer_than_asked_is_an_error);
	tcase_add_test(tc, what_the_driver_says_is_passed_on);
	tcase_add_test(tc, without_rights_nothing_happens);
	tcase_add_test(tc, without_driver_nothing_happens);
	tcase_add_test(tc, destroying_fails);
	tcase_add_test(tc, the_earlier_number_comes_back);
	tcase_add_test(tc, undo_fails_and_says_so);
	tcase_add_test(tc, autoprobe_is_kept);
	tcase_add_test(tc, autoprobe_is_switched_and_stays);
	tcase_add_test(tc, autoprobe_comes_back_on_failure);
	tcase_add_test(tc, no_autoprobe_to_switch);
	tcase_add_test(tc, down_fails);
	tcase_add_test(tc, down_does_not_matter_for_destroying);
	tcase_add_test(tc, down_is_ignored);
	tcase_add_test(tc, down_is_brought_up);
	tcase_add_test(tc, what_was_brought_up_goes_down_again);
	tcase_add_test(tc, what_cannot_be_brought_up);
	tcase_add_test(tc, waiting_for_levels);
	tcase_add_test(tc, waiting_ends);
	tcase_add_test(tc, a_link_that_is_missing);
	tcase_add_test(tc, the_pf_vanishes_while_we_wait);
	tcase_add_test(tc, a_slow_write_in_time);
	tcase_add_test(tc, a_write_that_blocks);
	tcase_add_test(tc, another_process_holds_the_lock);
	tcase_add_test(tc, no_lock_can_be_made);
	tcase_add_test(tc, the_lock_is_given_back);
	tcase_add_test(tc, a_dry_run_changes_nothing);
	tcase_add_loop_test(tc, each_step_fails_once, 0, STEPS_TRIED);
	suite_add_tcase(s, tc);
	return vtct_main(s, NULL);
}
