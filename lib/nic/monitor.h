/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a monitor knows, so that it can tell what changed. */
#ifndef VTC__MONITOR_H
#define VTC__MONITOR_H

#include <vtc/monitor.h>

#include "core/netlink.h"
#include "nic.h"

#define VTC__LINK_NAME_LEN 16
#define VTC__LINK_ADDR_LEN 32

struct vtc__link {
	uint32_t ifindex;
	uint32_t mtu;
	char name[VTC__LINK_NAME_LEN];
	uint8_t addr[VTC__LINK_ADDR_LEN];
	uint8_t addr_len;
	bool up;
	bool carrier;
	int device_state; /* as of vtc_event_get_address() */
	char device[VTC__ADDRESS_LEN];
};

/* A PF or a VF. */
struct vtc__func {
	char address[VTC__BDF_LEN];
	enum vtc_nic_kind kind;
	char pf[VTC__BDF_LEN];
	struct vtc__num index;
};

/* Both in order: links by ifindex, functions by address. */
struct vtc__links {
	struct vtc__link *link;
	size_t count, room;
};

struct vtc__funcs {
	struct vtc__func *func;
	size_t count, room;
};

struct vtc_event {
	enum vtc_event_type type;
	const struct vtc__link *link; /* of LINK events */
	const struct vtc__func *func; /* of VF and PF events */
};

struct vtc_monitor {
	struct vtc_ctx *ctx;
	vtc_event_fn fn; /* NULL while the monitor gets to know what is there */
	void *data;
	struct vtc__nl *rt, *uevent;
	int fd;
	struct vtc__links links;
	struct vtc__funcs funcs;
	bool lost;  /* broadcasts were dropped: everything must be read anew */
	bool stale; /* PCI functions came or changed: they must be read anew */
	bool armed; /* the descriptor is readable because of one of these */
	bool dispatching;
	int delivered;
};

void vtc__monitor_emit(struct vtc_monitor *monitor, enum vtc_event_type type,
		       const struct vtc__link *link, const struct vtc__func *func);

/* Take one rtnetlink message. -ENOMEM: it could not be taken. (monitor-links.c) */
int vtc__links_take(struct vtc_monitor *monitor, const struct nlmsghdr *msg);

/* Read all links and tell the difference. */
int vtc__links_resync(struct vtc_monitor *monitor);

/* A PCI function is gone. (monitor-functions.c) */
void vtc__funcs_remove(struct vtc_monitor *monitor, const char *address);

/* Read all functions and tell the difference. */
int vtc__funcs_resync(struct vtc_monitor *monitor);

#endif
