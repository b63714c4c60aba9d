/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Netlink requests and broadcasts on the real kernel, in a network namespace of our own. */
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/netlink.h"
#include "core/sys.h"
#include "netns.h"
#include "vtct.h"

static struct vtc_ctx *ctx;
static struct vtc__nl *nl;

static void set_up(void)
{
	vtct_netns_enter();
	ck_assert_errno(vtc_ctx_new(NULL, &ctx), 0);
	ck_assert_errno(vtc__nl_rt(ctx, &nl), 0);
}

static void tear_down(void)
{
	vtc_ctx_unref(ctx);
}

struct seen {
	int count;
	char name[16];
};

static int see_link(void *arg, const struct nlmsghdr *msg)
{
	const struct nlattr *tb[IFLA_MAX + 1];
	struct seen *seen = arg;
	const char *name;

	ck_assert_uint_eq(msg->nlmsg_type, RTM_NEWLINK);
	ck_assert_errno(vtc__nlmsg_parse(msg, sizeof(struct ifinfomsg), tb, IFLA_MAX), 0);
	ck_assert_errno(vtc__nla_str(tb[IFLA_IFNAME], &name), 0);
	snprintf(seen->name, sizeof(seen->name), "%s", name);
	seen->count++;
	return 0;
}

static int get_link(uint32_t ifindex, uint16_t flags, struct seen *ret)
{
	struct vtc__nlmsg *msg = vtc__nlmsg_new(RTM_GETLINK, flags, 64);
	struct ifinfomsg head = { .ifi_index = (int)ifindex };
	int err;

	memset(ret, 0, sizeof(*ret));
	ck_assert_errno(vtc__nlmsg_append(msg, &head, sizeof(head)), 0);
	err = vtc__nl_request(ctx, nl, msg, see_link, ret);
	vtc__nlmsg_free(msg);
	return err;
}

START_TEST(one_link_by_its_index)
{
	struct seen seen;
	uint32_t ifindex;

	ck_assert_errno(get_link(1, 0, &seen), 0);
	ck_assert_int_eq(seen.count, 1);
	ck_assert_str_eq(seen.name, "lo");
	ifindex = vtct_netns_add(ctx, "vtc0");
	ck_assert_errno(get_link(ifindex, 0, &seen), 0);
	ck_assert_str_eq(seen.name, "vtc0");
	vtct_netns_remove(ctx, ifindex);
	ck_assert_errno(get_link(ifindex, 0, &seen), -ENODEV);
	ck_assert_int_eq(seen.count, 0);
}
END_TEST

START_TEST(the_kernel_says_why)
{
	struct vtc__nlmsg *msg = vtc__nlmsg_new(RTM_SETLINK, 0, 128);
	struct ifinfomsg head = { .ifi_index = 1 };
	struct seen seen;

	ck_assert_errno(vtc__nlmsg_append(msg, &head, sizeof(head)), 0);
	ck_assert_errno(vtc__nlmsg_put_u32(msg, IFLA_MTU, UINT32_MAX), 0);
	ck_assert_errno(vtc__nl_request(ctx, nl, msg, NULL, NULL), -EINVAL);
	ck_assert_msg(strstr(vtc__nl_message(nl), "mtu"), "%s", vtc__nl_message(nl));
	vtc__nlmsg_free(msg);
	ck_assert_errno(get_link(1, 0, &seen), 0);
	ck_assert_str_eq(vtc__nl_message(nl), "");
}
END_TEST

START_TEST(a_dump_of_many_links_comes_in_pieces)
{
	struct seen seen;
	char name[16];
	int i;

	for (i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "vtc%d", i);
		vtct_netns_add(ctx, name);
	}
	ck_assert_errno(get_link(0, NLM_F_DUMP, &seen), 0);
	ck_assert_int_eq(seen.count, 65);
}
END_TEST

/* ---- Broadcasts ---- */

static struct vtc__nl *listen_to_links(void)
{
	struct vtc__nl *own;

	ck_assert_errno(vtc__nl_open(ctx, NETLINK_ROUTE, &own), 0);
	ck_assert_errno(vtc__nl_join(ctx, own, RTNLGRP_LINK), 0);
	return own;
}

