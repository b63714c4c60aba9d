/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VF attributes of the fake kernel, in the order and layout of net/core/rtnetlink.c. */
#include <arpa/inet.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "fakekernel-internal.h"

/* A new address on its way to where it is read back. */
struct late_mac {
	struct vtct_vf *vf;
	uint8_t mac[6];
};

static const void *data_of(const struct nlattr *attr)
{
	return (const char *)attr + NLA_HDRLEN;
}

static size_t len_of(const struct nlattr *attr)
{
	return attr->nla_len - NLA_HDRLEN;
}

/* ---- Setting ---- */

/*
 * What the driver says before it looks at the value: 0 with *ret_vf, or an error. skip:
 * accepted and forgotten.
 */
static int find_vf(struct vtct_pf *pf, int type, uint32_t index, struct vtct_vf **ret_vf,
		   bool *skip)
{
	if (index > INT_MAX)
		return -EINVAL;
	if (pf->error[type])
		return pf->error[type];
	if (index >= pf->num_vfs)
		return -EINVAL;
	*ret_vf = &pf->vfs[index];
	*skip = pf->ignored & 1u << type;
	return (*ret_vf)->error[type];
}

static void mac_arrives(void *arg)
{
	struct late_mac *late = arg;

	memcpy(late->vf->mac, late->mac, 6);
}

static int set_mac(struct vtct_kernel *k, struct vtct_pf *pf, const struct ifla_vf_mac *v)
{
	static const uint8_t zero[6];
	struct late_mac *late;
	struct vtct_vf *vf;
	bool skip;
	int err = find_vf(pf, IFLA_VF_MAC, v->vf, &vf, &skip);

	if (err || skip)
		return err;
	if (v->mac[0] & 1 || (pf->refuses_zero_mac && memcmp(v->mac, zero, 6) == 0))
		return -EINVAL;
	if (!pf->mac_delay_ns) {
		memcpy(vf->mac, v->mac, 6);
		return 0;
	}
	late = vtct_alloc(sizeof(*late));
	late->vf = vf;
	memcpy(late->mac, v->mac, 6);
	vtct_at_owned(k, pf->mac_delay_ns, mac_arrives, late);
	return 0;
}

static int set_vlan(struct vtct_pf *pf, int type, uint32_t index, uint32_t vlan,
		    uint32_t qos, uint16_t proto)
{
	struct vtct_vf *vf;
	bool skip;
	int err = find_vf(pf, type, index, &vf, &skip);

	if (err || skip)
		return err;
	if (vlan > 4095 || qos > 7)
		return -EINVAL;
	if (proto != 0x8100 && (pf->only_8021q || proto != 0x88a8))
		return -EPROTONOSUPPORT;
	vf->vlan = vlan;
	vf->qos = qos;
	vf->vlan_proto = proto;
	return 0;
}

static int set_vlan_list(struct vtct_pf *pf, const struct nlattr *list)
{
	const struct nlattr *tb[IFLA_VF_VLAN_INFO + 1];
	struct ifla_vf_vlan_info v;

	vtct_parse(tb, IFLA_VF_VLAN_INFO, data_of(list), len_of(list));
	if (!tb[IFLA_VF_VLAN_INFO] || len_of(tb[IFLA_VF_VLAN_INFO]) < sizeof(v))
		return -EINVAL;
	if (len_of(list) >= 2 * (sizeof(v) + NLA_HDRLEN))
		return -EOPNOTSUPP; /* MAX_VLAN_LIST_LEN is 1 */
	memcpy(&v, data_of(tb[IFLA_VF_VLAN_INFO]), sizeof(v));
	return set_vlan(pf, IFLA_VF_VLAN_LIST, v.vf, v.vlan, v.qos, ntohs(v.vlan_proto));
}

static int set_rates(struct vtct_pf *pf, int type, uint32_t index, uint32_t min,
		     uint32_t max)
{
	struct vtct_vf *vf;
	bool skip;
	int err = find_vf(pf, type, index, &vf, &skip);

	if (err || skip)
		return err;
	if ((max && max < min) || (min && pf->no_min_rate))
		return -EINVAL;
	if (pf->clamp_rate && max > pf->clamp_rate)
		max = pf->clamp_rate;
	vf->min_rate = min;
	vf->max_rate = max;
	return 0;
}

/* The kernel keeps the minimum for the older attribute. */
static int set_max_rate(struct vtct_pf *pf, const struct ifla_vf_tx_rate *v)
{
	uint32_t min = v->vf < pf->num_vfs ? pf->vfs[v->vf].min_rate : 0;

	return set_rates(pf, IFLA_VF_TX_RATE, v->vf, min, v->rate);
}

