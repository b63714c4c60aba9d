/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The number of VFs. Everything that can be checked is checked before the first change;
 * each change that was made is put back if a later one fails.
 */
#include <errno.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "core/netlink.h"
#include "core/opts.h"
#include "core/sysfs.h"
#include "pf.h"

#define SET "set number of VFs"

#define OPTS_FIRST    sizeof(struct vtc_pf_num_vfs_opts)
#define ALL_FLAGS     (VTC_PF_F_DESTROY | VTC_PF_F_DESTROY_IN_USE | VTC_PF_F_DRY_RUN)
#define TIMEOUT_MS    60000u
#define UNDO_LEAST_MS 10000u

struct change {
	struct vtc_pf *pf;
	struct vtc_ctx *ctx;
	struct vtc_pf_num_vfs_opts opts;
	uint64_t deadline;
	uint32_t before, want;
	uint32_t autoprobe; /* before the change */
	bool set_autoprobe, autoprobe_was_set;
	struct vtc__pf_netdev netdev; /* to be brought up, if it has an ifindex */
	bool was_brought_up;	      /* or may have been */
};

static int fail(struct change *c, int code, enum vtc_error_origin origin,
		const char *format, ...) __attribute__((format(printf, 4, 5)));

static int fail(struct change *c, int code, enum vtc_error_origin origin,
		const char *format, ...)
{
	char text[320];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	vtc__err(c->ctx, code, origin, SET, "%s", c->pf->address);
	vtc__err_message(c->ctx, "%s", text);
	return code;
}

static int numvfs_path(struct change *c, char *path)
{
	return vtc__path(path, VTC__PATH_MAX, "%s/sriov_numvfs", c->pf->path);
}

static int gone(struct change *c)
{
	return fail(c, -ENODEV, VTC_ERROR_ORIGIN_SYSFS, "the device is gone");
}

static int load_opts(struct change *c, const struct vtc_pf_num_vfs_opts *opts)
{
	int err = vtc__opts_load(&c->opts, sizeof(c->opts), OPTS_FIRST, opts);

	if (err == -E2BIG)
		return fail(c, err, VTC_ERROR_ORIGIN_ARG,
			    "opts is newer than this library");
	if (err)
		return vtc__err_arg(c->ctx, SET, "opts.sz");
	if (c->opts.flags & ~ALL_FLAGS)
		return vtc__err_arg(c->ctx, SET, "opts.flags");
	if (c->opts.wait > VTC_PF_WAIT_NONE)
		return vtc__err_arg(c->ctx, SET, "opts.wait");
	if (c->opts.down > VTC_PF_DOWN_BRING_UP)
		return vtc__err_arg(c->ctx, SET, "opts.down");
	if (c->opts.autoprobe > VTC_PF_AUTOPROBE_OFF)
		return vtc__err_arg(c->ctx, SET, "opts.autoprobe");
	if (c->opts.autoprobe == VTC_PF_AUTOPROBE_OFF &&
	    (c->opts.wait == VTC_PF_WAIT_DRIVER || c->opts.wait == VTC_PF_WAIT_NETDEV))
		return vtc__err_arg(c->ctx, SET,
				    "opts.wait for drivers without autoprobe");
	if (!c->opts.timeout_ms)
		c->opts.timeout_ms = TIMEOUT_MS;
	return 0;
}

/* ---- Checks: nothing is changed here ---- */

/* Kernels up to 6.8 let a reader wait for the writer, so do not even read then. */
static int check_stuck(struct change *c)
{
	char path[VTC__PATH_MAX];

	if (numvfs_path(c, path) || !vtc__sysfs_is_stuck(c->ctx, path))
		return 0;
	fail(c, -EBUSY, VTC_ERROR_ORIGIN_SYSTEM,
	     "an earlier write to sriov_numvfs still blocks in the kernel");
	vtc__err_hint(c->ctx, "end what holds the VFs (a virtual machine, for example)");
	return -EBUSY;
}

