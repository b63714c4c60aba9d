/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading VFs from rtnetlink.
 *
 * Entries are told apart by the VF number that they carry, never by their place, because
 * the kernel leaves out a VF whose driver fails. The list can be longer than the 16 bits
 * of its length can say (above some 330 VFs): the kernel sends it whole, under a length
 * that has wrapped. So its extent is found by walking the entries, and the length is the
 * proof.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/netlink.h"
#include "vf.h"

#ifndef RTEXT_FILTER_SKIP_STATS
#define RTEXT_FILTER_SKIP_STATS (1 << 3)
#endif

#define ATTR_HEADER sizeof(struct nlattr)
#define LIST_MAX    UINT16_MAX

/*
 * The attributes that are {VF number, number}; all ones is the kernel's "not reported".
 */
struct pair {
	uint32_t vf;
	uint32_t value;
};

static const struct {
	int type;
	enum vtc_vf_attr attr;
	uint32_t max;
} pairs[] = {
	{ IFLA_VF_SPOOFCHK, VTC_VF_ATTR_SPOOF_CHECK, 1 },
	{ IFLA_VF_TRUST, VTC_VF_ATTR_TRUST, 1 },
	{ IFLA_VF_LINK_STATE, VTC_VF_ATTR_LINK_STATE, VTC_VF_LINK_DISABLE },
	{ IFLA_VF_RSS_QUERY_EN, VTC_VF_ATTR_RSS_QUERY, 1 },
};

static const struct {
	int type;
	size_t offset;
} counters[] = {
	{ IFLA_VF_STATS_RX_PACKETS, offsetof(struct vtc_vf_stats, rx_packets) },
	{ IFLA_VF_STATS_TX_PACKETS, offsetof(struct vtc_vf_stats, tx_packets) },
	{ IFLA_VF_STATS_RX_BYTES, offsetof(struct vtc_vf_stats, rx_bytes) },
	{ IFLA_VF_STATS_TX_BYTES, offsetof(struct vtc_vf_stats, tx_bytes) },
	{ IFLA_VF_STATS_BROADCAST, offsetof(struct vtc_vf_stats, rx_broadcast) },
	{ IFLA_VF_STATS_MULTICAST, offsetof(struct vtc_vf_stats, rx_multicast) },
	{ IFLA_VF_STATS_RX_DROPPED, offsetof(struct vtc_vf_stats, rx_dropped) },
	{ IFLA_VF_STATS_TX_DROPPED, offsetof(struct vtc_vf_stats, tx_dropped) },
};

struct reader {
	uint32_t ifindex;
	struct vtc_vf_list *list;
};

static void set_value(struct vtc_vf *vf, enum vtc_vf_attr attr, uint64_t value)
{
	vf->value[attr] = value;
	vf->known |= vtc__vf_bit(attr);
}

/*
 * Copy the struct of an attribute, all of which begin with the VF's number: 1 if it is
 * there and is about this VF, 0 if it is missing.
 */
static int take(const struct nlattr *attr, const struct vtc_vf *vf, void *ret,
		size_t size)
{
	uint32_t number;
	int err = vtc__nla_struct(attr, ret, size);

	if (err)
		return err == -ENODATA ? 0 : err;
	memcpy(&number, ret, sizeof(number));
	return number == vf->index ? 1 : -EPROTO;
}

static int take_pairs(const struct nlattr **tb, struct vtc_vf *vf)
{
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		struct pair pair;
		int got = take(tb[pairs[i].type], vf, &pair, sizeof(pair));

		if (got < 0)
			return got;
		if (got && pair.value <= pairs[i].max)
			set_value(vf, pairs[i].attr, pair.value);
	}
	return 0;
}

static void set_vlan(struct vtc_vf *vf, uint32_t id, uint32_t qos, uint16_t proto)
{
	if (id <= 4095 && qos <= 7)
		set_value(vf, VTC_VF_ATTR_VLAN, vtc__vf_pack_vlan(id, qos, proto));
}

/* The list knows the protocol, but kernels before 4.9 have only the other one. */
static int take_vlan(const struct nlattr **tb, struct vtc_vf *vf)
{
	const struct nlattr *first = NULL;
	struct ifla_vf_vlan_info info;
	struct ifla_vf_vlan old;
	int got;

	if (tb[IFLA_VF_VLAN_LIST])
		first = vtc__nla_foreach_next(tb[IFLA_VF_VLAN_LIST], NULL);
	if (first && vtc__nla_type(first) == IFLA_VF_VLAN_INFO) {
		got = take(first, vf, &info, sizeof(info));
		if (got > 0)
			set_vlan(vf, info.vlan, info.qos, ntohs(info.vlan_proto));
		return got;
	}
	got = take(tb[IFLA_VF_VLAN], vf, &old, sizeof(old));
	if (got > 0)
		set_vlan(vf, old.vlan, old.qos, VTC_VLAN_PROTO_8021Q);
	return got;
}

