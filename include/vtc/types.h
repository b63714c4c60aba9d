/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file vtc/types.h
 * Small value types that the rest of the interface passes around.
 */
#ifndef VTC_TYPES_H
#define VTC_TYPES_H

#include <stddef.h>
#include <stdint.h>

#include <vtc/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @defgroup types Value types
 * @brief Addresses and VLANs, as plain values.
 *
 * These structs are frozen: they will never grow, so they may be kept, copied and
 * compared freely. None of the functions here needs a context, and all of them may be
 * called from any thread.
 *
 * **Tri-state getters.** Hardware often does not report a property, and that is not the
 * same as the property being off. Throughout libvtc a getter for such a property returns
 *
 * - `1`: the value is known and was written to the `ret_` parameter,
 * - `0`: it is known that there is none (unset, not bound, not present),
 * - `-ENODATA`: unknown; the kernel, the driver or the caller's rights did not tell,
 * - `-EINVAL`: a parameter was NULL or out of range.
 *
 * The `ret_` parameter is written only when the result is 1.
 * @{
 */

/** Size of a buffer that vtc_mac_format() fills completely, in bytes. */
#define VTC_MAC_TEXT_LEN 18

/** An Ethernet address (EUI-48), in the order of transmission. */
struct vtc_mac {
	uint8_t addr[6]; /**< The six octets, first on the wire first. */
};

/** VLAN tag protocol (the tag's EtherType). */
enum vtc_vlan_proto {
	VTC_VLAN_PROTO_8021Q = 0x8100,	/**< IEEE 802.1Q customer tag (C-tag). */
	VTC_VLAN_PROTO_8021AD = 0x88a8, /**< IEEE 802.1ad service tag (S-tag). */
};

/** A port VLAN: the tag that a NIC inserts and strips for a virtual function. */
struct vtc_vlan {
	uint16_t id;	  /**< VLAN identifier, 1 to 4094. */
	uint16_t proto;	  /**< One of enum vtc_vlan_proto; 0 is taken as 802.1Q. */
	uint8_t qos;	  /**< Priority code point, 0 to 7. */
	uint8_t reserved; /**< Must be 0. */
};

/**
 * @brief Read an Ethernet address from text.
 *
 * Accepts six pairs of hexadecimal digits, separated by colons throughout or by dashes
 * throughout, in either case, and nothing before or behind them.
 *
 * @param[in] text the text, NUL-terminated
 * @param[out] ret_mac the address; untouched on failure
 * @retval 0 read
 * @retval -EINVAL a parameter was NULL or the text is no such address
 * @thread{any}
 * @since 0.1
 */
VTC_API int vtc_mac_parse(const char *text, struct vtc_mac *ret_mac);

/**
 * @brief Write an Ethernet address as text ("52:54:00:12:34:56").
 *
 * @param[in] mac the address
 * @param[out] buf where to write; always NUL-terminated on success
 * @param[in] len size of @p buf in bytes, at least #VTC_MAC_TEXT_LEN
 * @retval 0 written
 * @retval -EINVAL a parameter was NULL
 * @retval -ENOSPC @p buf is too small; nothing was written
 * @thread{any}
 * @since 0.1
 */
VTC_API int vtc_mac_format(const struct vtc_mac *mac, char *buf, size_t len);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
