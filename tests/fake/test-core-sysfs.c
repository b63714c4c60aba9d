/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Slow writes that cannot be killed, and locks that fail. */
#include <stdio.h>
#include <string.h>

#include "core/ctx.h"
#include "core/sysfs.h"
#include "fakekernel.h"
#include "vtct.h"

static struct vtct_tree *tree;
static struct vtct_kernel *k;
static struct vtct_pf *pf, *other;
static struct vtc_ctx *ctx;
static char numvfs[200], other_numvfs[200];
static int fds;

static void set_up(void)
{
	tree = vtct_tree_new();
	fds = vtct_count_fds();
	k = vtct_kernel_new(tree);
	pf = vtct_kernel_igb(k, 0);
	other = vtct_kernel_igb(k, 1);
	pf->numvfs_ns = 500 * VTCT_NS_PER_MS;
	snprintf(numvfs, sizeof(numvfs), "%s/sriov_numvfs", pf->dir);
	snprintf(other_numvfs, sizeof(other_numvfs), "%s/sriov_numvfs", other->dir);
	ctx = vtct_kernel_ctx(k);
}

static void tear_down(void)
{
	vtc_ctx_unref(ctx);
	vtct_kernel_free(k);
	ck_assert_int_eq(vtct_count_fds(), fds);
	vtct_tree_free(tree);
}

static int write_within(const char *path, const char *text, unsigned int ms)
{
	return vtc__sysfs_write_slow(ctx, path, text,
				     vtc__now_ns(ctx) + ms * VTC__NS_PER_MS);
}

START_TEST(in_time)
{
	ck_assert_errno(write_within(numvfs, "4", 1000), 0);
	ck_assert_uint_eq(pf->num_vfs, 4);
	ck_assert_errno(write_within(numvfs, "2", 1000), -EBUSY);
	ck_assert_errno(write_within(numvfs, "8", 1000), -ERANGE);
	ck_assert_uint_eq(pf->num_vfs, 4);
}
END_TEST

START_TEST(a_stuck_write_bars_its_file_until_it_ends)
{
	uint64_t before = vtct_now_ns(k);

	ck_assert_errno(write_within(numvfs, "4", 100), -ETIMEDOUT);
	ck_assert_uint_eq(vtct_now_ns(k) - before, 100 * VTCT_NS_PER_MS);
	ck_assert_errno(write_within(numvfs, "4", 100), -EBUSY);
	ck_assert_errno(write_within(other_numvfs, "2", 100), 0);
	vtct_advance(k, 400 * VTCT_NS_PER_MS);
	ck_assert_uint_eq(pf->num_vfs, 4);
	ck_assert_errno(write_within(numvfs, "0", 1000), 0);
	ck_assert_ptr_null(ctx->stuck);
}
END_TEST

START_TEST(several_writes_may_be_stuck)
{
	other->numvfs_ns = 300 * VTCT_NS_PER_MS;
	ck_assert_errno(write_within(numvfs, "4", 100), -ETIMEDOUT);
	ck_assert_errno(write_within(other_numvfs, "4", 100), -ETIMEDOUT);
	vtct_advance(k, 200 * VTCT_NS_PER_MS);
	ck_assert_errno(write_within(numvfs, "4", 100), -EBUSY);
	ck_assert_errno(write_within(other_numvfs, "4", 1000),
			0); /* it has them already */
}
END_TEST

START_TEST(the_context_may_end_while_a_write_is_stuck)
{
	ck_assert_errno(write_within(numvfs, "4", 100), -ETIMEDOUT);
	ctx = vtc_ctx_unref(ctx);
	vtct_advance(k, 1000 * VTCT_NS_PER_MS);
	ck_assert_uint_eq(pf->num_vfs, 4);
}
END_TEST

START_TEST(a_writer_that_cannot_be_started)
{
	vtct_fail_nth(k, VTCT_WRITE_SLOW, 1, -EAGAIN);
	ck_assert_errno(write_within(numvfs, "4", 1000), -EAGAIN);
	ck_assert_ptr_null(ctx->stuck);
	ck_assert_errno(write_within(numvfs, "4", 1000), 0);
}
END_TEST

START_TEST(locks_pass_errors_on)
{
	int fd;

	vtct_fail_nth(k, VTCT_LOCK, 1, -EROFS);
	ck_assert_errno(vtc__lock(ctx, "pf-x"), -EROFS);
	fd = vtc__lock(ctx, "pf-x");
	ck_assert_int_ge(fd, 0);
	vtc__unlock(ctx, fd);
	vtc__unlock(ctx, -1);
}
END_TEST

START_TEST(read_errors_pass_on)
{
	uint32_t value = 4711;

	vtct_tree_add(tree, "number = 65535");
	vtct_fail_path(k, VTCT_READ, "number", -EINTR);
	ck_assert_errno(vtc__sysfs_read_u32(ctx, "number", &value), -EINTR);
	ck_assert_uint_eq(value, 4711);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core-sysfs");
	TCase *tcase = tcase_create("core-sysfs");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, in_time);
	tcase_add_test(tcase, a_stuck_write_bars_its_file_until_it_ends);
	tcase_add_test(tcase, several_writes_may_be_stuck);
	tcase_add_test(tcase, the_context_may_end_while_a_write_is_stuck);
	tcase_add_test(tcase, a_writer_that_cannot_be_started);
	tcase_add_test(tcase, locks_pass_errors_on);
	tcase_add_test(tcase, read_errors_pass_on);
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
