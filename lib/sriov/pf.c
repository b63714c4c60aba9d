/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PF handles: from a name to a bus address, and from there to what the device is today.
 */
#include "pf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/sysfs.h"
#include "core/text.h"

#define OPEN "open PF"

struct bus_search {
	struct vtc_ctx *ctx;
	const char *name;
	char *buf;
	size_t len;
};

struct netdev_search {
	struct vtc_ctx *ctx;
	const char *device_path;
	struct vtc__pf_netdev best;
};

/* 1 ends the walk with success. */
static int look_on_bus(void *arg, const char *bus)
{
	struct bus_search *s = arg;
	char path[VTC__PATH_MAX];

	if (vtc__path(path, sizeof(path), "bus/%s/devices/%s", bus, s->name))
		return 0;
	return vtc__sysfs_real(s->ctx, path, s->buf, s->len) == 0 ? -EEXIST : 0;
}

static int find_on_any_bus(struct vtc_ctx *ctx, const char *name, char *buf, size_t len)
{
	struct bus_search s = { ctx, name, buf, len };
	int err = vtc__sysfs_list(ctx, "bus", look_on_bus, &s);

	if (err == -EEXIST)
		return 0;
	return err && err != -ENOENT ? err : -ENODEV;
}

static int has_numvfs(struct vtc_ctx *ctx, const char *device)
{
	char path[VTC__PATH_MAX];

	return vtc__path(path, sizeof(path), "%s/sriov_numvfs", device) == 0 &&
	       vtc__sysfs_exists(ctx, path);
}

/* An interface can hang below its function (virtio, auxiliary bus): look upwards. */
static int find_by_netdev(struct vtc_ctx *ctx, const char *name, char *buf, size_t len)
{
	char path[VTC__PATH_MAX];
	char *slash;
	int err = vtc__path(path, sizeof(path), "class/net/%s", name);

	if (err || !vtc__sysfs_exists(ctx, path))
		return -ENODEV;
	err = vtc__path(path, sizeof(path), "class/net/%s/device", name);
	if (!err)
		err = vtc__sysfs_real(ctx, path, buf, len);
	if (err)
		return err == -ENOENT ? -EOPNOTSUPP : err;

	while (!has_numvfs(ctx, buf)) {
		slash = strrchr(buf, '/');
		if (!slash)
			return -EOPNOTSUPP;
		*slash = '\0';
	}
	return 0;
}

static int find_device(struct vtc_ctx *ctx, const char *name, char *buf, size_t len)
{
	char bdf[VTC__BDF_LEN], path[VTC__PATH_MAX];
	int err = find_by_netdev(ctx, name, buf, len);

	if (err != -ENODEV)
		return err;
	if (vtc__text_bdf(name, bdf, sizeof(bdf)) == 0) {
		err = vtc__path(path, sizeof(path), "bus/pci/devices/%s", bdf);
		if (!err)
			err = vtc__sysfs_real(ctx, path, buf, len);
		if (err == -ENOENT)
			err = -ENODEV;
	} else {
		err = find_on_any_bus(ctx, name, buf, len);
	}
	if (!err && !has_numvfs(ctx, buf))
		err = -EOPNOTSUPP;
	return err;
}

static int set_identity(struct vtc_pf *pf, const char *device)
{
	const char *slash = strrchr(device, '/');
	char path[VTC__PATH_MAX];
	int err = vtc__text_copy(pf->address, sizeof(pf->address),
				 slash ? slash + 1 : device);

	if (!err)
		err = vtc__path(path, sizeof(path), "%s/subsystem", device);
	if (!err)
		err = vtc__sysfs_link_name(pf->ctx, path, pf->bus, sizeof(pf->bus));
	if (!err)
		err = vtc__path(pf->path, sizeof(pf->path), "bus/%s/devices/%s", pf->bus,
				pf->address);
	return err == -ENOENT ? -ENODEV : err;
}