/* Kernels before 3.16 have no guaranteed rate. */
static int take_rates(const struct nlattr **tb, struct vtc_vf *vf)
{
	struct ifla_vf_tx_rate old;
	struct ifla_vf_rate rate;
	int got = take(tb[IFLA_VF_RATE], vf, &rate, sizeof(rate));

	if (got > 0) {
		set_value(vf, VTC_VF_ATTR_MIN_RATE, rate.min_tx_rate);
		set_value(vf, VTC_VF_ATTR_MAX_RATE, rate.max_tx_rate);
	}
	if (got)
		return got;
	got = take(tb[IFLA_VF_TX_RATE], vf, &old, sizeof(old));
	if (got > 0)
		set_value(vf, VTC_VF_ATTR_MAX_RATE, old.rate);
	return got;
}

static int take_guid(const struct nlattr *attr, struct vtc_vf *vf, enum vtc_vf_attr which)
{
	struct ifla_vf_guid guid;
	int got = take(attr, vf, &guid, sizeof(guid));

	if (got > 0)
		set_value(vf, which, guid.guid);
	return got;
}

static int take_stats(const struct nlattr *nest, struct vtc_vf *vf)
{
	const struct nlattr *tb[IFLA_VF_STATS_MAX + 1];
	int err;

	if (!nest)
		return 0;
	err = vtc__nla_parse_nested(nest, tb, IFLA_VF_STATS_MAX);
	for (size_t i = 0; !err && i < sizeof(counters) / sizeof(*counters); i++) {
		uint64_t value = 0;

		err = vtc__nla_u64(tb[counters[i].type], &value);
		if (err == -ENODATA)
			err = 0;
		memcpy((char *)&vf->stats + counters[i].offset, &value, sizeof(value));
	}
	vf->has_stats = !err;
	return err;
}

/* The address comes first and is always there; it is what says whose entry this is. */
static int find_vf(struct vtc_vf_list *list, const struct nlattr *attr,
		   struct vtc_vf **ret_vf)
{
	struct ifla_vf_mac mac;
	struct vtc_vf *vf;
	int err = vtc__nla_struct(attr, &mac, sizeof(mac));

	if (err || mac.vf >= list->count)
		return -EPROTO;
	vf = &list->vfs[mac.vf];
	if (vf->was_reported)
		return -EPROTO;
	vf->was_reported = true;
	set_value(vf, VTC_VF_ATTR_MAC, vtc__vf_pack_mac(mac.mac));
	if (list->end <= mac.vf)
		list->end = mac.vf + 1;
	*ret_vf = vf;
	return 0;
}

static int take_entry(struct vtc_vf_list *list, const struct nlattr *entry)
{
	const struct nlattr *tb[IFLA_VF_MAX + 1];
	struct vtc_vf *vf = NULL;
	int err = vtc__nla_parse_nested(entry, tb, IFLA_VF_MAX);

	if (!err)
		err = find_vf(list, tb[IFLA_VF_MAC], &vf);
	if (err)
		return err;
	err = take_pairs(tb, vf);
	if (err >= 0)
		err = take_vlan(tb, vf);
	if (err >= 0)
		err = take_rates(tb, vf);
	if (err >= 0)
		err = take_guid(tb[IFLA_VF_IB_NODE_GUID], vf, VTC_VF_ATTR_NODE_GUID);
	if (err >= 0)
		err = take_guid(tb[IFLA_VF_IB_PORT_GUID], vf, VTC_VF_ATTR_PORT_GUID);
	if (err >= 0)
		err = take_stats(tb[IFLA_VF_STATS], vf);
	return err < 0 ? err : 0;
}

/* Take the entries from where the list begins, and prove their extent by its length. */
static int take_list(struct vtc_vf_list *list, const struct nlattr *attr, const char *end)
{
	const char *begin = (const char *)attr, *pos = begin + ATTR_HEADER;
	size_t size = 0;

	for (uint32_t i = 0; i < list->count && end - pos >= (ptrdiff_t)ATTR_HEADER;
	     i++) {
		const struct nlattr *entry = (const void *)pos;
		int err;

		if (vtc__nla_type(entry) != IFLA_VF_INFO)
			break;
		size = NLA_ALIGN(entry->nla_len);
		if (entry->nla_len < ATTR_HEADER || size > (size_t)(end - pos))
			return -EPROTO;
		err = take_entry(list, entry);
		if (err)
			return err;
		pos += size;
	}
	if ((uint16_t)(pos - begin) != attr->nla_len)
		return -EPROTO;

	/* A kernel that minds the limit stops where the next entry would not fit. */
	list->was_cut =
		pos - begin <= LIST_MAX && (size_t)(pos - begin) + size > LIST_MAX;
	return 0;
}

