/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The monitor: two listening connections behind one descriptor, and what a loss means. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/uevent.h"
#include "monitor.h"

#define OPERATION    "open monitor"
#define BUDGET	     64
#define UEVENT_GROUP 1 /* the kernel's own; udev repeats them on another one */

void vtc__monitor_emit(struct vtc_monitor *monitor, enum vtc_event_type type,
		       const struct vtc__link *link, const struct vtc__func *func)
{
	const struct vtc_event event = { .type = type, .link = link, .func = func };

	if (!monitor->fn)
		return;
	monitor->delivered++;
	monitor->fn(monitor->data, &event);
}

/* ---- Opening and closing ---- */

static int listen_to(struct vtc_monitor *monitor, int protocol, unsigned int group,
		     struct vtc__nl **ret_nl)
{
	struct epoll_event event = { .events = EPOLLIN };
	int err = vtc__nl_open(monitor->ctx, protocol, ret_nl);

	if (!err)
		err = vtc__nl_join(monitor->ctx, *ret_nl, group);
	if (!err &&
	    epoll_ctl(monitor->fd, EPOLL_CTL_ADD, vtc__nl_fd(*ret_nl), &event) < 0)
		err = -errno;
	return err;
}

/* Listen first and look then: what happens in between is told twice, but not missed. */
static int start(struct vtc_monitor *monitor)
{
	int err;

	monitor->fd = epoll_create1(EPOLL_CLOEXEC);
	if (monitor->fd < 0)
		return -errno;
	err = listen_to(monitor, NETLINK_ROUTE, RTNLGRP_LINK, &monitor->rt);
	if (!err)
		err = listen_to(monitor, NETLINK_KOBJECT_UEVENT, UEVENT_GROUP,
				&monitor->uevent);
	if (!err)
		err = vtc__links_resync(monitor);
	if (!err)
		err = vtc__funcs_resync(monitor);
	return err;
}

int vtc_monitor_open(struct vtc_ctx *ctx, vtc_event_fn fn, void *data,
		     struct vtc_monitor **ret_monitor)
{
	struct vtc_monitor *monitor;
	int err;

	if (!ctx)
		return -EINVAL;
	if (!fn || !ret_monitor)
		return vtc__err_arg(ctx, OPERATION, fn ? "ret_monitor" : "fn");
	monitor = calloc(1, sizeof(*monitor));
	if (!monitor)
		return vtc__err(ctx, -ENOMEM, VTC_ERROR_ORIGIN_SYSTEM, OPERATION,
				"memory");

	monitor->ctx = vtc_ctx_ref(ctx);
	err = start(monitor);
	if (err) {
		vtc_monitor_close(monitor);
		return vtc__err(ctx, err, VTC_ERROR_ORIGIN_SYSTEM, OPERATION,
				"rtnetlink and uevents");
	}
	monitor->fn = fn;
	monitor->data = data;
	*ret_monitor = monitor;
	return 0;
}

void vtc_monitor_close(struct vtc_monitor *monitor)
{
	if (!monitor || monitor->dispatching)
		return;
	vtc__nl_close(monitor->ctx, monitor->rt);
	vtc__nl_close(monitor->ctx, monitor->uevent);
	if (monitor->fd >= 0)
		close(monitor->fd);
	vtc_ctx_unref(monitor->ctx);
	free(monitor->links.link);
	free(monitor->funcs.func);
	free(monitor);
}

int vtc_monitor_get_fd(const struct vtc_monitor *monitor)
{
	return monitor ? monitor->fd : -EINVAL;
}

/* ---- Delivering ---- */

static int take_links(struct vtc_monitor *monitor, const void *data, size_t len)
{
	const struct nlmsghdr *msg = NULL;

	while ((msg = vtc__nlmsg_foreach_next(data, len, msg))) {
		int err = vtc__links_take(monitor, msg);

		if (err)
			return err;
	}
	return 0;
}

static int take_uevent(struct vtc_monitor *monitor, const void *data, size_t len)
{
	struct vtc__uevent uevent;

	if (vtc__uevent_parse(data, len, &uevent) || strcmp(uevent.subsystem, "pci") != 0)
		return 0;
	if (strcmp(uevent.action, "remove") == 0)
		vtc__funcs_remove(monitor, uevent.pci_slot);
	else if (strcmp(uevent.action, "add") == 0 ||
		 strcmp(uevent.action, "change") == 0)
		monitor->stale = true;
	return 0;
}

/* 1: a datagram was taken, or lost; 0: there is none. */
static int take_next(struct vtc_monitor *monitor, struct vtc__nl *nl,
		     int (*take)(struct vtc_monitor *, const void *, size_t))
{
	const void *data;
	size_t len;
	int n = vtc__nl_next(monitor->ctx, nl, &data, &len);

	if (n == 1)
		n = take(monitor, data, len) ? -ENOMEM : 1;
	if (n < 0)
		monitor->lost = true;
	return n == -ENOBUFS ? 1 : n;
}

/* 1: nothing is left; 0: there may be more. */
static int take_some(struct vtc_monitor *monitor)
{
	for (int taken = 0; taken < BUDGET;) {
		int links = take_next(monitor, monitor->rt, take_links);
		int uevents = links < 0 || taken + links == BUDGET
				      ? 0
				      : take_next(monitor, monitor->uevent, take_uevent);

		if (links < 0 || uevents < 0)
			return links < 0 ? links : uevents;
		if (!links && !uevents)
			return 1;
		taken += links + uevents;
	}
	return 0;
}

/* Comes after all that was queued before the loss: that is older than what we read. */
static int resync(struct vtc_monitor *monitor)
{
	int err = vtc__links_resync(monitor);

	if (!err)
		err = vtc__funcs_resync(monitor);
	if (err)
		return err;
	monitor->lost = false;
	monitor->stale = false;
	vtc__monitor_emit(monitor, VTC_EVENT_RESYNC, NULL, NULL);
	return 0;
}

static int catch_up(struct vtc_monitor *monitor)
{
	int drained = take_some(monitor);
	int err = drained < 0 ? drained : 0;

	if (drained == 1 && monitor->lost)
		return resync(monitor);
	if (!err && monitor->stale) {
		err = vtc__funcs_resync(monitor);
		monitor->stale = err < 0;
	}
	return err;
}

/* A writable socket keeps the descriptor readable while there is work of our own. */
static void arm(struct vtc_monitor *monitor)
{
	bool needed = monitor->lost || monitor->stale;
	struct epoll_event event = { .events = needed ? EPOLLIN | EPOLLOUT : EPOLLIN };

	if (needed != monitor->armed &&
	    epoll_ctl(monitor->fd, EPOLL_CTL_MOD, vtc__nl_fd(monitor->rt), &event) == 0)
		monitor->armed = needed;
}

int vtc_monitor_dispatch(struct vtc_monitor *monitor)
{
	const char *operation = "dispatch events";
	int err;

	if (!monitor)
		return -EINVAL;
	if (monitor->dispatching)
		return vtc__err(monitor->ctx, -EBUSY, VTC_ERROR_ORIGIN_LIBRARY, operation,
				"called from its own callback");
	monitor->dispatching = true;
	monitor->delivered = 0;
	err = catch_up(monitor);
	monitor->dispatching = false;
	arm(monitor);
	if (err)
		return vtc__err(monitor->ctx, err, VTC_ERROR_ORIGIN_SYSTEM, operation,
				"rtnetlink and uevents");
	return monitor->delivered;
}
