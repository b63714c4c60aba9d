/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * When to audit: when the card or the target came or went or was set up or down, when
 * its program or a setting of ethtool changed, and in any case after a while, because
 * rules that are lost are told of by nobody.
 */
#include <errno.h>
#include <linux/ethtool_netlink.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "core/genl.h"
#include "core/netlink.h"
#include "core/opts.h"
#include "pool.h"

#define OPERATION "watch pool"

/* How many datagrams are taken in one go; what is left keeps the descriptor readable. */
#define BUDGET 64

struct vtc__pool_watch {
	int fd, timer;
	struct vtc__nl *rt, *genl;
	bool due;
	/* The card as it was told of last. */
	bool known, up;
	uint32_t program;
};

/* ---- Opening and closing ---- */

void vtc__watch_close(struct vtc_pool *pool)
{
	struct vtc__pool_watch *watch = pool->watch;

	if (!watch)
		return;
	vtc__nl_close(pool->ctx, watch->rt);
	vtc__nl_close(pool->ctx, watch->genl);
	if (watch->timer >= 0)
		close(watch->timer);
	if (watch->fd >= 0)
		close(watch->fd);
	free(watch);
	pool->watch = NULL;
}

static int add(struct vtc__pool_watch *watch, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(watch->fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_timer(struct vtc__pool_watch *watch, uint32_t ms)
{
	const struct timespec time = { .tv_sec = ms / 1000,
				       .tv_nsec = (long)(ms % 1000) * 1000000 };
	const struct itimerspec often = { .it_interval = time, .it_value = time };

	watch->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (watch->timer < 0 || timerfd_settime(watch->timer, 0, &often, NULL) < 0)
		return -errno;
	return add(watch, watch->timer);
}

static int listen_to(struct vtc_ctx *ctx, struct vtc__pool_watch *watch, int protocol,
		     unsigned int group, struct vtc__nl **ret_nl)
{
	int err = vtc__nl_open(ctx, protocol, ret_nl);

	if (!err)
		err = vtc__nl_join(ctx, *ret_nl, group);
	if (!err)
		err = add(watch, vtc__nl_fd(*ret_nl));
	return err;
}

/* A kernel without the family tells nothing; there is the timer all the same. */
static int listen_to_ethtool(struct vtc_ctx *ctx, struct vtc__pool_watch *watch)
{
	uint32_t group;
	int err = vtc__genl_group(ctx, ETHTOOL_GENL_NAME, ETHTOOL_MCGRP_MONITOR_NAME,
				  &group);

	if (err)
		return err == -ENOENT ? 0 : err;
	return listen_to(ctx, watch, NETLINK_GENERIC, group, &watch->genl);
}

static int open_watch(struct vtc_pool *pool)
{
	struct vtc__pool_watch *watch = calloc(1, sizeof(*watch));
	int err;

	if (!watch)
		return -ENOMEM;
	pool->watch = watch;
	watch->timer = -1;
	watch->fd = epoll_create1(EPOLL_CLOEXEC);
	if (watch->fd < 0)
		return -errno;
	err = open_timer(watch, pool->data.audit_ms);
	if (!err)
		err = listen_to(pool->ctx, watch, NETLINK_ROUTE, RTNLGRP_LINK,
				&watch->rt);
	if (!err)
		err = listen_to_ethtool(pool->ctx, watch);
	return err;
}

static int watch(struct vtc_pool *pool)
{
	int err = pool->watch ? 0 : open_watch(pool);

	if (!err)
		return 0;
	vtc__watch_close(pool);
	return vtc__pool_err(pool, err, VTC_ERROR_ORIGIN_SYSTEM, OPERATION);
}

int vtc_pool_get_fd(struct vtc_pool *pool)
{
	int err = pool ? watch(pool) : -EINVAL;

	return err ? err : pool->watch->fd;
}

/* ---- Events ---- */

static uint32_t program_of(const struct nlattr *xdp)
{
	const struct nlattr *tb[IFLA_XDP_MAX + 1];
	uint32_t program;

	if (!xdp || vtc__nla_parse_nested(xdp, tb, IFLA_XDP_MAX) ||
	    vtc__nla_u32(tb[IFLA_XDP_PROG_ID], &program))
		return 0;
	return program;
}

static void take_card(struct vtc__pool_watch *watch, const struct nlmsghdr *msg,
		      const struct nlattr *xdp)
{
	const struct ifinfomsg *info = NLMSG_DATA(msg);
	bool up = info->ifi_flags & IFF_UP;
	uint32_t program = program_of(xdp);

	if (!watch->known || msg->nlmsg_type == RTM_DELLINK || up != watch->up ||
	    program != watch->program)
		watch->due = true;
	watch->known = true;
	watch->up = up;
	watch->program = program;
}

/* One that goes, or one that comes under its name. */
static bool is_target(const struct vtc_pool *pool, const struct nlmsghdr *msg,
		      uint32_t ifindex, const struct nlattr *name)
{
	const char *text;

	if (ifindex == pool->data.target)
		return msg->nlmsg_type == RTM_DELLINK;
	return pool->data.target_name[0] && vtc__nla_str(name, &text) == 0 &&
	       strcmp(text, pool->data.target_name) == 0;
}

static void take_link(struct vtc_pool *pool, const struct nlmsghdr *msg)
{
	const struct ifinfomsg *info = NLMSG_DATA(msg);
	const struct nlattr *tb[IFLA_XDP + 1];

	if ((msg->nlmsg_type != RTM_NEWLINK && msg->nlmsg_type != RTM_DELLINK) ||
	    msg->nlmsg_len < NLMSG_LENGTH(sizeof(*info)) ||
	    info->ifi_family != AF_UNSPEC || info->ifi_index <= 0 ||
	    vtc__nlmsg_parse(msg, sizeof(*info), tb, IFLA_XDP))
		return;
	if ((uint32_t)info->ifi_index == pool->uplink.ifindex)
		take_card(pool->watch, msg, tb[IFLA_XDP]);
	else if (is_target(pool, msg, (uint32_t)info->ifi_index, tb[IFLA_IFNAME]))
		pool->watch->due = true;
}

/* All notifications of the family begin with the same header, as attribute 1. */
static void take_setting(struct vtc_pool *pool, const struct nlmsghdr *msg)
{
	const struct nlattr *tb[2], *header[ETHTOOL_A_HEADER_MAX + 1];
	uint32_t ifindex;

	if (vtc__genl_parse(msg, tb, 1) || !tb[1] ||
	    vtc__nla_parse_nested(tb[1], header, ETHTOOL_A_HEADER_MAX) ||
	    vtc__nla_u32(header[ETHTOOL_A_HEADER_DEV_INDEX], &ifindex))
		return;
	if (ifindex == pool->uplink.ifindex)
		pool->watch->due = true;
}

static int drain(struct vtc_pool *pool, struct vtc__nl *nl,
		 void (*take)(struct vtc_pool *pool, const struct nlmsghdr *msg))
{
	const struct nlmsghdr *msg;
	const void *data;
	size_t len;

	for (int i = 0; nl && i < BUDGET; i++) {
		int n = vtc__nl_next(pool->ctx, nl, &data, &len);

		if (n == 0)
			break;
		if (n == -ENOBUFS) {
			pool->watch->due = true;
			continue;
		}
		if (n < 0)
			return n;
		msg = NULL;
		while ((msg = vtc__nlmsg_foreach_next(data, len, msg)))
			take(pool, msg);
	}
	return 0;
}

static void take_timer(struct vtc__pool_watch *watch)
{
	uint64_t expired;

	if (read(watch->timer, &expired, sizeof(expired)) == sizeof(expired))
		watch->due = true;
}

int vtc_pool_process(struct vtc_pool *pool, struct vtc_pool_audit *audit)
{
	const struct vtc_pool_audit none = { .text = "" };
	int err;

	if (!pool)
		return -EINVAL;
	if (audit && audit->sz < sizeof(*audit))
		return vtc__err_arg(pool->ctx, OPERATION, "audit.sz");
	err = watch(pool);
	if (err)
		return err;
	take_timer(pool->watch);
	err = drain(pool, pool->watch->rt, take_link);
	if (!err)
		err = drain(pool, pool->watch->genl, take_setting);
	if (err)
		return vtc__pool_err(pool, err, VTC_ERROR_ORIGIN_SYSTEM, OPERATION);
	if (!pool->watch->due) {
		if (audit)
			vtc__opts_give(audit, &none, sizeof(none));
		return 0;
	}
	pool->watch->due = false;
	err = vtc_pool_audit(pool, audit);
	return err ? err : 1;
}
