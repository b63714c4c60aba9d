/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PFs of the fake kernel: VFs that come and go, by the rules of the PCI core and of
 * netdevsim.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fakekernel-internal.h"

/* A VF on its way: first its driver, then its netdev. */
struct arrival {
	struct vtct_kernel *k;
	struct vtct_pf *pf;
	uint32_t index;
};

static bool is_pci(const struct vtct_pf *pf)
{
	return strcmp(pf->bus, "pci") == 0;
}

void vtct_pf_link(struct vtct_kernel *k, const struct vtct_pf *pf, int index,
		  struct vtct_link *ret_link)
{
	struct vtct_link link = { .mtu = 1500 };

	(void)k;
	snprintf(link.parent_bus, sizeof(link.parent_bus), "%s", pf->bus);
	if (index < 0) {
		link.ifindex = pf->ifindex;
		link.up = link.carrier = pf->up;
		memcpy(link.mac, pf->mac, 6);
		snprintf(link.name, sizeof(link.name), "%s", pf->ifname);
		snprintf(link.parent, sizeof(link.parent), "%s", pf->address);
	} else {
		link.ifindex = vtct_vf_ifindex(pf, (uint32_t)index);
		memcpy(link.mac, pf->vfs[index].mac, 6);
		snprintf(link.name, sizeof(link.name), "%s",
			 vtct_vf_ifname(pf, (uint32_t)index));
		snprintf(link.parent, sizeof(link.parent), "%s",
			 vtct_vf_address(pf, (uint32_t)index));
	}
	*ret_link = link;
}

struct vtct_pf *vtct_kernel_add_pf(struct vtct_kernel *k, const struct vtct_pf *pf)
{
	struct vtct_pf *copy = vtct_alloc(sizeof(*copy));
	uint32_t count = pf->num_vfs;
	struct vtct_link link;
	int i;

	for (i = 0; i < VTCT_MAX_PFS && k->pfs[i]; i++)
		;
	if (i == VTCT_MAX_PFS)
		vtct_die("too many PFs");
	k->pfs[i] = copy;
	*copy = *pf;
	copy->num_vfs = 0;
	vtct_tree_add_pf(k->tree, copy);
	vtct_pf_link(k, copy, -1, &link);
	if (copy->ifname[0])
		vtct_link_set(k, &link, false);
	vtct_create_vfs(k, copy, count);
	return copy;
}

struct vtct_pf *vtct_kernel_igb(struct vtct_kernel *k, unsigned int port)
{
	struct vtct_pf *pf = vtct_alloc(sizeof(*pf));
	struct vtct_pf *added;

	vtct_pf_igb(pf, port);
	added = vtct_kernel_add_pf(k, pf);
	free(pf);
	return added;
}

struct vtct_pf *vtct_kernel_netdevsim(struct vtct_kernel *k, unsigned int id)
{
	struct vtct_pf *pf = vtct_alloc(sizeof(*pf));
	struct vtct_pf *added;

	vtct_pf_netdevsim(pf, id);
	added = vtct_kernel_add_pf(k, pf);
	free(pf);
	return added;
}

void vtct_kernel_virtio(struct vtct_kernel *k)
{
	struct vtct_link link = { .ifindex = 2,
				  .name = "enp0s2",
				  .mtu = 1500,
				  .up = true,
				  .carrier = true,
				  .mac = { 0x52, 0x54, 0, 0, 0, 2 },
				  .parent_bus = "virtio",
				  .parent = "virtio0" };

	vtct_tree_add_virtio(k->tree);
	vtct_link_set(k, &link, false);
}

struct vtct_pf *vtct_pf_of_file(struct vtct_kernel *k, const char *path, const char *name)
{
	char file[VTCT_PATH_MAX];
	int i;

	for (i = 0; i < VTCT_MAX_PFS; i++) {
		if (!k->pfs[i])
			continue;
		snprintf(file, sizeof(file), "%s/%s", k->pfs[i]->dir, name);
		if (strcmp(file, path) == 0)
			return k->pfs[i];
	}
	return NULL;
}

struct vtct_pf *vtct_pf_of_ifindex(struct vtct_kernel *k, uint32_t ifindex)
{
	int i;