static int read_before(struct change *c)
{
	int err = vtc__pf_read(c->pf, "sriov_numvfs", &c->before);

	if (err == -ENODEV || err == -ENODATA)
		return gone(c);
	return err ? fail(c, err, VTC_ERROR_ORIGIN_SYSFS, "cannot read sriov_numvfs") : 0;
}

static int check_range(struct change *c)
{
	uint32_t total = VTC__PF_MAX_VFS;
	int err = vtc__pf_read(c->pf, "sriov_totalvfs", &total);

	if (err == -ENODEV)
		return gone(c);
	if (err && err != -ENODATA)
		return fail(c, err, VTC_ERROR_ORIGIN_SYSFS, "cannot read sriov_totalvfs");
	if (c->want > total)
		return fail(c, -ERANGE, VTC_ERROR_ORIGIN_ARG,
			    "%u VFs asked for, the PF can have %u", c->want, total);
	return 0;
}

static int check_destroy(struct change *c)
{
	char used[240];
	int n;

	if (!c->before ||
	    (c->opts.flags & (VTC_PF_F_DESTROY | VTC_PF_F_DESTROY_IN_USE)) ==
		    (VTC_PF_F_DESTROY | VTC_PF_F_DESTROY_IN_USE))
		return 0;
	n = vtc__pf_vfs_in_use(c->pf, c->before, used, sizeof(used));
	if (n < 0)
		return fail(c, n, VTC_ERROR_ORIGIN_SYSTEM,
			    "cannot tell which VFs are in use");
	if (!n && c->opts.flags & VTC_PF_F_DESTROY)
		return 0;

	fail(c, -EBUSY, VTC_ERROR_ORIGIN_LIBRARY, "%u VFs exist, %s%s", c->before,
	     n ? "in use: " : "none in use", used);
	vtc__err_hint(c->ctx, "any change destroys all of them; allow that with %s%s",
		      c->opts.flags & VTC_PF_F_DESTROY ? "" : "VTC_PF_F_DESTROY",
		      !n ? ""
		      : c->opts.flags & VTC_PF_F_DESTROY
			      ? "VTC_PF_F_DESTROY_IN_USE"
			      : " and, as some are in use, VTC_PF_F_DESTROY_IN_USE");
	return -EBUSY;
}

static int check_driver(struct change *c)
{
	char path[VTC__PATH_MAX], driver[64];

	if (!c->want || !vtc__pf_is_pci(c->pf) ||
	    vtc__path(path, sizeof(path), "%s/driver", c->pf->path) ||
	    vtc__sysfs_link_name(c->ctx, path, driver, sizeof(driver)) != -ENOENT)
		return 0;
	if (!vtc__sysfs_exists(c->ctx, c->pf->path))
		return gone(c);
	fail(c, -ENOENT, VTC_ERROR_ORIGIN_SYSFS, "no driver is bound to the PF");
	vtc__err_hint(c->ctx, "load and bind the PF's driver");
	return -ENOENT;
}

/* 1, 0, or -errno: not known. */
static int is_up(struct change *c, const struct vtc__pf_netdev *netdev)
{
	char path[VTC__PATH_MAX];
	uint32_t flags = 0;
	int err = vtc__path(path, sizeof(path), "%s/net/%s/flags", c->pf->path,
			    netdev->name);

	if (!err)
		err = vtc__sysfs_read_u32(c->ctx, path, &flags);
	return err ? err : (flags & IFF_UP) != 0;
}

