/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a context holds. */
#ifndef VTC__CTX_H
#define VTC__CTX_H

#include <stdatomic.h>
#include <stdint.h>

#include <vtc/ctx.h>

#include "error.h"
#include "log.h"
#include "sys.h"

#define VTC__PATH_MAX 512
#define VTC__ROOT_MAX 256

#define VTC__NS_PER_MS 1000000ull

struct vtc__nl;
struct vtc__stuck;
struct vtc__umem;

struct vtc_ctx {
	atomic_uint refs;
	const struct vtc__sys *sys;
	void *sys_priv;
	struct vtc_ctx_opts opts; /* the paths in it point to the two arrays below */
	char sysfs_root[VTC__ROOT_MAX];
	char real_root[VTC__ROOT_MAX]; /* the same without links; "": not known yet */
	char state_dir[VTC__ROOT_MAX];
	struct vtc_error error;
	struct vtc__nl *rt; /* request connections, opened when first needed */
	struct vtc__nl *genl;
	struct vtc__umem *umems;  /* what AF_XDP ports of this context share */
	struct vtc__stuck *stuck; /* slow writes that have not come back */
};

/* vtc_ctx_new() on another kernel than the real one. */
int vtc__ctx_new(const struct vtc_ctx_opts *opts, const struct vtc__sys *sys, void *priv,
		 struct vtc_ctx **ret_ctx);

uint64_t vtc__now_ns(struct vtc_ctx *ctx);

/* Let time pass (0: only yields); for polling with a bound. */
void vtc__sleep_ms(struct vtc_ctx *ctx, unsigned int ms);

/*
 * Lock a name (such as "pf-0000:01:00.0") between processes, in the state directory.
 * Gives a descriptor for vtc__unlock(), or -EAGAIN if another process holds it.
 */
int vtc__lock(struct vtc_ctx *ctx, const char *name);
void vtc__unlock(struct vtc_ctx *ctx, int fd);

#endif
