/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The network interfaces that a monitor knows, kept up to date by rtnetlink. */
#include <errno.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/sysfs.h"
#include "monitor.h"

/* How often a dump that was changed under way is begun anew at once. */
#define DUMPS_MAX 8

/* Where a link is, or would be. */
static size_t place_of(const struct vtc__links *links, uint32_t ifindex)
{
	size_t low = 0, high = links->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (links->link[middle].ifindex < ifindex)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct vtc__link *find(const struct vtc__links *links, uint32_t ifindex)
{
	size_t place = place_of(links, ifindex);

	if (place < links->count && links->link[place].ifindex == ifindex)
		return &links->link[place];
	return NULL;
}

static int append(struct vtc__links *links, const struct vtc__link *link)
{
	void *array = links->link;
	int err = vtc__grow(&array, &links->room, links->count, sizeof(*link));

	links->link = array;
	if (!err)
		links->link[links->count++] = *link;
	return err;
}

static int insert(struct vtc__links *links, const struct vtc__link *link)
{
	size_t place = place_of(links, link->ifindex);
	int err = append(links, link);

	if (err)
		return err;
	memmove(&links->link[place + 1], &links->link[place],
		(links->count - 1 - place) * sizeof(*link));
	links->link[place] = *link;
	return 0;
}

/*
 * 1: a link; 0: a message about something else. Bridges and wireless drivers send
 * messages of these types, too, that do not describe the link.
 */
static int parse(const struct nlmsghdr *msg, struct vtc__link *ret)
{
	const struct nlattr *tb[IFLA_CARRIER + 1];
	const struct ifinfomsg *info = (const void *)(msg + 1);
	struct vtc__link link = { .device_state = -ENODATA };
	const char *name;
	uint8_t carrier;

	if (msg->nlmsg_len < NLMSG_LENGTH(sizeof(*info)) ||
	    info->ifi_family != AF_UNSPEC || info->ifi_index <= 0 ||
	    vtc__nlmsg_parse(msg, sizeof(*info), tb, IFLA_CARRIER) ||
	    vtc__nla_str(tb[IFLA_IFNAME], &name) ||
	    vtc__text_copy(link.name, sizeof(link.name), name))
		return 0;
	link.ifindex = (uint32_t)info->ifi_index;
	link.up = info->ifi_flags & IFF_UP;
	link.carrier = info->ifi_flags & IFF_LOWER_UP;
	if (vtc__nla_u8(tb[IFLA_CARRIER], &carrier) == 0)
		link.carrier = link.up && carrier;
	if (vtc__nla_u32(tb[IFLA_MTU], &link.mtu))
		link.mtu = 0;
	if (tb[IFLA_ADDRESS] && vtc__nla_len(tb[IFLA_ADDRESS]) <= sizeof(link.addr)) {
		link.addr_len = (uint8_t)vtc__nla_len(tb[IFLA_ADDRESS]);
		memcpy(link.addr, vtc__nla_data(tb[IFLA_ADDRESS]), link.addr_len);
	}
	*ret = link;
	return 1;
}

/* Names move from one interface to another, so sysfs must mean the same one. */
static void find_device(struct vtc_ctx *ctx, struct vtc__link *link)
{
	char dir[VTC__PATH_MAX];
	struct vtc__owner owner;
	struct vtc__num ifindex;
	int state;

	if (!vtc__name_ok(link->name) ||
	    vtc__path(dir, sizeof(dir), "class/net/%s", link->name))
		return;
	state = vtc__netdev_owner(ctx, link->name, &owner);
	vtc__num_read(ctx, dir, "ifindex", UINT32_MAX, &ifindex);
	if (ifindex.state != 1 || ifindex.value != link->ifindex)
		return;
	link->device_state = state;
	if (state == 1)
		strcpy(link->device, owner.address);
}

/* The device of an interface never changes: ask until it is known. */
static void inherit_device(struct vtc_ctx *ctx, const struct vtc__link *old,
			   struct vtc__link *link)
{
	if (!old || old->device_state < 0) {
		find_device(ctx, link);
		return;
	}
	link->device_state = old->device_state;
	strcpy(link->device, old->device);
}

static bool same(const struct vtc__link *a, const struct vtc__link *b)
{
	return strcmp(a->name, b->name) == 0 && a->mtu == b->mtu && a->up == b->up &&
	       a->carrier == b->carrier && a->addr_len == b->addr_len &&
	       memcmp(a->addr, b->addr, a->addr_len) == 0;
}

static void removed(struct vtc_monitor *monitor, uint32_t ifindex)
{
	struct vtc__links *links = &monitor->links;
	struct vtc__link *at = find(links, ifindex);
	struct vtc__link gone;

	if (!at)
		return;
	gone = *at;
	links->count--;
	memmove(at, at + 1, (size_t)(links->link + links->count - at) * sizeof(*at));
	vtc__monitor_emit(monitor, VTC_EVENT_LINK_REMOVED, &gone, NULL);
}

static int present(struct vtc_monitor *monitor, struct vtc__link *link)
{
	struct vtc__link *known = find(&monitor->links, link->ifindex);
	bool changed;
	int err;

	inherit_device(monitor->ctx, known, link);
	if (!known) {
		err = insert(&monitor->links, link);
		if (!err)
			vtc__monitor_emit(monitor, VTC_EVENT_LINK_ADDED, link, NULL);
		return err;
	}
	changed = !same(known, link);
	*known = *link;
	if (changed)
		vtc__monitor_emit(monitor, VTC_EVENT_LINK_CHANGED, link, NULL);
	return 0;
}

int vtc__links_take(struct vtc_monitor *monitor, const struct nlmsghdr *msg)
{
	struct vtc__link link;

	if ((msg->nlmsg_type != RTM_NEWLINK && msg->nlmsg_type != RTM_DELLINK) ||
	    parse(msg, &link) != 1)
		return 0;
	if (msg->nlmsg_type == RTM_NEWLINK)
		return present(monitor, &link);
	removed(monitor, link.ifindex);
	return 0;
}

/* ---- Reading them all ---- */

static int take_dumped(void *arg, const struct nlmsghdr *msg)
{
	struct vtc__link link;

	if (msg->nlmsg_type != RTM_NEWLINK || parse(msg, &link) != 1)
		return 0;
	return append(arg, &link);
}

static int dump_once(struct vtc_ctx *ctx, struct vtc__links *links)
{
	const struct ifinfomsg info = { .ifi_family = AF_UNSPEC };
	struct vtc__nlmsg *msg = vtc__nlmsg_new(RTM_GETLINK, NLM_F_DUMP, 128);
	struct vtc__nl *nl;
	int err;

	if (!msg)
		return -ENOMEM;
	err = vtc__nlmsg_append(msg, &info, sizeof(info));
	if (!err)
		err = vtc__nlmsg_put_u32(msg, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	if (!err)
		err = vtc__nl_rt(ctx, &nl);
	if (!err)
		err = vtc__nl_request(ctx, nl, msg, take_dumped, links);
	vtc__nlmsg_free(msg);
	return err;
}

static int by_ifindex(const void *a, const void *b)
{
	const struct vtc__link *x = a, *y = b;

	return x->ifindex < y->ifindex ? -1 : x->ifindex > y->ifindex;
}

static int dump(struct vtc_ctx *ctx, struct vtc__links *links)
{
	int err = -EAGAIN;

	for (int i = 0; i < DUMPS_MAX && err == -EAGAIN; i++) {
		links->count = 0;
		err = dump_once(ctx, links);
	}
	if (!err && links->count)
		qsort(links->link, links->count, sizeof(*links->link), by_ifindex);
	return err;
}

static void tell_differences(struct vtc_monitor *monitor, const struct vtc__links *old,
			     const struct vtc__links *new)
{
	for (size_t i = 0; i < old->count; i++) {
		if (!find(new, old->link[i].ifindex))
			vtc__monitor_emit(monitor, VTC_EVENT_LINK_REMOVED, &old->link[i],
					  NULL);
	}
	for (size_t i = 0; i < new->count; i++) {
		const struct vtc__link *link = &new->link[i];
		const struct vtc__link *known = find(old, link->ifindex);

		if (!known)
			vtc__monitor_emit(monitor, VTC_EVENT_LINK_ADDED, link, NULL);
		else if (!same(known, link))
			vtc__monitor_emit(monitor, VTC_EVENT_LINK_CHANGED, link, NULL);
	}
}

int vtc__links_resync(struct vtc_monitor *monitor)
{
	struct vtc__links old = monitor->links, new = { .count = 0 };
	int err = dump(monitor->ctx, &new);

	if (err) {
		free(new.link);
		return err;
	}
	for (size_t i = 0; i < new.count; i++)
		inherit_device(monitor->ctx, find(&old, new.link[i].ifindex),
			       &new.link[i]);
	monitor->links = new;
	tell_differences(monitor, &old, &new);
	free(old.link);
	return 0;
}
