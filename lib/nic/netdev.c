/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One network interface as sysfs shows it, and the device that it belongs to. */
#include <errno.h>
#include <linux/if.h>
#include <string.h>

#include "core/sysfs.h"
#include "nic.h"

/*
 * Of the devices along a path, the last one that is a PCI network controller: what a
 * driver puts in between (virtio, auxiliary devices) is its own affair.
 */
static bool find_function(struct vtc_ctx *ctx, const char *real, struct vtc__owner *ret)
{
	char path[VTC__PATH_MAX];
	char *slash;

	strcpy(path, real);
	while ((slash = strrchr(path, '/'))) {
		if (vtc__function_is_nic(ctx, slash + 1)) {
			strcpy(ret->bus, "pci");
			return vtc__text_copy(ret->address, sizeof(ret->address),
					      slash + 1) == 0;
		}
		*slash = '\0';
	}
	return false;
}

static int find_other(struct vtc_ctx *ctx, const char *real, struct vtc__owner *ret)
{
	char path[VTC__PATH_MAX];
	const char *slash = strrchr(real, '/');

	if (vtc__path(path, sizeof(path), "%s/subsystem", real) ||
	    vtc__sysfs_link_name(ctx, path, ret->bus, sizeof(ret->bus)) ||
	    vtc__text_copy(ret->address, sizeof(ret->address), slash ? slash + 1 : real))
		return -ENODATA;
	return 1;
}

int vtc__netdev_owner(struct vtc_ctx *ctx, const char *name, struct vtc__owner *ret)
{
	char path[VTC__PATH_MAX], real[VTC__PATH_MAX];
	struct vtc__owner owner = { .bus = "" };
	int err;

	if (!vtc__name_ok(name) ||
	    vtc__path(path, sizeof(path), "class/net/%s/device", name))
		return -ENODATA;
	err = vtc__sysfs_real(ctx, path, real, sizeof(real));
	if (err == -ENOENT || err == -ENOTDIR) {
		*strrchr(path, '/') = '\0';
		return vtc__sysfs_exists(ctx, path) ? 0 : -ENODATA;
	}
	if (err)
		return -ENODATA;

	if (!find_function(ctx, real, &owner) && find_other(ctx, real, &owner) < 0)
		return -ENODATA;
	err = strcmp(owner.bus, "pci") == 0
		      ? vtc__path(owner.dir, sizeof(owner.dir), "bus/pci/devices/%s",
				  owner.address)
		      : vtc__text_copy(owner.dir, sizeof(owner.dir), real);
	if (err)
		return -ENODATA;
	*ret = owner;
	return 1;
}

static void read_mac(struct vtc_ctx *ctx, const char *dir, struct vtc_netdev *netdev)
{
	char path[VTC__PATH_MAX], text[128];

	netdev->mac_state = -ENODATA;
	if (vtc__path(path, sizeof(path), "%s/address", dir) == 0 &&
	    vtc__sysfs_read(ctx, path, text, sizeof(text)) > 0 &&
	    vtc_mac_parse(text, &netdev->mac) == 0)
		netdev->mac_state = 1;
}

static void read_state(struct vtc_ctx *ctx, const char *dir, struct vtc_netdev *netdev)
{
	vtc__num_read(ctx, dir, "flags", UINT32_MAX, &netdev->up);
	netdev->up.value = (netdev->up.value & IFF_UP) != 0;
	vtc__num_read(ctx, dir, "carrier", 1, &netdev->carrier);

	/* Asking takes the RTNL lock and bothers the driver: only if it can answer. */
	netdev->speed.state = -ENODATA;
	if (netdev->carrier.state == 1 && netdev->carrier.value)
		vtc__num_read(ctx, dir, "speed", INT32_MAX, &netdev->speed);
	if (netdev->speed.state == 1 && netdev->speed.value == 0)
		netdev->speed.state = -ENODATA;
}

static int see_upper(void *arg, const char *name)
{
	bool *found = arg;

	if (vtc__text_starts(name, "upper_"))
		*found = true;
	return 0;
}

static void read_upper(struct vtc_ctx *ctx, const char *dir, struct vtc_netdev *netdev)
{
	bool found = false;
	int err = vtc__sysfs_list(ctx, dir, see_upper, &found);

	netdev->upper.state = err ? -ENODATA : 1;
	netdev->upper.value = found;
}

/* Drivers that are no switch refuse to say, or have no such file. */
static int read_port(struct vtc_ctx *ctx, const char *dir, const char *name,
		     struct vtc__str *ret)
{
	int n = vtc__str_read(ctx, dir, name, ret);

	if (n == -EOPNOTSUPP || n == -ENOENT)
		ret->state = 0;
	return n == -ENOMEM ? n : 0;
}

int vtc__netdev_read(struct vtc_ctx *ctx, struct vtc_netdev *netdev)
{
	char dir[VTC__PATH_MAX];
	struct vtc__num ifindex;
	int err = vtc__path(dir, sizeof(dir), "class/net/%s", netdev->name);

	if (err)
		return 0;
	read_mac(ctx, dir, netdev);
	vtc__num_read(ctx, dir, "mtu", UINT32_MAX, &netdev->mtu);
	read_state(ctx, dir, netdev);
	read_upper(ctx, dir, netdev);
	err = read_port(ctx, dir, "phys_switch_id", &netdev->switch_id);
	if (!err)
		err = read_port(ctx, dir, "phys_port_name", &netdev->port_name);
	if (err)
		return err;

	/* Last, so that an interface that vanished meanwhile is left out. */
	vtc__num_read(ctx, dir, "ifindex", INT32_MAX, &ifindex);
	netdev->ifindex = ifindex.value;
	return ifindex.state == 1 && ifindex.value ? 1 : 0;
}
