/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file vtc/agency.h
 * The VMDq agency: packets of a pool on their way to a virtual machine.
 */
#ifndef VTC_AGENCY_H
#define VTC_AGENCY_H

#include <stdint.h>

#include <vtc/pool.h>
#include <vtc/port.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @defgroup agency Agency
 * @brief A port (vtc/port.h) on a pool (vtc/pool.h).
 *
 * Joined in a relay with a virtual machine's port, it carries the machine's packets past
 * the bridge: from the card's queue to guest memory with one copy, and back with one, or
 * with none (#VTC_POOL_PORT_F_TX_IN_PLACE).
 * @{
 */

/** @name vtc_pool_port_opts.flags
 *  @{ */
/** Zero-copy between card and program, or fail; the default is to try it. */
#define VTC_POOL_PORT_F_ZEROCOPY    (1u << 0)
/** Do not try zero-copy. */
#define VTC_POOL_PORT_F_COPY	    (1u << 1)
/**
 * Spread received packets over vtc_pool_port_opts.queue_pairs by a hash of their
 * addresses, as a card does for several queues (receive side scaling, in software).
 */
#define VTC_POOL_PORT_F_SPREAD	    (1u << 2)
/**
 * Send packets from where they lie in the memory of a vhost-user guest, without a copy by
 * this program. It needs a transmit queue of the card that nothing is received by
 * (`ethtool -L`: more transmit than receive queues) and that no other socket has. All
 * that the port sends goes by that one, and while it is open the card's channels stay as
 * they are.
 *
 * The kernel then holds all of the guest's memory, so that all of it is in use, and
 * counts it as locked (RLIMIT_MEMLOCK, or CAP_IPC_LOCK). That is done at the first packet
 * and again when the memory map changes, and takes its time.
 *
 * Copied are packets of up to 256 bytes, those in more than 16 pieces, those with a
 * checksum or a size to be worked on, and what comes while a quarter of the guest's ring,
 * or 128 packets, are in flight. All are copied while the memory cannot be held or the
 * queue is not free, and for a second when a packet was not sent for 10 ms.
 *
 * A buffer goes back to the guest when the kernel says that it was sent, in the order of
 * the ring. Only where that does not come, for 10 ms, it goes back before: the kernel
 * then lets go of the memory, but a card that sends from it sends late what the guest
 * has written there meanwhile.
 * @since 0.4
 */
#define VTC_POOL_PORT_F_TX_IN_PLACE (1u << 3)
/** @} */

/** Options of vtc_pool_open_port(). Zero in a field means its default. */
struct vtc_pool_port_opts {
	uint32_t sz;	/**< sizeof(struct vtc_pool_port_opts). */
	uint32_t flags; /**< VTC_POOL_PORT_F_ bits. */
	/** Descriptors of each ring, a power of 2, 64 to 32768; 0: 512. */
	uint32_t ring_size;
	/**
	 * Frames of 4 KiB for each queue, a power of 2, ring_size to 262144; 0: twice
	 * ring_size. Ports that share a queue share its frames: the first one's number
	 * holds.
	 */
	uint32_t frame_count;
	uint32_t queue_pairs; /**< Queue pairs of the port; 0: one for each queue. */
	uint32_t reserved;    /**< Must be 0. */
};

/** Initialiser for struct vtc_pool_port_opts. */
#define VTC_POOL_PORT_OPTS_INIT                                            \
	{                                                                  \
		(uint32_t)sizeof(struct vtc_pool_port_opts), 0, 0, 0, 0, 0 \
	}

/**
 * @brief Open an AF_XDP port on the queues of a pool.
 *
 * On a pool of a VF or a macvlan interface the port is on that interface: all its frames
 * come here. Pools that share a queue of the card (software sorting) share a buffer area,
 * which guests never see; that needs one context for all of them. Other processes then
 * get -EBUSY, and their pools are served through the target interface.
 *
 * Frames of group addresses come too if the pool has #VTC_POOL_F_GROUP_COPY.
 *
 * A sender on this machine (the far end of a veth) must complete its checksums itself:
 * AF_XDP does not tell which are missing.
 *
 * @param[in] pool the pool
 * @param[in] opts options, NULL for the defaults
 * @param[out] ret_port the port, one on each pool; vtc_port_close() ends it
 * @retval 0 opened
 * @retval -EINVAL a parameter is NULL or out of range, or a flag is unknown
 * @retval -E2BIG @p opts is newer than this library and uses what it adds
 * @retval -EBUSY the pool has a port or belongs to another process, or its queue is used
 *         by another program's AF_XDP socket
 * @retval -ENODEV the card, or the interface of the pool, is gone
 * @retval -ENOENT somebody has released the pool
 * @retval -EOPNOTSUPP the pool's backend has no queue that AF_XDP can have (tc), the card
 *         has no zero-copy but it was asked for (there is none where the guard is
 *         generic), or no transmit queue to send in place by, or this build has no libxdp
 * @retval -ENOBUFS memory that may be locked is out (see RLIMIT_MEMLOCK)
 * @retval -EPERM CAP_NET_RAW is missing
 * @retval -ENOMEM memory is out
 * @return other negative numbers: on a pool of a VF or a macvlan interface, those of
 *         vtc_pool_request() for that interface
 * @thread{ctx}
 * @since 0.4
 */
VTC_API int vtc_pool_open_port(struct vtc_pool *pool,
			       const struct vtc_pool_port_opts *opts,
			       struct vtc_port **ret_port);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
