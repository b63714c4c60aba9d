/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file vtc/vf.h
 * Virtual functions: read and set their attributes through the PF.
 */
#ifndef VTC_VF_H
#define VTC_VF_H

#include <stdint.h>

#include <vtc/pf.h>
#include <vtc/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @defgroup vf Virtual functions
 * @brief Attributes that the administrator gives to a VF.
 *
 * All attributes are read and set through the PF (rtnetlink IFLA_VFINFO_LIST), so it does
 * not matter where the VF is: bound to a driver here, in another network namespace, or
 * in a virtual machine.
 *
 * Reading takes a snapshot of all VFs of a PF. Setting goes by a struct vtc_vf_config,
 * which says for each attribute: leave it, clear it, or give it a value; vtc_vf_apply()
 * sends it. Each attribute has a result of its own.
 *
 * Getters follow the tri-state rule of @ref types unless they say otherwise.
 * @{
 */

/** An attribute of a VF. */
enum vtc_vf_attr {
	VTC_VF_ATTR_MAC = 0,	     /**< Administrative Ethernet address. */
	VTC_VF_ATTR_VLAN = 1,	     /**< Port VLAN: id, priority, protocol. */
	VTC_VF_ATTR_MIN_RATE = 2,    /**< Guaranteed transmit rate. */
	VTC_VF_ATTR_MAX_RATE = 3,    /**< Transmit rate limit. */
	VTC_VF_ATTR_SPOOF_CHECK = 4, /**< Drop frames with a foreign source address. */
	VTC_VF_ATTR_TRUST = 5,	    /**< The VF may change filters and modes by itself. */
	VTC_VF_ATTR_LINK_STATE = 6, /**< What link the VF sees. */
	VTC_VF_ATTR_RSS_QUERY = 7,  /**< The VF may read the RSS table and key. */
	VTC_VF_ATTR_NODE_GUID = 8,  /**< InfiniBand node GUID. */
	VTC_VF_ATTR_PORT_GUID = 9,  /**< InfiniBand port GUID. */
};

/** How many enum vtc_vf_attr this version of the header knows. */
#define VTC_VF_ATTR_COUNT 10

/** What link a VF sees. */
enum vtc_vf_link_state {
	VTC_VF_LINK_AUTO = 0,	 /**< That of the PF. */
	VTC_VF_LINK_ENABLE = 1,	 /**< Always up, so that VFs reach each other. */
	VTC_VF_LINK_DISABLE = 2, /**< Always down. */
};

/** Traffic counters of a VF, as the PF's driver counts them. */
struct vtc_vf_stats {
	uint64_t rx_packets;   /**< Frames received by the VF. */
	uint64_t tx_packets;   /**< Frames sent by the VF. */
	uint64_t rx_bytes;     /**< Bytes received. */
	uint64_t tx_bytes;     /**< Bytes sent. */
	uint64_t rx_broadcast; /**< Broadcast frames received. */
	uint64_t rx_multicast; /**< Multicast frames received. */
	uint64_t rx_dropped;   /**< Frames for the VF that were dropped. */
	uint64_t tx_dropped;   /**< Frames of the VF that were dropped. */
};

/** A snapshot of all VFs of a PF. */
struct vtc_vf_list;
/** One VF in a snapshot. */
struct vtc_vf;
/** What to change in one VF. */
struct vtc_vf_config;

/** Read the traffic counters, too. Some drivers ask their firmware for each VF. */
#define VTC_VF_LIST_F_STATS (1u << 0)

/** Options of vtc_vf_list_new(). */
struct vtc_vf_list_opts {
	uint32_t sz;	/**< sizeof(struct vtc_vf_list_opts). */
	uint32_t flags; /**< #VTC_VF_LIST_F_STATS or 0. */
};

/** Initialiser for struct vtc_vf_list_opts. */
#define VTC_VF_LIST_OPTS_INIT                                \
	{                                                    \
		(uint32_t)sizeof(struct vtc_vf_list_opts), 0 \
	}

/**
 * @brief Short name of an attribute, such as "mac" or "min-rate".
 * @param[in] attr the attribute
 * @return the name; NULL if @p attr is none
 * @thread{any}
 * @since 0.1
 */
VTC_API const char *vtc_vf_attr_name(enum vtc_vf_attr attr);

/**
 * @brief Take a snapshot of all VFs of a PF.
 *
 * The kernel holds its RTNL lock while it asks the driver about each VF, so do not poll
 * this.
 *
 * @param[in] pf the handle
 * @param[in] opts options, NULL for the defaults
 * @param[out] ret_list the snapshot; vtc_vf_list_free() ends it
 * @retval 0 taken, also if there is no VF
 * @retval -EINVAL a parameter is NULL or a flag unknown
 * @retval -E2BIG @p opts is newer than this library and uses what it adds
 * @retval -ENODEV the PF vanished, or has no network interface here (no driver, or
 *         another network namespace)
 * @retval -EMSGSIZE the kernel cannot pack the list (InfiniBand before Linux 6.15, or a
 *         kernel that minds the 64 KiB of an attribute)
 * @retval -EPROTO the kernel's answer made no sense
 * @retval -ENOMEM memory is out
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_list_new(struct vtc_pf *pf, const struct vtc_vf_list_opts *opts,
			    struct vtc_vf_list **ret_list);

/**
 * @brief End a snapshot.
 * @param[in] list the snapshot, may be NULL
 * @thread{ctx}
 * @since 0.1
 */
VTC_API void vtc_vf_list_free(struct vtc_vf_list *list);

/**
 * @brief How many VFs the PF has, whether or not all were reported.
 * @param[in] list the snapshot, may be NULL
 * @return the kernel's IFLA_NUM_VF; 0 if @p list is NULL
 * @thread{ctx}
 * @since 0.1
 */
VTC_API uint32_t vtc_vf_list_get_count(const struct vtc_vf_list *list);

/**
 * @brief Get one VF of a snapshot.
 *
 * Not every VF is always reported, and the reasons differ: the driver may fail for one
 * VF, which the kernel then leaves out without a word, or the list ends where it reaches
 * the 64 KiB that the length of a netlink attribute can say (above about 330 VFs; 220
 * with counters). A longer list under a length that has wrapped is understood.
 *
 * @param[in] list the snapshot
 * @param[in] index number of the VF, from 0
 * @param[out] ret_vf the VF, borrowed from the snapshot
 * @retval 0 got
 * @retval -EINVAL a parameter is NULL
 * @retval -ERANGE the PF has no VF of this number
 * @retval -ENODATA the driver did not report this VF
 * @retval -EOVERFLOW the kernel ended the list at 64 KiB, before this VF
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_list_get(const struct vtc_vf_list *list, uint32_t index,
			    const struct vtc_vf **ret_vf);

/**
 * @brief Number of the VF at its PF.
 * @param[in] vf the VF, may be NULL
 * @return the index, from 0
 * @thread{ctx}
 * @since 0.1
 */
VTC_API uint32_t vtc_vf_get_index(const struct vtc_vf *vf);

/**
 * @brief PCI address of the VF.
 * @param[in] vf the VF
 * @param[out] ret_address the address
 * @return tri-state; 0: no PCI function (netdevsim)
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_get_address(const struct vtc_vf *vf, const char **ret_address);

/**
 * @brief The address that the administrator gave to the VF.
 *
 * The VF may use another one until its driver starts anew: see
 * vtc_vf_get_effective_mac().
 *
 * @param[in] vf the VF
 * @param[out] ret_mac the address
 * @return tri-state; 0: none was given (all zeros)
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_get_mac(const struct vtc_vf *vf, struct vtc_mac *ret_mac);

/**
 * @brief The address that the VF's network interface uses.
 * @param[in] vf the VF
 * @param[out] ret_mac the address
 * @return tri-state; 0: it has no driver; -ENODATA: its interface is not visible here
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_get_effective_mac(const struct vtc_vf *vf, struct vtc_mac *ret_mac);

/**
 * @brief Port VLAN.
 *
 * A priority without an identifier (priority tagging) is reported with id 0.
 *
 * @param[in] vf the VF
 * @param[out] ret_vlan the VLAN
 * @return tri-state; 0: none
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_get_vlan(const struct vtc_vf *vf, struct vtc_vlan *ret_vlan);

/**
 * @brief Guaranteed transmit rate.
 * @param[in] vf the VF
 * @param[out] ret_mbps the rate in Mbit/s
 * @return tri-state; 0: none
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_get_min_rate_mbps(const struct vtc_vf *vf, uint32_t *ret_mbps);

/**
 * @brief Transmit rate limit.
 * @param[in] vf the VF
 * @param[out] ret_mbps the rate in Mbit/s
 * @return tri-state; 0: no limit
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_get_max_rate_mbps(const struct vtc_vf *vf, uint32_t *ret_mbps);

/**
 * @brief Whether frames with a foreign source address are dropped.
 * @param[in] vf the VF
 * @param[out] ret_on 1 or 0
 * @return tri-state
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_get_spoof_check(const struct vtc_vf *vf, int *ret_on);

/**
 * @brief Whether the VF is trusted.
 * @param[in] vf the VF
 * @param[out] ret_on 1 or 0
 * @return tri-state
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_get_trust(const struct vtc_vf *vf, int *ret_on);

/**
 * @brief What link the VF sees.
 *
 * The kernel reports #VTC_VF_LINK_AUTO also for drivers that know no link state.
 *
 * @param[in] vf the VF
 * @param[out] ret_state the state
 * @return tri-state
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_get_link_state(const struct vtc_vf *vf,
				  enum vtc_vf_link_state *ret_state);

/**
 * @brief Whether the VF may read the RSS table and key.
 * @param[in] vf the VF
 * @param[out] ret_on 1 or 0
 * @return tri-state
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_get_rss_query(const struct vtc_vf *vf, int *ret_on);

/**
 * @brief InfiniBand node GUID.
 * @param[in] vf the VF
 * @param[out] ret_guid the GUID as a number
 * @return tri-state; 0: none
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_get_node_guid(const struct vtc_vf *vf, uint64_t *ret_guid);

/**
 * @brief InfiniBand port GUID.
 * @param[in] vf the VF
 * @param[out] ret_guid the GUID as a number
 * @return tri-state; 0: none
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_get_port_guid(const struct vtc_vf *vf, uint64_t *ret_guid);

/**
 * @brief Traffic counters, of a snapshot with #VTC_VF_LIST_F_STATS.
 *
 * A driver that does not count reports zeros (igb, for example); that cannot be told from
 * no traffic.
 *
 * @param[in] vf the VF
 * @param[out] ret_stats the counters
 * @param[in] size sizeof(struct vtc_vf_stats); counters that the library does not know
 *            are written as 0
 * @return tri-state; -ENODATA also without the flag
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_get_stats(const struct vtc_vf *vf, struct vtc_vf_stats *ret_stats,
			     size_t size);

/**
 * @brief Make a configuration that changes nothing yet.
 * @param[in] index number of the VF that it is for, from 0
 * @param[out] ret_config the configuration; vtc_vf_config_free() ends it
 * @retval 0 made
 * @retval -EINVAL @p ret_config is NULL or @p index is above 65534
 * @retval -ENOMEM memory is out
 * @thread{any}
 * @since 0.1
 */
VTC_API int vtc_vf_config_new(uint32_t index, struct vtc_vf_config **ret_config);

/**
 * @brief End a configuration.
 * @param[in] config the configuration, may be NULL
 * @thread{any}
 * @since 0.1
 */
VTC_API void vtc_vf_config_free(struct vtc_vf_config *config);

/**
 * @brief Ask for an attribute to be cleared.
 *
 * That is: MAC all zeros (02:00:00:00:00:00 where the driver refuses zeros), no VLAN,
 * rate 0, spoof check on, trust off, link state auto, RSS query off, GUID 0. Mind that
 * drivers may keep "the administrator set an address" in mind even after zeros.
 *
 * @param[in] config the configuration
 * @param[in] attr the attribute
 * @retval 0 noted
 * @retval -EINVAL @p config is NULL or @p attr is none
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_config_clear(struct vtc_vf_config *config, enum vtc_vf_attr attr);

/**
 * @brief Ask for an administrative address.
 * @param[in] config the configuration
 * @param[in] mac the address, unicast and not all zeros
 * @retval 0 noted
 * @retval -EINVAL a parameter is NULL, or @p mac is multicast or all zeros
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_config_set_mac(struct vtc_vf_config *config,
				  const struct vtc_mac *mac);

/**
 * @brief Ask for a port VLAN.
 * @param[in] config the configuration
 * @param[in] vlan the VLAN; id 0 with a priority asks for priority tagging
 * @retval 0 noted
 * @retval -EINVAL a parameter is NULL, the id is above 4094, the priority above 7, both
 *         are 0, the protocol unknown, or the reserved byte not 0
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_config_set_vlan(struct vtc_vf_config *config,
				   const struct vtc_vlan *vlan);

/**
 * @brief Ask for a guaranteed transmit rate; the limit stays as it is.
 * @param[in] config the configuration
 * @param[in] mbps the rate in Mbit/s, 0: none
 * @retval 0 noted
 * @retval -EINVAL @p config is NULL
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_config_set_min_rate_mbps(struct vtc_vf_config *config, uint32_t mbps);

/**
 * @brief Ask for a transmit rate limit; the guaranteed rate stays as it is.
 * @param[in] config the configuration
 * @param[in] mbps the rate in Mbit/s, 0: no limit
 * @retval 0 noted
 * @retval -EINVAL @p config is NULL
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_config_set_max_rate_mbps(struct vtc_vf_config *config, uint32_t mbps);

/**
 * @brief Ask for frames with a foreign source address to be dropped, or not.
 * @param[in] config the configuration
 * @param[in] on 1 or 0
 * @retval 0 noted
 * @retval -EINVAL @p config is NULL or @p on is neither
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_config_set_spoof_check(struct vtc_vf_config *config, int on);

/**
 * @brief Ask for the VF to be trusted, or not.
 * @param[in] config the configuration
 * @param[in] on 1 or 0
 * @retval 0 noted
 * @retval -EINVAL @p config is NULL or @p on is neither
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_config_set_trust(struct vtc_vf_config *config, int on);

/**
 * @brief Ask for a link state.
 * @param[in] config the configuration
 * @param[in] state the state
 * @retval 0 noted
 * @retval -EINVAL @p config is NULL or @p state is none
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_config_set_link_state(struct vtc_vf_config *config,
					 enum vtc_vf_link_state state);

/**
 * @brief Ask for the VF to be allowed to read the RSS table and key, or not.
 * @param[in] config the configuration
 * @param[in] on 1 or 0
 * @retval 0 noted
 * @retval -EINVAL @p config is NULL or @p on is neither
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_config_set_rss_query(struct vtc_vf_config *config, int on);

/**
 * @brief Ask for an InfiniBand node GUID.
 * @param[in] config the configuration
 * @param[in] guid the GUID as a number, not 0
 * @retval 0 noted
 * @retval -EINVAL @p config is NULL or @p guid is 0
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_config_set_node_guid(struct vtc_vf_config *config, uint64_t guid);

/**
 * @brief Ask for an InfiniBand port GUID.
 * @param[in] config the configuration
 * @param[in] guid the GUID as a number, not 0
 * @retval 0 noted
 * @retval -EINVAL @p config is NULL or @p guid is 0
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_config_set_port_guid(struct vtc_vf_config *config, uint64_t guid);

/**
 * @brief What became of one attribute in the last vtc_vf_apply().
 *
 * @param[in] config the configuration
 * @param[in] attr the attribute
 * @retval 1 set, and read back
 * @retval 0 set; the driver does not report it, so it could not be read back (or it could
 *         not be put back after another one failed: the error record says so)
 * @retval -ENODATA it was not asked for, or the configuration was never applied
 * @retval -ECANCELED asked for, but not tried or undone again, because another one failed
 *         or because it was a dry run
 * @retval -ETIMEDOUT accepted, but it did not read back as set in time
 * @retval -EOPNOTSUPP the driver does not have it
 * @retval -EINVAL a parameter is bad; or the driver refused the value: it then stands in
 *         the error record, too
 * @return other negative numbers are the driver's own
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_config_get_result(const struct vtc_vf_config *config,
				     enum vtc_vf_attr attr);

/** Go on after a failure and keep what worked. */
#define VTC_VF_APPLY_F_BEST_EFFORT (1u << 0)
/** Check everything that can be checked without a change, and change nothing. */
#define VTC_VF_APPLY_F_DRY_RUN	   (1u << 1)

/** Options of vtc_vf_apply(). Zero in a field means its default. */
struct vtc_vf_apply_opts {
	uint32_t sz;	     /**< sizeof(struct vtc_vf_apply_opts). */
	uint32_t flags;	     /**< VTC_VF_APPLY_F_ flags. */
	uint32_t timeout_ms; /**< For reading back; 0: 2000. */
	uint32_t reserved;   /**< Must be 0. */
};

/** Initialiser for struct vtc_vf_apply_opts. */
#define VTC_VF_APPLY_OPTS_INIT                                      \
	{                                                           \
		(uint32_t)sizeof(struct vtc_vf_apply_opts), 0, 0, 0 \
	}

/**
 * @brief Give attributes to one or more VFs.
 *
 * One message to the kernel for each attribute (rates share one), in the order trust,
 * MAC, VLAN, spoof check, rates, link state, RSS query, GUIDs, because the kernel applies
 * part of a larger message and does not say which part failed. Then everything is read
 * back, until it is as asked or the time is up.
 *
 * All or nothing: if one attribute fails, what was set before is put back, last one
 * first, and the first failure is returned; each result tells the rest. If putting back
 * fails too, the record says so. With #VTC_VF_APPLY_F_BEST_EFFORT nothing is put back.
 *
 * The address that the VF's own driver uses may follow later or only when it starts
 * anew; it is not waited for.
 *
 * @param[in] pf the handle
 * @param[in,out] configs the configurations, each for another VF of @p pf; they get the
 *         results
 * @param[in] count how many, 0 to 65535
 * @param[in] opts options, NULL for the defaults
 * @retval 0 all set (or, in a dry run, nothing known stands against it)
 * @retval -EINVAL a parameter is NULL, a flag unknown, two configurations are for the
 *         same VF, a guaranteed rate is above its limit, or the driver refused a value
 * @retval -E2BIG @p opts is newer than this library and uses what it adds
 * @retval -ERANGE a VF does not exist
 * @retval -ENODEV the PF vanished, or has no network interface here
 * @retval -EOPNOTSUPP the driver lacks an attribute
 * @retval -ETIMEDOUT something did not read back as set in time
 * @retval -EBUSY another process changes the PF
 * @retval -EPERM more rights are needed
 * @retval -ENOMEM memory is out; nothing was changed, or it was put back
 * @thread{ctx}
 * @since 0.1
 */
VTC_API int vtc_vf_apply(struct vtc_pf *pf, struct vtc_vf_config *const *configs,
			 size_t count, const struct vtc_vf_apply_opts *opts);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
