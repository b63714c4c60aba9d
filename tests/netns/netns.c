/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Namespaces by unshare(2); interfaces by the library's own netlink, which the tests here check. */
#include "netns.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/netlink.h"
#include "vtct.h"

static void write_map(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		vtct_skip("%s: %s", file, strerror(errno));
	close(fd);
}

static void become_root(unsigned int uid, unsigned int gid)
{
	char map[64];

	write_map("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", uid);
	write_map("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", gid);
	write_map("/proc/self/gid_map", map);
}

void vtct_netns_enter(void)
{
	unsigned int uid = geteuid(), gid = getegid();

	if (unshare(CLONE_NEWNET) == 0)
		return;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		vtct_skip("user and network namespaces are forbidden here: %s",
			  strerror(errno));
	become_root(uid, gid);
}

static int take_index(void *arg, const struct nlmsghdr *msg)
{
	const struct ifinfomsg *head = NLMSG_DATA(msg);

	*(uint32_t *)arg = (uint32_t)head->ifi_index;
	return 0;
}

static uint32_t index_of(struct vtc_ctx *ctx, const char *name)
{
	struct vtc__nlmsg *msg = vtc__nlmsg_new(RTM_GETLINK, 0, 128);
	struct ifinfomsg head = { .ifi_index = 0 };
	uint32_t ifindex = 0;
	struct vtc__nl *nl;

	ck_assert_errno(vtc__nl_rt(ctx, &nl), 0);
	ck_assert_errno(vtc__nlmsg_append(msg, &head, sizeof(head)), 0);
	ck_assert_errno(vtc__nlmsg_put_str(msg, IFLA_IFNAME, name), 0);
	ck_assert_errno(vtc__nl_request(ctx, nl, msg, take_index, &ifindex), 0);
	vtc__nlmsg_free(msg);
	return ifindex;
}

static int add_kind(struct vtc_ctx *ctx, const char *name, const char *kind)
{
	struct vtc__nlmsg *msg =
		vtc__nlmsg_new(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 256);
	struct ifinfomsg head = { .ifi_index = 0 };
	struct nlattr *info;
	struct vtc__nl *nl;
	int err;

	ck_assert_errno(vtc__nl_rt(ctx, &nl), 0);
	ck_assert_errno(vtc__nlmsg_append(msg, &head, sizeof(head)), 0);
	ck_assert_errno(vtc__nlmsg_put_str(msg, IFLA_IFNAME, name), 0);
	info = vtc__nlmsg_nest(msg, IFLA_LINKINFO);
	ck_assert_errno(vtc__nlmsg_put_str(msg, IFLA_INFO_KIND, kind), 0);
	vtc__nlmsg_nest_end(msg, info);
	err = vtc__nl_request(ctx, nl, msg, NULL, NULL);
	vtc__nlmsg_free(msg);
	return err;
}

uint32_t vtct_netns_add(struct vtc_ctx *ctx, const char *name)
{
	int err = add_kind(ctx, name, "dummy");

	/* Modules are not there everywhere; the bridge is most often built in. */
	if (err == -EOPNOTSUPP)
		err = add_kind(ctx, name, "bridge");
	if (err == -EOPNOTSUPP)
		vtct_skip("this kernel has neither dummy nor bridge interfaces");
	ck_assert_errno(err, 0);
	return index_of(ctx, name);
}

static void change(struct vtc_ctx *ctx, uint16_t type, const struct ifinfomsg *head)
{
	struct vtc__nlmsg *msg = vtc__nlmsg_new(type, 0, 64);
	struct vtc__nl *nl;

	ck_assert_errno(vtc__nl_rt(ctx, &nl), 0);
	ck_assert_errno(vtc__nlmsg_append(msg, head, sizeof(*head)), 0);
	ck_assert_errno(vtc__nl_request(ctx, nl, msg, NULL, NULL), 0);
	vtc__nlmsg_free(msg);
}

void vtct_netns_remove(struct vtc_ctx *ctx, uint32_t ifindex)
{
	struct ifinfomsg head = { .ifi_index = (int)ifindex };

	change(ctx, RTM_DELLINK, &head);
}

void vtct_netns_set_up(struct vtc_ctx *ctx, uint32_t ifindex, bool up)
{
	struct ifinfomsg head = { .ifi_index = (int)ifindex, .ifi_change = IFF_UP };

	head.ifi_flags = up ? IFF_UP : 0;
	change(ctx, RTM_SETLINK, &head);
}