static int new_list(struct reader *reader, uint32_t count)
{
	if (reader->list || count > VTC__PF_MAX_VFS)
		return -EPROTO;
	reader->list = calloc(1, sizeof(*reader->list) + count * sizeof(struct vtc_vf));
	if (!reader->list)
		return -ENOMEM;
	reader->list->count = count;
	for (uint32_t i = 0; i < count; i++)
		reader->list->vfs[i].index = i;
	return 0;
}

/*
 * By hand as far as the list, where it ends: behind a length that has wrapped, the rest
 * of the message cannot be told from what is inside an entry.
 */
static int take_attributes(struct reader *reader, const char *pos, const char *end)
{
	while (end - pos >= (ptrdiff_t)ATTR_HEADER) {
		const struct nlattr *attr = (const void *)pos;
		size_t size = NLA_ALIGN(attr->nla_len);
		uint32_t count;
		int err;

		if (vtc__nla_type(attr) == IFLA_VFINFO_LIST)
			return reader->list ? take_list(reader->list, attr, end)
					    : -EPROTO;
		if (attr->nla_len < ATTR_HEADER || attr->nla_len > end - pos)
			return -EPROTO;
		if (vtc__nla_type(attr) == IFLA_NUM_VF) {
			err = vtc__nla_u32(attr, &count);
			if (!err)
				err = new_list(reader, count);
			if (err)
				return err;
		}
		pos += size < (size_t)(end - pos) ? size : (size_t)(end - pos);
	}
	return 0;
}

static int take_link(void *arg, const struct nlmsghdr *msg)
{
	const char *end = (const char *)msg + msg->nlmsg_len;
	struct reader *reader = arg;
	const struct ifinfomsg *ifi;

	if (msg->nlmsg_type != RTM_NEWLINK || msg->nlmsg_len < NLMSG_LENGTH(sizeof(*ifi)))
		return -EPROTO;
	ifi = (const void *)((const char *)msg + NLMSG_HDRLEN);
	if ((uint32_t)ifi->ifi_index != reader->ifindex || reader->list)
		return -EPROTO;
	return take_attributes(reader, (const char *)ifi + NLMSG_ALIGN(sizeof(*ifi)),
			       end);
}

static int ask(struct vtc_pf *pf, struct reader *reader, bool stats)
{
	uint32_t mask = RTEXT_FILTER_VF | (stats ? 0 : RTEXT_FILTER_SKIP_STATS);
	struct ifinfomsg ifi = { .ifi_index = (int)reader->ifindex };
	struct vtc__nlmsg *msg;
	struct vtc__nl *nl;
	int err = vtc__nl_rt(pf->ctx, &nl);

	if (err)
		return err;
	msg = vtc__nlmsg_new(RTM_GETLINK, 0, 128);
	if (!msg)
		return -ENOMEM;
	err = vtc__nlmsg_append(msg, &ifi, sizeof(ifi));
	if (!err)
		err = vtc__nlmsg_put_u32(msg, IFLA_EXT_MASK, mask);
	if (!err)
		err = vtc__nl_request(pf->ctx, nl, msg, take_link, reader);
	vtc__nlmsg_free(msg);
	return err;
}

int vtc__vf_read(struct vtc_pf *pf, uint32_t ifindex, bool stats,
		 struct vtc_vf_list **ret_list)
{
	struct reader reader = { .ifindex = ifindex };
	int err = ask(pf, &reader, stats);

	/* Every PF reports a number of VFs, be it 0. */
	if (!err && !reader.list)
		err = -EPROTO;
	if (err) {
		free(reader.list);
		return err;
	}
	*ret_list = reader.list;
	return 0;
}

int vtc__vf_read_err(struct vtc_pf *pf, const char *operation, int code)
{
	const char *said = pf->ctx->rt ? vtc__nl_message(pf->ctx->rt) : "";

	vtc__err(pf->ctx, code, VTC_ERROR_ORIGIN_NETLINK, operation, "%s", pf->address);
	if (code == -EPROTO)
		vtc__err_message(pf->ctx, "the kernel's answer makes no sense");
	else if (code == -ENODEV)
		vtc__err_message(pf->ctx, "the network interface vanished");
	else
		vtc__err_message(pf->ctx, "%s", said);
	if (code == -EMSGSIZE)
		vtc__err_hint(pf->ctx,
			      "the kernel cannot pack the list of so many VFs: use a "
			      "newer kernel, or fewer VFs");
	return code;
}
