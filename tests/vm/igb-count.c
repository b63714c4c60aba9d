/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The number of VFs: the kernel's rules, the library's, and that a refusal changes
 * nothing.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "igb-vfs.h"
#include "lab.h"

#define PCI "bus/pci/devices/"

static struct vtc_ctx *ctx;
static struct vtc_pf *pf;
static const char *bdf;

static void setup(void)
{
	bdf = lab_pf(0);
	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	ck_assert_msg(vtc_pf_open(ctx, bdf, &pf) == 0, "%s", lab_error(ctx));
}

static void teardown(void)
{
	vtc_pf_close(pf);
	vtc_ctx_unref(ctx);
}

static int set(uint32_t count, const struct vtc_pf_num_vfs_opts *opts)
{
	return vtc_pf_set_num_vfs(pf, count, opts);
}

/* Expect a result; the error record is the message of the failure. */
#define expect_set(count, opts, want)                                              \
	do {                                                                       \
		int got = set((count), (opts));                                    \
		ck_assert_msg(got == (want), "set %u: %d, not %d: %s",             \
			      (unsigned int)(count), got, (want), lab_error(ctx)); \
	} while (0)

static void check_count(uint32_t want)
{
	uint32_t count = 99;

	ck_assert_int_eq(lab_read_number(PCI "%s/sriov_numvfs", bdf), want);
	ck_assert_int_eq(vtc_pf_get_num_vfs(pf, &count), 0);
	ck_assert_uint_eq(count, want);
	ck_assert_str_ne(want ? lab_vf(bdf, want - 1) : "x", "");
	ck_assert_str_eq(lab_vf(bdf, want), "");
}

static const char *vf_driver(unsigned int index)
{
	return lab_link(PCI "%s/virtfn%u/driver", bdf, index);
}

static bool is_up(void)
{
	return lab_read_number("class/net/%s/flags", lab_netdev(bdf)) & 1;
}

START_TEST(none_to_all_and_equal)
{
	struct vtc_pf_num_vfs_opts opts = VTC_PF_NUM_VFS_OPTS_INIT;

	lab_set_vfs(bdf, 0, true);
	opts.wait = VTC_PF_WAIT_NETDEV;
	expect_set(7, &opts, 1);
	check_count(7);
	for (unsigned int i = 0; i < 7; i++)
		ck_assert_str_ne(lab_netdev(lab_vf(bdf, i)), "");
	expect_set(7, &opts, 0);
	expect_set(7, NULL, 0);
	check_count(7);
}
END_TEST

START_TEST(names_that_open_and_not)
{
	const char *vf, *name = lab_netdev(bdf);
	struct vtc_pf *other = NULL;
	uint32_t total = 0;

	lab_set_vfs(bdf, 7, true);
	vf = lab_vf(bdf, 0);
	ck_assert_errno(vtc_pf_open(ctx, vf, &other), -EOPNOTSUPP);
	ck_assert_errno(vtc_pf_open(ctx, lab_netdev(vf), &other), -EOPNOTSUPP);
	ck_assert_errno(vtc_pf_open(ctx, "lo", &other), -EOPNOTSUPP);
	ck_assert_errno(vtc_pf_open(ctx, "nosuch0", &other), -ENODEV);
	ck_assert_errno(vtc_pf_open(ctx, "0000:7f:00.0", &other), -ENODEV);
	ck_assert_errno(vtc_pf_open(ctx, "../x", &other), -EINVAL);
	ck_assert_ptr_null(other);
	ck_assert_errno(vtc_pf_open(ctx, name, &other), 0);
	ck_assert_str_eq(vtc_pf_get_address(other), bdf);
	ck_assert_errno(vtc_pf_get_total_vfs(other, &total), 0);
	ck_assert_int_eq(total, lab_read_number(PCI "%s/sriov_totalvfs", bdf));
	vtc_pf_close(other);
	ck_assert_errno(vtc_pf_open(ctx, bdf + strlen("0000:"), &other), 0);
	ck_assert_str_eq(vtc_pf_get_address(other), bdf);
	vtc_pf_close(other);
}
END_TEST

