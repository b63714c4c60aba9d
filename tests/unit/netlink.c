/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What everybody may ask the real kernel: links, and generic netlink's controller. */
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "core/genl.h"
#include "core/netlink.h"
#include "vtct.h"

static struct vtc_ctx *ctx;
static int fds;

static void set_up(void)
{
	fds = vtct_count_fds();
	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
}

static void tear_down(void)
{
	vtc_ctx_unref(ctx);
	ck_assert_int_eq(vtct_count_fds(), fds);
}

START_TEST(the_controller_knows_itself)
{
	struct vtc__genl_family family;

	ck_assert_errno(vtc__genl_find(ctx, "nlctrl", &family), 0);
	ck_assert_uint_eq(family.id, GENL_ID_CTRL);
	ck_assert_uint_eq(family.version, 2);
	ck_assert(vtc__genl_has_op(&family, CTRL_CMD_GETFAMILY));
	ck_assert(!vtc__genl_has_op(&family, CTRL_CMD_DELFAMILY));
}
END_TEST

START_TEST(no_such_family)
{
	struct vtc__genl_family family = { .id = 4711 };

	ck_assert_errno(vtc__genl_find(ctx, "no-such", &family), -ENOENT);
	ck_assert_int_lt(
		vtc__genl_find(ctx, "a-name-that-is-longer-than-names-are", &family), 0);
	ck_assert_uint_eq(family.id, 4711);
}
END_TEST

static int count_links(void *arg, const struct nlmsghdr *msg)
{
	ck_assert_uint_eq(msg->nlmsg_type, RTM_NEWLINK);
	++*(int *)arg;
	return 0;
}

static int get_link(int ifindex, int *ret_count)
{
	struct vtc__nlmsg *msg = vtc__nlmsg_new(RTM_GETLINK, 0, 64);
	struct ifinfomsg head = { .ifi_index = ifindex };
	struct vtc__nl *nl;
	int err;

	*ret_count = 0;
	ck_assert_errno(vtc__nl_rt(ctx, &nl), 0);
	ck_assert_errno(vtc__nlmsg_append(msg, &head, sizeof(head)), 0);
	err = vtc__nl_request(ctx, nl, msg, count_links, ret_count);
	vtc__nlmsg_free(msg);
	return err;
}

START_TEST(the_loopback_is_there)
{
	int count;

	ck_assert_errno(get_link(1, &count), 0);
	ck_assert_int_eq(count, 1);
}
END_TEST

START_TEST(what_is_not_there_is_no_device)
{
	int count;

	ck_assert_errno(get_link(INT32_MAX, &count), -ENODEV);
	ck_assert_int_eq(count, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("netlink");
	TCase *tcase = tcase_create("netlink");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, the_controller_knows_itself);
	tcase_add_test(tcase, no_such_family);
	tcase_add_test(tcase, the_loopback_is_there);
	tcase_add_test(tcase, what_is_not_there_is_no_device);
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
