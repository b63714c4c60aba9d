/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who uses a device: see use.h. */
#include "use.h"

#include <errno.h>
#include <linux/if.h>
#include <string.h>

#include "core/sysfs.h"
#include "core/text.h"

struct look {
	struct vtc_ctx *ctx;
	const char *path;
	unsigned int netdevs;
};

bool vtc__nic_driver_passes(const char *driver)
{
	return strstr(driver, "vfio") || strstr(driver, "uio") ||
	       strcmp(driver, "pci-stub") == 0 || strstr(driver, "pciback");
}

static int is_upper(void *arg, const char *name)
{
	(void)arg;
	return vtc__text_starts(name, "upper_") || strcmp(name, "master") == 0 ? -EEXIST
									       : 0;
}

/*
 * -EEXIST: it is in use. What cannot be read counts as that: the answer decides on
 * destruction.
 */
static int look_for_use(struct vtc_ctx *ctx, const char *path)
{
	char file[VTC__PATH_MAX];
	uint32_t flags;
	int err;

	if (vtc__path(file, sizeof(file), "%s/flags", path) ||
	    vtc__sysfs_read_u32(ctx, file, &flags))
		return vtc__sysfs_exists(ctx, path) ? -EEXIST : 0;
	if (flags & IFF_UP)
		return -EEXIST;
	err = vtc__sysfs_list(ctx, path, is_upper, NULL);
	return err == -ENOENT ? 0 : err;
}

static int look_at_netdev(void *arg, const char *name)
{
	struct look *look = arg;
	char path[VTC__PATH_MAX];
	int err = vtc__path(path, sizeof(path), "%s/%s", look->path, name);

	look->netdevs++;
	return err ? err : look_for_use(look->ctx, path);
}

static int use_of_netdevs(struct vtc_ctx *ctx, const char *device_path,
			  enum vtc_nic_use *ret_use)
{
	char path[VTC__PATH_MAX];
	struct look look = { ctx, path, 0 };
	int err = vtc__path(path, sizeof(path), "%s/net", device_path);

	if (!err)
		err = vtc__sysfs_list(ctx, path, look_at_netdev, &look);
	if (err == -EEXIST)
		*ret_use = VTC_NIC_USE_BUSY;
	else if (err == -ENOENT)
		*ret_use = VTC_NIC_USE_OTHER;
	else if (err)
		return err;
	else
		/* The directory stays when the interface moves to another namespace. */
		*ret_use = look.netdevs ? VTC_NIC_USE_FREE : VTC_NIC_USE_HIDDEN;
	return 0;
}

int vtc__nic_use(struct vtc_ctx *ctx, const char *device_path, enum vtc_nic_use *ret_use)
{
	char path[VTC__PATH_MAX], driver[64];
	int err;

	if (!vtc__sysfs_exists(ctx, device_path))
		return -ENODEV;
	err = vtc__path(path, sizeof(path), "%s/driver", device_path);
	if (!err)
		err = vtc__sysfs_link_name(ctx, path, driver, sizeof(driver));
	if (err && err != -ENOENT)
		return err;

	if (err == -ENOENT)
		*ret_use = VTC_NIC_USE_NO_DRIVER;
	else if (vtc__nic_driver_passes(driver))
		*ret_use = VTC_NIC_USE_PASSED;
	else
		return use_of_netdevs(ctx, device_path, ret_use);
	return 0;
}
