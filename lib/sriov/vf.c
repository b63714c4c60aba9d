/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots of VFs: the list, and what its entries tell. */
#include "vf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/opts.h"
#include "core/sysfs.h"

#define LIST "list VFs"

#define OPTS_FIRST sizeof(struct vtc_vf_list_opts)

static const struct {
	const char *name;
	uint64_t clear;
} attrs[VTC_VF_ATTR_COUNT] = {
	[VTC_VF_ATTR_MAC] = { "mac", 0 },
	[VTC_VF_ATTR_VLAN] = { "vlan", 0 },
	[VTC_VF_ATTR_MIN_RATE] = { "min-rate", 0 },
	[VTC_VF_ATTR_MAX_RATE] = { "max-rate", 0 },
	[VTC_VF_ATTR_SPOOF_CHECK] = { "spoof-check", 1 },
	[VTC_VF_ATTR_TRUST] = { "trust", 0 },
	[VTC_VF_ATTR_LINK_STATE] = { "link-state", VTC_VF_LINK_AUTO },
	[VTC_VF_ATTR_RSS_QUERY] = { "rss-query", 0 },
	[VTC_VF_ATTR_NODE_GUID] = { "node-guid", 0 },
	[VTC_VF_ATTR_PORT_GUID] = { "port-guid", 0 },
};

const char *vtc_vf_attr_name(enum vtc_vf_attr attr)
{
	return (unsigned int)attr < VTC_VF_ATTR_COUNT ? attrs[attr].name : NULL;
}

uint64_t vtc__vf_clear_value(enum vtc_vf_attr attr)
{
	return attrs[attr].clear;
}

uint64_t vtc__vf_pack_mac(const uint8_t *octets)
{
	uint64_t value = 0;

	for (int i = 0; i < 6; i++)
		value = value << 8 | octets[i];
	return value;
}

void vtc__vf_unpack_mac(uint64_t value, uint8_t *octets)
{
	for (int i = 5; i >= 0; i--, value >>= 8)
		octets[i] = (uint8_t)value;
}

/* Without id and priority there is no VLAN, whatever the protocol. */
uint64_t vtc__vf_pack_vlan(uint32_t id, uint32_t qos, uint16_t proto)
{
	if (!id && !qos)
		return 0;
	return id | (uint64_t)qos << 16 |
	       (uint64_t)(proto ? proto : VTC_VLAN_PROTO_8021Q) << 32;
}

struct vtc_vlan vtc__vf_unpack_vlan(uint64_t value)
{
	return (struct vtc_vlan){
		.id = (uint16_t)value,
		.qos = (uint8_t)(value >> 16),
		.proto = (uint16_t)(value >> 32),
	};
}

/* ---- The list ---- */

static int look_at_netdev(struct vtc_pf *pf, struct vtc_vf *vf, const char *path)
{
	char file[VTC__PATH_MAX], text[VTC_MAC_TEXT_LEN + 2];
	struct vtc__pf_netdev netdev;
	int err;

	if (vtc__path(file, sizeof(file), "%s/driver", path) == 0 &&
	    !vtc__sysfs_exists(pf->ctx, file)) {
		vf->has_effective = 0;
		return 0;
	}
	err = vtc__pf_find_netdev(pf->ctx, path, &netdev);
	if (!err &&
	    vtc__path(file, sizeof(file), "%s/net/%s/address", path, netdev.name) == 0 &&
	    vtc__sysfs_read(pf->ctx, file, text, sizeof(text)) > 0 &&
	    vtc_mac_parse(text, &vf->effective) == 0)
		vf->has_effective = 1;
	return err == -ENOMEM ? err : 0;
}

