/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The context: options, time, locks between processes, and the end of it all. */
#include "ctx.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "netlink.h"
#include "opts.h"
#include "sysfs.h"
#include "text.h"

/* The size of struct vtc_ctx_opts in 0.1, which callers of any later version reach. */
#define OPTS_FIRST sizeof(struct vtc_ctx_opts)

static int set_root(char *buf, const char *given, const char *usual)
{
	if (!given)
		given = usual;
	if (given[0] != '/')
		return -EINVAL;
	return vtc__text_copy(buf, VTC__ROOT_MAX, given) ? -EINVAL : 0;
}

static bool level_ok(uint32_t level)
{
	return level == VTC_LOG_NONE || level == VTC_LOG_ERR ||
	       level == VTC_LOG_WARNING || level == VTC_LOG_INFO ||
	       level == VTC_LOG_DEBUG;
}

static int load_opts(struct vtc_ctx *ctx, const struct vtc_ctx_opts *opts)
{
	int err = vtc__opts_load(&ctx->opts, sizeof(ctx->opts), OPTS_FIRST, opts);

	if (err)
		return err;
	if (ctx->opts.flags || ctx->opts.reserved || !level_ok(ctx->opts.log_level))
		return -EINVAL;
	if (!ctx->opts.log_level)
		ctx->opts.log_level = VTC_LOG_WARNING;

	err = set_root(ctx->sysfs_root, ctx->opts.sysfs_root, "/sys");
	if (!err)
		err = set_root(ctx->state_dir, ctx->opts.state_dir, "/run/libvtc");
	ctx->opts.sysfs_root = ctx->sysfs_root;
	ctx->opts.state_dir = ctx->state_dir;
	return err;
}

int vtc__ctx_new(const struct vtc_ctx_opts *opts, const struct vtc__sys *sys, void *priv,
		 struct vtc_ctx **ret_ctx)
{
	struct vtc_ctx *ctx;
	int err;

	if (!ret_ctx)
		return -EINVAL;
	ctx = calloc(1, sizeof(*ctx));
	if (!ctx)
		return -ENOMEM;

	ctx->sys = sys;
	ctx->sys_priv = priv;
	err = load_opts(ctx, opts);
	if (err) {
		free(ctx);
		return err;
	}
	atomic_init(&ctx->refs, 1);
	*ret_ctx = ctx;
	return 0;
}

int vtc_ctx_new(const struct vtc_ctx_opts *opts, struct vtc_ctx **ret_ctx)
{
	return vtc__ctx_new(opts, &vtc__sys_kernel, NULL, ret_ctx);
}

struct vtc_ctx *vtc_ctx_ref(struct vtc_ctx *ctx)
{
	if (ctx)
		atomic_fetch_add(&ctx->refs, 1);
	return ctx;
}

struct vtc_ctx *vtc_ctx_unref(struct vtc_ctx *ctx)
{
	if (!ctx || atomic_fetch_sub(&ctx->refs, 1) != 1)
		return NULL;

	vtc__nl_close(ctx, ctx->rt);
	vtc__nl_close(ctx, ctx->genl);
	vtc__sysfs_forget_stuck(ctx);
	free(ctx);
	return NULL;
}

const struct vtc_error *vtc_ctx_last_error(const struct vtc_ctx *ctx)
{
	return ctx ? &ctx->error : NULL;
}

uint64_t vtc__now_ns(struct vtc_ctx *ctx)
{
	if (ctx->opts.clock)
		return ctx->opts.clock(ctx->opts.clock_data);
	return ctx->sys->now_ns(ctx->sys_priv);
}

void vtc__sleep_ms(struct vtc_ctx *ctx, unsigned int ms)
{
	(void)ctx->sys->poll(ctx->sys_priv, -1, ms * VTC__NS_PER_MS);
}

int vtc__lock(struct vtc_ctx *ctx, const char *name)
{
	return ctx->sys->lock(ctx->sys_priv, ctx->state_dir, name);
}

void vtc__unlock(struct vtc_ctx *ctx, int fd)
{
	if (fd < 0)
		return;
	/* Closing is not enough: a child that was forked meanwhile has it open, too. */
	ctx->sys->unlock(ctx->sys_priv, fd);
	ctx->sys->close(ctx->sys_priv, fd);
}
