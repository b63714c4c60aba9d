/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file vtc/vring.h
 * A vring: the queue of a virtio device, from either side.
 */
#ifndef VTC_VRING_H
#define VTC_VRING_H

#include <stddef.h>
#include <stdint.h>

#include <vtc/ctx.h>
#include <vtc/mem.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @defgroup vring Vrings
 * @brief needs_poll, pull, push: buffers change hands without being copied.
 *
 * A vring is a virtqueue as in the VIRTIO specification, split (section 2.7) or packed
 * (2.8). One side, the @em driver, adds chains of buffers; the other, the @em device,
 * pulls them, reads what is readable and writes what is writable where it lies, and
 * pushes them back.
 *
 * The device side in a loop:
 *
 *     for (;;) {
 *             n = vtc_vring_pull(ring, chains, 32, segments, 64);
 *             ... work on chains[0..n-1], fill done[0..n-1] ...
 *             vtc_vring_push(ring, done, n);
 *             if (vtc_vring_flush(ring) == 1)
 *                     ... notify the driver ...
 *             if (n == 0 && vtc_vring_needs_poll(ring) == 1)
 *                     ... wait for the driver's notification ...
 *     }
 *
 * The driver side has vtc_vring_add(), vtc_vring_kick() and vtc_vring_reap() instead, and
 * the same vtc_vring_needs_poll().
 *
 * **A bad peer breaks its own ring, never the process.** Each descriptor is copied into
 * private memory first, and only that copy is checked and used. Every index, length,
 * address and chain is checked, every loop is bounded. When the peer breaks a rule, the
 * ring is @em broken: this and every further call returns -EPROTO, nothing more is read
 * from or written to the ring, and vtc_vring_get_error() tells the reason. Other rings go
 * on.
 *
 * **Threads.** A vring belongs to one thread at a time ("thread: queue"); different
 * vrings may be used on different threads, also on the same memory map. No function here
 * allocates, locks or makes a system call, but for those that make, end, save or reset a
 * vring. @{
 */

/** Which side of the ring this is. */
enum vtc_vring_role {
	VTC_VRING_DEVICE = 0, /**< Pulls and pushes. */
	VTC_VRING_DRIVER = 1, /**< Adds and reaps. */
};

/** @name Feature bits that concern a ring
 *  Bit n stands in word n / 64 of vtc_vring_opts.features, at position n % 64. Other bits
 *  are ignored. VIRTIO 1.x is always assumed (VIRTIO_F_VERSION_1).
 *  @{ */
#define VTC_VRING_F_INDIRECT   28 /**< VIRTIO_F_INDIRECT_DESC */
#define VTC_VRING_F_EVENT_IDX  29 /**< VIRTIO_F_EVENT_IDX */
#define VTC_VRING_F_PACKED     34 /**< VIRTIO_F_RING_PACKED */
#define VTC_VRING_F_IN_ORDER   35 /**< VIRTIO_F_IN_ORDER */
#define VTC_VRING_F_RING_RESET 40 /**< VIRTIO_F_RING_RESET */
/** @} */

/** Largest size of a ring, in descriptors. */
#define VTC_VRING_SIZE_MAX 32768

/** Where a ring stands: enough to go on elsewhere. */
struct vtc_vring_state {
	uint16_t avail; /**< Next index (split) or slot (packed) to pull or to add at. */
	uint16_t used;	/**< Next index or slot to push or to reap at. */
	uint8_t avail_round; /**< Packed: 1 if @ref avail has wrap counter 0, else 0. */
	uint8_t used_round;  /**< Packed: 1 if @ref used has wrap counter 0, else 0. */
	uint16_t in_flight; /**< Chains between the two; see vtc_vring_get_in_flight(). */
};

/**
 * Options of vtc_vring_new().
 *
 * The driver side uses indirect tables only if it is told where to put them: @ref size
 * tables of @ref indirect_len descriptors (2 to @ref size) of 16 bytes each, at @ref
 * indirect_addr. Chains of more buffers than that, and chains of one, go without.
 */
struct vtc_vring_opts {
	uint32_t sz;	      /**< sizeof(struct vtc_vring_opts). */
	uint32_t flags;	      /**< No flag is defined: 0. */
	uint32_t role;	      /**< One of enum vtc_vring_role. */
	uint32_t size;	      /**< Descriptors, 1 to #VTC_VRING_SIZE_MAX. */
	uint64_t features[2]; /**< What both sides agreed on. */
	uint64_t desc_addr;   /**< Guest address of the descriptor table or ring. */
	uint64_t driver_addr; /**< Of the available ring, or the driver's events. */
	uint64_t device_addr; /**< Of the used ring, or the device's events. */
	struct vtc_vring_state state; /**< Where to go on; all zero: new. */
	uint64_t indirect_addr;	      /**< Driver side: see @ref indirect_len. */
	uint32_t indirect_len; /**< Driver side: descriptors per indirect table, or 0. */
	uint32_t reserved;     /**< Must be 0. */
};

/** Initialiser for struct vtc_vring_opts. */
#define VTC_VRING_OPTS_INIT                                                          \
	{                                                                            \
		(uint32_t)sizeof(struct vtc_vring_opts), 0, 0, 0, { 0, 0 }, 0, 0, 0, \
			{ 0, 0, 0, 0, 0 }, 0, 0, 0                                   \
	}

/** A chain that the device side pulled. */
struct vtc_chain {
	struct vtc_segment *segments; /**< Readable ones first, then writable ones. */
	uint32_t readable_bytes;      /**< Sum of the readable segments. */
	uint32_t writable_bytes;      /**< Sum of the writable segments. */
	uint16_t readable;	      /**< How many segments are readable. */
	uint16_t writable;	      /**< How many segments are writable. */
	uint32_t id;		      /**< Names the chain in vtc_vring_push(). */
};

/** A chain that comes back. */
struct vtc_done {
	uint32_t id;  /**< vtc_chain.id, or the driver side's own id. */
	uint32_t len; /**< Bytes that the device side wrote, from the chain's first on. */
};

/** A buffer that the driver side adds, in guest addresses. */
struct vtc_buffer {
	uint64_t guest_addr; /**< First byte. */
	uint32_t len;	     /**< Length in bytes, not 0. */
	uint32_t reserved;   /**< Must be 0. */
};

/** A chain that the driver side adds. */
struct vtc_add {
	const struct vtc_buffer *buffers; /**< Readable ones first, then writable ones. */
	uint16_t readable;		  /**< How many the device may read. */
	uint16_t writable;		  /**< How many the device may write. */
	uint32_t id; /**< Comes back with vtc_vring_reap(); any number. */
};

/** A vring. */
struct vtc_vring;

/**
 * @brief Make a vring on memory that exists.
 *
 * The driver side of a new ring sets the ring's memory to zero. The device side reads
 * nothing yet.
 *
 * @param[in] ctx the context, for error records
 * @param[in] mem the memory map; held until vtc_vring_free()
 * @param[in] opts options
 * @param[out] ret_vring the vring
 * @retval 0 made
 * @retval -EINVAL a parameter is NULL, a field is out of range, a split size is no power
 *         of two, an address is not aligned (VIRTIO 2.7 and 2.8: 16, 2, 4 and 16, 4, 4
 *         bytes), or the state is impossible
 * @retval -E2BIG @p opts is newer than this library and uses what it adds
 * @retval -EFAULT a part of the ring is not in one piece of the memory map, is not
 *         aligned in memory, or the map does not allow what this side must do there
 * @retval -EOPNOTSUPP the state has chains in flight on a packed ring without
 *         #VTC_VRING_F_IN_ORDER; see vtc_vring_resubmit()
 * @retval -ENOMEM memory is out
 * @thread{ctx}
 * @since 0.2
 */
VTC_API int vtc_vring_new(struct vtc_ctx *ctx, struct vtc_mem *mem,
			  const struct vtc_vring_opts *opts,
			  struct vtc_vring **ret_vring);

/**
 * @brief End a vring; its memory is left as it is.
 * @param[in] vring the vring, may be NULL
 * @thread{ctx}
 * @since 0.2
 */
VTC_API void vtc_vring_free(struct vtc_vring *vring);

/**
 * @brief Is there nothing to do, so that the caller must wait?
 *
 * If there is something to pull (device side) or to reap (driver side), nothing else
 * happens. Otherwise the other side is asked to notify, and then this side looks again;
 * so what comes in between is not missed. vtc_vring_pull() and vtc_vring_reap() take the
 * request back when they find something.
 *
 * @param[in] vring the vring
 * @retval 0 no: there is something to do
 * @retval 1 yes: wait for the notification
 * @retval -EINVAL @p vring is NULL
 * @retval -EPROTO the ring is broken
 * @thread{queue}
 * @since 0.2
 */
VTC_API int vtc_vring_needs_poll(struct vtc_vring *vring);

/**
 * @brief Take chains that the driver added; device side.
 *
 * Takes as many whole chains as there are, up to @p max and as far as the segments
 * suffice.
 *
 * @param[in] vring the vring
 * @param[out] chains the chains
 * @param[in] max room in @p chains
 * @param[out] segments room for the segments of all of them
 * @param[in] max_segments room in @p segments
 * @return how many chains were taken, 0 if there is none
 * @retval -EINVAL a parameter is NULL or 0, or this is the driver side
 * @retval -ENOSPC the next chain alone has more segments than @p max_segments
 * @retval -EPROTO the ring is broken (chains before the bad one are returned first)
 * @thread{queue}
 * @since 0.2
 */
VTC_API int vtc_vring_pull(struct vtc_vring *vring, struct vtc_chain *chains,
			   unsigned int max, struct vtc_segment *segments,
			   unsigned int max_segments);

/**
 * @brief Give chains back untouched, as if they had not been pulled; device side.
 * @param[in] vring the vring
 * @param[in] count how many, from the last pulled backwards; none of them pushed
 * @retval 0 given back; the next pull takes them again
 * @retval -EINVAL @p vring is NULL, or so many have not been pulled since the last push
 * @retval -EPROTO the ring is broken
 * @thread{queue}
 * @since 0.2
 */
VTC_API int vtc_vring_unpull(struct vtc_vring *vring, unsigned int count);

/**
 * @brief Return chains to the driver; device side.
 *
 * They become visible to it with vtc_vring_flush(). With #VTC_VRING_F_IN_ORDER they must
 * come in the order in which they were pulled.
 *
 * @param[in] vring the vring
 * @param[in] done the chains and how much was written to each
 * @param[in] count how many
 * @retval 0 noted
 * @retval -EINVAL a parameter is NULL, an id is not in flight, a length is above the
 *         chain's writable bytes, or the order is wrong; the entries before the bad one
 *         are noted
 * @retval -EPROTO the ring is broken
 * @thread{queue}
 * @since 0.2
 */
VTC_API int vtc_vring_push(struct vtc_vring *vring, const struct vtc_done *done,
			   unsigned int count);

/**
 * @brief Make pushed chains visible to the driver, all at once; device side.
 * @param[in] vring the vring
 * @retval 1 the driver wants to be notified: do it now
 * @retval 0 it need not be
 * @retval -EINVAL @p vring is NULL or the driver side
 * @retval -EPROTO the ring is broken
 * @thread{queue}
 * @since 0.2
 */
VTC_API int vtc_vring_flush(struct vtc_vring *vring);

/**
 * @brief Offer chains to the device; driver side.
 *
 * They become visible to it with vtc_vring_kick().
 *
 * @param[in] vring the vring
 * @param[in] chains the chains
 * @param[in] count how many
 * @return how many were added; fewer than @p count if the ring is full
 * @retval -EINVAL a parameter is NULL, or a chain is empty, longer than the ring, has an
 *         empty buffer or one that wraps, or is above 4 GiB; nothing was added
 * @retval -EPROTO the ring is broken
 * @thread{queue}
 * @since 0.2
 */
VTC_API int vtc_vring_add(struct vtc_vring *vring, const struct vtc_add *chains,
			  unsigned int count);

/**
 * @brief Make added chains visible to the device, all at once; driver side.
 * @param[in] vring the vring
 * @retval 1 the device wants to be notified: do it now
 * @retval 0 it need not be
 * @retval -EINVAL @p vring is NULL or the device side
 * @retval -EPROTO the ring is broken
 * @thread{queue}
 * @since 0.2
 */
VTC_API int vtc_vring_kick(struct vtc_vring *vring);

/**
 * @brief Take back chains that the device has returned; driver side.
 * @param[in] vring the vring
 * @param[out] done the chains' ids, and how much was written to each
 * @param[in] max room in @p done
 * @return how many, 0 if there is none
 * @retval -EINVAL a parameter is NULL or 0, or this is the device side
 * @retval -EPROTO the ring is broken
 * @thread{queue}
 * @since 0.2
 */
VTC_API int vtc_vring_reap(struct vtc_vring *vring, struct vtc_done *done,
			   unsigned int max);

/**
 * @brief Where the ring stands.
 *
 * What was pushed but not flushed, or added but not kicked, counts as not done.
 *
 * @param[in] vring the vring
 * @param[out] ret_state the state
 * @retval 0 written
 * @retval -EINVAL a parameter is NULL
 * @thread{queue}
 * @since 0.2
 */
VTC_API int vtc_vring_get_state(const struct vtc_vring *vring,
				struct vtc_vring_state *ret_state);

/**
 * @brief The chains that were pulled and not flushed, oldest first; device side.
 *
 * For a successor that has to do them again (vhost-user in-flight record): give it the
 * ids with vtc_vring_resubmit().
 *
 * @param[in] vring the vring
 * @param[out] ids the chains' ids
 * @param[in] max room in @p ids
 * @return how many there are, also if that is more than @p max
 * @retval -EINVAL a parameter is NULL, or this is the driver side
 * @thread{queue}
 * @since 0.2
 */
VTC_API int vtc_vring_get_in_flight(const struct vtc_vring *vring, uint32_t *ids,
				    unsigned int max);

/**
 * @brief Pull chains again that a predecessor had in flight; device side.
 *
 * The next pulls return them, in this order, before anything new.
 *
 * A packed ring keeps no list of what is available: a descriptor that was pulled may be
 * overwritten before its chain is pushed. So this works on packed rings only with
 * #VTC_VRING_F_IN_ORDER, and otherwise all chains in flight must be pushed (or given back
 * with vtc_vring_unpull()) before the state is taken.
 *
 * @param[in] vring a new vring, whose state counts them as in flight
 * @param[in] ids what vtc_vring_get_in_flight() said
 * @param[in] count how many
 * @retval 0 noted
 * @retval -EINVAL a parameter is NULL, the number is not the state's, an id is out of
 *         range or there twice, or something was pulled already
 * @retval -ENOMEM memory is out
 * @thread{queue}
 * @since 0.2
 */
VTC_API int vtc_vring_resubmit(struct vtc_vring *vring, const uint32_t *ids,
			       unsigned int count);

/**
 * @brief Why the ring is broken.
 * @param[in] vring the vring, may be NULL
 * @return the reason, a constant text; NULL if the ring is not broken
 * @thread{queue}
 * @since 0.2
 */
VTC_API const char *vtc_vring_get_error(const struct vtc_vring *vring);

/**
 * @brief Begin anew, as after a reset of this queue (VIRTIO_F_RING_RESET).
 *
 * Forgets everything in flight and that the ring was broken. The driver side also sets
 * the ring's memory to zero, so both sides must have stopped.
 *
 * @param[in] vring the vring
 * @retval 0 as new
 * @retval -EINVAL @p vring is NULL
 * @retval -EFAULT the ring's memory has left the memory map
 * @thread{queue}
 * @since 0.2
 */
VTC_API int vtc_vring_reset(struct vtc_vring *vring);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