/* What sysfs does not tell is unknown; the only failure is -ENOMEM. */
static int look_at_device(struct vtc_pf *pf, struct vtc_vf *vf)
{
	char path[VTC__PATH_MAX];

	vf->has_address = vf->has_effective = vtc__pf_is_pci(pf) ? -ENODATA : 0;
	if (!vtc__pf_is_pci(pf) ||
	    vtc__path(path, sizeof(path), "%s/virtfn%u", pf->path, vf->index) ||
	    vtc__sysfs_link_name(pf->ctx, path, vf->address, sizeof(vf->address)))
		return 0;
	vf->has_address = 1;
	return look_at_netdev(pf, vf, path);
}

static int load_opts(struct vtc_pf *pf, const struct vtc_vf_list_opts *opts,
		     bool *ret_stats)
{
	struct vtc_vf_list_opts own;
	int err = vtc__opts_load(&own, sizeof(own), OPTS_FIRST, opts);

	if (err == -E2BIG)
		return vtc__err(pf->ctx, err, VTC_ERROR_ORIGIN_ARG, LIST, "opts");
	if (err)
		return vtc__err_arg(pf->ctx, LIST, "opts.sz");
	if (own.flags & ~VTC_VF_LIST_F_STATS)
		return vtc__err_arg(pf->ctx, LIST, "opts.flags");
	*ret_stats = own.flags & VTC_VF_LIST_F_STATS;
	return 0;
}

int vtc_vf_list_new(struct vtc_pf *pf, const struct vtc_vf_list_opts *opts,
		    struct vtc_vf_list **ret_list)
{
	struct vtc__pf_netdev netdev;
	struct vtc_vf_list *list;
	bool stats = false;
	int err;

	if (!pf || !ret_list)
		return vtc__err_arg(pf ? pf->ctx : NULL, LIST, "a parameter is NULL");
	err = load_opts(pf, opts, &stats);
	if (!err)
		err = vtc__pf_netdev(pf, LIST, &netdev);
	if (err)
		return err;
	err = vtc__vf_read(pf, netdev.ifindex, stats, &list);
	if (err)
		return vtc__vf_read_err(pf, LIST, err);

	for (uint32_t i = 0; !err && i < list->count; i++)
		err = look_at_device(pf, &list->vfs[i]);
	if (err) {
		free(list);
		return vtc__err(pf->ctx, err, VTC_ERROR_ORIGIN_SYSTEM, LIST, "%s",
				pf->address);
	}
	*ret_list = list;
	return 0;
}

void vtc_vf_list_free(struct vtc_vf_list *list)
{
	free(list);
}

uint32_t vtc_vf_list_get_count(const struct vtc_vf_list *list)
{
	return list ? list->count : 0;
}

int vtc_vf_list_get(const struct vtc_vf_list *list, uint32_t index,
		    const struct vtc_vf **ret_vf)
{
	if (!list || !ret_vf)
		return -EINVAL;
	if (index >= list->count)
		return -ERANGE;
	if (!list->vfs[index].was_reported)
		return list->was_cut && index >= list->end ? -EOVERFLOW : -ENODATA;

	*ret_vf = &list->vfs[index];
	return 0;
}

/* ---- One VF ---- */

uint32_t vtc_vf_get_index(const struct vtc_vf *vf)
{
	return vf ? vf->index : 0;
}

int vtc_vf_get_address(const struct vtc_vf *vf, const char **ret_address)
{
	if (!vf || !ret_address)
		return -EINVAL;
	if (vf->has_address == 1)
		*ret_address = vf->address;
	return vf->has_address;
}

int vtc_vf_get_effective_mac(const struct vtc_vf *vf, struct vtc_mac *ret_mac)
{
	if (!vf || !ret_mac)
		return -EINVAL;
	if (vf->has_effective == 1)
		*ret_mac = vf->effective;
	return vf->has_effective;
}

/* Tri-state of an attribute for which 0 means "none". */
static int get_value(const struct vtc_vf *vf, enum vtc_vf_attr attr, const void *ret,
		     uint64_t *ret_value)
{
	if (!vf || !ret)
		return -EINVAL;
	if (!(vf->known & vtc__vf_bit(attr)))
		return -ENODATA;
	*ret_value = vf->value[attr];
	return *ret_value != 0;
}

