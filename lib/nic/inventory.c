/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Taking an inventory: find the devices, read each one, then tie them together. All is
 * sorted once and looked up by bisection, so that the cost grows with the devices.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/opts.h"
#include "core/sysfs.h"
#include "nic.h"

#define OPERATION "take inventory"

/* The size of struct vtc_inventory_opts in 0.1. */
#define OPTS_FIRST sizeof(struct vtc_inventory_opts)

int vtc__address_cmp(const char *bus_a, const char *a, const char *bus_b, const char *b)
{
	int order = strcmp(bus_a, bus_b);
	size_t len_a = strlen(a), len_b = strlen(b);

	if (order)
		return order;
	/* Fields of a fixed width, or a name and a number: the shorter one is less. */
	if (len_a != len_b)
		return len_a < len_b ? -1 : 1;
	return strcmp(a, b);
}

static int nic_cmp(const void *a, const void *b)
{
	const struct vtc_nic *x = a, *y = b;

	return vtc__address_cmp(x->bus, x->address, y->bus, y->address);
}

struct vtc_nic *vtc__inventory_lookup(const struct vtc_inventory *inventory,
				      const char *bus, const char *address)
{
	size_t low = 0, high = inventory->nic_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct vtc_nic *nic = &inventory->nics[middle];
		int order = vtc__address_cmp(bus, address, nic->bus, nic->address);

		if (!order)
			return nic;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static void nic_clear(struct vtc_nic *nic)
{
	free(nic->dir);
	free(nic->driver.text);
	free(nic->vendor_name.text);
	free(nic->device_name.text);
	free(nic->cpus.text);
	free(nic->reset.text);
	free(nic->vfs);
}

static void netdev_clear(struct vtc_netdev *netdev)
{
	free(netdev->switch_id.text);
	free(netdev->port_name.text);
}

void vtc_inventory_free(struct vtc_inventory *inventory)
{
	if (!inventory)
		return;
	for (size_t i = 0; i < inventory->nic_count; i++)
		nic_clear(&inventory->nics[i]);
	for (size_t i = 0; i < inventory->netdev_count; i++)
		netdev_clear(&inventory->netdevs[i]);
	for (size_t i = 0; i < inventory->group_count; i++)
		vtc__names_free(&inventory->groups[i].members);
	free(inventory->nics);
	free(inventory->netdevs);
	free(inventory->by_name);
	free(inventory->groups);
	free(inventory);
}

/* ---- Which devices there are ---- */

/* Everything of which nobody tells otherwise is unknown. */
static void nic_init(struct vtc_nic *nic)
{
	struct vtc__num *const nums[] = { &nic->vendor, &nic->device, &nic->numa,
					  &nic->iommu_group, &nic->msix };

	*nic = (struct vtc_nic){ .kind = VTC_NIC_PLAIN };
	for (size_t i = 0; i < sizeof(nums) / sizeof(nums[0]); i++)
		nums[i]->state = -ENODATA;
	nic->driver.state = nic->cpus.state = nic->reset.state = -ENODATA;
	nic->vendor_name.state = nic->device_name.state = -ENODATA;
	nic->channels_state = -ENODATA;
	for (size_t i = 0; i < VTC_NIC_CAP_COUNT; i++)
		nic->caps[i] = -ENODATA;
}

static int add_nic(struct vtc_inventory *inventory, const struct vtc__owner *owner)
{
	void *array = inventory->nics;
	struct vtc_nic *nic;
	int err = vtc__grow(&array, &inventory->nic_room, inventory->nic_count,
			    sizeof(*nic));

	inventory->nics = array;
	if (err)
		return err;
	nic = &inventory->nics[inventory->nic_count];
	nic_init(nic);
	strcpy(nic->bus, owner->bus);
	strcpy(nic->address, owner->address);
	nic->dir = strdup(owner->dir);
	if (!nic->dir)
		return -ENOMEM;
	inventory->nic_count++;
	return 0;
}

static int find_functions(struct vtc_ctx *ctx, struct vtc_inventory *inventory)
{
	struct vtc__names names = { .count = 0 };
	int err = vtc__function_list(ctx, &names);

	for (size_t i = 0; !err && i < names.count; i++) {
		struct vtc__owner owner = { .bus = "pci" };

		strcpy(owner.address, names.name[i]);
		err = vtc__path(owner.dir, sizeof(owner.dir), "bus/pci/devices/%s",
				owner.address);
		if (!err)
			err = add_nic(inventory, &owner);
	}
	vtc__names_free(&names);
	return err;
}

static int add_netdev(struct vtc_ctx *ctx, struct vtc_inventory *inventory,
		      const char *name)
{
	void *array = inventory->netdevs;
	struct vtc__owner owner;
	struct vtc_netdev *netdev;
	int err;

	if (vtc__netdev_owner(ctx, name, &owner) != 1)
		return 0;
	err = vtc__grow(&array, &inventory->netdev_room, inventory->netdev_count,
			sizeof(*netdev));
	inventory->netdevs = array;
	if (err)
		return err;
	netdev = &inventory->netdevs[inventory->netdev_count++];
	*netdev = (struct vtc_netdev){ .ifindex = 0 };
	strcpy(netdev->bus, owner.bus);
	strcpy(netdev->address, owner.address);
	strcpy(netdev->name, name);

	/* PCI functions have this as their second mention; sort_nics() drops it. */
	return add_nic(inventory, &owner);
}

static int find_netdevs(struct vtc_ctx *ctx, struct vtc_inventory *inventory)
{
	struct vtc__names names = { .count = 0 };
	int err = vtc__names_list(ctx, "class/net", &names);

	for (size_t i = 0; !err && i < names.count; i++)
		err = add_netdev(ctx, inventory, names.name[i]);
	vtc__names_free(&names);
	return err;
}

static void sort_nics(struct vtc_inventory *inventory)
{
	struct vtc_nic *nics = inventory->nics;
	size_t kept = 0;

	if (inventory->nic_count)
		qsort(nics, inventory->nic_count, sizeof(*nics), nic_cmp);
	for (size_t i = 0; i < inventory->nic_count; i++) {
		if (kept && nic_cmp(&nics[kept - 1], &nics[i]) == 0)
			nic_clear(&nics[i]);
		else
			nics[kept++] = nics[i];
	}
	inventory->nic_count = kept;
}

static int find_devices(struct vtc_ctx *ctx, struct vtc_inventory *inventory)
{
	int pci = find_functions(ctx, inventory);
	int net = pci && pci != -ENOENT ? 0 : find_netdevs(ctx, inventory);

	if (pci == -ENOENT && net == -ENOENT && !vtc__sysfs_exists(ctx, "bus"))
		return -ENOENT;
	if (pci && pci != -ENOENT)
		return pci;
	if (net && net != -ENOENT)
		return net;
	sort_nics(inventory);
	return 0;
}

/* ---- What they are like ---- */

static int read_nics(struct vtc_ctx *ctx, struct vtc_inventory *inventory)
{
	size_t kept = 0;

	for (size_t i = 0; i < inventory->nic_count; i++) {
		struct vtc_nic *nic = &inventory->nics[i];
		int n = vtc__function_read(ctx, nic);

		if (n < 0)
			return n;
		if (n == 0)
			nic_clear(nic);
		else if (kept++ != i)
			inventory->nics[kept - 1] = *nic;
		/* What was moved or cleared must not be freed again. */
		if (n == 0 || kept != i + 1)
			*nic = (struct vtc_nic){ .dir = NULL };
	}
	inventory->nic_count = kept;
	return 0;
}

static int netdev_cmp(const void *a, const void *b)
{
	const struct vtc_netdev *x = a, *y = b;

	if (x->nic != y->nic)
		return x->nic < y->nic ? -1 : 1;
	return x->ifindex < y->ifindex ? -1 : x->ifindex > y->ifindex;
}

static int read_netdevs(struct vtc_ctx *ctx, struct vtc_inventory *inventory)
{
	struct vtc_netdev *netdevs = inventory->netdevs;
	size_t kept = 0, count = inventory->netdev_count;

	inventory->netdev_count = 0;
	for (size_t i = 0; i < count; i++) {
		struct vtc_netdev netdev = netdevs[i];
		int n = 0;

		netdev.nic = vtc__inventory_lookup(inventory, netdev.bus, netdev.address);
		if (netdev.nic)
			n = vtc__netdev_read(ctx, &netdev);
		if (n != 1)
			netdev_clear(&netdev);
		if (n < 0)
			return n;
		if (n == 0)
			continue;
		netdevs[kept++] = netdev;
		inventory->netdev_count = kept;
	}
	if (kept)
		qsort(netdevs, kept, sizeof(*netdevs), netdev_cmp);
	return 0;
}

/* ---- How they belong together ---- */

static void link_netdevs(struct vtc_inventory *inventory)
{
	for (size_t i = 0; i < inventory->netdev_count; i++) {
		const struct vtc_netdev *netdev = &inventory->netdevs[i];
		struct vtc_nic *nic = &inventory->nics[netdev->nic - inventory->nics];

		if (!nic->netdev_count++)
			nic->netdevs = netdev;
	}
}

static int name_cmp(const void *a, const void *b)
{
	const struct vtc_netdev *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int index_names(struct vtc_inventory *inventory)
{
	size_t count = inventory->netdev_count;

	inventory->by_name = calloc(count + 1, sizeof(*inventory->by_name));
	if (!inventory->by_name)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		inventory->by_name[i] = &inventory->netdevs[i];
	qsort(inventory->by_name, count, sizeof(*inventory->by_name), name_cmp);
	return 0;
}

/* A VF belongs to a PF if both say so. */
static void link_vf(struct vtc_inventory *inventory, const struct vtc_nic *pf,
		    struct vtc__vf_link *link)
{
	struct vtc_nic *vf = vtc__inventory_lookup(inventory, "pci", link->address);

	if (!vf || vf->kind != VTC_NIC_VF || strcmp(vf->pf_address, pf->address) != 0)
		return;
	link->nic = vf;
	if (vf->index.state == 1)
		return;
	vf->index.state = 1;
	vf->index.value = link->index;
}

static int link_functions(struct vtc_ctx *ctx, struct vtc_inventory *inventory)
{
	for (size_t i = 0; i < inventory->nic_count; i++) {
		struct vtc_nic *nic = &inventory->nics[i];

		if (nic->kind == VTC_NIC_VF)
			nic->pf =
				vtc__inventory_lookup(inventory, "pci", nic->pf_address);
		if (nic->kind != VTC_NIC_PF)
			continue;
		if (vtc__function_vfs(ctx, nic->dir, &nic->vfs, &nic->vf_count) ==
		    -ENOMEM)
			return -ENOMEM;
		for (size_t n = 0; n < nic->vf_count; n++)
			link_vf(inventory, nic, &nic->vfs[n]);
	}
	return 0;
}

static int group_cmp(const void *a, const void *b)
{
	const struct vtc__group *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static int member_cmp(const void *a, const void *b)
{
	return vtc__address_cmp("", a, "", b);
}

/* Each group once, however many nics are in it. */
static int collect_groups(struct vtc_inventory *inventory)
{
	struct vtc__group *groups = calloc(inventory->nic_count + 1, sizeof(*groups));
	size_t count = 0, kept = 0;

	if (!groups)
		return -ENOMEM;
	for (size_t i = 0; i < inventory->nic_count; i++) {
		if (inventory->nics[i].iommu_group.state == 1)
			groups[count++].number = inventory->nics[i].iommu_group.value;
	}
	qsort(groups, count, sizeof(*groups), group_cmp);
	for (size_t i = 0; i < count; i++) {
		if (!kept || groups[kept - 1].number != groups[i].number)
			groups[kept++].number = groups[i].number;
	}
	inventory->groups = groups;
	inventory->group_count = kept;
	return 0;
}

static int read_group(struct vtc_ctx *ctx, struct vtc__group *group)
{
	char path[VTC__PATH_MAX];
	int err = vtc__path(path, sizeof(path), "kernel/iommu_groups/%u/devices",
			    group->number);

	if (!err)
		err = vtc__names_list(ctx, path, &group->members);
	if (err)
		return err == -ENOMEM ? err : 0;
	if (group->members.count)
		qsort(group->members.name, group->members.count,
		      sizeof(group->members.name[0]), member_cmp);
	group->known = true;
	return 0;
}

static int link_groups(struct vtc_ctx *ctx, struct vtc_inventory *inventory)
{
	int err = collect_groups(inventory);

	for (size_t i = 0; !err && i < inventory->group_count; i++)
		err = read_group(ctx, &inventory->groups[i]);
	for (size_t i = 0; !err && i < inventory->nic_count; i++) {
		struct vtc_nic *nic = &inventory->nics[i];
		struct vtc__group key = { .number = nic->iommu_group.value };

		if (nic->iommu_group.state == 1)
			nic->group =
				bsearch(&key, inventory->groups, inventory->group_count,
					sizeof(key), group_cmp);
	}
	return err;
}

static int take(struct vtc_ctx *ctx, uint32_t flags, struct vtc_inventory *inventory)
{
	int err = find_devices(ctx, inventory);

	if (!err)
		err = read_nics(ctx, inventory);
	if (!err)
		err = read_netdevs(ctx, inventory);
	if (!err)
		err = index_names(inventory);
	if (!err)
		err = link_functions(ctx, inventory);
	if (!err)
		err = link_groups(ctx, inventory);
	if (!err && flags & VTC_INVENTORY_F_NAMES)
		err = vtc__names_fill(inventory);
	if (err)
		return err;
	link_netdevs(inventory);
	return flags & VTC_INVENTORY_F_CAPS ? vtc__caps_fill(ctx, inventory) : 0;
}

static int load_opts(struct vtc_ctx *ctx, const struct vtc_inventory_opts *given,
		     struct vtc_inventory_opts *opts)
{
	int err = vtc__opts_load(opts, sizeof(*opts), OPTS_FIRST, given);

	if (err)
		return vtc__err(ctx, err, VTC_ERROR_ORIGIN_ARG, OPERATION, "opts");
	if (opts->flags & ~(VTC_INVENTORY_F_CAPS | VTC_INVENTORY_F_NAMES))
		return vtc__err_arg(ctx, OPERATION, "opts->flags");
	return 0;
}

int vtc_inventory_new(struct vtc_ctx *ctx, const struct vtc_inventory_opts *opts,
		      struct vtc_inventory **ret_inventory)
{
	struct vtc_inventory_opts loaded;
	struct vtc_inventory *inventory;
	int err;

	if (!ctx)
		return -EINVAL;
	if (!ret_inventory)
		return vtc__err_arg(ctx, OPERATION, "ret_inventory");
	err = load_opts(ctx, opts, &loaded);
	if (err)
		return err;

	inventory = calloc(1, sizeof(*inventory));
	err = inventory ? take(ctx, loaded.flags, inventory) : -ENOMEM;
	if (err) {
		vtc_inventory_free(inventory);
		return vtc__err(ctx, err,
				err == -ENOMEM ? VTC_ERROR_ORIGIN_SYSTEM
					       : VTC_ERROR_ORIGIN_SYSFS,
				OPERATION, "%s", ctx->sysfs_root);
	}
	*ret_inventory = inventory;
	return 0;
}

/* ---- Finding and walking ---- */

static const struct vtc_nic *find_netdev(const struct vtc_inventory *inventory,
					 const char *name)
{
	size_t low = 0, high = inventory->netdev_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, inventory->by_name[middle]->name);

		if (!order)
			return inventory->by_name[middle]->nic;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static const struct vtc_nic *find_device(const struct vtc_inventory *inventory,
					 const char *name)
{
	for (size_t i = 0; i < inventory->nic_count; i++) {
		if (strcmp(inventory->nics[i].address, name) == 0)
			return &inventory->nics[i];
	}
	return NULL;
}

int vtc_inventory_find(const struct vtc_inventory *inventory, const char *name,
		       const struct vtc_nic **ret_nic)
{
	char bdf[VTC__BDF_LEN];
	const struct vtc_nic *nic;

	if (!inventory || !name || !ret_nic || !vtc__name_ok(name))
		return -EINVAL;
	nic = find_netdev(inventory, name);
	if (!nic && vtc__text_bdf(name, bdf, sizeof(bdf)) == 0)
		nic = vtc__inventory_lookup(inventory, "pci", bdf);
	else if (!nic)
		nic = find_device(inventory, name);
	if (!nic)
		return -ENODEV;
	*ret_nic = nic;
	return 0;
}

const struct vtc_nic *vtc_nic_foreach_next(const struct vtc_inventory *inventory,
					   const struct vtc_nic *nic)
{
	size_t next;

	if (!inventory || !inventory->nic_count)
		return NULL;
	next = nic ? (size_t)(nic - inventory->nics) + 1 : 0;
	return next < inventory->nic_count ? &inventory->nics[next] : NULL;
}
