/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One attribute of one VF to the kernel: RTM_SETLINK with the PF's interface. The kernel would
 * apply part of a message with several attributes, and not say which part.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "core/log.h"
#include "core/netlink.h"
#include "vf-send.h"

#define MSG_SIZE 256

static int put_pair(const struct vtc__vf_step *step, struct vtc__nlmsg *msg, uint32_t vf,
		    const uint64_t *value)
{
	struct ifla_vf_trust pair = { .vf = vf, .setting = (uint32_t)value[step->attr] };

	return vtc__nlmsg_put(msg, step->type, &pair, sizeof(pair));
}

static int put_mac(const struct vtc__vf_step *step, struct vtc__nlmsg *msg, uint32_t vf,
		   const uint64_t *value)
{
	struct ifla_vf_mac mac = { .vf = vf };

	vtc__vf_unpack_mac(value[step->attr], mac.mac);
	return vtc__nlmsg_put(msg, step->type, &mac, sizeof(mac));
}

/* 802.1Q goes in the older attribute, which every kernel and driver knows. */
static int put_vlan(const struct vtc__vf_step *step, struct vtc__nlmsg *msg, uint32_t vf,
		    const uint64_t *value)
{
	struct vtc_vlan vlan = vtc__vf_unpack_vlan(value[step->attr]);
	struct ifla_vf_vlan old = { .vf = vf, .vlan = vlan.id, .qos = vlan.qos };
	struct ifla_vf_vlan_info info;
	struct nlattr *list;
	int err;

	if (!vlan.proto || vlan.proto == VTC_VLAN_PROTO_8021Q)
		return vtc__nlmsg_put(msg, IFLA_VF_VLAN, &old, sizeof(old));

	memset(&info, 0, sizeof(info));
	info.vf = vf;
	info.vlan = vlan.id;
	info.qos = vlan.qos;
	info.vlan_proto = htons(vlan.proto);
	list = vtc__nlmsg_nest(msg, IFLA_VF_VLAN_LIST);
	if (!list)
		return -EMSGSIZE;
	err = vtc__nlmsg_put(msg, IFLA_VF_VLAN_INFO, &info, sizeof(info));
	vtc__nlmsg_nest_end(msg, list);
	return err;
}

static int put_rates(const struct vtc__vf_step *step, struct vtc__nlmsg *msg, uint32_t vf,
		     const uint64_t *value)
{
	struct ifla_vf_rate rate = {
		.vf = vf,
		.min_tx_rate = (uint32_t)value[VTC_VF_ATTR_MIN_RATE],
		.max_tx_rate = (uint32_t)value[VTC_VF_ATTR_MAX_RATE],
	};

	return vtc__nlmsg_put(msg, step->type, &rate, sizeof(rate));
}

static int put_guid(const struct vtc__vf_step *step, struct vtc__nlmsg *msg, uint32_t vf,
		    const uint64_t *value)
{
	struct ifla_vf_guid guid;

	memset(&guid, 0, sizeof(guid));
	guid.vf = vf;
	guid.guid = value[step->attr];
	return vtc__nlmsg_put(msg, step->type, &guid, sizeof(guid));
}

/*
 * Trust comes first: some drivers want it for what follows. The GUIDs cannot share a
 * message.
 */
const struct vtc__vf_step vtc__vf_steps[VTC__VF_STEPS] = {
	{ put_pair, "set VF trust", VTC_VF_ATTR_TRUST, IFLA_VF_TRUST,
	  1u << VTC_VF_ATTR_TRUST },
	{ put_mac, "set VF MAC", VTC_VF_ATTR_MAC, IFLA_VF_MAC, 1u << VTC_VF_ATTR_MAC },
	{ put_vlan, "set VF VLAN", VTC_VF_ATTR_VLAN, IFLA_VF_VLAN,
	  1u << VTC_VF_ATTR_VLAN },
	{ put_pair, "set VF spoof check", VTC_VF_ATTR_SPOOF_CHECK, IFLA_VF_SPOOFCHK,
	  1u << VTC_VF_ATTR_SPOOF_CHECK },
	{ put_rates, "set VF rates", VTC_VF_ATTR_MAX_RATE, IFLA_VF_RATE, VTC__VF_RATES },
	{ put_pair, "set VF link state", VTC_VF_ATTR_LINK_STATE, IFLA_VF_LINK_STATE,
	  1u << VTC_VF_ATTR_LINK_STATE },
	{ put_pair, "set VF RSS query", VTC_VF_ATTR_RSS_QUERY, IFLA_VF_RSS_QUERY_EN,
	  1u << VTC_VF_ATTR_RSS_QUERY },
	{ put_guid, "set VF node GUID", VTC_VF_ATTR_NODE_GUID, IFLA_VF_IB_NODE_GUID,
	  1u << VTC_VF_ATTR_NODE_GUID },
	{ put_guid, "set VF port GUID", VTC_VF_ATTR_PORT_GUID, IFLA_VF_IB_PORT_GUID,
	  1u << VTC_VF_ATTR_PORT_GUID },
};

static int send_step(struct vtc_pf *pf, uint32_t ifindex, const struct vtc__vf_step *step,
		     uint32_t vf, const uint64_t *value)
{
	struct ifinfomsg ifi = { .ifi_index = (int)ifindex };
	struct vtc__nlmsg *msg = vtc__nlmsg_new(RTM_SETLINK, 0, MSG_SIZE);
	struct nlattr *list, *info;
	struct vtc__nl *nl;
	int err;

	if (!msg)
		return -ENOMEM;
	err = vtc__nlmsg_append(msg, &ifi, sizeof(ifi));
	list = err ? NULL : vtc__nlmsg_nest(msg, IFLA_VFINFO_LIST);
	info = list ? vtc__nlmsg_nest(msg, IFLA_VF_INFO) : NULL;
	err = info ? step->put(step, msg, vf, value) : -EMSGSIZE;
	if (!err)
		err = vtc__nl_rt(pf->ctx, &nl);
	if (!err) {
		vtc__nlmsg_nest_end(msg, info);
		vtc__nlmsg_nest_end(msg, list);
		vtc__log(pf->ctx, VTC_LOG_DEBUG, "%s vf %u: %s", pf->address, vf,
			 step->operation);
		err = vtc__nl_request(pf->ctx, nl, msg, NULL, NULL);
	}
	vtc__nlmsg_free(msg);
	return err;
}

int vtc__vf_send(struct vtc_pf *pf, uint32_t ifindex, const struct vtc__vf_step *step,
		 uint32_t vf, const uint64_t *value)
{
	static const uint64_t nobody[VTC_VF_ATTR_COUNT] = { [VTC_VF_ATTR_MAC] =
								    VTC__VF_MAC_NOBODY };
	int err = send_step(pf, ifindex, step, vf, value);

	if (err == -EINVAL && step->attr == VTC_VF_ATTR_MAC && !value[VTC_VF_ATTR_MAC])
		err = send_step(pf, ifindex, step, vf, nobody);
	return err;
}
