/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What can be asked of an event. */
#include <errno.h>
#include <stddef.h>

#include "monitor.h"

enum vtc_event_type vtc_event_get_type(const struct vtc_event *event)
{
	return event ? event->type : (enum vtc_event_type)0;
}

const char *vtc_event_type_name(enum vtc_event_type type)
{
	static const char *const names[] = {
		[VTC_EVENT_LINK_ADDED] = "link-added",
		[VTC_EVENT_LINK_CHANGED] = "link-changed",
		[VTC_EVENT_LINK_REMOVED] = "link-removed",
		[VTC_EVENT_VF_ADDED] = "vf-added",
		[VTC_EVENT_VF_REMOVED] = "vf-removed",
		[VTC_EVENT_PF_GONE] = "pf-gone",
		[VTC_EVENT_RESYNC] = "resync",
	};

	if ((unsigned int)type >= sizeof(names) / sizeof(names[0]) || !names[type])
		return "unknown";
	return names[type];
}

uint32_t vtc_event_get_ifindex(const struct vtc_event *event)
{
	return event && event->link ? event->link->ifindex : 0;
}

int vtc_event_get_ifname(const struct vtc_event *event, const char **ret_name)
{
	if (!event || !ret_name)
		return -EINVAL;
	if (!event->link)
		return 0;
	*ret_name = event->link->name;
	return 1;
}

int vtc_event_get_link_state(const struct vtc_event *event, int *ret_up, int *ret_carrier)
{
	if (!event || !ret_up || !ret_carrier)
		return -EINVAL;
	if (!event->link || event->type == VTC_EVENT_LINK_REMOVED)
		return 0;
	*ret_up = event->link->up;
	*ret_carrier = event->link->carrier;
	return 1;
}

int vtc_event_get_address(const struct vtc_event *event, const char **ret_address)
{
	if (!event || !ret_address)
		return -EINVAL;
	if (event->func) {
		*ret_address = event->func->address;
		return 1;
	}
	if (!event->link)
		return 0;
	if (event->link->device_state == 1)
		*ret_address = event->link->device;
	return event->link->device_state;
}

int vtc_event_get_vf(const struct vtc_event *event, const char **ret_pf,
		     uint32_t *ret_index)
{
	int state;

	if (!event || !ret_pf || !ret_index)
		return -EINVAL;
	if (!event->func || event->func->kind != VTC_NIC_VF)
		return 0;
	state = vtc__num_get(&event->func->index, ret_index);
	if (state == 1)
		*ret_pf = event->func->pf;
	return state;
}