/* A PF without interface here is not known to be down: the driver decides. */
static int check_down(struct change *c)
{
	struct vtc__pf_netdev netdev;

	int err;

	if (!c->want || c->opts.down == VTC_PF_DOWN_IGNORE)
		return 0;
	err = vtc__pf_find_netdev(c->ctx, c->pf->path, &netdev);
	if (err && err != -ENODEV)
		return fail(c, err, VTC_ERROR_ORIGIN_SYSFS,
			    "cannot look for the interface");
	if (err || is_up(c, &netdev) != 0)
		return 0;
	if (c->opts.down == VTC_PF_DOWN_BRING_UP) {
		c->netdev = netdev;
		return 0;
	}
	fail(c, -ENETDOWN, VTC_ERROR_ORIGIN_LIBRARY, "the PF's interface %s is down",
	     netdev.name);
	vtc__err_hint(c->ctx,
		      "ip link set %s up, or choose another policy than "
		      "VTC_PF_DOWN_FAIL",
		      netdev.name);
	return -ENETDOWN;
}

static int check_autoprobe(struct change *c)
{
	bool on = c->opts.autoprobe == VTC_PF_AUTOPROBE_ON;
	int err;

	if (c->opts.autoprobe == VTC_PF_AUTOPROBE_KEEP)
		return 0;
	err = vtc__pf_read(c->pf, "sriov_drivers_autoprobe", &c->autoprobe);
	if (err == -ENODEV)
		return gone(c);
	/* Kernels before 4.12, and devices on other buses, always probe. */
	if (err == -ENODATA && on)
		return 0;
	if (err == -ENODATA)
		return fail(c, -EOPNOTSUPP, VTC_ERROR_ORIGIN_SYSFS,
			    "the PF has no sriov_drivers_autoprobe to switch off");
	if (err)
		return fail(c, err, VTC_ERROR_ORIGIN_SYSFS,
			    "cannot read sriov_drivers_autoprobe");
	c->set_autoprobe = (c->autoprobe != 0) != on;
	return 0;
}

/* 1: there is something to do. */
static int check(struct change *c)
{
	static int (*const checks[])(struct change *) = { check_range, check_destroy,
							  check_driver, check_down };
	int err = check_stuck(c);

	if (!err)
		err = read_before(c);
	if (!err)
		err = check_autoprobe(c);
	if (err)
		return err;
	for (size_t i = 0; c->want != c->before && i < sizeof(checks) / sizeof(*checks);
	     i++) {
		err = checks[i](c);
		if (err)
			return err;
	}
	return c->want != c->before || c->set_autoprobe;
}

/* ---- Changes ---- */

static int set_up(struct change *c, bool up)
{
	struct ifinfomsg ifi = {
		.ifi_index = (int)c->netdev.ifindex,
		.ifi_flags = up ? IFF_UP : 0,
		.ifi_change = IFF_UP,
	};
	struct vtc__nlmsg *msg;
	struct vtc__nl *nl;
	int err = vtc__nl_rt(c->ctx, &nl);

	if (err)
		return err;
	msg = vtc__nlmsg_new(RTM_SETLINK, 0, NLMSG_SPACE(sizeof(ifi)));
	if (!msg)
		return -ENOMEM;
	err = vtc__nlmsg_append(msg, &ifi, sizeof(ifi));
	if (!err)
		err = vtc__nl_request(c->ctx, nl, msg, NULL, NULL);
	vtc__nlmsg_free(msg);
	if (!err)
		vtc__log(c->ctx, VTC_LOG_INFO, "%s: %s is %s", c->pf->address,
			 c->netdev.name, up ? "up" : "down");
	return err;
}

static int write_autoprobe(struct change *c, bool on)
{
	char path[VTC__PATH_MAX];
	int err =
		vtc__path(path, sizeof(path), "%s/sriov_drivers_autoprobe", c->pf->path);

	if (!err)
		err = vtc__sysfs_write(c->ctx, path, on ? "1" : "0");
	if (!err)
		vtc__log(c->ctx, VTC_LOG_INFO, "%s: autoprobe is %s", c->pf->address,
			 on ? "on" : "off");
	return err;
}

