/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as a broadcast; the first says whether of rtnetlink (even) or of uevents (odd). */
#include <linux/rtnetlink.h>
#include <string.h>
#include <vtc/monitor.h>

#include "fuzz.h"

static void take_event(void *data, const struct vtc_event *event)
{
	static volatile size_t sink;
	const char *text = NULL;
	uint32_t index;
	int up, carrier;

	(void)data;
	sink = sink + strlen(vtc_event_type_name(vtc_event_get_type(event)));
	(void)vtc_event_get_ifindex(event);
	if (vtc_event_get_ifname(event, &text) == 1)
		sink = sink + strlen(text);
	if (vtc_event_get_address(event, &text) == 1)
		sink = sink + strlen(text);
	if (vtc_event_get_vf(event, &text, &index) == 1)
		sink = sink + strlen(text);
	(void)vtc_event_get_link_state(event, &up, &carrier);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct vtct_kernel *k = vtct_fuzz_kernel();
	static struct vtc_ctx *ctx;
	struct vtc_monitor *monitor;

	if (!len)
		return 0;
	if (!ctx)
		ctx = vtct_kernel_ctx(k);
	if (vtc_monitor_open(ctx, take_event, NULL, &monitor))
		return 0;
	if (data[0] % 2)
		vtct_broadcast(k, NETLINK_KOBJECT_UEVENT, 1, data + 1, len - 1);
	else
		vtct_broadcast(k, NETLINK_ROUTE, RTNLGRP_LINK, data + 1, len - 1);
	(void)vtc_monitor_dispatch(monitor);
	(void)vtc_monitor_dispatch(monitor);
	vtc_monitor_close(monitor);
	return 0;
}
