/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A network namespace of the test's own, on the real kernel, with root or without. */
#ifndef VTCT_NETNS_H
#define VTCT_NETNS_H

#include <stdbool.h>
#include <stdint.h>

#include <vtc/ctx.h>

/*
 * Move this process into a new network namespace, in which it may do everything; without root into
 * a new user namespace as well. There is one interface, lo, which is down. The running test is
 * skipped with the reason where that is forbidden.
 */
void vtct_netns_enter(void);

/* In such a namespace: make an interface that stands alone and needs no hardware; its index. */
uint32_t vtct_netns_add(struct vtc_ctx *ctx, const char *name);
void vtct_netns_remove(struct vtc_ctx *ctx, uint32_t ifindex);
void vtct_netns_set_up(struct vtc_ctx *ctx, uint32_t ifindex, bool up);

#endif