static int write_count(struct change *c, uint32_t count, uint64_t deadline)
{
	char path[VTC__PATH_MAX], text[16];
	int err = numvfs_path(c, path);

	if (err)
		return err;
	snprintf(text, sizeof(text), "%u", count);
	err = vtc__sysfs_write_slow(c->ctx, path, text, deadline);
	if (err == -ENOENT && !vtc__sysfs_exists(c->ctx, c->pf->path))
		err = -ENODEV;
	if (!err)
		vtc__log(c->ctx, VTC_LOG_INFO, "%s: %u VFs", c->pf->address, count);
	return err;
}

static const char *write_hint(int code)
{
	switch (code) {
	case -EBUSY:
		return "something changes the PF just now, or its driver is being reset: "
		       "see the kernel log";
	case -EAGAIN:
		return "the driver is being reset: try again in a moment";
	case -ENOENT:
		return "bind a driver that can create VFs to the PF";
	case -ENOMEM:
		return "no room: switch SR-IOV and large BARs on in the firmware setup, "
		       "boot "
		       "with pci=realloc, or ask for fewer; the kernel log names the "
		       "resource";
	case -ENOSPC:
		return "the device has no more interrupt vectors or queues: ask for "
		       "fewer";
	case -ETIMEDOUT:
		return "a virtual machine may hold a VF, or the firmware is slow";
	case -EIO:
	case -EINVAL:
		return "see the kernel log for the driver's reason; the PF may have to "
		       "be up";
	default:
		return NULL;
	}
}

static int write_failed(struct change *c, int code, uint32_t count)
{
	char path[VTC__PATH_MAX];

	if (code == -ENODEV && !vtc__sysfs_exists(c->ctx, c->pf->path))
		return gone(c);
	if (code == -ETIMEDOUT && numvfs_path(c, path) == 0 &&
	    vtc__sysfs_is_stuck(c->ctx, path))
		fail(c, code, VTC_ERROR_ORIGIN_SYSFS,
		     "the kernel is still busy with %u written to sriov_numvfs; nothing "
		     "is "
		     "put back",
		     count);
	else
		fail(c, code, VTC_ERROR_ORIGIN_SYSFS, "%u written to sriov_numvfs",
		     count);
	if (write_hint(code))
		vtc__err_hint(c->ctx, "%s", write_hint(code));
	return code;
}

static int create(struct change *c)
{
	uint32_t now = 0;
	int err = c->want ? write_count(c, c->want, c->deadline) : 0;

	if (err)
		return write_failed(c, err, c->want);
	err = vtc__pf_read(c->pf, "sriov_numvfs", &now);
	if (err == -ENODEV || err == -ENODATA)
		return gone(c);
	if (err)
		return fail(c, err, VTC_ERROR_ORIGIN_SYSFS,
			    "cannot read sriov_numvfs back");
	if (now == c->want)
		return 0;

	fail(c, -ENOSPC, VTC_ERROR_ORIGIN_DEVICE, "%u VFs asked for, %u there", c->want,
	     now);
	vtc__err_hint(c->ctx, "%s", write_hint(-ENOSPC));
	return -ENOSPC;
}

static int wait_for_vfs(struct change *c)
{
	static const char *const missing[] = { "its links", "a driver",
					       "an interface here" };
	uint32_t vf = 0;
	int err = vtc__pf_wait(c->pf, c->want, c->opts.wait, c->deadline, &vf);

	if (err == -ENODEV)
		return gone(c);
	if (err != -ETIMEDOUT)
		return err;
	fail(c, err, VTC_ERROR_ORIGIN_DEVICE, "vf %u has not got %s in time", vf,
	     missing[c->opts.wait]);
	if (c->opts.wait != VTC_PF_WAIT_LINKED)
		vtc__err_hint(c->ctx, "is the VF driver installed, and autoprobe on?");
	return err;
}

