/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes in the files of a PF, its first VF and their netdevs. The input is a series of records: number
 * of the file, two bytes of length (low first), contents.
 */
#include <stdio.h>
#include <string.h>
#include <vtc/nic.h>

#include "core/ctx.h"
#include "fuzz.h"

static const char *const files[] = {
	"0000:01:00.0/vendor",
	"0000:01:00.0/device",
	"0000:01:00.0/class",
	"0000:01:00.0/config",
	"0000:01:00.0/sriov_totalvfs",
	"0000:01:00.0/sriov_numvfs",
	"0000:01:00.0/sriov_offset",
	"0000:01:00.0/sriov_stride",
	"0000:01:00.0/sriov_drivers_autoprobe",
	"0000:01:00.0/sriov_vf_total_msix",
	"0000:01:00.0/reset_method",
	"0000:01:00.0/numa_node",
	"0000:01:00.0/local_cpulist",
	"0000:01:10.0/vendor",
	"0000:01:10.0/config",
	"0000:01:10.0/reset_method",
	"enp1s0f0/address",
	"enp1s0f0/ifindex",
	"enp1s0f0/mtu",
	"enp1s0f0/flags",
	"enp1s0f0/operstate",
	"enp1s0f0/carrier",
	"enp1s0f0/speed",
	"enp1s0f0/type",
	"enp1s0f0/addr_len",
	"enp1s0f0/dev_port",
	"enp1s0f0/phys_switch_id",
	"enp1s0f0/phys_port_name",
	"enp1s0f0v0/ifindex",
	"enp1s0f0v0/address",
};
#define FILES (sizeof(files) / sizeof(files[0]))

static const uint8_t *contents[FILES]; /* NULL: as in the tree */
static size_t lengths[FILES];

static void take_records(const uint8_t *data, size_t len)
{
	size_t file, size;

	memset(contents, 0, sizeof(contents));
	while (len >= 3) {
		file = data[0] % FILES;
		size = data[1] | (size_t)data[2] << 8;
		data += 3;
		len -= 3;
		if (size > len)
			size = len;
		contents[file] = data;
		lengths[file] = size;
		data += size;
		len -= size;
	}
}

static bool ends_with(const char *path, const char *end)
{
	size_t a = strlen(path), b = strlen(end);

	return a > b && path[a - b - 1] == '/' && strcmp(path + a - b, end) == 0;
}

static ssize_t read_file(void *priv, const char *path, void *buf, size_t len)
{
	size_t i;

	for (i = 0; i < FILES; i++) {
		if (!contents[i] || !ends_with(path, files[i]))
			continue;
		if (len > lengths[i])
			len = lengths[i];
		memcpy(buf, contents[i], len);
		return (ssize_t)len;
	}
	return vtct_sys.read(priv, path, buf, len);
}

static struct vtc_ctx *new_ctx(void)
{
	static struct vtc__sys sys;
	static char root[128];
	struct vtc_ctx_opts opts = VTC_CTX_OPTS_INIT;
	struct vtct_kernel *k = vtct_fuzz_kernel();
	struct vtc_ctx *ctx;

	sys = vtct_sys;
	sys.read = read_file;
	snprintf(root, sizeof(root), "%s", vtct_kernel_root(k));
	opts.sysfs_root = root;
	return vtc__ctx_new(&opts, &sys, k, &ctx) ? NULL : ctx;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct vtc_inventory *inventory;
	static struct vtc_ctx *ctx;

	if (!ctx)
		ctx = new_ctx();
	take_records(data, len);
	if (ctx && vtc_inventory_new(ctx, NULL, &inventory) == 0) {
		vtct_walk_inventory(inventory);
		vtc_inventory_free(inventory);
	}
	return 0;
}