START_TEST(new_links_are_broadcast)
{
	struct vtc__nl *own = listen_to_links();
	const struct nlmsghdr *msg;
	struct seen seen = { 0 };
	const void *data;
	uint32_t ifindex;
	size_t len;

	ck_assert_errno(vtc__nl_next(ctx, own, &data, &len), 0);
	ifindex = vtct_netns_add(ctx, "vtc0");
	ck_assert_int_eq(vtc__sys_kernel.poll(NULL, vtc__nl_fd(own), 10000000000ull), 1);
	ck_assert_int_eq(vtc__nl_next(ctx, own, &data, &len), 1);
	msg = vtc__nlmsg_foreach_next(data, len, NULL);
	ck_assert_ptr_nonnull(msg);
	ck_assert_errno(see_link(&seen, msg), 0);
	ck_assert_str_eq(seen.name, "vtc0");
	ck_assert_int_eq(((const struct ifinfomsg *)NLMSG_DATA(msg))->ifi_index,
			 (int)ifindex);
	vtc__nl_close(ctx, own);
}
END_TEST

START_TEST(an_overrun_is_told)
{
	struct vtc__nl *own = listen_to_links();
	const int tiny = 1;
	const void *data;
	size_t len;
	int i, err;

	ck_assert_int_eq(
		setsockopt(vtc__nl_fd(own), SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny)),
		0);
	for (i = 0; i < 50; i++)
		vtct_netns_set_up(ctx, 1, i % 2 == 0);
	do
		err = vtc__nl_next(ctx, own, &data, &len);
	while (err == 1);
	ck_assert_errno(err, -ENOBUFS);
	do
		err = vtc__nl_next(ctx, own, &data, &len);
	while (err == 1);
	ck_assert_errno(err, 0);
	vtct_netns_set_up(ctx, 1, true);
	ck_assert_int_eq(vtc__nl_next(ctx, own, &data, &len), 1);
	vtc__nl_close(ctx, own);
}
END_TEST

/* ---- Other processes may send to our socket, too ---- */

static void send_foreign(const struct vtc__nl *to, const void *data, size_t len)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	socklen_t addr_len = sizeof(addr);
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(getsockname(vtc__nl_fd(to), (struct sockaddr *)&addr, &addr_len),
			 0);
	ck_assert_uint_ne(addr.nl_pid, 0);
	ck_assert_int_eq(sendto(fd, data, len, 0, (struct sockaddr *)&addr, sizeof(addr)),
			 (ssize_t)len);
	close(fd);
}

START_TEST(messages_that_are_not_from_the_kernel_are_dropped)
{
	struct {
		struct nlmsghdr msg;
		struct nlmsgerr body;
	} forged = { .msg = { .nlmsg_len = sizeof(forged), .nlmsg_type = NLMSG_ERROR },
		     .body = { .error = -EIO } };
	struct vtc__nl *own = listen_to_links();
	struct seen seen;
	const void *data;
	size_t len;
	uint32_t seq;

	/* Whatever number the next request has, this would answer it. */
	for (seq = 0; seq < 8; seq++) {
		forged.msg.nlmsg_seq = seq;
		send_foreign(nl, &forged, sizeof(forged));
		send_foreign(own, &forged, sizeof(forged));
	}
	ck_assert_errno(get_link(1, 0, &seen), 0);
	ck_assert_int_eq(seen.count, 1);
	ck_assert_errno(vtc__nl_next(ctx, own, &data, &len), 0);
	vtct_netns_set_up(ctx, 1, true);
	ck_assert_int_eq(vtc__nl_next(ctx, own, &data, &len), 1);
	vtc__nl_close(ctx, own);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("netlink");
	TCase *tcase = tcase_create("netlink");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, one_link_by_its_index);
	tcase_add_test(tcase, the_kernel_says_why);
	tcase_add_test(tcase, a_dump_of_many_links_comes_in_pieces);
	tcase_add_test(tcase, new_links_are_broadcast);
	tcase_add_test(tcase, an_overrun_is_told);
	tcase_add_test(tcase, messages_that_are_not_from_the_kernel_are_dropped);
	suite_add_tcase(suite, tcase);
	return vtct_main(suite, NULL);
}