static int change_autoprobe(struct change *c)
{
	int err;

	if (!c->set_autoprobe)
		return 0;
	err = write_autoprobe(c, c->opts.autoprobe == VTC_PF_AUTOPROBE_ON);
	if (err)
		return fail(c, err, VTC_ERROR_ORIGIN_SYSFS, "sriov_drivers_autoprobe");
	c->autoprobe_was_set = true;
	return 0;
}

/*
 * Destroying comes before autoprobe, because it is what can get stuck: then little else
 * has been changed.
 */
static int change(struct change *c)
{
	int err;

	if (c->want == c->before)
		return change_autoprobe(c);
	if (c->netdev.ifindex) {
		c->was_brought_up = true;
		err = set_up(c, true);
		if (err)
			return fail(c, err, VTC_ERROR_ORIGIN_NETLINK, "%s up: %s",
				    c->netdev.name,
				    c->ctx->rt ? vtc__nl_message(c->ctx->rt) : "");
	}
	if (c->before) {
		err = write_count(c, 0, c->deadline);
		if (err)
			return write_failed(c, err, 0);
	}
	err = change_autoprobe(c);
	if (!err)
		err = create(c);
	return err ? err : wait_for_vfs(c);
}

/* ---- Undo ---- */

static int restore_count(struct change *c)
{
	uint32_t least = UNDO_LEAST_MS;
	uint32_t ms = c->opts.timeout_ms > least ? c->opts.timeout_ms : least;
	uint64_t deadline = vtc__now_ns(c->ctx) + ms * VTC__NS_PER_MS;
	uint32_t now = 0;
	int err = vtc__pf_read(c->pf, "sriov_numvfs", &now);

	if (err || now == c->before)
		return err;
	if (now)
		err = write_count(c, 0, deadline);
	if (!err && c->before)
		err = write_count(c, c->before, deadline);
	if (!err)
		err = vtc__pf_read(c->pf, "sriov_numvfs", &now);
	return !err && now != c->before ? -ENOSPC : err;
}

static void report(struct change *c, const char *what, int err)
{
	const char *reason = err ? strerrordesc_np(-err) : NULL;

	if (err)
		vtc__pf_err_append(c->ctx, "; not put back: %s (%s)", what,
				   reason ? reason : "unknown error");
}

/* In reverse, and past errors; the record keeps the first failure and gains the rest. */
static void undo(struct change *c)
{
	char path[VTC__PATH_MAX];

	if (numvfs_path(c, path) || vtc__sysfs_is_stuck(c->ctx, path))
		return;
	/* VFs that come back are to be probed as they were. */
	if (c->autoprobe_was_set)
		report(c, "autoprobe", write_autoprobe(c, c->autoprobe != 0));
	report(c, "the number of VFs", restore_count(c));
	/* Also if that failed: the answer may have been lost, and not the request. */
	if (c->was_brought_up && is_up(c, &c->netdev) == 1)
		report(c, "the interface's state", set_up(c, false));
}

static int run(struct change *c)
{
	int err = check(c);

	if (err <= 0 || c->opts.flags & VTC_PF_F_DRY_RUN)
		return err;
	err = change(c);
	if (err)
		undo(c);
	return err ? err : 1;
}

int vtc_pf_set_num_vfs(struct vtc_pf *pf, uint32_t count,
		       const struct vtc_pf_num_vfs_opts *opts)
{
	struct change c = { .pf = pf, .want = count };
	int lock = -1;
	int err;

	if (!pf)
		return -EINVAL;
	c.ctx = pf->ctx;
	err = load_opts(&c, opts);
	if (err)
		return err;

	c.deadline = vtc__now_ns(c.ctx) + c.opts.timeout_ms * VTC__NS_PER_MS;
	if (!(c.opts.flags & VTC_PF_F_DRY_RUN)) {
		lock = vtc__pf_lock(pf, SET, c.deadline);
		if (lock < 0)
			return lock;
	}
	err = run(&c);
	vtc__unlock(c.ctx, lock);
	return err;
}