static int open_err(struct vtc_ctx *ctx, int code, const char *name)
{
	vtc__err(ctx, code, VTC_ERROR_ORIGIN_SYSFS, OPEN, "%s", name);
	if (code == -ENODEV) {
		vtc__err_message(ctx, "no network interface and no device has this name");
		vtc__err_hint(ctx,
			      "interfaces in other network namespaces are not visible "
			      "here; use the bus address");
	} else if (code == -EOPNOTSUPP) {
		vtc__err_message(ctx, "the device is no physical function: it has no "
				      "sriov_numvfs");
		vtc__err_hint(ctx,
			      "a virtual function is managed through its physical "
			      "function; SR-IOV may also be off in the firmware setup");
	}
	return code;
}

int vtc_pf_open(struct vtc_ctx *ctx, const char *name, struct vtc_pf **ret_pf)
{
	char device[VTC__PATH_MAX];
	struct vtc_pf *pf;
	int err;

	if (!ctx || !name || !ret_pf)
		return vtc__err_arg(ctx, OPEN, "a parameter is NULL");
	if (!vtc__name_ok(name))
		return vtc__err_arg(ctx, OPEN, "name");

	err = find_device(ctx, name, device, sizeof(device));
	if (err)
		return open_err(ctx, err, name);
	pf = calloc(1, sizeof(*pf));
	if (!pf)
		return open_err(ctx, -ENOMEM, name);

	pf->ctx = ctx;
	err = set_identity(pf, device);
	if (err) {
		free(pf);
		return open_err(ctx, err, name);
	}
	vtc_ctx_ref(ctx);
	*ret_pf = pf;
	return 0;
}

void vtc_pf_close(struct vtc_pf *pf)
{
	if (!pf)
		return;
	vtc_ctx_unref(pf->ctx);
	free(pf);
}

const char *vtc_pf_get_address(const struct vtc_pf *pf)
{
	return pf ? pf->address : NULL;
}

int vtc__pf_is_pci(const struct vtc_pf *pf)
{
	return strcmp(pf->bus, "pci") == 0;
}

int vtc__pf_read(struct vtc_pf *pf, const char *file, uint32_t *ret)
{
	char path[VTC__PATH_MAX];
	uint64_t value = 0;
	int err = vtc__path(path, sizeof(path), "%s/%s", pf->path, file);

	if (!err)
		err = vtc__sysfs_read_u64(pf->ctx, path, VTC__PF_MAX_VFS, &value);
	if (err == -ENOENT)
		return vtc__sysfs_exists(pf->ctx, pf->path) ? -ENODATA : -ENODEV;
	if (!err)
		*ret = (uint32_t)value;
	return err;
}

static int get_number(struct vtc_pf *pf, const char *operation, const char *file,
		      int missing, uint32_t *ret_count)
{
	int err;

	if (!pf || !ret_count)
		return vtc__err_arg(pf ? pf->ctx : NULL, operation,
				    "a parameter is NULL");
	err = vtc__pf_read(pf, file, ret_count);
	if (!err)
		return 0;
	if (err == -ENODATA)
		err = missing;

	vtc__err(pf->ctx, err, VTC_ERROR_ORIGIN_SYSFS, operation, "%s", pf->address);
	if (err == -ENODEV)
		vtc__err_message(pf->ctx, "the device is gone");
	else if (err == -EPROTO)
		vtc__err_message(pf->ctx, "%s holds no number of VFs", file);
	return err;
}

int vtc_pf_get_num_vfs(struct vtc_pf *pf, uint32_t *ret_count)
{
	return get_number(pf, "get number of VFs", "sriov_numvfs", -ENODEV, ret_count);
}

int vtc_pf_get_total_vfs(struct vtc_pf *pf, uint32_t *ret_count)
{
	return get_number(pf, "get largest number of VFs", "sriov_totalvfs", -ENODATA,
			  ret_count);
}

/*
 * Port names of representors tell whose they are: "pf0vf3", "c1pf0sf8". An uplink is
 * "p0".
 */
static bool is_representor(struct vtc_ctx *ctx, const char *netdev_path)
{
	char path[VTC__PATH_MAX], port[64];

	return vtc__path(path, sizeof(path), "%s/phys_port_name", netdev_path) == 0 &&
	       vtc__sysfs_read(ctx, path, port, sizeof(port)) >= 0 && strstr(port, "pf");
}

