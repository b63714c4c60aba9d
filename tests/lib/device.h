/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ready-made devices in a tree, with the files, names and contents of real ones: Intel
 * 82576 (igb) as in QEMU, virtio-net, netdevsim. A struct vtct_pf also holds what the
 * fake kernel knows of a PF and its VFs; tests read and write its fields directly.
 */
#ifndef VTCT_DEVICE_H
#define VTCT_DEVICE_H

#include <linux/if_link.h>
#include <stdbool.h>
#include <stdint.h>

#include "tree.h"

#define VTCT_MAX_VFS 1024

/* What the driver remembers of one VF. */
struct vtct_vf {
	uint8_t mac[32];
	uint32_t vlan, qos;
	uint16_t vlan_proto; /* host order */
	uint32_t min_rate, max_rate;
	uint32_t spoof_check, link_state, rss_query, trust;
	uint64_t node_guid, port_guid;
	uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, broadcast, multicast;
	uint64_t rx_dropped, tx_dropped;
	bool silent; /* ndo_get_vf_config fails: the kernel leaves it out */
	int error[IFLA_VF_MAX + 1]; /* setting this IFLA_VF_ fails with it, for this VF */
};

struct vtct_pf {
	/*
	 * The device. Set before vtct_add_pf(); vtct_pf_igb() and _netdevsim() fill them
	 * in.
	 */
	const char *bus;
	char address[32];
	char dir[128];	    /* its directory, below the root */
	char driver[32];    /* "": none is bound */
	char vf_driver[32]; /* binds to new VFs; "": none does */
	char ifname[16];    /* "": no netdev */
	uint32_t ifindex;
	uint8_t mac[6];
	bool up;
	bool vf_netdevs; /* the VF's driver makes a netdev "<ifname>v<index>" */
	uint32_t total_vfs, offset, stride;
	uint32_t group; /* IOMMU group; that of VF n is group + 1 + n; 0: no IOMMU */

	/* What goes on. num_vfs is the kernel's; vfs[] the driver's. */
	uint32_t num_vfs;
	bool autoprobe;
	struct vtct_vf vfs[VTCT_MAX_VFS];

	/* How the driver misbehaves; zero is good behaviour. */
	uint32_t grant_at_most;	    /* creates fewer than asked, with success */
	int enable_error;	    /* creating VFs fails with it */
	int disable_error;	    /* destroying them does */
	uint64_t numvfs_ns;	    /* how long the write to sriov_numvfs takes */
	uint64_t driver_delay_ns;   /* until new VFs have their driver */
	uint64_t netdev_delay_ns;   /* ... and after that their netdev */
	int error[IFLA_VF_MAX + 1]; /* setting this IFLA_VF_ fails with it */
	uint32_t ignored;	    /* bit IFLA_VF_x: accepted, and not done */
	uint32_t unreported; /* bit IFLA_VF_SPOOFCHK, _TRUST, _RSS_QUERY_EN: read as -1 */
	bool no_min_rate;    /* a minimum above 0 is EINVAL */
	bool only_8021q;     /* 802.1ad is EPROTONOSUPPORT */
	bool refuses_zero_mac; /* EINVAL */
	bool infiniband;       /* has GUIDs */
	uint32_t clamp_rate;   /* a maximum above this becomes this */
	uint64_t mac_delay_ns; /* until a new MAC reads back */
	int list_error;	       /* RTM_GETLINK with RTEXT_FILTER_VF fails with it */
	int up_error;	       /* switching the netdev on or off fails with it */
	bool up_needed;	       /* creating VFs while down fails with EINVAL */
};

/* The usual PF: igb at 0000:01:00.port, netdev enp1s0f<port>, 7 VFs, up, no VF yet. */
void vtct_pf_igb(struct vtct_pf *pf, unsigned int port);
/*
 * netdevsim<id> with netdev eth<id>: no PCI, no sriov_totalvfs, at most 4 VFs, has
 * everything.
 */
void vtct_pf_netdevsim(struct vtct_pf *pf, unsigned int id);

/* Put the PF, as described, and pf->num_vfs VFs with drivers and netdevs in the tree. */
void vtct_tree_add_pf(struct vtct_tree *tree, const struct vtct_pf *pf);
/*
 * A plain virtio-net NIC: 0000:00:02.0, netdev enp0s2, ifindex 2. Its netdev hangs on
 * virtio0.
 */
void vtct_tree_add_virtio(struct vtct_tree *tree);

/* One by one, for what happens later. None of them touches pf->num_vfs. */
void vtct_tree_add_vf(struct vtct_tree *tree, const struct vtct_pf *pf, uint32_t index);
void vtct_tree_bind_vf(struct vtct_tree *tree, const struct vtct_pf *pf, uint32_t index,
		       const char *driver);
void vtct_tree_unbind_vf(struct vtct_tree *tree, const struct vtct_pf *pf, uint32_t index,
			 const char *driver);
void vtct_tree_remove_vf(struct vtct_tree *tree, const struct vtct_pf *pf,
			 uint32_t index);
void vtct_tree_remove_pf(struct vtct_tree *tree, const struct vtct_pf *pf);
void vtct_tree_add_netdev(struct vtct_tree *tree, const char *device_dir,
			  const char *ifname, uint32_t ifindex, const uint8_t mac[6],
			  bool up);
void vtct_tree_remove_netdev(struct vtct_tree *tree, const char *device_dir,
			     const char *ifname);
/* What a switched on or off netdev shows. */
void vtct_tree_set_up(struct vtct_tree *tree, const char *device_dir, const char *ifname,
		      bool up);

/* Names of a VF. The results live until the next call of the same function. */
const char *vtct_vf_address(const struct vtct_pf *pf, uint32_t index);
const char *vtct_vf_dir(const struct vtct_pf *pf, uint32_t index);
const char *vtct_vf_ifname(const struct vtct_pf *pf, uint32_t index);
uint32_t vtct_vf_ifindex(const struct vtct_pf *pf, uint32_t index);

#endif
