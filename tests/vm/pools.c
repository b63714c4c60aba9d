/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pools.h"

#include <linux/ethtool.h>
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/ctx.h"

#define CHANGES_MAX 300 /* more no life has */
#define OVER	    42	/* exit status of a life that has fewer changes */

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

/* ---- Faults ---- */

static struct {
	unsigned int at, seen;
	bool kill;
} fault;

static int change(void)
{
	if (++fault.seen != fault.at)
		return 0;
	if (fault.kill)
		kill(getpid(), SIGKILL);
	return -EIO;
}

static int faulty_replace(void *priv, const char *dir, const char *name, const void *data,
			  size_t len)
{
	int err = change();

	return err ? err : vtc__sys_kernel.replace(priv, dir, name, data, len);
}

static int faulty_remove(void *priv, const char *dir, const char *name)
{
	int err = change();

	return err ? err : vtc__sys_kernel.remove(priv, dir, name);
}

/*
 * Of four rtnetlink messages the third one asks. Generic netlink changes net-shapers,
 * whose commands are 2 to 4.
 */
static bool tells(int fd, const struct nlmsghdr *msg)
{
	const struct genlmsghdr *head = NLMSG_DATA(msg);
	int protocol = NETLINK_ROUTE;
	socklen_t len = sizeof(protocol);

	(void)getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len);
	if (protocol == NETLINK_GENERIC)
		return msg->nlmsg_type > GENL_ID_CTRL && head->cmd >= 2 && head->cmd <= 4;
	return msg->nlmsg_type >= RTM_BASE && (msg->nlmsg_type & 3) != 2;
}

static ssize_t faulty_send(void *priv, int fd, const void *data, size_t len)
{
	int err = tells(fd, data) ? change() : 0;

	return err ? err : vtc__sys_kernel.nl_send(priv, fd, data, len);
}

static int faulty_write(void *priv, const char *path, const void *data, size_t len)
{
	int err = change();

	return err ? err : vtc__sys_kernel.write(priv, path, data, len);
}

static bool asks(uint32_t cmd)
{
	return cmd != ETHTOOL_SFEATURES && cmd != ETHTOOL_SCHANNELS &&
	       cmd != ETHTOOL_SRSSH && cmd != ETHTOOL_SRXFHINDIR &&
	       cmd != ETHTOOL_SRXCLSRLINS && cmd != ETHTOOL_SRXCLSRLDEL;
}

static int faulty_ethtool(void *priv, const char *name, void *data)
{
	uint32_t cmd;
	int err;

	memcpy(&cmd, data, sizeof(cmd));
	err = asks(cmd) ? 0 : change();
	return err ? err : vtc__sys_kernel.ethtool(priv, name, data);
}

static int faulty_foreign(void *priv, const char *what)
{
	(void)priv, (void)what;
	return change();
}

static void live(unsigned int at, bool kill, pools_life life)
{
	struct vtc_ctx_opts opts = VTC_CTX_OPTS_INIT;
	struct vtc__sys sys = vtc__sys_kernel;
	struct vtc_ctx *faulty;

	sys.replace = faulty_replace;
	sys.remove = faulty_remove;
	sys.nl_send = faulty_send;
	sys.write = faulty_write;
	sys.ethtool = faulty_ethtool;
	sys.foreign = faulty_foreign;
	opts.state_dir = vtct_dir();
	fault.at = at;
	fault.kill = kill;
	if (vtc__ctx_new(&opts, &sys, NULL, &faulty))
		_exit(1);
	life(faulty);
	vtc_ctx_unref(faulty);
	_exit(fault.seen < at ? OVER : 0);
}

/* 1: the life was over before. */
static bool end_at(const char *nic, unsigned int at, bool kill, pools_life life)
{
	struct vtc_ctx *ctx = pools_ctx();
	int status = 0;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (!pid)
		live(at, kill, life);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFSIGNALED(status) ? kill && WTERMSIG(status) == SIGKILL
					  : WEXITSTATUS(status) % OVER == 0,
		      "change %u: status %#x", at, (unsigned int)status);
	(void)pools_recover(ctx, nic);
	vtc_ctx_unref(ctx);
	return WIFEXITED(status) && WEXITSTATUS(status) == OVER;
}

void pools_faults(const char *nic, pools_life life, const char *(*state)(void))
{
	const char *before = state(), *now;

	for (unsigned int kill = 0; kill < 2; kill++) {
		bool over = false;
		unsigned int at;

		for (at = 1; at < CHANGES_MAX && !over; at++) {
			over = end_at(nic, at, kill, life);
			now = state();
			ck_assert_msg(strcmp(now, before) == 0,
				      "%s at change %u: before %s, now %s",
				      kill ? "killed" : "failed", at, before, now);
		}
		ck_assert(over);
		/* it is no test if there was nothing to fail */
		ck_assert_uint_gt(at, 10);
	}
}