	for (i = 0; i < VTCT_MAX_PFS; i++)
		if (k->pfs[i] && k->pfs[i]->ifname[0] && k->pfs[i]->ifindex == ifindex)
			return k->pfs[i];
	return NULL;
}

/* ---- VFs come ---- */

static void netdev_arrives(void *arg)
{
	struct arrival *a = arg;
	struct vtct_link link;

	if (a->index >= a->pf->num_vfs)
		return;
	vtct_pf_link(a->k, a->pf, (int)a->index, &link);
	vtct_tree_add_netdev(a->k->tree, vtct_vf_dir(a->pf, a->index), link.name,
			     link.ifindex, link.mac, false);
	vtct_link_set(a->k, &link, !a->k->muted);
}

static void later(const struct arrival *a, uint64_t delay_ns, void (*fn)(void *arg))
{
	struct arrival *copy;

	if (!delay_ns) {
		fn((void *)(uintptr_t)a);
		return;
	}
	copy = vtct_alloc(sizeof(*copy));
	*copy = *a;
	vtct_at_owned(a->k, delay_ns, fn, copy);
}

static void driver_arrives(void *arg)
{
	struct arrival *a = arg;

	if (a->index >= a->pf->num_vfs)
		return;
	vtct_tree_bind_vf(a->k->tree, a->pf, a->index, a->pf->vf_driver);
	if (a->pf->vf_netdevs)
		later(a, a->pf->netdev_delay_ns, netdev_arrives);
}

static void init_vf(struct vtct_pf *pf, uint32_t index)
{
	struct vtct_vf *vf = &pf->vfs[index];
	struct vtct_vf fresh = { .spoof_check = 1, .vlan_proto = 0x8100 };

	/* The test set these before there was a VF. */
	fresh.silent = vf->silent;
	memcpy(fresh.error, vf->error, sizeof(fresh.error));
	*vf = fresh;
	if (!is_pci(pf))
		return; /* netdevsim begins with zeros */
	vf->mac[0] = 0x02;
	vf->mac[4] = (uint8_t)(index >> 8);
	vf->mac[5] = (uint8_t)index;
}

static void add_vf(struct vtct_kernel *k, struct vtct_pf *pf, uint32_t index)
{
	struct arrival a = { k, pf, index };

	init_vf(pf, index);
	if (!is_pci(pf))
		return;
	vtct_tree_add_vf(k->tree, pf, index);
	if (!k->muted)
		vtct_uevent(k, "add", vtct_vf_dir(pf, index), "pci", NULL);
	if (pf->autoprobe && pf->vf_driver[0])
		later(&a, k->muted ? 0 : pf->driver_delay_ns, driver_arrives);
}

static void show_num_vfs(struct vtct_kernel *k, const struct vtct_pf *pf)
{
	vtct_tree_addf(k->tree, "%s/sriov_numvfs = %u\n", pf->dir, pf->num_vfs);
}

static void add_vfs(struct vtct_kernel *k, struct vtct_pf *pf, uint32_t count)
{
	uint32_t i;

	if (count > VTCT_MAX_VFS)
		vtct_die("too many VFs");
	pf->num_vfs = count;
	for (i = 0; i < count; i++)
		add_vf(k, pf, i);
	show_num_vfs(k, pf);
	if (!k->muted)
		vtct_uevent(k, "change", pf->dir, pf->bus, "NUM_VF_CHANGED=1");
}

void vtct_create_vfs(struct vtct_kernel *k, struct vtct_pf *pf, uint32_t count)
{
	uint64_t driver_ns = pf->driver_delay_ns, netdev_ns = pf->netdev_delay_ns;

	pf->driver_delay_ns = pf->netdev_delay_ns = 0;
	k->muted = true;
	add_vfs(k, pf, count);
	k->muted = false;
	pf->driver_delay_ns = driver_ns;
	pf->netdev_delay_ns = netdev_ns;
}

/* ---- VFs go ---- */

static void remove_vfs(struct vtct_kernel *k, struct vtct_pf *pf)
{
	uint32_t i = pf->num_vfs;

	while (is_pci(pf) && i-- > 0) {
		vtct_link_remove(k, vtct_vf_ifindex(pf, i), true);
		vtct_uevent(k, "remove", vtct_vf_dir(pf, i), "pci", NULL);
		vtct_tree_remove_vf(k->tree, pf, i);
	}
	pf->num_vfs = 0;
	show_num_vfs(k, pf);
}

