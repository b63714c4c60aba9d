/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One PCI function as sysfs shows it. Configuration space, where a VF has no vendor
 * and no device number, is read for the MSI-X capability only.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#include "core/sysfs.h"
#include "nic.h"

#define CLASS_NETWORK 0x02
#define CONFIG_LEN    256
#define VF_INDEX_MAX  UINT16_MAX /* NumVFs is a 16-bit register */

static bool is_bdf(const char *name)
{
	char bdf[VTC__BDF_LEN];

	return vtc__text_bdf(name, bdf, sizeof(bdf)) == 0 && strcmp(name, bdf) == 0;
}

bool vtc__function_is_nic(struct vtc_ctx *ctx, const char *address)
{
	char path[VTC__PATH_MAX];
	uint64_t class;

	return is_bdf(address) &&
	       vtc__path(path, sizeof(path), "bus/pci/devices/%s/class", address) == 0 &&
	       vtc__sysfs_read_u64(ctx, path, 0xffffff, &class) == 0 &&
	       class >> 16 == CLASS_NETWORK;
}

int vtc__function_list(struct vtc_ctx *ctx, struct vtc__names *ret)
{
	size_t kept = 0;
	int err = vtc__names_list(ctx, "bus/pci/devices", ret);

	if (err)
		return err;
	for (size_t i = 0; i < ret->count; i++) {
		if (!vtc__function_is_nic(ctx, ret->name[i]))
			continue;
		memmove(ret->name[kept++], ret->name[i], sizeof(ret->name[i]));
	}
	ret->count = kept;
	return 0;
}

static bool has(struct vtc_ctx *ctx, const char *dir, const char *name)
{
	char path[VTC__PATH_MAX];

	return vtc__path(path, sizeof(path), "%s/%s", dir, name) == 0 &&
	       vtc__sysfs_exists(ctx, path);
}

static int link_name(struct vtc_ctx *ctx, const char *dir, const char *name, char *buf,
		     size_t len)
{
	char path[VTC__PATH_MAX];
	int err = vtc__path(path, sizeof(path), "%s/%s", dir, name);

	return err ? err : vtc__sysfs_link_name(ctx, path, buf, len);
}

enum vtc_nic_kind vtc__function_kind(struct vtc_ctx *ctx, const char *dir, char *pf,
				     size_t len)
{
	int err = link_name(ctx, dir, "physfn", pf, len);
	bool linked = !err || err == -EOVERFLOW || err == -ENAMETOOLONG;

	if (err || !is_bdf(pf))
		pf[0] = '\0';
	if (linked)
		return VTC_NIC_VF;
	if (has(ctx, dir, "sriov_totalvfs") || has(ctx, dir, "sriov_numvfs"))
		return VTC_NIC_PF;
	return VTC_NIC_PLAIN;
}

static int by_index(const void *a, const void *b)
{
	const struct vtc__vf_link *x = a, *y = b;

	return x->index < y->index ? -1 : x->index > y->index;
}

/* Keep what is a virtfnN that points to a PCI function. */
static size_t take_vf_links(struct vtc_ctx *ctx, const char *dir,
			    struct vtc__names *names, struct vtc__vf_link *vfs)
{
	size_t count = 0;

	for (size_t i = 0; i < names->count; i++) {
		struct vtc__vf_link *vf = &vfs[count];
		const char *name = names->name[i];
		uint64_t index;

		if (!vtc__text_starts(name, "virtfn") || name[6] < '0' || name[6] > '9' ||
		    vtc__text_u64(name + 6, VF_INDEX_MAX, &index) ||
		    link_name(ctx, dir, name, vf->address, sizeof(vf->address)) ||
		    !is_bdf(vf->address))
			continue;
		vf->index = (uint32_t)index;
		vf->nic = NULL;
		count++;
	}
	return count;
}

int vtc__function_vfs(struct vtc_ctx *ctx, const char *dir, struct vtc__vf_link **ret_vfs,
		      size_t *ret_count)
{
	struct vtc__names names = { .count = 0 };
	struct vtc__vf_link *vfs = NULL;
	int err = vtc__names_list(ctx, dir, &names);

	if (!err) {
		vfs = calloc(names.count + 1, sizeof(*vfs));
		if (!vfs)
			err = -ENOMEM;
	}
	if (!err) {
		*ret_count = take_vf_links(ctx, dir, &names, vfs);
		qsort(vfs, *ret_count, sizeof(*vfs), by_index);
		*ret_vfs = vfs;
	}
	vtc__names_free(&names);
	return err;
}

void vtc__function_msix(const uint8_t *config, size_t len, struct vtc__num *ret)
{
	/* Each capability has at least four bytes of its own: more steps are a loop. */
	unsigned int steps = (CONFIG_LEN - PCI_STD_HEADER_SIZEOF) / 4;
	unsigned int at;

	ret->state = -ENODATA;
	if (len <= PCI_STD_HEADER_SIZEOF)
		return;
	if (!(config[PCI_STATUS] & PCI_STATUS_CAP_LIST)) {
		ret->state = 0;
		return;
	}
	at = config[PCI_CAPABILITY_LIST] & 0xfcu;
	for (; at >= PCI_STD_HEADER_SIZEOF && at + 4 <= len && steps; steps--) {
		unsigned int flags = config[at + PCI_MSIX_FLAGS] |
				     (unsigned int)config[at + PCI_MSIX_FLAGS + 1] << 8;

		if (config[at] == 0xff)
			return;
		if (config[at] == PCI_CAP_ID_MSIX) {
			ret->value = (flags & PCI_MSIX_FLAGS_QSIZE) + 1;
			ret->state = 1;
			return;
		}
		at = config[at + PCI_CAP_LIST_NEXT] & 0xfcu;
	}
	if (at == 0)
		ret->state = 0;
}