/* An interface that vanishes while it is looked at is simply not there. */
static int look_at_netdev(void *arg, const char *name)
{
	struct netdev_search *s = arg;
	char netdev[VTC__PATH_MAX], path[VTC__PATH_MAX];
	uint32_t ifindex;

	if (!vtc__name_ok(name) || strlen(name) >= sizeof(s->best.name) ||
	    vtc__path(netdev, sizeof(netdev), "%s/net/%s", s->device_path, name) ||
	    vtc__path(path, sizeof(path), "%s/ifindex", netdev) ||
	    vtc__sysfs_read_u32(s->ctx, path, &ifindex))
		return 0;
	if (!ifindex || ifindex > INT32_MAX ||
	    (s->best.ifindex && s->best.ifindex < ifindex) ||
	    is_representor(s->ctx, netdev))
		return 0;

	s->best.ifindex = ifindex;
	return vtc__text_copy(s->best.name, sizeof(s->best.name), name);
}

int vtc__pf_find_netdev(struct vtc_ctx *ctx, const char *device_path,
			struct vtc__pf_netdev *ret)
{
	struct netdev_search s = { ctx, device_path, { 0, "" } };
	char path[VTC__PATH_MAX];
	int err = vtc__path(path, sizeof(path), "%s/net", device_path);

	if (!err)
		err = vtc__sysfs_list(ctx, path, look_at_netdev, &s);
	if (err)
		return err == -ENOENT ? -ENODEV : err;
	if (!s.best.ifindex)
		return -ENODEV;

	*ret = s.best;
	return 0;
}

int vtc__pf_netdev(struct vtc_pf *pf, const char *operation, struct vtc__pf_netdev *ret)
{
	int err = vtc__pf_find_netdev(pf->ctx, pf->path, ret);

	if (!err)
		return 0;
	vtc__err(pf->ctx, err, VTC_ERROR_ORIGIN_SYSFS, operation, "%s", pf->address);
	if (err != -ENODEV)
		return err;
	if (!vtc__sysfs_exists(pf->ctx, pf->path)) {
		vtc__err_message(pf->ctx, "the device is gone");
		return err;
	}
	vtc__err_message(pf->ctx, "the PF has no network interface here");
	vtc__err_hint(pf->ctx,
		      "bind its driver, or run in the network namespace where its "
		      "interface is");
	return err;
}

static int lock_err(struct vtc_pf *pf, const char *operation, int code, const char *name)
{
	if (code == -EAGAIN) {
		vtc__err(pf->ctx, -EBUSY, VTC_ERROR_ORIGIN_LIBRARY, operation, "%s",
			 pf->address);
		vtc__err_message(pf->ctx, "another process holds the lock %s in %s", name,
				 pf->ctx->state_dir);
		vtc__err_hint(pf->ctx, "wait for it to finish, or give more time");
		return -EBUSY;
	}
	vtc__err(pf->ctx, code, VTC_ERROR_ORIGIN_SYSTEM, operation, "%s", pf->address);
	vtc__err_message(pf->ctx, "cannot take the lock %s in %s", name,
			 pf->ctx->state_dir);
	return code;
}

int vtc__pf_lock(struct vtc_pf *pf, const char *operation, uint64_t deadline_ns)
{
	char name[sizeof(pf->address) + 4];
	int fd;

	(void)vtc__path(name, sizeof(name), "pf-%s", pf->address);
	for (;;) {
		fd = vtc__lock(pf->ctx, name);
		if (fd >= 0)
			return fd;
		if (fd != -EAGAIN || vtc__now_ns(pf->ctx) >= deadline_ns)
			return lock_err(pf, operation, fd, name);
		vtc__sleep_ms(pf->ctx, 10);
	}
}

void vtc__pf_err_append(struct vtc_ctx *ctx, const char *format, ...)
{
	size_t used = strlen(ctx->error.message);
	va_list ap;

	va_start(ap, format);
	vsnprintf(ctx->error.message + used, sizeof(ctx->error.message) - used, format,
		  ap);
	va_end(ap);
}
