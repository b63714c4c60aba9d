/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Attributes of one VF to the kernel: RTM_SETLINK with the PF's interface, a message for
 * each, because the kernel would apply part of a message with several attributes, and not
 * say which part. The messages can share a datagram.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "core/log.h"
#include "core/netlink.h"
#include "vf-send.h"

/*
 * A message always has this shape, and is written as such, not attribute by attribute: a
 * configuration of many VFs is many messages.
 */
struct vtc__vf_message {
	struct nlmsghdr header;
	struct ifinfomsg link;
	struct nlattr list, info, attr;
	unsigned char value[48];
};

_Static_assert(sizeof(struct vtc__vf_message) == VTC__VF_MESSAGE_MAX,
	       "a packet has room for all");

static void put(struct vtc__vf_message *msg, int type, const void *value, size_t size)
{
	memcpy(msg->value, value, size);
	msg->attr.nla_type = (uint16_t)type;
	msg->attr.nla_len = (uint16_t)(sizeof(struct nlattr) + size);
}

static void put_pair(const struct vtc__vf_step *step, struct vtc__vf_message *msg,
		     uint32_t vf, const uint64_t *value)
{
	struct ifla_vf_trust pair = { .vf = vf, .setting = (uint32_t)value[step->attr] };

	put(msg, step->type, &pair, sizeof(pair));
}

static void put_mac(const struct vtc__vf_step *step, struct vtc__vf_message *msg,
		    uint32_t vf, const uint64_t *value)
{
	struct ifla_vf_mac mac = { .vf = vf };

	vtc__vf_unpack_mac(value[step->attr], mac.mac);
	put(msg, step->type, &mac, sizeof(mac));
}

/* 802.1Q goes in the older attribute, which every kernel and driver knows. */
static void put_vlan(const struct vtc__vf_step *step, struct vtc__vf_message *msg,
		     uint32_t vf, const uint64_t *value)
{
	struct vtc_vlan vlan = vtc__vf_unpack_vlan(value[step->attr]);
	struct ifla_vf_vlan old = { .vf = vf, .vlan = vlan.id, .qos = vlan.qos };
	struct {
		struct nlattr attr;
		struct ifla_vf_vlan_info info;
	} list;

	if (!vlan.proto || vlan.proto == VTC_VLAN_PROTO_8021Q) {
		put(msg, IFLA_VF_VLAN, &old, sizeof(old));
		return;
	}
	memset(&list, 0, sizeof(list));
	list.attr.nla_type = IFLA_VF_VLAN_INFO;
	list.attr.nla_len = sizeof(struct nlattr) + sizeof(list.info);
	list.info.vf = vf;
	list.info.vlan = vlan.id;
	list.info.qos = vlan.qos;
	list.info.vlan_proto = htons(vlan.proto);
	put(msg, IFLA_VF_VLAN_LIST | NLA_F_NESTED, &list, sizeof(list));
}

static void put_rates(const struct vtc__vf_step *step, struct vtc__vf_message *msg,
		      uint32_t vf, const uint64_t *value)
{
	struct ifla_vf_rate rate = {
		.vf = vf,
		.min_tx_rate = (uint32_t)value[VTC_VF_ATTR_MIN_RATE],
		.max_tx_rate = (uint32_t)value[VTC_VF_ATTR_MAX_RATE],
	};

	put(msg, step->type, &rate, sizeof(rate));
}

static void put_guid(const struct vtc__vf_step *step, struct vtc__vf_message *msg,
		     uint32_t vf, const uint64_t *value)
{
	struct ifla_vf_guid guid;

	memset(&guid, 0, sizeof(guid));
	guid.vf = vf;
	guid.guid = value[step->attr];
	put(msg, step->type, &guid, sizeof(guid));
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

static void wrap(struct nlattr *nest, int type, const struct nlattr *content)
{
	nest->nla_type = (uint16_t)(type | NLA_F_NESTED);
	nest->nla_len = (uint16_t)(sizeof(struct nlattr) + content->nla_len);
}

static void make_message(uint32_t ifindex, const struct vtc__vf_step *step, uint32_t vf,
			 const uint64_t *value, struct vtc__vf_message *msg)
{
	memset(msg, 0, sizeof(*msg));
	step->put(step, msg, vf, value);
	wrap(&msg->info, IFLA_VF_INFO, &msg->attr);
	wrap(&msg->list, IFLA_VFINFO_LIST, &msg->info);
	msg->link.ifi_index = (int)ifindex;
	msg->header.nlmsg_type = RTM_SETLINK;
	msg->header.nlmsg_len = NLMSG_LENGTH(sizeof(msg->link)) + msg->list.nla_len;
}

void vtc__vf_packet_add(struct vtc__vf_packet *packet, struct vtc_pf *pf,
			uint32_t ifindex, const struct vtc__vf_step *step, uint32_t vf,
			const uint64_t *value)
{
	struct vtc__vf_message msg;

	make_message(ifindex, step, vf, value, &msg);
	memcpy(packet->data + packet->len, &msg, msg.header.nlmsg_len);
	packet->len += NLMSG_ALIGN(msg.header.nlmsg_len);
	packet->steps[packet->count++] = step;
	vtc__log(pf->ctx, VTC_LOG_DEBUG, "%s vf %u: %s", pf->address, vf,
		 step->operation);
}

void vtc__vf_packet_send(struct vtc__vf_packet *packet, struct vtc_pf *pf,
			 vtc__nl_result_fn fn, void *arg)
{
	struct vtc__nl *nl;
	int err = vtc__nl_rt(pf->ctx, &nl);

	if (!err && packet->count)
		vtc__nl_request_all(pf->ctx, nl, packet->data, packet->len, fn, arg);
	for (size_t i = 0; err && i < packet->count; i++)
		fn(arg, i, err);
	packet->count = packet->len = 0;
}

static void keep_result(void *arg, size_t index, int result)
{
	(void)index;
	*(int *)arg = result;
}

static int send_step(struct vtc_pf *pf, uint32_t ifindex, const struct vtc__vf_step *step,
		     uint32_t vf, const uint64_t *value)
{
	struct vtc__vf_packet packet;
	int result = 0;

	packet.count = packet.len = 0;
	vtc__vf_packet_add(&packet, pf, ifindex, step, vf, value);
	vtc__vf_packet_send(&packet, pf, keep_result, &result);
	return result;
}

/* Some drivers refuse an address of zeros. */
bool vtc__vf_may_be_refused(const struct vtc__vf_step *step, const uint64_t *value)
{
	return step->attr == VTC_VF_ATTR_MAC && !value[VTC_VF_ATTR_MAC];
}

int vtc__vf_send(struct vtc_pf *pf, uint32_t ifindex, const struct vtc__vf_step *step,
		 uint32_t vf, const uint64_t *value)
{
	static const uint64_t nobody[VTC_VF_ATTR_COUNT] = { [VTC_VF_ATTR_MAC] =
								    VTC__VF_MAC_NOBODY };
	int err = send_step(pf, ifindex, step, vf, value);

	if (err == -EINVAL && vtc__vf_may_be_refused(step, value))
		err = send_step(pf, ifindex, step, vf, nobody);
	return err;
}
