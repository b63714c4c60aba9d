/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The root queueing discipline of a card, and whose it is. Ours are known by their
 * handle, the kernel's default has none.
 */
#ifndef VTC__QDISC_H
#define VTC__QDISC_H

#include <stdbool.h>
#include <stdint.h>

#include "core/netlink.h"

/* Handle of ours, "vt"; the low half is for classes. */
#define VTC__QDISC_HANDLE 0x76740000u

struct vtc__qdisc {
	char kind[16]; /* "": not told */
	uint32_t handle;
};

/* The root discipline. Bare -errno. */
int vtc__qdisc_root(struct vtc_ctx *ctx, uint32_t ifindex, struct vtc__qdisc *ret);

static inline bool vtc__qdisc_is_default(const struct vtc__qdisc *qdisc)
{
	return !qdisc->handle;
}

/* Ours, and of this kind. */
bool vtc__qdisc_is_ours(const struct vtc__qdisc *qdisc, const char *kind);

/* Remove the root discipline if it is ours; the kernel's default comes back. */
int vtc__qdisc_remove(struct vtc_ctx *ctx, uint32_t ifindex, const char *kind);

/* Whether one of ours could be put there; -EOPNOTSUPP: somebody else's is, see why. */
int vtc__qdisc_may_be_ours(struct vtc_ctx *ctx, uint32_t ifindex, const char *kind,
			   char *why, size_t len);

/* ---- Messages ---- */

/* A tc message; kind NULL: none. NULL: memory is out. */
struct vtc__nlmsg *vtc__tc_msg(uint16_t type, uint16_t flags, uint32_t ifindex,
			       uint32_t parent, uint32_t handle, const char *kind);
/* Send it and free it; err is handed on if not 0. */
int vtc__tc_send(struct vtc_ctx *ctx, struct vtc__nlmsg *msg, int err);
/* All qdiscs, classes or filters (RTM_GETx) of an interface, those of parent. */
int vtc__tc_dump(struct vtc_ctx *ctx, uint16_t type, uint32_t ifindex, uint32_t parent,
		 vtc__nl_fn fn, void *arg);

#endif
