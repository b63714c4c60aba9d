/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file vtc/nic.h
 * The inventory: which network functions are here, and what they can do.
 */
#ifndef VTC_NIC_H
#define VTC_NIC_H

#include <stdint.h>

#include <vtc/ctx.h>
#include <vtc/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @defgroup nic Inventory
 * @brief NICs, physical functions and virtual functions, as a snapshot.
 *
 * An inventory is read once and never changes; everything that its getters return lives
 * as long as the inventory. Reading needs no rights, changes nothing, and asks the kernel
 * nothing that holds its RTNL lock per virtual function. What the caller may not read is
 * reported as unknown.
 *
 * A *nic* is one device that carries network traffic: a PCI function of class "network
 * controller" (with or without driver), or the device behind a network interface on
 * another bus (netdevsim, for example). A *PF* is a nic that can have virtual functions.
 * A *VF* is one of them. PF and VF find each other by the kernel's links (physfn,
 * virtfnN), never by computed addresses: First VF Offset and VF Stride may change with
 * the number of VFs. A *netdev* is a network interface of a nic; it may have none, or
 * several.
 *
 * Getters follow the tri-state rule of @ref types unless they say otherwise.
 * @{
 */

/** What a nic is. */
enum vtc_nic_kind {
	VTC_NIC_PLAIN = 0, /**< No SR-IOV. */
	VTC_NIC_PF = 1,	   /**< Physical function: can have VFs. */
	VTC_NIC_VF = 2,	   /**< Virtual function. */
};

/** Who uses a nic. Treat a value that you do not know as #VTC_NIC_USE_BUSY. */
enum vtc_nic_use {
	VTC_NIC_USE_FREE = 0, /**< A netdev here that is down and in no bridge or bond. */
	VTC_NIC_USE_NO_DRIVER = 1, /**< No driver is bound. */
	VTC_NIC_USE_BUSY = 2,	   /**< A netdev here is up, or has an upper device. */
	VTC_NIC_USE_HIDDEN = 3,	   /**< Its netdev is in another network namespace. */
	VTC_NIC_USE_PASSED = 4,	   /**< Bound to VFIO or another pass-through driver. */
	VTC_NIC_USE_OTHER = 5,	   /**< A driver is bound that offers no netdev. */
};

/** What a nic's driver may be able to do. */
enum vtc_nic_cap {
	VTC_NIC_CAP_NTUPLE = 0,	     /**< Receive rules that pick a queue (ethtool -N). */
	VTC_NIC_CAP_HW_TC = 1,	     /**< tc filters and qdiscs in hardware. */
	VTC_NIC_CAP_L2_FORWARD = 2,  /**< macvlan with queues of its own. */
	VTC_NIC_CAP_VLAN_FILTER = 3, /**< Drops VLANs that nobody joined. */
	VTC_NIC_CAP_RX_HASH = 4,     /**< Spreads flows over queues (RSS). */
	VTC_NIC_CAP_XDP = 5,	     /**< XDP in the driver. */
	VTC_NIC_CAP_XDP_REDIRECT = 6, /**< XDP redirect to and from other devices. */
	VTC_NIC_CAP_XDP_ZEROCOPY = 7, /**< AF_XDP without a copy. */
	VTC_NIC_CAP_DEVLINK = 8,      /**< There is a devlink instance. */
	VTC_NIC_CAP_SHAPER = 9,	      /**< Transmit shaping by net-shaper. */
};

/** How many enum vtc_nic_cap this version of the header knows. */
#define VTC_NIC_CAP_COUNT 10

/** @name Results of vtc_nic_get_cap()
 *  @{ */
#define VTC_CAP_ABSENT	  0 /**< The driver cannot do it. */
#define VTC_CAP_AVAILABLE 1 /**< It can be switched on. */
#define VTC_CAP_ACTIVE	  2 /**< It is there and on. */
/** @} */

/** Queue counts of a netdev, as of ethtool -l. */
struct vtc_channels {
	uint32_t rx;	       /**< Receive-only queues in use. */
	uint32_t tx;	       /**< Transmit-only queues in use. */
	uint32_t combined;     /**< Queue pairs in use. */
	uint32_t max_rx;       /**< Most receive-only queues. */
	uint32_t max_tx;       /**< Most transmit-only queues. */
	uint32_t max_combined; /**< Most queue pairs. */
};

/** A snapshot of all nics. */
struct vtc_inventory;
/** One nic in an inventory. */
struct vtc_nic;
/** One network interface of a nic. */
struct vtc_netdev;

/** Ask the drivers what they can do, too (several netlink requests for each netdev). */
#define VTC_INVENTORY_F_CAPS  (1u << 0)
/** Look up vendors and models, too (reads the PCI ID database, some milliseconds). */
#define VTC_INVENTORY_F_NAMES (1u << 1)

/** Options of vtc_inventory_new(). */
struct vtc_inventory_opts {
	uint32_t sz;	/**< sizeof(struct vtc_inventory_opts). */
	uint32_t flags; /**< VTC_INVENTORY_F_ flags. */
};

/** Initialiser for struct vtc_inventory_opts. */
#define VTC_INVENTORY_OPTS_INIT                                \
	{                                                      \
		(uint32_t)sizeof(struct vtc_inventory_opts), 0 \
	}

/**
 * @brief Take a snapshot of all nics that this process can see.
 *
 * Devices that come or go during the call are either in it or not; they are no error.
 *
 * @param[in] ctx the context
 * @param[in] opts options, NULL for the defaults
 * @param[out] ret_inventory the snapshot; vtc_inventory_free() ends it
 * @retval 0 taken, also if there is no nic at all
 * @retval -EINVAL a parameter is NULL or a flag unknown
 * @retval -E2BIG @p opts is newer than this library and uses what it adds
 * @retval -ENOMEM memory is out
 * @retval -ENOENT there is no sysfs below the context's sysfs root
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_inventory_new(struct vtc_ctx *ctx, const struct vtc_inventory_opts *opts,
			      struct vtc_inventory **ret_inventory);

/**
 * @brief End a snapshot.
 * @param[in] inventory the snapshot, may be NULL
 * @thread{ctx}
 * @since 0.1
 */
VTC_API void vtc_inventory_free(struct vtc_inventory *inventory);

/**
 * @brief Find a nic by name.
 * @param[in] inventory the snapshot
 * @param[in] name name of a network interface ("eth0"), PCI address ("0000:01:00.0", or
 *            "01:00.0" in domain 0), or name of a device on another bus ("netdevsim1")
 * @param[out] ret_nic the nic, borrowed from the inventory
 * @retval 0 found
 * @retval -EINVAL a parameter is NULL, or @p name is empty, over-long or contains a slash
 * @retval -ENODEV there is none
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_inventory_find(const struct vtc_inventory *inventory, const char *name,
			       const struct vtc_nic **ret_nic);

/**
 * @brief Go through the nics in order of bus and address.
 * @param[in] inventory the snapshot
 * @param[in] nic the nic before, NULL to begin
 * @return the next nic, borrowed from the inventory; NULL behind the last one
 * @thread{ctx}
 * @since 0.1
 */
VTC_API const struct vtc_nic *vtc_nic_foreach_next(const struct vtc_inventory *inventory,
						   const struct vtc_nic *nic);

/**
 * @brief Name of the bus: "pci", "netdevsim", ...
 * @param[in] nic the nic, may be NULL
 * @return the name; NULL if @p nic is
 * @thread{ctx}
 * @since 0.1
 */
VTC_API const char *vtc_nic_get_bus(const struct vtc_nic *nic);

/**
 * @brief Address on the bus; for PCI "domain:bus:device.function" as in "0000:01:10.2".
 * @param[in] nic the nic, may be NULL
 * @return the address; NULL if @p nic is
 * @thread{ctx}
 * @since 0.1
 */
VTC_API const char *vtc_nic_get_address(const struct vtc_nic *nic);

/**
 * @brief What it is.
 * @param[in] nic the nic, may be NULL
 * @return the kind
 * @thread{ctx}
 * @since 0.1
 */
VTC_API enum vtc_nic_kind vtc_nic_get_kind(const struct vtc_nic *nic);

/**
 * @brief Who uses it.
 *
 * A VF without network interface is not free: the interface may have been moved to a
 * container, or a virtual machine may own the function.
 *
 * @param[in] nic the nic
 * @param[out] ret_use the answer
 * @return tri-state
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_nic_get_use(const struct vtc_nic *nic, enum vtc_nic_use *ret_use);

/**
 * @brief Name of the bound driver.
 * @param[in] nic the nic
 * @param[out] ret_driver the name
 * @return tri-state; 0: no driver is bound
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_nic_get_driver(const struct vtc_nic *nic, const char **ret_driver);

/**
 * @brief PCI vendor and device number.
 *
 * Taken from sysfs, not from configuration space, where a VF reads as 0xffff
 * (PCI Express Base Specification, SR-IOV: VF Vendor ID and Device ID fields).
 *
 * @param[in] nic the nic
 * @param[out] ret_vendor vendor number
 * @param[out] ret_device device number
 * @return tri-state; 0: not a PCI function
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_nic_get_pci_id(const struct vtc_nic *nic, uint16_t *ret_vendor,
			       uint16_t *ret_device);

/**
 * @brief Name of the vendor, from the PCI ID database.
 * @param[in] nic the nic
 * @param[out] ret_name the name
 * @return tri-state; -ENODATA also without #VTC_INVENTORY_F_NAMES, or if the library was
 *         built without libpci
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_nic_get_vendor_name(const struct vtc_nic *nic, const char **ret_name);

/**
 * @brief Name of the model, from the PCI ID database.
 * @param[in] nic the nic
 * @param[out] ret_name the name
 * @return tri-state; -ENODATA also without #VTC_INVENTORY_F_NAMES, or if the library was
 *         built without libpci
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_nic_get_device_name(const struct vtc_nic *nic, const char **ret_name);

/**
 * @brief How many VFs the PF can have (its driver may allow fewer than the hardware).
 * @param[in] nic the nic
 * @param[out] ret_count the number
 * @return tri-state; 0: not a PF
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_nic_get_total_vfs(const struct vtc_nic *nic, uint32_t *ret_count);

/**
 * @brief How many VFs the PF has now.
 * @param[in] nic the nic
 * @param[out] ret_count the number
 * @return tri-state; 0: not a PF
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_nic_get_num_vfs(const struct vtc_nic *nic, uint32_t *ret_count);

/**
 * @brief First VF Offset and VF Stride of the PF, in routing IDs.
 *
 * For information: both may change with the number of VFs, so do not compute addresses.
 *
 * @param[in] nic the nic
 * @param[out] ret_offset First VF Offset
 * @param[out] ret_stride VF Stride
 * @return tri-state; 0: not a PF
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_nic_get_vf_layout(const struct vtc_nic *nic, uint32_t *ret_offset,
				  uint32_t *ret_stride);

/**
 * @brief Whether the kernel binds drivers to new VFs of this PF by itself.
 * @param[in] nic the nic
 * @param[out] ret_on 1 or 0
 * @return tri-state; 0: not a PF
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_nic_get_autoprobe(const struct vtc_nic *nic, int *ret_on);

/**
 * @brief The VF with an index, as the PF's virtfnN link says.
 * @param[in] nic the PF
 * @param[in] index number of the VF, from 0
 * @param[out] ret_vf the VF, borrowed from the inventory
 * @return tri-state; 0: there is no such VF
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_nic_get_vf(const struct vtc_nic *nic, uint32_t index,
			   const struct vtc_nic **ret_vf);

/**
 * @brief The PF that a VF belongs to.
 * @param[in] nic the VF
 * @param[out] ret_pf the PF, borrowed from the inventory
 * @return tri-state; 0: not a VF; -ENODATA: a VF whose PF cannot be seen (passed through
 *         to this machine alone)
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_nic_get_pf(const struct vtc_nic *nic, const struct vtc_nic **ret_pf);

/**
 * @brief The index of a VF at its PF.
 * @param[in] nic the VF
 * @param[out] ret_index number of the VF, from 0
 * @return tri-state; 0: not a VF
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_nic_get_vf_index(const struct vtc_nic *nic, uint32_t *ret_index);

/**
 * @brief Number of the IOMMU group.
 * @param[in] nic the nic
 * @param[out] ret_group the number
 * @return tri-state; 0: there is none (no IOMMU is on)
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_nic_get_iommu_group(const struct vtc_nic *nic, uint32_t *ret_group);

/**
 * @brief The other devices in the nic's IOMMU group.
 *
 * They can only be assigned to a virtual machine together.
 *
 * @param[in] nic the nic
 * @param[in] index number of the other member, from 0
 * @param[out] ret_address its PCI address
 * @return tri-state; 0: no more
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_nic_get_iommu_peer(const struct vtc_nic *nic, uint32_t index,
				   const char **ret_address);

/**
 * @brief NUMA node that the nic is attached to.
 * @param[in] nic the nic
 * @param[out] ret_node the node, from 0
 * @return tri-state; -ENODATA also if the firmware does not say (the kernel's -1)
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_nic_get_numa_node(const struct vtc_nic *nic, uint32_t *ret_node);

/**
 * @brief CPUs close to the nic, as a list such as "0-7,16-23".
 * @param[in] nic the nic
 * @param[out] ret_cpus the list
 * @return tri-state
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_nic_get_cpus(const struct vtc_nic *nic, const char **ret_cpus);

/**
 * @brief Ways to reset the function, in the kernel's order, such as "flr bus".
 * @param[in] nic the nic
 * @param[out] ret_methods the list, separated by spaces
 * @return tri-state; 0: it cannot be reset
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_nic_get_reset_methods(const struct vtc_nic *nic,
				      const char **ret_methods);

/**
 * @brief How many MSI-X vectors the function has (its table size).
 * @param[in] nic the nic
 * @param[out] ret_count the number, from 1
 * @return tri-state; 0: no MSI-X; -ENODATA: configuration space beyond the first 64 bytes
 *         needs more rights
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_nic_get_msix_count(const struct vtc_nic *nic, uint32_t *ret_count);

/**
 * @brief How many MSI-X vectors the PF can deal out to its VFs.
 *
 * From sriov_vf_total_msix; its value 0 (the driver does not support it) is reported as
 * "none".
 *
 * @param[in] nic the PF
 * @param[out] ret_count the number
 * @return tri-state; 0: none
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_nic_get_vf_total_msix(const struct vtc_nic *nic, uint32_t *ret_count);

/**
 * @brief What the driver can do.
 *
 * Asked of the kernel operation by operation, never concluded from its version. Only
 * known in an inventory that was taken with #VTC_INVENTORY_F_CAPS, and for a nic that has
 * a netdev here.
 *
 * @param[in] nic the nic
 * @param[in] cap the capability
 * @return #VTC_CAP_ABSENT, #VTC_CAP_AVAILABLE or #VTC_CAP_ACTIVE
 * @retval -ENODATA unknown
 * @retval -EINVAL @p nic is NULL or @p cap is none
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_nic_get_cap(const struct vtc_nic *nic, enum vtc_nic_cap cap);

/**
 * @brief Short name of a capability, as vtcctl prints it ("ntuple", "xdp-zerocopy").
 * @param[in] cap the capability
 * @return the name; NULL if @p cap is none
 * @thread{any}
 * @since 0.1
 */
VTC_API const char *vtc_nic_cap_name(enum vtc_nic_cap cap);

/**
 * @brief Queue counts of the nic's first netdev.
 * @param[in] nic the nic
 * @param[out] ret_channels the counts
 * @return tri-state; 0: the driver has no such setting; -ENODATA as in vtc_nic_get_cap()
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_nic_get_channels(const struct vtc_nic *nic,
				 struct vtc_channels *ret_channels);

/**
 * @brief Go through the network interfaces of a nic that this process can see.
 * @param[in] nic the nic
 * @param[in] netdev the netdev before, NULL to begin
 * @return the next netdev, borrowed from the inventory; NULL behind the last one
 * @thread{ctx}
 * @since 0.1
 */
VTC_API const struct vtc_netdev *vtc_netdev_foreach_next(const struct vtc_nic *nic,
							 const struct vtc_netdev *netdev);

/**
 * @brief Name of the interface. Names change; keep the bus address instead.
 * @param[in] netdev the netdev, may be NULL
 * @return the name; NULL if @p netdev is
 * @thread{ctx}
 * @since 0.1
 */
VTC_API const char *vtc_netdev_get_name(const struct vtc_netdev *netdev);

/**
 * @brief Index of the interface in its network namespace.
 * @param[in] netdev the netdev, may be NULL
 * @return the index, from 1; 0 if @p netdev is NULL
 * @thread{ctx}
 * @since 0.1
 */
VTC_API uint32_t vtc_netdev_get_ifindex(const struct vtc_netdev *netdev);

/**
 * @brief Address that the interface uses now.
 * @param[in] netdev the netdev
 * @param[out] ret_mac the address
 * @return tri-state; -ENODATA also if it is no Ethernet address
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_netdev_get_mac(const struct vtc_netdev *netdev, struct vtc_mac *ret_mac);

/**
 * @brief Largest packet, in bytes, without link-layer header.
 * @param[in] netdev the netdev
 * @param[out] ret_mtu the size
 * @return tri-state
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_netdev_get_mtu(const struct vtc_netdev *netdev, uint32_t *ret_mtu);

/**
 * @brief Whether the interface is switched on by the administrator.
 * @param[in] netdev the netdev
 * @param[out] ret_up 1 or 0
 * @return tri-state
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_netdev_get_up(const struct vtc_netdev *netdev, int *ret_up);

/**
 * @brief Whether there is a link.
 * @param[in] netdev the netdev
 * @param[out] ret_carrier 1 or 0
 * @return tri-state; -ENODATA while the interface is down
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_netdev_get_carrier(const struct vtc_netdev *netdev, int *ret_carrier);

/**
 * @brief Speed of the link.
 * @param[in] netdev the netdev
 * @param[out] ret_mbps the speed in Mbit/s
 * @return tri-state; -ENODATA while there is no link
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_netdev_get_speed_mbps(const struct vtc_netdev *netdev,
				      uint32_t *ret_mbps);

/**
 * @brief Identity of the switch that the interface is a port of (phys_switch_id).
 * @param[in] netdev the netdev
 * @param[out] ret_id hexadecimal digits
 * @return tri-state; 0: no port of a switch
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_netdev_get_switch_id(const struct vtc_netdev *netdev,
				     const char **ret_id);

/**
 * @brief Name of the port, such as "p0" or "pf0vf3" (phys_port_name).
 * @param[in] netdev the netdev
 * @param[out] ret_name the name
 * @return tri-state; 0: none
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_netdev_get_port_name(const struct vtc_netdev *netdev,
				     const char **ret_name);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