START_TEST(more_than_there_can_be)
{
	lab_set_vfs(bdf, 0, false);
	expect_set(8, NULL, -ERANGE);
	ck_assert_has(lab_error(ctx), "7");
	expect_set(70000, NULL, -ERANGE);
	check_count(0);
}
END_TEST

START_TEST(destroying_needs_leave)
{
	struct vtc_pf_num_vfs_opts opts = VTC_PF_NUM_VFS_OPTS_INIT;

	lab_set_vfs(bdf, 7, true);
	expect_set(3, NULL, -EBUSY);
	ck_assert_has(vtc_error_get_hint(vtc_ctx_last_error(ctx)), "DESTROY");
	expect_set(0, NULL, -EBUSY);
	check_count(7);

	lab_do("ip link set %s up", lab_netdev(lab_vf(bdf, 2)));
	opts.flags = VTC_PF_F_DESTROY;
	expect_set(3, &opts, -EBUSY);
	ck_assert_has(lab_error(ctx), "vf 2");
	ck_assert_has_not(lab_error(ctx), "vf 1");
	check_count(7);

	opts.flags |= VTC_PF_F_DESTROY_IN_USE;
	expect_set(3, &opts, 1);
	check_count(3);
	opts.flags = VTC_PF_F_DESTROY;
	expect_set(0, &opts, 1);
	check_count(0);
}
END_TEST

START_TEST(a_dry_run_changes_nothing)
{
	struct vtc_pf_num_vfs_opts opts = VTC_PF_NUM_VFS_OPTS_INIT;

	lab_set_vfs(bdf, 0, false);
	opts.flags = VTC_PF_F_DRY_RUN;
	opts.autoprobe = VTC_PF_AUTOPROBE_ON;
	expect_set(7, &opts, 1);
	expect_set(8, &opts, -ERANGE);
	check_count(0);
	ck_assert_int_eq(lab_read_number(PCI "%s/sriov_drivers_autoprobe", bdf), 0);
	opts.autoprobe = VTC_PF_AUTOPROBE_KEEP;
	expect_set(0, &opts, 0);

	lab_set_vfs(bdf, 2, false);
	expect_set(1, &opts, -EBUSY);
	opts.flags |= VTC_PF_F_DESTROY;
	expect_set(1, &opts, 1);
	check_count(2);
}
END_TEST

START_TEST(autoprobe_decides_on_drivers)
{
	struct vtc_pf_num_vfs_opts opts = VTC_PF_NUM_VFS_OPTS_INIT;

	lab_set_vfs(bdf, 2, false);
	opts.flags = VTC_PF_F_DESTROY;
	opts.autoprobe = VTC_PF_AUTOPROBE_ON;
	opts.wait = VTC_PF_WAIT_DRIVER;
	expect_set(1, &opts, 1);
	ck_assert_str_eq(vf_driver(0), "igbvf");
	ck_assert_int_eq(lab_read_number(PCI "%s/sriov_drivers_autoprobe", bdf), 1);

	opts.autoprobe = VTC_PF_AUTOPROBE_OFF;
	expect_set(2, &opts, -EINVAL); /* for drivers that nothing will bind */
	opts.wait = VTC_PF_WAIT_LINKED;
	expect_set(2, &opts, 1);
	check_count(2);
	ck_assert_str_eq(vf_driver(0), "");
	ck_assert_str_eq(vf_driver(1), "");
	ck_assert_int_eq(lab_read_number(PCI "%s/sriov_drivers_autoprobe", bdf), 0);
}
END_TEST

START_TEST(what_to_do_with_a_pf_that_is_down)
{
	struct vtc_pf_num_vfs_opts opts = VTC_PF_NUM_VFS_OPTS_INIT;

	lab_set_vfs(bdf, 0, false);
	lab_do("ip link set %s down", lab_netdev(bdf));
	expect_set(2, NULL, -ENETDOWN);
	check_count(0);

	opts.down = VTC_PF_DOWN_IGNORE;
	expect_set(2, &opts, 1);
	check_count(2);
	ck_assert(!is_up());
	ck_assert_str_eq(vf_driver(1), ""); /* autoprobe is kept off */
	opts.flags = VTC_PF_F_DESTROY;
	opts.down = VTC_PF_DOWN_FAIL;
	expect_set(0, &opts, 1);

	opts.down = VTC_PF_DOWN_BRING_UP;
	expect_set(2, &opts, 1);
	check_count(2);
	ck_assert(is_up());
}
END_TEST