/* The attributes that are {vf, number}, which all structs of the kernel begin with. */
static int set_number(struct vtct_pf *pf, int type, const struct ifla_vf_spoofchk *v)
{
	struct vtct_vf *vf;
	bool skip;
	int err = find_vf(pf, type, v->vf, &vf, &skip);

	if (err || skip)
		return err;
	if (type == IFLA_VF_SPOOFCHK)
		vf->spoof_check = v->setting != 0;
	else if (type == IFLA_VF_LINK_STATE && v->setting > IFLA_VF_LINK_STATE_DISABLE)
		return -EINVAL;
	else if (type == IFLA_VF_LINK_STATE)
		vf->link_state = v->setting;
	else if (type == IFLA_VF_RSS_QUERY_EN)
		vf->rss_query = v->setting != 0;
	else
		vf->trust = v->setting != 0;
	return 0;
}

static int set_guid(struct vtct_pf *pf, int type, const void *data)
{
	struct ifla_vf_guid v;
	struct vtct_vf *vf;
	bool skip;
	int err;

	if (!pf->infiniband)
		return -EOPNOTSUPP;
	memcpy(&v, data, sizeof(v)); /* attributes are aligned to 4 bytes only */
	err = find_vf(pf, type, v.vf, &vf, &skip);
	if (err || skip)
		return err;
	if (type == IFLA_VF_IB_NODE_GUID)
		vf->node_guid = v.guid;
	else
		vf->port_guid = v.guid;
	return 0;
}

static int set_one(struct vtct_kernel *k, struct vtct_pf *pf, int type,
		   const struct nlattr *attr)
{
	const void *data = data_of(attr);

	switch (type) {
	case IFLA_VF_MAC:
		return set_mac(k, pf, data);
	case IFLA_VF_VLAN: {
		const struct ifla_vf_vlan *v = data;

		return set_vlan(pf, type, v->vf, v->vlan, v->qos, 0x8100);
	}
	case IFLA_VF_VLAN_LIST:
		return set_vlan_list(pf, attr);
	case IFLA_VF_TX_RATE:
		return set_max_rate(pf, data);
	case IFLA_VF_RATE: {
		const struct ifla_vf_rate *v = data;

		return set_rates(pf, type, v->vf, v->min_tx_rate, v->max_tx_rate);
	}
	case IFLA_VF_IB_NODE_GUID:
	case IFLA_VF_IB_PORT_GUID:
		return set_guid(pf, type, data);
	default:
		return set_number(pf, type, data);
	}
}

/* The least length by the kernel's policy. */
static size_t least(int type)
{
	switch (type) {
	case IFLA_VF_MAC:
		return sizeof(struct ifla_vf_mac);
	case IFLA_VF_VLAN:
		return sizeof(struct ifla_vf_vlan);
	case IFLA_VF_VLAN_LIST:
		return 0;
	case IFLA_VF_RATE:
		return sizeof(struct ifla_vf_rate);
	case IFLA_VF_IB_NODE_GUID:
	case IFLA_VF_IB_PORT_GUID:
		return sizeof(struct ifla_vf_guid);
	default:
		return sizeof(struct ifla_vf_spoofchk);
	}
}

int vtct_set_vf_info(struct vtct_kernel *k, struct vtct_pf *pf, const struct nlattr *info)
{
	static const int order[] = {
		IFLA_VF_MAC,	      IFLA_VF_VLAN,	    IFLA_VF_VLAN_LIST,
		IFLA_VF_TX_RATE,      IFLA_VF_RATE,	    IFLA_VF_SPOOFCHK,
		IFLA_VF_LINK_STATE,   IFLA_VF_RSS_QUERY_EN, IFLA_VF_TRUST,
		IFLA_VF_IB_NODE_GUID, IFLA_VF_IB_PORT_GUID,
	};
	const struct nlattr *tb[IFLA_VF_MAX + 1];
	size_t i;
	int err;

	vtct_parse(tb, IFLA_VF_MAX, data_of(info), len_of(info));
	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (tb[order[i]] && len_of(tb[order[i]]) < least(order[i]))
			return -ERANGE;
	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (!tb[order[i]])
			continue;
		err = set_one(k, pf, order[i], tb[order[i]]);
		/*
		 * The kernel returns from the node GUID, so a port GUID beside it is
		 * lost.
		 */
		if (err || order[i] == IFLA_VF_IB_NODE_GUID)
			return err;
	}
	return 0;
}

