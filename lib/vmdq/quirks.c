/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What drivers do differently. All of it was read in the sources of Linux 6.12; what is
 * not here behaves as one would expect, or has not been looked at.
 */
#include <stddef.h>
#include <string.h>

#include "uplink.h"

static const struct vtc__quirks table[] = {
	/*
	 * bnxt_ntuple_cfg: the whole VLAN id, which must not be 0, at a place that the
	 * driver picks, and only while the interface is up (else -EAGAIN).
	 */
	{ .driver = "bnxt_en", .vlan_mask = 0x0fff, .location_any = true },
	{ .driver = "fm10k", .no_mac_rules = true, .vf_stats = true },
	/* i40e_check_fdir_input_set: IP flows alone. */
	{ .driver = "i40e", .no_mac_rules = true, .vf_stats = true },
	/*
	 * ice_fdir: the whole tag, priority and all; ice_set_channels refuses while there
	 * are rules.
	 */
	{ .driver = "ice",
	  .vlan_mask = 0xffff,
	  .channels_first = true,
	  .vf_stats = true },
	/*
	 * igb_add_ethtool_nfc_entry: of a tag the priority alone, and MAC and tag become
	 * two filters of which either is enough.
	 */
	{ .driver = "igb", .and_is_or = true },
	/* igc_ethtool_init_nfc_rule: with a full tag it is one filter, else two. */
	{ .driver = "igc", .vlan_mask = 0xffff },
	{ .driver = "ionic", .vf_stats = true },
	/*
	 * ixgbe_add_ethtool_fdir_entry: IP flows alone; ixgbe_tx_maxrate takes 0 and
	 * leaves the register as it is.
	 */
	{ .driver = "ixgbe",
	  .no_mac_rules = true,
	  .maxrate_sticky = true,
	  .vf_stats = true },
	{ .driver = "liquidio", .vf_stats = true },
	{ .driver = "mlx4_en", .vf_stats = true },
	/* validate_vlan: the whole VLAN id. */
	{ .driver = "mlx5_core", .vlan_mask = 0x0fff, .vf_stats = true },
	/* A tag that the peer's stack added stays beside the packet. */
	{ .driver = "veth", .tags_hidden = true, .takes_all = true },
};

const struct vtc__quirks *vtc__quirks_find(const char *driver)
{
	static const struct vtc__quirks usual = { .driver = "" };

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i].driver, driver) == 0)
			return &table[i];
	return &usual;
}
