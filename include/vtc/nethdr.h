/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file vtc/nethdr.h
 * The header before each packet of a virtio network device, and what it asks for.
 */
#ifndef VTC_NETHDR_H
#define VTC_NETHDR_H

#include <stddef.h>
#include <stdint.h>

#include <vtc/mem.h>
#include <vtc/vring.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @defgroup nethdr Packets
 * @brief virtio-net headers, packets over several buffers, and offloads in software.
 *
 * On a virtio-net ring each packet begins with a struct virtio_net_hdr (VIRTIO section
 * 5.1.6), 12 bytes long; 10 bytes with legacy devices without merged buffers. It says
 * which checksum is still missing and into which pieces a large packet is to be cut.
 *
 * A header that a peer wrote is copied once into private memory, checked against the
 * length of the packet, and only the copy is used from then on. Header and packet may lie
 * in any number of segments, cut anywhere; empty segments count for nothing.
 *
 * A side that did not negotiate an offload must not be sent packets that need it.
 * A struct vtc_offload does in software what the far side cannot: it turns one packet
 * into one or many, each a list of segments: private headers first, then the payload
 * where it lies, without a copy. The near side's memory is never written.
 *
 * From one ring to another, for each chain that vtc_vring_pull() gave:
 *
 *     vtc_nethdr_get(segments, count, 12, &header);
 *     n = vtc_nethdr_strip(segments, count, 12);
 *     vtc_offload_begin(offload, &header, segments + n, count - n);
 *     while ((n = vtc_offload_next(offload, &out, pieces, 64)) > 0)
 *             vtc_nethdr_scatter(&out, 12, 1, pieces, n, chains, chain_count, done);
 *
 * None of the functions that work on packets allocates, locks or makes a system call.
 * @{
 */

/** @name Feature bits of a network device that concern packets
 *  The number is the bit; see vtc_vring_opts.features.
 *  @{ */
#define VTC_NET_F_CSUM	     0	/**< Device takes packets without checksum. */
#define VTC_NET_F_GUEST_CSUM 1	/**< Driver takes packets without checksum. */
#define VTC_NET_F_GUEST_TSO4 7	/**< Driver takes large TCP over IPv4. */
#define VTC_NET_F_GUEST_TSO6 8	/**< Driver takes large TCP over IPv6. */
#define VTC_NET_F_GUEST_ECN  9	/**< Driver takes large TCP with ECN. */
#define VTC_NET_F_HOST_TSO4  11 /**< Device takes large TCP over IPv4. */
#define VTC_NET_F_HOST_TSO6  12 /**< Device takes large TCP over IPv6. */
#define VTC_NET_F_HOST_ECN   13 /**< Device takes large TCP with ECN. */
#define VTC_NET_F_MRG_RXBUF  15 /**< Received packets may span several chains. */
#define VTC_NET_F_GUEST_USO4 54 /**< Driver takes large UDP over IPv4. */
#define VTC_NET_F_GUEST_USO6 55 /**< Driver takes large UDP over IPv6. */
#define VTC_NET_F_HOST_USO   56 /**< Device takes large UDP. */
/** @} */

/** @name vtc_nethdr.flags
 *  @{ */
#define VTC_NETHDR_F_NEEDS_CSUM 1 /**< The checksum at csum_start is to be completed. */
#define VTC_NETHDR_F_DATA_VALID 2 /**< The checksum was verified. */
/** @} */

/** @name vtc_nethdr.gso_type
 *  @{ */
#define VTC_NETHDR_GSO_NONE   0	   /**< Not a large packet. */
#define VTC_NETHDR_GSO_TCPV4  1	   /**< TCP over IPv4. */
#define VTC_NETHDR_GSO_TCPV6  4	   /**< TCP over IPv6. */
#define VTC_NETHDR_GSO_UDP_L4 5	   /**< UDP, cut into datagrams. */
#define VTC_NETHDR_GSO_ECN    0x80 /**< TCP with CWR; or'ed to the type. */
/** @} */

/** A header in host byte order, in private memory. */
struct vtc_nethdr {
	uint8_t flags;	      /**< VTC_NETHDR_F_ bits; those unknown here are left out. */
	uint8_t gso_type;     /**< One of VTC_NETHDR_GSO_. */
	uint16_t hdr_len;     /**< A hint only: never rely on it. */
	uint16_t gso_size;    /**< Payload of each piece in bytes; 0 if not large. */
	uint16_t csum_start;  /**< Where the sum begins; 0 without NEEDS_CSUM. */
	uint16_t csum_offset; /**< Where the checksum goes, from csum_start; likewise. */
	uint16_t num_buffers; /**< How many chains the packet spans (driver receives). */
};

/**
 * @brief Take the header from the beginning of a packet, and check it.
 * @param[in] segments the packet with its header, as vtc_vring_pull() gave it
 * @param[in] count how many segments
 * @param[in] hdr_size size of the header, 12 or 10
 * @param[out] ret_header the header
 * @retval 0 taken
 * @retval -EINVAL a parameter is NULL or @p hdr_size neither
 * @retval -EPROTO the packet is shorter than its header or an Ethernet header, the
 *         checksum lies outside of it, the type is unknown, or the packet is large but
 *         the pieces' size is 0 or no checksum is asked for
 * @thread{any}
 * @since 0.2
 */
VTC_API int vtc_nethdr_get(const struct vtc_segment *segments, unsigned int count,
			   unsigned int hdr_size, struct vtc_nethdr *ret_header);

/**
 * @brief How many chains a received packet spans; driver side, with #VTC_NET_F_MRG_RXBUF.
 *
 * Join that many chains, each as far as it was written, then use vtc_nethdr_get() on all
 * of them. The device can have changed the number by then: keep to the one from here.
 *
 * @param[in] segments the first chain, as far as it was written
 * @param[in] count how many segments
 * @return how many chains, at least 1
 * @retval -EINVAL @p segments is NULL
 * @retval -EPROTO the chain is shorter than a header of 12 bytes, or the number is 0
 * @thread{any}
 * @since 0.2
 */
VTC_API int vtc_nethdr_get_buffers(const struct vtc_segment *segments,
				   unsigned int count);

/**
 * @brief Take the header off the segments.
 * @param[in,out] segments the packet with its header; the segment in which the header
 *                ends is shortened
 * @param[in] count how many segments
 * @param[in] hdr_size size of the header, 12 or 10
 * @return how many segments from the first on are used up: the packet begins with the
 *         next
 * @retval -EINVAL @p segments is NULL or @p hdr_size neither
 * @retval -EPROTO the segments are shorter than the header
 * @thread{any}
 * @since 0.2
 */
VTC_API int vtc_nethdr_strip(struct vtc_segment *segments, unsigned int count,
			     unsigned int hdr_size);

/**
 * @brief Write a packet into one or more receive chains; device side.
 *
 * Uses more than one chain only with @p mergeable. Writes the header with the right
 * number of buffers, then the packet. This is the one copy on the way.
 *
 * @param[in] header the header; its num_buffers is ignored
 * @param[in] hdr_size size of the header in the chains, 12 or 10; 12 if @p mergeable
 * @param[in] mergeable 1 if #VTC_NET_F_MRG_RXBUF was negotiated, else 0
 * @param[in] packet the packet without header
 * @param[in] count how many segments @p packet has
 * @param[in] chains pulled chains; their writable segments count
 * @param[in] chain_count how many, may be 0
 * @param[out] done one entry for each chain that was used, for vtc_vring_push()
 * @return how many chains were used, from the first on
 * @retval -EINVAL a parameter is NULL or out of range
 * @retval -ENOSPC the chains (without @p mergeable: the first) are too small for the
 *         packet; nothing was written
 * @retval -EPROTO the driver offers a chain that is too small for a header; nothing was
 *         written
 * @thread{any}
 * @since 0.2
 */
VTC_API int vtc_nethdr_scatter(const struct vtc_nethdr *header, unsigned int hdr_size,
			       int mergeable, const struct vtc_segment *packet,
			       unsigned int count, const struct vtc_chain *chains,
			       unsigned int chain_count, struct vtc_done *done);

/** Does in software what a far side cannot. */
struct vtc_offload;

/**
 * @brief Make a converter to a far side.
 * @param[in] ctx the context, for the error record of this call; not kept
 * @param[in] features what the far side negotiated, as in vtc_vring_opts.features
 * @param[in] role which side the far side is: its GUEST_ bits count if it is the driver,
 *            its CSUM and HOST_ bits if it is the device
 * @param[out] ret_offload the converter; vtc_offload_free() ends it
 * @retval 0 made
 * @retval -EINVAL a parameter is NULL or @p role unknown
 * @retval -ENOMEM memory is out
 * @thread{ctx}
 * @since 0.2
 */
VTC_API int vtc_offload_new(struct vtc_ctx *ctx, const uint64_t features[2],
			    enum vtc_vring_role role, struct vtc_offload **ret_offload);

/**
 * @brief End a converter.
 * @param[in] offload the converter, may be NULL
 * @thread{ctx}
 * @since 0.2
 */
VTC_API void vtc_offload_free(struct vtc_offload *offload);

/**
 * @brief Begin with a packet.
 *
 * A packet that was begun before is forgotten, also if this fails.
 *
 * @param[in] offload the converter
 * @param[in] header the packet's header, from vtc_nethdr_get()
 * @param[in] packet the packet without header; borrowed, with the list of its segments,
 *            until the last vtc_offload_next()
 * @param[in] count how many segments
 * @return how many packets will come out, at least 1
 * @retval -EINVAL a parameter is NULL
 * @retval -EPROTO the packet is not what its header says (other protocol, cut headers, a
 *         fragment, a checksum elsewhere), a piece would be too long for IP, or the
 *         headers to rewrite are longer than 256 bytes
 * @thread{queue}
 * @since 0.2
 */
VTC_API int vtc_offload_begin(struct vtc_offload *offload,
			      const struct vtc_nethdr *header,
			      const struct vtc_segment *packet, unsigned int count);

/**
 * @brief The next packet that comes out.
 *
 * Pieces of a large packet come with a checksum still missing if the far side can do
 * that.
 *
 * @param[in] offload the converter
 * @param[out] ret_header its header
 * @param[out] segments its segments; the first may be private memory of the converter,
 *             which is valid until the next call
 * @param[in] max room in @p segments: one more than the packet had always suffices
 * @return how many segments, 0 if there is no more packet
 * @retval -EINVAL a parameter is NULL
 * @retval -ENOSPC @p max is too small; the packet can be asked for again
 * @thread{queue}
 * @since 0.2
 */
VTC_API int vtc_offload_next(struct vtc_offload *offload, struct vtc_nethdr *ret_header,
			     struct vtc_segment *segments, unsigned int max);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