/* ---- Showing ---- */

static void put_pair(struct vtct_buf *buf, int type, uint32_t index, uint32_t value)
{
	uint32_t pair[2] = { index, value };

	vtct_put(buf, type, pair, sizeof(pair));
}

static uint32_t reported(const struct vtct_pf *pf, int type, uint32_t value)
{
	return pf->unreported & 1u << type ? UINT32_MAX : value;
}

static void put_stats(struct vtct_buf *buf, const struct vtct_vf *vf)
{
	size_t nest = vtct_nest(buf, IFLA_VF_STATS);

	vtct_put_u64(buf, IFLA_VF_STATS_RX_PACKETS, vf->rx_packets);
	vtct_put_u64(buf, IFLA_VF_STATS_TX_PACKETS, vf->tx_packets);
	vtct_put_u64(buf, IFLA_VF_STATS_RX_BYTES, vf->rx_bytes);
	vtct_put_u64(buf, IFLA_VF_STATS_TX_BYTES, vf->tx_bytes);
	vtct_put_u64(buf, IFLA_VF_STATS_BROADCAST, vf->broadcast);
	vtct_put_u64(buf, IFLA_VF_STATS_MULTICAST, vf->multicast);
	vtct_put_u64(buf, IFLA_VF_STATS_RX_DROPPED, vf->rx_dropped);
	vtct_put_u64(buf, IFLA_VF_STATS_TX_DROPPED, vf->tx_dropped);
	vtct_nest_end(buf, nest);
}

static void put_guids(struct vtct_buf *buf, uint32_t index, const struct vtct_vf *vf)
{
	struct ifla_vf_guid node = { .vf = index, .guid = vf->node_guid };
	struct ifla_vf_guid port = { .vf = index, .guid = vf->port_guid };

	vtct_put(buf, IFLA_VF_IB_NODE_GUID, &node, sizeof(node));
	vtct_put(buf, IFLA_VF_IB_PORT_GUID, &port, sizeof(port));
}

static void put_vlan_list(struct vtct_buf *buf, uint32_t index, const struct vtct_vf *vf)
{
	struct ifla_vf_vlan_info v = { .vf = index, .vlan = vf->vlan, .qos = vf->qos };
	size_t nest = vtct_nest(buf, IFLA_VF_VLAN_LIST);

	v.vlan_proto = htons(vf->vlan_proto);
	vtct_put(buf, IFLA_VF_VLAN_INFO, &v, sizeof(v));
	vtct_nest_end(buf, nest);
}

void vtct_put_vf_info(struct vtct_buf *buf, const struct vtct_pf *pf, uint32_t index,
		      bool stats)
{
	const struct vtct_vf *vf = &pf->vfs[index];
	struct ifla_vf_mac mac = { .vf = index };
	struct ifla_vf_vlan vlan = { .vf = index, .vlan = vf->vlan, .qos = vf->qos };
	struct ifla_vf_rate rate = { index, vf->min_rate, vf->max_rate };
	static const uint8_t broadcast[32] = { 255, 255, 255, 255, 255, 255 };
	size_t nest;

	if (vf->silent)
		return;
	memcpy(mac.mac, vf->mac, sizeof(mac.mac));
	nest = vtct_nest(buf, IFLA_VF_INFO);
	vtct_put(buf, IFLA_VF_MAC, &mac, sizeof(mac));
	vtct_put(buf, IFLA_VF_BROADCAST, broadcast, sizeof(broadcast));
	vtct_put(buf, IFLA_VF_VLAN, &vlan, sizeof(vlan));
	vtct_put(buf, IFLA_VF_RATE, &rate, sizeof(rate));
	put_pair(buf, IFLA_VF_TX_RATE, index, vf->max_rate);
	put_pair(buf, IFLA_VF_SPOOFCHK, index,
		 reported(pf, IFLA_VF_SPOOFCHK, vf->spoof_check));
	put_pair(buf, IFLA_VF_LINK_STATE, index, vf->link_state);
	put_pair(buf, IFLA_VF_RSS_QUERY_EN, index,
		 reported(pf, IFLA_VF_RSS_QUERY_EN, vf->rss_query));
	put_pair(buf, IFLA_VF_TRUST, index, reported(pf, IFLA_VF_TRUST, vf->trust));
	if (pf->infiniband)
		put_guids(buf, index, vf);
	put_vlan_list(buf, index, vf);
	if (stats)
		put_stats(buf, vf);
	vtct_nest_end(buf, nest);
}