void vtct_unplug(struct vtct_kernel *k, struct vtct_pf *pf)
{
	int i;

	remove_vfs(k, pf);
	if (pf->ifname[0])
		vtct_link_remove(k, pf->ifindex, true);
	vtct_uevent(k, "remove", pf->dir, pf->bus, NULL);
	vtct_tree_remove_pf(k->tree, pf);
	for (i = 0; i < VTCT_MAX_PFS; i++)
		if (k->pfs[i] == pf)
			k->pfs[i] = NULL;
	free(pf);
}

/* ---- Store functions ---- */

/* kstrtou16(): decimal or 0x, one newline may follow. */
static int parse_u16(const char *text, uint32_t *ret)
{
	char *end;
	unsigned long value = strtoul(text, &end, 0);

	if (end == text || strchr(" -", text[0]) || (*end && strcmp(end, "\n") != 0))
		return -EINVAL;
	if (value > UINT16_MAX)
		return -ERANGE;
	*ret = (uint32_t)value;
	return 0;
}

static int enable(struct vtct_kernel *k, struct vtct_pf *pf, uint32_t count)
{
	if (pf->up_needed && !pf->up)
		return -EINVAL;
	if (pf->enable_error)
		return pf->enable_error;
	if (pf->grant_at_most && count > pf->grant_at_most)
		count = pf->grant_at_most;
	add_vfs(k, pf, count);
	return 0;
}

int vtct_numvfs_store(struct vtct_kernel *k, struct vtct_pf *pf, const char *text)
{
	uint32_t count;
	int err = parse_u16(text, &count);

	if (err)
		return err;
	if (is_pci(pf) && count > pf->total_vfs)
		return -ERANGE;
	if (count == pf->num_vfs)
		return 0;
	if (!pf->driver[0])
		return -ENOENT;
	if (count == 0) {
		if (pf->disable_error)
			return pf->disable_error;
		remove_vfs(k, pf);
		vtct_uevent(k, "change", pf->dir, pf->bus, "NUM_VF_CHANGED=1");
		return 0;
	}
	if (pf->num_vfs)
		return -EBUSY;
	if (count > pf->total_vfs)
		return -ENOMEM; /* netdevsim's answer */
	return enable(k, pf, count);
}

int vtct_write_num_vfs(struct vtct_kernel *k, struct vtct_pf *pf, uint32_t count)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", count);
	return vtct_numvfs_store(k, pf, text);
}

int vtct_autoprobe_store(struct vtct_kernel *k, struct vtct_pf *pf, const char *text)
{
	if (!text[0] || !strchr("01yYnN", text[0]))
		return -EINVAL;
	pf->autoprobe = strchr("1yY", text[0]) != NULL;
	vtct_tree_addf(k->tree, "%s/sriov_drivers_autoprobe = %d\n", pf->dir,
		       pf->autoprobe);
	return 0;
}

/* ---- State as text ---- */

static void print_vf(FILE *out, uint32_t index, const struct vtct_vf *vf)
{
	int i;

	fprintf(out, "vf %u mac ", index);
	for (i = 0; i < 6; i++)
		fprintf(out, "%02x", vf->mac[i]);
	fprintf(out, " vlan %u qos %u proto %04x rate %u-%u", vf->vlan, vf->qos,
		vf->vlan_proto, vf->min_rate, vf->max_rate);
	fprintf(out, " spoof %u link %u rss %u trust %u guid %llx %llx\n",
		vf->spoof_check, vf->link_state, vf->rss_query, vf->trust,
		(unsigned long long)vf->node_guid, (unsigned long long)vf->port_guid);
}

char *vtct_pf_state(const struct vtct_pf *pf)
{
	char *text = NULL;
	size_t len;
	FILE *out;
	uint32_t i;

	vtct_inside++;
	out = open_memstream(&text, &len);
	if (!out)
		vtct_die("memory is out");
	fprintf(out, "%s vfs %u autoprobe %d up %d\n", pf->address, pf->num_vfs,
		pf->autoprobe, pf->up);
	for (i = 0; i < pf->num_vfs; i++)
		print_vf(out, i, &pf->vfs[i]);
	fclose(out);
	vtct_inside--;
	return text;
}
