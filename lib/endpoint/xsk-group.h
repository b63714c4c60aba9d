/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copies of the group frames (broadcast and multicast) that an interface receives, by a
 * packet socket: the program on the interface leaves these to the stack.
 */
#ifndef VTC__XSK_GROUP_H
#define VTC__XSK_GROUP_H

#include "port.h"

struct vtc__xsk_group;

/* vlans as in struct vtc__xsk_opts. Counters are those of the port's first queue. */
int vtc__xsk_group_open(struct vtc_port *port, uint32_t ifindex, const uint64_t *vlans,
			struct vtc__xsk_group **ret_group);
void vtc__xsk_group_close(struct vtc__xsk_group *group);
void vtc__xsk_group_set_vlans(struct vtc__xsk_group *group, const uint64_t *vlans);

int vtc__xsk_group_watch(struct vtc__xsk_group *group, struct vtc__loop *loop);
void vtc__xsk_group_forget(struct vtc__xsk_group *group, struct vtc__loop *loop);

/* Is there nothing, as far as one is told? */
bool vtc__xsk_group_is_empty(const struct vtc__xsk_group *group);
/* Fill in packets with header, up to max, of a bounded number; how many. */
unsigned int vtc__xsk_group_take(struct vtc__xsk_group *group, struct vtc_segment *to,
				 unsigned int max);
/* The first so many of them are done with. */
void vtc__xsk_group_drop(struct vtc__xsk_group *group, unsigned int count);

#endif