int vtc_vf_get_mac(const struct vtc_vf *vf, struct vtc_mac *ret_mac)
{
	uint64_t value;
	int got = get_value(vf, VTC_VF_ATTR_MAC, ret_mac, &value);

	if (got == 1)
		vtc__vf_unpack_mac(value, ret_mac->addr);
	return got;
}

int vtc_vf_get_vlan(const struct vtc_vf *vf, struct vtc_vlan *ret_vlan)
{
	uint64_t value;
	int got = get_value(vf, VTC_VF_ATTR_VLAN, ret_vlan, &value);

	if (got == 1)
		*ret_vlan = vtc__vf_unpack_vlan(value);
	return got;
}

static int get_rate(const struct vtc_vf *vf, enum vtc_vf_attr attr, uint32_t *ret_mbps)
{
	uint64_t value;
	int got = get_value(vf, attr, ret_mbps, &value);

	if (got == 1)
		*ret_mbps = (uint32_t)value;
	return got;
}

int vtc_vf_get_min_rate_mbps(const struct vtc_vf *vf, uint32_t *ret_mbps)
{
	return get_rate(vf, VTC_VF_ATTR_MIN_RATE, ret_mbps);
}

int vtc_vf_get_max_rate_mbps(const struct vtc_vf *vf, uint32_t *ret_mbps)
{
	return get_rate(vf, VTC_VF_ATTR_MAX_RATE, ret_mbps);
}

/* A switch is never "none": off is a value. */
static int get_switch(const struct vtc_vf *vf, enum vtc_vf_attr attr, int *ret_on)
{
	uint64_t value;
	int got = get_value(vf, attr, ret_on, &value);

	if (got < 0)
		return got;
	*ret_on = (int)value;
	return 1;
}

int vtc_vf_get_spoof_check(const struct vtc_vf *vf, int *ret_on)
{
	return get_switch(vf, VTC_VF_ATTR_SPOOF_CHECK, ret_on);
}

int vtc_vf_get_trust(const struct vtc_vf *vf, int *ret_on)
{
	return get_switch(vf, VTC_VF_ATTR_TRUST, ret_on);
}

int vtc_vf_get_rss_query(const struct vtc_vf *vf, int *ret_on)
{
	return get_switch(vf, VTC_VF_ATTR_RSS_QUERY, ret_on);
}

int vtc_vf_get_link_state(const struct vtc_vf *vf, enum vtc_vf_link_state *ret_state)
{
	uint64_t value;
	int got = get_value(vf, VTC_VF_ATTR_LINK_STATE, ret_state, &value);

	if (got < 0)
		return got;
	*ret_state = (enum vtc_vf_link_state)value;
	return 1;
}

int vtc_vf_get_node_guid(const struct vtc_vf *vf, uint64_t *ret_guid)
{
	uint64_t value;
	int got = get_value(vf, VTC_VF_ATTR_NODE_GUID, ret_guid, &value);

	if (got == 1)
		*ret_guid = value;
	return got;
}

int vtc_vf_get_port_guid(const struct vtc_vf *vf, uint64_t *ret_guid)
{
	uint64_t value;
	int got = get_value(vf, VTC_VF_ATTR_PORT_GUID, ret_guid, &value);

	if (got == 1)
		*ret_guid = value;
	return got;
}

int vtc_vf_get_stats(const struct vtc_vf *vf, struct vtc_vf_stats *ret_stats, size_t size)
{
	if (!vf || !ret_stats || !size)
		return -EINVAL;
	if (!vf->has_stats)
		return -ENODATA;
	memset(ret_stats, 0, size);
	memcpy(ret_stats, &vf->stats,
	       size < sizeof(vf->stats) ? size : sizeof(vf->stats));
	return 1;
}