/*
 * An hour passes as soon as the VFs are there, so that only the wait for them is too
 * long.
 */
static uint64_t hasty_clock(void *data)
{
	bool *hour = data;
	struct timespec ts;

	if (lab_read_number(PCI "%s/sriov_numvfs", lab_pf(0)) == 3)
		*hour = true;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec + (*hour ? 3600 : 0)) * 1000000000 +
	       (uint64_t)ts.tv_nsec;
}

START_TEST(vfs_that_do_not_come_far_enough_are_taken_back)
{
	struct vtc_pf_num_vfs_opts opts = VTC_PF_NUM_VFS_OPTS_INIT;
	struct vtc_ctx_opts ctx_opts = VTC_CTX_OPTS_INIT;
	bool hour = false;

	lab_set_vfs(bdf, 2, false);
	lab_do("modprobe -r igbvf && ip link set %s down", lab_netdev(bdf));
	teardown();
	ctx_opts.clock = hasty_clock;
	ctx_opts.clock_data = &hour;
	ck_assert_errno(vtc_ctx_new(&ctx_opts, &ctx), 0);
	ck_assert_errno(vtc_pf_open(ctx, bdf, &pf), 0);
	opts.flags = VTC_PF_F_DESTROY;
	opts.autoprobe = VTC_PF_AUTOPROBE_ON;
	opts.wait = VTC_PF_WAIT_DRIVER;
	opts.down = VTC_PF_DOWN_BRING_UP;
	expect_set(3, &opts, -ETIMEDOUT);
	ck_assert_has(lab_error(ctx), "vf 0");
	lab_do("modprobe igbvf");
	check_count(2);
	ck_assert_int_eq(lab_read_number(PCI "%s/sriov_drivers_autoprobe", bdf), 0);
	ck_assert(!is_up());
	lab_up(bdf);
}
END_TEST

START_TEST(without_a_driver_there_are_no_vfs)
{
	struct vtc_vf_list *list = NULL;

	lab_set_vfs(bdf, 0, false);
	ck_assert_int_eq(lab_write(bdf, "bus/pci/drivers/igb/unbind"), 0);
	expect_set(1, NULL, -ENOENT);
	ck_assert_str_ne(vtc_error_get_hint(vtc_ctx_last_error(ctx)), "");
	ck_assert_errno(vtc_vf_list_new(pf, NULL, &list), -ENODEV);
	ck_assert_ptr_null(list);
	ck_assert_int_eq(lab_write(bdf, "bus/pci/drivers/igb/bind"), 0);
	ck_assert(lab_wait(lab_netdev(bdf)[0]));
	lab_up(bdf);
	expect_set(1, NULL, 1);
	check_count(1);
}
END_TEST

START_TEST(changes_need_rights)
{
	struct vtc_pf_num_vfs_opts opts = VTC_PF_NUM_VFS_OPTS_INIT;
	int err;

	lab_set_vfs(bdf, 1, false);
	if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		vtct_die("rights cannot be dropped: %s", strerror(errno));
	opts.flags = VTC_PF_F_DESTROY;
	err = set(0, &opts);
	ck_assert_msg(err == -EACCES || err == -EPERM, "%d: %s", err, lab_error(ctx));
	check_count(1);
}
END_TEST

Suite *count_suite(void)
{
	Suite *suite = suite_create("count");
	TCase *tcase = tcase_create("count");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, none_to_all_and_equal);
	tcase_add_test(tcase, names_that_open_and_not);
	tcase_add_test(tcase, destroying_needs_leave);
	tcase_add_test(tcase, more_than_there_can_be);
	tcase_add_test(tcase, a_dry_run_changes_nothing);
	tcase_add_test(tcase, autoprobe_decides_on_drivers);
	tcase_add_test(tcase, what_to_do_with_a_pf_that_is_down);
	tcase_add_test(tcase, vfs_that_do_not_come_far_enough_are_taken_back);
	tcase_add_test(tcase, without_a_driver_there_are_no_vfs);
	tcase_add_test(tcase, changes_need_rights);
	suite_add_tcase(suite, tcase);
	return suite;
}
