/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pools.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct vtc_ctx *pools_ctx(void)
{
	struct vtc_ctx_opts opts = VTC_CTX_OPTS_INIT;
	struct vtc_ctx *ctx;

	opts.state_dir = vtct_dir();
	ck_assert_errno(vtc_ctx_new(&opts, &ctx), 0);
	return ctx;
}

struct vtc_filter pools_mac(const struct vtc_mac *mac)
{
	return (struct vtc_filter){ .mac = *mac, .match = VTC_FILTER_MAC };
}

struct vtc_filter pools_vlan(uint16_t vlan)
{
	return (struct vtc_filter){ .vlan = vlan, .match = VTC_FILTER_VLAN };
}

struct vtc_filter pools_both(const struct vtc_mac *mac, uint16_t vlan)
{
	return (struct vtc_filter){ .mac = *mac,
				    .vlan = vlan,
				    .match = VTC_FILTER_MAC | VTC_FILTER_VLAN };
}

struct vtc_pool *pools_request(struct vtc_ctx *ctx, const char *nic, const char *name,
			       enum vtc_pool_backend backend, const char *target,
			       uint32_t flags)
{
	struct vtc_pool_opts opts = VTC_POOL_OPTS_INIT;
	struct vtc_pool *pool = NULL;

	opts.name = name;
	opts.backend = backend;
	opts.target = target;
	opts.flags = flags;
	ck_assert_msg(vtc_pool_request(ctx, nic, &opts, &pool) == 0, "%s: %s", name,
		      lab_error(ctx));
	return pool;
}

void pools_add(struct vtc_ctx *ctx, struct vtc_pool *pool, struct vtc_filter filter)
{
	ck_assert_msg(vtc_pool_add_filter(pool, &filter) == 0, "%s", lab_error(ctx));
}

void pools_refuse(struct vtc_ctx *ctx, struct vtc_pool *pool, struct vtc_filter filter,
		  int want, const char *part)
{
	ck_assert_errno(vtc_pool_add_filter(pool, &filter), want);
	ck_assert_has(lab_error(ctx), part);
}

void pools_release(struct vtc_ctx *ctx, struct vtc_pool *pool)
{
	ck_assert_msg(vtc_pool_release(pool) == 0, "%s", lab_error(ctx));
}

struct vtc_pool_info pools_info(struct vtc_pool *pool)
{
	struct vtc_pool_info info = { .sz = sizeof(info) };

	ck_assert_errno(vtc_pool_get_info(pool, &info), 0);
	return info;
}

struct vtc_pool_stats pools_stats(struct vtc_ctx *ctx, struct vtc_pool *pool)
{
	struct vtc_pool_stats stats = { .sz = sizeof(stats) };

	ck_assert_msg(vtc_pool_get_stats(pool, &stats) == 0, "%s", lab_error(ctx));
	return stats;
}

uint32_t pools_audit(struct vtc_ctx *ctx, struct vtc_pool *pool)
{
	struct vtc_pool_audit audit = { .sz = sizeof(audit) };

	ck_assert_msg(vtc_pool_audit(pool, &audit) == 0, "%s", lab_error(ctx));
	ck_assert_uint_gt(audit.checked, 0);
	return audit.repaired;
}

void pools_killed(void (*work)(void))
{
	pid_t pid = fork();
	int status = 0;

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		work();
		kill(getpid(), SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
		      "the process that was to be killed failed before: status %#x",
		      (unsigned int)status);
}

uint32_t pools_recover(struct vtc_ctx *ctx, const char *nic)
{
	struct vtc_pool_recovery recovery = { .sz = sizeof(recovery) };

	ck_assert_msg(vtc_pool_recover(ctx, nic, &recovery) == 0, "%s", lab_error(ctx));
	ck_assert_uint_eq(recovery.failed, 0);
	return recovery.undone;
}