static void read_msix(struct vtc_ctx *ctx, struct vtc_nic *nic)
{
	uint8_t config[CONFIG_LEN] = { 0 };
	char path[VTC__PATH_MAX];
	ssize_t n = vtc__path(path, sizeof(path), "%s/config", nic->dir);

	if (n == 0)
		n = vtc__sysfs_read_raw(ctx, path, config, sizeof(config));
	vtc__function_msix(config, n < 0 ? 0 : (size_t)n, &nic->msix);
}

static int read_driver(struct vtc_ctx *ctx, struct vtc_nic *nic)
{
	char name[VTC__ADDRESS_LEN];
	int err = link_name(ctx, nic->dir, "driver", name, sizeof(name));

	if (err == -ENOENT)
		nic->driver.state = 0;
	if (err || !name[0])
		return 0;
	return vtc__str_set(&nic->driver, name);
}

static void read_iommu_group(struct vtc_ctx *ctx, struct vtc_nic *nic)
{
	char name[VTC__ADDRESS_LEN];
	uint64_t number;
	int err = link_name(ctx, nic->dir, "iommu_group", name, sizeof(name));

	if (err == -ENOENT)
		nic->iommu_group.state = 0;
	if (err || vtc__text_u64(name, UINT32_MAX, &number))
		return;
	nic->iommu_group.state = 1;
	nic->iommu_group.value = (uint32_t)number;
}

static void read_pf(struct vtc_ctx *ctx, struct vtc_nic *nic)
{
	vtc__num_read(ctx, nic->dir, "sriov_totalvfs", UINT16_MAX, &nic->total_vfs);
	vtc__num_read(ctx, nic->dir, "sriov_numvfs", UINT16_MAX, &nic->num_vfs);
	vtc__num_read(ctx, nic->dir, "sriov_offset", UINT16_MAX, &nic->offset);
	vtc__num_read(ctx, nic->dir, "sriov_stride", UINT16_MAX, &nic->stride);
	vtc__num_read(ctx, nic->dir, "sriov_drivers_autoprobe", 1, &nic->autoprobe);
	vtc__num_read(ctx, nic->dir, "sriov_vf_total_msix", UINT32_MAX, &nic->vf_msix);
	if (nic->vf_msix.state == 1 && nic->vf_msix.value == 0)
		nic->vf_msix.state = 0;
}

/* Where the driver's interfaces would be: virtio has a device of its own in between. */
static bool has_net_dir(struct vtc_ctx *ctx, const struct vtc_nic *nic)
{
	struct vtc__names names = { .count = 0 };
	bool found = has(ctx, nic->dir, "net");

	if (!found && vtc__names_list(ctx, nic->dir, &names) == 0) {
		for (size_t i = 0; i < names.count && !found; i++) {
			char path[VTC__PATH_MAX];

			found = vtc__text_starts(names.name[i], "virtio") &&
				vtc__path(path, sizeof(path), "%s/%s", nic->dir,
					  names.name[i]) == 0 &&
				has(ctx, path, "net");
		}
	}
	vtc__names_free(&names);
	return found;
}

static int read_pci(struct vtc_ctx *ctx, struct vtc_nic *nic)
{
	int n;

	vtc__num_read(ctx, nic->dir, "vendor", UINT16_MAX, &nic->vendor);
	vtc__num_read(ctx, nic->dir, "device", UINT16_MAX, &nic->device);
	read_msix(ctx, nic);

	n = vtc__str_read(ctx, nic->dir, "local_cpulist", &nic->cpus);
	if (n != -ENOMEM)
		n = vtc__str_read(ctx, nic->dir, "reset_method", &nic->reset);
	if (n == -ENOMEM)
		return n;
	/* There is a file only if there is a way; before Linux 5.15 it was "reset". */
	if (n == -ENOENT && !has(ctx, nic->dir, "reset"))
		nic->reset.state = 0;
	return 0;
}

int vtc__function_read(struct vtc_ctx *ctx, struct vtc_nic *nic)
{
	int err = read_driver(ctx, nic);

	nic->kind = vtc__function_kind(ctx, nic->dir, nic->pf_address,
				       sizeof(nic->pf_address));
	if (nic->kind == VTC_NIC_PF)
		read_pf(ctx, nic);
	if (nic->kind == VTC_NIC_VF)
		nic->index.state = -ENODATA;
	if (strcmp(nic->bus, "pci") != 0)
		nic->vendor.state = nic->device.state = nic->vendor_name.state =
			nic->device_name.state = nic->msix.state = 0;
	else if (!err)
		err = read_pci(ctx, nic);
	read_iommu_group(ctx, nic);
	vtc__num_read(ctx, nic->dir, "numa_node", INT32_MAX, &nic->numa);
	nic->net_dir = has_net_dir(ctx, nic);

	if (err)
		return err;
	return vtc__sysfs_exists(ctx, nic->dir) ? 1 : 0;
}
