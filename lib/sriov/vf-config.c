/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What to change in a VF: checked when it is noted, so that an apply meets only sane
 * values.
 */
#include <errno.h>
#include <stdlib.h>

#include "vf.h"

static int ask_for(struct vtc_vf_config *config, enum vtc_vf_attr attr, uint64_t value)
{
	if (!config)
		return -EINVAL;
	config->want[attr] = value;
	config->asked |= vtc__vf_bit(attr);
	return 0;
}

int vtc_vf_config_new(uint32_t index, struct vtc_vf_config **ret_config)
{
	struct vtc_vf_config *config;

	if (!ret_config || index >= VTC__PF_MAX_VFS)
		return -EINVAL;
	config = calloc(1, sizeof(*config));
	if (!config)
		return -ENOMEM;
	config->index = index;
	for (int i = 0; i < VTC_VF_ATTR_COUNT; i++)
		config->result[i] = -ENODATA;
	*ret_config = config;
	return 0;
}

void vtc_vf_config_free(struct vtc_vf_config *config)
{
	free(config);
}

int vtc_vf_config_clear(struct vtc_vf_config *config, enum vtc_vf_attr attr)
{
	if ((unsigned int)attr >= VTC_VF_ATTR_COUNT)
		return -EINVAL;
	return ask_for(config, attr, vtc__vf_clear_value(attr));
}

int vtc_vf_config_set_mac(struct vtc_vf_config *config, const struct vtc_mac *mac)
{
	uint64_t value = mac ? vtc__vf_pack_mac(mac->addr) : 0;

	if (!value || mac->addr[0] & 1)
		return -EINVAL;
	return ask_for(config, VTC_VF_ATTR_MAC, value);
}

int vtc_vf_config_set_vlan(struct vtc_vf_config *config, const struct vtc_vlan *vlan)
{
	if (!vlan || vlan->id > 4094 || vlan->qos > 7 || (!vlan->id && !vlan->qos) ||
	    vlan->reserved)
		return -EINVAL;
	if (vlan->proto && vlan->proto != VTC_VLAN_PROTO_8021Q &&
	    vlan->proto != VTC_VLAN_PROTO_8021AD)
		return -EINVAL;
	return ask_for(config, VTC_VF_ATTR_VLAN,
		       vtc__vf_pack_vlan(vlan->id, vlan->qos, vlan->proto));
}

int vtc_vf_config_set_min_rate_mbps(struct vtc_vf_config *config, uint32_t mbps)
{
	return ask_for(config, VTC_VF_ATTR_MIN_RATE, mbps);
}

int vtc_vf_config_set_max_rate_mbps(struct vtc_vf_config *config, uint32_t mbps)
{
	return ask_for(config, VTC_VF_ATTR_MAX_RATE, mbps);
}

static int ask_for_switch(struct vtc_vf_config *config, enum vtc_vf_attr attr, int on)
{
	return on == 0 || on == 1 ? ask_for(config, attr, (uint64_t)on) : -EINVAL;
}

int vtc_vf_config_set_spoof_check(struct vtc_vf_config *config, int on)
{
	return ask_for_switch(config, VTC_VF_ATTR_SPOOF_CHECK, on);
}

int vtc_vf_config_set_trust(struct vtc_vf_config *config, int on)
{
	return ask_for_switch(config, VTC_VF_ATTR_TRUST, on);
}

int vtc_vf_config_set_rss_query(struct vtc_vf_config *config, int on)
{
	return ask_for_switch(config, VTC_VF_ATTR_RSS_QUERY, on);
}

int vtc_vf_config_set_link_state(struct vtc_vf_config *config,
				 enum vtc_vf_link_state state)
{
	if ((unsigned int)state > VTC_VF_LINK_DISABLE)
		return -EINVAL;
	return ask_for(config, VTC_VF_ATTR_LINK_STATE, (uint64_t)state);
}

int vtc_vf_config_set_node_guid(struct vtc_vf_config *config, uint64_t guid)
{
	return guid ? ask_for(config, VTC_VF_ATTR_NODE_GUID, guid) : -EINVAL;
}

int vtc_vf_config_set_port_guid(struct vtc_vf_config *config, uint64_t guid)
{
	return guid ? ask_for(config, VTC_VF_ATTR_PORT_GUID, guid) : -EINVAL;
}

int vtc_vf_config_get_result(const struct vtc_vf_config *config, enum vtc_vf_attr attr)
{
	if (!config || (unsigned int)attr >= VTC_VF_ATTR_COUNT)
		return -EINVAL;
	return config->result[attr];
}
